"""Lower applications: rows of the primitives' table, and mirrors of symmetric results."""

import numpy as np

from eingrad import _ir
from eingrad._cost import call_flops
from eingrad._ir import Apply, Placement
from eingrad._limits import POLICY
from eingrad._plan import kernels
from eingrad._plan.lower.memory import reshaped
from eingrad._plan.lower.writer import Writer
from eingrad._plan.mirror import flat_groups, is_exactly_symmetric
from eingrad._plan.program import Result
from eingrad._primitives import is_elementwise, results_of, row_of

_BOOL = np.dtype(bool)


def lower_call(writer: Writer, node: Apply) -> int:
    """Call a row of the table, once for all its results."""
    one_by_one = is_elementwise(node)
    operands = (
        _with_numbers(writer, node) if one_by_one else [writer.number[n] for n in node.operands]
    )
    results = [Result(shape, dtype) for shape, dtype in results_of(node)]
    flops = call_flops(node)
    kernel = kernels.Call(row_of(node), node.attributes)
    key = ("call", node.primitive.identity, node.operands, node.attributes)
    return writer.once(key, kernel, operands, *results, flops=flops) + node.result


def _with_numbers(writer: Writer, node: Apply) -> list[int]:
    """Write a tensor of equal entries as one number, where another operand gives the shape."""
    below = node.operands
    shaped = any(not _ir.is_fill(n) and n.dtype == below[-1].dtype for n in below)
    return [
        writer.literal(n.coefficient, n.dtype)
        if shaped and isinstance(n, Placement) and not n.factors
        else writer.number[n]
        for n in below
    ]


def lower_mirror(writer: Writer, node: Apply) -> int:
    """Copy one entry to all that must equal it, unless all are computed alike."""
    (below,) = node.operands
    value = writer.number[below]
    if is_exactly_symmetric(below, node.symmetry):
        return value
    flat, groups = flat_groups(below, node.symmetry)
    if not groups:
        return value
    kernel = kernels.Mirror(flat, groups, node.size > POLICY.mirrored_at_once)
    result = Result(node.shape, node.dtype)
    if not kernel.in_place:
        triangles = [_triangle(writer, flat[axis]) for axis in kernel.axes]
        return writer.emit(kernel, (value, *triangles), result)
    made = writer.statement(value)
    if made is None or made.is_alias:
        value = writer.copy(value)  # not ours to write to
    is_copied = reshaped(writer.array(value), flat) is None
    workspace = result.bytes if is_copied else 0
    return writer.emit(kernel, (value,), result, workspace_bytes=workspace)


def _triangle(writer: Writer, n: int) -> int:
    """Make a mask of the lower triangle of a matrix, once."""
    result = Result((n, n), _BOOL)
    return writer.once(("triangle", n), kernels.Triangle(), (), result)
