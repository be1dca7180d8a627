"""Indexing and what rests on it: every index that is known before the values is a selection.

Slices, integers, integer arrays and masks pick positions; the derivative of a pick is a pick, so
nothing here is ever a dense 0/1 matrix.
"""

import math
import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad import _ir, _reuse
from eingrad._ir import Node
from eingrad._numpy_functions.operands import (
    Traced,
    implements,
    integer,
    known,
    known_bound,
    known_index,
    normal_axes,
    one_axis,
    operands,
)
from eingrad._place import user_line
from eingrad._primitives import apply
from eingrad._shown import shown
from eingrad._tracer import Expression, advice_for, how_to_hold
from eingrad.errors import ShapeError, UnsupportedFunctionError

Positions = NDArray[np.intp]


@implements("getitem")
def _getitem(x: Expression, index: Any) -> Traced:
    (node,), wrap = operands(x, flags=True)
    given = index if isinstance(index, tuple) else (index,)
    parts = [_index_part(part, x) for part in given]
    if sum(p is Ellipsis for p in parts) > 1:
        raise IndexError(f"an index has more than one ellipsis, at {user_line()}")
    spare = node.ndim - sum(map(_axes_of, parts))
    if spare < 0:
        raise IndexError(f"{len(parts)} indices for shape {node.shape}, at {user_line()}")
    if not any(p is Ellipsis for p in parts):
        parts.append(Ellipsis)
    parts = _without_masks(parts, node.shape, spare)
    gathers = any(isinstance(p, np.ndarray) for p in parts)
    shape: list[int] = []  # of the result of the plain indices; arrays wait
    waiting: list[tuple[int, int, Positions]] = []  # place in the index, axis of shape, positions
    axis = 0
    for place, part in enumerate(parts):
        if part is None:
            shape.append(1)
        elif part is Ellipsis:
            shape += node.shape[axis : axis + spare]
            axis += spare
        elif isinstance(part, slice):
            picked = range(*part.indices(node.shape[axis]))
            node = _ir.take(node, axis, _ir.selection(picked, node.shape[axis]))
            shape.append(node.shape[axis])
            axis += 1
        else:
            positions = _positions(part, x.shape, node.shape[axis], axis)
            if gathers:
                waiting.append((place, len(shape), positions))
                shape.append(node.shape[axis])
            else:
                one = _ir.selection(range(int(positions), int(positions) + 1), node.shape[axis])
                node = _ir.take(node, axis, one)
            axis += 1
    node = _ir.reshape(node, tuple(shape))
    return wrap(_gather(node, waiting) if waiting else node)


def _index_part(part: Any, x: Expression) -> Any:
    """One part of an index of x: None, Ellipsis, slice, integer, array of integers or flags."""
    if part is None or part is Ellipsis:
        return part
    if isinstance(part, slice):
        for bound in (part.start, part.stop, part.step):
            known_bound(bound)
        return part
    if isinstance(part, Expression):
        raise UnsupportedFunctionError(
            f"indexing by a traced value is not supported (at {user_line()}): which entries it "
            f"picks depends on numbers that are not there yet; {_without_indexing(part, x)}"
        )
    if isinstance(part, (int, np.integer)) and not isinstance(part, bool):
        return operator.index(part)
    if isinstance(part, (list, tuple, np.ndarray)):  # a tuple within a tuple is like a list
        empty = not isinstance(part, np.ndarray) and not np.size(part)  # NumPy: integers
        array = np.asarray(part, np.intp if empty else None)
        if array.dtype.kind in "iu" or (array.dtype.kind == "b" and array.ndim):
            return array
    raise UnsupportedFunctionError(
        f"indexing by {type(part).__name__} is not supported (at {user_line()}); use integers, "
        "slices, None, ..., and arrays of integers or booleans"
    )


