"""Views: an array, and the selections and merges through which it is seen.

In: an einsum that has one array, or none. Out: the array, and all structure between it and the
entries of the einsum, as the factors of one contraction.
Guaranteed: it is the same contraction; what adds rows up is looked through where it is outermost.

>>> from eingrad._ir.build import take
>>> from eingrad._ir.leaves import new_input, selection
>>> from eingrad._ir.reshape import reshape
>>> x = new_input("x", (9, 2))
>>> view = view_of(reshape(take(x, 0, selection([0, 2, 2, 5], 9)), (8,)))
>>> view.core.node is x, [node.shape for node, _ in view.structure]
(True, [(4, 9), (8, 4, 2)])
"""

import itertools
from typing import NamedTuple

from eingrad._ir.coefficients import multiply
from eingrad._ir.einsums import is_rearranged
from eingrad._ir.nodes import (
    Coefficient,
    Factor,
    Node,
    Placement,
    Product,
    Structural,
    sizes_of,
)
from eingrad._ir.opened import open_factors
from eingrad._subscripts import Subscripts

_MOST_FACTORS = 16  # that views of views may have together, so that a long chain is not followed


class View(NamedTuple):
    """An array, and the selections and merges through which it is seen, all of them."""

    factors: tuple[Factor, ...]
    out: Subscripts
    sizes: dict[int, int]
    coefficient: Coefficient

    @property
    def core(self) -> Factor | None:
        """The array; None where all entries are one number, or zero."""
        return next((f for f in self.factors if not isinstance(f.node, Structural)), None)

    @property
    def structure(self) -> list[Factor]:
        """The selections and merges."""
        return [f for f in self.factors if isinstance(f.node, Structural)]

    @property
    def repeated(self) -> set[int]:
        """Output indices of no factor."""
        return {*self.out}.difference(i for _, term in self.factors for i in term)


def view_of(node: Node, *, deep: bool = True) -> View | None:
    """See an einsum as a view, if nothing is computed but that rows may be added up.

    If it is `deep`, placements of placements are seen through, for a reshape of a pick of a slice
    is three of them.
    """
    if not (isinstance(node, Placement) or (isinstance(node, Product) and node.is_view)):
        return None
    sizes = dict(enumerate(node.sizes))
    if not deep:
        return View(node.factors, node.out, sizes, node.coefficient)
    fresh = itertools.count(len(sizes))
    opened = open_factors(node.factors, is_rearranged, fresh, _MOST_FACTORS)
    sizes.update(sizes_of(opened.factors))
    number = multiply(node.coefficient, opened.coefficient)
    return View((*opened.factors,), node.out, sizes, number)
