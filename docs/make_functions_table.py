"""Write the table of traced functions, `docs/functions.md`, from what the tracer has registered."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import eingrad  # noqa: F401 - registers the functions
from eingrad._substitutes import SUBSTITUTES
from eingrad._tracer import ACCUMULATE, FUNCTIONS, IN_PLACE, METHODS, REDUCE, UFUNCS

HEAD = """\
# NumPy functions

What can be called with a traced value. This page is generated from what the tracer has registered,
by `python docs/refresh.py`, with NumPy {version}.

What NumPy refuses is refused: where options are given, NumPy is asked, once for a call, with small
arrays of as many axes. `python tests/numpy_calls.py` compares each function with each of its
options.

Everything else is refused by name: no function, method or option passes silently. An option that
has NumPy's own default, `out=None` say, counts as not given. `out=` is always refused, for it
writes in place.

"""

OPTIONS = """\

## Functions

*Honoured* options do what they do in NumPy; *refused* ones raise `UnsupportedFunctionError`.

"""

UNIVERSAL = """\
## Ufuncs

Options of a call (`where=`, `dtype=`, `out=`, ...) are refused by name. The method `outer` of each
can be used; `reduce` of {reduce}; `accumulate` of {accumulate}.

{names}
"""

LAST = """\

## Methods and attributes of arrays

{methods}; `T`, `mT`, `real`, `imag`, `shape`, `ndim`, `size`, `dtype`; indexing by integers,
slices, `None`, `...`, and arrays or lists of integers and booleans that are not traced.

## Not supported

Each of these raises an error with its name, which says what to write instead, if that is known.

{missing}
"""

INSTEAD = """\

## What to write instead

`x` and `y` are arrays of any shape, or vectors where they have a length; `A` is a matrix, `b` a
vector. What is applied to `np.eye` is a matrix that is captured: the function is linear.

"""


def dispatching() -> Iterator[tuple[str, Any]]:
    """Public callables of NumPy that an array type of another library can override."""
    seen = set()
    for prefix, module in (("np", np), ("np.linalg", np.linalg), ("np.fft", np.fft)):
        for name in sorted(vars(module)):
            value = getattr(module, name)
            public = not name.startswith("_") and callable(value)
            kind = type(value).__name__
            if public and kind in ("ufunc", "_ArrayFunctionDispatcher") and value not in seen:
                seen.add(value)
                yield f"{prefix}.{name}", value


def options(function: Any) -> tuple[list[str], list[str]]:
    """Name the options that are honoured, and those that are not."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    own = inspect.signature(FUNCTIONS[function]).parameters
    given = [
        p.name
        for p in inspect.signature(function).parameters.values()
        if p.default is not p.empty and p.kind not in kinds
    ]
    return [n for n in given if n in own], [n for n in given if n not in own]


def _names(values: Any) -> str:
    return ", ".join(f"`{name}`" for name in values)


def page() -> str:
    """Return the whole page."""
    known = dict(dispatching())
    ufuncs = [n for n, f in known.items() if f in UFUNCS]
    functions = {n: f for n, f in known.items() if f in FUNCTIONS}
    missing = [n for n, f in known.items() if f not in UFUNCS and f not in FUNCTIONS]
    rows = [("function", "honoured", "refused")]
    rows += [(f"`{n}`", *map(_names, options(f))) for n, f in functions.items()]
    instead = [("function", "write", "where, or what it is")]
    for name, text in SUBSTITUTES.items():
        expression, _, where = text.partition("  # ")
        instead.append((f"`{name}`", f"`{expression}`", where))
    universal = UNIVERSAL.format(
        reduce=_names(f"np.{f.__name__}" for f in REDUCE),
        accumulate=_names(f"np.{f.__name__}" for f in ACCUMULATE),
        names=_names(ufuncs),
    )
    in_place = [n for n in missing if known[n] in IN_PLACE]
    absent = [n for n in missing if n not in in_place]
    last = LAST.format(
        methods=_names(sorted(METHODS)),
        missing=f"{_names(absent)}. In place: {_names(in_place)}.",
    )
    head = HEAD.format(version=np.__version__.rpartition(".")[0])
    supported = _filled(head + universal) + OPTIONS + _table(rows)
    return supported + _filled(last) + INSTEAD + _table(instead)


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines) + "\n"


def _filled(text: str) -> str:
    """Break long lines."""
    lines = []
    for line in text.split("\n"):
        rest = line
        while len(rest) > 100:  # noqa: PLR2004 - the width of every file
            cut = rest.rindex(" ", 0, 100)
            lines.append(rest[:cut])
            rest = rest[cut + 1 :]
        lines.append(rest)
    return "\n".join(lines)


if __name__ == "__main__":
    (Path(__file__).parent / "functions.md").write_text(page(), "utf-8")
