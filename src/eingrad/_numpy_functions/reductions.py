"""Functions that reduce axes, or run along one: sums, products, extremes, spread, differences."""

import math
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._numpy_functions.operands import (
    Axis,
    Traced,
    converted,
    implements,
    known,
    last,
    normal_axes,
    one_axis,
    operands,
    refuse_complex,
    strong,
)
from eingrad._place import user_line
from eingrad._primitives import apply
from eingrad._shown import shown
from eingrad._tracer import Expression
from eingrad.errors import DTypeError, ShapeError, TraceError

_BLOCK = 64  # a running sum longer than this is one of blocks: its Jacobian stays this small


def _choose(x: Any, where: Any, neutral: Any) -> Any:
    """What the keyword `where` asks for: the neutral element where an entry takes no part."""
    return x if where is None or where is True else np.where(where, x, neutral)


def _start_with(initial: Any, like: Any) -> Any:
    """Where a reduction starts: NumPy computes it in the dtype of the result."""
    if isinstance(initial, Expression):
        return converted(initial, like.dtype)
    return np.asarray(initial).astype(like.dtype)[()]


def _count(x: Any, axis: Axis, where: Any, *, keepdims: bool) -> Any:
    """How many entries are reduced: a number, or an array where `where` chooses them."""
    axes = normal_axes(axis, np.ndim(x))
    if where is None or where is True:
        return math.prod(np.shape(x)[a] for a in axes)
    if isinstance(where, Expression):
        where = np.where(where, 1.0, 0.0)
        return np.sum(np.broadcast_to(where, np.shape(x)), axes, keepdims=keepdims)
    chosen = np.broadcast_to(np.asarray(where, bool), np.shape(x))
    return np.sum(chosen, axes, keepdims=keepdims)


def _need_elements(x: Any, axis: Axis, name: str, count: Any, ddof: Any = 0) -> None:
    """Refuse to divide by a count that is not positive, unless there is nothing to divide.

    A count of traced flags is not known here: where it is not positive, NumPy's nan comes.
    """
    if isinstance(count, Expression):
        return
    axes = normal_axes(axis, np.ndim(x))
    is_empty = any(size == 0 for k, size in enumerate(np.shape(x)) if k not in axes)
    if is_empty or np.all(np.asarray(count) > ddof):
        return
    fewest = int(np.min(count))
    elements = {0: "no elements", 1: "one element"}.get(fewest, f"{fewest} elements")
    raise ShapeError(
        f"the {name} of {elements} at {user_line()} (shape {np.shape(x)})"
        + (f"; there must be more than ddof = {ddof}" if fewest else "")
    )


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
    (node,), wrap = operands(_choose(converted(a, dtype), where, 0))
    axes = normal_axes(axis, node.ndim)
    term = tuple(range(node.ndim))
    out = [i if i not in axes else node.ndim + i for i in term if keepdims or i not in axes]
    total = wrap(_ir.contract([(node, term)], out, {i: 1 for i in out if i >= node.ndim}))
    return total if initial is None else total + _start_with(initial, total)


@implements(np.mean)
def _mean(
    a: Any, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False, where: Any = None
) -> Traced:
    if dtype is None and getattr(a, "dtype", None) == np.float16:  # as NumPy: half would overflow
        mean = np.mean(a, axis, np.float32, keepdims=keepdims, where=_or_true(where))
        return converted(mean, np.float16)
    count = _count(a, axis, where, keepdims=keepdims)
    _need_elements(a, axis, "mean", count)
    return _divide(np.sum(a, axis, dtype, keepdims=keepdims, where=_or_true(where)), count)


def _divide(total: Any, count: Any) -> Any:
    """Divide by a count, which does not decide the dtype; NumPy's float64 is a float and would."""
    return total / (count if _is_number(count) else count.astype(total.dtype))


def _is_number(count: Any) -> bool:
    """Whether a count is a number of Python's, which decides no dtype."""
    return type(count) in (int, float)


def _or_true(where: Any) -> Any:
    return True if where is None else where


@implements(np.average)
def _average(
    a: Any, axis: Axis = None, weights: Any = None, *, returned: bool = False,
    keepdims: bool = False,
) -> Traced:  # fmt: skip
    if weights is None:
        mean = np.mean(a, axis, keepdims=keepdims)
        count = _count(a, axis, None, keepdims=keepdims)
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
    x, axes = last(_choose(converted(a, dtype), where, 1), axis)
    (node,), wrap = operands(x)
    n = node.shape[-1]
    if n > 1:
        product = wrap(apply("prod", node))
    else:
        product = wrap(node)[..., 0] if n else wrap(_ir.fill(1, node.shape[:-1], node.dtype))
    product = product if initial is None else product * _start_with(initial, product)
    return np.expand_dims(product, axes) if keepdims else product


