"""Values of different orders compared: shapes, and entries relative to the largest one.

In: results, those of a reference, data types. Out: an error, and what agreement is.
Guaranteed: what is infinite or no number in one must be so in the other.
"""

import math
from collections.abc import Sequence

import numpy as np

from eingrad.paths.problem import Array, Problem


def tolerance_of(problem: Problem) -> float:
    """Half of the digits of the coarsest data type: orders round differently, and may cancel."""
    kinds = [np.dtype(operand.dtype) for operand in problem.operands.values()]
    inexact = [dtype for dtype in kinds if dtype.kind in "fc"] or [np.dtype(float)]
    return max(math.sqrt(float(np.finfo(dtype).eps)) for dtype in inexact)


def check_shapes(problem: Problem, results: Sequence[Array]) -> str:
    """Say which output has a wrong shape; "" if all are right."""
    if len(results) != len(problem.outputs):
        return f"it gave {len(results)} outputs of {len(problem.outputs)}"
    for n, (output, result) in enumerate(zip(problem.outputs, results, strict=True)):
        if result.shape != problem.shape(output):
            return f"output {n} has shape {result.shape}, not {problem.shape(output)}"
    return ""


def largest_error(results: Sequence[Array], reference: Sequence[Array]) -> float:
    """Largest difference of entries, relative to the largest entry of all outputs."""
    pairs = [(_real(x), _real(y)) for x, y in zip(results, reference, strict=True)]
    scale = max((_largest(part) for pair in pairs for part in pair), default=0.0)
    return max((_difference(x, y) for x, y in pairs), default=0.0) / (scale or 1.0)


def _real(values: Array) -> Array:
    """Give what differences can be taken of: truth values have none, integers may overflow."""
    array = np.asarray(values)
    return array.astype(float) if array.dtype.kind in "bui" else array


def _largest(array: Array) -> float:
    finite = np.abs(array[np.isfinite(array)])
    return float(finite.max()) if finite.size else 0.0


def _difference(x: Array, y: Array) -> float:
    finite = np.isfinite(x)
    if not np.array_equal(finite, np.isfinite(y)):
        return math.inf
    if not np.array_equal(x[~finite], y[~finite], equal_nan=True):
        return math.inf
    return float(np.abs(x[finite] - y[finite]).max()) if finite.any() else 0.0
