"""Add up rows that select the same before they meet what they select from.

>>> a, w = _ir.new_input("a", (4, 9)), _ir.new_input("w", (300,))
>>> picks = _ir.selection([0, 1, 2, 3, 1] * 60, 4)
>>> rows = _ir.einsum("r,rj->rj", w, _ir.take(a, 0, picks))
>>> total = _ir.contract([(rows, (0, 1)), (picks, (0, 2))], (2, 1))
>>> [n.shape for n in _ir.children(scatter(total, [rows]))]
[(4,), (4, 9)]
"""

import itertools
import math
from collections.abc import Container, Iterable, Sequence

from eingrad import _ir
from eingrad._ir import Einsum, Factor, Node, Placement, Product, Selection
from eingrad._limits import MACHINE


def scatter(node: Node, once: Container[Node]) -> Node:
    """``sum_r w_r A[t_r, j] -> sum_c (sum_r S[r,c] w_r) A[c, j]``: add up rows that take the same.

    Of 3,000 rows that are taken of a matrix of 40, no copy is made. Likewise where rows are added
    by position, ``sum_r S[r,c] w_r A[t_r, j]`` with the same table t. With no w they are counted.

    Keeps value, shape and dtype. Terminates: fewer factors are taken. Leaves alone what would take
    longer: where rows are few, or what is added up is large.
    """
    if isinstance(node, Product) and node.sums:
        for row in node.summed:
            made = _add_up_first(node, node.factors, row, None)
            if made is not None:
                return made
    elif isinstance(node, Placement) and node.core is not None and len(node.structure) == 1:
        product, ((picks, term),) = node.core.node, node.structure
        is_added = isinstance(picks, Selection) and term[0] not in node.out
        if is_added and isinstance(product, Product) and product in once and not product.sums:
            factors = _ir.splice(product, node.core.term, itertools.count(len(node.sizes)))
            made = _add_up_first(node, factors, term[0], Factor(picks, term))
            if made is not None:
                return _ir.scale(made, product.coefficient)
    return node


def _add_up_first(
    node: Einsum, factors: Sequence[Factor], row: int, by: Factor | None
) -> Node | None:
    """Add up rows of the factors that are not taken; None where that takes longer.

    The rows are summed in a product, or added `by` a selection whose column is in the result.
    """
    found = [(f, _selection_of(f, row)) for f in factors if row in f.term]
    rest = [f for f in factors if row not in f.term]
    sizes = _ir.sizes_of(factors)
    for picks in [by.node] if by else [*dict.fromkeys(of for _, of in found if of)]:
        taken = [f for f, of in found if of is picks]
        added = [f for f, of in found if of is not picks]
        is_counted = not added and picks.shape[0] > picks.shape[1]
        if not taken or not (added or is_counted):
            continue
        column = by.term[1] if by else 1 + max(_indices(factors))
        needed = {*node.out, *_indices(taken), *_indices(rest)} - {row}
        kept = [i for i in dict.fromkeys(_indices(added)) if i in needed]
        if _is_faster(sizes, picks, taken, {*_indices(taken)} - {row}, kept, by):
            counted = [*added, Factor(picks, (row, column))]
            sums = _ir.contract(counted, (column, *kept), dtype=node.dtype)
            new = [Factor(sums, (column, *kept)), *(_source(f, column) for f in taken), *rest]
            return _ir.contract(new, node.out, node.sizes, node.coefficient, node.dtype)
    return None


def _selection_of(factor: Factor, row: int) -> Node | None:
    """The selection by which a factor is taken along an index, if it is."""
    node, term = factor
    if not isinstance(node, Placement) or node.core is None or len(node.structure) != 1:
        return None
    ((picks, (first, *columns)),) = node.structure
    if not isinstance(picks, Selection) or node.coefficient != 1 or node.repeated:
        return None
    core = node.core.term
    if first not in node.out or first in core or core.count(columns[0]) != 1:
        return None
    is_row = term.count(row) == 1 and term[node.out.index(first)] == row
    return picks if is_row and columns[0] not in node.out else None


def _source(factor: Factor, column: int) -> Factor:
    """What a factor is taken from."""
    node, term = factor
    assert isinstance(node, Placement)
    assert node.core is not None
    to_outer = dict(zip(node.out, term, strict=True))
    return Factor(node.core.node, tuple([to_outer.get(i, column) for i in node.core.term]))


def _is_faster(
    sizes: dict[int, int], picks: Node, taken: Sequence[Factor], of_taken: set[int],
    kept: Sequence[int], by: Factor | None,
) -> bool:  # fmt: skip
    """Whether to add up rows takes less time than to take them."""
    rows, columns = picks.shape
    each = math.prod(sizes[i] for i in of_taken.union(kept))
    product = 2 * MACHINE.flop * each
    copies = sum(n.size for n, _ in taken) * 8 * (MACHINE.byte_moved + MACHINE.byte_written)
    by_position = rows * each * MACHINE.scattered if by else 0
    sums = rows * math.prod(sizes[i] for i in kept) * MACHINE.scattered
    return sums + columns * product < copies + rows * product + by_position


def _indices(factors: Iterable[Factor]) -> Iterable[int]:
    return (i for f in factors for i in f.term)