@implements(np.cumprod)
def _cumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Traced:
    return _along(a, axis, dtype, _running_product)


def _running_product(x: Any) -> Traced:
    """Multiply along the last axis in NumPy's order; the derivative divides by nothing."""
    (node,), wrap = operands(x)
    return wrap(node if node.shape[-1] == 1 else apply("cumprod", node))


# Extremes ----------------------------------------------------------------------------------------


def _extreme(name: str, pick: Any) -> Any:
    def handler(
        a: Any, axis: Axis = None, *, keepdims: bool = False, initial: Any = None, where: Any = None
    ) -> Traced:
        if where is not None and where is not True and initial is None:
            raise ShapeError(f"np.{name} with where= needs initial= too, at {user_line()}")
        start = None if initial is None else _start_with(initial, a)
        x, axes = last(_choose(a, where, start), axis)
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


@implements(np.ptp)
def _ptp(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Traced:
    return np.max(a, axis, keepdims=keepdims) - np.min(a, axis, keepdims=keepdims)


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


# Spread ------------------------------------------------------------------------------------------


def _spread(a: Any, name: str, ddof: Any, axis: Axis, where: Any, mean: Any) -> tuple[Any, Any]:
    """Deviations from the mean, and the number that the sum of their squares is divided by."""
    (node,), _ = operands(a)
    refuse_complex(node, f"np.{name}")
    count = _count(a, axis, where, keepdims=True)
    _need_elements(a, axis, name, count, known(ddof, "ddof"))
    if mean is None:
        mean = np.mean(a, axis, keepdims=True, where=_or_true(where))
    left = max(count - ddof, 0) if _is_number(count) else np.maximum(count - ddof, 0)
    return _choose(a - mean, where, 0), left


def _single(count: Any, where: Any, mean: Any, left: Any) -> Any:
    """Flag where `where` leaves one element, which is its own mean; None where it never does.

    Of an axis of length one this is known without flags: ``x - x`` is zero.
    """
    if mean is not None or where is None or where is True:
        return None
    if isinstance(count, Expression):
        return np.logical_and(count == 1, left > 0)
    flags = np.logical_and(count == 1, left > 0)
    return flags if np.any(flags) else None


def _ddof(ddof: Any, correction: Any) -> Any:
    if correction is not None and ddof != 0:
        raise ShapeError(f"both ddof and correction are given, at {user_line()}; give one")
    given = ddof if correction is None else correction
    if isinstance(given, (complex, np.complexfloating)):
        raise TraceError(f"ddof is {shown(given)} at {user_line()}; it must be a real number")
    return given.item() if isinstance(given, np.generic) else given  # a float32 rounds no count


@implements(np.var)
def _var(  # noqa: PLR0913 - NumPy's signature
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    ddof: Any = 0,
    keepdims: bool = False,
    where: Any = None,
    mean: Any = None,
    correction: Any = None,
) -> Traced:
    x = converted(a, dtype)
    apart, count = _spread(x, "var", _ddof(ddof, correction), axis, where, mean)
    total = _divide(np.sum(apart * apart, axis, keepdims=True), count)
    return total if keepdims else np.squeeze(total, normal_axes(axis, np.ndim(a)))


@implements(np.std)
def _std(  # noqa: PLR0913 - NumPy's signature
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    *,
    ddof: Any = 0,
    keepdims: bool = False,
    where: Any = None,
    mean: Any = None,
    correction: Any = None,
) -> Traced:
    """By the norm, whose derivative is 0 where all entries are equal.

    One element is equal to itself wherever it is: there the norm is taken of something else.
    """
    x = converted(a, dtype)
    apart, left = _spread(x, "std", _ddof(ddof, correction), axis, where, mean)
    single = _single(_count(x, axis, where, keepdims=True), where, mean, left)
    apart = apart if single is None else np.where(single, 1, apart)
    norm = np.linalg.vector_norm(apart, axis=axis, keepdims=True)
    root = _divide(norm, float(left) ** 0.5 if _is_number(left) else np.sqrt(left))
    root = root if single is None else np.where(single, 0, root)
    return root if keepdims else np.squeeze(root, normal_axes(axis, np.ndim(a)))


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
