"""Terms as patterns with cores: written out, added up, made of `Term`s and back.

In: terms, whose deltas and positions name axes. Out: the same by labels.
Guaranteed: no step makes more than a term, but `dense`.
"""

import itertools
import math
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eingrad._ir.tables import canonical_table
from eingrad._patterns import (
    Array,
    Axis,
    Labels,
    Pattern,
    numbering,
    numbers_held,
    positions,
    spread,
    whole,
)
from eingrad._subscripts import Shape
from eingrad._tracer import Term


class Placed(NamedTuple):
    """A core, and the pattern that it lies in."""

    core: Array
    pattern: Pattern


# From terms and back -----------------------------------------------------------------------------


def placed(term: Term, shape: Shape) -> Placed:
    """Read deltas as labels in common; the diagonal of a core where they tie its axes."""
    tables: Sequence[Any] = term.positions or [range(size) for size in shape]
    counts = [1 if isinstance(table, range) else np.ndim(table) for table in tables]
    labels = [*range(sum(counts))]
    for a, b in term.deltas:
        low, high = sorted((labels[a], labels[b]))
        labels = [low if label == high else label for label in labels]
    rest = iter(labels)
    axes = [
        _axis(tuple(itertools.islice(rest, count)), table)
        for count, table in zip(counts, tables, strict=True)
    ]
    core, own = _distinct(np.asarray(term.core), [labels[axis] for axis in term.axes])
    return Placed(core, Pattern(own, tuple(axes)))


def _axis(labels: Labels, table: Any) -> Axis:
    if isinstance(table, range):
        return Axis(labels, canonical_table(table))
    array, own = _distinct(np.asarray(table, np.intp), labels)
    return positions(own, array)


def _distinct(array: Array, labels: Sequence[int]) -> tuple[Array, Labels]:
    """Take diagonals where labels repeat: a view."""
    own = tuple(dict.fromkeys(labels))
    if len(own) == len(labels):
        return array, own
    number = {label: n for n, label in enumerate(own)}
    return np.einsum(array, [number[i] for i in labels], [*number.values()]), own


def term_of(core: Array, pattern: Pattern, shape: Shape) -> Term:
    """Write labels as deltas between axes of the grid; no positions where the grid is all."""
    grid = [label for axis in pattern.axes for label in axis.labels]
    deltas: list[tuple[int, int]] = []
    for label in dict.fromkeys(grid):
        deltas += itertools.pairwise(n for n, other in enumerate(grid) if other == label)
    is_all = all(a.is_whole(size) for a, size in zip(pattern.axes, shape, strict=True))
    tables = () if is_all else tuple(axis.table for axis in pattern.axes)
    return Term(tuple(sorted(deltas)), core, tuple(map(grid.index, pattern.core)), tables)


# Values ------------------------------------------------------------------------------------------


def dense(terms: Iterable[Placed], shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Write a sum of terms out."""
    result = np.zeros(shape, dtype)
    for term in terms:
        if not _add_to_view(result, term):
            order, at = numbering(term.pattern.axes, shape)
            values = np.broadcast_to(spread(term.core, term.pattern.core, order), at.shape)
            np.add.at(result.reshape(-1), at.reshape(-1), values.reshape(-1))
    return result


def _add_to_view(result: Array, term: Placed) -> bool:
    """Add a core where its pattern is a view of the whole: of ranges, and their diagonals."""
    axes = term.pattern.axes
    if not all(isinstance(axis.table, range) for axis in axes):
        return False
    slices = []
    for _, table in axes:
        assert isinstance(table, range)
        stop = table.stop if table.stop >= 0 else None
        slices.append(slice(table.start, stop, table.step))
    order = term.pattern.order
    number = {label: n for n, label in enumerate(order)}
    where = result[(*slices, ...)]  # the ellipsis: of a number a view too
    if axes:
        where = np.einsum(where, [number[axis.labels[0]] for axis in axes], [*range(len(order))])
    where += spread(term.core, term.pattern.core, order)
    return True


def values_at(term: Placed, order: Labels) -> Array:
    """The core, an entry for each of the labels, in order."""
    sizes = term.pattern.sizes
    spread_core = spread(term.core, term.pattern.core, order)
    return np.broadcast_to(spread_core, tuple(sizes[label] for label in order))


def added_up(terms: Iterable[Placed], shape: Shape, dtype: np.dtype[Any]) -> list[Placed]:
    """Add up terms of one pattern; write all out where they would hold more than the whole."""
    found: dict[Hashable, Placed] = {}
    for term in terms:
        if 0 in term.pattern.sizes.values():
            continue
        key = term.pattern.key
        if key in found:
            found[key] = Placed(found[key].core + term.core, found[key].pattern)
        else:
            found[key] = term
    added = [*found.values()]
    if held(added) <= math.prod(shape):
        return added
    return [Placed(dense(added, shape, dtype), whole(shape))]


def held(terms: Iterable[Placed]) -> int:
    """Count the numbers of cores and tables, each once."""
    terms = [*terms]
    return numbers_held({id(t.core): t.core.size for t in terms}, [t.pattern for t in terms])


def nbytes(terms: Iterable[Placed]) -> int:
    """Bytes of cores and tables, each once."""
    arrays: dict[int, NDArray[Any]] = {}
    for term in terms:
        arrays.update({id(array): array for array in (term.core, *term.pattern.tables)})
    return sum(array.nbytes for array in arrays.values())
