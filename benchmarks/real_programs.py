"""What real programs cost beside what they should.

``python benchmarks/real_programs.py [POINT...] [--json] [--seconds LIMIT] [--jax] [--write]``

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
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import numpy as np

from real_programs import PROGRAMS, table
from real_programs.measure import Compute, Measured, Program, bounds, cost

HEADS = ("flops", "peak_bytes", "written_bytes", "lines")


def measure(program: Program, *, with_jax: bool) -> Iterator[dict[str, Any]]:
    """Plan in this process: seconds and counts; then, from the bounds, what they should be.

    With JAX, seconds of its first call, too: where all that a program does is to differentiate.
    """
    task = program.build(program.sizes)
    start = time.perf_counter()
    counts = cost(task.run, *task.args)
    yield {"seconds": time.perf_counter() - start, **asdict(counts)}
    found = Measured(counts, bounds(task))
    yield {"should": found.should, "ratios": found.ratios}
    if with_jax and task.of and task.of[0].__module__.startswith("real_programs"):
        yield {"jax_seconds": jax_seconds(*task.of, *task.args)}


def jax_seconds(f: Compute, order: int, x: Any) -> float:
    """Time the first call of a derivative by JAX, jit included; `np` of the program is JAX's."""
    import jax  # noqa: PLC0415  # only where it is asked for: it is optional

    jax.config.update("jax_enable_x64", True)
    jax.block_until_ready(jax.jit(jax.numpy.sin)(1.0))  # what starts up once is not the program's
    derivative = f
    for n in range(order):
        derivative = jax.jacfwd(derivative) if n or np.ndim(f(x)) else jax.jacrev(derivative)
    with mock.patch.object(sys.modules[f.__module__], "np", jax.numpy):
        start = time.perf_counter()
        jax.block_until_ready(jax.jit(derivative)(x))
        return time.perf_counter() - start


def measure_apart(program: Program, limit: float, *options: str) -> dict[str, Any]:
    """Plan in a process of its own, which is ended after so many seconds."""
    command = [sys.executable, __file__, "--one", str(program), *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired as late:
        lines = (late.stdout or b"").splitlines()
        what = ("not planned", "its bounds are not planned", "JAX has not compiled")[len(lines)]
        return {"failed": f"{what} within {limit:g} s", **_merged(lines)}
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
    if "ratios" not in found:
        cells = f"  {found['failed']:{14 * len(HEADS) - 2}}"
    jax = f"{found['jax_seconds']:10.2f}" if "jax_seconds" in found else f"{'-':>10}"
    return f"{cells}{found['seconds']:10.2f}{jax}{found['lines']:9,}{found['flops']:17,}"


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
    parser.add_argument("--jax", action="store_true", help="time JAX's first call, too")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        for found in measure(
            next(p for p in PROGRAMS if str(p) == options.one), with_jax=options.jax
        ):
            print(json.dumps(found), flush=True)
        return
    if options.write:
        write()
        return
    results: dict[str, dict[str, Any]] = {}
    flags = ["--jax"] if options.jax else []
    heads = "".join(f"{head:>14}" for head in HEADS)
    if not options.json:
        print(
            f"{'in units of what it should be':68}{heads}"
            f"{'seconds':>10}{'JAX':>10}{'lines':>9}{'flops':>17}"
        )
    for program in chosen(options.points, once=options.once):
        print(program, file=sys.stderr)
        found = results[str(program)] = measure_apart(program, options.seconds, *flags)
        if not options.json:
            print(f"{program!s:68}{row(found)}", flush=True)
    if options.json:
        print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
