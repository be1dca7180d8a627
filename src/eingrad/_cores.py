"""Cores: what a structured derivative computes, and the pattern that each lies in.

In: roots. Out: distinct nodes, the cores, and for each root pairs of a pattern and the number of
its core; they add up to the root.
Guaranteed: the terms of a root hold fewer numbers than it has entries, or it is one core. Terms of
one pattern are one term.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad import _ir
from eingrad._forms import Forms
from eingrad._ir import Node, Placement, Selection
from eingrad._patterns import (
    Axis,
    Labels,
    Pattern,
    numbers_held,
    positions,
    spread,
    substituted,
    whole,
    written_out,
)
from eingrad._plan.kernels import (
    Affine,
    Label,
    LookUp,
    Merged,
    Part,
    Position,
    TableOperands,
)
from eingrad._plan.placement import positions as positions_of_placement
from eingrad._subscripts import Shape
from eingrad._terms import split_term, terms_of

_Placed = tuple[Pattern, Node]  # a core where it lies
Terms = tuple[tuple[Pattern, int], ...]  # patterns, and the numbers of their cores


def split(roots: Sequence[Node], forms: Forms) -> tuple[list[Node], list[Terms]]:
    """Split derivatives into the cores of their terms, each once, and what places each core."""
    number: dict[Node, int] = {}
    found = []
    for node in forms.normal(roots):
        terms = _placed_terms(node)
        found.append(tuple((p, number.setdefault(core, len(number))) for p, core in terms))
    return [*number], found


def _placed_terms(node: Node) -> list[_Placed]:
    """Add up the terms of one pattern; write out what would hold more than the whole."""
    if _ir.is_zero(node):
        return []
    found: dict[Hashable, _Placed] = {}
    for term in terms_of(node):
        pattern, core = _placed(term)
        key = pattern.key
        if key in found:
            pattern, other = found[key]
            core = _ir.add([other, core])
        found[key] = pattern, core
    terms = [(pattern, core) for pattern, core in found.values() if not _ir.is_zero(core)]
    held = numbers_held({core: core.size for _, core in terms}, [p for p, _ in terms])
    return [(whole(node.shape), node)] if held > node.size else terms


def _placed(node: Node) -> _Placed:
    """Say where a core lies: by deltas, or where that takes fewer numbers by all structure."""
    deltas, core, axes = split_term(node)
    by_deltas = _tied(node.shape, deltas, axes), core
    if node.ndim < 2 or not isinstance(node, Placement):  # noqa: PLR2004 - a vector is its entries
        return by_deltas
    by_all = _laid(node)
    if by_all is None or _held(by_all) >= _held(by_deltas):
        return by_deltas
    return by_all


def _held(term: _Placed) -> int:
    return numbers_held({0: term[1].size}, [term[0]])


def _tied(shape: Shape, deltas: Sequence[tuple[int, int]], axes: Sequence[int]) -> Pattern:
    """Number the axes so that those tied by deltas have one label."""
    labels = [*range(len(shape))]
    for a, b in deltas:
        low, high = sorted((labels[a], labels[b]))
        labels = [low if label == high else label for label in labels]
    placed = (Axis((n,), range(size)) for n, size in zip(labels, shape, strict=True))
    return Pattern(tuple(labels[axis] for axis in axes), tuple(placed))


def _laid(node: Placement) -> _Placed | None:
    """Read structure as positions; None where that is not known, or a label lies on no axis."""
    selections: list[Selection] = []

    def table(picks: Selection) -> TableOperands:
        selections.append(picks)
        return TableOperands(len(selections) - 1, None)

    read = positions_of_placement(node, table)
    if read is None:
        return None
    labels, at = read
    rows = _Rows(dict(zip(labels, at.sizes, strict=True)), selections)
    axes = [rows.axis(position) for position in at.positions]
    if any(axis is None for axis in axes):
        return None
    placed = tuple(filter(None, axes))
    core = _core_labels(node, [label for axis in placed for label in axis.labels])
    pattern = Pattern(core, placed)
    if any(label not in pattern.sizes for label in labels):
        return None  # summed
    return rows.selecting(pattern, _core_of(node, core))


def _core_labels(node: Placement, grid: Sequence[int]) -> Labels:
    """Labels of the core, each once, those first that lie on the first axes."""
    term = () if node.core is None else node.core.term
    return tuple(label for label in dict.fromkeys((*grid, *term)) if label in term)


def _core_of(node: Placement, labels: Labels) -> Node:
    """The core as an array of these labels, scaled; a number where there is none."""
    factors = [] if node.core is None else [node.core]
    return _ir.contract(factors, labels, (), node.coefficient, node.dtype)


@dataclass(slots=True)
class _Rows:
    """Rows of a grid, and which of each label select something."""

    sizes: dict[int, int]
    selections: list[Selection]
    kept: dict[int, NDArray[np.bool_]] = field(default_factory=dict)

    def axis(self, position: Position) -> Axis | None:
        """Evaluate a position; None where what it selects is not told label by label."""
        value = self._value(position)
        if value is None:
            return None
        labels, table = value
        return Axis(labels, table) if isinstance(table, range) else positions(labels, table)

    def _value(self, position: Position) -> tuple[Labels, Any] | None:
        match position:
            case Label(index=label):
                return (label,), range(self.sizes[label])
            case Affine(start=start, step=step, position=below):
                return self._then(below, lambda p: start + step * p)
            case Part(stride=stride, size=size, whole=below):
                return self._then(below, lambda p: p // stride % size)
            case Merged(sizes=sizes, parts=parts):
                return self._merged(sizes, list(map(self._value, parts)))
            case LookUp(table=operands, position=below):
                return self._looked_up(self.selections[operands.positions], below)

    def _then(self, below: Position, function: Any) -> tuple[Labels, Any] | None:
        value = self._value(below)
        return None if value is None else (value[0], function(written_out(value[1])))

    def _merged(
        self, sizes: Shape, parts: Sequence[tuple[Labels, Any] | None]
    ) -> tuple[Labels, Any] | None:
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        labels = tuple(dict.fromkeys(label for part in known for label in part[0]))
        arrays = [spread(written_out(table), own, labels) for own, table in known]
        return labels, np.ravel_multi_index(np.broadcast_arrays(*arrays), sizes)

    def _looked_up(self, picks: Selection, below: Position) -> tuple[Labels, Any] | None:
        value = self._value(below)
        if value is None:
            return None
        table = _ir.positions_of(picks.table)[written_out(value[1])]
        selects = table >= 0
        if not selects.all():
            if len(value[0]) != 1:
                return None
            (label,) = value[0]
            self.kept[label] = selects & self.kept.get(label, True)
        return value[0], np.maximum(table, 0)

    def selecting(self, pattern: Pattern, core: Node) -> _Placed:
        """Drop rows that select nothing."""
        for label, kept in self.kept.items():
            rows = np.flatnonzero(kept)
            found = {label: positions((label,), rows)}
            pattern = Pattern(pattern.core, tuple(substituted(a, found) for a in pattern.axes))
            if label in pattern.core:
                picks = _ir.selection(rows, len(kept))
                core = _ir.take(core, pattern.core.index(label), picks)
        return pattern, core
