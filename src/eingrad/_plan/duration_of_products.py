"""How long a product is predicted to take: of NumPy's loops, of BLAS, and to move before.

In: a statement that multiplies, and what it is given. Out: picoseconds.
Guaranteed: deterministic, from sizes alone.
"""

import itertools
import math
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np

from eingrad._limits import MACHINE
from eingrad._plan.kernels import EinsumLoop, MatMul, Multiply, Outer, Products
from eingrad._plan.program import Result, Statement
from eingrad._plan.writing import in_disorder, runs, to_write
from eingrad._subscripts import Subscripts


def of_product(
    statement: Statement,
    kernel: Products,
    operands: Sequence[Result],
    disordered: Set[int],
) -> int:
    """Predict the picoseconds of a step that multiplies; `operands` are what it is given."""
    written = to_write(statement)
    match kernel:
        case Multiply() as product:
            whole = math.prod(statement.shape)
            count = sum(
                n in disordered and math.prod(r.shape) == whole
                for n, r in zip(statement.operands, operands, strict=True)
            )
            late = count * in_disorder(statement.results[0])
            return MACHINE.call + written + _broadcast(statement, product) + late
        case Outer() as product:
            return _outer(statement, product, operands, disordered) + written
        case MatMul() as product:
            return _multiplied(statement, product, operands) + written
        case EinsumLoop():
            return 2 * MACHINE.factorisation + MACHINE.scattered * statement.flops


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
        return MACHINE.broadcast + MACHINE.inner_loop * runs(statement.results[0])
    run, entries = _run(terms, out, sizes), math.prod(statement.shape)
    starts = entries // run if run else 0
    copied = statement.result_bytes if (1 + count) * run <= MACHINE.buffer else 0
    each = MACHINE.inner_loop * starts + MACHINE.byte_repeated * copied
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
