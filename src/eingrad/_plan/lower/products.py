"""Lower products and reductions: a matrix product where something is summed, else a broadcast.

What sums nothing, or over an index of size one, is an outer product of BLAS where that is faster.
"""

import math
from collections.abc import Hashable, Mapping
from typing import NamedTuple

import numpy as np

from eingrad import _ir
from eingrad._cost import contraction_flops
from eingrad._ir import Einsum, Product
from eingrad._plan import kernels
from eingrad._plan.duration import of_statement
from eingrad._plan.kernels import Side
from eingrad._plan.lower.factors import Factor, as_they_lie, sizes_of, unviewed
from eingrad._plan.lower.layout import Choice, Operand, Order
from eingrad._plan.lower.memory import are_together, as_matrices
from eingrad._plan.lower.writer import Writer
from eingrad._plan.program import Result, Statement
from eingrad._subscripts import Subscripts

OF_BLAS = (np.float32, np.float64)  # numbers that it multiplies as NumPy does

_Sizes = Mapping[int, int]


def twin_key(node: Product) -> Hashable:
    """What a product shares with its transposed and scaled twins."""
    return node.factors, frozenset(node.out)


def lower_unary(writer: Writer, node: Einsum) -> int:
    """Diagonal, sum, permutation, broadcast, scale."""
    ((operand, indices),) = node.factors
    value, term = _reduce(writer, Factor(writer.number[operand], indices), {*node.out})
    sizes = dict(enumerate(node.sizes))
    if writer.size(value) < node.size:
        value = writer.scale(value, node.coefficient)
        return writer.view(value, term, node.out, sizes)
    return writer.scale(writer.view(value, term, node.out, sizes), node.coefficient)


def _reduce(writer: Writer, operand: Factor, wanted: set[int]) -> Factor:
    """Take the diagonal of repeated indices, then sum those that are not wanted."""
    value, term = operand
    distinct = tuple(dict.fromkeys(term))
    value = writer.view(value, term, distinct, {})
    out = tuple(i for i in distinct if i in wanted)
    if out == distinct:
        return Factor(value, out)
    sizes = dict(zip(distinct, writer.shape(value), strict=True))
    kept = tuple(sizes[i] for i in out)
    if math.prod(kept) == math.prod(sizes.values()):
        return Factor(writer.reshape(value, kept), out)
    flops = contraction_flops(sizes, summed=True)
    kernel = kernels.Sum((distinct,), out)
    value = writer.emit(kernel, (value,), Result(kept, writer.dtype(value)), flops=flops)
    return Factor(value, out)


def lower_pair(writer: Writer, node: Product) -> int:
    """Contract two operands; a transposed or negated twin is made of the first one."""
    key = twin_key(node)
    if key in writer.twins:
        twin, coefficient = writer.twins[key]
        is_sign = coefficient in (1, -1)
        ratio = _ir.multiply(node.coefficient, coefficient) if is_sign else 1
        if _ir.multiply(ratio, coefficient) == node.coefficient:
            value = writer.view(writer.number[twin], twin.out, node.out, {})
            return writer.scale(value, ratio)
    writer.twins.setdefault(key, (node, node.coefficient))
    return _contract(writer, node)


def _contract(writer: Writer, node: Product) -> int:
    """Contract two operands, the smaller of which takes the scale, if it may be moved."""
    wanted = {*node.out}
    first, second = (Factor(writer.number[n], term) for n, term in node.factors)
    left = _reduce(writer, first, wanted.union(second.term))
    right = _reduce(writer, second, wanted.union(left.term))
    smallest = min((left, right), key=lambda operand: writer.size(operand.value))
    last = _ir.multiply(node.coefficient, writer.folded.get(node, 1))
    is_movable = last != 1 and _ir.is_harmless(last, node.dtype)
    if is_movable and writer.size(smallest.value) < node.size:
        scaled = Factor(writer.scale(smallest.value, last), smallest.term)
        left, right, last = (scaled, right, 1) if smallest is left else (left, scaled, 1)
    if any(i in right.term and i not in wanted for i in left.term):
        multiplied = _matmul(writer, left, right, node)
    else:
        keeps_signs = writer.is_written(node)
        multiplied = _multiply(writer, left, right, node, keeps_signs=keeps_signs)
    return writer.scale(writer.view(*multiplied, node.out, {}), last)


