"""From planned roots to the program that is run: lowered, in pieces, halved, in little memory."""

from collections.abc import Sequence, Set

from eingrad._ir import Input, Node
from eingrad._limits import POLICY
from eingrad._plan.buffers import reuse
from eingrad._plan.duration import picoseconds
from eingrad._plan.halves import halved
from eingrad._plan.liveness import in_less_memory
from eingrad._plan.lower import lower
from eingrad._plan.program import InputSpec, Program
from eingrad._plan.tiles import tile
from eingrad._progress import phase


def compose(
    roots: Sequence[Node],
    arguments: Sequence[tuple[Input, InputSpec]],
    candidates: tuple[tuple[str, int], ...] = (),
    written: Set[Node] | None = frozenset(),
) -> Program:
    """Lower roots; with loops where those take half the memory or less, and little more time.

    `written` are nodes that the user wrote; None: all. With loops it is not known which are.
    """
    with phase("lowering"):
        return _composed(roots, arguments, candidates, written)


def _composed(
    roots: Sequence[Node],
    arguments: Sequence[tuple[Input, InputSpec]],
    candidates: tuple[tuple[str, int], ...],
    written: Set[Node] | None,
) -> Program:
    program = lower(roots, arguments, candidates, written)
    if _may_be_cut(program):
        looped = tile(roots, picoseconds(program))
        pieces = program if looped == [*roots] else lower(looped, arguments, candidates, None)
        smaller = 2 * pieces.peak_bytes <= program.peak_bytes
        if smaller and 100 * picoseconds(pieces) <= POLICY.percent_for_memory * picoseconds(
            program
        ):
            program = pieces
    return reuse(in_less_memory(halved(program)))


def _may_be_cut(program: Program) -> bool:
    """Whether loops could halve the memory: the result is whole, and a tile takes some too."""
    results = sum(result.bytes for result in program.results())
    return program.peak_bytes > 2 * max(POLICY.tile_bytes, results)
