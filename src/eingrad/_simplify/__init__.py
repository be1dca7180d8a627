"""The normal form: structure found by algebra, in few walks over the graph.

In: derivatives as `_diff` collects them, deltas contracted away. Out: networks that the planner
can order freely, equal work shared. Guaranteed: value, shape and dtype are kept; a walk
goes over the graph once, operands before their users, and at each node the passes run in order and
never go back, so it ends and is linear in the graph. Walks are repeated until nothing changes, a
bounded number of times: the normal form of a normal form is itself.

A pass takes a node whose operands are in normal form, and the nodes that are used once.

>>> from eingrad import _ir
>>> a, b, v = (_ir.new_input(n, (3,) * k) for n, k in (("a", 2), ("b", 2), ("v", 1)))
>>> (flat,) = simplify([_ir.einsum("ij,j->i", _ir.einsum("ij,jk->ik", a, b), v)])
>>> len(flat.operands)
3
"""

from collections import Counter
from collections.abc import Callable, Container, Sequence

from eingrad import _ir
from eingrad._ir import Einsum, Node
from eingrad._simplify.contractions import (
    Made,
    made_by_differentiation,
    push,
    remember,
    remembered,
)
from eingrad._simplify.expand import expand
from eingrad._simplify.products import MOST_OPERANDS, regroup
from eingrad._simplify.sums import factor, flatten, merge
from eingrad._simplify.twins import symmetrise
from eingrad._simplify.work import work

_MOST_WALKS = 8  # `benchmarks/normal_form.py --walks` counts how many change something

Pass = Callable[[Node, Container[Node]], Node]

PASSES: tuple[Pass, ...] = (expand, regroup, flatten, merge, symmetrise, factor)


def simplify(roots: Sequence[Node]) -> list[Node]:
    """Bring derivatives to normal form: walk until a walk changes nothing.

    Where walks lead round in a circle, the form of it that needs the least work is the normal one,
    so that the normal form of a normal form is itself.
    """
    forms = [[*roots]]
    for _ in range(_MOST_WALKS):
        form = walk(forms[-1], PASSES)
        if form in forms:
            circle = forms[forms.index(form) :]
            return min(circle, key=_work_and_digests) if len(circle) > 1 else form
        forms.append(form)
    return min(forms[1:], key=_work_and_digests)


def _work_and_digests(roots: Sequence[Node]) -> tuple[int, list[bytes]]:
    return sum(work(root, ()) for root in roots), [root.digest for root in roots]


def associate(roots: Sequence[Node]) -> list[Node]:
    """Join the chains of contractions that a user wrote: associativity alone, never his sums."""
    return walk(roots, (regroup,))


def walk(roots: Sequence[Node], passes: Sequence[Pass]) -> list[Node]:
    """Rebuild every node once, operands first, and run passes on it."""
    order = _ir.topological(roots)
    uses: Counter[Node] = Counter(map(_core, roots))
    for node in order:
        uses.update(map(_core, _ir.children(node)))
    once: set[Node] = set()  # rewritten nodes that stand for a node used once
    new: dict[Node, Node] = {}
    for node in order:
        below = _ir.children(node)
        moved = [new[child] for child in below]
        same = all(a is b for a, b in zip(moved, below, strict=True))
        rebuilt = node if same else _ir.with_children(node, moved)
        for a_pass in passes:
            rebuilt = a_pass(rebuilt, once)
        new[node] = rebuilt
        if uses[_core(node)] == 1:
            once.update((rebuilt, _core(rebuilt)))
    return [new[root] for root in roots]


def _core(node: Node) -> Node:
    """What a node shares with its transposed and scaled twins."""
    if isinstance(node, Einsum) and _ir.is_product(node):
        return _ir.canonical_twin(node)[0]
    return node


__all__ = [
    "MOST_OPERANDS",
    "PASSES",
    "Made",
    "Pass",
    "associate",
    "expand",
    "factor",
    "flatten",
    "made_by_differentiation",
    "merge",
    "push",
    "regroup",
    "remember",
    "remembered",
    "simplify",
    "symmetrise",
    "walk",
    "work",
]
