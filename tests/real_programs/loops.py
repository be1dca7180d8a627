"""Long programs: a body that is repeated, in integrators, filters, layers, fixed points.

In: sizes. Out: `PROGRAMS`.
Guaranteed: flops of a gradient are bounded by five evaluations; lines by ten times those of a loop
of one step, for a body is planned once.
"""

import functools

import numpy as np

import eingrad as eg
from real_programs.measure import Bound, Program, Task, evaluations
from real_programs.oracles import differences


def _unrolled(make, steps, x, order=1):
    """Task: a derivative of ``make(steps)``, its lines bounded by those of ``make(1)``."""
    f = make(steps)
    sweeps = 5.0 * x.size ** (order - 1)
    should = {"flops": evaluations(f, x, sweeps), "lines": evaluations(make(1), x, 10.0)}
    value = lambda: differences(f, x, *[None] * order)
    return Task(eg.derivative(f, order), (x,), should, value, (f, order))


# Integrators -------------------------------------------------------------------------------------


def runge_kutta(rate, h, steps):
    """RK4, as it is in every textbook."""

    def f(x):
        for _ in range(steps):
            a = rate(x)
            b = rate(x + h / 2 * a)
            c = rate(x + h / 2 * b)
            x = x + h / 6 * (a + 2 * b + 2 * c + rate(x + h * c))
        return (x * x).sum()

    return f


def small_network(order, rng, steps, n):
    """RK4 of a small network."""
    w = rng.normal(size=(n, n)) / 3
    make = functools.partial(runge_kutta, lambda x: np.tanh(w @ x) - 0.1 * x, 0.1)
    return _unrolled(make, steps, rng.normal(size=n), order)


def predators(order, rng, steps):
    """RK4 of Lotka and Volterra's equations, by components."""

    def rate(x):
        hare, lynx = x
        return np.stack([hare - 0.5 * hare * lynx, 0.5 * hare * lynx - lynx])

    make = functools.partial(runge_kutta, rate, 0.02)
    return _unrolled(make, steps, np.array([1.5, 1.0]), order)


def pendulum(order, rng, steps):
    """Leapfrog of a chain of pendulums: positions and momenta, one after the other."""

    def make(steps):
        def f(x):
            q, p = x[:3], x[3:]
            for _ in range(steps):
                p = p - 0.05 * np.sin(q)
                q = q + 0.05 * p
            return np.cos(q).sum() + (p**2).sum() / 2

        return f

    return _unrolled(make, steps, rng.normal(size=6), order)


def linear_recursion(order, rng, steps, n):
    """A linear recursion with a nonlinearity, driven by data, in its matrix."""
    data = rng.normal(size=(steps + 1, n))

    def make(steps):
        def f(A):
            x = np.zeros(n)
            for t in range(steps):
                x = np.tanh(A @ x + data[t])
            return (x**2).sum()

        return f

    return _unrolled(make, steps, rng.normal(size=(n, n)) / n, order)


# Filters and networks ----------------------------------------------------------------------------


def kalman(rng, steps):
    """Score of a Kalman filter of level and slope, in logs of its variances."""
    seen = rng.normal(size=steps).cumsum()
    move, look = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([1.0, 0.0])

    def make(steps):
        def f(p):
            driven, noise = np.exp(p[:2])[:, None] * np.eye(2), np.exp(p[2])
            mean, spread, total = np.zeros(2), np.eye(2), 0.0
            for y in seen[:steps]:
                mean, spread = move @ mean, move @ spread @ move.T + driven
                off, scale = y - look @ mean, look @ spread @ look + noise
                gain = spread @ look / scale
                total = total - (off**2 / scale + np.log(scale)) / 2
                mean, spread = mean + gain * off, spread - np.outer(gain, look @ spread)
            return total

        return f

    return _unrolled(make, steps, rng.normal(size=3) / 3)


def sinkhorn(rng, steps, n):
    """Transport cost after unrolled Sinkhorn iterations, in the cost matrix."""
    a, b = rng.dirichlet(np.ones(n), size=2)

    def make(steps):
        def f(C):
            K, v = np.exp(-C), np.ones(n)
            for _ in range(steps):
                u = a / (K @ v)
                v = b / (K.T @ u)
            return (u[:, None] * K * v * C).sum()

        return f

    return _unrolled(make, steps, rng.uniform(size=(n, n)))


