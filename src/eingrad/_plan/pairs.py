"""Products become trees of pairwise ones, and what several products need is made once.

In: roots with products of any number of operands. Out: equal roots whose products are pairwise.
Guaranteed: equal intermediates are equal nodes, whatever the order of axes in which they are used,
in all terms and outputs together; deterministic.

Each product has a cheapest tree. Several together may cost less with other trees: of
``inv(F) dF inv(F)``, either half may come first, but all terms should start with the same one. So
intermediates are *values*: a part of a product is described in one way, equal for equal parts.
What the program makes anyway is free for all trees, and a value that many could use is made if the
trees then cost less in total.

>>> from eingrad import _ir
>>> a, b, c, d = (_ir.new_input(name, (3, 3)) for name in "abcd")
>>> roots = pairwise([_ir.einsum("ij,jk,kl->il", a, b, m) for m in (c, d)])
>>> sum(isinstance(node, _ir.Product) for node in _ir.topological(roots))
3
"""

import itertools
from collections import Counter
from collections.abc import Collection, Mapping, Sequence, Set
from typing import NamedTuple, TypeGuard

from eingrad import _ir
from eingrad._ir import Factor, Input, Node, Product
from eingrad._limits import BUDGET
from eingrad._plan.given import FoundPath, WrittenPath
from eingrad._plan.network import Tree, tree_of_path
from eingrad._plan.parts import Part, SharedParts, Value, is_product, network_of, value_of
from eingrad._plan.path import Search, adapted_tree, cheapest_tree, find_path
from eingrad._progress import phase
from eingrad._shown import shown
from eingrad.errors import PathError


def pairwise(
    roots: Sequence[Node],
    search: Search = find_path,
    written: Collection[Node] | None = None,
) -> list[Node]:
    """Rewrite every product as a tree of pairwise ones.

    With `find_path`, intermediates are chosen for all products together; any other search sees one
    product at a time, one of the user's with the operands as the inputs of the plan are numbered.
    Building a step may move structure of an operand outward and leave a new product below it, so
    this repeats until none is left.

    `written` are nodes that the user wrote; None: all. A product of his is not made of the factors
    of its operands, and no other product is made of the factors of his: ``Y.T @ Y`` of ``Y = X W``
    is not ``W.T (X.T X) W``, which squares the condition of X and need not be positive. (Nor is a
    multiple or transpose of one: it is made of the same value.)
    """
    with phase("ordering products"):
        return _pairwise(roots, search, written)


def _pairwise(
    roots: Sequence[Node], search: Search, written: Collection[Node] | None
) -> list[Node]:
    roots = [*map(_opened, roots)] if isinstance(search, WrittenPath) else list(roots)
    kept = {value_of(node) for node in written or () if is_product(node)}
    for number in range(BUDGET.rounds):
        nodes = _ir.topological(roots)
        values = [*dict.fromkeys(value_of(node) for node in nodes if is_product(node))]
        if isinstance(search, WrittenPath):
            _check_is_for(search, values)
            plans = {value: _plan_alone(value, search) for value in values}
            search = find_path  # for what a step leaves below it
        elif search is find_path:
            derived = {*values} - kept if number == 0 and written is not None else set()
            plans = _plan_together(values, derived, kept)
        else:
            plans = {value: _plan_alone(value, search) for value in values if value.is_long}
        if not plans:
            return roots
        roots = _Assembly(plans).rewrite(roots, nodes)
    raise AssertionError(
        f"products of more than two operands are left after {BUDGET.rounds} rounds"
    )


# Products and their forms ------------------------------------------------------------------------


class _Plan(NamedTuple):
    """How a product is made: a form of it, a tree, and the parts of it that are made elsewhere."""

    form: Value
    tree: Tree
    made: Mapping[int, Part]

    @property
    def cost(self) -> int:
        """Cost of the steps; what is made elsewhere is not counted."""
        return self.form.network.cost(self.tree)


