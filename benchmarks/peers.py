"""Derivatives beside hand-written NumPy, other libraries and the limit of the machine, in one run.

``python benchmarks/peers.py [--only WORD] [--contenders NAME,...] [--rounds N] [--threads N]``

Each contender computes in a process of its own, is compared with the others, and timed in turn
with them, round after round; what is shown are medians. A column is the time over that of the best
hand version, fresh results over fresh ones, and with ``out=`` over with ``out=``; of problems
without one, times. ``write`` is what it takes to write the result once. ``peak`` is what a call has
at once, over its result; ``first`` and ``JAX`` at the end are seconds until the first result,
planning or compiling included. A contender that fails, takes too much or gives another value is
left out, and said below the table; Ctrl-C keeps what is finished. Run it on a quiet machine.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eingrad.paths.memory import available_bytes
from eingrad.paths.units import bytes_of
from peers import PROBLEMS, report
from peers.problem import Problem
from peers.rows import Row
from peers.runner import CLOCK, PROCESSOR, Result, Settings, measure

ONCE = ("Hessian of logdet(X), D = 32",)

ONCE_NAMES = ("hand", "eingrad", "write")


def parser() -> argparse.ArgumentParser:
    """Read what is asked for."""
    found = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = found.add_argument
    add(
        "--only", action="append", default=[], metavar="WORD", help="problems with it in their name"
    )
    add(
        "--contenders",
        default="",
        metavar="NAME,...",
        help="eingrad, hand, JAX, torch, ...: only these",
    )
    add("--rounds", type=int, default=15, help="samples of each (default: 15)")
    add("--seconds", type=float, default=2.0, help="of samples of each, at most (default: 2)")
    add("--patience", type=float, default=60.0, help="seconds until a first result (default: 60)")
    add("--threads", type=int, default=1, help="of each contender (default: 1)")
    add("--memory", type=bytes_of, default=available_bytes() // 2, help="of a process, as in 4GB")
    add("--json", type=Path, metavar="FILE", help="write all samples")
    add("--plot", type=Path, metavar="FILE", help="draw the ratios")
    add("--read", type=Path, nargs="+", metavar="FILE", help="show what --json wrote; no measuring")
    add("--processor", action="store_true", help="show seconds of the processor: a busy machine")
    add("--list", action="store_true", help="names of problems")
    add("--once", action="store_true", help="one small problem, one round, NumPy alone")
    return found


def chosen(words: Sequence[str], *, once: bool) -> list[Problem]:
    """Problems whose names have one of the words."""
    if once:
        return [PROBLEMS[name] for name in ONCE]
    found = [p for name, p in PROBLEMS.items() if not words or any(word in name for word in words)]
    if not found:
        raise SystemExit(f"no problem has {' or '.join(words)!r} in its name; --list names them")
    return found


def settings(options: argparse.Namespace) -> Settings:
    """What each problem is given."""
    names = tuple(filter(None, options.contenders.split(",")))
    return Settings(
        names=ONCE_NAMES if options.once else names,
        rounds=1 if options.once else options.rounds,
        seconds=options.seconds,
        patience=options.patience,
        threads=options.threads,
        memory=options.memory,
        small=options.once,
    )


def tell(text: str) -> None:
    """Say on a terminal what is done now."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{text[:110]}\033[K")


def run(options: argparse.Namespace, clock: int) -> list[Result]:
    """Measure, and print each line when it is there."""
    results: list[Result] = []
    try:
        for result in measure(chosen(options.only, once=options.once), settings(options), tell):
            tell("")
            results.append(result)
            print(report.line(Row.of(result, clock)), flush=True)
            if options.json:
                write(options.json, results)
    except KeyboardInterrupt:
        print("interrupted; what was finished stands above", file=sys.stderr)
    return results


def summarise(results: Sequence[Result], rows: Sequence[Row]) -> None:
    """Print what the table says."""
    for title, lines in (
        ("means", report.means(rows)),
        (f"slower than a hand version x {report.NEAR}, or than a peer", report.behind(rows)),
        ("first result later than JAX's", report.slow_to_start(rows)),
        (f"more memory than {report.NEAR} times the result", report.memory(rows)),
        ("not timed", report.untimed(results)),
        ("threads", (f"{name}: {text}" for name, text in report.threads(results).items())),
    ):
        found = [*lines]
        print(f"\n{title}: {len(found) or 'none'}")
        for text in found:
            print(f"  {text}")


def write(file: Path, results: Sequence[Result]) -> None:
    """Write all samples, and where they were taken; again after each problem."""
    found = {"machine": machine(), "results": [result.as_dict() for result in results]}
    file.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def read(files: Sequence[Path]) -> list[Result]:
    """Read what was written; of a problem that is in several files, the last counts."""
    found: dict[str, Result] = {}
    for file in files:
        for given in json.loads(file.read_text("utf-8"))["results"]:
            found[given["problem"]] = Result.of_dict(given)
    return [found[name] for name in PROBLEMS if name in found]


def machine() -> dict[str, Any]:
    """Say on what this was measured."""
    load = os.getloadavg() if hasattr(os, "getloadavg") else ()
    return {
        "on": platform.platform(), "cores": os.cpu_count(), "python": platform.python_version(),
        "numpy": np.__version__, "load": load,
    }  # fmt: skip


def main() -> None:
    """Measure, or read; print, write and draw."""
    options = parser().parse_args()
    if options.list:
        print("\n".join(PROBLEMS))
        return
    clock = PROCESSOR if options.processor else CLOCK
    print(report.heading())
    if options.read:
        results = read(options.read)
        print("\n".join(report.line(Row.of(result, clock)) for result in results))
    else:
        results = run(options, clock)
    rows = [Row.of(result, clock) for result in results]
    summarise(results, rows)
    if options.plot:
        from peers.picture import draw  # noqa: PLC0415 - needs matplotlib

        draw(rows).savefig(options.plot, dpi=130, bbox_inches="tight", metadata={"Software": None})


if __name__ == "__main__":
    main()
