"""Numbers that multiply tensors: exact, and moved only where no value can leave its range for it.

In: numbers of the user's and of rules. Out: their product, written in one way; whether a number may
change its place.
Guaranteed: a coefficient is the exact product and sum of those it was collected from, and is
rounded once, when it is written into a program. A number is taken out of a factor, or put into
one, only if it is *harmless*: from 2**-32 to 2**32 in double precision, 2**-8 to 2**8 in single,
1/2 to 2 in half. So what is computed in place of a value of the user's is at most that much larger
or smaller.

Who divides by a scale before he squares keeps his values in range: ``s * sqrt(sum((x / s)**2))``.
Collected, ``1 / s**2`` and ``x**2`` would leave it.

>>> combine([0.1, 3, Fraction(1, 3)], np.dtype(float)) == 0.1
True
>>> combine([1e-200, 1e-200], np.dtype(float)) is None
True
>>> is_harmless(1e-5, np.dtype(float)), is_harmless(1e-5, np.dtype(np.float32))
(True, False)
"""

import functools
import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np

from eingrad._ir.nodes import Coefficient

_LARGEST_EXACT = 2**53  # integers below are floats, and rationals of such are written as they are
_MOST_BITS = 4400  # of a rational: two floats at the ends of their range, multiplied
_HARMLESS = {2: 2.0, 4: 2.0**8, 8: 2.0**32}  # bytes of a real number -> largest that may be moved


def canonical_coefficient(value: Coefficient) -> Coefficient:
    """Write equal coefficients alike: as integer, as short rational, as float, as long rational."""
    if type(value) is int and -_LARGEST_EXACT < value < _LARGEST_EXACT:
        return value  # nearly all are, and this is called for every operand
    if isinstance(value, complex):
        if value.imag != 0 or math.isnan(value.imag):
            return complex(value)
        value = value.real
    if isinstance(value, float):
        exact = value.is_integer() and abs(value) < _LARGEST_EXACT
        return int(value) if exact else float(value)
    fraction = Fraction(value)
    if is_short(fraction):
        return int(fraction) if fraction.denominator == 1 else fraction
    rounded = as_float(fraction)
    if math.isfinite(rounded) and Fraction(rounded) == fraction:
        return rounded
    return int(fraction) if fraction.denominator == 1 else fraction


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


def multiply(a: Coefficient, b: Coefficient) -> Coefficient:
    """Multiply exactly where both are finite and real; rounded where the product is too long."""
    if type(a) is int and type(b) is int:
        return canonical_coefficient(a * b)
    if isinstance(a, complex) or isinstance(b, complex):
        return canonical_coefficient(complex(a) * complex(b))
    if not (_is_finite(a) and _is_finite(b)):
        return canonical_coefficient(float(a) * float(b))
    return _shortened(Fraction(a) * Fraction(b))


def add_exactly(a: Coefficient, b: Coefficient) -> Coefficient:
    """Add exactly where both are finite and real; rounded where the sum is too long."""
    if type(a) is int and type(b) is int:
        return canonical_coefficient(a + b)
    if isinstance(a, complex) or isinstance(b, complex):
        return canonical_coefficient(complex(a) + complex(b))
    if not (_is_finite(a) and _is_finite(b)):
        return canonical_coefficient(float(a) + float(b))
    return _shortened(Fraction(a) + Fraction(b))


def combine(factors: Iterable[Coefficient], dtype: np.dtype[Any]) -> Coefficient | None:
    """Multiply numbers into one; None where that is rounded, or beyond the range of the dtype."""
    numbers = [factor for factor in factors if factor != 1]
    if len(numbers) < 2:  # noqa: PLR2004 - one is what it is
        return numbers[0] if numbers else 1
    product: Coefficient = 1
    for number in numbers:
        whole = multiply(product, number)
        if not _is_exact(whole, product, number):
            return None
        product = whole
    return product if is_in_range(product, dtype) else None


def _is_exact(whole: Coefficient, a: Coefficient, b: Coefficient) -> bool:
    if isinstance(whole, complex) or isinstance(a, complex) or isinstance(b, complex):
        return _is_exact_complex(complex(whole), complex(a), complex(b))
    if not (_is_finite(a) and _is_finite(b)):
        return abs(a) == 1 or abs(b) == 1
    return Fraction(whole) == Fraction(a) * Fraction(b) if _is_finite(whole) else False


def _is_exact_complex(whole: complex, a: complex, b: complex) -> bool:
    parts = (whole.real, whole.imag, a.real, a.imag, b.real, b.imag)
    if not all(map(math.isfinite, parts)):
        return False
    u, v, ar, ai, br, bi = map(Fraction, parts)
    return u == ar * br - ai * bi and v == ar * bi + ai * br


def _is_finite(value: int | Fraction | float) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _shortened(value: Fraction) -> Coefficient:
    bits = max(value.numerator.bit_length(), value.denominator.bit_length())
    return canonical_coefficient(value if bits <= _MOST_BITS else as_float(value))


def is_in_range(value: Coefficient, dtype: np.dtype[Any]) -> bool:
    """Whether a number is zero, a normal number of a dtype, infinite or nan."""
    if type(value) is int and -2 <= value <= 2:  # noqa: PLR2004 - of every dtype
        return True
    if isinstance(value, float) and not math.isfinite(value):
        return True
    low, high = _range(dtype)
    return value == 0 or low <= _size(value) <= high


def is_harmless(value: Coefficient, dtype: np.dtype[Any]) -> bool:
    """Whether a number may be moved from one factor to another: it changes exponents little."""
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
