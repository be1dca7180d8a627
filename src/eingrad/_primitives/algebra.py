"""Small algebra on nodes, so that a rule reads like its formula."""

import functools
from collections.abc import Callable, Hashable
from fractions import Fraction
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._ir import Coefficient, Factor, Node, Placement
from eingrad._primitives.row import BY_NAME, Rule, dtype_of


def apply(name: str, *operands: Node, result: int = 0, **attributes: Hashable) -> Node:
    """Apply a row of the table; operands of an elementwise row have one shape."""
    row = BY_NAME[name]
    shapes = row.shapes(*(n.shape for n in operands), **attributes) if row.shapes else None
    shape = shapes[result] if shapes else operands[0].shape
    dtype = dtype_of(row, result, operands, attributes)
    if 0 in shape:
        return _ir.zeros(shape, dtype)
    return _ir.apply_node(row, operands, attributes, result, shape, dtype)


def times(*factors: Node | Coefficient) -> Node:
    """Multiply elementwise."""
    coefficient: Coefficient = 1
    nodes = []
    for factor in factors:
        if isinstance(factor, Node):
            nodes.append(factor)
        else:
            coefficient = _ir.multiply(coefficient, factor)
    out = tuple(range(nodes[0].ndim))
    return _ir.contract([(node, out) for node in nodes], out, coefficient=coefficient)


def plus(*terms: Node | Coefficient) -> Node:
    """Add elementwise; a number is added to every entry."""
    like = next(t for t in terms if isinstance(t, Node))
    return _ir.add(
        [t if isinstance(t, Node) else _ir.fill(t, like.shape, like.dtype) for t in terms]
    )


def reciprocal(x: Node) -> Node:
    """``1 / x``; of what is repeated, once."""
    match x:
        case Placement(core=Factor(core, term), structure=(), coefficient=1):
            return _ir.contract([(reciprocal(core), term)], x.out, x.sizes)
    return apply("reciprocal", x)


def sign(x: Node) -> Node:
    """-1, 0 or 1."""
    return apply("sign", x)


def is_sign(node: Node) -> bool:
    """Whether a node is the sign of another: what it multiplies, it does not round."""
    return isinstance(node, _ir.Apply) and node.primitive is BY_NAME["sign"]


def power(x: Node, exponent: Coefficient) -> Node:
    """``x ** exponent`` for a number, by the cheapest row."""
    exponent = _ir.canonical_coefficient(exponent)
    if exponent == 0:
        return _ir.fill(1, x.shape, x.dtype)
    if exponent == 1:
        return x
    if exponent == 2:  # noqa: PLR2004 - a square
        return times(x, x)
    if exponent == -1:
        return reciprocal(x)
    if exponent == Fraction(1, 2):
        return apply("sqrt", x)
    return apply("power", x, exponent=exponent)


def scaled(node: Node, number: int) -> Node:
    """Multiply by a number, once: what the result is a factor of has no number for it."""
    return node if number == 1 or _ir.is_zero(node) else apply("scaled", node, factor=number)


def divided(node: Node, number: int) -> Node:
    """Divide by a number, once, and not each term of a sum."""
    return node if number == 1 or _ir.is_zero(node) else apply("divided", node, divisor=number)


def cast(node: Node, dtype: Any) -> Node:
    """Convert to another dtype; structure stays outside, so that deltas stay deltas."""
    dtype = np.dtype(dtype)
    if node.dtype == dtype:
        return node
    if isinstance(node, _ir.Placement) and (node.structure or not node.core):
        core = node.core and (cast(node.core.node, dtype), node.core.term)
        factors = (core, *node.structure) if core else node.structure
        return _ir.contract(factors, node.out, node.sizes, node.coefficient, dtype)
    if isinstance(node, _ir.Add) and any(_ir.carries_delta(term) for term in node.terms):
        return _ir.add([cast(term, dtype) for term in node.terms], node.coefficients)
    return apply("cast", node, dtype=dtype.str)


def zero_where(value: Node, *zero: Node) -> Node:
    """``value``, but 0 where all others are 0: a select, for the value may be nan there."""
    nothing = _ir.zeros(value.shape, value.dtype)
    flags = [apply("equal", node, nothing) for node in zero]
    return apply(
        "where", functools.reduce(functools.partial(apply, "logical_and"), flags), nothing, value
    )


def tie(name: str) -> tuple[Rule, Rule]:
    """Derivatives of maximum and minimum: a tie is split in half."""

    def rule(wins: Callable[[Node, Node], tuple[Node, Node]]) -> Rule:
        def half_at_a_tie(a: Node, b: Node, y: Node) -> Node:
            left, right = wins(a, b)
            won = cast(apply(name, left, right), y.dtype)
            return plus(won, times(Fraction(1, 2), cast(apply("equal", a, b), y.dtype)))

        return half_at_a_tie

    return rule(lambda a, b: (a, b)), rule(lambda a, b: (b, a))
