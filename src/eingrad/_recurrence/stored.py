"""What a scan stores for its way back: carries, or what the step made of them.

In: a step, and what its way back computes. Out: nodes of the step to store, and the way back on
inputs for them.
Guaranteed: of what the way back needs, nothing is computed from operands of the scan alone that is
not stored, but sums and products entry by entry; unless that takes far more memory than the carries
do: then those are stored, and the rest is computed again.

>>> import numpy as np
>>> from eingrad._primitives import apply
>>> from eingrad._recurrence.row import NewInputs, step_input
>>> c = step_input(0, 0, (3,), np.dtype(float))
>>> step = Recurrence((), (c,), (), (apply("exp", c),))
>>> bar = NewInputs(step).make((3,), c.dtype)
>>> back = [_ir.einsum("i,i->i", bar, *step.roots)]
>>> [*store(step, back, NewInputs(step)).nodes] == [*step.roots]
True
"""

from collections.abc import Iterable, Sequence, Set
from typing import NamedTuple

from eingrad import _ir
from eingrad._ir import Add, Einsum, Input, Node, Structural
from eingrad._limits import POLICY
from eingrad._primitives import Kind, kind_of
from eingrad._recurrence.row import NewInputs, Recurrence


class Stored(NamedTuple):
    """Nodes of a step, the inputs that stand for them on the way back, and that way on these."""

    nodes: tuple[Node, ...]
    inputs: tuple[Input, ...]
    results: list[Node]
    written: frozenset[Node]


def store(step: Recurrence, results: Sequence[Node], new: NewInputs) -> Stored:
    """Choose what is stored of a step; `results` are what its way back computes."""
    varying = _depending(results, {*step.carries, *step.slices})
    late = _depending(results, {*_ir.inputs(results)}.difference(step.inputs))
    edge = _edge(results, varying, late)
    stored = _lowered(edge, varying)
    given = {*step.carries, *step.slices}
    more = [n for n in stored if n not in given]
    if _bytes(more) > POLICY.stored * _bytes(step.carries):
        more = []
    inputs = [new.make(n.shape, n.dtype) for n in more]
    replaced: dict[Node, Node] = dict(zip(more, inputs, strict=True))
    kept = [*step.written] if more else []
    moved = _ir.substitute([*results, *kept], replaced)
    back = moved[: len(results)]
    order = _ir.topological(back)
    written = {*moved[len(results) :]} if more else {*step.written}
    carries = [x for x in step.carries if x in order]
    return Stored(
        (*carries, *more), (*carries, *inputs), back, frozenset(written.intersection(order))
    )


def _depending(roots: Iterable[Node], sources: Set[Node]) -> set[Node]:
    """Find what is computed from some nodes, these included."""
    found = {*sources}
    for node in _ir.topological(roots):
        if not found.isdisjoint(_ir.children(node)):
            found.add(node)
    return found


def _edge(results: Sequence[Node], varying: Set[Node], late: Set[Node]) -> dict[Node, None]:
    """Find what a step makes that the way back uses beside cotangents."""
    used = [n for node in _ir.topological(results) if node in late for n in _ir.children(node)]
    return dict.fromkeys(n for n in (*results, *used) if n in varying and n not in late)


def _lowered(edge: dict[Node, None], varying: Set[Node]) -> list[Node]:
    """Store what a product or sum is made of in its place, where that is one node, no larger.

    Ends, since nodes of which fewer are below take the place of others.
    """
    stored = {**edge}
    pending = [*edge]
    while pending:
        node = pending.pop()
        below = [n for n in _ir.children(node) if n in varying]
        others = [n for n in below if n not in stored]
        if not _is_cheap(node) or any(n.size > node.size for n in others) or len(others) > 1:
            continue
        del stored[node]
        for n in others:
            stored[n] = None
            pending.append(n)
    return [*stored]


def _is_cheap(node: Node) -> bool:
    """Whether a node is made entry by entry, by sums and products alone."""
    is_plain = isinstance(node, Add) or (isinstance(node, Einsum) and not node.sums)
    return is_plain or kind_of(node) is Kind.CAST


def _bytes(nodes: Iterable[Node]) -> int:
    return sum(n.size * n.dtype.itemsize for n in nodes if not isinstance(n, Structural))
