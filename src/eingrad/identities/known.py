"""Identities (5.103)-(5.108), of known functions of a vector or a matrix: sides, points, forms."""

import itertools
from typing import Any

import numpy as np

from eingrad._remark import product, transpose
from eingrad._symbols import variable
from eingrad.identities.stated import Array, Arrays, Point, Size, Stated
from eingrad.identities.unknown import well_conditioned


def _varying(name: str, x: Array, others: Arrays) -> Point:
    """Vary one array, keep the others."""
    return Point(x, lambda moved, _: {name: moved, **others})


def state_bilinear_inverse(size: Size, dtype: Any = np.float64) -> Stated:
    """State ``a^T X^-1 b``, whose derivative is ``-X^-T a b^T X^-T``."""
    d = size[0]
    x, a, b = variable("X", (d, d), dtype), variable("a", d, dtype), variable("b", d, dtype)
    inverse = np.linalg.inv(x)
    value = a @ inverse @ b
    flipped = transpose(inverse)
    return Stated(value, x, -product(flipped, a[:, None], b[None, :], flipped))


def sample_bilinear_inverse(rng: np.random.Generator, size: Size) -> Point:
    """Draw a matrix that is far from singular, and two vectors."""
    d = size[0]
    a, b = rng.normal(size=(2, d))
    return _varying("X", well_conditioned(rng, d), {"a": a, "b": b})


def bilinear_inverse_matrix(arrays: Arrays, order: int) -> Array:
    """``-X^-T a b^T X^-T``; of order n, one chain of inverses for each order of differentiation."""
    inverse, a, b = np.linalg.inv(arrays["X"]), arrays["a"], arrays["b"]
    if order == 1:
        return np.asarray(-inverse.T @ np.outer(a, b) @ inverse.T)
    total: Any = 0
    for rows in itertools.permutations(range(order)):
        operands: list[Any] = [a @ inverse, [2 * rows[0]]]
        for first, second in itertools.pairwise(rows):
            operands += [inverse, [2 * first + 1, 2 * second]]
        operands += [inverse @ b, [2 * rows[-1] + 1]]
        total = total + (-1) ** order * np.einsum(*operands, list(range(2 * order)))
    return np.asarray(total)


def state_inner(size: Size, dtype: Any = np.float64, *, swapped: bool = False) -> Stated:
    """State ``x^T a``, or ``a^T x`` where swapped, whose derivative is ``a^T``."""
    x, a = variable("x", size[0], dtype), variable("a", size[0], dtype)
    return Stated(a @ x if swapped else x @ a, x, a)


def sample_inner(rng: np.random.Generator, size: Size) -> Point:
    """Draw two vectors."""
    x, a = rng.normal(size=(2, size[0]))
    return _varying("x", x, {"a": a})


def state_bilinear(size: Size, dtype: Any = np.float64) -> Stated:
    """State ``a^T X b``, whose derivative is ``a b^T``."""
    _, e, f = size
    x, a, b = variable("X", (e, f), dtype), variable("a", e, dtype), variable("b", f, dtype)
    return Stated(a @ x @ b, x, product(a[:, None], b[None, :]))


def sample_bilinear(rng: np.random.Generator, size: Size) -> Point:
    """Draw a matrix, and a vector for each of its axes."""
    _, e, f = size
    a, b = rng.normal(size=e), rng.normal(size=f)
    return _varying("X", rng.normal(size=(e, f)), {"a": a, "b": b})


def state_quadratic(size: Size, dtype: Any = np.float64) -> Stated:
    """State ``x^T B x``, whose derivative is ``x^T (B + B^T)``."""
    d = size[0]
    x, b = variable("x", d, dtype), variable("B", (d, d), dtype)
    return Stated(x @ b @ x, x, x @ (b + transpose(b)))


def sample_quadratic(rng: np.random.Generator, size: Size) -> Point:
    """Draw a vector, and a matrix that is not symmetric."""
    d = size[0]
    return _varying("x", rng.normal(size=d), {"B": rng.normal(size=(d, d))})


def state_least_squares(size: Size, dtype: Any = np.float64, *, symmetric: bool = True) -> Stated:
    """``W = (V + V^T) / 2`` is symmetric because it is built so; V is any matrix."""
    d, e, _ = size
    x, a = variable("x", d, dtype), variable("A", (d, e), dtype)
    s, v = variable("s", e, dtype), variable("V" if symmetric else "W", (d, d), dtype)
    w = (v + transpose(v)) / 2 if symmetric else v
    rest = x - a @ s
    tensor = -2 * rest @ w @ a if symmetric else -rest @ (w + transpose(w)) @ a
    return Stated(rest @ w @ rest, s, tensor)


def sample_least_squares(rng: np.random.Generator, size: Size, *, symmetric: bool = True) -> Point:
    """Draw x, A, s and a matrix, from which W is made symmetric, or which is W."""
    d, e, _ = size
    x, a, s = rng.normal(size=d), rng.normal(size=(d, e)), rng.normal(size=e)
    v = rng.normal(size=(d, d))
    return _varying("s", s, {"x": x, "A": a, "V" if symmetric else "W": v})


def _weight(arrays: Arrays) -> Array:
    return np.asarray((arrays["V"] + arrays["V"].T) / 2 if "V" in arrays else arrays["W"])


def least_squares_value(arrays: Arrays) -> Array:
    """Compute ``(x - A s)^T W (x - A s)``."""
    rest = arrays["x"] - arrays["A"] @ arrays["s"]
    return np.asarray(rest @ _weight(arrays) @ rest)


def least_squares_matrix(arrays: Arrays, order: int, *, symmetric: bool = True) -> Array:
    """``-2 (x - A s)^T W A``, of any W ``-(x - A s)^T (W + W^T) A``; then ``A^T (W + W^T) A``."""
    x, a, s, w = arrays["x"], arrays["A"], arrays["s"], _weight(arrays)
    if order == 1 and symmetric:
        return np.asarray(-2 * (x - a @ s) @ w @ a)
    if order == 1:
        return np.asarray(-(x - a @ s) @ (w + w.T) @ a)
    return np.asarray(a.T @ (w + w.T) @ a) if order == 2 else zero(len(s), order)  # noqa: PLR2004


def zero(n: int, order: int) -> Array:
    """Make the derivative, above the last that is not zero, by a vector of n entries."""
    return np.zeros((n,) * order)
