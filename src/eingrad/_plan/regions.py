"""Regions of a program that a loop may make: what large intermediates along one axis lead to.

In: roots whose products are pairwise. Out: for each axis of a large intermediate, what is made in
slices, what is written or added up of these, and how much memory that saves.
Guaranteed: what needs a result of the loop is not in it.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import NamedTuple

from eingrad import _ir
from eingrad._cost import time_to_write
from eingrad._ir import Node
from eingrad._limits import BUDGET, POLICY
from eingrad._plan.tiling import (
    Slices,
    Tiling,
    bytes_of,
    index_of,
    is_cut,
    is_virtual,
    may_be_sliced,
    operands_of,
    terms_of,
)


class Means(NamedTuple):
    """Time of the program without loops, and memory of a pass."""

    picoseconds: int
    tile_bytes: int


def find_regions(roots: Sequence[Node]) -> Iterator["Region"]:
    """Follow the axes of large intermediates, each but once."""
    order = _ir.topological(roots)
    users: dict[Node, list[Node]] = {}
    for node in order:
        for below in dict.fromkeys(_ir.children(node)):
            users.setdefault(below, []).append(node)
    outputs = {*roots}
    large = [n for n in order if is_cut(n, POLICY.seed_bytes) and n not in outputs]
    seen: set[tuple[Node, int]] = set()
    for seed in itertools.islice(sorted(large, key=bytes_of, reverse=True), BUDGET.seeds):
        for axis in range(seed.ndim):
            if (seed, axis) not in seen:
                region = Region(order, outputs, _reach(users, seed, axis))
                seen.update(region.sliced.items())
                yield region


class Region:
    """What is made in slices, if some nodes are `reached` along an axis of each.

    `sliced` are its nodes, each with its axis. Of those, some are `written`, for what is outside
    needs them, or they are `outputs`; nodes that sum over the index are `added` up.
    """

    def __init__(self, order: Sequence[Node], outputs: Set[Node], reached: Slices) -> None:
        seed, axis = next(iter(reached.items()))
        self.size = seed.shape[axis]
        self.sliced: Slices = {}
        self.added: dict[Node, None] = {}
        late: set[Node] = set()  # what needs results of the loop
        needed = {*outputs}
        for node in order:
            below = _ir.children(node)
            uses = any(n in self.sliced for n in below)
            is_late = any(n in late for n in below)
            if not is_late and (uses or _spreads(node)) and self._takes(node, reached):
                if node in self.added:
                    late.add(node)
            elif is_late or uses:
                late.add(node)
                needed.update(below)
        outside = {n for n in needed if n in self.sliced}
        self.written = [n for n in order if n in outside and not self._is_free(n)]
        kept = [n for n in self.sliced if n not in outside and not is_virtual(n)]
        self.saved = sum(map(bytes_of, kept)) if self.size > 1 else 0

    def _takes(self, node: Node, reached: Slices) -> bool:
        """Take up a node, if it can be made of slices."""
        if node in reached:
            self.sliced[node] = reached[node]
        index = index_of(node, self.sliced)
        if index is None:
            self.sliced.pop(node, None)
        elif node not in reached and index not in terms_of(node)[1]:
            self.added[node] = None
        return node in self.sliced or node in self.added

    def _given(self) -> dict[tuple[Node, int | None], None]:
        """Collect the operands of a pass, each with the axis that it is sliced along."""
        return dict.fromkeys(
            (n, axis)
            for node in (*self.sliced, *self.added)
            for n, axis in operands_of(node, index_of(node, self.sliced))
            if n not in self.sliced
        )

    @property
    def runs(self) -> int:
        """In how many pieces a pass reads its slices of what is large, beside the first of each.

        Along an inner axis they are many, and NumPy waits for the memory of each.
        """
        large = [pair for pair in self._given() if bytes_of(pair[0]) >= POLICY.seed_bytes]
        return sum(math.prod(node.shape[: axis or 0]) - 1 for node, axis in large)

    def _is_free(self, node: Node) -> bool:
        """Whether a node may as well be made outside: a view of what is not sliced."""
        return is_virtual(node) and not any(n in self.sliced for n in _ir.children(node))

    def looped(self, means: Means) -> dict[Node, Node]:
        """Give, for each node that is written or added up, a result of the loop."""
        roots = (*self.written, *self.added)
        nodes = (*self.sliced, *self.added)
        given = self._given()
        operands = tuple(n for n, _ in given)
        axes = tuple(axis for _, axis in given)
        step = _step(self.size, math.ceil(self.size / self.passes(means)))
        loop = Tiling(self.sliced, nodes, roots, operands, axes, self.size, step)
        key = {"of": tuple(n.digest for n in roots), "axes": axes, "writes": loop.writes}
        return {
            root: _ir.apply_node(loop, operands, key, n, root.shape, root.dtype)
            for n, root in enumerate(roots)
        }

    def passes(self, means: Means) -> int:
        """Choose how many passes there are: so many that each makes what a cache holds.

        Fewer where adding up would take more than a small part of the time.
        """
        made_bytes = sum(bytes_of(n) for n in (*self.sliced, *self.added) if not is_virtual(n))
        adding = POLICY.part_added * sum(time_to_write(bytes_of(n)) for n in self.added)
        most = means.picoseconds // max(adding, 1)
        return max(1, min(self.size, most, math.ceil(made_bytes / means.tile_bytes)))


def _step(size: int, most: int) -> int:
    """Choose the length of a tile: one that divides the size, or else leaves the most over."""
    least = max(most // 2, most - BUDGET.tile_lengths) + 1
    return max(range(least, most + 1), key=lambda step: (size % step == 0, size % step, step))


def _spreads(node: Node) -> bool:
    """Whether to slice this operand with its user, and not to materialise it before."""
    return is_cut(node, POLICY.sliced_bytes) or (is_virtual(node) and may_be_sliced(node))


def _reach(users: Mapping[Node, Sequence[Node]], seed: Node, axis: int) -> Slices:
    """Follow an axis up to all users, and down to large operands; the seed comes first."""
    found, pending = {seed: axis}, [seed]
    while pending:
        node = pending.pop()
        for user in (node, *users.get(node, ())):
            index = index_of(user, found)
            if index is None:
                continue
            out = [*terms_of(user)[1]]
            reached = [(n, a) for n, a in operands_of(user, index) if a is not None and _spreads(n)]
            reached += [(user, out.index(index))] if index in out else []
            for n, a in reached:
                if n not in found:
                    found[n] = a
                    pending.append(n)
    return found
