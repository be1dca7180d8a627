"""Outer products of a tensor with a multiple of itself: each factor takes half of the scale.

``(c u[i]) u[j]`` and ``(c u[j]) u[i]`` round differently. ``(s r u[i]) (r u[j])``, with r the root
of ``abs(c)`` and s the sign of c, is symmetric to the last bit, so it need not be mirrored, which
takes as long as the product. Where c is a square, r is what it is the square of. An entry is as
good to four units in the last place, where it was to two; it overflows and underflows only where
it must.

In: a node. Out: an equal one, or None where it is no such product.
Guaranteed: a scale is one that is computed, never a number: products with numbers stay exact.

>>> from eingrad import _ir
>>> u, c = _ir.new_input("u", (3,)), _ir.new_input("c", ())
>>> multiple = _ir.einsum("i,->i", u, c)
>>> made = factored(_ir.einsum("i,j->ij", multiple, u))
>>> [unsigned(operand) for operand in made.operands] == [made.operands[1]] * 2
True
>>> factored(_ir.einsum("i,j->ij", u, u)) is None
True
"""

import functools
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from eingrad import _ir
from eingrad._ir import Coefficient, Node, Product
from eingrad._primitives import apply, is_sign, sign


class _Multiple(NamedTuple):
    """A tensor, what it is multiplied with, and a number."""

    tensor: Node
    scales: tuple[Node, ...]
    coefficient: Coefficient


def factored(node: Node) -> Node | None:
    """Write a scaled outer product of a real tensor with itself with half of the scale on each."""
    if not isinstance(node, Product) or node.sums or node.dtype.kind != "f":
        return None
    if len(node.factors) != 2 or node.ndim != sum(n.ndim for n in node.operands):  # noqa: PLR2004
        return None
    left, right = map(_multiple, node.operands)
    scales = (*left.scales, *right.scales)
    if left.tensor is not right.tensor or not scales:
        return None
    number = functools.reduce(_ir.multiply, (node.coefficient, left.coefficient, right.coefficient))
    met, number = _scalars(scales, number)
    root = left.tensor
    for scale, count in met.items():
        root = functools.reduce(_times, [scale] * (count // 2), root)
    odd = [scale for scale, count in met.items() if count % 2]
    signed = root
    if odd:
        scale = functools.reduce(_times, odd)
        root = _times(root, apply("sqrt", apply("absolute", scale)))
        signed = _times(root, sign(scale))
    one, other = node.terms
    return _ir.contract([(signed, one), (root, other)], node.out, coefficient=number)


def _scalars(scales: Sequence[Node], number: Coefficient) -> tuple[Counter[Node], Coefficient]:
    """Part products of numbers, and count how often each factor is met."""
    met: Counter[Node] = Counter()
    pending = [*scales]
    while pending:
        scale = pending.pop()
        if (
            isinstance(scale, Product)
            and not scale.sums
            and not any(n.ndim for n in scale.operands)
        ):
            number = _ir.multiply(number, scale.coefficient)
            pending += scale.operands
        else:
            met[scale] += 1
    return met, number


def _multiple(node: Node) -> _Multiple:
    """Part a tensor from numbers that it is multiplied with, computed ones and a known one."""
    if not isinstance(node, Product) or node.sums:
        return _Multiple(node, (), 1)
    scales = tuple(n for n in node.operands if not n.ndim)
    tensors = [(n, term) for n, term in node.factors if n.ndim]
    if len(tensors) != 1 or tensors[0][1] != node.out or not scales:
        return _Multiple(node, (), 1)
    inner = _multiple(tensors[0][0])
    number = _ir.multiply(node.coefficient, inner.coefficient)
    return _Multiple(inner.tensor, (*scales, *inner.scales), number)


def _times(a: Node, scale: Node) -> Node:
    term = tuple(range(a.ndim))
    return _ir.contract([(a, term), (scale, ())], term)


def unsigned(node: Node) -> Node:
    """Leave out a sign that a tensor is multiplied with: it rounds nothing."""
    if isinstance(node, Product) and len(node.factors) == 2 and node.coefficient == 1:  # noqa: PLR2004
        for factor, other in (node.factors, node.factors[::-1]):
            if is_sign(factor.node) and not factor.node.ndim and other.term == node.out:
                return other.node
    return node
