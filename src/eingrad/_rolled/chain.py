"""The chain of a loop that was written out: the longest path through a graph, and its period.

In: roots. Out: a path on which the same kinds of nodes come again and again, and how far along it
each node below its end is needed first.
Guaranteed: it depends on structure alone; one pass over the graph, and one over the path for each
period that is tried.

What a loop carries from step to step lies on a path through all of its steps, and that is the
longest one there is, unless something else is longer. *Marks* on it, one period apart, part the
nodes below its end into steps: a step has what its mark needs and the mark before it does not.
"""

import itertools
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eingrad import _ir
from eingrad._ir import Apply, Node, Product, Structural

_LOOKED_DOWN = 4  # levels that tell apart operands of one depth
_FAR = 9  # levels: what is fixed is farther away in each step
_MULTIPLES = (1, 2, 3, 4)  # of a period that are tried: parts of a step may look alike
_LONG = 4096  # characters, from which on what was seen is told by its digest
_MOST_PERIODS = 4096  # that are tried: nodes along the path in one step


class Chain(NamedTuple):
    """A part of the longest path that repeats, operands first."""

    path: list[Node]
    first: int  # place on the path from which it repeats
    last: int  # place up to which it does
    period: int
    place: dict[Node, int]  # the first place on the path that needs a node, of those below its end


def find_chains(order: Sequence[Node], least: int) -> Iterator[Chain]:
    """Find the longest part of the longest path that is `least` periods or more.

    A step may have several parts that look alike from the path, so multiples of the period follow.
    `order` has operands before what they are operands of.
    """
    users = Counter(n for node in order for n in {*operands_of(node)})
    shared = {node for node, count in users.items() if count >= least}
    path = _longest_path(order, shared)
    for (first, last, period), multiples in _repetitions(path, least):
        place = _places(order, path[: last + 1])
        for times in multiples:
            if last + 1 - first >= least * times * period:
                yield Chain(path, first, last, times * period, place)


def _repetitions(
    path: Sequence[Node], least: int
) -> list[tuple[tuple[int, int, int], tuple[int, ...]]]:
    """Find the longest part that repeats, by what its nodes meet, and by what they do alone.

    What they meet tells parts of a step apart, and one loop from the next. But a path may go
    through another one of several equal operands in each step: then it repeats by what its nodes
    do. A part that is longer by half is tried first, by itself: most sums repeat so, and are no
    loops. Multiples are told with each.
    """
    kinds = [kind_of_node(node) for node in path]
    seen = _repetition(np.array(_numbered(_seen_from(path, kinds))), least)
    done = _repetition(np.array(_numbered(kinds)), least)
    if seen is None or done is None:
        return [] if done is None else [(done, (1,))]
    seen = _extended(kinds, *seen)
    is_longer = 2 * (done[1] - done[0]) > 3 * (seen[1] - seen[0])
    found = (seen, _MULTIPLES)
    return [(done, (1,)), found] if is_longer else [found]


def kind_of_node(node: Node) -> tuple[object, ...]:
    """Say what a node does, but for its operands, its numbers, and in which order it has them."""
    kind: object = type(node).__name__
    if isinstance(node, Apply):
        is_multiple = node.primitive.number is not None  # by a factor or by a divisor
        kind = "multiple" if is_multiple else (node.primitive.identity, node.result)
    shape = tuple(sorted(node.shape)) if has_twins(node) else node.shape
    return (kind, shape, node.dtype.str, len(_ir.children(node)))


def has_twins(node: Node) -> bool:
    """Whether a node may be written transposed where it is an operand: `_ir.canonical_twin`."""
    return isinstance(node, Product) and not node.is_view


def operands_of(node: Node) -> list[Node]:
    """Give the operands of a node that have values."""
    return [n for n in _ir.children(node) if not isinstance(n, Structural)]


def _longest_path(order: Sequence[Node], shared: Container[Node]) -> list[Node]:
    depth: dict[Node, int] = {}
    for node in order:
        depth[node] = 1 + max((depth[n] for n in operands_of(node)), default=-1)
    look = _Look(depth, shared)
    node = max(order, key=depth.__getitem__)
    path = [node]
    while below := operands_of(node):
        deepest = max(depth[n] for n in below)
        equal = [n for n in below if depth[n] == deepest]
        node = equal[0] if len(equal) == 1 else min(equal, key=lambda n: look.down(n, _LOOKED_DOWN))
        path.append(node)
    return path[::-1]


def _seen_from(path: Sequence[Node], kinds: Sequence[object]) -> list[object]:
    """Say of each node of a path what it does, and with what: that is what a period is told by."""
    numbers: dict[object, int] = {}
    seen = [kinds[0]]
    for (below, node), kind in zip(itertools.pairwise(path), kinds[1:], strict=True):
        beside = (_seen(n) for n in operands_of(node) if n is not below)
        seen.append((kind, *sorted(numbers.setdefault(n, len(numbers)) for n in beside)))
    return seen


