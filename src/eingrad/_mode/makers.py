"""Which modes make a product: the definition of the mode of an order.

In: what each mode computes, and what an order computes, as nodes. Out: for each product of the
order the modes that make it, and the name of the order's mode.
Guaranteed: products are compared by what they are, whatever their association, factoring and axes.

A mode *makes* the products of its steps. A step multiplies what arrives at a node, a tangent or a
cotangent, with the factors of the local Jacobian there, and may begin with any of them: so a mode
makes each product of some of them too. Every mode makes the results, and their terms; what it does
not need for the results, it does not make.

The mode of an order is the one that makes all its products, or the family of those that do;
*either* where every mode does; *cross-country* where none does: then Jacobians are multiplied
somewhere in the middle, or tangents with cotangents. `names` says what modes are called.
"""

import itertools
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

from eingrad import _ir
from eingrad._ir import Node, Product
from eingrad._limits import BUDGET
from eingrad._mode.names import VALUE, name_of
from eingrad._mode.pure import MOST_FACTORS
from eingrad._monomials import Monomials, TooManyError


class UnknownError(Exception):
    """The mode is not worked out; the reason."""


class Makers:
    """The modes that make products.

    Parameters
    ----------
    modes : mapping from str to nodes
        What each mode computes, by its name: each product of all factors of its step.
    results : iterable of nodes
        What all of them, and the order, are asked for.
    values : iterable of nodes
        The function's own, which every mode has.
    whole : iterable of nodes
        Local Jacobians: a sum among them is one operand, as in values.

    Raises
    ------
    UnknownError
        Here and in the methods, where too much would have to be compared.
    """

    def __init__(
        self,
        modes: Mapping[str, Iterable[Node]],
        results: Iterable[Node],
        values: Sequence[Node] = (),
        whole: Iterable[Node] = (),
    ) -> None:
        self._known = Monomials()
        self._keep_sums([*values, *whole])
        self._values = self._all(values)
        by_all = self._values | self._all(results)
        steps = {mode: [*nodes] for mode, nodes in modes.items()}
        self._made = {
            mode: by_all | self._all(part for node in nodes for part in (node, *_parts(node)))
            for mode, nodes in steps.items()
        }
        self._sure = {mode for mode, nodes in steps.items() if all(map(self._is_complete, nodes))}

    @property
    def modes(self) -> list[str]:
        """All modes that are known."""
        return [*self._made]

    def of(self, node: Node) -> frozenset[str]:
        """Give the modes that make a product, or all products of a sum."""
        wanted = self._monomials(node)
        found = frozenset(mode for mode, made in self._made.items() if wanted <= made)
        if not (self._is_complete(node) and found | self._sure >= {*self._made}):
            raise UnknownError(f"a sum of products has more than {BUDGET.opened_terms} terms")
        return found

    def common(self, products: Iterable[Product]) -> frozenset[str]:
        """Give the modes that make all of these products."""
        return frozenset(self._made).intersection(*map(self.of, products))

    def name(self, products: Iterable[Product]) -> str:
        """Name the mode of an order that makes these products."""
        return name_of(self.common(products), self.modes)

    def kind(self, node: Node) -> str:
        """Name what makes a node: "value" of the function itself, or a family of modes."""
        if self._monomials(node) <= self._values:
            return VALUE
        return name_of(self.of(node), self.modes)

    def _keep_sums(self, nodes: Iterable[Node]) -> None:
        try:
            self._known.keep_sums(nodes)
        except TooManyError:
            raise _too_many() from None

    def _monomials(self, node: Node) -> frozenset[Hashable]:
        try:
            return self._known.of(node)
        except TooManyError:
            raise _too_many() from None

    def _all(self, nodes: Iterable[Node]) -> frozenset[Hashable]:
        return frozenset[Hashable]().union(*map(self._monomials, nodes))

    def _is_complete(self, node: Node) -> bool:
        return not isinstance(node, Product) or self._known.is_complete(node)


def _too_many() -> UnknownError:
    return UnknownError(f"more than {BUDGET.monomials} products would have to be compared")


def _parts(node: Node) -> Iterator[Node]:
    """Give the products of some factors: with what the others, and the result, have of them."""
    if not isinstance(node, Product) or len(node.factors) > MOST_FACTORS:
        return
    for count in range(2, len(node.factors)):
        for chosen in itertools.combinations(range(len(node.factors)), count):
            inside = [node.factors[k] for k in chosen]
            rest = [f for k, f in enumerate(node.factors) if k not in chosen]
            wanted = {*node.out}.union(*(term for _, term in rest))
            out = [i for i in dict.fromkeys(i for _, term in inside for i in term) if i in wanted]
            yield _ir.contract(inside, out, node.sizes, 1, node.dtype)
