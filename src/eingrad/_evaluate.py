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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._derive import derive
from eingrad._diff import pushforward
from eingrad._ir import Add, Coefficient, Einsum, Factor, Node, Structural
from eingrad._primitives import Kind, cast, kind_of
from eingrad._simplify import Made, made_by_differentiation, written_nodes
from eingrad._subscripts import Shape, Subscripts
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


def _is_multiple(node: Node) -> bool:
    return kind_of(node) is Kind.CAST or _ir.number_of(node) is not None


def _wanted(order: Sequence[Node], roots: Sequence[Node], linear: set[Node]) -> set[Node]:
    """Say which of the linear nodes are made as such; others are factors of what uses them.

    What is used otherwise is; and what is no larger than what the derivatives are of, for it is
    made by as many sweeps as what it is used for.
    """
    wanted = linear.intersection(roots)
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
            widths[node] = sum(1 if n in wanted else widths.get(n, 1) for n in below)
        if node.size <= bounds[node] or widths[node] > _MOST_FACTORS:
            wanted.add(node)
    return wanted


# Derivatives in products -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Derivative:
    """A derivative as a factor: of ``y`` in the variables `blocks`, whose axes have these indices.

    `rest` are the nodes that ``y`` is made of, and no derivative.
    """

    y: Node
    blocks: tuple[Node, ...]
    term: Subscripts
    call: Call
    rest: tuple[Node, ...]
    unchanged: Unevaluated | None  # what it is, as long as nothing went into it

    @classmethod
    def of(cls, row: Unevaluated, term: Subscripts) -> "_Derivative":
        """Take one as it is."""
        rest = (*written_nodes(row.call.values, row.call.made),)
        return cls(row.y, row.blocks, term, row.call, rest, row)

    @property
    def of_result(self) -> Subscripts:
        """The indices of ``y``."""
        return self.term[: self.y.ndim]

    def of_block(self, k: int) -> Subscripts:
        """The indices of one variable."""
        start = self.y.ndim + sum(x.ndim for x in self.blocks[:k])
        return self.term[start : start + self.blocks[k].ndim]

    def with_result(self, factors: Sequence[Factor], kept: Subscripts) -> "_Derivative":
        """Contract the result with factors, before it is differentiated."""
        dtype = np.result_type(self.y.dtype, *_dtypes(factors))
        own = Factor(self.y, self.of_result)
        y = _ir.contract(_cast([own, *factors], dtype), kept, (), 1, dtype)
        term = (*kept, *self.term[self.y.ndim :])
        rest = (*self.rest, *(n for n, _ in factors))
        return replace(self, y=y, term=term, rest=rest, unchanged=None)

    def along(self, k: int, seed: Node, trailing: Subscripts, shape: Shape) -> "_Derivative":
        """Differentiate along tangents of one variable, those after its axes, at once."""
        (y,) = pushforward([self.y], {self.blocks[k]: seed}, shape)
        before, after = self.term[: self.y.ndim], self.term[self.y.ndim :]
        start = sum(x.ndim for x in self.blocks[:k])
        after = after[:start] + after[start + self.blocks[k].ndim :]
        blocks = self.blocks[:k] + self.blocks[k + 1 :]
        term = (*before, *trailing, *after)
        rest = (*self.rest, seed)
        return replace(self, y=y, blocks=blocks, term=term, rest=rest, unchanged=None)


@dataclass(slots=True)
class _Network:
    """A product with derivatives among its factors; what it is contracted to is `out`."""

    out: Subscripts
    sizes: dict[int, int]
    fresh: Iterator[int]
    coefficient: Coefficient = 1
    factors: list[Factor] = field(default_factory=list)
    derivatives: list[_Derivative] = field(default_factory=list)
    sums: list[Factor] = field(default_factory=list)  # of derivatives and others

    def copy(self) -> "_Network":
        """Copy what changes."""
        factors, derivatives, sums = [*self.factors], [*self.derivatives], [*self.sums]
        return replace(self, factors=factors, derivatives=derivatives, sums=sums)

    def contract_into(self, n: int) -> bool:
        """Contract a derivative with what makes it smaller; say whether there was something."""
        found = self.derivatives[n]
        others = [d.term for d in self.derivatives if d is not found]
        groups = _groups(self.factors, {*found.term, *self.out, *itertools.chain(*others)})
        for k in range(len(found.blocks)):
            if self._contract_block(n, k, groups, others):
                return True
        return self._contract_result(n, groups, others)

    def _kept(
        self, own: Iterable[int], others: Sequence[Subscripts], gone: Sequence[Factor],
        *more: Subscripts,
    ) -> Subscripts:  # fmt: skip
        """Which indices are needed by what is left."""
        left = (f.term for f in self.factors if all(f is not g for g in gone))
        needed = {*self.out, *itertools.chain(*others, *left, *more)}
        return tuple(i for i in dict.fromkeys(own) if i in needed)

    def _contract_block(
        self, n: int, k: int, groups: Sequence[list[Factor]], others: Sequence[Subscripts]
    ) -> bool:
        """Sweep forward along what meets one variable, where these are fewer tangents."""
        found = self.derivatives[n]
        block = found.of_block(k)
        elsewhere = {*found.of_result}.union(
            *(found.of_block(m) for m in range(len(found.blocks)) if m != k)
        )
        if len({*block}) < len(block) or not elsewhere.isdisjoint(block):
            return False  # tied to another axis
        meeting = [
            f
            for group in groups
            if (met := {i for g in group for i in g.term}).intersection(block)
            and elsewhere.isdisjoint(met)
            for f in group
        ]
        own = (*block, *(i for f in meeting for i in f.term))
        kept = self._kept(own, others, meeting)
        columns = self._size(kept)
        if columns >= self._size(block) or (len(found.blocks) == 1 and 1 < columns >= found.y.size):
            return False
        # The axes of the variable, whose kept ones are tied to those of the result.
        axes = tuple(next(self.fresh) if i in kept else i for i in block)
        self.sizes.update(zip(axes, found.blocks[k].shape, strict=True))
        ties = [
            Factor(_ir.delta(self.sizes[i]), (axis, i))
            for axis, i in zip(axes, block, strict=True)
            if axis != i
        ]
        dtype = np.result_type(found.blocks[k].dtype, *_dtypes(meeting))
        factors = _cast([*meeting, *ties], dtype)
        seed = _ir.contract(factors, (*axes, *kept), self.sizes, 1, dtype)
        shape = tuple(self.sizes[i] for i in kept)
        self.derivatives[n] = found.along(k, seed, kept, shape)
        self._remove(meeting)
        return True

    def _contract_result(
        self, n: int, groups: Sequence[list[Factor]], others: Sequence[Subscripts]
    ) -> bool:
        """Contract the result with what meets it alone, where it becomes smaller."""
        found = self.derivatives[n]
        result = found.of_result
        blocks = found.term[len(result) :]
        best: tuple[int, list[Factor], Subscripts] | None = None
        for group in [[], *groups]:
            met = {i for f in group for i in f.term}
            if group and (met.isdisjoint(result) or not met.isdisjoint(blocks)):
                continue
            own = (*result, *(i for f in group for i in f.term))
            kept = self._kept(own, others, group, blocks)
            size = self._size(kept)
            if size < found.y.size and (best is None or size < best[0]):
                best = size, group, kept
        if best is None:
            return False
        _, group, kept = best
        self.derivatives[n] = found.with_result(group, kept)
        self._remove(group)
        return True

    def _size(self, indices: Iterable[int]) -> int:
        return math.prod(self.sizes[i] for i in indices)

    def _remove(self, gone: Sequence[Factor]) -> None:
        self.factors = [f for f in self.factors if all(f is not g for g in gone)]


