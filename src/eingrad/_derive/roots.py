"""Derivatives as they were derived: a node each, its axes in the order of the differentiations.

In: derivatives by the variables that they were taken in. Out: one root for each order of these.
Guaranteed: derivatives that differ in the order of differentiation alone have one node (Schwarz's
theorem).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from eingrad import _ir
from eingrad._ir import Add, Node, Symmetry
from eingrad._plan.mirror import mirror

Level = dict[tuple[int, ...], Node]  # by the numbers of the variables, in ascending order


@dataclass(frozen=True, slots=True)
class Root:
    """One derivative: `node` with its axes in the order `axes`.

    `symmetry` says which blocks of axes of the node may be interchanged: those of one variable.
    """

    node: Node
    axes: tuple[int, ...]
    symmetry: Symmetry

    @property
    def is_ordered(self) -> bool:
        """Whether the axes are those of the node, in order."""
        return list(self.axes) == sorted(self.axes)

    def plain(self) -> Node:
        """Give the derivative as it was derived, symmetric in exact arithmetic."""
        if not isinstance(self.node, Add):
            return _ir.transpose(self.node, self.axes)
        terms = [_ir.transpose(term, self.axes) for term in self.node.terms]
        return _ir.add(terms, self.node.coefficients)

    def mirrored(self) -> Node:
        """Give the derivative with interchangeable entries equal to the last bit."""
        return _ir.transpose(mirror(self.node, self.symmetry), self.axes)


def arrange(y: Node, nodes: Level, variables: Sequence[Node], order: int) -> list[Root]:
    """Give the derivatives in every order of the variables: those with ascending ones, transposed.

    Which axes belong to a differentiation follows from how often each variable came before.
    """
    found = []
    for wanted in itertools.product(range(len(variables)), repeat=order):
        numbers = tuple(sorted(wanted))
        stops = itertools.accumulate((variables[n].ndim for n in numbers), initial=y.ndim)
        blocks = [tuple(range(*pair)) for pair in itertools.pairwise(stops)]
        of: dict[int, list[tuple[int, ...]]] = {}
        for n, block in zip(numbers, blocks, strict=True):
            of.setdefault(n, []).append(block)
        symmetry = _ir.schwarz(y.ndim, numbers, [x.ndim for x in variables])
        left = {n: iter(group) for n, group in of.items()}
        axes = (*range(y.ndim), *(axis for n in wanted for axis in next(left[n])))
        found.append(Root(nodes[numbers], axes, symmetry))
    return found
