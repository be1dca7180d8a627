"""Products become trees of pairwise ones, and what several products need is made once.

In: roots with products of any number of operands. Out: equal roots whose products are pairwise.
Guaranteed: equal intermediates are equal nodes, whatever the order of axes in which they are used,
in all terms and outputs together; deterministic.

Each product has a cheapest tree. Several together may cost less with other trees: of
``inv(F) dF inv(F)``, either half may come first, but all terms should start with the same one. So
intermediates are *values*: a part of a product in canonical form is a node, equal for equal parts.
What the program makes anyway is free for all trees, and a value that many could use is made if the
trees then cost less in total.

>>> from eingrad import _ir
>>> a, b, c, d = (_ir.new_input(name, (3, 3)) for name in "abcd")
>>> roots = pairwise([_ir.einsum("ij,jk,kl->il", a, b, m) for m in (c, d)])
>>> sum(isinstance(node, _ir.Einsum) for node in _ir.topological(roots))
3
"""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple, TypeGuard

from eingrad import _ir
from eingrad._ir import Einsum, Node
from eingrad._plan.path import Search, cheapest_tree, find_path
from eingrad._plan.search import Network, Tree, tree_of_path
from eingrad._subscripts import Subscripts

_MOST_PARTS = 512  # of one product that are compared with those of others
_MOST_TRIED = 64  # values that might be made for several products


def pairwise(roots: Sequence[Node], search: Search = find_path) -> list[Node]:
    """Rewrite every product of three or more operands as a tree of pairwise ones.

    With `find_path`, intermediates are chosen for all products together; any other search sees one
    product at a time. Building a step may move structure of an operand outward and leave a new
    product below it, so this repeats until none is left; every round makes products smaller.
    """
    roots = list(roots)
    while True:
        nodes = _ir.topological(roots)
        long = dict.fromkeys(_ir.canonical_twin(node)[0] for node in nodes if _is_long(node))
        if not long:
            return roots
        if search is find_path:
            pairs = [_ir.canonical_twin(node)[0] for node in nodes if _is_pair(node)]
            plans = _plan_together([*long], pairs)
        else:
            plans = {value: _plan_alone(value, search) for value in long}
        roots = _Assembly(plans).rewrite(roots, nodes)


def _is_long(node: Node) -> TypeGuard[Einsum]:
    return isinstance(node, Einsum) and _ir.is_product(node) and len(node.operands) > 2  # noqa: PLR2004


def _is_pair(node: Node) -> TypeGuard[Einsum]:
    return isinstance(node, Einsum) and _ir.is_product(node) and len(node.operands) == 2  # noqa: PLR2004


# Products and their parts ------------------------------------------------------------------------


class _Part(NamedTuple):
    """A set of a product's operands as a value of its own, and the index of each of its axes."""

    value: Einsum
    term: Subscripts


class _Plan(NamedTuple):
    """The tree of a product, and those of its parts that are made elsewhere."""

    tree: Tree
    made: Mapping[int, _Part]


def _sizes(value: Einsum) -> dict[int, int]:
    return {
        index: size
        for node, term in zip(value.operands, value.terms, strict=True)
        for index, size in zip(term, node.shape, strict=True)
    }


def _network(value: Einsum) -> Network:
    return Network(value.terms, value.out, _sizes(value))


def _plan_alone(value: Einsum, search: Search) -> _Plan:
    path = search(value.terms, value.out, _sizes(value))
    return _Plan(tree_of_path(path, len(value.terms)), {})


def _signatures(value: Einsum) -> dict[int, tuple[int, ...]]:
    """Which operands are in each part, the whole included: equal values have equal signatures.

    All parts of a short product; of a long one the small parts.
    """
    uids = [node.uid for node in value.operands]
    count = len(uids)
    found: dict[int, tuple[int, ...]] = {}
    for size in range(2, count):
        if len(found) + math.comb(count, size) > _MOST_PARTS:
            break
        for chosen in itertools.combinations(range(count), size):
            found[sum(1 << k for k in chosen)] = tuple(sorted(uids[k] for k in chosen))
    return {**found, (1 << count) - 1: tuple(sorted(uids))}


def _part(value: Einsum, network: Network, operands: int) -> _Part | None:
    """Build a part as a node; None where building finds other operands in it."""
    chosen = [k for k in range(len(value.operands)) if operands >> k & 1]
    out = sorted(network.wanted(operands))
    nodes, terms = [value.operands[k] for k in chosen], [value.terms[k] for k in chosen]
    node = _ir.contract(nodes, terms, out, dtype=value.dtype)
    if not isinstance(node, Einsum) or Counter(node.operands) != Counter(nodes):
        return None
    twin, axes = _ir.canonical_twin(node)
    return _Part(twin, tuple(out[axis] for axis in axes))


# Planning together -------------------------------------------------------------------------------


