"""Steps that do the same: one is matched with each of the others, node by node.

In: the nodes of a chain, in steps. Out: for each step, which of its nodes does what a node of the
step in the middle does; and on what the steps differ.
Guaranteed: matched nodes are the same operation on matched operands, whatever order these are kept
in; what they may differ in is numbers that multiply, and what no step computes.

Operands of sums and products are kept in an order of their own in every step. So nodes have a
*class*, a number that says what they compute within their step, from what arrives there; of that,
from which place of the step before. Operands are matched by class; where several have one, in each
order.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from eingrad import _ir
from eingrad._ir import Add, Apply, Einsum, Node, Structural
from eingrad._rolled.chain import kind_of_node, operands_of
from eingrad._subscripts import number

_ROUNDS = 2  # the first looks at one step, each further one at one more before it
_ORDERS = 24  # of operands of one class that are tried
OUTSIDE = -1  # the step of what no step computes


class Classes(NamedTuple):
    """Numbers of nodes that compute the same; those of the steps before, as they were found."""

    of: dict[Node, int]
    before: Mapping[Node, int] | None


@dataclass(slots=True)
class Match:
    """One step, matched with the step in the middle: nodes by the nodes of that one."""

    number: int
    node: dict[Node, Node] = field(default_factory=dict)  # what the step computes
    given: dict[Node, Node] = field(default_factory=dict)  # what it is given

    def of(self, node: Node) -> Node:
        """Give the node of this step, or what it is given, for one of the step in the middle."""
        found = self.node.get(node)
        return self.given[node] if found is None else found


class Steps:
    """Nodes below the end of a chain, by the number of the step that computes them."""

    def __init__(
        self, order: Sequence[Node], place: Mapping[Node, int], path: Sequence[Node],
        marks: Sequence[int], *, numbers_vary: bool,
    ) -> None:  # fmt: skip
        self._numbers_vary = numbers_vary
        self.ends = [path[mark] for mark in marks]  # of step n - 1, and so the beginning of step n
        self.count = len(marks) - 1
        self.middle = self.count // 2
        first, period = marks[0], marks[1] - marks[0]
        self.step = {n: max(OUTSIDE, (at - first - 1) // period) for n, at in place.items()}
        self.nodes = [n for n in order if self.step.get(n, OUTSIDE) > OUTSIDE]
        self._moving = self._find_moving(order)
        self._shared = self._find_shared(order)
        self._apart: set[Node] = set()  # nodes of the middle step that differ from step to step
        self._classes = self._find_classes()

    def _find_moving(self, order: Iterable[Node]) -> set[Node]:
        """Find what is computed from where the first step begins."""
        moving = {self.ends[0]}
        for node in order:
            if not moving.isdisjoint(_ir.children(node)):
                moving.add(node)
        return moving

    def _find_shared(self, order: Iterable[Node]) -> set[Node]:
        """Find what half of the steps use."""
        last: dict[Node, int] = {}
        first: dict[Node, int] = {}
        for node in order:
            at = self.step.get(node, OUTSIDE)
            if at == OUTSIDE:
                continue
            for n in operands_of(node):
                last[n], first[n] = max(last.get(n, at), at), min(first.get(n, at), at)
        return {n for n, at in last.items() if at - first[n] >= self.count // 2}

    def is_fixed(self, node: Node) -> bool:
        """Whether a node is the same whatever the steps compute."""
        return node not in self._moving

    # Classes

    def _find_classes(self) -> list[Classes]:
        """Find classes: those that look back furthest come first."""
        found: list[Classes] = []
        for _ in range(_ROUNDS):
            numbers: dict[object, int] = {}
            classes = Classes({}, found[0].of if found else None)
            for node in self.nodes:
                key = self._key(node, classes)
                classes.of[node] = numbers.setdefault(key, len(numbers))
            found.insert(0, classes)
        return found

    def _class_below(self, node: Node, of: Node, at: int, classes: Classes) -> tuple[Any, ...]:
        """Say what an operand is to a node of a step, in a tuple that can be ordered."""
        if isinstance(node, Structural):
            return (0,) if self.is_fixed(of) else (0, node.digest)
        if node in self._shared:
            return (1, node.digest)
        step = self.step.get(node, OUTSIDE)
        if step == at:
            return (2, classes.of[node])
        if step == OUTSIDE or classes.before is None:
            return (3, node.shape, node.dtype.str)
        return (4, at - step, classes.before.get(node, 0), node.shape, node.dtype.str)

    def _key(self, node: Node, classes: Classes) -> tuple[object, ...]:
        kind, at = kind_of_node(node), self.step[node]
        below = [self._class_below(n, node, at, classes) for n in _ir.children(node)]
        if isinstance(node, Apply):
            return (kind, numbers_of(node, vary=self._numbers_vary), *below)
        numbers = (None,) * len(below) if self._numbers_vary else numbers_of(node, vary=False)
        if isinstance(node, Add):
            return (kind, *sorted(zip(below, map(repr, numbers), strict=True)))
        if not isinstance(node, Einsum):
            return (kind, *below)
        order = sorted(range(len(below)), key=lambda n: (below[n], len(node.terms[n])))
        terms, out, _ = number([node.terms[n] for n in order], node.out)
        return (kind, *(below[n] for n in order), terms, out, repr(numbers[:1]))

    # Matching

    def matched(self) -> list[Match]:
        """Match the step in the middle with itself, and with all before and after that are alike.

        What is fixed and differs in one of them is given to all, as soon as that is found.
        """
        middle = self.middle
        while True:
            known = len(self._apart)
            found = [self._match(middle)]
            for steps in (range(middle + 1, self.count), range(middle - 1, -1, -1)):
                for n in steps:
                    match = self._match(n)
                    if match is None:
                        break
                    found.append(match)
            if len(self._apart) == known:
                matches = [match for match in found if match is not None]
                return sorted(matches, key=lambda match: match.number)

    def _match(self, n: int) -> Match | None:
        for classes in self._classes:
            match = self._match_by(classes, n)
            if match is not None:
                return match
        return None

    def _match_by(self, classes: Classes, n: int) -> Match | None:
        middle = self.middle
        match = Match(n)
        pending = [(self.ends[middle + 1], self.ends[n + 1])]
        while pending:
            a, b = pending.pop()
            known = match.given if self._is_given(a, middle) else match.node
            if a in known:
                if known[a] is not b:
                    self.why = ("known", a, b, known[a])
                    return None
                continue
            if a.shape != b.shape or a.dtype != b.dtype:
                self.why = ("shape", a, b)
                return None
            if known is match.given:
                known[a] = b
                continue
            pairs = self._pairs(a, b, match, classes)
            if pairs is not None and (self.is_fixed(a) or self.step.get(b, OUTSIDE) == n):
                match.node[a] = b
                pending += pairs
            elif self.is_fixed(a) and self.is_fixed(b):
                self._apart.add(a)
                match.given[a] = b
            else:
                self.why = ("pairs", a, b, pairs, self.step.get(b), _ir.children(a), _ir.children(b))
                return None
        return match

    def _is_given(self, node: Node, middle: int) -> bool:
        is_leaf = not _ir.children(node)
        return is_leaf or node in self._apart or self.step.get(node, OUTSIDE) != middle

    def _pairs(
        self, a: Node, b: Node, match: Match, classes: Classes
    ) -> list[tuple[Node, Node]] | None:
        """Pair the operands of two nodes that do the same; None where they do not."""
        middle, n = self.middle, match.number
        if kind_of_node(a) != kind_of_node(b):
            return None
        if isinstance(a, Apply) and isinstance(b, Apply):
            vary = self._numbers_vary
            if numbers_of(a, vary=vary) != numbers_of(b, vary=vary):
                return None
            return [*zip(a.operands, b.operands, strict=True)]
        ka = [self._class_below(x, a, middle, classes) for x in _ir.children(a)]
        kb = [self._class_below(x, b, n, classes) for x in _ir.children(b)]
        first = sorted(range(len(ka)), key=ka.__getitem__)
        for vary in (False, True)[: 1 + self._numbers_vary]:
            for order in itertools.islice(_orders([ka[k] for k in first], kb), _ORDERS):
                pairs = _paired(a, b, first, order, vary=vary)
                if pairs is not None and all(self._may_match(x, y, match) for x, y in pairs):
                    return pairs
        return None

    def _may_match(self, a: Node, b: Node, match: Match) -> bool:
        """Whether two nodes may be matched, at the first look; what is known must be the same."""
        known = match.node.get(a) or match.given.get(a)
        if known is not None:
            return known is b
        if self._is_given(a, self.middle):
            return a.shape == b.shape and (a not in self._shared or a is b)
        return self.is_fixed(a) or (
            self.step.get(b, OUTSIDE) == match.number and kind_of_node(a) == kind_of_node(b)
        )


def numbers_of(node: Node, *, vary: bool) -> tuple[object, ...]:
    """Give the numbers that a node multiplies with; those that may vary are left out."""
    match node:
        case Apply():
            return () if vary and node.primitive.number is not None else node.attributes
        case Add():
            return () if vary else node.coefficients
        case Einsum():
            return () if vary else (node.coefficient,) * len(node.operands)
    return ()


def _orders(wanted: Sequence[object], given: Sequence[object]) -> Iterator[list[int]]:
    """Give orders of what is given in which its classes are those that are wanted.

    What has no class in common with what is wanted takes the places that are left.
    """
    places: dict[object, list[int]] = {}
    for n, key in enumerate(given):
        places.setdefault(key, []).append(n)
    left: list[int] = []
    taken: list[tuple[list[int], list[int]]] = []  # places that are wanted, and those they get
    open_places: list[int] = []
    for key, group in itertools.groupby(range(len(wanted)), key=wanted.__getitem__):
        slots, found = [*group], places.pop(key, [])
        count = min(len(slots), len(found))
        taken.append((slots[:count], found[:count]))
        open_places += slots[count:]
        left += found[count:]
    left += [n for group in places.values() for n in group]
    taken.append((open_places, sorted(left)))
    for chosen in itertools.product(*(itertools.permutations(found) for _, found in taken)):
        order = [0] * len(wanted)
        for (slots, _), found in zip(taken, chosen, strict=True):
            for slot, n in zip(slots, found, strict=True):
                order[slot] = n
        yield order


def _paired(
    a: Node, b: Node, first: Sequence[int], second: Sequence[int], *, vary: bool
) -> list[tuple[Node, Node]] | None:
    """Pair operands in these orders, if they stand in the same terms, by the same tables."""
    numbers = [numbers_of(node, vary=vary) for node in (a, b)]
    if not vary and [numbers[0][k] for k in first] != [numbers[1][m] for m in second]:
        return None
    if isinstance(a, Add) and isinstance(b, Add):
        return [(a.terms[k], b.terms[m]) for k, m in zip(first, second, strict=True)]
    if not (isinstance(a, Einsum) and isinstance(b, Einsum)):
        return None
    terms = [[node.terms[k] for k in order] for node, order in ((a, first), (b, second))]
    if number(terms[0], a.out) != number(terms[1], b.out):
        return None
    pairs = [(a.operands[k], b.operands[m]) for k, m in zip(first, second, strict=True)]
    if any(x is not y for x, y in pairs if isinstance(x, Structural) or isinstance(y, Structural)):
        return None
    return [(x, y) for x, y in pairs if not isinstance(x, Structural)]
