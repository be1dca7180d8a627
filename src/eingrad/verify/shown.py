"""Print arrays for a reader: whole where they are small, else what matters of them, in few lines.

In: arrays of any size. Out: lines of text.
Guaranteed: a large array takes one line, two large ones that are compared take seven.

>>> print(short(np.eye(2)))
[[1. 0.]
     [0. 1.]]
>>> print(short(np.eye(10)[0]))
shape (10,), zero but for [0] = 1
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_MOST_ENTRIES = 9  # of an array that is printed whole
_MOST_ROWS = 3
_SOME = 4  # entries of one that is not
_WORST = 5  # entries that differ
_DIGITS = 6


def short(value: Any) -> str:
    """Print an array, a large one by its shape and a few entries; further lines are indented."""
    array = np.asarray(value)
    return _whole(array) if _is_small(array) else _described(array)


def _is_small(array: Array) -> bool:
    rows = array.size // array.shape[-1] if array.size and array.ndim else 1
    return array.size <= _MOST_ENTRIES and rows <= _MOST_ROWS and array.ndim <= 2  # noqa: PLR2004


def _whole(array: Array) -> str:
    return np.array2string(array, precision=_DIGITS).replace("\n", "\n    ")


def _described(array: Array) -> str:
    """Name the first entries that are not zero."""
    flat, shape = array.ravel(), f"shape {array.shape}"
    if not array.size:
        return f"{shape}, no entries"
    if np.all(flat == flat[0]):
        return f"{shape}, all entries {_number(flat[0])}"
    places = np.flatnonzero(flat)
    entries = ", ".join(f"{_index(array, n)} = {_number(flat[n])}" for n in places[:_SOME])
    if len(places) <= _SOME:
        return f"{shape}, zero but for {entries}"
    return f"{shape}, {len(places)} entries not zero: {entries}, ..."


def _number(value: Any) -> str:
    return f"{value:.{_DIGITS}g}"


def _index(array: Array, place: Any) -> str:
    return str([int(n) for n in np.unravel_index(place, array.shape)])


def two_sides(left: Array, right: Array) -> list[str]:
    """Print both where they are small, else the entries that differ most, and how many differ."""
    if _is_small(left):
        return [f"  left side  {short(left)}", f"  right side {short(right)}"]
    with np.errstate(all="ignore"):
        difference = np.abs(left - right).ravel()
        sizes = np.maximum(np.abs(left), np.abs(right)).ravel()
    precision = float(np.finfo(difference.dtype).eps)
    count = np.count_nonzero(difference > np.sqrt(precision) * np.max(sizes))
    worst = np.argsort(-difference, kind="stable")[: min(_WORST, max(count, 1))]
    rows = [("entry", "left side", "right side", "difference")]
    rows += [
        (
            _index(left, n), _number(left.ravel()[n]), _number(right.ravel()[n]),
            _number((left - right).ravel()[n]),
        )
        for n in worst
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    most = "; those that differ most:" if count > _WORST else ":"
    lines = [f"  of {left.size} entries, of shape {left.shape}, {count} differ{most}"]
    cells = [[cell.rjust(n) for cell, n in zip(row, widths, strict=True)] for row in rows]
    return [*lines, *("    " + "  ".join(row) for row in cells)]
