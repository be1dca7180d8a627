"""Factors that cancel in what differentiation multiplies: ``v (1/v) -> 1``, ``sqrt(s)**2 -> s``.

In: a product of a derivative. Out: an equal one in which no factor meets its reciprocal.
Guaranteed: value, shape and dtype are kept wherever all factors are finite, up to rounding; a
product in which nothing cancels is returned as it is; what is returned has fewer factors.

A row of the table may say that it is a product of powers of its operands: ``a / b`` of ``a`` and
``b**-1``. So a factor is written in powers of what it is made of, and exponents are added where
two factors have the same entries. A sum cancels with its own terms: ``sum_i e_i (1/s) -> 1`` for
``s = sum_i e_i``.

>>> from eingrad import _ir
>>> from eingrad._primitives import apply, times
>>> v, w = _ir.new_input("v", (3,)), _ir.new_input("w", (3,))
>>> cancelled(times(apply("divide", w, v), v)) is w
True
"""

import itertools
import math
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from eingrad import _ir
from eingrad._ir import Apply, Coefficient, Factor, Node, Placement, Product
from eingrad._limits import BUDGET
from eingrad._primitives import apply, exponents_of, power, reciprocal
from eingrad._subscripts import Subscripts

Exponent = int | Fraction
Powers = dict[Factor, Exponent]  # of arrays, each seen along some indices


class Signs(NamedTuple):
    """Which exponents an array has among some factors."""

    positive: bool
    negative: bool
    broken: bool

    def meets(self, other: "Signs") -> bool:
        """Whether exponents of both may add to less, or to an integer."""
        apart = (self.positive and other.negative) or (self.negative and other.positive)
        return apart or (self.broken and other.broken)


_DROPPED = -1  # an index of size one, summed
Bases = Mapping[Node, Signs]
_bases: weakref.WeakKeyDictionary[Product, Bases] = weakref.WeakKeyDictionary()


def cancelled(node: Node) -> Node:
    """``f (1/f) g -> g``, ``f**a f**b -> f**(a+b)`` where that is one factor less.

    Opens elementwise and outer products among the factors, where one of theirs cancels. Keeps
    value, shape and dtype where all factors are finite. Terminates: each step takes a factor away.
    Leaves alone sums, contractions among the factors, and a product that is one factor.
    """
    if isinstance(node, Placement) and node.core is not None and not node.accumulates:
        core, term = node.core
        made = cancelled(core)
        factors = [(made, term), *node.structure]
        how = node.out, node.sizes, node.coefficient, node.dtype
        return node if made is core else _ir.contract(factors, *how)
    if not isinstance(node, Product) or not _may_cancel(node.operands):
        return node
    network = _Network.of(node)
    network.open()
    network.gather_sums()
    if not network.cancel():
        return node
    return cancelled(network.build(node))


def may_meet(some: Iterable[Node], others: Iterable[Node]) -> bool:
    """Whether a factor of some arrays may cancel with one of others: else it does not."""
    return _meet(_joined(map(_bases_of, some)), _joined(map(_bases_of, others)))


@dataclass(slots=True)
class _Network:
    """Factors while they are opened and cancelled."""

    factors: list[Factor]
    out: Subscripts
    coefficient: Coefficient
    fresh: Iterator[int]

    @classmethod
    def of(cls, node: Product) -> "_Network":
        """Take the factors of a product."""
        return cls([*node.factors], node.out, node.coefficient, itertools.count(len(node.sizes)))

    def open(self) -> None:
        """Replace products by their factors where one of these may cancel."""
        for _ in range(BUDGET.nested_powers):
            chosen = [n for n in range(len(self.factors)) if self._opens(n)]
            if not chosen:
                return
            for n in reversed(chosen):
                product, term = self.factors[n]
                assert isinstance(product, Product)
                self.factors[n : n + 1] = _ir.splice(product, term, self.fresh)
                self.coefficient = _ir.multiply(self.coefficient, product.coefficient)

    def _opens(self, n: int) -> bool:
        node, _ = self.factors[n]
        if not isinstance(node, Product) or node.sums:
            return False
        if len(self.factors) + len(node.factors) > BUDGET.operands:
            return False
        others = [f.node for k, f in enumerate(self.factors) if k != n]
        return may_meet([node], others) or _may_cancel(node.operands)

    def gather_sums(self) -> None:
        """Put a sum that is divided by in the place of its terms: ``sum_i e_i -> s``."""
        powers = [pair for factor in self.factors for pair in _powers(*factor).items()]
        for (base, term), exponent in powers:
            if exponent < 0 and isinstance(base, Product) and base.sums:
                self._gather(base, term)

    def _gather(self, total: Product, term: Subscripts) -> None:
        alike = [
            [n for n, f in enumerate(self.factors) if f.node is operand]
            for operand in total.operands
        ]
        if math.prod(map(len, alike)) > BUDGET.operands:
            return
        for chosen in itertools.product(*alike):
            members = [self.factors[n] for n in chosen]
            rest = [f for n, f in enumerate(self.factors) if n not in chosen]
            inner = {i for f in members for i in f.term}.difference(term)
            used = {*self.out, *(i for f in rest for i in f.term)}
            if len({*chosen}) < len(chosen) or not inner.isdisjoint(used):
                continue
            if {i for f in members for i in f.term}.issuperset(term) and (
                _ir.contract(members, term) is total
            ):
                self.factors = [*rest, Factor(total, term)]
                return

    def cancel(self) -> bool:
        """Cancel what can be; say whether anything did. What vanishes goes first."""
        has_changed = False
        while self._cancel_one(most=0) or self._cancel_one(most=1):
            has_changed = True
        return has_changed

    def _cancel_one(self, most: int) -> bool:
        powers = [_powers(*factor) for factor in self.factors]
        for n, own in enumerate(powers):
            if not own:  # v / v
                self._replace({n}, own)
                return True
            for m in range(n):
                total = _sum_of(own, powers[m])
                if total is not None and len(total) <= most:
                    self._replace({n, m}, total)
                    return True
        return False

    def _replace(self, chosen: set[int], powers: Powers) -> None:
        """Put powers in the place of factors; an index that is lost was summed, or is repeated."""
        old = [self.factors[n] for n in chosen]
        self.factors = [f for n, f in enumerate(self.factors) if n not in chosen]
        self.factors += [_as_factor(f, exponent, old) for f, exponent in powers.items()]
        left = {*self.out, *(i for f in self.factors for i in f.term)}
        for index, size in _ir.sizes_of(old).items():
            if index not in left:
                self.coefficient = _ir.multiply(self.coefficient, size)

    def build(self, like: Product) -> Node:
        """Build the product of what is left."""
        how = self.out, like.sizes, self.coefficient, like.dtype
        return _ir.contract(self.factors, *how)


