"""Where the entries of computed nodes are now, and arrays of such entries.

In: nodes that take the place of others, and addresses. Out: arrays of the entries there.
Guaranteed: entries of one array are a selection of it, those of several are joined and selected;
all of them in order are the array itself.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._ir import Node
from eingrad._pack.entries import ZERO, Addresses, Book
from eingrad._primitives import apply


class Places:
    """Nodes that were made, and which of them has the entries of each computed node."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._made: list[Node] = []
        count = len(book.sources)
        self._place = np.full(count, -1, np.intp)  # by number: one that was made
        self._first = np.zeros(count, np.intp)  # and the first entry in it

    def put(self, node: Node, numbers: Sequence[int]) -> None:
        """Say that a node has the entries of these, one after the other."""
        size = node.size // len(numbers)
        self._place[[*numbers]] = len(self._made)
        self._first[[*numbers]] = np.arange(len(numbers)) * size
        self._made.append(node)

    def where(self, addresses: Addresses) -> list[tuple[int, int]]:
        """Say of few entries what `now` says of many."""
        found = []
        for address in addresses.tolist():
            if address == ZERO:
                found.append((-1, -1))
                continue
            number, position = self._book.place(address)
            found.append((int(self._place[number]), int(self._first[number]) + position))
        return found

    def now(self, addresses: Addresses) -> tuple[Addresses, Addresses]:
        """Say of each entry which of the nodes that were made it is in, and where; -1: zero."""
        flat = addresses.ravel()
        numbers, positions = self._book.places(flat)
        made = self._place[numbers]
        positions += self._first[numbers]
        zero = flat == ZERO
        made[zero], positions[zero] = -1, -1
        return made, positions

    def _parts(self, addresses: Addresses) -> list[tuple[int, Addresses]]:
        """Part entries into runs that are in one node each; a run of zeros is in -1."""
        made, positions = self.now(addresses)
        cuts = np.flatnonzero(np.diff(made)) + 1
        starts = [0, *cuts.tolist()]
        return [
            (int(made[start]), run)
            for start, run in zip(starts, np.split(positions, cuts), strict=True)
        ]

    def steps(self, addresses: Addresses) -> int:
        """Count what is done to gather entries: less where they are an array, in order.

        Of several arrays, one step for each that is a number, or of which a part is taken.
        """
        if addresses.size == 1 and addresses.item() != ZERO:
            number, _ = self._book.place(addresses.item())
            return int(self._made[int(self._place[number])].size > 1)
        made, positions = self.now(addresses)
        places = np.unique(made).tolist()
        runs = 1 + int(np.count_nonzero(np.diff(made)))
        if places == [-1]:
            return 0
        if len(places) == 1:
            return int(not _is_whole(positions, self._made[places[0]]))
        parts: int = sum(
            self._made[place].size == 1
            or len({*positions[made == place].tolist()}) < self._made[place].size
            for place in places if place >= 0
        )  # fmt: skip
        return 1 + parts + (runs > len(places))

    def gather(self, addresses: Addresses, dtype: np.dtype[Any]) -> Node:
        """Make the array of these entries."""
        shape = addresses.shape
        parts = self._parts(addresses)
        places = {place for place, _ in parts if place >= 0}
        if not places:
            return _ir.zeros(shape, dtype)
        if len(places) == 1:
            whole = np.concatenate([run for _, run in parts])
            (place,) = places
            return pick(self._made[place], whole.reshape(shape))
        if len(parts) == len(places):
            arrays = [pick(self._made[place], run) for place, run in parts]
            return _ir.reshape(apply("concatenate", *arrays, axis=0), shape)
        made, positions = self.now(addresses)
        arrays, table = [], np.full(made.shape, -1, np.intp)
        first = 0
        for place in sorted(places):
            here = made == place
            used, back = np.unique(positions[here], return_inverse=True)
            arrays.append(pick(self._made[place], used))
            table[here] = first + back
            first += len(used)
        joined = apply("concatenate", *arrays, axis=0)
        return pick(joined, table.reshape(shape))


def _is_whole(positions: Addresses, node: Node) -> bool:
    return positions.size == node.size and bool((positions.ravel() == np.arange(node.size)).all())


def pick(node: Node, positions: Addresses) -> Node:
    """Select entries of an array by their positions, -1 for zero; the result has their shape.

    >>> x = _ir.new_input("x", (2, 3))
    >>> pick(x, np.array([0, 1, 2, 3, 4, 5])) is _ir.reshape(x, (6,))
    True
    >>> pick(x, np.array([[2, 5], [1, 4]])).shape
    (2, 2)
    """
    shape = positions.shape
    if _is_whole(positions, node):
        return _ir.reshape(node, shape)
    if not node.ndim and (positions == 0).all():
        return _ir.broadcast(node, shape)
    if not node.ndim or (positions < 0).any():
        return _pick_flat(node, positions)
    rows = range(node.ndim, node.ndim + positions.ndim)
    factors: list[tuple[Node, Sequence[int]]] = [(node, range(node.ndim))]
    fresh = itertools.count(node.ndim + positions.ndim)
    for axis, along in enumerate(np.unravel_index(positions, node.shape)):
        varying = [n for n, size in enumerate(shape) if size > 1 and np.any(np.diff(along, axis=n))]
        if len(varying) > 1:
            return _pick_flat(node, positions)
        row = rows[varying[0]] if varying else next(fresh)
        table = along[tuple(slice(None) if [n] == varying else 0 for n in range(len(shape)))]
        factors.append((_ir.selection(np.atleast_1d(table), node.shape[axis]), (row, axis)))
    sizes: Mapping[int, int] = dict(zip(rows, shape, strict=True))
    return _ir.contract(factors, tuple(rows), sizes)


def _pick_flat(node: Node, positions: Addresses) -> Node:
    flat = _ir.reshape(node, (node.size,))
    table = _ir.selection(positions.ravel(), node.size)
    return _ir.reshape(_ir.take(flat, 0, table), positions.shape)
