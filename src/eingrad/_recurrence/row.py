"""What a scan is: the graph of a step, and the row that repeats it.

In: inputs of a step, and what it gives. Out: nodes, one for each result.
Guaranteed: the same step on the same operands is one node. Inputs of a step are told apart by a
level and a number, and are never renumbered: what is derived of a step has its nodes.

Operands of a scan are its constants, the first carries, and arrays whose first axis is sliced.
Results are the last carries, then the outputs, stacked along a first axis.

>>> from eingrad import _ir
>>> x = step_input(0, 0, (3,), np.dtype(float))
>>> step = Recurrence((), (x,), (), (_ir.einsum("i,i->i", x, x),), (x,))
>>> [node.shape for node in results_of_scan(step, [_ir.new_input("x", (3,))], 5)]
[(3,), (5, 3)]
"""

import weakref
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, TypeGuard

import numpy as np

from eingrad import _ir
from eingrad._cost import call_flops, contraction_flops
from eingrad._ir import Add, Apply, Input, Node, Product
from eingrad._precedence import closed
from eingrad._primitives import Kind, Primitive, kind_of, row_of
from eingrad._subscripts import Shape

_LEVEL = "step"  # what keys of inputs of a step begin with


@dataclass(frozen=True, slots=True)
class Recurrence:
    """One step: from constants, carries and slices to new carries, `roots`, and outputs.

    `written` are nodes that the user wrote.
    """

    constants: tuple[Input, ...]
    carries: tuple[Input, ...]
    slices: tuple[Input, ...]
    roots: tuple[Node, ...]
    outputs: tuple[Node, ...] = ()
    written: frozenset[Node] = frozenset()

    @property
    def inputs(self) -> tuple[Input, ...]:
        """All that a step is given, in the order of a scan's operands."""
        return self.constants + self.carries + self.slices

    @property
    def results(self) -> tuple[Node, ...]:
        """All that a step gives, in the order of a scan's results."""
        return self.roots + self.outputs

    @property
    def level(self) -> int:
        """The highest level of an input: what is made of this recurrence has inputs of the next."""
        levels = [n.key[1] for n in self.inputs if n.key[0] == _LEVEL]
        return max((level for level in levels if isinstance(level, int)), default=0)

    def place_of_carry(self, j: int) -> int:
        """Which operand a carry is at first."""
        return len(self.constants) + j


@dataclass(frozen=True, slots=True, eq=False)
class Scan(Primitive):
    """A recurrence, repeated; `is_backward` is from the last slice to the first.

    It `has_selects` if its step has one, or a scan that has one: a sweep asks for each operand.
    """

    recurrence: Recurrence = field(default=Recurrence((), (), (), ()))
    length: int = 0
    is_backward: bool = False
    has_selects: bool = False

    @property
    def identity(self) -> Hashable:
        """Itself, but not to be numbered: two that have one name compute the same."""
        return (self,)


# Inputs of a step --------------------------------------------------------------------------------

_inputs: weakref.WeakValueDictionary[Hashable, Input] = weakref.WeakValueDictionary()


def step_input(level: int, number: int, shape: Shape, dtype: np.dtype[Any]) -> Input:
    """Give the input of a step that has this level and number; the same one, as long as it lives.

    What stands in a step is in no other graph, so steps of one level may share their inputs.
    """
    key = (level, number, shape, dtype)
    found = _inputs.get(key)
    if found is None:
        made = _ir.new_input(f"step{level}_{number}", shape, dtype, (_LEVEL, level, number))
        found = _inputs.setdefault(key, made)
    return found


def is_step_input(node: Node) -> bool:
    """Whether a node is the input of a step."""
    return isinstance(node, Input) and node.key[0] == _LEVEL


class NewInputs:
    """Inputs for what is made of a recurrence, numbered."""

    def __init__(self, recurrence: Recurrence) -> None:
        self._level = recurrence.level + 1
        self._count = 0

    def make(self, shape: Shape, dtype: np.dtype[Any]) -> Input:
        """Make one more."""
        self._count += 1
        return step_input(self._level, self._count - 1, shape, dtype)


# Nodes -------------------------------------------------------------------------------------------

_rows: weakref.WeakValueDictionary[Hashable, Scan] = weakref.WeakValueDictionary()


