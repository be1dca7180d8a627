"""What a real program costs, beside what it should cost.

In: a `Program`, which makes a `Task`: a derivative as users write it, the arguments, the bounds.
Out: a `Measured`, counts of its plan and of the bounds; nothing is run.
Guaranteed: deterministic, the same on every machine.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import eingrad as eg

Compute = Callable[..., Any]  # a Derivative, or a NumPy function that may use derivatives


@dataclass(frozen=True, slots=True)
class Cost:
    """Counts of a plan: of its program, and of its source."""

    flops: int
    written_bytes: int
    peak_bytes: int
    lines: int
    statements: int


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """What something should cost: so many times what a good program costs, or a known number.

    The good program computes the same value, unless it is the function itself: `evaluations`.
    """

    of: Compute | int
    args: tuple[Any, ...] = ()
    times: float = 1.0
    same_value: bool = True

    def least(self, count: str) -> int:
        """Give the count that the program should not exceed."""
        known = self.of if isinstance(self.of, int) else getattr(cost(self.of, *self.args), count)
        return round(self.times * known)


def evaluations(f: Compute, x: Any, times: float) -> Bound:
    """Bound by so many evaluations of the function itself."""
    return Bound(f, (x,), times, same_value=False)


@dataclass(frozen=True, slots=True)
class Task:
    """A program as it is written: called with arguments. `value` knows the result another way.

    Where all that it does is to differentiate a function, `of` is that and the order.
    """

    run: Compute
    args: tuple[Any, ...]
    should: Mapping[str, Bound]  # by the name of a count
    value: Callable[[], Any]
    of: tuple[Compute, int] | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """A row of the catalogue: the point it shows, how it is made, in which sizes; small to check.

    `slow` ones take over a second to plan, and are left to the benchmark; those without a small
    size take that long at any.
    """

    point: str
    name: str
    make: Callable[..., Task]
    sizes: tuple[Any, ...]
    small: tuple[Any, ...] | None
    slow: bool = False

    def __str__(self) -> str:
        return f"{self.point}, {self.name}"

    def build(self, sizes: tuple[Any, ...]) -> Task:
        """Make the task, with the same numbers each time."""
        return self.make(np.random.default_rng(0), *sizes)


class Measured(NamedTuple):
    """Counts of a program, and for some of them the most that they should be."""

    cost: Cost
    should: Mapping[str, int]

    @property
    def ratios(self) -> dict[str, float]:
        """How many times what it should be each count is."""
        return {name: getattr(self.cost, name) / max(1, n) for name, n in self.should.items()}


def plan_of(run: Compute, *args: Any) -> eg.Plan:
    """Plan as users do."""
    return run.plan(*args) if isinstance(run, eg.Derivative) else eg.plan(run, *args)


def cost(run: Compute, *args: Any) -> Cost:
    """Plan and count."""
    plan = plan_of(run, *args)
    program = plan.program
    lines = sum(1 for line in plan.source.splitlines() if line.strip())
    return Cost(
        program.flops, program.written_bytes, program.peak_bytes, lines, len(program.statements)
    )


def bounds(task: Task) -> dict[str, int]:
    """Count what a task should cost."""
    return {name: bound.least(name) for name, bound in task.should.items()}


def measured(program: Program) -> Measured:
    """Count what a program costs and what it should."""
    task = program.build(program.sizes)
    return Measured(cost(task.run, *task.args), bounds(task))
