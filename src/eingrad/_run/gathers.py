"""Where a piece of a placement lies, as positions in the buffer, and the gathers that scatter it.

In: a piece, the shape of its buffer, and the tables that it names. Out: for each entry of the core
its row-major position in the buffer, -1 where it is not placed; then steps that take and add.
Guaranteed: NumPy alone, on what is known before any array is given.

>>> from eingrad._plan.kernels import Piece
>>> positions_of(Piece((), (0, 0), (0,), None, 1), (3, 3), {})  # the diagonal
array([0, 4, 8])
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, assert_never

import numpy as np
from numpy.typing import NDArray

from eingrad._plan.kernels import (
    Affine,
    At,
    Label,
    Look,
    LookUp,
    MergeAxes,
    Merged,
    Part,
    PickAxis,
    Piece,
    Position,
    SliceAxis,
    SplitAxis,
    TableOperands,
)
from eingrad._subscripts import Shape

Known = Mapping[int, NDArray[Any]]  # operands of a statement that are constants
_Positions = NDArray[np.intp]


def positions_of(piece: Piece, shape: Shape, tables: Known) -> _Positions:
    """Give the position of each entry, an axis for each of the piece's labels; -1: nowhere."""
    if isinstance(piece.where, At):
        return _computed(piece, piece.where, shape, tables)
    seen = np.arange(math.prod(shape)).reshape(shape)
    for look in piece.where:
        seen = _seen(seen, look, tables)
    labels = [*dict.fromkeys(piece.labels)]
    sizes = dict(zip(piece.labels, seen.shape, strict=True))
    along = {i: _along(n, sizes[i], len(labels)) for n, i in enumerate(labels)}
    return np.asarray(seen[tuple(along[i] for i in piece.labels)])


def _along(axis: int, size: int, ndim: int) -> _Positions:
    """Count along one axis of several."""
    return np.arange(size).reshape(size, *(1,) * (ndim - 1 - axis))


def _seen(seen: _Positions, look: Look, tables: Known) -> _Positions:
    """Look at positions as at the buffer."""
    before, after = seen.shape[: look.axis], seen.shape[look.axis + 1 :]
    match look:
        case SplitAxis(sizes=sizes):
            return seen.reshape(*before, *sizes, *after)
        case MergeAxes(count=count):
            return seen.reshape(*before, -1, *after[count - 1 :])
        case SliceAxis(axis=axis, positions=positions):
            return seen.take(positions, axis)
        case PickAxis(axis=axis, table=table):
            picked = seen.take(tables[table.positions], axis)
            counts = _mask(table, tables).reshape(-1, *(1,) * len(after))
            return np.where(counts, picked, -1)
        case _ as unknown:
            assert_never(unknown)


def _mask(table: TableOperands, tables: Known) -> NDArray[Any]:
    """Say which positions of a table count."""
    if table.mask is None:
        return np.ones(tables[table.positions].shape, bool)
    return tables[table.mask]


def _computed(piece: Piece, at: At, shape: Shape, tables: Known) -> _Positions:
    """Evaluate an expression for each axis of the buffer."""
    ndim = len(piece.labels)
    along = {
        i: _along(n, size, ndim)
        for n, (i, size) in enumerate(zip(piece.labels, at.sizes, strict=True))
    }
    counts = np.ones(at.sizes, bool)

    def value(position: Position) -> Any:
        nonlocal counts
        match position:
            case Label(index=label):
                return along[label]
            case Part(stride=stride, size=size, whole=whole):
                return value(whole) // stride % size
            case Merged(sizes=sizes, parts=parts):
                return np.ravel_multi_index(np.broadcast_arrays(*map(value, parts)), sizes)
            case Affine(start=start, step=step, position=below):
                return start + step * value(below)
            case LookUp(table=table, position=below):
                row = value(below)
                counts = counts & _mask(table, tables)[row]
                return tables[table.positions][row]
            case _ as unknown:
                assert_never(unknown)

    flat = value(Merged(shape, at.positions))  # finds what counts
    return np.where(counts, flat, -1)


# Gathers -----------------------------------------------------------------------------------------


class Gathers(NamedTuple):
    """How to scatter a flat core by taking from it, a zero appended: positions of what is taken.

    Each of `sums` adds two takes and is what the next step takes from; `last` gives the buffer.
    """

    first: _Positions
    sums: list[tuple[_Positions, _Positions]]
    last: _Positions


def gathers(positions: _Positions, shape: Shape) -> Gathers:
    """Turn the positions of a core's entries into gathers, for a buffer of this shape.

    Entries are sorted by position. Where one is given several times, neighbours are added in pairs,
    again and again: as many steps as the logarithm of how often it is given.
    """
    flat = positions.reshape(-1)
    order = np.argsort(flat, kind="stable")
    first = order[np.count_nonzero(flat < 0) :]
    at, sums = flat[first], []
    while np.any(at[1:] == at[:-1]):
        rank = np.arange(at.size) - np.searchsorted(at, at)  # among those of one position
        even = np.flatnonzero(rank % 2 == 0)
        has_odd = np.append(at[1:] == at[:-1], [False])[even]
        sums.append((even, np.where(has_odd, even + 1, at.size)))
        at = at[even]
    last = np.full(math.prod(shape), at.size)
    last[at] = np.arange(at.size)
    return Gathers(first, sums, last)
