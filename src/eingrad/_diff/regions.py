"""What is made entry by entry: the nodes above those that it is made of.

In: a node of a sweep. Out: its region, and its derivatives in the leaves of that.
Guaranteed: in a region an entry is made of one entry of each operand, so a derivative in a leaf has
the entries of the node, placed; what is needed everywhere is a leaf, and not looked below.

>>> from eingrad._diff.infinite import Infinite
>>> x, y = (_ir.new_input(name, (3,)) for name in "xy")
>>> head = _ir.contract([(x, (0,)), (y, (0,))], (0,))
>>> order = dict.fromkeys([x, y, head])
>>> place = {node: n for n, node in enumerate(order)}
>>> regions = Regions([x, y], Needs({}, order), {}, Infinite([x]), place)
>>> regions.find(head).leaves == [x, y]
True
"""

from collections.abc import Container, Iterable, Mapping, Set
from typing import NamedTuple

from eingrad import _ir
from eingrad._cancel import Quotients
from eingrad._collected import Term, collect
from eingrad._diff.local import Led, local_jacobians
from eingrad._diff.needs import EVERYWHERE, Needs
from eingrad._diff.products import pull_through, push_through
from eingrad._ir import Add, Apply, Node, Placement, Product
from eingrad._primitives import Kind, cast, is_elementwise, kind_of
from eingrad._shifts import is_shift


class Region(NamedTuple):
    """Nodes that are made entry by entry, operands first, and what they are made of."""

    inside: list[Node]
    leaves: list[Node]


class Regions:
    """The regions of nodes of a sweep, which stops at `sources`; `place` numbers operands first."""

    def __init__(
        self,
        sources: Iterable[Node],
        needs: Needs,
        led: Led,
        infinite: Container[Node],
        place: Mapping[Node, int],
    ) -> None:
        self._sources, self._needs, self._led = {*sources}, needs, led
        self._infinite, self._place = infinite, place

    def _below(self, node: Node) -> list[Node]:
        """What a node is made of entry by entry; nothing, where it is not, or needed everywhere."""
        if node in self._sources or self._needs.of(node) == EVERYWHERE or is_shift(node):
            return []
        if kind_of(node) is Kind.SELECT:
            return [below for below, _, _ in self._led.get(node, ())]
        if not _is_entrywise(node):
            return []
        return [n for n in dict.fromkeys(_ir.children(node)) if n in self._place]

    def reached(self, head: Node) -> set[Node]:
        """A node, and all that it is made of entry by entry."""
        reached: set[Node] = set()
        pending = [head]
        while pending:
            node = pending.pop()
            if node not in reached:
                reached.add(node)
                pending += self._below(node)
        return reached

    def find(self, head: Node, shared: Set[Node] = frozenset()) -> Region:
        """Find what a node is made of; itself, where nothing on the way may be infinite."""
        inside: set[Node] = set()
        leaves: set[Node] = set()
        pending = [head]
        while pending:
            node = pending.pop()
            if node in inside or node in leaves:
                continue
            below = [] if node in shared else self._below(node)
            (inside if below else leaves).add(node)
            pending += below
        if not self._is_exposed(inside):
            return Region([], [head])
        return Region(*(sorted(nodes, key=self._place.__getitem__) for nodes in (inside, leaves)))

    def _is_exposed(self, inside: Iterable[Node]) -> bool:
        """Whether what is made entry by entry may be infinite, or is not linear in data."""
        if any(node in self._infinite for node in inside):
            return True
        has_data = any(
            n not in self._place and n.dtype.kind in "fc" and not _ir.is_fill(n)
            for node in inside
            for n in _ir.children(node)
        )
        return has_data and not all(isinstance(n, Add) or _ir.number_of(n) for n in inside)

    def totals(self, head: Node, region: Region) -> dict[Node, Node]:
        """Differentiate a node in the leaves of its region, others constant: the shorter way."""
        active = dict.fromkeys([*region.leaves, *region.inside])
        quotients = Quotients(region.inside)
        if len(region.leaves) == 1:
            return self._carried_up(head, region, active, quotients)
        terms: dict[Node, list[Term]] = {head: [(seed(head), 1)]}
        for node in reversed(region.inside):
            bar = collect(terms.pop(node, []), head.shape + node.shape, head.dtype)
            for below, local, batch in local_jacobians(node, active, self._led):
                terms.setdefault(below, []).extend(
                    pull_through(head.ndim, node, below, local, batch, bar, quotients)
                )
        return {
            leaf: collect(terms[leaf], head.shape + leaf.shape, head.dtype)
            for leaf in region.leaves
            if leaf in terms
        }

    def _carried_up(
        self, head: Node, region: Region, active: dict[Node, None], quotients: Quotients
    ) -> dict[Node, Node]:
        (leaf,) = region.leaves
        tangents = {leaf: seed(leaf)}
        for node in region.inside:
            terms = [
                term
                for below, local, batch in local_jacobians(node, active, self._led)
                if below in tangents
                for term in push_through(
                    node, below, local, batch, cast(tangents[below], node.dtype), quotients
                )
            ]
            tangents[node] = collect(terms, node.shape + leaf.shape, node.dtype)
        return {leaf: tangents[head]}


def seed(node: Node) -> Node:
    """``d node/d node``: a delta for every axis."""
    axes = tuple(range(node.ndim))
    twins = tuple(range(node.ndim, 2 * node.ndim))
    deltas = [(_ir.delta(n), (a, node.ndim + a)) for a, n in enumerate(node.shape)]
    return _ir.contract(deltas, (*axes, *twins), dtype=node.dtype)


def _is_entrywise(node: Node) -> bool:
    """Whether an entry of a node is made of one entry of each operand, in the same place."""
    match node:
        case Add():
            return True
        case Apply():
            return kind_of(node) in (Kind.BY_RULES, Kind.CAST) and is_elementwise(node)
        case Product():
            return not node.sums and all(len({*t}) == len(t) for t in node.terms)
        case Placement():
            return node.core is not None and not node.structure
    return False
