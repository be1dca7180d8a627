"""Operators of structured tensors, each a ufunc of NumPy's.

In: ``S + T``, ``2 * S``, ``abs(S)``, ``S == 0``. Out: what the ufunc gives, or its refusal.
Guaranteed: no operator compares identities, nor fails without saying what to write; ``S += T``
binds the name anew.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from eingrad._tracebacks import ends_at_the_user

_Operator = Callable[[Any, Any], Any]


def _binary(ufunc: np.ufunc) -> tuple[_Operator, _Operator]:
    """Make ``S + T`` and ``T + S``."""

    @ends_at_the_user
    def forward(a: Any, b: Any) -> Any:
        return ufunc(a, b)

    @ends_at_the_user
    def reflected(a: Any, b: Any) -> Any:
        return ufunc(b, a)

    return forward, reflected


def _unary(ufunc: np.ufunc) -> Callable[[Any], Any]:

    @ends_at_the_user
    def of(a: Any) -> Any:
        return ufunc(a)

    return of


class Operators:  # noqa: PLW1641 - its subclass has it
    """What Python can do with a tensor that NumPy knows. Abstract."""

    __slots__ = ()

    __add__, __radd__ = _binary(np.add)
    __sub__, __rsub__ = _binary(np.subtract)
    __mul__, __rmul__ = _binary(np.multiply)
    __truediv__, __rtruediv__ = _binary(np.divide)
    __floordiv__, __rfloordiv__ = _binary(np.floor_divide)
    __mod__, __rmod__ = _binary(np.remainder)
    __pow__, __rpow__ = _binary(np.power)
    __matmul__, __rmatmul__ = _binary(np.matmul)
    __and__, __rand__ = _binary(np.bitwise_and)
    __or__, __ror__ = _binary(np.bitwise_or)

    __eq__ = _binary(np.equal)[0]
    __ne__ = _binary(np.not_equal)[0]
    __lt__ = _binary(np.less)[0]
    __le__ = _binary(np.less_equal)[0]
    __gt__ = _binary(np.greater)[0]
    __ge__ = _binary(np.greater_equal)[0]

    __neg__ = _unary(np.negative)
    __pos__ = _unary(np.positive)
    __abs__ = _unary(np.absolute)
    __invert__ = _unary(np.invert)