# Powers ------------------------------------------------------------------------------------------


def _powers(node: Node, term: Subscripts, depth: int = 0) -> Powers:
    """Write a factor as powers of arrays, down to such as are no powers themselves."""
    node, term = _seen_through(node, term)
    exponents = exponents_of(node) if isinstance(node, Apply) else ()
    is_product = depth and isinstance(node, Product) and not node.sums and node.coefficient == 1
    total: Powers = {}
    if depth < BUDGET.nested_powers and (exponents or is_product):
        assert isinstance(node, (Apply, Product))
        inside = _factors_of(node, term)
        for (operand, inner), by in zip(inside, exponents or [1] * len(inside), strict=True):
            below = _powers(operand, inner, depth + 1)
            if by != int(by):  # (x**2)**(1/2) is not x
                below = {Factor(*_seen_through(operand, inner)): 1}
            for base, exponent in below.items():
                total[base] = total.get(base, 0) + exponent * by
        return {base: exponent for base, exponent in total.items() if exponent}
    return {Factor(node, term): 1}


def _factors_of(node: Apply | Product, term: Subscripts) -> list[Factor]:
    """Operands of an elementwise call, or of a product that sums nothing, along a term."""
    if isinstance(node, Apply):
        return [Factor(operand, term) for operand in node.operands]
    return _ir.splice(node, term, itertools.count())


def _seen_through(node: Node, term: Subscripts) -> Factor:
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


def _sum_of(some: Powers, others: Powers) -> Powers | None:
    """Add exponents; None where none gets less, or an integer."""
    total = {**some}
    does_meet = False
    for base, exponent in others.items():
        old = some.get(base, 0)
        total[base] = made = old + exponent
        is_mended = old != int(old) and exponent != int(exponent) and made == int(made)
        does_meet = does_meet or old * exponent < 0 or is_mended
    return {base: e for base, e in total.items() if e} if does_meet else None


def _as_factor(base: Factor, exponent: Exponent, old: Sequence[Factor]) -> Factor:
    """Write a power as a call; a root as the one that was there."""
    root = apply("sqrt", base.node) if exponent == Fraction(-1, 2) else None
    if root is not None and any(root in _within(f.node) for f in old):
        return Factor(reciprocal(root), base.term)
    return Factor(power(base.node, exponent), base.term)


def _within(node: Node) -> Iterator[Node]:
    """A node, and what it is a power of."""
    node, _ = _seen_through(node, tuple(range(node.ndim)))
    yield node
    if isinstance(node, Apply) and exponents_of(node):
        for operand in node.operands:
            yield _seen_through(operand, tuple(range(operand.ndim))).node


# Bases: a first look, without indices ------------------------------------------------------------


def _may_cancel(factors: Sequence[Node]) -> bool:
    """Whether an array has exponents, among factors of factors, that may cancel."""
    return any(signs.meets(signs) for signs in _joined(map(_bases_of, factors)).values())


def _bases_of(node: Node) -> Bases:
    """Arrays that a factor is made of powers of, products opened."""
    if not isinstance(node, Product):
        return _bases_below(node, BUDGET.nested_powers)
    known = _bases.get(node)
    if known is None:
        known = _bases_below(node, BUDGET.nested_powers)
        if node not in known:  # else it would keep itself alive
            _bases[node] = known
    return known


def _bases_below(node: Node, depth: int) -> Bases:
    node, term = _seen_through(node, tuple(range(node.ndim)))
    if depth and isinstance(node, Product) and not node.sums:
        return _joined(_bases_below(operand, depth - 1) for operand in node.operands)
    found: list[Bases] = []
    for (base, _), exponent in _powers(node, term).items():
        signs = Signs(exponent > 0, exponent < 0, exponent != int(exponent))
        found.append({base: signs})
        if signs.negative and isinstance(base, Product) and base.sums:  # its terms may be there
            found.append(dict.fromkeys(base.operands, signs))
    return _joined(found)


def _joined(parts: Iterable[Bases]) -> dict[Node, Signs]:
    total: dict[Node, Signs] = {}
    for part in parts:
        for base, signs in part.items():
            old = total.get(base, signs)
            total[base] = Signs(*(a or b for a, b in zip(old, signs, strict=True)))
    return total


def _meet(some: Bases, others: Bases) -> bool:
    return any(signs.meets(others[base]) for base, signs in some.items() if base in others)
