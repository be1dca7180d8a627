"""How long a program is predicted to take, from sizes alone.

In: a program. Out: picoseconds, an integer.
Guaranteed: deterministic. Over the plans of `benchmarks/cost_model.py` the order of predictions is
that of times (rank correlation 0.99), and all but one are off by less than four times.

What counts, besides flops: each call of NumPy; memory written, more where no cache holds it; the
inner loops of NumPy, which are short where the last axis is; the order in which memory is read.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, assert_never

import numpy as np

from eingrad._cost import time_to_write
from eingrad._limits import MACHINE
from eingrad._plan.kernels import (
    Add,
    At,
    Call,
    Copy,
    EinsumLoop,
    Fill,
    Loop,
    MatMul,
    Mirror,
    Multiply,
    Number,
    Outer,
    PickAxis,
    Place,
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
from eingrad._subscripts import Subscripts

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
    operands = [values[n] for n in statement.operands]
    written = _to_write(statement)
    match statement.kernel:
        case Number():
            return 0
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
        case Multiply() as product:
            whole = math.prod(statement.shape)
            count = sum(
                n in disordered and math.prod(r.shape) == whole
                for n, r in zip(statement.operands, operands, strict=True)
            )
            late = count * _in_disorder(statement.results[0])
            return MACHINE.call + written + _broadcast(statement, product) + late
        case Outer() as product:
            return _outer(statement, product, operands, disordered) + written
        case Add():
            passes = max(1, len(operands) - 1)
            count = sum(n in disordered for n in statement.operands)
            return passes * (MACHINE.call + written) + count * _in_disorder(statement.results[0])
        case Sum() as total:
            return MACHINE.reduction + _summed(total, operands[0])
        case MatMul() as product:
            return _multiplied(statement, product, operands) + written
        case EinsumLoop():
            return 2 * MACHINE.factorisation + MACHINE.scattered * statement.flops
        case Call() as call:
            return _called(statement, call, operands) + written
        case Mirror() as mirror:
            return _mirrored(statement, mirror)
        case Triangle():
            return 0  # made once
        case Place() as kernel:
            looks = len(kernel.pieces) * MACHINE.diagonal
            entry = MACHINE.added if _adds_over_axes(kernel) else MACHINE.scattered
            is_over_base = kernel.has_base and statement.into == statement.operands[0]
            made = 0 if is_over_base else MACHINE.call + written
            return made + looks + entry * statement.flops
        case Loop(body=body, passes=passes):
            return len(passes) * (MACHINE.product + _of_body(body))
        case Scan(carries=carries) as scan:
            return written + _of_passes(scan, (carries, carries))
        case Rescan(there=there, back=back) as scan:
            return written + _of_passes(scan, (there.carries, there.carries, back.carries))
        case _ as unknown:
            assert_never(unknown)


def _of_passes(scan: Scan | Rescan, carries: Sequence[int]) -> int:
    """Predict all passes of a scan; of each body, so many results are carries."""
    return sum(
        count * (MACHINE.product + (len(body.outputs) - n) * MACHINE.view + _of_body(body))
        for (body, count), n in zip(scan.passes_of, carries, strict=False)
    )


def _adds_over_axes(kernel: Place) -> bool:
    """Whether a piece is added at positions of several axes: NumPy does that entry by entry."""
    return any(
        len(piece.labels) > 1
        and (isinstance(piece.where, At) or any(isinstance(w, PickAxis) for w in piece.where))
        for piece in kernel.pieces
    )


def _to_write(statement: Statement) -> int:
    """Time to write the results; what is no new memory the system need not give."""
    if statement.into is not None:
        count = statement.result_bytes
        return count * (MACHINE.byte_written if count < MACHINE.near_bytes else MACHINE.byte_over)
    return sum(map(_written, statement.results))


def _written(result: Result) -> int:
    """Time to write a new array."""
    return time_to_write(result.bytes)


def _runs(result: Result) -> int:
    """How often NumPy starts along the last axis; those of size one it leaves out."""
    last = next((size for size in result.shape[::-1] if size != 1), 1)
    return math.prod(result.shape) // last if last else 0


def _broadcast(statement: Statement, product: Multiply) -> int:
    """Time for factors that do not lie as the result does: they are repeated, or read from afar.

    NumPy copies what it repeats, but for long runs. If a factor has its axes in another order,
    those of the other among them, NumPy makes the result in one in which runs are longer:
    only starts are counted.
    """
    sizes = dict(zip(product.out, statement.shape, strict=True))
    out, *terms = (tuple(i for i in t if sizes[i] != 1) for t in (product.out, *product.terms))
    count = sum(term not in ((), out) for term in terms)
    if not count:
        return 0
    is_outer = {*terms[0]}.isdisjoint(terms[1]) and any({*out[: len(t)]} == {*t} for t in terms)
    if not is_outer and any([*term] != sorted(term, key=out.index) for term in terms):
        return MACHINE.broadcast + MACHINE.inner_loop * _runs(statement.results[0])
    run, entries = _run(terms, out, sizes), math.prod(statement.shape)
    runs = entries // run if run else 0
    copied = statement.result_bytes if (1 + count) * run <= MACHINE.buffer else 0
    each = MACHINE.inner_loop * runs + MACHINE.byte_repeated * copied
    return MACHINE.broadcast + count * each


def _run(terms: Sequence[Subscripts], out: Subscripts, sizes: Mapping[int, int]) -> int:
    """How far NumPy goes at once: over last axes that each factor has side by side, or lacks."""
    run = sizes[out[-1]]
    for pair in itertools.pairwise(out[::-1]):
        for term in terms:
            if pair not in itertools.pairwise(term[::-1]) and not {*pair}.isdisjoint(term):
                return run
        run *= sizes[pair[1]]
    return run


def _outer(
    statement: Statement, product: Outer, operands: Sequence[Result], disordered: Set[int]
) -> int:
    """Time of BLAS to multiply, with what is moved before."""
    pairs = zip(statement.operands, product.terms, operands, strict=True)
    late = sum(r.bytes for n, term, r in pairs if n in disordered and len(term) > 1)
    moved = MACHINE.byte_moved * max(late, statement.workspace_bytes)
    return MACHINE.outer + MACHINE.byte_outer * statement.result_bytes + moved


def _in_disorder(result: Result) -> int:
    entries = math.prod(result.shape)
    return MACHINE.inner_loop * _runs(result) + MACHINE.out_of_order * entries


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


def _multiplied(statement: Statement, product: MatMul, operands: Sequence[Result]) -> int:
    """Time of BLAS, or of reading what it multiplies, with what is moved before."""
    looks = sum(
        (side.flat is not None) + ([*side.axes] != sorted(side.axes)) for side in product.sides
    )
    calls = MACHINE.product + (MACHINE.batch if product.batch else 0)
    calls += _many(statement, product)
    moved = MACHINE.byte_moved * statement.workspace_bytes
    flops = statement.flops * _flop(statement.results[0].dtype)
    read = MACHINE.byte_read * sum(operand.bytes for operand in operands)
    packed = MACHINE.byte_packed * _packed(statement, product, operands)
    multiplied = max(flops, read) + packed + _copied(statement, product)
    return calls + MACHINE.view * looks + moved + multiplied


def _packed(statement: Statement, product: MatMul, operands: Sequence[Result]) -> int:
    """Bytes that BLAS copies before it multiplies: both matrices of each product, not vectors.

    That is what it takes longest for where one side of a matrix is short.
    """
    if any(side.is_vector for side in product.sides):
        return 0
    batch = dict(zip(product.out[: product.batch], statement.shape, strict=False))
    again = (
        math.prod(size for index, size in batch.items() if index not in term)
        for term in product.terms
    )
    return sum(times * operand.bytes for times, operand in zip(again, operands, strict=True))


def _copied(statement: Statement, product: MatMul) -> int:
    """Time to copy one triangle to the other, rows of blocks at once: five calls for each."""
    half = product.half
    if half is None or not half.mirrored:
        return 0
    blocks = -(-half.rows // half.step)
    return blocks * 5 * MACHINE.product + MACHINE.byte_written * statement.result_bytes // 2


def _many(statement: Statement, product: MatMul) -> int:
    """Time for the starts of BLAS, or of a loop of NumPy's, one for each matrix of a batch."""
    matrices = math.prod(statement.shape[: product.batch]) if product.batch else 0
    dots = all(side.is_vector for side in product.sides)
    return matrices * (MACHINE.dot if dots else MACHINE.matrix)


def _flop(dtype: np.dtype[Any]) -> int:
    """Time of a flop: the opt_einsum count has one for the eight of a complex product."""
    real = dtype.itemsize // (2 if dtype.kind == "c" else 1)
    each = MACHINE.flop // 2 if real == 4 else MACHINE.flop  # noqa: PLR2004 - bytes of single precision
    return 4 * each if dtype.kind == "c" else each


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
    return len(mirror.axes) * (MACHINE.selection + 4 * _written(result))
