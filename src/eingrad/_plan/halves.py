"""Blocked SYRK: of a matrix product that is mirrored, one triangle is computed.

In: a program. Out: an equal one, in which the matrix products that only a mirror needs are made by
rows of blocks, those on one side of the diagonal.
Guaranteed: what is mirrored has the same entries; the others are zero until then. Four rows of
blocks take 5/8 of the flops.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from eingrad._limits import POLICY
from eingrad._plan.kernels import (
    Add,
    Copy,
    Half,
    Loop,
    MatMul,
    Mirror,
    Place,
    Reshape,
    Scale,
    View,
)
from eingrad._plan.program import Program, Statement

_Wanted = tuple[int, bool]  # a value, and whether its upper triangle is what is needed


def halved(program: Program) -> Program:
    """Make half of the products that are mirrored."""
    wanted = [
        (s.operands[0], True)
        for s in program.statements
        if isinstance(s.kernel, Mirror)
        and s.kernel.in_place
        and s.kernel.axes == (0,)
        and len(s.kernel.flat) == 2  # noqa: PLR2004 - a matrix
    ]
    return _with_halves(program, wanted)


def _with_halves(program: Program, wanted: Iterable[_Wanted]) -> Program:
    """Follow what is wanted of values back to the products they are sums of."""
    statements = [*program.statements]
    made = {target: n for n, s in enumerate(statements) for target in s.targets}
    uses = Counter(value for s in statements for value in s.operands)
    uses.update(program.outputs)
    writing: dict[int, list[int]] = {}  # by buffer, the loops that write to it
    for n, s in enumerate(statements):
        for buffer in s.written:
            writing.setdefault(buffer, []).append(n)
    pending = [*wanted]
    while pending:
        value, upper = pending.pop()
        loops = writing.get(value, [])
        if value not in made or uses[value] > 1 + len(loops):
            continue  # somebody else needs all of it
        for n in loops:
            statements[n] = _loop_with_halves(statements[n], value, upper=upper)
        statement = statements[made[value]]
        match statement.kernel:
            case MatMul() as product:
                statements[made[value]] = _half(statement, product, upper=upper)
            case Add() | Scale() | Copy() | Reshape():
                pending += [(operand, upper) for operand in statement.operands]
            case Place(has_base=True):
                pending.append((statement.operands[0], upper))
            case View() as view if _swaps_halves(view):
                pending.append((statement.operands[0], not upper))
    return replace(program, statements=tuple(statements))


def _loop_with_halves(statement: Statement, buffer: int, *, upper: bool) -> Statement:
    """Halve what the passes of a loop add to a buffer."""
    loop, number = statement.kernel, statement.written.index(buffer)
    assert isinstance(loop, Loop)
    if loop.writes[number] is not None:
        return statement
    halves = _with_halves(loop.body, [(loop.body.outputs[number], upper)])
    return replace(
        statement,
        kernel=replace(loop, body=halves),
        flops=statement.flops - len(loop.passes) * (loop.body.flops - halves.flops),
        workspace_bytes=halves.peak_bytes,
    )


def _half(statement: Statement, product: MatMul, *, upper: bool) -> Statement:
    """Make one triangle of a product, if it is a large matrix of two equal sides.

    Of a matrix with itself, BLAS makes one triangle by itself.
    """
    shape, dtype = statement.results[0]
    left, _ = product.terms
    sizes = zip(product.out, shape, strict=True)
    rows = math.prod(size for index, size in sizes if index in left)
    large = rows >= POLICY.half_rows and math.prod(shape) == rows * rows
    by_itself = len({*statement.operands}) == 1
    vectors = any(side.is_vector for side in product.sides)
    if not large or by_itself or product.batch or vectors:
        return statement
    step = -(-rows // POLICY.half_blocks)
    made = sum(min(step, rows - row) * (rows - row) for row in range(0, rows, step))
    return replace(
        statement,
        kernel=replace(product, half=Half(rows, step, upper)),
        flops=statement.flops * made // rows**2,
        workspace_bytes=statement.workspace_bytes + step * rows * dtype.itemsize,
    )


def _swaps_halves(view: View) -> bool:
    """Whether a view is a matrix transposed, each of whose sides may be several axes."""
    (term,), out = view.terms, view.out
    half = len(out) // 2
    return len(out) == 2 * half and (*out[half:], *out[:half]) == term
