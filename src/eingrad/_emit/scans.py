"""Write scans: a function for the body, and a loop that calls it; also where it is gone over again.

In: a statement, the names of values, and a way to write a function. Out: lines of NumPy.
Guaranteed: a body that several statements have is one function. Where there are segments, `row`
counts passes of the way there; snapshots are a list, each with the segment that it begins, and hold
the arrays that a pass gave.
"""

from collections.abc import Callable, Sequence

from eingrad._emit.literals import Lines
from eingrad._plan import Program, Result, Statement
from eingrad._plan.kernels import Cut, Rescan, Scan
from eingrad._plan.segments import Segments

# Writes a function for a program on variables of these names; gives the function's name.
Define = Callable[[Program, str, Sequence[str]], str]

BINOMIAL: Lines = [  # as in `_plan/segments.py`
    "def binomial(count, free):  # of so many segments, those before the next snapshot",
    "    passes, whole, part = 1, 1, 1",
    "    while whole + part * (free + passes) // passes < count:",
    "        part = part * (free + passes) // passes",
    "        whole += part",
    "        passes += 1",
    "    return min(whole, count - part)",
]


class _Pass:
    """One pass of a scan: the names of its operands, and of the carries that it goes on with."""

    def __init__(
        self,
        scan: Scan,
        operands: Sequence[str],
        carries: Sequence[str],
        prefix: str,
        define: Define,
    ) -> None:
        self._scan, self._prefix, self._define = scan, prefix, define
        first = scan.constants
        self.start = operands[first : first + scan.carries]
        self._given = [*operands[:first], *carries, *operands[first + scan.carries :]]
        self.carries = carries

    def call(self, body: Program, name: str, row: str, rows: Sequence[str] = ()) -> str:
        """Write the call for the slices at `row`; `rows` says otherwise for some operands."""
        given = [*self._given]
        variables: list[str] = []
        for k in range(len(given)):
            is_slice = self._scan.is_slice(k)
            is_known = given[k] in variables
            variables.append(f"{self._prefix}x{k}" if is_slice or is_known else given[k])
        for k in filter(self._scan.is_slice, range(len(given))):
            given[k] += f"[{rows[k] if rows else row}]"
        function = self._define(body, f"{self._prefix}{name}", variables)
        return f"{function}({', '.join(given)})"


def write_scan(statement: Statement, scan: Scan, names: Sequence[str], define: Define) -> Lines:
    """Call the body for each pass; its function is called after the first result."""
    made = [names[n] for n in statement.targets]
    one = _Pass(
        scan, [names[n] for n in statement.operands], made[: scan.carries], f"{made[0]}_", define
    )
    if scan.cut is not None:
        return _cut(statement, scan, scan.cut, made, one)
    call = one.call(scan.body, "step", "row")
    stacked, results = made[scan.carries :], statement.results[scan.carries :]
    lines = [_empty(name, result) for name, result in zip(stacked, results, strict=True)]
    lines += _assigned(one.carries, one.start)
    passes = scan.passes
    lines.append(
        f"for row in range({passes.start}, {passes.stop}, {passes.step}):"
        f"  # {statement.flops:,} flops"
    )
    return [*lines, f"    {_gives([*one.carries, *(f'{name}[row]' for name in stacked)], call)}"]


def _cut(statement: Statement, scan: Scan, cut: Cut, made: Sequence[str], one: _Pass) -> Lines:
    """Go to the last segment, keep snapshots on the way, and store what that one makes."""
    segments, row = cut.segments, _row(scan)
    outputs = len(made) - scan.carries - 1 - cut.stored
    stacked = made[scan.carries :][:outputs]
    kept, *stored = made[scan.carries + outputs :]
    prefix = f"{made[0]}_"
    results = statement.results[scan.carries :]
    lines = [
        _empty(name, result)
        for name, result in zip(
            (*stacked, *stored), (*results[:outputs], *results[outputs + 1 :]), strict=True
        )
    ]
    lines.append(f"{kept} = [({_items(['0', *one.start])})]  # snapshots, with their segments")
    lines += [*_assigned(one.carries, one.start), f"{prefix}at = 0"]
    rows = [f"{name}[{row}]" for name in stacked]
    ahead = _gives([*one.carries, *rows], one.call(cut.ahead, "ahead", row))
    last = segments.count - 1
    way = _way(segments, str(last), prefix, kept, one.carries, ahead)
    lines += [f"{way[0]}  # {statement.flops:,} flops", *way[1:]]
    first = segments.last.start
    here = [f"{name}[row - {first}]" for name in stored]
    step = _gives([*one.carries, *rows, *here], one.call(scan.body, "step", row))
    return [*lines, f"for row in range({first}, {segments.length}):", f"    {step}"]


