"""From planned roots to the program that is run: lowered, large things in pieces, halves alone."""

import math
from collections.abc import Sequence

from eingrad._ir import Input, Node
from eingrad._plan.halves import halved
from eingrad._plan.lower import lower
from eingrad._plan.program import InputSpec, Program
from eingrad._plan.tiles import TILE_BYTES, tile

_MOST_COST = 1.1  # times that of the program without loops


def compose(
    roots: Sequence[Node],
    arguments: Sequence[tuple[Input, InputSpec]],
    candidates: tuple[tuple[str, int], ...] = (),
) -> Program:
    """Lower roots; with loops where those take half the memory or less."""
    program = lower(roots, arguments, candidates)
    results = sum(math.prod(shape) * dtype.itemsize for shape, dtype in program.results())
    if program.peak_bytes > 2 * max(TILE_BYTES, results):
        looped = tile(roots)
        pieces = program if looped == [*roots] else lower(looped, arguments, candidates)
        smaller = 2 * pieces.peak_bytes <= program.peak_bytes
        if smaller and pieces.cost <= _MOST_COST * program.cost:
            program = pieces
    return halved(program)
