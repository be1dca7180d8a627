"""Reshape as a contraction: axes are merged and split by structural tensors.

In: a node and a shape. Out: the node in that shape, row-major.
Guaranteed: no more axes are touched than the two shapes need; a reshape that undoes another cancels
with it, for both are contractions.

>>> from eingrad._ir.leaves import new_input
>>> x = new_input("x", (6, 4))
>>> reshape(reshape(x, (2, 12)), (6, 4)) is x
True
"""

import itertools
import math
import operator
from collections.abc import Sequence

from eingrad._ir.contract import contract
from eingrad._ir.einsums import zeros
from eingrad._ir.leaves import merge
from eingrad._ir.nodes import Factor, Node
from eingrad._subscripts import Shape


def reshape(node: Node, shape: Shape) -> Node:
    """Reshape in row-major order, by merging and splitting the fewest axes.

    ``(6, 4) -> (2, 12)`` splits 6 into 2 x 3 and merges 3 x 4; where the two shapes have no common
    refinement, ``(6, 4) -> (8, 3)``, a group of axes passes through one flat index. Axes of size
    one take no part: an old one is summed, a new one is an output index that nothing carries.
    """
    if node.shape == shape:
        return node
    if 0 in shape:
        return zeros(shape, node.dtype)
    old = {axis: axis for axis in range(node.ndim)}  # axis -> index
    new = {axis: node.ndim + axis for axis in range(len(shape))}
    fresh = itertools.count(node.ndim + len(shape))
    structure: list[Factor] = []
    for olds, news in _reshape_groups(node.shape, shape):
        left, right = [node.shape[a] for a in olds], [shape[b] for b in news]
        parts = _common_refinement(left, right)
        indices = [next(fresh) for _ in parts or "flat"]
        for axes, sizes, index_of in ((olds, left, old), (news, right, new)):
            if not parts and len(axes) > 1:
                term = (indices[0], *(index_of[axis] for axis in axes))
                structure.append(Factor(merge(tuple(sizes)), term))
                continue
            for axis, group in zip(axes, _split_parts(parts or [sizes[0]], sizes), strict=True):
                if len(group) == 1:
                    index_of[axis] = indices[group[0]]
                else:
                    term = (index_of[axis], *(indices[g] for g in group))
                    structure.append(Factor(merge(tuple(parts[g] for g in group)), term))
    out = [new[axis] for axis in range(len(shape))]
    core = Factor(node, tuple(old[axis] for axis in range(node.ndim)))
    return contract([core, *structure], out, dict(zip(out, shape, strict=True)))


def _reshape_groups(old: Shape, new: Shape) -> list[tuple[list[int], list[int]]]:
    """Pair runs of old axes with runs of new axes of equal size, shortest first, ones left out."""
    olds = [axis for axis, size in enumerate(old) if size != 1]
    news = [axis for axis, size in enumerate(new) if size != 1]
    groups = []
    while olds:
        left, right = [olds.pop(0)], [news.pop(0)]
        while (a := math.prod(old[x] for x in left)) != (b := math.prod(new[x] for x in right)):
            (left if a < b else right).append((olds if a < b else news).pop(0))
        groups.append((left, right))
    return groups


def _common_refinement(old: Sequence[int], new: Sequence[int]) -> list[int]:
    """Sizes that both shapes are made of, row-major; empty where there are none."""
    cuts = {1}
    for sizes in (old, new):
        cuts.update(itertools.accumulate(reversed(sizes), operator.mul))
    ordered = sorted(cuts)
    if any(b % a for a, b in itertools.pairwise(ordered)):
        return []
    return [b // a for a, b in itertools.pairwise(ordered)][::-1]


def _split_parts(parts: Sequence[int], sizes: Sequence[int]) -> list[list[int]]:
    """Which parts make up each size."""
    groups, n = [], 0
    for size in sizes:
        group: list[int] = []
        while math.prod(parts[g] for g in group) != size:
            group.append(n)
            n += 1
        groups.append(group)
    return groups
