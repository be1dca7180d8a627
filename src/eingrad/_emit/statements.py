"""Write a statement as lines of NumPy: one function for each kernel that needs one."""

from collections.abc import Sequence
from typing import Any, assert_never

import numpy as np

from eingrad import _ir, _subscripts
from eingrad._emit.literals import (
    Lines,
    expanded,
    for_einsum,
    number,
    permuted,
    sliced,
    tuple_text,
)
from eingrad._emit.mirrors import mirrored
from eingrad._emit.placements import place
from eingrad._emit.triangles import half_of_product, new_matrix, split
from eingrad._plan import Statement
from eingrad._plan.kernels import (
    Add,
    Call,
    Copy,
    EinsumLoop,
    Elementary,
    Fill,
    Half,
    Loop,
    MatMul,
    Mirror,
    Multiply,
    Number,
    Outer,
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


def write(statement: Statement, names: Sequence[str]) -> Lines:
    """Write one step; `names` are those of all values."""
    operands = [names[n] for n in statement.operands]
    match statement.kernel:
        case Mirror() as mirror:
            return mirrored(statement, mirror, names[statement.targets[0]], *operands)
        case Add() as add:
            return added(add, names[statement.targets[0]], operands)
        case Call() as call:
            return _call(statement, call, names)
        case Place() as kernel:
            return place(statement, kernel, names)
        case MatMul(half=Half() as half) as product:
            return half_of_matmul(statement, product, half, names)
        case Multiply() | Outer() | MatMul() | EinsumLoop() as product:
            text = _product(statement, product, names)
        case Loop() | Scan() | Rescan():
            raise AssertionError("is no expression")
        case kernel:
            text = _moved(kernel, statement, operands)
    return [assigned(statement, names, text)]


def _moved(  # noqa: PLR0911 - one case for each kernel
    kernel: Elementary, statement: Statement, operands: Sequence[str]
) -> str:
    """Write an expression that makes, moves or scales entries, or adds them along axes."""
    x = operands[0] if operands else ""
    match kernel:
        case Sum() as total:
            return _sum(statement, total, x)
        case View() as view:
            return _view(statement, view, x)
        case Scale(factor=factor):
            return _scale(x, factor)
        case Fill(value=value):
            return _fill(statement, value)
        case Slice(axis=axis, positions=positions):
            return x + sliced(axis, positions)
        case Take(axis=axis):
            return _take(statement, axis, *operands)
        case Reshape():
            return f"{x}.reshape({statement.shape})"
        case Copy():
            return f'np.array({x}, order="C")'
        case Triangle():
            return f"np.tri({statement.shape[0]}, dtype=bool)"
        case Number() | Mirror() | Add():
            raise AssertionError("is no expression")
        case _ as unknown:
            assert_never(unknown)


def assigned(statement: Statement, names: Sequence[str], expression: str) -> str:
    """Assign to the result; say beside it what a contraction costs."""
    return _with_cost(statement, f"{names[statement.targets[0]]} = {expression}")


def _with_cost(statement: Statement, line: str) -> str:
    if not isinstance(statement.kernel, Sum | Multiply | Outer | MatMul | EinsumLoop):
        return line
    return f"{line}  # {statement.subscripts} {statement.shape}, {statement.flops:,} flops"


def _kept(dtype: np.dtype[Any]) -> list[str]:
    """Say that a sum keeps its dtype where NumPy would take a longer one: of flags and integers."""
    is_kept = dtype.kind in "fc" or dtype.itemsize == np.dtype(np.int64).itemsize
    return [] if is_kept else [f'dtype="{dtype.name}"']


# One operand -------------------------------------------------------------------------------------


def _sum(statement: Statement, total: Sum, x: str) -> str:
    axis = str(total.axes[0]) if len(total.axes) == 1 else tuple_text(total.axes)
    given = [axis] if statement.shape else []
    return f"{x}.sum({', '.join([*given, *_kept(statement.results[0].dtype)])})"


def _view(statement: Statement, view: View, x: str) -> str:
    (term,), out = view.terms, view.out
    if len(set(term)) < len(term):
        letters, result = _subscripts.renumber([term], out)
        if not _subscripts.fits_einsum(letters):
            return _diagonals(x, list(term), out)
        return f'np.einsum("{for_einsum(letters, result)}", {x})'
    kept = [i for i in out if i in term]
    x = permuted(x, [term.index(i) for i in kept])
    if len(kept) < len(out):
        x = f"np.broadcast_to({expanded(x, kept, out)}, {statement.shape})"
    return x


def _diagonals(x: str, term: list[int], out: Sequence[int]) -> str:
    """Take diagonals pair by pair: of more axes than einsum has letters."""
    for index in dict.fromkeys(term):
        while term.count(index) > 1:
            a, b = [axis for axis, other in enumerate(term) if other == index][:2]
            x = f"{x}.diagonal(0, {a}, {b})"
            term = [other for axis, other in enumerate(term) if axis not in (a, b)] + [index]
    return permuted(x, [term.index(index) for index in out])


def _scale(x: str, factor: _ir.Coefficient) -> str:
    if factor == -1:
        return f"-{x}"
    divisor = _ir.divisor(factor)
    return f"{number(factor)} * {x}" if divisor is None else f"{x} / {number(divisor)}"


def _fill(statement: Statement, value: _ir.Coefficient) -> str:
    shape, dtype = statement.results[0]
    if value == 0:
        return f"np.zeros({shape}, {dtype.str!r})"
    return f"np.full({shape}, {number(value)}, {dtype.str!r})"


def _take(statement: Statement, axis: int, x: str, table: str, mask: str = "") -> str:
    text = f"{x}.take({table}, {axis})"
    if not mask:
        return text
    after = ", None" * (len(statement.shape) - 1 - axis)
    return f"np.where({mask}{f'[:{after}]' if after else ''}, {text}, 0)"


# Products and sums -------------------------------------------------------------------------------


def _product(statement: Statement, kernel: Products, names: Sequence[str]) -> str:
    match kernel:
        case Multiply() as product:
            left, right = factors(statement, product, names)
            in_order = f'np.multiply({left}, {right}, order="C")'
            return in_order if product.in_order else f"{left} * {right}"
        case Outer() as product:
            return _outer(statement, product, names)
        case MatMul() as product:
            return _matmul(statement, product, names)
        case EinsumLoop(terms=terms, out=out):
            letters = for_einsum(*_subscripts.renumber(terms, out))
            operands = ", ".join(names[n] for n in statement.operands)
            return f'np.einsum("{letters}", {operands}, optimize=True)'


def factors(statement: Statement, product: Multiply | Outer, names: Sequence[str]) -> list[str]:
    """Write the factors of a product, each in the order of the result."""
    texts = []
    for n, term in zip(statement.operands, product.terms, strict=True):
        order = [i for i in product.out if i in term]
        x = permuted(names[n], [term.index(i) for i in order])
        texts.append(expanded(x, order, product.out))
    return texts


def column_and_row(statement: Statement, product: Outer, names: Sequence[str]) -> str:
    """Write the operands of an outer product, each in the order of the result, as two matrices."""
    texts = []
    looks = ("[:, None]", ".reshape(-1, 1)"), ("[None]", ".reshape(1, -1)")
    for n, term, (vector, tensor) in zip(statement.operands, product.terms, looks, strict=True):
        axes = [term.index(i) for i in product.out if i in term]
        is_in_order = axes == sorted(axes)  # of size one is what else there is
        axes += [axis for axis in range(len(term)) if axis not in axes]
        x = names[n] if is_in_order else permuted(names[n], axes)
        texts.append(x + (vector if len(term) == 1 else tensor))
    return ", ".join(texts)


def _outer(statement: Statement, product: Outer, names: Sequence[str]) -> str:
    """Write a product of BLAS: `np.dot`, for `@` takes a loop of its own where nothing is added."""
    text = f"np.dot({column_and_row(statement, product, names)})"
    is_matrix = len(statement.shape) == 2  # noqa: PLR2004
    return text if is_matrix else f"{text}.reshape({tuple_text(statement.shape)})"


def sides(statement: Statement, product: MatMul, names: Sequence[str]) -> list[str]:
    """Write both sides of a matrix product as matrices."""
    texts = []
    for n, side in zip(statement.operands, product.sides, strict=True):
        x = permuted(names[n], side.axes)
        texts.append(x if side.flat is None else f"{x}.reshape({tuple_text(side.flat)})")
    return texts


def _matmul(statement: Statement, product: MatMul, names: Sequence[str]) -> str:
    left, right = sides(statement, product, names)
    index = ""
    if product.batch:
        vectors = product.left.is_vector, product.right.is_vector
        left += "[..., None, :]" if vectors[0] else ""
        right += "[..., None]" if vectors[1] else ""
        index = {(True, True): "[..., 0, 0]", (True, False): "[..., 0, :]",
                 (False, True): "[..., 0]"}.get(vectors, "")  # fmt: skip
    text = f"{left} @ {right}"
    if index or product.splits:
        text = f"({text}){index}"
    return f"{text}.reshape({tuple_text(statement.shape)})" if product.splits else text


def half_of_matmul(
    statement: Statement, product: MatMul, half: Half, names: Sequence[str]
) -> Lines:
    """Write rows of blocks of a new matrix."""
    target = names[statement.targets[0]]
    start = _with_cost(statement, new_matrix(statement, half, target))
    lines = half_of_product(half, target, sides(statement, product, names))
    return [start, *lines, *split(statement, product, target)]


def added(add: Add, target: str, operands: Sequence[str]) -> Lines:
    """Add all into the sum of the first two."""
    (first, *more), (sign, *signs) = operands, add.signs
    text = f"-{first}" if sign < 0 else first
    if more:
        is_difference = sign < 0 < signs[0]
        text = f"{more[0]} - {first}" if is_difference else f"{text} {_symbol(signs[0])} {more[0]}"
    rest = zip(signs[1:], more[1:], strict=True)
    return [f"{target} = {text}", *(f"{target} {_symbol(s)}= {x}" for s, x in rest)]


def _symbol(sign: int) -> str:
    return "-" if sign < 0 else "+"


def attribute_texts(attributes: Sequence[tuple[str, Any]]) -> dict[str, str]:
    """Write the attributes of a call."""
    return {k: repr(v) if isinstance(v, str) else number(v) for k, v in attributes}


def _call(statement: Statement, call: Call, names: Sequence[str]) -> Lines:
    operands = tuple(names[n] for n in statement.operands)
    text = call.row.text(operands, attribute_texts(call.attributes))
    return [f"{', '.join(names[n] for n in statement.targets)} = {text}"]
