"""`Term`: one term of a tensor, as `Expression.terms` gives it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a tensor: ``product of delta[a, b] * core``, zero where a delta is.

    It is constant along an axis that neither the deltas nor the core name. A selection or a reshape
    stays in the core.

    Attributes
    ----------
    deltas : tuple of pairs of int
        The axes of the tensor that are equal where the term is not zero.
    core : Expression
        What is left without them.
    axes : tuple of int
        The axes of the tensor that the core lies on, in order.
    """

    deltas: tuple[tuple[int, int], ...]
    core: Any
    axes: tuple[int, ...]
