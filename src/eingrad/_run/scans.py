"""Interpret scans: pass by pass, also where what is stored is computed again.

In: a kernel, its operands, and a way to run a program. Out: its results.
Guaranteed: nothing is written in place. What only a `Rescan` reads is no array: snapshots are
carries by the segment that they begin, and what is stored of a segment is a list, by passes.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from eingrad._plan import Program
from eingrad._plan.kernels import Cut, Rescan, Scan
from eingrad._plan.positions import Known
from eingrad._plan.segments import Segments

_Array = Any  # of the namespace
Run = Callable[[Program, Sequence[_Array]], list[_Array]]


class _Passes:
    """A scan on its operands; `tables` are known arrays among them, by their places."""

    def __init__(self, scan: Scan, operands: Sequence[_Array], tables: Known, run: Run) -> None:
        count = len(operands) - scan.tables
        first = scan.constants + scan.carries
        self._known = tuple(tables[n] for n in range(count, len(operands)))
        self._constants, self._sliced = operands[: scan.constants], operands[first:count]
        self._run, self._inputs = run, scan.body.inputs[:count]
        self._count, self._rows = scan.carries, scan.passes
        self.start = [*operands[scan.constants : first]]

    def run(
        self, body: Program, carries: Sequence[_Array], n: int, given: Sequence[_Array | None] = ()
    ) -> tuple[list[_Array], list[_Array]]:
        """Run pass number n; give carries and outputs. `given` are slices that are known."""
        row = self._rows[n]
        slices = given or [None] * len(self._sliced)
        slices = [
            x[row, ...] if known is None else known
            for x, known in zip(self._sliced, slices, strict=True)
        ]
        program = replace(body, inputs=self._inputs, constants=self._known)
        results = self._run(program, [*self._constants, *carries, *slices])
        return results[: self._count], results[self._count :]


def run_scan(scan: Scan, operands: Sequence[_Array], tables: Known, run: Run, xp: Any) -> list[Any]:
    """Run the body for each slice, with the carries that it gave before."""
    passes = _Passes(scan, operands, tables, run)
    if scan.cut is not None:
        return _run_cut(scan, scan.cut, passes, xp)
    carries, made = passes.start, []
    for n in range(scan.length):
        carries, outputs = passes.run(scan.body, carries, n)
        made.append(outputs)
    return [*carries, *_stacked(made, scan.is_backward, xp)]


def _run_cut(scan: Scan, cut: Cut, passes: _Passes, xp: Any) -> list[Any]:
    """Store what the last segment makes, keep snapshots before."""
    snapshots = {0: passes.start}
    made: list[list[_Array]] = []
    carries = _reach(cut.segments, cut.segments.count - 1, snapshots, passes, cut.ahead, made)
    stored = []
    for n in cut.segments.last:
        carries, outputs = passes.run(scan.body, carries, n)
        first = len(outputs) - cut.stored
        made.append(outputs[:first])
        stored.append(outputs[first:])
    tapes = [[*column] for column in zip(*stored, strict=True)]
    return [*carries, *_stacked(made, scan.is_backward, xp), snapshots, *tapes]


def _reach(
    segments: Segments, to: int, snapshots: dict[int, list[_Array]], passes: _Passes,
    body: Program, made: list[list[_Array]],
) -> list[_Array]:  # fmt: skip
    """Go from the last snapshot to a segment; return the carries that it begins with."""
    carries = snapshots[max(snapshots)]
    for at, stop in segments.way(snapshots, to):
        for n in range(segments.passes(at).start, segments.passes(stop).start):
            carries, outputs = passes.run(body, carries, n)
            made.append(outputs)
        if stop < to:
            snapshots[stop] = carries
    return carries


def run_rescan(
    kernel: Rescan, operands: Sequence[Any], tables: Known, run: Run, xp: Any
) -> list[_Array]:
    """Go back over segments, each computed again but the last."""
    first, segments = len(kernel.back.body.inputs), kernel.segments
    last = first + len(kernel.there.body.inputs)
    moved = {n - first: table for n, table in tables.items() if n >= first}
    there = _Passes(kernel.there, operands[first:last], moved, run)
    back = _Passes(kernel.back, operands[:first], tables, run)
    snapshots, stored = dict(operands[last]), [*operands[last + 1 :]]
    sliced = range(kernel.back.constants + kernel.back.carries, first - kernel.back.tables)
    at = {id(tape): n for n, tape in enumerate(stored)}
    number = [at[id(operands[k])] if k in kernel.stored else None for k in sliced]
    bars, made = back.start, []
    for segment in reversed(range(segments.count)):
        passes = segments.passes(segment)
        if segment < segments.count - 1:
            snapshots = {n: carries for n, carries in snapshots.items() if n <= segment}
            carries = _reach(segments, segment, snapshots, there, kernel.there.body, [])
            stored = [[] for _ in stored]
            for n in passes:
                carries, outputs = there.run(kernel.storing, carries, n)
                for tape, output in zip(stored, outputs, strict=True):
                    tape.append(output)
        for n in reversed(passes):
            given = [None if k is None else stored[k][n - passes.start] for k in number]
            bars, outputs = back.run(kernel.back.body, bars, segments.length - 1 - n, given)
            made.append(outputs)
    return [*bars, *_stacked(made, kernel.back.is_backward, xp)]


def _stacked(made: Sequence[Sequence[_Array]], is_backward: bool, xp: Any) -> list[_Array]:
    columns = zip(*(made[::-1] if is_backward else made), strict=True)
    return [xp.stack(parts) for parts in columns]
