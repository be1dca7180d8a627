"""What is computed, up to association, order of axes, and numbers: as a set of flat products.

In: nodes. Out: the *monomials* of each, as keys that are equal where the algebra makes them equal.
Guaranteed: products are opened down to what is no product, and distributed over sums, so that
neither the order of a contraction nor where a sum was factored shows; iterative.

A sum that is `whole` stays one operand: what a function adds itself is not a sum of derivatives. A
product that would have too many monomials keeps its sums, and `is_complete` is false of what is
made of it; where there are too many in all, `TooManyError` is raised. What only places entries is
the same as these.

>>> from eingrad import _ir
>>> a, b, c, x = (_ir.new_input(name, (3, 3)) for name in "abcx")
>>> def dot(*nodes):
...     left = nodes[0]
...     for right in nodes[1:]:
...         left = _ir.einsum("ij,jk->ik", left, right)
...     return left
>>> found = Monomials()
>>> found.of(dot(a, dot(b, c))) == found.of(dot(dot(a, b), c))
True
>>> found.of(dot(a, _ir.add([b, c], [2, 1]))) == found.of(dot(a, b)) | found.of(dot(a, c))
True
"""

import itertools
import math
from collections.abc import Hashable, Iterable, Iterator, Sequence

from eingrad import _ir
from eingrad._ir import Add, Apply, Coefficient, Einsum, Factor, Node, Placement, Product
from eingrad._limits import BUDGET
from eingrad._subscripts import Subscripts

_MOST_ORDERS = 720  # of equal operands: six of them

_Term = tuple[Node, Coefficient]


class TooManyError(Exception):
    """More monomials than are worth the time."""


class Monomials:
    """Monomials of nodes, remembered; no more than `BUDGET.monomials` are made."""

    def __init__(self) -> None:
        self._left = BUDGET.monomials
        self._terms: dict[Node, tuple[_Term, ...]] = {}
        self._whole: set[Node] = set()
        self._incomplete: set[Node] = set()

    def of(self, node: Node) -> frozenset[Hashable]:
        """Give the monomials of a node; none of what computes nothing."""
        self._read([node])
        found = (_core(term) for term, _ in self._terms[node])
        return frozenset(core for core in found if core is not None)

    def is_complete(self, node: Node) -> bool:
        """Whether nothing below was too long to be distributed."""
        self._read([node])
        return node not in self._incomplete

    def keep_sums(self, nodes: Iterable[Node]) -> None:
        """Do not open the sums among these nodes and below them, wherever they are met from now."""
        for node in _ir.topological(nodes):
            if isinstance(node, Add) and node not in self._terms:
                self._whole.add(self._sum(node))
            self._read([node])

    def _read(self, nodes: Sequence[Node]) -> None:
        if all(node in self._terms for node in nodes):
            return
        for node in _ir.topological(nodes):
            if node not in self._terms:
                if any(child in self._incomplete for child in _ir.children(node)):
                    self._incomplete.add(node)
                self._terms[node] = self._open(node)

    def _open(self, node: Node) -> tuple[_Term, ...]:
        match node:
            case Add(terms=terms, coefficients=coefficients):
                total = self._sum(node)
                if total in self._whole:
                    return ((total, 1),)
                return tuple(
                    (inner, _ir.multiply(c, number))
                    for term, c in zip(terms, coefficients, strict=True)
                    for inner, number in self._terms[term]
                )
            case Apply(operands=operands):
                return ((_ir.with_operands(node, [self._together(n) for n in operands]), 1),)
            case Einsum() if _opens(node):
                return tuple(self._distribute(node))
        return ((node, 1),)

    def _sum(self, node: Add) -> Node:
        return _ir.add([self._together(term) for term in node.terms], node.coefficients)

    def _together(self, node: Node) -> Node:
        """Write a node as the sum of its monomials."""
        self._read([node])
        nodes, numbers = zip(*self._terms[node], strict=True)
        return _ir.add(nodes, numbers)

    def _distribute(self, node: Einsum) -> Iterator[_Term]:
        """Give a product for each choice of one monomial of each factor."""
        choices = [self._terms[factor.node] for factor in node.factors]
        if math.prod(map(len, choices)) > BUDGET.opened_terms:
            self._incomplete.add(node)
            choices = [((self._together(n), 1),) for n in node.operands]
        for chosen in itertools.product(*choices):
            self._left -= 1
            if self._left < 0:
                raise TooManyError
            number = node.coefficient
            for _, c in chosen:
                number = _ir.multiply(number, c)
            factors = [Factor(n, f.term) for (n, _), f in zip(chosen, node.factors, strict=True)]
            made = _ir.contract(_flat(factors, node), node.out, node.sizes, 1, node.dtype)
            if isinstance(made, Einsum) and made.coefficient != 1 and not _ir.is_zero(made):
                number = _ir.multiply(number, made.coefficient)
                made = _ir.with_coefficient(made, 1)
            yield made, number


def _flat(factors: Sequence[Factor], node: Einsum) -> list[Factor]:
    """Put the factors of products and placements in their place, down to the last."""
    fresh = itertools.count(1 + max(len(node.sizes), *(i for f in factors for i in f.term), 0))
    opened = _ir.open_factors(factors, _opens, fresh)
    return [*opened.factors, *opened.ones]


def _opens(node: Node) -> bool:
    return isinstance(node, Einsum) and bool(node.factors) and not _ir.is_zero(node)


def _core(node: Node) -> Hashable:
    """Take away what places entries, and the order of axes; None is what computes nothing."""
    while isinstance(node, Placement):
        if node.core is None:
            return None
        node = node.core.node
    if not isinstance(node, Product):
        return node
    return node.operands[0] if node.is_view else _key(_ir.canonical_twin(node)[0])


def _key(node: Product) -> Hashable:
    """Describe a product whose axes, and equal operands, may stand in any order.

    Equal operands are tried in every order, for the indices of the first one name the others. Of
    very many orders none is tried: then wirings that are the same may count as two.
    """
    terms: dict[Node, list[Subscripts]] = {}
    for operand, term in sorted(node.factors, key=lambda factor: factor.node.digest):
        terms.setdefault(operand, []).append(term)
    count = math.prod(math.factorial(len(group)) for group in terms.values())
    if not 1 < count <= _MOST_ORDERS:
        return node
    orders = itertools.product(*map(itertools.permutations, terms.values()))
    wirings = (_wiring([*itertools.chain(*order)], node.out) for order in orders)
    return *((operand, len(group)) for operand, group in terms.items()), min(wirings)


def _wiring(
    terms: Sequence[Subscripts], out: Subscripts
) -> tuple[tuple[Subscripts, ...], Subscripts]:
    """Number indices by first use."""
    number = {index: n for n, index in enumerate(dict.fromkeys(itertools.chain(*terms)))}
    written = tuple([tuple([number[index] for index in term]) for term in terms])
    return written, tuple(sorted([number[index] for index in out]))
