"""The step of a loop, on inputs of its own.

In: the step in the middle, what it is given, and how. Out: its nodes, on a carry and slices.
Guaranteed: numbers that vary from step to step are slices; all else is as it was written.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from eingrad import _ir
from eingrad._ir import Add, Apply, Coefficient, Einsum, Input, Node
from eingrad._recurrence import step_input
from eingrad._rolled.classes import numbers_of
from eingrad._rolled.matches import Match
from eingrad._rolled.stacks import as_number
from eingrad._subscripts import Subscripts

_LEVEL = -1000  # of inputs of a step that is being made; no trace is as deep


class Carry(NamedTuple):
    """What a step is given by an earlier one: a node of the middle step, so many steps before."""

    node: Node
    delay: int
    axes: Subscripts  # how it is transposed to be what a step is given

    @classmethod
    def of(cls, node: Node, delay: int) -> "Carry":
        """Make one whose axes are those of the node."""
        return cls(node, delay, tuple(range(node.ndim)))

    @property
    def straight(self) -> "Carry":
        """The same with the axes of the node: what is carried."""
        return Carry.of(self.node, self.delay)


@dataclass(slots=True)
class Given:
    """What the step in the middle is given, and how: each by the node of it."""

    constants: set[Node] = field(default_factory=set)
    carries: dict[Node, Carry] = field(default_factory=dict)
    slices: dict[Node, list[Node]] = field(default_factory=dict)
    firsts: dict[Carry, Node] = field(default_factory=dict)  # of each carry


class Step:
    """The step in the middle, on inputs for what is carried and sliced."""

    def __init__(
        self, middle: Match, matches: Sequence[Match], given: Given, carried: Sequence[Carry]
    ) -> None:
        self._middle, self._matches = middle, matches
        self.inputs: list[Input] = []
        self.sliced: list[Sequence[Node]] = []  # of each slice, its nodes
        self._carries = {
            carry: self._input(carry.node.shape, carry.node.dtype) for carry in carried
        }
        self._new: dict[Node, Node] = {a: a for a in given.constants}
        for a, carry in given.carries.items():
            self._new[a] = _ir.transpose(self._carries[carry.straight], carry.axes)
        for a, values in given.slices.items():
            self._new[a] = self._slice(values)

    def _input(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Input:
        self.inputs.append(step_input(_LEVEL, len(self.inputs), shape, dtype))
        return self.inputs[-1]

    def _slice(self, values: Sequence[Node]) -> Input:
        self.sliced.append(values)
        return self._input(values[0].shape, values[0].dtype)

    def next_node(self, carry: Carry) -> Node:
        """Say which node a carry is in the next step."""
        if carry.delay == 1:
            return carry.node
        return self._carries[carry._replace(delay=carry.delay - 1)]

    def rebuilt(self, nodes: Sequence[Node]) -> list[Node]:
        """Give nodes of the step, or inputs of it, on its inputs."""
        self._new |= {x: x for x in self.inputs}
        pending = [*nodes]
        while pending:
            node = pending[-1]
            missing = [n for n in _ir.children(node) if n not in self._new]
            if node in self._new:
                pending.pop()
            elif missing:
                pending += missing
            else:
                self._new[node] = self._on_inputs(node)
        return [self._new[node] for node in nodes]

    def digests(self, made: frozenset[bytes]) -> frozenset[bytes]:
        """Give the digests of what derivatives have become."""
        return frozenset(new.digest for old, new in self._new.items() if old.digest in made)

    # Numbers that vary

    def _on_inputs(self, node: Node) -> Node:
        below = [self._new[n] for n in _ir.children(node)]
        if node not in self._middle.node:  # structural
            return _ir.with_children(node, below)
        columns = self._numbers(node)
        if all(number == numbers[0] for numbers in columns for number in numbers):
            return _ir.with_children(node, below)
        if isinstance(node, Apply):
            return self._times(columns[0], below[0])
        if isinstance(node, Add):
            terms = [self._times(n, x) for n, x in zip(columns, below, strict=True)]
            return _ir.add(terms)
        assert isinstance(node, Einsum)
        factors = zip(below, node.terms, strict=True)
        plain = _ir.contract(factors, node.out, node.sizes, 1, node.dtype)
        return self._times(columns[0], plain)

    def _numbers(self, node: Node) -> list[list[Coefficient]]:
        """Give the numbers that a node multiplies with, for each operand those of all steps.

        Those of products are one for all operands.
        """
        columns: list[list[Coefficient]] = [[] for _ in numbers_of(node)]
        for match in self._matches:
            same = node if node in match.begun else match.node[node]
            numbers: Sequence[Coefficient] = numbers_of(same)
            if isinstance(node, Add) and same is not node:
                of = dict(zip(_ir.children(same), numbers, strict=True))
                numbers = [of[match.of(term)] for term in node.terms]
            for column, number in zip(columns, numbers, strict=True):
                column.append(number)
        return columns

    def _times(self, numbers: Sequence[Coefficient], node: Node) -> Node:
        if all(number == numbers[0] for number in numbers):
            return _ir.scale(node, numbers[0])
        values = [_ir.constant(np.asarray(as_number(n), node.dtype)) for n in numbers]
        axes = tuple(range(node.ndim))
        return _ir.contract([(self._slice(values), ()), (node, axes)], axes)
