"""Digests: what a node is, hashed, so that nodes can be ordered alike in every process.

In: the kind of a node, what it is made of. Out: bytes; equal ones of equal nodes, and no others.
Guaranteed: the order of two digests is that of their first halves, into which numbers go rounded.

So a plan is, as a rule, in the same order where a number was computed by another BLAS, with another
rounding, and what differs in the last digits alone is told apart by the second halves. Where two
numbers lie on either side of an edge of rounding they are rounded apart, however near they are, and
the order may be another: of numbers that differ by one in their last place about one in ten
thousand, of entries of arrays one in 4,096.

A number that has few digits is itself in the first half. Where no number below a node has many, its
digest has no second half.

>>> rounded(0.1), rounded(1 / 3) == rounded(1 / 3 + 1e-16)
(0.1, True)
>>> numbers = 1 / 3, 1 / 3 + 1e-16
>>> first, second = (digest_of(b"", Content((), b"%a" % c, rough_text(c))) for c in numbers)
>>> first == second, first[:HALF] == second[:HALF]
(False, True)
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

HALF = 16  # bytes
_FEW = 2**24  # a rational of such integers was written by hand, or counted
_DIGITS = 12  # significant ones that a computed number is ordered by
_DROPPED = {8: 12, 4: 6}  # bits of a number of so many bytes that it is not ordered by


class Content(NamedTuple):
    """What a node is made of: digests of its operands, then text, or the other way round.

    `rough` is the text with rounded numbers, None where it has none of many digits.
    """

    operands: Sequence[bytes]
    text: bytes
    rough: bytes | None = None
    text_first: bool = False


def digest_of(kind: bytes, content: Content) -> bytes:
    """Hash what a node is made of: a half that is rough, and if that loses something, the rest."""
    operands, text, rough, text_first = content
    whole = b"".join(operands)
    exact = _hashed(kind + (text + whole if text_first else whole + text))
    if rough is None and len(whole) == HALF * len(operands):
        return exact
    halves = b"".join([digest[:HALF] for digest in operands])
    near = text if rough is None else rough
    return _hashed(kind + (near + halves if text_first else halves + near)) + exact


def _hashed(content: bytes) -> bytes:
    return blake2b(content, digest_size=HALF).digest()


def rough_text(value: Any) -> bytes | None:
    """Write values with rounded numbers; None where that is how they are written anyway."""
    found = rounded(value)
    return None if found is value else repr(found).encode()


def rounded(value: Any) -> Any:
    """Round numbers of many digits, in tuples too; take the first half of a digest.

    What has nothing to be rounded is returned as it is.
    """
    kind = type(value)
    if kind is int or kind is str:
        return value
    if kind is tuple:
        items = tuple([rounded(item) for item in value])
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    if kind is float or kind is Fraction:
        return _rounded_number(value)
    if kind is complex:
        parts = [float(_rounded_number(part)) for part in (value.real, value.imag)]
        return value if complex(*parts) == value else complex(*parts)
    return value[:HALF] if kind is bytes and len(value) > HALF else value


def _rounded_number(value: float | Fraction) -> float | Fraction:
    if type(value) is Fraction and max(abs(value.numerator), value.denominator) < _FEW:
        return value
    try:
        found = float(f"{float(value):.{_DIGITS}g}")
    except OverflowError:  # a rational beyond the range of floats
        return value
    return value if found == value or math.isnan(found) else found


def rounded_values(values: NDArray[Any]) -> NDArray[Any]:
    """Round the numbers of an array to fewer bits."""
    real = values.itemsize // (2 if values.dtype.kind == "c" else 1)
    if values.dtype.kind not in "fc" or real not in _DROPPED:
        return values
    bits = np.ascontiguousarray(values).reshape(-1).view(f"u{real}")
    half = bits.dtype.type(1 << _DROPPED[real] - 1)
    near: NDArray[Any] = (bits + half) >> bits.dtype.type(_DROPPED[real])
    return near


def rough_values(values: NDArray[Any], before: bytes) -> bytes | None:
    """Write an array with rounded numbers, after some text; None where nothing is rounded."""
    found = rounded_values(values)
    if found is values:
        return None
    back = found << found.dtype.type(_DROPPED[found.itemsize])
    is_same = back.tobytes() == values.tobytes()
    return None if is_same else before + found.tobytes()
