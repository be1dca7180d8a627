"""What NumPy refuses is refused: it is asked, with arrays that stand for the traced values.

In: a call that a handler here has accepted. Out: nothing, or NumPy's refusal as an error of ours.
Guaranteed: NumPy's own answer decides, whatever its version; asking costs little, whatever the
sizes; a call found in the record, or made by a handler of ours, is not asked about again.

A handler reads options in its own way: ``axis=[0]``, ``keepdims="x"`` or a mask that is larger
than the array may mean something to it. That NumPy gives an error for them is not a rule that
could be written down once: it differs from function to function, and between versions.
"""

import functools
import inspect
import math
import threading
import warnings
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

from eingrad import _reuse
from eingrad._locks import fork_safe
from eingrad._place import user_line
from eingrad._shown import cut
from eingrad._tracer import Expression, qualified_name
from eingrad.errors import EingradError, ShapeError, TraceError, UnsupportedFunctionError

Handler = TypeVar("Handler", bound=Callable[..., Any])

_LARGE = 1 << 10  # entries: NumPy is asked with smaller arrays then
_MOST = 1 << 16  # entries of one of these: nothing is asked then (16 axes and more)
_MOST_BY_SIZE = 1 << 22  # entries, a byte each: nothing is asked then
_FROM_INSIDE = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError)
_NOT_NONE = ("where", "prepend", "append")  # None is no default of NumPy's, but one of handlers

# What these accept depends on the numbers that the sizes are; of the others only on which sizes
# are 0, 1, or equal.
_BY_SIZE = frozenset({
    np.array_split, np.block, np.broadcast_to, np.compress, np.delete,
    np.diag, np.diagflat, np.diagonal,
    np.dsplit, np.extract, np.hsplit, np.linalg.diagonal, np.linalg.tensorinv,
    np.linalg.tensorsolve, np.linalg.trace, np.pad, np.ndarray.compress, np.repeat, np.reshape,
    np.resize, np.split, np.take, np.take_along_axis, np.tile, np.trace, np.vsplit,
    *(f for f in (getattr(np, "unstack", None),) if f is not None),  # since NumPy 2.1
})  # fmt: skip
_KEPT = 4  # sizes up to this one stay as they are: a vector of three entries has a cross product
_UNBOUNDED = frozenset({np.einsum})  # may take for ever; and more indices are possible here
_NOT_LINEAR = frozenset({np.linalg.tensorinv, np.linalg.tensorsolve})  # long to ask about

# The filters of warnings are the process's: two threads that changed them at once could leave them
# changed. Another thread's warnings are lost while NumPy is asked, once for each kind of call.
_silence = fork_safe(threading.RLock())

_inside: ContextVar[bool] = ContextVar("inside", default=False)


def checked(function: Any, handler: Handler, name: str = "") -> Handler:
    """Make a handler refuse what NumPy refuses, and name the call in every error."""
    name = name or qualified_name(function)
    leading = _positional_only(function)

    @functools.wraps(handler)
    def call(*args: Any, **kwargs: Any) -> Any:
        if _inside.get():
            return handler(*args, **kwargs)
        try:
            try:
                _inside.set(True)
                result = handler(*args, **kwargs)
            except _FROM_INSIDE as error:
                if isinstance(error, EingradError) or user_line() in str(error):
                    raise
                raise _misread(name, function, args, kwargs, error) from error
            finally:
                _inside.set(False)
        finally:
            _inside.set(False)  # again: an interrupt may have cut the first short
        if kwargs or not all(map(_is_operand, args)):
            args = (*args, *(kwargs.pop(k) for k in leading if k in kwargs))
            _ask(name, function, args, kwargs, result)
        return result

    return call  # type: ignore[return-value]


