"""Patterns: where the entries of a core lie in a tensor that is zero elsewhere.

In: labels, integers local to a pattern, that number a grid; which of them the core's axes have; for
each axis of the tensor, its labels and a table of positions. Out: the pattern as data, compared by
key, and its labels replaced by functions of others.
Guaranteed: an entry of the core lies at ``position[axis] = table[axis][labels of the axis]``, once
for each value of the labels that the core has not; entries at one position add up. So axes that
share a label are tied by a delta, a range is a band or a block, an array a shift or a gather, a
table of two labels axes that were merged.

>>> upper = Pattern((0,), (Axis((0,), range(3)), Axis((0,), range(1, 4))))
>>> numbering(upper.axes, (4, 4))[1]  # the first diagonal above the main one, row by row
array([ 1,  6, 11])
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eingrad._ir.tables import Table, canonical_table, key_of
from eingrad._subscripts import Shape

Array = NDArray[Any]
Labels = tuple[int, ...]


class Axis(NamedTuple):
    """Positions along one axis of a tensor: ``table[labels]``, a range of one label where it is."""

    labels: Labels
    table: Table

    @property
    def sizes(self) -> dict[int, int]:
        """Size of each label."""
        shape = (len(self.table),) if isinstance(self.table, range) else self.table.shape
        return dict(zip(self.labels, shape, strict=True))

    def is_whole(self, size: int) -> bool:
        """Whether one label goes along all of an axis of this size, in order."""
        return isinstance(self.table, range) and self.table == range(size)

    @property
    def key(self) -> Hashable:
        """What equal ones have in common."""
        shape = () if isinstance(self.table, range) else self.table.shape
        return self.labels, shape, key_of(self.table)


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """Labels of a core's axes, and where they lie along each axis of a tensor."""

    core: Labels
    axes: tuple[Axis, ...]

    @property
    def key(self) -> Hashable:
        """What patterns have in common whose cores may be added."""
        number = {label: n for n, label in enumerate(self.order)}
        renamed = [Axis(tuple(number[i] for i in axis.labels), axis.table) for axis in self.axes]
        return tuple(number[i] for i in self.core), tuple(axis.key for axis in renamed)

    @property
    def order(self) -> Labels:
        """Its labels: those of the core, then others by first use."""
        return tuple(dict.fromkeys((*self.core, *(i for axis in self.axes for i in axis.labels))))

    @property
    def sizes(self) -> dict[int, int]:
        """Size of each label that an axis has: the core has no others."""
        return sizes_of(self.axes)

    @property
    def tables(self) -> list[Array]:
        """Tables that take memory."""
        return [axis.table for axis in self.axes if not isinstance(axis.table, range)]


def sizes_of(axes: Iterable[Axis]) -> dict[int, int]:
    """Size of each label."""
    sizes: dict[int, int] = {}
    for axis in axes:
        sizes.update(axis.sizes)
    return sizes


def whole(shape: Shape) -> Pattern:
    """A pattern whose core is the tensor."""
    labels = tuple(range(len(shape)))
    return Pattern(labels, tuple(Axis((n,), range(size)) for n, size in enumerate(shape)))


def numbers_held(cores: Mapping[Hashable, int], patterns: Iterable[Pattern]) -> int:
    """Count the numbers of cores, each by its size, and of tables, those of one array once."""
    tables = {id(table): table.size for p in patterns for table in p.tables}
    return sum(cores.values()) + sum(tables.values())


def numbering(axes: Sequence[Axis], shape: Shape, order: Labels = ()) -> tuple[Labels, Array]:
    """Row-major position in an array of this shape, with an axis for each label."""
    sizes = sizes_of(axes)
    order = order or tuple(sizes)
    total = np.zeros((1,) * len(order), np.int64)
    for n, axis in enumerate(axes):
        step = math.prod(shape[n + 1 :])
        total = total + step * spread(written_out(axis.table), axis.labels, order)
    return order, np.broadcast_to(total, tuple(sizes[label] for label in order))


def written_out(table: Table) -> Array:
    """Write a range as an array."""
    if isinstance(table, range):
        return np.arange(table.start, table.stop, table.step)
    return table


def spread(array: Array, labels: Labels, order: Labels) -> Array:
    """Put axes in order, with one of size one for each label that the array has not."""
    turned = array.transpose([labels.index(label) for label in order if label in labels])
    return turned[tuple(slice(None) if label in labels else None for label in order)]


# Labels as functions of others -------------------------------------------------------------------


def substitute(
    array: Array, labels: Labels, found: Mapping[int, Axis]
) -> tuple[Array, Labels]:  # fmt: skip
    """Take the entries of an array where labels are functions of other ones.

    All are replaced at once. Views where a label is a range of another; nothing larger is made
    than the result, whose labels are distinct.
    """
    changed = [label for label in labels if label in found]
    if not changed:
        return array, labels
    others = tuple(label for label in labels if label not in found)
    new = [i for label in changed for i in found[label].labels]
    if len(changed) == 1 and not set(new).intersection(others):
        (label,), (axis_labels, table) = changed, found[changed[0]]
        place = labels.index(label)
        taken = _take(array, table, place)
        return taken, (*labels[:place], *axis_labels, *labels[place + 1 :])
    union = (*others, *(i for i in dict.fromkeys(new) if i not in others))
    sizes = dict(zip(labels, array.shape, strict=True))
    index = []
    for label in labels:
        axis = found.get(label, Axis((label,), range(sizes[label])))
        index.append(spread(written_out(axis.table), axis.labels, union))
    return array[tuple(index)], union


def _take(array: Array, table: Table, place: int) -> Array:
    if isinstance(table, range):
        stop = table.stop if table.stop >= 0 else None
        return array[(*(slice(None),) * place, slice(table.start, stop, table.step))]
    return array.take(table, place)


def substituted(axis: Axis, found: Mapping[int, Axis]) -> Axis:
    """Positions along an axis where labels are functions of other ones."""
    labels, table = axis
    if isinstance(table, range):
        if labels[0] not in found:
            return axis
        new, inner = found[labels[0]]
        if isinstance(inner, range):
            start, step = table.start + inner.start * table.step, inner.step * table.step
            return Axis(new, canonical_table(range(start, start + step * len(inner), step)))
        return positions(new, table.start + table.step * inner)
    taken, new = substitute(table, labels, found)
    return positions(new, taken)


def positions(labels: Labels, table: Array) -> Axis:
    """Write positions as a range where they are one, else as an array that nobody writes to."""
    if table.ndim == 1:
        return Axis(labels, canonical_table(table))
    table = np.array(table, np.intp, order="C")
    table.flags.writeable = False
    return Axis(labels, table)
