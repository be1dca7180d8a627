"""Evaluate derivatives within a trace, by what they are multiplied with.

In: nodes of a function in which unevaluated derivatives occur. Out: equal nodes without them.
Guaranteed: what is contracted with small arrays is never written out. ``sum_j D_ij v_j`` is the
derivative of ``f`` along ``v``, and ``sum_i w_i D_ij`` that of the number ``sum_i w_i f_i``; so a
contraction goes into the function that is differentiated, and what is left of the derivative is of
a lower order, or of a smaller result. The sums of a user are distributed only where that happens.

The function is swept forward for each factor that meets a variable, in any order, for tangents are
constants; what variables are left are differentiated in last, as `derive` chooses.

>>> from eingrad import _ir
>>> from eingrad._unevaluated import Call, derivative_of
>>> x, X, v = (_ir.new_input(name, (3,)) for name in ("x", "X", "v"))
>>> call = Call((_ir.einsum("i,i,i->", x, x, x),), (x,), ((x, X),))
>>> product = _ir.einsum("ij,j->i", derivative_of(call, 0, (0, 0)), v)
>>> (value,), _ = evaluate([product], frozenset())
>>> value is _ir.scale(_ir.einsum("i,i->i", X, v), 6)
True
"""

import itertools
import math
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._contracted import Network
from eingrad._derivative_factor import Derivative, cast_all
from eingrad._derive import cheapest_values, derive
from eingrad._entries import added_up, what_is_read
from eingrad._ir import Add, Coefficient, Einsum, Factor, Node, Product
from eingrad._primitives import Kind, kind_of
from eingrad._simplify import Made, made_by_differentiation, written_nodes
from eingrad._subscripts import Subscripts
from eingrad._unevaluated import Call, Unevaluated, row_of_unevaluated

_MOST_FACTORS = 16  # of one product that is looked at as a whole


def evaluate(roots: Sequence[Node], made: Made) -> tuple[list[Node], Made]:
    """Give the nodes with derivatives evaluated, and `made` with the digests of what was made."""
    order = _ir.topological(roots)
    if not any(map(row_of_unevaluated, order)):
        return [*roots], made
    evaluation = _Evaluation(order, roots, made)
    return evaluation.run(), evaluation.made


# Which nodes are made ----------------------------------------------------------------------------


def _linear_nodes(order: Iterable[Node]) -> set[Node]:
    """Give the derivatives, and what is linear in one."""
    linear: set[Node] = set()
    for node in order:
        is_linear = isinstance(node, (Add, Einsum)) or _is_multiple(node)
        if row_of_unevaluated(node) or (is_linear and not linear.isdisjoint(_ir.children(node))):
            linear.add(node)
    return linear


def _reduced(order: Sequence[Node], roots: Sequence[Node]) -> set[Node]:
    """Find what is used once, and that by a product which is smaller, or by a sum."""
    uses = _ir.occurrences(roots)
    found: set[Node] = set()
    added: set[Node] = set()  # what is added up, and what that is read from
    for node in reversed(order):
        below = [n for n in _ir.children(node) if uses[n] == 1]
        if isinstance(node, Add):
            added.update(below)
        elif node in added and isinstance(node, Einsum):
            added.update(n for n in below if not isinstance(n, Add))
        elif isinstance(node, Product):
            found.update(n for n in below if node.size < n.size)
    return found | added


def _is_multiple(node: Node) -> bool:
    return kind_of(node) is Kind.CAST or _ir.number_of(node) is not None


def _wanted(order: Sequence[Node], roots: Sequence[Node], linear: set[Node]) -> set[Node]:
    """Say which of the linear nodes are made as such; others are factors of what uses them.

    What is used otherwise is; and what is no larger than what the derivatives are of, for it is
    made by as many sweeps as what it is used for.
    """
    wanted = linear.intersection(roots)
    reduced = _reduced(order, roots)
    widths: dict[Node, int] = {}
    bounds: dict[Node, int] = {}
    for node in order:
        below = _ir.children(node)
        row = row_of_unevaluated(node)
        if node not in linear or row:
            wanted |= linear.intersection(below)
        if node not in linear:
            continue
        if row:
            bounds[node] = max(row.y.size, *(x.size for x in row.blocks))
            widths[node] = 1
        else:
            bounds[node] = max(bounds.get(n, 0) for n in below)
            factors = [1 if n in wanted else widths.get(n, 1) for n in below]
            widths[node] = max(factors) if isinstance(node, Add) else sum(factors)
        is_small = node.size <= bounds[node] and node not in reduced
        if is_small or widths[node] > _MOST_FACTORS:
            wanted.add(node)
    return wanted


