"""Where the user's line is: frames of his, of ours, and of the libraries between them.

In: the stack, or the traceback of an exception. Out: ``file:line: the line``, and the libraries
that this line called on the way to us.
Guaranteed: nothing of the user's is called, and nothing is looked up before there is an error.

A frame is the user's if it is not ours, NumPy's, of the standard library, nor installed; a library
that is installed editable, or lies on the path, is the user's.
"""

import functools
import linecache
import os
import sys
import sysconfig
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import numpy as np

from eingrad._shown import cut

_HERE = str(Path(__file__).parent) + os.sep
_OURS = (_HERE, str(Path(np.__file__).parent) + os.sep, "<eingrad", "<__array_function__")
_LIBRARIES = tuple(
    {
        sysconfig.get_paths()[kind] + os.sep
        for kind in ("purelib", "platlib", "stdlib", "platstdlib")
    }
)
_INSTALLED = tuple(f"{os.sep}{name}-packages{os.sep}" for name in ("site", "dist"))
_OUTSIDE = (
    "_bind.py", "_call.py", "_derivative.py", "_directional.py", "_lift.py", "_remark.py",
    "_symbols", "_verbs.py", "verify",
)  # fmt: skip
_VERBS = tuple(
    _HERE + name for name in _OUTSIDE
)  # what the user calls, and what calls his function
_LONGEST_LINE = 100


@functools.cache
def _is_of_ours(file: str) -> bool:
    return file.startswith(_OURS)


@functools.cache
def _is_of_library(file: str) -> bool:
    outside = file.startswith((*_LIBRARIES, "<frozen "))
    return outside or any(part in file for part in _INSTALLED)


def is_library(module: str) -> bool:
    """Whether a module is of an installed library or of Python's own."""
    return _is_of_library(str(getattr(sys.modules.get(module), "__file__", "") or ""))


def is_of_eingrad(frame: FrameType) -> bool:
    """Whether a frame is of this library."""
    return frame.f_code.co_filename.startswith(_HERE)


def is_ours(frame: FrameType) -> bool:
    """Whether a frame is ours, or NumPy's, which we stand behind."""
    return _is_of_ours(frame.f_code.co_filename)


def is_of_the_user(frame: FrameType) -> bool:
    """Whether a frame is the user's."""
    return _is_of_user(frame.f_code.co_filename)


@functools.cache
def _is_of_user(file: str) -> bool:
    return not _is_of_ours(file) and not _is_of_library(file)


@dataclass(frozen=True, slots=True)
class Place:
    """A point of the user's code: his frame, the instruction, and the libraries called from it.

    Where the function that is differentiated is a library's own, the frame is the one that asked
    for its derivative.
    """

    frame: FrameType
    instruction: int  # offset in the code of the frame
    number: int  # of the line
    libraries: tuple[FrameType, ...] = ()  # outermost first
    is_inside: bool = True  # whether the frame is inside of the traced function

    @property
    def columns(self) -> tuple[int, int, int, int] | None:
        """First and last line, first and last byte, of the expression that is evaluated."""
        positions = [*self.frame.f_code.co_positions()]
        first, last, start, end = positions[self.instruction // 2]
        if first is None or last is None or start is None or end is None:
            return None
        return first, last, start, end

    @property
    def text(self) -> str:
        """The source of the expression that is evaluated; "" where it is not known."""
        columns = self.columns
        if columns is None:
            return ""
        first, last, start, end = columns
        lines = [self._line(n).encode() for n in range(first, last + 1)]
        if lines[0][:start].rstrip().endswith(b"."):  # half of a chain of calls over many lines
            return ""
        lines[-1] = lines[-1][:end]
        lines[0] = lines[0][start:]
        return b"".join(lines).decode(errors="replace")

    def _line(self, number: int) -> str:
        return linecache.getline(self.frame.f_code.co_filename, number, self.frame.f_globals)

    def __str__(self) -> str:
        """``file:line: the line``; of a long line, the expression that is evaluated."""
        line = self._line(self.number).strip()
        text = self.text.strip() if len(line) > _LONGEST_LINE else ""
        line = text if text and "\n" not in text else line
        line = cut(line, _LONGEST_LINE)
        return f"{self.frame.f_code.co_filename}:{self.number}" + (f": `{line}`" if line else "")


def place() -> Place:
    """Find the innermost frame of the user's, and the libraries that it called to get here."""
    libraries: list[FrameType] = []
    frame: FrameType | None = sys._getframe()
    inside = True
    outermost = first = None
    while frame is not None and not is_of_the_user(frame):
        if is_ours(frame):
            inside = inside and not frame.f_code.co_filename.startswith(_VERBS)
        else:
            first = first or frame
            if inside:
                libraries.append(frame)
        outermost, frame = frame, frame.f_back
    found = frame or first or outermost
    assert found is not None
    return Place(found, found.f_lasti, found.f_lineno, tuple(libraries[::-1]), inside)


def user_line() -> str:
    """Where in the user's code we are: ``file:line: the line``."""
    return str(place())


def called_from() -> tuple[str, int]:
    """File and line of the user's code that called us."""
    frame = sys._getframe()
    while frame.f_back and not _is_of_user(frame.f_code.co_filename):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def failed_place(error: BaseException) -> Place:
    """Where in the user's code an exception was raised that is on its way up."""
    steps = []
    step = error.__traceback__
    while step is not None:
        steps.append(step)
        step = step.tb_next
    users = [n for n, step in enumerate(steps) if is_of_the_user(step.tb_frame)]
    last = users[-1] if users else -1
    libraries = tuple(s.tb_frame for s in steps[last + 1 :] if not is_ours(s.tb_frame))
    if not users:  # the function is a library's own
        return replace(place(), libraries=libraries)
    found = steps[last]
    return Place(found.tb_frame, found.tb_lasti, found.tb_lineno, libraries)


def failed_line(error: BaseException) -> str:
    """``file:line: the line`` where an exception was raised that is on its way up."""
    return str(failed_place(error))


def is_called_by_masked_array() -> bool:
    """Whether a function of np.ma asks."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_ours(frame):
        if frame.f_globals.get("__name__") == "numpy.ma.core":
            return True
        frame = frame.f_back
    return False


def warn(message: str, category: type[Warning]) -> None:
    """Warn, at the user's line."""
    level, frame = 1, sys._getframe()
    while frame.f_back and not is_of_the_user(frame):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
