"""Extremes that a value does not depend on: ``m + log(sum(exp(x - m)))`` is the same for any m.

In: the values of a function. Out: maxima and minima among its nodes that cancel.
Guaranteed: if such a node were any other number, no value would change in exact arithmetic. One
pass over the nodes above each; none is changed.

Add c to m: what then is a sum with n c is of weight ``+n``, what is a product with ``exp(n c)`` of
weight ``*n``. Exponentials make products of sums, logarithms sums of products, weights of terms and
of factors add up, and at zero nothing of c is left. All else is taken to depend on m.

>>> from eingrad._primitives import apply
>>> x = _ir.new_input("x", (3,))
>>> m = apply("max", x)
>>> e = apply("exp", _ir.add([x, _ir.broadcast(m, (3,))], [1, -1]))
>>> total = _ir.add([m, apply("log", _ir.einsum("i->", e))])
>>> [len(cancelling_extremes([y])) for y in (total, e)]
[1, 0]
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from eingrad import _ir
from eingrad._ir import Add, Apply, Coefficient, Einsum, Node
from eingrad._primitives import (
    Kind,
    exponents_of,
    is_elementwise,
    jacobian,
    kind_of,
    reciprocal,
    row_of,
)


@dataclass(frozen=True, slots=True)
class _Weight:
    """What a node gains where c is added: a multiple of it, or a power of its exponential.

    `places` are the axes of the node, or indices, along which c lies.
    """

    number: Fraction
    is_product: bool
    places: tuple[int, ...]


class _DependsError(Exception):
    """A value may depend on it."""


def cancelling_extremes(values: Sequence[Node]) -> list[Node]:
    """Find the extremes below some values that none of them depends on."""
    order = _ir.topological(values)
    extremes = [n for n in order if isinstance(n, Apply) and row_of(n).extreme]
    if not extremes:
        return []
    users: dict[Node, list[int]] = {node: [] for node in order}
    for place, node in enumerate(order):
        for child in dict.fromkeys(_ir.children(node)):
            users[child].append(place)
    return [n for n in extremes if _cancels(n, order, users, values)]


def _cancels(
    extreme: Node,
    order: Sequence[Node],
    users: Mapping[Node, Sequence[int]],
    values: Sequence[Node],
) -> bool:
    """Follow what gains something, in order, until nothing does."""
    weights = {extreme: _Weight(Fraction(1), False, tuple(range(extreme.ndim)))}
    reached = [*users[extreme]]  # in order: so it is a heap
    seen = {*reached}
    try:
        while reached:
            node = order[heapq.heappop(reached)]
            weight = _weight(node, weights)
            if weight.number:
                weights[node] = weight
                for place in users[node]:
                    if place not in seen:
                        seen.add(place)
                        heapq.heappush(reached, place)
    except _DependsError:
        return False
    return weights.keys().isdisjoint(values)


def _weight(node: Node, weights: Mapping[Node, _Weight]) -> _Weight:
    match node:
        case Add():
            return _of_sum(node, weights)
        case Einsum():
            return _of_product(node, weights)
        case Apply() if kind_of(node) is Kind.CAST:
            return weights[node.operands[0]]
        case Apply() if is_elementwise(node):
            return _of_call(node, weights)
    raise _DependsError


def _of_sum(node: Add, weights: Mapping[Node, _Weight]) -> _Weight:
    """Of terms that gain multiples of c, or one factor all of them."""
    found = [weights[term] for term in node.terms if term in weights]
    first = found[0]
    if first.is_product:
        if len(found) < len(node.terms) or len({*found}) > 1:
            raise _DependsError
        return first
    terms = zip(node.terms, node.coefficients, strict=True)
    pairs = [(weights[term], c) for term, c in terms if term in weights]
    return _total([(weight, weight.places, _exact(c)) for weight, c in pairs])


def _of_product(node: Einsum, weights: Mapping[Node, _Weight]) -> _Weight:
    """Of factors that gain factors, if c is not summed over; of a single one what it gains."""
    pairs = [(weights[n], term) for n, term in node.factors if n in weights]
    if not pairs[0][0].is_product:
        if len(node.factors) > 1 or {*node.out} < {*range(len(node.sizes))}:
            raise _DependsError
        ((weight, term),) = pairs
        total = _total([(weight, tuple(term[a] for a in weight.places), _exact(node.coefficient))])
    else:
        indices = [(w, tuple(term[a] for a in w.places), Fraction(1)) for w, term in pairs]
        total = _total(indices)
    if total.number == 0:
        return total
    if not {*total.places} <= {*node.out}:
        raise _DependsError
    return replace(total, places=tuple(node.out.index(i) for i in total.places))


def _of_call(node: Apply, weights: Mapping[Node, _Weight]) -> _Weight:
    """Of powers, and of what is known by its derivative: ``y' = y``, and ``y' = 1 / x``."""
    exponents = exponents_of(node)
    if exponents:
        pairs = [
            (weights[n], e) for n, e in zip(node.operands, exponents, strict=True) if n in weights
        ]
        if not all(weight.is_product for weight, _ in pairs):
            raise _DependsError
        return _total([(weight, weight.places, e) for weight, e in pairs])
    if len(node.operands) == 1:
        (x,) = node.operands
        slope = jacobian(node, 0)
        if slope is node and not weights[x].is_product:
            return replace(weights[x], is_product=True)
        if slope is reciprocal(x) and weights[x].is_product:
            return replace(weights[x], is_product=False)
    raise _DependsError


def _total(parts: Sequence[tuple[_Weight, tuple[int, ...], Fraction]]) -> _Weight:
    """Add up weights along the same places, times numbers."""
    (first, places, _), *others = parts
    if any(w.is_product != first.is_product or p != places for w, p, _ in others):
        raise _DependsError
    return _Weight(sum((w.number * c for w, _, c in parts), Fraction(0)), first.is_product, places)


def _exact(number: Coefficient) -> Fraction:
    if isinstance(number, complex):
        raise _DependsError
    return Fraction(number)
