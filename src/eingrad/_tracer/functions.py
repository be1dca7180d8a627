"""Calls of NumPy's functions that are no ufuncs (NEP 18), and of methods of arrays.

In: a function, its arguments. Out: what the handler gives, or gave before.
Guaranteed: an option that changes the result, and that the handler does not have, is refused by
name; so is a function that writes in place, or that is not known.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np

from eingrad._conversions import unsupported
from eingrad._executing import called
from eingrad._place import place, user_line
from eingrad._tracer.enter import capture_operands, has_operands
from eingrad._tracer.lookup import find_or_perform
from eingrad._tracer.registry import ARRAYS, CONTRACTIONS, IN_PLACE, OPERANDS, VIEWS, qualified_name
from eingrad._tracer.value import is_array, mark_array
from eingrad.errors import InPlaceError, UnsupportedFunctionError


def record_function(
    name: str,
    function: Any,
    handler: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Any:
    """Record a call of a function, by its handler, where it was not called like this before."""
    if function in OPERANDS and has_operands(args):
        args = capture_operands(args, are_factors=function in CONTRACTIONS)
    return find_or_perform(
        function, args, kwargs, lambda: _handle(name, function, handler, args, kwargs)
    )


def _handle(
    name: str,
    function: Any,
    handler: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Any:
    """Call a handler; an option that it does not have is one that is not supported."""
    required, options = _by_position_and_name(function, handler, args, kwargs)
    if options.get("out") is not None:
        raise InPlaceError(f"{name}(out=...) writes in place at {user_line()}; use its result")
    parameters = _parameters(handler) or ()
    known = {p.name for p in parameters if p.kind is not p.VAR_KEYWORD}
    for keyword in options:
        if keyword not in known and len(known) == len(parameters):
            honoured = ", ".join(p.name for p in parameters if p.default is not p.empty)
            raise UnsupportedFunctionError(
                f"{name}: keyword argument {keyword!r} is not supported on traced values "
                f"(at {user_line()}); leave it out (supported: {honoured or 'none'})"
            )
    of_array = function in VIEWS and is_array(args[0])
    return mark_array(handler(*required, **options), is_array=of_array or function in ARRAYS)


def _by_position_and_name(
    function: Any, handler: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Required arguments by position, others by NumPy's name for them, its defaults left out."""
    parameters = _parameters(function) or _parameters(handler) or ()
    default = {p.name: p.default for p in parameters}
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        values = dict(kwargs)
    else:
        positional = [p.name for p in parameters if p.kind in (0, 1)]
        if len(args) > len(positional):
            raise TypeError(
                f"at most {len(positional)} positional arguments are possible, not {len(args)} "
                f"(at {user_line()})"
            )
        values = {**dict(zip(positional, args, strict=False)), **kwargs}
        required = [n for n in positional if n in values and default[n] is inspect.Parameter.empty]
        args = tuple(values.pop(n) for n in required)
    empty = inspect.Parameter.empty
    return args, {k: v for k, v in values.items() if not is_default(v, default.get(k, empty))}


@functools.cache
def _parameters(function: Any) -> tuple[inspect.Parameter, ...] | None:
    try:
        return tuple(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # older NumPy: a C function without one
        return None


def is_default(value: Any, default: Any) -> bool:
    """Whether an argument is NumPy's own default, so that it need not be known."""
    return value is default or (
        type(value) is type(default) and isinstance(value, (bool, int, float, str))
        and value == default
    )  # fmt: skip


def refuse_function(function: Any) -> NoReturn:
    """Say that a function has no handler, or that it writes in place."""
    if function is np.copyto:
        raise InPlaceError(writes_in_place(called(place())[0] or "np.copyto"))
    name = qualified_name(function)
    if function in IN_PLACE:
        raise InPlaceError(writes_in_place(name))
    raise UnsupportedFunctionError(unsupported(name, place()))


def writes_in_place(name: str) -> str:
    """Say that a function writes in place, and what to write instead."""
    return (
        f"{name} writes in place at {user_line()}; a traced value cannot be written, nor put into "
        "an array: build the array with np.stack, np.concatenate or np.where"
    )
