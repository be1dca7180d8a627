"""Read plain data, as JSON gives it, into data classes: strictly, by their annotations.

In: dictionaries, lists, numbers, text. Out: objects of a data class.
Guaranteed: every field is there, none is unknown, each is of its type; else an error
with the place.

>>> from dataclasses import dataclass
>>> @dataclass
... class Pair:
...     a: int
...     b: tuple[str, ...]
>>> read_typed({"a": 1, "b": ["x"]}, Pair, "it")
Pair(a=1, b=('x',))
"""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eingrad._shown import shown

MOST_BYTES = 64 << 20  # of a file


def read_typed(value: Any, kind: Any, where: str, skip: Sequence[str] = ()) -> Any:
    """Check a value against a type, and build it; fields to `skip` keep their defaults.

    Raises
    ------
    ValueError
        If it is of another type: the message begins with `where`.
    """
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _read_class(value, kind, where, skip)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None
        (kind,) = [argument for argument in arguments if argument is not type(None)]
        return read_typed(value, kind, where)
    if origin is tuple:
        if type(value) is not list:
            raise _unfit(value, "a list", where)
        return tuple([read_typed(x, arguments[0], f"{where}[{n}]") for n, x in enumerate(value)])
    if origin is Mapping:
        if type(value) is not dict:
            raise _unfit(value, "an object", where)
        return {key: read_typed(x, arguments[1], f"{where}.{key}") for key, x in value.items()}
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise _unfit(value, _WORDS[kind], where)
    if (
        kind is not str
        and kind is not bool
        and (value < 0 or (kind is float and not math.isfinite(value)))
    ):
        raise ValueError(f"{where} is {shown(value)}; it must be a number of at least 0")
    return value


_WORDS = {int: "an integer", float: "a number", str: "text", bool: "true or false"}


def _read_class(value: Any, kind: Any, where: str, skip: Sequence[str]) -> Any:
    if type(value) is not dict:
        raise _unfit(value, "an object", where)
    hints = typing.get_type_hints(kind)
    wanted = [field.name for field in dataclasses.fields(kind) if field.name not in skip]
    unknown = sorted({*value}.difference(wanted))
    missing = [name for name in wanted if name not in value]
    if unknown:
        raise ValueError(f"{where} has a field {shown(unknown[0])} that is unknown here")
    if missing:
        raise ValueError(f"{where} has no field {missing[0]!r}")
    return kind(
        **{name: read_typed(value[name], hints[name], f"{where}.{name}") for name in wanted}
    )


def _unfit(value: Any, word: str, where: str) -> ValueError:
    return ValueError(f"{where} is {shown(value)}; it must be {word}")


def read_json(path: Path) -> Any:
    """Read a file of strict JSON: no key twice, no NaN, at most 64 MiB.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is no such file.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(f"{path} has {size:,} bytes; at most {MOST_BYTES:,} are read")
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text in UTF-8") from None
    return parse_json(text, str(path))


def parse_json(text: str, where: str) -> Any:
    """Read a text of strict JSON; messages begin with `where`.

    Raises
    ------
    ValueError
        If it is none.
    """
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where} is no JSON: {error}") from None
    except RecursionError:
        raise ValueError(f"{where} is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {shown(key)} occurs twice in one object")
        found[key] = value
    return found


def _no_constant(word: str) -> Any:
    raise ValueError(f"it has {word}, which JSON has not")
