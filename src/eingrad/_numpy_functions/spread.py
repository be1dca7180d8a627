"""Functions that say how far entries are apart: variance, deviation, range.

In: the arguments of a NumPy call. Out: an `Expression`.
Guaranteed: of entries that are equal, the derivative of the deviation is zero.
"""

from typing import Any

import numpy as np

from eingrad._numpy_functions.operands import (
    Axis,
    Traced,
    converted,
    implements,
    known,
    normal_axes,
    operands,
    refuse_complex,
)
from eingrad._numpy_functions.reduced import (
    choose,
    count_entries,
    divide_by_count,
    is_number,
    need_elements,
    or_true,
)
from eingrad._place import user_line
from eingrad._shown import shown
from eingrad._tracer import Expression
from eingrad.errors import ShapeError, TraceError


def _spread(a: Any, name: str, ddof: Any, axis: Axis, where: Any, mean: Any) -> tuple[Any, Any]:
    """Deviations from the mean, and the number that the sum of their squares is divided by."""
    (node,), _ = operands(a)
    refuse_complex(node, f"np.{name}")
    count = count_entries(a, axis, where, keepdims=True)
    need_elements(a, axis, name, count, known(ddof, "ddof"))
    if mean is None:
        mean = np.mean(a, axis, keepdims=True, where=or_true(where))
    left = max(count - ddof, 0) if is_number(count) else np.maximum(count - ddof, 0)
    return choose(a - mean, where, 0), left


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
    total = divide_by_count(np.sum(apart * apart, axis, keepdims=True), count)
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
    single = _single(count_entries(x, axis, where, keepdims=True), where, mean, left)
    apart = apart if single is None else np.where(single, 1, apart)
    norm = np.linalg.vector_norm(apart, axis=axis, keepdims=True)
    root = divide_by_count(norm, float(left) ** 0.5 if is_number(left) else np.sqrt(left))
    root = root if single is None else np.where(single, 0, root)
    return root if keepdims else np.squeeze(root, normal_axes(axis, np.ndim(a)))


@implements(np.ptp)
def _ptp(a: Any, axis: Axis = None, *, keepdims: bool = False) -> Traced:
    return np.max(a, axis, keepdims=keepdims) - np.min(a, axis, keepdims=keepdims)
