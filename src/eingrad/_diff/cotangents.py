"""Backward: cotangents go from the results down.

In: cotangents of nodes, and what these are differentiated in. Out: cotangents of that.
Guaranteed: one sweep serves every variable; the adjoints they share stay shared.
"""

import functools
from collections.abc import Container, Mapping, Sequence

import numpy as np

from eingrad import _ir
from eingrad._cancel import Quotients
from eingrad._collected import Term, collect, is_shattered, pieces_of
from eingrad._diff.chosen import choose
from eingrad._diff.graph import dependents
from eingrad._diff.local import Jacobian, local_jacobians
from eingrad._diff.needs import needed
from eingrad._diff.products import pull_through
from eingrad._diff.regions import seed
from eingrad._diff.selects import Selects
from eingrad._diff.tangents import carried_up
from eingrad._invariance import Use, is_extreme, of_extreme
from eingrad._ir import Apply, Node
from eingrad._primitives import Kind, cast, kind_of
from eingrad._recurrence import (
    WHOLLY,
    Arrived,
    Arriving,
    Partly,
    Sweeps,
    is_composed,
    is_scan,
    pull,
    pull_composed,
)
from eingrad._shifts import is_shift, keep_whole
from eingrad._subscripts import Shape


def reverse(y: Node, xs: Sequence[Node], use: Use = Use.LAST) -> list[Node]:
    """Differentiate from ``y`` down: one cotangent tensor per node, of shape ``y + node``.

    One sweep serves every ``x``; the adjoints they share stay shared.
    """
    return pullback({y: seed(y)}, xs, y.shape, use)


def pullback(
    seeds: Mapping[Node, Node],
    xs: Sequence[Node],
    leading: Shape = (),
    use: Use = Use.LAST,
    partly: Partly = WHOLLY,
) -> list[Node]:
    """Multiply cotangents of the ``ys``, whose first axes are `leading`, by Jacobians: backward.

    `partly` says of ``ys`` where they are needed, if that is not everywhere.
    """
    order = dependents(seeds, xs)
    selects = Selects(seeds, xs, order, partly, has_flags=not leading)
    jacobians_of = functools.partial(_in_rows, order=order) if leading else Selects.guarded
    dtype = np.result_type(*(bar.dtype for bar in seeds.values()))
    cotangents: dict[Node, list[Term]] = {y: [(cast(b, dtype), 1)] for y, b in seeds.items()}
    result: dict[Node, Node] = {}
    nodes = [n for n in _ir.topological(list(seeds)) if n in order]
    arrived, quotients = Arrived(nodes), Quotients(order)
    for node in reversed(nodes):
        bar = collect(cotangents.pop(node, []), leading + node.shape, dtype)
        if is_shift(node) or (node not in xs and is_shattered(bar, node)):
            bar = keep_whole(bar)
        result[node] = bar
        if is_scan(node):
            arriving = arrived.with_one_more(node, Arriving(bar, selects.flags(node)))
            pulled = pull(node, arriving, order, selects.infinite, leading, dtype, _SWEEPS)
            selects.note(node, pulled.flags)
            for below, found in pulled.bars:
                cotangents.setdefault(below, []).append((found, 1))
        jacobians = [] if _ir.is_zero(bar) else jacobians_of(selects, node)
        if not leading and is_extreme(node):
            jacobians = of_extreme(jacobians, node, bar, use, order, quotients)
        stand_in = selects.safe(node)
        for each in jacobians:
            terms = _through(len(leading), stand_in, each, bar, quotients)
            cotangents.setdefault(each[0], []).extend(terms)
        if node not in xs:
            del result[node]
    return [result.get(x, _ir.zeros(leading + x.shape, dtype)) for x in xs]


def _pullback_in_step(
    seeds: Mapping[Node, Node], xs: Sequence[Node], leading: Shape, partly: Partly
) -> list[Node]:
    return pullback(seeds, xs, leading, partly=partly)


_SWEEPS = Sweeps(_pullback_in_step, needed)


def _in_rows(selects: Selects, node: Node, order: dict[Node, None]) -> list[Jacobian]:
    """Jacobians that keep the rows of a derivative apart, where flags would be those of all rows.

    What one row needs may be infinite, and is then multiplied by the zeros of another. So a select
    is applied to the derivative of its whole branch, down to what is finite.
    """
    if kind_of(node) is Kind.SELECT and node not in selects.led:
        return _multiplied_out(selects, node, order)
    return local_jacobians(node, order, selects.led)


def _multiplied_out(selects: Selects, node: Node, order: dict[Node, None]) -> list[Jacobian]:
    condition, *branches = _ir.children(node)
    jacobians: list[Jacobian] = []
    for branch, holds in zip(branches, (True, False), strict=True):
        leaves = _finite_ones(branch, order, selects.infinite) if branch in order else []
        for leaf in leaves:
            within = dependents([branch], [leaf], [n for n in leaves if n is not leaf])
            total = carried_up(branch, {leaf: seed(leaf)}, leaf.shape, within, {})
            pair = (total, None) if holds else (None, total)
            jacobians.append((leaf, choose(condition, *pair), 0))
    return jacobians


def _finite_ones(branch: Node, order: Container[Node], infinite: Container[Node]) -> list[Node]:
    """First nodes below a branch that nothing infinite lies below; or what is differentiated in.

    Of a step, that may be infinite itself: what the step before made.
    """
    below = [n for n in _ir.topological([branch]) if n in order]
    inner = {n for n in below if any(c in order for c in _ir.children(n))}
    if branch not in infinite or branch not in inner:
        return [branch]
    edge = {c for n in inner if n in infinite for c in _ir.children(n) if c in order}
    leaves = {_without_numbers(n, order) for n in edge if n not in infinite or n not in inner}
    return [n for n in below if n in leaves]


def _without_numbers(node: Node, order: Container[Node]) -> Node:
    """Give what a user multiplied with a number: that meets its inverse outside of the select."""
    while _ir.number_of(node) is not None and _ir.children(node)[0] in order:
        (node,) = _ir.children(node)
    return node


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
