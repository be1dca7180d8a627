"""Contraction orders compared: what each costs, and what it takes on each executor.

In: a problem, orders and executors. Out: a `Comparison`.
Guaranteed: what fails, does not fit or is missing is said, and the comparison goes on; values are
checked before anything is timed; an interruption keeps what is finished. All but times is the same
for the same seed.
"""

import contextlib
import math
import platform
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from typing import Any, TypeAlias

import numpy as np

from eingrad._plan import Program, picoseconds
from eingrad._plan.kernels import Number
from eingrad._shown import cut, type_name
from eingrad.errors import EingradError
from eingrad.paths import threads as blas
from eingrad.paths.clock import Contender, take_turns
from eingrad.paths.comparison import Comparison, Order, Run, digest_of
from eingrad.paths.executors import Executor, Prepared, program_of
from eingrad.paths.memory import available_bytes, bytes_of_values
from eingrad.paths.orders import BEST_KNOWN, NAMES
from eingrad.paths.problem import Array, Problem
from eingrad.paths.schedule import Schedule
from eingrad.paths.slicing import Sliced, slice_to
from eingrad.paths.units import bytes_text, seconds_text
from eingrad.paths.values import check_shapes, largest_error, tolerance_of

Find: TypeAlias = Callable[[Problem], Schedule]
Tell: TypeAlias = Callable[[str], None]


_NO_TIME = "no time was left; give more seconds"
_CHECKING = 10.0  # seconds at the least for the first runs, however short the timing
_MOST_PIECES = 1024  # that are prepared: each is compiled by itself
_MOST_LETTERS = 1000  # of a message of our own


class _Entry:
    """An order while it is measured."""

    def __init__(self, name: str, executors: Sequence[Executor]) -> None:
        self.name = name
        self.status, self.reason = "not reached", ""
        self.facts: dict[str, Any] = {}
        self.schedule: Schedule | None = None
        self.program: Program | None = None
        self.runs = {executor.name: Run(executor.name, "not reached") for executor in executors}
        self.timed: dict[str, Contender] = {}
        self.sliced: Sliced | None = None  # where the whole does not fit

    def set(self, executor: str, status: str, reason: str = "", **found: Any) -> None:
        """Say what became of a run."""
        self.runs[executor] = Run(executor, status, reason, **found)

    def stop(self, status: str, reason: str) -> None:
        """Say that there is no such order, so no run of it."""
        self.status, self.reason = status, reason
        for name in self.runs:
            self.set(name, status, reason)

    def predicted(self) -> float:
        """Give the seconds that a run is predicted to take."""
        seconds: float = self.facts.get("predicted_seconds", math.inf)
        return seconds

    def done(self) -> Order:
        """Give what was found, the time of runs that have one."""
        runs = []
        for run in self.runs.values():
            timing = self.timed[run.executor].timing if run.executor in self.timed else None
            runs.append(replace(run, status="measured", timing=timing) if timing else run)
        return Order(self.name, self.status, self.reason, **self.facts, runs=tuple(runs))


@dataclass(frozen=True, slots=True)
class Settings:
    """How a comparison is made; `eingrad.paths.compare` tells of the fields."""

    seed: int = 0
    seconds: float = 10.0
    memory: int | None = None  # bytes
    threads: int | None = 1
    arrays: Sequence[Array] | None = None
    mode: Callable[[Schedule], str] | None = None
    progress: Tell = lambda _text: None
    notes: Mapping[str, str] = field(default_factory=dict)  # what one must know of an order


