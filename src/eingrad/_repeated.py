"""Derivatives that are repeated along one tangent: coefficients of a series.

In: values of a function, what they are differentiated in, and along what. Out: derivatives of high
order.
Guaranteed: nothing is differentiated twice.

>>> from eingrad import _ir
>>> x = _ir.new_input("x", ())
>>> ((_, first, second),) = in_one_number([_ir.einsum(",,->", x, x, x)], x, 2)
>>> second is _ir.scale(x, 6)
True
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from eingrad import _ir
from eingrad._cancelling import cancelling_extremes
from eingrad._ir import Node
from eingrad._series import Series


@dataclass(frozen=True, slots=True)
class Repeated:
    """So many derivatives of ``y`` along one tangent of one variable."""

    y: Node
    x: Node
    tangent: Node
    order: int = 1

    def after(self, before: "Repeated | None") -> "Repeated":
        """Go on from one that is along the same."""
        if before is None or (before.x, before.tangent) != (self.x, self.tangent):
            return self
        return replace(before, order=before.order + 1)

    def in_series(self) -> Node:
        """Take it from the series along the line."""
        fixed = cancelling_extremes([self.y])
        series = Series({self.x: [self.tangent]}, self.order, fixed=fixed)
        return _ir.scale(series.coefficient(self.y, self.order), math.factorial(self.order))


def in_one_number(values: Sequence[Node], x: Node, order: int) -> list[list[Node]]:
    """Differentiate values in one number, up to an order: in the shapes of derivatives."""
    tangent = _ir.fill(1, x.shape, x.dtype)
    series = Series({x: [tangent]}, order, fixed=cancelling_extremes(values))
    found = []
    for y in values:
        coefficients = [series.coefficient(y, k) for k in range(order + 1)]
        found.append(
            [
                _ir.reshape(_ir.scale(c, math.factorial(k)), (*y.shape, *x.shape * k))
                for k, c in enumerate(coefficients)
            ]
        )
    return found