def _form(value: Value, kept: Set[Value]) -> Value:
    """Open contractions among the operands, where that is less work though they are made anyway.

    The result has the axes of the value in their order. What is to be `kept` is not opened.
    """
    if not any(_opens(node, kept) for node in value.operands):
        return value
    least, best = value.network.cost(cheapest_tree(value.network)), value
    for deep in (False, True):
        factors, made = _open(value, kept, deep=deep)
        network = network_of(factors, value.out)
        cost = network.cost(cheapest_tree(network, made))
        form = _ir.contract(factors, value.out)
        is_known = {*_ir.children(form)}.issubset(node for node, _ in factors)
        if cost < least and is_known and is_product(form) and form.coefficient == 1:
            least, best = cost, Value(form.factors, form.out)
    return best


def _open(value: Value, kept: Set[Value], *, deep: bool) -> tuple[list[Factor], frozenset[int]]:
    """Put the factors of operands in their place; `deep`, the factors of factors too.

    Returns also the sets of factors that were one operand, and so are made anyway.
    """
    factors = [*value.factors]
    fresh = itertools.count(1 + max((i for _, term in factors for i in term), default=-1))
    made: list[int] = []
    k = len(factors) - 1
    while k >= 0:
        inner, term = factors[k]
        count = len(_ir.children(inner))
        if _opens(inner, kept) and len(factors) + count - 1 <= BUDGET.opened_operands:
            factors[k : k + 1] = _ir.splice(inner, term, fresh)
            rest = [s << count - 1 for s in made if not s >> k & 1]  # one that is opened is gone
            made = [(1 << count) - 1 << k, *rest]
            k += count if deep else 0
        k -= 1
    return factors, frozenset(made)


def _opens(node: Node, kept: Set[Value]) -> TypeGuard[Product]:
    if not is_product(node) or node.coefficient != 1 or not node.sums:
        return False
    return value_of(node) not in kept


# Planning ----------------------------------------------------------------------------------------


def _plan_alone(value: Value, search: Search) -> _Plan:
    network = value.network
    terms, out, sizes = network.key
    order = [*range(len(terms))]
    if isinstance(search, FoundPath | WrittenPath):
        order.sort(key=lambda n: _place(value.operands[n]))
    path = search([terms[n] for n in order], out, dict(sizes))
    return _Plan(value, tree_of_path(path, [network.operands[n] for n in order]), {})


def _opened(root: Node) -> Node:
    """Open the products among the operands of a product: a path may be of all of them together."""
    if not is_product(root):
        return root
    opened = _ir.open_factors(root.factors, is_product, itertools.count(len(root.sizes)))
    number = _ir.multiply(root.coefficient, opened.coefficient)
    return _ir.contract(opened.factors, root.out, (), number, root.dtype)


def _place(node: Node) -> tuple[bool, int]:
    """Where the user expects an operand: inputs stand first, in the order they were made in."""
    return (False, node.serial) if isinstance(node, Input) else (True, 0)


def _check_is_for(path: WrittenPath, values: Sequence[Value]) -> None:
    """Refuse a written path where it is not plain which operand a position means."""
    path.check([len(value.factors) for value in values])
    (value,) = values
    inputs = [node for node in value.operands if isinstance(node, Input)]
    if len({*inputs}) < len(inputs) or len(value.operands) - len(inputs) > 1:
        text = " ".join(node.name if isinstance(node, Input) else "..." for node in value.operands)
        raise PathError(
            f"path {shown(path.path)} is for operands that their positions tell apart, as inputs "
            f"are that occur once, not for those of the product {text}; use eingrad.einsum_plan, "
            "whose operands are numbered as they are given, or give a function"
        )


def _plan_together(
    made: Sequence[Value], derived: Set[Value], kept: Set[Value]
) -> dict[Value, _Plan]:
    """Choose trees for all products that are to be planned: as they are, or opened.

    Derived pairs too are planned where they open: of ``(C A) (C A)^T``, A^T A may come first.
    Opened products have fewer parts in common, so the smaller total is taken.
    """
    whole = {value: value for value in made if value.is_long}
    opened = {value: _form(value, kept) if value in derived else value for value in made}
    opened = {value: form for value, form in opened.items() if form.is_long}
    if not whole and not opened:
        return {}
    if opened == whole:
        return _plan_with_shared(made, whole)
    rest = {value: value.network.cost(cheapest_tree(value.network)) for value in made}

    def total(plans: Mapping[Value, _Plan]) -> int:
        return sum({**rest, **{value: plan.cost for value, plan in plans.items()}}.values())

    return min(_plan_with_shared(made, opened), _plan_with_shared(made, whole), key=total)


