"""Scans that store outputs for the way back of others, and who reads these.

In: a program. Out: pairs of scans, or a program in which each way back has a way there of its own.
Guaranteed: the outputs of a pair have no other reader.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from eingrad._plan.kernels import Scan
from eingrad._plan.program import Program, Statement


@dataclass(frozen=True, slots=True)
class ThereAndBack:
    """Two scans by the numbers of their statements, and which outputs one stores for the other."""

    there: int
    back: int
    stored: tuple[int, ...]


def programs(program: Program) -> Iterator[Program]:
    """Go through a program and the bodies of its scans."""
    yield program
    for s in program.statements:
        if isinstance(s.kernel, Scan):
            yield from programs(s.kernel.body)


def pairs(program: Program) -> list[ThereAndBack]:
    """Find scans that store what one other goes back over, each in one pair."""
    found: list[ThereAndBack] = []
    taken: set[int] = set()
    for n, by_output in _ways_back(program).items():
        by_reader: dict[int, list[int]] = {}
        for k, readers in by_output.items():
            if len(readers) == 1:
                by_reader.setdefault(readers[0], []).append(k)
        free = {m: ks for m, ks in by_reader.items() if m not in taken}
        if n in taken or not free:
            continue
        statement = program.statements[n]
        carries = len(statement.results) - _outputs(statement)
        back = max(free, key=lambda m: sum(statement.results[carries + k].bytes for k in free[m]))
        found.append(ThereAndBack(n, back, (*free[back],)))
        taken |= {n, back}
    return found


def apart(program: Program, level_bytes: int) -> Program:
    """Give each scan that goes back over the same outputs one that stores them for it alone.

    Where those take more than a level of memory: what is stored for several stays until the last
    has read it, and would not be computed again.
    """
    copies: dict[int, list[Statement]] = {}  # by the reader that they come before
    renamed: dict[int, dict[int, int]] = {}
    fresh = -1
    for n, by_output in _ways_back(program).items():
        statement = program.statements[n]
        carries = len(statement.results) - _outputs(statement)
        shared = {k: readers for k, readers in by_output.items() if len(readers) > 1}
        if sum(statement.results[carries + k].bytes for k in shared) <= level_bytes:
            continue
        for reader in sorted({m for readers in shared.values() for m in readers[1:]}):
            kept = [*range(carries), *(carries + k for k, ms in by_output.items() if reader in ms)]
            number = {statement.targets[n]: fresh - m for m, n in enumerate(kept)}
            fresh -= len(kept)
            copies.setdefault(reader, []).append(_with_results(statement, kept, number))
            renamed.setdefault(reader, {}).update(number)
    if not copies:
        return program
    statements: list[Statement] = []
    for n, s in enumerate(program.statements):
        number = renamed.get(n, {})
        statements += copies.get(n, [])
        statements.append(replace(s, operands=tuple(number.get(v, v) for v in s.operands)))
    return numbered(program, statements)


def _with_results(s: Statement, kept: Sequence[int], number: Mapping[int, int]) -> Statement:
    """Repeat a scan for some of its results, whose values get other numbers."""
    scan = s.kernel
    assert isinstance(scan, Scan)
    body = giving(scan.body, [scan.body.outputs[n] for n in kept])
    return replace(
        s,
        kernel=replace(scan, body=body),
        targets=tuple(number[s.targets[n]] for n in kept),
        results=tuple(s.results[n] for n in kept),
        flops=scan.length * body.flops,
        workspace_bytes=body.peak_bytes,
    )


def _outputs(s: Statement) -> int:
    """Count the outputs of a scan that are stacked."""
    assert isinstance(s.kernel, Scan)
    return len(s.results) - s.kernel.carries


def _ways_back(program: Program) -> dict[int, dict[int, tuple[int, ...]]]:
    """For each scan, its outputs that only scans in the other direction read, with these."""
    users: dict[int, set[tuple[int, bool]]] = {}
    for n, s in enumerate(program.statements):
        for k, value in enumerate(s.operands):
            is_slice = isinstance(s.kernel, Scan) and s.kernel.is_slice(k)
            users.setdefault(value, set()).add((n, is_slice))
    found: dict[int, dict[int, tuple[int, ...]]] = {}
    for n, s in enumerate(program.statements):
        there = s.kernel
        if not isinstance(there, Scan) or there.length == 1 or there.cut is not None:
            continue
        for k, target in enumerate(s.targets[there.carries :]):
            readers = users.get(target, set())
            is_read_back = all(
                is_slice and _goes_back(there, program.statements[m].kernel)
                for m, is_slice in readers
            )
            if readers and is_read_back and target not in program.outputs:
                numbers = tuple(sorted({m for m, _ in readers}))
                found.setdefault(n, {})[k] = numbers
    return found


def _goes_back(there: Scan, back: object) -> bool:
    return (
        isinstance(back, Scan)
        and back.length == there.length
        and back.is_backward != there.is_backward
    )


# Programs ----------------------------------------------------------------------------------------


def giving(program: Program, outputs: Sequence[int]) -> Program:
    """Leave away what only other outputs need; the inputs stay."""
    needed, kept = {*outputs}, []
    for s in reversed(program.statements):
        if needed.intersection(s.targets or s.written):
            needed.update(s.operands)
            kept.append(s)
    return numbered(replace(program, outputs=(*outputs,)), kept[::-1])


def numbered(program: Program, statements: Sequence[Statement]) -> Program:
    """Put other statements in the place of all, and number the values in order."""
    number = {n: n for n in range(program.first)}
    made = []
    for s in statements:
        operands = tuple(number[n] for n in s.operands)
        for target in s.targets:
            number[target] = len(number)
        targets = tuple(number[n] for n in s.targets)
        into = None if s.into is None else number[s.into]
        made.append(replace(s, operands=operands, targets=targets, into=into))
    outputs = tuple(number[n] for n in program.outputs)
    return replace(program, statements=(*made,), outputs=outputs)
