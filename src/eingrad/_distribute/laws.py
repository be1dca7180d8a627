"""Laws of inverse, determinant and reciprocal: what is pulled out of a call.

In: a call. Out: an equal node, whose calls are of single factors.
Guaranteed: a law holds wherever both sides are defined.
"""

from fractions import Fraction

from eingrad import _ir
from eingrad._distribute.monomials import law_of
from eingrad._ir import Einsum, Factor, Node, Placement, Structural
from eingrad._primitives import Law, apply, reciprocal


def lawful(node: Node) -> Node:
    """Apply the law of a call to what it is a call of."""
    law = law_of(node)
    return _LAWS[law](_ir.children(node)[0]) if law else node


def _reciprocal(x: Node) -> Node:
    """``1/(c a b) = 1/c 1/a 1/b`` entry by entry; ``1/(1/a) = a``."""
    if law_of(x) is Law.RECIPROCAL:
        return _ir.children(x)[0]
    if not isinstance(x, Einsum) or isinstance(x.coefficient, (float, complex)) or _ir.is_zero(x):
        return reciprocal(x)
    if x.sums or (isinstance(x, Placement) and x.structure):
        return reciprocal(x)
    factors = [Factor(_reciprocal(n), term) for n, term in x.factors]
    return _ir.contract(factors, x.out, x.sizes, 1 / Fraction(x.coefficient), x.dtype)


def _inverse(x: Node) -> Node:
    """``(c A B^T)^-1 = B^-T A^-1 / c``, for square A and B; ``(A^-1)^-1 = A``."""
    if x.shape[-1] == 1:
        return _reciprocal(x)
    if law_of(x) is Law.INVERSE:
        return _ir.children(x)[0]
    chain = _chain(x)
    if chain is None:
        return apply("inverse", x)
    coefficient, matrices = chain
    n = len(matrices)
    factors = [
        (_inverse_of_atom(matrix), (k, k + 1) if flipped else (k + 1, k))
        for k, (matrix, flipped) in enumerate(matrices)
    ]
    return _ir.contract(factors, (n, 0), (), 1 / Fraction(coefficient))


def _inverse_of_atom(matrix: Node) -> Node:
    is_inverse = law_of(matrix) is Law.INVERSE
    return _ir.children(matrix)[0] if is_inverse else apply("inverse", matrix)


def _det(x: Node) -> Node:
    """``det(c A B^T) = c^n det A det B``, for square A and B; ``det A^-1 = 1 / det A``."""
    if x.shape[-1] == 1:
        return _ir.einsum("...ii->...", x)
    chain = _chain(x)
    if chain is None:
        return apply("det", x)
    coefficient, matrices = chain
    factors = []
    for matrix, _ in matrices:
        if law_of(matrix) is Law.INVERSE:
            factors.append(reciprocal(apply("det", _ir.children(matrix)[0])))
        else:
            factors.append(apply("det", matrix))
    scale = _ir.canonical_coefficient(Fraction(coefficient) ** x.shape[-1])
    return _ir.contract([(n, ()) for n in factors], (), (), scale)


_LAWS = {Law.RECIPROCAL: _reciprocal, Law.INVERSE: _inverse, Law.DETERMINANT: _det}


def _chain(x: Node) -> tuple[int | Fraction, list[tuple[Node, bool]]] | None:
    """Read ``c A B^T``: the number, and the square matrices left to right, flipped or not."""
    if x.ndim != 2:  # noqa: PLR2004 - a stack of matrices
        return None
    if not isinstance(x, Einsum):
        return 1, [(x, False)]
    c = x.coefficient
    if isinstance(c, (float, complex)) or c == 0:
        return None
    pairs = [*x.factors]
    chain: list[tuple[Node, bool]] = []
    at, end = x.out
    while pairs:
        found = [n for n, (_, term) in enumerate(pairs) if at in term]
        if len(found) != 1:
            return None
        matrix, term = pairs.pop(found[0])
        square = len(term) == 2 and matrix.shape[0] == matrix.shape[1] and term[0] != term[1]  # noqa: PLR2004
        if not square or isinstance(matrix, Structural):
            return None
        flipped = term[1] == at
        chain.append((matrix, flipped))
        at = term[0] if flipped else term[1]
    return (c, chain) if at == end else None
