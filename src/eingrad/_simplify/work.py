"""What a part of an expression costs to compute, before it is planned: to choose between forms."""

import math
from collections.abc import Container, Sequence

from eingrad._cost import contraction_flops, roughly
from eingrad._ir import Add, Node, Placement, Product
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
