"""The mode of an order of a problem, and the orders that are pure modes.

In: a problem, a schedule of it. Out: the name of its mode; the schedules of the pure modes.
Guaranteed: a mode is here what it is of a plan: `eingrad._mode` names both.

What the modes of a derivative compute was noted with the problem, when it was derived or in its
file. Of a network alone no function is known; its `ends` stand for it.
"""

from collections.abc import Iterator
from dataclasses import replace

from eingrad._ir import Node, Product
from eingrad._mode import UNKNOWN, Makers, UnknownError, directions_of, name_of
from eingrad._shown import shown
from eingrad.errors import PathError
from eingrad.paths import ends
from eingrad.paths.along import along
from eingrad.paths.normal import operands_of, primal_of
from eingrad.paths.problem import Problem
from eingrad.paths.schedule import Schedule


def sweep(problem: Problem, mode: str) -> Schedule:
    """Give the schedule of a pure mode.

    Parameters
    ----------
    problem : Problem
        A derivative, of which it is known; of a network alone, operands are taken in one after the
        other from one end, each time the one that takes the fewest flops.
    mode : str
        "forward" or "reverse", for each differentiation; or the direction of each, the last one
        first, as in "forward over reverse".

    Returns
    -------
    Schedule

    Raises
    ------
    PathError
        If the mode is none of this problem's.
    """
    for name in problem.pure:
        if name == mode or {*directions_of(name)} == {mode}:
            schedule: Schedule = problem.pure[name]
            return replace(schedule, problem=problem)
    if problem.pure:
        known = ", ".join(problem.pure)
        raise PathError(
            f"of {problem.name} it is not known what {mode} mode computes; it is of {known}"
        )
    if mode not in ends.MODES:
        raise PathError(
            f"{problem.name} is a network, not the derivative of a function; it has the modes "
            f"{' and '.join(ends.MODES)}, not {shown(mode)}"
        )
    return along(
        problem,
        [ends.path_from_an_end(problem, output, term, mode) for output, term in problem.terms],
    )


def mode_of(problem: Problem, schedule: Schedule) -> str:
    """Name the mode of a schedule.

    Parameters
    ----------
    problem : Problem
        What is computed.
    schedule : Schedule
        How.

    Returns
    -------
    str
        As `plan.mode` names that of a plan: "forward", "reverse", "forward over reverse",
        "either", "cross-country"; "unknown" where too many products would have to be compared.
    """
    try:
        modes, makers = _makers(problem, schedule)
    except UnknownError:
        return UNKNOWN
    made = [each for each in makers if each is not None]
    return name_of(frozenset(modes).intersection(*made), modes)


def kinds_of(problem: Problem, schedule: Schedule) -> list[str]:
    """Name for each operation the modes that make it; "" of what is no product, or not known."""
    try:
        modes, makers = _makers(problem, schedule)
    except UnknownError:
        return [""] * len(schedule.operations)
    return ["" if each is None else name_of(each, modes) for each in makers]


def _makers(problem: Problem, schedule: Schedule) -> tuple[list[str], list[frozenset[str] | None]]:
    """Give all modes that are known, and those that make each operation."""
    if not problem.pure:
        return [*ends.MODES], ends.makers_from_ends(problem, schedule)
    operands = operands_of(problem)
    values = schedule.nodes(operands, structure=True)
    results = [values[n] for n in schedule.outputs]
    steps = {mode: [*_steps(pure, operands)] for mode, pure in problem.pure.items()}
    known = Makers(steps, results, primal_of(problem, operands))
    return known.modes, [
        known.of(node) if isinstance(node, Product) and len(node.factors) > 1 else None
        for node in values[schedule.first :]
    ]


def _steps(pure: Schedule, operands: list[Node]) -> Iterator[Node]:
    """Build what a mode computes: each product, and each step of all its operands."""
    values = pure.nodes(operands, structure=True)
    yield from values
    yield from pure.long_nodes(values)
