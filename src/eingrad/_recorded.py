"""What is done with a function that was recorded, before anything is derived of it.

In: a trace, and the nodes that the function returned. Out: nodes of the same values.
Guaranteed: the passes are applied in the order in which they stand in `rewritten`; of a function
that is traced again, what each of them made is found, for its inputs are those of the last call.
"""

import functools
from collections.abc import Sequence, Set

from eingrad import _reuse
from eingrad._evaluate import evaluate
from eingrad._ir import Input, Node
from eingrad._lines import in_series, nested, rates_below
from eingrad._progress import phase
from eingrad._rolled import roll
from eingrad._simplify import picked_last, written_nodes
from eingrad._together import together
from eingrad._tracer import Trace


def rewritten(
    trace: Trace | None,
    nodes: Sequence[Node],
    given: Sequence[Node] | None,
    *,
    keeps_rates: bool = False,
    order: int | None = 0,
) -> list[Node]:
    """Evaluate what was left, and write what people wrote out as one knows it for arrays.

    Derivatives that were taken within the call are evaluated, now that all that uses them is known.
    Products that are nested along one direction become series, unless the caller nests further and
    `keeps_rates`; small operations that do the same are done together, if they depend on what is
    `given`, or if that is None; loops become scans, where steps follow one another and are many for
    the `order` of what is derived of them: what does not depend on the step before was packed by
    then. None keeps them as they were written out.
    """
    if trace is None:
        return [*nodes]
    found = _evaluated(trace, nodes)
    if not keeps_rates:
        found = expanded(trace, found, trace.made)
    packed = _packed(trace, found, given)
    return packed if order is None else _rolled(trace, packed, order)


def _evaluated(trace: Trace, nodes: Sequence[Node]) -> list[Node]:
    """Evaluate derivatives that were taken within a call."""
    if not trace.root.unevaluated:
        return [*nodes]
    made = frozenset(trace.made)
    once = functools.partial(evaluate, nodes, made)
    key = ("evaluate", (*nodes,), made)
    with phase("differentiating"):
        found, digests = once() if trace.lasting else _reuse.find_or_derive(key, once)
    trace.made |= digests
    return [*found]


def expanded(trace: Trace, nodes: Sequence[Node], made: set[bytes]) -> list[Node]:
    """Take products that are nested along one direction from series, where that is faster."""
    known = trace.root.rates
    rates = rates_below(nodes, known) if len(known) > 1 else {}
    if not nested(rates):
        return [*nodes]
    once = functools.partial(in_series, [*nodes], rates, frozenset(made))
    key = ("expand", (*nodes,), (*rates.items(),), frozenset(made))
    with phase("differentiating"):
        found, digests = once() if trace.lasting else _reuse.find_or_derive(key, once)
    made |= digests
    return [*found]


def _rolled(trace: Trace, nodes: Sequence[Node], order: int) -> list[Node]:
    """Put scans in the place of loops that were written out.

    Arrays that differ from step to step become one, captured anew: each call has its own. What
    the user keeps, as a formula, stays as he wrote it.
    """
    if trace.lasting:
        return [*nodes]
    made = frozenset(trace.made)
    groups: list[tuple[tuple[Input, ...], Node]] = []

    def capture(inputs: Sequence[Input]) -> Node | None:
        node = trace.capture_stacked(inputs)
        if node is not None:
            groups.append(((*inputs,), node))
        return node

    def make() -> tuple[list[Node], Set[bytes], list[tuple[tuple[Input, ...], Node]]]:
        with phase("looking for loops"):
            return *roll(nodes, made, capture, order), groups

    found, digests, stacks = _reuse.find_or_derive(("roll", (*nodes,), made, order), make)
    if stacks is not groups and any(trace.capture_stacked(n) is not node for n, node in stacks):
        found, digests, _ = make()
    trace.made |= digests
    return found


def _packed(trace: Trace, nodes: Sequence[Node], given: Sequence[Node] | None) -> list[Node]:
    """Do small operations together; a lasting trace stays as written, for it is shown."""
    if trace.lasting:
        return [*nodes]
    made = frozenset(trace.made)
    given = None if given is None else (*given,)
    once = functools.partial(together, nodes, given, made)
    return [*_reuse.find_or_derive(("together", (*nodes,), given, made), once)]


def with_picks_last(trace: Trace | None, nodes: list[Node]) -> list[Node]:
    """Take picks outward, so that whatever is derived of a call computes with each row once.

    Not of what is made of derivatives: that is planned with them.
    """
    if trace is None or trace.made:
        return nodes

    def make() -> list[Node]:
        return picked_last(nodes, written_nodes(nodes, frozenset()))[0]

    return [*(make() if trace.lasting else _reuse.find_or_derive(("picks", (*nodes,)), make))]
