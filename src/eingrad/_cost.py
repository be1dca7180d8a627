"""What a step costs: flops and elements from sizes alone, before any array exists.

Flops are counted as opt_einsum does: the product of all sizes, twice that if an index is summed.

>>> contraction_flops({0: 2, 1: 3, 2: 4}, summed=True)
48
"""

import math
from collections.abc import Mapping, Sequence

from eingrad._subscripts import Shape

_WRITE_FLOPS = 4  # what writing an element costs, in flops: about memory speed over peak speed


def contraction_flops(sizes: Mapping[int, int], *, summed: bool) -> int:
    """Flops of one step over these indices."""
    return math.prod(sizes.values()) * (2 if summed else 1)


def weighted(flops: int, elements_written: int) -> int:
    """One number to compare plans by: arithmetic plus memory traffic."""
    return flops + _WRITE_FLOPS * elements_written


def call_flops(name: str, operands: Sequence[Shape], result: Shape) -> int:
    """Flops of a row of the primitives' table: leading term of the textbook count."""
    if name in {"inverse", "det", "slogdet", "solve"}:
        *batch, n, _ = operands[0]
        columns = {"inverse": 3 * n, "solve": 3 * operands[-1][-1]}.get(name, 0)
        return math.prod(batch) * (2 * n**3 + 2 * columns * n**2) // 3
    return 0 if name in {"concatenate", "cast"} else math.prod(result)
