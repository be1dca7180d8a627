"""Write a statement so that it fills an array, as one of a value that is dead.

In: a statement, and the text of an array for its result. Out: an expression of NumPy.
Guaranteed: its value is that array, with the bits of a new result that lies in memory as it does.
"""

import math
from collections.abc import Sequence

from eingrad._emit.literals import Lines, number, tuple_text
from eingrad._emit.placements import scatter
from eingrad._emit.statements import (
    added,
    assigned,
    attribute_texts,
    column_and_row,
    factors,
    sides,
)
from eingrad._emit.triangles import half_of_product, split
from eingrad._ir import divisor
from eingrad._plan import Result, Statement
from eingrad._plan.kernels import (
    Add,
    Call,
    Copy,
    MatMul,
    Multiply,
    Outer,
    Place,
    Scale,
    Sum,
    Take,
)


def filled(statement: Statement, names: Sequence[str], out: str) -> str:  # noqa: PLR0911 - one for each kernel
    """Write the expression; of a sum, that of its first two terms. Empty: there is none."""
    operands = [names[n] for n in statement.operands]
    match statement.kernel:
        case Add(signs=(1, sign, *_)):
            function = "np.add" if sign == 1 else "np.subtract"
            return f"{function}({operands[0]}, {operands[1]}, out={out})"
        case Add(signs=(-1, 1, *_)):
            return f"np.subtract({operands[1]}, {operands[0]}, out={out})"
        case Scale(factor=factor) if factor == -1:
            return f"np.negative({operands[0]}, out={out})"
        case Scale(factor=factor) if divisor(factor) is not None:
            return f"np.divide({operands[0]}, {number(divisor(factor))}, out={out})"
        case Scale(factor=factor):
            return f"np.multiply({operands[0]}, {number(factor)}, out={out})"
        case Multiply() as product:
            return f"np.multiply({', '.join(factors(statement, product, names))}, out={out})"
        case MatMul(half=None) as product if statement.shape:
            left, right = sides(statement, product, names)
            return f"np.matmul({left}, {right}, out={out})"
        case Outer() as product:
            return f"np.dot({column_and_row(statement, product, names)}, out={out})"
        case Sum(axes=axes) if statement.shape:
            return f"{operands[0]}.sum({tuple_text(axes)}, out={out})"
        case Take(axis=axis):
            return f'{operands[0]}.take({operands[1]}, {axis}, out={out}, mode="clip")'
        case Call(row=row, attributes=attributes):
            source = row.source_into(dict(attributes))
            texts = attribute_texts(attributes)
            return source.format(*operands, **texts, all=", ".join(operands), out=out)
    return ""


def reusing(statement: Statement, names: Sequence[str], memory: Result) -> Lines:
    """Write one step into the memory of a value of this shape."""
    assert statement.into is not None
    target = names[statement.targets[0]]
    operands = [names[n] for n in statement.operands]
    kernel = statement.kernel
    shape = filled_shape(statement)
    out = _reshaped(names[statement.into], memory.shape, shape)
    if isinstance(kernel, Copy | Place):
        if isinstance(kernel, Place) and statement.into == statement.operands[0]:
            first = [f"{target} = {out}"]
        else:
            first = [f"{target} = {out}", f"{target}[...] = {operands[0]}"]
        pieces = scatter(statement, kernel, target, operands) if isinstance(kernel, Place) else []
        return [*first, *pieces]
    if isinstance(kernel, MatMul) and kernel.half:
        lines = half_of_product(kernel.half, target, sides(statement, kernel, names))
        return [f"{target} = {out}", *lines, *split(statement, kernel, target)]
    text = _reshaped(filled(statement, names, out), shape, statement.shape)
    more = added(kernel, target, operands)[1:] if isinstance(kernel, Add) else []
    return [assigned(statement, names, text), *more]


def _reshaped(text: str, old: Sequence[int], new: Sequence[int]) -> str:
    return text if old == new else f"{text}.reshape({tuple_text(new)})"


def filled_shape(statement: Statement) -> tuple[int, ...]:
    """Shape of the array as the kernel fills it: axes of products of matrices are merged."""
    match statement.kernel:
        case MatMul(splits=True) | Outer() as product:
            sizes = dict(zip(product.out, statement.shape, strict=True))
            groups = _groups(product)
            return tuple(math.prod(sizes[i] for i in group) for group in groups)
    return statement.shape


def _groups(product: MatMul | Outer) -> list[list[int]]:
    """Indices of each axis of the product of two matrices; a vector has none."""
    left = [i for i in product.out if i in product.terms[0]]
    right = [i for i in product.out if i not in left]
    if isinstance(product, Outer):
        return [left, right]
    vectors = (side.is_vector for side in product.sides)
    return [group for group, is_vector in zip((left, right), vectors, strict=True) if not is_vector]
