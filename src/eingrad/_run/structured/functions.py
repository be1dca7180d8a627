"""NumPy's functions of structured tensors: sums, products with numbers, contractions.

In: tensors, arrays, numbers. Out: tensors, or arrays where less than two axes are left.
Guaranteed: nothing is written out but results that are arrays.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from eingrad._patterns import whole
from eingrad._run.structured.contractions import contracted
from eingrad._run.structured.placed import Placed
from eingrad._run.structured.registry import HANDLERS, implements
from eingrad._run.structured.tensor import StructuredTensor, tensor_of
from eingrad.errors import DTypeError, ShapeError

# Linear combinations -----------------------------------------------------------------------------


@implements(np.add)
def _add(a: Any, b: Any) -> Any:
    shape = a.shape if isinstance(a, StructuredTensor) else b.shape
    terms, dtypes = [], []
    for value in (a, b):
        tensor = _as_tensor(value, shape)
        dtypes.append(value if isinstance(value, (int, float, complex)) else tensor.dtype)
        terms += tensor.placed()
    return tensor_of(terms, shape, np.result_type(*dtypes))


@implements(np.subtract)
def _subtract(a: Any, b: Any) -> Any:
    return _add(a, np.negative(b))


def _as_tensor(value: Any, shape: tuple[int, ...]) -> StructuredTensor:
    """One term without deltas, of an array of this shape or a number."""
    if isinstance(value, StructuredTensor):
        tensor = value
    else:
        array = np.array(value)
        given = array.shape or shape
        pattern = whole(given)
        core = () if not array.ndim else pattern.core
        pattern = type(pattern)(core, pattern.axes)
        tensor = tensor_of([Placed(array, pattern)], given, array.dtype)
    if tensor.shape != shape:
        raise ShapeError(
            f"a structured tensor of shape {shape} and an array of shape {tensor.shape} are not "
            "added; give an array of the same shape, or a number"
        )
    return tensor


def _scaled(tensor: StructuredTensor, factor: Any) -> StructuredTensor:
    terms = [Placed(t.core * factor, t.pattern) for t in tensor.placed()]
    return tensor_of(terms, tensor.shape, np.result_type(tensor.dtype, factor))


@implements(np.multiply)
def _multiply(a: Any, b: Any) -> Any:
    tensor, factor = (a, b) if isinstance(a, StructuredTensor) else (b, a)
    if isinstance(factor, StructuredTensor) or np.ndim(factor):
        raise DTypeError(
            f"a structured tensor of shape {tensor.shape} is multiplied with numbers only, not "
            f"elementwise with shape {np.shape(factor)}; write it out first, with dense(), or use "
            "@, np.tensordot or np.einsum"
        )
    return _scaled(tensor, factor)


@implements(np.divide)
def _divide(a: Any, b: Any) -> Any:
    if isinstance(b, StructuredTensor) or np.ndim(b):
        raise DTypeError(
            "a structured tensor is divided by numbers only, and nothing by it; write it out "
            "first, with dense()"
        )
    terms = [Placed(t.core / b, t.pattern) for t in a.placed()]
    return tensor_of(terms, a.shape, np.result_type(a.dtype, b, np.float32))


@implements(np.negative)
def _negative(a: StructuredTensor) -> StructuredTensor:
    return _scaled(a, -1)


@implements(np.positive)
def _positive(a: StructuredTensor) -> StructuredTensor:
    return a


# Axes --------------------------------------------------------------------------------------------


@implements(np.transpose)
def _transpose(a: StructuredTensor, axes: Sequence[int] | None = None) -> Any:
    order = range(a.ndim)[::-1] if axes is None else [n % a.ndim for n in axes]
    if sorted(order) != [*range(a.ndim)]:
        raise ShapeError(f"axes {axes} do not name each axis of shape {a.shape} once")
    return contracted([a], [range(a.ndim)], order)


@implements(np.swapaxes)
def _swapaxes(a: StructuredTensor, axis1: int, axis2: int) -> Any:
    order = [*range(a.ndim)]
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return _transpose(a, order)


@implements(np.trace)
def _trace(a: StructuredTensor, *, axis1: int = 0, axis2: int = 1) -> Any:
    labels = [*range(a.ndim)]
    first, second = labels[axis1], labels[axis2]
    if first == second or a.shape[first] != a.shape[second]:
        raise ShapeError(
            f"the trace of shape {a.shape} over axes {axis1} and {axis2}, of sizes "
            f"{a.shape[first]} and {a.shape[second]}; they must be two, of one size"
        )
    out = [n for n in labels if n not in (first, second)]
    labels[second] = first
    return contracted([a], [labels], out)


@implements(np.sum)
def _sum(a: StructuredTensor, axis: int | Sequence[int] | None = None) -> Any:
    axes = range(a.ndim) if axis is None else np.atleast_1d(axis)
    summed = {range(a.ndim)[n] for n in axes}
    return contracted([a], [range(a.ndim)], [n for n in range(a.ndim) if n not in summed])


HANDLERS[np.shape] = lambda a: a.shape
HANDLERS[np.ndim] = lambda a: a.ndim
HANDLERS[np.size] = lambda a: math.prod(a.shape)
