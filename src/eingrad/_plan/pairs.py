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

import functools
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple, TypeGuard

from eingrad import _ir
from eingrad._ir import Apply, Einsum, Node
from eingrad._plan.path import Search, cheapest_tree, find_path
from eingrad._plan.search import Network, Tree, tree_of_path
from eingrad._subscripts import Subscripts, renumber

_MOST_ROUNDS = 100  # one or two are usual
_MOST_OPENED = 8  # operands of a product in which others are opened
_MOST_PARTS = 512  # of one product that are compared with those of others
_MOST_TRIED = 48  # values that might be made for several products


def pairwise(roots: Sequence[Node], search: Search = find_path) -> list[Node]:
    """Rewrite every product of three or more operands as a tree of pairwise ones.

    With `find_path`, intermediates are chosen for all products together; any other search sees one
    product at a time. Building a step may move structure of an operand outward and leave a new
    product below it, so this repeats until none is left; every round makes products smaller.
    """
    roots = list(roots)
    for number in range(_MOST_ROUNDS):
        nodes = _ir.topological(roots)
        values = [*dict.fromkeys(_value_of(node) for node in nodes if _is_product(node))]
        if search is find_path:
            plans = _plan_together(values, with_pairs=number == 0)
        else:
            plans = {value: _plan_alone(value, search) for value in values if value.is_long}
        if not plans:
            return roots
        roots = _Assembly(plans).rewrite(roots, nodes)
    raise AssertionError(f"products of more than two operands are left after {_MOST_ROUNDS} rounds")


def _is_product(node: Node) -> TypeGuard[Einsum]:
    return isinstance(node, Einsum) and _ir.is_product(node) and len(node.operands) > 1


# Products and their parts ------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Value:
    """A product up to the order of its axes, written in one way: equal values are equal.

    Operands are in canonical order, indices numbered by first use, those of `out` ascending.
    """

    operands: tuple[Node, ...]
    terms: tuple[Subscripts, ...]
    out: Subscripts

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, _Value) and self._key == other._key)

    def __hash__(self) -> int:
        return self._hash

    @functools.cached_property
    def _key(self) -> tuple[object, ...]:
        return self.operands, self.terms, self.out

    @functools.cached_property
    def _hash(self) -> int:  # values are looked up again and again
        return hash(self._key)

    @property
    def is_long(self) -> bool:
        """Whether it is not a pair yet."""
        return len(self.operands) > 2  # noqa: PLR2004

    @functools.cached_property
    def network(self) -> Network:
        """What a search is asked about."""
        return _network(self.operands, self.terms, self.out)

    @property
    def digests(self) -> list[bytes]:
        """Something to sort by."""
        return [node.digest for node in self.operands]

    def build(self, operands: Sequence[Node]) -> Node:
        """Build it as a node, on these operands."""
        dtype = self.operands[0].dtype
        return _ir.contract(operands, self.terms, self.out, dtype=dtype)


def _value_of(node: Einsum) -> _Value:
    twin, _ = _ir.canonical_twin(node)
    return _Value(twin.operands, twin.terms, twin.out)


class _Part(NamedTuple):
    """A set of a product's operands as a value of its own, and the index of each of its axes."""

    value: _Value
    term: Subscripts


class _Plan(NamedTuple):
    """How a product is made: a form of it, a tree, and the parts of it that are made elsewhere."""

    form: _Value
    tree: Tree
    made: Mapping[int, _Part]

    @property
    def cost(self) -> int:
        """Cost of the steps; what is made elsewhere is not counted."""
        return self.form.network.cost(self.tree)


def _form(value: _Value) -> _Value:
    """Open contractions among the operands, where that is less work though they are made anyway."""
    if not any(map(_opens, value.operands)):
        return value
    least, best = value.network.cost(cheapest_tree(value.network)), value
    for deep in (False, True):
        operands, terms, made = _opened(value, deep=deep)
        network = _network(operands, terms, value.out)
        cost = network.cost(cheapest_tree(network, made))
        form = _ir.contract(operands, terms, value.out, dtype=operands[0].dtype)
        if cost < least and _is_product(form) and form.coefficient == 1:
            least, best = cost, _Value(form.operands, form.terms, form.out)  # axes as of `value`
    return best


def _opened(value: _Value, *, deep: bool) -> tuple[list[Node], list[Subscripts], frozenset[int]]:
    """Put the factors of operands in their place; `deep`, the factors of factors too.

    Returns also the sets of factors that were one operand, and so are made anyway.
    """
    operands, terms = [*value.operands], [*value.terms]
    fresh = itertools.count(1 + max((index for term in terms for index in term), default=-1))
    made: list[int] = []
    k = len(operands) - 1
    while k >= 0:
        inner, count = operands[k], len(_ir.children(operands[k]))
        if _opens(inner) and len(operands) + count - 1 <= _MOST_OPENED:
            outer = dict(zip(inner.out, terms[k], strict=True))
            for index in sorted({i for term in inner.terms for i in term}.difference(outer)):
                outer[index] = next(fresh)
            operands[k : k + 1] = inner.operands
            terms[k : k + 1] = [tuple(outer[i] for i in term) for term in inner.terms]
            rest = [s << count - 1 for s in made if not s >> k & 1]  # one that is opened is gone
            made = [(1 << count) - 1 << k, *rest]
            k += count if deep else 0
        k -= 1
    return operands, terms, frozenset(made)