def lstm(rng, steps, n):
    """Squared error of an LSTM over a sequence, in all weights in one vector."""
    data, target = rng.normal(size=(steps + 1, 2)), rng.normal(size=steps + 1)
    size = (n + 2) * 4 * n

    def make(steps):
        def f(p):
            weights, bias, readout = p[:size].reshape(n + 2, 4 * n), p[size:-n], p[-n:]
            hidden, cell, total = np.zeros(n), np.zeros(n), 0.0
            for t in range(steps):
                gates = np.concatenate([data[t], hidden]) @ weights + bias
                forget, enter, leave = 1 / (1 + np.exp(-gates[: 3 * n].reshape(3, n)))
                cell = forget * cell + enter * np.tanh(gates[3 * n :])
                hidden = leave * np.tanh(cell)
                total = total + (hidden @ readout - target[t]) ** 2
            return total

        return f

    return _unrolled(make, steps, rng.normal(size=size + 5 * n) / 3)


def newton(rng, steps, n):
    """Newton's iteration for the inverse square root of a matrix."""

    def make(steps):
        def f(A):
            X = np.eye(n)
            for _ in range(steps):
                X = 1.5 * X - 0.5 * X @ X @ X @ A
            return (X**2).sum()

        return f

    return _unrolled(make, steps, np.eye(n) + rng.normal(size=(n, n)) / (9 * n))


# Programs by entries -----------------------------------------------------------------------------


def cholesky(rng, n):
    """Log determinant by a Cholesky written out by entries; better by slogdet."""

    def f(A):
        L = {}
        for j in range(n):
            L[j, j] = np.sqrt(A[j, j] - sum(L[j, k] ** 2 for k in range(j)))
            for i in range(j + 1, n):
                L[i, j] = (A[i, j] - sum(L[i, k] * L[j, k] for k in range(j))) / L[j, j]
        return 2 * sum(np.log(L[j, j]) for j in range(n))

    A = rng.normal(size=(n, n))
    A = A @ A.T / n + np.eye(n)
    should = {"flops": evaluations(f, A, 5.0), "lines": evaluations(f, A, 5.0)}
    return Task(eg.grad(f), (A,), should, lambda: differences(f, A, None, step=0.003), (f, 1))


def _metric(x):
    """A rotating black hole far away, its entries not simplified: four coordinates."""
    r, mass, spin = np.sqrt(x[1] ** 2 + x[2] ** 2 + x[3] ** 2), 1.0, 0.3
    flat = np.diag(np.array([-1.0, 1.0, 1.0, 1.0]))
    null = np.stack([
        0 * r + 1, (r * x[1] + spin * x[2]) / (r**2 + spin**2),
        (r * x[2] - spin * x[1]) / (r**2 + spin**2), x[3] / r,
    ])  # fmt: skip
    return flat + 2 * mass * r**3 / (r**4 + spin**2 * x[3] ** 2) * np.outer(null, null)


def _christoffel(x, metric, derivative):
    D = derivative(metric, x)  # a, b, derived in c
    lowered = (D + np.transpose(D, (0, 2, 1)) - np.transpose(D, (2, 1, 0))) / 2
    return np.einsum("da,abc->dbc", np.linalg.inv(metric(x)), lowered)


def christoffel_symbols(x, derivative):
    """Christoffel symbols of that metric; ``derivative(f, x)`` differentiates."""
    return _christoffel(x, _metric, derivative)


def curvature(symbols, derived):
    """Riemann's tensor, of Christoffel symbols and their derivative."""
    square = np.einsum("ace,ebd->abcd", symbols, symbols)
    first = np.einsum("abdc->abcd", derived) + square
    return first - np.swapaxes(first, 2, 3)


def riemann(rng):
    """Riemann's tensor of a metric, as relativists write it; the symbols' Jacobian, thrice over."""
    jacobian = lambda f, x: eg.jacobian(f)(x)
    symbols = lambda x: _christoffel(x, _metric, jacobian)
    x = np.array([0.0, 3.0, 2.0, 1.0])
    plain = lambda x: _christoffel(x, _metric, lambda f, x: differences(f, x, None))
    good = evaluations(eg.jacobian(symbols), x, 3.0)
    return Task(
        lambda x: curvature(symbols(x), eg.jacobian(symbols)(x)),
        (x,),
        {"flops": good, "lines": good},
        lambda: curvature(plain(x), differences(plain, x, None)),
    )


