"""Indexing: every index that is known before the values is a selection."""

import operator
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._numpy_functions.operands import Traced, implements, operands
from eingrad._tracer import Expression, user_line
from eingrad.errors import TracerLeakError, UnsupportedFunctionError


@implements("getitem")
def _getitem(x: Expression, index: Any) -> Traced:
    (node,), wrap = operands(x)
    parts = index if isinstance(index, tuple) else (index,)
    for part in parts:
        plain = part is None or part is Ellipsis or isinstance(part, (int, np.integer, slice))
        if not plain or isinstance(part, bool):
            what = "a traced value" if isinstance(part, Expression) else type(part).__name__
            raise UnsupportedFunctionError(
                f"indexing by {what} is not supported (at {user_line()}); use integers, slices, "
                "None and ..., or a product with a 0/1 array"
            )
    if sum(p is Ellipsis for p in parts) > 1:
        raise IndexError(f"an index has more than one ellipsis, at {user_line()}")
    spare = node.ndim - sum(p is not None and p is not Ellipsis for p in parts)
    if spare < 0:
        raise IndexError(f"{len(parts)} indices for shape {node.shape}, at {user_line()}")
    if not any(p is Ellipsis for p in parts):
        parts = (*parts, Ellipsis)
    shape: list[int] = []
    axis = 0
    for part in parts:
        if part is None:
            shape.append(1)
        elif part is Ellipsis:
            shape += node.shape[axis : axis + spare]
            axis += spare
        else:
            picked = _picked(part, node.shape[axis], axis, x.shape)
            node = _ir.take(node, axis, _ir.selection(picked, node.shape[axis]))
            shape += [len(picked)] if isinstance(part, slice) else []
            axis += 1
    return wrap(_ir.reshape(node, tuple(shape)))


def _picked(part: Any, size: int, axis: int, shape: tuple[int, ...]) -> range:
    """Which positions of an axis an index picks."""
    if isinstance(part, slice):
        if any(isinstance(v, Expression) for v in (part.start, part.stop, part.step)):
            raise TracerLeakError(f"a slice with a traced bound at {user_line()}; use integers")
        return range(*part.indices(size))
    position = operator.index(part)
    if not -size <= position < size:
        raise IndexError(
            f"index {position} is out of bounds for axis {axis} of shape {shape}, at {user_line()}"
        )
    return range(position % size, position % size + 1)
