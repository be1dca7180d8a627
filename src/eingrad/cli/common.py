"""What commands have in common: numbers as arguments, JSON, progress, errors of one line."""

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, TypeVar

from eingrad._shown import cut

T = TypeVar("T")

PATIENCE = 2.0  # seconds before progress is shown


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        self.exit(2, f"{self.prog}: error: {message}\n")


def integer(text: str, least: int, what: str) -> int:
    """Read an argument that is an integer."""
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"{what}, not {cut(text)}")
    return value


def size(text: str) -> int:
    """Read a size."""
    return integer(text, 1, "a size is a positive integer")


def seed(text: str) -> int:
    """Read a seed."""
    return integer(text, 0, "a seed is an integer of at least 0")


def to_json(value: Any) -> str:
    """Write a document; JSON has no infinity and no NaN, so these are null."""
    return json.dumps(_without_infinities(value), indent=2, allow_nan=False)


def _without_infinities(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_infinities(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_infinities(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def stop_printing() -> None:
    """Print into the void: the reader of a pipe, `head` say, has had enough."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Progress:
    """One line on standard error, if that is a terminal, once it takes long."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._is_shown = False

    def tell(self, text: str) -> None:
        """Replace the line."""
        if sys.stderr.isatty() and time.monotonic() - self._start > PATIENCE:
            self._is_shown = True
            sys.stderr.write(f"\r\033[K{cut(text, 78)}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._is_shown:
            self._is_shown = False
            sys.stderr.write("\r\033[K")


def with_progress(items: Sequence[T], what: str) -> Iterator[T]:
    """Give the items, and tell how far it is."""
    progress = Progress()
    for n, item in enumerate(items):
        progress.tell(f"{what}: {n} of {len(items)}")
        yield item
    progress.clear()
