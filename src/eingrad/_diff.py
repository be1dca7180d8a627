"""Differentiate one node with respect to another, forward or backward.

In: a node ``y`` and a node ``x`` below it. Out: ``dy/dx``, axes of ``y`` first, then of ``x``.
Guaranteed: the graph is walked once, iteratively; deltas are contracted away as they meet; a
derivative is *collected*: one term per delta pattern, and one remainder node that carries no delta.

>>> from eingrad import _ir
>>> x, a = _ir.new_input("x", (3,)), _ir.new_input("A", (2, 3))
>>> forward(_ir.einsum("ij,j->i", a, x), x) is a
True

Both directions multiply the same local Jacobians; they differ in the order alone. The user's own
nodes are never expanded: a product is distributed only over the terms of a derivative.
"""

import itertools
from collections.abc import Callable, Container, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._cancel import Quotients, cancelled, may_meet
from eingrad._collected import Term, collect, is_shattered, pieces_of
from eingrad._invariance import Use, is_extreme, of_extreme
from eingrad._ir import (
    Add,
    Apply,
    Coefficient,
    Einsum,
    Factor,
    Node,
    Placement,
    Structural,
)
from eingrad._limits import BUDGET
from eingrad._primitives import (
    Kind,
    apply,
    cast,
    core_ndims,
    jacobian,
    kind_of,
    power_times,
    row_of,
)
from eingrad._recurrence import (
    Arrived,
    is_composed,
    is_scan,
    pull,
    pull_composed,
    push,
    push_composed,
)
from eingrad._shifts import is_shift, keep_whole
from eingrad._subscripts import Shape, Subscripts
from eingrad._supports import pieces_that_meet


@dataclass(frozen=True, slots=True)
class Hole:
    """An einsum without its operand `k`: the Jacobian in that operand, never written out.

    Contracting it with a tangent or cotangent puts that in the operand's place.
    """

    einsum: Einsum
    k: int

    def rest(self, dtype: Any) -> list[Factor]:
        """Give the other factors, in one dtype; structure has none."""
        others = [f for n, f in enumerate(self.einsum.factors) if n != self.k]
        return [
            f if isinstance(f.node, Structural) else Factor(cast(f.node, dtype), f.term)
            for f in others
        ]


@dataclass(frozen=True, slots=True)
class Multiple:
    """The identity, times a number: what a term of a sum, and a conversion, are multiplied with."""

    number: Coefficient


Local = Node | Hole | Multiple
Jacobian = tuple[Node, Local, int]  # a node below; d node/d that node; batch axes they share
Selects = dict[Node, list[Jacobian]]


@dataclass(frozen=True, slots=True)
class ForwardSweep:
    """A sweep over nodes in order: the axes of tangents after those of their node are `trailing`.

    Tangents have the dtypes of the nodes, or, where seeds are `wider`, such as hold both.
    """

    order: dict[Node, None]
    selects: Selects
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
            for below, local, batch in local_jacobians(node, self.order, self.selects)
            if below in tangents
            for term in push_through(
                node, below, local, batch, cast(tangents[below], dtype), self.quotients
            )
        ]
        if is_scan(node):
            pushed = push(node, tangents, self.trailing, self.wider, pushforward)
            terms = [] if pushed is None else [(pushed, 1)]
        total = collect([*terms, *more], node.shape + self.trailing, dtype)
        is_kept = is_shift(node) or (not is_last and is_shattered(total))
        return keep_whole(total) if is_kept else total


def seed(node: Node) -> Node:
    """``d node/d node``: a delta for every axis."""
    axes = tuple(range(node.ndim))
    twins = tuple(range(node.ndim, 2 * node.ndim))
    deltas = [(_ir.delta(n), (a, node.ndim + a)) for a, n in enumerate(node.shape)]
    return _ir.contract(deltas, (*axes, *twins), dtype=node.dtype)


def forward(y: Node, x: Node) -> Node:
    """Differentiate from ``x`` up: one tangent tensor per node, of shape ``node + x``."""
    order = dependents([y], [x])
    return _forward(y, {x: seed(x)}, x.shape, order, selects_of(order))


def pushforward(
    ys: Sequence[Node], tangents: Mapping[Node, Node], trailing: Shape = ()
) -> list[Node]:
    """Multiply Jacobians by tangents of the ``xs``: forward, with other seeds than deltas.

    Several tangents are pushed at once along axes that are `trailing`, those of ``x`` come before.
    If a tangent is of a wider dtype than its ``x``, complex say, all products are.
    """
    order = dependents(ys, tangents)
    selects = selects_of(order)
    wider = [tangent.dtype for x, tangent in tangents.items() if tangent.dtype != x.dtype]
    return [_forward(y, tangents, trailing, order, selects, wider) for y in ys]


