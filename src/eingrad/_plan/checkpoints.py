"""Checkpointing: what scans store for their way back is computed again, where memory is short.

In: a program, and the memory that it may take. Out: an equal one, that takes so much or about the
least that there is.
Guaranteed: the same bodies on the same values, so results are the same bits; what takes little
memory stays whole: what several scans store is brought down to one level of bytes, the highest that
fits. Scans in bodies of others are treated alike.

A scan *there* stores outputs that nothing reads but one scan *back*, which goes over them in the
other direction. So they are needed a segment at a time: `segments` says how many steps that is,
and which carries are kept to reach it.

>>> import numpy as np
>>> import eingrad as eg
>>> W, x = np.eye(3) / 2, np.ones(3)
>>> def f(x):
...     return eg.scan(lambda x, _: (np.tanh(W @ x), None), x, length=1000)[0].sum()
>>> whole = eg.grad(f).plan(x).program
>>> less = within(whole, 3_000)
>>> whole.peak_bytes, less.peak_bytes, less.flops / whole.flops < 1.5
(24096, 3000, True)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from eingrad._plan.kernels import Cut, Rescan, Scan
from eingrad._plan.program import Program, Result, Statement
from eingrad._plan.scan_pairs import ThereAndBack, apart, giving, numbered, pairs, programs
from eingrad._plan.segments import Segments

_ROUNDS = 16  # of bisection: a level to a part of 2**-16 of the limit


def within(program: Program, limit_bytes: int) -> Program:
    """Compute again what scans store, as much as brings the peak down to a limit."""
    if program.peak_bytes <= limit_bytes or not any(
        pairs(apart(each, 0)) for each in programs(program)
    ):
        return program
    found = _cut(program, 0)
    if found.peak_bytes > limit_bytes:
        return min(program, found, key=lambda each: each.peak_bytes)
    low, high = 0, limit_bytes
    for _ in range(_ROUNDS):
        level = (low + high + 1) // 2
        cut = _cut(program, level)
        if cut.peak_bytes <= limit_bytes:
            low, found = level, cut
        else:
            high = level - 1
    return found


# Cutting -----------------------------------------------------------------------------------------


def _cut(program: Program, level_bytes: int) -> Program:
    """Leave no more than a level of memory to what each scan stores, in bodies too."""
    program = replace(
        program, statements=tuple(_with_cut_body(s, level_bytes) for s in program.statements)
    )
    program = apart(program, level_bytes)
    new: dict[int, Statement] = {}
    for pair in pairs(program):
        new.update(_rescanned(program, pair, level_bytes))
    if not new:
        return program
    return numbered(program, [new.get(n, s) for n, s in enumerate(program.statements)])


def _with_cut_body(s: Statement, level_bytes: int) -> Statement:
    if not isinstance(s.kernel, Scan):
        return s
    scan = s.kernel
    body = _cut(scan.body, level_bytes)
    return replace(
        s,
        kernel=replace(scan, body=body),
        flops=scan.length * body.flops,
        workspace_bytes=body.peak_bytes,
    )


def _rescanned(program: Program, pair: ThereAndBack, level_bytes: int) -> dict[int, Statement]:
    """Make two scans of which one computes again what the other has not stored.

    Values keep their numbers, and snapshots are a new value.
    """
    first, second = program.statements[pair.there], program.statements[pair.back]
    there = first.kernel
    assert isinstance(there, Scan)
    stored = [there.carries + k for k in pair.stored]
    carry_bytes = sum(r.bytes for r in first.results[: there.carries])
    all_bytes = sum(first.results[n].bytes for n in stored)
    if all_bytes <= level_bytes:
        return {}
    stored_bytes = all_bytes // there.length
    segments = Segments.within(there.length, carry_bytes, stored_bytes, level_bytes)
    if segments.count == 1:
        return {}
    bodies = _Bodies.of(there, stored)
    snapshots = Result((segments.most * carry_bytes,), np.dtype(np.uint8))
    forward = _forward(first, there, stored, segments, bodies, (-1 - pair.there, snapshots))
    return {
        pair.there: forward,
        pair.back: _backward(forward, second, there, segments, bodies, carry_bytes),
    }


@dataclass(frozen=True, slots=True)
class _Bodies:
    """What a pass of the way there may be.

    The first time it gives carries and what others ask for: `ahead`, and at last all, `whole`.
    Again it gives carries alone, `leading`, or those and what is stored, `storing`.
    """

    ahead: Program
    whole: Program
    leading: Program
    storing: Program

    @classmethod
    def of(cls, there: Scan, stored: Sequence[int]) -> "_Bodies":
        """Make them of the body of a scan some outputs of which are stored; some may be one."""
        body, given, count = there.body, there.body.outputs, there.carries
        kept = [value for n, value in enumerate(given) if n not in stored]
        last = [given[n] for n in stored]
        ahead, whole = giving(body, kept), replace(body, outputs=(*kept, *last))
        if len(kept) == count:
            return cls(ahead, whole, ahead, whole)
        return cls(ahead, whole, giving(body, given[:count]), giving(body, [*given[:count], *last]))


def _forward(
    first: Statement, there: Scan, stored: Sequence[int], segments: Segments, bodies: _Bodies,
    snapshots: tuple[int, Result],
) -> Statement:  # fmt: skip
    """Go there, with snapshots; store what the last segment makes."""
    kept = [n for n in range(len(first.targets)) if n not in stored]
    pairs = [*zip(first.targets, first.results, strict=True)]
    results = [pairs[n] for n in kept]
    results += [snapshots, *((pairs[n][0], _of_segment(pairs[n][1], segments)) for n in stored)]
    kernel = replace(there, body=bodies.whole, cut=Cut(segments, bodies.ahead, len(stored)))
    return Statement(
        kernel,
        first.operands,
        tuple(target for target, _ in results),
        tuple(result for _, result in results),
        flops=_flops(kernel),
        workspace_bytes=max(bodies.ahead.peak_bytes, bodies.whole.peak_bytes),
    )


def _backward(
    forward: Statement, second: Statement, there: Scan, segments: Segments, bodies: _Bodies,
    carry_bytes: int,
) -> Statement:  # fmt: skip
    """Go back over segments that are computed again; meanwhile one carry more is live."""
    back, cut = second.kernel, forward.kernel
    assert isinstance(back, Scan)
    assert isinstance(cut, Scan)
    assert cut.cut is not None
    tapes = forward.targets[len(forward.targets) - cut.cut.stored :]
    places = tuple(n for n, value in enumerate(second.operands) if value in tapes)
    rescan = Rescan(back, replace(there, body=bodies.leading), bodies.storing, segments, places)
    snapshots = forward.targets[-1 - len(tapes)]
    return Statement(
        rescan,
        (*second.operands, *forward.operands, snapshots, *tapes),
        second.targets,
        second.results,
        flops=_flops(rescan),
        workspace_bytes=carry_bytes + max(body.peak_bytes for body, _ in rescan.passes_of),
    )


def _flops(kernel: Scan | Rescan) -> int:
    return sum(count * body.flops for body, count in kernel.passes_of)


def _of_segment(stacked: Result, segments: Segments) -> Result:
    return Result((segments.size, *stacked.shape[1:]), stacked.dtype)
