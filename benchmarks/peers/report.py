"""What was measured, as people read it: a line for each problem, and where this library is behind.

In: rows. Out: lines of text.
Guaranteed: ratios are of medians of one run; what was not timed is said with its reason.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

from eingrad.paths.units import bytes_text, seconds_text
from peers.contenders import OURS, OUT, WRITE
from peers.rows import NO_PLAN, PEERS, Row
from peers.runner import Result

NEAR = 1.1  # times a hand version is as fast
_LARGE = 1 << 20  # bytes of a result whose memory is told
_COLUMNS = {OURS: "plan", OURS + OUT: "out=", NO_PLAN: "no plan", "torch.compile": "compiled"}
_WIDE, _NARROW = 10, 9
_QUIET = ("not installed", "not written", "not reached")
_MARKS = {"out of memory": "memory", "disagrees": "wrong", "too slow": "slow"}


# The table ---------------------------------------------------------------------------------------


def heading() -> str:
    """Head of the table."""
    names = [_COLUMNS.get(name, name) for name in (OURS, OURS + OUT, NO_PLAN, *PEERS)]
    columns = "".join(f"{name:>{_WIDE}}" for name in names)
    ends = "".join(f"{name:>{_NARROW}}" for name in ("peak", "first", "JAX"))
    return f"{'':46}{'by hand':>{_NARROW}}{'write':>{_NARROW}}{columns}{ends}"


def line(row: Row) -> str:
    """Times of the best hand version, and ratios to it; without one, times."""
    base = row.by_hand()
    cells = "".join(f"{_cell(row, name):>{_WIDE}}" for name in (OURS, OURS + OUT, NO_PLAN, *PEERS))
    starts = [seconds_text(base.seconds if base else None), seconds_text(row.seconds.get(WRITE))]
    ends = [_peak(row), *(seconds_text(row.first(name)) for name in (OURS, "JAX"))]
    left, right = ("".join(f"{text:>{_NARROW}}" for text in texts) for texts in (starts, ends))
    return f"{row.result.problem:46}{left}{cells}{right}"


def _cell(row: Row, name: str) -> str:
    if name in row.seconds:
        over = row.over(name)
        return seconds_text(row.seconds[name]) if over is None else f"{over:.3g}x"
    run = row.result.runs.get(name)
    return "-" if run is None or run.status in _QUIET else _MARKS.get(run.status, run.status)


def _peak(row: Row) -> str:
    """Most bytes at once over those of the result, where the result is large enough to tell."""
    run = row.result.runs.get(OURS)
    if run is None or run.peak is None or not run.bytes or run.bytes < _LARGE:
        return "-"
    return f"{run.peak / run.bytes:.2f}"


# What it says ------------------------------------------------------------------------------------


def means(rows: Sequence[Row]) -> Iterator[str]:
    """Geometric means over problems of the first, and of higher orders."""
    for text, chosen in (("order 1", (0, 1)), ("orders 2 and 3", (2, 3))):
        some = [row for row in rows if row.result.order in chosen]
        for name in (*PEERS, NO_PLAN):
            ratios = [times for times in (row.times(name) for row in some) if times]
            if ratios:
                yield f"{text}: {name} takes {_mean(ratios):.3g} times as long ({len(ratios)})"
        for name in (OURS, OURS + OUT):
            ratios = [over for over in (row.over(name) for row in some) if over]
            if ratios:
                yield f"{text}: {name} {_mean(ratios):.3g} times the best by hand ({len(ratios)})"


def _mean(ratios: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def behind(rows: Sequence[Row]) -> Iterator[str]:
    """Say where a hand version is faster by more than a tenth, or a peer at all; worst first."""
    found: list[tuple[float, str]] = []
    for row in rows:
        for name in (OURS, OURS + OUT):
            over, base = row.over(name), row.by_hand(out=name.endswith(OUT))
            if over and base and over > NEAR:
                found.append((over, f"{row.result.problem}: {name} {over:.2f} times {base.name}"))
        for name in PEERS:
            times = row.times(name)
            if times and times < 1:
                text = f"{row.result.problem}: {OURS} {1 / times:.2f} times {name}"
                found.append((1 / times, text))
    return (text for _, text in sorted(found, reverse=True))


def slow_to_start(rows: Sequence[Row]) -> Iterator[str]:
    """Say where the first result takes longer than JAX's."""
    for row in rows:
        ours, theirs = row.first(OURS), row.first("JAX")
        if ours and theirs and ours > theirs:
            texts = seconds_text(ours), seconds_text(theirs)
            yield f"{row.result.problem}: {texts[0]}, JAX {texts[1]}"


def memory(rows: Sequence[Row]) -> Iterator[str]:
    """Say where a call has more than 1.1 times its result at once, what it is given included."""
    for row in rows:
        for run in row.result.runs.values():
            if run.name.startswith(OURS) and run.peak and run.bytes and run.bytes >= _LARGE:
                given = run.bytes if run.name.endswith(OUT) else 0
                over = (run.peak + given) / run.bytes
                if over > NEAR:
                    size = bytes_text(run.bytes)
                    yield f"{row.result.problem}: {run.name} {over:.2f} times {size}"


def untimed(results: Sequence[Result]) -> Iterator[str]:
    """Say why, for what was not timed; what is not installed once."""
    runs = [(result.problem, run) for result in results for run in result.runs.values()]
    missing = {run.name for _, run in runs if run.status == "not installed"}
    if missing:
        yield f"not installed: {', '.join(sorted(missing))}"
    for problem, run in runs:
        if not run.samples and run.status not in _QUIET:
            yield f"{problem}: {run.name}: {run.status}: {run.reason}"


def threads(results: Sequence[Result]) -> Mapping[str, str]:
    """Say how many threads each library had, and its version."""
    runs = [run for result in results for run in result.runs.values() if run.package]
    return {f"{run.package} {run.version}": run.threads for run in runs}
