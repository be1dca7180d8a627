"""Simulated annealing of contraction trees: a cheap tree by many small random changes.

In: a tree of a network. Out: the cheapest tree met on the way.
Guaranteed: never dearer than the tree it began with; deterministic, for the seed is given, and work
is a count of moves.

A move is a rotation, ``(A B) C -> (A C) B``: it changes two steps. One that makes the tree dearer
is made with a probability that falls with the temperature (Kalachev, Panteleev & Yung 2021,
"Recursive multi-tensor contraction for XEB verification of quantum circuits", arXiv:2108.05665).
"""

import random
from collections.abc import Sequence

from eingrad._plan.network import Network, Tree
from eingrad._progress import tick

_COLD = 0.003  # temperature at the end: only what costs some thousandths more is still taken
_FAR = 30  # bits by which a tree may be dearer: above that, no move is weighed
_SAME_HEAT = 64  # moves at one temperature


def anneal(network: Network, tree: Tree, moves: int, hot: float, seed: int) -> Tree:
    """Rotate a tree at random so many times, from temperature `hot` downward."""
    parts, left, right = _slots(tree)
    inner = range(len(parts) - len(tree), len(parts))  # leaves come first
    costs = [0] * inner.start + [network.step_cost(*tree[parts[slot]]) for slot in inner]
    total = least = sum(costs)
    best = parts[:], left[:], right[:]
    draw = random.Random(seed).random
    for move in range(moves):
        if not move % _SAME_HEAT:
            tick()
            power = -1 / (hot * (_COLD / hot) ** (move / moves))
        top = inner.start + int(draw() * len(inner))
        below, beside = left[top], right[top]
        if left[below] < 0 or (left[beside] >= 0 and draw() < 0.5):  # noqa: PLR2004 - either one
            below, beside = beside, below
        if left[below] < 0:
            continue  # two operands
        kept, moved = left[below], right[below]
        if draw() < 0.5:  # noqa: PLR2004
            kept, moved = moved, kept
        part = parts[kept] | parts[beside]
        low = network.step_cost(parts[kept], parts[beside])
        high = network.step_cost(part, parts[moved])
        more = low + high - costs[below] - costs[top]
        if more <= 0 or (more < total << _FAR and draw() < (1 + more / total) ** power):
            left[below], right[below], parts[below], costs[below] = kept, beside, part, low
            left[top], right[top], costs[top] = below, moved, high
            total += more
            if total < least:
                least, best = total, (parts[:], left[:], right[:])
    return _tree(*best)


def _slots(tree: Tree) -> tuple[list[int], list[int], list[int]]:
    """Number the sets of a tree, leaves first; of each, the numbers of its halves, or -1."""
    leaves = [part for pair in tree.values() for part in pair if part not in tree]
    parts = [*sorted(leaves), *sorted(tree)]
    slot = {part: n for n, part in enumerate(parts)}
    halves = [tree.get(part) for part in parts]
    left, right = ([-1 if pair is None else slot[pair[k]] for pair in halves] for k in (0, 1))
    return parts, left, right


def _tree(parts: Sequence[int], left: Sequence[int], right: Sequence[int]) -> Tree:
    return {
        part: (parts[a], parts[b]) for part, a, b in zip(parts, left, right, strict=True) if a >= 0
    }
