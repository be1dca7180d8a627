"""Where the entries of small arrays come from: slices, stacks and reshapes are looked through.

In: nodes, operands before what is made of them. Out: for each entry, an address: a number that says
of which computed node it is which entry.
Guaranteed: what only moves entries has the addresses of what it moves; 0 is the address of a zero
that structure makes, which is not computed.

>>> from eingrad import _ir
>>> x = _ir.new_input("x", (3,))
>>> book = Book()
>>> book.enter(x)
>>> book.enter(_ir.take(x, 0, _ir.selection([2, -1, 0], 3)))
>>> [book.addresses(node).tolist() for node in book.nodes]
[[1, 2, 3], [3, 0, 1]]
"""

import bisect
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eingrad import _ir
from eingrad._ir import Apply, Einsum, Node, Placement, Selection, Structural, View
from eingrad._primitives import row_of

Addresses = NDArray[np.intp]
ZERO = 0
MOST_ENTRIES = 4096  # of an array that is looked through


class Book:
    """Addresses of entries: those of each computed node are consecutive."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []  # all that were entered
        self.sources: list[Node] = []  # those that are computed
        self._first: list[int] = []  # address of their first entries
        self._array = np.zeros(0, np.intp)  # the same
        self._next = ZERO + 1
        self._known: dict[Node, Addresses] = {}
        self._number: dict[Node, int] = {}

    def enter(self, node: Node, *, whole: bool = False) -> None:
        """Enter a node whose operands are in the book; what is `whole` is not looked through."""
        self.nodes.append(node)
        moved = None if whole or node.size > MOST_ENTRIES else self._moved(node)
        if moved is not None:
            self._known[node] = moved
        else:
            self._add(node)

    def is_source(self, node: Node) -> bool:
        """Whether a node is computed, or given."""
        return node in self._number

    def addresses(self, node: Node) -> Addresses:
        """Give the address of each entry, in row-major order."""
        found = self._known.get(node)
        if found is None:
            first = self._first[self._number[node]]
            found = self._known[node] = np.arange(first, first + node.size)
        return found

    def sources_of(self, node: Node) -> set[int]:
        """Number the computed nodes that a node has entries of."""
        if node in self._number:
            return {self._number[node]}
        return self.numbers_of(self._known[node])

    def numbers_of(self, addresses: Addresses) -> set[int]:
        """Number the computed nodes that these addresses lie in."""
        inside = np.unique(addresses[addresses > ZERO])
        return {*self._numbers(inside).tolist()}

    def places(self, addresses: Addresses) -> tuple[Addresses, Addresses]:
        """Part addresses into the number of a computed node, -1 for zeros, and a position in it."""
        numbers = self._numbers(addresses)
        return numbers, addresses - self._starts()[numbers]

    def place(self, address: int) -> tuple[int, int]:
        """Part one address that is not that of a zero."""
        number = bisect.bisect_right(self._first, address) - 1
        return number, address - self._first[number]

    def _numbers(self, addresses: Addresses) -> Addresses:
        return np.searchsorted(self._starts(), addresses, side="right") - 1

    def _starts(self) -> Addresses:
        if len(self._array) < len(self._first):
            self._array = np.array(self._first, np.intp)
        return self._array

    def _add(self, node: Node) -> int:
        """Give a computed node addresses of its own."""
        first = self._next
        self._number[node] = len(self.sources)
        self.sources.append(node)
        self._first.append(first)
        self._next += node.size
        return first

    def _moved(self, node: Node) -> Addresses | None:
        """Addresses of a node that only moves entries; None where it computes some."""
        if isinstance(node, Einsum) and _ir.is_fill(node):
            return self._number_of_fill(node)
        if isinstance(node, Apply) and row_of(node).joins:
            if any(n.size > MOST_ENTRIES for n in node.operands):
                return None
            axis = dict(node.attributes)["axis"]
            assert isinstance(axis, int)
            parts = [self.addresses(n).reshape(n.shape) for n in node.operands]
            return np.concatenate(parts, axis).ravel()
        if not isinstance(node, Einsum) or node.coefficient != 1:
            return None
        view = _ir.view_of(node, deep=False)
        if view is None or view.core is None:
            return None
        core, picked = view.core.node, picks(view)
        if picked is None or not (self.is_source(core) or core in self._known):
            return None
        if self.is_source(core):
            first = self._first[self._number[core]]
            return np.where(picked >= 0, first + picked, ZERO)
        below = self._known[core]
        return np.where(picked >= 0, below[picked], ZERO)

    def _number_of_fill(self, node: Node) -> Addresses:
        """Repeat the one address of a number."""
        assert isinstance(node, Placement)
        number = _ir.fill(node.coefficient, (), node.dtype)
        if number not in self._number:
            self._add(number)
        return np.full(node.size, self._first[self._number[number]])


def picks(view: View) -> Addresses | None:
    """Which entry of its one array each entry of a view is; -1 where it is zero.

    None where entries are added up, or where structure determines more than this follows.
    """
    if view.core is None:
        return None
    shape = [view.sizes[index] for index in view.out]
    count = math.prod(shape)
    known: dict[int, Addresses] = dict(
        zip(view.out, (n.ravel() for n in np.indices(shape)), strict=True)
    )
    inside = np.ones(count, bool)
    pending = [(n, *n.determine(t)) for n, t in view.structure if isinstance(n, Structural)]
    determined = {index for _, of, _ in pending for index in of}
    for index, size in view.sizes.items():
        if index not in known and index not in determined and size == 1:
            known[index] = np.zeros(count, np.intp)
    while pending:
        for one in pending:
            found = _follow(*one, known)
            if found is not None:
                break
        else:
            return None
        pending.remove(one)
        where, hits = found
        inside &= hits
        for index, values in where.items():
            if index in known:
                inside &= known[index] == values
            else:
                known[index] = values
    core, term = view.core
    if not known.keys() >= {*term}:
        return None
    whole = _ravel([known[index] for index in term], core.shape, count)
    return np.where(inside, whole, -1)


def _follow(
    node: Structural, of: Sequence[int], by: Sequence[int], known: dict[int, Addresses]
) -> tuple[dict[int, Addresses], NDArray[np.bool_]] | None:
    """Find indices by others that are known, either way; None where too few of them are."""
    if isinstance(node, Selection):
        (column,), (row,) = of, by
        table = _ir.positions_of(node.table)
        if row in known:
            values = table[known[row]].astype(np.intp)
            return {column: np.maximum(values, 0)}, values >= 0
        if column not in known:
            return None
        rows = np.flatnonzero(table >= 0)
        if len({*table[rows].tolist()}) < len(rows):
            return None  # rows that select the same are added up
        back = np.full(node.shape[1], -1, np.intp)
        back[table[rows].astype(np.intp)] = rows
        values = back[known[column]]
        return {row: np.maximum(values, 0)}, values >= 0
    (position,) = of
    sizes = node.shape[1:]
    if all(part in known for part in by):
        whole = _ravel([known[part] for part in by], sizes, -1)
        return {position: whole}, np.ones(len(whole), bool)
    if position not in known:
        return None
    parts = np.unravel_index(known[position], sizes)
    return dict(zip(by, parts, strict=True)), np.ones(len(known[position]), bool)


def _ravel(parts: Sequence[Addresses], sizes: Sequence[int], count: int) -> Addresses:
    if not parts:
        return np.zeros(count, np.intp)
    whole = parts[0]
    for part, size in zip(parts[1:], sizes[1:], strict=True):
        whole = whole * size + part
    return whole


def short(shape: Sequence[int]) -> tuple[int, ...]:
    """Leave axes of length one out of a shape."""
    return tuple(n for n in shape if n != 1)
