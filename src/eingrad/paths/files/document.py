"""JSON documents that are not trusted: read with limits, asked for one value after the other.

In: a file. Out: its text, or a `Found`: a value that knows where it stands.
Guaranteed: whatever the file holds, the only error is a `FileError` that names file and place; data
is all that is read; no key stands twice; a number is finite, and no boolean.

>>> document = parse('{"sizes": {"i": -2}}', "net.json")
>>> document.fields("sizes")["sizes"].entries()[0][1].integer()
Traceback (most recent call last):
eingrad.errors.FileError: net.json: sizes.i: -2 is out of range; write an integer from 0 to 2**40
"""

import json
import math
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from eingrad._shown import cut, shown
from eingrad.errors import FileError

MOST_BYTES = 1 << 26  # of a file
MOST_DEPTH = 500  # of brackets; Python's own reader ends at about a thousand
MOST_DIGITS = 400  # of an integer; a flop count of a network of a thousand indices has fewer
MOST_LETTERS = 1 << 20  # of a name or a text: subscripts of a large network
MOST_SIZE = 1 << 40  # of an index
MOST_ITEMS = 1_000_000  # of a list: operands, indices, steps
MOST_NESTED = 20  # of what is kept as it is


def shown_file(path: str | os.PathLike[str]) -> str:
    """Name a file in a message."""
    name = str(path)
    return cut(name) if name.isprintable() else shown(name)


# Reading -----------------------------------------------------------------------------------------


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Read a file, but for one that is too long."""
    file = shown_file(path)
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # a name with a null character
        raise FileError(f"{file}: cannot be read: {reason(error)}") from None
    if len(data) > MOST_BYTES:
        raise FileError(f"{file}: has more than {MOST_BYTES:,} bytes; no network here is so large")
    return data


def read_text(path: str | os.PathLike[str]) -> str:
    """Read a file of text, in UTF-8; a pickle is refused by name."""
    file, data = shown_file(path), read_bytes(path)
    if data[:1] == b"\x80":
        raise FileError(
            f"{file}: is a pickle, which runs code when it is read, so it is refused; write what "
            "it holds as JSON: subscripts and shapes, say"
        )
    if data[:6] == b"\x93NUMPY":
        raise FileError(
            f"{file}: is an array, no network; give subscripts with it (problem_of_arrays)"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(
            f"{file}: is no text in UTF-8: byte {error.start} is {data[error.start]:#04x}"
        ) from None


def reason(error: Exception) -> str:
    """Say why a file cannot be opened, without its name."""
    return (error.strerror if isinstance(error, OSError) else None) or cut(str(error))


def parse(text: str, file: str) -> "Found":
    """Parse JSON, strictly."""
    depth, place = _depth(text)
    if depth > MOST_DEPTH:
        raise FileError(
            f"{file}: brackets are nested more than {MOST_DEPTH} deep in line "
            f"{text.count(chr(10), 0, place) + 1}"
        )
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer
        )
    except json.JSONDecodeError as error:
        raise FileError(
            f"{file}: is not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        ) from None
    except _Refused as error:
        raise FileError(f"{file}: {error}") from None
    except RecursionError:
        raise FileError(f"{file}: brackets are nested too deep to be read from here") from None
    return Found(value, file)


class _Refused(Exception):  # noqa: N818 - it becomes an error, with the name of the file
    """Something that JSON may hold, and no document here."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, times in Counter(k for k, _ in pairs).items() if times > 1)
        raise _Refused(f"the key {shown(twice)} stands twice in one object; remove one")
    return found


def _constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is no number that JSON has; write a finite one")


def _integer(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise _Refused(f"the integer {text[:20]}... has {len(text)} digits, at most {MOST_DIGITS}")
    return int(text)


_TOKENS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)  # texts, and brackets


def _depth(text: str) -> tuple[int, int]:
    """Find how deep brackets are nested, and where they first are too deep."""
    depth = deepest = 0
    for token in _TOKENS.finditer(text):
        c = token[0]
        if c in ("[", "{"):
            depth += 1
            deepest = max(deepest, depth)
            if deepest > MOST_DEPTH:
                return deepest, token.start()
        elif c in ("]", "}"):
            depth -= 1
    return deepest, 0


