"""Take picks outward: what is computed of each row that is picked is computed of each origin.

In: nodes that the user wrote. Out: equal nodes in which functions, sums and products of rows that
are picked more than once stand below the pick.
Guaranteed: nothing is computed of a row that is not picked, so that a logarithm meets no number
that the user kept from it; every entry is the same function of the same entries.

>>> from eingrad._primitives import apply
>>> a = _ir.new_input("a", (4, 9))
>>> rows = _ir.take(a, 0, _ir.selection([0, 1, 2, 3, 1] * 60, 4))
>>> taken = take_out(apply("exp", rows))
>>> [n.shape for n in _ir.topological([taken]) if isinstance(n, _ir.Apply)]
[(4, 9)]
"""

import itertools
import weakref
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from eingrad import _ir
from eingrad._ir import (
    Add,
    Apply,
    Factor,
    Merge,
    Node,
    Product,
    Selection,
    Structural,
    View,
)
from eingrad._primitives import core_ndims
from eingrad._subscripts import Subscripts


class _Pick(NamedTuple):
    """A selection, and what together are its rows: axes, or indices, in row-major order."""

    picks: Selection
    rows: tuple[int, ...]


class _Picked(NamedTuple):
    """How an array is picked, the index that the selection determines, factors that say so."""

    pick: _Pick
    column: int
    factors: tuple[Factor, ...]


class _Origins(NamedTuple):
    """How many rows are picked, these once each, and which of them each row is.

    None and None, if all are picked: then the selection itself says which (and is not kept alive).
    """

    number: int
    once: Selection | None = None
    again: Selection | None = None


_origins: weakref.WeakKeyDictionary[Selection, _Origins | None] = weakref.WeakKeyDictionary()


def take_out(node: Node) -> Node:
    """``f(A[t], B[t], c) -> f(A[u], B[u], c)[v]``, with ``t = u[v]`` and each row of u once.

    So f is computed once for each row that is picked, not for each time that it is.

    Keeps value, shape and dtype. Terminates: what is left inside has one pick less. Leaves alone
    operands that are picked by different tables, rows that are summed, and picks with few repeats:
    where not all rows are picked, u is a pick, too, and has to be worth it.
    """
    operands = _operands(node)
    tried: set[_Pick] = set()
    for operand in operands:
        view = _view_of(operand.node)
        for (picks, axes), _, _ in _picked(view) if view else ():
            pick = _Pick(picks, tuple(operand.term[axis] for axis in axes))
            made = None if pick in tried else _taken_out(node, operands, pick)
            if made is not None:
                return made
            tried.add(pick)
    return node


def _operands(node: Node) -> list[Factor]:
    """What a node is computed from, with indices: those of the result, on axes that are alike.

    An index on another axis is one that the result has not.
    """
    axes = tuple(range(node.ndim))
    if isinstance(node, Product) and not node.is_view:
        return [*node.factors]
    if isinstance(node, Add):
        return [Factor(term, axes) for term in node.terms]
    if isinstance(node, Apply):
        found = []
        for k, operand in enumerate(node.operands):
            batch = node.ndim - core_ndims(node, k)[0]
            core = range(node.ndim, node.ndim + operand.ndim - batch)
            found.append(Factor(operand, (*axes[:batch], *core)))
        return found
    return []


def _view_of(node: Node) -> View | None:
    """See an array through what picks it; None where rows are added up, too."""
    return _ir.view_of(node) if _ir.is_fill(node) or _ir.is_rearranged(node) else None


def _picked(view: View) -> Iterator[_Picked]:
    """Selections by which an array is picked, along axes on which nothing else depends."""
    for factor in view.factors:
        picks = factor.node
        if not isinstance(picks, Selection) or _find_origins(picks) is None:
            continue
        row, column = factor.term
        merges = [f for f in view.factors if isinstance(f.node, Merge) and f.term[0] == row]
        parts = merges[0].term[1:] if merges else (row,)
        factors = (factor, *merges)
        rest = [f for f in view.factors if f not in factors]
        used = [i for _, term in rest for i in term]
        is_apart = {row, *parts}.isdisjoint(used) and used.count(column) == 1
        is_whole = {*parts}.issubset(view.out) and (row in view.out) == (row in parts)
        is_core = column not in view.out and any(
            column in t and not isinstance(n, Structural) for n, t in rest
        )
        if len(merges) <= 1 and is_apart and is_whole and is_core:
            yield _Picked(_Pick(picks, tuple(map(view.out.index, parts))), column, factors)


