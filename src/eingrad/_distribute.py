"""Full expansion: the normal form in which two expressions are compared.

In: a node. Out: a sum of products of atoms, equal for expressions that distributing, collecting,
and the laws of inverse, determinant and transpose make equal; None where it would be too large.
Guaranteed: equal results mean equal values wherever both are defined. The converse is no promise:
the laws below are not all there are.

The normal form of derivatives never distributes what the user wrote, for speed and for accuracy;
a proof does, and is never computed with.

>>> from eingrad import _ir
>>> from eingrad._primitives import apply
>>> a, b = _ir.new_input("A", (3, 3)), _ir.new_input("b", (3,))
>>> are_equal(_ir.einsum("ij,jk,k->i", apply("inverse", a), a, b), b)
True
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._ir import (
    Add,
    Apply,
    Coefficient,
    Constant,
    Einsum,
    Factor,
    Node,
    Placement,
    Structural,
)
from eingrad._opaque import is_opaque
from eingrad._primitives import Law, apply, reciprocal, row_of
from eingrad._subscripts import Shape, Subscripts

_MOST_MONOMIALS = 4000
_MOST_ROUNDS = 8
_SHORT = 2**80  # of products of fifty such numbers, none is rounded
_SHORT_COMPLEX = 2**26  # products of two are exact in the 53 bits of a float, which they are

Polynomial = dict[Node, Coefficient]  # monomial -> coefficient
Factors = list[Factor]


class _GivenUpError(Exception):
    """A product has too many terms to be worth a proof, or a coefficient was rounded."""


def expand(root: Node) -> Node | None:
    """Expand a node to a sum of products; None beyond a few thousand of them.

    Until nothing changes: a law may make what another opens.
    """
    for _ in range(_MOST_ROUNDS):
        expanded = _expanded_once(root)
        if expanded is None or expanded is root:
            break
        root = expanded
    return expanded


def _expanded_once(root: Node) -> Node | None:
    """Expand every node, operands first."""
    forms = _forms(root)
    try:
        return None if forms is None else _sum(forms[root], root)
    except _GivenUpError:
        return None


def are_equal(a: Node, b: Node) -> bool:
    """Whether two nodes expand to one normal form: a proof; False means that none was found.

    Nothing is proved of coefficients beyond 80 bits, products of which may be rounded.
    """
    if not all(map(_is_short, _coefficients([a, b]))):
        return False
    difference = _ir.add([a, b], (1, -1))
    forms = _forms(difference)
    return forms is not None and not forms[difference]


def _forms(root: Node) -> dict[Node, Polynomial] | None:
    """Expand a node and all below it."""
    forms: dict[Node, Polynomial] = {}
    try:
        for node in _ir.topological([root]):
            if not isinstance(node, Structural):
                forms[node] = _expand_node(node, forms)
    except (_GivenUpError, OverflowError):
        return None
    return forms


# Coefficients, exactly ---------------------------------------------------------------------------


def _coefficients(roots: Sequence[Node]) -> Iterator[Coefficient]:
    for node in _ir.topological(roots):
        if isinstance(node, Einsum):
            yield node.coefficient
        elif isinstance(node, Add):
            yield from node.coefficients


def _is_short(c: Coefficient) -> bool:
    """Whether a number is finite, and products and sums of such are not rounded."""
    if isinstance(c, complex):
        return _is_below(c.real, _SHORT_COMPLEX) and _is_below(c.imag, _SHORT_COMPLEX)
    return _is_below(c, _SHORT)


def _is_below(c: int | Fraction | float, most: int) -> bool:
    numerator, denominator = c.as_integer_ratio() if math.isfinite(c) else (most, 1)
    return abs(numerator) < most and denominator < most


def _exact(c: Coefficient) -> Coefficient:
    """Write a float as the rational that it is."""
    return Fraction(c) if isinstance(c, float) and math.isfinite(c) else c


def _sum(form: Polynomial, like: Node) -> Node:
    if not form:
        return _ir.zeros(like.shape, like.dtype)
    nodes, coefficients = zip(*form.items(), strict=True)
    if any(_exact(_ir.canonical_coefficient(c)) != c for c in coefficients):
        raise _GivenUpError
    return _ir.add(nodes, coefficients)


def _expand_node(node: Node, forms: dict[Node, Polynomial]) -> Polynomial:
    match node:
        case Add(terms=terms, coefficients=coefficients):
            total: Polynomial = {}
            for term, c in zip(terms, coefficients, strict=True):
                for monomial, factor in forms[term].items():
                    _collect(total, monomial, _exact(c) * factor)
            return total
        case Einsum():
            return _multiply_out(node, forms)
        case Apply() if not is_opaque(node):
            operands = [_sum(forms[n], n) for n in node.operands]
            return _law(node, operands)
        case Constant():
            made = _read(node)
            if made is not node:
                total = {}
                _collect(total, made, 1)
                return total
    return _atom(node)


def _read(node: Constant) -> Node:
    """Write an array of equal entries, or a multiple of the identity, as what it is."""
    value = node.value
    number = value.flat[0].item() if value.size else 0
    if value.dtype.kind not in "fc" or not _is_short(number):
        return node
    if (value == number).all():
        return _ir.fill(number, node.shape, node.dtype)
    if value.ndim == 2 and np.array_equal(value, number * np.eye(len(value))):  # noqa: PLR2004
        delta = _ir.delta(len(value))
        return _ir.contract([(delta, (0, 1))], (0, 1), (), number, node.dtype)
    return node


def _atom(node: Node) -> Polynomial:
    """Write what does not open as a monomial: itself, unless it has axes of size one."""
    axes = tuple(range(node.ndim))
    return {
        _monomial([Factor(node, axes)], axes, node.shape, node.dtype)
        if 1 in node.shape
        else node: 1
    }


def _collect(total: Polynomial, monomial: Node, coefficient: Coefficient) -> None:
    if isinstance(monomial, Einsum) and monomial.coefficient != 1:
        if _ir.is_zero(monomial):
            return
        if not _is_short(monomial.coefficient):  # a law made it, and may have rounded it
            raise _GivenUpError
        coefficient = _exact(coefficient) * _exact(monomial.coefficient)
        monomial = _ir.with_coefficient(monomial, 1)
    coefficient = total.get(monomial, 0) + _exact(coefficient)
    total[monomial] = coefficient
    if coefficient == 0:
        del total[monomial]


def _multiply_out(node: Einsum, forms: dict[Node, Polynomial]) -> Polynomial:
    """``(a + b) c -> a c + b c``, every factor opened to its own factors."""
    choices = [
        [(n, 1)] if isinstance(n, Structural) else list(forms[n].items()) for n in node.operands
    ]
    count = 1
    for choice in choices:
        count *= len(choice)
    total: Polynomial = {}
    if count > _MOST_MONOMIALS:
        raise _GivenUpError
    for chosen in itertools.product(*choices):
        coefficient = _exact(node.coefficient)
        for _, c in chosen:
            coefficient = coefficient * _exact(c)
        factors = [Factor(n, term) for (n, _), term in zip(chosen, node.terms, strict=True)]
        monomial = _monomial(factors, node.out, node.sizes, node.dtype)
        _collect(total, monomial, coefficient)
    return total


def _monomial(
    factors: Factors, out: Subscripts, sizes: Mapping[int, int] | Shape, dtype: np.dtype[Any]
) -> Node:
    """Build one product of atoms, opened and cancelled until nothing changes."""
    while True:
        apart = _without_ones(_open(factors, out), out)
        node = _ir.contract(apart, out, sizes, dtype=dtype)
        if not isinstance(node, Einsum):
            return node
        cancelled = _cancel(_open([Factor(node, node.out)], node.out), node.out)
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


def _open(factors: Factors, out: Subscripts) -> Factors:
    """Replace every product among the factors by its own factors."""
    fresh = _fresh(factors, out)
    opened: Factors = []
    pending = list(reversed(factors))
    while pending:
        node, term = pending.pop()
        if not isinstance(node, Einsum) or not node.factors:
            opened.append(Factor(node, term))
            continue
        pending += [*_ir.splice(node, term, fresh), *_ir.ones_along(node, term)]
        if node.coefficient != 1:
            pending.append(Factor(_ir.fill(node.coefficient, (), node.dtype), ()))
    return opened


def _cancel(factors: Factors, out: Subscripts) -> Factors | None:
    """Cancel one inverse or reciprocal with what it is the inverse of; None where none meets it."""
    for n, (node, term) in enumerate(factors):
        cancel = _CANCEL.get(_law_of(node))
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


# Laws of calls -----------------------------------------------------------------------------------


def _law(node: Apply, operands: Sequence[Node]) -> Polynomial:
    """Rewrite a call whose operands are expanded: what pulls out goes out."""
    total: Polynomial = {}
    made = _define(node, operands)
    if isinstance(made, Einsum) and made.factors:
        for monomial, c in _monomials_of(made):
            _collect(total, monomial, c)
        return total
    return _atom(made)


def _define(node: Apply, operands: Sequence[Node]) -> Node:
    """Write a call by what its row says that it is equal to; else as a call."""
    number = _ir.number_of(node)
    if number is not None:
        return _ir.scale(operands[0], _exact(number))
    definition = row_of(node).definition
    made = definition(*operands, **dict(node.attributes)) if definition else None
    return _lawful(_ir.with_children(node, operands) if made is None else made)


def _lawful(node: Node) -> Node:
    """Apply the law of a call to what it is a call of."""
    law = _law_of(node)
    return _LAWS[law](_ir.children(node)[0]) if law else node


def _law_of(node: Node) -> Law | None:
    return row_of(node).law if isinstance(node, Apply) else None


def _monomials_of(made: Einsum) -> Iterator[tuple[Node, Coefficient]]:
    """Distribute a product that a definition or a law made: its factors may be calls and sums."""
    factors = _open([Factor(made, made.out)], made.out)
    nodes = [_lawful(n) for n, _ in factors]
    choices = [
        list(zip(n.terms, n.coefficients, strict=True)) if isinstance(n, Add) else [(n, 1)]
        for n in nodes
    ]
    for chosen in itertools.product(*choices):
        coefficient: Coefficient = 1
        for _, c in chosen:
            coefficient = coefficient * _exact(c)
        parts = [Factor(n, term) for (n, _), (_, term) in zip(chosen, factors, strict=True)]
        yield _monomial(parts, made.out, made.sizes, made.dtype), coefficient


def _reciprocal(x: Node) -> Node:
    """``1/(c a b) = 1/c 1/a 1/b`` entry by entry; ``1/(1/a) = a``."""
    if _law_of(x) is Law.RECIPROCAL:
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
    if _law_of(x) is Law.INVERSE:
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
    is_inverse = _law_of(matrix) is Law.INVERSE
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
        if _law_of(matrix) is Law.INVERSE:
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