class _Bench:
    """A comparison while it is made."""

    def __init__(
        self,
        problem: Problem,
        orders: Mapping[str, Find],
        executors: Sequence[Executor],
        settings: Settings,
    ) -> None:
        self.problem = problem
        self.orders = orders
        self.executors = executors
        self.settings = settings
        self.memory = available_bytes() if settings.memory is None else settings.memory
        self.tell = settings.progress
        self.tolerance = tolerance_of(problem)
        self.entries = [_Entry(name, executors) for name in orders]
        self.unusable: dict[str, tuple[str, str]] = {}  # executors: status and reason
        self.threads: dict[str, str] = {}
        self.reference: list[Array] | None = None
        self.reference_name = ""

    def limit(self, stack: contextlib.ExitStack) -> None:
        """Hold all libraries to so many threads; note those that are not there."""
        threads = self.settings.threads
        for executor in self.executors:
            if not executor.available():
                self.unusable[executor.name] = ("missing", "it is not installed")
                continue
            try:
                found = stack.enter_context(executor.limit(threads))
            except Exception as error:  # installed, but broken
                self.unusable[executor.name] = ("missing", f"it cannot be used: {_line(error)}")
            else:
                self.threads |= {executor.name: found} if found else {}
        self.threads = {"": stack.enter_context(blas.limited(threads))} | self.threads

    def plan(self) -> None:
        """Search every order, and see what it costs."""
        for n, (entry, find) in enumerate(zip(self.entries, self.orders.values(), strict=True)):
            self.tell(f"planning {entry.name} ({n + 1} of {len(self.entries)})")
            wall, cpu = time.perf_counter(), time.process_time()
            try:
                schedule: Any = find(self.problem)
            except (Exception, SystemExit) as error:  # a user's search may raise anything
                entry.stop(*_said(error))
                continue
            finally:
                entry.facts["planning_seconds"] = time.perf_counter() - wall
                entry.facts["planning_cpu_seconds"] = time.process_time() - cpu
            if not isinstance(schedule, Schedule) or schedule.problem != self.problem:
                what = "a schedule of another problem"
                got = what if isinstance(schedule, Schedule) else f"{type_name(schedule)}"
                entry.stop("failed", f"it gave {got}, not a schedule of this problem")
                continue
            entry.schedule, entry.status = schedule, "planned"
            entry.reason = self.settings.notes.get(entry.name, "")
            if schedule.searched is not None:  # elsewhere; the start of a process is not counted
                entry.facts["planning_seconds"] = schedule.searched
                entry.facts["planning_cpu_seconds"] = schedule.searched
            try:
                self._look(entry, schedule)
            except Exception as error:
                entry.stop(*_said(error))

    def _look(self, entry: _Entry, schedule: Schedule) -> None:
        """Count what an order costs; say which runs are of no use."""
        mode = self.settings.mode
        entry.facts |= {
            "flops": schedule.flops,
            "multiplications": schedule.multiplications,
            "written": schedule.written,
            "largest": schedule.largest,
            "peak_bytes": schedule.peak_bytes,
            "steps": len(schedule.operations),
        }
        with contextlib.suppress(EingradError):  # of some problems no mode is known
            entry.facts["mode"] = mode(schedule) if mode else ""
        for executor in self.executors:
            if executor.name in self.unusable:
                entry.set(executor.name, *self.unusable[executor.name])
        try:
            program = program_of(schedule)
        except EingradError:  # others may do it
            self._foresee(entry, schedule, None)
            return
        entry.facts["predicted_seconds"] = picoseconds(program) * 1e-12
        entry.facts["kernels"] = _kernels(program)
        self._foresee(entry, schedule, program)

    def _foresee(self, entry: _Entry, schedule: Schedule, program: Program | None) -> None:
        """Say what is too large, or too slow, before anything is computed."""
        held = bytes_of_values(self.problem) + sum(a.nbytes for a in schedule.constants)
        for name in [name for name, run in entry.runs.items() if run.status == "not reached"]:
            own = program if name == "eingrad" else None
            peak = own.peak_bytes if own else schedule.most_bytes
            if self.settings.seconds and peak + held > self.memory:
                self._slice(entry, schedule, held)
                if entry.sliced:
                    peak = entry.sliced.peak_bytes
            predicted = entry.facts.get("predicted_seconds", 0.0)
            status = reason = ""
            if not self.settings.seconds:
                status = "planned"
            elif peak + held > self.memory:
                needed, given = bytes_text(peak + held), bytes_text(self.memory)
                status, reason = "too large", f"it needs {needed}, {given} are given"
            elif predicted > self.settings.seconds:
                needed, given = seconds_text(predicted), seconds_text(self.settings.seconds)
                status, reason = "too slow", f"a run is predicted to take {needed} of {given}"
            entry.set(name, status or "not reached", reason, predicted_peak_bytes=peak)

    def _slice(self, entry: _Entry, schedule: Schedule, held: int) -> None:
        """Cut an order that does not fit into pieces that do, once for all executors.

        A piece of a path goes along that path, one of ours is planned anew. The pure modes, and an
        order that a file tells, are of the whole.
        """
        is_ours = entry.name.startswith("eingrad")
        if "slices" in entry.facts or (schedule.paths is None and not is_ours):
            return
        self.tell(f"cutting {entry.name} to pieces that fit")
        start = time.perf_counter()
        sliced = slice_to(self.problem, self.orders[entry.name], self.memory - held, schedule)
        entry.facts["planning_seconds"] += time.perf_counter() - start
        entry.facts["slices"] = sliced.count if sliced else None
        if sliced and sliced.count <= _MOST_PIECES:
            entry.sliced = sliced
            entry.facts["sliced_flops"] = sliced.flops
            overhead = sliced.flops / max(schedule.flops, 1)
            anew = "" if schedule.paths else ", planned anew"
            entry.reason = f"{sliced}{anew}: {overhead:.2f} times the flops"
            seconds = sliced.count * picoseconds(program_of(sliced.schedule)) * 1e-12
            entry.facts["predicted_seconds"] = seconds

    def check(self) -> None:
        """Run everything once: compare values, measure memory."""
        waiting = [
            (entry, executor)
            for entry in sorted(self.entries, key=_rank)
            for executor in self.executors
            if entry.schedule and entry.runs[executor.name].status == "not reached"
        ]
        given: Sequence[Array] = self.settings.arrays or ()
        if waiting and self.settings.arrays is None:
            given = self.problem.values(self.settings.seed)
        until = time.perf_counter() + max(self.settings.seconds, _CHECKING)
        for n, (entry, executor) in enumerate(waiting):
            if n and time.perf_counter() > until:
                entry.runs[executor.name] = replace(entry.runs[executor.name], reason=_NO_TIME)
                continue
            self.tell(f"checking {entry.name} on {executor.name} ({n + 1} of {len(waiting)})")
            try:
                self._check(entry, executor, given)
            except Exception as error:  # of a library, or of NumPy where memory is short
                peak = entry.runs[executor.name].predicted_peak_bytes
                entry.set(executor.name, *_said(error), predicted_peak_bytes=peak)

    def _check(self, entry: _Entry, executor: Executor, arrays: Sequence[Array]) -> None:
        assert entry.schedule  # of those that wait
        if entry.sliced:
            prepared = _prepare_pieces(executor, entry.sliced, arrays)
        else:
            prepared = executor.prepare(entry.schedule, arrays)
        start = time.perf_counter()
        results, peak = _traced(prepared.values) if executor.on_numpy else (prepared.values(), None)
        taken = time.perf_counter() - start
        found: dict[str, Any] = {
            "predicted_peak_bytes": entry.runs[executor.name].predicted_peak_bytes,
            "measured_peak_bytes": peak,
        }
        name = f"{entry.name} on {executor.name}"
        wrong = check_shapes(self.problem, results)
        if wrong:
            entry.set(executor.name, "disagrees", wrong, **found)
            return
        if self.reference is None:
            self.reference, self.reference_name = results, name
        error = largest_error(results, self.reference)
        found["error"] = error if math.isfinite(error) else None
        if error <= self.tolerance:
            entry.set(executor.name, "checked", **found)
            entry.timed[executor.name] = Contender(prepared.call, known=taken)
        else:
            reason = f"its values differ from those of {self.reference_name} by {error:.1e}"
            entry.set(executor.name, "disagrees", reason, **found)

    def measure(self) -> None:
        """Time what agrees, in turns."""
        contenders = [c for entry in self.entries for c in entry.timed.values()]

        def tell(n: int, most: int) -> None:
            self.tell(f"timing {len(contenders)} runs, round {n + 1} of at most {most}")

        take_turns(contenders, self.settings.seconds, tell=tell)
        for entry in self.entries:
            for name in [name for name, c in entry.timed.items() if not c.samples]:
                entry.runs[name] = replace(entry.runs[name], reason=_NO_TIME)


