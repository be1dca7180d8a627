"""A contraction being rewritten: operands that change, and the builders that rewriting needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad._ir.nodes import Merge, Node, Selection
from eingrad._ir.tables import (
    Table,
    positions_of,
)


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
        cores = [f for f in self.cores if index in f.term and f is not besides]
        return cores + [f for f in self.structure if index in f.term and f is not besides]

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
    constant: Callable[[NDArray[Any]], Node]


def is_delta(factor: Operand) -> bool:
    return isinstance(factor.node, Selection) and factor.node.is_delta


def table_of(factor: Operand) -> Table:
    """The table of a selection."""
    assert isinstance(factor.node, Selection)
    return factor.node.table


def make_dense(network: Network, factor: Operand) -> None:
    """Give up on structure: a core operand with the same values."""
    network.structure = [f for f in network.structure if f is not factor]
    network.cores.append(factor)
    factor.node = network.make.constant(dense(factor.node))


def dense(node: Node) -> NDArray[np.bool_]:
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
