"""Interpret a `Program` on arrays of any namespace that follows the array API standard (2024.12).

In: a program, an array for each input, the namespace. Out: an array for each output.
Guaranteed: nothing is written in place, so that a namespace of immutable arrays can trace it; of
the standard's extensions only `linalg` is asked for, by the rows that need it.

The standard has no einsum. A product is axes permuted, merged and broadcast, then a matrix product,
or a multiplication and a sum; a diagonal is a slice of merged axes; a placement is a gather.

>>> import eingrad as eg
>>> program = eg.grad(lambda x: x @ x).plan(np.ones(2)).program
>>> interpret(program, [np.array([1.0, 2.0])], np)
[array([2., 4.])]
"""

import functools
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple, assert_never

import numpy as np
from numpy.typing import NDArray

from eingrad import _ir
from eingrad._ir import Coefficient
from eingrad._plan import Program, Result, Statement
from eingrad._plan.kernels import (
    Add,
    Call,
    Copy,
    EinsumLoop,
    Elementary,
    Fill,
    Loop,
    MatMul,
    Mirror,
    Multiply,
    Number,
    Outer,
    Piece,
    Place,
    Rescan,
    Reshape,
    Scale,
    Scan,
    Side,
    Slice,
    Sum,
    Take,
    Triangle,
    View,
)
from eingrad._plan.positions import Known, positions_of
from eingrad._primitives import standard_dtype
from eingrad._run.gathers import Gathers, gathers
from eingrad._run.scans import run_rescan, run_scan
from eingrad._subscripts import Shape, Subscripts

_Array = Any  # of the namespace


class _Space(NamedTuple):
    """A namespace, and the device that new arrays are made on."""

    xp: Any
    device: Any

    def array(self, values: NDArray[Any]) -> _Array:
        """Convert an array of NumPy."""
        dtype = standard_dtype(self.xp, values.dtype)
        return self.xp.asarray(values, dtype=dtype, device=self.device)

    def full(self, value: Coefficient, shape: Shape, dtype: np.dtype[Any]) -> _Array:
        """Make an array of equal entries."""
        entry, own = _scalar(value, dtype), standard_dtype(self.xp, dtype)
        return self.xp.full(shape, entry, dtype=own, device=self.device)


def interpret(program: Program, arrays: Sequence[_Array], xp: Any) -> list[_Array]:
    """Run the statements one by one; new arrays are made where the first input is."""
    device = getattr(arrays[0], "device", None) if arrays else None  # what is traced has none
    return _run(program, arrays, _Space(xp, device))


def _run(program: Program, arrays: Sequence[_Array], space: _Space) -> list[_Array]:
    known = dict(enumerate(program.constants, len(program.inputs)))
    values = dict(enumerate(arrays)) | {n: space.array(array) for n, array in known.items()}
    for statement, dead in zip(program.statements, program.dead_after(), strict=True):
        operands = [values[n] for n in statement.operands]
        tables = {k: known[n] for k, n in enumerate(statement.operands) if n in known}
        results = _results(statement, operands, tables, space)
        values.update(zip(statement.targets or statement.written, results, strict=True))
        for n in dead:
            del values[n]
    return [space.xp.asarray(values[n]) for n in program.outputs]


def _results(
    statement: Statement, operands: Sequence[_Array], tables: Known, space: _Space
) -> list[_Array]:
    """Compute all results of a statement; of a loop, what becomes of its buffers."""
    match statement.kernel:
        case Call() as call:
            return _call(call, operands, statement.results, space)
        case Loop() as loop:
            return _loop(loop, operands, space)
        case Scan() as scan:
            run = functools.partial(_run, space=space)
            return run_scan(scan, operands, tables, run, space.xp)
        case Rescan() as scan:
            run = functools.partial(_run, space=space)
            return run_rescan(scan, operands, tables, run, space.xp)
        case Place() as place:
            return [_placed(place, operands, tables, statement.results[0], space)]
        case MatMul() as product:
            made = _matrix_product(product, operands, space)
            return [space.xp.reshape(made, statement.shape)]
        case (
            Multiply(terms=terms, out=out)
            | Outer(terms=terms, out=out)
            | EinsumLoop(terms=terms, out=out)
        ):
            return [_multiplied(operands, terms, out, space.xp)]
        case kernel:
            return [_elementary(kernel, statement, operands, space)]


