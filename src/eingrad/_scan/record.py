"""Record one step: the function of a scan is called on inputs of a step.

In: the function, nodes of what it is given. Out: a recurrence, and what it takes from outside.
Guaranteed: the same step is one recurrence, wherever it is recorded; what no step changes is
outside of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eingrad import _ir, _reuse
from eingrad._bind import Bound
from eingrad._call import call_recorded, evaluated
from eingrad._derive import prepare
from eingrad._ir import Input, Node, Placement
from eingrad._opaque import is_opaque, name_and_arguments
from eingrad._recurrence import Recurrence, step_input
from eingrad._scan.given import Body
from eingrad._tracer import Expression, Trace, node_of
from eingrad._tree import LEAF, Tree
from eingrad.errors import TraceError


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
    inputs: list[Input] = []

    def stand_in(node: Node | None, drop: int) -> Expression | None:
        if node is None:
            return None
        level = -1 - trace.depth  # a step within a step has other inputs while both are recorded
        inputs.append(step_input(level, len(inputs), node.shape[drop:], node.dtype))
        return Expression(inputs[-1], trace, array=True)

    given = body.given
    carry = given.carry_tree.build([stand_in(n, 0) for n in firsts])
    count = len(inputs)
    x = given.slice_tree.build([stand_in(n, 1) for n in arrays])
    bound = Bound([carry, x], {}, ["carry", "x"], [], [], [], LEAF, is_traced=True)
    leaves, outputs, tree = body.results(call_recorded(body.f, trace, bound))
    trace.check_unwritten()
    carries = [node_or_none(n, trace, f"the carry that {body.name} returned") for n in leaves]
    body.check_carries(carries, firsts)
    ys = [node_or_none(n, trace, f"the output that {body.name} returned") for n in outputs]
    nodes = evaluated(trace, [n for n in (*carries, *ys) if n is not None], inputs)
    if trace.outer is None:
        known = trace.captured.values()
        nodes = _ir.substitute(nodes, {k.node: _ir.constant(k.values) for k in known})
    made = frozenset(trace.made)
    key = ("record", (*nodes,), made, (*inputs,), count)
    recurrence, constants = _reuse.find_or_derive(
        key, lambda: _recurrence_of(nodes, made, inputs, count)
    )
    return Step(recurrence, constants, tree, tuple(n is not None for n in ys))


def _recurrence_of(
    nodes: Sequence[Node], made: frozenset[bytes], inputs: Sequence[Input], count: int
) -> tuple[Recurrence, tuple[Node, ...]]:
    """Plan the step as the values of a function are, and take out what no step changes.

    It is then in inputs that do not tell where it was recorded: the same step is one recurrence.
    """
    values, written = prepare(nodes, made)
    outside = _outside(values, inputs)
    given = [*inputs, *outside]
    new = [step_input(0, n, node.shape, node.dtype) for n, node in enumerate(given)]
    moved = _ir.substitute([*values, *written], dict(zip(given, new, strict=True)))
    roots = moved[: len(values)]
    order = _ir.topological(roots)
    for node in order:
        if is_opaque(node):
            raise TraceError(
                f"a step of a scan calls {name_and_arguments(node)[0]}, of which nothing is known; "
                "each step would need values of its own: write the steps in a Python loop"
            )
    rest = {*moved[len(values) :]}.intersection(order)
    recurrence = Recurrence(
        (*new[len(inputs) :],), (*new[:count],), (*new[count : len(inputs)],), (*roots[:count],),
        (*roots[count:],), frozenset(rest),
    )  # fmt: skip
    return recurrence, (*outside,)


def _outside(roots: Sequence[Node], inputs: Sequence[Input]) -> list[Node]:
    """Find what is used in a step and depends on no input of it, but on values from outside.

    What only repeats entries is made in the step.
    """
    inside, fixed = {*inputs}, set[Node]()
    found: dict[Node, None] = {}
    order = _ir.topological(roots)
    for node in order:
        below = _ir.children(node)
        if not inside.isdisjoint(below):
            inside.add(node)  # type: ignore[arg-type]
        elif node not in inside and (isinstance(node, Input) or not fixed.isdisjoint(below)):
            fixed.add(node)
    pending = [n for node in order if node in inside for n in _ir.children(node)]
    pending = [*roots, *pending][::-1]
    while pending:
        node = pending.pop()
        if node not in fixed:
            continue
        if _only_repeats(node):
            pending += _ir.children(node)
        else:
            found[node] = None
    return [*found]


def _only_repeats(node: Node) -> bool:
    core = node.core if isinstance(node, Placement) else None
    return core is not None and node.size > core.node.size
