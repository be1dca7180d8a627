"""Derivatives in one number, of high order: coefficients of a series.

In: values of a function, its variable, a number. Out: for each value, derivatives up to an order.
Guaranteed: they are in the shapes of derivatives; nothing is differentiated twice.

>>> from eingrad import _ir
>>> x = _ir.new_input("x", ())
>>> ((_, first, second),) = in_one_number([_ir.einsum(",,->", x, x, x)], x, 2)
>>> second is _ir.scale(x, 6)
True
"""

import math
from collections.abc import Sequence

from eingrad import _ir
from eingrad._ir import Node
from eingrad._series import Series


def in_one_number(values: Sequence[Node], x: Node, order: int) -> list[list[Node]]:
    """Differentiate each value up to an order."""
    series = Series({x: [_ir.fill(1, x.shape, x.dtype)]}, order)
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
