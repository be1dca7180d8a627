"""Products of local Jacobians with tangents and cotangents, one term for each pattern of deltas.

In: a local Jacobian, and what arrives at its node. Out: the terms that go on.
Guaranteed: the user's own nodes are never expanded: a product is distributed only over the terms of
a derivative, and what cancels in it is gone before it is multiplied again.

>>> from eingrad._diff.local import Multiple
>>> x = _ir.new_input("x", (3,))
>>> push_through(x, x, Multiple(2), 1, _ir.delta(3), Quotients()) == [(_ir.delta(3), 2)]
True
"""

import itertools
from collections.abc import Callable, Mapping, Sequence, Set

from eingrad import _ir
from eingrad._cancel import Quotients, cancelled, may_meet
from eingrad._collected import Term
from eingrad._diff.local import Hole, Local, Multiple
from eingrad._ir import Add, Coefficient, Factor, Node
from eingrad._limits import BUDGET
from eingrad._primitives import cast
from eingrad._subscripts import Shape, Subscripts
from eingrad._supports import pieces_that_meet


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
    local = cancelled(cast(local, tangent.dtype), quotients)
    shared, result, operand, new = _ranges(batch, node.ndim - batch, below.ndim - batch, extra)
    out = (*shared, *result, *new)
    term = (*shared, *result, *operand)
    of_tangent = (*shared, *operand, *new)
    return _linear(quotients, [(local, term)], tangent, of_tangent, out)


def pull_through(
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
    local = cancelled(cast(local, bar.dtype), quotients)
    shared, result, operand, y_axes = _ranges(batch, node.ndim - batch, below.ndim - batch, leading)
    term = (*shared, *result, *operand)
    out = (*y_axes, *shared, *operand)
    return _linear(quotients, [(local, term)], bar, (*y_axes, *shared, *result), out)


def _ranges(*lengths: int) -> list[Subscripts]:
    """Consecutive runs of fresh indices."""
    runs, start = [], 0
    for length in lengths:
        runs.append(tuple(range(start, start + length)))
        start += length
    return runs


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