def _multiply(
    writer: Writer, left: Factor, right: Factor, node: Product, *, keeps_signs: bool
) -> Factor:
    """Multiply with broadcasting, straight into the order of the output, or as operands lie.

    Or by BLAS where that is faster, and signs of zeros need not be kept.
    """
    left, right, out = as_they_lie(writer, left, right, node)
    sizes = sizes_of(writer, left, right)
    made = Statement(
        kernels.Multiply((left.term, right.term), out), (left.value, right.value), (),
        (Result(tuple(sizes[i] for i in out), writer.dtype(left.value)),),
        contraction_flops(sizes, summed=False),
    )  # fmt: skip
    sides = _arrange(left, right, out)
    if not keeps_signs and sides.natural == out and _is_outer(writer, sides):
        outer = _outer(writer, sides)
        made = min((made, outer), key=lambda s: of_statement(s, writer.results, frozenset()))
    return Factor(_append(writer, made), out)


def _append(writer: Writer, made: Statement) -> int:
    return writer.emit(
        made.kernel, made.operands, *made.results,
        flops=made.flops, workspace_bytes=made.workspace_bytes,
    )  # fmt: skip


class _Sides(NamedTuple):
    """Two operands, in the order of the output, and what their indices are."""

    left: Factor
    right: Factor
    batch: Subscripts
    kept_left: Subscripts
    kept_right: Subscripts
    summed: Subscripts

    @property
    def natural(self) -> Subscripts:
        """Indices of the product, as BLAS makes it."""
        return (*self.batch, *self.kept_left, *self.kept_right)


def _arrange(left: Factor, right: Factor, out: Subscripts) -> _Sides:
    """Take for the left operand that whose kept indices come first in the output."""
    batch = tuple(i for i in out if i in left.term and i in right.term)
    kept_left, kept_right = (
        tuple(i for i in out if i in operand.term and i not in batch) for operand in (left, right)
    )
    if kept_left and kept_right and out.index(kept_left[0]) > out.index(kept_right[0]):
        left, right, kept_left, kept_right = right, left, kept_right, kept_left
    summed = tuple(i for i in left.term if i in right.term and i not in batch)
    return _Sides(left, right, batch, kept_left, kept_right, summed)


def _is_outer(writer: Writer, sides: _Sides) -> bool:
    """Whether nothing is added, and each entry of one operand meets all of another.

    Of real numbers alone: in a complex product BLAS rounds otherwise, and infinity becomes nan.
    """
    left, right = sides.left, sides.right
    sizes = sizes_of(writer, left, right)
    adds = any(sizes[i] != 1 for i in sides.summed)
    is_real = writer.dtype(left.value) in OF_BLAS
    is_large = min(writer.size(left.value), writer.size(right.value)) > 1
    return is_real and is_large and not adds and not sides.batch


def _outer(writer: Writer, sides: _Sides) -> Statement:
    """Multiply all entries with all by BLAS: operands are merged to a column and a row."""
    left, right = sides.left, sides.right
    sizes = sizes_of(writer, left, right)
    orders = sides.kept_left, sides.kept_right
    workspace = sum(
        writer.bytes(operand.value)
        for operand, order in zip((left, right), orders, strict=True)
        if not are_together(writer.array(operand.value), [operand.term.index(i) for i in order])
    )
    return Statement(
        kernels.Outer((left.term, right.term), sides.natural), (left.value, right.value), (),
        (Result(tuple(sizes[i] for i in sides.natural), writer.dtype(left.value)),),
        contraction_flops(sizes, summed=bool(sides.summed)), workspace,
    )  # fmt: skip


