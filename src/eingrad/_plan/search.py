"""Contraction trees: which operands meet, and when, at the least cost.

In: a `Network`, operands and indices as bits of integers. Out: a `Tree`.
Guaranteed: up to `MOST_EXACT` operands the cheapest tree of all, outer products included; above
that the best of several greedy trees, every part of which was searched exactly. Deterministic: no
clock, noise from seeds of its own; work is bounded by a count of candidate pairs.

A step is charged what lowering charges it: its flops, and the elements that it writes.

>>> network = Network([(0, 1), (1, 2), (2,)], (0,), {0: 9, 1: 9, 2: 9})
>>> tree = find_tree(network)
>>> {bin(whole): (bin(left), bin(right)) for whole, (left, right) in tree.items()}
{'0b111': ('0b1', '0b110'), '0b110': ('0b10', '0b100')}
"""

import functools
import heapq
import itertools
import math
import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from opt_einsum.paths import greedy

from eingrad._cost import weighted
from eingrad._subscripts import Subscripts

Tree = dict[int, tuple[int, int]]  # a set of operands, and the two sets that it is made from
_Known = dict[tuple[int, ...], int]  # disjoint sets of operands, and the least cost to join them

MOST_EXACT = 12  # operands; 3**n / 2 candidate pairs
_MOST_AT_ONCE = 9  # operands for which any tree bounds the search well enough
_WINDOW = 8  # parts of a tree that are searched again together
_LAST_WINDOW = 11  # at the end
_MOST_PAIRS = 200_000  # candidates looked at to improve the trees of one network
_STARTS = 16  # trees that opt_einsum's greedy search makes for it
_AGREEING = 4  # of them that end equally cheap: no more are tried
_WRITTEN = weighted(0, 1)  # cost of writing an element

_REMOVED = (1.0, 0.5, 2.0, 0.0)  # how much the operands of a step count against its result


class Network:
    """Operands of a product: which indices each has, which are wanted, how large they are."""

    def __init__(
        self, terms: Sequence[Subscripts], out: Subscripts, sizes: Mapping[int, int]
    ) -> None:
        self.key = (tuple(map(tuple, terms)), tuple(out), tuple(sizes.items()))  # what it is
        bit = {index: 1 << n for n, index in enumerate(sizes)}
        masks = [sum(bit[index] for index in set(term)) for term in terms]
        self.indices = [*sizes]
        self.out = sum(bit[index] for index in out)
        self.operands = [1 << k for k in range(len(terms))]  # each as a set of one
        self.whole = sum(self.operands)
        self.uses = [
            sum(operand for operand, mask in zip(self.operands, masks, strict=True) if mask & b)
            for b in bit.values()
        ]
        self.volumes = _Volumes([*sizes.values()])
        self._contents: dict[int, int] = {}

    def contents(self, part: int) -> int:
        """Indices of what a set of operands is contracted to: those that something else uses."""
        found = self._contents.get(part)
        if found is None:
            found = 0
            for index, uses in enumerate(self.uses):
                if uses & part and (uses & ~part or self.out >> index & 1):
                    found |= 1 << index
            self._contents[part] = found
        return found

    def wanted(self, part: int) -> set[int]:
        """Return those indices as in the subscripts."""
        contents = self.contents(part)
        return {index for n, index in enumerate(self.indices) if contents >> n & 1}

    def step_cost(self, left: int, right: int) -> int:
        """Cost of contracting two sets of operands, each contracted already."""
        union = self.contents(left) | self.contents(right)
        kept = self.contents(left | right)
        flops = self.volumes[union] * (1 if union == kept else 2)
        return flops + _WRITTEN * self.volumes[kept]

    def cost(self, tree: Tree) -> int:
        """Cost of all steps."""
        return sum(self.step_cost(left, right) for left, right in tree.values())


