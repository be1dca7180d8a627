"""A network in an order of its own: what is found does not depend on how operands are given.

In: a `Network`. Out: the same one with operands and indices in canonical order, and which operand
each of its operands was.
Guaranteed: networks that differ in the order of operands, axes and indices alone become one, unless
many operands stay alike in all that their neighbours tell. Colours are refined by those of
neighbours (Weisfeiler and Leman); where several operands keep one colour, each of them in turn is
given a colour of its own, and the order that writes the network first is taken.
"""

from collections.abc import Sequence

from eingrad._ir.order import ranks
from eingrad._limits import TREES
from eingrad._plan.network import Network

_Order = list[int]
_Written = list[tuple[int, list[int]]]  # of each index: what kind it is of, and which operands


def canonical(network: Network) -> tuple[Network, _Order]:
    """Write a network in canonical order; say which operand each of its operands was."""
    terms, out, sizes = network.key
    graph = _Graph(network)
    order, written = min(graph.candidates(), key=lambda pair: sorted(pair[1]))
    of_index = sorted(range(len(sizes)), key=lambda i: written[i])
    name = {sizes[i][0]: k for k, i in enumerate(of_index)}
    renamed = [tuple(sorted({name[index] for index in terms[n]})) for n in order]
    new_sizes = {k: sizes[i][1] for k, i in enumerate(of_index)}
    known = sum(1 << k for k, n in enumerate(order) if network.known >> n & 1)
    wanted = tuple(sorted(name[index] for index in out))
    return Network(renamed, wanted, new_sizes, known, network.written), order


class _Graph:
    """Operands and indices, as the neighbours of each other."""

    def __init__(self, network: Network) -> None:
        terms, out, sizes = network.key
        number = {index: n for n, (index, _) in enumerate(sizes)}
        self.indices = [sorted({number[index] for index in term}) for term in terms]
        self.users: list[list[int]] = [[] for _ in sizes]
        for operand, indices in enumerate(self.indices):
            for index in indices:
                self.users[index].append(operand)
        self.kinds = ranks([(size, index in out) for index, size in sizes])
        self.known = [network.known >> n & 1 for n in range(len(terms))]

    def candidates(self) -> list[tuple[_Order, _Written]]:
        """Order the operands in each way that singling one out leads to."""
        colours = self.refine(ranks(self.known))
        tied = _find_tied(colours)[: TREES.singled] or [0]
        orders = {tuple(self.settle(_single_out(colours, n))) for n in tied}
        return [([*order], self.write(order)) for order in sorted(orders)]

    def settle(self, colours: Sequence[int]) -> _Order:
        """Refine, and single operands out, until none are alike; give their order."""
        colours = self.refine(colours)
        while tied := _find_tied(colours):
            colours = self.refine(_single_out(colours, tied[0]))
        return sorted(range(len(colours)), key=colours.__getitem__)

    def refine(self, colours: Sequence[int]) -> list[int]:
        """Colour operands by the colours of those they share indices with."""
        while True:
            of_index = ranks(
                [
                    (kind, tuple(sorted([colours[n] for n in users])))
                    for kind, users in zip(self.kinds, self.users, strict=True)
                ]
            )
            finer = ranks(
                [
                    (colour, tuple(sorted([of_index[i] for i in indices])))
                    for colour, indices in zip(colours, self.indices, strict=True)
                ]
            )
            if max(finer, default=0) == max(colours, default=0):
                return finer
            colours = finer

    def write(self, order: Sequence[int]) -> _Written:
        """Write the network down in an order of the operands: equal ones are one network."""
        place = {n: k for k, n in enumerate(order)}
        pairs = zip(self.kinds, self.users, strict=True)
        return [(kind, sorted(place[n] for n in users)) for kind, users in pairs]


def _find_tied(colours: Sequence[int]) -> list[int]:
    """Operands of the first colour that several have."""
    members: dict[int, list[int]] = {}
    for n, colour in enumerate(colours):
        members.setdefault(colour, []).append(n)
    several = [colour for colour, found in members.items() if len(found) > 1]
    return members[min(several)] if several else []


def _single_out(colours: Sequence[int], chosen: int) -> list[int]:
    """Put one operand before all others of its colour."""
    return ranks([(colour, n != chosen) for n, colour in enumerate(colours)])
