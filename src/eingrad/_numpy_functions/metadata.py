"""Shape and dtype, arrays like another, and the methods of an expression."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from eingrad._numpy_functions.operands import Traced, converted, implements
from eingrad._numpy_functions.refusals import checked
from eingrad._place import user_line
from eingrad._primitives import cast
from eingrad._shown import shown
from eingrad._tracer import (
    ACCUMULATE,
    ARRAYS,
    FUNCTIONS,
    METHODS,
    OPERANDS,
    REDUCE,
    VIEWS,
    Array,
    Expression,
    node_of,
    trace_of,
)
from eingrad.errors import DTypeError, TraceError, UnsupportedFunctionError


@implements(np.shape)
def _shape(x: Expression) -> tuple[int, ...]:
    return x.shape


@implements(np.ndim)
def _ndim(x: Expression) -> int:
    return x.ndim


@implements(np.size)
def _size(x: Expression, axis: int | None = None) -> int:
    return x.size if axis is None else x.shape[axis]


def _constant_like(number: int) -> Callable[..., Any]:
    def like(a: Expression, dtype: Any = None, *, shape: Any = None) -> Any:
        made = np.full(a.shape if shape is None else shape, number, dtype or a.dtype)
        return _noted(made, number, a)

    return like


def _noted(array: Array, number: Any, *values: Any) -> Array:
    """Note in the trace of the values that an array is made of one number."""
    trace = trace_of(values)
    if trace is not None:
        trace.root.filled.note(array, number)
    return array


implements(np.zeros_like, np.empty_like)(_constant_like(0))
implements(np.ones_like)(_constant_like(1))


@implements(np.full_like)
def _full_like(a: Any, fill_value: Any, dtype: Any = None, *, shape: Any = None) -> Any:
    shape = np.shape(a) if shape is None else shape
    dtype = getattr(a, "dtype", None) if dtype is None else dtype
    if isinstance(fill_value, Expression):
        return np.broadcast_to(converted(fill_value, dtype or float), shape)
    made = np.full(shape, fill_value, dtype)
    return _noted(made, made.flat[0].item(), a) if made.size else made


@implements(np.iscomplexobj)
def _iscomplexobj(x: Any) -> bool:
    return bool(x.dtype.kind == "c")


@implements(np.isrealobj)
def _isrealobj(x: Any) -> bool:
    return bool(x.dtype.kind != "c")


@implements(np.result_type)
def _result_type(*arrays_and_dtypes: Any) -> Any:
    return np.result_type(
        *((1.0 if x._weak else x.dtype) if isinstance(x, Expression) else x
          for x in arrays_and_dtypes)
    )  # fmt: skip


@implements(np.astype)
def _astype(x: Any, dtype: Any, /, *, copy: bool = True) -> Traced:
    del copy
    target = np.dtype(dtype)
    if x.dtype == target:
        return x
    if target.newbyteorder("=") not in _TARGETS or (target.kind == "f" and x.dtype.kind == "c"):
        raise DTypeError(
            f"astype({target}) of {x.dtype} at {user_line()} has no derivative; use a float type"
        )
    return Expression(cast(node_of(x, None), target.newbyteorder("=")), trace_of((x,)))


_TARGETS = frozenset(map(np.dtype, "efdFD"))


def _astype_method(
    x: Any, dtype: Any, order: Any = "K", casting: Any = "unsafe", subok: bool = True,
    copy: bool = True,
) -> Traced:  # fmt: skip
    del order, subok, copy  # about memory, which an expression has none of
    if not np.can_cast(x.dtype, dtype, casting):
        raise DTypeError(
            f"astype({dtype}) of {x.dtype} at {user_line()} with casting={shown(casting)}"
        )
    return np.astype(x, dtype)


@implements(np.copy)
def _copy(a: Any) -> Traced:
    return a[...]


def _compress_method(x: Any, condition: Any, axis: Any = None) -> Traced:
    return np.compress(condition, x, axis)


def _flat(items: tuple[Any, ...]) -> Any:
    """Axes or sizes that a method takes one by one, or as one tuple."""
    return items[0] if len(items) == 1 and (items[0] is None or np.iterable(items[0])) else items


def _reshape_method(x: Any, *shape: Any, **options: Any) -> Traced:
    if not shape:
        raise TraceError(f"ndarray.reshape without a shape, at {user_line()}; () is one")
    return np.reshape(x, _flat(shape), **options)


def _transpose_method(x: Any, *axes: Any) -> Traced:
    return np.transpose(x, _flat(axes) if axes else None)


METHODS.update(
    (name, getattr(np, name))
    for name in (
        "all", "any", "clip", "copy", "cumprod", "cumsum", "diagonal", "dot", "max", "mean", "min",
        "prod", "ravel", "repeat", "round", "squeeze", "std", "sum", "swapaxes", "take", "trace",
        "var",
    )
)  # fmt: skip
METHODS.update(
    reshape=_reshape_method, transpose=_transpose_method, flatten=np.ravel,
    conj=np.real, conjugate=np.real,
    astype=checked(np.ndarray.astype, _astype_method, "ndarray.astype"),
    compress=checked(np.ndarray.compress, _compress_method, "ndarray.compress"),
)  # fmt: skip


def _method_of(ufunc: np.ufunc, method: str, function: Any) -> Any:
    """What a method of a ufunc is: a function, with those of its options that are honoured."""
    name = f"np.{ufunc.__name__}.{method}"
    honoured = inspect.signature(FUNCTIONS[function]).parameters

    def handler(array: Any, **options: Any) -> Traced:
        for keyword in options:
            if keyword not in honoured:
                raise UnsupportedFunctionError(
                    f"{name}: keyword {keyword!r} is not supported on traced values (at "
                    f"{user_line()}); leave it out"
                )
        return FUNCTIONS[function](array, **options)  # NumPy would come back, if `where` is traced

    return checked(getattr(ufunc, method), handler, name)


REDUCE.update(
    (ufunc, _method_of(ufunc, "reduce", function))
    for ufunc, function in (
        (np.add, np.sum), (np.multiply, np.prod), (np.maximum, np.max), (np.minimum, np.min),
        (np.logical_and, np.all), (np.logical_or, np.any),
    )
)  # fmt: skip
ACCUMULATE.update(
    (ufunc, _method_of(ufunc, "accumulate", function))
    for ufunc, function in ((np.add, np.cumsum), (np.multiply, np.cumprod))
)
VIEWS.update({
    np.astype, np.imag, np.moveaxis, np.permute_dims, np.real, np.reshape, np.squeeze, np.transpose,
    METHODS["astype"], _reshape_method, _transpose_method,
})  # fmt: skip
ARRAYS.update({
    np.block, np.broadcast_arrays, np.broadcast_to, np.copy, np.expand_dims, np.full_like, np.pad,
    np.resize, np.roll, np.select, np.tensordot, np.linalg.tensordot, np.linalg.tensorsolve,
    np.where,
})  # fmt: skip
OPERANDS.update({  # not `vdot`: it conjugates arrays as they are
    np.append, np.block, np.clip, np.column_stack, np.concatenate, np.cross, np.dot, np.dstack,
    np.einsum, np.hstack, np.inner, np.kron, np.outer, np.stack, np.tensordot, np.vstack, np.where,
    np.linalg.cross, np.linalg.matmul, np.linalg.multi_dot, np.linalg.outer, np.linalg.solve,
    np.linalg.tensordot,
})  # fmt: skip
