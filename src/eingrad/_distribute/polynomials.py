"""Sums of monomials, with coefficients that are not rounded.

In: monomials and coefficients. Out: a polynomial, or the node that is its sum.
Guaranteed: where a coefficient would be rounded, `GivenUpError` is raised.
"""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

from eingrad import _ir
from eingrad._ir import Add, Coefficient, Einsum, Node

_SHORT = 2**80  # of products of fifty such numbers, none is rounded
_SHORT_COMPLEX = 2**26  # products of two are exact in the 53 bits of a float, which they are

Polynomial = dict[Node, Coefficient]  # monomial -> coefficient


class GivenUpError(Exception):
    """A product has too many terms to be worth a proof, or a coefficient was rounded."""


def coefficients_of(roots: Sequence[Node]) -> Iterator[Coefficient]:
    """Go through all numbers in some expressions."""
    for node in _ir.topological(roots):
        if isinstance(node, Einsum):
            yield node.coefficient
        elif isinstance(node, Add):
            yield from node.coefficients


def is_short(c: Coefficient) -> bool:
    """Whether a number is finite, and products and sums of such are not rounded."""
    if isinstance(c, complex):
        return _is_below(c.real, _SHORT_COMPLEX) and _is_below(c.imag, _SHORT_COMPLEX)
    return _is_below(c, _SHORT)


def _is_below(c: int | Fraction | float, most: int) -> bool:
    numerator, denominator = c.as_integer_ratio() if math.isfinite(c) else (most, 1)
    return abs(numerator) < most and denominator < most


def exact(c: Coefficient) -> Coefficient:
    """Write a float as the rational that it is."""
    return Fraction(c) if isinstance(c, float) and math.isfinite(c) else c


def collect(total: Polynomial, monomial: Node, coefficient: Coefficient) -> None:
    """Add a multiple of a monomial, whose own number goes with the others."""
    if isinstance(monomial, Einsum) and monomial.coefficient != 1:
        if _ir.is_zero(monomial):
            return
        if not is_short(monomial.coefficient):  # a law made it, and may have rounded it
            raise GivenUpError
        coefficient = exact(coefficient) * exact(monomial.coefficient)
        monomial = _ir.with_coefficient(monomial, 1)
    coefficient = total.get(monomial, 0) + exact(coefficient)
    total[monomial] = coefficient
    if coefficient == 0:
        del total[monomial]


def sum_of(form: Polynomial, like: Node) -> Node:
    """Build the node of a polynomial, in the shape and dtype of another one."""
    if not form:
        return _ir.zeros(like.shape, like.dtype)
    nodes, coefficients = zip(*form.items(), strict=True)
    if any(exact(_ir.canonical_coefficient(c)) != c for c in coefficients):
        raise GivenUpError
    return _ir.add(nodes, coefficients)
