"""Contraction paths: the order in which the operands of a product meet.

In: the terms of a product and its sizes. Out: pairs of positions, as opt_einsum writes paths.
Guaranteed: deterministic; no global random state; a bounded number of candidates is looked at.

opt_einsum's dynamic programming is used where it is exact and quick: few operands, outer products
searched, writes counted. Its other searches are not: ``auto`` and ``optimal`` miss the best order
on networks with shared indices, the random ones reseed the user's generator.

>>> find_path([(0, 1), (1, 2), (2,)], (0,), {0: 9, 1: 9, 2: 9})
((1, 2), (0, 1))
"""

import functools
from collections.abc import Callable, Mapping, Sequence

from opt_einsum.paths import DynamicProgramming

from eingrad import _ir
from eingrad._cost import contraction_flops, weighted
from eingrad._ir import Einsum, Node
from eingrad._subscripts import Subscripts

Path = tuple[tuple[int, ...], ...]
Search = Callable[[Sequence[Subscripts], Subscripts, Mapping[int, int]], Path]

_MOST_WITH_OUTER = 7  # 3**n candidate pairs
_MOST_CONNECTED = 16


def find_path(terms: Sequence[Subscripts], out: Subscripts, sizes: Mapping[int, int]) -> Path:
    """Search the cheapest path: by flops plus writes."""
    return _search(tuple(terms), out, tuple(sorted(sizes.items())))


@functools.lru_cache(maxsize=4096)
def _search(
    terms: tuple[Subscripts, ...], out: Subscripts, sizes: tuple[tuple[int, int], ...]
) -> Path:
    if len(terms) <= 2:  # noqa: PLR2004 - one step
        return (tuple(range(len(terms))),)
    if len(terms) > _MOST_CONNECTED:
        return greedy_path(terms, out, dict(sizes))
    search = DynamicProgramming(minimize="combo-4", search_outer=len(terms) <= _MOST_WITH_OUTER)
    names = {index: chr(0x100 + n) for n, (index, _) in enumerate(sizes)}
    operands = [frozenset(names[i] for i in term) for term in terms]
    clamped = {names[index]: max(size, 1) for index, size in sizes}
    path = search([*operands], frozenset(names[i] for i in out), clamped)
    return tuple(tuple(pair) for pair in path)


def greedy_path(terms: Sequence[Subscripts], out: Subscripts, sizes: Mapping[int, int]) -> Path:
    """Contract the cheapest connected pair until one operand is left: for many operands."""
    live = [frozenset(term) for term in terms]
    uses: dict[int, int] = {}
    for indices in (*live, frozenset(out)):
        for index in indices:
            uses[index] = uses.get(index, 0) + 1
    path = []
    while len(live) > 1:
        pairs = _neighbours(live) or [(0, 1)]
        costs = [(_step_cost(live[a], live[b], uses, sizes), a, b) for a, b in pairs]
        _, a, b = min(costs)
        path.append((a, b))
        left, right = live[a], live[b]
        for index in left | right:
            uses[index] -= (index in left) + (index in right)
        merged = frozenset(index for index in left | right if uses[index])
        for index in merged:
            uses[index] += 1
        live = [n for k, n in enumerate(live) if k not in (a, b)] + [merged]
    return tuple(path)


def left_to_right_path(
    terms: Sequence[Subscripts], out: Subscripts, sizes: Mapping[int, int]
) -> Path:
    """Contract the operands as they stand, each with the result so far: what planning improves.

    >>> left_to_right_path([(0, 1), (1, 2), (2,)], (0,), {0: 9, 1: 9, 2: 9})
    ((0, 1), (0, 1))
    """
    del out, sizes
    return ((0, 1), *((0, n) for n in range(len(terms) - 2, 0, -1)))


def _neighbours(live: Sequence[frozenset[int]]) -> list[tuple[int, int]]:
    """Pairs that share an index."""
    seen: dict[int, list[int]] = {}
    for n, indices in enumerate(live):
        for index in indices:
            seen.setdefault(index, []).append(n)
    return sorted(
        {(a, b) for ns in seen.values() for k, a in enumerate(ns) for b in ns[k + 1 : k + 3]}
    )


def _step_cost(
    left: frozenset[int], right: frozenset[int], uses: Mapping[int, int], sizes: Mapping[int, int]
) -> int:
    both = left & right
    every = {i: sizes[i] for i in left | right}
    kept = 1
    for i, size in every.items():
        kept *= size if uses[i] > 1 + (i in both) else 1
    return weighted(contraction_flops(every, summed=True), kept)


def pairwise(roots: Sequence[Node], search: Search = find_path) -> list[Node]:
    """Rewrite every product of three or more operands as a tree of pairwise ones, planned.

    Equal pairwise steps are equal nodes, so intermediates are shared across the whole program.
    Building a step may move structure of an operand outward and leave a new product below it, so
    this repeats until none is left; every round makes products smaller.
    """
    while any(_is_long(node) for node in _ir.topological(roots)):
        roots = _ir.rewrite(roots, functools.partial(_pair_up, search=search))
    return list(roots)


def _is_long(node: Node) -> bool:
    return isinstance(node, Einsum) and _ir.is_product(node) and len(node.operands) > 2  # noqa: PLR2004


def _pair_up(node: Node, search: Search) -> Node:
    if not _is_long(node):
        return node
    assert isinstance(node, Einsum)
    live = list(zip(node.operands, node.terms, strict=True))
    sizes = {i: s for n, t in live for i, s in zip(t, n.shape, strict=True)}
    for step in search(node.terms, node.out, sizes):
        chosen = [live[k] for k in step]
        live = [pair for k, pair in enumerate(live) if k not in step]
        wanted = {*node.out, *(i for _, t in live for i in t)}
        if not live:
            out = node.out
        else:
            out = tuple(dict.fromkeys(i for _, t in chosen for i in t if i in wanted))
        made = _ir.contract(
            [n for n, _ in chosen],
            [t for _, t in chosen],
            out,
            {},
            1 if live else node.coefficient,
            node.dtype,
        )
        live.append((made, out))
    return live[0][0]
