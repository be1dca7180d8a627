"""Kernels that run a program several times: loops over tiles, and scans.

In: nothing. Out: classes of the package's kind.
Guaranteed: `passes_of` says of scans which bodies run, and how often.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from eingrad._plan.segments import Segments

if TYPE_CHECKING:
    from eingrad._plan.program import Program


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


Loops = Loop | Scan | Rescan
