"""Loops as people write them: what a step makes anew, data that is missing, first steps of zeros.

In: how many steps. Out: `LOOPS`, a function and a point each; `PROGRAMS`.
Guaranteed: lines are bounded by ten times those of two steps, for a body is planned once.
"""

import functools

import numpy as np

import eingrad as eg
from real_programs.measure import Program, Task, evaluations
from real_programs.oracles import differences

_MOVE, _LOOK = np.array([[1.0, 0.1], [0.0, 1.0]]), np.array([[1.0, 0.0]])


def _data(steps, *shape):
    return np.random.default_rng(1).normal(size=(steps, *shape))


# Filters and time series -------------------------------------------------------------------------


def kalman_of_matrices(steps):
    """Likelihood of a filter; its noise is made of an identity anew in each step."""
    seen = _data(steps, 1)

    def f(q):
        mean, spread, total = np.zeros(2), np.eye(2), 0.0
        for y in seen:
            mean = _MOVE @ mean
            spread = _MOVE @ spread @ _MOVE.T + np.exp(q[0]) * np.eye(2)
            off = y - _LOOK @ mean
            scale = _LOOK @ spread @ _LOOK.T + np.exp(q[1]) * np.eye(1)
            gain = spread @ _LOOK.T @ np.linalg.inv(scale)
            mean, spread = mean + gain @ off, spread - gain @ _LOOK @ spread
            total = total + np.linalg.slogdet(scale)[1] + off @ np.linalg.inv(scale) @ off
        return total

    return f, np.array([0.1, -0.2])


def kalman_with_gaps(steps):
    """The same by vectors, where some numbers were not seen."""
    seen, look = _data(steps), _LOOK[0]
    is_missing = np.random.default_rng(2).uniform(size=steps) < 0.3

    def f(q):
        mean, spread, total = np.zeros(2), np.eye(2), 0.0
        for k in range(steps):
            mean = _MOVE @ mean
            spread = _MOVE @ spread @ _MOVE.T + np.exp(q[0]) * np.eye(2)
            off, scale = seen[k] - look @ mean, look @ spread @ look + np.exp(q[1])
            gain = spread @ look / scale
            total = total + np.where(is_missing[k], 0.0, (np.log(scale) + off * off / scale) / -2)
            mean = np.where(is_missing[k], mean, mean + gain * off)
            spread = np.where(is_missing[k], spread, spread - np.outer(gain, look @ spread))
        return total

    return f, np.array([0.1, -0.2])


def hidden_markov(steps):
    """Log-likelihood of a hidden Markov model by the forward recursion."""
    seen = (_data(steps) > 0).astype(int)

    def logsumexp(a, axis):
        most = a.max(axis=axis)
        return most + np.log(np.exp(a - np.expand_dims(most, axis)).sum(axis=axis))

    def f(p):
        moves, shows = p[:9].reshape(3, 3), p[9:].reshape(3, 2)
        moves = moves - logsumexp(moves, 1)[:, None]
        shows = shows - logsumexp(shows, 1)[:, None]
        alpha = shows[:, seen[0]] - np.log(3)
        for y in seen[1:]:
            alpha = logsumexp(alpha[:, None] + moves, 0) + shows[:, y]
        return logsumexp(alpha, 0)

    return f, np.random.default_rng(3).normal(size=15)


def autoregression(steps):
    """Likelihood of an autoregression of two lags: several terms are added in each step."""
    y = _data(steps + 2)

    def f(p):
        total = 0.0
        for t in range(2, steps + 2):
            off = y[t] - p[0] * y[t - 1] - p[1] * y[t - 2]
            total = total + 0.5 * off**2 / np.exp(p[2]) + 0.5 * p[2]
        return total

    return f, np.array([0.3, 0.1, 0.2])


# Iterations --------------------------------------------------------------------------------------


def sinkhorn_of_squares(steps):
    """Sinkhorn's iteration with as many rows as columns: its two halves look alike."""
    a, b = np.random.default_rng(3).dirichlet(np.ones(4), size=2)

    def f(C):
        K, v = np.exp(-C), np.ones(4)
        for _ in range(steps):
            u = a / (K @ v)
            v = b / (K.T @ u)
        return (u[:, None] * K * v * C).sum()

    return f, np.random.default_rng(4).uniform(size=(4, 4))


def tridiagonal(steps):
    """Thomas' algorithm: a loop, and one that goes back over what it made."""
    y = _data(steps)

    def f(p):
        a, b = 2 + np.exp(p[0]), p[1]
        pivots, right = [a], [y[0]]
        for k in range(1, steps):
            w = b / pivots[-1]
            pivots.append(a - w * b)
            right.append(y[k] - w * right[-1])
        x = right[-1] / pivots[-1]
        total = x * x
        for k in range(steps - 2, -1, -1):
            x = (right[k] - b * x) / pivots[k]
            total = total + x * x
        return total

    return f, np.array([0.1, 0.4])


