"""Long programs whose body is marked: `eg.scan` in the place of the loop.

In: sizes. Out: `PROGRAMS`.
Guaranteed: flops of a gradient are bounded by five evaluations; lines by ten times those of a scan
of one step, whatever the length.
"""

import functools

import numpy as np

import eingrad as eg
from real_programs.measure import Program, Task, evaluations
from real_programs.oracles import differences


def _scanned(make, steps, x, order=1):
    """Task: a derivative of ``make(steps)``, its lines bounded by those of ``make(1)``."""
    f = make(steps)
    sweeps = 5.0 * x.size ** (order - 1)
    should = {"flops": evaluations(f, x, sweeps), "lines": evaluations(make(1), x, 10.0)}
    return Task(eg.derivative(f, order), (x,), should, lambda: differences(f, x, *[None] * order))


def small_network(order, rng, steps, n):
    """RK4 of a small network."""
    w, h = rng.normal(size=(n, n)) / 3, 0.1
    rate = lambda x: np.tanh(w @ x) - 0.1 * x

    def step(x, _):
        a = rate(x)
        b = rate(x + h / 2 * a)
        c = rate(x + h / 2 * b)
        return x + h / 6 * (a + 2 * b + 2 * c + rate(x + h * c)), None

    make = lambda steps: lambda x: (eg.scan(step, x, length=steps)[0] ** 2).sum()
    return _scanned(make, steps, rng.normal(size=n), order)


def pendulum(order, rng, steps):
    """Leapfrog of a chain of pendulums: positions and momenta, one after the other."""

    def step(state, _):
        q, p = state
        p = p - 0.05 * np.sin(q)
        return (q + 0.05 * p, p), None

    def make(steps):
        def f(x):
            (q, p), _ = eg.scan(step, (x[:3], x[3:]), length=steps)
            return np.cos(q).sum() + (p**2).sum() / 2

        return f

    return _scanned(make, steps, rng.normal(size=6), order)


def linear_recursion(order, rng, steps, n):
    """A linear recursion with a nonlinearity, driven by data, in its matrix."""
    data = rng.normal(size=(steps + 1, n))
    make = lambda steps: (
        lambda A: (
            eg.scan(lambda x, d: (np.tanh(A @ x + d), None), np.zeros(n), data[:steps])[0] ** 2
        ).sum()
    )
    return _scanned(make, steps, rng.normal(size=(n, n)) / n, order)


def newton(rng, steps, n):
    """Newton's iteration for the inverse square root of a matrix."""
    step = lambda A: lambda X, _: (1.5 * X - 0.5 * X @ X @ X @ A, None)
    make = lambda steps: lambda A: (eg.scan(step(A), np.eye(n), length=steps)[0] ** 2).sum()
    return _scanned(make, steps, np.eye(n) + rng.normal(size=(n, n)) / (9 * n))


def kalman(order, rng, steps):
    """Score of a Kalman filter of level and slope, in logs of its variances."""
    seen = rng.normal(size=steps).cumsum()
    move, look = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([1.0, 0.0])

    def make(steps):
        def f(p):
            driven, noise = np.exp(p[:2])[:, None] * np.eye(2), np.exp(p[2])

            def step(carry, y):
                mean, spread = carry
                mean, spread = move @ mean, move @ spread @ move.T + driven
                off, scale = y - look @ mean, look @ spread @ look + noise
                gain = spread @ look / scale
                next_spread = spread - np.outer(gain, look @ spread)
                return (mean + gain * off, next_spread), -(off**2 / scale + np.log(scale)) / 2

            return eg.scan(step, (np.zeros(2), np.eye(2)), seen[:steps])[1].sum()

        return f

    return _scanned(make, steps, rng.normal(size=3) / 3, order)


