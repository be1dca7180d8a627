"""Rows in the array API standard that are no function of it, and its dtypes."""

from typing import Any

import numpy as np

from eingrad.errors import DTypeError


def standard_dtype(xp: Any, dtype: Any) -> Any:
    """Find a dtype of NumPy in a namespace of the array API standard."""
    name = np.dtype(dtype).name
    if not hasattr(xp, name):
        raise DTypeError(f"{name_of(xp)} has no dtype {name!r}; convert to one that it has")
    return getattr(xp, name)


def name_of(xp: Any) -> str:
    return getattr(xp, "__name__", type(xp).__name__)


def standard_quotient(xp: Any, a: Any, b: Any) -> Any:
    is_zero = b == xp.zeros_like(b)
    return xp.where(is_zero, xp.zeros_like(b), a / xp.where(is_zero, xp.ones_like(b), b))


def standard_tri(xp: Any, n: int, m: int, k: int, dtype: str) -> Any:
    return xp.tril(xp.ones((n, m), dtype=standard_dtype(xp, dtype)), k=k)


def standard_others(xp: Any, x: Any) -> Any:
    one = xp.ones_like(x[..., :1])
    before = xp.cumulative_prod(xp.concat((one, x[..., :-1]), axis=-1), axis=-1)
    reverse = xp.flip(x[..., 1:], axis=-1)
    after = xp.cumulative_prod(xp.concat((one, reverse), axis=-1), axis=-1)
    return before * xp.flip(after, axis=-1)
