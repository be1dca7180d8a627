"""Functions that move entries and compute nothing: permute, reshape, broadcast, join."""

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._numpy_functions.operands import (
    Axis,
    Traced,
    converted,
    implements,
    integer,
    known,
    normal_axes,
    one_axis,
    operands,
)
from eingrad._place import user_line
from eingrad._primitives import apply
from eingrad._shown import shown
from eingrad._tracer import broadcast_shapes
from eingrad.errors import ShapeError, TraceError, UnsupportedFunctionError


@implements(np.transpose, np.permute_dims)
def _transpose(x: Any, axes: Sequence[int] | None = None) -> Traced:
    (node,), wrap = operands(x, flags=True)
    order = (
        normal_axes(tuple(axes), node.ndim) if axes is not None else tuple(range(node.ndim))[::-1]
    )
    if len(order) != node.ndim:
        raise ShapeError(f"transpose of {node.ndim} axes by {shown(axes)}, at {user_line()}")
    return wrap(_ir.transpose(node, order))


@implements(np.matrix_transpose, np.linalg.matrix_transpose)
def _matrix_transpose(x: Any, /) -> Traced:
    return np.swapaxes(x, -1, -2)


@implements(np.swapaxes)
def _swapaxes(x: Any, axis1: int, axis2: int) -> Traced:
    (first,), (second,) = normal_axes(axis1, np.ndim(x)), normal_axes(axis2, np.ndim(x))
    order = list(range(np.ndim(x)))
    order[first], order[second] = second, first
    return np.transpose(x, order)


@implements(np.moveaxis)
def _moveaxis(x: Any, source: Any, destination: Any) -> Traced:
    sources, targets = normal_axes(source, np.ndim(x)), normal_axes(destination, np.ndim(x))
    order = [a for a in range(np.ndim(x)) if a not in sources]
    for target, a in sorted(zip(targets, sources, strict=True)):
        order.insert(target, a)
    return np.transpose(x, order)


@implements(np.reshape)
def _reshape(x: Any, shape: Any, order: Any = "C", *, copy: bool | None = None) -> Traced:
    del copy  # a result never shares memory with an input
    if _is_column_major(order, "reshape"):
        return np.transpose(np.reshape(np.transpose(x), _sizes(shape)[::-1]))
    (node,), wrap = operands(x, flags=True)
    new = _sizes(shape)
    if new.count(-1) == 1:
        rest = math.prod(n for n in new if n != -1)
        if rest and node.size % rest == 0:
            new[new.index(-1)] = node.size // rest
    if math.prod(new) != node.size or min(new, default=0) < 0:
        raise ShapeError(
            f"cannot reshape shape {node.shape} ({node.size} elements) to {shown(shape)}, "
            f"at {user_line()}"
        )
    return wrap(_ir.reshape(node, tuple(new)))


def _sizes(shape: Any) -> list[int]:
    items = shape if np.iterable(shape) else (shape,)
    return [operator.index(known(n, "a size")) for n in items]


def _is_column_major(order: Any, name: str) -> bool:
    if order not in ("C", "F"):
        raise UnsupportedFunctionError(
            f"np.{name}: order {shown(order)} at {user_line()} depends on how memory lies; use "
            "'C' or 'F'"
        )
    return bool(order == "F")


@implements(np.ravel)
def _ravel(a: Any, order: Any = "C") -> Traced:
    x = np.transpose(a) if _is_column_major(order, "ravel") else a
    return np.reshape(x, (np.size(x),))


@implements(np.expand_dims)
def _expand_dims(x: Any, axis: Axis) -> Traced:
    count = 1 if isinstance(axis, (int, np.integer)) else len(axis or ())
    axes = normal_axes(axis, np.ndim(x) + count)
    sizes = iter(np.shape(x))
    return np.reshape(x, [1 if a in axes else next(sizes) for a in range(np.ndim(x) + count)])


@implements(np.squeeze)
def _squeeze(x: Any, axis: Axis = None) -> Traced:
    shape = np.shape(x)
    axes = (
        normal_axes(axis, len(shape))
        if axis is not None
        else [a for a, n in enumerate(shape) if n == 1]
    )
    if any(shape[a] != 1 for a in axes):
        raise ShapeError(
            f"squeeze of axis {axis} of shape {shape}, at {user_line()}: size is not 1"
        )
    return np.reshape(x, [n for a, n in enumerate(shape) if a not in axes])


@implements(np.broadcast_to)
def _broadcast_to(x: Any, shape: Any) -> Traced:
    (node,), wrap = operands(x, flags=True)
    shape = tuple(_sizes(shape))
    if min(shape, default=0) < 0 or broadcast_shapes(node.shape, shape) != shape:
        raise ShapeError(f"cannot broadcast shape {node.shape} to {shown(shape)}, at {user_line()}")
    return wrap(_ir.broadcast(node, shape))


