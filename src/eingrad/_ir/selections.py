"""Selections inside a contraction: what uses their column is expressed in their row.

In: a `Network`. Out: whether one rewrite was made; the network is changed in place.
"""

import math

import numpy as np

from eingrad._ir.network import Network, Operand, is_delta, make_dense, table_of
from eingrad._ir.nodes import Constant, Einsum, Merge, Node, Selection, Structural
from eingrad._ir.tables import (
    compose,
    inverse,
    match_rows,
    number_of_pairs,
    pairs_of_rows,
    positions_of,
    ravel,
    selects,
    unravel,
)
from eingrad._subscripts import Subscripts

_FEW = 256  # multiplications in a matrix product take as long as adding one entry at a position


def gather_whole_positions(network: Network) -> bool:
    """``A[a,b] S[r,a] T[r,b] -> A'[m] U[r,m]``, where A' is A with two axes merged.

    To take along one after the other, and then the diagonal, would need r times r entries. So too
    where r is an index of A itself. Ranges stay: what they take is a view.
    """
    for core in network.cores:
        for row in dict.fromkeys(f.term[0] for f in network.structure):
            picks = _picks_of(network, core, row)
            if any(not isinstance(table_of(pick), range) for pick in picks.values()):
                axes = tuple(n for n, i in enumerate(core.term) if i in picks or i == row)
                if len(axes) > 1 and _may_merge(core, axes, network.sizes[row]):
                    _gather_on_axes(network, core, axes, row, picks)
                    return True
    return False


def transpose_a_permutation(network: Network) -> bool:
    """``sum_r S[r,c] A[r] -> sum_r T[c,r] A[r]``, T the transposed: a take, and nothing is added.

    Only where c stays and r goes: then r is taken, and this ends.
    """
    for factor in network.structure:
        selection = factor.node
        if not isinstance(selection, Selection) or is_delta(factor):
            continue
        row, column = factor.term
        if row in network.out or column not in network.out:
            continue
        if any(user in network.structure for user in network.users(row, factor)):
            continue  # selections of selections compose
        table = inverse(selection.table, selection.shape[1])
        if table is not None:
            factor.node = network.make.selection(table, selection.shape[0])
            factor.term = (column, row)
            return True
    return False


def count_rows(network: Network) -> bool:
    """``sum_r S[r,c] -> count[c]``: how many of the rows select each, where that is all of them.

    Where rows are more than what they select: others are places, not numbers. And not where an
    array has c: of that, rows are taken.
    """
    for factor in network.structure:
        selection = factor.node
        if not isinstance(selection, Selection) or isinstance(selection.table, range):
            continue
        row, column = factor.term
        rows, columns = selection.shape
        is_free = row not in network.out and not network.users(row, factor)
        is_used = any(column in core.term for core in network.cores)
        if is_free and not is_used and rows > columns:
            selected = selection.table[positions_of(selection.table) >= 0].astype(np.intp)
            count = np.bincount(selected, minlength=columns)
            network.drop(factor)
            network.summed.discard(row)
            network.cores.append(Operand(network.make.constant(count), (column,)))
            return True
    return False


def _picks_of(network: Network, core: Operand, row: int) -> dict[int, Operand]:
    """Selections on a row of indices that an array alone has, by these."""
    if core.term.count(row) > 1:
        return {}
    return {
        f.term[1]: f
        for f in network.structure
        if isinstance(f.node, Selection)
        and f.term[0] == row
        and core.term.count(f.term[1]) == 1
        and f.term[1] not in network.out
        and network.users(f.term[1], f) == [core]
    }


def _may_merge(core: Operand, axes: tuple[int, ...], rows: int) -> bool:
    """Whether merging axes is a view, or copies less than the takes would write."""
    is_view = axes == tuple(range(axes[0], axes[-1] + 1))
    merged = math.prod(core.node.shape[axis] for axis in axes)
    return is_view or merged <= rows ** len(axes)


def _gather_on_axes(
    network: Network, core: Operand, axes: tuple[int, ...], row: int, picks: dict[int, Operand]
) -> None:
    sizes = tuple(core.node.shape[axis] for axis in axes)
    indices = [core.term[axis] for axis in axes]
    tables = [table_of(picks[i]) if i in picks else range(network.sizes[row]) for i in indices]
    for index, pick in picks.items():
        network.drop(pick, index)
    whole = network.fresh(math.prod(sizes))
    network.summed.add(whole)
    core.node = network.make.merge_axes(core.node, axes, network.make.merge(sizes))
    term = (whole if n == axes[0] else i for n, i in enumerate(core.term) if n not in axes[1:])
    core.term = tuple(term)
    table = network.make.selection(ravel(tables, sizes), network.sizes[whole])
    network.structure.append(Operand(table, (row, whole)))


def free_the_column_of_a_selection(network: Network) -> bool:
    """``S[r,c] A[c] -> S[r,c] A[table[r]]``: whatever else uses c uses r; a summed c goes.

    A selection of a selection comes first, so that the two compose before they meet an array. A
    selection of a part of a merge, ``S[r,c] M[m,c,j]``, stands: m is determined by r and j.
    """
    picks = [f for f in network.structure if isinstance(f.node, Selection) and not is_delta(f)]
    columns = {f.term[1] for f in picks}
    picks.sort(key=lambda f: f.term[0] in columns)
    for factor in picks:
        selection = factor.node
        assert isinstance(selection, Selection)
        row, column = factor.term
        users = network.users(column, factor)
        others = [f for f in users if not (isinstance(f.node, Merge) and column in f.term[1:])]
        if not others and (column in network.out or users):
            continue
        for other in others:
            _express_in_row(network, selection, row, column, other)
        if column not in network.out and not network.users(column, factor):
            network.drop(factor, column)
            mask = selects(selection.table)
            if (
                not others
                and mask is not None
                and not _is_zero_outside(network, selection, row, ~mask)
            ):
                network.cores.append(Operand(network.make.constant(mask), (row,)))
        return True
    return False


