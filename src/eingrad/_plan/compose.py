"""From planned roots to the program that is run: lowered, in pieces, halved, in little memory."""

from collections.abc import Sequence, Set

from eingrad._ir import Input, Node
from eingrad._limits import POLICY
from eingrad._memory import Limit, exceeded
from eingrad._plan.buffers import reuse
from eingrad._plan.checkpoints import within
from eingrad._plan.duration import picoseconds
from eingrad._plan.halves import halved
from eingrad._plan.liveness import in_less_memory
from eingrad._plan.lower import lower
from eingrad._plan.program import InputSpec, Program
from eingrad._plan.tiles import tile
from eingrad._progress import phase

_ANY_TIME = 2**62  # picoseconds: passes as many as memory asks for


def compose(
    roots: Sequence[Node],
    arguments: Sequence[tuple[Input, InputSpec]],
    candidates: tuple[tuple[str, int], ...] = (),
    written: Set[Node] | None = frozenset(),
    limit: Limit | None = None,
) -> Program:
    """Lower roots; with loops where those take half the memory or less, and little more time.

    `written` are nodes that the user wrote; None: all. With loops it is not known which are. What
    takes more memory than a limit, or than the machine has, takes more time for less of it.
    """
    with phase("lowering"):
        program = _composed(roots, arguments, candidates, written)
        above = exceeded(limit, program.peak_bytes)
        if above is None or sum(result.bytes for result in program.results()) > above.bytes:
            return program
        return _in_less(roots, arguments, candidates, written, above.bytes)


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


# Where memory is short ---------------------------------------------------------------------------


def _in_less(
    roots: Sequence[Node],
    arguments: Sequence[tuple[Input, InputSpec]],
    candidates: tuple[tuple[str, int], ...],
    written: Set[Node] | None,
    limit_bytes: int,
) -> Program:
    """Take the fastest of what fits, or the least: in pieces, and with scans computed again."""
    whole = lower(roots, arguments, candidates, written)
    options = [whole]
    for part in (4, 32):
        looped = tile(roots, _ANY_TIME, max(1, min(POLICY.tile_bytes, limit_bytes // part)))
        if looped != [*roots]:
            options.append(lower(looped, arguments, candidates, None))
    programs = [reuse(within(in_less_memory(halved(each)), limit_bytes)) for each in options]

    def cost(program: Program) -> tuple[bool, int]:
        is_above = program.peak_bytes > limit_bytes
        return is_above, program.peak_bytes if is_above else picoseconds(program)

    return min(programs, key=cost)
