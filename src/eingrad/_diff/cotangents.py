"""Backward: cotangents go from the results down.

In: cotangents of nodes, and what these are differentiated in. Out: cotangents of that.
Guaranteed: one sweep serves every variable; the adjoints they share stay shared.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from eingrad import _ir
from eingrad._cancel import Quotients
from eingrad._collected import Term, collect, is_shattered, pieces_of
from eingrad._diff.graph import dependents
from eingrad._diff.local import Jacobian, local_jacobians
from eingrad._diff.products import pull_through
from eingrad._diff.tangents import find_selects, seed
from eingrad._invariance import Use, is_extreme, of_extreme
from eingrad._ir import Apply, Node
from eingrad._primitives import cast
from eingrad._recurrence import Arrived, is_composed, is_scan, pull, pull_composed
from eingrad._shifts import is_shift, keep_whole
from eingrad._subscripts import Shape


def reverse(y: Node, xs: Sequence[Node], use: Use = Use.LAST) -> list[Node]:
    """Differentiate from ``y`` down: one cotangent tensor per node, of shape ``y + node``.

    One sweep serves every ``x``; the adjoints they share stay shared.
    """
    return pullback({y: seed(y)}, xs, y.shape, use)


def pullback(
    seeds: Mapping[Node, Node], xs: Sequence[Node], leading: Shape = (), use: Use = Use.LAST
) -> list[Node]:
    """Multiply cotangents of the ``ys``, whose first axes are `leading`, by Jacobians: backward."""
    order = dependents(seeds, xs)
    selects = find_selects(order)
    dtype = np.result_type(*(bar.dtype for bar in seeds.values()))
    cotangents: dict[Node, list[Term]] = {y: [(cast(b, dtype), 1)] for y, b in seeds.items()}
    result: dict[Node, Node] = {}
    nodes = [n for n in _ir.topological(list(seeds)) if n in order]
    arrived, quotients = Arrived(nodes), Quotients(order)
    for node in reversed(nodes):
        bar = collect(cotangents.pop(node, []), leading + node.shape, dtype)
        if is_shift(node) or (node not in xs and is_shattered(bar)):
            bar = keep_whole(bar)
        result[node] = bar
        if is_scan(node):
            bars = arrived.with_one_more(node, bar)
            for below, found in pull(node, bars, order, leading, dtype, pullback):
                cotangents.setdefault(below, []).append((found, 1))
        jacobians = local_jacobians(node, order, selects)
        if not leading and is_extreme(node):
            jacobians = of_extreme(jacobians, node, bar, use, order, quotients)
        for each in jacobians:
            pulled = _through(len(leading), node, each, bar, quotients)
            cotangents.setdefault(each[0], []).extend(pulled)
        if node not in xs:
            del result[node]
    return [result.get(x, _ir.zeros(leading + x.shape, dtype)) for x in xs]


def _through(
    leading: int, node: Node, jacobian: Jacobian, bar: Node, quotients: Quotients
) -> list[Term]:
    """Multiply a cotangent by a local Jacobian; a running product is swept through."""
    below, local, batch = jacobian
    if not isinstance(node, Apply) or not is_composed(node):
        return pull_through(leading, node, below, local, batch, bar, quotients)
    terms, rest = pull_composed(node, pieces_of(bar), pullback)
    if rest:
        tied = _ir.add(*zip(*rest, strict=True))
        terms += pull_through(leading, node, below, local, batch, tied, quotients)
    return terms
