"""Contractions of terms and arrays, and indexing: what patterns say of positions is solved first.

In: terms and arrays, and an index for each of their axes. Out: a term.
Guaranteed: nothing is written out; where two patterns lie along one index, the positions that they
have in common are found, and only their entries are multiplied.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from eingrad._ir.tables import pairs_of_rows
from eingrad._patterns import (
    Array,
    Axis,
    Labels,
    Pattern,
    positions,
    sizes_of,
    substitute,
    substituted,
    written_out,
)
from eingrad._run.structured.placed import Placed


@dataclass(slots=True)
class Network:
    """Factors by labels; for each index, where its axes lie: all say the same position."""

    factors: list[tuple[Array, Labels]] = field(default_factory=list)
    axes: dict[int, list[Axis]] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)  # of indices
    labels: int = 0

    def fresh(self, count: int = 1) -> Labels:
        """New labels."""
        self.labels += count
        return tuple(range(self.labels - count, self.labels))

    def place(self, core: Array | None, pattern: Pattern, indices: Sequence[int]) -> None:
        """Add a term, or a pattern of ones, whose axes have these indices."""
        new = dict(zip(pattern.order, self.fresh(len(pattern.order)), strict=True))
        if core is not None:
            self.factors.append((core, tuple(new[label] for label in pattern.core)))
        for index, axis in zip(indices, pattern.axes, strict=True):
            labels = tuple(new[label] for label in axis.labels)
            self.axes.setdefault(index, []).append(Axis(labels, axis.table))

    def contracted(self, out: Sequence[int], sizes: Mapping[int, int]) -> Placed:
        """Contract all indices of these sizes but those of the result."""
        self.sizes = dict(sizes)
        for index in self.axes:
            while len(self.axes[index]) > 1:
                self._unify(index)
        shown = tuple(self.axes[index][0] for index in out)
        on = tuple(sizes_of(shown))
        known = self._label_sizes()
        carried = {label for _, labels in self.factors for label in labels}
        kept = [label for label in on if label in carried]
        number = {label: n for n, label in enumerate([*carried, *on])}
        operands = [
            part for array, labels in self.factors for part in (array, [number[i] for i in labels])
        ]
        core = np.einsum(*operands, [number[i] for i in kept], optimize=True)
        free = math.prod(n for label, n in known.items() if label not in carried | {*on})
        core = np.asarray(core * free if free != 1 else core)  # not a scalar
        return Placed(core, Pattern(tuple(kept), shown))

    def _label_sizes(self) -> dict[int, int]:
        return sizes_of(axis for axes in self.axes.values() for axis in axes)

    # Positions that two axes must have in common

    def _unify(self, index: int) -> None:
        """Make the first two axes of an index one."""
        first, second, *rest = self.axes[index]
        if first.key == second.key:
            self.axes[index] = [first, *rest]
            return
        for one, other in ((first, second), (second, first)):
            label = one.labels[0] if one.is_whole(self.sizes[index]) else None
            if label is not None and label not in other.labels:
                self.axes[index] = [other, *rest]
                self._substitute({label: other})
                return
        self._match(index)

    def _match(self, index: int) -> None:
        """Go through the pairs of rows that lie at one position."""
        self._flatten(index, 0)
        self._flatten(index, 1)
        (a, first), (b, second) = self.axes[index][:2]
        if a == b:
            rows = np.flatnonzero(written_out(first) == written_out(second))
            self._substitute({a[0]: positions(self.fresh(), rows)})
            del self.axes[index][1]
            return
        of_first, of_second = pairs_of_rows(first, second)
        pair = self.fresh()
        del self.axes[index][1]
        self._substitute({a[0]: Axis(pair, of_first), b[0]: Axis(pair, of_second)})

    def _flatten(self, index: int, which: int) -> None:
        """Give an axis one label, of which those that it had are functions."""
        labels, table = self.axes[index][which]
        if len(labels) == 1:
            return
        assert not isinstance(table, range)
        row = self.fresh()
        found = {}
        for n, label in enumerate(labels):
            along = np.arange(table.shape[n]).reshape(-1, *(1,) * (table.ndim - 1 - n))
            found[label] = positions(row, np.broadcast_to(along, table.shape).reshape(-1))
        if not labels:
            self.axes[index][which] = positions(row, table.reshape(1))
        self._substitute(found)

    def _substitute(self, found: Mapping[int, Axis]) -> None:
        """Replace labels by functions of other ones, everywhere."""
        self.factors = [substitute(array, labels, found) for array, labels in self.factors]
        self.axes = {
            index: [substituted(axis, found) for axis in axes] for index, axes in self.axes.items()
        }
