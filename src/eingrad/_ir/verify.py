"""The verifier: every invariant the rooms rely on, checked on a whole expression.

Tests run it after every pass. It raises `AssertionError` with the node that is wrong: a defect of
ours, never of the user.
"""

from collections.abc import Iterable

from eingrad._ir.build import STRUCTURAL, is_product
from eingrad._ir.nodes import Add, Einsum, Merge, Node, Selection
from eingrad._ir.walk import topological


def verify(roots: Iterable[Node]) -> None:
    """Check every node below the roots."""
    for node in topological(roots):
        problem = _problem(node)
        if problem:
            raise AssertionError(f"{problem}: {node}")


def _problem(node: Node) -> str | None:
    match node:
        case Einsum():
            return _einsum_problem(node)
        case Add(terms=terms, coefficients=coefficients):
            if any(term.shape != node.shape or term.dtype != node.dtype for term in terms):
                return "a term has another shape or dtype than the sum"
            if len(set(terms)) != len(terms) or 0 in coefficients:
                return "equal or zero terms were not collected"
            if [*terms] != sorted(terms, key=lambda term: term.digest):
                return "terms are not in canonical order"
        case Selection(table=table, shape=(rows, n)):
            if len(table) != rows or any(not -1 <= j < n for j in table):
                return "a table that does not fit its shape"
        case Merge(shape=(total, *sizes)):
            product = 1
            for size in sizes:
                product *= size
            if product != total:
                return "sizes that do not multiply to the merged size"
    return None


def _einsum_problem(node: Einsum) -> str | None:
    sizes = dict(node.sizes)
    for operand, term in zip(node.operands, node.terms, strict=True):
        for index, size in zip(term, operand.shape, strict=True):
            if sizes.setdefault(index, size) != size:
                return f"index {index} has two sizes"
        if not isinstance(operand, STRUCTURAL) and operand.dtype != node.dtype:
            return "an operand of another dtype"
    if len(set(node.out)) != len(node.out):
        return "a repeated output index"
    if tuple(sizes[index] for index in node.out) != node.shape:
        return "a shape that is not that of the output indices"
    cores = [n for n in node.operands if not isinstance(n, STRUCTURAL)]
    if not is_product(node) and len(cores) > 1:
        return "a placement or broadcast of more than one core"
    return None
