"""Sparsity: where a sum of patterns is not zero, as compressed sparse rows.

In: patterns, the shape of the tensor, how many of its axes are rows. Out: pointers to rows and
column indices, worked out once, and for given cores the entries in that order.
Guaranteed: columns of a row are sorted, each once; nothing larger than some arrays of an integer
for each entry of a pattern is made.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad._patterns import Array, Pattern, numbering
from eingrad._run.structured.placed import Placed, values_at
from eingrad._shown import shown
from eingrad._subscripts import Shape
from eingrad.errors import ShapeError


@dataclass(frozen=True, slots=True, eq=False)
class Sparsity:
    """Rows and columns of a matrix whose entries cores add up to."""

    shape: tuple[int, int]
    pointers: NDArray[Any]
    columns: NDArray[Any]
    slots: tuple[tuple[NDArray[Any], bool], ...]  # of each pattern; whether each is met once

    def entries(self, terms: Sequence[Placed], dtype: np.dtype[Any]) -> Array:
        """Add cores up where they meet."""
        data = np.zeros(len(self.columns), dtype)
        for term, (slots, is_once) in zip(terms, self.slots, strict=True):
            values = values_at(term, term.pattern.order).reshape(-1)
            if is_once:
                data[slots] += values
            else:
                np.add.at(data, slots, values)
        return data


def count_rows(shape: Shape, rows: Any) -> int:
    """Give how many of the first axes are rows: half of them where it is not said."""
    ndim = len(shape)
    if rows is None and ndim % 2:
        raise ShapeError(
            f"a structured tensor of shape {shape} has {ndim} axes, of which no half are rows; say "
            f"how many are: to_scipy_sparse(rows={ndim // 2})"
        )
    count = ndim // 2 if rows is None else rows
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)):
        raise ShapeError(f"rows={shown(count)} is no number of axes; give an integer")
    if not 0 <= count <= ndim:
        raise ShapeError(
            f"rows={count} of a structured tensor of shape {shape}, which has {ndim} axes; give 0 "
            f"to {ndim}"
        )
    return int(count)


def sparsity(patterns: Sequence[Pattern], shape: Shape, rows: int) -> Sparsity:
    """Work out where a matrix is not zero, whose rows are the first axes of a tensor."""
    matrix = math.prod(shape[:rows]), math.prod(shape[rows:])
    placed = [numbering(pattern.axes, shape, pattern.order) for pattern in patterns]
    at = np.concatenate([np.empty(0, np.int64), *(found.reshape(-1) for _, found in placed)])
    counts = [found.size for _, found in placed]
    del placed
    by_position = np.argsort(at, kind="stable")  # runs in order are merged
    at = at[by_position]
    is_new = np.ones(len(at), bool)
    is_new[1:] = at[1:] != at[:-1]
    distinct = at[is_new]
    del at
    small = np.int32 if max(*matrix, len(distinct)) < 2**31 else np.int64
    slots = np.empty(len(by_position), small)
    slots[by_position] = np.cumsum(is_new, dtype=small) - 1
    del by_position
    row = distinct // max(1, matrix[1])
    pointers = np.zeros(matrix[0] + 1, small)
    np.cumsum(np.bincount(row, minlength=matrix[0]), out=pointers[1:])
    columns = (distinct - row * matrix[1]).astype(small)
    parts = np.split(slots, np.cumsum(counts)[:-1]) if counts else []
    found = tuple((part, _is_once(part, len(distinct))) for part in parts)
    return Sparsity(matrix, pointers, columns, found)


def _is_once(slots: NDArray[Any], count: int) -> bool:
    met = np.zeros(count, bool)
    met[slots] = True
    return int(np.count_nonzero(met)) == len(slots)