def _rank(entry: _Entry) -> tuple[bool, float]:
    """Who may be the reference comes first: a known search, not a file or the user; then time."""
    return entry.name not in NAMES or entry.name == BEST_KNOWN, entry.predicted()


def _prepare_pieces(executor: Executor, sliced: Sliced, arrays: Sequence[Array]) -> Prepared:
    """Prepare every piece; one call computes all, one after the other."""
    pieces = [executor.prepare(sliced.schedule, parts) for parts in sliced.pieces(arrays)]
    return Prepared(lambda: sliced.gather(piece.values() for piece in pieces), list)


def measure_orders(
    problem: Problem,
    orders: Mapping[str, Find],
    executors: Sequence[Executor],
    settings: Settings,
) -> Comparison:
    """Compare orders of one problem on these executors."""
    bench = _Bench(problem, orders, executors, settings)
    interrupted = False
    with contextlib.ExitStack() as stack:
        try:
            bench.limit(stack)
            bench.plan()
            bench.check()
            bench.measure()
        except KeyboardInterrupt:
            interrupted = True
    return Comparison(
        problem=problem.name,
        digest=digest_of(problem),
        operands=len(problem.operands),
        outputs=len(problem.outputs),
        orders=tuple(entry.done() for entry in bench.entries),
        executors={executor.name: executor.version() or "" for executor in executors},
        threads=bench.threads,
        facts=_facts(),
        seed=settings.seed,
        seconds=float(settings.seconds),
        memory_bytes=bench.memory,
        tolerance=bench.tolerance,
        reference=bench.reference_name,
        interrupted=interrupted,
        schedules={e.name: e.schedule for e in bench.entries if e.schedule},
        subject=problem,
    )


