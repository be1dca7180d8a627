"""NumPy's functions of structured tensors that move, tie or sum axes.

In: tensors, axes as NumPy takes them. Out: tensors, or arrays where less than two axes are left.
Guaranteed: each is a contraction of the terms, so nothing is written out but results that are
arrays; an axis that is not there is refused.
"""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from eingrad._run.structured.contractions import contracted
from eingrad._run.structured.registry import ATTRIBUTES, METHODS, implements
from eingrad._run.structured.tensor import StructuredTensor
from eingrad._shown import shown
from eingrad.errors import DTypeError, ShapeError


def _axis(a: StructuredTensor, axis: Any) -> int:
    """Count an axis from the front."""
    try:
        n = operator.index(axis)
    except TypeError:
        raise DTypeError(
            f"axis {shown(axis)} of a structured tensor of shape {a.shape}; give an integer"
        ) from None
    if not -a.ndim <= n < a.ndim:
        raise np.exceptions.AxisError(
            f"axis {n} is out of bounds for a structured tensor of shape {a.shape}; give "
            f"{-a.ndim} to {a.ndim - 1}"
        )
    return n % a.ndim


def _axes(a: StructuredTensor, axes: Any) -> list[int]:
    """Count axes from the front; each is named once."""
    given = axes if isinstance(axes, (tuple, list, range, np.ndarray)) else [axes]
    found = [_axis(a, axis) for axis in given]
    if len({*found}) < len(found):
        raise ShapeError(f"axes {shown(axes)} name an axis of shape {a.shape} twice; name it once")
    return found


# Moved -------------------------------------------------------------------------------------------


@implements(np.transpose, np.permute_dims)
def _transpose(a: StructuredTensor, axes: Any = None) -> Any:
    order = [*range(a.ndim)][::-1] if axes is None else _axes(a, axes)
    if len(order) != a.ndim:
        raise ShapeError(f"axes {shown(axes)} do not name each axis of shape {a.shape} once")
    return contracted([a], [range(a.ndim)], order)


@implements(np.swapaxes)
def _swapaxes(a: StructuredTensor, axis1: int, axis2: int) -> Any:
    order, first, second = [*range(a.ndim)], _axis(a, axis1), _axis(a, axis2)
    order[first], order[second] = second, first
    return _transpose(a, order)


@implements(np.matrix_transpose, np.linalg.matrix_transpose)
def _matrix_transpose(x: StructuredTensor, /) -> Any:
    return _swapaxes(x, -1, -2)


@implements(np.moveaxis)
def _moveaxis(a: StructuredTensor, source: Any, destination: Any) -> Any:
    sources, targets = _axes(a, source), _axes(a, destination)
    if len(sources) != len(targets):
        raise ShapeError(
            f"np.moveaxis from {shown(source)} to {shown(destination)}; give as many of both"
        )
    order = [n for n in range(a.ndim) if n not in sources]
    for target, n in sorted(zip(targets, sources, strict=True)):
        order.insert(target, n)
    return _transpose(a, order)


# Tied --------------------------------------------------------------------------------------------


def _on_diagonal(a: StructuredTensor, offset: Any, axis1: Any, axis2: Any) -> tuple[Any, int, int]:
    """Slice two axes so that they have one size and meet on the diagonal."""
    try:
        k = operator.index(offset)
    except TypeError:
        raise DTypeError(f"the offset of a diagonal is {shown(offset)}; give an integer") from None
    first, second = _axis(a, axis1), _axis(a, axis2)
    if first == second:
        raise ShapeError(
            f"the diagonal of axes {axis1} and {axis2} of shape {a.shape}; give two axes"
        )
    low, high = max(0, -k), max(0, k)
    size = max(0, min(a.shape[first] - low, a.shape[second] - high))
    index = [slice(None)] * a.ndim
    index[first], index[second] = slice(low, low + size), slice(high, high + size)
    return a[tuple(index)], first, second


@implements(np.diagonal)
def _diagonal(a: StructuredTensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    part, first, second = _on_diagonal(a, offset, axis1, axis2)
    labels = [*range(a.ndim)]
    labels[second] = first
    out = [n for n in range(a.ndim) if n not in (first, second)]
    return contracted([part], [labels], [*out, first])


@implements(np.diag)
def _diag(v: StructuredTensor, k: int = 0) -> Any:
    if v.ndim != 2:  # noqa: PLR2004 - a matrix
        raise ShapeError(
            f"np.diag of a structured tensor of shape {v.shape}; give a matrix, or use np.diagonal"
        )
    return _diagonal(v, k)


@implements(np.linalg.diagonal)
def _diagonal_of_last(x: StructuredTensor, /, *, offset: int = 0) -> Any:
    return _diagonal(x, offset, -2, -1)


@implements(np.trace)
def _trace(a: StructuredTensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    part, first, second = _on_diagonal(a, offset, axis1, axis2)
    labels = [*range(a.ndim)]
    labels[second] = first
    return contracted([part], [labels], [n for n in labels if n != first])


@implements(np.linalg.trace)
def _trace_of_last(x: StructuredTensor, /, *, offset: int = 0) -> Any:
    return _trace(x, offset, -2, -1)


# Summed ------------------------------------------------------------------------------------------


@implements(np.sum)
def _sum(a: StructuredTensor, axis: int | Sequence[int] | None = None) -> Any:
    summed = range(a.ndim) if axis is None else _axes(a, axis)
    return contracted([a], [range(a.ndim)], [n for n in range(a.ndim) if n not in summed])


@implements(np.mean)
def _mean(a: StructuredTensor, axis: int | Sequence[int] | None = None) -> Any:
    total = _sum(a, axis)
    return total / (a.size // max(1, total.size))


def _transpose_method(a: StructuredTensor, *axes: Any) -> Any:
    return _transpose(a, (axes[0] if len(axes) == 1 else axes) if axes else None)


METHODS.update(
    diagonal=np.diagonal, mean=np.mean, swapaxes=np.swapaxes, trace=np.trace,
    transpose=_transpose_method,
)  # fmt: skip
ATTRIBUTES.update(mT=np.matrix_transpose)
