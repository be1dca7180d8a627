"""Functions that reduce axes: sums and means, products, extremes, flags.

In: the arguments of a NumPy call. Out: an `Expression`.
Guaranteed: a product is multiplied in NumPy's order, and its derivative divides by nothing.
"""

from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._numpy_functions.operands import (
    Axis,
    Traced,
    converted,
    implements,
    last,
    normal_axes,
    operands,
    refuse_complex,
    strong,
)
from eingrad._numpy_functions.reduced import (
    choose,
    count_entries,
    divide_by_count,
    need_elements,
    or_true,
    start_with,
)
from eingrad._place import user_line
from eingrad._primitives import apply
from eingrad._tracer import Expression
from eingrad.errors import DTypeError, ShapeError

# Sums --------------------------------------------------------------------------------------------


@implements(np.sum)
def _sum(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Traced:
    (node,), wrap = operands(choose(converted(a, dtype), where, 0))
    axes = normal_axes(axis, node.ndim)
    term = tuple(range(node.ndim))
    out = [i if i not in axes else node.ndim + i for i in term if keepdims or i not in axes]
    total = wrap(_ir.contract([(node, term)], out, {i: 1 for i in out if i >= node.ndim}))
    return total if initial is None else total + start_with(initial, total)


@implements(np.mean)
def _mean(
    a: Any, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False, where: Any = None
) -> Traced:
    if dtype is None and getattr(a, "dtype", None) == np.float16:  # as NumPy: half would overflow
        mean = np.mean(a, axis, np.float32, keepdims=keepdims, where=or_true(where))
        return converted(mean, np.float16)
    count = count_entries(a, axis, where, keepdims=keepdims)
    need_elements(a, axis, "mean", count)
    return divide_by_count(np.sum(a, axis, dtype, keepdims=keepdims, where=or_true(where)), count)


@implements(np.average)
def _average(
    a: Any, axis: Axis = None, weights: Any = None, *, returned: bool = False,
    keepdims: bool = False,
) -> Traced:  # fmt: skip
    if weights is None:
        mean = np.mean(a, axis, keepdims=keepdims)
        count = count_entries(a, axis, None, keepdims=keepdims)
        return (mean, np.full(mean.shape, count, mean.dtype)) if returned else mean
    weights = strong(weights)
    if np.shape(weights) != np.shape(a):
        axes = normal_axes(axis, np.ndim(a))
        if axis is None or np.shape(weights) != tuple(np.shape(a)[k] for k in axes):
            raise ShapeError(
                f"average at {user_line()}: weights of shape {np.shape(weights)} fit neither the "
                f"array, of shape {np.shape(a)}, nor its axes {axis}"
            )
        order = sorted(range(len(axes)), key=axes.__getitem__)
        sizes = [n if k in axes else 1 for k, n in enumerate(np.shape(a))]
        weights = np.reshape(np.transpose(weights, order), sizes)
        weights = np.broadcast_to(weights, np.shape(a))
    total = np.sum(weights, axis, keepdims=keepdims)
    if not isinstance(total, Expression) and np.any(total == 0):
        raise ZeroDivisionError(f"average at {user_line()}: the weights sum to zero")
    summed = np.sum(np.multiply(a, weights), axis, keepdims=keepdims)
    if not isinstance(total, Expression):
        total = total.astype(summed.dtype)  # of flags or integers it would be one
    mean = summed / total
    return (mean, np.broadcast_to(total, np.shape(mean))) if returned else mean


# Products ----------------------------------------------------------------------------------------


@implements(np.prod)
def _prod(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = None,
) -> Traced:
    """Multiply in NumPy's order; the derivative divides by nothing, so zeros are right."""
    x, axes = last(choose(converted(a, dtype), where, 1), axis)
    (node,), wrap = operands(x)
    n = node.shape[-1]
    if n > 1:
        product = wrap(apply("prod", node))
    else:
        product = wrap(node)[..., 0] if n else wrap(_ir.fill(1, node.shape[:-1], node.dtype))
    product = product if initial is None else product * start_with(initial, product)
    return np.expand_dims(product, axes) if keepdims else product


# Extremes ----------------------------------------------------------------------------------------


def _extreme(name: str, pick: Any) -> Any:
    def handler(
        a: Any, axis: Axis = None, *, keepdims: bool = False, initial: Any = None, where: Any = None
    ) -> Traced:
        if where is not None and where is not True and initial is None:
            raise ShapeError(f"np.{name} with where= needs initial= too, at {user_line()}")
        start = None if initial is None else start_with(initial, a)
        x, axes = last(choose(a, where, start), axis)
        (node,), wrap = operands(x)
        refuse_complex(node, f"np.{name}")
        if initial is None and not node.shape[-1]:
            raise ShapeError(f"the {name} of no elements at {user_line()} (shape {np.shape(a)})")
        if node.shape[-1] == 1:  # itself, so that a spread of it is known to be zero
            result = wrap(node)[..., 0]
        elif node.shape[-1]:
            result = wrap(apply(name, node))
        else:
            result = wrap(_ir.zeros(node.shape[:-1], node.dtype)) + start
        result = result if initial is None else pick(result, start)
        return np.expand_dims(result, axes) if keepdims else result

    return handler


implements(np.max, np.amax)(_extreme("max", np.maximum))
implements(np.min, np.amin)(_extreme("min", np.minimum))


def _flags(name: str, *, of_none: bool) -> Any:
    def handler(a: Any, axis: Axis = None, *, keepdims: bool = False, where: Any = None) -> Traced:
        (node,), wrap = operands(a, flags=True)
        if node.dtype.kind != "b":
            raise DTypeError(
                f"np.{name} of {node.dtype} values at {user_line()}; it is supported for booleans: "
                f"write np.{name}(x != 0)"
            )
        flags = wrap(node)
        if where is not None and where is not True:
            kept = np.logical_and(flags, where), np.logical_or(flags, np.logical_not(where))
            flags = kept[of_none]
        x, axes = last(flags, axis)
        result = Expression(apply(name, x._node), x._trace)
        if not x.shape[-1]:
            flag = np.full(x.shape[:-1], of_none)
            result = Expression(_ir.constant(flag), x._trace)
        return np.expand_dims(result, axes) if keepdims else result

    return handler


implements(np.any)(_flags("any", of_none=False))
implements(np.all)(_flags("all", of_none=True))
