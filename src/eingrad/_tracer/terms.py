"""`Term`: one term of a tensor, as `Expression.terms` gives it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a tensor: ``product of delta[a, b] * core``, zero where a delta is.

    It is constant along an axis that neither the deltas nor the core name. Of an expression, a
    selection or a reshape stays in the core. Of a `StructuredTensor` it does not: with `positions`
    the term is that of a grid, and the tensor is zero but for ``tensor[positions]``. A grid has one
    axis for a range, and as many as it has for an array; what lies at one position adds up.

    Attributes
    ----------
    deltas : tuple of pairs of int
        The axes, of the tensor or the grid, that are equal where the term is not zero.
    core : Expression or array
        What is left without them.
    axes : tuple of int
        The axes that the core lies on, in order.
    positions : tuple of range or array of int
        For each axis of the tensor, where the grid lies; empty where the grid is the tensor.
    """

    deltas: tuple[tuple[int, int], ...]
    core: Any
    axes: tuple[int, ...]
    positions: tuple[Any, ...] = ()
