"""What elimination builds: takes, split axes and merged axes, as they stand.

In: a node, and the structural tensor that it meets. Out: a placement.
Guaranteed: nothing is eliminated: elimination itself asks for it.
"""

import functools
from typing import Any

import numpy as np

from eingrad._ir.einsums import intern_placement
from eingrad._ir.leaves import constant, merge, selection
from eingrad._ir.network import Makers
from eingrad._ir.nodes import Factor, Merge, Node, Selection, sizes_of
from eingrad._subscripts import Subscripts


def _take_axis(node: Node, axis: int, picks: Selection) -> Node:
    """Intern a take as it stands: elimination asks for it, so there is nothing to eliminate."""
    term = tuple(range(node.ndim))
    row = node.ndim
    out = (*term[:axis], row, *term[axis + 1 :])
    return _place(node, Factor(picks, (row, axis)), out)


def _split_axis(node: Node, axis: int, parts: Merge) -> Node:
    term = tuple(range(node.ndim))
    new = tuple(range(node.ndim, node.ndim + parts.ndim - 1))
    out = (*term[:axis], *new, *term[axis + 1 :])
    return _place(node, Factor(parts, (axis, *new)), out)


def _merge_axes(node: Node, axes: tuple[int, ...], parts: Merge) -> Node:
    term = tuple(range(node.ndim))
    flat = node.ndim
    out = tuple(flat if i == axes[0] else i for i in term if i not in axes[1:])
    return _place(node, Factor(parts, (flat, *axes)), out)


def _place(node: Node, by: Factor, out: Subscripts) -> Node:
    core = Factor(node, tuple(range(node.ndim)))
    return intern_placement(core, [by], out, sizes_of([core, by]), 1, node.dtype)


@functools.cache
def makers(dtype: np.dtype[Any]) -> Makers:
    """Hand elimination the builders it needs, for operands of one dtype."""
    return Makers(
        selection=selection,
        take=_take_axis,
        split_axis=_split_axis,
        merge=merge,
        merge_axes=_merge_axes,
        constant=lambda values: constant(values.astype(dtype)),
    )
