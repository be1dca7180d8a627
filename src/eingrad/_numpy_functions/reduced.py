"""What reductions have in common: which entries take part, how many they are, where they start.

In: an array, axes, and the keywords `where` and `initial`. Out: arrays and counts.
Guaranteed: a mean of nothing is refused, as far as it is known while a function is traced.
"""

import math
from typing import Any

import numpy as np

from eingrad._numpy_functions.operands import Axis, converted, normal_axes
from eingrad._place import user_line
from eingrad._tracer import Expression
from eingrad.errors import ShapeError


def choose(x: Any, where: Any, neutral: Any) -> Any:
    """What the keyword `where` asks for: the neutral element where an entry takes no part."""
    return x if where is None or where is True else np.where(where, x, neutral)


def start_with(initial: Any, like: Any) -> Any:
    """Where a reduction starts: NumPy computes it in the dtype of the result."""
    if isinstance(initial, Expression):
        return converted(initial, like.dtype)
    return np.asarray(initial).astype(like.dtype)[()]


def count_entries(x: Any, axis: Axis, where: Any, *, keepdims: bool) -> Any:
    """How many entries are reduced: a number, or an array where `where` chooses them."""
    axes = normal_axes(axis, np.ndim(x))
    if where is None or where is True:
        return math.prod(np.shape(x)[a] for a in axes)
    if isinstance(where, Expression):
        where = np.where(where, 1.0, 0.0)
        return np.sum(np.broadcast_to(where, np.shape(x)), axes, keepdims=keepdims)
    chosen = np.broadcast_to(np.asarray(where, bool), np.shape(x))
    return np.sum(chosen, axes, keepdims=keepdims)


def need_elements(x: Any, axis: Axis, name: str, count: Any, ddof: Any = 0) -> None:
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


def divide_by_count(total: Any, count: Any) -> Any:
    """Divide by a count, which does not decide the dtype; NumPy's float64 is a float and would."""
    return total / (count if is_number(count) else count.astype(total.dtype))


def is_number(count: Any) -> bool:
    """Whether a count is a number of Python's, which decides no dtype."""
    return type(count) in (int, float)


def or_true(where: Any) -> Any:
    """Write the keyword `where` as NumPy's own functions take it."""
    return True if where is None else where