def sinkhorn(rng, steps, n):
    """Transport cost after unrolled Sinkhorn iterations, in the cost matrix."""
    a, b = rng.dirichlet(np.ones(n), size=2)

    def make(steps):
        def f(C):
            K = np.exp(-C)

            def step(pair, _):
                u = a / (K @ pair[1])
                return (u, b / (K.T @ u)), None

            (u, v), _ = eg.scan(step, (np.ones(n), np.ones(n)), length=steps)
            return (u[:, None] * K * v * C).sum()

        return f

    return _scanned(make, steps, rng.uniform(size=(n, n)))


def lstm(rng, steps, n):
    """Squared error of an LSTM over a sequence, in all weights in one vector."""
    data, target = rng.normal(size=(steps + 1, 2)), rng.normal(size=steps + 1)
    size = (n + 2) * 4 * n

    def make(steps):
        def f(p):
            weights, bias, readout = p[:size].reshape(n + 2, 4 * n), p[size:-n], p[-n:]

            def step(carry, given):
                (hidden, cell), (x, wanted) = carry, given
                gates = np.concatenate([x, hidden]) @ weights + bias
                forget, enter, leave = 1 / (1 + np.exp(-gates[: 3 * n].reshape(3, n)))
                cell = forget * cell + enter * np.tanh(gates[3 * n :])
                hidden = leave * np.tanh(cell)
                return (hidden, cell), (hidden @ readout - wanted) ** 2

            given = data[:steps], target[:steps]
            return eg.scan(step, (np.zeros(n), np.zeros(n)), given)[1].sum()

        return f

    return _scanned(make, steps, rng.normal(size=size + 5 * n) / 3)


def _row(point, name, make, *given, sizes=(), small=()):
    return Program(point, f"scan: {name}", functools.partial(make, *given), sizes, small)


PROGRAMS = (
    _row("12", "RK4 of a network, 10 steps, Hessian", small_network, 2, sizes=(10, 4), small=(2, 2)),
    _row("12", "RK4 of a network, 1,000 steps, Hessian", small_network, 2, sizes=(1000, 4), small=(2, 2)),
    _row("12", "leapfrog of pendulums, 100 steps, gradient", pendulum, 1, sizes=(100,), small=(3,)),
    _row("12", "leapfrog of pendulums, 1,000 steps, gradient", pendulum, 1, sizes=(1000,), small=(3,)),
    _row("12", "leapfrog of pendulums, 20 steps, Hessian", pendulum, 2, sizes=(20,), small=(2,)),
    _row("12", "recursion of 50 steps, gradient", linear_recursion, 1, sizes=(50, 10), small=(3, 2)),
    _row("12", "recursion of 1,000 steps, gradient", linear_recursion, 1, sizes=(1000, 10), small=(3, 2)),
    _row("12", "recursion of 10 steps, Hessian", linear_recursion, 2, sizes=(10, 4), small=(3, 2)),
    _row("12", "Newton's iteration, 15 steps, gradient", newton, sizes=(15, 8), small=(2, 2)),
    _row("13", "RK4 of a network, 100 steps, gradient", small_network, 1, sizes=(100, 6), small=(2, 2)),
    _row("13", "Kalman score, 30 steps", kalman, 1, sizes=(30,), small=(3,)),
    _row("13", "Kalman score, 300 steps", kalman, 1, sizes=(300,), small=(3,)),
    _row("13", "Kalman information, 300 steps", kalman, 2, sizes=(300,), small=(3,)),
    _row("13", "Sinkhorn, 40 iterations, gradient", sinkhorn, sizes=(40, 50), small=(2, 3)),
    _row("13", "Sinkhorn, 1,000 iterations, gradient", sinkhorn, sizes=(1000, 50), small=(2, 3)),
    _row("13", "LSTM over 50 steps, gradient", lstm, sizes=(50, 10), small=(2, 2)),
    _row("13", "LSTM over 1,000 steps, gradient", lstm, sizes=(1000, 10), small=(2, 2)),
)  # fmt: skip
