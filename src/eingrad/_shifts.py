"""Shifts by an extreme, ``x - max(x)``: their derivatives are kept as one tensor.

In: the tangent or cotangent of such a difference, a sum of delta patterns. Out: the same, as a
tensor that is not distributed over what it meets.
Guaranteed: deltas that all terms have stay outside, so that nothing is written out along them.

With ``u = x - max(x)``, ``dy/dx = B - (B 1) t^T``, where ``B = dy/du`` and t is one at the maximum.
What is shift-invariant, as softmax, has ``B 1 = 0``: row sums of B cancel. If B is a delta and a
product, ``diag(a) - b c^T``, its entry at the maximum may be a rounded ``1 - 1``, and all that is
right is the other entries. Summed as ``a - b (c 1)``, B 1 cancels by itself, and the entry stays as
it was rounded. Summed over B, the same rounding is in both and cancels: the entry is minus the sum
of the others.

>>> from eingrad import _ir
>>> from eingrad._primitives import apply
>>> x = _ir.new_input("x", (3,))
>>> is_shift(_ir.add([x, _ir.broadcast(apply("max", x), (3,))], (1, -1)))
True
"""

import functools
import itertools
import operator
from collections import Counter
from fractions import Fraction

from eingrad import _ir
from eingrad._ir import Add, Apply, Einsum, Factor, Node, Placement, Product, Structural
from eingrad._primitives import apply, row_of
from eingrad._subscripts import Subscripts

Pair = tuple[int, int]  # axes that a delta ties


def is_shift(node: Node) -> bool:
    """Whether a node is a sum with an extreme, repeated along an axis, among its terms."""
    return isinstance(node, Add) and any(map(_repeats_an_extreme, node.terms))


def _repeats_an_extreme(node: Node) -> bool:
    is_repeated = False
    while True:
        match node:
            case Product(is_view=True):
                (node,) = node.operands
            case Placement(core=(inner, _), structure=()):
                is_repeated, node = True, inner
            case _:
                return is_repeated and isinstance(node, Apply) and row_of(node).extreme


def keep_whole(derivative: Node) -> Node:
    """``delta (delta a x - b c^T x) -> delta x C``, with C as one tensor.

    Of factors that all terms have, x are those without which C has fewer axes. Leaves alone what is
    a single placement, or has no delta that a term lacks.
    """
    if not isinstance(derivative, Add) or not any(map(_ir.carries_delta, derivative.terms)):
        return derivative
    common = set.intersection(*({*_ties(term)} for term in derivative.terms))
    first: dict[int, int] = {}  # an axis -> the one that all terms tie it to
    for a, b in sorted(common):
        first[b] = first.get(a, a)
    axes = range(derivative.ndim)
    term = [first.get(axis, axis) for axis in axes]
    kept = [axis for axis in axes if axis not in first]
    core = _ir.add(
        [_ir.contract([(n, term)], kept) for n in derivative.terms], derivative.coefficients
    )
    if not isinstance(core, Add) or not any(map(_ir.carries_delta, core.terms)):
        return derivative
    scale = _ir.common_scale(core.coefficients, core.dtype)  # stays outside, to be collected
    core = _ir.add(core.terms, [_ir.multiply(c, 1 / Fraction(scale)) for c in core.coefficients])
    deltas = [(_ir.delta(derivative.shape[a]), (b, a)) for a, b in first.items()]
    assert isinstance(core, Add)  # scaled, as it was
    core, on, shared = _without_shared(core)
    factors = [(apply("whole", core), on), *shared]
    placed = [(node, [kept[axis] for axis in term]) for node, term in factors]
    return _ir.contract([*placed, *deltas], axes, derivative.shape, coefficient=scale)


def _without_shared(total: Add) -> tuple[Node, Subscripts, list[Factor]]:
    """``delta_kl x_bi - t_bl x_bi -> delta_kl - t_bl``: also its axes, and what all terms have."""
    axes = tuple(range(total.ndim))
    opened = [Counter(_factors(term)) for term in total.terms]
    common = functools.reduce(operator.and_, opened)
    shared = [f for f in common.elements() if {*f.term} <= {*axes}]
    shared = [f for f in shared if not isinstance(f.node, Structural)]
    rests = [[*(factors - Counter(shared)).elements()] for factors in opened]
    on = tuple(sorted({i for rest in rests for _, term in rest for i in term}.intersection(axes)))
    if len(on) == len(axes):
        return total, axes, []
    sizes = dict(enumerate(total.shape))
    terms = [_ir.contract(rest, on, sizes, dtype=total.dtype) for rest in rests]
    return _ir.add(terms, total.coefficients), on, shared


def _factors(term: Node) -> list[Factor]:
    """Factors of a term, and of its core, on its axes; the coefficient of a term is on the sum."""
    found = [Factor(term, tuple(range(term.ndim)))]
    fresh = itertools.count(term.ndim)
    for _ in range(2):
        found = [
            inner
            for node, indices in found
            for inner in (
                _ir.splice(node, indices, fresh)
                if isinstance(node, Einsum) and not node.sums and node.coefficient == 1
                else [Factor(node, indices)]
            )
        ]
    return found


def _ties(node: Node) -> list[Pair]:
    """Pairs of output axes that deltas of a placement tie."""
    if not isinstance(node, Placement):
        return []
    place = {index: axis for axis, index in enumerate(node.out)}
    deltas = [
        term
        for operand, term in node.structure
        if isinstance(operand, _ir.Selection) and operand.is_delta and place.keys() >= {*term}
    ]
    return [(min(pair), max(pair)) for pair in ((place[i], place[j]) for i, j in deltas)]
