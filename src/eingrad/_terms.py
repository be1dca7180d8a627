"""The terms of a sum: what deltas tie, and the core that lies on the other axes.

In: a node. Out: for each term, pairs of tied axes, the core, and the axes that it lies on.
Guaranteed: the term is the product of ``delta[axis, axis']`` and ``core[axes]``.
"""

from eingrad import _ir
from eingrad._ir import Add, Einsum, Node, Selection


def split_terms(node: Node) -> list[tuple[tuple[tuple[int, int], ...], Node, tuple[int, ...]]]:
    """Split a sum into terms: pairs of axes that a delta ties, the core, the axes it lies on."""
    return [] if _ir.is_zero(node) else [split_term(term) for term in terms_of(node)]


def terms_of(node: Node) -> list[Node]:
    """What a node is the sum of, each with its coefficient."""
    if not isinstance(node, Add):
        return [node]
    pairs = zip(node.terms, node.coefficients, strict=True)
    return [_ir.scale(n, c) for n, c in pairs]


def split_term(node: Node) -> tuple[tuple[tuple[int, int], ...], Node, tuple[int, ...]]:
    """Split ``product of delta[axis, axis'] * core[axes]``, constant along the axes it names not.

    Structure that is no delta (a selection, a reshape) stays in the core.
    """
    if not isinstance(node, Einsum):
        return (), node, tuple(range(node.ndim))
    place = {index: axis for axis, index in enumerate(node.out)}
    deltas, factors = [], []
    for operand, term in node.factors:
        if isinstance(operand, Selection) and operand.is_delta and set(term) <= set(place):
            deltas.append((place[term[0]], place[term[1]]))
        else:
            factors.append((operand, term))
    carried = {index for _, term in factors for index in term}
    axes = tuple(axis for axis, index in enumerate(node.out) if index in carried)
    out = [node.out[axis] for axis in axes]
    core = _ir.contract(factors, out, (), node.coefficient, node.dtype)
    return tuple(sorted(deltas)), core, axes
