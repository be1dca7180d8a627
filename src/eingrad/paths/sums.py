"""A node as a sum of products of leaves, deltas among the factors.

In: nodes. Out: `Monomial`s, products of leaves: inputs, constants, values of calls such as
``exp(x)``, what is taken of one, structural tensors.
Guaranteed: their sum is the node; nothing is simplified, so that no delta is lost. Within a
product, a sum is multiplied out, but for one that goes entry by entry, ``1 - y * y``, and those
that would make more than `MOST_TERMS` products: they are leaves.

>>> from eingrad import _ir
>>> a, b, c = (_ir.new_input(name, (3, 3)) for name in "abc")
>>> node = _ir.einsum("ij,jk->ik", a, _ir.add([b, _ir.einsum("ij,jk->ik", c, c)]))
>>> sorted(len(term.factors) for term in Sums().of(node))
[2, 3]
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from eingrad import _ir
from eingrad._ir import Add, Coefficient, Einsum, Factor, Node, Placement, Structural
from eingrad._subscripts import Subscripts

MOST_TERMS = 128  # that a product becomes


class Monomial(NamedTuple):
    """``coefficient * sum of the product of the factors``, over all indices but those of `out`.

    Along an index of `out` that no factor has, it is constant.
    """

    coefficient: Coefficient
    factors: tuple[Factor, ...]
    out: Subscripts
    sizes: Mapping[int, int]

    def scaled(self, number: Coefficient) -> "Monomial":
        """Multiply with a number."""
        return self._replace(coefficient=_ir.multiply(self.coefficient, number))


def alone(node: Node) -> Monomial:
    """A node as a factor by itself."""
    axes = tuple(range(node.ndim))
    return Monomial(1, (Factor(node, axes),), axes, dict(enumerate(node.shape)))


def multiplied(
    parts: Iterable[tuple[Monomial, Sequence[int]]],
    out: Sequence[int],
    sizes: Mapping[int, int],
    coefficient: Coefficient = 1,
) -> Monomial:
    """Multiply monomials, each with the indices of its axes, and sum over what `out` has not.

    `sizes` are those of all these indices. What monomials sum over gets indices of its own.
    """
    fresh = itertools.count(1 + max(sizes, default=-1))
    every = dict(sizes)
    factors: list[Factor] = []
    for part, term in parts:
        outer = dict(zip(part.out, term, strict=True))
        for index, size in part.sizes.items():
            if index not in outer:
                outer[index] = next(fresh)
                every[outer[index]] = size
        factors += [Factor(n, tuple([outer[i] for i in inner])) for n, inner in part.factors]
        coefficient = _ir.multiply(coefficient, part.coefficient)
    carried = {index for _, term in factors for index in term}
    for index in set(sizes).difference(carried, out):
        coefficient = _ir.multiply(coefficient, sizes[index])
    kept = carried.union(out)
    known = {index: size for index, size in every.items() if index in kept}
    return Monomial(coefficient, tuple(factors), tuple(out), known)


def is_leaf(node: Node) -> bool:
    """Whether a node stays a factor: no contraction, or what is taken of such a one."""
    if isinstance(node, Placement) and node.structure and not node.ties:
        return node.core is not None and not isinstance(node.core.node, (Add, Einsum))
    return not isinstance(node, (Add, Einsum))


def is_entrywise(node: Node) -> bool:
    """Whether a sum goes entry by entry, ``1 - y * y``: to multiply it out would gain nothing."""
    return isinstance(node, Add) and node.ndim > 0 and all(map(_is_entrywise_product, node.terms))


def _is_entrywise_product(node: Node) -> bool:
    if not isinstance(node, Einsum):
        return is_leaf(node)
    whole = sorted(node.out)
    terms = [term for n, term in node.factors if n.ndim]
    are_leaves = all(map(is_leaf, node.operands)) and all(sorted(t) == whole for t in terms)
    return _ir.is_fill(node) or (are_leaves and not isinstance(node, Placement))


class Sums:
    """Writes nodes as sums of products, each once.

    ``kept`` are sums that stayed factors, for there would have been too many products.
    """

    def __init__(self) -> None:
        self.kept: dict[Node, None] = {}
        self._known: dict[Node, list[Monomial]] = {}

    def of(self, node: Node) -> list[Monomial]:
        """Give the products that a node is the sum of."""
        for below in _opened([node]):
            if below not in self._known:
                self._known[below] = self._write(below)
        return self._known[node]

    def _write(self, node: Node) -> list[Monomial]:
        if _ir.is_zero(node):
            return []
        if is_leaf(node):
            return [alone(node)]
        if isinstance(node, Add):
            pairs = zip(node.terms, node.coefficients, strict=True)
            return [term.scaled(number) for n, number in pairs for term in self._known[n]]
        assert isinstance(node, Einsum)
        return self._distribute(node)

    def _distribute(self, node: Einsum) -> list[Monomial]:
        """Multiply out; where that is too much, the longest sums stay factors."""
        choices = [
            [alone(n)] if isinstance(n, Structural) or is_entrywise(n) else self._known[n]
            for n in node.operands
        ]
        while math.prod(map(len, choices)) > MOST_TERMS:
            longest = max(range(len(choices)), key=lambda k: len(choices[k]))
            self.kept[node.operands[longest]] = None
            choices[longest] = [alone(node.operands[longest])]
        sizes = dict(enumerate(node.sizes))
        return [
            multiplied(zip(parts, node.terms, strict=True), node.out, sizes, node.coefficient)
            for parts in itertools.product(*choices)
        ]


def _opened(roots: Iterable[Node]) -> list[Node]:
    """Nodes down to the leaves, children first."""
    roots = [*roots]
    wanted: set[Node] = set()
    stack = [*roots]
    while stack:
        node = stack.pop()
        if node not in wanted:
            wanted.add(node)
            stack += () if is_leaf(node) else _ir.children(node)
    return [node for node in _ir.topological(roots) if node in wanted]
