"""What may be infinite or nan, or have such a derivative.

In: a node. Out: whether its row is singular or steep, or that of a node below; or whether there is
an array, captured or constant, or a number, that is such.
Guaranteed: each node is looked at once; nothing recurses.

>>> from eingrad._primitives import apply
>>> x = _ir.new_input("x", (3,))
>>> infinite = Infinite()
>>> [apply(name, x) in infinite for name in ("tanh", "exp", "log")]
[False, True, True]
"""

import cmath
from collections.abc import Iterable

import numpy as np

from eingrad import _ir
from eingrad._ir import Add, Apply, Coefficient, Constant, Einsum, Input, Node
from eingrad._primitives import row_of
from eingrad._recurrence import is_scan, scan_of


class Infinite:
    """What may be infinite or nan, or have such a derivative: by what it is, or one below."""

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
    if is_scan(node):
        return any(map(_is_infinite, _ir.topological(scan_of(node).recurrence.results)))
    match node:
        case Apply(attributes=(("factor", float() | complex() as number),)):
            return not cmath.isfinite(number)
        case Apply():
            return row_of(node).singular or row_of(node).steep
        case Constant(value=value):
            return value.dtype.kind in "fc" and not np.isfinite(value).all()
        case Einsum(coefficient=number):
            return not _is_finite(number)
        case Add(coefficients=numbers):
            return not all(map(_is_finite, numbers))
        case Input(key=("captured", _, _ir.NOT_FINITE)):
            return True
        case _:
            return False


def _is_finite(number: Coefficient) -> bool:
    return not isinstance(number, float | complex) or cmath.isfinite(number)
