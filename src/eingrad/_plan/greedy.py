"""Greedy trees: the pair that looks best is contracted, until one operand is left.

In: a `Network` and disjoint sets of its operands. Out: trees to begin a search with.
Guaranteed: deterministic; what is random comes from a seed.
"""

import functools
import heapq
import itertools
import math
import random
from collections.abc import Iterable, Iterator, Sequence

from opt_einsum.paths import greedy

from eingrad._plan.network import Network, Tree, tree_of_path

_REMOVED = (2, 1, 4, 0)  # halves: how much the operands of a step count against its result
_WEIGHTS = 0.3, 3.0  # the same, drawn for each random tree
_TEMPERATURES = 1e-3, 1.0  # of the noise of each
_MOST_BITS = 900  # of a number that is a float


def greedy_tree(network: Network, parts: Sequence[int] | None = None) -> Tree:
    """Contract the cheapest pair until one is left; pairs that share an index come first."""
    parts = network.operands if parts is None else parts
    live, tree = dict.fromkeys(parts), Tree()
    queue: list[tuple[int, int, int]] = []

    def push(part: int, others: Iterable[int], *, outer: bool = False) -> None:
        for other in others:
            if outer or network.contents(part) & network.contents(other):
                heapq.heappush(queue, (network.step_cost(part, other), part, other))

    for n, part in enumerate(parts):
        push(part, parts[:n])
    while len(live) > 1:
        if not queue:
            for part, other in itertools.combinations(live, 2):
                push(part, [other], outer=True)
        _, left, right = heapq.heappop(queue)
        if left in live and right in live:
            del live[left], live[right]
            push(left | right, live)
            live[left | right], tree[left | right] = None, (left, right)
    return tree


def weighted_trees(network: Network, parts: Sequence[int]) -> Iterator[Tree]:
    """Make trees with opt_einsum's greedy search, for several costs of a step."""
    indices = range(len(network.indices))
    terms = [frozenset(i for i in indices if network.contents(part) >> i & 1) for part in parts]
    out = frozenset(i for i in indices if network.out >> i & 1)
    sizes = {index: max(size, 1) for index, size in enumerate(network.volumes.sizes)}
    for weight in _REMOVED:
        cost = functools.partial(_removed, weight)
        yield tree_of_path(greedy(terms, out, sizes, cost_fn=cost), parts)


def _removed(halves: int, made: int, left: int, right: int, *_: object) -> int:
    """Twice the elements that a step makes, less those that it removes: integers, of any size."""
    return 2 * made - halves * (left + right)


def random_tree(network: Network, parts: Sequence[int], seed: int) -> Tree:
    """Contract pairs that share an index by what they make and remove, with noise.

    How much counts what they remove, and how much the noise, is drawn once for the tree.
    """
    source = random.Random(seed)
    weight = source.uniform(*_WEIGHTS)
    temperature = math.exp(source.uniform(*map(math.log, _TEMPERATURES)))
    live = dict.fromkeys(parts)
    users: dict[int, set[int]] = {}  # of each index, by its bit
    queue: list[tuple[float, int, int]] = []
    tree = Tree()

    def push(part: int, other: int) -> None:
        made = network.volumes[network.meet(part, other)]
        removed = network.volumes[network.contents(part)] + network.volumes[network.contents(other)]
        scale = max(0, max(made, removed).bit_length() - _MOST_BITS)
        gain = (made >> scale) / weight - weight * (removed >> scale)
        size = math.log1p(abs(gain)) + scale * math.log(2)
        noise = -math.log(-math.log(source.random() or 0.5))  # of a Gumbel distribution
        score = math.copysign(size, gain) - temperature * noise
        heapq.heappush(queue, (score, part, other))

    def enter(part: int) -> None:
        near: set[int] = set()
        for bit in _bits(network.contents(part)):
            near |= users.setdefault(bit, set())
            users[bit].add(part)
        for other in sorted(near):
            push(part, other)

    for part in parts:
        enter(part)
    while len(live) > 1:
        if queue:
            _, left, right = heapq.heappop(queue)
        else:  # what is left shares no index: small ones first
            left, right = sorted(live, key=lambda p: (network.volumes[network.contents(p)], p))[:2]
        if left in live and right in live:
            for part in (left, right):
                del live[part]
                for bit in _bits(network.contents(part)):
                    users[bit].discard(part)
            network.meet(left, right)
            live[left | right], tree[left | right] = None, (left, right)
            enter(left | right)
    return tree


def _bits(mask: int) -> Iterator[int]:
    while mask:
        bit = mask & -mask
        yield bit
        mask ^= bit
