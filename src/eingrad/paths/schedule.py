"""A schedule: which arrays are contracted, in which order, for all outputs of a problem together.

In: operations, as `along` writes them of paths and `planned` of planned nodes. Out: a `Schedule`,
and what it costs.
Guaranteed: one counter counts all schedules, whoever ordered them; each step is pairwise, or of one
operand.

Flops are counted as opt_einsum counts them: a pairwise step takes the product of the sizes of its
indices, twice that if an index is summed. Before that, an index that one operand has alone is
summed, an addition for each entry. What only moves entries (a diagonal, a delta in the result)
takes none. To add terms takes a flop for each entry and term, two where it has a coefficient.

>>> Step((0, 1), ((0, 1), (1, 2)), (0, 2), (2, 3, 4)).flops
48
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from eingrad import _ir
from eingrad._cost import weighted
from eingrad._ir import Node, Structural
from eingrad._subscripts import Subscripts, text
from eingrad.paths.problem import Array, Problem

_MATRIX = 2  # axes

Path: TypeAlias = Sequence[Sequence[int]]
"""Positions that meet, step by step; the result goes to the end. opt_einsum's *linear* format."""


class Step(NamedTuple):
    """A contraction of values, its indices numbered by first use; as an operation, of one or two.

    An index may repeat in `out`: the result is then zero off that diagonal. One that only `out` has
    is an axis along which the result is constant.
    """

    operands: tuple[int, ...]
    terms: tuple[Subscripts, ...]
    out: Subscripts
    sizes: tuple[int, ...]

    @property
    def text(self) -> str:
        """The subscripts, as NumPy would be given them, were no index repeated in the output."""
        return text(self.terms, self.out)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result."""
        return tuple([self.sizes[index] for index in self.out])

    @property
    def sums(self) -> bool:
        """Whether an index is summed."""
        return len({*self.out}) < len(self.sizes)

    @property
    def flops(self) -> int:
        """Counted as the module says."""
        if len(self.operands) == 1:
            return math.prod(self.sizes) if self.sums else 0
        return math.prod(self.sizes) * (len(self.operands) - 1 + self.sums)

    @property
    def multiplications(self) -> int:
        """As cotengra counts: the product of the sizes of all indices."""
        return math.prod(self.sizes) if len(self.operands) > 1 else 0


class Part(NamedTuple):
    """``coefficient * transpose(value, axes)``."""

    coefficient: float
    value: int
    axes: tuple[int, ...]

    @property
    def is_plain(self) -> bool:
        """Whether it is the value itself."""
        return self.coefficient == 1 and self.axes == tuple(range(len(self.axes)))


class Total(NamedTuple):
    """A sum of parts."""

    parts: tuple[Part, ...]
    shape: tuple[int, ...]

    @property
    def text(self) -> str:
        """What is done, for tables and pictures."""
        return "sum" if len(self.parts) > 1 else "view"

    @property
    def operands(self) -> tuple[int, ...]:
        """The values that are read."""
        return tuple([part.value for part in self.parts])

    @property
    def flops(self) -> int:
        """An addition for each part but the first, a multiplication for each coefficient."""
        scaled = sum(abs(part.coefficient) != 1 for part in self.parts)
        return math.prod(self.shape) * (len(self.parts) - 1 + scaled)

    @property
    def multiplications(self) -> int:
        """Those of coefficients are not counted."""
        return 0


Operation: TypeAlias = Step | Total


@dataclass(frozen=True, eq=False)
class Schedule:
    """Operations in order. Values are numbered: operands, constants, then results of operations.

    Attributes
    ----------
    problem : Problem
        What is computed.
    operations : tuple of Step and Total
        In order; each reads values of lower numbers.
    outputs : tuple of int
        The value of each output.
    constants : tuple of arrays
        Zero-one matrices that planning made: selections and reshapes.
    paths : tuple of paths, or None
        One for each term, where that is how the order was given.
    searched : float, or None
        Processor seconds of the search, where another process did it.
    own : pair of tuples of nodes, or None
        Outputs and operands as eingrad planned them, where it gave the order: that is what it runs.
    steps : tuple of Step
        Of a pure mode, its steps of three operands and more, before they were ordered: it might as
        well begin with others of their operands than the operations do.
    """

    problem: Problem
    operations: tuple[Operation, ...]
    outputs: tuple[int, ...]
    constants: tuple[Array, ...] = ()
    paths: tuple[Path, ...] | None = None
    searched: float | None = None
    own: tuple[tuple[Node, ...], tuple[Node, ...]] | None = None
    steps: tuple[Step, ...] = ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schedule):
            return NotImplemented
        same = (self.problem, self.operations, self.outputs, self.paths, self.steps)
        if same != (other.problem, other.operations, other.outputs, other.paths, other.steps):
            return False
        pairs = zip(self.constants, other.constants, strict=False)
        return len(self.constants) == len(other.constants) and all(
            np.array_equal(a, b) for a, b in pairs
        )

    def __hash__(self) -> int:
        return hash((self.operations, self.outputs))

    @property
    def first(self) -> int:
        """Number of the result of the first operation."""
        return len(self.problem.operands) + len(self.constants)

    @functools.cached_property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shape of every value."""
        given = [operand.shape for operand in self.problem.operands.values()]
        held = [array.shape for array in self.constants]
        return given + held + [operation.shape for operation in self.operations]

    @property
    def flops(self) -> int:
        """Flops of all operations."""
        return sum(operation.flops for operation in self.operations)

    @property
    def multiplications(self) -> int:
        """What cotengra calls flops: multiplications of contractions."""
        return sum(operation.multiplications for operation in self.operations)

    @property
    def written(self) -> int:
        """Elements written by all operations; what is only looked at in another way is not."""
        return sum(math.prod(o.shape) for o in self.operations if not is_view(o))

    @property
    def work(self) -> int:
        """Flops, and elements written as the flops that take as long: what our search minimises."""
        return weighted(self.flops, self.written)

    @property
    def largest(self) -> int:
        """Elements of the largest value that is made."""
        return max((math.prod(o.shape) for o in self.operations), default=0)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the results."""
        return np.result_type(*[operand.dtype for operand in self.problem.operands.values()])

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return self.dtype.itemsize

    @functools.cached_property
    def last_use(self) -> dict[int, int]:
        """For each value, the operation that reads it last; outputs are read at the end."""
        found = {v: n for n, o in enumerate(self.operations) for v in o.operands}
        return found | dict.fromkeys(self.outputs, len(self.operations))

    @property
    def peak_bytes(self) -> int:
        """Most memory of values that are live at once, operands not counted."""
        return self._peak(copies=False)

    @property
    def most_bytes(self) -> int:
        """The same where a library copies what it multiplies, to have its axes in another order."""
        return self._peak(copies=True)

    def _peak(self, *, copies: bool) -> int:
        sizes = [0] * self.first
        sizes += [0 if is_view(o) else math.prod(o.shape) for o in self.operations]
        dying: dict[int, list[int]] = {}
        for value, n in self.last_use.items():
            dying.setdefault(n, []).append(value)
        live = peak = 0
        for n, operation in enumerate(self.operations):
            live += sizes[self.first + n]
            peak = max(peak, live + (self._copied(operation) if copies else 0))
            live -= sum(sizes[value] for value in dying.get(n, ()))
        return peak * self.itemsize

    def _copied(self, operation: Operation) -> int:
        """Elements of operands of a step that may be copied: a matrix is multiplied as it lies."""
        if not isinstance(operation, Step) or len(operation.operands) == 1:
            return 0
        shapes = [self.shapes[value] for value in operation.operands]
        return sum(math.prod(shape) for shape in shapes if len(shape) > _MATRIX)

    def run(
        self, arrays: Sequence[Any], step: Callable[..., Any], total: Callable[..., Any]
    ) -> list[Any]:
        """Compute the outputs with an executor: one call for each operation.

        ``step(n, *operands)`` and ``total(n, *operands)`` are told the number of the operation.
        """
        values: dict[int, Any] = dict(enumerate([*arrays, *self.constants]))
        for n, operation in enumerate(self.operations):
            call = step if isinstance(operation, Step) else total
            values[self.first + n] = call(n, *[values[v] for v in operation.operands])
            for value in {*operation.operands}:
                if self.last_use[value] == n and value >= self.first:
                    del values[value]
        return [values[value] for value in self.outputs]

    def nodes(self, operands: Sequence[Node], *, structure: bool = False) -> list[Node]:
        """Build each value as a node, on nodes for the operands; return all of them in order.

        With `structure`, constants that only place entries are known as such.
        """
        held = map(_structure, self.constants) if structure else map(_ir.constant, self.constants)
        values = [*operands, *held]
        for operation in self.operations:
            below = [values[value] for value in operation.operands]
            match operation:
                case Step():
                    values.append(_contract(operation, below, self.dtype))
                case Total(parts=parts):
                    moved = [
                        _move(x, p.axes, self.dtype) for x, p in zip(below, parts, strict=True)
                    ]
                    values.append(_ir.add(moved, [exactly(p.coefficient) for p in parts]))
        return values

    def long_nodes(self, values: Sequence[Node]) -> list[Node]:
        """Build the products of `steps`, on nodes for all values."""
        return [
            _contract(step, [values[value] for value in step.operands], self.dtype)
            for step in self.steps
        ]


def _structure(array: Array) -> Node:
    """Write a selection, a merge of axes, or equal entries as what they are; else a constant."""
    if array.ndim > 1 and np.array_equal(array, _ir.dense(_ir.merge(array.shape[1:]))):
        return _ir.merge(array.shape[1:])
    is_zero_one = array.ndim == _MATRIX and bool(((array == 0) | (array == 1)).all())
    if is_zero_one and (array != 0).sum(axis=1).max(initial=0) <= 1:
        table = np.where((array != 0).any(axis=1), (array != 0).argmax(axis=1), -1)
        return _ir.selection(table, array.shape[1])
    if array.size and bool((array == array.flat[0]).all()):
        return _ir.fill(array.flat[0].item(), array.shape, array.dtype)
    return _ir.constant(array)


def is_view(operation: Operation) -> bool:
    """Whether an operation only looks at its operand in another way."""
    match operation:
        case Step(operands=(_,)) if not operation.sums:
            return len({*operation.out}) == len(operation.out)
        case Total(parts=(part,)):
            return part.coefficient == 1
    return False


def _contract(step: Step, below: Sequence[Node], dtype: np.dtype[Any]) -> Node:
    """Build a step; what repeats in the output is a delta. Structure alone has no data type."""
    fresh = itertools.count(len(step.sizes))
    factors = [*zip(below, step.terms, strict=True)]
    out: list[int] = []
    for index in step.out:
        other = next(fresh) if index in out else index
        if other != index:
            factors.append((_ir.delta(step.sizes[index]), (index, other)))
        out.append(other)
    is_structure = all(isinstance(node, Structural) for node in below)
    sizes = dict(enumerate(step.sizes))
    return _ir.contract(factors, out, sizes, dtype=dtype if is_structure else None)


def _move(node: Node, axes: Sequence[int], dtype: np.dtype[Any]) -> Node:
    """Transpose a node; structure becomes numbers, to be added to others."""
    if isinstance(node, Structural):
        return _ir.contract([(node, range(node.ndim))], tuple(axes), dtype=dtype)
    return _ir.transpose(node, axes)


def exactly(coefficient: float) -> float | int:
    """Give a whole number as an integer: the algebra knows it exactly."""
    return int(coefficient) if coefficient == int(coefficient) else coefficient
