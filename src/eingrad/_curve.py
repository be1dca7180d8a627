"""Nodes along a curve: which of them move, and what stands for their rates and values at its start.

In: the nodes that a curve goes through. Out: of any other, whether it moves; inputs that stand for
``x'`` and for ``x(0)``.
Guaranteed: each node is asked once; nothing recurses on the depth of the graph. What stands for
something has no meaning outside, and `at_start` puts the value in its place.

>>> from eingrad._primitives import apply
>>> x = _ir.new_input("x", (3,))
>>> curve = Curve([x])
>>> [curve.is_moving(apply(name, x)) for name in ("sin", "sign")]
[True, False]
"""

from collections.abc import Iterable, Mapping

from eingrad import _ir
from eingrad._ir import Apply, Input, Node
from eingrad._primitives import is_step

NO_RATES: Mapping[Node, Node] = {}


class Curve:
    """What depends on the nodes that move; what is known to be a rate of another, or is fixed."""

    def __init__(
        self,
        moving: Iterable[Node],
        rates: Mapping[Node, Node] = NO_RATES,
        fixed: Iterable[Node] = (),
    ) -> None:
        self._moves = {**dict.fromkeys(fixed, False), **dict.fromkeys(moving, True)}
        self._rates: dict[Node, Input] = {}
        self._starts: dict[Node, Input] = {}
        self.of_rate: dict[Node, Node] = {**rates}  # what each is the rate of
        self.of_start: dict[Node, Node] = {}  # what each is the value of
        self._made_of_rates: set[Node] = set()
        self._made_of_starts: set[Node] = set()

    def is_moving(self, node: Node) -> bool:
        """Whether a node depends on the curve; steps and flags do not, but for their jumps."""
        moves, stack = self._moves, [node]
        while stack:
            top = stack[-1]
            unknown = [child for child in _ir.children(top) if child not in moves]
            if top in moves:
                stack.pop()
            elif top.dtype.kind not in "fc" or (isinstance(top, Apply) and is_step(top)):
                moves[stack.pop()] = False
            elif unknown:
                stack += unknown
            else:
                below = _ir.children(stack.pop())
                moves[top] = any(moves[child] for child in below)
                for made in (self._made_of_rates, self._made_of_starts):
                    if not made.isdisjoint(below):
                        made.add(top)
        return moves[node]

    def is_constant(self, node: Node) -> bool:
        """Whether a node does not move, and has a meaning outside."""
        return not self.is_moving(node) and node not in self._made_of_starts

    def rate(self, node: Node) -> Node:
        """Make a node that stands for the rate of change of one."""
        if node not in self._rates:
            made = _ir.new_input("rate", node.shape, node.dtype, ("rate", node.digest))
            self._rates[node] = made
            self.of_rate[made] = node
            self._moves[made] = True
            self._made_of_rates.add(made)
        return self._rates[node]

    def start(self, node: Node) -> Node:
        """Make a node that stands for the value of one at the start of the curve."""
        if node not in self._starts:
            made = _ir.new_input("start", node.shape, node.dtype, ("start", node.digest))
            self._starts[node] = made
            self.of_start[made] = node
            self._moves[made] = False
            self._made_of_starts.add(made)
        return self._starts[node]

    def has_value(self, node: Node) -> bool:
        """Whether a node that was asked for is made of no rates."""
        return node not in self._made_of_rates

    def at_start(self, node: Node) -> Node:
        """Give a node at the start of the curve, in nodes that have a meaning outside.

        What values at the start are made of is made of few others, so this does not nest deeply.
        """
        if node not in self._made_of_starts:
            return node
        inside = [n for n in _ir.inputs([node]) if n in self.of_start]
        values: dict[Node, Node] = {n: self.at_start(self.of_start[n]) for n in inside}
        return _ir.substitute([node], values)[0]
