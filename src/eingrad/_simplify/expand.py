"""Open sums of outer products and deltas where contracting term by term is cheaper."""

from collections.abc import Container, Sequence

from eingrad import _ir
from eingrad._ir import Add, Coefficient, Factor, Node, Product
from eingrad._limits import BUDGET
from eingrad._simplify.products import is_outgrown, regroup
from eingrad._simplify.work import work

MOST_OPENED = BUDGET.opened_terms


def expand(node: Node, once: Container[Node]) -> Node:
    """``(a b^T + c d^T) v -> a (b^T v) + c (d^T v)``, where that is cheaper.

    Keeps value, shape and dtype. Terminates: operands are in normal form, and each step opens one
    sum for good. Leaves alone every sum with a term that is neither an outer product nor tied by
    deltas: ``(x_i - x_j)^2`` is never opened, for its difference may be exact, and what comes out
    of opening it is not. The entries of an outer product are rounded already.
    """
    if not isinstance(node, Product) or not node.sums:
        return node
    for n, operand in enumerate(node.operands):
        if isinstance(operand, Add) and is_open(operand):
            opened = distribute(node, n, once)
            given = {*node.operands, *_leaves(operand)} - {operand}
            closed = work(node, given if operand in once else {*given, operand})
            if work(opened, given) < closed:
                return opened
    return node


def is_open(node: Add) -> bool:
    """Whether all terms are outer products or tied by deltas, few enough to be told apart."""
    return len(node.terms) <= MOST_OPENED and all(
        _ir.carries_delta(term) or (isinstance(term, Product) and is_outgrown(term))
        for term in node.terms
    )


def distribute(node: Product, n: int, once: Container[Node]) -> Node:
    """Multiply out the sum that is operand number n."""
    terms: list[Node] = []
    coefficients: list[Coefficient] = []
    factors = [*node.factors]
    total, indices = factors[n]
    assert isinstance(total, Add)
    for term, coefficient in zip(total.terms, total.coefficients, strict=True):
        factors[n] = Factor(term, indices)
        product = _ir.contract(factors, node.out, (), node.coefficient, node.dtype)
        made = expand(regroup(product, once), once)
        inner = made if isinstance(made, Add) else None
        terms += inner.terms if inner else [made]
        coefficients += (
            [_ir.multiply(coefficient, c) for c in inner.coefficients] if inner else [coefficient]
        )
    return _ir.add(terms, coefficients)


def _leaves(total: Add) -> Sequence[Node]:
    return [operand for term in total.terms for operand in _ir.children(term)]