@implements(np.concatenate)
def _concatenate(arrays: Sequence[Any], axis: int | None = 0, *, dtype: Any = None) -> Traced:
    arrays = [converted(a, dtype) for a in arrays]
    if axis is None:
        arrays, axis = [np.ravel(a) for a in arrays], 0
    nodes, wrap = operands(*arrays, flags=True)
    place = one_axis(axis, nodes[0].ndim)
    for n, node in enumerate(nodes):
        if node.ndim != nodes[0].ndim or any(
            a != place and size != nodes[0].shape[a] for a, size in enumerate(node.shape)
        ):
            raise ShapeError(
                f"concatenate at {user_line()}: array {n} has shape {node.shape}, the first "
                f"{nodes[0].shape}; all axes but {axis} must agree"
            )
    kept = [n for n in nodes if n.shape[place]] or nodes[:1]
    return wrap(kept[0] if len(kept) == 1 else apply("concatenate", *kept, axis=place))


@implements(np.stack)
def _stack(arrays: Sequence[Any], axis: int = 0, *, dtype: Any = None) -> Traced:
    arrays = list(arrays)
    shapes = {np.shape(a) for a in arrays}
    if len(shapes) > 1:
        raise ShapeError(f"stack of shapes {sorted(shapes)}, at {user_line()}; all must be equal")
    place = one_axis(axis, np.ndim(arrays[0]) + 1)
    widened = [np.expand_dims(a, place) for a in arrays]
    return np.concatenate(widened, place, dtype=dtype)


# Compositions: joining ---------------------------------------------------------------------------


@implements(np.append)
def _append(arr: Any, values: Any, axis: int | None = None) -> Traced:
    return np.concatenate([arr, values], axis)


@implements(np.vstack)
def _vstack(tup: Any, *, dtype: Any = None) -> Traced:
    return np.concatenate([np.atleast_2d(x) for x in tup], 0, dtype=dtype)


@implements(np.hstack)
def _hstack(tup: Any, *, dtype: Any = None) -> Traced:
    arrays = [np.atleast_1d(x) for x in tup]
    return np.concatenate(arrays, 0 if arrays[0].ndim == 1 else 1, dtype=dtype)


@implements(np.dstack)
def _dstack(tup: Any) -> Traced:
    return np.concatenate([np.atleast_3d(x) for x in tup], 2)


@implements(np.column_stack)
def _column_stack(tup: Any) -> Traced:
    columns = [x if np.ndim(x) > 1 else np.reshape(x, (-1 if np.size(x) else 0, 1)) for x in tup]
    return np.concatenate(columns, 1)


@implements(np.block)
def _block(arrays: Any) -> Traced:
    depth = _depth(arrays)
    count = max(depth, _most_axes(arrays))
    return _join(arrays, depth, count)


def _depth(arrays: Any) -> int:
    if not isinstance(arrays, list):
        return 0
    depths = {_depth(x) for x in arrays}
    if len(depths) != 1:
        raise ShapeError(f"np.block at {user_line()}: lists of different depths, or an empty list")
    return 1 + depths.pop()


def _most_axes(arrays: Any) -> int:
    return max(map(_most_axes, arrays)) if isinstance(arrays, list) else np.ndim(arrays)


def _join(arrays: Any, depth: int, count: int) -> Any:
    if not isinstance(arrays, list):
        return np.reshape(arrays, (1,) * (count - np.ndim(arrays)) + np.shape(arrays))
    return np.concatenate([_join(x, depth - 1, count) for x in arrays], count - depth)


def _at_least(count: int) -> Any:
    def handler(*arys: Any) -> Traced:
        made = tuple(_widen(x, count) for x in arys)
        return made[0] if len(made) == 1 else made

    return handler


def _widen(x: Any, count: int) -> Any:
    """Give a value at least so many axes, placed where NumPy places them."""
    shape = np.shape(x)
    if len(shape) >= count:
        return x
    if len(shape) == 2:  # noqa: PLR2004 - a matrix
        return np.reshape(x, (*shape, 1))
    return np.reshape(
        x, {0: (1,) * count, 1: (1, *shape, 1)[2 - min(count, 2) : count]}[len(shape)]
    )


implements(np.atleast_1d)(_at_least(1))
implements(np.atleast_2d)(_at_least(2))
implements(np.atleast_3d)(_at_least(3))


@implements(np.broadcast_arrays)
def _broadcast_arrays(*args: Any) -> Traced:
    shape = broadcast_shapes(*map(np.shape, args))
    return tuple(np.broadcast_to(x, shape) for x in args)


@implements(np.meshgrid)
def _meshgrid(*xi: Any, sparse: bool = False, indexing: Any = "xy", copy: bool = True) -> Traced:
    del copy
    count = len(xi)
    axes = [*range(count)]
    if indexing == "xy" and count > 1:
        axes[:2] = [1, 0]
    grids = [
        np.reshape(x, [np.size(x) if a == axis else 1 for a in range(count)])
        for x, axis in zip(xi, axes, strict=True)
    ]
    return tuple(grids) if sparse else np.broadcast_arrays(*grids)


