"""Differentiate numerically: by complex steps, or by central differences."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad.errors import DTypeError, TraceError
from eingrad.verify.rounding import largest

Array = NDArray[Any]

_MOST_DIRECTIONS = 32
_STENCIL = ((1, 4 / 5), (2, -1 / 5), (3, 4 / 105), (4, -1 / 280))  # of eighth order
_SMALLER = 8.0  # how much smaller the next step of a difference is


def some_directions(size: int, rng: np.random.Generator) -> list[Array]:
    """Every unit direction, or some random ones where there are many."""
    if size <= _MOST_DIRECTIONS:
        return list(np.eye(size))
    return list(rng.choice([-1.0, 1.0], size=(_MOST_DIRECTIONS, size)) / np.sqrt(size))


def stepped(
    below: Callable[[Array], Array], x: Array, directions: Sequence[Array], exact: Array,
    tol: float | None,
) -> tuple[str, Array, float]:  # fmt: skip
    """Differentiate along directions: by complex step where the function is analytic."""
    eps = float(np.finfo(x.dtype).eps)
    step = 1e-30
    try:
        moved = [np.imag(below(x + step * 1j * v)) / step for v in directions]
    except (TraceError, DTypeError):
        pass
    else:
        return "complex step", np.stack(moved), tol or 1e5 * eps
    tolerance = tol or float(np.sqrt(eps))
    close = tolerance * largest(exact) / 2
    central = [
        _difference(below, x, v, derivative, close)
        for v, derivative in zip(directions, exact, strict=True)
    ]
    return "difference", np.stack(central), tolerance


def _difference(
    below: Callable[[Array], Array], x: Array, direction: Array, exact: Array, close: float
) -> Array:
    """Take a central difference with the step, of ever smaller ones, that agrees best.

    A large step is the most exact, unless it reaches a kink; a small one loses digits.
    """
    eps = float(np.finfo(x.dtype).eps)
    step = eps ** (1 / 9) * max(1.0, largest(x))
    best, least = np.full_like(exact, np.nan), np.inf
    while step > np.sqrt(eps):
        values = [
            c * (below(_at(x, k * step, direction)) - below(_at(x, -k * step, direction)))
            for k, c in _STENCIL
        ]
        found = np.asarray(sum(values)) / step
        error = largest(found - exact)
        if error < least:
            best, least = found, error
        if error <= close:
            break
        step /= _SMALLER
    return best


def _at(x: Array, step: float, direction: Array) -> Array:
    return np.asarray(x + step * direction, x.dtype)
