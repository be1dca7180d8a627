"""What a part of an expression costs to compute, before it is planned: to choose between forms."""

import math
from collections.abc import Container, Sequence

from eingrad import _ir
from eingrad._cost import call_flops, contraction_flops, roughly
from eingrad._ir import Add, Apply, Node, Placement, Product
from eingrad._subscripts import Shape, Subscripts


def work(root: Node, given: Container[Node]) -> int:
    """Rough time of sums and products below a node, each node once, down to given ones."""
    total = 0
    stack = [root]
    seen: set[Node] = set()
    while stack:
        node = stack.pop()
        if node in seen or node in given:
            continue
        seen.add(node)
        match node:
            case Add():
                additions = (len(node.terms) - 1) * node.size
                total += roughly(additions, additions)
                stack += node.terms
            case Product():
                if not node.is_view:
                    total += product_work(node.terms, node.out, node.sizes)
                stack += node.operands
            case Placement(structure=()):
                stack += node.operands
    return total


def whole_work(roots: Sequence[Node]) -> int:
    """Rough time of all nodes below, calls included: to leave out what is far dearer than others.

    It knows nothing of what the normal form makes of them: what is near is planned to be compared.
    """
    total = 0
    for node in _ir.topological(roots):
        match node:
            case Add():
                additions = (len(node.terms) - 1) * node.size
                total += roughly(additions, additions)
            case Product():
                total += 0 if node.is_view else product_work(node.terms, node.out, node.sizes)
            case Apply():
                total += roughly(call_flops(node), node.size)
            case Placement() if not _ir.carries_delta(node):
                total += roughly(0, node.size)
    return total


def product_work(terms: Sequence[Subscripts], out: Subscripts, sizes: Shape) -> int:
    """Rough time of a product, the pair with the smallest result first."""
    live = [frozenset(term) for term in terms]
    total = 0
    while len(live) > 1:
        best = None
        for n, left in enumerate(live):
            for m in range(n):
                rest = [t for k, t in enumerate(live) if k not in (m, n)]
                union = left | live[m]
                kept = union & frozenset(out).union(*rest)
                size = math.prod(sizes[i] for i in kept)
                if best is None or size < best[0]:
                    best = size, m, n, union, kept
        assert best is not None
        size, m, n, union, kept = best
        flops = contraction_flops({i: sizes[i] for i in union}, summed=kept != union)
        total += roughly(flops, size)
        live = [t for k, t in enumerate(live) if k not in (m, n)] + [kept]
    return total