def _is_zero_outside(
    network: Network, selection: Selection, row: int, outside: "np.typing.NDArray[np.bool_]"
) -> bool:
    """Whether the cores are zero where a row selects nothing, so that no mask need say it.

    They are where one of them was already taken by this selection, or masked. A mask that repeated
    it would come again at every rebuilding of the product. What rows are may be told by several
    axes, where a merge makes them of parts.
    """
    merges = [f.term for f in network.structure if isinstance(f.node, Merge)]
    pending: list[tuple[Node, Subscripts]] = [
        (f.node, tuple(map(f.term.index, ways)))
        for f in network.cores
        for ways in ((row,), *(term[1:] for term in merges if term[0] == row))
        if {*ways}.issubset(f.term)
    ]
    seen: set[tuple[Node, Subscripts]] = {*pending}
    while pending:
        node, axes = pending.pop()
        if isinstance(node, Constant):
            rows = np.moveaxis(node.value, axes, range(len(axes))).reshape(len(outside), -1)
            if not rows[outside].any():
                return True
        if not isinstance(node, Einsum):
            continue
        indices = tuple(node.out[axis] for axis in axes)
        if any(of is selection and indices == term[:1] for of, term in node.factors):
            return True
        for ways in (indices, *_of_merges(node, indices)):
            new = [
                (of, tuple(map(term.index, ways)))
                for of, term in node.factors
                if not isinstance(of, Structural) and {*ways}.issubset(term)
            ]
            pending += [pair for pair in new if pair not in seen]
            seen.update(new)
    return False


def _of_merges(node: Einsum, indices: Subscripts) -> list[Subscripts]:
    """Tell the position of a merge by its parts, or the parts by the position."""
    merges = [term for of, term in node.factors if isinstance(of, Merge)]
    positions = [term[1:] for term in merges if indices == term[:1]]
    return positions + [term[:1] for term in merges if indices == term[1:]]


def _express_in_row(
    network: Network, selection: Selection, row: int, column: int, user: Operand
) -> None:
    """Rewrite one user of the column c of ``S[r,c]`` so that it uses the row r."""
    make = network.make
    match user.node:
        case Selection() as other if user in network.structure:
            first, second = user.term
            if first == column:
                table = compose(selection.table, other.table)
                user.node, user.term = make.selection(table, other.shape[1]), (row, second)
            elif not _match_rows(network, selection, row, column, user):
                make_dense(network, user)
                _take_axes(network, selection, row, column, user)
        case Merge() as merge if user in network.structure:
            network.drop(user)
            sizes = merge.shape[1:]
            for axis, index in enumerate(user.term[1:]):
                table = unravel(selection.table, sizes, axis)
                network.structure.append(Operand(make.selection(table, sizes[axis]), (row, index)))
        case _:
            _take_axes(network, selection, row, column, user)


def _match_rows(
    network: Network, selection: Selection, row: int, column: int, user: Operand
) -> bool:
    """``sum_c S[r,c] T[q,c] -> U[r,q]``, or ``U[q,r]``, or where both repeat ``V[p,r] W[p,q]``.

    There is a row p for each pair that selects the same. Only where c goes: else this need not end.
    """
    make, other, first = network.make, user.node, user.term[0]
    assert isinstance(other, Selection)
    if first == row:
        mine, theirs = positions_of(selection.table), positions_of(other.table)
        mask = np.asarray((mine == theirs) & (mine >= 0), bool)
        network.drop(user)
        if not mask.all():
            network.cores.append(Operand(make.constant(mask), (row,)))
        return True
    matched = match_rows(selection.table, other.table)
    if matched is not None:
        user.node, user.term = make.selection(matched, other.shape[0]), (row, first)
        return True
    if column in network.out or any(
        isinstance(f.node, Merge) and column in f.term[1:] for f in network.structure
    ):
        return False
    matched = match_rows(other.table, selection.table)
    if matched is not None:
        user.node, user.term = make.selection(matched, selection.shape[0]), (first, row)
        return True
    count = number_of_pairs(selection.table, other.table)
    if not _are_few(network, count, (row, first), column):
        return False
    rows, users_rows = pairs_of_rows(selection.table, other.table)
    pair = network.fresh(count)
    network.summed.add(pair)
    user.node, user.term = make.selection(rows, selection.shape[0]), (pair, row)
    network.structure.append(Operand(make.selection(users_rows, other.shape[0]), (pair, first)))
    return True


def _are_few(network: Network, pairs: int, rows: tuple[int, int], column: int) -> bool:
    """Whether to add pairs one by one, rather than to multiply by a dense table.

    With rows that are only summed with arrays, a dense table makes a matrix product.
    """
    entries = network.sizes[rows[0]] * network.sizes[rows[1]]
    is_product = any(
        row not in network.out
        and all({*f.term} == {row, column} for f in network.structure if row in f.term)
        for row in rows
    )
    return pairs * (_FEW if is_product else 1) < entries


def _take_axes(
    network: Network, selection: Selection, row: int, column: int, user: Operand
) -> None:
    for axis, index in enumerate(user.term):
        if index == column:
            user.node = network.make.take(user.node, axis, selection)
    user.term = tuple(row if i == column else i for i in user.term)
