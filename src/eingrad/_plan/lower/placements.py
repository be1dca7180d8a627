"""Lower placements: cores are scattered onto one buffer; a take, split or merge is one step."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad import _ir
from eingrad._cost import contraction_flops
from eingrad._ir import Coefficient, Merge, Node, Placement, Selection
from eingrad._plan import kernels
from eingrad._plan.kernels import At, Look, MergeAxes, PickAxis, Piece, TableOperands
from eingrad._plan.lower.writer import Writer
from eingrad._plan.placement import look_at, positions
from eingrad._plan.positions import positions_of
from eingrad._plan.program import Result
from eingrad._subscripts import Shape, Subscripts


def lower_structured(writer: Writer, node: Placement) -> int:
    """Take, split or merge; several at once, or a broadcast too, are written onto zeros."""
    match node:
        case Placement(core=(_, term), structure=((by, links),), repeated=(), ties=False):
            if isinstance(by, Selection):
                return _lower_take(writer, node, by)
            is_reshape = links[0] in term or {*links[1:]}.issubset(term)
            if isinstance(by, Merge) and is_reshape:
                return _lower_reshape(writer, node, by)
    return place(writer, node, [(node, 1)], None)


def _lower_take(writer: Writer, node: Placement, picks: Selection) -> int:
    """Slice where the table is a range, else gather; a row that selects nothing is zero."""
    (core, term), (_, (row, column)) = node.factors
    value, axis = writer.number[core], term.index(column)
    out = tuple(row if i == column else i for i in term)
    shape = (*core.shape[:axis], picks.shape[0], *core.shape[axis + 1 :])
    result = Result(shape, node.dtype)
    if isinstance(picks.table, range):
        picked = writer.emit(kernels.Slice(axis, picks.table), (value,), result)
    else:
        tables = [writer.constant(array) for array in _arrays(picks)]
        picked = writer.emit(kernels.Take(axis), (value, *tables), result)
    return writer.scale(writer.view(picked, out, node.out, {}), node.coefficient)


def _lower_reshape(writer: Writer, node: Placement, merge: Merge) -> int:
    """Split an axis into parts, or merge parts to one."""
    (core, term), (_, (position, *parts)) = node.factors
    if position in term:
        order = term
        out = tuple(j for i in term for j in (parts if i == position else (i,)))
    else:
        rest = tuple(i for i in term if i not in parts or i == parts[0])
        order = tuple(j for i in rest for j in (parts if i == parts[0] else (i,)))
        out = tuple(position if i == parts[0] else i for i in rest)
    value = writer.view(writer.number[core], term, order, {})
    sizes = dict(zip(term, core.shape, strict=True))
    sizes.update(zip((position, *parts), merge.shape, strict=True))
    value = writer.reshape(value, tuple(sizes[i] for i in out))
    return writer.scale(writer.view(value, out, node.out, {}), node.coefficient)


def _arrays(picks: Selection) -> list[NDArray[Any]]:
    """Positions, and where a row selects nothing, a mask too."""
    table, mask = _ir.positions_of(picks.table), _ir.selects(picks.table)
    return [table] if mask is None else [np.maximum(table, 0), mask]


# Placements --------------------------------------------------------------------------------------


class _Operands(list[int]):
    """Operands of a placement: values, and tables of positions as they are asked for."""

    def __init__(self, writer: Writer) -> None:
        super().__init__()
        self.writer = writer

    def table(self, picks: Selection) -> TableOperands:
        """Add a selection's positions, and where a row selects nothing, a mask."""
        values = [self.writer.constant(array) for array in _arrays(picks)]
        positions, *mask = (self.index(n) if n in self else self.add(n) for n in values)
        return TableOperands(positions, mask[0] if mask else None)

    def add(self, value: int) -> int:
        """Add a value; return its position."""
        self.append(value)
        return len(self) - 1


