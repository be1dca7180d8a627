"""Problems measured: contenders started, checked against each other, timed in turn.

In: problems, and what is given to each. Out: a `Result` of each problem, as it is finished.
Guaranteed: nothing is timed whose values do not agree; what fails is said, and the rest goes on;
an interruption keeps what was measured.
"""

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from eingrad.paths.clock import LEAST, Timing, summary
from peers.contenders import WRITE, contenders
from peers.families import FAMILY_OF
from peers.problem import ORDERS, Problem, Task
from peers.process import Answer, Process, hold_threads

TOLERANCE = 1e-8  # of entries, relative to the largest one
CLOCK, PROCESSOR = 0, 1  # of a pair of seconds: on the clock, and of the processor
Pair = tuple[float, float]

_FEW = 3  # samples, of which one may be wrong
_PAUSE = 0.05  # seconds in which threads of BLAS that another worker left waiting go to sleep


@dataclass(frozen=True)
class Settings:
    """What is given to each problem.

    Attributes
    ----------
    names : tuple of str
        Contenders whose names begin with one of these; () for all.
    rounds : int
        At most so many samples of each contender.
    seconds : float
        At most so many of samples of each contender; three samples at least, or one that takes
        three times as long.
    patience : float
        Seconds until the first result.
    threads : int
        Of each contender.
    memory : int
        Bytes that a worker may have.
    small : bool
        Whether to take small sizes.
    """

    names: tuple[str, ...]
    rounds: int
    seconds: float
    patience: float
    threads: int
    memory: int
    small: bool = False


@dataclass
class Run:
    """A contender on a problem: what it took, or why it was not timed."""

    name: str
    status: str = "not reached"
    reason: str = ""
    package: str = ""
    version: str = ""
    threads: str = ""
    first: Pair | None = None  # until the first result: planning or compiling included
    bytes: int | None = None  # of the result
    peak: int | None = None  # bytes at once in a call, its result included
    error: float | None = None  # relative to the largest entry
    calls: int = 1  # of a sample
    samples: list[Pair] = field(default_factory=list)  # of a call

    def take(self, answer: Answer) -> bool:
        """Note an answer; whether it is one."""
        for name, value in answer.items():
            setattr(self, name, value)
        return "status" not in answer

    def timing(self, clock: int) -> Timing | None:
        """Median and quartiles of the samples: of `CLOCK`, or of `PROCESSOR`."""
        return summary([pair[clock] for pair in self.samples], self.calls) if self.samples else None


@dataclass
class Result:
    """A problem, and what was measured on it."""

    problem: str
    family: str
    order: int
    runs: dict[str, Run]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: medians and quartiles beside all samples."""
        runs = []
        for run in self.runs.values():
            timings = [run.timing(clock) for clock in (CLOCK, PROCESSOR)]
            told = [asdict(timing) for timing in timings if timing]
            runs.append(
                {**asdict(run), "timings": dict(zip(("clock", "processor"), told, strict=False))}
            )
        return {**asdict(self), "runs": runs}

    @classmethod
    def of_dict(cls, given: dict[str, Any]) -> "Result":
        """Read what was written."""
        runs = [Run(**{k: v for k, v in run.items() if k != "timings"}) for run in given["runs"]]
        return cls(**{**given, "runs": {run.name: run for run in runs}})


Tell = Callable[[str], None]


def measure(problems: Sequence[Problem], settings: Settings, tell: Tell) -> Iterator[Result]:
    """Measure problem by problem; an interrupted one is given if something was timed."""
    hold_threads(settings.threads)
    for n, problem in enumerate(problems):
        bench = _Bench(problem, settings, partial(_told, tell, f"{n + 1}/{len(problems)}"))
        try:
            bench.measure()
        except KeyboardInterrupt:
            if any(run.samples for run in bench.result.runs.values()):
                yield bench.result
            raise
        finally:
            bench.end()
        yield bench.result


def _told(tell: Tell, place: str, text: str) -> None:
    tell(f"{place} {text}")


class _Bench:
    """One problem while it is measured."""

    def __init__(self, problem: Problem, settings: Settings, tell: Tell) -> None:
        task = problem.task(small=settings.small)
        self.problem, self.settings, self.tell = problem, settings, tell
        names = [name for name in contenders(task) if _is_wanted(name, settings.names)]
        runs = {name: Run(name) for name in names}
        self.result = Result(problem.name, FAMILY_OF[problem.name], _order(task), runs)
        self.workers: dict[str, Process] = {}
        self.folder = tempfile.TemporaryDirectory(prefix="peers-")
        self.has_reference = False

    def measure(self) -> None:
        for name, run in self.result.runs.items():
            self.tell(f"{self.problem.name}: {name}")
            worker = Process(self.settings.memory)
            self.workers[name] = worker
            if not self._check(worker, run):
                self.workers.pop(name).end()
        self._time()

    def _check(self, worker: Process, run: Run) -> bool:
        """Compute once; compare with the first that computed; False where it is not to be timed."""
        settings = self.settings
        known = {"problem": self.problem.name, "small": settings.small, "threads": settings.threads}
        ask = worker.ask
        if not run.take(ask("start", 60.0, contender=run.name, **known)):
            return False
        if not run.take(ask("first", settings.patience)):
            return False
        if not run.take(ask("memory", settings.patience)):
            return False
        if not run.name.startswith(WRITE):
            do = "compare" if self.has_reference else "write"
            if not run.take(ask(do, 4 * settings.patience, folder=self.folder.name)):
                return False
            self.has_reference = True
        if run.error is not None and run.error > TOLERANCE:
            run.status, run.reason = "disagrees", f"its values are off by {run.error:.1e}"
            return False
        run.status = "checked"
        return True

    def _time(self) -> None:
        """Take turns, each round in another order."""
        settings = self.settings
        for n in range(settings.rounds):
            runs = [self.result.runs[name] for name in self.workers]
            here = [run for run in runs if _has_time(run, settings.seconds)]
            self.tell(f"{self.problem.name}: round {n + 1} of {settings.rounds}")
            for run in random.Random(n).sample(here, len(here)):
                if settings.threads > 1:
                    time.sleep(_PAUSE)
                answer = self.workers[run.name].ask("sample", 10 * settings.patience, least=LEAST)
                if "clock" in answer:
                    run.samples.append((answer["clock"], answer["processor"]))
                    run.calls, run.status = answer["calls"], "timed"
                else:
                    run.take(answer)
                    self.workers.pop(run.name).end()

    def end(self) -> None:
        for worker in self.workers.values():
            worker.end()
        self.folder.cleanup()


def _has_time(run: Run, seconds: float) -> bool:
    """Whether one has another turn: some samples at least, unless each takes all of its time."""
    spent = run.calls * sum(sample[CLOCK] for sample in run.samples)
    few = len(run.samples) < _FEW and spent < _FEW * seconds
    return few or spent < seconds


def _is_wanted(name: str, wanted: Sequence[str]) -> bool:
    """Whether one was asked for by its name or by how it begins; `OURS` is that of three."""
    return not wanted or any(
        name == word or name.startswith((f"{word},", f"{word}:")) for word in wanted
    )


def _order(task: Task) -> int:
    return ORDERS[task.asked] if task.order is None else task.order
