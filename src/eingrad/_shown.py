"""What a message shows of a value of the user's: not a megabyte of it.

>>> shown("abc" * 1000)[:12], len(shown("abc" * 1000))
("'abcabcabcab", 203)
"""

from typing import Any

_MOST = 200  # letters


def cut(text: str) -> str:
    """Cut a text of the user's that may be long."""
    return text if len(text) <= _MOST else text[:_MOST] + "..."


def shown(value: Any) -> str:
    """Write a value as `repr` does, cut where it is long; its type, where it cannot be written."""
    try:
        return cut(repr(value))
    except Exception:  # an integer of too many digits, or an object of the user's
        return f"<{type(value).__name__}>"
