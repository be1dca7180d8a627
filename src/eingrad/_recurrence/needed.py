"""Which entries of what a step makes are needed by those of its results that are.

In: a step, results of it that flags tell of, those that are needed everywhere. Out: flags of its
inputs, made of inputs that stand for flags of results.
Guaranteed: a carry is flagged where what it becomes is needed, or what the step before is needed
for: the least set of which that is true.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from eingrad import _ir
from eingrad._ir import Input, Node
from eingrad._recurrence.row import NewInputs, Recurrence

# of nodes and their flags, and what these are made of: flags, None where all is needed, or zeros
Needed = Callable[[Sequence[tuple[Node, Node | None]], Sequence[Node]], list[Node | None]]


class Partly(NamedTuple):
    """Flags of nodes that a sweep begins with, where they are needed; and what may be infinite."""

    flags: Mapping[Node, Node]
    infinite: frozenset[Node]


WHOLLY = Partly({}, frozenset())


class Flagged(NamedTuple):
    """Inputs for flags of results, by number; and flags of the inputs of the step, by place."""

    of_results: dict[int, Input]
    of_inputs: list[Node | None]


def flag(step: Recurrence, given: Mapping[int, bool], needed: Needed, new: NewInputs) -> Flagged:
    """Flag what a step is made of; `given` says of results that are needed whether flags tell."""
    count = len(step.roots)
    everywhere = {n for n, is_flagged in given.items() if not is_flagged}
    flags: dict[int, Input] = {}
    arriving = [n for n, is_flagged in given.items() if is_flagged]
    while True:
        flags |= {n: new.make(step.results[n].shape, np.dtype(bool)) for n in arriving}
        seeds = [(step.results[n], flags.get(n)) for n in sorted({*flags, *everywhere})]
        found = needed(seeds, step.inputs)
        carries = found[len(step.constants) : len(step.constants) + count]
        more = {j for j, node in enumerate(carries) if node is None} - everywhere
        arriving = [
            j
            for j, node in enumerate(carries)
            if node is not None and not _ir.is_zero(node) and j not in flags and j not in everywhere
        ]
        if not more and not arriving:
            return Flagged(flags, found)
        everywhere |= more
        flags = {n: x for n, x in flags.items() if n not in everywhere}