def _find_origins(picks: Selection) -> _Origins | None:
    """Part a table with repeats; None where it has too few, or rows that pick nothing."""
    if picks not in _origins:
        _origins[picks] = _part(picks)
    return _origins[picks]


def _part(picks: Selection) -> _Origins | None:
    if isinstance(picks.table, range) or _ir.selects(picks.table) is not None:
        return None
    rows, columns = picks.shape
    found, again = np.unique(picks.table, return_inverse=True)
    if len(found) == columns:
        return _Origins(columns) if rows > columns else None
    if rows < 2 * len(found):
        return None
    number = len(found)
    return _Origins(number, _ir.selection(found, columns), _ir.selection(again, number))


# What is computed of origins ---------------------------------------------------------------------


def _taken_out(node: Node, operands: Sequence[Factor], pick: _Pick) -> Node | None:
    """Compute a node of origins, and pick of that; None where something is not picked so."""
    origins = _find_origins(pick.picks)
    out = node.out if isinstance(node, Product) else tuple(range(node.ndim))
    if origins is None or not {*pick.rows}.issubset(out):
        return None
    sources = []
    for operand in operands:
        source = _source(operand, pick, origins)
        if source is None:
            return None
        sources.append(source)
    kept = tuple(index for index in out if index not in pick.rows[1:])
    inner = take_out(_on(node, sources, kept, origins.number, pick.rows[0]))
    first, *more = pick.rows
    fresh = itertools.count(1 + max((*out, *(i for f in operands for i in f.term))))
    column = next(fresh)
    row = next(fresh) if more else first
    place = dict(zip(out, node.shape, strict=True))
    structure = [Factor(origins.again or pick.picks, (row, column))]
    if more:
        merge = _ir.merge(tuple(place[i] for i in pick.rows))
        structure.append(Factor(merge, (row, *pick.rows)))
    term = tuple(column if index == first else index for index in kept)
    return _ir.contract([(inner, term), *structure], out, place)


def _source(operand: Factor, pick: _Pick, origins: _Origins) -> Factor | None:
    """What an operand is picked from, or repeated of; its axis of origins has the first index."""
    node, term = operand
    if {*pick.rows}.isdisjoint(term):
        return operand
    view = _view_of(node)
    if view is None or any(term.count(index) != 1 for index in pick.rows):
        return None
    axes = tuple(term.index(index) for index in pick.rows)
    first, *more = axes
    kept = [axis for axis in range(node.ndim) if axis not in more]
    factors, sizes = view.factors, dict(view.sizes)
    new = view.out[first]
    if {view.out[axis] for axis in axes}.issubset(view.repeated):
        sizes[new] = origins.number
    else:
        picked = next((p for p in _picked(view) if p.pick == (pick.picks, axes)), None)
        if picked is None:
            return None
        factors = tuple(f for f in factors if f not in picked.factors)
        new = picked.column
        if origins.once is not None:
            new = 1 + max(sizes)
            factors = (*factors, Factor(origins.once, (new, picked.column)))
    out = tuple(new if axis == first else view.out[axis] for axis in kept)
    made = _ir.contract(factors, out, sizes, view.coefficient, node.dtype)
    return Factor(made, tuple(term[axis] for axis in kept))


def _on(node: Node, sources: Sequence[Factor], out: Subscripts, count: int, first: int) -> Node:
    """Build a node on origins: the index `first` of its axes counts them."""
    nodes = [source.node for source in sources]
    if isinstance(node, Product):
        return _ir.contract(sources, out, node.sizes, node.coefficient, node.dtype)
    if isinstance(node, Add):
        return _ir.add(nodes, node.coefficients)
    assert isinstance(node, Apply)
    shape = tuple(count if axis == first else node.shape[axis] for axis in out)
    attributes = dict(node.attributes)
    return _ir.apply_node(node.primitive, nodes, attributes, node.result, shape, node.dtype)