def _opens(node: Node) -> TypeGuard[Einsum]:
    return _is_product(node) and node.coefficient == 1 and node.sums


def _network(operands: Sequence[Node], terms: Sequence[Subscripts], out: Subscripts) -> Network:
    sizes = {
        index: size
        for node, term in zip(operands, terms, strict=True)
        for index, size in zip(term, node.shape, strict=True)
    }
    return Network(terms, out, sizes)


def _plan_alone(value: _Value, search: Search) -> _Plan:
    network = value.network
    terms, out, sizes = network.key
    path = search(terms, out, dict(sizes))
    return _Plan(value, tree_of_path(path, network.operands), {})


_Signature = tuple[int, ...]


def _signatures(value: _Value) -> dict[int, _Signature]:
    """Which operands are in each part, the whole included: equal values have equal signatures.

    All parts of a short product; of a long one the small parts.
    """
    uids = [node.uid for node in value.operands]
    count = len(uids)
    found: dict[int, _Signature] = {}
    for size in range(2, count):
        if len(found) + math.comb(count, size) > _MOST_PARTS:
            break
        for chosen in itertools.combinations(range(count), size):
            found[sum(1 << k for k in chosen)] = tuple(sorted(uids[k] for k in chosen))
    return {**found, (1 << count) - 1: tuple(sorted(uids))}


# Planning together -------------------------------------------------------------------------------


def _plan_together(made: Sequence[_Value], *, with_pairs: bool) -> dict[_Value, _Plan]:
    """Choose trees for all products that are to be planned: as they are, or opened.

    `with_pairs`, pairs too are planned where they open: of ``(C A) (C A)^T``, A^T A may come first.
    """
    whole = {value: value for value in made if value.is_long}
    opened = {value: _form(value) for value in made if with_pairs or value.is_long}
    opened = {value: form for value, form in opened.items() if form.is_long}
    if opened == whole:
        return _with_shared(made, whole)
    rest = {value: value.network.cost(cheapest_tree(value.network)) for value in made}

    def total(plans: Mapping[_Value, _Plan]) -> int:
        return sum({**rest, **{value: plan.cost for value, plan in plans.items()}}.values())

    return min(_with_shared(made, opened), _with_shared(made, whole), key=total)


def _with_shared(made: Sequence[_Value], forms: Mapping[_Value, _Value]) -> dict[_Value, _Plan]:
    """Choose trees for products in given forms, and what is made for several of them.

    Greedy: from what is made in any case, take up one value after the other where the total cost
    falls.
    """
    common = _Common(made, forms)
    known = {*made}
    plans = {value: common.plan(value, known) for value in forms}
    costs = {value: plan.cost for value, plan in plans.items()}
    for value in common.candidates(known):
        having = common.having[value]
        users = [user for user, plan in plans.items() if plan.form in having]
        new = {user: common.plan(user, {*known, value}) for user in users}
        new[value] = common.plan(value, known)
        new_costs = {user: plan.cost for user, plan in new.items()}
        if sum(new_costs.values()) < sum(costs[user] for user in users):
            known.add(value)
            plans.update(new)
            costs.update(new_costs)
    return plans


