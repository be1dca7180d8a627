"""Curvatures that lose digits in another order: ``v.T (X.T X) v`` where ``X v`` is tiny.

In: sizes. Out: `PROGRAMS`.
Guaranteed: expected values are exact, by rational numbers; ``X.T @ X``, formed first as a Hessian
that is asked for is, has lost all but two of their digits. Bounds are the sums of squares of
``X @ V``, which keep nine.
"""

import functools
from fractions import Fraction

import numpy as np

import eingrad as eg
from real_programs.measure import Bound, Program, Task

SMALLEST = 1e-7  # singular value of X, beside ones


def _ill_conditioned(rng, samples, n, columns):
    """Draw a matrix and vectors along its least singular one, all entries floats."""
    left, _ = np.linalg.qr(rng.normal(size=(samples, n)))
    right, _ = np.linalg.qr(rng.normal(size=(n, n)))
    X = left * np.append(np.ones(n - 1), SMALLEST) @ right.T
    return X, np.outer(right[:, -1], rng.uniform(1, 2, size=columns))


def _squares(X, V):
    """Sums of squares of the columns of ``X @ V``, exact, in units of what they are about."""
    X, V = (np.vectorize(Fraction, otypes=[object])(a) for a in (X, V))
    return ((X.dot(V) / Fraction(SMALLEST)) ** 2).sum(0).astype(float)


def _least_squares(X, y):
    return lambda w: ((X @ w - y) ** 2).sum() / (2 * SMALLEST**2)


def by_hvp(f, w, v):
    """``v`` with a product with the Hessian."""
    return v @ eg.hvp(f)(w, v)


def by_jvp_of_grad(f, w, v):
    """``v`` with the gradient's derivative along it."""
    return eg.jvp(eg.grad(f))(w, v) @ v


def by_nested_jvp(f, w, v):
    """The second derivative along ``v``."""
    return eg.jvp(lambda w: eg.jvp(f)(w, v))(w, v)


def curvatures(way, rng, samples, n, columns):
    """Curvatures of least squares along directions in which the data hardly change."""
    X, V = _ill_conditioned(rng, samples, n, columns)
    f, w = _least_squares(X, rng.normal(size=samples)), rng.normal(size=n)
    good = lambda w, V: ((X @ V) ** 2).sum(0) / SMALLEST**2
    should = {"flops": Bound(good, (w, V), 1.1)}
    return Task(
        lambda w, V: np.stack([way(f, w, v) for v in V.T]), (w, V), should, lambda: _squares(X, V)
    )


PROGRAMS = tuple(
    Program("11", f"curvatures of least squares, {name}", functools.partial(curvatures, way), (200, 5, 8), (8, 3, 4))
    for name, way in (("hvp", by_hvp), ("jvp of grad", by_jvp_of_grad), ("nested jvp", by_nested_jvp))
)  # fmt: skip