def rate_of(node: Node, rates: Mapping[Node, Node]) -> Node | None:
    """Multiply the Jacobians of one node by rates of what it is computed from; None: it has none.

    Of a select this is not asked: its Jacobians are in other nodes.
    """
    terms = [
        term
        for below, local, batch in local_jacobians(node, dict.fromkeys(rates), {})
        for term in push_through(node, below, local, batch, rates[below], Quotients())
    ]
    return collect(terms, node.shape, node.dtype) if terms else None


def _forward(
    y: Node,
    seeds: Mapping[Node, Node],
    trailing: Shape,
    order: dict[Node, None],
    selects: Selects,
    wider: Sequence[Any] = (),
) -> Node:
    """Carry tangents up to ``y``."""
    needed = find_needed(y, selects, seeds)
    sweep = ForwardSweep(order, selects, trailing, Quotients(order), wider)
    tangents = dict(seeds)
    for node in order:
        if node not in seeds and node in needed:
            tangents[node] = sweep.tangent(node, tangents, is_last=node is y)
    dtype = np.result_type(y.dtype, *wider) if wider else y.dtype
    return cast(tangents[y], dtype) if y in tangents else _ir.zeros(y.shape + trailing, dtype)


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
    selects = selects_of(order)
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
        for below, local, batch in jacobians:
            pulled = _pull(len(leading), node, below, local, batch, bar, quotients)
            cotangents.setdefault(below, []).extend(pulled)
        if node not in xs:
            del result[node]
    return [result.get(x, _ir.zeros(leading + x.shape, dtype)) for x in xs]


def dependents(
    ys: Iterable[Node], xs: Iterable[Node], constants: Iterable[Node] = ()
) -> dict[Node, None]:
    """Nodes between the ``xs`` and the ``ys`` that depend on an ``x``, children first."""
    sources, stop = set(xs), set(constants)
    order: dict[Node, None] = {}
    for node in _ir.topological(ys):
        depends = node not in stop and any(child in order for child in _ir.children(node))
        if node in sources or depends:
            order[node] = None
    return order


def find_needed(y: Node, selects: Selects, seeds: Container[Node]) -> set[Node]:
    """Nodes that the derivative of y is made of: a select leads straight to its leaves.

    What is below seeds alone is none of them.
    """
    needed: set[Node] = set()
    stack = [y]
    while stack:
        node = stack.pop()
        if node not in needed:
            needed.add(node)
            if node in seeds:
                continue
            below = [n for n, _, _ in selects[node]] if node in selects else _ir.children(node)
            stack.extend(below)
    return needed


# Local Jacobians ---------------------------------------------------------------------------------


def local_jacobians(node: Node, active: Container[Node], selects: Selects) -> list[Jacobian]:
    """Jacobians of a node in the active nodes that it is computed from."""
    match node:
        case Apply() if is_scan(node):
            return []  # see `_recurrence`
        case Einsum():
            return [(n, Hole(node, k), 0) for k, n in enumerate(node.operands) if n in active]
        case Add(terms=terms, coefficients=coefficients):
            return [
                (n, Multiple(c), node.ndim)
                for n, c in zip(terms, coefficients, strict=True)
                if n in active
            ]
        case Apply() if node in selects:
            return selects[node]
        case Apply(operands=operands) if kind_of(node) is Kind.CAST:
            return [(n, Multiple(1), node.ndim) for n in operands if n in active]
        case Apply(operands=operands):
            jacobians: list[Jacobian] = []
            for k, n in enumerate(operands):
                local = jacobian(node, k) if n in active else None
                if local is not None and not _ir.is_zero(local):
                    jacobians.append((n, local, node.ndim - core_ndims(node, k)[0]))
            return jacobians
    return []


def push_through(
    node: Node, below: Node, local: Local, batch: int, tangent: Node, quotients: Quotients
) -> list[Term]:
    """``d node/d below`` times ``d below/d x``."""
    if isinstance(local, Multiple):
        return [(tangent, local.number)]
    extra = tangent.ndim - below.ndim
    if isinstance(local, Hole):
        einsum = local.einsum
        first = len(einsum.sizes)
        new = tuple(range(first, first + extra))
        term, out = (*einsum.factors[local.k].term, *new), (*einsum.out, *new)
        rest = local.rest(tangent.dtype)
        return _linear(quotients, rest, tangent, term, out, einsum.sizes, einsum.coefficient)
    if isinstance(node, Apply) and kind_of(node) is Kind.ITSELF:
        return [(power_times(node.operands[0], piece, 0), c) for piece, c in pieces_of(tangent)]
    terms, remainder = _through_composed(node, tangent, push_composed, pushforward)
    if remainder is None:
        return terms
    tangent = remainder
    local = cancelled(cast(local, tangent.dtype), quotients)
    shared, result, operand, new = _ranges(batch, node.ndim - batch, below.ndim - batch, extra)
    out = (*shared, *result, *new)
    term = (*shared, *result, *operand)
    of_tangent = (*shared, *operand, *new)
    return terms + _linear(quotients, [(local, term)], tangent, of_tangent, out)


