"""Structural tensors inside a contraction: eliminate what can be, leave the rest standing alone.

In: a `Network`: core operands, structural zero-one tensors (selections, deltas, merges), an output.
Out: the same network in which every structural tensor *stands*: no core operand uses the index it
determines, so the value is a core, placed into a larger zero tensor or reshaped.
Guaranteed: same value and output order; every rewrite removes a structural tensor or a use of the
index that it determines, so it ends.

``sum_j delta[i,j] A[j,k]  ->  A[i,k]``                     rename
``sum_j S[i,j] A[j,k]      ->  A[table[i],k]``              take: slice, gather, flip
``sum_j S[i,j] T[j,k]      ->  (T after S)[i,k]``           compose
``sum_j S[i,j] T[k,j]      ->  sum_p V[p,i] W[p,k]``        a row for each pair that meets in a j
``sum_m M[m,i,j] M[m,k,l]  ->  delta[i,k] delta[j,l]``      split after merge
``delta[i,k] A[k]          ->  delta[i,k] A[i]``            i, k both in the output: it stands alone
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eingrad._ir.nodes import Constant, Einsum, Merge, Node, Selection, Structural
from eingrad._ir.tables import (
    Table,
    compose,
    match_rows,
    number_of_pairs,
    pairs_of_rows,
    positions_of,
    ravel,
    selects,
    unravel,
)

Rewrite = Callable[["Network"], bool]

_FEW = 256  # multiplications in a matrix product take as long as adding one entry at a position


@dataclass(slots=True)
class Operand:
    """A factor that is being rewritten."""

    node: Node
    term: tuple[int, ...]


@dataclass(slots=True)
class Network:
    """A contraction being rewritten. `summed` holds the summed indices that still count."""

    cores: list[Operand]
    structure: list[Operand]
    out: tuple[int, ...]
    sizes: dict[int, int]
    summed: set[int]
    make: "Makers"

    def fresh(self, size: int) -> int:
        """Make a new index."""
        index = 1 + max(self.sizes, default=-1)
        self.sizes[index] = size
        return index

    def rename(self, old: int, new: int) -> None:
        """Replace an index in every operand."""
        for factor in (*self.cores, *self.structure):
            if old in factor.term:
                factor.term = tuple(new if i == old else i for i in factor.term)

    def users(self, index: int, besides: Operand) -> list[Operand]:
        """Operands other than one that carry an index."""
        return [f for f in (*self.cores, *self.structure) if f is not besides and index in f.term]

    def drop(self, factor: Operand, *indices: int) -> None:
        """Remove a structural operand, and indices that it determined."""
        self.structure = [f for f in self.structure if f is not factor]
        self.summed.difference_update(indices)


@dataclass(frozen=True, slots=True)
class Makers:
    """The builders that rewriting needs; `build` gives them, so that imports go one way."""

    selection: Callable[[Table, int], Selection]
    split_axis: Callable[[Node, int, Merge], Node]
    merge: Callable[[tuple[int, ...]], Merge]
    merge_axes: Callable[[Node, tuple[int, ...], Merge], Node]
    take: Callable[[Node, int, Selection], Node]
    constant: Callable[["np.typing.NDArray[np.bool_]"], Node]


def eliminate(network: Network) -> None:
    """Rewrite until every structural operand stands; changes the network in place."""
    rewrites: tuple[Rewrite, ...] = (
        _rename_a_delta,
        _gather_on_one_index,
        _mask_the_diagonal_of_a_selection,
        _mask_the_part_of_a_merge,
        _open_a_circle,
        _gather_whole_positions,
        _free_the_column_of_a_selection,
        _unify_merges,
        _select_whole_positions,
        _free_the_position_of_a_merge,
    )
    while any(rewrite(network) for rewrite in rewrites):
        pass


def _is_delta(factor: Operand) -> bool:
    return isinstance(factor.node, Selection) and factor.node.is_delta


def _rename_a_delta(network: Network) -> bool:
    """``sum_j delta[i,j] A[j] -> A[i]``; a repeated delta and ``delta[i,i]`` are one."""
    for factor in network.structure:
        if not _is_delta(factor):
            continue
        keep, gone = factor.term
        if keep == gone or any(
            _is_delta(f) and f is not factor and set(f.term) == {keep, gone}
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
        if not _is_delta(factor):
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
    determined = {index for f in ring for index in _determine(f)[0]}
    if not any(determined.intersection(f.term) for f in network.cores):
        return False
    _make_dense(network, min(ring, key=lambda f: (f.node.size, f.node.digest, f.term)))
    return True


def _find_ring(structure: list[Operand]) -> list[Operand]:
    """Structural operands that determine each other; what only leads to them is left out."""
    ring = structure
    while True:
        determined = {index for f in ring for index in _determine(f)[0]}
        by = {index for f in ring for index in _determine(f)[1]}
        rest = [
            f for f in ring
            if not by.isdisjoint(_determine(f)[0]) and not determined.isdisjoint(_determine(f)[1])
        ]  # fmt: skip
        if len(rest) == len(ring):
            return ring
        ring = rest


def _determine(factor: Operand) -> tuple[tuple[int, ...], tuple[int, ...]]:
    assert isinstance(factor.node, Structural)
    return factor.node.determine(factor.term)


def _gather_whole_positions(network: Network) -> bool:
    """``A[a,b] S[r,a] T[r,b] -> A'[m] U[r,m]``, where A' is A with two axes merged.

    To take along one after the other, and then the diagonal, would need r times r entries. So too
    where r is an index of A itself. Ranges stay: what they take is a view.
    """
    for core in network.cores:
        for row in dict.fromkeys(f.term[0] for f in network.structure):
            picks = _picks_of(network, core, row)
            if any(not isinstance(_table_of(pick), range) for pick in picks.values()):
                axes = tuple(n for n, i in enumerate(core.term) if i in picks or i == row)
                if len(axes) > 1 and _may_merge(core, axes, network.sizes[row]):
                    _gather_on_axes(network, core, axes, row, picks)
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
    tables = [_table_of(picks[i]) if i in picks else range(network.sizes[row]) for i in indices]
    for index, pick in picks.items():
        network.drop(pick, index)
    whole = network.fresh(math.prod(sizes))
    network.summed.add(whole)
    core.node = network.make.merge_axes(core.node, axes, network.make.merge(sizes))
    term = (whole if n == axes[0] else i for n, i in enumerate(core.term) if n not in axes[1:])
    core.term = tuple(term)
    table = network.make.selection(ravel(tables, sizes), network.sizes[whole])
    network.structure.append(Operand(table, (row, whole)))


def _table_of(factor: Operand) -> Table:
    assert isinstance(factor.node, Selection)
    return factor.node.table


def _free_the_column_of_a_selection(network: Network) -> bool:
    """``S[r,c] A[c] -> S[r,c] A[table[r]]``: whatever else uses c uses r; a summed c goes.

    A selection of a selection comes first, so that the two compose before they meet an array. A
    selection of a part of a merge, ``S[r,c] M[m,c,j]``, stands: m is determined by r and j.
    """
    picks = [f for f in network.structure if isinstance(f.node, Selection) and not _is_delta(f)]
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
    it would come again at every rebuilding of the product.
    """
    pending = [(f.node, axis) for f in network.cores for axis, i in enumerate(f.term) if i == row]
    seen = set(pending)
    while pending:
        node, axis = pending.pop()
        if isinstance(node, Constant) and not node.value.compress(outside, axis).any():
            return True
        if not isinstance(node, Einsum):
            continue
        for operand, term in node.factors:
            axes = [n for n, index in enumerate(term) if index == node.out[axis]]
            if operand is selection and axes[:1] == [0]:
                return True
            new = [(operand, n) for n in axes if (operand, n) not in seen]
            pending += new
            seen.update(new)
    return False


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
                _make_dense(network, user)
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


