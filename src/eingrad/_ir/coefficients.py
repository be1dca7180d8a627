"""Numbers that multiply tensors: exact, however they are collected.

In: numbers of the user's and of rules. Out: their products and sums, each written in one way.
Guaranteed: a coefficient is the exact product and sum of those that it was collected from, be it
beyond the range of a float, and is rounded once, when it is written into a program.

A number of the user's that is not *harmless* is no coefficient: who divides by a scale before he
squares, ``s * sqrt(sum((x / s)**2))``, keeps his values in range (`_numpy_functions.operands`).

>>> multiply(multiply(1e-200, 1e-200), 1e300) == Fraction(1e-200) ** 2 * Fraction(1e300)
True
>>> is_harmless(1e-4, np.dtype(float)), is_harmless(1e-4, np.dtype(np.float32))
(True, False)
"""

import functools
import math
from collections.abc import Hashable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad._exact import exact
from eingrad._ir.nodes import Coefficient

_LARGEST_EXACT = 2**53  # integers below are floats, and rationals of such are written as they are
_MOST_BITS = 4400  # of a rational: two floats at the ends of their range, multiplied
_ROUNDED_TO = 64  # bits, of one that is longer
_SAMPLED = 64  # entries of an array that are looked at first: they tell of nearly all
_HARMLESS = {2: 1.0, 4: 2.0**4, 8: 2.0**16}  # bytes of a real number -> largest that may be moved


def canonical_coefficient(value: Coefficient) -> Coefficient:
    """Write equal coefficients alike: as integer, as short rational, as float, as long rational."""
    if type(value) is int and -_LARGEST_EXACT < value < _LARGEST_EXACT:
        return value  # nearly all are, and this is called for every operand
    value = exact(value)
    if isinstance(value, complex):
        if value.imag != 0 or math.isnan(value.imag):
            return complex(value)
        value = value.real
    if isinstance(value, float):
        is_short_integer = value.is_integer() and abs(value) < _LARGEST_EXACT
        return int(value) if is_short_integer else value
    fraction = Fraction(value)
    if is_short(fraction):
        return int(fraction) if fraction.denominator == 1 else fraction
    rounded = as_float(fraction)
    if math.isfinite(rounded) and Fraction(rounded) == fraction:
        return rounded
    return int(fraction) if fraction.denominator == 1 else fraction


def key_of_coefficient(coefficient: Coefficient) -> Hashable:
    """Tell coefficients apart: those of two types may be equal, and nan equals nothing."""
    if type(coefficient) is int:
        return coefficient
    if type(coefficient) is Fraction:
        return coefficient.numerator, coefficient.denominator
    return repr(coefficient)


def is_short(value: int | Fraction) -> bool:
    """Whether a number is the quotient of two integers that are exact as floats."""
    return max(abs(value.numerator), value.denominator) < _LARGEST_EXACT


def divisor(value: Coefficient) -> int | float | None:
    """Give the number that dividing by is multiplying with this one: 3 for 1/3, 0.1 for 1/0.1."""
    if not isinstance(value, Fraction):
        return None
    inverse = as_float(1 / value)
    if not math.isfinite(inverse) or Fraction(inverse) != 1 / value:
        return None
    return int(inverse) if inverse.is_integer() and is_short(int(inverse)) else inverse