def results_of_scan(
    recurrence: Recurrence, operands: Sequence[Node], length: int, *, is_backward: bool = False
) -> list[Node]:
    """Repeat a recurrence; give a node for each result."""
    count = len(recurrence.results)
    return [
        result_of_scan(recurrence, operands, length, k, is_backward=is_backward)
        for k in range(count)
    ]


def result_of_scan(
    recurrence: Recurrence,
    operands: Sequence[Node],
    length: int,
    k: int,
    *,
    is_backward: bool = False,
) -> Node:
    """Repeat a recurrence; give the node of result number k alone, for each has all operands."""
    count, node = len(recurrence.roots), recurrence.results[k]
    if length == 0 and k < count:
        return operands[recurrence.place_of_carry(k)]
    shape = node.shape if k < count else (length, *node.shape)
    if 0 in shape:
        return _ir.zeros(shape, node.dtype)
    row = _row(recurrence, length, is_backward)
    return _ir.apply_node(row, operands, {}, k, shape, node.dtype)


def is_scan(node: Node) -> TypeGuard[Apply]:
    """Whether a node is a result of a scan."""
    return isinstance(node, Apply) and isinstance(node.primitive, Scan)


def scan_of(node: Apply) -> Scan:
    """Give the row of a result of a scan."""
    row = row_of(node)
    assert isinstance(row, Scan)
    return row


def is_float(node: Node) -> bool:
    """Whether a node has derivatives: whether its numbers are real or complex."""
    return node.dtype.kind in "fc"


def moving_inputs(step: Recurrence, wanted: Sequence[int]) -> list[Input]:
    """Give the inputs at these places, and the carries that depend on them."""
    inputs = step.inputs
    found = {inputs[k] for k in wanted}
    while True:
        depends: set[Node] = {*found}
        for node in _ir.topological(step.roots):
            if not depends.isdisjoint(_ir.children(node)):
                depends.add(node)
        pairs = zip(step.carries, step.roots, strict=True)
        more = {x for x, root in pairs if root in depends and is_float(x)}
        if more <= found:
            return [x for x in inputs if x in found]
        found |= more


def _shapes(recurrence: Recurrence, length: int) -> tuple[Shape, ...]:
    carries = tuple(n.shape for n in recurrence.roots)
    return (*carries, *((length, *n.shape) for n in recurrence.outputs))


def _row(recurrence: Recurrence, length: int, is_backward: bool) -> Scan:
    key = (recurrence, length, is_backward)
    row = _rows.get(key)
    if row is None:
        row = _rows.setdefault(key, _make_row(*key))
    return row


def _make_row(recurrence: Recurrence, length: int, is_backward: bool) -> Scan:
    counts = [len(part) for part in (recurrence.constants, recurrence.carries, recurrence.slices)]
    made_of = repr((counts, length, is_backward)).encode()
    written = sorted(n.digest for n in recurrence.written)
    made_of += b"".join([*(n.digest for n in (*recurrence.inputs, *recurrence.results)), *written])
    name = f"scan {blake2b(made_of, digest_size=8).hexdigest()}"
    shapes = _shapes(recurrence, length)
    flops = length * _flops(recurrence)
    calls = [n for n in _ir.topological(recurrence.results) if isinstance(n, Apply)]
    return Scan(
        name, _no_values, _no_values, core=None, source="scan({all})", kind=Kind.SCAN,
        shapes=lambda *_: shapes, dtype=tuple(n.dtype for n in recurrence.results),
        results=len(recurrence.results), flops=lambda *_: flops, plain=closed("scan({all})"),
        latex=closed(r"\operatorname{{scan}}({all})"),
        singular=any(row_of(n).singular for n in calls), steep=any(row_of(n).steep for n in calls),
        recurrence=recurrence, length=length, is_backward=is_backward,
        has_selects=any(map(_selects, calls)),
    )  # fmt: skip


def _selects(node: Apply) -> bool:
    return scan_of(node).has_selects if is_scan(node) else kind_of(node) is Kind.SELECT


def _no_values(*_: Any) -> Any:
    raise AssertionError("a scan has no function of NumPy's; it is lowered to a loop")


def _counted(node: Node) -> int:
    match node:
        case Product():
            return contraction_flops(dict(enumerate(node.sizes)), summed=node.sums)
        case Add():
            return node.size * (len(node.terms) - 1)
        case Apply():
            return call_flops(node)
    return 0


def _flops(recurrence: Recurrence) -> int:
    """Count the flops of a step, products as they stand."""
    return sum(map(_counted, _ir.topological(recurrence.results)))