class _Volumes(dict[int, int]):
    """Elements of a tensor with a set of indices, worked out on demand."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = sizes

    def __missing__(self, indices: int) -> int:
        volume, rest = 1, indices
        while rest:
            index = rest & -rest
            volume *= self.sizes[index.bit_length() - 1]
            rest ^= index
        self[indices] = volume
        return volume


def find_tree(network: Network, made: Collection[int] = ()) -> Tree:
    """Find the cheapest tree; sets of operands in `made` cost nothing, and have no steps."""
    joined, parts = _alike(network, made)
    start = best = greedy_tree(network, parts)
    if len(parts) > _MOST_AT_ONCE:
        best = _best_of_many(network, parts, start, made)
    if len(parts) <= MOST_EXACT:
        best = _cheapest(network, parts, network.cost(best), made)[0] or best
    else:
        best = _widely_improved(network, (best, start), made)
    return {**best, **joined}


def _alike(network: Network, made: Collection[int]) -> tuple[Tree, list[int]]:
    """Join operands that have the same indices: no tree is cheaper than one that does so first.

    To multiply two such operands takes one step of their size; to keep them apart takes, wherever
    the second one joins, a step that reads and writes at least as much. (Twice the flops if that
    sums, but then less than half is written, except of sizes 0 and 1.) Where a set in `made` holds
    only one of the two, joining them would put it out of reach.
    """
    joined: Tree = {}
    if 0 in network.volumes.sizes:
        return joined, network.operands
    alike: dict[tuple[int, tuple[bool, ...]], int] = {}
    for operand in network.operands:
        key = network.contents(operand), tuple(bool(s & operand) for s in made)
        part = alike.get(key, 0)
        closed = key[0] & ~network.contents(part | operand)
        if part and closed and network.volumes[closed] < 2:  # noqa: PLR2004
            key = -operand, ()  # apart; no set of indices is negative
            part = 0
        if part:
            joined[part | operand] = part, operand
        alike[key] = part | operand
    return joined, sorted(alike.values(), key=lambda part: part & -part)


# Exact -------------------------------------------------------------------------------------------


def _cheapest(
    network: Network, parts: Sequence[int], most: int, made: Collection[int] = ()
) -> tuple[Tree | None, int]:
    """Contract parts, disjoint sets of operands, as cheaply as can be, or None if above `most`.

    Dynamic programming over the sets of parts: the cheapest way to make a set is the cheapest pair
    of ways to make its two halves. A set that no tree within `most` can have is given up at once.
    Returns also how many pairs were looked at.
    """
    kept, later = _tables(network, parts)
    free = _sets_of(parts, made)
    if free or 0 in network.volumes.sizes:  # what is to be paid later may then be nothing
        later = [0] * len(kept)
    whole, never, volumes = len(kept) - 1, most + 1, network.volumes
    cost, split = [never] * len(kept), [0] * len(kept)
    pairs = 0
    for inner in range(1, len(kept)):
        others = inner & (inner - 1)
        if not others or inner in free:
            cost[inner] = 0
            continue
        indices = kept[inner]
        written = _WRITTEN * volumes[indices]
        best = never - written - later[inner]
        if best <= 0:
            continue
        pairs += 1 << inner.bit_count() - 1
        right, chosen = others, 0
        while right:
            left = inner ^ right
            total = cost[left] + cost[right]
            if total < best:
                union = kept[left] | kept[right]
                total += volumes[union] if union == indices else 2 * volumes[union]
                if total < best:
                    best, chosen = total, right
            right = (right - 1) & others
        if chosen:
            cost[inner], split[inner] = best + written, chosen
    return (_tree_of(split, parts) if cost[whole] < never else None), pairs


def _tables(network: Network, parts: Sequence[int]) -> tuple[list[int], list[int]]:
    """For every set of parts: the indices it is contracted to, and a bound of what comes later.

    Later, it and every part outside are read. A step reads two tensors and takes at least as many
    flops as either has elements; so all steps take half of all that is read, and the last one
    writes the result.
    """
    volumes, whole = network.volumes, (1 << len(parts)) - 1
    closing = _closing(network, parts)
    kept, later, outside = [0] * (whole + 1), [0] * (whole + 1), [0] * (whole + 1)
    for n, part in enumerate(parts):
        kept[1 << n] = network.contents(part)
        outside[0] += volumes[kept[1 << n]]
    last = _WRITTEN * volumes[network.contents(sum(parts))]
    for inner in range(1, whole + 1):
        low, others = inner & -inner, inner & (inner - 1)
        outside[inner] = outside[others] - volumes[kept[low]]
        if others:
            indices = kept[low] | kept[others]
            for index, users in closing:
                if users & inner == users:
                    indices &= ~index
            kept[inner] = indices
            later[inner] = last + (volumes[indices] + outside[inner]) // 2
    later[whole] = 0
    return kept, later


def _closing(network: Network, parts: Sequence[int]) -> list[tuple[int, int]]:
    """Indices that end inside, each with the set of parts that must meet for it to be summed."""
    wanted = network.contents(sum(parts))
    users: dict[int, int] = {}
    for n, part in enumerate(parts):
        ending = network.contents(part) & ~wanted
        while ending:
            index = ending & -ending
            users[index] = users.get(index, 0) | 1 << n
            ending ^= index
    return list(users.items())


def _sets_of(parts: Sequence[int], made: Collection[int]) -> set[int]:
    """Write sets of operands as sets of parts, where they are that."""
    written = {sum(1 << n for n, part in enumerate(parts) if part & ~s == 0): s for s in made}
    return {
        inner
        for inner, s in written.items()
        if inner.bit_count() > 1 and sum(p for n, p in enumerate(parts) if inner >> n & 1) == s
    }


def _tree_of(split: Sequence[int], parts: Sequence[int]) -> Tree:
    """Read off the steps, in sets of operands."""

    def operands(inner: int) -> int:
        return sum(part for n, part in enumerate(parts) if inner >> n & 1)

    tree: Tree = {}
    pending = [len(split) - 1]
    while pending:
        inner = pending.pop()
        if split[inner]:
            halves = inner ^ split[inner], split[inner]
            tree[operands(inner)] = operands(halves[0]), operands(halves[1])
            pending += halves
    return tree


# Many operands -----------------------------------------------------------------------------------


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


def _best_of_many(
    network: Network, parts: Sequence[int], start: Tree, made: Collection[int]
) -> Tree:
    """Improve one greedy tree after the other, until the cheapest was found several times."""
    pairs, known, found = _MOST_PAIRS, _Known(), []
    for tree in itertools.chain([start], _starts(network, parts)):
        improved, looked_at = _improved(network, tree, pairs, known, made)
        pairs -= looked_at
        found.append((network.cost(improved), improved))
        least = min(cost for cost, _ in found)
        if pairs <= 0 or [cost for cost, _ in found].count(least) == _AGREEING:
            break
    return min(found, key=lambda pair: pair[0])[1]


def _widely_improved(network: Network, trees: Iterable[Tree], made: Collection[int]) -> Tree:
    """Improve trees with a larger window: a good one may be as far as a small one leads."""
    found = (
        _improved(network, tree, _MOST_PAIRS, _Known(), made, _LAST_WINDOW)[0] for tree in trees
    )
    return min(found, key=network.cost)


def _starts(network: Network, parts: Sequence[int]) -> Iterator[Tree]:
    """Make trees with opt_einsum's greedy search: for several costs of a step, then with noise."""
    indices = range(len(network.indices))
    terms = [frozenset(i for i in indices if network.contents(part) >> i & 1) for part in parts]
    out = frozenset(i for i in indices if network.out >> i & 1)
    sizes = {index: max(size, 1) for index, size in enumerate(network.volumes.sizes)}
    for n in range(_STARTS):
        noise = random.Random(n) if n >= len(_REMOVED) else None
        cost = functools.partial(_greedy_cost, _REMOVED[n % len(_REMOVED)], noise)
        yield tree_of_path(greedy(terms, out, sizes, cost_fn=cost), parts)


