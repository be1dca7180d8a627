"""A scale that tangents or cotangents of a scan have in common stays outside of its steps.

In: what a scan is linear in. Out: the same without the scale, and the scale.
Guaranteed: it is a power of two, so no digit is lost; what is moderate stays, and so does what is
large beside what is small.

In derivatives all numbers are collected. Those outside of a scan cannot meet others within: of
``s f(x / s)`` the second tangent of a step would have ``1 / s**2`` for a factor, which need be no
float, and meet the ``s`` afterwards.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import TypeVar

from eingrad import _ir
from eingrad._ir import Einsum, Node

Key = TypeVar("Key")


def without_scale(given: Mapping[Key, Node]) -> tuple[dict[Key, Node], int | Fraction]:
    """Divide nodes by the extreme power of two that their numbers have in common, if any."""
    known = [n for n in given.values() if not _ir.is_zero(n)]
    numbers = [n.coefficient if isinstance(n, Einsum) else 1 for n in known]
    scale = _ir.common_scale(numbers, known[0].dtype) if known else 1
    if scale == 1:
        return dict(given), 1
    return {key: _ir.scale(n, 1 / Fraction(scale)) for key, n in given.items()}, scale