def chebyshev(steps):
    """A series by its recurrence; some coefficients are inverses of integers, others are not."""
    c = 1 / (1 + np.arange(steps + 2)) ** 2

    def f(x):
        before, now = 1.0, x
        total = c[0] + c[1] * x
        for k in range(2, steps + 2):
            before, now = now, 2 * x * now - before
            total = total + c[k] * now
        return total.sum()

    return f, np.array([0.1, 0.3, 0.6])


def adam(steps):
    """A regression by Adam, in its rate and its penalty: powers of the step's number."""
    X, y = _data(20, 3), _data(20)

    def f(p):
        w, m, v = np.zeros(3), np.zeros(3), np.zeros(3)
        for t in range(1, steps + 1):
            g = X.T @ (np.tanh(X @ w) - y) / 10 + 0.1 * p[1] * w
            m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
            w = w - 0.05 * p[0] * (m / (1 - 0.9**t)) / np.sqrt(v / (1 - 0.99**t) + 0.01)
        return ((X @ w - y) ** 2).mean()

    return f, np.array([1.0, 0.4])


# Integrators -------------------------------------------------------------------------------------


def driven(steps):
    """RK4 of a driven decay: a sine that is that of zero at first, and shared by steps."""

    def rate(t, x, p):
        return -p[0] * x + np.sin(p[1] * t)

    def f(p):
        x, t, h = np.array([1.0, 0.5]), 0.0, 0.1
        for _ in range(steps):
            a = rate(t, x, p)
            b = rate(t + h / 2, x + h / 2 * a, p)
            c = rate(t + h / 2, x + h / 2 * b, p)
            x = x + h / 6 * (a + 2 * b + 2 * c + rate(t + h, x + h * c, p))
            t += h
        return x @ x

    return f, np.array([0.4, 1.3])


def fitted(steps):
    """RK4 of a network in three numbers, and losses on the way."""
    data, w = _data(steps, 3), np.random.default_rng(5).normal(size=(3, 3)) / 2

    def f(p):
        x, total = np.zeros(3), 0.0
        for k in range(steps):
            rate = lambda x: np.tanh(w @ x) * p[0] - p[1] * x
            a = rate(x)
            b = rate(x + 0.05 * a)
            c = rate(x + 0.05 * b)
            x = x + 0.1 / 6 * (a + 2 * b + 2 * c + rate(x + 0.1 * c)) + p[2]
            total = total + ((x - data[k]) ** 2).sum()
        return total

    return f, np.array([1.0, 0.1, 0.2])


def damped(steps):
    """Euler's method for an oscillator by components; states in a list."""
    data = _data(steps + 1, 2)

    def f(p):
        states = [np.array([1.0, 0.2])]
        for k in range(steps):
            x, v = states[k]
            states.append(states[k] + 0.1 * np.stack([v, -p[0] * x - p[1] * v]))
        return ((data - np.stack(states)) ** 2).sum()

    return f, np.array([1.0, 0.1])


LOOPS = (
    kalman_of_matrices, kalman_with_gaps, hidden_markov, autoregression, sinkhorn_of_squares,
    tridiagonal, chebyshev, adam, driven, fitted, damped,
)  # fmt: skip


def _task(make, order, _, steps):
    f, x = make(steps)
    should = {"lines": evaluations(make(2)[0], x, 10.0)}
    value = lambda: differences(f, x, *[None] * order)
    return Task(eg.derivative(f, order), (x,), should, value, (f, order))


def _row(name, make, order, steps, *, slow=False):
    task = functools.partial(_task, make, order)
    return Program("12", f"{name}, {steps} steps, order {order}", task, (steps,), (3,), slow)


PROGRAMS = (
    _row("Kalman filter of matrices", kalman_of_matrices, 1, 100),
    _row("Kalman filter of matrices", kalman_of_matrices, 2, 30),
    _row("Kalman filter with gaps", kalman_with_gaps, 1, 100),
    _row("hidden Markov model", hidden_markov, 1, 100),
    _row("autoregression of two lags", autoregression, 1, 100),
    _row("Sinkhorn of squares", sinkhorn_of_squares, 1, 100),
    _row("Thomas' algorithm", tridiagonal, 1, 100),
    _row("Chebyshev's recurrence", chebyshev, 1, 100),
    _row("regression by Adam", adam, 2, 30),
    _row("RK4 of a driven decay", driven, 1, 100),
    _row("RK4 with data", fitted, 2, 5),
    _row("oscillator by components", damped, 1, 100),
)