def _elementary(  # noqa: PLR0911 - one case for each kernel
    kernel: Elementary, statement: Statement, operands: Sequence[_Array], space: _Space
) -> _Array:
    """Make, move, scale or add entries."""
    xp = space.xp
    x: _Array = operands[0] if operands else None
    match kernel:
        case Number(value=value) | Fill(value=value):
            return space.full(value, *statement.results[0])
        case Triangle():
            return space.array(_triangle(statement.shape[0]))
        case View(terms=(term,), out=out):
            return _broadcast(_align(x, term, out, xp), statement.shape, xp)
        case Slice(axis=axis, positions=positions):
            return x[_index(axis, positions)]
        case Take(axis=axis):
            return _taken(axis, operands, xp)
        case Reshape():
            return xp.reshape(x, statement.shape)
        case Copy():
            return xp.asarray(x, copy=True)
        case Scale(factor=factor):
            return _scaled(x, factor, statement.results[0].dtype)
        case Sum(axes=axes):
            return xp.sum(x, axis=axes)
        case Mirror() as mirror:
            return xp.reshape(_mirrored(mirror, operands, space), statement.shape)
        case Add(signs=signs):
            pairs = zip(signs, operands, strict=True)
            return functools.reduce(operator.add, (-a if sign < 0 else a for sign, a in pairs))
        case _ as unknown:
            assert_never(unknown)


def _scalar(value: Coefficient, dtype: np.dtype[Any]) -> complex:
    """Give a number as the Python type that goes with a dtype."""
    if isinstance(value, complex):
        return value
    return bool(value) if dtype.kind == "b" else _ir.as_float(value)


# One operand -------------------------------------------------------------------------------------


def _align(x: _Array, term: Subscripts, out: Subscripts, xp: Any) -> _Array:
    """Take diagonals, permute, insert axes of size one: so that a term broadcasts against `out`."""
    for index in dict.fromkeys(i for i in term if term.count(i) > 1):
        x, term = _diagonal(x, term, index, xp)
    shape = tuple(x.shape[term.index(i)] if i in term else 1 for i in out)
    x = xp.permute_dims(x, tuple(term.index(i) for i in out if i in term))
    return xp.reshape(x, shape)


def _diagonal(x: _Array, term: Subscripts, index: int, xp: Any) -> tuple[_Array, Subscripts]:
    """Merge the axes of an index, at the end; on the diagonal, all of them move on by one."""
    rest = tuple(axis for axis, i in enumerate(term) if i != index)
    axes = tuple(axis for axis, i in enumerate(term) if i == index)
    n = x.shape[axes[0]]
    x = xp.reshape(xp.permute_dims(x, rest + axes), (*(x.shape[axis] for axis in rest), -1))
    step = sum(n**k for k in range(len(axes)))
    return x[..., ::step], (*(term[axis] for axis in rest), index)


def _broadcast(x: _Array, shape: Shape, xp: Any) -> _Array:
    return x if x.shape == shape else xp.broadcast_to(x, shape)


def _index(axis: int, positions: range) -> tuple[Any, ...]:
    """Index positions along an axis; the standard takes no stop that is out of bounds."""
    step = positions.step
    stop = positions[-1] + (1 if step > 0 else -1) if positions else positions.start
    part = slice(positions.start, stop if stop >= 0 else None, step)
    return (*(slice(None),) * axis, part, ...)


def _taken(axis: int, operands: Sequence[_Array], xp: Any) -> _Array:
    """Gather; what a mask does not select is zero."""
    x, table, *masks = operands
    taken = xp.take(x, table, axis=axis)
    if not masks:
        return taken
    mask = xp.reshape(masks[0], (-1, *(1,) * (x.ndim - 1 - axis)))
    return xp.where(mask, taken, xp.zeros_like(taken))


def _scaled(x: _Array, factor: Coefficient, dtype: np.dtype[Any]) -> _Array:
    """Multiply, or divide by what is exact where the factor, a third say, is not."""
    divisor = _ir.divisor(factor)
    return x * _scalar(factor, dtype) if divisor is None else x / divisor


def _triangle(n: int) -> NDArray[Any]:
    return np.tri(n, dtype=bool)


def _mirrored(mirror: Mirror, operands: Sequence[_Array], space: _Space) -> _Array:
    """Take what lies above the diagonal of two axes for what lies below it."""
    xp, (x, *masks) = space.xp, operands
    x = xp.reshape(x, mirror.flat)
    masks = masks or [space.array(_triangle(mirror.flat[axis])) for axis in mirror.axes]
    for axis, mask in zip(mirror.axes, masks, strict=True):
        order = [*range(x.ndim)]
        order[axis : axis + 2] = axis + 1, axis
        below = xp.reshape(mask, (*mask.shape, *(1,) * (x.ndim - 2 - axis)))
        x = xp.where(below, xp.permute_dims(x, tuple(order)), x)
    return x


# Several operands --------------------------------------------------------------------------------


