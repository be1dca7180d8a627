"""Blocked SYRK: of a matrix product that is mirrored, one triangle is computed.

In: a program. Out: an equal one, in which the matrix products that only a mirror needs are made by
rows of blocks, those on one side of the diagonal.
Guaranteed: what is mirrored has the same entries. A product that is mirrored as it is takes many
rows of blocks, each copied to the other side while a cache holds it: the result is written once.
Of others, sums of products, the other side is zero until the mirror comes; four rows of blocks take
5/8 of the flops.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
    program = _with_mirrored(program)
    wanted = [(s.operands[0], True) for s in program.statements if _mirrors_a_matrix(s)]
    return _with_halves(program, wanted)


def _mirrors_a_matrix(s: Statement) -> bool:
    kernel = s.kernel
    return isinstance(kernel, Mirror) and kernel.in_place and kernel.is_matrix


def _with_mirrored(program: Program) -> Program:
    """Make products mirrored that nothing but a mirror needs, and leave that out."""
    statements = [*program.statements]
    made = {target: n for n, s in enumerate(statements) for target in s.targets}
    uses = Counter(value for s in statements for value in s.operands)
    uses.update(program.outputs)
    same: dict[int, int] = {}  # a mirrored value, and the one that it is now
    for s in program.statements:
        (value, *_) = s.operands or (-1,)
        if not _mirrors_a_matrix(s) or value not in made or uses[value] > 1:
            continue
        product = statements[made[value]]
        if isinstance(product.kernel, MatMul):
            half = _half(product, product.kernel, upper=True, mirrored=True)
            if half is not product:
                statements[made[value]] = half
                same[s.targets[0]] = value
    return _without(program, statements, same) if same else program


def _without(program: Program, statements: Sequence[Statement], same: Mapping[int, int]) -> Program:
    """Leave out the statements of values that are others, and number the rest in order."""
    number = {n: n for n in range(program.first)}
    fresh = itertools.count(program.first)
    left = []
    for s in statements:
        if s.targets and s.targets[0] in same:
            number[s.targets[0]] = number[same[s.targets[0]]]
            continue
        for target in s.targets:
            number[target] = next(fresh)
        operands, targets = (tuple(number[v] for v in of) for of in (s.operands, s.targets))
        left.append(replace(s, operands=operands, targets=targets))
    outputs = tuple(number[v] for v in program.outputs)
    return replace(program, statements=tuple(left), outputs=outputs)


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


def _half(
    statement: Statement, product: MatMul, *, upper: bool, mirrored: bool = False
) -> Statement:
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
    step = _rows_at_once(statement, rows) if mirrored else -(-rows // POLICY.half_blocks)
    made = sum(min(step, rows - row) * (rows - row) for row in range(0, rows, step))
    return replace(
        statement,
        kernel=replace(product, half=Half(rows, step, upper, mirrored)),
        flops=statement.flops * made // rows**2,
        workspace_bytes=statement.workspace_bytes
        + (0 if mirrored else step * rows * dtype.itemsize),
    )


def _rows_at_once(statement: Statement, rows: int) -> int:
    """Choose how many rows are mirrored at once: more where BLAS has more to add up for each."""
    summed = statement.flops // (2 * rows**2)
    return POLICY.mirrored_rows * (2 if summed > POLICY.mirrored_rows else 1)


def _swaps_halves(view: View) -> bool:
    """Whether a view is a matrix transposed, each of whose sides may be several axes."""
    (term,), out = view.terms, view.out
    half = len(out) // 2
    return len(out) == 2 * half and (*out[half:], *out[:half]) == term