def business_cycle(order, rng):
    """Equilibrium conditions of a real-business-cycle model: consumption, capital, technology."""
    beta, alpha, delta, rho, gamma = 0.99, 0.33, 0.025, 0.95, 2.0

    def conditions(v):
        c, k, z, c_next, k_next, z_next = v
        rate = alpha * np.exp(z_next) * k_next ** (alpha - 1) + 1 - delta
        return np.stack([
            c ** (-gamma) - beta * c_next ** (-gamma) * rate,
            c + k_next - np.exp(z) * k**alpha - (1 - delta) * k,
            z_next - rho * z,
        ])  # fmt: skip

    v = np.array([2.0, 8.0, 0.1, 2.1, 9.0, 0.1])
    tensor = 3 * 6**order  # entries to write, and five evaluations
    lines = evaluations(conditions, v, 5.0 * order)
    value = lambda: differences(conditions, v, *[None] * order)
    return Task(
        eg.derivative(conditions, order),
        (v,),
        {"flops": Bound(2 * tensor + 200), "lines": lines},
        value,
        (conditions, order),
    )


def _row(point, name, make, *given, sizes=(), small=(), slow=False):
    return Program(point, name, functools.partial(make, *given), sizes, small, slow)


PROGRAMS = (
    _row("12", "RK4 of a network, 20 steps, gradient", small_network, 1, sizes=(20, 6), small=(2, 2)),
    _row("12", "RK4 of a network, 10 steps, Hessian", small_network, 2, sizes=(10, 4), small=(2, 2)),
    _row("12", "RK4 of predators, 10 steps, gradient", predators, 1, sizes=(10,), small=(2,)),
    _row("12", "RK4 of predators, 10 steps, Hessian", predators, 2, sizes=(10,), small=(2,), slow=True),
    _row("12", "leapfrog of pendulums, 100 steps, gradient", pendulum, 1, sizes=(100,), small=(3,)),
    _row("12", "leapfrog of pendulums, 1,000 steps, gradient", pendulum, 1, sizes=(1000,), small=(3,), slow=True),
    _row("12", "leapfrog of pendulums, 20 steps, Hessian", pendulum, 2, sizes=(20,), small=(2,)),
    _row("12", "recursion of 50 steps, gradient", linear_recursion, 1, sizes=(50, 10), small=(3, 2)),
    _row("12", "recursion of 1,000 steps, gradient", linear_recursion, 1, sizes=(1000, 10), small=(3, 2), slow=True),
    _row("12", "recursion of 10 steps, Hessian", linear_recursion, 2, sizes=(10, 4), small=(3, 2)),
    _row("12", "Newton's iteration, 15 steps, gradient", newton, sizes=(15, 8), small=(2, 2)),
    _row("13", "RK4 of a network, 100 steps, gradient", small_network, 1, sizes=(100, 6), small=(2, 2), slow=True),
    _row("13", "Kalman score, 10 steps", kalman, sizes=(10,), small=(3,)),
    _row("13", "Kalman score, 30 steps", kalman, sizes=(30,), small=(3,)),
    _row("13", "Kalman score, 300 steps", kalman, sizes=(300,), small=(3,), slow=True),
    _row("13", "Sinkhorn, 10 iterations, gradient", sinkhorn, sizes=(10, 20), small=(2, 3)),
    _row("13", "Sinkhorn, 40 iterations, gradient", sinkhorn, sizes=(40, 50), small=(2, 3)),
    _row("13", "LSTM over 10 steps, gradient", lstm, sizes=(10, 10), small=(2, 2)),
    _row("13", "LSTM over 50 steps, gradient", lstm, sizes=(50, 10), small=(2, 2), slow=True),
    _row("13", "Cholesky by entries, n = 6, gradient", cholesky, sizes=(6,), small=(3,)),
    _row("13", "Cholesky by entries, n = 12, gradient", cholesky, sizes=(12,), small=(3,)),
    _row("13", "Riemann tensor of a metric", riemann, slow=True),
    _row("13", "business cycle, second derivative", business_cycle, 2),
    _row("13", "business cycle, third derivative", business_cycle, 3),
)  # fmt: skip