class _Common:
    """Parts that several products have, and plans of products when some values are made."""

    def __init__(self, made: Sequence[_Value], forms: Mapping[_Value, _Value]) -> None:
        self.forms = forms
        self.parts: dict[_Value, dict[int, _Part]] = {}
        self.having: defaultdict[_Value, set[_Value]] = defaultdict(set)  # forms with a part
        self.canonical: dict[_Value, tuple[_Value, Subscripts] | None] = {}
        self.places: defaultdict[_Signature, list[_Value]] = defaultdict(list)
        self.repeated: set[_Signature] = set()  # twice in one product, perhaps
        for form in {**dict.fromkeys(made), **dict.fromkeys(self.forms.values())}:
            count = Counter(node.uid for node in form.operands)
            several = {uid for uid, times in count.items() if times > 1}
            for signature in _signatures(form).values():
                self.places[signature].append(form)
                if several.issuperset(signature):
                    self.repeated.add(signature)
        for form in self.forms.values():
            self.read(form)

    def read(self, form: _Value) -> None:
        """Find the parts of a product that others may have too.

        But not those that with one operand more are found in the same products, each once: whoever
        could use them can use the larger ones.
        """
        if form in self.parts:
            return
        network = form.network
        signatures = _signatures(form)
        places = {operands: self.places[s] for operands, s in signatures.items()}
        self.parts[form] = {
            operands: part
            for operands, found in places.items()
            if len(found) > 1 and operands != network.whole
            if signatures[operands] in self.repeated
            or all(places.get(operands | k) != found for k in network.operands if not operands & k)
            for part in [self.part(form, network, operands)]
            if part
        }
        for part in self.parts[form].values():
            self.having[part.value].add(form)

    def candidates(self, made: Set[_Value]) -> list[_Value]:
        """Values that are a part more than once, those that may save most first."""
        counts = Counter(part.value for parts in self.parts.values() for part in parts.values())
        saved = {}
        for value, count in counts.items():
            if count > 1 and value not in made:
                network = value.network
                saved[value] = (count - 1) * network.cost(cheapest_tree(network))
        return sorted(saved, key=lambda v: (-saved[v], v.digests, v.terms, v.out))[:_MOST_TRIED]

    def plan(self, value: _Value, made: Set[_Value]) -> _Plan:
        """Plan one product; what is made costs nothing."""
        form = self.forms.get(value, value)
        self.read(form)
        parts = {s: part for s, part in self.parts[form].items() if part.value in made}
        return _Plan(form, cheapest_tree(form.network, frozenset(parts)), parts)

    def part(self, form: _Value, network: Network, operands: int) -> _Part | None:
        """Describe a part of a product; None where building finds other operands in it."""
        chosen = [k for k in range(len(form.operands)) if operands >> k & 1]
        terms = [form.terms[k] for k in chosen]
        wanted = network.wanted(operands)
        out = [index for index in dict.fromkeys(itertools.chain(*terms)) if index in wanted]
        value = _Value(tuple([form.operands[k] for k in chosen]), *renumber(terms, out))
        if value not in self.canonical:
            self.canonical[value] = _canonical(value)
        found = self.canonical[value]
        return found and _Part(found[0], tuple(out[axis] for axis in found[1]))


def _canonical(value: _Value) -> tuple[_Value, Subscripts] | None:
    """Write a part in the one way; for each of its axes, the axis that it was.

    Where operands are equal or symmetric, only building tells which is which.
    """
    nodes = value.operands
    if len({*nodes}) == len(nodes) and not any(isinstance(n, Apply) and n.symmetry for n in nodes):
        return value, tuple(range(len(value.out)))
    node = value.build(nodes)
    if not isinstance(node, Einsum) or Counter(node.operands) != Counter(nodes):
        return None
    twin, axes = _ir.canonical_twin(node)
    return _Value(twin.operands, twin.terms, twin.out), axes


# Building ----------------------------------------------------------------------------------------


class _Assembly:
    """Build nodes anew by their plans; every value once."""

    def __init__(self, plans: Mapping[_Value, _Plan]) -> None:
        self.plans = plans
        self.new: dict[Node, Node] = {}
        self.built: dict[_Value, Node] = {}

    def rewrite(self, roots: Sequence[Node], nodes: Sequence[Node]) -> list[Node]:
        """Rewrite all nodes, operands first."""
        for node in nodes:
            below = _ir.children(node)
            moved = [self.new[child] for child in below]
            if _is_product(node) and _value_of(node) in self.plans:
                twin, axes = _ir.canonical_twin(node)
                made, out = self.value(_value_of(twin)), range(node.ndim)
                self.new[node] = _ir.contract([made], [axes], out, {}, node.coefficient)
            elif all(a is b for a, b in zip(moved, below, strict=True)):
                self.new[node] = node
            else:
                self.new[node] = _ir.with_children(node, moved)
        return [self.new[root] for root in roots]

    def value(self, value: _Value) -> Node:
        """Build one value: by its plan, or as the pair that it is."""
        if value not in self.built:
            if value in self.plans:
                made = self.assemble(*self.plans[value])
            else:
                made = value.build([self.new[node] for node in value.operands])
            self.built[value] = made
        return self.built[value]

    def assemble(self, form: _Value, tree: Tree, made: Mapping[int, _Part]) -> Node:
        """Build the steps of a tree. Recursion ends: a part has fewer operands than the whole."""
        network = form.network
        dtype = form.operands[0].dtype
        live: dict[int, tuple[Node, Subscripts]] = {
            1 << k: (self.new[node], term)
            for k, (node, term) in enumerate(zip(form.operands, form.terms, strict=True))
        }
        for whole in sorted(tree, key=int.bit_count):
            for half in tree[whole]:
                if half not in live:
                    live[half] = self.value(made[half].value), made[half].term
            nodes, terms = zip(*(live[half] for half in tree[whole]), strict=True)
            wanted = network.wanted(whole)
            out = tuple(dict.fromkeys(i for term in terms for i in term if i in wanted))
            out = form.out if whole == network.whole else out
            live[whole] = _ir.contract(nodes, terms, out, dtype=dtype), out
        return live[network.whole][0]
