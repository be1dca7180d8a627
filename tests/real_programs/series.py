"""Taylor coefficients along a direction: all derivatives up to an order.

In: sizes. Out: `PROGRAMS`.
Guaranteed: each is bounded by 1.3 times the recursion of series, written out, or by
``1.5 * (order + 1)`` evaluations of the function.
"""

import functools
import math

import numpy as np

import eingrad as eg
from real_programs.measure import Bound, Program, Task, evaluations
from real_programs.oracles import on_circle


def together(f, order):
    """Value and derivatives in one number, at once."""
    return eg.value_and_derivatives(f, order)


def nested(f, order):
    """The same by nested products with the Jacobian."""

    def run(s):
        results, h = [f(s)], f
        for _ in range(order):
            h = functools.partial(lambda below, s: eg.jvp(below)(s, np.ones_like(s)), h)
            results.append(h(s))
        return np.stack(results)

    return run


def series(f, order):
    """The same from the series along the line."""
    return lambda s: _derivatives(eg.taylor(f, order)(s, np.ones_like(s)))


def _task(way, f, order, bound, analytic=None):
    s = np.array(0.0)
    one = np.array(1.0)
    value = lambda: np.stack([on_circle(analytic or f, s, one, k, 0.3) for k in range(order + 1)])
    return Task(way(f, order), (s,), {"flops": bound}, value)


def _derivatives(coefficients):
    return np.stack([math.factorial(k) * c for k, c in enumerate(coefficients)])


def inverse_series(A, *others):
    """Coefficients of the inverse of ``A + s B + s**2 C``, as many as are asked for."""

    def coefficients(order):
        y = [np.linalg.inv(A)]
        for k in range(1, order + 1):
            moved = sum(B @ y[k - j] for j, B in enumerate(others, 1) if j <= k)
            y.append(-(y[0] @ moved))
        return y

    return coefficients


def inverse(way, order, rng, n):
    """The inverse of a matrix that is quadratic in one number."""
    A, B, C = _matrices(rng, n)
    good = lambda s, A: _derivatives(inverse_series(A, B, C)(order))
    bound = Bound(good, (np.array(0.0), A), 1.3)
    return _task(way, lambda s: np.linalg.inv(A + s * B + s**2 * C), order, bound)


def solution(way, order, rng, n):
    """The solution of a linear system that is linear in one number."""
    A, B, _ = _matrices(rng, n)
    b = rng.normal(size=n)

    def good(s, A):
        inverse = np.linalg.inv(A)
        x = [inverse @ b]
        for _ in range(order):
            x.append(-(inverse @ (B @ x[-1])))
        return _derivatives(x)

    bound = Bound(good, (np.array(0.0), A), 1.3)
    return _task(way, lambda s: np.linalg.solve(A + s * B, b), order, bound)


def log_determinant(way, order, rng, n):
    """The log of a determinant that is quadratic in one number."""
    A, B, C = _matrices(rng, n)

    def good(s, A):
        y = inverse_series(A, B, C)(order - 1)
        rates = [np.sum(y[k].T * B) for k in range(order)]
        rates = [r + (2 * np.sum(y[k - 1].T * C) if k else 0) for k, r in enumerate(rates)]
        return _derivatives([np.linalg.slogdet(A)[1], *(r / (k + 1) for k, r in enumerate(rates))])

    bound = Bound(good, (np.array(0.0), A), 1.3)
    f = lambda s: np.linalg.slogdet(A + s * B + s**2 * C)[1]
    return _task(way, f, order, bound, lambda s: np.log(np.linalg.det(A + s * B + s**2 * C)))


def _matrices(rng, n):
    A, B, C = rng.normal(size=(3, n, n)) / np.sqrt(n)
    return A / 3 + 2 * np.eye(n), B, C


def network(way, order, rng, width, n):
    """A network along a line."""
    first, second = rng.normal(size=(width, n)) / np.sqrt(n), rng.normal(size=(width, width)) / 5
    x, v = rng.normal(size=(2, n))
    f = lambda s: np.tanh(second @ np.tanh(first @ (x + s * v))).sum()
    return _task(way, f, order, evaluations(f, np.array(0.0), 1.5 * (order + 1)))


def oscillation(way, order, rng, n):
    """Damped oscillations, elementwise."""
    x = rng.normal(size=n)
    f = lambda s: np.exp(-((x + s) ** 2) / 2) * np.sin(x + s)
    return _task(way, f, order, evaluations(f, np.array(0.0), 1.5 * (order + 1) ** 2))


def _row(name, make, way, order, sizes, small, *, slow=False):
    how = {together: "at once", nested: "nested", series: "by taylor"}[way]
    made = functools.partial(make, way, order)
    return Program("6", f"{name}, to order {order}, {how}", made, sizes, small, slow)


PROGRAMS = (
    _row("inverse", inverse, together, 3, (20,), (3,)),
    _row("inverse", inverse, together, 6, (20,), (3,)),
    _row("inverse", inverse, nested, 6, (20,), (3,)),
    _row("inverse", inverse, together, 10, (20,), (3,)),
    _row("inverse", inverse, series, 6, (20,), (3,)),
    _row("inverse", inverse, series, 10, (20,), (3,)),
    _row("solution", solution, series, 6, (20,), (3,)),
    _row("log determinant", log_determinant, series, 5, (20,), (3,)),
    _row("network", network, series, 10, (32, 10), (3, 2)),
    _row("oscillation", oscillation, series, 6, (100,), (3,)),
    _row("solution", solution, together, 6, (20,), (3,), slow=True),
    _row("solution", solution, together, 3, (20,), (3,)),
    _row("solution", solution, nested, 6, (20,), (3,), slow=True),
    _row("log determinant", log_determinant, together, 5, (20,), (3,)),
    _row("log determinant", log_determinant, nested, 5, (20,), (3,)),
    _row("network", network, together, 4, (32, 10), (3, 2)),
    _row("network", network, nested, 6, (32, 10), (3, 2)),
    _row("network", network, together, 10, (32, 10), None, slow=True),
    _row("oscillation", oscillation, together, 6, (100,), (3,)),
    _row("oscillation", oscillation, nested, 6, (100,), (3,)),
)  # fmt: skip
