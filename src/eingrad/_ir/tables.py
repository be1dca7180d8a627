"""Tables: the position that each row of a selection selects, -1 where a row selects nothing.

In: ranges, and integers in any array. Out: a range where the table is one, else a read-only array.
Guaranteed: equal tables are written alike; no loop over entries in Python. Positions beyond a
machine word, of axes that no array has, are Python integers in an array of objects.

>>> canonical_table([2, 4, 6])
range(2, 7, 2)
>>> compose(canonical_table([1, -1, 0]), range(2, 7, 2))
array([ 4, -1,  2])
"""

import math
from collections.abc import Hashable, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eingrad._exact import sizes as sizes_of

Table = range | NDArray[Any]

_WORD = 2**63


def length(table: Table) -> int:
    """Count the rows; `len` counts no range of more than a machine word holds."""
    if isinstance(table, range):
        return max(0, -((table.start - table.stop) // table.step))
    return len(table)


def canonical_table(table: range | ArrayLike) -> Table:
    """Use a range where the table is one, so that equal selections are equal nodes.

    It stops next to its last position, so that it is written in one way, and within the axis.
    """
    if isinstance(table, range):
        start, step = sizes_of((table.start, table.step))
        count = length(table)
        if count <= 1:
            return range(start, start + 1) if count else range(0)
        return range(start, start + step * (count - 1) + (1 if step > 0 else -1), step)
    positions = _array(table)
    if not positions.size:
        return range(0)
    first = int(positions[0])
    if positions.size == 1 and first >= 0:
        return range(first, first + 1)
    if positions.size > 1 and first >= 0 and positions[-1] >= 0:
        step = int(positions[1]) - first
        if step and np.all(np.diff(positions) == step):
            return canonical_table(range(first, first + step * positions.size, step))
    return positions


def _array(table: ArrayLike) -> NDArray[Any]:
    """Give positions as integers of the machine, where they are, in an array of our own."""
    if isinstance(table, np.ndarray) and table.dtype.kind in "iu":
        positions = table.astype(np.intp)
    else:
        exact = sizes_of(np.asarray(table, object).ravel())
        is_small = all(-_WORD <= position < _WORD for position in exact)
        positions = np.array(exact, np.intp if is_small else object)
    positions.flags.writeable = False
    return positions


def positions_of(table: Table) -> NDArray[Any]:
    """Write a table out."""
    if not isinstance(table, range):
        return table
    return np.arange(length(table)).astype(_wide(table)) * table.step + table.start


def key_of(table: Table) -> Hashable:
    """What equal tables have in common, and no others: a short digest of an array."""
    if isinstance(table, range):
        return table
    if table.dtype == object:
        return tuple(table.tolist())
    return blake2b(table.data, digest_size=16).digest()


def selects(table: Table) -> NDArray[np.bool_] | None:
    """Which rows select something; None where all do."""
    if isinstance(table, range):
        return None
    mask: NDArray[np.bool_] = np.asarray(table >= 0, bool)
    return None if mask.all() else mask


def compose(first: Table, second: Table) -> Table:
    """Table of ``sum_j S1[i,j] S2[j,k]``: ``second[first[i]]``."""
    if isinstance(first, range) and isinstance(second, range):
        start = second.start + first.start * second.step
        step = first.step * second.step
        return range(start, start + step * length(first), step)
    below = positions_of(first)
    if isinstance(second, range):
        found: NDArray[Any] = below.astype(_wide(second)) * second.step + second.start
    else:
        found = second[np.maximum(below, 0).astype(np.intp)]
    return canonical_table(np.where(below >= 0, found, -1))


def inverse(table: Table, columns: int) -> Table | None:
    """Table of the transposed selection, where each of the columns is selected once; else None."""
    count = length(table)
    if count != columns:
        return None
    if isinstance(table, range):
        return range(count - 1, -1, -1) if table.step == -1 else table
    found = np.full(count, -1, np.intp)
    rows = np.flatnonzero(table >= 0)
    found[table[rows].astype(np.intp)] = rows
    return canonical_table(found) if bool((found >= 0).all()) else None


def _wide(table: range) -> Any:
    """Integers that hold all positions of a range."""
    return np.intp if max(abs(table.start), abs(table.stop)) < _WORD else object


def match_rows(first: Table, second: Table) -> Table | None:
    """Table of ``sum_j S1[i,j] S2[k,j]``: the row k of S2 that selects what row i of S1 does.

    None where S2 selects twice what S1 does: then a row would select two.
    """
    wanted, given = positions_of(first), positions_of(second)
    rows = np.flatnonzero((given >= 0) & np.isin(given, wanted))
    found, places = np.unique(given[rows], return_index=True)
    if len(found) < len(rows):
        return None
    if not len(found):
        return canonical_table(np.full(len(wanted), -1))
    at = np.minimum(np.searchsorted(found, wanted), len(found) - 1)
    return canonical_table(np.where(found[at] == wanted, rows[places[at]], -1))


def number_of_pairs(first: Table, second: Table) -> int:
    """Count the pairs of a row of S1 and one of S2 that select the same."""
    _, _, counts = _rows_that_match(first, second)
    return int(counts.sum())


def pairs_of_rows(first: Table, second: Table) -> tuple[Table, Table]:
    """Tables of ``sum_j S1[i,j] S2[k,j]`` as ``sum_p V[p,i] W[p,k]``: i, and k, of each pair."""
    rows, start, counts = _rows_that_match(first, second)
    wanted = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(wanted)) - np.repeat(np.cumsum(counts) - counts, counts)
    given = rows[np.repeat(start, counts) + within]
    return canonical_table(wanted), canonical_table(given)


def _rows_that_match(
    first: Table, second: Table
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Rows of S2 by what they select; for each row of S1, where its like begin, how many."""
    wanted, given = positions_of(first), positions_of(second)
    rows = np.argsort(given, kind="stable")
    ordered = given[rows]
    start = np.searchsorted(ordered, wanted)
    counts = np.searchsorted(ordered, wanted, side="right") - start
    return rows, start, np.where(wanted >= 0, counts, 0)


def unravel(table: Table, sizes: Sequence[int], axis: int) -> Table:
    """Table of one axis of the split position: where ``table[i]`` lies along that axis."""
    positions = positions_of(table)
    stride = math.prod(sizes[axis + 1 :])
    if max(stride, sizes[axis]) >= _WORD:
        positions = positions.astype(object)
    return canonical_table(np.where(positions >= 0, positions // stride % sizes[axis], -1))


def ravel(tables: Sequence[Table], sizes: Sequence[int]) -> Table:
    """Table of the whole position whose parts are given; -1 where one part selects nothing."""
    parts = [positions_of(table) for table in tables]
    if math.prod(sizes) >= _WORD:
        parts = [part.astype(object) for part in parts]
    whole = parts[0]
    for part, size in zip(parts[1:], sizes[1:], strict=True):
        whole = whole * size + part
    return canonical_table(np.where(np.all([part >= 0 for part in parts], axis=0), whole, -1))
