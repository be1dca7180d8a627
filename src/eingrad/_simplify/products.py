"""Regroup products: lazy where they are outer, in one component per set of summed indices."""

import itertools
from collections.abc import Container

from eingrad import _ir
from eingrad._ir import Einsum, Node
from eingrad._subscripts import Subscripts

MOST_OPERANDS = 16


def regroup(node: Node, once: Container[Node]) -> Node:
    """``(A B) v -> A B v``, then ``sum_jm a_i B_ij c_k D_km -> a_i c_k (sum_j B)_i (sum_m D)_k``.

    Inlines the operands that are products themselves, then makes every set of operands connected
    by summed indices a node of its own, to be shared.

    Keeps value, shape and dtype: associativity only, never sums of terms. Terminates: what is
    inlined may bring more of the kind, and there are at most `MOST_OPERANDS`. A product that is
    *outgrown*, larger than its operands together, is inlined wherever it is contracted and wherever
    the result is outgrown too: the Jacobian of an inverse, the tangent of a layer. Any other is
    inlined where it is used once and something is summed, or a factor beside it is smaller. Leaves
    alone what is used more than once (a shared adjoint stays shared), elementwise products of
    factors of one size, and what would make more than `MOST_OPERANDS` operands.
    """
    for _ in range(MOST_OPERANDS):
        if not isinstance(node, Einsum) or not _ir.is_product(node):
            return node
        made = _components(_inline(node, once))
        if made is node:
            return node
        node = made
    return node


def is_outgrown(node: Einsum) -> bool:
    """Whether a product is larger than its operands together: an outer product, best left lazy."""
    return not node.sums and node.size > sum(n.size for n in {*node.operands})


def is_view(node: Einsum) -> bool:
    """Whether a node only looks at its operand in another order."""
    return len(node.operands) == 1 and not node.sums


def _inline(node: Einsum, once: Container[Node]) -> Node:
    if is_view(node):
        return node
    chosen: set[Node] = set()
    room = MOST_OPERANDS - len(node.operands)
    for operand in dict.fromkeys(node.operands):
        more = (len(_ir.children(operand)) - 1) * node.operands.count(operand)
        if _opens(node, operand, once) and more <= room:
            room -= more
            chosen.add(operand)
    return open_operands(node, chosen) if chosen else node


def open_operands(node: Einsum, chosen: Container[Node]) -> Node:
    """Put the factors of some operands, products themselves, in their place."""
    operands: list[Node] = []
    terms: list[Subscripts] = []
    coefficient = node.coefficient
    fresh = itertools.count(1 + max((i for term in node.terms for i in term), default=-1))
    for operand, term in zip(node.operands, node.terms, strict=True):
        if operand not in chosen:
            operands.append(operand)
            terms.append(term)
            continue
        assert isinstance(operand, Einsum)
        outer = dict(zip(operand.out, term, strict=True))
        for inner_term in operand.terms:
            for index in inner_term:
                if index not in outer:
                    outer[index] = next(fresh)
            terms.append(tuple(outer[index] for index in inner_term))
        operands += operand.operands
        coefficient = _ir.multiply(coefficient, operand.coefficient)
    return _ir.contract(operands, terms, node.out, {}, coefficient, node.dtype)


def _opens(node: Einsum, operand: Node, once: Container[Node]) -> bool:
    """Whether a product should see through one of its operands."""
    if not isinstance(operand, Einsum) or not _ir.is_product(operand) or is_view(operand):
        return False
    if node.sums:
        return is_outgrown(operand) or (operand in once and node.operands.count(operand) == 1)
    others = [n for n in node.operands if n is not operand]
    is_alone = operand in once and len(others) == len(node.operands) - 1
    if operand.sums:
        return is_alone
    if is_alone and operand.size > min((n.size for n in others), default=operand.size):
        return True  # the small factors first
    total = sum(n.size for n in (*others, *operand.operands))
    return is_outgrown(operand) and node.size > total


def _components(node: Node) -> Node:
    """Make each set of operands connected by summed indices a node of its own, to be shared."""
    if not _ir.is_product(node):
        return node
    assert isinstance(node, Einsum)
    groups: list[tuple[set[int], list[int]]] = []  # summed indices, operand numbers
    for n, term in enumerate(node.terms):
        summed = set(term).difference(node.out)
        members = [n]
        apart = []
        for indices, numbers in groups:
            if indices.isdisjoint(summed):
                apart.append((indices, numbers))
            else:
                summed |= indices
                members = numbers + members
        groups = [*apart, (summed, members)]
    if len(groups) == 1 or not any(summed for summed, _ in groups):
        return node
    operands: list[Node] = []
    terms: list[Subscripts] = []
    for summed, members in groups:
        if not summed:
            operands.append(node.operands[members[0]])
            terms.append(node.terms[members[0]])
            continue
        carried = {i for n in members for i in node.terms[n]}
        out = tuple(i for i in node.out if i in carried)
        inner = [node.terms[n] for n in members]
        operands.append(_ir.contract([node.operands[n] for n in members], inner, out))
        terms.append(out)
    return _ir.contract(operands, terms, node.out, {}, node.coefficient, node.dtype)
