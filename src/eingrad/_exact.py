"""Values of the builtin types themselves: what is written as text must write itself as we expect.

In: a number, a string, a tuple of them, of a subclass perhaps. Out: the same of the exact type.
Guaranteed: no method of a subclass that writes text, `__repr__`, `__str__`, `__format__`, is called
here, nor can be later.

>>> class Named(int):
...     def __repr__(self):
...         return "code()"
>>> exact((Named(2), 0.5))
(2, 0.5)
"""

import operator
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np

_EXACT = frozenset({bool, int, float, complex, str, bytes, type(None)})


def sizes(shape: Iterable[Any]) -> tuple[int, ...]:
    """Sizes of axes, as exact integers."""
    return tuple(map(operator.index, shape))


def exact(value: Any) -> Any:
    """Give a value its exact builtin type; refuse one of another kind."""
    kind = type(value)
    if kind in _EXACT:
        return value
    if isinstance(value, tuple):
        return tuple(map(exact, value))
    if isinstance(value, np.generic):
        return exact(value.item())
    if isinstance(value, Fraction):
        return _exact_fraction(value)
    for builtin, convert in _CONVERT.items():
        if isinstance(value, builtin):
            return convert(value)
    raise TypeError(f"a value of type {kind.__name__} cannot be written as text")


def _exact_fraction(value: Fraction) -> Fraction:
    parts = value.numerator, value.denominator
    if type(value) is Fraction and type(parts[0]) is int and type(parts[1]) is int:
        return value
    return Fraction(*map(operator.index, parts))


# Methods of the builtin types, which no subclass replaces.
_CONVERT: dict[type, Any] = {
    int: operator.index,
    float: float.__float__,
    complex: complex.__complex__,
    str: str.__str__,
}


def is_exact(value: Any) -> bool:
    """Whether a value, and all that it holds, is of a type that this library writes as text."""
    kind = type(value)
    if kind in _EXACT or kind in (range, np.dtype) or isinstance(value, np.dtype):
        return True
    if kind in (tuple, list):
        return _EXACT.issuperset(map(type, value)) or all(map(is_exact, value))
    if kind is dict:
        return all(map(is_exact, value)) and all(map(is_exact, value.values()))
    if kind is Fraction:
        return type(value.numerator) is int and type(value.denominator) is int
    return kind is np.ndarray and value.dtype.kind in "biufc"
