"""Write statements so that they fill a given array, in place of making a new one.

In: a statement, and the name of an array for its result. Out: lines of NumPy.
Guaranteed: the array has the result's shape and dtype, and shares memory with no operand; where a
kernel cannot write to it, a new array is made and copied.
"""

import math
from collections.abc import Mapping, Sequence

from eingrad._emit.filled import filled, filled_shape
from eingrad._emit.literals import Lines, expanded, number, permuted, tuple_text
from eingrad._emit.placements import scatter
from eingrad._emit.statements import added, column_and_row, factors, sides, write
from eingrad._emit.triangles import half_of_product
from eingrad._plan import Program, Result, Statement
from eingrad._plan.kernels import (
    Add,
    Call,
    Copy,
    Fill,
    Half,
    MatMul,
    MergeAxes,
    Mirror,
    Multiply,
    Outer,
    Piece,
    Place,
    Rescan,
    Reshape,
    Scale,
    Scan,
    SplitAxis,
    Sum,
    View,
)
from eingrad._subscripts import Shape, Subscripts

_RUN = 256  # entries that one inner loop of NumPy writes: then its overhead is small
_REPEATED = 8  # times smaller than the result are factors that are repeated


def buffers(program: Program, names: Sequence[str], *, in_order: bool) -> dict[int, str]:
    """Say of values how the arrays for the outputs, of these names, are looked at to hold them.

    An output that is another value reshaped, mirrored or placed onto in place, or permuted, is
    written where that one is computed. Of some nothing is said: they are copied at the end. Only
    arrays that lie in the order of their axes are reshaped: of others that could be a copy. Without
    axes a result is a scalar, whose last bit is not always that of an array's.
    """
    last_failure = max((n for n, s in enumerate(program.statements) if _may_fail(s)), default=-1)
    made = {target: n for n, s in enumerate(program.statements) for target in s.targets}
    values = program.values()
    looks = {}
    for output, name in zip(program.outputs, names, strict=True):
        value, look = _looked_at(program, values, made, output, name, in_order=in_order)
        if not in_order and ".reshape" in look:
            continue
        n = made.get(value, -1)
        if n <= last_failure or not values[output].shape:
            continue
        statement = program.statements[n]
        if not _is_same_memory(statement) and not isinstance(statement.kernel, Scan | Rescan):
            looks[value] = look
    return looks


def _looked_at(
    program: Program, values: Sequence[Result], made: Mapping[int, int], value: int, name: str,
    *, in_order: bool,
) -> tuple[int, str]:  # fmt: skip
    """Follow a value to the one that it is a look at, as far as that can be turned round."""
    look = name
    while value in made and _is_same_memory(statement := program.statements[made[value]]):
        match statement.kernel:
            case View(terms=(term,), out=out) if look == name and sorted(term) == sorted(out):
                look = f"{name}.transpose({', '.join(str(out.index(i)) for i in term)})"
            case Reshape() | Mirror() if ".transpose" not in look:
                shape = values[statement.operands[0]].shape
                look = f"{name}.reshape({tuple_text(shape)})"
            case Place(pieces=pieces) if (in_order and ".transpose" not in look) or not any(
                map(_reshapes, pieces)
            ):
                pass  # onto what it is placed
            case _:
                break
        value = statement.operands[0]
    return value, look


def memories(program: Program) -> dict[int, int]:
    """For each value, the value whose memory it is, also of what is placed onto its base."""
    base = {n: n for n in range(program.first)}
    for s in program.statements:
        for target in s.targets:
            base[target] = base[s.operands[0]] if _is_same_memory(s) else target
    return base


def _is_same_memory(statement: Statement) -> bool:
    """Whether a result is in the memory of the first operand, as what is placed onto its base."""
    is_over_base = isinstance(statement.kernel, Place) and statement.kernel.has_base
    return statement.is_alias or (is_over_base and statement.into == statement.operands[0])


def _may_fail(statement: Statement) -> bool:
    """Whether a step may raise an error of linear algebra."""
    if isinstance(statement.kernel, Scan | Rescan):
        return any(_may_fail(s) for body in statement.bodies for s in body.steps())
    return isinstance(statement.kernel, Call) and statement.kernel.row.core not in ((), None)


def _reshapes(piece: Piece) -> bool:
    """Whether a piece lies on axes of the buffer that are split or merged."""
    looks = piece.where if isinstance(piece.where, tuple) else ()
    return any(isinstance(look, SplitAxis | MergeAxes) for look in looks)