def _make_dense(network: Network, factor: Operand) -> None:
    """Give up on structure: a core operand with the same values."""
    network.structure = [f for f in network.structure if f is not factor]
    network.cores.append(factor)
    factor.node = network.make.constant(dense(factor.node))


def _unify_merges(network: Network) -> bool:
    """``M[m,i,j] M[m,k,l] -> M[m,i,j] delta[i,k] delta[j,l]``, and the same from the other side."""
    merges = [f for f in network.structure if isinstance(f.node, Merge)]
    for n, factor in enumerate(merges):
        for other in merges[:n]:
            if factor.node is not other.node:
                continue
            if factor.term[0] == other.term[0]:
                pairs = zip(other.term[1:], factor.term[1:], strict=True)
            elif factor.term[1:] == other.term[1:]:
                pairs = zip(other.term[:1], factor.term[:1], strict=True)
            else:
                continue
            network.drop(factor)
            for pair in pairs:
                size = network.sizes[pair[0]]
                delta = network.make.selection(range(size), size)
                network.structure.append(Operand(delta, pair))
            return True
    return False


def _select_whole_positions(network: Network) -> bool:
    """``S[r,i] T[r,j] M[m,i,j] -> U[r,m]`` where i and j are summed: all parts of one position."""
    for factor in network.structure:
        if not isinstance(factor.node, Merge):
            continue
        parts = factor.term[1:]
        users = [network.users(index, factor) for index in parts]
        wired = [len(u) == 1 and u[0].term[1:] == (i,) for u, i in zip(users, parts, strict=True)]
        if len(set(parts)) < len(parts) or not all(wired):
            continue
        picks = [u for (u,) in users]
        rows = {pick.term[0] for pick in picks}
        if len(rows) > 1 or rows.intersection(parts) or not {*parts}.isdisjoint(network.out):
            continue
        tables = [p.node.table for p in picks if isinstance(p.node, Selection)]
        if len(tables) < len(picks):
            continue
        for pick in picks:
            network.drop(pick)
        network.drop(factor, *parts)
        table = ravel(tables, factor.node.shape[1:])
        whole = network.make.selection(table, factor.node.shape[0])
        network.structure.append(Operand(whole, (rows.pop(), factor.term[0])))
        return True
    return False


