"""The writer: statements so far, and the few kernels that every kind of node needs.

In: kernels and operands, as numbers of values. Out: the number of the value that is computed.
Guaranteed: constants are kept once; a multiple of a value is computed once.

Inputs are numbered from 0, results on from them; constants, of which there may be more later, are
-1, -2, ... until `Writer.program` numbers all in order.
"""

import math
from collections.abc import Hashable, Mapping, Sequence, Set
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad import _ir
from eingrad._ir import Coefficient, Node, Product
from eingrad._plan import kernels
from eingrad._plan.kernels import Kernel
from eingrad._plan.lower.memory import Array, Strides, in_order, strides_after
from eingrad._plan.lower.needs import Users
from eingrad._plan.program import InputSpec, Program, Result, Statement
from eingrad._progress import tick
from eingrad._subscripts import Shape, Subscripts


class Writer:
    """Statements so far. `number` maps a node to its value, `final` that to its number at last.

    `written` are nodes that the user wrote; None: all.
    """

    def __init__(
        self,
        inputs: Mapping[Node, InputSpec],
        folded: Mapping[Node, Coefficient],
        most_positions: int,
        written: Set[Node] | None = frozenset(),
        users: Users | None = None,
        strides: Mapping[Node, Strides] | None = None,  # of inputs, if known
    ) -> None:
        self.inputs = tuple(inputs.values())
        self.most_positions = most_positions  # that are kept for one piece of a placement
        self.written = written
        self.folded = folded  # scales that an operand takes, see `sums`
        self.number: dict[Node, int] = {node: n for n, node in enumerate(inputs)}
        self.users = users or Users()
        self.statements: list[Statement] = []
        self.constants: list[NDArray[Any]] = []
        self.twins: dict[Hashable, tuple[Product, Coefficient]] = {}  # products, see `products`
        self.results = {n: Result(s.shape, s.dtype) for n, s in enumerate(self.inputs)}
        self.final: dict[int, int] = {}  # by `program`
        self._known: dict[Hashable, int] = {}  # values by what they are: constants, calls, ...
        self._made: dict[int, Statement] = {}  # the statement that a value is a result of
        self._strides: dict[int, Strides] = {}  # of values not in the order of their axes
        for node, found in (strides or {}).items():
            self._keep_strides(self.number[node], found)

    def shape(self, value: int) -> Shape:
        """Shape of a value."""
        return self.results[value].shape

    def size(self, value: int) -> int:
        """Number of elements of a value."""
        return math.prod(self.shape(value))

    def bytes(self, value: int) -> int:
        """Memory of a value."""
        return self.results[value].bytes

    def dtype(self, value: int) -> np.dtype[Any]:
        """Dtype of a value."""
        return self.results[value].dtype

    def is_written(self, node: Node) -> bool:
        """Whether the user wrote a node, so that the signs of its zeros are his."""
        return self.written is None or node in self.written

    def array(self, value: int) -> Array:
        """How a value lies in memory."""
        shape = self.shape(value)
        return Array(shape, self._strides.get(value) or in_order(shape))

    def lying(self, node: Node) -> Array | None:
        """How a node lies in memory; None where it is not lowered yet."""
        return self.array(self.number[node]) if node in self.number else None

    def strides(self, value: int) -> Strides | None:
        """Strides of a value; None where it lies in the order of its axes."""
        return self._strides.get(value)

    def statement(self, value: int) -> Statement | None:
        """The statement that computes a value; None of an input and a constant."""
        return self._made.get(value)

    # Statements ----------------------------------------------------------------------------------

    def emit(
        self, kernel: Kernel, operands: Sequence[int], *results: Result, flops: int = 0,
        workspace_bytes: int = 0,
    ) -> int:  # fmt: skip
        """Append a statement; return the number of its first result."""
        tick()
        first = len(self.inputs) + len(self._made)
        targets = tuple(range(first, first + len(results)))
        made = Statement(kernel, tuple(operands), targets, results, flops, workspace_bytes)
        self.results.update(zip(targets, results, strict=True))
        self._made.update(dict.fromkeys(targets, made))
        self.statements.append(made)
        if len(results) == 1:
            self._note_strides(made)
        return first

    def _note_strides(self, made: Statement) -> None:
        """Keep the strides of a result that may not lie in the order of its axes."""
        orders = kernels.View | kernels.Slice | kernels.Multiply | kernels.MatMul
        if isinstance(made.kernel, orders) or any(n in self._strides for n in made.operands):
            (target,), (result,) = made.targets, made.results
            found = strides_after(made.kernel, [self.array(n) for n in made.operands], result.shape)
            if found is not None:
                self._keep_strides(target, found)

    def _keep_strides(self, value: int, strides: Strides) -> None:
        if not Array(self.shape(value), strides).lies_in_order:
            self._strides[value] = strides

    def once(
        self, key: Hashable, kernel: Kernel, operands: Sequence[int], *results: Result,
        flops: int = 0,
    ) -> int:  # fmt: skip
        """Append a statement unless one of this key was; return the number of its first result."""
        if key not in self._known:
            self._known[key] = self.emit(kernel, operands, *results, flops=flops)
        return self._known[key]

    def find(self, key: Hashable) -> int | None:
        """Find the value that is kept under a key."""
        return self._known.get(key)

    def keep(self, key: Hashable, value: int) -> None:
        """Keep a value under a key."""
        self._known[key] = value

    def constant(self, values: NDArray[Any]) -> int:
        """Keep an array that is known, once; one that nobody can write to is not copied."""
        content = blake2b(np.ascontiguousarray(values).data, digest_size=16).digest()
        key = ("constant", values.dtype.str, values.shape, content)
        if key not in self._known:
            is_ours = values.base is None and not values.flags.writeable
            array = values if is_ours else np.array(values, order="C")
            array.flags.writeable = False
            self.constants.append(array)
            self._known[key] = number = -len(self.constants)
            self.results[number] = Result(array.shape, array.dtype)
        return self._known[key]

    # Kernels that many nodes need ----------------------------------------------------------------

    def literal(self, value: Coefficient, dtype: np.dtype[Any]) -> int:
        """Write a number into the text."""
        return self.emit(kernels.Number(value), (), Result((), dtype))

    def fill(self, value: Coefficient, shape: Shape, dtype: np.dtype[Any]) -> int:
        """Make an array of equal entries."""
        return self.emit(kernels.Fill(value), (), Result(shape, dtype))

    def copy(self, value: int) -> int:
        """Copy a value."""
        return self.emit(kernels.Copy(), (value,), self.results[value])

    def view(self, value: int, term: Subscripts, out: Subscripts, sizes: Mapping[int, int]) -> int:
        """Permute, take diagonals, repeat along new axes: no copy."""
        if term == out:
            return value
        known = dict(zip(term, self.shape(value), strict=True)) | dict(sizes)
        shape = tuple(known[index] for index in out)
        return self.emit(kernels.View((term,), out), (value,), Result(shape, self.dtype(value)))

    def reshape(self, value: int, shape: Shape) -> int:
        """Reshape; counts as a copy where memory may have to move."""
        if shape == self.shape(value):
            return value
        return self.emit(kernels.Reshape(), (value,), Result(shape, self.dtype(value)))

    def scale(self, value: int, coefficient: Coefficient) -> int:
        """Multiply by a number, once per value and number."""
        if coefficient == 1:
            return value
        known = self.results[value]
        key = ("scale", value, repr(coefficient))
        if (
            key not in self._known
            and not isinstance(coefficient, complex)
            and not _ir.is_in_range(coefficient, known.dtype)
        ):
            first, coefficient = _ir.in_two(coefficient)
            value = self.scale(value, first)
        kernel = kernels.Scale(coefficient)
        return self.once(key, kernel, (value,), known, flops=math.prod(known.shape))

    # The end -------------------------------------------------------------------------------------

    def program(
        self, outputs: Sequence[int], candidates: tuple[tuple[str, int], ...] = ()
    ) -> Program:
        """Drop statements that no output needs, number values in order."""
        final = self._separated(outputs)
        needed = {*final}
        kept = []
        for statement in reversed(self.statements):
            if needed.intersection(statement.targets or statement.written):
                needed.update(statement.operands)
                kept.append(statement)
        number = self.final = {n: n for n in range(len(self.inputs))}
        constants = []
        for n, array in enumerate(self.constants):
            if -1 - n in needed:
                number[-1 - n] = len(number)
                constants.append(array)
        statements = []
        for statement in reversed(kept):
            for target in statement.targets:
                number[target] = len(number)
            operands, targets = (
                tuple(number[n] for n in values)
                for values in (statement.operands, statement.targets)
            )
            statements.append(replace(statement, operands=operands, targets=targets))
        found = tuple(number[n] for n in final)
        return Program(self.inputs, tuple(constants), tuple(statements), found, candidates)

    def _separated(self, outputs: Sequence[int]) -> list[int]:
        """Copy an output whose memory is an input's or another output's, or repeats entries."""
        base = {n: n for n in self.results}
        taken = {n for n in base if n not in self._made}
        repeating: set[int] = set()  # broadcast views: read-only, one entry in many places
        for s in self.statements:
            for target in s.targets:
                if s.is_alias:
                    base[target] = base[s.operands[0]]
                    if s.operands[0] in repeating or _repeats(s.kernel):
                        repeating.add(target)
        final = []
        for n in outputs:
            if base[n] in taken or n in repeating:
                final.append(self.copy(n))
            else:
                final.append(n)
                taken.add(base[n])
        return final


def _repeats(kernel: Kernel) -> bool:
    """Whether one entry of the operand is several of the result."""
    return isinstance(kernel, kernels.View) and not set(kernel.out).issubset(kernel.terms[0])
