"""What may be infinite or nan, or have such a derivative.

In: a node. Out: whether its row is singular or steep, or that of a node below.
Guaranteed: each node is looked at once; nothing recurses.

>>> from eingrad._primitives import apply
>>> x = _ir.new_input("x", (3,))
>>> infinite = Infinite()
>>> [apply(name, x) in infinite for name in ("tanh", "exp", "log")]
[False, True, True]
"""

from collections.abc import Iterable

from eingrad import _ir
from eingrad._ir import Apply, Node
from eingrad._primitives import row_of


class Infinite:
    """What may be infinite or nan, or have such a derivative: by its row, or that of one below."""

    def __init__(self, nodes: Iterable[Node] = ()) -> None:
        self._known = dict.fromkeys(nodes, True)

    def __contains__(self, node: object) -> bool:
        assert isinstance(node, Node)
        pending = [node]
        while pending:
            top = pending[-1]
            below = _ir.children(top)
            missing = [n for n in below if n not in self._known]
            if top in self._known:
                pending.pop()
            elif missing and not _is_infinite(top):
                pending += missing
            else:
                pending.pop()
                self._known[top] = _is_infinite(top) or any(self._known[n] for n in below)
        return self._known[node]


def _is_infinite(node: Node) -> bool:
    return isinstance(node, Apply) and (row_of(node).singular or row_of(node).steep)
