"""What arrays are called in the function that uses them: `B`, `self.W`, `params['W']`.

In: the user's function, and arrays that it was seen to use. Out: for each the name that leads to it
in the scope of the function or of one that it calls; None for an array without one, such as the
value of ``np.eye(3)``.
Guaranteed: nothing is called or computed; names are for people, and nothing depends on them.

>>> B = np.eye(2)
>>> names_of(lambda x: x @ B @ x, [B, B[0], np.eye(2)])
['B', 'part of B', None]
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np

_MOST_FUNCTIONS = 100  # that are looked through
_MOST_ITEMS = 100  # of a list or dict
_DEEPEST = 3  # levels of lists and dicts
_CALLABLES = (FunctionType, MethodType, functools.partial)
_LONGEST = 60  # letters of a name


def names_of(f: Callable[..., Any], arrays: Sequence[Any]) -> list[str | None]:
    """Name arrays as the function does; the first name that is found."""
    known: dict[int, str] = {}
    for name, value in seen_by(f, np.ndarray):
        if len(name) <= _LONGEST:
            known.setdefault(id(value), name)
    return [_name(array, known) for array in arrays]


def _name(array: Any, known: Mapping[int, str]) -> str | None:
    """The name of an array, or that of the one whose memory it looks at."""
    part, owner = "", array
    while isinstance(owner, np.ndarray):
        if id(owner) in known:
            return part + known[id(owner)]
        part, owner = "part of ", owner.base
    return None


def seen_by(f: Any, kinds: type | tuple[type, ...]) -> Iterator[tuple[str, Any]]:
    """Give the objects of some kinds that a function, or one it calls, can reach by a name."""
    waiting, done = [f], set[int]()
    while waiting and len(done) < _MOST_FUNCTIONS:
        function = waiting.pop(0)
        if id(function) in done:
            continue
        done.add(id(function))
        scope, attributes, inner = _scope(function)
        waiting += inner
        for name, value in scope.items():
            held = _held(value)
            pairs = [(name, value), *((f"{name}.{a}", held[a]) for a in attributes if a in held)]
            for place, item in _with_items(pairs):
                if isinstance(item, kinds):
                    yield place, item
                elif isinstance(item, _CALLABLES) or _find_method(item) or _unwrap(item):
                    waiting.append(item)


def _with_items(pairs: Iterable[tuple[str, Any]], depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Give values, and in the place of lists, tuples and dicts what is in them."""
    for name, value in pairs:
        if depth < _DEEPEST and isinstance(value, (dict, list, tuple)):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            first = itertools.islice(items, _MOST_ITEMS)
            named = [(f"{name}[{k!r}]", item) for k, item in first if type(k) in (str, int)]
            yield from _with_items(named, depth + 1)
        else:
            yield name, value


def _scope(f: Any) -> tuple[dict[str, Any], set[str], list[Any]]:
    """The names that a callable sees, the attributes that it uses, the callables that it wraps."""
    if isinstance(f, functools.partial):
        names = _parameters(f.func)
        return {**dict(zip(names, f.args, strict=False)), **f.keywords}, set(), [f.func]
    if isinstance(f, MethodType):
        scope, attributes, inner = _scope(f.__func__)
        names = _parameters(f.__func__)
        return {**scope, **({names[0]: f.__self__} if names else {})}, attributes, inner
    if not isinstance(f, FunctionType):
        return {}, set(), [*_unwrap(f), *_find_method(f)]
    codes = [*_codes(f.__code__)]
    used = {name for code in codes for name in code.co_names}
    scope = {name: f.__globals__[name] for name in sorted(used) if name in f.__globals__}
    names = _parameters(f)
    defaults = f.__defaults__ or ()
    scope |= dict(zip(names[len(names) - len(defaults) :], defaults, strict=False))
    scope |= f.__kwdefaults__ or {}
    for name, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
        try:
            scope[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return scope, used, _unwrap(f)


def _unwrap(f: Any) -> list[Any]:
    """What a decorator, or a derivative, was made of."""
    held = _held(f)
    return [held["__wrapped__"]] if "__wrapped__" in held else []


def _held(value: Any) -> Mapping[str, Any]:
    """The attributes of an object that are there without any code of its class."""
    try:
        held: Mapping[str, Any] = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return held


def _find_method(f: Any) -> list[Any]:
    """The method that runs when an object of the user's is called."""
    call = type(f).__dict__.get("__call__")
    return [MethodType(call, f)] if isinstance(call, FunctionType) else []


def _parameters(f: Any) -> list[str]:
    """Names of the positional parameters."""
    code = getattr(f, "__code__", None)
    return list(code.co_varnames[: code.co_argcount]) if isinstance(code, CodeType) else []


def _codes(code: CodeType) -> Iterator[CodeType]:
    """The code of a function, and of those defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
