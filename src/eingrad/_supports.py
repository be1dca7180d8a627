"""Where the terms of a derivative are not zero: which of them a selection can meet.

In: a derivative, and what it is multiplied with. Out: its pieces that have entries there.
Guaranteed: the product with what is left out is zero, and nothing is built to know that; at least
one piece is given, of which the product may be zero.

A vector that is put together from n pieces has a derivative of n terms. Whoever takes one entry of
it meets one of them; were each multiplied with all terms, that would be n**2 products, nearly
all of them zero.

>>> from eingrad import _ir
>>> picks = [_ir.selection(range(n, n + 1), 9) for n in range(9)]
>>> rows = [(_ir.new_input(f"x{n}", (1, 2)), pick) for n, pick in enumerate(picks)]
>>> total = _ir.add([_ir.contract([(x, (0, 2)), (pick, (0, 1))], (1, 2)) for x, pick in rows])
>>> [(piece, _)] = pieces_that_meet(total, (7, 8), [(picks[3], (5, 7))])
>>> piece.core.node is rows[3][0]
True
"""

import itertools
import weakref
from bisect import bisect_left
from collections.abc import Sequence

from eingrad._collected import Term, pieces_of
from eingrad._ir import Add, Node, Placement, Selection
from eingrad._subscripts import Subscripts

Range = tuple[int, int]  # the first position, and one after the last

_FEW = 8  # terms, which are as fast multiplied as looked for
_supports: weakref.WeakKeyDictionary[Node, tuple[Range | None, ...]] = weakref.WeakKeyDictionary()
_indexes: weakref.WeakKeyDictionary[Node, "_Index"] = weakref.WeakKeyDictionary()


def pieces_that_meet(
    derivative: Node, term: Subscripts, others: Sequence[tuple[Node, Subscripts]]
) -> Sequence[Term]:
    """Give the pieces, with axes along a term, that have entries where other factors have."""
    if not isinstance(derivative, Add) or len(derivative.terms) <= _FEW:
        return pieces_of(derivative)
    index = _indexes.get(derivative)
    if index is None:
        index = _Index(pieces_of(derivative))
        if all(node is not derivative for node, _ in index.pieces):  # it would keep itself alive
            _indexes[derivative] = index
    wanted = _wanted(term, others)
    if not wanted:
        return index.pieces
    axis, where = min(wanted, key=lambda pair: pair[1][1] - pair[1][0])
    found = [index.pieces[n] for n in index.meeting(axis, where)]
    return [piece for piece in found if _has_entries(piece[0], wanted)] or index.pieces[:1]


class _Index:
    """Pieces by where they have entries along an axis: intervals, in the order of their starts."""

    def __init__(self, pieces: Sequence[Term]) -> None:
        self.pieces = pieces
        self._along: dict[int, tuple[list[int], list[int], list[int], list[int]]] = {}

    def meeting(self, axis: int, where: Range) -> list[int]:
        """Number the pieces that have entries in a range, in their order."""
        starts, numbers, furthest, anywhere = self._known(axis)
        found = [*anywhere]
        k = bisect_left(starts, where[1]) - 1
        while k >= 0 and furthest[k] > where[0]:  # of all before, one ends behind the start
            found.append(numbers[k])
            k -= 1
        return sorted(found)

    def _known(self, axis: int) -> tuple[list[int], list[int], list[int], list[int]]:
        if axis not in self._along:
            supports = [support(node)[axis] for node, _ in self.pieces]
            spans = sorted((*where, n) for n, where in enumerate(supports) if where is not None)
            self._along[axis] = (
                [start for start, _, _ in spans],
                [n for _, _, n in spans],
                [*itertools.accumulate((stop for _, stop, _ in spans), max)],
                [n for n, where in enumerate(supports) if where is None],
            )
        return self._along[axis]


def _wanted(term: Subscripts, others: Sequence[tuple[Node, Subscripts]]) -> list[tuple[int, Range]]:
    """Positions along axes of a term outside of which some other factor is zero."""
    found = []
    for node, indices in others:
        for axis, where in enumerate(support(node)):
            if where is not None and indices[axis] in term:
                found += [(n, where) for n, index in enumerate(term) if index == indices[axis]]
    return found


def _has_entries(node: Node, wanted: Sequence[tuple[int, Range]]) -> bool:
    where = support(node)
    for axis, (start, stop) in wanted:
        own = where[axis]
        if own is not None and (own[1] <= start or stop <= own[0]):
            return False
    return True


def support(node: Node) -> tuple[Range | None, ...]:
    """Say of each axis between which positions entries are; None: anywhere, as far as is known."""
    if isinstance(node, Selection):
        return None, _range_of(node)
    if not isinstance(node, Placement):
        return (None,) * node.ndim
    known = _supports.get(node)
    if known is None:
        at: dict[int, Range | None] = {}
        for of, (row, *columns) in node.structure:
            if isinstance(of, Selection) and row != columns[0]:
                at.setdefault(columns[0], _range_of(of))
        known = _supports[node] = tuple([at.get(index) for index in node.out])
    return known


def _range_of(selection: Selection) -> Range | None:
    """Between which columns a selection selects; None of an array of positions, or of all."""
    table, size = selection.table, selection.shape[1]
    if not isinstance(table, range) or not table:
        return None
    first, last = sorted((table[0], table[-1]))
    return None if (first, last) == (0, size - 1) else (first, last + 1)
