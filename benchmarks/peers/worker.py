"""A process with one contender: it prepares, computes, compares and times what it is told to.

In: commands from a pipe. Out: an answer to each.
Guaranteed: an error is an answer; what a library prints is kept for the case that it dies of it.
"""

import contextlib
import importlib
import os
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from eingrad.paths import threads as blas
from eingrad.paths.executors import Prepared
from peers.contenders import Contender, contenders
from peers.families import PROBLEMS
from peers.problem import Array, Task

_BLOCK = 1 << 20  # entries that are compared at once
_SHORT = 0.05  # seconds: a call that takes less is warmed up before a sample
_RESET = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")

Answer = dict[str, Any]


class Worker:
    """What one process knows."""

    def __init__(self) -> None:
        self.task: Task
        self.contender: Contender
        self.prepared: Prepared
        self.seconds = 0.0

    def start(self, problem: str, contender: str, *, small: bool, threads: int) -> Answer:
        """Import the library, draw the task."""
        self.task = PROBLEMS[problem].task(small=small)
        self.contender = contenders(self.task)[contender]
        if self.contender.missing():
            return {"status": "not installed"}
        importlib.import_module(self.contender.import_first)
        limit = {"torch": _of_torch, "jax": _of_jax}.get(self.contender.package, _of_blas)
        return {
            "threads": limit(threads),
            "version": self.contender.version(),
            "package": self.contender.package,
        }

    def first(self) -> Answer:
        """Prepare and compute once: what a program waits for its first result."""
        clock, processor = time.perf_counter(), time.process_time()
        self.prepared = self.contender.prepare(self.task)
        result = self.prepared.call()
        taken = time.perf_counter() - clock, time.process_time() - processor
        return {"first": taken, "bytes": sum(a.nbytes for a in self.prepared.host(result))}

    def memory(self) -> Answer:
        """Most memory that a call has at once, above what was there: its result included."""
        before = _peak(reset=True)
        start = time.perf_counter()
        result = self.prepared.call()
        self.seconds = time.perf_counter() - start
        after = _peak(reset=False)
        del result
        return {"peak": None if before is None or after is None else max(0, after - before)}

    def write(self, folder: str) -> Answer:
        """Write the result for the others to compare with."""
        for n, array in enumerate(self.prepared.host(self.prepared.call())):
            np.save(Path(folder, f"{n}.npy"), array)
        return {}

    def compare(self, folder: str) -> Answer:
        """Compare with what one wrote: the largest difference, relative to the largest entry."""
        found = self.prepared.host(self.prepared.call())
        files = sorted(Path(folder).glob("*.npy"))
        if len(files) != len(found):
            return {"status": "disagrees", "reason": f"{len(found)} results, not {len(files)}"}
        difference = scale = 0.0
        for array, file in zip(found, files, strict=True):
            expected = np.load(file, mmap_mode="r")
            if array.shape != expected.shape:
                return {
                    "status": "disagrees",
                    "reason": f"shape {array.shape}, not {expected.shape}",
                }
            for one, other in zip(_blocks(array), _blocks(expected), strict=True):
                difference = max(difference, _largest(one - other))
                scale = max(scale, _largest(other))
        return {"error": difference / (scale or 1.0)}

    def sample(self, least: float) -> Answer:
        """Time as many calls as take `least` seconds; give the mean."""
        if self.seconds < _SHORT:
            self.seconds = min(_run(self.prepared.call, 1)[0] for _ in range(3))
        calls = max(1, round(least / self.seconds)) if self.seconds else 1
        clock, processor = (taken / calls for taken in _run(self.prepared.call, calls))
        self.seconds = clock
        return {"clock": clock, "processor": processor, "calls": calls}


def _run(call: Callable[[], Any], calls: int) -> tuple[float, float]:
    """Seconds on the clock, and those of the processor, of all threads."""
    processor, clock = time.process_time(), time.perf_counter()
    for _ in range(calls):
        call()
    return time.perf_counter() - clock, time.process_time() - processor


def _blocks(array: Array) -> Any:
    """Go over the entries in the order of the axes; small copies, whatever the strides."""
    if array.size <= _BLOCK or array.ndim == 0:
        yield np.asarray(array)
        return
    for part in array:
        yield from _blocks(part)


def _largest(array: Array) -> float:
    """Give the largest entry; what is no number is larger than all."""
    value = float(np.max(np.abs(array), initial=0.0))
    return value if np.isfinite(value) else np.inf


def _peak(*, reset: bool) -> int | None:
    """Most bytes the process had, since it was last reset; None where the system does not tell."""
    try:
        if reset:
            _RESET.write_text("5")
        lines = _STATUS.read_text().splitlines()
        return next(1024 * int(x.split()[1]) for x in lines if x.startswith("VmHWM:"))
    except (OSError, StopIteration, ValueError):
        return None


# Threads -----------------------------------------------------------------------------------------


def _of_blas(threads: int) -> str:
    with blas.limited(threads) as text:
        pass
    return text  # the environment holds it to so many from the start


def _of_torch(threads: int) -> str:
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(threads)
    return f"{torch.get_num_threads()} of torch"


def _of_jax(threads: int) -> str:
    return f"{os.environ.get('NPROC', threads)} of XLA"


# Commands ----------------------------------------------------------------------------------------


def answer(worker: Worker, command: Answer) -> Answer:
    """Do what is asked; an error is said in a line."""
    act = getattr(worker, command.pop("do"))
    try:
        return act(**command)
    except MemoryError:
        return {"status": "out of memory", "reason": "MemoryError"}
    except Exception as error:  # whatever a library raises
        status = "not written" if isinstance(error, NotImplementedError) else "failed"
        text = " ".join(str(error).split())
        return {"status": status, "reason": f"{type(error).__name__}: {text}"[:300]}


def main(asked: Connection, said: str) -> None:
    """Answer until there is no more to do; what is printed goes to the file `said`."""
    if hasattr(os, "setsid"):
        os.setsid()  # an interruption is the parent's to handle
    printed = os.open(said, os.O_WRONLY | os.O_APPEND)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    worker = Worker()
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            asked.send(answer(worker, asked.recv()))
