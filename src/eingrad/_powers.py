"""Arrays as powers of others, entry by entry: ``a / b`` is a product of ``a`` and ``b**-1``.

In: a factor, its row of the table says of which operands it is a product of powers. Out: exponents.
Guaranteed: where all powers are finite, their product is the factor, up to rounding; a chain of
powers and products is looked into a few steps only.

>>> from eingrad import _ir
>>> from eingrad._primitives import apply
>>> v, w = _ir.new_input("v", (3,)), _ir.new_input("w", (3,))
>>> [int(exponent) for _, exponent in powers_of(apply("divide", w, v), (0,)).items()]
[1, -1]
"""

import itertools
import weakref
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple, TypeGuard

from eingrad import _ir
from eingrad._ir import Apply, Factor, Node, Placement, Product
from eingrad._limits import BUDGET
from eingrad._primitives import exponents_of
from eingrad._subscripts import Subscripts

Exponent = int | Fraction  # exact, so that sums of them are
Powers = dict[Factor, Exponent]  # of arrays, each seen along some indices
_DROPPED = -1  # an index of size one, summed


def powers_of(node: Node, term: Subscripts, depth: int = 0, *, guarded: bool = False) -> Powers:
    """Write a factor as powers of arrays, down to such as are no powers themselves.

    A `guarded` one where all powers are finite; else that is no power.
    """
    node, term = seen_through(node, term)
    exponents = exponents_of(node, guarded=guarded)
    is_product = depth and isinstance(node, Product) and not node.sums and node.coefficient == 1
    total: Powers = {}
    if depth < BUDGET.nested_powers and (exponents or is_product):
        assert isinstance(node, (Apply, Product))
        inside = _factors_of(node, term)
        for (operand, inner), by in zip(
            inside, exponents or [Fraction(1)] * len(inside), strict=True
        ):
            below = powers_of(operand, inner, depth + 1)
            if by != int(by):  # (x**2)**(1/2) is not x
                below = {Factor(*seen_through(operand, inner)): 1}
            for base, exponent in below.items():
                total[base] = total.get(base, 0) + exponent * by
        return {base: exponent for base, exponent in total.items() if exponent}
    return {Factor(node, term): 1}


def _factors_of(node: Apply | Product, term: Subscripts) -> list[Factor]:
    """Operands of an elementwise call, or of a product that sums nothing, along a term."""
    if isinstance(node, Apply):
        return [Factor(operand, term) for operand in node.operands]
    return _ir.splice(node, term, itertools.repeat(_DROPPED))


def seen_through(node: Node, term: Subscripts) -> Factor:
    """Look through what shows an array in another order, or repeats it."""
    while True:
        match node:
            case Product(is_view=True, coefficient=1) | Placement(structure=(), coefficient=1):
                if not node.factors:
                    return Factor(node, term)
                outer = dict(zip(node.out, term, strict=True))
                ((node, inner),) = node.factors
                term = tuple(outer.get(i, _DROPPED) for i in inner)
            case _:
                return Factor(node, term)


def divisors(
    factors: Iterable[Factor], fresh: Iterator[int], depth: int = BUDGET.nested_powers
) -> set[Factor]:
    """What a product of factors divides by: where one of it is zero, no entry is finite."""
    found: set[Factor] = set()
    for node, term in factors:
        if isinstance(node, Product) and depth:
            found |= divisors(_ir.splice(node, term, fresh), fresh, depth - 1)
        else:
            found |= {base for base, exponent in powers_of(node, term).items() if exponent < 0}
    return found


def sum_of(some: Powers, others: Powers) -> tuple[Powers, bool]:
    """Add exponents, and say whether one gets less, or two of roots an integer."""
    total = {**some}
    does_meet = False
    for base, exponent in others.items():
        old = some.get(base, 0)
        total[base] = made = old + exponent
        is_mended = _is_root(old) and _is_root(exponent) and made == int(made)
        does_meet = does_meet or old * exponent < 0 or is_mended
    return {base: e for base, e in total.items() if e}, does_meet


