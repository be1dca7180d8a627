"""Regroup products: lazy where they are outer, in one component per set of summed indices."""

import itertools
from collections.abc import Container

from eingrad import _ir
from eingrad._ir import Einsum, Factor, Node, Placement, Product, Selection
from eingrad._limits import BUDGET

MOST_OPERANDS = BUDGET.operands


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
        if not isinstance(node, Product):
            return node
        made = _components(_inline(node, once))
        if made is node:
            return node
        node = made
    return node


def select(node: Node, once: Container[Node]) -> Node:
    """``sum_c S[r,c] (sum_j A_ij B_jc) -> sum_j A_ij (B S^T)_jr``: take entries of the factors.

    Keeps value, shape and dtype: each entry that is taken is the same sum of the same products.
    Terminates: the product is gone from under the selection. Leaves alone a selection that is no
    smaller than what it takes from, one of a product that is used elsewhere and not *outgrown*, and
    elementwise products, where to take once is less than to take of each factor.
    """
    if not isinstance(node, Placement) or node.core is None:
        return node
    product = node.core.node
    if not isinstance(product, Product) or product.is_view or node.size >= product.size:
        return node
    if not all(isinstance(f.node, Selection) for f in node.structure):
        return node
    is_alone = product in once and product.sums
    return open_operands(node, {product}) if is_alone or is_outgrown(product) else node


def is_outgrown(node: Product) -> bool:
    """Whether a product is larger than its operands together: an outer product, best left lazy."""
    return not node.sums and node.size > sum(n.size for n in {*node.operands})


def _inline(node: Product, once: Container[Node]) -> Node:
    if node.is_view:
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
    factors: list[Factor] = []
    coefficient = node.coefficient
    fresh = itertools.count(len(node.sizes))
    for operand, term in node.factors:
        if operand in chosen:
            assert isinstance(operand, Product)
            factors += _ir.splice(operand, term, fresh)
            coefficient = _ir.multiply(coefficient, operand.coefficient)
        else:
            factors.append(Factor(operand, term))
    return _ir.contract(factors, node.out, node.sizes, coefficient, node.dtype)


def _opens(node: Product, operand: Node, once: Container[Node]) -> bool:
    """Whether a product should see through one of its operands."""
    if not isinstance(operand, Product) or operand.is_view:
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
    if not isinstance(node, Product):
        return node
    groups: list[tuple[set[int], list[Factor]]] = []  # summed indices, factors
    for f in node.factors:
        summed = set(f.term).difference(node.out)
        members = [f]
        apart = []
        for indices, others in groups:
            if indices.isdisjoint(summed):
                apart.append((indices, others))
            else:
                summed |= indices
                members = others + members
        groups = [*apart, (summed, members)]
    if len(groups) == 1 or not any(summed for summed, _ in groups):
        return node
    factors: list[Factor] = []
    for summed, members in groups:
        if not summed:
            factors += members
            continue
        carried = {i for f in members for i in f.term}
        out = tuple(i for i in node.out if i in carried)
        factors.append(Factor(_ir.contract(members, out), out))
    return _ir.contract(factors, node.out, (), node.coefficient, node.dtype)
