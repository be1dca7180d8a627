"""A function that the user names: ``module:function``, or ``file.py:function``.

In: a text. Out: the function.
Guaranteed: nothing is imported but what is named; an error is one line that says what went wrong.
"""

import contextlib
import functools
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from eingrad._shown import cut, shown, type_name
from eingrad.errors import PlanError


def load_function(text: str) -> Callable[..., Any]:
    """Import what a user names.

    Parameters
    ----------
    text : str
        ``"package.module:function"``, looked for from the current folder too, or
        ``"folder/file.py:function"``; a function within a class is ``Class.method``.

    Returns
    -------
    callable

    Raises
    ------
    PlanError
        If the text is none of these, the module cannot be imported, or has no such function.

    Examples
    --------
    >>> load_function("math:hypot")(3, 4)
    5.0
    """
    where, colon, name = text.rpartition(":")
    if not (colon and where and name):
        raise PlanError(
            f"{shown(text)} names no function; write module:function or file.py:function"
        )
    module = _import(where)
    try:
        found = functools.reduce(getattr, name.split("."), module)
    except AttributeError:
        raise PlanError(f"{cut(where)} has no {cut(name)!r}{_others(module)}") from None
    if not callable(found):
        raise PlanError(f"{cut(text)} is of type {type_name(found)}, not a function")
    return found


def _import(where: str) -> ModuleType:
    try:
        with _current_folder_first():
            return _import_file(Path(where)) if where.endswith(".py") else _import_module(where)
    except KeyboardInterrupt:
        raise
    except PlanError:
        raise
    except BaseException as error:  # SystemExit too: importing runs what the user wrote
        said = cut(" ".join(str(error).split()))
        raise PlanError(
            f"{cut(where)} cannot be imported: {type(error).__name__}: {said}"
        ) from error


def _import_module(where: str) -> ModuleType:
    if not all(part.isidentifier() for part in where.split(".")):
        raise PlanError(
            f"{shown(where)} is no module's name, and no file that ends with .py; write "
            "module:function or file.py:function"
        )
    return importlib.import_module(where)


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise PlanError(f"there is no file {cut(str(path))}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def _current_folder_first() -> Iterator[None]:
    sys.path.insert(0, "")
    try:
        yield
    finally:
        if "" in sys.path:
            sys.path.remove("")


def _others(module: ModuleType) -> str:
    """Say which functions there are."""
    names = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
    return f"; it has {cut(', '.join(names))}" if names else ", nor any function"