def _plan_with_shared(made: Sequence[Value], forms: Mapping[Value, Value]) -> dict[Value, _Plan]:
    """Choose trees for products in given forms, and what is made for several of them.

    Greedy: from what is made in any case, take up one value after the other where the total cost
    falls.
    """
    parts = SharedParts(forms.values(), made)
    known = {*made}

    def plan(value: Value, known: Set[Value]) -> _Plan:
        form = forms.get(value, value)
        free = {s: part for s, part in parts.of(form).items() if part.value in known}
        return _Plan(form, cheapest_tree(form.network, frozenset(free)), free)

    def replan(old: _Plan, value: Value) -> _Plan:
        new = {s: part for s, part in parts.of(old.form).items() if part.value == value}
        free = {**old.made, **new}
        tree = adapted_tree(old.form.network, old.tree, frozenset(free), [*new])
        return _Plan(old.form, tree, free)

    plans = {value: plan(value, known) for value in forms}
    costs = {value: each.cost for value, each in plans.items()}
    for value in _candidates(parts, known):
        users = [user for user, each in plans.items() if each.form in parts.having[value]]
        new = {user: replan(plans[user], value) for user in users}
        new[value] = plan(value, known)
        new_costs = {user: each.cost for user, each in new.items()}
        if sum(new_costs.values()) < sum(costs[user] for user in users):
            known.add(value)
            plans.update(new)
            costs.update(new_costs)
    return plans


def _candidates(parts: SharedParts, known: Set[Value]) -> list[Value]:
    """Values that are a part more than once, those that may save most first."""
    saved = {}
    for value, count in Counter(part.value for part in parts.all()).items():
        if count > 1 and value not in known:
            network = value.network
            saved[value] = (count - 1) * network.cost(cheapest_tree(network))
    return sorted(saved, key=lambda value: (-saved[value], value.rank))[: BUDGET.shared_values]


# Building ----------------------------------------------------------------------------------------


class _Assembly:
    """Build nodes anew by their plans; every value once."""

    def __init__(self, plans: Mapping[Value, _Plan]) -> None:
        self.plans = plans
        self.new: dict[Node, Node] = {}
        self.built: dict[Value, Node] = {}

    def rewrite(self, roots: Sequence[Node], nodes: Sequence[Node]) -> list[Node]:
        """Rewrite all nodes, operands first."""
        for node in nodes:
            below = _ir.children(node)
            moved = [self.new[child] for child in below]
            if is_product(node) and value_of(node) in self.plans:
                twin, axes = _ir.canonical_twin(node)
                made, out = self.value(value_of(twin)), range(node.ndim)
                self.new[node] = _ir.contract([(made, axes)], out, (), node.coefficient)
            elif all(a is b for a, b in zip(moved, below, strict=True)):
                self.new[node] = node
            else:
                self.new[node] = _ir.with_children(node, moved)
        return [self.new[root] for root in roots]

    def value(self, value: Value) -> Node:
        """Build one value: by its plan, or as the pair that it is."""
        if value not in self.built:
            if value in self.plans:
                made = self.assemble(*self.plans[value])
            else:
                made = value.build([self.new[node] for node in value.operands])
            self.built[value] = made
        return self.built[value]

    def assemble(self, form: Value, tree: Tree, made: Mapping[int, Part]) -> Node:
        """Build the steps of a tree.

        Recursion ends: a form has operands of its value, or nodes below these in their place, and
        a part has some of the operands, not all.
        """
        network = form.network
        live = {1 << k: Factor(self.new[node], term) for k, (node, term) in enumerate(form.factors)}
        for whole in sorted(tree, key=int.bit_count):
            for half in tree[whole]:
                if half not in live:
                    live[half] = Factor(self.value(made[half].value), made[half].term)
            pair = [live[half] for half in tree[whole]]
            out = network.term(whole, [term for _, term in pair])
            live[whole] = Factor(_ir.contract(pair, out), out)
        return live[network.whole].node
