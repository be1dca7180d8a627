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


def standard_exponents(xp: Any, x: Any) -> Any:
    one = xp.ones_like(x)
    factors = xp.abs(xp.where((x == 0) | ~xp.isfinite(x), one, x))
    logarithms = xp.astype(xp.log2(factors), xp.float64)
    return xp.clip(xp.floor(xp.cumulative_sum(logarithms, axis=-1)), -(2.0**30), 2.0**30)


def standard_ldexp(xp: Any, exponents: Any, x: Any) -> Any:
    """In two halves, of which each is in range where the result is."""
    whole = xp.trunc(exponents)
    half = xp.floor(whole / 2)
    for part in (half, whole - half):
        x = x * xp.astype(2.0**part, x.dtype)
    return x