def _without_indexing(index: Expression, owner: Expression) -> str:
    """What to do in place of indexing by a traced value."""
    select = "use np.where(condition, a, b)"
    held = advice_for(index, owner).index
    if not held or not index.ndim or not how_to_hold(index):
        return held or select
    if index.dtype.kind == "b":
        return f"{held}; or {select}"
    return f"{held}; or pass one-hot rows, np.eye(n)[labels], and multiply by them"


def _is_mask(part: Any) -> bool:
    return isinstance(part, np.ndarray) and part.dtype.kind == "b"


def _axes_of(part: Any) -> int:
    """How many axes a part of an index is for."""
    return part.ndim if _is_mask(part) else int(part is not None and part is not Ellipsis)


def _without_masks(parts: list[Any], shape: tuple[int, ...], spare: int) -> list[Any]:
    """Replace each mask by the positions of its true entries, one array per axis of the mask."""
    result: list[Any] = []
    axis = 0
    for part in parts:
        if _is_mask(part) and shape[axis : axis + part.ndim] != part.shape:
            raise IndexError(
                f"a mask of shape {part.shape} for axes {axis} to {axis + part.ndim - 1} of shape "
                f"{shape}, at {user_line()}; a mask must have the shape of the axes it picks from"
            )
        result += part.nonzero() if _is_mask(part) else [part]
        axis += spare if part is Ellipsis else _axes_of(part)
    return result


def _positions(part: Any, shape: tuple[int, ...], size: int, axis: int) -> Positions:
    """Positions from 0 of an index that may count from the end."""
    far = isinstance(part, int) and not -size <= part < size  # maybe too far for NumPy's integers
    positions = np.asarray(size if far else part, np.intp)
    wrong = positions[(positions < -size) | (positions >= size)]
    if wrong.size:
        raise IndexError(
            f"index {part if far else wrong.flat[0]} is out of bounds for axis {axis} of shape "
            f"{shape}, at {user_line()}"
        )
    return np.where(positions < 0, positions + size, positions)


def _gather(node: Node, waiting: list[tuple[int, int, Positions]]) -> Node:
    """Index some axes by arrays that are broadcast against each other, as NumPy does."""
    places, axes, positions = zip(*waiting, strict=True)
    try:
        together = np.broadcast_arrays(*positions)
    except ValueError:
        shapes = ", ".join(str(p.shape) for p in positions)
        raise ShapeError(
            f"index arrays of shapes {shapes} do not broadcast, at {user_line()}"
        ) from None
    shape = together[0].shape
    sizes = [node.shape[a] for a in axes]
    rest = [a for a in range(node.ndim) if a not in axes]
    flat = np.zeros(shape, np.intp)
    for size, where in zip(sizes, together, strict=True):
        flat = flat * size + where
    kept = [node.shape[a] for a in rest]
    moved = _ir.reshape(_ir.transpose(node, (*axes, *rest)), (math.prod(sizes), *kept))
    _reuse.charge(flat.nbytes)
    picks = _ir.selection(flat.ravel(), math.prod(sizes))
    taken = _ir.reshape(_ir.take(moved, 0, picks), (*shape, *kept))
    adjacent = places == tuple(range(places[0], places[0] + len(places)))
    lead = sum(a < axes[0] for a in rest) if adjacent else 0
    new = range(len(shape))
    old = range(len(shape), taken.ndim)
    return _ir.transpose(taken, (*old[:lead], *new, *old[lead:]))


# Picks along an axis -----------------------------------------------------------------------------


