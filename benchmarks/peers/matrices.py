"""Inverses and determinants of one matrix: results of four and six axes.

In: sizes. Out: `PROBLEMS`.
Guaranteed: hand versions make nothing as large as the result but the result, and write it once.

``Y = inv(X)``. A sum of K outer products that share a split of the axes is one batched product
into the final order: ``out[i] (D * D, D) = left (D * D, K) @ right[i] (K, D)``.
"""

import math
from functools import partial
from typing import Any

import numpy as np

from peers.problem import (
    HESSIAN,
    JACOBIAN,
    THIRD,
    Array,
    Problem,
    Task,
    loops_without_buffer,
    place,
)


def invertible(rng: np.random.Generator, size: int) -> Array:
    """Draw a matrix that is far from singular."""
    return rng.normal(size=(size, size)) / math.sqrt(size) + 2 * np.eye(size)


# Hand versions -----------------------------------------------------------------------------------


def _spread(left: Array, right: Array, out: Array | None) -> Array:
    """``out[i, j, k, l] = left[i, k] * right[j, l]`` with long inner loops: D**3 beside D**4."""
    size = len(left)
    found = place(out, (size,) * 4)
    rows = found.reshape(size, size, size * size)
    long, tiled = np.repeat(left, size, axis=1), np.tile(right, size)
    with loops_without_buffer():
        for i in range(size):
            np.multiply(long[i], tiled, out=rows[i])
    return found


def inverse_tiled(X: Array, out: Array | None = None) -> Array:
    """``-Y[i,k] Y[l,j]``."""
    Y = np.linalg.inv(X)
    return _spread(-Y, Y.T, out)


def inverse_any_layout(X: Array, out: Array | None = None) -> Array:
    """The same where nobody asks for an order of the axes: NumPy takes that of the operands."""
    Y = np.linalg.inv(X)
    return np.multiply(-Y[:, None, :, None], Y.T[:, None], out=out)


def logdet_tiled(X: Array, out: Array | None = None) -> Array:
    """``-Y[j,k] Y[l,i]``, slab by slab, with inner loops of D**2."""
    D, Y = len(X), np.linalg.inv(X)
    found = place(out, (D,) * 4)
    rows, long, tiled = found.reshape(D, D, D * D), np.repeat(-Y, D, axis=1), np.tile(Y.T, D)
    with loops_without_buffer():
        for i in range(D):
            np.multiply(long, tiled[i], out=rows[i])
    return found


def logdet_any_layout(X: Array, out: Array | None = None) -> Array:
    """The same, likewise."""
    Y = np.linalg.inv(X)
    return np.multiply(-Y[None, :, :, None], Y.T[:, None, None], out=out)


def det_rank_two(X: Array, out: Array | None = None) -> Array:
    """``det (Y[j,i] Y[l,k] - Y[j,k] Y[l,i])``, a product of two columns for each i and k."""
    D, Y, det = len(X), np.linalg.inv(X), np.linalg.det(X)
    found = place(out, (D,) * 4)
    left = np.empty((D, D, D, 2))  # i, k, j
    left[..., 0], left[..., 1] = det * Y.T[:, None], -det * Y.T
    right = np.empty((D, D, 2, D))  # i, k, ., l
    right[:, :, 0], right[:, :, 1] = Y.T, Y.T[:, None]
    np.matmul(left, right, out=found.transpose(0, 2, 1, 3))
    return found


def det_slabs(X: Array, out: Array | None = None) -> Array:
    """The same in slabs of i and a few j, which stay in the cache until they are added up."""
    D, Y, det = len(X), np.linalg.inv(X), np.linalg.det(X)
    found = place(out, (D,) * 4)
    long, tiled = np.repeat(-det * Y, D, axis=1), np.tile(Y.T, D)
    whole, few = np.ascontiguousarray(det * Y.T).reshape(-1), max(1, min(D, 2**15 // D**2))
    rows, spare = found.reshape(D, D, D * D), np.empty((few, D * D))
    with loops_without_buffer():
        for i in range(D):
            for j in range(0, D, few):
                slab = rows[i, j : j + few]
                np.multiply(long[j : j + few], tiled[i], out=slab)
                slab += np.multiply(Y[j : j + few, i, None], whole, out=spare[: len(slab)])
    return found


def logdet_third(X: Array, out: Array | None = None) -> Array:
    """``Y[l,m] (Y[j,k] Y[n,i]) + (Y[l,i] Y[j,m]) Y[n,k]``: two columns for each i, j, k."""
    D, Y = len(X), np.linalg.inv(X)
    found = place(out, (D,) * 6)
    left, right = np.empty((D, 1, D, D, 2)), np.empty((D, D, 2, D))  # j, ., l, m; j, k, ., n
    left[..., 0], right[:, :, 1] = Y, Y.T
    for i in range(D):
        left[:, 0, :, :, 1] = Y[:, i, None] * Y[:, None, :]
        right[:, :, 0] = Y[:, :, None] * Y[:, i]
        np.matmul(left.reshape(D, 1, D * D, 2), right, out=found[i].reshape(D, D, D * D, D))
    return found


# What is differentiated --------------------------------------------------------------------------


def of_matrix(
    asked: str, expression: str, function: Any, hand: Any, rng: np.random.Generator, D: int
) -> Task:
    """A derivative in one matrix alone."""
    args = (invertible(rng, D),)
    return Task(asked, lambda lib: lambda X: function(lib.xp, X), args, hand, expression)


def _inverse(xp: Any, X: Any) -> Any:
    return xp.linalg.inv(X)


def _logdet(xp: Any, X: Any) -> Any:
    return xp.linalg.slogdet(X)[1]


def _det(xp: Any, X: Any) -> Any:
    return xp.linalg.det(X)


_LOGDET = {"tiled": logdet_tiled, "any layout": logdet_any_layout}
_INVERSE = {"tiled": inverse_tiled, "any layout": inverse_any_layout}
_DET = {"rank two": det_rank_two, "slabs": det_slabs}
_BY_MATRIX = (
    ("d inv(X)", JACOBIAN, "inv(X)", _inverse, _INVERSE, (32, 64, 96)),
    ("Hessian of logdet(X)", HESSIAN, "logdet(X)", _logdet, _LOGDET, (3, 32, 64)),
    ("Hessian of det(X)", HESSIAN, "det(X)", _det, _DET, (32, 64)),
    ("third derivative of logdet(X)", THIRD, "logdet(X)", _logdet, {"two columns": logdet_third},
     (8, 10, 16)),
)  # fmt: skip

PROBLEMS = tuple(
    Problem(f"{name}, D = {D}", partial(of_matrix, asked, expression, function, hand), (D,), (3,))
    for name, asked, expression, function, hand, sizes in _BY_MATRIX
    for D in sizes
)