def _extended(kinds: Sequence[object], first: int, last: int, period: int) -> tuple[int, int, int]:
    """Add a step at each end, if it does the same: the first one begins with other things."""
    for _ in range(period):
        if first > 0 and kinds[first - 1] == kinds[first - 1 + period]:
            first -= 1
        if last + 1 < len(kinds) and kinds[last + 1] == kinds[last + 1 - period]:
            last += 1
    return first, last, period


def _seen(node: Node) -> object:
    """Say what an operand beside the path is: what any step may be given, or what does the same."""
    return kind_of_node(node) if _ir.children(node) else (node.shape, node.dtype.str)


class _Look:
    """Looks at nodes and what is a few levels below them, at each node once for each level.

    What is used by many would be written down as often as there are paths to it, which a sum of
    sums of hundreds has too many of.
    """

    def __init__(self, depth: dict[Node, int], shared: Container[Node]) -> None:
        self._depth, self._shared = depth, shared
        self._seen: dict[tuple[Node, int], str] = {}

    def down(self, node: Node, levels: int) -> str:
        """Write down a node, in an order of its own; what is long or shared, by its digest."""
        if node in self._shared:
            return node.digest.hex()
        known = self._seen.get((node, levels))
        if known is None:
            text = self._written(node, levels)
            known = text if len(text) <= _LONG else blake2b(text.encode()).hexdigest()
            self._seen[node, levels] = known
        return known

    def _written(self, node: Node, levels: int) -> str:
        kind, depth = kind_of_node(node), self._depth
        if not levels:
            return repr(kind[1:])
        below = sorted(
            f"{min(depth[node] - depth[n], _FAR)}{self.down(n, levels - 1)}"
            for n in operands_of(node)
        )
        return f"{_name(node)}{kind[1:]}{below}"


def _name(node: Node) -> str:
    return node.primitive.name if isinstance(node, Apply) else type(node).__name__


def _numbered(kinds: Sequence[object]) -> list[int]:
    numbers: dict[object, int] = {}
    return [numbers.setdefault(kind, len(numbers)) for kind in kinds]


def _repetition(kinds: NDArray[np.intp], least: int) -> tuple[int, int, int] | None:
    """Find the longest part in which each entry is the one a period before: ends, and period.

    Of several periods the shortest one.
    """
    best: tuple[int, int, int] | None = None
    for period in range(1, min(len(kinds) // least, _MOST_PERIODS) + 1):
        differs = np.flatnonzero(kinds[:-period] != kinds[period:])
        ends = np.concatenate([[-1], differs, [len(kinds) - period]])
        lengths = np.diff(ends) - 1
        longest = int(lengths.argmax())
        first, last = int(ends[longest]) + 1, int(ends[longest + 1]) - 1 + period
        if lengths[longest] < period * (least - 1):
            continue
        if best is None or last - first > best[1] - best[0]:
            best = first, last, period
    return best


def _places(order: Sequence[Node], path: Sequence[Node]) -> dict[Node, int]:
    """Say of each node below the end of a path which node of it is the first to need it."""
    on_path = {node: n for n, node in enumerate(path)}
    place = {path[-1]: len(path) - 1}
    for node in reversed(order):
        if node not in place:
            continue
        at = place[node] = on_path.get(node, place[node])
        for n in operands_of(node):
            if place.get(n, at + 1) > at:
                place[n] = at
    return place


def best_marks(order: Sequence[Node], chain: Chain) -> list[int]:
    """Choose where steps begin: where the least is carried over, in the middle of the chain."""
    first, last, period, place = chain.first, chain.last, chain.period, chain.place
    middle = first + (last - first) // (2 * period) * period
    carried: list[set[Node]] = [set() for _ in range(period)]
    for node in order:
        at = place.get(node, -1)
        if not middle < at <= middle + 2 * period:
            continue
        for n in operands_of(node):
            if place[n] > first:
                for cut in range(max(place[n], middle), min(at, middle + period)):
                    carried[cut - middle].add(n)
    options = [_marks(chain, offset) for offset in range(period)]
    best = min(
        range(period),
        key=lambda n: (sum(_bytes(x) for x in carried[n]), len(carried[n]), -len(options[n])),
    )
    return options[best]


def may_repeat(order: Sequence[Node], chain: Chain, marks: Sequence[int]) -> bool:
    """Whether two steps in the middle have as many nodes of each kind: a cheap look at first."""
    middle = len(marks) // 2
    first, second, third = marks[middle - 1 : middle + 2]
    moving = {chain.path[marks[0]]}
    kinds: tuple[Counter[object], Counter[object]] = Counter(), Counter()
    for node in order:
        at = chain.place.get(node, -1)
        if at >= 0 and not moving.isdisjoint(_ir.children(node)):
            moving.add(node)
            if first < at <= third:
                kinds[at > second][kind_of_node(node)] += 1
    return kinds[0] == kinds[1]


def _marks(chain: Chain, offset: int) -> list[int]:
    """Give the marks that lie so far behind the beginning: what is before them need not repeat."""
    begin = chain.first + offset
    if offset == chain.period - 1 and chain.first > 0:
        begin = chain.first - 1
    return [*range(begin, chain.last + 1, chain.period)]


def _bytes(node: Node) -> int:
    return node.size * node.dtype.itemsize
