"""Tracebacks end where the user can read: at his last line.

In: an exception on its way out of a verb. Out: the same, without frames of ours and of NumPy's, and
without those of libraries below his last line.
Guaranteed: only errors that are raised on purpose; one that nobody meant keeps all its frames. With
``EINGRAD_TRACEBACK=full`` in the environment all of them are kept.
"""

import dis
import functools
import os
from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, TypeVar

from eingrad._place import is_of_eingrad, is_of_the_user, is_ours
from eingrad.errors import EingradError

Given = ParamSpec("Given")
Result = TypeVar("Result")

_RAISE = dis.opmap["RAISE_VARARGS"]
_MEANT = "is_meant_by_eingrad"  # an attribute of an error that was shortened, with no frames left


def shorten(error: BaseException) -> None:
    """Leave the user's frames of an exception that is raised again, by a ``raise`` alone, after.

    That adds no frame either, so none of ours is left.
    """
    steps = _steps(error.__traceback__)
    if (
        not steps
        or not _is_meant(error, steps[-1])
        or os.environ.get("EINGRAD_TRACEBACK") == "full"
    ):
        return
    error.__dict__[_MEANT] = True
    while steps and not is_of_the_user(steps[-1].tb_frame):
        steps.pop()
    shown: TracebackType | None = None
    for step in reversed(steps):
        if not is_ours(step.tb_frame):
            shown = TracebackType(shown, step.tb_frame, step.tb_lasti, step.tb_lineno)
    error.__traceback__ = shown


def ends_at_the_user(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """Make a function one whose errors end at the user's line."""

    @functools.wraps(function)
    def called(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            shorten(error)
            raise

    return called


def _steps(traceback: TracebackType | None) -> list[TracebackType]:
    steps = []
    while traceback is not None:
        steps.append(traceback)
        traceback = traceback.tb_next
    return steps


def _is_meant(error: BaseException, last: TracebackType) -> bool:
    """Whether it is one of our errors, or of Python's raised by a statement of ours."""
    if isinstance(error, EingradError) or _MEANT in error.__dict__:
        return True
    code = last.tb_frame.f_code.co_code
    is_raised = is_of_eingrad(last.tb_frame) and code[last.tb_lasti] == _RAISE
    return is_raised and isinstance(error, Exception) and not isinstance(error, AssertionError)