# Evaluation --------------------------------------------------------------------------------------


class _Evaluation:
    """One graph: each node that is wanted is rebuilt once, operands first."""

    def __init__(self, order: Sequence[Node], roots: Sequence[Node], made: Made) -> None:
        self._order, self._roots, self._made = order, roots, made
        self._linear = _linear_nodes(order)
        self._wanted = _wanted(order, roots, self._linear)
        self._new: dict[Node, Node] = {}
        self._wholes: dict[Call, dict[_Choice, Node]] = {}
        self._derived: list[Node] = []
        self._rest: list[Node] = []

    @property
    def made(self) -> Made:
        """Digests of what differentiation made."""
        return self._made | made_by_differentiation(self._derived, self._rest)

    def run(self) -> list[Node]:
        """Rebuild."""
        for node in self._order:
            if node in self._wanted:
                self._new[node] = self._value(node)
            elif node not in self._linear:
                below = _ir.children(node)
                moved = [self._new[n] for n in below]
                same = all(a is b for a, b in zip(moved, below, strict=True))
                self._new[node] = node if same else _ir.with_children(node, moved)
        return [self._new[root] for root in self._roots]

    def _value(self, node: Node) -> Node:
        if node in self._new:
            return self._new[node]
        if isinstance(node, Add):
            return self._sum(node)
        if isinstance(node, Einsum):
            return self._product(self._read(node), node.dtype)
        row = row_of_unevaluated(node)
        if row:
            return self._whole(row)
        return _ir.with_children(node, [self._value(n) for n in _ir.children(node)])

    # Sums

    def _sum(self, node: Add) -> Node:
        """Add up; several entries of one derivative also as one contraction of it."""
        terms, coefficients = zip(*self._terms(node), strict=True)
        apart = _ir.add([self._value(n) for n in terms], coefficients)
        groups: dict[Hashable, list[int]] = {}
        networks = [self._entry(n) for n in terms]
        for n, network in enumerate(networks):
            groups.setdefault(None if network is None else what_is_read(network), []).append(n)
        single = groups.pop(None, [])
        if all(len(group) == 1 for group in groups.values()):
            return apart
        together = [self._value(terms[n]) for n in single]
        for group in groups.values():
            found = [network for n in group if (network := networks[n])]
            merged = added_up(found, [coefficients[n] for n in group])
            together.append(self._product(merged, node.dtype))
        numbers = [*(coefficients[n] for n in single), *(1 for _ in groups)]
        joined = _ir.add(together, numbers)
        return [apart, joined][cheapest_values([[apart], [joined]], self.made)]

    def _terms(self, node: Add) -> list[tuple[Node, Coefficient]]:
        """List the terms of a sum and of those in it, which are no values of their own."""
        found: list[tuple[Node, Coefficient]] = []
        stack: list[tuple[Node, Coefficient]] = [(node, 1)]
        while stack:
            term, number = stack.pop()
            if isinstance(term, Add) and (term is node or term not in self._new):
                pairs = zip(term.terms, term.coefficients, strict=True)
                stack += [(n, _ir.multiply(c, number)) for n, c in [*pairs][::-1]]
            else:
                found.append((term, number))
        return found

    def _entry(self, node: Node) -> Network | None:
        """Read a product that is no value of its own."""
        is_read = isinstance(node, Einsum) and node in self._linear and node not in self._new
        return self._read(node) if is_read and isinstance(node, Einsum) else None

    # Products

    def _read(self, node: Einsum) -> Network:
        """Read a product, with those in it that are no values of their own."""
        out = tuple(range(node.ndim))
        network = Network(out, dict(enumerate(node.shape)), itertools.count(node.ndim))
        self._open(network, node, out)
        return network

    def _open(self, network: Network, node: Einsum, term: Subscripts) -> None:
        network.coefficient = _ir.multiply(network.coefficient, node.coefficient)
        for n, t in (*_ir.splice(node, term, network.fresh), *_ir.ones_along(node, term)):
            self._enter(network, n, t)

    def _enter(self, network: Network, node: Node, term: Subscripts) -> None:
        network.sizes.update(zip(term, node.shape, strict=True))
        if node in self._new or node not in self._linear:
            network.factors.append(Factor(self._new.get(node, node), term))
        elif isinstance(node, Einsum):
            self._open(network, node, term)
        elif isinstance(node, Add):
            network.sums.append(Factor(node, term))
        elif row := row_of_unevaluated(node):
            network.derivatives.append(Derivative.of(row, term))
        else:
            number = _ir.number_of(node)
            network.coefficient = _ir.multiply(network.coefficient, 1 if number is None else number)
            self._enter(network, _ir.children(node)[0], term)

    def _product(self, network: Network, dtype: np.dtype[Any]) -> Node:
        """Contract; a sum is distributed where the product is smaller than it."""
        shape = network.shape(network.out)
        if network.sums:
            node, term = network.sums.pop()
            assert isinstance(node, Add)
            if math.prod(shape) >= node.size:
                network.factors.append(Factor(self._value(node), term))
                return self._product(network, dtype)
            parts = []
            for part in node.terms:
                each = network.copy()
                self._enter(each, part, term)
                parts.append(self._product(each, dtype))
            return _ir.add(parts, node.coefficients)
        network.contract_all()
        tied = network.with_tied()
        if tied is None:
            return self._contracted(network, dtype)
        options = [self._contracted(each, dtype) for each in (network, tied)]
        return options[cheapest_values([[node] for node in options], self.made)]

    def _contracted(self, network: Network, dtype: np.dtype[Any]) -> Node:
        """Contract what is left, derivatives among it."""
        factors = [*network.factors]
        factors += (Factor(self._evaluated(d), d.term) for d in network.derivatives)
        shape = network.shape(network.out)
        return _ir.contract(
            cast_all(factors, dtype), network.out, shape, network.coefficient, dtype
        )

    # Derivatives

    def _evaluated(self, found: Derivative) -> Node:
        """Differentiate in the variables that are left."""
        if found.unchanged:
            return self._whole(found.unchanged)
        call = found.call
        variables = (*dict.fromkeys(found.blocks),)
        order = len(found.blocks)
        made = call.made | made_by_differentiation([found.y], found.rest)
        node = self._along_line(found)
        if order:
            roots, _ = derive([node], variables, (order,), made=made)
            node = roots[_position(variables, found.blocks)].plain()
        return self._outside(call, [node], found.rest)[0]

    def _along_line(self, found: Derivative) -> Node:
        """Take several derivatives along one tangent from a series, where that is faster."""
        line = found.line
        if line is None or line.order == 1:
            return found.y
        options = [found.y, line.in_series()]
        return options[cheapest_values([[node] for node in options], found.call.made)]

    def _whole(self, row: Unevaluated) -> Node:
        """Differentiate, all derivatives of a call together."""
        call = row.call
        if call not in self._wholes:
            orders = (*sorted({len(other.wrt) for other in self._rows(call)}),)
            roots, _ = derive(call.values, call.variables, orders, made=call.made)
            rest = written_nodes(call.values, call.made)
            nodes = self._outside(call, [root.plain() for root in roots], rest)
            self._wholes[call] = dict(zip(_choices(call, orders), nodes, strict=True))
        return self._wholes[call][row.place, row.wrt]

    def _rows(self, call: Call) -> list[Unevaluated]:
        """The derivatives of a call."""
        rows = map(row_of_unevaluated, self._order)
        return [row for row in rows if row and row.call == call]

    def _outside(self, call: Call, nodes: Sequence[Node], rest: Sequence[Node]) -> list[Node]:
        """Put what is outside of a call in the place of its inputs."""
        replaced = {n: self._new.get(outer, outer) for n, outer in call.replaced}
        made = _ir.substitute([*nodes, *rest], replaced)
        self._derived += made[: len(nodes)]
        self._rest += made[len(nodes) :]
        return made[: len(nodes)]


_Choice = tuple[int, tuple[int, ...]]  # the number of a value, those of variables


def _choices(call: Call, orders: Iterable[int]) -> list[_Choice]:
    """List derivatives as `derive` gives them."""
    return [
        (number, wrt)
        for order in orders
        for number in range(len(call.values))
        for wrt in itertools.product(range(len(call.variables)), repeat=order)
    ]


def _position(variables: Sequence[Node], blocks: Sequence[Node]) -> int:
    """The place of a derivative among those that `derive` gives of one value."""
    position = 0
    for x in blocks:
        position = position * len(variables) + variables.index(x)
    return position
