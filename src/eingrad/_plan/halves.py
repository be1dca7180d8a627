"""Halves of symmetric products: of what is mirrored, one triangle is enough.

In: a program. Out: an equal one, in which the matrix products that only a mirror needs are made by
rows of blocks, those on one side of the diagonal.
Guaranteed: what is mirrored has the same entries; the others are zero until then. Four rows of
blocks take 5/8 of the flops.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from eingrad._plan.program import Program, Statement

LEAST_ROWS = 256  # rows of a product that is worth it
_BLOCKS = 4

_Wanted = tuple[int, bool]  # a value, and whether its upper triangle is what is needed


def halved(program: Program) -> Program:
    """Make half of the products that are mirrored."""
    mirrors = [s for s in program.statements if s.kernel == "mirror in place"]
    square = [s for s in mirrors if s.details["axes"] == (0,) and len(s.details["flat"]) == 2]  # noqa: PLR2004
    return _with_halves(program, [(s.operands[0], True) for s in square])


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
            case "matmul":
                statements[made[value]] = _half(statement, upper=upper)
            case "add" | "scale" | "copy" | "reshape":
                pending += [(operand, upper) for operand in statement.operands]
            case "place" if statement.details["base"]:
                pending.append((statement.operands[0], upper))
            case "view" if _swaps_halves(statement):
                pending.append((statement.operands[0], not upper))
    return replace(program, statements=tuple(statements))


def _loop_with_halves(loop: Statement, buffer: int, *, upper: bool) -> Statement:
    """Halve what the passes of a loop add to a buffer."""
    number = loop.written.index(buffer)
    body = loop.details["body"]
    if loop.details["writes"][number] is not None:
        return loop
    halves = _with_halves(body, [(body.outputs[number], upper)])
    return replace(
        loop,
        flops=loop.flops - len(loop.details["passes"]) * (body.flops - halves.flops),
        details={**loop.details, "body": halves},
        workspace_bytes=halves.peak_bytes,
    )


def _half(statement: Statement, *, upper: bool) -> Statement:
    """Make one triangle of a product, if it is a large matrix of two equal sides.

    Of a matrix with itself, BLAS makes one triangle by itself.
    """
    left, _ = statement.terms
    sizes = zip(statement.out, statement.shape, strict=True)
    rows = math.prod(size for index, size in sizes if index in left)
    large = rows >= LEAST_ROWS and math.prod(statement.shape) == rows * rows
    by_itself = len({*statement.operands}) == 1
    if not large or by_itself or statement.details["batch"] or any(statement.details["vectors"]):
        return statement
    step = -(-rows // _BLOCKS)
    made = sum(min(step, rows - row) * (rows - row) for row in range(0, rows, step))
    return replace(
        statement,
        flops=statement.flops * made // rows**2,
        details={**statement.details, "half": (rows, step, upper)},
        workspace_bytes=statement.workspace_bytes + step * rows * statement.dtype.itemsize,
    )


def _swaps_halves(statement: Statement) -> bool:
    """Whether a view is a matrix transposed, each of whose sides may be several axes."""
    (term,), out = statement.terms, statement.out
    half = len(out) // 2
    return len(out) == 2 * half and (*out[half:], *out[:half]) == term
