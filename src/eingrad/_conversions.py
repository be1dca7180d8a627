"""Messages for traced values that are asked for numbers: who asked, where, what to write instead.

In: what was asked for, and where. Out: the error to raise.
Guaranteed: called only where an error is raised; a function that is named is the one that the
user's line calls, by its public name.
"""

import ast
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from eingrad._arguments import lists_in
from eingrad._described import described, is_foreign, remedy
from eingrad._executing import (
    UNKNOWN,
    base,
    called,
    expression,
    is_of_numbers,
    is_storing,
    method_of_library,
    operands,
    public_name,
    value_of,
)
from eingrad._joining import in_place_of_array, is_list, with_arrays
from eingrad._place import Place, failed_place
from eingrad._shown import cut
from eingrad._substitutes import ADVICE, SUBSTITUTES
from eingrad._tree import flatten
from eingrad.errors import DTypeError, EingradError, InPlaceError, TraceError, TracerLeakError

ARRAY = "conversion to an array"  # what `__array__` says that it was asked for
FORMAT = "formatting"  # what `__format__` says
INTEGER = "an integer index"  # what `__index__` says

_LISTED = "write it with supported functions, which docs/functions.md lists"
_NUMPY_ALIKE = frozenset({"autograd", "cmath", "cupy", "jax", "math", "mpmath", "sympy", "torch"})
_ELEMENTS = "build the array with np.stack, np.concatenate or np.where"
_KEEP = "keep to NumPy functions of the value itself, and build arrays with np.stack or "
_KEEP += "np.concatenate"
_MOST = 3  # arguments that a message names
_OTHER_MEANING = frozenset({"math.remainder"})  # than NumPy's function of the same name
_MAKE_ARRAYS = frozenset({"np.array", "np.asanyarray", "np.asarray"})
_INDEX = "use np.where(condition, a, b), or multiply by one-hot rows"
_TAKE = frozenset({"np.take", "np.take_along_axis", "np.ndarray.take"})  # by their second argument
_FILLING = frozenset({"np.ndarray.fill", "np.ndarray.put", "np.ndarray.setfield"})
_JOINED_BY_INDEX = ((np.r_, "np.hstack"), (np.c_, "np.column_stack"))
_BUILTINS = {
    "float": "leave float() out, for it is computed with as it is",
    "complex": "leave complex() out, for it is computed with as it is",
    "int": "leave int() out; np.trunc(x) cuts as it does",
    "round": "write np.round(x)",
    "divmod": "write np.floor(x / y), and x - np.floor(x / y) * y",
    "list": _KEEP,
    "range": "go on as often as is ever needed, with np.where(k < n, new, old) in pass k",
}
_BRANCHES = {
    "all": "write np.all(x)",
    "any": "write np.any(x)",
    "max": "write np.max(x), or np.maximum(a, b) of two values",
    "min": "write np.min(x), or np.minimum(a, b) of two values",
    "sorted": "sorting is not supported; np.max(x) and np.min(x) are",
}


def instead(name: str) -> str:
    """Say what to write in place of a function; "" where that is not known.

    A name that is spelt alike is no help: NumPy has the function, so the name is as it was meant.
    """
    expression, _, where = SUBSTITUTES.get(name, "").partition("  # ")
    if not expression:
        advice = (text for known, text in ADVICE.items() if f"{name}.".startswith(f"{known}."))
        return next(advice, "")
    if where.startswith("only "):
        text = f"where you need {where}, write {expression}"
    else:
        text = f"write {expression}" + (f" ({where})" if where else "")
    return f"{text}; docs/functions.md lists what is supported"