def _pull(
    leading: int,
    node: Node,
    below: Node,
    local: Local,
    batch: int,
    bar: Node,
    quotients: Quotients,
) -> list[Term]:
    """``d y/d node``, with `leading` axes before those of the node, times ``d node/d below``."""
    if isinstance(local, Multiple):
        return [(bar, local.number)]
    if isinstance(local, Hole):
        einsum = local.einsum
        fresh = itertools.count(len(einsum.sizes))
        y_axes = tuple(itertools.islice(fresh, leading))
        rest = local.rest(bar.dtype)
        axes: list[int] = []
        for index, size in zip(einsum.factors[local.k].term, below.shape, strict=True):
            axis = index if index not in axes else next(fresh)
            if axis != index:  # the operand's diagonal: so is its cotangent
                rest.append(Factor(_ir.delta(size), (index, axis)))
            axes.append(axis)
        sizes = dict(zip(axes, below.shape, strict=True))
        out = (*y_axes, *axes)
        return _linear(quotients, rest, bar, (*y_axes, *einsum.out), out, sizes, einsum.coefficient)
    if isinstance(node, Apply) and kind_of(node) is Kind.ITSELF:
        return [(power_times(node.operands[0], piece, leading), c) for piece, c in pieces_of(bar)]
    terms, remainder = _through_composed(node, bar, pull_composed, pullback)
    if remainder is None:
        return terms
    bar = remainder
    local = cancelled(cast(local, bar.dtype), quotients)
    shared, result, operand, y_axes = _ranges(batch, node.ndim - batch, below.ndim - batch, leading)
    term = (*shared, *result, *operand)
    out = (*y_axes, *shared, *operand)
    return terms + _linear(quotients, [(local, term)], bar, (*y_axes, *shared, *result), out)


def _through_composed(
    node: Node, arriving: Node, through: Callable[..., Any], sweep: Callable[..., Any]
) -> tuple[list[Term], Node | None]:
    """Sweep through a running product; give also what meets its Jacobian, or None."""
    if not isinstance(node, Apply) or not is_composed(node):
        return [], arriving
    terms, rest = through(node, pieces_of(arriving), sweep)
    return terms, _ir.add(*zip(*rest, strict=True)) if rest else None


def _ranges(*lengths: int) -> list[Subscripts]:
    """Consecutive runs of fresh indices."""
    runs, start = [], 0
    for length in lengths:
        runs.append(tuple(range(start, start + length)))
        start += length
    return runs


# Selects -----------------------------------------------------------------------------------------


def selects_of(order: dict[Node, None]) -> Selects:
    """Jacobians of every select, inner ones first: so an outer one finds them made."""
    selects: Selects = {}
    for node in order:
        if isinstance(node, Apply) and kind_of(node) is Kind.SELECT:
            selects[node] = _select_jacobians(node, order, selects)
    return selects


def _select_jacobians(node: Apply, active: dict[Node, None], selects: Selects) -> list[Jacobian]:
    """Differentiate ``where(c, a, b)`` as ``where(c, da, db)``: a select, never a mask times nan.

    A branch that is nan where it is not chosen, ``where(x == 0, 1, sin(x) / x)``, must not reach
    the rest. So the select is applied to the derivative of the whole branch, down to nodes below
    which nothing is singular; where nothing is, it is a product with zero and one.
    """
    condition, *branches = node.operands
    one, zero = (_ir.fill(c, node.shape, node.dtype) for c in (1, 0))
    jacobians: list[Jacobian] = []
    for branch, pair in zip(branches, ((one, zero), (zero, one)), strict=True):
        if branch not in active:
            continue
        leaves = _leaves(branch, active)
        if leaves == [branch]:
            jacobians.append((branch, apply("where", condition, *pair), node.ndim))
            continue
        for leaf in leaves:
            others = [n for n in leaves if n is not leaf]
            within = dependents([branch], [leaf], others)
            total = _forward(branch, {leaf: seed(leaf)}, leaf.shape, within, selects)
            pieces = [
                (_select(condition, piece, pair[0] is one), c) for piece, c in pieces_of(total)
            ]
            shape = node.shape + leaf.shape
            jacobians.append((leaf, collect(pieces, shape, node.dtype), 0))
    return jacobians