def within(node: Node) -> Iterator[Node]:
    """A node, and what it is a power of."""
    node, _ = seen_through(node, tuple(range(node.ndim)))
    yield node
    if isinstance(node, Apply) and exponents_of(node):
        for operand in node.operands:
            yield seen_through(operand, tuple(range(operand.ndim))).node


# Bases: a first look, without indices ------------------------------------------------------------


class Bases(NamedTuple):
    """Arrays by the exponents that they have among some factors; `broken` are those of roots."""

    positive: frozenset[Node] = frozenset()
    negative: frozenset[Node] = frozenset()
    broken: frozenset[Node] = frozenset()

    def meet(self, other: "Bases") -> bool:
        """Whether two exponents of an array may add to less, or to an integer."""
        return not (
            self.positive.isdisjoint(other.negative)
            and self.negative.isdisjoint(other.positive)
            and self.broken.isdisjoint(other.broken)
        )


# What is known of nodes; None: a node is no power of another, so it is its own base.
_bases: weakref.WeakKeyDictionary[Node, Bases | None] = weakref.WeakKeyDictionary()


def bases_of(node: Node) -> Bases:
    """Arrays that a factor is made of powers of, products opened."""
    if node in _bases:
        return _bases[node] or Bases(frozenset((node,)))
    found = _bases_below(node, BUDGET.nested_powers)
    is_own = found == Bases(frozenset((node,)))
    if is_own or all(node not in part for part in found):  # else it would keep itself alive
        _bases[node] = None if is_own else found
    return found


def _bases_below(node: Node, depth: int) -> Bases:
    node, term = seen_through(node, tuple(range(node.ndim)))
    if depth and isinstance(node, Product):
        return joined([_bases_below(operand, depth - 1) for operand in {*node.operands}])
    powers = powers_of(node, term)
    itself = frozenset((node,))
    if not powers:  # v / v
        return Bases(itself, itself)
    found: list[Bases] = []
    for (base, own), exponent in powers.items():
        found.append(_bases_with([base], exponent))
        if exponent < 0:  # the terms of a sum may be there
            found.append(_bases_with([f.node for f in summed_factors(base)], exponent))
        if exponents_of(base, guarded=True):
            inside = powers_of(base, own, guarded=True)
            found += [_bases_with([f.node], e) for f, e in inside.items()]
    return joined(found)


def _bases_with(nodes: Iterable[Node], exponent: Exponent) -> Bases:
    """Arrays that all have this exponent."""
    found, none = frozenset(nodes), frozenset[Node]()
    return Bases(
        found if exponent > 0 else none,
        found if exponent < 0 else none,
        found if _is_root(exponent) else none,
    )


def joined(parts: Sequence[Bases]) -> Bases:
    """Arrays of some factors together."""
    return (
        parts[0]
        if len(parts) == 1
        else Bases(*(frozenset().union(*each) for each in zip(*parts, strict=True)))
    )


def summed_factors(node: Node) -> list[Factor]:
    """Factors of a sum, with its own indices, products among them opened; none if it is no sum."""
    if not isinstance(node, Product) or not node.sums or node.coefficient != 1:
        return []
    factors, fresh = [*node.factors], itertools.count(len(node.sizes))
    for _ in range(BUDGET.nested_powers):
        inner = [f.node for f in factors if is_plain(f.node)]
        if not inner or len(factors) + len(inner) > BUDGET.nested_powers:
            break
        opened = [_ir.splice(f.node, f.term, fresh) if is_plain(f.node) else [f] for f in factors]
        factors = [f for each in opened for f in each]
    return factors


def is_plain(node: Node) -> TypeGuard[Product]:
    """Whether a node is a product of which nothing is summed, without a number."""
    return isinstance(node, Product) and not node.sums and node.coefficient == 1


def _is_root(exponent: Exponent) -> bool:
    """Whether it is broken and positive: two reciprocals of roots are as good as one."""
    return exponent > 0 and exponent != int(exponent)
