"""NumPy's functions of structured tensors that act on entries: sums, products with numbers.

In: tensors, arrays, numbers. Out: tensors.
Guaranteed: nothing is written out; only what is linear in the terms, or acts on each, is here.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from eingrad._patterns import whole
from eingrad._run.structured.placed import Placed
from eingrad._run.structured.registry import ATTRIBUTES, HANDLERS, METHODS, implements
from eingrad._run.structured.tensor import StructuredTensor, tensor_of
from eingrad._tracer import as_array
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
        array = np.array(as_array(value, "a summand of a structured tensor"))
        if not array.ndim and array == 0:
            return tensor_of([], shape, array.dtype)
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
    as_array(factor, "a factor of a structured tensor")  # refuses what is no number
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
    as_array(b, "a divisor of a structured tensor")  # refuses what is no number
    terms = [Placed(t.core / b, t.pattern) for t in a.placed()]
    return tensor_of(terms, a.shape, np.result_type(a.dtype, b, np.float32))


@implements(np.negative)
def _negative(a: StructuredTensor) -> StructuredTensor:
    return _scaled(a, -1)


@implements(np.positive)
def _positive(a: StructuredTensor) -> StructuredTensor:
    return a


# Entries of a sum, each by itself -----------------------------------------------------------------


def _termwise(tensor: StructuredTensor, function: Callable[[Any], Any]) -> Any:
    """Apply a function for which that of a sum is the sum, and that of zero is zero."""
    terms = [Placed(function(t.core), t.pattern) for t in tensor.placed()]
    return tensor_of(terms, tensor.shape, function(np.zeros((), tensor.dtype)).dtype)


@implements(np.conjugate)
def _conjugate(a: StructuredTensor) -> Any:
    return _termwise(a, np.conjugate)


@implements(np.real)
def _real(val: StructuredTensor) -> Any:
    return _termwise(val, np.real)


@implements(np.imag)
def _imag(val: StructuredTensor) -> Any:
    return _termwise(val, np.imag)


@implements(np.astype)
def _astype(x: StructuredTensor, dtype: Any, /, *, copy: bool = True) -> Any:
    del copy  # tensors are immutable
    target = np.dtype(dtype)
    if target.kind not in "fc" or (target.kind == "f" and x.dtype.kind == "c"):
        raise DTypeError(
            f"astype({target}) of a structured tensor of {x.dtype} is not that of its terms added "
            f"up; write it out first, with dense().astype({target})"
        )
    return _termwise(x, lambda core: np.asarray(core).astype(target))


@implements(np.copy)
def _copy(a: StructuredTensor) -> Any:
    return a  # immutable


HANDLERS[np.shape] = lambda a: a.shape
HANDLERS[np.ndim] = lambda a: a.ndim
HANDLERS[np.size] = lambda a, axis=None: math.prod(a.shape) if axis is None else a.shape[axis]
HANDLERS[np.result_type] = lambda *given: np.result_type(
    *(v.dtype if isinstance(v, StructuredTensor) else v for v in given)
)
HANDLERS[np.iscomplexobj] = lambda x: x.dtype.kind == "c"
HANDLERS[np.isrealobj] = lambda x: x.dtype.kind != "c"

METHODS.update(astype=np.astype, conj=np.conj, conjugate=np.conj, copy=np.copy)
ATTRIBUTES.update(real=np.real, imag=np.imag)
