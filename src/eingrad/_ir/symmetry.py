"""Interchangeable axes: one way to write a contraction of a symmetric operand.

In: the operands of a product, some with blocks of axes that may be interchanged (Schwarz: the
second derivative of ``F`` in ``X`` twice). Out: the same operands, blocks in canonical order.
Guaranteed: the value is the same; the order depends on the wiring alone, not on names of indices,
so ``d2F[i,j,k,l] v[l]`` and ``d2F[i,j,l,k] v[l]`` are one node if axes 2 and 3 are interchangeable.

>>> schwarz(1, (0, 0, 1), (2, 1))  # a vector differentiated twice in X, then in y
(((1, 2), (3, 4)),)
>>> interchange(5, (1, 2), (3, 4))
(0, 3, 4, 1, 2)
"""

from collections.abc import Hashable, Sequence

from eingrad._ir.network import Operand
from eingrad._ir.nodes import Apply, Block, Symmetry

Colours = dict[int, int]  # of indices: ranks, equal where nothing yet tells two apart


def schwarz(start: int, wrt: Sequence[int], ndims: Sequence[int]) -> Symmetry:
    """Which blocks of axes of a derivative may change places (Schwarz): those of one variable.

    It has `start` axes before those of the variables, of which it is taken in number `wrt`, one
    after the other; variable n has ``ndims[n]`` axes.
    """
    blocks: dict[int, list[Block]] = {}
    for n in wrt:
        blocks.setdefault(n, []).append(tuple(range(start, start + ndims[n])))
        start += ndims[n]
    return tuple(tuple(group) for n, group in blocks.items() if len(group) > 1 and ndims[n])


def interchange(ndim: int, first: Block, second: Block) -> tuple[int, ...]:
    """Give the order of axes that interchanges two blocks."""
    axes = list(range(ndim))
    for a, b in zip(first, second, strict=True):
        axes[a], axes[b] = b, a
    return tuple(axes)


def settle_symmetry(
    cores: Sequence[Operand], out: Sequence[int], placed: Sequence[Operand] = ()
) -> None:
    """Sort the interchangeable blocks of every core by what they are wired to; in place."""
    symmetric = [core for core in cores if _symmetry(core)]
    if not symmetric:
        return
    factors = (*cores, *placed)
    colours = _refine({i: 0 for f in factors for i in f.term}, factors, out)
    blocked = {i for core in symmetric for i in core.term}
    while ties := _find_tied(colours, blocked):
        colours[min(ties)] = max(colours.values()) + 1  # alike in wiring: any choice is the same
        colours = _refine(colours, factors, out)
    for core in symmetric:
        core.term = _sort_blocks(core, colours)


def _symmetry(factor: Operand) -> Symmetry:
    return factor.node.symmetry if isinstance(factor.node, Apply) else ()


def _find_tied(colours: Colours, indices: set[int]) -> list[int]:
    """Indices of the first colour that several have."""
    groups: dict[int, list[int]] = {}
    for index in indices:
        groups.setdefault(colours[index], []).append(index)
    several = [colour for colour, members in groups.items() if len(members) > 1]
    return groups[min(several)] if several else []


def _refine(colours: Colours, factors: Sequence[Operand], out: Sequence[int]) -> Colours:
    """Colour indices by the operands they meet, and operands by their indices, until it settles."""
    place = {index: n for n, index in enumerate(out)}
    while True:
        seen: dict[int, list[Hashable]] = {index: [] for index in colours}
        for factor in factors:
            role = _roles(factor)
            term = _sort_blocks(factor, colours)
            whole = (factor.node.digest, tuple(colours[i] for i in term))
            mates = _mates(factor, colours)
            for axis, index in enumerate(factor.term):
                seen[index].append((whole, role[axis], mates[axis]))
        keys = {i: (colours[i], place.get(i, -1), tuple(sorted(seen[i]))) for i in colours}  # type: ignore[type-var]
        ranks = {key: n for n, key in enumerate(sorted(set(keys.values())))}
        finer = {index: ranks[keys[index]] for index in colours}
        if len(ranks) == len(set(colours.values())):
            return finer
        colours = finer


def _roles(factor: Operand) -> list[int]:
    """For each axis, the axis it counts as: that of the first block it may change places with."""
    role = list(range(len(factor.term)))
    for group in _symmetry(factor):
        for block in group[1:]:
            for first, axis in zip(group[0], block, strict=True):
                role[axis] = first
    return role


def _mates(factor: Operand, colours: Colours) -> list[tuple[int, ...]]:
    """For each axis, the colours in its block: two alike by themselves may lie beside others."""
    mates: list[tuple[int, ...]] = [()] * len(factor.term)
    for block in (block for group in _symmetry(factor) for block in group):
        colouring = tuple(colours[factor.term[axis]] for axis in block)
        for axis in block:
            mates[axis] = colouring
    return mates


def _sort_blocks(factor: Operand, colours: Colours) -> tuple[int, ...]:
    term = list(factor.term)
    for group in _symmetry(factor):
        blocks = sorted(
            (tuple(factor.term[axis] for axis in block) for block in group),
            key=lambda indices: [colours[i] for i in indices],
        )
        for axes, indices in zip(group, blocks, strict=True):
            for axis, index in zip(axes, indices, strict=True):
                term[axis] = index
    return tuple(term)
