"""JSON documents as they are written: lines that are not long, numbers that fill them.

In: dicts, lists, texts and numbers. Out: a file.
Guaranteed: the same document gives the same text, and a change of one entry changes few lines.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eingrad.errors import FileError
from eingrad.paths.files.document import reason, shown_file

_WIDTH = 96


def plain(value: Any) -> Any:
    """Replace what JSON does not know by what it knows: tuples, NumPy's numbers."""
    match value:
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case np.generic():
            return value.item()
    return value


def write_document(value: Any, path: str | os.PathLike[str]) -> None:
    """Write what `plain` gives, in lines that are not long."""
    text = _laid_out(value, 0) + "\n"
    try:
        Path(path).write_text(text, "utf-8")
    except (OSError, ValueError) as error:
        raise FileError(f"{shown_file(path)}: cannot be written: {reason(error)}") from None


def _laid_out(value: Any, margin: int) -> str:
    """Write in one line what fits into it; numbers fill lines, all else has one for each item."""
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if margin + len(line) <= _WIDTH or not isinstance(value, (dict, list)):
        return line
    start, end = "\n" + " " * (margin + 1), "\n" + " " * margin
    if isinstance(value, dict):
        entries = []
        for key, item in value.items():
            head = json.dumps(key, ensure_ascii=False) + ": "
            entries.append(head + _laid_out(item, margin + 1))
        return "{" + start + ("," + start).join(entries) + end + "}"
    if all(isinstance(item, (int, float)) for item in value):
        return "[" + start + start.join(_filled(line[1:-1].split(", "), margin)) + end + "]"
    return "[" + start + ("," + start).join(_laid_out(x, margin + 1) for x in value) + end + "]"


def _filled(words: Sequence[str], margin: int) -> list[str]:
    lines = [""]
    for n, word in enumerate(words):
        piece = word + ("," if n < len(words) - 1 else "")
        if lines[-1] and margin + len(lines[-1]) + len(piece) + 2 > _WIDTH:
            lines.append(piece)
        else:
            lines[-1] += (" " if lines[-1] else "") + piece
    return lines