def _greedy_cost(
    weight: float, noise: random.Random | None, made: int, left: int, right: int, *_: object
) -> float:
    """Elements that a step makes, less those that it removes; with noise, that and up to twice."""
    cost = made - weight * (left + right)
    return cost if noise is None else cost - math.log(1 - noise.random()) * abs(cost) / 2


def _improved(
    network: Network,
    tree: Tree,
    most: int,
    known: _Known,
    made: Collection[int] = (),
    window: int = _WINDOW,
) -> tuple[Tree, int]:
    """Search windows of so many parts of a tree again, exactly, until none can be improved.

    Returns also how many pairs were looked at; after `most` the search ends.
    """
    tree, pairs, again = dict(tree), 0, True
    while again:
        again = False
        windows = itertools.product(
            sorted(tree, key=lambda part: (-part.bit_count(), part)),
            (network.step_cost, _operands_below),
        )
        for whole, rank in windows:
            if whole not in tree or pairs > most:
                continue
            steps, parts = _window(tree, whole, rank, window)
            now = network.cost(steps)
            if now <= known.get(parts, 0 if len(parts) > 2 else now):  # noqa: PLR2004 - one step
                continue
            better, looked_at = _cheapest(network, parts, now - 1, made)
            pairs += looked_at
            known[parts] = network.cost(better) if better else now
            if better:
                for step in steps:
                    del tree[step]
                tree.update(better)
                again = True
    return tree, pairs


def _window(
    tree: Tree, whole: int, rank: Callable[[int, int], int], count: int
) -> tuple[Tree, tuple[int, ...]]:
    """Open the step of highest rank again and again: steps to search anew, and their operands."""
    steps, parts = Tree(), [whole]
    while len(parts) < count:
        inner = [part for part in parts if part in tree]
        if not inner:
            break
        part = max(inner, key=lambda part: rank(*tree[part]))
        steps[part] = tree[part]
        parts.remove(part)
        parts += tree[part]
    return steps, tuple(sorted(parts))


def _operands_below(left: int, right: int) -> int:
    return (left | right).bit_count()


# Paths -------------------------------------------------------------------------------------------


def tree_of_path(path: Sequence[Sequence[int]], parts: Sequence[int]) -> Tree:
    """Read a path of pairs of positions, as opt_einsum writes it."""
    live, tree = [*parts], Tree()
    for step in path:
        chosen = [live[k] for k in step]
        live = [part for k, part in enumerate(live) if k not in step] + [sum(chosen)]
        if len(chosen) > 1:
            tree[sum(chosen)] = chosen[0], chosen[1]
    return tree


def path_of_tree(tree: Tree, count: int) -> tuple[tuple[int, int], ...]:
    """Write a tree as a path: small sets first."""
    live, path = [1 << k for k in range(count)], []
    for whole in sorted(tree, key=lambda part: (part.bit_count(), part)):
        a, b = sorted(map(live.index, tree[whole]))
        path.append((a, b))
        live = [part for k, part in enumerate(live) if k not in (a, b)] + [whole]
    return tuple(path)
