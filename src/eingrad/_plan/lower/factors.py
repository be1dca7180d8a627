"""Factors of a product that is lowered: a value, the indices of its axes, and how they lie.

In: values of a writer. Out: factors without views, and the order in which to multiply them.
Guaranteed: the same entries; nothing is emitted.
"""

from typing import NamedTuple

from eingrad._ir import Product
from eingrad._limits import MACHINE
from eingrad._plan import kernels
from eingrad._plan.lower.memory import outermost_first
from eingrad._plan.lower.writer import Writer
from eingrad._subscripts import Subscripts


class Factor(NamedTuple):
    """A value and its indices."""

    value: int
    term: Subscripts


def sizes_of(writer: Writer, *factors: Factor) -> dict[int, int]:
    """Give the size of each index."""
    return {
        index: size
        for value, term in factors
        for index, size in zip(term, writer.shape(value), strict=True)
    }


def unviewed(writer: Writer, factor: Factor) -> Factor:
    """Take the value that a factor is, its axes permuted."""
    value, term = factor
    made = writer.statement(value)
    while made is not None and isinstance(made.kernel, kernels.View):
        (before,), out = made.kernel.terms, made.kernel.out
        if sorted(before) != sorted(out) or len({*out}) < len(out):
            break
        at = dict(zip(out, term, strict=True))
        (value,), term = made.operands, tuple(at[i] for i in before)
        made = writer.statement(value)
    return Factor(value, term)


def as_they_lie(
    writer: Writer, left: Factor, right: Factor, node: Product
) -> tuple[Factor, Factor, Subscripts]:
    """Order the indices of a product entry by entry: as those factors lie that have all of them.

    If both have, and lie alike, NumPy makes the result in that order anyway. If one has, and the
    other, which is repeated, lies otherwise, NumPy reads the large one across; so its order is
    told, unless the result is needed in the order of its axes, or a copy of it costs more later.
    """
    factors = unviewed(writer, left), unviewed(writer, right)
    whole = [factor for factor in factors if sorted(factor.term) == sorted(node.out)]
    orders = {_lying(writer, factor) for factor in whole}
    order = orders.pop() if len(orders) == 1 else None
    if order is None:
        return left, right, node.out
    if len(whole) == 1 and order != node.out:
        need = writer.users.need(node, writer.lying)
        as_it_lies, as_axes = (
            need.picoseconds([node.out.index(i) for i in indices]) for indices in (order, node.out)
        )
        if need.is_last or as_it_lies > as_axes + MACHINE.out_of_order * node.size:
            return left, right, node.out
    return (*factors, order)


def _lying(writer: Writer, factor: Factor) -> Subscripts | None:
    order = outermost_first(writer.array(factor.value).strides)
    return None if order is None else tuple(factor.term[axis] for axis in order)
