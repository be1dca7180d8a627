"""What a step costs: flops and elements from sizes alone, before any array exists.

Flops are counted as opt_einsum does: the product of all sizes, twice that if an index is summed.

>>> contraction_flops({0: 2, 1: 3, 2: 4}, summed=True)
48
"""

import math
from collections.abc import Mapping

from eingrad._ir import Apply
from eingrad._primitives import row_of

_WRITE_FLOPS = 4  # what writing an element costs, in flops: about memory speed over peak speed


def contraction_flops(sizes: Mapping[int, int], *, summed: bool) -> int:
    """Flops of one step over these indices."""
    return math.prod(sizes.values()) * (2 if summed else 1)


def weighted(flops: int, elements_written: int) -> int:
    """One number to compare plans by: arithmetic plus memory traffic."""
    return flops + _WRITE_FLOPS * elements_written


def call_flops(node: Apply) -> int:
    """Flops of a call, as its row counts them."""
    return row_of(node).flops(node.shape, *(n.shape for n in node.operands))
