"""Contraction trees: which operands meet, and when, at the least cost.

In: a `Network`, operands and indices as bits of integers. Out: a `Tree`.
Guaranteed: up to `TREES.exact` operands the cheapest tree of all, outer products included. Above
that, many cheap trees are made (`greedy`), the best are annealed until the cheapest was found
several times (`anneal`), and every part of it is searched again exactly. The network is put in
canonical order first, so that nothing depends on the order or names of operands. Deterministic: no
clock, random numbers from seeds of its own; work is bounded by counts.

>>> network = Network([(0, 1), (1, 2), (2,)], (0,), {0: 9, 1: 9, 2: 9})
>>> tree = find_tree(network)
>>> {bin(whole): (bin(left), bin(right)) for whole, (left, right) in tree.items()}
{'0b111': ('0b1', '0b110'), '0b110': ('0b10', '0b100')}
"""

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence

from eingrad._limits import TREES
from eingrad._plan.anneal import anneal
from eingrad._plan.canonical import canonical
from eingrad._plan.greedy import greedy_tree, random_tree, weighted_trees
from eingrad._plan.network import Network, Tree
from eingrad._progress import tick

_Known = dict[tuple[int, ...], int]  # disjoint sets of operands, and the least cost to join them

_HOT = 0.6  # temperature that an annealing begins with
_WARM = 0.1  # the last one


def find_tree(network: Network, made: Collection[int] = ()) -> Tree:
    """Find the cheapest tree; sets of operands in `made` cost nothing, and have no steps."""
    tick()
    if len(network.operands) <= TREES.exact:
        return _find_tree(network, made)
    ordered, order = canonical(network)
    place = {operand: n for n, operand in enumerate(order)}
    tree = _find_tree(ordered, [_move(part, place) for part in made])
    moved = {part: _move(part, order) for pair in tree.items() for part in (pair[0], *pair[1])}
    return {moved[whole]: (moved[a], moved[b]) for whole, (a, b) in tree.items()}


def adapt(network: Network, tree: Tree, made: Collection[int]) -> Tree:
    """Use sets of operands that are made elsewhere in a tree that was found without them.

    Each in turn, where the tree is then cheaper; the rest of it changes a little.
    """
    moves = TREES.few_moves * len(network.operands)
    for part in sorted(made):
        other = _take_out(tree, part)
        if other is not None:
            tree = min(tree, anneal(network, other, moves, _WARM, 0), key=network.cost)
    return tree


def polish(network: Network, tree: Tree) -> Tree:
    """Improve a tree that was found elsewhere: annealed a little, each part searched again."""
    moves = TREES.few_moves * len(network.operands)
    trees = [tree, anneal(network, tree, moves, _WARM, 0)]
    return min((_improve(network, each, _Known(), ()) for each in trees), key=network.cost)


def search_on(network: Network, tree: Tree, is_over: Callable[[], bool]) -> Tree:
    """Search until it is over: anneal random trees, and the best one, with ever new seeds."""
    parts, best = network.operands, tree
    for seed in itertools.count(TREES.random):
        for start, heat in ((random_tree(network, parts, seed), _HOT), (best, _WARM)):
            if is_over():
                return best
            found = anneal(network, start, _moves(parts), heat, seed)
            best = min(best, _improve(network, found, _Known(), ()), key=network.cost)
    raise AssertionError("seeds do not end")


def trees_met(network: Network) -> list[Tree]:
    """Give trees of all kinds that a search meets: greedy, random, annealed, and what it found."""
    parts = network.operands
    starts = [greedy_tree(network, parts), *weighted_trees(network, parts)]
    starts += [random_tree(network, parts, seed) for seed in range(TREES.random)]
    moves = TREES.few_moves * len(parts)
    warm = [anneal(network, tree, moves, _HOT, n) for n, tree in enumerate(starts)]
    return [*starts, *warm, find_tree(network)]


def _take_out(tree: Tree, part: int) -> Tree | None:
    """Make a set of operands one operand, which enters where the last of them did.

    None where one of the tree's operands is partly in the set.
    """
    other = Tree()
    left_of = {leaf: leaf & ~part for pair in tree.values() for leaf in pair if leaf not in tree}
    if any(left and left != leaf for leaf, left in left_of.items()):
        return None
    has_entered = False
    for whole in sorted(tree, key=int.bit_count):
        left, right = (left_of[half] for half in tree[whole])
        if left and right:
            other[left | right] = left, right
        rest = left | right
        if not has_entered and whole & part == part:
            has_entered = True
            if rest:
                other[rest | part] = rest, part
            rest |= part
        left_of[whole] = rest
    return other or None


