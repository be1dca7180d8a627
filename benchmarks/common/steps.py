"""Schedules computed step by step with `np.einsum`: the plainest executor, to check values with.

In: a schedule. Out: its outputs, of operands that are drawn or known.
Guaranteed: shares no code with the executors of the bench.
"""

import itertools
from typing import Any

import numpy as np

from eingrad.paths.schedule import Schedule, Step, Total


def compute(schedule: Schedule, seed: int = 0) -> list[Any]:
    """Compute the outputs of a schedule."""

    def step(n: int, *operands: Any) -> Any:
        operation = schedule.operations[n]
        assert isinstance(operation, Step)
        return _contract(operation, operands)

    def total(n: int, *operands: Any) -> Any:
        operation = schedule.operations[n]
        assert isinstance(operation, Total)
        pairs = zip(operation.parts, operands, strict=True)
        return sum(part.coefficient * np.transpose(x, part.axes) for part, x in pairs)

    return schedule.run(schedule.problem.values(seed), step, total)


def _contract(step: Step, operands: tuple[Any, ...]) -> Any:
    """Contract; an index that repeats in the result is a diagonal, one that is new is of ones."""
    fresh = itertools.count(len(step.sizes))
    parts = [part for pair in zip(operands, step.terms, strict=True) for part in pair]
    out: list[int] = []
    for index in step.out:
        if index in out:
            twin = next(fresh)
            parts += [np.eye(step.sizes[index]), (index, twin)]
            out.append(twin)
        else:
            out.append(index)
    carried = {index for term in step.terms for index in term}
    for index in {*step.out}.difference(carried):
        parts += [np.ones(step.sizes[index]), (index,)]
    return np.einsum(*parts, out)