def write_into(  # noqa: PLR0911 - one for each kernel that can
    statement: Statement, names: Sequence[str], *, in_order: bool
) -> Lines:
    """Write one step with one result, whose name is that of the array for it."""
    operands, buffer = [names[n] for n in statement.operands], names[statement.targets[0]]
    match statement.kernel:
        case Fill(value=value):
            return [f"{buffer}[...] = {number(value)}"]
        case Copy():
            return [f"{buffer}[...] = {operands[0]}"]
        case Place() as kernel if in_order or not any(map(_reshapes, kernel.pieces)):
            start = operands[0] if kernel.has_base else "0"
            return [f"{buffer}[...] = {start}", *scatter(statement, kernel, buffer, operands)]
        case Add() as add if first := filled(statement, names, buffer):
            return [first, *added(add, buffer, operands)[1:]]
        case Multiply() as product:
            run = _run_of(product, statement.shape) if in_order else ()
            return [_multiply(statement, product, names, buffer, run)]
        case Outer(terms=(one, other)) as product if in_order or {*one}.isdisjoint(other):
            return [_outer(statement, product, names, buffer, in_order=in_order)]
        case MatMul(half=Half() as half) as product if in_order or not product.splits:
            return _half(statement, product, half, names)
        case MatMul(batch=0, splits=False) | Scale() | Sum() | Call() if line := filled(
            statement, names, buffer
        ):
            return [line]
        case MatMul(batch=0, splits=True) if in_order:
            merged = f"{buffer}.reshape({tuple_text(filled_shape(statement))})"
            if line := filled(statement, names, merged):
                return [line]
    local = f"{buffer}_value"
    renamed = [*names]
    renamed[statement.targets[0]] = local
    return [*write(statement, renamed), f"{buffer}[...] = {local}", f"del {local}"]


def _half(statement: Statement, product: MatMul, half: Half, names: Sequence[str]) -> Lines:
    """Fill an array with one triangle of a product, and zeros or its mirror image."""
    buffer = names[statement.targets[0]]
    start = [] if half.mirrored else [f"{buffer}[...] = 0"]
    target = f"{buffer}_matrix" if product.splits else buffer
    if product.splits:
        start.append(f"{target} = {buffer}.reshape({(half.rows, half.rows)})")
    lines = half_of_product(half, target, sides(statement, product, names))
    return [*start, *lines, *([f"del {target}"] if product.splits else ())]


def _outer(
    statement: Statement, product: Outer, names: Sequence[str], buffer: str, *, in_order: bool
) -> str:
    """Fill an array in the order of its axes by BLAS, as a matrix; it fills no other."""
    if not in_order:
        return f"np.multiply({', '.join(factors(statement, product, names))}, out={buffer})"
    if len(statement.shape) > 2:  # noqa: PLR2004 - a matrix
        rows = math.prod(statement.shape[: len({*product.out}.intersection(product.terms[0]))])
        buffer = f"{buffer}.reshape({rows}, -1)"
    return f"np.dot({column_and_row(statement, product, names)}, out={buffer})"


def _multiply(
    statement: Statement, product: Multiply, names: Sequence[str], buffer: str, run: Subscripts
) -> str:
    """Multiply in the order of the array, a long run of it at a time.

    A new array would have its axes in memory as suits the factors. Where the order is given, NumPy
    goes along the last axis alone, however short; so both factors are first repeated over the last
    few, which are little next to the result.
    """
    size = dict(zip(product.out, statement.shape, strict=True))
    if not run:
        return f"np.multiply({', '.join(factors(statement, product, names))}, out={buffer})"
    lead = product.out[: len(product.out) - len(run)]
    length = math.prod(size[i] for i in run)
    texts = []
    for n, term in zip(statement.operands, product.terms, strict=True):
        own = [i for i in lead if i in term]
        order = [*own, *(i for i in run if i in term)]
        x = expanded(permuted(names[n], [term.index(i) for i in order]), order, (*own, *run))
        sizes = [size[i] for i in own]
        x = f"np.broadcast_to({x}, {(*sizes, *(size[i] for i in run))})"
        texts.append(expanded(f"{x}.reshape({(*sizes, length)})", [*own, -1], (*lead, -1)))
    shape = (*(size[i] for i in lead), length)
    return f"np.multiply({', '.join(texts)}, out={buffer}.reshape({shape}))"


def _run_of(product: Multiply, shape: Shape) -> Subscripts:
    """Last indices of a product that factors are repeated over; none where that does not pay."""
    size = dict(zip(product.out, shape, strict=True))
    total = math.prod(size.values())
    for count in range(2, len(product.out)):
        run = product.out[-count:]
        length = math.prod(size[i] for i in run)
        repeated = sum(math.prod(size[i] for i in {*term, *run}) for term in product.terms)
        if _REPEATED * repeated > total:
            return ()
        if length >= _RUN:
            return run
    return ()