def _matmul(writer: Writer, left: Factor, right: Factor, node: Product) -> Factor:
    """Multiply matrices: batch, kept and summed indices each in one axis."""
    found = _arrange(left, right, node.out)
    if _is_outer(writer, found):
        return Factor(_append(writer, _outer(writer, found)), found.natural)
    left, right = unviewed(writer, left), unviewed(writer, right)
    sizes = sizes_of(writer, left, right)
    batch = tuple(i for i in node.out if i in left.term and i in right.term)
    order, wanted = _order(writer, (left, right), batch, node)
    (kept_left, kept_right), summed, is_turned, outer = order
    if is_turned:
        left, right, kept_left, kept_right = right, left, kept_right, kept_left
    lead = (*batch, *outer)
    sides = (
        _side(left, lead, (kept_left, summed), sizes, is_vector=not kept_left),
        _side(right, lead, (summed, kept_right), sizes, is_vector=not kept_right),
    )
    natural = order.natural(batch)
    kernel = kernels.MatMul(
        (left.term, right.term), natural, *sides, len(lead),
        splits=len(kept_left) > 1 or len(kept_right) > 1,
    )  # fmt: skip
    workspace = sum(
        writer.bytes(operand.value)
        for side, operand in zip(sides, (left, right), strict=True)
        if as_matrices(writer.array(operand.value), side) is None
    )
    value = writer.emit(
        kernel, (left.value, right.value),
        Result(tuple(sizes[i] for i in natural), writer.dtype(left.value)),
        flops=contraction_flops(sizes, summed=True), workspace_bytes=workspace,
    )  # fmt: skip
    if natural != wanted:
        value = writer.copy(writer.view(value, natural, wanted, {}))
    return Factor(value, wanted)


def _order(
    writer: Writer, operands: tuple[Factor, Factor], batch: Subscripts, node: Product
) -> tuple[Order, Subscripts]:
    """Order the indices of a product: as its result has them, or so that less is copied.

    The second is how those of the result are to lie in the end.
    """
    need = writer.users.need(node, writer.lying)
    out = need.of_result(node.out)
    first, second = operands
    kept_first, kept_second = (
        tuple(i for i in out if i in operand.term and i not in batch) for operand in operands
    )
    is_turned = bool(
        kept_first and kept_second and out.index(kept_first[0]) > out.index(kept_second[0])
    )
    left, right = (second, first) if is_turned else operands
    summed = tuple(i for i in left.term if i in right.term and i not in batch)
    usual = Order((kept_first, kept_second), summed, is_turned)
    if node.ndim < 3 and len(summed) < 2:  # noqa: PLR2004 - matrices, which are taken as they lie
        return usual, usual.natural(batch)
    lying = tuple(
        Operand(term, writer.array(value), writer.results[value].bytes) for value, term in operands
    )
    return Choice(lying, batch, node.out, need, usual).best()


def _side(
    operand: Factor, lead: Subscripts, groups: tuple[Subscripts, Subscripts], sizes: _Sizes,
    *, is_vector: bool,
) -> Side:  # fmt: skip
    """Look at an operand as a batch of matrices, or of vectors.

    It is repeated over leading indices that it has not: if it has others, these get size one.
    """
    order = tuple(i for i in (*lead, *groups[0], *groups[1]) if i in operand.term)
    has_lead = any(i in operand.term for i in lead)
    wanted = (*(lead if has_lead else ()), *groups[0], *groups[1])
    flat = (
        *(sizes[i] if i in operand.term else 1 for i in lead if has_lead),
        *(math.prod(sizes[i] for i in group) for group in groups if group),
    )
    merges = any(len(group) > 1 for group in groups)
    axes = tuple(operand.term.index(i) for i in order)
    return Side(axes, flat if merges or wanted != order else None, is_vector)
