"""Where a core lies in the buffer it is placed onto: the view of it, or the position of each entry.

In: the output indices of a placement, its structural tensors, the indices of its core; what turns
a selection into a table of the statement. Out: labels, and looks that make a view of the buffer
(`look_at`), or where no view exists, index arithmetic (`positions`).
Guaranteed: None where neither says it; then the structure is multiplied out.

>>> from eingrad import _ir
>>> look_at((0, 1), [(_ir.delta(3), (0, 1))], (0,), None)  # the diagonal of the buffer
((0, 0), ())
"""

import itertools
import math
from collections.abc import Callable, Sequence

from eingrad._ir import Factor, Merge, Node, Placement, Selection
from eingrad._limits import BUDGET
from eingrad._plan.kernels import (
    Affine,
    At,
    Label,
    Look,
    LookUp,
    MergeAxes,
    Merged,
    Part,
    PickAxis,
    Position,
    SliceAxis,
    SplitAxis,
    TableOperands,
)
from eingrad._subscripts import Subscripts

_ORDER = {SplitAxis: 0, MergeAxes: 0, SliceAxis: 1, PickAxis: 2}  # looks that come later, last

ToOperands = Callable[[Selection], TableOperands]
_By = dict[int, tuple[Node, Subscripts]]  # what an index is determined by, and by which indices


def look_at(
    out: Subscripts,
    structure: Sequence[Factor],
    core: Subscripts,
    table: ToOperands,
) -> tuple[Subscripts, tuple[Look, ...]] | None:
    """How to look at a buffer with indices `out` so that the core lies on it: labels and looks.

    Every structural tensor says that one axis is determined by others: look at the axis split or
    merged (merge), sliced or indexed (selection), or as a diagonal (delta: the same label twice).
    None where no such look exists: merging axes that are sliced already, say.
    """
    labels = list(out)
    looks: list[Look] = []
    pending = list(structure)
    while pending:
        steps = []
        for pair in pending:
            others = {i for other in pending if other is not pair for i in other[1]}
            steps.append((pair, _look(*pair, labels, others.union(core), table)))
        ready = [(pair, step) for pair, step in steps if step is not None]
        if not ready:
            return None
        pair, (axis, width, new, look) = min(ready, key=lambda entry: _rank(entry[1][3]))
        if any(_rank(look) < _rank(earlier) for earlier in looks):
            return None
        labels[axis : axis + width] = new
        if look is not None:
            looks.append(look)
        pending.remove(pair)
    return tuple(labels), tuple(looks)


def _rank(look: Look | None) -> int:
    """When a look is taken: renaming an axis, splitting, merging first; picking last."""
    return 0 if look is None else _ORDER[type(look)]


def positions(piece: Placement, table: ToOperands) -> tuple[Subscripts, At] | None:
    """Where each entry of the core lies in the buffer: labels, and an expression for each axis.

    An expression is an output index as a function of the indices that nothing determines. A merge
    may be read either way. None where an index is determined twice.
    """
    structure = piece.structure
    core: Subscripts = () if piece.core is None else piece.core.term
    merges = sum(isinstance(node, Merge) for node, _ in structure)
    for splits in itertools.islice(
        itertools.product((False, True), repeat=merges), BUDGET.readings
    ):
        by = _determine(structure, splits, core)
        found = None if by is None else _as_functions(piece.out, by, table)
        if by is not None and found is not None:
            every = dict.fromkeys((*piece.out, *core, *(i for _, t in structure for i in t)))
            labels = tuple(index for index in every if index not in by)
            return labels, At(tuple(piece.sizes[i] for i in labels), found)
    return None


def _determine(structure: Sequence[Factor], splits: Sequence[bool], core: Subscripts) -> _By | None:
    """Read every structural tensor as a function: a selection's column, a merge or its parts."""
    by: _By = {}
    split = iter(splits)
    for node, term in structure:
        is_merged = isinstance(node, Merge) and not next(split)
        found = term[:1] if is_merged else term[1:]
        if any(index in by or index in core for index in found) or len({*found}) < len(found):
            return None
        by.update(dict.fromkeys(found, (node, term)))
    return by


def _as_functions(out: Subscripts, by: _By, table: ToOperands) -> tuple[Position, ...] | None:
    """Write output indices as functions of those that nothing determines; None for a cycle."""
    reached: set[int] = set()

    def expression(index: int, inside: tuple[int, ...]) -> Position | None:
        reached.add(index)
        if index in inside:
            return None
        if index not in by:
            return Label(index)
        node, term = by[index]
        below = term[:1] if index in term[1:] else term[1:]
        found = [expression(i, (*inside, index)) for i in below]
        parts = tuple(part for part in found if part is not None)
        if len(parts) < len(found):
            return None
        if isinstance(node, Selection):
            return _select(node, parts[0], table)
        if index in term[1:]:
            position = term.index(index, 1)
            return Part(math.prod(node.shape[position + 1 :]), node.shape[position], parts[0])
        return Merged(node.shape[1:], parts)

    expressions = [expression(index, ()) for index in out]
    if not reached.issuperset(by):
        return None  # a tie of summed indices counts, and places nothing
    functions = tuple(e for e in expressions if e is not None)
    return functions if len(functions) == len(expressions) else None


def _select(node: Selection, position: Position, table: ToOperands) -> Position:
    if node.is_delta:
        return position
    if isinstance(node.table, range):
        return Affine(node.table.start, node.table.step, position)
    return LookUp(table(node), position)


def _look(  # noqa: PLR0911 - one for each kind of structure
    node: Node, term: Subscripts, labels: Sequence[int], used: set[int], table: ToOperands
) -> tuple[int, int, Subscripts, Look | None] | None:
    """Axis and number of the labels to replace, the new labels, and the look at the buffer."""
    determined = term[1] if isinstance(node, Selection) else term[0]
    if determined in used or labels.count(determined) > 1:
        return None  # something else still hangs on this index
    if isinstance(node, Selection):
        if determined not in labels:
            return None
        axis = labels.index(term[1])
        if node.is_delta:
            return axis, 1, term[:1], None
        if isinstance(node.table, range):
            return axis, 1, term[:1], SliceAxis(axis, node.table)
        return axis, 1, term[:1], PickAxis(axis, table(node))
    if term[0] in labels:
        axis = labels.index(term[0])
        return axis, 1, term[1:], SplitAxis(axis, node.shape[1:])
    parts = list(term[1:])
    if used.intersection(parts) or any(labels.count(i) > 1 for i in parts):
        return None  # merging would forget what else these indices tie
    for axis in range(len(labels) - len(parts) + 1):
        if list(labels[axis : axis + len(parts)]) == parts:
            return axis, len(parts), term[:1], MergeAxes(axis, len(parts))
    return None
