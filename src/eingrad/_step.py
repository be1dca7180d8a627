"""A step as it was recorded becomes a recurrence.

In: nodes of a step, and its inputs. Out: a recurrence, and what it takes from outside.
Guaranteed: the same step is one recurrence, wherever it was recorded; what no step changes is
outside of it.
"""

from collections.abc import Sequence, Set

from eingrad import _ir
from eingrad._derive import prepare
from eingrad._ir import Input, Node, Placement
from eingrad._opaque import is_opaque, name_and_arguments
from eingrad._recurrence import Recurrence, step_input
from eingrad.errors import TraceError


def recurrence_of(
    nodes: Sequence[Node], made: Set[bytes], inputs: Sequence[Input], count: int
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
