"""What is compared: a derivative of a function at a point, and hand-written NumPy for it.

In: sizes. Out: `Problem`, which draws a `Task`.
Guaranteed: a function is written once, for every library; data that a program would be given anew
at each call are arguments, so that nobody computes with them beforehand.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Hand = Callable[..., Any]  # hand(*args, out=None), as NumPy's functions

VALUE = "value"
GRADIENT = "gradient"
VALUE_AND_GRADIENT = "value and gradient"
JACOBIAN = "Jacobian"
PRODUCT = "Hessian times vector"
HESSIAN = "Hessian"
THIRD = "third derivative"

ORDERS = {
    VALUE: 0, GRADIENT: 1, VALUE_AND_GRADIENT: 1, JACOBIAN: 1, PRODUCT: 2, HESSIAN: 2, THIRD: 3,
}  # fmt: skip


@dataclass(frozen=True)
class Library:
    """What a function is written with, and how the library differentiates it.

    Attributes
    ----------
    xp : object
        Its functions, by the names and with the arguments of NumPy's.
    array : callable
        Makes its array of NumPy's.
    derivatives : mapping
        By what is asked: a function of a function of the first argument.
    batched : callable
        ``batched(f, order)`` of a function of points ``(n, d)``, of which no value depends on
        another point: the derivatives at each, one axis more for each order.
    """

    xp: Any
    array: Callable[[Array], Any]
    derivatives: Mapping[str, Callable[[Callable[..., Any]], Callable[..., Any]]]
    batched: Callable[[Callable[..., Any], int], Callable[[Any], Any]]


@dataclass(frozen=True)
class Task:
    """A problem with its numbers.

    Attributes
    ----------
    asked : str
        Which derivative, in the first argument.
    function : callable
        Makes the function for a library.
    args : tuple of array
        Arguments of the function; of `PRODUCT`, the vector is the second one.
    hand : mapping
        Hand-written versions by name, best ones only.
    expression : str, optional
        What is differentiated, by the name under which `languages` knows it.
    order : int, optional
        Of the derivative, where `function` differentiates itself.
    """

    asked: str
    function: Callable[[Library], Callable[..., Any]]
    args: tuple[Array, ...]
    hand: Mapping[str, Hand] = field(default_factory=dict)
    expression: str = ""
    order: int | None = None


@dataclass(frozen=True)
class Problem:
    """A row: its name, what draws it, and its sizes.

    Attributes
    ----------
    name : str
        What is differentiated, with its sizes.
    make : callable
        ``make(rng, *sizes)`` draws a `Task`.
    sizes : tuple of int
        Those that are timed.
    small : tuple of int
        Those on which all is checked in no time.
    """

    name: str
    make: Callable[..., Task]
    sizes: tuple[int, ...]
    small: tuple[int, ...]

    def task(self, *, small: bool = False) -> Task:
        """Draw it, the same numbers in each process."""
        return self.make(np.random.default_rng(0), *(self.small if small else self.sizes))


def place(out: Array | None, shape: tuple[int, ...]) -> Array:
    """Give where a result is written: the caller's array, or a new one."""
    return np.empty(shape) if out is None else out


@contextlib.contextmanager
def loops_without_buffer() -> Iterator[None]:
    """Let NumPy not copy a broadcast operand through its buffer, as it does for shorter loops.

    Loops of 256 to 4096 entries are up to four times as fast; those below 64 are slower.
    """
    before = np.setbufsize(16)
    try:
        yield
    finally:
        np.setbufsize(before)


def zeros(out: Array | None, shape: tuple[int, ...]) -> Array:
    """Give zeros: the system's, which nobody has to write, or those of the caller's array."""
    if out is None:
        return np.zeros(shape)
    out.fill(0.0)
    return out