def write_rescan(
    statement: Statement, kernel: Rescan, names: Sequence[str], define: Define
) -> Lines:
    """Go back over the segments; compute again what a segment makes, but of the last one."""
    segments = kernel.segments
    made = [names[n] for n in statement.targets]
    operands = [names[n] for n in statement.operands]
    count = len(kernel.back.body.inputs)
    prefix = f"{made[0]}_"
    at = [f"{prefix}c{n}" for n in range(kernel.there.carries)]
    back = _Pass(kernel.back, operands[:count], made[: kernel.back.carries], prefix, define)
    stacked = made[kernel.back.carries :]
    segment, last = f"{prefix}segment", segments.count - 1
    return [
        *map(_empty, stacked, statement.results[kernel.back.carries :]),
        *_assigned(back.carries, back.start),
        f"for {segment} in range({last}, -1, -1):  # {statement.flops:,} flops",
        f"    {prefix}first = {_first(segments, segment)}",
        f"    {prefix}end = {_start(segments, f'{segment} + 1')}",
        f"    if {segment} < {last}:",
        *(f"        {line}" for line in _again(kernel, operands[count:], at, prefix, define)),
        f"    for row in range({prefix}end - 1, {prefix}first - 1, -1):",
        f"        {_back(kernel, back, stacked, prefix)}",
        *([f"del {', '.join(at)}"] if at else []),
    ]


def _again(
    kernel: Rescan, operands: Sequence[str], at: Sequence[str], prefix: str, define: Define
) -> Lines:
    """Go from the last snapshot to a segment, and through it, storing what it makes."""
    there, row, segment = kernel.there, _row(kernel.there), f"{prefix}segment"
    count = len(there.body.inputs)
    one = _Pass(there, operands[:count], at, prefix, define)
    kept, *stored = operands[count:]
    ahead = _gives(at, one.call(there.body, "ahead", row))
    here = [f"{name}[{_place(prefix)}]" for name in stored]
    storing = _gives([*at, *here], one.call(kernel.storing, "storing", row))
    return [
        f"while {kept}[-1][0] > {segment}:",
        f"    {kept}.pop()",
        f"{_items([f'{prefix}at', *at])} = {kept}[-1]",
        *_way(kernel.segments, segment, prefix, kept, at, ahead),
        f"for row in range({prefix}first, {prefix}end):",
        f"    {storing}",
    ]


def _back(kernel: Rescan, back: _Pass, stacked: Sequence[str], prefix: str) -> str:
    """Write one pass back, which reads what a segment has stored."""
    row, body = _row(kernel.there), kernel.back.body
    rows = [_place(prefix) if k in kernel.stored else row for k in range(len(body.inputs))]
    results = [*back.carries, *(f"{name}[{row}]" for name in stacked)]
    return _gives(results, back.call(body, "step", row, rows))


def _place(prefix: str) -> str:
    """Write where in its segment a pass is stored."""
    return f"row - {prefix}first"


def _way(
    segments: Segments, to: str, prefix: str, kept: str, carries: Sequence[str], ahead: str
) -> Lines:
    """Go from the segment ``at`` to another one; keep snapshots as long as more may be kept."""
    at, stop = f"{prefix}at", f"{prefix}stop"
    return [
        f"while {at} < {to}:",
        f"    {stop} = {at} + binomial({to} + 1 - {at}, {segments.most + 1} - len({kept}))",
        f"    for row in range({_first(segments, at)}, {_start(segments, stop)}):",
        f"        {ahead}",
        f"    {at} = {stop}",
        f"    if {at} < {to}:",
        f"        {kept}.append(({_items([at, *carries])}))",
    ]


def _start(segments: Segments, number: str) -> str:
    """Write the first pass of a segment, if that is not the first."""
    number = f"({number})" if " " in number else number
    text = number if segments.size == 1 else f"{segments.size} * {number}"
    return f"{text} - {segments.missing}" if segments.missing else text


def _first(segments: Segments, number: str) -> str:
    """Write the first pass of any segment; the first one may be shorter."""
    text = _start(segments, number)
    return f"max({text}, 0)" if segments.missing else text


def _row(scan: Scan) -> str:
    """Write which slice a pass has."""
    return f"{scan.length - 1} - row" if scan.is_backward else "row"


def _items(names: Sequence[str]) -> str:
    """Write a tuple, without its brackets."""
    return ", ".join(names) + ("," if len(names) == 1 else "")


def _empty(name: str, result: Result) -> str:
    return f"{name} = np.empty({result.shape}, {result.dtype.str!r})"


def _assigned(targets: Sequence[str], values: Sequence[str]) -> Lines:
    return [f"{', '.join(targets)} = {', '.join(values)}"] if targets else []


def _gives(targets: Sequence[str], call: str) -> str:
    return f"{', '.join(targets)} = {call}" if targets else call
