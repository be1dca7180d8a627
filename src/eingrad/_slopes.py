"""Derivative rules along a curve: ``y' = J x'``, and whether ``J`` moves.

In: calls of rows, and the curve. Out: nodes of the right-hand side.
Guaranteed: each is built once.

>>> from eingrad import _ir
>>> from eingrad._primitives import apply
>>> x = _ir.new_input("x", (3,))
>>> slopes = Slopes(Curve([x]))
>>> [slopes.are_constant(apply(name, x)) for name in ("sin", "absolute")]
[False, True]
"""

from collections.abc import Mapping

from eingrad._curve import Curve
from eingrad._diff import local_jacobians, rate_of
from eingrad._ir import Apply, Node
from eingrad._primitives import Kind, is_elementwise, row_of, times


class Slopes:
    """Local Jacobians of calls, multiplied with rates."""

    def __init__(self, curve: Curve) -> None:
        self._curve = curve
        self._are_constant: dict[Node, bool] = {}
        self._right: dict[Node, Node | None] = {}
        self._chains: dict[Node, tuple[Node, Node]] = {}

    def moving(self, node: Apply) -> list[Node]:
        """Operands that move, each once."""
        return [n for n in dict.fromkeys(node.operands) if self._curve.is_moving(n)]

    def are_constant(self, node: Apply) -> bool:
        """Whether no local Jacobian moves: of ``|x|``, of a maximum."""
        if node not in self._are_constant:
            found = local_jacobians(node, dict.fromkeys(self.moving(node)), {})
            self._are_constant[node] = all(
                isinstance(slope, Node) and self._curve.is_constant(slope) for _, slope, _ in found
            )
        return self._are_constant[node]

    def chain(self, node: Apply) -> tuple[Node, Node] | None:
        """Give a node whose constant multiple a call is, entry by entry, and the multiple.

        Of a call of a call, as `clip` is, it is one product for all coefficients.
        """
        above: list[tuple[Node, Node]] = []
        below: Node = node
        while below not in self._chains:
            link = self._link(below)
            if link is None:
                break
            above.append((below, link[1]))
            below = link[0]
        found = self._chains.get(below)
        for each, slope in reversed(above):
            base, factor = found or (below, None)
            found = base, slope if factor is None else times(slope, factor)
            self._chains[each] = found
        return found

    def _link(self, node: Node) -> tuple[Node, Node] | None:
        if not isinstance(node, Apply) or not is_elementwise(node) or not self._is_by_rules(node):
            return None
        found = local_jacobians(node, dict.fromkeys(self.moving(node)), {})
        if len(found) != 1 or not self.are_constant(node):
            return None
        ((below, slope, _),) = found
        return (below, slope) if isinstance(slope, Node) else None

    def _is_by_rules(self, node: Apply) -> bool:
        row = row_of(node)
        has_own_way = row.linear or row.equation is not None or row.number is not None
        return row.kind is Kind.BY_RULES and not has_own_way and bool(self.moving(node))

    def times(self, node: Apply, rates: Mapping[Node, Node]) -> Node | None:
        """Multiply local Jacobians with rates of operands; None where that is zero everywhere."""
        return rate_of(node, rates) if rates else None

    def right_of(self, node: Apply) -> Node | None:
        """Build ``J x'``, which ``y'`` is equal to; None where it is zero everywhere."""
        if node not in self._right:
            rates = {n: self._curve.rate(n) for n in self.moving(node)}
            self._right[node] = self.times(node, rates)
        return self._right[node]
