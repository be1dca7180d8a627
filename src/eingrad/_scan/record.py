"""Record one step: the function of a scan is called on inputs of a step.

In: the function, nodes of what it is given. Out: a recurrence, and what it takes from outside.
Guaranteed: the same step is one recurrence, wherever it is recorded; what no step changes is
outside of it.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eingrad import _ir, _randomness, _reuse
from eingrad._bind import Bound
from eingrad._call import call_recorded
from eingrad._ir import Input, Node
from eingrad._place import warn
from eingrad._recorded import rewritten
from eingrad._recurrence import Recurrence, step_input
from eingrad._scan.given import Body
from eingrad._step import recurrence_of
from eingrad._tracer import CARRY, COUNT, SLICE, Expression, Trace, node_of
from eingrad._tree import LEAF, Tree
from eingrad.errors import RandomnessWarning


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it was recorded: the nesting of its output, and where it has an array."""

    recurrence: Recurrence
    constants: tuple[Node, ...]  # outside
    tree: Tree
    has_output: tuple[bool, ...]


def node_or_none(leaf: Any, trace: Trace | None, what: str) -> Node | None:
    return None if leaf is None else node_of(leaf, trace, what)


def record(
    trace: Trace, body: Body, firsts: Sequence[Node | None], arrays: Sequence[Node | None]
) -> Step:
    """Call the function on inputs of a step."""
    given, count = body.given, sum(n is not None for n in firsts)
    stands = _stand_in(trace, [(n, 0) for n in firsts] + [(n, 1) for n in arrays])
    inputs = [stand for stand in stands if stand is not None]
    values = [None if n is None else Expression(n, trace, array=True) for n in stands]
    carry = given.carry_tree.build(values[: len(firsts)])
    x = given.slice_tree.build(values[len(firsts) :])
    kinds = [COUNT if is_count else CARRY for is_count in given.counts]
    trace.step = dict(zip(inputs, [*kinds, *[SLICE] * (len(inputs) - count)], strict=True))
    bound = Bound([carry, x], {}, ["carry", "x"], [], [], [], LEAF, is_traced=True)
    leaves, outputs, tree = _called(trace, body, bound)
    carries = [node_or_none(n, trace, f"the carry that {body.name} returned") for n in leaves]
    body.check_carries(carries, firsts)
    ys = [node_or_none(n, trace, f"the output that {body.name} returned") for n in outputs]
    nodes = rewritten(trace, [n for n in (*carries, *ys) if n is not None], inputs)
    if trace.outer is None:
        known = trace.captured.values()
        nodes = _ir.substitute(nodes, {k.node: _ir.constant(k.values) for k in known})
    made = frozenset(trace.made)
    key = ("record", (*nodes,), made, (*inputs,), count)
    recurrence, constants = _reuse.find_or_derive(
        key, lambda: recurrence_of(nodes, made, inputs, count)
    )
    return Step(recurrence, constants, tree, tuple(n is not None for n in ys))


def _stand_in(trace: Trace, given: Sequence[tuple[Node | None, int]]) -> list[Input | None]:
    """Make inputs of a step for carries and arrays; of these, so many axes are left out.

    A step within a step has other inputs, while both are recorded.
    """
    numbers = itertools.count()
    return [
        None
        if node is None
        else step_input(-1 - trace.depth, next(numbers), node.shape[drop:], node.dtype)
        for node, drop in given
    ]


def _called(trace: Trace, body: Body, bound: Bound) -> tuple[list[Any], list[Any], Tree]:
    """Call the function once, take apart what it returns; warn where it drew random numbers."""
    generators = _randomness.generators(body.f)
    before = _randomness.states(generators)
    results = body.results(call_recorded(body.f, trace, bound))
    trace.check_unwritten()
    moved = _randomness.changed(before, _randomness.states(generators))
    if moved:
        warn(
            f"{body.name}, a step of a scan, drew from {' and '.join(moved)}, or seeded it: it is "
            "recorded once, so that all steps hold the numbers of this one draw; draw for all of "
            "them outside, and give the numbers as xs",
            RandomnessWarning,
        )
    return results
