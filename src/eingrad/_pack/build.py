"""Packs: operations of one kind as one operation, on operands that are gathered.

In: groups of operations, in order. Out: the nodes that take the place of others.
Guaranteed: each entry is computed by the operation that the user wrote, of the same numbers. What
is not packed, and needs nothing that is, is the node that it was.

Entries of one array are a selection of it, those of several arrays are joined and selected; in
order, and all of them, they are the array itself.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._ir import Apply, Coefficient, Node
from eingrad._pack.entries import ZERO, Addresses, Book
from eingrad._pack.operations import Operation
from eingrad._primitives import apply

_FEW = 3  # operands of a sum that are gathered one by one, if need be


class Builder:
    """What was built so far: where the entries of each computed node are now."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._made: list[Node] = []
        count = len(book.sources)
        self._place = np.full(count, -1, np.intp)  # by number: one that was made
        self._first = np.zeros(count, np.intp)  # and the first entry in it
        self._moved: set[int] = set()  # numbers of what is not what it was
        self._values: dict[Node, Node] = {}

    # One after the other

    def keep(self, number: int) -> None:
        """Leave a computed node as it is."""
        self._put(number, self._book.sources[number])

    def rebuild(self, number: int, within: Sequence[Node] = ()) -> None:
        """Compute a node as before, of operands as they are now."""
        node = self._book.sources[number]
        inner: dict[Node, Node] = {}
        for each in (*within[::-1], node):
            below = _ir.children(each)
            moved = [inner[n] if n in inner else self.value(n) for n in below]
            same = all(a is b for a, b in zip(moved, below, strict=True))
            inner[each] = each if same else _ir.with_children(each, moved)
        self._put(number, inner[node])

    def arranged(
        self, numbers: Sequence[int], operations: Sequence[Operation]
    ) -> list[tuple[int, Operation]]:
        """Put operations in the order of their operands, and operands in that of their entries."""
        pairs = zip(numbers, map(self._arranged, operations), strict=True)
        return sorted(pairs, key=lambda pair: [*map(self._where, pair[1].operands)])

    def pack(self, pairs: Sequence[tuple[int, Operation]]) -> None:
        """Compute several, of these numbers, as one."""
        packed = self._packed([operation for _, operation in pairs])
        place = len(self._made)
        self._made.append(packed)
        size = packed.size // len(pairs)
        for n, (number, _) in enumerate(pairs):
            self._place[number], self._first[number] = place, n * size
            self._moved.add(number)

    def saved(self, pairs: Sequence[tuple[int, Operation]], taken_out: int) -> int:
        """Count the steps that it saves to pack, if so many entries are taken out again."""
        operations = [operation for _, operation in pairs]
        apart = sum(1 + len(o.within) for o in operations)
        entries = {a.tobytes() for o in operations for a in o.operands if self._steps(a)}
        columns = _columns(operations)
        if operations[0].is_sum:
            steps, _ = self._sum_of(operations, columns)
        else:
            steps = 1 + sum(self._steps(column) for column in columns)
        return apart + len(entries) - steps - taken_out

    def value(self, node: Node) -> Node:
        """Give what has the value of a node now."""
        if isinstance(node, _ir.Structural):
            return node
        if node not in self._values:
            self._values[node] = self._value(node)
        return self._values[node]

    def _value(self, node: Node) -> Node:
        if self._moved.isdisjoint(self._book.sources_of(node)):
            return node
        return self._gather(self._book.addresses(node).reshape(node.shape), node.dtype)

    def _put(self, number: int, node: Node) -> None:
        self._place[number] = len(self._made)
        self._made.append(node)
        if node is not self._book.sources[number]:
            self._moved.add(number)

    # Operations

    def _arranged(self, operation: Operation) -> Operation:
        """Put operands whose order does not matter in that in which they were made."""
        if not operation.commuting:
            return operation
        operands = [*operation.operands]
        for group in operation.commuting:
            chosen = sorted((operands[n] for n in group), key=self._where)
            for n, addresses in zip(group, chosen, strict=True):
                operands[n] = addresses
        return replace(operation, operands=(*operands,))

    def _where(self, addresses: Addresses) -> list[tuple[int, int]]:
        """Say of few entries what `_now` says of many."""
        found = []
        for address in addresses.tolist():
            if address == ZERO:
                found.append((-1, -1))
                continue
            number, position = self._book.place(address)
            found.append((int(self._place[number]), int(self._first[number]) + position))
        return found

    def _packed(self, lanes: Sequence[Operation]) -> Node:
        first = lanes[0]
        columns = _columns(lanes)
        if first.is_sum:
            return self._sum(lanes, columns)
        node = first.node
        count = len(lanes)
        if isinstance(node, Apply):
            operands = [
                self._gather(column.reshape(count, *shape), n.dtype)
                for column, shape, n in zip(columns, first.shapes, node.operands, strict=True)
            ]
            attributes = dict(node.attributes)
            return _ir.apply_node(
                node.primitive, operands, attributes, 0, (count, *first.shape), node.dtype
            )
        lane = 1 + max(itertools.chain(first.out, *first.terms), default=-1)
        factors = []
        for column, shape, term in zip(columns, first.shapes, first.terms, strict=True):
            if (column == column[0]).all():
                factors.append((self._gather(column[0].reshape(shape), node.dtype), term))
            else:
                gathered = self._gather(column.reshape(count, *shape), node.dtype)
                factors.append((gathered, (lane, *term)))
        return _ir.contract(
            factors, (lane, *first.out), (), first.coefficients[0], node.dtype
        )

    def _sum_of(self, lanes: Sequence[Operation], columns: Sequence[Addresses]) -> tuple[int, int]:
        """Count the steps of a sum; say how many of its first terms are added along an axis."""
        shape = (len(lanes), *lanes[0].shape)
        apart = [column.reshape(shape) for column in columns]
        numbers = _by_column(lanes)
        each = [self._steps(a) + (len({*c}) > 1) for a, c in zip(apart, numbers, strict=True)]
        options = {0: 1 + sum(each)}
        alike = len([*itertools.takewhile(lambda c: {*c} == {numbers[0][0]}, numbers)])
        for count in {alike, len(columns)}:
            if count > 1:
                rest = each[count:]
                steps = 1 + (count > alike) + self._steps(np.stack(apart[:count], 1))
                options[count] = steps + (1 + sum(rest) if rest else 0)
        count = min(options, key=lambda n: (options[n], n))
        return options[count], count

    def _sum(self, lanes: Sequence[Operation], columns: Sequence[Addresses]) -> Node:
        """Add operands of all lanes; many of them along an axis of their own."""
        dtype = lanes[0].node.dtype
        shape = (len(lanes), *lanes[0].shape)
        apart = [column.reshape(shape) for column in columns]
        numbers = _by_column(lanes)
        _, count = self._sum_of(lanes, columns)
        operands, coefficients = [], []
        if count:
            terms, number = self._multiples(np.stack(apart[:count], 1), numbers[:count], dtype)
            axes = tuple(range(terms.ndim))
            operands.append(_ir.contract([(terms, axes)], (0, *axes[2:])))
            coefficients.append(number)
        for addresses, column in zip(apart[count:], numbers[count:], strict=True):
            gathered, number = self._multiples(addresses[:, None], [column], dtype)
            operands.append(_ir.reshape(gathered, shape))
            coefficients.append(number)
        return _ir.add(operands, coefficients)

    def _multiples(
        self, addresses: Addresses, numbers: Sequence[Sequence[Coefficient]], dtype: np.dtype[Any]
    ) -> tuple[Node, Coefficient]:
        """Gather terms, lanes first; multiply each by its number, or say the one they all have."""
        terms = self._gather(addresses, dtype)
        if len({*itertools.chain(*numbers)}) == 1:
            return terms, numbers[0][0]
        axes = tuple(range(terms.ndim))
        table = _constant([*zip(*numbers, strict=True)], dtype)
        return _ir.contract([(terms, axes), (table, (0, 1))], axes), 1

    # Gathers

    def _now(self, addresses: Addresses) -> tuple[Addresses, Addresses]:
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
        made, positions = self._now(addresses)
        cuts = np.flatnonzero(np.diff(made)) + 1
        starts = [0, *cuts.tolist()]
        return [
            (int(made[start]), run)
            for start, run in zip(starts, np.split(positions, cuts), strict=True)
        ]

    def _steps(self, addresses: Addresses) -> int:
        """Count what is done to gather entries: less where they are an array, in order.

        Of several arrays, one step for each that is a number, or of which a part is taken.
        """
        if addresses.size == 1 and addresses.item() != ZERO:
            number, _ = self._book.place(addresses.item())
            return int(self._made[self._place[number]].size > 1)
        made, positions = self._now(addresses)
        places = np.unique(made).tolist()
        runs = 1 + np.count_nonzero(np.diff(made))
        if places == [-1]:
            return 0
        if len(places) == 1:
            return int(not _is_whole(positions, self._made[places[0]]))
        parts = sum(
            self._made[place].size == 1
            or len({*positions[made == place].tolist()}) < self._made[place].size
            for place in places if place >= 0
        )  # fmt: skip
        return 1 + parts + (runs > len(places))

    def _gather(self, addresses: Addresses, dtype: np.dtype[Any]) -> Node:
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
        made, positions = self._now(addresses)
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


def _columns(lanes: Sequence[Operation]) -> list[Addresses]:
    """Give each operand of all lanes together."""
    return [np.stack(column) for column in zip(*(o.operands for o in lanes), strict=True)]


def _by_column(lanes: Sequence[Operation]) -> list[tuple[Coefficient, ...]]:
    return [*zip(*(o.coefficients for o in lanes), strict=True)]


def _constant(numbers: Any, dtype: np.dtype[Any]) -> Node:
    table = np.array(numbers, object)
    values = [n if isinstance(n, complex) else _ir.as_float(n) for n in table.ravel()]
    return _ir.constant(np.array(values, dtype).reshape(table.shape))


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

