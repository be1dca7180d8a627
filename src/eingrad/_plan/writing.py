"""How long it takes to write an array: its bytes, and how often NumPy starts along an axis.

In: a statement, or a result of it. Out: picoseconds.
Guaranteed: deterministic, from sizes alone.
"""

import math

from eingrad._cost import time_to_write
from eingrad._limits import MACHINE
from eingrad._plan.program import Result, Statement


def to_write(statement: Statement) -> int:
    """Time to write the results; what is no new memory the system need not give."""
    if statement.into is not None:
        count = statement.result_bytes
        return count * (MACHINE.byte_written if count < MACHINE.near_bytes else MACHINE.byte_over)
    return sum(time_to_write(result.bytes) for result in statement.results)


def runs(result: Result) -> int:
    """How often NumPy starts along the last axis; those of size one it leaves out."""
    last = next((size for size in result.shape[::-1] if size != 1), 1)
    return math.prod(result.shape) // last if last else 0


def in_disorder(result: Result) -> int:
    """Time that an operand takes more whose axes lie in another order than those of a result."""
    entries = math.prod(result.shape)
    return MACHINE.inner_loop * runs(result) + MACHINE.out_of_order * entries
