"""What structured tensors compute with their terms: functions of NumPy's, methods, attributes.

In: what `functions`, `axes` and `contractions` register. Out: tables to their handlers.
Guaranteed: nothing is registered here; a function that is in no table is refused by name.
"""

from collections.abc import Callable
from typing import Any, TypeVar

HANDLERS: dict[Any, Callable[..., Any]] = {}  # by the function of NumPy's
METHODS: dict[str, Callable[..., Any]] = {}  # by the name of a method of arrays
ATTRIBUTES: dict[str, Callable[[Any], Any]] = {}  # by the name of an attribute of arrays
F = TypeVar("F", bound=Callable[..., Any])


def implements(*functions: Any) -> Callable[[F], F]:
    """Register what functions of NumPy's do with structured tensors."""

    def register(handler: F) -> F:
        for function in functions:
            HANDLERS[function] = handler
        return handler

    return register
