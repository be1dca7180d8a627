"""Full expansion: the normal form in which two expressions are compared.

In: a node. Out: a sum of products of atoms, equal for expressions that distributing, collecting,
and the laws of inverse, determinant and transpose make equal; None where it would be too large.
Guaranteed: equal results mean equal values wherever both are defined. The converse is no promise:
the laws below are not all there are.

`polynomials` adds monomials up, `monomials` multiplies and cancels their factors, `laws` opens
calls.

The normal form of derivatives never distributes what the user wrote, for speed and for accuracy;
a proof does, and is never computed with.

>>> from eingrad import _ir
>>> from eingrad._primitives import apply
>>> a, b = _ir.new_input("A", (3, 3)), _ir.new_input("b", (3,))
>>> are_equal(_ir.einsum("ij,jk,k->i", apply("inverse", a), a, b), b)
True
"""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from eingrad import _ir
from eingrad._distribute.laws import lawful
from eingrad._distribute.monomials import atom, monomial_of, opened
from eingrad._distribute.polynomials import (
    GivenUpError,
    Polynomial,
    coefficients_of,
    collect,
    exact,
    is_short,
    sum_of,
)
from eingrad._ir import Add, Apply, Coefficient, Constant, Einsum, Factor, Node, Structural
from eingrad._opaque import is_opaque
from eingrad._primitives import row_of

_MOST_MONOMIALS = 4000
_MOST_ROUNDS = 8


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
        return None if forms is None else sum_of(forms[root], root)
    except GivenUpError:
        return None


def are_equal(a: Node, b: Node) -> bool:
    """Whether two nodes expand to one normal form: a proof; False means that none was found.

    Nothing is proved of coefficients beyond 80 bits, products of which may be rounded.
    """
    if not all(map(is_short, coefficients_of([a, b]))):
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
    except (GivenUpError, OverflowError):
        return None
    return forms


def _expand_node(node: Node, forms: dict[Node, Polynomial]) -> Polynomial:
    match node:
        case Add(terms=terms, coefficients=coefficients):
            total: Polynomial = {}
            for term, c in zip(terms, coefficients, strict=True):
                for monomial, factor in forms[term].items():
                    collect(total, monomial, exact(c) * factor)
            return total
        case Einsum():
            return _multiply_out(node, forms)
        case Apply() if not is_opaque(node):
            operands = [sum_of(forms[n], n) for n in node.operands]
            return _law(node, operands)
        case Constant():
            made = _read(node)
            if made is not node:
                total = {}
                collect(total, made, 1)
                return total
    return atom(node)


def _read(node: Constant) -> Node:
    """Write an array of equal entries, or a multiple of the identity, as what it is."""
    value = node.value
    number = value.flat[0].item() if value.size else 0
    if value.dtype.kind not in "fc" or not is_short(number):
        return node
    if (value == number).all():
        return _ir.fill(number, node.shape, node.dtype)
    if value.ndim == 2 and np.array_equal(value, number * np.eye(len(value))):  # noqa: PLR2004
        delta = _ir.delta(len(value))
        return _ir.contract([(delta, (0, 1))], (0, 1), (), number, node.dtype)
    return node


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
        raise GivenUpError
    for chosen in itertools.product(*choices):
        coefficient = exact(node.coefficient)
        for _, c in chosen:
            coefficient = coefficient * exact(c)
        factors = [Factor(n, term) for (n, _), term in zip(chosen, node.terms, strict=True)]
        monomial = monomial_of(factors, node.out, node.sizes, node.dtype)
        collect(total, monomial, coefficient)
    return total


def _law(node: Apply, operands: Sequence[Node]) -> Polynomial:
    """Rewrite a call whose operands are expanded: what pulls out goes out."""
    total: Polynomial = {}
    made = _define(node, operands)
    if isinstance(made, Einsum) and made.factors:
        for monomial, c in _monomials_of(made):
            collect(total, monomial, c)
        return total
    return atom(made)


def _define(node: Apply, operands: Sequence[Node]) -> Node:
    """Write a call by what its row says that it is equal to; else as a call."""
    number = _ir.number_of(node)
    if number is not None:
        return _ir.scale(operands[0], exact(number))
    definition = row_of(node).definition
    made = definition(*operands, **dict(node.attributes)) if definition else None
    return lawful(_ir.with_children(node, operands) if made is None else made)


def _monomials_of(made: Einsum) -> Iterator[tuple[Node, Coefficient]]:
    """Distribute a product that a definition or a law made: its factors may be calls and sums."""
    factors = opened([Factor(made, made.out)], made.out)
    nodes = [lawful(n) for n, _ in factors]
    choices = [
        list(zip(n.terms, n.coefficients, strict=True)) if isinstance(n, Add) else [(n, 1)]
        for n in nodes
    ]
    for chosen in itertools.product(*choices):
        coefficient: Coefficient = 1
        for _, c in chosen:
            coefficient = coefficient * exact(c)
        parts = [Factor(n, term) for (n, _), (_, term) in zip(chosen, factors, strict=True)]
        yield monomial_of(parts, made.out, made.sizes, made.dtype), coefficient
