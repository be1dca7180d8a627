"""How far two arrays are apart, and how far the rounding of sums that cancel may move them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad import _ir
from eingrad._ir import Add, Einsum, Node, Structural
from eingrad._tracer import Expression, node_of

Array = NDArray[Any]

ROUNDING = 64  # units in the last place of the largest term of a sum that may cancel
_MOST_PRODUCTS = 10**6  # entries
_TINY = float(np.finfo(np.float64).tiny)


def largest(array: Array) -> float:
    """Give the largest magnitude; 0 where there are no entries."""
    return float(np.max(np.abs(array), initial=0))


def largest_finite(arrays: Sequence[Array]) -> float:
    """Give the largest magnitude of those entries that are finite."""
    return max((largest(array[np.isfinite(array)]) for array in arrays), default=0.0)


def relative_error(a: Array, b: Array, cancelling: float, precision: float) -> float:
    """Give the largest difference, relative to the largest entry of either.

    One that may be rounding of terms that cancel is relative to the largest of these.
    """
    difference = largest(a - b)
    scale = max(largest(a), largest(b), _TINY)
    if difference <= ROUNDING * precision * cancelling:
        scale = max(scale, cancelling)
    return difference / scale


def terms_that_cancel(roots: Sequence[Node]) -> list[Expression]:
    """Give the terms of every sum below, or their sum with every number made positive."""
    nodes = [node for node in _ir.topological(roots) if node.dtype.kind in "fc"]
    return [Expression(term) for node in nodes for term in _terms(node)]


def _terms(node: Node) -> list[Node]:
    is_real = node.dtype.kind == "f"
    match node:
        case Add(terms=terms, coefficients=coefficients) if is_real:
            sizes: list[Any] = [abs(c) for c in coefficients]
            return [_ir.add([_absolute(term) for term in terms], sizes)]
        case Add(terms=terms, coefficients=coefficients):  # |z| is no expression
            return [_ir.scale(term, c) for term, c in zip(terms, coefficients, strict=True)]
        case Einsum(sums=True) if is_real:
            size: Any = abs(node.coefficient)
            positive = [(_absolute(operand), term) for operand, term in node.factors]
            return [_ir.contract(positive, node.out, node.sizes, size, node.dtype)]
        case Einsum(sums=True):
            every = range(len(node.sizes))
            products = _ir.contract(node.factors, every, node.sizes, node.coefficient, node.dtype)
            return [products] if products.size <= _MOST_PRODUCTS else []
        case _:
            return []


def _absolute(node: Node) -> Node:
    if isinstance(node, Structural):
        return node
    absolute: Any = np.abs(Expression(node))
    return node_of(absolute, None)
