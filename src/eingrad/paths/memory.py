"""Memory: what there is, and what a problem takes before any intermediate.

In: a problem. Out: bytes.
"""

import math
import os
from pathlib import Path

import numpy as np

from eingrad.paths.problem import Problem

_UNKNOWN = 1 << 32  # bytes, where the system does not say


def available_bytes() -> int:
    """Tell how much memory is free, as the system says; half of all where it does not."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        return next(1024 * int(x.split()[1]) for x in lines if x.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration, IndexError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, OSError, ValueError):
        return _UNKNOWN


def bytes_of_values(problem: Problem) -> int:
    """Tell what operands take, and the results of a reference."""
    given = sum(
        math.prod(operand.shape) * np.dtype(operand.dtype).itemsize
        for operand in problem.operands.values()
    )
    dtypes = [np.dtype(operand.dtype) for operand in problem.operands.values()]
    entries = sum(math.prod(problem.shape(output)) for output in problem.outputs)
    return given + entries * np.result_type(*dtypes).itemsize
