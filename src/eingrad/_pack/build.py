"""Packs: operations of one kind as one operation, on operands that are gathered.

In: groups of operations, in order. Out: the nodes that take the place of others.
Guaranteed: each entry is computed by the operation that the user wrote, of the same numbers. What
is not packed, and needs nothing that is, is the node that it was.

A sum of all lanes is added term by term, in the user's order; or along an axis, where fewer steps
gather its terms there.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._ir import Apply, Coefficient, Node
from eingrad._pack.entries import Addresses, Book
from eingrad._pack.gather import Places
from eingrad._pack.operations import Operation
from eingrad._pack.program import Program


class Builder:
    """What was built so far: where the entries of each computed node are now."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._places = Places(book)
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

    def arranged(self, group: Sequence[int], program: Program) -> list[tuple[int, Operation]]:
        """Put operations in the order of their operands, and operands in that of their entries.

        What is added lies together.
        """
        own = {n: self._arranged(program.operations[n]) for n in group}
        found = sorted(own, key=lambda n: [*map(self._places.where, own[n].operands)])
        rank = {n: place for place, n in enumerate(found)}
        order: dict[int, None] = {}
        for number in found:
            if number in order:
                continue
            terms = program.added.get(number, ())
            if terms and all(n in rank for n in terms):
                order.update(dict.fromkeys(_in_order(terms, rank, program.commuting[terms])))
            order.setdefault(number)
        return [(n, own[n]) for n in order]

    def pack(self, pairs: Sequence[tuple[int, Operation]]) -> None:
        """Compute several, of these numbers, as one."""
        numbers, operations = zip(*pairs, strict=True)
        self._places.put(self._packed(operations), numbers)
        self._moved.update(numbers)

    def saved(self, pairs: Sequence[tuple[int, Operation]], taken_out: int) -> int:
        """Count the steps that it saves to pack, if so many entries are taken out again."""
        operations = [operation for _, operation in pairs]
        apart = sum(1 + len(o.within) for o in operations)
        entries = {a.tobytes() for o in operations for a in o.operands if self._places.steps(a)}
        columns = _columns(operations)
        if operations[0].is_sum:
            steps, _ = self._sum_of(operations, columns)
        else:
            steps = 1 + sum(self._places.steps(column) for column in columns)
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
        return self._places.gather(self._book.addresses(node).reshape(node.shape), node.dtype)

    def _put(self, number: int, node: Node) -> None:
        self._places.put(node, [number])
        if node is not self._book.sources[number]:
            self._moved.add(number)

    # Operations

    def _arranged(self, operation: Operation) -> Operation:
        """Put operands whose order does not matter in that in which they were made."""
        if not operation.commuting:
            return operation
        operands = [*operation.operands]
        for group in operation.commuting:
            chosen = sorted((operands[n] for n in group), key=self._places.where)
            for n, addresses in zip(group, chosen, strict=True):
                operands[n] = addresses
        return replace(operation, operands=(*operands,))

    def _packed(self, lanes: Sequence[Operation]) -> Node:
        first = lanes[0]
        columns = _columns(lanes)
        if first.is_sum:
            return self._sum(lanes, columns)
        node = first.node
        count = len(lanes)
        if isinstance(node, Apply):
            operands = [
                self._places.gather(column.reshape(count, *shape), n.dtype)
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
                factors.append((self._places.gather(column[0].reshape(shape), node.dtype), term))
            else:
                gathered = self._places.gather(column.reshape(count, *shape), node.dtype)
                factors.append((gathered, (lane, *term)))
        sizes = {lane: count, **dict(zip(first.out, first.shape, strict=True))}
        return _ir.contract(factors, (lane, *first.out), sizes, first.coefficients[0], node.dtype)

    def _sum_of(self, lanes: Sequence[Operation], columns: Sequence[Addresses]) -> tuple[int, int]:
        """Count the steps of a sum; say how many of its first terms are added along an axis."""
        shape = (len(lanes), *lanes[0].shape)
        apart = [column.reshape(shape) for column in columns]
        numbers = _by_column(lanes)
        each = [
            self._places.steps(a) + (len({*c}) > 1) for a, c in zip(apart, numbers, strict=True)
        ]
        options = {0: len(columns) - 1 + sum(each) if lanes[0].within else 1 + sum(each)}
        alike = len([*itertools.takewhile(lambda c: {*c} == {numbers[0][0]}, numbers)])
        for count in {alike, len(columns)}:
            if count > 1:
                rest = each[count:]
                steps = 1 + (count > alike) + self._places.steps(np.stack(apart[:count], 1))
                options[count] = steps + len(rest) + sum(rest)
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
        if not count and not lanes[0].within:
            return _ir.add(operands, coefficients)
        total = _ir.scale(operands[0], coefficients[0])
        for operand, number in zip(operands[1:], coefficients[1:], strict=True):
            total = _ir.add([total, operand], [1, number])
        return total

    def _multiples(
        self, addresses: Addresses, numbers: Sequence[Sequence[Coefficient]], dtype: np.dtype[Any]
    ) -> tuple[Node, Coefficient]:
        """Gather terms, lanes first; multiply each by its number, or say the one they all have."""
        terms = self._places.gather(addresses, dtype)
        if len({*itertools.chain(*numbers)}) == 1:
            return terms, numbers[0][0]
        axes = tuple(range(terms.ndim))
        table = _constant([*zip(*numbers, strict=True)], dtype)
        return _ir.contract([(terms, axes), (table, (0, 1))], axes), 1


def _in_order(
    terms: Sequence[int], rank: Mapping[int, int], commuting: Sequence[Sequence[int]]
) -> list[int]:
    """Put terms whose order does not matter in that of their rank."""
    found = [*terms]
    for group in commuting:
        chosen = sorted((terms[n] for n in group), key=rank.__getitem__)
        for n, term in zip(group, chosen, strict=True):
            found[n] = term
    return found


def _columns(lanes: Sequence[Operation]) -> list[Addresses]:
    """Give each operand of all lanes together."""
    return [np.stack(column) for column in zip(*(o.operands for o in lanes), strict=True)]


def _by_column(lanes: Sequence[Operation]) -> list[tuple[Coefficient, ...]]:
    return [*zip(*(o.coefficients for o in lanes), strict=True)]


def _constant(numbers: Any, dtype: np.dtype[Any]) -> Node:
    table = np.array(numbers, object)
    values = [n if isinstance(n, complex) else _ir.as_float(n) for n in table.ravel()]
    return _ir.constant(np.array(values, dtype).reshape(table.shape))