# Asking ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """A value of a document, and where it stands."""

    value: Any
    file: str
    parent: "Found | None" = None
    key: str | int = ""

    @property
    def place(self) -> str:
        """The way from the top, as in ``outputs[0].terms[2]``; "" at the top itself."""
        way, here = [], self
        while here.parent is not None:
            way.append(here.key)
            here = here.parent
        place = ""
        for key in reversed(way):
            if isinstance(key, int):
                place += f"[{key}]"
            else:
                name = cut(key if key.isprintable() and key else shown(key))
                place += f".{name}" if place else name
        return place

    def fail(self, what: str) -> NoReturn:
        """Raise the error that something is wrong here."""
        place = self.place
        raise FileError(f"{self.file}: {place}: {what}" if place else f"{self.file}: {what}")

    def fields(self, *required: str, optional: Sequence[str] | None = ()) -> "dict[str, Found]":
        """Give the fields of an object; with `optional` None, others are let be."""
        found = dict(self._entries())
        for name in required:
            if name not in found:
                self.fail(f"the field {name!r} is missing")
        if optional is not None:
            for name in found:
                if name not in required and name not in optional:
                    known = ", ".join((*required, *optional))
                    self.fail(f"there is no field {shown(name)}; there are {known}")
        return {name: Found(value, self.file, self, name) for name, value in found.items()}

    def entries(self) -> "list[tuple[str, Found]]":
        """Give the entries of an object whose keys are names."""
        return [(name, Found(value, self.file, self, name)) for name, value in self._entries()]

    def _entries(self) -> list[tuple[str, Any]]:
        if type(self.value) is not dict:
            self.fail(f"{shown(self.value)} is no object; write {{...}}")
        wrong = [key for key in self.value if type(key) is not str]
        if wrong:
            self.fail(f"the key {shown(wrong[0])} is no text")
        return [*self.value.items()]

    def items(self, what: str = "items", most: int = MOST_ITEMS) -> "list[Found]":
        """Give the items of a list."""
        if type(self.value) not in (list, tuple):
            self.fail(f"{shown(self.value)} is no list of {what}; write [...]")
        if len(self.value) > most:
            self.fail(f"there are {len(self.value):,} {what}, more than {most:,}")
        return [Found(value, self.file, self, n) for n, value in enumerate(self.value)]

    def integer(self, least: int = 0, most: int | None = MOST_SIZE) -> int:
        """Give an integer; true and false are none."""
        above = "2**40" if most == MOST_SIZE else most
        allowed = f"of at least {least}" if most is None else f"from {least} to {above}"
        value = self.value
        if type(value) is not int:
            self.fail(f"{shown(value)} is no integer; write one {allowed}")
        if value < least or (most is not None and value > most):
            self.fail(f"{shown(value)} is out of range; write an integer {allowed}")
        if most is None:
            self._check_digits(value)
        return int(value)

    def _check_digits(self, value: int) -> None:
        if abs(value) >= 10 ** (MOST_DIGITS - 1):  # what is written is what can be read
            self.fail(f"an integer has at most {MOST_DIGITS - 1} digits here")

    def integers(self, what: str, most: int = MOST_SIZE) -> tuple[int, ...]:
        """Give a list of integers, none of them negative."""
        return tuple([item.integer(0, most) for item in self.items(what)])

    def number(self) -> float:
        """Give a finite number."""
        if type(self.value) not in (int, float):
            self.fail(f"{shown(self.value)} is no number")
        try:
            value = float(self.value)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            self.fail(f"{shown(self.value)} is not finite, or too large for a float")
        return value

    def text(self, most: int = MOST_LETTERS) -> str:
        """Give a text of one line, which may be empty."""
        value = self.value
        if type(value) is not str:
            self.fail(f"{shown(value)} is no text; write it in quotes")
        if len(value) > most:
            self.fail(f"a text has {len(value):,} letters, more than {most:,}")
        check_name(self, value)
        return str(value)

    def choice(self, *allowed: str) -> str:
        """Give one of some words."""
        if type(self.value) is not str or self.value not in allowed:
            self.fail(f"{shown(self.value)} is none of {', '.join(map(repr, allowed))}")
        return str(self.value)

    def kept(self, depth: int = 0) -> Any:
        """Give any value as it is; a list becomes a tuple."""
        if depth > MOST_NESTED:
            self.fail(f"brackets are nested more than {MOST_NESTED} deep")
        match self.value:
            case list() | tuple():
                return tuple([item.kept(depth + 1) for item in self.items()])
            case dict():
                return {key: item.kept(depth + 1) for key, item in self.entries()}
            case bool() | None:
                return self.value
            case str():
                return self.text()
            case int():
                self._check_digits(self.value)
                return self.value
            case _:
                return self.number()


def check_name(place: Found, name: str) -> None:
    """Refuse what a terminal would not print, a command to it say."""
    if not name.isprintable():
        place.fail(f"{shown(name)} has letters that cannot be printed; leave them out")
