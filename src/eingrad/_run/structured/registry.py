"""Which functions of NumPy's compute with terms.

In: what `functions` registers. Out: a table from a function to its handler.
Guaranteed: a function that is not in it is refused by name.
"""

from collections.abc import Callable
from typing import Any, TypeVar

HANDLERS: dict[Any, Callable[..., Any]] = {}
F = TypeVar("F", bound=Callable[..., Any])


def implements(function: Any) -> Callable[[F], F]:
    """Register what a function of NumPy's does with structured tensors."""

    def register(handler: F) -> F:
        HANDLERS[function] = handler
        return handler

    return register
