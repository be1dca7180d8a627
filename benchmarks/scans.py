"""Long programs by `eg.scan`, beside the same programs written out by a Python loop.

For each: lines of source, seconds to plan, flops, bytes at the peak, microseconds of a call, as it
is by the scan and in units of that by the loop. Both are the programs of `tests/real_programs`,
checked against each other, and called in turn, round after round; a time is the median. Counts are
the same on every machine, seconds to plan are one measurement.
``python benchmarks/scans.py [--once] [--json]``
"""

import json
import sys
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import eingrad as eg
from common.timing import arguments, medians, microseconds
from real_programs import loops, scans
from real_programs.measure import Program

_LEFT_OUT = {"Kalman score, 300 steps"}  # takes longer


@dataclass(frozen=True)
class Found:
    """What one way to write a program costs."""

    lines: int
    seconds: float
    flops: int
    peak_bytes: int
    microseconds: float


def pairs() -> list[tuple[Program, Program]]:
    """Programs that are written both ways."""
    written_out = {p.name: p for p in loops.PROGRAMS if p.name not in _LEFT_OUT}
    names = ((p, p.name.removeprefix("scan: ")) for p in scans.PROGRAMS)
    return [(p, written_out[name]) for p, name in names if name in written_out]


def compare(programs: tuple[Program, Program], rounds: int) -> list[Found]:
    """Plan both, check one against the other, and call them in turn."""
    plans, seconds = [], []
    for program in programs:
        task = program.build(program.sizes)
        eg.cache_clear()
        start = time.perf_counter()
        plans.append((task.run.plan(*task.args), task.args))
        seconds.append(time.perf_counter() - start)
    (scanned, args), (looped, _) = plans
    np.testing.assert_allclose(scanned(*args), looped(*args), rtol=1e-8, atol=1e-10)
    calls = {"scan": lambda: scanned(*args), "loop": lambda: looped(*args)}
    times = medians(microseconds(calls, rounds))
    return [
        Found(
            len(plan.source.splitlines()), took, plan.program.flops, plan.program.peak_bytes,
            times[name],
        )
        for (plan, _), took, name in zip(plans, seconds, calls, strict=True)
    ]  # fmt: skip


def main() -> None:
    """Compare all, or the first two."""
    options = arguments(__doc__).parse_args()
    chosen = pairs()[:2] if options.once else pairs()
    found = {loop.name: compare((scan, loop), 3 if options.once else 21) for scan, loop in chosen}
    if options.json:
        print(json.dumps({name: [asdict(way) for way in both] for name, both in found.items()}))
        return
    rows = {name: [asdict(way) for way in both] for name, both in found.items()}
    heads = "".join(f"{field.name:>24}" for field in fields(Found))
    print(f"{'by a scan; in units of that by a loop':48}{heads}")
    for name, (scan, loop) in rows.items():
        cells = (f"{value:,.6g} ({value / loop[count]:.3f}x)" for count, value in scan.items())
        print(f"{name:48}" + "".join(f"{cell:>24}" for cell in cells))


if __name__ == "__main__":
    main()
