"""Kernels that make, move, scale and add entries, and calls of rows of the table.

In: nothing. Out: classes of the package's kind.
Guaranteed: none multiplies two operands.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from eingrad._ir import Coefficient
from eingrad._primitives import Primitive
from eingrad._subscripts import Shape, Subscripts

# Values without operands -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Number:
    """A number that is written into the expressions that use it."""

    label: ClassVar[str] = "number"
    value: Coefficient


@dataclass(frozen=True, slots=True)
class Fill:
    """A new array of equal entries."""

    label: ClassVar[str] = "fill"
    value: Coefficient


@dataclass(frozen=True, slots=True)
class Triangle:
    """The mask of a square matrix's lower triangle, diagonal included."""

    label: ClassVar[str] = "triangle"


# One operand -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class View:
    """Axes permuted, diagonals taken, new axes broadcast: no entry is moved."""

    label: ClassVar[str] = "view"
    terms: tuple[Subscripts]
    out: Subscripts


@dataclass(frozen=True, slots=True)
class Slice:
    """Positions along an axis that a range gives: no entry is moved."""

    label: ClassVar[str] = "slice"
    axis: int
    positions: range


@dataclass(frozen=True, slots=True)
class Take:
    """Positions along an axis that the second operand gives.

    A third operand, where there is one, is a mask: what it does not select is zero.
    """

    label: ClassVar[str] = "take"
    axis: int


@dataclass(frozen=True, slots=True)
class Reshape:
    """The same entries in another shape; copied where memory has another order."""

    label: ClassVar[str] = "reshape"


@dataclass(frozen=True, slots=True)
class Copy:
    """A new array of the same entries, in the order of its axes."""

    label: ClassVar[str] = "copy"


@dataclass(frozen=True, slots=True)
class Scale:
    """A multiple."""

    label: ClassVar[str] = "scale"
    factor: Coefficient


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum over some axes."""

    label: ClassVar[str] = "sum"
    terms: tuple[Subscripts]
    out: Subscripts

    @property
    def axes(self) -> tuple[int, ...]:
        """Axes of the operand that are summed."""
        (term,) = self.terms
        return tuple(axis for axis, index in enumerate(term) if index not in self.out)


@dataclass(frozen=True, slots=True)
class Mirror:
    """One entry copied to all that interchanging blocks of axes makes of it.

    The operand is reshaped to `flat`, one axis for each block; `groups` are the first of axes that
    may be interchanged, how many they are, and how many of the last are so already: one at least.
    Where it is not done in place, for each axis of
    `axes` in turn, what lies below the diagonal of it and the next becomes what lies above, and
    there is an operand more for each: the mask of the triangle.
    """

    flat: Shape
    groups: tuple[tuple[int, int, int], ...]
    in_place: bool

    @property
    def axes(self) -> tuple[int, ...]:
        """Axes that are exchanged with the next: a sorting network for each group."""
        return tuple(
            first + n
            for first, count, _ in self.groups
            for done in range(1, count)
            for n in range(count - done)
        )

    @property
    def is_matrix(self) -> bool:
        """Whether it is one matrix that is mirrored."""
        return self.groups == ((0, 2, 1),) and len(self.flat) == 2  # noqa: PLR2004 - a matrix

    @property
    def label(self) -> str:
        """Name it in tables."""
        return "mirror in place" if self.in_place else "mirror"


# Any number of operands --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Add:
    """The sum of the operands, each with its sign."""

    label: ClassVar[str] = "add"
    signs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A row of the primitives' table, with its attributes."""

    row: Primitive
    attributes: tuple[tuple[str, Any], ...]

    @property
    def label(self) -> str:
        """Name it in tables."""
        return self.row.name


Elementary = (
    Number | Fill | Triangle | View | Slice | Take | Reshape | Copy | Scale | Sum | Mirror | Add
)  # fmt: skip
