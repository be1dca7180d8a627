"""Modes of a network of which no function is known: it is contracted from one of its ends.

In: a problem. Out: the path of each term in a mode; for a schedule, the modes that make each step.
Guaranteed: nothing but subscripts is looked at.

The ends stand for the function: the operands that have an axis of the result, and those that have
an axis of the variable. Forward mode begins with the latter, reverse mode with the former; each
takes in one operand after the other, always the one that takes the fewest flops. So reverse mode
makes what contains an operand of the result's end, in some order, and forward mode likewise.
"""

from eingrad._mode import FORWARD, REVERSE
from eingrad.paths.problem import Output, Problem, Term
from eingrad.paths.schedule import Path, Schedule, Step

MODES = (FORWARD, REVERSE)


def path_from_an_end(problem: Problem, output: Output, term: Term, mode: str) -> Path:
    """Contract the operands at one end, and then always the neighbour that is cheapest."""
    sizes = problem.sizes
    live = [frozenset(labels) for labels in term.indices]
    path: list[tuple[int, ...]] = []
    wanted = frozenset(output.indices)

    def flops(a: int, b: int) -> int:
        size = 1
        for label in live[a] | live[b]:
            size *= sizes[label]
        return size

    def join(a: int, b: int) -> None:
        rest = [labels for n, labels in enumerate(live) if n not in (a, b)]
        kept = (live[a] | live[b]) & wanted.union(*rest)
        path.append((min(a, b), max(a, b)))
        live[:] = [*rest, kept]

    ends = _ends(output, term, mode)
    grown, waiting = ends[0], ends[1:]
    while len(live) > 1:
        others = [n for n in range(len(live)) if n != grown]
        near = waiting or [n for n in others if live[n] & live[grown]] or others
        chosen = min(near, key=lambda n: (flops(grown, n), n))
        gone = {grown, chosen}
        waiting = [n - sum(k < n for k in gone) for n in waiting if n != chosen]
        join(grown, chosen)
        grown = len(live) - 1
    return path or ((0,),)


def makers_from_ends(problem: Problem, schedule: Schedule) -> list[frozenset[str] | None]:
    """Say of each product of operands which ends of the network it contains."""
    names, terms = problem.number, problem.terms
    ends = {
        mode: {names[term.operands[n]] for output, term in terms for n in _ends(output, term, mode)}
        for mode in MODES
    }
    contains = [frozenset(m for m in MODES if v in ends[m]) for v in range(schedule.first)]
    makers: list[frozenset[str] | None] = []
    for n, operation in enumerate(schedule.operations, schedule.first):
        found = frozenset[str]().union(*(contains[value] for value in operation.operands))
        contains.append(found)
        is_product = isinstance(operation, Step) and len(operation.operands) > 1
        makers.append(found if is_product and n not in schedule.outputs else None)
    return makers


def _ends(output: Output, term: Term, mode: str) -> list[int]:
    """Say which operands have an axis of the result, or of the variable; else the outermost one."""
    axes = output.result_axes
    wanted = {*(output.indices[:axes] if mode == REVERSE else output.indices[axes:])}
    found = [n for n, labels in enumerate(term.indices) if wanted.intersection(labels)]
    return found or [0 if mode == REVERSE else len(term.operands) - 1]