# Compositions: cutting ---------------------------------------------------------------------------


@implements(np.array_split)
def _array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Traced:
    place = one_axis(axis, np.ndim(ary))
    parts = known(indices_or_sections, "where to split")
    cuts = [
        x[0] if len(x) else None for x in np.array_split(np.arange(np.shape(ary)[place]), parts)
    ]
    lengths = [len(x) for x in np.array_split(np.arange(np.shape(ary)[place]), parts)]
    lead = (slice(None),) * place
    return [
        ary[(*lead, slice(start or 0, (start or 0) + length))]
        for start, length in zip(cuts, lengths, strict=True)
    ]


@implements(np.split)
def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Traced:
    parts = known(indices_or_sections, "where to split")
    size = np.shape(ary)[one_axis(axis, np.ndim(ary))]
    if isinstance(parts, (int, np.integer)) and (parts <= 0 or size % parts):
        raise ShapeError(
            f"np.split of {size} entries into {parts} equal parts, at {user_line()}; use "
            "np.array_split"
        )
    return np.array_split(ary, parts, axis)


@implements(np.hsplit)
def _hsplit(ary: Any, indices_or_sections: Any) -> Traced:
    return np.split(ary, indices_or_sections, min(1, np.ndim(ary) - 1))


@implements(np.vsplit)
def _vsplit(ary: Any, indices_or_sections: Any) -> Traced:
    return np.split(ary, indices_or_sections, 0)


@implements(np.dsplit)
def _dsplit(ary: Any, indices_or_sections: Any) -> Traced:
    return np.split(ary, indices_or_sections, 2)


# Compositions: repeating and turning -------------------------------------------------------------


@implements(np.tile)
def _tile(A: Any, reps: Any) -> Traced:  # noqa: N803 - NumPy's name
    counts = _sizes(reps)
    count = max(len(counts), np.ndim(A))
    counts = [1] * (count - len(counts)) + counts
    sizes = (1,) * (count - np.ndim(A)) + np.shape(A)
    x = np.reshape(A, [n for size in sizes for n in (1, size)])
    pairs = list(zip(counts, sizes, strict=True))
    x = np.broadcast_to(x, [n for pair in pairs for n in pair])
    return np.reshape(x, [m * n for m, n in pairs])


@implements(np.repeat)
def _repeat(a: Any, repeats: Any, axis: int | None = None) -> Traced:
    x, axis = (np.ravel(a), 0) if axis is None else (a, axis)
    place = one_axis(axis, np.ndim(x))
    size = np.shape(x)[place]
    counts = np.asarray(known(repeats, "repeats"))
    if counts.size and counts.dtype.kind not in "biu":
        raise TraceError(f"repeats is {shown(repeats)} at {user_line()}; give integers")
    if counts.size != 1:
        return np.take(x, np.repeat(np.arange(size), repeats), place)
    shape = list(np.shape(x))
    shape.insert(place + 1, counts.item())
    wide = np.broadcast_to(np.expand_dims(x, place + 1), shape)
    return np.reshape(wide, (*shape[:place], size * counts.item(), *shape[place + 2 :]))


@implements(np.flip)
def _flip(m: Any, axis: Any = None) -> Traced:
    axes = normal_axes(axis, np.ndim(m))
    return m[tuple(slice(None, None, -1 if a in axes else 1) for a in range(np.ndim(m)))]


@implements(np.fliplr)
def _fliplr(m: Any) -> Traced:
    return np.flip(m, 1)


@implements(np.flipud)
def _flipud(m: Any) -> Traced:
    return np.flip(m, 0)


@implements(np.rot90)
def _rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Traced:
    first, second = normal_axes(axes, np.ndim(m))
    match integer(k, "k") % 4:
        case 0:
            return m[...]
        case 1:
            return np.swapaxes(np.flip(m, second), first, second)
        case 2:
            return np.flip(m, (first, second))
        case _:
            return np.flip(np.swapaxes(m, first, second), second)


@implements(np.roll)
def _roll(a: Any, shift: Any, axis: Any = None) -> Traced:
    if axis is None:
        return np.reshape(np.roll(np.ravel(a), shift, 0), np.shape(a))
    axes = [normal_axes(k, np.ndim(a))[0] for k in np.atleast_1d(axis).tolist()]
    for count, place in zip(*map(list, np.broadcast_arrays(shift, axes)), strict=True):
        a = np.take(a, np.roll(np.arange(np.shape(a)[place]), count), place)
    return a


@implements(np.rollaxis)
def _rollaxis(a: Any, axis: int, start: int = 0) -> Traced:
    order = np.rollaxis(np.empty(range(np.ndim(a))), axis, start).shape
    return np.transpose(a, order)


if hasattr(np, "unstack"):

    @implements(np.unstack)
    def _unstack(x: Any, /, *, axis: int = 0) -> Traced:
        return tuple(np.moveaxis(x, axis, 0))
