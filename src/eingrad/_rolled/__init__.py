"""Loops that were written out, found by structure: each becomes a scan.

In: the values of a function. Out: equal values, in which steps that are alike are one step, which
is repeated.
Guaranteed: a step is differentiated and planned once, whatever their number; what is short is left
as it is, so the rewriting ends: each takes nodes away.

`chain` finds where a graph repeats itself, `parted` parts it into steps, `matches` matches these by
`classes`, `loop` says what they are given, `step` makes one, `stacks` puts what they differ in
together. docs/design/scans.md has the whole.
"""

import itertools
from collections.abc import Sequence, Set

from eingrad import _ir
from eingrad._ir import Node
from eingrad._limits import POLICY
from eingrad._rolled.chain import Chain, best_marks, find_chains, may_repeat
from eingrad._rolled.loop import Loop
from eingrad._rolled.matches import Matcher
from eingrad._rolled.parted import Parted
from eingrad._rolled.stacks import Capture

__all__ = ["roll"]


def roll(
    roots: Sequence[Node], made: Set[bytes], capture: Capture, order: int = 0
) -> tuple[list[Node], frozenset[bytes]]:
    """Put scans in the place of steps that are alike, as long as there are any worth it.

    That depends on the `order` of what is derived of them.
    """
    rolled, digests = [*roots], frozenset(made)
    while True:
        loop = _find(rolled, order)
        if loop is None:
            return rolled, digests
        found, made = loop.written(rolled, digests, capture)
        if len(_ir.topological(found)) >= len(_ir.topological(rolled)):
            return rolled, digests  # what takes no nodes away might be found again without end
        rolled, digests = found, made


def _find(roots: Sequence[Node], order: int) -> Loop | None:
    """Find the loop of the shortest steps that is worth it: its own multiples are loops too."""
    nodes = _ir.topological(roots)
    least = -(-POLICY.rolled_nodes // POLICY.rolled_growth**order)
    if len(nodes) < least:
        return None
    for chain in find_chains(nodes, POLICY.rolled_steps + 1):
        best = _best(nodes, chain, least)
        if best is not None:
            return best
    return None


def _best(order: Sequence[Node], chain: Chain, least: int) -> Loop | None:
    """Part a graph into steps in several ways, and match them, if they are alike from afar."""
    marks = best_marks(order, chain)
    if not may_repeat(order, chain, marks):
        return None
    best: Loop | None = None
    for with_users, is_loose in itertools.product((True, False), (False, True)):
        parted = Parted(order, chain, marks, with_users=with_users, is_loose=is_loose)
        loop = Loop(parted, Matcher(parted).matched())
        if _pays(loop, least) and (best is None or loop.size > best.size):
            best = loop
            if loop.is_complete:
                break
    return best


def _pays(loop: Loop, least: int) -> bool:
    """Whether a scan of one step saves so many nodes."""
    steps = len(loop.matches)
    return loop.is_one and steps >= POLICY.rolled_steps and loop.size * (steps - 1) >= least * steps