def _leaves(branch: Node, active: dict[Node, None]) -> list[Node]:
    """First nodes below a branch that no singular primitive lies below.

    A multiple of the user's is no such node, but what it is a multiple of: else its number would
    meet the inverse of it, which he divided by, only outside of the select.
    """
    singular: set[Node] = set()
    below = [n for n in _ir.topological([branch]) if n in active]
    for node in below:
        if (isinstance(node, Apply) and row_of(node).singular) or any(
            child in singular for child in _ir.children(node)
        ):
            singular.add(node)
    if branch not in singular:
        return [branch]
    edge = {c for n in singular for c in _ir.children(n) if c in active and c not in singular}
    edge = {_without_numbers(node, active) for node in edge}
    return [n for n in below if n in edge]


def _without_numbers(node: Node, active: Container[Node]) -> Node:
    while _ir.number_of(node) is not None and _ir.children(node)[0] in active:
        (node,) = _ir.children(node)
    return node


def _select(condition: Node, piece: Node, when: bool) -> Node:
    """``where(condition, piece, 0)`` or the other way round, applied inside the piece's deltas.

    And inside its scale, which is collected with others.
    """
    if isinstance(piece, Einsum) and piece.factors and piece.coefficient not in (0, 1):
        inner = _select(condition, _ir.with_coefficient(piece, 1), when)
        return _ir.scale(inner, piece.coefficient)
    lead = condition.ndim
    if _ir.carries_delta(piece):
        determined = {index for _, of, _ in piece.determined for index in of}
        if determined.isdisjoint(piece.out[:lead]):
            return _select_core(condition, piece, when)
    axes = tuple(range(piece.ndim))
    wide = _ir.contract([(condition, axes[:lead])], axes, piece.shape)
    zero = _ir.zeros(piece.shape, piece.dtype)
    return apply("where", wide, *((piece, zero) if when else (zero, piece)))


def _select_core(condition: Node, piece: Placement, when: bool) -> Node:
    cores = () if piece.core is None else (piece.core,)
    term = tuple(dict.fromkeys((*piece.out[: condition.ndim], *(i for _, t in cores for i in t))))
    core = _ir.contract(cores, term, piece.sizes, piece.coefficient, piece.dtype)
    selected = Factor(_select(condition, core, when), term)
    return _ir.contract([selected, *piece.structure], piece.out, piece.sizes, dtype=piece.dtype)


# Sums of derivative terms ------------------------------------------------------------------------


def _linear(
    quotients: Quotients,
    rest: Sequence[tuple[Node, Subscripts]],
    derivative: Node,
    term: Subscripts,
    out: Subscripts,
    sizes: Mapping[int, int] | Shape = (),
    coefficient: Coefficient = 1,
) -> list[Term]:
    """Contract with each piece of a derivative: ``W (delta + M) -> W + W M``.

    And with each term by itself of which something cancels: ``v (a (1/v) + M) -> a + v M``.
    """
    given = {node for node, _ in rest}

    def product(piece: Node) -> Node:
        return _ir.contract([*rest, (piece, term)], out, sizes, coefficient, piece.dtype)

    is_elementwise = {*out}.issuperset({*term, *(i for _, t in rest for i in t)})
    made: list[Term] = []
    for whole, number in pieces_that_meet(derivative, term, rest):
        parts = (
            _apart(whole, given, product, quotients) if rest and is_elementwise else [(whole, 1)]
        )
        for piece, factor in parts:
            node = product(piece)
            node = node if node in given else cancelled(node, quotients)
            made.append((node, _ir.multiply(number, factor)))
    return made


def _apart(
    derivative: Node, others: Set[Node], product: Callable[[Node], Node], quotients: Quotients
) -> list[Term]:
    """Part the terms of a derivative of whose product with others something cancels.

    Where that sums nothing: a sum over all terms stays one sum, for where they cancel each other it
    keeps their digits.
    """
    whole: list[Term] = [(derivative, 1)]
    if not isinstance(derivative, Add) or len(derivative.terms) > BUDGET.opened_terms:
        return whole
    terms = [*zip(derivative.terms, derivative.coefficients, strict=True)]
    apart: list[Term] = []
    for node, number in terms:
        if may_meet([node], others, quotients):
            before = product(node)
            if cancelled(before, quotients) is not before:
                apart.append((node, number))
    together = [pair for pair in terms if pair not in apart]
    if not apart or not together:
        return apart or whole
    return [*apart, (_ir.add(*zip(*together, strict=True)), 1)]