def _multiplied(
    operands: Sequence[_Array], terms: Sequence[Subscripts], out: Subscripts, xp: Any
) -> _Array:
    """Multiply over all indices, then sum those that are not in the result."""
    summed = tuple(dict.fromkeys(i for term in terms for i in term if i not in out))
    pairs = zip(operands, terms, strict=True)
    product = functools.reduce(
        operator.mul, (_align(x, term, out + summed, xp) for x, term in pairs)
    )
    axes = tuple(range(len(out), len(out) + len(summed)))
    return xp.sum(product, axis=axes) if summed else product


def _matrix_product(product: MatMul, operands: Sequence[_Array], space: _Space) -> _Array:
    """Multiply batches of matrices; a vector gets an axis of size one.

    Also where a half is asked for. Only a mirror reads that, and of it one triangle: the whole is
    right for it, and would tell if somebody read the other one.
    """
    xp, half = space.xp, product.half
    left, right = (_matrices(x, side, xp) for x, side in zip(operands, product.sides, strict=True))
    left = left[..., None, :] if product.left.is_vector else left
    right = right[..., None] if product.right.is_vector else right
    made = xp.matmul(left, right)
    if half is None or not half.mirrored:
        return made
    return _mirrored(Mirror((half.rows, half.rows), ((0, 2, 1),), in_place=True), [made], space)


def _matrices(x: _Array, side: Side, xp: Any) -> _Array:
    x = xp.permute_dims(x, side.axes)
    return x if side.flat is None else xp.reshape(x, side.flat)


def _call(
    call: Call, operands: Sequence[_Array], results: Sequence[Result], space: _Space
) -> list[_Array]:
    """Call a row of the table; what has no operands must be moved to the device."""
    found = call.row.in_standard(space.xp)(*operands, **dict(call.attributes))
    if not operands:
        found = space.xp.asarray(found, device=space.device)
    return [*found] if len(results) > 1 else [found]


# Placements and loops ----------------------------------------------------------------------------


def _placed(
    place: Place, operands: Sequence[_Array], tables: Known, result: Result, space: _Space
) -> _Array:
    """``base + sum of scatter(core)``."""
    terms = [operands[0]] if place.has_base else []
    for piece in place.pieces:
        positions = positions_of(piece, result.shape, tables)
        core = _core(piece, operands, positions.shape, result.dtype, space)
        taken = _gather(core, gathers(positions, result.shape), space)
        terms.append(space.xp.reshape(taken, result.shape))
    return functools.reduce(operator.add, terms)


def _core(
    piece: Piece, operands: Sequence[_Array], shape: Shape, dtype: np.dtype[Any], space: _Space
) -> _Array:
    """Make the entries that a piece places, an axis for each of its labels."""
    if piece.core is None:
        return space.full(piece.number, shape, dtype)
    labels = tuple(dict.fromkeys(piece.labels))
    core = _align(operands[piece.core], piece.term, labels, space.xp)
    return _broadcast(core, shape, space.xp)


def _gather(core: _Array, steps: Gathers, space: _Space) -> _Array:
    """Scatter a core by gathers alone: see `Gathers`."""
    xp = space.xp
    zero = xp.zeros((1,), dtype=core.dtype, device=space.device)

    def take(x: _Array, positions: NDArray[Any]) -> _Array:
        return xp.take(xp.concat([x, zero]), space.array(positions))

    x = take(xp.reshape(core, (-1,)), steps.first)
    for even, odd in steps.sums:
        x = take(x, even) + take(x, odd)
    return take(x, steps.last)


def _loop(loop: Loop, operands: Sequence[_Array], space: _Space) -> list[_Array]:
    """Run the body for each tile; add results to their buffers, or put them between its ends."""
    given, buffers = operands[: len(loop.axes)], operands[len(loop.axes) :]
    parts = []
    for row in loop.passes:
        tile = range(row, row + loop.passes.step)
        pairs = zip(given, loop.axes, strict=True)
        tiles = [x if axis is None else x[_index(axis, tile)] for x, axis in pairs]
        parts.append(_run(loop.body, tiles, space))
    columns = zip(buffers, loop.writes, zip(*parts, strict=True), strict=True)
    return [_written(buffer, axis, made, loop.passes, space.xp) for buffer, axis, made in columns]


def _written(
    buffer: _Array, axis: int | None, parts: Sequence[_Array], passes: range, xp: Any
) -> _Array:
    """Give the buffer after all passes."""
    if axis is None:
        return functools.reduce(operator.add, parts, buffer)
    before = buffer[_index(axis, range(passes.start))]
    after = buffer[_index(axis, range(passes[-1] + passes.step, buffer.shape[axis]))]
    return xp.concat([before, *parts, after], axis=axis)
