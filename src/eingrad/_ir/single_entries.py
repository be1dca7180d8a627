"""Axes of length one: what is summed or spread over one entry is that entry.

In: a network. Out: the same, changed in place.
Guaranteed: axes of length one of the result are those of the operands, in one order.
"""

from collections import Counter

from eingrad._ir.network import Network, Operand


def keep_single_entries(network: Network) -> None:
    """Sum and spread over lengths of one are nothing: ``sum_j x[j]`` along a new i is ``x[i]``.

    Nor is their order anything: ``x[j, i]`` is ``x[i, j]``. So axes of length one of the result are
    those of the operands, in one order, as far as there are any.
    """
    uses = Counter(i for f in (*network.cores, *network.structure) for i in f.term)
    ones = {i for i, size in network.sizes.items() if size == 1 and uses[i] <= 1}
    ones -= {i for f in network.structure for i in f.term}
    places = [(f, axis) for f in network.cores for axis, i in enumerate(f.term) if i in ones]
    places.sort(key=lambda place: (place[0].node.digest, _wiring(network, place[0]), place[1]))
    indices = [i for i in network.out if i in ones]
    for factor, axis in places[len(indices) :]:
        is_summed = factor.term[axis] not in network.out
        indices.append(factor.term[axis] if is_summed else network.fresh(1))
    terms = {id(f): list(f.term) for f in network.cores}
    for (factor, axis), index in zip(places, indices, strict=False):
        terms[id(factor)][axis] = index
    for factor in network.cores:
        factor.term = tuple(terms[id(factor)])
        network.summed.update({*factor.term}.difference(network.out))


def _wiring(network: Network, factor: Operand) -> list[tuple[bytes, int, int]]:
    """What the longer axes of an operand are tied to: it tells equal operands apart."""
    place = {i: n for n, i in enumerate(network.out) if network.sizes[i] != 1}
    tied = [(b"", place[i], axis) for axis, i in enumerate(factor.term) if i in place]
    tied += [
        (other.node.digest, b, a)
        for other in (*network.cores, *network.structure)
        for b, index in enumerate(other.term)
        for a, own in enumerate(factor.term)
        if own == index and other is not factor
    ]
    return sorted(tied)
