"""Schedules along paths: each term by a path of its own, equal intermediates made once.

In: a problem, and a path for each of its terms. Out: a `Schedule`.
Guaranteed: equal steps are one step, in all terms; a path that is none is refused.

>>> from eingrad.paths.problem import of_einsum
>>> problem = of_einsum("ij,jk,kl->il", {"i": 2, "j": 3, "k": 4, "l": 5})
>>> along(problem, [((0, 1), (0, 1))]).flops
128
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from eingrad._subscripts import number
from eingrad.errors import PlanError
from eingrad.paths.problem import Array, Output, Problem, Term
from eingrad.paths.schedule import Operation, Part, Path, Schedule, Step, Total


class Writer:
    """Writes operations, equal ones once."""

    def __init__(self, problem: Problem, constants: Sequence[Array] = ()) -> None:
        self.problem = problem
        self.constants = [*constants]
        self.operations: list[Operation] = []
        self._known: dict[Operation, int] = {}
        self._shapes: list[tuple[int, ...]] = []

    @property
    def _first(self) -> int:
        return len(self.problem.operands) + len(self.constants)

    def write(self, operation: Operation) -> int:
        """Number the value of an operation, written if there is none like it."""
        if operation not in self._known:
            self._known[operation] = self._first + len(self.operations)
            self.operations.append(operation)
        return self._known[operation]

    def contract(
        self,
        factors: Sequence[tuple[int, Sequence[Any]]],
        out: Sequence[Any],
        sizes: Mapping[Any, int],
    ) -> int:
        """Number the value of a contraction with its axes in the order `out`."""
        return self.write(step_of(factors, out, sizes))

    def done(self, outputs: Sequence[int], paths: Sequence[Path] | None = None) -> Schedule:
        """Give the schedule."""
        found = None if paths is None else tuple(paths)
        operations, constants = tuple(self.operations), tuple(self.constants)
        return Schedule(self.problem, operations, tuple(outputs), constants, found)


def step_of(
    factors: Sequence[tuple[int, Sequence[Any]]], out: Sequence[Any], sizes: Mapping[Any, int]
) -> Step:
    """Write a step in one way: operands by number, indices by first use."""
    ordered = sorted(factors, key=lambda factor: factor[0])
    orders = [ordered, ordered[::-1]] if len({value for value, _ in ordered}) == 1 else [ordered]
    forms = []
    for order in orders[: len(factors)]:
        labels = [label for _, term in order for label in term]
        terms, wanted, _ = number([term for _, term in order], out)
        named = [sizes[label] for label in dict.fromkeys([*labels, *out])]
        forms.append(Step(tuple([v for v, _ in order]), terms, wanted, tuple(named)))
    return min(forms, key=lambda step: (step.terms, step.out))


def along(problem: Problem, paths: Sequence[Path]) -> Schedule:
    """Contract each term along a path of its own; equal intermediates of all terms are made once.

    Parameters
    ----------
    problem : Problem
        What is computed.
    paths : sequence of paths
        One for each term, in the order of `Problem.terms`. Three or more that meet in one step meet
        from left to right.

    Returns
    -------
    Schedule

    Raises
    ------
    PlanError
        If a path does not contract the operands of its term, each once, to one.
    """
    terms = problem.terms
    if len(paths) != len(terms):
        raise PlanError(f"there are {len(terms)} terms but {len(paths)} paths; give one for each")
    writer = Writer(problem)
    outputs, rest = [], iter(paths)
    for output in problem.outputs:
        parts = []
        for term in output.terms:
            is_alone = len(output.terms) == 1
            parts.append(_write_term(writer, output, term, next(rest), is_alone=is_alone))
        outputs.append(write_total(writer, parts, problem.shape(output)))
    return writer.done(outputs, paths)


def write_total(writer: Writer, parts: Sequence[Part], shape: tuple[int, ...]) -> int:
    """Number the sum of parts; one that is plain is its own sum."""
    if len(parts) == 1 and parts[0].is_plain:
        return parts[0].value
    return writer.write(Total(tuple(parts), shape))


def _write_term(writer: Writer, output: Output, term: Term, path: Path, *, is_alone: bool) -> Part:
    sizes, numbers = writer.problem.sizes, writer.problem.number
    pairs = pairs_of(path, len(term.operands))
    uses = Counter(i for labels in term.indices for i in {*labels})
    uses.update(output.indices)
    live: list[tuple[int, tuple[str, ...]]] = []
    for name, labels in zip(term.operands, term.indices, strict=True):
        value, kept = numbers[name], tuple(i for i in dict.fromkeys(labels) if uses[i] > 1)
        if kept != labels:  # a diagonal, or what it has alone
            value = writer.contract([(value, labels)], kept, sizes)
        live.append((value, kept))
    for a, b in pairs:
        left, right = live[a], live[b]
        live = [x for n, x in enumerate(live) if n not in (a, b)]
        needed = {*output.indices}.union(*(kept for _, kept in live))
        both = sorted([left, right], key=lambda pair: pair[0])
        out = tuple(i for i in dict.fromkeys(both[0][1] + both[1][1]) if i in needed)
        if not live and is_alone:
            out = output.indices
        live.append((writer.contract([left, right], out, sizes), out))
    ((value, kept),) = live
    axes = tuple([kept.index(index) for index in output.indices])
    return Part(term.coefficient, value, axes)


def pairs_of(path: Path, count: int) -> list[tuple[int, int]]:
    """Read a linear path as pairs; more operands that meet at once meet from left to right.

    Raises
    ------
    PlanError
        If it is no path of so many operands.
    """
    pairs, left = [], count
    for step in path:
        chosen = [*step]
        wrong = [k for k in chosen if type(k) is not int or not 0 <= k < left]
        if wrong or len({*chosen}) < len(chosen) or not chosen:
            raise PlanError(
                f"a path of {count} operands has the step {tuple(chosen)} where {left} are left; "
                "a step names different positions, each less than that"
            )
        if len(chosen) == 1:  # it goes to the end
            _check_alone(path, count)
            continue
        pairs.append((chosen[0], chosen[1]))
        positions = [k for k in range(left) if k not in chosen[:2]]
        left -= 1
        for k in chosen[2:]:
            place = positions.index(k)
            pairs.append((place, left - 1))
            del positions[place]
            left -= 1
    if left != 1:
        raise PlanError(f"a path of {count} operands leaves {left}; it must contract them to one")
    return pairs


def _check_alone(path: Path, count: int) -> None:
    """Allow a step of one operand only where it is the whole path: ``((0,),)``."""
    if count != 1 or len(path) != 1:
        raise PlanError("a path has a step of one operand; a step contracts two or more")