def _groups(factors: Sequence[Factor], apart: set[int]) -> list[list[Factor]]:
    """Factors that hang together by indices that nothing else has."""
    groups: list[tuple[set[int], list[Factor]]] = []
    for factor in factors:
        own = {*factor.term} - apart
        members = [factor]
        left = []
        for indices, group in groups:
            if own.isdisjoint(indices):
                left.append((indices, group))
            else:
                own |= indices
                members = group + members
        groups = [*left, (own, members)]
    return [members for _, members in groups]


def _dtypes(factors: Iterable[Factor]) -> list[np.dtype[Any]]:
    return [n.dtype for n, _ in factors if not isinstance(n, Structural)]


def _cast(factors: Iterable[Factor], dtype: np.dtype[Any]) -> list[Factor]:
    return [
        f if isinstance(f.node, Structural) else Factor(cast(f.node, dtype), f.term)
        for f in factors
    ]


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
            return _ir.add([self._value(n) for n in node.terms], node.coefficients)
        if isinstance(node, Einsum):
            return self._product(self._read(node), node.dtype)
        row = row_of_unevaluated(node)
        if row:
            return self._whole(row)
        return _ir.with_children(node, [self._value(n) for n in _ir.children(node)])

    # Products

    def _read(self, node: Einsum) -> _Network:
        """Read a product, with those in it that are no values of their own."""
        out = tuple(range(node.ndim))
        network = _Network(out, dict(enumerate(node.shape)), itertools.count(node.ndim))
        self._open(network, node, out)
        return network

    def _open(self, network: _Network, node: Einsum, term: Subscripts) -> None:
        network.coefficient = _ir.multiply(network.coefficient, node.coefficient)
        for n, t in (*_ir.splice(node, term, network.fresh), *_ir.ones_along(node, term)):
            self._enter(network, n, t)

    def _enter(self, network: _Network, node: Node, term: Subscripts) -> None:
        network.sizes.update(zip(term, node.shape, strict=True))
        if node in self._new or node not in self._linear:
            network.factors.append(Factor(self._new.get(node, node), term))
        elif isinstance(node, Einsum):
            self._open(network, node, term)
        elif isinstance(node, Add):
            network.sums.append(Factor(node, term))
        elif row := row_of_unevaluated(node):
            network.derivatives.append(_Derivative.of(row, term))
        else:
            number = _ir.number_of(node)
            network.coefficient = _ir.multiply(network.coefficient, 1 if number is None else number)
            self._enter(network, _ir.children(node)[0], term)

    def _product(self, network: _Network, dtype: np.dtype[Any]) -> Node:
        """Contract; a sum is distributed where the product is smaller than it."""
        shape = tuple(network.sizes[i] for i in network.out)
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
        while any(network.contract_into(n) for n in range(len(network.derivatives))):
            pass
        factors = [*network.factors]
        factors += (Factor(self._evaluated(d), d.term) for d in network.derivatives)
        return _ir.contract(_cast(factors, dtype), network.out, shape, network.coefficient, dtype)

    # Derivatives

    def _evaluated(self, found: _Derivative) -> Node:
        """Differentiate in the variables that are left."""
        if found.unchanged:
            return self._whole(found.unchanged)
        call = found.call
        variables = (*dict.fromkeys(found.blocks),)
        order = len(found.blocks)
        made = call.made | made_by_differentiation([found.y], found.rest)
        node = found.y
        if order:
            roots, _ = derive([node], variables, (order,), made=made)
            node = roots[_position(variables, found.blocks)].plain()
        return self._outside(call, [node], found.rest)[0]

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
