"""Kernels: what a statement does with its operands. One frozen class each, matched with `match`.

In: nothing. Out: classes that store what a kernel needs besides its operands and its results.
Guaranteed: closed, so that `assert_never` finds who forgot one; fields are of builtin types, other
kernels' programs and rows of the primitives' table.

Indices are integers; ``terms`` are those of the operands, ``out`` those of the result, in order of
their axes.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from eingrad._ir import Coefficient
from eingrad._plan.segments import Segments
from eingrad._primitives import Primitive
from eingrad._subscripts import Shape, Subscripts

if TYPE_CHECKING:
    from eingrad._plan.program import Program


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


# Several operands --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Add:
    """The sum of the operands, each with its sign."""

    label: ClassVar[str] = "add"
    signs: tuple[int, ...]


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


@dataclass(frozen=True, slots=True)
class Call:
    """A row of the primitives' table, with its attributes."""

    row: Primitive
    attributes: tuple[tuple[str, Any], ...]

    @property
    def label(self) -> str:
        """Name it in tables."""
        return self.row.name


# Placement ---------------------------------------------------------------------------------------
# What a piece lies on is a look at the buffer: its axes split, merged, sliced, picked, one by one.


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


# Where no look exists: each axis of the buffer as a function of the labels.


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


# Loops -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Loop:
    """A body that runs once for each tile of an index, and what it does with each pass's results.

    Operands: those of the body, operand n sliced along ``axes[n]`` or whole where that is None;
    then a buffer for each result. Result n is written to the tile of its buffer along
    ``writes[n]``; None: it is added to the buffer, an accumulator. `passes` are the first
    positions of the tiles.
    """

    label: ClassVar[str] = "loop"
    body: "Program"
    passes: range
    axes: tuple[int | None, ...]
    writes: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """A body that runs `length` times, each time with what it gave the time before.

    Operands are those of the body: `constants`, then carries as they are at first, then arrays
    whose first axis is sliced, then `tables`: arrays that the body's program knew. Results of the
    body are the carries of the next pass, then outputs. Those of the statement are the last
    carries, and the outputs of each pass, stacked.

    With a `cut` the last outputs of the body are those that a `Rescan` needs.
    """

    body: "Program"
    length: int
    is_backward: bool  # from the last slice to the first
    constants: int
    carries: int
    tables: int
    cut: "Cut | None" = None

    @property
    def label(self) -> str:
        """Name it in tables."""
        return "scan back" if self.is_backward else "scan"

    @property
    def shown(self) -> str:
        """Say how often it runs, and what is kept of it."""
        return f"{self.length} passes" + (f", {self.cut.segments}" if self.cut else "")

    @property
    def passes_of(self) -> "tuple[tuple[Program, int], ...]":
        """Each body, and how often it runs."""
        if self.cut is None:
            return ((self.body, self.length),)
        last = self.cut.segments.last
        return (self.cut.ahead, last.start), (self.body, len(last))

    @property
    def passes(self) -> range:
        """The positions of the slices, in the order of the passes."""
        forward = range(self.length)
        return forward[::-1] if self.is_backward else forward

    def is_carry(self, operand: int) -> bool:
        """Whether an operand is what a carry is at first."""
        return 0 <= operand - self.constants < self.carries

    def is_slice(self, operand: int) -> bool:
        """Whether an operand is sliced."""
        first = self.constants + self.carries
        return first <= operand < len(self.body.inputs) - self.tables


@dataclass(frozen=True, slots=True)
class Cut:
    """What a scan does not store of all passes: the last `stored` outputs of its body.

    It has two more kinds of results: snapshots, carries at the beginning of some segments, as one
    value of that many bytes; then these outputs, of the last segment. What leads there is `ahead`,
    the body without these outputs.
    """

    segments: Segments
    ahead: "Program"
    stored: int


@dataclass(frozen=True, slots=True)
class Rescan:
    """A scan `back` over what another one, `there`, has stored: of one segment after the other.

    Each is reached again from a snapshot, by the body of `there`, which gives carries alone, and
    computed by `storing`, which gives carries, then what is stored. Operands are those of `back`;
    then those of `there`; then what its statement gave: the snapshots, and what it stored of the
    last segment, which that of others is written over. Operands of `back` at `stored` are those.
    """

    back: Scan
    there: Scan
    storing: "Program"
    segments: Segments
    stored: tuple[int, ...]

    @property
    def label(self) -> str:
        """Name it in tables."""
        return f"{self.back.label}, with its way there"

    @property
    def shown(self) -> str:
        """Say how often it runs, there and back."""
        return f"{self.back.length} passes, {self.segments.again} there again"

    @property
    def passes_of(self) -> "tuple[tuple[Program, int], ...]":
        """Each body, and how often it runs: to a segment, through it, and back."""
        return (
            (self.there.body, self.segments.reached),
            (self.storing, self.segments.last.start),
            (self.back.body, self.back.length),
        )


Kernel = (
    Number | Fill | Triangle | View | Slice | Take | Reshape | Copy | Scale | Sum | Mirror | Add
    | Multiply | Outer | MatMul | EinsumLoop | Call | Place | Loop | Scan | Rescan
)  # fmt: skip
Contraction = View | Sum | Multiply | Outer | MatMul | EinsumLoop  # kernels with subscripts
