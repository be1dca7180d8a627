"""Linear and SSA paths: one said as the other, and read from documents.

In: a path in either way. Out: the same path in the other, or a `PlanError`, or a `FileError`.
Guaranteed: each operand and each intermediate is contracted once, and one is left; the conversions
are inverse to each other, the order within a step included.

A *linear* path names positions: what a step contracts leaves the list, and its result goes to the
end. opt_einsum and NumPy write it. An *SSA* path names values that keep their number: operands
first, then the result of each step; cotengra writes it too. Of two steps or more no path is both:
an SSA path has to name its first intermediate, and that number no position reaches.

>>> ssa_of_linear([(0, 1), (0, 1)], 3)
((0, 1), (2, 3))
>>> linear_of_ssa([(0, 1), (2, 3)], 3)
((0, 1), (0, 1))
"""

import bisect
from collections.abc import Sequence
from typing import TypeAlias

from eingrad._shown import shown
from eingrad.errors import PlanError
from eingrad.paths.files.document import Found
from eingrad.paths.problem import Problem
from eingrad.paths.schedule import Path

Pairs: TypeAlias = tuple[tuple[int, ...], ...]


def ssa_of_linear(path: Path, count: int) -> Pairs:
    """Write a linear path as an SSA path.

    Parameters
    ----------
    path : sequence of sequences of int
        Positions that meet in each step.
    count : int
        How many operands there are.

    Returns
    -------
    tuple of tuples of int
        The numbers of the values that meet.

    Raises
    ------
    PlanError
        If it does not contract so many operands, each once, to one.
    """
    live, steps = [*range(count)], []
    for n, step in enumerate(path):
        chosen = _integers(step, n)
        wrong = [k for k in chosen if not 0 <= k < len(live)]
        if wrong:
            raise PlanError(
                f"step {n} of the linear path has position {shown(wrong[0])} where {len(live)} are "
                "left; positions count from 0"
            )
        _check_step(chosen, n, count, len(path))
        steps.append(tuple([live[k] for k in chosen]))
        for k in sorted(chosen, reverse=True):
            del live[k]
        live.append(count + n)
    _check_end(len(live), count)
    return tuple(steps)


def linear_of_ssa(path: Path, count: int) -> Pairs:
    """Write an SSA path as a linear path.

    Parameters
    ----------
    path : sequence of sequences of int
        Numbers of the values that meet in each step: operands first, then results in order.
    count : int
        How many operands there are.

    Returns
    -------
    tuple of tuples of int
        The positions that meet.

    Raises
    ------
    PlanError
        If it does not contract so many operands, each once, to one.
    """
    live, steps = [*range(count)], []  # sorted: what is new has the largest number
    for n, step in enumerate(path):
        chosen = _integers(step, n)
        places = [bisect.bisect_left(live, value) for value in chosen]
        for value, place in zip(chosen, places, strict=True):
            if place == len(live) or live[place] != value:
                why = "was contracted before" if 0 <= value < count + n else "does not exist yet"
                raise PlanError(f"step {n} of the SSA path has value {shown(value)}, which {why}")
        _check_step(chosen, n, count, len(path))
        steps.append(tuple(places))
        for place in sorted(places, reverse=True):
            del live[place]
        live.append(count + n)
    _check_end(len(live), count)
    return tuple(steps)


def _integers(step: Sequence[int], n: int) -> tuple[int, ...]:
    try:
        chosen = tuple(step)
    except TypeError:
        raise PlanError(
            f"step {n} of the path is {shown(step)}; write a pair of integers"
        ) from None
    for k in chosen:
        if type(k) is not int:
            raise PlanError(f"step {n} of the path has {shown(k)}, which is no integer")
    return chosen


def _check_step(chosen: tuple[int, ...], n: int, count: int, steps: int) -> None:
    if len({*chosen}) < len(chosen):
        raise PlanError(f"step {n} of the path is {shown(chosen)}, and names one value twice")
    if len(chosen) < 2 and not (len(chosen) == count == steps == 1):  # noqa: PLR2004 - a pair
        raise PlanError(f"step {n} of the path is {shown(chosen)}; a step contracts two or more")


def _check_end(left: int, count: int) -> None:
    if left != 1:
        raise PlanError(f"the path of {count} operands leaves {left}; it must contract them to one")


def operands_of(path: Path) -> int:
    """Count the operands that a path contracts."""
    return sum(len(step) for step in path) - len(path) + 1


# From documents ----------------------------------------------------------------------------------


def linear_path(found: Found, count: int, form: str = "linear") -> Pairs:
    """Read a path of so many operands, said in one of the two ways, as a linear one."""
    path = _steps(found)
    try:
        if form == "ssa":
            return linear_of_ssa(path, count)
        ssa_of_linear(path, count)
    except PlanError as error:
        found.fail(str(error))
    return path


def linear_paths(found: Found, problem: Problem, form: str = "linear") -> tuple[Pairs, ...]:
    """Read a path for each term of a problem."""
    places, terms = found.items("paths"), problem.terms
    if len(places) != len(terms):
        found.fail(f"there are {len(places)} paths for {len(terms)} terms; give one for each")
    counts = [len(term.operands) for _, term in terms]
    return tuple([linear_path(p, count, form) for p, count in zip(places, counts, strict=True)])


def form_of(paths: Sequence[tuple[Found, int]]) -> str:
    """Find which of the two ways all of these are, each with its number of operands."""
    forms = {"linear", "ssa"}
    for found, count in paths:
        path, why = _steps(found), {}
        for form, convert in (("linear", ssa_of_linear), ("ssa", linear_of_ssa)):
            try:
                convert(path, count)
            except PlanError as error:
                why[form] = str(error)
        if len(why) > 1:
            reasons = dict.fromkeys(why.values())
            found.fail("this is no path, linear or SSA: " + "; ".join(reasons))
        if not forms - {*why}:
            reason = next(iter(why.values()))
            found.fail(f"this path is not {forms.pop()}, as one before it is: {reason}")
        forms -= {*why}
    return "linear" if "linear" in forms else "ssa"


def _steps(found: Found) -> Pairs:
    return tuple([step.integers("positions") for step in found.items("steps")])
