"""What a step takes: flops, and picoseconds from sizes alone, before any array exists.

Flops are counted as opt_einsum does: the product of all sizes, twice that if an index is summed.

>>> contraction_flops({0: 2, 1: 3, 2: 4}, summed=True)
48
"""

import math
from collections.abc import Mapping

from eingrad._ir import Apply
from eingrad._limits import MACHINE
from eingrad._primitives import row_of


def contraction_flops(sizes: Mapping[int, int], *, summed: bool) -> int:
    """Flops of one step over these indices."""
    return math.prod(sizes.values()) * (2 if summed else 1)


def time_to_write(count: int) -> int:
    """Picoseconds for so many bytes of new memory."""
    return count * (MACHINE.byte_written if count < MACHINE.near_bytes else MACHINE.byte_far)


def weighted(flops: int, elements_written: int) -> int:
    """Flops, and elements written as the flops that take as long: what contraction trees cost.

    The ratio is the same for single precision. Calls, and the order in which memory lies, are left
    out: a tree has one call for each step whatever its shape, and what has to be copied depends on
    more than one step.
    """
    return flops + 8 * MACHINE.byte_written // MACHINE.flop * elements_written


def roughly(flops: int, elements: int) -> int:
    """Picoseconds for arithmetic and memory, before it is known by which calls: for estimates.

    As if a cache held what is written: what is larger may be made in pieces.
    """
    return MACHINE.flop * flops + 8 * MACHINE.byte_written * elements


def call_flops(node: Apply) -> int:
    """Flops of a call, as its row counts them."""
    return row_of(node).flops(node.shape, *(n.shape for n in node.operands))
