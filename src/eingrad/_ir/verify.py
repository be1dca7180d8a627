"""The verifier: every invariant the rooms rely on, checked on a whole expression.

Tests run it after every pass. It raises `AssertionError` with the node that is wrong: a defect of
ours, never of the user.
"""

from collections.abc import Iterable

from eingrad._ir.nodes import Add, Einsum, Merge, Node, Placement, Selection, Structural
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
    for operand, term in node.factors:
        if tuple(node.sizes[index] for index in term) != operand.shape:
            return "a factor that has not the sizes of its indices"
        if not isinstance(operand, Structural) and operand.dtype != node.dtype:
            return "a factor of another dtype"
    if len(set(node.out)) != len(node.out):
        return "a repeated output index"
    if tuple(node.sizes[index] for index in node.out) != node.shape:
        return "a shape that is not that of the output indices"
    structural = [factor for factor in node.factors if isinstance(factor.node, Structural)]
    repeated = set(node.out).difference(*node.terms)
    if not isinstance(node, Placement):
        return "a product with structure, or of nothing" if structural or repeated else None
    core = () if node.core is None else (node.core,)
    if node.factors != (*core, *structural) or repeated != {*node.repeated}:
        return "a placement whose parts are not those of its factors"
    if core and not {*core[0].term} <= {*node.out}.union(*(f.term for f in structural)):
        return "a placement that sums entries of its core"
    return None
