"""Lower scans: the step becomes a program, and the scan one statement.

In: a result of a scan whose step is planned. Out: the number of its value.
Guaranteed: arrays that the step's program knows, tables and constants, are operands: they are in
the program once, and not written into the source.
"""

from collections.abc import Callable
from dataclasses import replace

from eingrad._ir import Apply
from eingrad._plan import kernels
from eingrad._plan.lower.writer import Writer
from eingrad._plan.program import InputSpec, Program, Result
from eingrad._primitives import results_of
from eingrad._recurrence import scan_of


def lower_scan(writer: Writer, node: Apply, lower: Callable[..., Program]) -> int:
    """Repeat the program of a step, once for all results; `lower` makes it."""
    row = scan_of(node)
    key = ("scan", row, node.operands)
    found = writer.find(key)
    if found is not None:
        return found + node.result
    step = row.recurrence
    arguments = [(n, InputSpec(n.name, "", n.shape, n.dtype)) for n in step.inputs]
    body = lower(step.results, arguments, written=step.written, most_positions=0)
    tables = body.constants
    specs = tuple(InputSpec(f"table {n}", "", a.shape, a.dtype) for n, a in enumerate(tables))
    body = replace(body, inputs=body.inputs + specs, constants=())
    kernel = kernels.Scan(
        body, row.length, row.is_backward, len(step.constants), len(step.carries), len(tables)
    )
    operands = [writer.number[n] for n in node.operands] + [writer.constant(a) for a in tables]
    results = [Result(shape, dtype) for shape, dtype in results_of(node)]
    first = writer.emit(
        kernel, operands, *results,
        flops=row.length * body.flops, workspace_bytes=body.peak_bytes,
    )  # fmt: skip
    writer.keep(key, first)
    return first + node.result
