"""Structural tensors inside a contraction: eliminate what can be, leave the rest standing alone.

In: a `Network`: core operands, structural zero-one tensors (selections, deltas, merges), an output.
Out: the same network in which every structural tensor *stands*: no core operand uses the index it
determines, so the value is a core, placed into a larger zero tensor or reshaped.
Guaranteed: same value and output order; every rewrite removes a structural tensor or a use of the
index that it determines, so it ends.

``sum_j delta[i,j] A[j,k]  ->  A[i,k]``                     rename
``sum_j S[i,j] A[j,k]      ->  A[table[i],k]``              take: slice, gather, flip
``sum_j S[i,j] T[j,k]      ->  (T after S)[i,k]``           compose
``sum_i S[i,j] A[i,k]      ->  A[inverse[j],k]``            where S is a permutation
``sum_j S[i,j] T[k,j]      ->  sum_p V[p,i] W[p,k]``        a row for each pair that meets in a j
``sum_r S[r,j]             ->  count[j]``                   rows counted
``A[i,j] S[r,i] T[r,j]     ->  A'[m] U[r,m]``               gather on two axes at once
``sum_m M[m,i,j] M[m,k,l]  ->  delta[i,k] delta[j,l]``      split after merge
``delta[i,k] A[k]          ->  delta[i,k] A[i]``            i, k both in the output: it stands alone

`selections` and `merges` have the rewrites of these, and a table of the order is in `eliminate`.
"""

import functools
from collections.abc import Callable

import numpy as np

from eingrad._ir.merges import free_the_position_of_a_merge, select_whole_positions, unify_merges
from eingrad._ir.network import Network, Operand, is_delta, make_dense, table_of
from eingrad._ir.nodes import Merge, Selection, Structural
from eingrad._ir.selections import (
    count_rows,
    free_the_column_of_a_selection,
    gather_whole_positions,
    transpose_a_permutation,
)
from eingrad._ir.tables import positions_of, unravel

Rewrite = Callable[[Network], bool]


def eliminate(network: Network) -> None:
    """Rewrite until every structural operand stands; changes the network in place."""
    while network.structure and any(rewrite(network) for rewrite in _rewrites(network)):
        pass


def _rewrites(network: Network) -> tuple[Rewrite, ...]:
    """Give the rewrites, in their order, that there is something to be rewritten by.

    Most networks have deltas alone, or selections alone.
    """
    has_merges = has_deltas = has_tables = has_arrays = False
    for factor in network.structure:
        if isinstance(factor.node, Merge):
            has_merges = True
        elif is_delta(factor):
            has_deltas = True
        else:
            has_tables = True
            has_arrays = has_arrays or not isinstance(table_of(factor), range)
    several = len(network.structure) > 1
    return _that_apply(has_merges, has_deltas, has_tables, has_arrays, several)


@functools.cache
def _that_apply(
    has_merges: bool, has_deltas: bool, has_tables: bool, has_arrays: bool, several: bool
) -> tuple[Rewrite, ...]:
    rewrites: list[tuple[Rewrite, bool]] = [
        (_rename_a_delta, has_deltas),
        (_gather_on_one_index, has_deltas),
        (_mask_the_diagonal_of_a_selection, has_tables),
        (_mask_the_part_of_a_merge, has_merges and several),
        (_open_a_circle, has_merges or several),
        (gather_whole_positions, has_arrays),
        (transpose_a_permutation, has_tables),
        (count_rows, has_arrays),
        (free_the_column_of_a_selection, has_tables),
        (unify_merges, has_merges and several),
        (select_whole_positions, has_merges and several),
        (free_the_position_of_a_merge, has_merges),
    ]
    return tuple(rewrite for rewrite, applies in rewrites if applies)


def _rename_a_delta(network: Network) -> bool:
    """``sum_j delta[i,j] A[j] -> A[i]``; a repeated delta and ``delta[i,i]`` are one."""
    for factor in network.structure:
        if not is_delta(factor):
            continue
        keep, gone = factor.term
        if keep == gone or any(
            is_delta(f) and f is not factor and set(f.term) == {keep, gone}
            for f in network.structure
        ):
            network.drop(factor)
            return True
        if gone in network.out:
            keep, gone = gone, keep
        if gone not in network.out:
            network.drop(factor, gone)
            network.rename(gone, keep)
            return True
    return False


def _gather_on_one_index(network: Network) -> bool:
    """``delta[i,k] A[k] -> delta[i,k] A[i]`` where i is the first of the two in the output."""
    for factor in network.structure:
        if not is_delta(factor):
            continue
        first, second = sorted(factor.term, key=network.out.index)
        others = network.users(second, factor)
        if others or factor.term != (first, second):
            network.rename(second, first)
            factor.term = (first, second)
            return True
    return False


def _mask_the_diagonal_of_a_selection(network: Network) -> bool:
    """``S[i,i] -> mask[i]``: one where the table holds its own position."""
    for factor in network.structure:
        selection, (row, column) = factor.node, factor.term[:2]
        if isinstance(selection, Selection) and row == column:
            network.drop(factor)
            table = positions_of(selection.table)
            mask = np.asarray(table == np.arange(len(table)), bool)
            network.cores.append(Operand(network.make.constant(mask), (row,)))
            return True
    return False


def _mask_the_part_of_a_merge(network: Network) -> bool:
    """``S[m,c] M[m,i,c] -> mask[m] M[m,i,c]``: the merge determines c, the selection must agree."""
    merges = [f for f in network.structure if isinstance(f.node, Merge)]
    for factor in network.structure:
        selection = factor.node
        if not isinstance(selection, Selection):
            continue
        row, column = factor.term
        for merge in merges:
            if merge.term[0] == row and column in merge.term[1:]:
                sizes, axis = merge.node.shape[1:], merge.term.index(column, 1) - 1
                parts = positions_of(unravel(range(merge.node.shape[0]), sizes, axis))
                mask = np.asarray(positions_of(selection.table) == parts, bool)
                network.drop(factor)
                network.cores.append(Operand(network.make.constant(mask), (row,)))
                return True
    return False


def _open_a_circle(network: Network) -> bool:
    """Multiply out one of several that determine each other in a circle, and indices of arrays.

    ``S[r,c] M[q,c,j] T[q,p] M[r,p,k] A[r]``: A would be expressed in p and k, p in q, q in c and j,
    c in r, and so on round.
    """
    ring = _find_ring(network.structure)
    if not ring:
        return False
    determined = {index for f in ring for index in _determine(f)[0]}
    if not any(determined.intersection(f.term) for f in network.cores):
        return False
    make_dense(network, min(ring, key=lambda f: (f.node.size, f.node.digest, f.term)))
    return True


def _find_ring(structure: list[Operand]) -> list[Operand]:
    """Structural operands that determine each other; what only leads to them is left out."""
    ring = structure
    while True:
        sides = [_determine(f) for f in ring]
        determined = {index for found, _ in sides for index in found}
        by = {index for _, of in sides for index in of}
        if determined.isdisjoint(by):  # as of most: none leads to another
            return []
        rest = [
            f
            for f, (found, of) in zip(ring, sides, strict=True)
            if not by.isdisjoint(found) and not determined.isdisjoint(of)
        ]
        if not rest or len(rest) == len(ring):
            return rest
        ring = rest


def _determine(factor: Operand) -> tuple[tuple[int, ...], tuple[int, ...]]:
    assert isinstance(factor.node, Structural)
    return factor.node.determine(factor.term)