@implements(np.take)
def _take(a: Any, indices: Any, axis: int | None = None, *, mode: Any = "raise") -> Traced:
    x, axis = (np.ravel(a), 0) if axis is None else (a, axis)
    place = one_axis(axis, np.ndim(x))
    if not (isinstance(mode, str) and mode in ("raise", "wrap", "clip")):
        raise UnsupportedFunctionError(
            f"np.take: mode {shown(mode)} is not supported on traced values (at {user_line()}); "
            "use 'raise', 'wrap' or 'clip'"
        )
    where = np.asarray(known_index(indices, x))
    untyped = not where.size and not isinstance(indices, np.ndarray)  # [] is none of floats
    if untyped or where.dtype.kind == "b":
        where = where.astype(np.intp)  # positions 0 and 1, never a mask
    size = np.shape(x)[place]
    if mode == "wrap" and size:
        where = where.astype(np.intp) % size  # a narrow dtype may not hold the size
    elif mode == "clip":
        where = np.clip(where.astype(np.intp), 0, size - 1)
    index: tuple[Any, ...] = (slice(None),) * place
    return x[(*index, where if where.ndim else where[()])]


@implements(np.take_along_axis)
def _take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Traced:
    x, axis = (np.ravel(arr), 0) if axis is None else (arr, axis)
    place = one_axis(axis, np.ndim(x))
    where = np.asarray(known_index(indices, x))
    if where.dtype.kind not in "iu":
        raise IndexError(
            f"take_along_axis at {user_line()}: indices of dtype {where.dtype}; give integers"
        )
    if where.ndim != np.ndim(x):
        raise ShapeError(
            f"take_along_axis at {user_line()}: indices of {where.ndim} axes for {np.ndim(x)}"
        )
    grid = [
        np.reshape(np.arange(n), [-1 if b == a else 1 for b in range(np.ndim(x))])
        for a, n in enumerate(np.shape(x))
    ]
    grid[place] = where
    return x[tuple(grid)]


@implements(np.compress)
def _compress(condition: Any, a: Any, axis: int | None = None) -> Traced:
    if np.ndim(known(condition, "the condition")) != 1:
        raise ShapeError(
            f"compress at {user_line()}: a condition of shape {np.shape(condition)}; it must have "
            "one axis"
        )
    return np.take(a, np.flatnonzero(condition), axis)


@implements(np.extract)
def _extract(condition: Any, arr: Any) -> Traced:
    return np.take(arr, np.flatnonzero(known(condition, "the condition")))


@implements(np.delete)
def _delete(arr: Any, obj: Any, axis: int | None = None) -> Traced:
    size = np.size(arr) if axis is None else np.shape(arr)[one_axis(axis, np.ndim(arr))]
    return np.take(arr, np.delete(np.arange(size), known_index(obj, arr)), axis)


@implements(np.resize)
def _resize(a: Any, new_shape: Any) -> Traced:
    if not np.size(a):
        return np.zeros(known(new_shape, "a shape"), a.dtype)
    return np.ravel(a)[np.resize(np.arange(np.size(a)), known(new_shape, "a shape"))]


# Placed into zeros -------------------------------------------------------------------------------


@implements(np.pad)
def _pad(array: Any, pad_width: Any, mode: Any = "constant", *, constant_values: Any = 0) -> Traced:
    if mode not in ("constant", "edge", "reflect", "symmetric", "wrap"):
        raise UnsupportedFunctionError(
            f"np.pad: mode {shown(mode)} is not supported on traced values (at {user_line()}); use "
            "'constant', 'edge', 'reflect', 'symmetric' or 'wrap'"
        )
    (node,), wrap = operands(array)
    widths = _pad_widths(known(pad_width, "pad_width"), node.ndim)
    for axis, width in enumerate(widths):
        more: dict[str, Any] = {"constant_values": -1} if mode == "constant" else {}
        table = np.pad(np.arange(node.shape[axis]), width, mode, **more)
        picks = _ir.selection(table, node.shape[axis])
        node = _ir.take(node, axis, picks)
    around = np.asarray(known(constant_values, "constant_values"), node.dtype)
    negative = np.signbit(around.real) | np.signbit(around.imag)
    if mode != "constant" or not node.ndim or not np.any((around != 0) | negative):
        return wrap(node)
    # A sum with -0.0 leaves every entry as it is; but no sum of 0.0 and -0.0 is -0.0.
    inside = np.full(np.shape(array), -0.0, node.dtype)
    border = np.pad(inside, widths, constant_values=constant_values)
    if not np.any((around == 0) & negative):
        return wrap(node) + border
    return np.where(np.pad(np.ones(np.shape(array), bool), widths), wrap(node), border)


