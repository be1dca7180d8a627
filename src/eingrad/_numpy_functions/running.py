"""Functions that run along one axis: running sums and products, differences, the trapezoidal rule.

In: the arguments of a NumPy call. Out: an `Expression`.
Guaranteed: values are multiplied in NumPy's order; nothing is divided by.
"""

from typing import Any

import numpy as np

from eingrad._numpy_functions.operands import (
    Traced,
    converted,
    implements,
    known,
    one_axis,
    operands,
)
from eingrad._place import user_line
from eingrad._primitives import apply
from eingrad._tracer import Expression
from eingrad.errors import ShapeError

_BLOCK = 64  # a running sum longer than this is one of blocks: its Jacobian stays this small

# Sums and products -------------------------------------------------------------------------------


@implements(np.cumsum)
def _cumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Traced:
    return _along(a, axis, dtype, _running_sum)


def _along(a: Any, axis: int | None, dtype: Any, run: Any) -> Traced:
    """Run along one axis; along all entries where none is given."""
    x = converted(a, dtype)
    if axis is None:
        return run(np.ravel(x))
    place = one_axis(axis, np.ndim(x))
    return np.moveaxis(run(np.moveaxis(x, place, -1)), -1, place)


def _running_sum(x: Any) -> Traced:
    """Sum along the last axis, in blocks: 64 n flops to differentiate through, not n**2."""
    n = x.shape[-1]
    if n <= _BLOCK:
        (node,), wrap = operands(x)
        return wrap(apply("cumsum", node))
    blocks = n // _BLOCK
    whole = np.reshape(x[..., : blocks * _BLOCK], (*x.shape[:-1], blocks, _BLOCK))
    inside = _running_sum(whole)
    before = _running_sum(np.pad(inside[..., -1], [(0, 0)] * (x.ndim - 1) + [(1, 0)]))
    head = np.reshape(inside + before[..., :-1, None], (*x.shape[:-1], blocks * _BLOCK))
    if n == blocks * _BLOCK:
        return head
    tail = _running_sum(x[..., blocks * _BLOCK :]) + before[..., -1:]
    return np.concatenate([head, tail], -1)


@implements(np.cumulative_sum)
def _cumulative_sum(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Traced:
    return _cumulative(np.cumsum, x, axis, dtype, 0 if include_initial else None)


@implements(np.cumulative_prod)
def _cumulative_prod(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Traced:
    return _cumulative(np.cumprod, x, axis, dtype, 1 if include_initial else None)


def _cumulative(function: Any, x: Any, axis: int | None, dtype: Any, initial: Any) -> Traced:
    if axis is None and np.ndim(x) != 1:
        raise ShapeError(f"{function.__name__} of {np.ndim(x)} axes needs an axis, {user_line()}")
    place = 0 if axis is None else axis
    result = function(x, place, dtype)
    if initial is None:
        return result
    shape = [1 if a == place % result.ndim else n for a, n in enumerate(result.shape)]
    return np.concatenate([np.full(shape, initial, result.dtype), result], place)


@implements(np.cumprod)
def _cumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Traced:
    return _along(a, axis, dtype, _running_product)


def _running_product(x: Any) -> Traced:
    """Multiply along the last axis in NumPy's order; the derivative divides by nothing."""
    (node,), wrap = operands(x)
    return wrap(node if node.shape[-1] == 1 else apply("cumprod", node))


# Differences -------------------------------------------------------------------------------------


@implements(np.diff)
def _diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Traced:
    if known(n, "n") < 0:
        raise ShapeError(f"np.diff of order {n} at {user_line()}; it must be at least 0")
    if n == 0:
        return a
    place = one_axis(axis, np.ndim(a))
    edge = [1 if k == place else size for k, size in enumerate(np.shape(a))]
    ends = [
        np.broadcast_to(x, edge) if np.ndim(x) == 0 else x for x in (prepend, append)
        if x is not None
    ]  # fmt: skip
    parts = [*ends[:1], a, *ends[1:]] if prepend is not None else [a, *ends]
    x = np.moveaxis(np.concatenate(parts, place), place, -1)
    for _ in range(n):
        x = x[..., 1:] - x[..., :-1]
    return np.moveaxis(x, -1, place)


@implements(np.ediff1d)
def _ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Traced:
    x = np.ravel(ary)
    ends = [end if end is None else np.ravel(end).astype(x.dtype) for end in (to_begin, to_end)]
    parts = (ends[0], x[1:] - x[:-1], ends[1])
    return np.concatenate([part for part in parts if part is not None])


@implements(np.trapezoid)
def _trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Traced:
    place = one_axis(axis, np.ndim(y))
    if x is not None:
        dx = np.diff(x, axis=-1 if np.ndim(x) == 1 else axis)
        if np.ndim(x) == 1:
            dx = np.reshape(dx, [-1 if k == place else 1 for k in range(np.ndim(y))])
    y = y if isinstance(y, Expression) else np.asarray(y)
    lead = (slice(None),) * place
    heights = y[(*lead, slice(1, None))] + y[(*lead, slice(None, -1))]
    return np.sum(dx * heights / 2, axis)
