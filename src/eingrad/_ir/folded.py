"""Sums of constants that are known without rounding: of whole numbers.

In: a constant and how it is summed. Out: the node of the sum; None where it would be rounded.
Guaranteed: whoever adds in whatever order gets the same bits.

>>> from eingrad._ir.leaves import constant
>>> is_number = exact_sum(constant(np.array([2.0, 3.0])), (0,), ())
>>> is_number.coefficient
5
"""

import numpy as np

from eingrad._ir.einsums import fill
from eingrad._ir.leaves import constant
from eingrad._ir.nodes import Constant, Node
from eingrad._subscripts import Subscripts

_EXACT = 2**24  # a whole number below is a float, also of single precision


def exact_sum(node: Node, term: Subscripts, out: Subscripts) -> Node | None:
    """Sum a constant over the indices that `out` has not, if all partial sums are exact."""
    if not isinstance(node, Constant) or len({*term}) < len(term) or {*term} == {*out}:
        return None
    if node.dtype.kind != "f" or node.dtype.itemsize < 4:  # noqa: PLR2004 - half has 11 bits
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        is_whole = np.abs(node.value).sum(dtype=float) < _EXACT and not (node.value % 1).any()
    if not is_whole:
        return None
    axes = tuple(axis for axis, index in enumerate(term) if index not in out)
    kept = [index for index in term if index in out]
    total = np.transpose(node.value.sum(axes), [kept.index(index) for index in out])
    return constant(total) if total.ndim else fill(int(total), (), node.dtype)
