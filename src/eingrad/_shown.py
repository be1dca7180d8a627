"""What a message shows of a value of the user's: not a megabyte of it, and no object's own text.

In: any object, or a text. Out: at most some two hundred letters.
Guaranteed: no code of the user's runs: only objects of Python's and NumPy's own types, and of no
subclass, are asked for their `repr`.

>>> shown([1.0, "two"]), len(shown("abc" * 1000))
("[1.0, 'two']", 180)
"""

import reprlib
import types
from typing import Any

import numpy as np

_MOST = 200  # letters
_PLAIN = frozenset(
    {bool, int, float, complex, str, bytes, bytearray, type(None), type(Ellipsis), tuple, list}
    | {dict, set, frozenset, range, type, types.FunctionType, types.CodeType}
)
_SCALARS = frozenset(np.sctypeDict.values()) - {np.void}  # of no subclass


def cut(text: str, most: int = _MOST) -> str:
    """Cut a text of the user's that may be long."""
    return text if len(text) <= most else text[:most] + "..."


def shown(value: Any) -> str:
    """Write a value of Python's own or NumPy's types, cut short; name the type of any other."""
    if type(value) is np.ndarray:
        return f"an array of shape {value.shape}"
    if not is_plain(value):
        return f"an object of type {type_name(value)}"
    try:
        return cut(_short.repr(value))
    except Exception:  # an integer of too many digits
        return f"<{type_name(value)}>"


def is_plain(value: Any) -> bool:
    """Whether `repr` runs no code but Python's and NumPy's, that of the items of it apart."""
    kind = type(value)
    if kind is slice:
        return all(map(is_plain, (value.start, value.stop, value.step)))
    return kind in _PLAIN or (kind in _SCALARS and kind is not np.object_)


class _Short(reprlib.Repr):
    """Prints containers with a few of their items, which are objects of whatever class."""

    def repr_instance(self, x: Any, level: int) -> str:  # noqa: ARG002 - its signature
        """Name the class of what is not Python's own."""
        return repr(x) if is_plain(x) else f"<{type_name(x)}>"


_short = _Short()
_short.maxstring = _short.maxother = _short.maxlong = 180


def type_name(value: Any) -> str:
    """Name the class of a value, with its module."""
    kind = type(value)
    if kind.__module__ in ("builtins", "__main__"):
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"
