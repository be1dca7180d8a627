"""From planned roots to the program that is run: lowered, large things in pieces, halves alone."""

from collections.abc import Sequence

from eingrad._cost import weighted
from eingrad._ir import Input, Node
from eingrad._plan.duration import picoseconds
from eingrad._plan.halves import halved
from eingrad._plan.lower import lower
from eingrad._plan.program import InputSpec, Program
from eingrad._plan.tiles import TILE_BYTES, tile

_MOST_TIME = 1.1  # times that of the program without loops
_WRITING = 0.15  # of the cost: above that, memory is what a program waits for
_MUCH = 2**25  # bytes: so much memory is saved in any case


def compose(
    roots: Sequence[Node],
    arguments: Sequence[tuple[Input, InputSpec]],
    candidates: tuple[tuple[str, int], ...] = (),
) -> Program:
    """Lower roots; with loops where those take half the memory or less.

    Only where memory is scarce: a program that mostly multiplies is not faster in pieces.
    """
    program = lower(roots, arguments, candidates)
    if _may_be_cut(program):
        looped = tile(roots, program.cost)
        pieces = program if looped == [*roots] else lower(looped, arguments, candidates)
        smaller = 2 * pieces.peak_bytes <= program.peak_bytes
        if smaller and picoseconds(pieces) <= _MOST_TIME * picoseconds(program):
            program = pieces
    return halved(program)


def _may_be_cut(program: Program) -> bool:
    """Whether loops could halve the memory, and that is worth a look."""
    results = sum(result.bytes for result in program.results())
    writing = sum(weighted(0, s.traffic_bytes // 8) for s in program.statements)
    peak = program.peak_bytes
    return peak > 2 * max(TILE_BYTES, results) and (
        peak > _MUCH or writing > _WRITING * program.cost
    )
