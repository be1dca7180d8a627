"""Captured arrays that are selections: one-hot rows, permutations, the identity.

In: an array. Out: the node of its table, if each row, or each column, has exactly one 1, and else
zeros; None for any other array.
Guaranteed: an array that is none is told by its first row and column, and one pass over the others;
one that is costs three.

What such a matrix is multiplied with is picked, not multiplied: a product with one-hot rows costs
what indexing by labels does, and has its derivatives.

>>> selection_of(np.eye(16)[[2, 0, 2, 1]]).structure[0].node.table
array([2, 0, 2, 1])
"""

import math

import numpy as np

from eingrad import _ir
from eingrad._ir import Node
from eingrad._tracer.arrays import Array, native

_MATRIX = 2
_LEAST = 64  # entries: of fewer there is little to save, and a plan holds for no other table


def selection_of(array: Array) -> Node | None:
    """Write an array as a selection, along its last axis, or of a matrix along its first."""
    if array.size < _LEAST or array.ndim < _MATRIX or array.dtype.kind not in "fiuc":
        return None
    rows, columns = math.prod(array.shape[:-1]), array.shape[-1]
    dtype = native(array.dtype)
    table = _table(array, rows)
    if table is not None:
        picks = _ir.selection(table, columns)
        return _ir.reshape(_ir.contract([(picks, (0, 1))], (0, 1), dtype=dtype), array.shape)
    table = _table(array.T, columns) if array.ndim == _MATRIX else None
    if table is not None:
        picks = _ir.selection(table, rows)
        return _ir.contract([(picks, (1, 0))], (0, 1), dtype=dtype)
    return None


def _table(array: Array, rows: int) -> Array | None:
    """Where each row has its 1; None if a row has none, or anything else."""
    first = array[(0,) * (array.ndim - 1)]
    if np.count_nonzero(first) != 1 or np.count_nonzero(array) != rows:
        return None
    flat = array.reshape(rows, array.shape[-1])
    table = flat.argmax(1) if array.dtype.kind != "c" else flat.real.argmax(1)
    is_one = flat[np.arange(rows), table] == 1
    return table if is_one.all() and not _has_negative_zero(flat) else None


def _has_negative_zero(flat: Array) -> bool:
    """Whether a zero has a sign, which a product would keep."""
    return flat.dtype.kind == "f" and bool(np.signbit(flat).any())
