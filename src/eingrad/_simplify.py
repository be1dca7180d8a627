"""Passes on derivatives: each a function from roots to roots that keeps value, shape and dtype.

In: derivatives as `_diff` collects them, deltas contracted away. Out: networks that the planner
can order freely. Guaranteed: each pass walks the graph once and never undoes another.

>>> from eingrad import _ir
>>> a, b, v = (_ir.new_input(n, (3,) * k) for n, k in (("a", 2), ("b", 2), ("v", 1)))
>>> (flat,) = regroup([_ir.einsum("ij,j->i", _ir.einsum("ij,jk->ik", a, b), v)])
>>> len(flat.operands)
3
"""

from collections.abc import Sequence

from eingrad import _ir
from eingrad._ir import Einsum, Node
from eingrad._subscripts import Subscripts

MOST_OPERANDS = 16


def simplify(roots: Sequence[Node]) -> list[Node]:
    """Run the passes in order, once."""
    for a_pass in PASSES:
        roots = a_pass(roots)
    return list(roots)


def regroup(roots: Sequence[Node]) -> list[Node]:
    """Inline a contraction into the one product that uses it: ``(A B) v -> A B v``.

    Keeps value, shape and dtype: associativity only, never sums of terms. Terminates: one walk, and
    each inlining removes a use of a node. A product larger than its operands together (the
    Jacobian of an inverse) is inlined wherever it is contracted. Leaves alone any other that is
    used more than once (a shared adjoint stays shared), elementwise products of elementwise
    products, and products that would have more than `MOST_OPERANDS` operands; so it is linear in
    the graph.
    """
    uses = _ir.occurrences(roots)
    once: set[Node] = set()  # rewritten nodes that stand for a node used once
    new: dict[Node, Node] = {}
    for node in _ir.topological(roots):
        below = _ir.children(node)
        moved = [new[child] for child in below]
        same = all(a is b for a, b in zip(moved, below, strict=True))
        rebuilt = node if same else _ir.with_children(node, moved)
        if _ir.is_product(rebuilt):
            assert isinstance(rebuilt, Einsum)
            rebuilt = _components(_inline(rebuilt, once))
        new[node] = rebuilt
        if uses[node] == 1:
            once.add(rebuilt)
    return [new[root] for root in roots]


def _inline(node: Einsum, once: set[Node]) -> Node:
    operands: list[Node] = []
    terms: list[Subscripts] = []
    coefficient = node.coefficient
    fresh = 1 + max((i for term in node.terms for i in term), default=-1)
    room = MOST_OPERANDS - len(node.operands)
    repeated = {n for n in node.operands if node.operands.count(n) > 1}
    for operand, term in zip(node.operands, node.terms, strict=True):
        if (
            not isinstance(operand, Einsum)
            or not _ir.is_product(operand)
            or not (_is_outgrown(operand) or (operand in once and operand not in repeated))
            or len(operand.operands) - 1 > room
            or not (_ir.sums(operand) or _ir.sums(node))
        ):
            operands.append(operand)
            terms.append(term)
            continue
        room -= len(operand.operands) - 1
        outer = dict(zip(operand.out, term, strict=True))
        for inner, inner_term in zip(operand.operands, operand.terms, strict=True):
            for index in inner_term:
                if index not in outer:
                    outer[index], fresh = fresh, fresh + 1
            operands.append(inner)
            terms.append(tuple(outer[index] for index in inner_term))
        coefficient = _ir.canonical_coefficient(coefficient * operand.coefficient)
    if len(operands) == len(node.operands):
        return node
    return _ir.contract(operands, terms, node.out, {}, coefficient, node.dtype)


def _is_outgrown(node: Einsum) -> bool:
    """Whether a product is larger than its operands together: an outer product, best left lazy."""
    return not _ir.sums(node) and node.size > sum(operand.size for operand in node.operands)


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
    if len(groups) == 1:
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


PASSES = (regroup,)
