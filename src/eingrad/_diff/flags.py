"""Flags of what flagged entries are made of: they go the way of cotangents.

In: a node, and flags of its entries. Out: flags of the entries of an operand.
Guaranteed: an entry is flagged if a flagged one is made of it, as far as structure, and what is
made of zeros and ones, tell; nothing is written out along axes that flags are repeated along.

>>> x, w = _ir.new_input("x", (3, 4)), _ir.new_input("w", (4, 2))
>>> flags = _ir.new_input("flags", (3, 2), bool)
>>> flags_below(_ir.einsum("ij,jk->ik", x, w), 0, flags).shape
(3, 4)
"""

import itertools
from collections.abc import Sequence

import numpy as np

from eingrad import _ir
from eingrad._ir import Apply, Einsum, Factor, Node, Placement, Structural
from eingrad._primitives import Kind, apply, cast, core_ndims, jacobian, kind_of
from eingrad._subscripts import Subscripts


def flags_below(node: Node, k: int, flags: Node) -> Node:
    """Flag the entries of operand number k that flagged ones are made of."""
    if isinstance(node, Einsum):
        structure = [f for f in node.factors if isinstance(f.node, Structural)]
        sizes = dict(enumerate(node.sizes))
        return moved(flags, node.out, structure, node.factors[k].term, sizes)
    assert isinstance(node, Apply)
    result, operand = core_ndims(node, k)
    below = node.operands[k]
    axes = tuple(range(node.ndim))
    batch = axes[: node.ndim - result]
    term = (*batch, *range(node.ndim, node.ndim + operand))
    sizes = dict(
        zip((*axes, *term[len(batch) :]), (*node.shape, *below.shape[len(batch) :]), strict=True)
    )
    if kind_of(node) is Kind.RUNNING:
        return _of_running(flags)
    local = jacobian(node, k)
    structure = _zero_one(local, (*axes, *term[len(batch) :]))
    return moved(flags, axes, structure, term, sizes)


def moved(
    flags: Node,
    axes: Subscripts,
    structure: Sequence[Factor],
    term: Subscripts,
    sizes: dict[int, int],
) -> Node:
    """Flag the positions along a term that structure ties to one that is flagged."""
    core, own = flags, axes
    if isinstance(flags, Placement) and flags.core is not None and not flags.structure:
        place = dict(zip(flags.out, axes, strict=True))
        core, own = flags.core.node, tuple(place[i] for i in flags.core.term)
    if structure:
        counted = cast(core, np.float64)
        counts = _ir.contract([(counted, own), *structure], term, sizes)
        return apply("greater", counts, _ir.zeros(counts.shape, counts.dtype))
    gone = [i for i in own if i not in term]
    kept = tuple(i for i in own if i in term)
    if gone:
        core = _ir.contract([(core, own)], (*kept, *gone))
        for _ in gone:
            core = apply("any", core)
    return _ir.contract([(core, kept)], term, sizes)


def _zero_one(local: Node | None, axes: Subscripts) -> list[Factor]:
    """Give the factors of a Jacobian that is made of zeros and ones; none where it is not."""
    if not isinstance(local, Placement):
        return []
    place = dict(zip(local.out, axes, strict=True))
    inner = itertools.count(max(axes, default=0) + 1)
    of = {i: place[i] if i in place else next(inner) for i in range(len(local.sizes))}
    factors = [Factor(n, tuple(of[i] for i in t)) for n, t in local.factors]
    is_known = all(isinstance(n, Structural) or not _ir.inputs([n]) for n, _ in factors)
    return (
        [
            n if isinstance(n.node, Structural) else Factor(cast(n.node, np.float64), n.term)
            for n in factors
        ]
        if is_known
        else []
    )


def _of_running(flags: Node) -> Node:
    """Flag what an entry that is flagged comes after, or is itself: along the last axis."""
    n, last = flags.shape[-1], flags.ndim - 1
    picks = _ir.selection(range(n - 1, -1, -1), n)
    counts = apply("cumsum", _ir.take(cast(flags, np.float64), last, picks))
    counts = _ir.take(counts, last, picks)
    return apply("greater", counts, _ir.zeros(counts.shape, counts.dtype))
