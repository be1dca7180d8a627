"""Merges inside a contraction: what uses their position is split, or what uses their parts merged.

In: a `Network`. Out: whether one rewrite was made; the network is changed in place.
"""

from eingrad._ir.network import Network, Operand, make_dense
from eingrad._ir.nodes import Merge, Selection
from eingrad._ir.tables import (
    ravel,
    unravel,
)


def unify_merges(network: Network) -> bool:
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


def select_whole_positions(network: Network) -> bool:
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


def free_the_position_of_a_merge(network: Network) -> bool:
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
        make_dense(network, factor)
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
