"""Which kernels can write their result to memory that they are given, and over which operands.

In: statements. Out: answers.
Guaranteed: `_emit` has a text for each statement of which `fills` is true.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad._plan.kernels import (
    Add,
    Call,
    Copy,
    EinsumLoop,
    Fill,
    Half,
    MatMul,
    Mirror,
    Multiply,
    Outer,
    Place,
    Reshape,
    Scale,
    Sum,
    Take,
    View,
)
from eingrad._plan.program import Statement
from eingrad._primitives import BY_NAME, Kind

Constants = Mapping[int, NDArray[Any]]  # by the number of the value


def fills(s: Statement, constants: Constants) -> bool:
    """Whether a kernel can fill an array that shares no memory with its operands."""
    match s.kernel:
        case Scale() | Multiply() | Outer() | Copy() | Place(has_base=True):
            return True
        case Add(signs=signs):
            return 1 in signs[:2] and len(signs) > 1  # else the first is negated by itself
        case MatMul(half=Half(mirrored=True)):
            return True
        case MatMul(half=None) as product:
            has_vectors = any(side.is_vector for side in product.sides)
            return not product.batch or not (has_vectors or product.splits)
        case Sum():
            return s.shape != ()
        case Take():
            return len(s.operands) == 2 and _has_positions(constants, s.operands[1])  # noqa: PLR2004
        case Call(row=row, attributes=attributes):
            return row.source_into(dict(attributes)) != ""
    return False


def _has_positions(constants: Constants, table: int) -> bool:
    """Whether positions are known: NumPy checks others in a copy of what it fills."""
    return table in constants and bool(np.all(constants[table] >= 0))


def places(s: Statement) -> Iterator[int]:
    """Operands that a kernel can write its result over, if they lie as the result does."""
    if isinstance(s.kernel, Place):
        yield from s.operands[:1] if s.kernel.has_base else ()
    elif fills(s, {}):
        first = read_at_once(s)
        for k, x in enumerate(first):
            if x not in s.operands[len(first) :] and is_entry_by_entry(s, k):
                yield x


def read_at_once(s: Statement) -> tuple[int, ...]:
    """Operands that the result is made of; those of a sum after the first two are added to it."""
    return s.operands[:2] if isinstance(s.kernel, Add) else s.operands


def is_entry_by_entry(s: Statement, k: int) -> bool:
    """Whether an entry of the result is made of that of operand k in the same place."""
    match s.kernel:
        case Scale() | Add():
            return True
        case Multiply(terms=terms, out=out):
            return terms[k] == out
        case Call(row=row):
            return row.core == ()
    return False


def makes_in_order(s: Statement) -> bool:
    """Whether a new array lies in the order of its axes, whatever the operands do."""
    match s.kernel:
        case Fill() | Copy() | Outer() | Place() | Multiply(in_order=True):
            return True
        case MatMul(batch=batch):
            return batch <= 1  # several axes of a batch lie as those of the operands
        case Take():
            return len(s.operands) == 2  # noqa: PLR2004 - no mask
    return False


def may_share(s: Statement) -> bool:
    """Whether NumPy may give an operand, or a look at it, as the result."""
    match s.kernel:
        case Call(row=row):
            return row.kind is Kind.CAST or BY_NAME.get(row.name) is not row
        case EinsumLoop():
            return True
    return False


def is_one_to_one(s: Statement) -> bool:
    """Whether a look at memory shows each entry once."""
    match s.kernel:
        case View(terms=(term,), out=out):
            return len({*term}) == len(term) and sorted(term) == sorted(out)
        case Reshape() | Mirror():
            return True
    return False
