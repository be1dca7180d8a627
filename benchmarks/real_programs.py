"""What real programs cost beside what they should.

``python benchmarks/real_programs.py [POINT...] [--json] [--seconds LIMIT] [--once] [--write]``

The programs stand in `tests/real_programs`, by the point they show. For each, counts of its plan in
units of what they should be: of an equivalent formulation's, or of so many evaluations of the
function; seconds to plan, lines of source. Each is planned in a process of its own, and ended after
``--seconds``. Progress is on stderr. Counts are the same on every machine; seconds are one
measurement. ``--write`` records those that are planned within a second, for the tests.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from real_programs import PROGRAMS, table
from real_programs.measure import Measured, Program, bounds, cost

HEADS = ("flops", "peak_bytes", "written_bytes", "lines")


def measure(program: Program) -> Iterator[dict[str, Any]]:
    """Plan in this process: seconds and counts; then, from the bounds, what they should be."""
    task = program.build(program.sizes)
    start = time.perf_counter()
    counts = cost(task.run, *task.args)
    yield {"seconds": time.perf_counter() - start, **asdict(counts)}
    found = Measured(counts, bounds(task))
    yield {"should": found.should, "ratios": found.ratios}


def measure_apart(program: Program, limit: float) -> dict[str, Any]:
    """Plan in a process of its own, which is ended after so many seconds."""
    command = [sys.executable, __file__, "--one", str(program)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired as late:
        what = "its bounds are not" if late.stdout else "not"
        known = (late.stdout or b"").splitlines()[:1]
        return {"failed": f"{what} planned within {limit:g} s", **_merged(known)}
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        return {"failed": last[0] if last else f"exit status {done.returncode}"}
    return _merged(done.stdout.splitlines())


def _merged(lines: Iterable[str | bytes]) -> dict[str, Any]:
    return {name: value for line in lines for name, value in json.loads(line).items()}


def row(found: dict[str, Any]) -> str:
    """Ratios, planning time and counts; or why there are none."""
    if "seconds" not in found:
        return f"  {found['failed']}"
    ratios = (found.get("ratios", {}).get(count) for count in HEADS)
    cells = "".join(f"{'-' if r is None else f'{r:,.2f}x':>14}" for r in ratios)
    if "failed" in found:
        cells = f"  {found['failed']:{14 * len(HEADS) - 2}}"
    return f"{cells}{found['seconds']:10.2f}{found['lines']:9,}{found['flops']:17,}"


def write() -> None:
    """Record the programs that are planned within a second; say what changed."""
    now = table.counted(PROGRAMS)
    before = table.read(table.PATH.read_text("utf-8")) if table.PATH.exists() else {}
    print(*table.changed(before, now), sep="\n")
    table.PATH.write_text(table.written(now), "utf-8")


def chosen(points: Sequence[str], *, once: bool) -> list[Program]:
    """Programs of some points, in the order of the catalogue; with `once`, one for each point."""
    known = dict.fromkeys(program.point for program in PROGRAMS)
    if unknown := [point for point in points if point not in known]:
        sys.exit(f"no program shows {', '.join(unknown)}; points: {', '.join(known)}")
    programs = [p for p in PROGRAMS if not points or p.point in points]
    if once:
        first = {p.point: p for p in reversed(programs) if not p.slow}
        programs = [p for p in programs if first.get(p.point) is p]
    return programs


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("points", nargs="*", metavar="POINT", help="of the catalogue; all if none")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--once", action="store_true", help="one program for each point")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each program")
    parser.add_argument("--write", action="store_true", help="record what the tests compare with")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        for found in measure(next(p for p in PROGRAMS if str(p) == options.one)):
            print(json.dumps(found), flush=True)
        return
    if options.write:
        write()
        return
    results: dict[str, dict[str, Any]] = {}
    heads = "".join(f"{head:>14}" for head in HEADS)
    if not options.json:
        print(
            f"{'in units of what it should be':68}{heads}{'seconds':>10}{'lines':>9}{'flops':>17}"
        )
    for program in chosen(options.points, once=options.once):
        print(program, file=sys.stderr)
        found = results[str(program)] = measure_apart(program, options.seconds)
        if not options.json:
            print(f"{program!s:68}{row(found)}", flush=True)
    if options.json:
        print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
