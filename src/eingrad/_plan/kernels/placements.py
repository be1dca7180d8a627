"""The kernel that places cores on a buffer, and the ways to say where.

In: nothing. Out: classes of the package's kind.
Guaranteed: `Look` and `Position` are closed.

What a piece lies on is a look at the buffer: its axes split, merged, sliced, picked, one by one.
Where no look exists, each axis of the buffer is a function of the labels.
"""

from dataclasses import dataclass
from typing import ClassVar

from eingrad._ir import Coefficient
from eingrad._subscripts import Shape, Subscripts

# Looks -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SplitAxis:
    """One axis of the buffer becomes several of these sizes."""

    axis: int
    sizes: Shape


@dataclass(frozen=True, slots=True)
class MergeAxes:
    """Several axes of the buffer, from this one on, become one."""

    axis: int
    count: int


@dataclass(frozen=True, slots=True)
class SliceAxis:
    """Positions along an axis of the buffer that a range gives."""

    axis: int
    positions: range


@dataclass(frozen=True, slots=True)
class PickAxis:
    """Positions along an axis of the buffer that a table gives, some perhaps several times."""

    axis: int
    table: "TableOperands"


Look = SplitAxis | MergeAxes | SliceAxis | PickAxis


@dataclass(frozen=True, slots=True)
class TableOperands:
    """Positions that an operand of the statement gives, and whether each counts: another one.

    `positions` and `mask` count the statement's operands; without a mask all count.
    """

    positions: int
    mask: int | None


# Positions that are computed ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Label:
    """An index that nothing determines."""

    index: int


@dataclass(frozen=True, slots=True)
class Affine:
    """``start + step * position``."""

    start: int
    step: int
    position: "Position"


@dataclass(frozen=True, slots=True)
class LookUp:
    """``table[position]``."""

    table: TableOperands
    position: "Position"


@dataclass(frozen=True, slots=True)
class Merged:
    """The row-major position of parts of these sizes."""

    sizes: Shape
    parts: tuple["Position", ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a row-major position: ``whole // stride % size``."""

    stride: int
    size: int
    whole: "Position"


Position = Label | Affine | LookUp | Merged | Part


@dataclass(frozen=True, slots=True)
class At:
    """Positions that are computed: one expression for each axis of the buffer."""

    sizes: Shape  # of the labels
    positions: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """One core scattered onto a buffer.

    After the looks the buffer's axes carry `labels`, one that stands twice being a diagonal. The
    core is operand `core` of the statement, with the indices `term`; None: it is a number.
    """

    where: tuple[Look, ...] | At
    labels: Subscripts
    term: Subscripts
    core: int | None
    number: Coefficient


@dataclass(frozen=True, slots=True)
class Place:
    """``base + sum over pieces of scatter(core)``.

    Operands: the base, where there is one, else it is zero; cores and tables that pieces name.
    """

    label: ClassVar[str] = "place"
    has_base: bool
    pieces: tuple[Piece, ...]
