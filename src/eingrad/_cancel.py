"""Factors that cancel in what differentiation multiplies: ``v (1/v) -> 1``, ``sqrt(s)**2 -> s``.

In: a product of a derivative. Out: an equal one in which no factor meets its reciprocal.
Guaranteed: value, shape and dtype are kept wherever all factors are finite, up to rounding; a
product in which nothing cancels is returned as it is; what is returned has fewer factors.

Factors are written in powers of what they are made of, and exponents are added where two have the
same entries. A sum cancels with its own terms: ``sum_i e_i (1/s) -> 1`` for ``s = sum_i e_i``. A
quotient that the function computes anyway takes the place of its factors: ``e (1/s) -> e / s``.

>>> from eingrad import _ir
>>> from eingrad._primitives import apply, times
>>> v, w = _ir.new_input("v", (3,)), _ir.new_input("w", (3,))
>>> cancelled(times(apply("divide", w, v), v)) is w
True
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from eingrad import _ir
from eingrad._ir import Apply, Coefficient, Factor, Node, Placement, Product
from eingrad._limits import BUDGET
from eingrad._powers import (
    Bases,
    Exponent,
    Powers,
    bases_of,
    divisors,
    is_plain,
    joined,
    powers_of,
    sum_of,
    summed_factors,
    within,
)
from eingrad._primitives import apply, exponents_of, power, reciprocal
from eingrad._subscripts import Subscripts


class Quotients:
    """Quotients among the nodes of a function, by what they divide."""

    def __init__(self, nodes: Iterable[Node] = ()) -> None:
        self._of: dict[Node, list[tuple[Node, Factor, Factor]]] = {}
        for node in nodes:
            if not isinstance(node, Apply) or len(exponents_of(node)) < 2:  # noqa: PLR2004
                continue
            powers = powers_of(node, tuple(range(node.ndim)))
            if sorted(powers.values()) == [-1, 1]:
                below, above = sorted(powers, key=powers.__getitem__)
                self._of.setdefault(above.node, []).append((node, above, below))

    def find(self, powers: Powers) -> Factor | None:
        """Find the quotient that is this product of powers."""
        if sorted(powers.values()) != [-1, 1]:
            return None
        lower, upper = sorted(powers, key=powers.__getitem__)
        for node, above, below in self._of.get(upper.node, ()):
            pairs = [*zip(above.term, upper.term, strict=True)]
            if below.node is lower.node:
                pairs += zip(below.term, lower.term, strict=True)
                index = dict(pairs)
                if all(index[a] == b for a, b in pairs) and index.keys() >= {*range(node.ndim)}:
                    return Factor(node, tuple(index[axis] for axis in range(node.ndim)))
        return None

    def meet(self, some: Bases, others: Bases) -> bool:
        """Whether a factor of some may make up a quotient with one of others, or cancel with it."""
        return some.meet(others) or self._meet(some, others) or self._meet(others, some)

    def _meet(self, some: Bases, others: Bases) -> bool:
        if not others.negative or self._of.keys().isdisjoint(some.positive):
            return False
        return any(
            below.node in others.negative
            for base in some.positive
            if base in self._of
            for _, _, below in self._of[base]
        )


_NONE = Quotients()


def cancelled(node: Node, quotients: Quotients = _NONE) -> Node:
    """``f (1/f) g -> g``, ``f**a f**b -> f**(a+b)`` where that is one factor less.

    Opens products among the factors, where one of theirs cancels. Keeps value, shape and dtype
    where all factors are finite. Terminates: each step makes exponents less, or one factor of two.
    Leaves alone sums of terms, and which factors are contracted with which.
    """
    if isinstance(node, Placement) and node.core is not None and not node.accumulates:
        core, term = node.core
        made = cancelled(core, quotients)
        factors = [(made, term), *node.structure]
        how = node.out, node.sizes, node.coefficient, node.dtype
        return node if made is core else _ir.contract(factors, *how)
    if not isinstance(node, Product) or not may_meet(node.operands, node.operands, quotients):
        return node
    network = _Network.of(node, quotients)
    network.open()
    network.gather_sums()
    if not any([network.unguard(), network.cancel()]):
        return node
    return cancelled(network.build(node), quotients)


def may_meet(some: Iterable[Node], others: Iterable[Node], quotients: Quotients = _NONE) -> bool:
    """Whether a factor of some arrays may cancel with one of others: else it does not."""
    first, second = [*map(bases_of, some)], [*map(bases_of, others)]
    return bool(first and second) and quotients.meet(joined(first), joined(second))


@dataclass(slots=True)
class _Network:
    """Factors while they are opened and cancelled."""

    factors: list[Factor]
    out: Subscripts
    coefficient: Coefficient
    fresh: Iterator[int]
    quotients: Quotients

    @classmethod
    def of(cls, node: Product, quotients: Quotients) -> "_Network":
        """Take the factors of a product."""
        fresh = itertools.count(len(node.sizes))
        return cls([*node.factors], node.out, node.coefficient, fresh, quotients)

    def open(self) -> None:
        """Replace products by their factors where one of these may cancel.

        Of a product that sums, ``A (s x)``, that one goes out, ``s (A x)``: who is contracted with
        whom stays as it was.
        """
        for _ in range(BUDGET.nested_powers):
            opened = [self._opened(n) for n in range(len(self.factors))]
            if all(inner is None for inner in opened):
                return
            pairs = zip(self.factors, opened, strict=True)
            self.factors = [
                f for factor, inner in pairs for f in ([factor] if inner is None else inner)
            ]

    def _opened(self, n: int) -> list[Factor] | None:
        node, term = self.factors[n]
        if not isinstance(node, Product):
            return None
        if len(self.factors) + len(node.factors) > BUDGET.operands:
            return None
        others = [f.node for k, f in enumerate(self.factors) if k != n]
        inside = node.operands
        if node.sums:
            return self._lifted(node, term, others) if may_meet(inside, others) else None
        if not any(may_meet(inside, many, self.quotients) for many in (others, inside)):
            return None
        self.coefficient = _ir.multiply(self.coefficient, node.coefficient)
        return _ir.splice(node, term, self.fresh)

    def _lifted(
        self, node: Product, term: Subscripts, others: Sequence[Node]
    ) -> list[Factor] | None:
        """``sum_j A_ij s x_j -> s sum_j A_ij x_j`` for factors s that may cancel with others."""
        factors = _ir.splice(node, term, self.fresh)
        for _ in range(BUDGET.nested_powers):
            factors = [
                f
                for factor in factors
                for f in (
                    _ir.splice(factor.node, factor.term, self.fresh)
                    if is_plain(factor.node) and may_meet([factor.node], others)
                    else [factor]
                )
            ]
        lifted = [f for f in factors if {*f.term} <= {*term} and may_meet([f.node], others)]
        rest = [f for f in factors if f not in lifted]
        if not lifted or not rest:
            return None
        carried = {i for f in rest for i in f.term}
        kept = [i for i in dict.fromkeys(term) if i in carried]
        self.coefficient = _ir.multiply(self.coefficient, node.coefficient)
        return [*lifted, Factor(_ir.contract(rest, kept), tuple(kept))]

    def gather_sums(self) -> None:
        """Put a sum that is divided by in the place of its terms: ``sum_i e_i -> s``."""
        powers = [pair for factor in self.factors for pair in powers_of(*factor).items()]
        for (base, term), exponent in powers:
            wanted = summed_factors(base) if exponent < 0 else []
            if wanted:
                assert isinstance(base, Product)
                self._gather(Factor(base, term), wanted, dict(zip(base.out, term, strict=True)))

    def _gather(self, total: Factor, wanted: Sequence[Factor], index: Mapping[int, int]) -> None:
        for chosen, found in self._matches(wanted, index):
            inner = [i for own, i in found.items() if own not in index]
            rest = [f for n, f in enumerate(self.factors) if n not in chosen]
            used = {*self.out, *total.term, *(i for f in rest for i in f.term)}
            if used.isdisjoint(inner) and len({*inner}) == len(inner):
                self.factors = [*rest, total]
                return

    def _matches(
        self, wanted: Sequence[Factor], index: Mapping[int, int], chosen: tuple[int, ...] = ()
    ) -> Iterator[tuple[tuple[int, ...], Mapping[int, int]]]:
        """Find factors alike, along indices that are consistent; and which index is which."""
        if not wanted:
            yield chosen, index
            return
        node, term = wanted[0]
        for n, factor in enumerate(self.factors):
            if factor.node is node and n not in chosen:
                longer = {**dict(zip(term, factor.term, strict=True)), **index}
                if tuple(longer[i] for i in term) == factor.term:
                    yield from self._matches(wanted[1:], longer, (*chosen, n))

    def unguard(self) -> bool:
        """Put a quotient in the place of one that is 0 where something is divided by 0 anyway.

        If that quotient is computed anyway, and something else divides by the same.
        """
        has_changed = False
        for n, (node, term) in enumerate(self.factors):
            if exponents_of(node, guarded=True):
                own = powers_of(node, term, guarded=True)
                below = {base for base, exponent in own.items() if exponent < 0}
                is_divided = below <= divisors(self.factors, self.fresh)
                known = self.quotients.find(own) if is_divided else None
                if known is not None:
                    self.factors[n] = known
                    has_changed = True
        return has_changed

    def cancel(self) -> bool:
        """Cancel what can be; say whether anything did. What vanishes goes first."""
        has_changed = False
        while self._cancel_one(most=0) or self._cancel_one(most=1):
            has_changed = True
        return has_changed

    def _cancel_one(self, most: int) -> bool:
        powers = [powers_of(*factor) for factor in self.factors]
        for n, own in enumerate(powers):
            if not own:  # v / v
                self._replace({n}, [])
                return True
            for m in range(n):
                made = self._product(own, powers[m], [self.factors[n], self.factors[m]])
                if made is not None and len(made) <= most:
                    self._replace({n, m}, made)
                    return True
        return False

    def _product(self, a: Powers, b: Powers, old: Sequence[Factor]) -> list[Factor] | None:
        """Multiply two factors; None where nothing cancels, nor is their product known."""
        total, does_meet = sum_of(a, b)
        known = self.quotients.find(total)
        if known is not None:
            return [known]
        return (
            [_as_factor(f, exponent, old) for f, exponent in total.items()] if does_meet else None
        )

    def _replace(self, chosen: set[int], made: list[Factor]) -> None:
        """Put others in the place of factors; an index that is lost was summed, or is repeated."""
        old = [self.factors[n] for n in chosen]
        self.factors = [*(f for n, f in enumerate(self.factors) if n not in chosen), *made]
        left = {*self.out, *(i for f in self.factors for i in f.term)}
        for index, size in _ir.sizes_of(old).items():
            if index not in left:
                self.coefficient = _ir.multiply(self.coefficient, size)

    def build(self, like: Product) -> Node:
        """Build the product of what is left."""
        how = self.out, like.sizes, self.coefficient, like.dtype
        return _ir.contract(self.factors, *how)


def _as_factor(base: Factor, exponent: Exponent, old: Sequence[Factor]) -> Factor:
    """Write a power as a call; a root as the one that was there."""
    root = apply("sqrt", base.node) if exponent == Fraction(-1, 2) else None
    if root is not None and any(root in within(f.node) for f in old):
        return Factor(reciprocal(root), base.term)
    exact = exponent if exponent != float(exponent) else float(exponent)  # as users write it
    return Factor(power(base.node, exact), base.term)
