"""Monomials: products of atoms, opened and cancelled.

In: factors, with indices. Out: the node of their product.
Guaranteed: no factor is a product, and none meets what it is the inverse or the reciprocal of.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._distribute.polynomials import Polynomial
from eingrad._ir import Apply, Einsum, Factor, Node
from eingrad._primitives import Law, row_of
from eingrad._subscripts import Shape, Subscripts

Factors = list[Factor]


def atom(node: Node) -> Polynomial:
    """Write what does not open as a monomial: itself, unless it has axes of size one."""
    axes = tuple(range(node.ndim))
    return {
        monomial_of([Factor(node, axes)], axes, node.shape, node.dtype)
        if 1 in node.shape
        else node: 1
    }


def monomial_of(
    factors: Factors, out: Subscripts, sizes: Mapping[int, int] | Shape, dtype: np.dtype[Any]
) -> Node:
    """Build one product of atoms, opened and cancelled until nothing changes."""
    while True:
        apart = _without_ones(opened(factors, out), out)
        node = _ir.contract(apart, out, sizes, dtype=dtype)
        if not isinstance(node, Einsum):
            return node
        cancelled = _cancel(opened([Factor(node, node.out)], node.out), node.out)
        if cancelled is None:
            return node
        factors, out, sizes = cancelled, node.out, node.sizes  # the coefficient is a factor


def _without_ones(factors: Factors, out: Subscripts) -> Factors:
    """Tie no two axes of size one: ``a[i,0] b[0,j]`` is ``a[i,k] b[k,j]`` for k of size one.

    One of the output that no factor carries any more is repeated, once.
    """
    fresh = _fresh(factors, out)
    return [
        Factor(
            node, tuple(next(fresh) if n == 1 else i for i, n in zip(term, node.shape, strict=True))
        )
        for node, term in factors
    ]


def _fresh(factors: Factors, out: Subscripts) -> Iterator[int]:
    """Count from the first integer that is no index."""
    return itertools.count(1 + max((*out, *(i for _, term in factors for i in term)), default=-1))


def opened(factors: Factors, out: Subscripts) -> Factors:
    """Replace every product among the factors by its own factors; its number is one of them."""
    found = _ir.open_factors(factors, _opens, _fresh(factors, out))
    numbers = []
    if found.coefficient != 1:
        dtype = next(n.dtype for n, _ in factors if _opens(n))
        numbers = [Factor(_ir.fill(found.coefficient, (), dtype), ())]
    return [*found.factors, *found.ones, *numbers]


def _opens(node: Node) -> bool:
    return isinstance(node, Einsum) and bool(node.factors)


def _cancel(factors: Factors, out: Subscripts) -> Factors | None:
    """Cancel one inverse or reciprocal with what it is the inverse of; None where none meets it."""
    for n, (node, term) in enumerate(factors):
        cancel = _CANCEL.get(law_of(node))
        if cancel is None:
            continue
        assert isinstance(node, Apply)
        for m, (other, other_term) in enumerate(factors):
            if other is not node.operands[0] or m == n:
                continue
            rest = [f for k, f in enumerate(factors) if k not in (n, m)]
            used = {*out, *(index for _, t in rest for index in t)}
            left = cancel(node, term, other_term, used)
            if left is not None:
                return [*rest, *left]
    return None


def _cancel_reciprocal(
    node: Node, term: Subscripts, other: Subscripts, used: set[int]
) -> Factors | None:
    """``1/x[i] x[i] -> 1``; an index that nothing else uses would still be summed."""
    del node
    return [] if term == other and used.issuperset(term) else None


def _cancel_inverse(
    node: Node, term: Subscripts, other: Subscripts, used: set[int]
) -> Factors | None:
    """``A^-1[i,j] A[j,k] -> delta[i,k]`` where j is summed, and is an index of these two alone."""
    batch, (p, q), (r, s) = term[:-2], term[-2:], other[-2:]
    if batch != other[:-2] or not used.issuperset(batch) or not {p, q, r, s}.isdisjoint(batch):
        return None
    if p == q or r == s:  # a diagonal: j would occur three times
        return None
    for left, right, ends in ((q, r, (p, s)), (p, s, (r, q))):
        if left == right and left not in used:
            return [Factor(_ir.delta(node.shape[-1]), ends)]
    return None


_CANCEL: dict[Law | None, Callable[..., Factors | None]] = {
    Law.RECIPROCAL: _cancel_reciprocal,
    Law.INVERSE: _cancel_inverse,
}


def law_of(node: Node) -> Law | None:
    return row_of(node).law if isinstance(node, Apply) else None