def _free_the_position_of_a_merge(network: Network) -> bool:
    """Split whatever else uses m of ``M[m,i,j]``, or merge the one operand that uses i and j."""
    for factor in network.structure:
        merge = factor.node
        if isinstance(merge, Merge) and (
            _open_a_repeated_part(network, factor, merge) or _free_one_merge(network, factor, merge)
        ):
            return True
    return False


def _open_a_repeated_part(network: Network, factor: Operand, merge: Merge) -> bool:
    """``M[m,i,i]`` selects the positions of a diagonal; of more parts, or of m, it is an array."""
    position, parts = factor.term[0], factor.term[1:]
    if len({*factor.term}) == len(factor.term):
        return False
    if len({*parts}) == 1 and position not in parts:
        size = merge.shape[1]
        step = sum(size**k for k in range(len(parts)))
        diagonal = range(0, step * size, step)
        factor.node = network.make.selection(diagonal, merge.shape[0])
        factor.term = (parts[0], position)
    else:
        _make_dense(network, factor)
    return True


def _free_one_merge(network: Network, factor: Operand, merge: Merge) -> bool:
    position, parts = factor.term[0], factor.term[1:]
    uses = [network.users(index, factor) for index in parts]
    kept = any(index in network.out for index in parts)
    if not kept and not any(uses):  # sum_ij M[m,i,j] = 1
        network.drop(factor, *parts)
        return True
    unused = [i for i, users in zip(parts, uses, strict=True) if not users and i not in network.out]
    in_cores = any(position in core.term for core in network.cores)
    if unused and not in_cores and position not in network.out:  # sum_i M[m,i,j] picks j of m
        network.drop(factor, *unused)
        for axis, index in enumerate(parts):
            if index not in unused:
                size = merge.shape[axis + 1]
                table = unravel(range(merge.shape[0]), merge.shape[1:], axis)
                picks = network.make.selection(table, size)
                network.structure.append(Operand(picks, (position, index)))
        return True
    single = {id(user): user for users in uses for user in users}
    if not kept and len(single) == 1 and all(uses):
        (user,) = single.values()
        if user in network.cores and all(user.term.count(index) == 1 for index in parts):
            axes = tuple(user.term.index(index) for index in parts)
            user.node = network.make.merge_axes(user.node, axes, merge)
            user.term = tuple(
                position if i == parts[0] else i for i in user.term if i not in parts[1:]
            )
            network.drop(factor, *parts)
            return True
    for user in network.users(position, factor):
        if user in network.cores:
            axis = user.term.index(position)
            user.node = network.make.split_axis(user.node, axis, merge)
            user.term = (*user.term[:axis], *parts, *user.term[axis + 1 :])
            return True
    if position not in network.out and not network.users(position, factor):
        network.drop(factor, position)
        return True
    return False


# Values ------------------------------------------------------------------------------------------


def dense(node: Node) -> "np.typing.NDArray[np.bool_]":
    """Values of a structural tensor."""
    values = np.zeros(node.shape, bool)
    if isinstance(node, Selection):
        table = positions_of(node.table)
        rows = np.flatnonzero(table >= 0)
        values[rows, table[rows]] = True
    else:
        position = np.arange(node.shape[0])
        values[(position, *np.unravel_index(position, node.shape[1:]))] = True
    return values
