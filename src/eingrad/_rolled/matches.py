"""Steps that do the same: one is matched with each of the others, node by node.

In: the nodes of a chain, in steps. Out: for each step, which of its nodes does what a node of the
step in the middle does; and on what the steps differ.
Guaranteed: matched nodes are the same operation on matched operands, whatever order these are kept
in; what they may differ in is numbers that multiply, and what no step computes.

Operands are matched by their classes; where several have one, in each order.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple, TypeGuard

from eingrad import _ir
from eingrad._ir import Add, Apply, Einsum, Node, Structural
from eingrad._rolled.classes import OUTSIDE, Classes
from eingrad._rolled.parted import Parted
from eingrad._subscripts import Subscripts, number

_ORDERS = 24  # of operands of one class that are tried


class Pair(NamedTuple):
    """A node of the step in the middle, and what may be the same in another."""

    a: Node
    b: Node
    is_turned: bool  # whether their axes may stand in another order


@dataclass(slots=True)
class Match:
    """One step, matched with the step in the middle: nodes by the nodes of that one."""

    number: int
    node: dict[Node, Node] = field(default_factory=dict)  # what the step computes
    given: dict[Node, Node] = field(default_factory=dict)  # what it is given
    turned: dict[Node, Subscripts] = field(default_factory=dict)  # how to transpose to this step

    begun: set[Node] = field(default_factory=set)  # sums to which nothing is added yet

    def of(self, node: Node) -> Node:
        """Give the node of this step, or what it is given, for one of the step in the middle."""
        found = self.node.get(node)
        return self.given[node] if found is None else found

    def axes(self, node: Node) -> Subscripts:
        """Say how a node of the step in the middle is transposed to be that of this step."""
        return self.turned.get(node, tuple(range(node.ndim)))


class Matcher:
    """Matches the step in the middle with others."""

    def __init__(self, parted: Parted) -> None:
        self._parted, self._middle = parted, parted.middle
        self._apart: set[Node] = set()  # nodes of the middle step that differ from step to step
        coarse = Classes(parted, None)
        self._classes = [Classes(parted, coarse), coarse]
        self._chosen = self._users()

    def matched(self) -> list[Match]:
        """Match the step in the middle with itself, and with all before and after that are alike.

        What is fixed and differs in one of them is given to all, as soon as that is found.
        """
        middle = self._middle
        while True:
            known = len(self._apart)
            found = [self._match(middle)]
            for steps in (range(middle + 1, self._parted.count), range(middle - 1, -1, -1)):
                for n in steps:
                    match = self._match(n)
                    if match is None:
                        break
                    found.append(match)
            if len(self._apart) == known:
                return sorted((m for m in found if m), key=lambda match: match.number)

    def _match(self, n: int) -> Match | None:
        for classes in self._classes:
            match = self._match_by(classes, n)
            if match is not None:
                return match
        return None

    def _match_by(self, classes: Classes, n: int) -> Match | None:
        match = Match(n)
        ends = self._parted.ends
        pending = self._last(classes, n)
        if pending is None:
            return None
        pending.append(Pair(ends[self._middle + 1], ends[n + 1], True))
        while pending:
            pair = pending.pop()
            known = match.given if self._is_given(pair.a) else match.node
            if pair.a in known:
                if known[pair.a] is not pair.b:
                    return None
                continue
            below = self._entered(pair, match, classes)
            if below is None:
                return None
            pending += below
        return match

    def _entered(self, pair: Pair, match: Match, classes: Classes) -> list[Pair] | None:
        """Match two nodes; give what has to be matched below them, or None if they differ."""
        a, b, _ = pair
        if a.ndim != b.ndim:
            return None
        axes = classes.between(a, b)
        if not _is_alike(pair, axes):
            return None
        if axes != tuple(range(a.ndim)):
            match.turned[a] = axes
        if self._is_given(a):
            match.given[a] = b
            return []
        n, is_fixed = match.number, self._parted.is_fixed(a)
        pairs = self._pairs(a, b, match, classes)
        if pairs is not None and (is_fixed or self._parted.step.get(b, OUTSIDE) == n):
            match.node[a] = b
            return pairs
        if self._is_inner(n) and is_fixed and self._parted.is_fixed(b):
            self._apart.add(a)
            match.given[a] = b
            return []
        begun = self._begun(a, b, match)
        if begun is not None:
            match.node[a] = b
            match.begun.add(a)
        return begun

    def _is_inner(self, n: int) -> bool:
        """Whether all steps follow this one: one at an end that has a zero is rather left out."""
        return self._parted.peeled <= n < self._parted.count - self._parted.peeled

    def _begun(self, a: Node, b: Node, match: Match) -> list[Pair] | None:
        """Match ``sum + c x`` with ``c x``: what is summed up begins with zero."""
        if not isinstance(a, Add) or len(a.terms) != 2:  # noqa: PLR2004 - a sum and what is added
            return None
        pairs = [*zip(a.terms, a.coefficients, strict=True)]
        for (carried, _), (x, factor) in (pairs, pairs[::-1]):
            is_open = carried not in match.given and self._is_given(carried)
            scaled = _ir.scale(b, 1 / Fraction(factor)) if _is_exact(factor) else b
            if is_open and not self._parted.is_fixed(carried) and _ir.scale(scaled, factor) is b:
                match.given[carried] = _ir.zeros(carried.shape, carried.dtype)
                return [Pair(x, scaled, False)]
        return None

    def _users(self) -> set[Node]:
        """Choose what else is matched of the middle step, beside what leads to its end.

        Those nodes that it does not use itself, of which the steps beside it have as many.
        """
        steps = [self._classes[0].last(self._middle + k) for k in (-1, 0, 1)]
        chosen: set[Node] = set()
        for key, nodes in steps[1].items():
            if all(len(found.get(key, ())) == len(nodes) for found in steps):
                chosen.update(nodes)
        return chosen

    def _last(self, classes: Classes, n: int) -> list[Pair] | None:
        """Pair these with those of another step: by class, what is left in order."""
        found = classes.last(n)
        pairs: list[Pair] = []
        left: list[Node] = []
        for key, nodes in classes.last(self._middle).items():
            wanted = [node for node in nodes if node in self._chosen]
            if wanted and len(found.get(key, ())) == len(wanted):
                pairs += [Pair(a, b, True) for a, b in zip(wanted, found.pop(key), strict=True)]
            else:
                left += wanted
        others = [node for nodes in found.values() for node in nodes] if left else []
        if len(left) != len(others):
            return None
        return pairs + [Pair(a, b, True) for a, b in zip(left, others, strict=True)]

    def _is_given(self, node: Node) -> bool:
        is_leaf = not _ir.children(node)
        return (
            is_leaf or node in self._apart or self._parted.step.get(node, OUTSIDE) != self._middle
        )

    def _pairs(self, a: Node, b: Node, match: Match, classes: Classes) -> list[Pair] | None:
        """Pair the operands of two nodes that do the same; None where they do not."""
        if self._parted.kind_of(a) != self._parted.kind_of(b):
            return None
        if isinstance(a, Apply) and isinstance(b, Apply):
            if classes.numbers(a) != classes.numbers(b):
                return None
            return [Pair(x, y, False) for x, y in zip(a.operands, b.operands, strict=True)]
        wanted = classes.below(a, self._middle)
        first = sorted(range(len(wanted)), key=wanted.__getitem__)
        wanted = [wanted[k] for k in first]
        given = classes.below(b, match.number)
        for second in itertools.islice(_orders(wanted, given), _ORDERS):
            pairs = _paired(a, b, first, second, classes)
            if pairs is not None and all(self._may_match(pair, match) for pair in pairs):
                return pairs
        return None

    def _may_match(self, pair: Pair, match: Match) -> bool:
        """Whether two nodes may be matched, at the first look; what is known must be the same."""
        a, b, _ = pair
        known = match.node.get(a) or match.given.get(a)
        if known is not None:
            return known is b
        if self._is_given(a):
            return sorted(a.shape) == sorted(b.shape) and (a not in self._parted.shared or a is b)
        return self._parted.is_fixed(a) or (
            self._parted.step.get(b, OUTSIDE) == match.number
            and self._parted.kind_of(a) == self._parted.kind_of(b)
        )


def _is_exact(number: object) -> TypeGuard[int | Fraction]:
    return isinstance(number, int | Fraction) and number != 0


def _is_alike(pair: Pair, axes: Subscripts) -> bool:
    """Whether one node, transposed, has the shape and dtype of the other."""
    a, b, is_turned = pair
    is_straight = axes == tuple(range(a.ndim))
    shape = tuple([a.shape[axis] for axis in axes])
    return (is_turned or is_straight) and shape == b.shape and a.dtype == b.dtype


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
        for (slots, _), numbers in zip(taken, chosen, strict=True):
            for slot, n in zip(slots, numbers, strict=True):
                order[slot] = n
        yield order


def _paired(
    a: Node, b: Node, first: Sequence[int], second: Sequence[int], classes: Classes
) -> list[Pair] | None:
    """Pair operands in these orders, if they stand in the same terms, by the same tables."""
    numbers = [classes.numbers(node) for node in (a, b)]
    if [numbers[0][k] for k in first] != [numbers[1][m] for m in second]:
        return None
    nodes = [(_ir.children(a)[k], _ir.children(b)[m]) for k, m in zip(first, second, strict=True)]
    if isinstance(a, Add):
        return [Pair(x, y, False) for x, y in nodes]
    if not (isinstance(a, Einsum) and isinstance(b, Einsum)):
        return None
    terms = classes.terms(a, first), classes.terms(b, second)
    if number(terms[0], classes.out(a)) != number(terms[1], classes.out(b)):
        return None
    structural = [pair for pair in nodes if any(isinstance(n, Structural) for n in pair)]
    if any(x is not y for x, y in structural):
        return None
    return [Pair(x, y, True) for x, y in nodes if not isinstance(x, Structural)]