def place(
    writer: Writer, node: Node, terms: Sequence[tuple[Node, Coefficient]], base: int | None
) -> int:
    """Scatter cores onto one buffer: zeros, or a sum of plain terms."""
    operands = _Operands(writer)
    if base is not None:
        operands.add(base)
    pieces, flops = [], 0
    for term, factor in terms:
        assert isinstance(term, Placement)
        coefficient = _ir.multiply(term.coefficient, factor)
        piece, entries = _piece(writer, operands, term, coefficient)
        pieces.append(piece)
        flops += entries
    kernel = kernels.Place(base is not None, tuple(pieces))
    return writer.emit(kernel, operands, Result(node.shape, node.dtype), flops=flops)


def _piece(
    writer: Writer, operands: _Operands, node: Placement, coefficient: Coefficient
) -> tuple[Piece, int]:
    """Say where a placement's core lies; give also how many entries are written."""
    core: Subscripts = () if node.core is None else node.core.term
    count = len(operands)
    where: tuple[Subscripts, tuple[Look, ...] | At] | None
    where = look_at(node.out, node.structure, core, operands.table)
    if where is None:
        del operands[count:]
        where = positions(node, operands.table)
    if where is None:
        del operands[count:]
        dense = operands.add(_dense(writer, node, coefficient))
        return Piece((), node.out, node.out, dense, 1), node.size
    labels, place = where
    entries = math.prod(node.sizes[i] for i in {*labels})
    value = None
    if node.core is not None:
        value = writer.scale(writer.number[node.core.node], coefficient)
    piece = Piece(place, labels, core, None, 1 if node.core else coefficient)
    if _is_added_over_axes(piece) and 0 < entries <= writer.most_positions:
        return _flat(writer, operands, count, piece, value, node.shape), entries
    return replace(piece, core=None if value is None else operands.add(value)), entries


def _is_added_over_axes(piece: Piece) -> bool:
    """Whether entries are added at positions that several axes give, or arithmetic."""
    if isinstance(piece.where, At):
        return True
    return len(piece.labels) > 1 and any(isinstance(look, PickAxis) for look in piece.where)


def _flat(
    writer: Writer, operands: _Operands, count: int, piece: Piece, value: int | None, shape: Shape
) -> Piece:
    """Add to the buffer as a vector, at positions that are worked out now.

    Along one axis `np.add.at` has a loop of its own, six to ten times as fast. The entries go in
    the order in which the core has them, so that it need not be copied.
    """
    tables = {k: writer.constants[-1 - n] for k, n in enumerate(operands) if n < 0}
    found = positions_of(piece, shape, tables)
    del operands[count:]  # tables of the axes
    labels = (*dict.fromkeys(piece.labels),)
    order = (*(i for i in labels if i not in piece.term), *dict.fromkeys(piece.term))
    found = found.transpose([labels.index(i) for i in order])
    table = operands.table(_ir.selection(found.reshape(-1), math.prod(shape)))
    looks = (MergeAxes(0, len(shape)), PickAxis(0, table))[len(shape) == 1 :]
    if value is None:
        return replace(piece, where=looks, labels=(0,))
    sizes = dict(zip(order, found.shape, strict=True))
    entries = writer.reshape(writer.view(value, piece.term, order, sizes), (found.size,))
    return Piece(looks, (0,), (0,), operands.add(entries), 1)


def _dense(writer: Writer, node: Placement, coefficient: Coefficient) -> int:
    """Multiply structural tensors out: the last resort, for ties that no view expresses."""
    values = [] if node.core is None else [(writer.number[node.core.node], node.core.term)]
    for n, term in node.structure:
        values.append((writer.constant(_ir.dense(n).astype(node.dtype)), term))
    values += [(writer.fill(1, (node.sizes[i],), node.dtype), (i,)) for i in node.repeated]
    operands, terms = zip(*values, strict=True)
    sizes = dict(enumerate(node.sizes))
    made = writer.emit(
        kernels.EinsumLoop(terms, node.out), operands, Result(node.shape, node.dtype),
        flops=contraction_flops(sizes, summed=len(sizes) > node.ndim),
    )  # fmt: skip
    return writer.scale(made, coefficient)