def as_float(value: int | Fraction | float) -> float:
    """Round a coefficient; infinite beyond the largest float."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


@functools.lru_cache(maxsize=4096, typed=True)
def multiply(a: Coefficient, b: Coefficient) -> Coefficient:
    """Multiply exactly where both are finite and real; rounded where the product is too long."""
    if type(a) is int and type(b) is int:
        return canonical_coefficient(a * b)
    if isinstance(a, complex) or isinstance(b, complex):
        return canonical_coefficient(complex(a) * complex(b))
    if not (_is_finite(a) and _is_finite(b)):
        return canonical_coefficient(float(a) * float(b))
    return _shorten(Fraction(a) * Fraction(b))


@functools.lru_cache(maxsize=4096, typed=True)
def add_exactly(a: Coefficient, b: Coefficient) -> Coefficient:
    """Add exactly where both are finite and real; rounded where the sum is too long."""
    if type(a) is int and type(b) is int:
        return canonical_coefficient(a + b)
    if isinstance(a, complex) or isinstance(b, complex):
        return canonical_coefficient(complex(a) + complex(b))
    if not (_is_finite(a) and _is_finite(b)):
        return canonical_coefficient(float(a) + float(b))
    return _shorten(Fraction(a) + Fraction(b))


def _is_finite(value: int | Fraction | float) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _shorten(value: Fraction) -> Coefficient:
    bits = max(value.numerator.bit_length(), value.denominator.bit_length())
    if bits > _MOST_BITS:
        unit = Fraction(2) ** (_exponent(value) - _ROUNDED_TO)
        value = round(value / unit) * unit
    return canonical_coefficient(value)


def _exponent(value: Fraction) -> int:
    """The power of two that a number is about as large as."""
    return value.numerator.bit_length() - value.denominator.bit_length()


def in_two(value: int | Fraction | float) -> tuple[Coefficient, Coefficient]:
    """Split a real number that no float can hold into two factors, the first a power of two."""
    first = Fraction(2) ** (_exponent(Fraction(value)) // 2)
    return canonical_coefficient(first), canonical_coefficient(Fraction(value) / first)


def common_scale(numbers: Sequence[Coefficient], dtype: np.dtype[Any]) -> int | Fraction:
    """The power of two that some numbers, all too large or all too small, have in common; or 1.

    Divided by it, their sizes add up to one at most: a sum with such coefficients is no larger than
    its largest term.
    """
    exponents = [_exponent_of(number) for number in numbers]
    known = [exponent for exponent in exponents if exponent is not None]
    if len(known) < len(exponents) or min(known) * max(known) <= 0:
        return 1
    nearest = Fraction(2) ** min(known, key=abs)
    if is_harmless(nearest, dtype):
        return 1
    return Fraction(2) ** (max(known) + 1 + len(known).bit_length())


def common_exponent(values: NDArray[Any]) -> int:
    """The power of two that an array can be divided by, exactly, where its fourth powers are lost.

    Zero where some entries are moderate, or some are large and others small: nothing is gained, or
    some would be rounded.
    """
    if values.dtype.kind not in "fc" or not values.size:
        return 0
    most = _most_exponent(values.dtype)
    if _is_moderate(values.item(0).real, most // 4):
        return 0
    few = values.flat[:: max(1, values.size // _SAMPLED)]  # no copy, whatever the layout
    if _common_exponent(few, most // 4) == 0:
        return 0
    exponent = _common_exponent(values, most // 4) or 0
    return max(2 - most, min(exponent, most - 2))  # so that it is a normal number, and its inverse


@functools.cache
def _most_exponent(dtype: np.dtype[Any]) -> int:
    return int(np.finfo(dtype).maxexp)


def _is_moderate(value: float, least: int) -> bool:
    """Whether a number is neither large nor small, zero, infinite nor nan."""
    return value != 0 and math.isfinite(value) and -least < math.frexp(value)[1] < least


def _common_exponent(values: NDArray[Any], least: int) -> int | None:
    """The smallest exponent of large entries, the largest of small ones; None where all are 0."""
    parts = [values.real, values.imag] if values.dtype.kind == "c" else [values]
    sizes = np.abs(np.concatenate([part.ravel("K") for part in parts]))
    _, exponents = np.frexp(sizes[(sizes > 0) & np.isfinite(sizes)])
    if not exponents.size:
        return None
    low, high = int(exponents.min()), int(exponents.max())
    if low >= least:
        return low
    return high if high <= -least else 0


def is_less_extreme(a: Coefficient, b: Coefficient) -> bool:
    """Whether a number is nearer to one than another, counted in powers of two."""
    first, second = _exponent_of(a), _exponent_of(b)
    return first is not None and second is not None and abs(first) < abs(second)


def is_apart(a: Coefficient, b: Coefficient, dtype: np.dtype[Any]) -> bool:
    """Whether the quotient of two numbers is not harmless."""
    first, second = _exponent_of(a), _exponent_of(b)
    if first is None or second is None:
        return False
    return not is_harmless(Fraction(2) ** (first - second), dtype)


def _exponent_of(value: Coefficient) -> int | None:
    """The power of two that a number is about as large as; None for zero, infinity and nan."""
    size = abs(value) if isinstance(value, complex) else value
    return _exponent(Fraction(size)) if size and _is_finite(size) else None


def is_in_range(value: Coefficient, dtype: np.dtype[Any]) -> bool:
    """Whether a number is zero, a normal number of a dtype, infinite or nan."""
    if type(value) is int and -2 <= value <= 2:  # noqa: PLR2004 - of every dtype
        return True
    if isinstance(value, float) and not math.isfinite(value):
        return True
    low, high = _range(dtype)
    return value == 0 or low <= _size(value) <= high


def is_harmless(value: Coefficient, dtype: np.dtype[Any]) -> bool:
    """Whether a number of the user's may be moved from one factor to another.

    It changes exponents little: 16 of 1,023 in double, 4 of 127 in single precision. Of the 15 that
    half precision has there is none to spare.
    """
    if type(value) is int and -1 <= value <= 1:
        return True
    low, high = _small_range(dtype)
    return low <= _size(value) <= high


def _size(value: Coefficient) -> float:
    """Absolute value; infinite beyond the largest float."""
    if isinstance(value, complex):
        return math.hypot(value.real, value.imag)
    return abs(as_float(value))


@functools.cache
def _range(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Smallest and largest normal number."""
    if dtype.kind not in "fc":
        return 1.0, math.inf
    info = np.finfo(dtype)
    return float(info.tiny), float(info.max)


@functools.cache
def _small_range(dtype: np.dtype[Any]) -> tuple[float, float]:
    if dtype.kind not in "fc":
        return 1.0, 1.0
    most = _HARMLESS[dtype.itemsize // (2 if dtype.kind == "c" else 1)]
    return 1 / most, most
