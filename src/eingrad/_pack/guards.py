"""What may be infinite, and what keeps it from the rest: operations that must not meet.

In: the nodes of a program. Out: for each node below which something is singular, a mark.
Guaranteed: operations of different marks are never packed. Where ``np.where`` hides the derivative
of a logarithm at zero, no other path leads to it; and what depends on other arguments is not
differentiated with it.

A derivative of a vector is that of all its entries. Zero times infinity is nan: so no entry may be
infinite that the user has hidden, where he has not hidden the others.
"""

import itertools
from collections.abc import Hashable, Sequence, Set

from eingrad import _ir
from eingrad._ir import Apply, Input, Node
from eingrad._primitives import Kind, kind_of, row_of


def marks(order: Sequence[Node], roots: Set[Node]) -> dict[Node, Hashable]:
    """Say of each node that is singular, or made of such, on what it depends and if it is hidden.

    `order` has operands first; structural tensors are not in it.
    """
    bits: dict[Node, int] = {}
    inputs = itertools.count()
    singular: set[Node] = set()
    for node in order:
        below = [n for n in _ir.children(node) if n in bits]
        bits[node] = 1 << next(inputs) if isinstance(node, Input) else 0
        for child in below:
            bits[node] |= bits[child]
        is_singular = isinstance(node, Apply) and row_of(node).singular
        if is_singular or not singular.isdisjoint(below):
            singular.add(node)
    if not singular:
        return {}
    open_ones = {*roots}  # that a path leads to on which nothing is selected
    for node in reversed(order):
        if node in open_ones:
            used = _ir.children(node)
            open_ones.update(used[:1] if kind_of(node) is Kind.SELECT else used)
    return {node: (bits[node], node in open_ones) for node in singular}
