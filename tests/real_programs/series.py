"""Taylor coefficients along a direction: all derivatives up to an order.

In: sizes. Out: `PROGRAMS`.
Guaranteed: each is bounded by 1.3 times the recursion of series, written out, or by
``1.5 * (order + 1)`` evaluations of the function.
"""

import functools
import math

import numpy as np
import series_by_hand as by_hand

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


def _task(way, f, order, bound, analytic=None, radius=0.3):
    """On a circle of `radius` digits are lost as its power: wide ones are for high orders."""
    s, one, g = np.array(0.0), np.array(1.0), analytic or f
    value = lambda: np.stack([on_circle(g, s, one, k, radius) for k in range(order + 1)])
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


def _by_hand(way, order, f, analytic, recursion, *numbers, radius=0.3):
    """A function of points that move along lines, bounded by its recursion, written by hand."""
    good = lambda s, *numbers: _derivatives(recursion(order, *numbers))
    bound = Bound(good, (np.array(0.0), *numbers), 1.3)
    along, on_plane = (lambda s: f(s, *numbers)), (lambda s: analytic(s, *numbers))
    return _task(way, along, order, bound, on_plane, radius)


def _line(order, x, v):
    return [x, v, *[None] * (order - 1)]


def spiral(way, order, rng, n):
    """Angle times length of vectors."""
    analytic = lambda s, a, b, v, w: (
        np.arctan((a + s * v) / (b + s * w)) * np.sqrt((a + s * v) ** 2 + (b + s * w) ** 2)
    )

    def recursion(order, a, b, v, w):
        a, b = _line(order, a, v), _line(order, b, w)
        angle, length = by_hand.arctan2(a, b, order), by_hand.hypot(a, b, order)
        return [by_hand.cauchy(angle, length, k) for k in range(order + 1)]

    f = lambda s, a, b, v, w: np.arctan2(a + s * v, b + s * w) * np.hypot(a + s * v, b + s * w)
    numbers = rng.uniform(1, 2, (2, n)), rng.uniform(-0.5, 0.5, (2, n))
    return _by_hand(way, order, f, analytic, recursion, *numbers[0], *numbers[1], radius=0.8)


def soft_maximum(way, order, rng, n):
    """The log of a sum of two exponentials."""
    analytic = lambda s, a, b, v, w: np.log(np.exp(a + s * v) + np.exp(b + s * w))
    recursion = lambda order, a, b, v, w: by_hand.logaddexp(
        _line(order, a, v), _line(order, b, w), order
    )
    f = lambda s, a, b, v, w: np.logaddexp(a + s * v, b + s * w)
    return _by_hand(way, order, f, analytic, recursion, *rng.uniform(-1, 1, (4, n)), radius=0.8)


def distance(way, order, rng, n):
    """The length of a vector that moves."""
    analytic = lambda s, x, v: np.sqrt(((x + s * v) ** 2).sum())
    recursion = lambda order, x, v: by_hand.norm(_line(order, x, v), order)
    f = lambda s, x, v: np.linalg.norm(x + s * v)
    return _by_hand(way, order, f, analytic, recursion, rng.uniform(1, 2, n), rng.uniform(-1, 1, n))


def rapidity(way, order, rng, n):
    """The inverse of a hyperbolic cosine."""
    analytic = lambda s, x, v: np.arccosh(x + s * v)
    recursion = lambda order, x, v: by_hand.BY_HAND["arccosh"](_line(order, x, v), order)
    f = lambda s, x, v: np.arccosh(x + s * v)
    return _by_hand(way, order, f, analytic, recursion, rng.uniform(2, 3, n), rng.uniform(-1, 1, n))


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
    *(_row(name, make, series, order, (100,), (3,))
      for name, make in (("spiral", spiral), ("soft maximum", soft_maximum), ("distance", distance), ("rapidity", rapidity))
      for order in (3, 6, 10)),
    _row("spiral", spiral, nested, 6, (100,), None, slow=True),
    _row("soft maximum", soft_maximum, nested, 6, (100,), (3,)),
    _row("distance", distance, together, 6, (100,), (3,)),
    _row("rapidity", rapidity, together, 6, (100,), (3,)),
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
