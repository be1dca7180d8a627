"""A worker as its parent sees it: asked for answers, watched, and ended where it takes too much.

In: commands. Out: answers; one that came too late, or not at all, says why.
Guaranteed: nothing that a worker does ends the parent; what a worker started ends with it.

Workers are forked from a server that has imported what all of them need, but no library that is
compared: those start threads of their own.
"""

import contextlib
import multiprocessing
import os
import signal
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from eingrad.paths.threads import VARIABLES
from eingrad.paths.units import bytes_text, seconds_text
from peers import worker

_FOLDER = Path(__file__).resolve().parent.parent
_LOOK = 0.05  # seconds between two looks at the memory of a worker
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_SERVER = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"

Answer = dict[str, Any]


def hold_threads(threads: int) -> None:
    """Hold the workers to so many threads; before the first of them starts, for BLAS asks once."""
    os.environ.update(dict.fromkeys((*VARIABLES, "NPROC"), str(threads)))
    path = [str(_FOLDER), os.environ.get("PYTHONPATH", "")]  # the server is not told `sys.path`
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))


class Process:
    """One worker.

    Parameters
    ----------
    memory : int
        Bytes; one that has more is ended. A watch, not a limit of the address space: compilers
        reserve far more than they use.
    """

    def __init__(self, memory: int) -> None:
        context: Any = multiprocessing.get_context(_SERVER)
        if _SERVER == "forkserver":
            context.set_forkserver_preload(["peers.worker"])
        handle, self.said = tempfile.mkstemp(prefix="peers-")
        os.close(handle)
        self.memory = memory
        self.here: Connection
        self.here, there = context.Pipe()
        self.process = context.Process(target=worker.main, args=(there, self.said), daemon=False)
        self.process.start()
        there.close()

    def ask(self, do: str, seconds: float, **what: Any) -> Answer:
        """Ask for something, and wait so many seconds for the answer."""
        until = time.monotonic() + seconds
        try:
            self.here.send({"do": do, **what})
            while not self.here.poll(_LOOK):
                if time.monotonic() > until:
                    self._kill()
                    return {"status": "too slow", "reason": f"no answer in {seconds_text(seconds)}"}
                if (used := self._used()) > self.memory:
                    self._kill()
                    given = f"{bytes_text(used)}, {bytes_text(self.memory)} are given"
                    return {"status": "out of memory", "reason": f"it took {given}"}
            answer: Answer = self.here.recv()
        except (EOFError, OSError):
            return self._ended()
        return answer

    def _used(self) -> int:
        """Bytes that it has now; 0 where the system does not tell."""
        try:
            return _PAGE * int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        except (OSError, IndexError, ValueError):
            return 0

    def _ended(self) -> Answer:
        self.process.join(1.0)
        code = self.process.exitcode or 0
        lines = Path(self.said).read_text(errors="replace").strip().splitlines()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        return {"status": "died", "reason": ": ".join([how, *lines[-1:]])[:300]}

    def _kill(self) -> None:
        """End it and what it started: it leads a group of its own."""
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()  # one that had no time to found its group
        self.process.join()

    def end(self) -> None:
        """End it, whatever it does."""
        self._kill()
        self.here.close()
        Path(self.said).unlink(missing_ok=True)
