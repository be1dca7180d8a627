"""Functions that move entries and compute nothing: permute, reshape, broadcast, join."""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._numpy_functions.operands import Axis, Traced, implements, normal_axes, operands
from eingrad._primitives import apply
from eingrad._tracer import broadcast_shapes, user_line
from eingrad.errors import ShapeError, UnsupportedFunctionError


@implements(np.transpose, np.permute_dims)
def _transpose(x: Any, axes: Sequence[int] | None = None) -> Traced:
    (node,), wrap = operands(x)
    order = (
        normal_axes(tuple(axes), node.ndim) if axes is not None else tuple(range(node.ndim))[::-1]
    )
    if len(order) != node.ndim:
        raise ShapeError(f"transpose of {node.ndim} axes by {axes}, at {user_line()}")
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
def _reshape(x: Any, shape: Any, order: Any = "C") -> Traced:
    (node,), wrap = operands(x)
    if order != "C":
        raise UnsupportedFunctionError(f"np.reshape: order {order!r} at {user_line()}; only 'C'")
    new = [operator.index(n) for n in (shape if np.iterable(shape) else (shape,))]
    if new.count(-1) == 1:
        rest = 1
        for n in new:
            rest *= n if n != -1 else 1
        if rest and node.size % rest == 0:
            new[new.index(-1)] = node.size // rest
    size = 1
    for n in new:
        size *= n
    if size != node.size or min(new, default=0) < 0:
        raise ShapeError(
            f"cannot reshape shape {node.shape} ({node.size} elements) to {shape}, at {user_line()}"
        )
    return wrap(_ir.reshape(node, tuple(new)))


@implements(np.ravel)
def _ravel(x: Any, order: Any = "C") -> Traced:
    return np.reshape(x, (-1,) if np.size(x) else (0,), order)


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
    (node,), wrap = operands(x)
    shape = tuple(shape) if np.iterable(shape) else (shape,)
    if broadcast_shapes(node.shape, shape) != shape:
        raise ShapeError(f"cannot broadcast shape {node.shape} to {shape}, at {user_line()}")
    return wrap(_ir.broadcast(node, shape))


@implements(np.concatenate)
def _concatenate(arrays: Sequence[Any], axis: int | None = 0) -> Traced:
    if axis is None:
        arrays, axis = [np.ravel(a) for a in arrays], 0
    nodes, wrap = operands(*arrays)
    (place,) = normal_axes(axis, nodes[0].ndim)
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
def _stack(arrays: Sequence[Any], axis: int = 0) -> Traced:
    arrays = list(arrays)
    shapes = {np.shape(a) for a in arrays}
    if len(shapes) > 1:
        raise ShapeError(f"stack of shapes {sorted(shapes)}, at {user_line()}; all must be equal")
    (place,) = normal_axes(axis, np.ndim(arrays[0]) + 1)
    widened = [np.expand_dims(a, place) for a in arrays]
    return np.concatenate(widened, place)
