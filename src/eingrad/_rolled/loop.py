"""A loop that was written out becomes a scan.

In: roots, and the matched steps of a chain. Out: roots that compute the same by one scan.
Guaranteed: a step of the scan is the one in the middle, on inputs of its own; what steps take from
outside and differ in is stacked, and what is used of them outside is a part of what the scan
stacks.

What a step is given is a *constant* where it is one node for all; a *carry* where an earlier step
computed it, each time in the same place; else a *slice*.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from eingrad import _ir
from eingrad._ir import Node, Placement
from eingrad._opaque import is_opaque
from eingrad._recurrence import results_of_scan
from eingrad._rolled.classes import between
from eingrad._rolled.matches import Match
from eingrad._rolled.parted import Parted
from eingrad._rolled.stacks import Capture, joined, one_of, stacked
from eingrad._rolled.step import Carry, Given, Step
from eingrad._step import recurrence_of

T = TypeVar("T")


class Loop:
    """Steps that are alike, without gaps, and what they are given."""

    def __init__(self, parted: Parted, matches: Sequence[Match]) -> None:
        self._parted, self.matches = parted, matches
        self._middle = next(m for m in matches if m.number == parted.middle)
        self._place = {b: (m.number, a) for m in matches for a, b in m.node.items()}
        self._given = self._sort_out()

    @property
    def is_one(self) -> bool:
        """Whether all that steps are given is known: else they are no loop."""
        return self._given is not None

    @property
    def is_complete(self) -> bool:
        """Whether nearly all steps are in it, and they differ in nothing that is computed."""
        slices = {} if self._given is None else self._given.slices
        given = [n for values in slices.values() for n in values]
        is_given = all(not _ir.children(n) or isinstance(n, Placement) for n in given)
        return is_given and len(self.matches) >= self._parted.count - self._parted.peeled

    @property
    def size(self) -> int:
        """How many nodes the steps have."""
        return sum(len(m.node) for m in self.matches)

    # What a step is given

    def _sort_out(self) -> Given | None:
        given = Given()
        if any(map(is_opaque, self._middle.node)):  # each step would need values of its own
            return None
        for node in self._middle.given:
            values = [m.given[node] for m in self.matches]
            if all(value is values[0] for value in values):
                given.constants.add(node)
                continue
            carry = self._carry(node, values)
            if carry is not None:
                given.carries[node] = carry
                for n in range(carry.delay):  # n + 1 steps before, it was found n steps on
                    each = carry._replace(delay=carry.delay - n)
                    axes = between(range(node.ndim), carry.axes)
                    first = _ir.transpose(self._straight(node, n), axes)
                    if given.firsts.setdefault(each.straight, first) is not first:
                        return None
            elif any(node in m.turned for m in self.matches):
                return None
            else:
                given.slices[node] = values
        if not given.carries:  # what steps hand on was taken for slices, in another order each time
            return None
        made = self._computed(given)
        outside = [n for values in given.slices.values() for n in values]
        outside += [*given.firsts.values(), *given.constants]
        return None if any(n in made for n in outside) else given

    def _straight(self, node: Node, n: int) -> Node:
        """Give what the n-th step is given, with axes as they are in the middle."""
        match = self.matches[n]
        return _ir.transpose(match.of(node), between(range(node.ndim), match.axes(node)))

    def _carry(self, node: Node, values: Sequence[Node]) -> Carry | None:
        """Say which node of earlier steps the values are, if they are always the same one."""
        if values[-1] not in self._place:
            return None
        number, position = self._place[values[-1]]
        delay = self.matches[-1].number - number
        if not 0 < delay < len(self.matches):
            return None
        turns = set()
        for earlier, match in zip(self.matches, self.matches[delay:], strict=False):
            if earlier.node.get(position) is not match.given[node]:
                return None
            turns.add(between(earlier.axes(position), match.axes(node)))
        return Carry(position, delay, turns.pop()) if len(turns) == 1 else None

    def _computed(self, given: Given) -> set[Node]:
        """Find what is computed from carries, in these steps and after them."""
        made = {m.node[carry.node] for carry in given.carries.values() for m in self.matches}
        for node in self._parted.order:
            if not made.isdisjoint(_ir.children(node)):
                made.add(node)
        return made

    # The scan

    def written(
        self, roots: Sequence[Node], made: frozenset[bytes], capture: Capture
    ) -> tuple[list[Node], frozenset[bytes]]:
        """Put a scan in the place of the steps; `made` are digests of derivatives."""
        given, length = self._given, len(self.matches)
        assert given is not None
        uses = self._uses(roots)
        outputs = _numbered(a for n, a in uses.values() if not self._is_last(n, a))
        lasting = (Carry.of(a, 1) for _, a in uses.values() if a not in outputs)
        carried = _numbered([*given.firsts, *lasting])
        step = Step(self._middle, self.matches, given, [*carried])
        nodes = step.rebuilt([step.next_node(carry) for carry in carried])
        nodes += step.rebuilt([*outputs])
        recurrence, constants = recurrence_of(nodes, step.digests(made), step.inputs, len(carried))
        firsts = [given.firsts.get(c) or _ir.zeros(c.node.shape, c.node.dtype) for c in carried]
        slices = [stacked(values, capture) for values in step.sliced]
        results = results_of_scan(recurrence, [*constants, *firsts, *slices], length)
        first = self.matches[0].number
        replaced: dict[Node, Node] = {}
        for b, (number, a) in uses.items():
            if a in outputs:
                found = one_of(results[len(carried) + outputs[a]], number - first)
            else:
                carry = Carry.of(a, self.matches[-1].number - number + 1)
                found = results[carried[carry]]
            replaced[b] = _ir.transpose(found, self.matches[number - first].axes(a))
        return rebuilt_above(roots, replaced, made)

    def _uses(self, roots: Sequence[Node]) -> dict[Node, tuple[int, Node]]:
        """Find what is used outside of the steps: which step has it, and where in it."""
        seen = {*roots}
        pending, found = [*roots], dict[Node, tuple[int, Node]]()
        while pending:
            node = pending.pop()
            if node in self._place and not self._parted.is_fixed(node):
                found[node] = self._place[node]
                continue
            below = [n for n in _ir.children(node) if n not in seen]
            seen.update(below)
            pending += below
        return {node: found[node] for node in self._parted.order if node in found}

    def _is_last(self, number: int, a: Node) -> bool:
        """Whether a node of a step is what a carry is in the end."""
        assert self._given is not None
        delay = self.matches[-1].number - number + 1
        return delay == 1 or Carry.of(a, delay) in self._given.firsts


def _numbered(found: Iterable[T]) -> dict[T, int]:
    """Number what is found in the order of first use."""
    return {what: n for n, what in enumerate(dict.fromkeys(found))}


def rebuilt_above(
    roots: Sequence[Node], replaced: Mapping[Node, Node], made: frozenset[bytes]
) -> tuple[list[Node], frozenset[bytes]]:
    """Put nodes in the place of others; give the digests of derivatives as they are then."""
    new = {**replaced}
    digests = {*made}
    for node in _below(roots, new):
        below = _ir.children(node)
        moved = [new[n] for n in below]
        if all(a is b for a, b in zip(moved, below, strict=True)):
            new[node] = node
            continue
        rebuilt = _ir.with_children(node, moved)
        new[node] = joined(rebuilt)
        if node.digest in made:
            digests.add(new[node].digest)
    return [new[root] for root in roots], frozenset(digests)


def _below(roots: Sequence[Node], known: Container[Node]) -> Iterator[Node]:
    """Give nodes below the roots, operands first, as far as those that are known."""
    pending = [*roots][::-1]
    done: set[Node] = set()
    while pending:
        node = pending[-1]
        if node in done or node in known:
            pending.pop()
            continue
        missing = [n for n in _ir.children(node) if n not in done and n not in known]
        if missing:
            pending += missing[::-1]
            continue
        pending.pop()
        done.add(node)
        yield node
