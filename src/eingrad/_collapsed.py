"""Second derivatives along many pairs of tangents, added up as they go forward.

In: a node, tangents of its variables along two families of directions, and how these are tied.
Out: ``sum_ab g_ab d2y[u_a, v_b]``, with the axes of ``y`` first.
Guaranteed: no array has both families of directions, unless the ties are not summed over; so a
Laplacian takes the Jacobian of each node, and one more number for each entry of it.

With ``z = f(y)``, and ``S`` for the sum, it is linear in ``S``:

    S z = f' (S y) + sum_ab g_ab f'' [d_a y, d_b y].

Hence the sum over directions can be made at each node, before it goes on. With ``u_a = v_a`` the
unit vectors and ``g`` a delta, this is the forward Laplacian: the last term is a bend times row
sums of the squared Jacobian.

References: Li et al., *A computational framework for neural network-based variational Monte Carlo
with forward Laplacian* (2024); Dangel et al., *Collapsing Taylor mode automatic differentiation*
(2025).

>>> from eingrad import _ir
>>> x = _ir.new_input("x", (3,))
>>> u = {x: _ir.delta(3)}
>>> laplacian = Ties((0,), (0,), (), (), {0: 3})
>>> collapse(_ir.einsum("i,i,i->", x, x, x), u, u, laplacian) is _ir.einsum("i->", x, coefficient=6)
True
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from eingrad import _ir
from eingrad._cancel import Quotients
from eingrad._collected import Term, pieces_of
from eingrad._diff import (
    ForwardSweep,
    Hole,
    Jacobian,
    Multiple,
    Selects,
    dependents,
    find_needed,
    local_jacobians,
)
from eingrad._ir import Einsum, Factor, Node
from eingrad._primitives import Kind, cast, kind_of
from eingrad._subscripts import Shape, Subscripts


@dataclass(frozen=True, slots=True)
class Ties:
    """What pairs of directions are multiplied with: ``out = sum of first * second * factors``.

    `first` and `second` are the indices of the axes of directions, the trailing ones of tangents.
    """

    first: Subscripts
    second: Subscripts
    factors: tuple[Factor, ...]
    out: Subscripts
    sizes: Mapping[int, int]

    def shape(self, term: Subscripts) -> Shape:
        """Sizes of some indices."""
        return tuple(self.sizes[i] for i in term)

    def above(self, n: int) -> "Ties":
        """Number the indices from n on."""
        number = {i: n + k for k, i in enumerate(self.sizes)}

        def moved(term: Subscripts) -> Subscripts:
            return tuple(number[i] for i in term)

        factors = tuple(Factor(node, moved(term)) for node, term in self.factors)
        sizes = {number[i]: size for i, size in self.sizes.items()}
        return Ties(moved(self.first), moved(self.second), factors, moved(self.out), sizes)


Tangents = Mapping[Node, Node]


def collapse(y: Node, first: Tangents, second: Tangents, ties: Ties) -> Node:
    """Differentiate twice, along tied pairs of tangents of the variables, and add up.

    Tangents have the axes of their variable first, then those of directions.
    """
    return _Collapse(y, first, second, ties).result()


class _Collapse:
    """One sweep over the graph; tangents of each node, and the sum that is wanted."""

    def __init__(self, y: Node, first: Tangents, second: Tangents, ties: Ties) -> None:
        self._y, self._ties = y, ties
        self._order = dependents([y], [*first, *second])
        self._led = Selects([y], [*first, *second], self._order).led
        self._quotients = Quotients(self._order)
        seeds = [*first.items(), *second.items()]
        self._wider = [seed.dtype for x, seed in seeds if seed.dtype != x.dtype]
        self._wider += [n.dtype for n, _ in ties.factors if not isinstance(n, _ir.Structural)]
        self._variables = variables = {*first, *second}
        needed = find_needed(y, self._led, variables)
        self._above = [n for n in self._order if n in needed and n not in variables]
        is_one = first == second and ties.shape(ties.first) == ties.shape(ties.second)
        self._first = self._carried(first, ties.first)
        self._second = self._first if is_one else self._carried(second, ties.second)
        self._is_moving = {node: node in self._second for node in self._above}

    def _carried(self, seeds: Tangents, directions: Subscripts) -> dict[Node, Node]:
        """Carry tangents to the nodes above the variables."""
        tangents = dict(seeds)
        sweep = self._sweep(directions)
        for node in self._above:
            tangent = sweep.tangent(node, tangents)
            if not _ir.is_zero(tangent):
                tangents[node] = tangent
        return tangents

    def result(self) -> Node:
        """Carry the sum to the nodes above the variables."""
        sweep = self._sweep(self._ties.out)
        sums: dict[Node, Node] = {}
        for node in self._above:
            jacobians = local_jacobians(node, self._order, self._led)
            more = [term for each in jacobians for term in self._bent(node, each)]
            total = sweep.tangent(node, sums, more, is_last=node is self._y)
            if not _ir.is_zero(total):
                sums[node] = total
        shape = self._y.shape + sweep.trailing
        return sums.get(self._y, _ir.zeros(shape, _ir.widened(self._y, self._wider)))

    def _sweep(self, trailing: Subscripts) -> ForwardSweep:
        shape = self._ties.shape(trailing)
        return ForwardSweep(self._order, self._led, shape, self._quotients, self._wider)

    def _bent(self, node: Node, jacobian: Jacobian) -> Iterator[Term]:
        """Differentiate a Jacobian along the second tangents, and multiply it with the first."""
        below, local, batch = jacobian
        if below not in self._first or isinstance(local, Multiple):
            return
        if isinstance(local, Hole):
            yield from self._in_pairs(local)
            return
        moved = self._derivative_of(local)
        ties = self._ties.above(node.ndim + below.ndim)
        axes = range(node.ndim + below.ndim)
        of_below = (*axes[:batch], *axes[node.ndim : node.ndim + below.ndim - batch])
        sizes = {**dict(enumerate(node.shape + below.shape[batch:])), **ties.sizes}
        local_axes = tuple(axes[: node.ndim + below.ndim - batch])
        yield from self._products(
            [], (moved, local_axes), (self._first[below], of_below),
            (*axes[: node.ndim], *ties.out), ties, sizes, node,
        )  # fmt: skip

    def _in_pairs(self, hole: Hole) -> Iterator[Term]:
        """Of a product: tangents in the place of two operands."""
        einsum, k = hole.einsum, hole.k
        ties = self._ties.above(len(einsum.sizes))
        sizes = {**dict(enumerate(einsum.sizes)), **ties.sizes}
        for m, other in enumerate(einsum.operands):
            if m == k or other not in self._second:
                continue
            yield from self._products(
                [f for n, f in enumerate(einsum.factors) if n not in (k, m)],
                (self._second[other], einsum.terms[m]),
                (self._first[einsum.operands[k]], einsum.terms[k]),
                (*einsum.out, *ties.out), ties, sizes, einsum,
            )  # fmt: skip

    def _products(
        self, rest: Sequence[Factor], second: tuple[Node, Subscripts],
        first: tuple[Node, Subscripts], out: Subscripts, ties: Ties, sizes: Mapping[int, int],
        node: Node,
    ) -> Iterator[Term]:  # fmt: skip
        """Multiply tangents with what they meet, each pattern of deltas by itself."""
        dtype = _ir.widened(node, self._wider)
        coefficient = node.coefficient if isinstance(node, Einsum) else 1
        pairs = itertools.product(pieces_of(first[0]), pieces_of(second[0]))
        for (a, number), (b, other) in pairs:
            factors = [
                *rest,
                *ties.factors,
                Factor(a, (*first[1], *ties.first)),
                Factor(b, (*second[1], *ties.second)),
            ]
            cast_ones = [
                f if isinstance(f.node, _ir.Structural) else Factor(cast(f.node, dtype), f.term)
                for f in factors
            ]
            product = _ir.contract(cast_ones, out, sizes, coefficient, dtype)
            yield product, _ir.multiply(number, other)

    def _derivative_of(self, local: Node) -> Node:
        """Differentiate a Jacobian along the second tangents of what it is made of."""
        order = self._between(local)
        if any(kind_of(node) is Kind.SELECT for node in order):  # which looks for its own leaves
            order = dependents([local], self._variables)
        led = Selects([local], self._variables, order).led
        trailing = self._ties.shape(self._ties.second)
        sweep = ForwardSweep(order, led, trailing, self._quotients, self._wider)
        tangents = dict(self._second)
        for node in order:
            if node not in tangents:
                tangents[node] = sweep.tangent(node, tangents)
        if local in tangents:
            return tangents[local]
        return _ir.zeros(local.shape + trailing, _ir.widened(local, self._wider))

    def _between(self, local: Node) -> dict[Node, None]:
        """Find the nodes of a Jacobian that move, and end where tangents are known."""
        moving, order, stack = self._is_moving, dict[Node, None](), [local]
        while stack:
            node = stack[-1]
            if node in order or moving.get(node) is False:
                stack.pop()
            elif node in self._second:
                order[stack.pop()] = None
            else:
                below = _ir.children(node)
                unknown = [n for n in below if n not in order and moving.get(n) is not False]
                if unknown:
                    stack += unknown
                    continue
                moving[stack.pop()] = is_moving = any(n in order for n in below)
                if is_moving:
                    order[node] = None
        return order
