"""Python's operators, each a ufunc.

In: ``x + y``, ``-x``. Out: what the ufunc gives; of Python numbers alone, what stands for one.
Guaranteed: ``x += y`` is refused where NumPy would write to an array.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from eingrad._place import user_line
from eingrad._tracer.registry import UFUNCS
from eingrad._tracer.ufuncs import record_ufunc
from eingrad._tracer.value import TracedValue, is_array, is_weak, outside_of_verbs, shorten_outside
from eingrad.errors import InPlaceError

_ASKED = frozenset({np.ndarray, int, float})  # of these, too, NumPy asks an expression first


def _binary(ufunc: Any) -> tuple[Callable[..., Any], ...]:
    """Make ``x + y``, ``y + x`` and ``x += y``; past NumPy, where it would only come back."""

    def forward(self: TracedValue, other: Any) -> Any:
        kind = type(other)
        is_asked = (kind is type(self) or kind in _ASKED) and ufunc in UFUNCS
        try:
            result = record_ufunc(ufunc, (self, other)) if is_asked else ufunc(self, other)
        except Exception as error:
            shorten_outside(error)
            raise
        return _as_python(result, self, other) if self._weak else result

    def reflected(self: TracedValue, other: Any) -> Any:
        kind = type(other)
        is_asked = (kind is type(self) or kind in _ASKED) and ufunc in UFUNCS
        try:
            result = record_ufunc(ufunc, (other, self)) if is_asked else ufunc(other, self)
        except Exception as error:
            shorten_outside(error)
            raise
        return _as_python(result, self, other) if self._weak else result

    @outside_of_verbs
    def in_place(self: TracedValue, other: Any) -> Any:
        if not is_array(self):
            return forward(self, other)  # NumPy's scalars are immutable too: the name is rebound
        raise InPlaceError(
            f"a traced value was changed in place at {user_line()}; write x = x + y, not x += y"
        )

    return forward, reflected, in_place


def _unary(ufunc: Any) -> Callable[..., Any]:
    return outside_of_verbs(lambda x: _as_python(ufunc(x), x))


def _as_python(result: Any, *operands: Any) -> Any:
    """What operators of Python numbers give is one too; NumPy's functions of them are not."""
    if isinstance(result, TracedValue) and all(map(is_weak, operands)):
        return type(result)(result._node, result._trace, weak=True)
    return result


class Operators(TracedValue, np.lib.mixins.NDArrayOperatorsMixin):  # noqa: PLW1641 - its subclass has it
    """A traced value that Python can compute with. Abstract; the rarer operators are NumPy's."""

    __slots__ = ()

    __add__, __radd__, __iadd__ = _binary(np.add)
    __sub__, __rsub__, __isub__ = _binary(np.subtract)
    __mul__, __rmul__, __imul__ = _binary(np.multiply)
    __truediv__, __rtruediv__, __itruediv__ = _binary(np.divide)
    __floordiv__, __rfloordiv__, __ifloordiv__ = _binary(np.floor_divide)
    __mod__, __rmod__, __imod__ = _binary(np.remainder)
    __pow__, __rpow__, __ipow__ = _binary(np.power)
    __matmul__, __rmatmul__, __imatmul__ = _binary(np.matmul)
    __and__, __rand__, __iand__ = _binary(np.bitwise_and)
    __or__, __ror__, __ior__ = _binary(np.bitwise_or)

    __lt__ = _binary(np.less)[0]
    __le__ = _binary(np.less_equal)[0]
    __gt__ = _binary(np.greater)[0]
    __ge__ = _binary(np.greater_equal)[0]
    __eq__ = _binary(np.equal)[0]
    __ne__ = _binary(np.not_equal)[0]

    __neg__ = _unary(np.negative)
    __pos__ = _unary(np.positive)
    __abs__ = _unary(np.absolute)
    __invert__ = _unary(np.invert)
