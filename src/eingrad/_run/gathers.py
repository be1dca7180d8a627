"""The gathers that scatter a core: what a library of immutable arrays can do.

In: the row-major position in the buffer of each entry of the core, -1 where it is not placed.
Out: steps that take and add.
Guaranteed: NumPy alone, on what is known before any array is given.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eingrad._subscripts import Shape

_Positions = NDArray[np.intp]


class Gathers(NamedTuple):
    """How to scatter a flat core by taking from it, a zero appended: positions of what is taken.

    Each of `sums` adds two takes and is what the next step takes from; `last` gives the buffer.
    """

    first: _Positions
    sums: list[tuple[_Positions, _Positions]]
    last: _Positions


def gathers(positions: _Positions, shape: Shape) -> Gathers:
    """Turn the positions of a core's entries into gathers, for a buffer of this shape.

    Entries are sorted by position. Where one is given several times, neighbours are added in pairs,
    again and again: as many steps as the logarithm of how often it is given.
    """
    flat = positions.reshape(-1)
    order = np.argsort(flat, kind="stable")
    first = order[np.count_nonzero(flat < 0) :]
    at, sums = flat[first], []
    while np.any(at[1:] == at[:-1]):
        rank = np.arange(at.size) - np.searchsorted(at, at)  # among those of one position
        even = np.flatnonzero(rank % 2 == 0)
        has_odd = np.append(at[1:] == at[:-1], [False])[even]
        sums.append((even, np.where(has_odd, even + 1, at.size)))
        at = at[even]
    last = np.full(math.prod(shape), at.size)
    last[at] = np.arange(at.size)
    return Gathers(first, sums, last)
