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


class Slopes:
    """Local Jacobians of calls, multiplied with rates."""

    def __init__(self, curve: Curve) -> None:
        self._curve = curve
        self._are_constant: dict[Node, bool] = {}
        self._right: dict[Node, Node | None] = {}

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

    def times(self, node: Apply, rates: Mapping[Node, Node]) -> Node | None:
        """Multiply local Jacobians with rates of operands; None where that is zero everywhere."""
        return rate_of(node, rates) if rates else None

    def right_of(self, node: Apply) -> Node | None:
        """Build ``J x'``, which ``y'`` is equal to; None where it is zero everywhere."""
        if node not in self._right:
            rates = {n: self._curve.rate(n) for n in self.moving(node)}
            self._right[node] = self.times(node, rates)
        return self._right[node]
