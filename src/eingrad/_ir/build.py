"""Builders over `contract`: sums, multiples, views.

In: nodes and numbers. Out: the canonical node.
Guaranteed: equal terms of a sum are collected, zeros go; no recursion on the depth of the graph.

>>> x = new_input("x", (3,))
>>> add([x, x]) is scale(x, 2)
True
"""

from collections.abc import Sequence
from fractions import Fraction

from eingrad._ir.coefficients import (
    add_exactly,
    common_scale,
    is_harmless,
    key_of_coefficient,
    multiply,
)
from eingrad._ir.contract import contract, is_balanced, without_number
from eingrad._ir.digests import Content, rough_text
from eingrad._ir.einsums import carries_delta, is_zero, with_coefficient, zeros
from eingrad._ir.leaves import new_input
from eingrad._ir.nodes import Add, Coefficient, Einsum, Node, Selection, intern_node
from eingrad._subscripts import Shape, parse

__all__ = ["add", "broadcast", "einsum", "new_input", "scale", "take", "transpose"]


def scale(node: Node, coefficient: Coefficient) -> Node:
    """Multiply by a number."""
    if type(coefficient) is int and coefficient == 1:
        return node
    if isinstance(node, Einsum) and not is_zero(node) and coefficient != 0:
        total = multiply(coefficient, node.coefficient)
        if is_harmless(total, node.dtype):
            return with_coefficient(node, total)
        return contract(node.factors, node.out, node.sizes, total, node.dtype)
    out = tuple(range(node.ndim))
    return contract([(node, out)], out, coefficient=coefficient)


def transpose(node: Node, axes: Sequence[int]) -> Node:
    """Permute axes as ``np.transpose`` does."""
    return contract([(node, range(node.ndim))], tuple(axes))


def broadcast(node: Node, shape: Shape) -> Node:
    """Repeat along new leading axes and along axes of size one, as NumPy does."""
    if node.shape == shape:
        return node
    lead = len(shape) - node.ndim
    out = tuple(range(len(shape)))
    kept = [a for a in range(node.ndim) if node.shape[a] == shape[lead + a]]
    term = [lead + a if a in kept else len(shape) + a for a in range(node.ndim)]
    return contract([(node, term)], out, shape)


def einsum(subscripts: str, *operands: Node, coefficient: Coefficient = 1) -> Node:
    """Build a contraction from letters: for rules and tests, which are written by hand."""
    terms, out = parse(subscripts, [n.shape for n in operands])
    return contract(zip(operands, terms, strict=True), out, coefficient=coefficient)


def take(node: Node, axis: int, picks: Selection) -> Node:
    """Replace an axis by the selected positions of it: ``node[..., table, ...]``."""
    term = tuple(range(node.ndim))
    row = node.ndim
    out = (*term[:axis], row, *term[axis + 1 :])
    return contract([(node, term), (picks, (row, axis))], out)


def add(terms: Sequence[Node], coefficients: Sequence[Coefficient] | None = None) -> Node:
    """Build a linear combination: equal terms add their coefficients, zeros go.

    A scale that all coefficients have in common, ``1e-200 x + 2e-200 y``, is that of the sum, where
    it is not harmless: there it is collected with others.
    """
    first = terms[0]
    if len(terms) == 1:
        return scale(first, coefficients[0] if coefficients else 1)
    total: dict[Node, Coefficient] = {}
    for term, coefficient in zip(terms, coefficients or [1] * len(terms), strict=True):
        base, factor = term, coefficient
        while isinstance(base, Einsum) and base.coefficient not in (0, 1):
            factor = multiply(factor, base.coefficient)
            base = with_coefficient(base, 1)
        if is_zero(base):
            factor = 0
        base, factor = _balanced_term(base, factor)
        total[base] = add_exactly(total.get(base, 0), factor)
    kept = sorted(((n, c) for n, c in total.items() if c != 0), key=lambda nc: nc[0].digest)
    if not kept:
        return zeros(first.shape, first.dtype)
    if len(kept) == 1:
        return scale(*kept[0])
    nodes, numbers = zip(*kept, strict=True)
    common = common_scale(numbers, first.dtype)
    if common != 1 and not any(map(carries_delta, nodes)):
        return scale(add(nodes, [multiply(c, 1 / Fraction(common)) for c in numbers]), common)
    key = (tuple([n.uid for n in nodes]), tuple(map(key_of_coefficient, numbers)))

    def content() -> Content:
        return Content([n.digest for n in nodes], repr(numbers).encode(), rough_text(numbers))

    return intern_node(Add, key, first.shape, first.dtype, content, nodes, numbers)


def _balanced_term(node: Node, factor: Coefficient) -> tuple[Node, Coefficient]:
    """Take numbers out of a term where they make its coefficient harmless."""
    if factor == 0 or is_harmless(factor, node.dtype):
        return node, factor
    inner, total = without_number(node, factor)
    return (inner, total) if is_balanced(factor, total, node.dtype) else (node, factor)
