"""Where a piece of a placement lies: the row-major position in the buffer of each of its entries.

In: a piece, the shape of its buffer, and the tables that it names. Out: an axis for each of the
piece's labels; -1 where an entry is not placed.
Guaranteed: nothing of the buffer's size is made, only of the piece's.

>>> from eingrad._plan.kernels import Piece
>>> positions_of(Piece((), (0, 0), (0,), None, 1), (3, 3), {})  # the diagonal
array([0, 4, 8])
"""

import functools
import math
from collections.abc import Mapping
from typing import Any, assert_never

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
Positions = NDArray[np.intp]


def positions_of(piece: Piece, shape: Shape, tables: Known) -> Positions:
    """Give the position of each entry, an axis for each of the piece's labels; -1: nowhere."""
    if isinstance(piece.where, At):
        return _compute(piece, piece.where, shape, tables)
    strides = [math.prod(shape[n + 1 :]) for n in range(len(shape))]
    axes = [np.arange(size) * stride for size, stride in zip(shape, strides, strict=True)]
    counts = [np.ones(size, bool) for size in shape]
    for look in piece.where:
        _look(axes, counts, look, tables)
    labels = [*dict.fromkeys(piece.labels)]
    flat, placed = np.zeros((1,) * len(labels), np.intp), np.ones((1,) * len(labels), bool)
    for axis, counted, label in zip(axes, counts, piece.labels, strict=True):
        spread = (-1, *(1,) * (len(labels) - 1 - labels.index(label)))
        flat, placed = flat + axis.reshape(spread), placed & counted.reshape(spread)
    return np.where(placed, flat, -1)


def _along(axis: int, size: int, ndim: int) -> Positions:
    """Count along one axis of several."""
    return np.arange(size).reshape(size, *(1,) * (ndim - 1 - axis))


def _look(axes: list[Positions], counts: list[NDArray[Any]], look: Look, tables: Known) -> None:
    """Look at a buffer: what a step along each axis adds to the position, and whether it counts."""
    axis = look.axis
    match look:
        case SplitAxis(sizes=sizes):
            step = [math.prod(sizes[n + 1 :]) for n in range(len(sizes))]
            axes[axis : axis + 1] = [
                axes[axis][:: max(1, k)][:n] for n, k in zip(sizes, step, strict=True)
            ]
            counts[axis : axis + 1] = [np.ones(n, bool) for n in sizes]
        case MergeAxes(count=count):
            merged = functools.reduce(np.add.outer, axes[axis : axis + count])
            axes[axis : axis + count] = [merged.reshape(-1)]
            counts[axis : axis + count] = [np.ones(merged.size, bool)]
        case SliceAxis(positions=positions):
            axes[axis], counts[axis] = axes[axis].take(positions), counts[axis].take(positions)
        case PickAxis(table=table):
            counts[axis] = counts[axis].take(tables[table.positions]) & _mask(table, tables)
            axes[axis] = axes[axis].take(tables[table.positions])
        case _ as unknown:
            assert_never(unknown)


def _mask(table: TableOperands, tables: Known) -> NDArray[Any]:
    """Say which positions of a table count."""
    if table.mask is None:
        return np.ones(tables[table.positions].shape, bool)
    return tables[table.mask]


def _compute(piece: Piece, at: At, shape: Shape, tables: Known) -> Positions:
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
