"""Say of a program what NumPy would not: which operand is singular, which step has too many axes.

In: a program, and NumPy's error. Out: an error in the user's words.
"""

import sys
import traceback

import numpy as np

from eingrad._emit import line_of, steps
from eingrad._memory import Limit, exceeded
from eingrad._plan import Program, Result, Statement
from eingrad._plan.kernels import MatMul, Rescan, Scan
from eingrad._plan.network import MOST_AXES
from eingrad._shown import cut
from eingrad.errors import MemoryLimitError, ShapeError

_OF_DERIVATIVE = (
    "multiply the derivative with what it is for, as eingrad.hvp does, take a block of it, as in "
    "eingrad.plan(lambda x: D(x)[:10], x), pass structured=True if it is mostly zeros, or lower "
    "the order"
)
_OF_SCAN = (
    "that is what the steps give; what their way back needs is stored for fewer of them, and "
    "computed again, as far as that helps: carry less from each step to the next, or allow more"
)
_ON_THE_WAY = (
    "that is no result, but made on the way: add its parts up one after the other, in a scan over "
    "them (eingrad.scan), or allow more"
)


def check_axes(program: Program) -> None:
    """Refuse a program with a step that no array can hold, before anything is computed."""
    for statement in program.steps():
        count = _axes_within(statement)
        if count > MOST_AXES:
            raise ShapeError(
                f"a step of the plan ({statement.kernel.label}) has {count} axes, shape "
                f"{cut(str(statement.shape))}, but NumPy arrays have at most {MOST_AXES}; flatten "
                "arguments with np.reshape, or lower the order"
            )


def _axes_within(statement: Statement) -> int:
    """Count the axes of the result, and of operands that are given one more."""
    count = max((len(result.shape) for result in statement.results), default=0)
    kernel = statement.kernel
    if isinstance(kernel, MatMul) and kernel.batch:
        for side in kernel.sides:
            axes = side.axes if side.flat is None else side.flat
            count = max(count, len(axes) + side.is_vector)
    return count


def too_large(program: Program, limit: Limit | None = None) -> str:
    """Say what takes more memory than a limit, or else than the machine has; "" if nothing does."""
    peak = program.peak_bytes
    above = exceeded(limit, peak)
    found = _largest(program)
    if found is None:
        return ""
    statement, result = found
    if result.bytes > sys.maxsize:
        more = "more than an array can have"
    elif above is not None:
        more = f"and the plan {peak:,} at its peak, more than the {above.bytes:,} of {above.of}"
    else:
        return ""
    return (
        f"a step of the plan ({statement.kernel.label}) has shape {cut(str(result.shape))}, "
        f"{result.bytes:,} bytes, {more}; {_remedy(program)}"
    )


def _largest(program: Program) -> tuple[Statement, Result] | None:
    """Find the step whose result takes the most memory: of its own, where an array can have it."""
    steps = [(s, result) for s in program.steps() for result in s.results]
    impossible = [step for step in steps if step[1].bytes > sys.maxsize]
    new = [step for step in steps if step[0].bytes]
    return max(impossible or new or steps, key=lambda step: step[1].bytes, default=None)


def _remedy(program: Program) -> str:
    """Say what to do, by what takes most: the derivative itself, or what is made on the way."""
    found, values = _largest(program), program.values()
    largest = 0 if found is None else found[1].bytes
    if found is None or max(values[n].bytes for n in program.outputs) >= largest:
        return _OF_DERIVATIVE
    return _OF_SCAN if isinstance(found[0].kernel, Scan | Rescan) else _ON_THE_WAY


def check_limit(program: Program, limit: Limit | None) -> None:
    """Refuse a plan that takes more memory than the user has said it may."""
    refusal = too_large(program, limit) if limit is not None else ""
    if refusal:
        raise MemoryLimitError(refusal)


def explained(error: np.linalg.LinAlgError | MemoryError, program: Program) -> Exception:
    """Say which operand is singular, or what a plan takes that the system had no memory for."""
    if isinstance(error, np.linalg.LinAlgError):
        return singular(error, program)
    cause = str(error) or "there is not enough memory"
    peak = f"the plan takes {program.peak_bytes:,} bytes at its peak"
    return MemoryLimitError(f"{cause}; {peak}; {_remedy(program)}")


def singular(error: np.linalg.LinAlgError, program: Program) -> np.linalg.LinAlgError:
    """Name the operand that a step of linear algebra could not take."""
    frames = [*traceback.walk_tb(error.__traceback__)][1:]  # 0 is the caller of the source
    source = frames[0][0].f_code.co_filename
    lines = dict(steps(program))
    number = [n for frame, n in frames if frame.f_code.co_filename == source and n in lines][-1]
    del frames
    statement = lines[number]
    operand, body = statement.operands[0], _with(program, statement)
    spec = body.inputs[operand] if operand < len(body.inputs) else None
    shown = repr(spec.name) if spec else _made(program, body, operand)
    if body is not program:
        shown = shown if spec is None else "that it is given"
        shown += " in a step of a scan"
    shape = body.values()[operand].shape
    return np.linalg.LinAlgError(
        f"{error}: operand {shown} of shape {shape}, in "
        f"`{line_of(program, number)}`, line {number} of the plan's source; neither its inverse "
        "nor a derivative through it exists there"
    )


def _with(program: Program, statement: Statement) -> Program:
    """Find the program that has a statement: the whole, or the body of a scan."""
    if any(s is statement for s in program.statements):
        return program
    bodies = (body for s in program.statements for body in s.bodies)
    return next(_with(b, statement) for b in bodies if any(s is statement for s in b.steps()))


def _made(program: Program, body: Program, value: int) -> str:
    """Say which line of the source makes a value; a loop fills what another line begins."""
    own = [*map(id, body.statements)]
    lines = {n: s for n, s in steps(program) if id(s) in own}
    line = next((line_of(program, n) for n, s in lines.items() if value in s.targets), "")
    loop = next((n for n, s in lines.items() if value in s.written), None)
    return (
        f"`{line.partition(' = ')[0]}` that the loop in line {loop} makes" if loop else f"`{line}`"
    )
