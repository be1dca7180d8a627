"""A graph parted into the steps of a loop.

In: a chain, and marks on it. Out: the number of the step that computes each node.
Guaranteed: linear in the graph. What the end of the chain needs is in the first step whose end
needs it; what is made of that, in the first step that has all of it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from eingrad import _ir
from eingrad._ir import Node
from eingrad._rolled.chain import Chain, kind_of_node, operands_of
from eingrad._rolled.classes import OUTSIDE, numbers_of

_SOON = 2  # steps later: what is carried
_PEELED = 3  # steps at an end that may be other than the rest, as one that begins with zeros


class Parted:
    """Nodes by the steps that compute them.

    `with_users`: also what is made of steps, beside what they carry on: a sum of losses.
    `is_loose`: what only most steps use may be another one in each.
    `passing`: what is fixed, and used in several steps, in whichever it is computed.
    """

    def __init__(
        self, order: Sequence[Node], chain: Chain, marks: Sequence[int], *,
        with_users: bool, is_loose: bool,
    ) -> None:  # fmt: skip
        self.order = order
        self.ends = [chain.path[mark] for mark in marks]  # of step n - 1, where step n begins
        self.count = len(marks) - 1
        self.middle = self.count // 2
        self.peeled = min(_PEELED, self.count // 4)
        self._moving = self._find_moving()
        place = self._with_users(chain.place) if with_users else chain.place
        first, period = marks[0], marks[1] - marks[0]
        self.step = {n: max(OUTSIDE, (at - first - 1) // period) for n, at in place.items()}
        self.nodes = [n for n in order if OUTSIDE < self.step.get(n, OUTSIDE) < self.count]
        least = self.count if is_loose else self.count - self.count // 4
        uses = ((n, self.step[node]) for node in self.nodes for n in operands_of(node))
        counts = _counts(uses)
        self.shared = frozenset(n for n, count in counts.items() if count >= least)
        self.passing = frozenset(n for n, count in counts.items() if count > 1 and self.is_fixed(n))
        multiplied = (
            (number, self.step[node]) for node in self.nodes for number in numbers_of(node)
        )
        self.numbers = frozenset(n for n, count in _counts(multiplied).items() if count >= least)
        self._last = self._find_last()
        self._kinds: dict[Node, object] = {}

    def kind_of(self, node: Node) -> object:
        """Say what a node does: it is asked for each step that it is compared with."""
        kind = self._kinds.get(node)
        if kind is None:
            kind = self._kinds[node] = kind_of_node(node)
        return kind

    def is_fixed(self, node: Node) -> bool:
        """Whether a node is the same whatever the steps compute."""
        return node not in self._moving

    def last_of(self, step: int) -> list[Node]:
        """Give the nodes of a step that no other one of it uses, but for its end."""
        return self._last.get(step, [])

    def _find_last(self) -> dict[int, list[Node]]:
        """Find what a step makes for others; not what only moves entries, and is used later on."""
        used, soon = set[Node](), set[Node]()
        last: dict[int, list[Node]] = {}
        for node in reversed(self.nodes):
            at = self.step[node]
            is_view = _ir.is_rearranged(node) and node not in used and node not in soon
            if node in self._moving and node not in used and node is not self.ends[at + 1]:
                if is_view:
                    continue
                last.setdefault(at, []).append(node)
            for n in operands_of(node):
                step = self.step.get(n, OUTSIDE)
                if step == at:
                    used.add(n)
                elif at - step <= _SOON:
                    soon.add(n)
        return last

    def _find_moving(self) -> set[Node]:
        """Find what is computed from where the first step begins."""
        moving = {self.ends[0]}
        for node in self.order:
            if not moving.isdisjoint(_ir.children(node)):
                moving.add(node)
        return moving

    def _with_users(self, place: dict[Node, int]) -> dict[Node, int]:
        """Place what is made of steps as early as may be, and what only that needs."""
        placed = {**place}
        for node in self.order:
            if node not in placed and node in self._moving:
                placed[node] = max(placed[n] for n in operands_of(node) if n in self._moving)
        for node in reversed(self.order):
            for n in operands_of(node) if node in placed else ():
                if n not in self._moving:
                    placed[n] = min(placed.get(n, placed[node]), placed[node])
        return placed


def _counts(found: Iterable[tuple[Any, int]]) -> Counter[Any]:
    """Count in how many steps each is found."""
    return Counter(what for what, _ in {*found})
