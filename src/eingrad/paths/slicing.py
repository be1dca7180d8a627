"""Slicing: a problem in pieces, each of which fits the memory, added up or set side by side.

In: a problem, an order of it, a number of bytes. Out: a `Sliced` problem: one for all pieces, and
its schedule.
Guaranteed: all pieces have one shape, so whoever compiles compiles once; the pieces together give
the outputs. What every piece computes again is the overhead, and is said.

An index that all terms have is cut into parts of equal length, and each piece has one of them. That
one is cut next, to the next smaller divisor, which makes the least of the flops of all pieces
together.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eingrad.paths.along import along
from eingrad.paths.problem import Array, Operand, Problem, Term
from eingrad.paths.schedule import Schedule

_MOST_STEPS = 60  # cuts, one after the other
_MOST_PLANNED = 2  # of them that are planned anew, to take the better one
_Cuts = Mapping[str, int]  # index -> length of a part
_Source = tuple[str, tuple[tuple[int, str], ...]]  # an operand, and its axes that are cut


@dataclass(frozen=True)
class Sliced:
    """A problem in pieces.

    Attributes
    ----------
    whole : Problem
        What is computed.
    piece : Problem
        What each piece computes, of parts of the operands.
    schedule : Schedule
        How a piece is computed.
    cuts : mapping from index to int
        The length of the parts of each index that is cut.
    sources : mapping from name to (name, axes)
        Which operand of the whole each operand of a piece is a part of, and along which index each
        of its axes is cut.
    """

    whole: Problem
    piece: Problem
    schedule: Schedule
    cuts: _Cuts
    sources: Mapping[str, _Source]

    @property
    def count(self) -> int:
        """How many pieces there are."""
        return math.prod(self.whole.sizes[i] // n for i, n in self.cuts.items())

    @property
    def flops(self) -> int:
        """Flops of all pieces; what adds them up is not counted."""
        return self.count * self.schedule.flops

    @property
    def peak_bytes(self) -> int:
        """The whole outputs, and the most that one piece holds at once, copies of operands too."""
        return _bytes_of_outputs(self.whole) + self.schedule.most_bytes

    def pieces(self, arrays: Sequence[Array]) -> list[list[Array]]:
        """Give the operands of each piece: parts of those of the whole."""
        return [
            [_part(arrays[self.whole.number[n]], axes, place) for n, axes in self.sources.values()]
            for place in self._places()
        ]

    def gather(self, results: Iterable[Sequence[Array]]) -> list[Array]:
        """Put the outputs of all pieces together: side by side, or added."""
        dtype = np.result_type(*[operand.dtype for operand in self.whole.operands.values()])
        found = [np.zeros(self.whole.shape(output), dtype) for output in self.whole.outputs]
        for place, parts in zip(self._places(), results, strict=True):
            for output, whole, part in zip(self.whole.outputs, found, parts, strict=True):
                whole[tuple([place.get(i, slice(None)) for i in output.indices])] += part
        return found

    def __str__(self) -> str:
        cut = ", ".join(
            f"{label} to {n} of {self.whole.sizes[label]}" for label, n in self.cuts.items()
        )
        return f"in {self.count} pieces, cutting {cut}"

    def _places(self) -> Iterator[dict[str, slice]]:
        labels = [*self.cuts]
        parts = [
            [slice(k, k + n) for k in range(0, self.whole.sizes[label], n)]
            for label, n in self.cuts.items()
        ]
        for chosen in itertools.product(*parts):
            yield dict(zip(labels, chosen, strict=True))


def _part(array: Array, axes: Sequence[tuple[int, str]], place: Mapping[str, slice]) -> Array:
    where = [slice(None)] * array.ndim
    for axis, label in axes:
        where[axis] = place[label]
    return array[tuple(where)]


def slice_to(
    problem: Problem, find: Callable[[Problem], Schedule], memory: int, schedule: Schedule
) -> Sliced | None:
    """Cut a problem into pieces that fit.

    Parameters
    ----------
    problem : Problem
        What is computed.
    find : callable
        Gives the schedule of a piece, where that of the whole has no paths: a search, not the order
        of one problem alone.
    memory : int
        Bytes for the outputs, and for what a piece holds; operands are not counted.
    schedule : Schedule
        That of the whole.

    Returns
    -------
    Sliced or None
        None where no cut makes it fit: the outputs do not, or no index is in all terms.
    """
    memory -= _bytes_of_outputs(problem)
    labels = [label for label in problem.sizes if _may_be_cut(problem, label)]
    if memory < 0 or not labels:
        return None
    smallest = _cut(problem, find, dict.fromkeys(labels, 1), schedule)
    if smallest.schedule.most_bytes > memory:
        return None
    cuts: dict[str, int] = {}
    for _ in range(_MOST_STEPS):
        shorter = {label: _next_divisor(problem.sizes[label], cuts.get(label)) for label in labels}
        tried = [
            _cut(problem, find, {**cuts, label: length}, schedule)
            for label, length in _worth_trying(shorter, cuts, problem, schedule)
        ]
        if not tried:
            return smallest
        best = min(tried, key=lambda each: (each.schedule.most_bytes > memory, *_effort(each)))
        cuts = dict(best.cuts)
        if best.schedule.most_bytes <= memory:
            return best
    return smallest


def _effort(sliced: Sliced) -> tuple[int, int, int]:
    return sliced.flops, sliced.schedule.most_bytes, sliced.count


def _worth_trying(
    shorter: Mapping[str, int | None], cuts: _Cuts, problem: Problem, schedule: Schedule
) -> list[tuple[str, int]]:
    """Give the cuts to try next: all, or of the longest parts where each is planned anew."""
    found = [(label, length) for label, length in shorter.items() if length is not None]
    if schedule.paths is not None:
        return found
    found.sort(key=lambda pair: -cuts.get(pair[0], problem.sizes[pair[0]]))
    return found[:_MOST_PLANNED]


def _bytes_of_outputs(problem: Problem) -> int:
    itemsize = max(np.dtype(o.dtype).itemsize for o in problem.operands.values())
    return itemsize * sum(math.prod(problem.shape(output)) for output in problem.outputs)


def _may_be_cut(problem: Problem, label: str) -> bool:
    """Whether an index is in all terms, and longer than one."""
    has = (any(label in labels for labels in term.indices) for _, term in problem.terms)
    return problem.sizes[label] > 1 and all(has)


def _next_divisor(size: int, now: int | None) -> int | None:
    smaller = size if now is None else now
    return next((n for n in range(smaller - 1, 0, -1) if size % n == 0), None)


def _cut(
    problem: Problem, find: Callable[[Problem], Schedule], cuts: _Cuts, schedule: Schedule
) -> Sliced:
    sources: dict[str, _Source] = {}
    outputs = tuple(
        [
            replace(output, terms=tuple([_cut_term(term, cuts, sources) for term in output.terms]))
            for output in problem.outputs
        ]
    )
    operands = {
        name: _cut_operand(problem.operands[whole], axes, cuts)
        for name, (whole, axes) in sources.items()
    }
    sizes = {**problem.sizes, **cuts}
    piece = Problem(problem.name, outputs, operands, sizes, problem.provenance)
    found = find(piece) if schedule.paths is None else along(piece, schedule.paths)
    return Sliced(problem, piece, found, dict(cuts), sources)


def _cut_term(term: Term, cuts: _Cuts, sources: dict[str, _Source]) -> Term:
    """Name the parts of operands: one that occurs with other indices is cut in another way."""
    names = []
    for whole, labels in zip(term.operands, term.indices, strict=True):
        axes = tuple([(axis, label) for axis, label in enumerate(labels) if label in cuts])
        name = whole + "".join(f"[{axis}:{label}]" for axis, label in axes)
        sources[name] = whole, axes
        names.append(name)
    return replace(term, operands=tuple(names))


def _cut_operand(operand: Operand, axes: Sequence[tuple[int, str]], cuts: _Cuts) -> Operand:
    if not axes:
        return operand
    shape = [*operand.shape]
    for axis, label in axes:
        shape[axis] = cuts[label]
    kind = "constant" if operand.kind == "delta" else operand.kind
    return Operand(tuple(shape), operand.dtype, kind)
