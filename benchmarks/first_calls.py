"""What planning takes beside JAX's first call, program by program, in one run.

``python benchmarks/first_calls.py [WORD...] [--rounds N] [--seconds LIMIT] [--json]``

The programs are those of the catalogue in `tests/real_programs` that were named as targets for
planning, and those that took long. Each is planned, and called by JAX for the first time, in
processes of their own, in turn; what is shown are medians. JAX gets the same function: `np` of its
module is JAX's, and `eg` is JAX's derivatives. Seconds are the processor's, of all threads, for
other work on the machine does not count; ``wall`` is the ratio of seconds on the clock. A process
that takes more than ``--seconds`` of the processor is ended: then the ratio is a bound. Without
JAX, planning alone is timed.
"""

import argparse
import functools
import importlib.util
import json
import math
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import numpy as np

from real_programs import PROGRAMS
from real_programs.measure import Program, plan_of

WANTED = (  # in this order: what the names begin with, or contain
    "Riemann tensor of a metric",
    "covariant derivative of the Riemann tensor",
    "dihedral by np.cross, Hessian",
    "dihedral by np.cross, third derivative",
    "Coriolis matrix of four joints, differentiated",
    "13, Kalman score, 30 steps",
    "13, Kalman score, 300 steps",
    "13, Sinkhorn, 40 iterations",
    "13, RK4 of a network, 100 steps",
    "13, LSTM over 50 steps",
    "business cycle, third derivative",
    "Cholesky by entries, n = 12",
    "masked attention",
    "put together",
    "93 weights, iij",
    "93 weights, iji",
    "38 weights, iii",
)


def programs(words: Sequence[str]) -> list[Program]:
    """Programs whose names contain a word; all that are wanted, if there is none."""
    found = [p for want in WANTED for p in PROGRAMS if want in str(p) and "scan:" not in str(p)]
    return [p for p in found if not words or any(word in str(p) for word in words)]


# One measurement, in a process of its own --------------------------------------------------------


def planned(program: Program) -> Callable[[], Any]:
    """Plan; the plan is not called."""
    task = program.build(program.sizes)
    return lambda: plan_of(task.run, *task.args)


def called_by_jax(program: Program) -> Callable[[], Any]:
    """Call for the first time, jit included."""
    import jax  # noqa: PLC0415  # only where it is asked for: it is optional

    jax.config.update("jax_enable_x64", True)
    jax.block_until_ready(jax.jit(jax.numpy.sin)(1.0))  # what starts up once is not the program's

    def derivative(f: Any, order: int) -> Any:
        """A number backward at first, all else forward."""

        def call(x: Any, *more: Any) -> Any:
            found, is_number = f, not jax.eval_shape(f, x, *more).shape
            for n in range(order):
                found = jax.jacrev(found) if is_number and not n else jax.jacfwd(found)
            return found(x, *more)

        return call

    derivatives = SimpleNamespace(
        jacobian=jax.jacfwd, grad=jax.grad, hessian=jax.hessian, derivative=derivative
    )
    for name, module in sys.modules.items():
        if name.startswith("real_programs.") and name != "real_programs.measure":
            for known, other in (("np", jax.numpy), ("eg", derivatives)):
                if hasattr(module, known):
                    setattr(module, known, other)
    given = program.make.args if isinstance(program.make, functools.partial) else ()
    of_jax = [jax.numpy.cross if value is np.cross else value for value in given]
    make = functools.partial(program.make.func, *of_jax) if given else program.make
    task = replace(program, make=make).build(program.sizes)
    run = derivative(*task.of) if task.of else task.run
    return lambda: jax.block_until_ready(jax.jit(run)(*task.args))


def measure(program: Program, who: str) -> dict[str, float]:
    """Seconds of the processor, and on the clock."""
    act = planned(program) if who == "eingrad" else called_by_jax(program)
    clock, processor = time.perf_counter(), time.process_time()
    act()
    return {
        "processor": time.process_time() - processor,
        "clock": time.perf_counter() - clock,
    }


# All of them -------------------------------------------------------------------------------------


def measure_apart(program: Program, who: str, limit: float) -> dict[str, float] | None:
    """Measure in a process of its own; None if it takes longer than so many seconds."""
    command = [sys.executable, __file__, "--one", str(program), who, "--seconds", str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == -signal.SIGXCPU:
        return None
    if done.returncode:
        raise RuntimeError(f"{program} by {who}: {done.stderr.strip().splitlines()[-1:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def compare(program: Program, rounds: int, limit: float) -> dict[str, Any]:
    """Take medians of both, in turn; what took too long once is not tried again."""
    times: dict[str, list[dict[str, float]]] = {"eingrad": [], "JAX": []}
    if importlib.util.find_spec("jax") is None:
        del times["JAX"]
    late: set[str] = set()
    for _ in range(rounds):
        for who, found in times.items():
            one = None if who in late else measure_apart(program, who, limit)
            if one is None:
                late.add(who)
            else:
                found.append(one)
    result: dict[str, Any] = {"late": sorted(late)}
    for unit in ("processor", "clock"):
        medians = {
            who: limit if who in late else statistics.median(one[unit] for one in found)
            for who, found in times.items()
        }
        ratio = medians["JAX"] / medians["eingrad"] if "JAX" in medians else None
        result[unit] = {**medians, "ratio": ratio}
    return result


def line(name: str, found: dict[str, Any]) -> str:
    """A row of the table; the ratio says how many times faster the faster one is."""
    ours, ratio = found["processor"]["eingrad"], found["processor"]["ratio"]
    if ratio is None:
        return f"| {name} | {ours:.2f} | - | - | - |"
    theirs = found["processor"]["JAX"]
    cells = [
        f"> {seconds:.0f}" if who in found["late"] else f"{seconds:.2f}"
        for who, seconds in (("eingrad", ours), ("JAX", theirs))
    ]
    times = max(ratio, 1 / ratio)
    bound = ">= " if found["late"] else ""
    who = "eingrad" if ratio >= 1 else "JAX"
    wall = "-" if found["late"] else f"{found['clock']['ratio']:.1f}"
    return f"| {name} | {cells[0]} | {cells[1]} | {who}, {bound}{times:.1f}x | {wall} |"


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WORD", help="of names of programs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=120.0, help="of the processor, for each")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--once", action="store_true", help="one program, once")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        name, who = options.one
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(options.seconds),) * 2)
        program = next(p for p in PROGRAMS if str(p) == name)
        print(json.dumps(measure(program, who)))
        return
    chosen = programs(["business cycle"] if options.once else options.words)
    rounds = 1 if options.once else options.rounds
    results = {}
    if not options.json:
        print("| program | eingrad, s | JAX, s | faster | JAX / eingrad, wall |")
        print("|---|---:|---:|---|---:|")
    for program in chosen:
        found = results[str(program)] = compare(program, rounds, options.seconds)
        if not options.json:
            print(line(str(program), found), flush=True)
    if options.json:
        print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
