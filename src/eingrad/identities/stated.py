"""An identity of the book: its two sides as expressions at given sizes, and where it is checked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad._symbols import differentiate
from eingrad._tracer import Expression

Array = NDArray[Any]
Arrays = dict[str, Array]
Size = tuple[int, int, int]

PATHS = ("left to right", "forward", "reverse", "planned")


@dataclass(frozen=True)
class Stated:
    """Both sides of an identity as expressions, at given sizes.

    ``value`` is what is differentiated in ``variable``; ``tensor`` is the right side of the
    identity, written with trace, transpose and product.
    """

    value: Any
    variable: Any
    tensor: Any

    def derivative(self, order: int, mode: str = "cheapest") -> Expression:
        """Differentiate the left side ``order`` times."""
        return differentiate(self.value, self.variable, order, mode=mode)

    def tensor_form(self, order: int, mode: str = "cheapest") -> Expression:
        """Differentiate the right side, which is of order one, to that order."""
        return differentiate(self.tensor, self.variable, order - 1, mode=mode)

    def sides(self, order: int) -> dict[str, Expression]:
        """Give the tensor form and the derivatives, one expression for each name in `PATHS`."""
        return {
            "left to right": self.tensor_form(order),
            "forward": self.derivative(order, "forward"),
            "reverse": self.derivative(order, "reverse"),
            "planned": self.derivative(order),
        }


@dataclass(frozen=True)
class Point:
    """Where an identity is checked: the variable's value, and all arrays as it varies.

    ``arrays(x, order)`` holds derivatives of an unknown function up to that order.
    """

    x: Array
    arrays: Callable[[Array, int], Arrays]


@dataclass(frozen=True)
class Identity:
    """One identity of the book.

    ``state(size, dtype)`` gives its two sides as expressions, ``sample(rng, size)`` a point.
    ``matrix(arrays, order)`` is its matrix form in plain NumPy, ``plain(arrays)`` the value that is
    differentiated.
    """

    number: str
    statement: str
    latex: str
    shapes: str
    state: Callable[..., Stated]
    sample: Callable[[np.random.Generator, Size], Point]
    plain: Callable[[Arrays], Array]
    matrix: Callable[[Arrays, int], Array]