def _plan_together(values: Sequence[Einsum], pairs: Sequence[Einsum]) -> dict[Einsum, _Plan]:
    """Choose trees for all products, and what is made for several of them.

    Greedy: from what is made in any case, take up one value after the other where the total cost
    falls.
    """
    common = _Common(values, pairs)
    made = {*values, *pairs}
    plans = {value: common.plan(value, made) for value in values}
    for value in common.candidates(made):
        users = [user for user in plans if common.has_part(user, value)]
        new = {user: common.plan(user, {*made, value}) for user in users}
        new[value] = common.plan(value, made)
        now = sum(common.cost(user, plans[user]) for user in users)
        if sum(itertools.starmap(common.cost, new.items())) < now:
            made.add(value)
            plans.update(new)
    return plans


class _Common:
    """Parts that several products have, and plans of products when some values are made."""

    def __init__(self, values: Sequence[Einsum], pairs: Sequence[Einsum]) -> None:
        self.counts: Counter[tuple[int, ...]] = Counter()
        for value in (*values, *pairs):
            self.counts.update(_signatures(value).values())
        self.networks: dict[Einsum, Network] = {}
        self.parts: dict[Einsum, dict[int, _Part]] = {}
        for value in values:
            self.read(value)

    def read(self, value: Einsum) -> None:
        """Find the parts of a product that others may have too."""
        network = self.networks[value] = _network(value)
        self.parts[value] = {
            operands: part
            for operands, signature in _signatures(value).items()
            if self.counts[signature] > 1 and operands != network.whole
            for part in [_part(value, network, operands)]
            if part
        }

    def has_part(self, value: Einsum, other: Einsum) -> bool:
        """Whether the other is a part of a value."""
        return any(part.value is other for part in self.parts[value].values())

    def candidates(self, made: Set[Einsum]) -> list[Einsum]:
        """Values that are a part more than once, those that may save most first."""
        counts = Counter(part.value for parts in self.parts.values() for part in parts.values())
        shared = [value for value, count in counts.items() if count > 1 and value not in made]
        for value in shared:
            self.read(value)
        saved = {
            value: (counts[value] - 1) * self.cost(value, self.plan(value, made))
            for value in shared
        }
        return sorted(shared, key=lambda value: (-saved[value], value.digest))[:_MOST_TRIED]

    def plan(self, value: Einsum, made: Set[Einsum]) -> _Plan:
        """Plan one product; what is made costs nothing."""
        parts = {s: part for s, part in self.parts[value].items() if part.value in made}
        return _Plan(cheapest_tree(self.networks[value], frozenset(parts)), parts)

    def cost(self, value: Einsum, plan: _Plan) -> int:
        """Cost of what a product takes besides what is made elsewhere."""
        return self.networks[value].cost(plan.tree)


# Building ----------------------------------------------------------------------------------------


class _Assembly:
    """Build nodes anew by their plans; every value once."""

    def __init__(self, plans: Mapping[Einsum, _Plan]) -> None:
        self.plans = plans
        self.new: dict[Node, Node] = {}
        self.values: dict[Einsum, Node] = {}

    def rewrite(self, roots: Sequence[Node], nodes: Sequence[Node]) -> list[Node]:
        """Rewrite all nodes, operands first."""
        for node in nodes:
            below = _ir.children(node)
            moved = [self.new[child] for child in below]
            if _is_long(node):
                twin, axes = _ir.canonical_twin(node)
                made, out = self.value(twin), range(node.ndim)
                self.new[node] = _ir.contract([made], [axes], out, {}, node.coefficient)
            elif all(a is b for a, b in zip(moved, below, strict=True)):
                self.new[node] = node
            else:
                self.new[node] = _ir.with_children(node, moved)
        return [self.new[root] for root in roots]

    def value(self, value: Einsum) -> Node:
        """Build one value: by its plan, or as the pair that it is."""
        if value not in self.values:
            operands = [self.new[node] for node in value.operands]
            if _is_long(value):
                made = self.assemble(value, operands, self.plans[value])
            else:
                made = _ir.with_children(value, operands)
            self.values[value] = made
        return self.values[value]

    def assemble(self, value: Einsum, operands: Sequence[Node], plan: _Plan) -> Node:
        """Build the steps of a tree. Recursion ends: a part has fewer operands than the whole."""
        network = _network(value)
        live: dict[int, tuple[Node, Subscripts]] = {
            1 << k: pair for k, pair in enumerate(zip(operands, value.terms, strict=True))
        }
        for whole in sorted(plan.tree, key=int.bit_count):
            for half in plan.tree[whole]:
                if half not in live:
                    part = plan.made[half]
                    live[half] = self.value(part.value), part.term
            nodes, terms = zip(*(live[half] for half in plan.tree[whole]), strict=True)
            wanted = network.wanted(whole)
            out = tuple(dict.fromkeys(i for term in terms for i in term if i in wanted))
            out = value.out if whole == network.whole else out
            live[whole] = _ir.contract(nodes, terms, out, dtype=value.dtype), out
        return live[network.whole][0]
