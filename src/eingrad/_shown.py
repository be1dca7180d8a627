"""What a message shows of a value of the user's: not a megabyte of it, and no object's own text.

In: any object, or a text. Out: at most some two hundred letters.
Guaranteed: no code of the object's class runs, but for the `repr` of Python's own types.

>>> shown([1.0, "two"]), len(shown("abc" * 1000))
("[1.0, 'two']", 180)
"""

import reprlib
from typing import Any

import numpy as np

_MOST = 200  # letters


def cut(text: str) -> str:
    """Cut a text of the user's that may be long."""
    return text if len(text) <= _MOST else text[:_MOST] + "..."


def shown(value: Any) -> str:
    """Write a value of Python's own or NumPy's types, cut short; name the type of any other."""
    if not _is_plain(value):
        return f"an object of type {type_name(value)}"
    try:
        return cut(_short.repr(value))
    except Exception:  # an integer of too many digits
        return f"<{type_name(value)}>"


def _is_plain(value: Any) -> bool:
    return isinstance(value, np.generic) or type(value).__module__ == "builtins"


class _Short(reprlib.Repr):
    """Prints containers with a few of their items, which are objects of whatever class."""

    def repr_instance(self, x: Any, level: int) -> str:  # noqa: ARG002 - its signature
        """Name the class of what is not Python's own."""
        return repr(x) if _is_plain(x) else f"<{type_name(x)}>"


_short = _Short()
_short.maxstring = _short.maxother = _short.maxlong = 180


def type_name(value: Any) -> str:
    """Name the class of a value, with its module."""
    kind = type(value)
    if kind.__module__ in ("builtins", "__main__"):
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"
