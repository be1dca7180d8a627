"""Shape and dtype, arrays like another, and the methods of an expression."""

from collections.abc import Callable
from typing import Any

import numpy as np

from eingrad._numpy_functions.operands import Traced, implements
from eingrad._primitives import cast
from eingrad._tracer import FUNCTIONS, METHODS, Expression, node_of, trace_of, user_line
from eingrad.errors import DTypeError


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
    def like(x: Expression, dtype: Any = None, *, shape: Any = None) -> Any:
        return np.full(x.shape if shape is None else shape, number, dtype or x.dtype)

    return like


implements(np.zeros_like)(_constant_like(0))
implements(np.ones_like)(_constant_like(1))


def _astype(x: Expression, dtype: Any, *, copy: bool = True) -> Traced:
    del copy
    target = np.dtype(dtype)
    if target.kind not in "fc" or (target.kind == "f" and x.dtype.kind == "c"):
        raise DTypeError(
            f"astype({target}) of {x.dtype} at {user_line()} has no derivative; use a float type"
        )
    return Expression(cast(node_of(x, None), target), trace_of((x,)))


@implements(np.copy)
def _copy(x: Expression) -> Traced:
    return x


def _as_method(function: Callable[..., Any], *, splat: bool = False) -> Callable[..., Any]:
    """Let a method take its shape or axes one by one, as NumPy's methods do."""

    def method(x: Expression, *args: Any, **kwargs: Any) -> Any:
        many = splat and (len(args) > 1 or (len(args) == 1 and not np.iterable(args[0])))
        if splat and args == (None,):
            args = ()
        elif many:
            args = (args,)
        return function(x, *args, **kwargs)

    return method


METHODS.update(
    {
        name: FUNCTIONS[getattr(np, name)]
        for name in (
            "sum",
            "mean",
            "dot",
            "trace",
            "diagonal",
            "swapaxes",
            "ravel",
            "squeeze",
            "copy",
        )
    }
)
METHODS.update(
    reshape=_as_method(FUNCTIONS[np.reshape], splat=True),
    transpose=_as_method(FUNCTIONS[np.transpose], splat=True),
    flatten=FUNCTIONS[np.ravel],
    astype=_astype,
)