def _move(part: int, to: Mapping[int, int] | Sequence[int]) -> int:
    """Write a set of operands as a set of those that they are in another order."""
    return sum(1 << to[n] for n in range(part.bit_length()) if part >> n & 1)


def _find_tree(network: Network, made: Collection[int]) -> Tree:
    joined, parts = _alike(network, made)
    best = greedy_tree(network, parts)
    if len(parts) > TREES.exact:
        best = _search_widely(network, parts, best, made)
    elif len(parts) > TREES.at_once:
        best = anneal(network, best, TREES.few_moves * len(parts), _HOT, 0)
    if len(parts) <= TREES.exact:
        best = _cheapest(network, parts, network.cost(best), made)[0] or best
    return {**best, **joined}


def _alike(network: Network, made: Collection[int]) -> tuple[Tree, list[int]]:
    """Join operands that have the same indices: no tree is cheaper than one that does so first.

    To multiply two such operands takes one step of their size; to keep them apart takes, wherever
    the second one joins, a step that reads and writes at least as much. (Twice the flops if that
    sums, but then less than half is written, except of sizes 0 and 1.) Where a set in `made` holds
    only one of the two, joining them would put it out of reach; so with a constant, which others
    may be multiplied with for nothing.
    """
    joined: Tree = {}
    if 0 in network.volumes.sizes:
        return joined, network.operands
    alike: dict[tuple[int, tuple[bool, ...]], int] = {}
    for operand in network.operands:
        key = network.contents(operand), tuple(bool(s & operand) for s in (network.known, *made))
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
    Returns also how many pairs were looked at. Sets of constants are free, and not looked into.
    """
    kept, later = _tables(network, parts)
    free = _sets_of(parts, made) | _known_sets(network, parts)
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
        written = network.written * volumes[indices]
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
    last = network.written * volumes[network.contents(sum(parts))]
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


def _known_sets(network: Network, parts: Sequence[int]) -> set[int]:
    """Give the sets of two or more parts that are constants."""
    known = sum(1 << n for n, part in enumerate(parts) if not part & ~network.known)
    found, inner = set(), known
    while inner:
        if inner & (inner - 1):
            found.add(inner)
        inner = (inner - 1) & known
    return found


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


def _search_widely(
    network: Network, parts: Sequence[int], start: Tree, made: Collection[int]
) -> Tree:
    """Anneal many trees, the best ones longer, and search every part of those exactly."""
    trees = [start, *weighted_trees(network, parts)]
    trees += [random_tree(network, parts, seed) for seed in range(TREES.random)]
    annealed = _anneal_until_agreed(network, parts, sorted(trees, key=network.cost))
    moves = TREES.longer * _moves(parts)
    longer = [
        anneal(network, tree, moves, _WARM, n) for n, tree in enumerate(annealed[: TREES.longer])
    ]
    others = [start] if _agree(network, annealed, TREES.nearly) else [start, *annealed]
    known = _Known()
    best = min(
        (_improve(network, tree, known, made) for tree in (*longer, *others)), key=network.cost
    )
    return _improve(network, best, _Known(), made, TREES.last_window)


def _moves(parts: Sequence[int]) -> int:
    return min(TREES.moves * len(parts), TREES.most_moves) * len(parts)


def _anneal_until_agreed(
    network: Network, parts: Sequence[int], trees: Sequence[Tree]
) -> list[Tree]:
    """Anneal one tree after the other, until the cheapest was found several times; best first."""
    found: list[Tree] = []
    count = min(TREES.annealed, max(TREES.agreeing, TREES.all_moves // _moves(parts)))
    for n, tree in enumerate(trees[:count]):
        found.append(anneal(network, tree, _moves(parts), _HOT, n))
        if _agree(network, found, TREES.equally):
            break
    return sorted(found, key=network.cost)


def _agree(network: Network, trees: Sequence[Tree], part: int) -> bool:
    """Whether the cheapest tree was found several times, but for such a part of its cost."""
    costs = [network.cost(tree) for tree in trees]
    most = min(costs) + min(costs) // part
    return sum(cost <= most for cost in costs) >= TREES.agreeing


def _improve(
    network: Network, tree: Tree, known: _Known, made: Collection[int], window: int = TREES.window
) -> Tree:
    """Search windows of so many parts of a tree again, exactly, until none can be improved.

    It ends after `TREES.pairs`.
    """
    tree, pairs, again = dict(tree), 0, True
    while again:
        again = False
        windows = itertools.product(
            sorted(tree, key=lambda part: (-part.bit_count(), part)),
            (network.step_cost, _operands_below),
        )
        for whole, rank in windows:
            if whole not in tree or pairs > TREES.pairs:
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
    return tree


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
