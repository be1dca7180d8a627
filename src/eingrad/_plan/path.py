"""Contraction paths: the order in which the operands of a product meet.

In: the terms of a product and its sizes. Out: pairs of positions, as opt_einsum writes paths.
Guaranteed: deterministic; no global random state; a bounded number of candidates is looked at.

>>> find_path([(0, 1), (1, 2), (2,)], (0,), {0: 9, 1: 9, 2: 9})
((1, 2), (0, 1))
"""

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from eingrad._limits import TREES
from eingrad._plan.greedy import greedy_tree
from eingrad._plan.network import Network, Tree, path_of_tree, tree_of_path
from eingrad._plan.search import adapt, find_tree, polish, search_on
from eingrad._subscripts import Subscripts

Path = tuple[tuple[int, ...], ...]
Search = Callable[[Sequence[Subscripts], Subscripts, Mapping[int, int]], Path]


def find_path(terms: Sequence[Subscripts], out: Subscripts, sizes: Mapping[int, int]) -> Path:
    """Search the cheapest path: by flops plus writes."""
    return path_of(cheapest_tree(Network(terms, out, sizes)), len(terms))


def fewest_flops_path(
    terms: Sequence[Subscripts], out: Subscripts, sizes: Mapping[int, int]
) -> Path:
    """Search the path of fewest flops, whatever it writes: for comparison."""
    return path_of(find_tree(Network(terms, out, sizes, written=0)), len(terms))


def polished_path(
    terms: Sequence[Subscripts], out: Subscripts, sizes: Mapping[int, int], path: Path
) -> Path:
    """Improve a path of pairs that was found elsewhere; never dearer than that."""
    network = Network(terms, out, sizes)
    return path_of(polish(network, tree_of_path(path, network.operands)), len(terms))


def longer_path(
    terms: Sequence[Subscripts],
    out: Subscripts,
    sizes: Mapping[int, int],
    is_over: Callable[[], bool],
) -> Path:
    """Search on, from the path that `find_path` gives, until it is over: the one not bounded."""
    network = Network(terms, out, sizes)
    return path_of(search_on(network, cheapest_tree(network), is_over), len(terms))


def cheapest_tree(network: Network, made: frozenset[int] = frozenset()) -> Tree:
    """Find the cheapest tree, or look it up; what is in `made` is free. Not to be changed."""
    return _search(network.key, network.known, made)


@functools.lru_cache(maxsize=4096)
def _search(key: tuple[Any, ...], known: int, made: frozenset[int]) -> Tree:
    terms, out, sizes = key
    return find_tree(Network(terms, out, dict(sizes), known), made)


def join(parts: Sequence[int], network: Network) -> Tree:
    """Contract disjoint sets of operands to one: a pair as it is, more as cheaply as can be."""
    if len(parts) == 2:  # noqa: PLR2004 - a pair
        return {sum(parts): (parts[0], parts[1])}
    if len(parts) == 1:
        return {}
    terms = [tuple(sorted(network.wanted(part))) for part in parts]
    out = tuple(sorted(network.wanted(sum(parts))))
    used = {index for term in terms for index in term}
    sizes = {index: size for index, size in network.key[2] if index in used}

    def whole(inner: int) -> int:
        return sum(part for n, part in enumerate(parts) if inner >> n & 1)

    tree = cheapest_tree(Network(terms, out, sizes))
    return {whole(part): (whole(a), whole(b)) for part, (a, b) in tree.items()}


def adapted_tree(network: Network, tree: Tree, made: frozenset[int], new: Collection[int]) -> Tree:
    """Find a cheap tree where some more sets are free than those that a tree was found with.

    A short search is done again; a long one would be for each set that might be made.
    """
    if len(network.operands) <= TREES.exact:
        return cheapest_tree(network, made)
    return adapt(network, tree, new)


def greedy_path(terms: Sequence[Subscripts], out: Subscripts, sizes: Mapping[int, int]) -> Path:
    """Contract the cheapest connected pair until one operand is left."""
    return path_of(greedy_tree(Network(terms, out, sizes)), len(terms))


def left_to_right_path(
    terms: Sequence[Subscripts], out: Subscripts, sizes: Mapping[int, int]
) -> Path:
    """Contract the operands as they stand, each with the result so far: what planning improves.

    >>> left_to_right_path([(0, 1), (1, 2), (2,)], (0,), {0: 9, 1: 9, 2: 9})
    ((0, 1), (0, 1))
    """
    del out, sizes
    if len(terms) == 1:
        return ((0,),)
    return ((0, 1), *((0, n) for n in range(len(terms) - 2, 0, -1)))


def path_of(tree: Tree, count: int) -> Path:
    """Write a tree as a path; of one operand, the path says that it is looked at alone."""
    return path_of_tree(tree, count) or ((0,),)