def _facts() -> dict[str, str]:
    return {
        "eingrad": metadata.version("eingrad"),
        "Python": platform.python_version(),
        "numpy": np.__version__,
        "on": platform.platform(),
    }


def _kernels(program: Program) -> dict[str, int]:
    """Count the steps that move or make entries, by kernel."""
    steps = [s for s in program.steps() if not s.is_view and not isinstance(s.kernel, Number)]
    return dict(sorted(Counter(step.kernel.label for step in steps).items()))


def _traced(call: Callable[[], list[Array]]) -> tuple[list[Array], int]:
    """Call, and give the most memory that it had at once."""
    was_tracing = tracemalloc.is_tracing()
    if not was_tracing:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        results = call()
        return results, max(0, tracemalloc.get_traced_memory()[1] - before)
    finally:
        if not was_tracing:
            tracemalloc.stop()


def _said(error: BaseException) -> tuple[str, str]:
    """Give status and reason of an error."""
    return ("refused" if isinstance(error, EingradError) else "failed"), _line(error)


def _line(error: BaseException) -> str:
    """Write an error in a line."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # a class of the user's
        text = ""
    name = type_name(error)
    if isinstance(error, EingradError):
        return cut(text, _MOST_LETTERS)  # these say what to do, at the end
    return cut(f"{name}: {text}" if text else name)
