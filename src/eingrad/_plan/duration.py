"""How long a program is predicted to take, from sizes alone.

In: a program. Out: picoseconds, an integer.
Guaranteed: deterministic. Over the plans of `benchmarks/cost_model.py` the order of predictions is
that of times (rank correlation 0.99), and all but one are off by less than four times.

What counts, besides flops: each call of NumPy; memory written, more where no cache holds it; the
inner loops of NumPy, which are short where the last axis is; the order in which memory is read.
"""

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import assert_never

from eingrad._cost import time_to_write
from eingrad._limits import MACHINE
from eingrad._plan.duration_of_products import of_product
from eingrad._plan.kernels import (
    Add,
    At,
    Call,
    Copy,
    Fill,
    Loop,
    Loops,
    Mirror,
    Multiply,
    Number,
    PickAxis,
    Place,
    Products,
    Rescan,
    Reshape,
    Scale,
    Scan,
    Slice,
    Sum,
    Take,
    Triangle,
    View,
)
from eingrad._plan.program import Program, Result, Statement
from eingrad._plan.writing import in_disorder, to_write

_Values = Sequence[Result] | Mapping[int, Result]  # by number


def picoseconds(program: Program) -> int:
    """Predict the time of a call, the entry included."""
    return MACHINE.entry + _of_body(program)


def _of_body(program: Program) -> int:
    values, disordered = program.values(), out_of_order(program.statements)
    return sum(of_statement(s, values, disordered) for s in program.statements)


def out_of_order(statements: Iterable[Statement]) -> set[int]:
    """Values whose axes may not lie in order: NumPy gives a result the order of its operands."""
    found: set[int] = set()
    for statement in statements:
        match statement.kernel:
            case View(out=out) if len(out) > 1:
                found.update(statement.targets)
            case Multiply(terms=terms, out=out) if len(out) > 2 and {*terms} != {out}:  # noqa: PLR2004 - a matrix is as fast
                found.update(statement.targets)
    return found


def of_statement(  # noqa: C901, PLR0911, PLR0912 - one case for each kernel
    statement: Statement, values: _Values, disordered: Set[int]
) -> int:
    """Predict the picoseconds of one step; `values` are those that it is given."""
    kernel, operands = statement.kernel, [values[n] for n in statement.operands]
    written = to_write(statement)
    if isinstance(kernel, Products):
        return of_product(statement, kernel, operands, disordered)
    if isinstance(kernel, Loops):
        return _of_loop(kernel, written)
    match kernel:
        case Number() | Triangle():
            return 0  # written into others; made once
        case Slice() | Reshape():
            return MACHINE.view
        case View(terms=(term,), out=out):
            is_order = len({*term}) == len(term) == len(out)
            return MACHINE.view if is_order else MACHINE.diagonal
        case Fill() | Copy():
            return MACHINE.call + written
        case Scale():
            return MACHINE.call + MACHINE.view + written
        case Take():
            return MACHINE.product + MACHINE.byte_far * statement.result_bytes
        case Add():
            passes = max(1, len(operands) - 1)
            count = sum(n in disordered for n in statement.operands)
            return passes * (MACHINE.call + written) + count * in_disorder(statement.results[0])
        case Sum() as total:
            return MACHINE.reduction + _summed(total, operands[0])
        case Call() as call:
            return _called(statement, call, operands) + written
        case Mirror() as mirror:
            return _mirrored(statement, mirror)
        case Place() as place:
            return _placed(statement, place, written)
        case _ as unknown:
            assert_never(unknown)


def _of_loop(kernel: Loops, written: int) -> int:
    """Predict all passes; of a scan, with what is written of them."""
    match kernel:
        case Loop(body=body, passes=passes):
            return len(passes) * (MACHINE.product + _of_body(body))
        case Scan(carries=carries) as scan:
            return written + _of_passes(scan, (carries, carries))
        case Rescan(there=there, back=back) as scan:
            return written + _of_passes(scan, (there.carries, there.carries, back.carries))


def _of_passes(scan: Scan | Rescan, carries: Sequence[int]) -> int:
    """Predict all passes of a scan; of each body, so many results are carries."""
    return sum(
        count * (MACHINE.product + (len(body.outputs) - n) * MACHINE.view + _of_body(body))
        for (body, count), n in zip(scan.passes_of, carries, strict=False)
    )


def _placed(statement: Statement, place: Place, written: int) -> int:
    """Time to write the base, where it is not there, and to put or add entries on it."""
    looks = len(place.pieces) * MACHINE.diagonal
    entry = MACHINE.added if _adds_over_axes(place) else MACHINE.scattered
    is_over_base = place.has_base and statement.into == statement.operands[0]
    made = 0 if is_over_base else MACHINE.call + written
    return made + looks + entry * statement.flops


def _adds_over_axes(kernel: Place) -> bool:
    """Whether a piece is added at positions of several axes: NumPy does that entry by entry."""
    return any(
        len(piece.labels) > 1
        and (isinstance(piece.where, At) or any(isinstance(w, PickAxis) for w in piece.where))
        for piece in kernel.pieces
    )


def _summed(total: Sum, operand: Result) -> int:
    """Time to read and add: in runs over trailing axes that are all summed, or all kept."""
    (term,) = total.terms
    is_kept, run = term[-1] in total.out, 1
    for index, size in zip(term[::-1], operand.shape[::-1], strict=True):
        if (index in total.out) != is_kept:
            break
        run *= size
    runs = math.prod(operand.shape) // run if run else 0
    return MACHINE.byte_read * operand.bytes + MACHINE.inner_loop_of_sum * runs


def _called(statement: Statement, call: Call, operands: Sequence[Result]) -> int:
    """Time of a row: for each entry, of a factorisation, or of a pass along an axis."""
    entries, dtype = math.prod(statement.shape), statement.results[0].dtype
    if call.row.core == ():
        times = MACHINE.complex_function if dtype.kind == "c" else 1
        return MACHINE.call + entries * call.row.picoseconds * times
    if call.row.is_factorisation:
        return MACHINE.factorisation + statement.flops * MACHINE.flop_of_factorisation
    return MACHINE.reduction + MACHINE.byte_read * sum(operand.bytes for operand in operands)


def _mirrored(statement: Statement, mirror: Mirror) -> int:
    (result,) = statement.results
    if mirror.in_place:
        rows = sum(mirror.flat[axis] for axis in mirror.axes)
        return MACHINE.row * rows + MACHINE.byte_far * result.bytes
    return len(mirror.axes) * (MACHINE.selection + 4 * time_to_write(result.bytes))
