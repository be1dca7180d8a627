"""Forward: tangents go from the variables up.

In: nodes, and tangents of what they are differentiated in. Out: tangents of the nodes.
Guaranteed: each node that the result is made of is met once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._cancel import Quotients
from eingrad._collected import Term, collect, is_shattered, pieces_of
from eingrad._diff.chosen import choose
from eingrad._diff.graph import dependents, find_needed
from eingrad._diff.local import Jacobian, Led, local_jacobians
from eingrad._diff.products import push_through
from eingrad._diff.regions import seed
from eingrad._diff.selects import Selects
from eingrad._ir import Apply, Node
from eingrad._primitives import Kind, cast, kind_of
from eingrad._recurrence import (
    Partly,
    is_composed,
    is_scan,
    is_step_input,
    push,
    push_composed,
)
from eingrad._shifts import is_shift, keep_whole
from eingrad._subscripts import Shape


@dataclass(frozen=True, slots=True)
class ForwardSweep:
    """A sweep over nodes in order: the axes of tangents after those of their node are `trailing`.

    Tangents have the dtypes of the nodes, or, where seeds are `wider`, such as hold both.
    """

    order: dict[Node, None]
    led: Led
    trailing: Shape
    quotients: Quotients
    wider: Sequence[Any] = ()

    def tangent(
        self,
        node: Node,
        tangents: Mapping[Node, Node],
        more: Sequence[Term] = (),
        *,
        is_last: bool = False,
    ) -> Node:
        """Multiply the Jacobians of a node by the tangents below it; add `more` terms."""
        dtype = np.result_type(node.dtype, *self.wider) if self.wider else node.dtype
        terms = [
            term
            for each in local_jacobians(node, self.order, self.led)
            if each[0] in tangents
            for term in _through(node, each, cast(tangents[each[0]], dtype), self.quotients)
        ]
        if kind_of(node) is Kind.SELECT and node not in self.led:
            chosen = self._chosen(node, tangents, dtype)
            terms = [] if chosen is None else [(chosen, 1)]
        elif is_scan(node):
            pushed = push(node, tangents, self.trailing, self.wider, pushforward)
            terms = [] if pushed is None else [(pushed, 1)]
        total = collect([*terms, *more], node.shape + self.trailing, dtype)
        is_kept = is_shift(node) or (not is_last and is_shattered(total))
        return keep_whole(total) if is_kept else total

    def _chosen(self, node: Node, tangents: Mapping[Node, Node], dtype: Any) -> Node | None:
        """Select from the tangents of both branches, whatever they are elsewhere."""
        condition, *branches = _ir.children(node)
        pair = [cast(tangents[n], dtype) if n in tangents else None for n in branches]
        return None if pair == [None, None] else choose(condition, *pair)


def forward(y: Node, x: Node) -> Node:
    """Differentiate from ``x`` up: one tangent tensor per node, of shape ``node + x``."""
    order = dependents([y], [x])
    return carried_up(y, {x: seed(x)}, x.shape, order, Selects([y], [x], order).led)


def pushforward(
    ys: Sequence[Node], tangents: Mapping[Node, Node], trailing: Shape = ()
) -> list[Node]:
    """Multiply Jacobians by tangents of the ``xs``: forward, with other seeds than deltas.

    Several tangents are pushed at once along axes that are `trailing`, those of ``x`` come before.
    If a tangent is of a wider dtype than its ``x``, complex say, all products are. What a step of a
    scan is given may be infinite where its results are not needed, and so may its tangents.
    """
    order = dependents(ys, tangents)
    steps = frozenset(filter(is_step_input, tangents))
    led = Selects(ys, tangents, order, Partly({}, steps)).led
    wider = [tangent.dtype for x, tangent in tangents.items() if tangent.dtype != x.dtype]
    return [carried_up(y, tangents, trailing, order, led, wider) for y in ys]


def rate_of(node: Node, rates: Mapping[Node, Node]) -> Node | None:
    """Multiply the Jacobians of one node by rates of what it is computed from; None: it has none.

    Of a select this is not asked: its Jacobians are in other nodes.
    """
    terms = [
        term
        for each in local_jacobians(node, dict.fromkeys(rates), {})
        for term in _through(node, each, rates[each[0]], Quotients())
    ]
    return collect(terms, node.shape, node.dtype) if terms else None


def carried_up(
    y: Node,
    seeds: Mapping[Node, Node],
    trailing: Shape,
    order: dict[Node, None],
    led: Led,
    wider: Sequence[Any] = (),
) -> Node:
    """Carry tangents up to ``y``."""
    needed = find_needed(y, led, seeds)
    sweep = ForwardSweep(order, led, trailing, Quotients(order), wider)
    tangents = dict(seeds)
    for node in order:
        if node not in seeds and node in needed:
            tangents[node] = sweep.tangent(node, tangents, is_last=node is y)
    dtype = np.result_type(y.dtype, *wider) if wider else y.dtype
    return cast(tangents[y], dtype) if y in tangents else _ir.zeros(y.shape + trailing, dtype)


def _through(node: Node, jacobian: Jacobian, tangent: Node, quotients: Quotients) -> list[Term]:
    """Multiply a local Jacobian by a tangent; a running product is swept through."""
    below, local, batch = jacobian
    if not isinstance(node, Apply) or not is_composed(node):
        return push_through(node, below, local, batch, tangent, quotients)
    terms, rest = push_composed(node, pieces_of(tangent), pushforward)
    if rest:
        tied = _ir.add(*zip(*rest, strict=True))
        terms += push_through(node, below, local, batch, tied, quotients)
    return terms
