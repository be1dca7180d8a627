"""Iterative traversal: nothing here recurses, so depth is limited by memory alone.

>>> from eingrad._ir.build import einsum, new_input
>>> x = new_input("x", (3,))
>>> [type(n).__name__ for n in topological([einsum("i,i->", x, x)])]
['Input', 'Product']
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from eingrad._ir.apply import with_operands
from eingrad._ir.build import add
from eingrad._ir.contract import contract, with_core
from eingrad._ir.nodes import Add, Apply, Einsum, Input, Node, Placement, children


def topological(roots: Iterable[Node]) -> list[Node]:
    """Every node below the roots once, children first; the order depends on structure alone."""
    order: dict[Node, None] = {}
    stack = [*roots][::-1]
    while stack:
        node = stack[-1]
        if node not in order:
            pending = [child for child in children(node) if child not in order]
            if pending:
                stack += pending[::-1]
                continue
            order[node] = None
        stack.pop()
    return [*order]


def inputs(roots: Iterable[Node]) -> list[Input]:
    """Inputs below the roots, in order of first use."""
    return [node for node in topological(roots) if isinstance(node, Input)]


def occurrences(roots: Sequence[Node]) -> Counter[Node]:
    """How often each node is used: ``X @ X`` uses X twice; a root counts as one use."""
    count: Counter[Node] = Counter(roots)
    for node in topological(roots):
        count.update(children(node))
    return count


def with_children(node: Node, new: Sequence[Node]) -> Node:
    """Build a node again on other operands of the same shapes."""
    match node:
        case Einsum():
            placed = with_core(node, new) if isinstance(node, Placement) else None
            if placed is not None:
                return placed
            factors = zip(new, node.terms, strict=True)
            return contract(factors, node.out, node.sizes, node.coefficient, node.dtype)
        case Add():
            return add(new, node.coefficients)
        case Apply():
            return with_operands(node, new)
    return node


def rewrite(
    roots: Sequence[Node],
    rule: Callable[[Node], Node],
    replaced: Mapping[Node, Node] | None = None,
) -> list[Node]:
    """Apply a rule to every node whose operands are already rewritten, children first."""
    new: dict[Node, Node] = dict(replaced or {})
    for node in topological(roots):
        if node not in new:
            below = children(node)
            moved = [new[child] for child in below]
            same = all(a is b for a, b in zip(moved, below, strict=True))
            new[node] = rule(node if same else with_children(node, moved))
    return [new[root] for root in roots]


def substitute(roots: Sequence[Node], replaced: Mapping[Node, Node]) -> list[Node]:
    """Put other nodes, of the same shapes, in the place of some."""
    return rewrite(roots, lambda node: node, replaced)
