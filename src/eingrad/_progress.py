"""Say on a terminal what planning does, where it takes long.

In: what is planned, and the phases it goes through. Out: after two seconds a line on the standard
error stream, renewed twice a second and taken away at the end.
Guaranteed: nothing is written where that stream is no terminal, as in a pipe or a notebook; an
error of the stream stops nothing; there is no thread and no timer: the clock is looked at wherever
`tick` stands. After an interrupt at any point the next planning is told of as if nothing had been.

>>> with planning("f"), phase("tracing"):
...     tick()
"""

import contextlib
import sys
import time
from contextvars import ContextVar
from types import FrameType
from typing import Any

SILENT_SECONDS = 2.0  # before the first line
SECONDS_BETWEEN = 0.5  # lines
_WIDTH = 79  # of a line: one that is longer could not be taken away
_NAME = 24  # letters of what is planned


class planning:  # noqa: N801 - a context, as those of `contextlib`
    """Planning of one thing, from its trace on; inside of another it is part of that."""

    def __init__(self, what: str) -> None:
        self._what = what if len(what) <= _NAME else f"{what[: _NAME - 3]}..."
        self._phase = ""
        self._start = self._next = 0.0
        self._written = 0
        self._frame: FrameType | None = None
        self._before: planning | None = None

    def __enter__(self) -> None:
        self._before = _open.get()
        if not _is_terminal(sys.stderr) or (self._before and self._before._is_running()):
            return
        self._frame = sys._getframe(1)
        self._start = time.perf_counter()
        self._next = self._start + SILENT_SECONDS
        _open.set(self)

    def __exit__(self, *_: object) -> None:
        if self._frame is not None:
            self._frame = None
            _open.set(None)
            if self._written:
                self._write("", "\r")

    def _is_running(self) -> bool:
        """Whether who opened it has not returned: an interrupt may have kept it from closing."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame is not self._frame:
            frame = frame.f_back
        return frame is not None

    def enter(self, phase: str) -> str:
        """Begin a phase; give the one before."""
        before, self._phase = self._phase, phase
        return before

    def tick(self) -> None:
        """Look at the clock."""
        now = time.perf_counter()
        if now >= self._next:
            self._next = now + SECONDS_BETWEEN
            doing = f": {self._phase}" if self._phase else ""
            seconds = f"{now - self._start:.0f} s, Ctrl-C stops it"
            self._write(f"eingrad plans {self._what}{doing} ({seconds})"[:_WIDTH])

    def _write(self, line: str, end: str = "") -> None:
        """Write over the line before."""
        with contextlib.suppress(Exception):  # whatever stands for the stream
            sys.stderr.write(f"\r{line:{self._written}}{end}")
            sys.stderr.flush()
        self._written = len(line)


class phase:  # noqa: N801
    """A phase of what is planned; the one it is part of goes on after it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._of: planning | None = None
        self._before = ""

    def __enter__(self) -> None:
        self._of = _open.get()
        if self._of is not None:
            self._before = self._of.enter(self._name)
            self._of.tick()

    def __exit__(self, *_: object) -> None:
        if self._of is not None:
            self._of.enter(self._before)


_open: ContextVar[planning | None] = ContextVar("open", default=None)


def tick() -> None:
    """Say what is done, if it is time to: to be called now and then by whatever may take long."""
    found = _open.get()
    if found is not None:
        found.tick()


def _is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal; it may be missing, closed, or something else."""
    try:
        return bool(stream.isatty())
    except Exception:  # whatever stands for the stream
        return False
