"""Where the user's line is: frames of his, of ours, and of the libraries between them.

In: the stack, or the traceback of an exception. Out: ``file:line: the line``; names of functions.
Guaranteed: nothing of the user's is called, and nothing is looked up before there is an error.
"""

import linecache
import sys
import sysconfig
import traceback
import warnings
from pathlib import Path
from types import FrameType

import numpy as np

_HERE = str(Path(__file__).parent)
_NUMPY = str(Path(np.__file__).parent)
_INSTALLED = tuple({sysconfig.get_paths()[kind] for kind in ("purelib", "platlib")})
_LONGEST_LINE = 100


def is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith((_HERE, _NUMPY, "<eingrad", "<__array_function__"))


def _user_frames() -> list[FrameType]:
    """From the user's line down into an installed library that he called, if any.

    Where the traced function is itself installed, there is no line of the user's to begin with.
    """
    start = sys._getframe()
    while start.f_back and is_ours(start):
        start = start.f_back
    below = []
    frame: FrameType | None = start
    while frame is not None and not is_ours(frame):
        below.append(frame)
        if not _is_installed(frame):
            break
        frame = frame.f_back
    return below[::-1]


def _is_installed(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_INSTALLED)


def user_line() -> str:
    """Where in the user's code we are: ``file:line: the line``."""
    frame = _user_frames()[0]
    return _shown(frame, frame.f_lineno)


def _shown(frame: FrameType, number: int) -> str:
    name = frame.f_code.co_filename
    line = linecache.getline(name, number, frame.f_globals).strip()
    line = line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + "..."
    return f"{name}:{number}" + (f": `{line}`" if line else "")


def failed_line(error: BaseException) -> str:
    """Where in the user's code an exception was raised that is on its way up."""
    steps = [*traceback.walk_tb(error.__traceback__)]
    ours = [step for step in steps if not is_ours(step[0])] or steps
    return _shown(*ours[-1])


def is_called_by_masked_array() -> bool:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_ours(frame):
        if frame.f_globals.get("__name__") == "numpy.ma.core":
            return True
        frame = frame.f_back
    return False


def warn(message: str, category: type[Warning]) -> None:
    """Warn, at the user's line."""
    level, frame = 1, sys._getframe()
    while frame.f_back and is_ours(frame):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def called_library() -> str:
    """Name the function of another library that the user's line called: ``scipy.linalg.expm``."""
    for frame in filter(_is_installed, _user_frames()):
        parts = str(frame.f_globals.get("__name__", "")).split(".")
        private = [n for n, part in enumerate(parts) if part.startswith("_")]
        module = ".".join(parts[: private[0]] if private else parts)
        if hasattr(sys.modules.get(module), frame.f_code.co_name):
            return f"{module}.{frame.f_code.co_name}"
    return ""