def _positional_only(function: Any) -> list[str]:
    """Names that a handler has for optional arguments, and NumPy has not: ``np.where(c, x, y)``."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # older NumPy: a C function without one
        return []
    return [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY and p.default is not p.empty]


def _is_operand(value: Any) -> bool:
    """Whether a value is no option: what NumPy refuses about these alone, a handler knows."""
    return isinstance(value, Expression) or (
        isinstance(value, np.ndarray) and value.dtype.kind in "fcb"
    )


def _misread(
    name: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception
) -> Exception:
    """What an error that a handler met, and did not expect, is to the user."""
    answer = _answer(function, args, kwargs, ())
    if isinstance(answer, Exception):
        return _refuse(name, answer)
    return UnsupportedFunctionError(
        f"{name} at {user_line()}: arguments of this kind are not supported on "
        f"traced values ({cut(str(error))}); write them as arrays, integers and tuples of integers"
    )


def _ask(
    name: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
) -> None:
    """Raise what NumPy raises for such a call, in words that name it."""
    for option in _NOT_NONE:
        if kwargs.get(option, option) is None:
            raise TraceError(
                f"{name} at {user_line()}: {option}=None is not the same as no {option} in NumPy; "
                "leave it out"
            )
    answer = _answer(function, args, kwargs, result)
    if isinstance(answer, Exception):
        _reuse.clear()  # what was noted of the call, or within it, was not to be
        raise _refuse(name, answer)
    ours = [*map(len, _shapes(result))]
    if answer is not None and ours != [*map(len, _shapes(answer))]:
        _reuse.clear()
        raise UnsupportedFunctionError(
            f"{name} at {user_line()}: with these arguments NumPy gives a result of other axes, "
            "which is not supported on traced values"
        )


def _answer(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> Any:
    """Call NumPy on arrays that stand for those of the call: its result, its error, or None."""
    if function in _UNBOUNDED:
        return None
    shapes = [*_shapes([args, [*kwargs.values()]])]
    count = sum(map(math.prod, [*shapes, *_shapes(result)]))
    sizes = {n for shape in shapes for n in shape}
    if count <= _LARGE:
        alike = functools.partial(_stand_in, sizes={n: n for n in sizes}, keep=True)
    elif function in _BY_SIZE:
        if count > _MOST_BY_SIZE or function in _NOT_LINEAR:
            return None
        alike = functools.partial(_stand_in, sizes={n: n for n in sizes}, keep=True, dtype=np.int8)
    else:
        small = _smaller(sizes)
        if any(math.prod(small[n] for n in shape) > _MOST for shape in shapes):
            return None
        alike = functools.partial(_stand_in, sizes=small, keep=False)
    try:
        with _silence, warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # they are about values that are none of the user's
            return function(*map(alike, args), **{k: alike(v) for k, v in kwargs.items()})
    except _FROM_INSIDE as error:
        return None if "ingular" in str(error) else error


def _smaller(sizes: set[int]) -> dict[int, int]:
    """Small numbers in the place of sizes: equal where they are equal, the smallest unchanged."""
    kept = range(_KEPT + 1)
    large = sorted(sizes.difference(kept))
    return {n: n for n in kept} | {size: _KEPT + 1 + k for k, size in enumerate(large)}


def _shapes(tree: Any) -> Iterator[tuple[int, ...]]:
    """The shapes of all arrays among some values."""
    if isinstance(tree, (Expression, np.ndarray, np.generic)):
        yield tree.shape
    elif isinstance(tree, (list, tuple)):
        for item in tree:
            yield from _shapes(item)


def _stand_in(value: Any, *, sizes: dict[int, int], keep: bool, dtype: Any = None) -> Any:
    """Something that is to NumPy what a value is, but for its numbers; arrays may be kept."""
    if isinstance(value, Expression):
        if value._weak:
            return 1j if value.dtype.kind == "c" else 1.0
        make = np.ones if dtype is None else np.empty
        return make([sizes[n] for n in value.shape], dtype or value.dtype)
    if isinstance(value, np.ndarray) and not keep:
        return np.ones([sizes[n] for n in value.shape], value.dtype)
    if type(value) in (list, tuple):
        return type(value)(_stand_in(item, sizes=sizes, keep=keep, dtype=dtype) for item in value)
    return value


def _refuse(name: str, error: Exception) -> Exception:
    """NumPy's refusal as an error of ours, of the same builtin class."""
    said = f"{name} at {user_line()}: NumPy refuses such a call: {cut(str(error))}"
    if isinstance(error, np.exceptions.AxisError):
        return np.exceptions.AxisError(said)
    if isinstance(error, LookupError):
        return IndexError(said)
    if isinstance(error, ZeroDivisionError):
        return ZeroDivisionError(said)
    return ShapeError(said) if isinstance(error, ValueError) else TraceError(said)