def _pad_widths(widths: Any, ndim: int) -> list[tuple[int, int]]:
    if isinstance(widths, dict):  # NumPy 2.4: axis -> width
        given = {normal_axes(axis, ndim)[0]: width for axis, width in widths.items()}
        widths = [np.broadcast_to(given.get(axis, 0), 2) for axis in range(ndim)]
    pairs = np.broadcast_to(np.asarray(widths), (ndim, 2)).tolist()
    return [(integer(before, "pad_width"), integer(after, "pad_width")) for before, after in pairs]


@implements(np.diag)
def _diag(v: Any, k: int = 0) -> Traced:
    if np.ndim(v) == 2:  # noqa: PLR2004 - a matrix
        return np.diagonal(v, k)
    if np.ndim(v) != 1:
        raise ShapeError(
            f"np.diag of shape {np.shape(v)} at {user_line()}; give a vector or matrix"
        )
    (node,), wrap = operands(v)
    (n,) = node.shape
    k = integer(k, "k")
    size = n + abs(k)
    row, column = (_ir.selection(range(max(s, 0), max(s, 0) + n), size) for s in (-k, k))
    return wrap(_ir.contract([(node, (0,)), (row, (0, 1)), (column, (0, 2))], (1, 2)))


@implements(np.diagflat)
def _diagflat(v: Any, k: int = 0) -> Traced:
    return np.diag(np.ravel(v), k)


def _triangle(m: Any, k: int, *, lower: bool) -> Traced:
    x: Any = np.broadcast_to(m, (np.size(m), np.size(m))) if np.ndim(m) == 1 else m
    if np.ndim(x) < 2:  # noqa: PLR2004 - a matrix
        raise ShapeError(f"np.{'tril' if lower else 'triu'} of a 0-d value at {user_line()}")
    rows, columns = np.shape(x)[-2:]
    k = integer(k, "k") - (not lower)
    if not rows or not columns:
        return np.positive(x)
    flags = Expression(apply("tri", n=rows, m=columns, k=k, dtype="|b1"), x._trace)
    return np.where(flags, x, 0) if lower else np.where(flags, 0, x)


@implements(np.tril)
def _tril(m: Any, k: int = 0) -> Traced:
    return _triangle(m, k, lower=True)


@implements(np.triu)
def _triu(m: Any, k: int = 0) -> Traced:
    return _triangle(m, k, lower=False)


# Positions that only the shape decides -----------------------------------------------------------


def _rows_and_columns(x: Any, k: Any, name: str) -> tuple[int, int, int]:
    if np.ndim(x) != 2:  # noqa: PLR2004 - a matrix
        raise ShapeError(f"np.{name} of shape {np.shape(x)} at {user_line()}; give a matrix")
    return np.shape(x)[0], integer(k, "k"), np.shape(x)[1]


@implements(np.tril_indices_from)
def _tril_indices_from(arr: Any, k: int = 0) -> Any:
    return np.tril_indices(*_rows_and_columns(arr, k, "tril_indices_from"))


@implements(np.triu_indices_from)
def _triu_indices_from(arr: Any, k: int = 0) -> Any:
    return np.triu_indices(*_rows_and_columns(arr, k, "triu_indices_from"))


@implements(np.diag_indices_from)
def _diag_indices_from(arr: Any) -> Any:
    if len(set(np.shape(arr))) != 1 or np.ndim(arr) < 2:  # noqa: PLR2004 - a matrix
        raise ShapeError(f"diag_indices_from of shape {np.shape(arr)} at {user_line()}")
    return np.diag_indices(arr.shape[0], np.ndim(arr))
