"""Functions that a shift does not change: what their derivatives take for that of the extreme.

In: the cotangent of ``max(x)``, where ``x - max(x)`` was taken. Out: whether it is zero whatever
the arrays are, and weights that it may then be multiplied with.
Guaranteed: a proof, by distributing products over sums and cancelling; nothing of it is computed.

With ``u = x - max(x)`` and b the cotangent of u, that of x is ``b - t sum(b)``, t being one at the
maximum. Where ``sum(b)`` is zero by algebra, any weights do in the place of t. It is computed
nevertheless, for its rounding is that of the entry at the maximum, where b may be ``p - 1`` with p
near one; so weights have to be one there then. A softmax is, that the function computes anyway:

    b_m - p_m sum(b) = sum_{i != m} (-b_i) + (1 - p_m) sum(b),

and the last term is as small, beside the others, as rounding. Else the maxima are, each by itself.

>>> from eingrad import _ir
>>> from eingrad._primitives import apply, reciprocal
>>> e, c = _ir.new_input("e", (3,)), _ir.new_input("c", (3,))
>>> p = apply("divide", e, _ir.broadcast(_ir.einsum("i->", e), (3,)))
>>> mean = _ir.einsum("i,i->", p, c)
>>> vanishes(_ir.add([mean, _ir.einsum("i,->", p, mean)], (1, -1)))
True
"""

import itertools
from collections.abc import Container, Iterator, Sequence
from enum import Enum, auto
from typing import Any, NamedTuple

from eingrad import _ir
from eingrad._alike import canonical
from eingrad._cancel import Quotients
from eingrad._ir import Add, Apply, Coefficient, Factor, Node, Placement, Product
from eingrad._limits import BUDGET
from eingrad._primitives import apply, extreme_ties, row_of

_Jacobian = tuple[Node, Any, int]  # as in `_diff`


class _Monomial(NamedTuple):
    """A product that is opened factor by factor."""

    factors: tuple[Factor, ...]
    coefficient: Coefficient


def is_extreme(node: Node) -> bool:
    """Whether a node is the largest, or least, entry of its operand along an axis."""
    return isinstance(node, Apply) and row_of(node).extreme


def vanishes(node: Node) -> bool:
    """Whether a node is zero by algebra; False: that was not found.

    Where all its factors are finite, that is. Few terms and factors are looked at.
    """
    total: dict[Node, Coefficient] = {}
    for count, monomial in enumerate(_monomials(node)):
        if monomial is None or count >= BUDGET.opened_terms:
            return False
        out = tuple(range(node.ndim))
        product, number = canonical(monomial.factors, out, node.shape, node.dtype)
        c = _ir.multiply(number, monomial.coefficient)
        total[product] = _ir.add_exactly(total.get(product, 0), c)
    return not any(total.values())


class Use(Enum):
    """What the derivative of some order is for."""

    FINAL = auto()  # it is a result, and not differentiated again
    LAST = auto()  # it is a result, which others may differentiate
    BOTH = auto()  # it is a result, and the next order is made of it
    BETWEEN = auto()  # the next order is made of it, and it is no result


def of_extreme(
    jacobians: Sequence[_Jacobian], extreme: Node, bar: Node, use: Use, order: Container[Node],
    quotients: Quotients,
) -> list[_Jacobian]:  # fmt: skip
    """Say what a cotangent of an extreme is multiplied with: its Jacobians, if it does not vanish.

    What only its derivative is wanted of is left out: the derivative of zero is zero, and the next
    sweep is through the shift too, which gives the entries at the maximum their digits.
    """
    if use in (Use.BOTH, Use.LAST) or not jacobians or not vanishes(bar):
        return [*jacobians]
    if use is Use.BETWEEN:
        return []
    assert isinstance(extreme, Apply)
    (x,) = extreme.operands
    return [(x, _weights(extreme, order, quotients), extreme.ndim)]


def _weights(extreme: Apply, order: Container[Node], quotients: Quotients) -> Node:
    """Find a softmax of the shifted operand among the nodes of a function, or take the ties."""
    (x,) = extreme.operands
    spread = _ir.broadcast(_ir.reshape(extreme, (*extreme.shape, 1)), x.shape)
    axes = tuple(range(x.ndim))
    for signs in ((1, -1), (-1, 1)):
        power = apply("exp", _ir.add([x, spread], signs))
        total = _ir.contract([(power, axes)], axes[:-1])
        found = quotients.find({Factor(power, axes): 1, Factor(total, axes[:-1]): -1})
        if power in order and found is not None and found.term == axes:
            return found.node
    return extreme_ties(x, extreme)


def _monomials(node: Node) -> Iterator[_Monomial | None]:
    """Distribute products over sums; None where a product has too many factors."""
    fresh = itertools.count(node.ndim)
    pending = [_Monomial((Factor(node, tuple(range(node.ndim))),), 1)]
    while pending:
        given, coefficient = pending.pop()
        opened = _ir.open_factors(given, _opens, fresh, BUDGET.operands)
        factors = [*opened.factors, *opened.ones]
        if len(factors) > BUDGET.operands or any(_opens(f.node) for f in factors):
            yield None
            return
        coefficient = _ir.multiply(coefficient, opened.coefficient)
        total = next((f for f in factors if isinstance(f.node, Add)), None)
        if total is None:
            yield _Monomial((*factors,), coefficient)
            continue
        factors.remove(total)
        assert isinstance(total.node, Add)
        pending += [
            _Monomial((*factors, Factor(n, total.term)), _ir.multiply(coefficient, c))
            for n, c in zip(total.node.terms, total.node.coefficients, strict=True)
        ]


def _opens(node: Node) -> bool:
    if isinstance(node, Placement):
        return not node.structure and bool(node.factors)
    return isinstance(node, Product)
