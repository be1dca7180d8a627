"""Kernels that multiply two operands or more, and how they look at these.

In: nothing. Out: classes of the package's kind.
Guaranteed: each sums what its result has no index of, in one call.
"""

from dataclasses import dataclass
from typing import ClassVar

from eingrad._subscripts import Shape, Subscripts


@dataclass(frozen=True, slots=True)
class Multiply:
    """A product that sums nothing; `in_order` in memory, or as NumPy makes it of its operands."""

    label: ClassVar[str] = "multiply"
    terms: tuple[Subscripts, Subscripts]
    out: Subscripts
    in_order: bool = False


@dataclass(frozen=True, slots=True)
class Outer:
    """All entries of one operand times all of another, by BLAS: a matrix product that adds nothing.

    In the result the axes of the first come first; what the operands share has size one. An entry
    is that of `Multiply` but for the sign of a zero, which may be lost: BLAS adds products to zero.
    """

    label: ClassVar[str] = "outer"
    terms: tuple[Subscripts, Subscripts]
    out: Subscripts


@dataclass(frozen=True, slots=True)
class Side:
    """How an operand of a matrix product is looked at: axes permuted, then merged to matrices.

    `flat` is the shape after merging, None where nothing is merged; a vector has no kept axis, and
    is given one.
    """

    axes: tuple[int, ...]
    flat: Shape | None
    is_vector: bool


@dataclass(frozen=True, slots=True)
class Half:
    """The triangle of a square product that is computed: `step` rows at once, on from a diagonal.

    Blocked SYRK: four rows of blocks take 5/8 of the flops. The other entries are zero; where it is
    `mirrored`, each is that of the triangle, copied while a cache holds the rows.
    """

    rows: int
    step: int
    upper: bool
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class MatMul:
    """A product that sums: ``batch`` leading axes, then kept of the left, kept of the right.

    Of leading axes one side may have size one, or none of them: it is repeated over them.
    """

    label: ClassVar[str] = "matmul"
    terms: tuple[Subscripts, Subscripts]
    out: Subscripts
    left: Side
    right: Side
    batch: int
    splits: bool  # whether merged axes are parted again in the result
    half: Half | None = None

    @property
    def sides(self) -> tuple[Side, Side]:
        """Left and right."""
        return self.left, self.right


@dataclass(frozen=True, slots=True)
class EinsumLoop:
    """A contraction that `np.einsum` does as it stands: the last resort."""

    label: ClassVar[str] = "einsum"
    terms: tuple[Subscripts, ...]
    out: Subscripts


Products = Multiply | Outer | MatMul | EinsumLoop