def unsupported(name: str, place: Place) -> str:
    """Say that a function is not there, and what to write in its place."""
    return f"{name} has no derivative here (at {place}); {instead(name) or _LISTED}"


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do where a traced value must be known, by what it is for; "" for the usual."""

    index: str = ""
    stored: str = ""  # an element of an array that is assigned
    truth: str = ""
    bound: str = ""  # of a slice
    count: str = ""  # how often, how long, along which axis
    number: str = ""


def branch(advice: Advice, place: Place) -> str:
    """Say that the truth of a traced value was asked for, and by which function."""
    name, _ = called(place)
    held = advice.truth
    if name in _BRANCHES:
        return (
            f"{name}() asked for the truth of a traced value at {place}; it has no numbers yet: "
            f"{held or _BRANCHES[name]}"
        )
    if place.libraries and name:
        return _of_library(name, place, held)
    return (
        f"the truth of a traced value was asked for at {place}; it has no numbers yet: "
        f"{held or 'use np.where(condition, a, b), np.maximum or np.minimum'}"
    )


def conversion(
    how: str,
    advice: Advice,
    place: Place,
    supported: Callable[[Any], bool],
    traced: type,
    ndim: int,
) -> TraceError:
    """Make the error for a traced value of so many axes that cannot be converted."""
    node = expression(place)
    joined = _joined_by_index(node, place)
    if joined and isinstance(node, ast.Subscript):
        return _leak(f"joining by {ast.unparse(node.value)}", place, joined)
    if not place.libraries and isinstance(node, ast.Subscript):
        is_index = isinstance(value_of(node.slice, place.frame), traced)
        if is_storing(place) and (advice.stored or not is_index):
            return InPlaceError(_stored(node, place, advice, is_index=is_index))
        if how == ARRAY:
            return TracerLeakError(
                f"an index of an array is a traced value at {place}; which entry it is must be "
                f"known before the values: {advice.index or _INDEX}"
            )
        is_bound = isinstance(node.slice, (ast.Slice, ast.Tuple)) and how == INTEGER
        return _leak(how, place, (advice.bound if is_bound else advice.index) or _INDEX)
    if how == FORMAT or (isinstance(node, ast.BinOp) and _is_text(node.left)):
        return _leak("formatting", place, "format the result, or write str(x), its formula")
    held = advice.count if how == INTEGER else advice.number
    if how == ARRAY and called(place)[0] in _TAKE:
        held = advice.index or _INDEX
    return _converted_in_call(how, held, place, supported, traced, ndim)


def _joined_by_index(node: ast.AST | None, place: Place) -> str:
    """Say what to write in place of `np.r_` and `np.c_`, which join what is in brackets."""
    owner = value_of(node.value, place.frame) if isinstance(node, ast.Subscript) else UNKNOWN
    join = next((name for kept, name in _JOINED_BY_INDEX if owner is kept), "")
    if not join or not isinstance(node, ast.Subscript):
        return ""
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if any(isinstance(part, ast.Slice) or _is_text(part) for part in parts):
        return _ELEMENTS
    return f"write {join}({cut(ast.unparse(ast.List([*parts], ast.Load())))})"


def _converted_in_call(
    how: str, held: str, place: Place, supported: Callable[[Any], bool], traced: type, ndim: int
) -> TraceError:
    """Make the error for a traced value that a function wants as a number or an array."""
    node = expression(place)
    name, function = called(place)
    foreign = _foreign(node, place, traced)
    if place.libraries and foreign:
        return TracerLeakError(foreign)
    if is_of_numbers(function):
        alike = _counterpart(name, function, supported)
        return TracerLeakError(_of_numbers(name, place, held or alike))
    if place.libraries and name:
        alike = _counterpart(name, function, supported)
        return TracerLeakError(_of_library(name, place, held or alike))
    if name in _FILLING:
        return InPlaceError(
            f"{name} writes a traced value into an array of numbers at {place}; it cannot hold "
            f"one: {held or _ELEMENTS}"
        )
    if how == ARRAY:
        write = held or _arrays(name, node, place, traced, ndim)
        return _leak(f"{ARRAY}{f' by {name}' if name else ''}", place, write)
    return _leak(how, place, held or _BUILTINS.get(name) or instead(name) or _KEEP)


def _leak(how: str, place: Place, remedy: str) -> TracerLeakError:
    return TracerLeakError(f"{how} of a traced value at {place}; it has no numbers yet: {remedy}")


def _stored(node: ast.Subscript, place: Place, advice: Advice, *, is_index: bool) -> str:
    owner = value_of(node.value, place.frame)
    what = "a NumPy array" if owner is UNKNOWN or type(owner) is np.ndarray else described(owner)
    if is_index:
        return f"an element of {what} was assigned at a traced index at {place}; {advice.stored}"
    return (
        f"an element of {what} was assigned a traced value at {place}; an array of numbers cannot "
        f"hold one: {advice.stored or advice.number or _ELEMENTS}"
    )


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))
    )


def _foreign(node: ast.AST | None, place: Place, traced: type) -> str:
    """Tell of an object of another library that the expression acts upon; "" if there is none."""
    for whole in operands(node):
        operand = whole
        value = value_of(operand, place.frame)
        if value is UNKNOWN:
            operand = base(operand)
            value = value_of(operand, place.frame)
        if is_foreign(value) and not isinstance(value, traced):
            name = ast.unparse(operand)
            return (
                f"{name} is {described(value)}, which does not dispatch to traced values (at "
                f"{place}); write {remedy(value, name)}"
            )
    return ""


def _of_numbers(name: str, place: Place, write: str) -> str:
    return f"{name} takes plain numbers, not a traced value (at {place}); " + (
        write or instead(name) or _LISTED
    )


def _of_library(name: str, place: Place, write: str) -> str:
    known = instead(name) or instead(method_of_library(name, place))
    return f"{name} does not dispatch to traced values (at {place}); {write or known or _LISTED}"


def _counterpart(name: str, function: Any, supported: Callable[[Any], bool]) -> str:
    """Say what NumPy calls a function that another library has under the same name."""
    module = str(getattr(function, "__module__", None) or name)
    if module.partition(".")[0] not in _NUMPY_ALIKE:
        return ""
    last = name.rpartition(".")[2]
    if name in SUBSTITUTES:
        return ""
    found = getattr(np, last, None) or getattr(np.linalg, last, None)
    if found is None or name in _OTHER_MEANING:
        return ""
    return f"write {public_name(found)}" if supported(found) else instead(f"np.{last}")


def _arrays(name: str, node: ast.AST | None, place: Place, traced: type, ndim: int) -> str:
    """Say how to do without a function of NumPy that makes arrays of numbers."""
    known = instead(name)
    if known:
        return known
    if "random" in name or "rng" in name:
        return "draw numbers that do not depend on it, and compute with them: m + s * z"
    given = node.args[0] if isinstance(node, ast.Call) and node.args else None
    value = UNKNOWN if given is None else value_of(given, place.frame)
    is_itself = isinstance(value, traced) or (value is UNKNOWN and not is_list(given))
    if name in _MAKE_ARRAYS and isinstance(node, ast.Call) and given is not None and not is_itself:
        return in_place_of_array(node, value, ndim)
    rewritten = with_arrays(node, lambda part: value_of(part, place.frame), ndim)
    if rewritten:
        return rewritten
    return f"leave {name} out, or {_KEEP}" if name and is_itself else _KEEP


# Errors of others that stand for one of ours ------------------------------------------------------


def cause(
    error: Exception,
    arguments: Iterable[tuple[str, Any]],
    traced: type,
    supported: Callable[[Any], bool],
) -> TraceError | DTypeError | None:
    """Find the refusal that an error raised in the traced function stands for, if it does.

    The error says what Python or a library met, not that it was a traced value, or a list.
    """
    place = failed_place(error)
    found = _list_for_array(error, place, arguments, traced)
    if found is not None or isinstance(error, EingradError) or not isinstance(error, TypeError):
        return found
    return _converted_by(error, place, traced, supported)


def _list_for_array(
    error: Exception, place: Place, arguments: Iterable[tuple[str, Any]], traced: type
) -> DTypeError | None:
    """Refuse arguments that are lists of numbers, where the function uses them as arrays."""
    candidates = [
        known
        for name, value in arguments
        for known in lists_in(name, value)
        if any(isinstance(leaf, traced) for leaf in flatten(known[1])[0])
    ]
    if not candidates or not _wants_array(error, place):
        return None
    acted = operands(expression(place))
    used = {id(value_of(o, place.frame)) for o in (*acted, *map(base, acted))}
    seen = [known for known in candidates if used & {*known[2]}]
    is_numpys_own = not place.is_inside and str(error).startswith(ARRAY)  # eg.grad(np.sum)
    if not seen and isinstance(error, EingradError) and not is_numpys_own:
        return None
    text = "" if isinstance(error, EingradError) else f" ({type(error).__name__}: {error})"
    said = "; ".join(
        f"argument {name!r} is a {type(value).__name__}: pass np.array({name})"
        for name, value, _ in (seen or candidates)[:_MOST]
    )
    return DTypeError(
        f"{said}. A list or tuple is a container of traced numbers here, but an array is needed at "
        f"{place}{cut(text)}"
    )


def _wants_array(error: Exception, place: Place) -> bool:
    """Whether an error is one that lists raise where an array would not."""
    if isinstance(error, AttributeError):
        return hasattr(np.ndarray, error.name or "")
    if isinstance(error, TracerLeakError):
        name = called(place)[0] if isinstance(expression(place), ast.Call) else "np."
        return name.startswith("np.") and name not in _MAKE_ARRAYS
    text = str(error)
    return (
        not isinstance(error, EingradError)
        and "unhashable" not in text
        and bool(re.search(r"\b(list|tuple|sequence)\b|only integer scalar arrays", text))
    )


def _converted_by(
    error: TypeError, place: Place, traced: type, supported: Callable[[Any], bool]
) -> TraceError | None:
    """Name the function that a traced value was given to, which knows no more than its class.

    As of ``Decimal(x)``: "conversion from Expression to Decimal is not supported".
    """
    name, function = called(place)
    names_us = traced.__name__ in str(error)
    if not name or not (names_us or is_of_numbers(function)):
        return None
    alike = _counterpart(name, function, supported)
    if is_of_numbers(function) or not place.libraries:
        return TracerLeakError(_of_numbers(name, place, alike))
    return TracerLeakError(_of_library(name, place, alike))
