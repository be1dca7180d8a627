"""What a derivative depends on: the nodes that are swept over.

In: nodes, and those that they are differentiated in. Out: the nodes between them.
Guaranteed: each is looked at once, and nothing recurses.

>>> x, w = _ir.new_input("x", (3,)), _ir.new_input("w", (3,))
>>> y = _ir.einsum("i,i->", x, w)
>>> [*dependents([y], [x])] == [x, y]
True
"""

from collections.abc import Container, Iterable

from eingrad import _ir
from eingrad._diff.local import Led
from eingrad._ir import Node


def dependents(
    ys: Iterable[Node], xs: Iterable[Node], constants: Iterable[Node] = ()
) -> dict[Node, None]:
    """Nodes between the ``xs`` and the ``ys`` that depend on an ``x``, children first."""
    sources, stop = set(xs), set(constants)
    order: dict[Node, None] = {}
    for node in _ir.topological(ys):
        depends = node not in stop and any(child in order for child in _ir.children(node))
        if node in sources or depends:
            order[node] = None
    return order


def find_needed(y: Node, led: Led, seeds: Container[Node]) -> set[Node]:
    """Nodes that the derivative of y is made of: a select that is led leads straight there.

    What is below seeds alone is none of them.
    """
    needed: set[Node] = set()
    stack = [y]
    while stack:
        node = stack.pop()
        if node not in needed:
            needed.add(node)
            if node in seeds:
                continue
            below = [n for n, _, _ in led[node]] if node in led else _ir.children(node)
            stack.extend(below)
    return needed
