"""Known diagonals: entries that do not depend on any input are taken before they are computed.

Of ``d[i,j] = x[i] - x[j]`` the diagonal is zero, and of ``sqrt(d * d + c)`` it is ``sqrt(c)``: a
derivative that needs these alone needs no d.

>>> from eingrad import _ir
>>> x = _ir.new_input("x", (3,))
>>> i, j = (_ir.contract([(x, (axis,))], (0, 1), {1 - axis: 3}) for axis in (0, 1))
>>> d = _ir.add([i, j], [1, -1])
>>> _ir.is_zero(diagonals(_ir.einsum("ii,i->i", d, x), ()))
True
"""

import itertools
from collections.abc import Container

from eingrad import _ir
from eingrad._ir import Add, Apply, Factor, Node, Placement, Product
from eingrad._limits import BUDGET
from eingrad._primitives import is_elementwise
from eingrad._subscripts import Subscripts

_Found = dict[tuple[Node, Subscripts], Node]  # entries of a node, by which indices are equal


def diagonals(node: Node, once: Container[Node]) -> Node:
    """``(x_i - x_j) delta_ij -> 0``: put in what is known of an operand's diagonal.

    Keeps value, shape and dtype; a zero that the algebra knows is exact, also where x is infinite,
    or what it is multiplied with.
    Terminates: it looks once, at most `BUDGET.diagonal_steps` down. Leaves alone diagonals that
    depend on an input: they are views of what is computed anyway.
    """
    del once
    if not isinstance(node, Product) or not any(map(_repeats, node.terms)):
        return node
    factors = [
        Factor(entries, tuple(dict.fromkeys(term)))
        if _repeats(term)
        and not _ir.inputs([entries := _entries(n, term, {}, BUDGET.diagonal_steps)])
        else Factor(n, term)
        for n, term in node.factors
    ]
    if factors == [*node.factors]:
        return node
    return _ir.contract(factors, node.out, (), node.coefficient, node.dtype)


def _repeats(term: Subscripts) -> bool:
    return len({*term}) < len(term)


def _entries(node: Node, term: Subscripts, found: _Found, depth: int) -> Node:
    """Take the entries of a node where indices are equal: one axis for each index."""
    if not depth or not _repeats(term):
        return _ir.contract([(node, term)], tuple(dict.fromkeys(term)))
    key = node, tuple(map(term.index, term))
    if key not in found:
        found[key] = _look_through(node, term, found, depth - 1)
    return found[key]


def _look_through(node: Node, term: Subscripts, found: _Found, depth: int) -> Node:
    """Take the entries of the operands, where a node is made of its operands' entries."""
    match node:
        case Add():
            below = [_entries(n, term, found, depth) for n in node.terms]
            return _ir.add(below, node.coefficients)
        case Product() | Placement(structure=()):
            factors = [
                Factor(_entries(n, t, found, depth), tuple(dict.fromkeys(t)))
                for n, t in _ir.splice(node, term, itertools.count(max(term) + 1))
            ]
            sizes = dict(zip(term, node.shape, strict=True))
            return _ir.contract(factors, [*sizes], sizes, node.coefficient, node.dtype)
        case Apply() if is_elementwise(node):
            below = [_entries(n, term, found, depth) for n in node.operands]
            if not _ir.inputs(below):
                shape = tuple(dict(zip(term, node.shape, strict=True)).values())
                how = (dict(node.attributes), node.result, shape, node.dtype)
                return _ir.apply_node(node.primitive, below, *how)
    return _ir.contract([(node, term)], tuple(dict.fromkeys(term)))
