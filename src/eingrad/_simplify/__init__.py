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
from collections.abc import Callable, Container, Sequence, Set

from eingrad import _ir
from eingrad._ir import Node, Product, Structural
from eingrad._limits import BUDGET
from eingrad._progress import phase, tick
from eingrad._simplify.contractions import (
    Made,
    made_by_differentiation,
    push,
    remember,
    remembered,
)
from eingrad._simplify.diagonals import diagonals
from eingrad._simplify.expand import expand
from eingrad._simplify.picks import take_out
from eingrad._simplify.products import MOST_OPERANDS, regroup, select
from eingrad._simplify.scatter import scatter
from eingrad._simplify.sums import factor, flatten, merge
from eingrad._simplify.twins import symmetrise
from eingrad._simplify.work import whole_work, work
from eingrad._simplify.written import narrow, written_nodes

Pass = Callable[[Node, Container[Node]], Node]

PASSES: tuple[Pass, ...] = (
    diagonals,
    expand,
    select,
    regroup,
    scatter,
    flatten,
    merge,
    symmetrise,
    factor,
)


class _Once(Container[Node]):
    """Nodes with a single use; records questions, so that `Memo` knows what a result rests on."""

    def __init__(self) -> None:
        self._nodes: set[Node] = set()
        self._asked: dict[Node, bool] = {}

    def __contains__(self, node: object) -> bool:
        assert isinstance(node, _ir.Node)
        self._asked[node] = answer = node in self._nodes
        return answer

    def knows(self, node: Node) -> bool:
        """Answer without remembering the question."""
        return node in self._nodes

    def add(self, *nodes: Node) -> None:
        """Count nodes among those used once."""
        self._nodes.update(nodes)

    def take_answers(self) -> dict[Node, bool]:
        """Hand over what was asked, and forget it."""
        asked, self._asked = self._asked, {}
        return asked


class Memo:
    """What passes made of nodes, so that a later walk repeats only what has changed.

    A pass is a function of a node and of what it asks about single uses: where all questions are
    answered as before, so is the result. Several expressions may share a memo.
    """

    def __init__(self) -> None:
        self._made: dict[Node, list[tuple[Node, dict[Node, bool]]]] = {}

    def find(self, node: Node, once: _Once) -> Node | None:
        """Return what the passes made of a node when all answers were those of now."""
        for made, answers in self._made.get(node, ()):
            if all(once.knows(asked) == answer for asked, answer in answers.items()):
                return made
        return None

    def keep(self, node: Node, made: Node, answers: dict[Node, bool]) -> None:
        """Remember what the passes made of a node, given these answers."""
        self._made.setdefault(node, []).append((made, answers))


def simplify(
    roots: Sequence[Node], memo: Memo | None = None, written: Set[Node] = frozenset()
) -> list[Node]:
    """Bring derivatives to normal form: walk until a walk changes nothing.

    What the user has `written` stays as it is. Where walks lead round in a circle, the form of it
    that needs the least work is the normal one, so that the normal form of a normal form is itself.
    """
    with phase("bringing to normal form"):
        return _normal(roots, memo or Memo(), written)


def _normal(roots: Sequence[Node], memo: Memo, written: Set[Node]) -> list[Node]:
    forms = [[*roots]]
    for _ in range(BUDGET.walks):
        form = walk(forms[-1], PASSES, memo, written)
        if form in forms:
            circle = forms[forms.index(form) :]
            return min(circle, key=_work_and_digests) if len(circle) > 1 else form
        forms.append(form)
    return min(forms[1:], key=_work_and_digests)


def _work_and_digests(roots: Sequence[Node]) -> tuple[int, list[bytes]]:
    return sum(work(root, ()) for root in roots), [root.digest for root in roots]


def walk(
    roots: Sequence[Node],
    passes: Sequence[Pass],
    memo: Memo | None = None,
    kept: Container[Node] = frozenset(),
) -> list[Node]:
    """Rebuild every node once, operands first, and run passes on it, unless it is to be `kept`.

    `memo` is of walks with the same passes.
    """
    new = _walk(roots, passes, memo or Memo(), kept)
    return [new[root] for root in roots]


def narrowed(roots: Sequence[Node], written: Sequence[Node]) -> tuple[list[Node], list[Node]]:
    """Reduce no product of the user's that is written out for it; give roots and written nodes."""
    derived = {*_ir.topological(roots)}.difference(written)
    new = _walk(roots, (narrow,), Memo(), derived)
    return [new[root] for root in roots], [new[node] for node in written if node in new]


def picked_last(roots: Sequence[Node], written: Sequence[Node]) -> tuple[list[Node], list[Node]]:
    """Compute what the user wrote of rows that he picks once each; give roots and written nodes."""
    derived = {*_ir.topological(roots)}.difference(written)
    new = _walk(roots, (lambda node, _: take_out(node),), Memo(), derived)
    known, found = {*new.values()}, dict[Node, None]()
    stack = [new[node] for node in written if node in new][::-1]
    while stack:  # also into what a pass made for a node, as far as nothing was made of others
        node = stack.pop()
        if node not in found and not isinstance(node, Structural):
            found[node] = None
            stack += [child for child in _ir.children(node) if child not in known]
    return [new[root] for root in roots], [*found]


def _walk(
    roots: Sequence[Node], passes: Sequence[Pass], memo: Memo, kept: Container[Node]
) -> dict[Node, Node]:
    order = _ir.topological(roots)
    core = {node: _core(node) for node in order}
    uses: Counter[Node] = Counter([core[root] for root in roots])
    uses.update([core[child] for node in order for child in _ir.children(node)])
    once = _Once()  # rewritten nodes that stand for a node used once
    new: dict[Node, Node] = {}
    for node in order:
        tick()
        below = _ir.children(node)
        moved = [new[child] for child in below]
        same = all(a is b for a, b in zip(moved, below, strict=True))
        rebuilt = node if same else _ir.with_children(node, moved)
        if node in kept:  # nor is it counted as used once: nothing sees through it
            new[node] = rebuilt
            continue
        made = memo.find(rebuilt, once)
        if made is None:
            made = rebuilt
            for a_pass in passes:
                made = a_pass(made, once)
            memo.keep(rebuilt, made, once.take_answers())
        new[node] = made
        if uses[core[node]] == 1:
            once.add(made, _core(made))
    return new


def _core(node: Node) -> Node:
    """What a node shares with its transposed and scaled twins."""
    if isinstance(node, Product):
        return _ir.canonical_twin(node)[0]
    return node


__all__ = [
    "MOST_OPERANDS",
    "PASSES",
    "Made",
    "Memo",
    "Pass",
    "diagonals",
    "expand",
    "factor",
    "flatten",
    "made_by_differentiation",
    "merge",
    "narrow",
    "narrowed",
    "picked_last",
    "push",
    "regroup",
    "remember",
    "remembered",
    "scatter",
    "select",
    "simplify",
    "symmetrise",
    "walk",
    "whole_work",
    "work",
    "written_nodes",
]
