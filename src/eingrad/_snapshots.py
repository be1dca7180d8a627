"""What a value is, so that later it can be told whether it still is that.

In: any object. Out: its state as nested tuples, in which what can change is copied; two are equal
only if the objects hold the same: 1, 1.0 and True are three things, and so are 0.0 and -0.0.
Guaranteed: an object that cannot be looked into is refused, not taken to be equal to itself.

Numbers, strings and arrays are compared by value, and so are containers and other objects, by what
pickle would keep of them and by the data in their classes: numbers, texts, arrays and containers of
these alone. A value that a cached property keeps counts where both have it. Functions are compared
by identity and such data, classes and modules by identity: what code is called, or reads from
elsewhere, is not looked at.

>>> values = [1, {2}]
>>> before = snapshot(values)
>>> values[1].add(3)
>>> snapshot(values) == before
False
"""

import functools
import types
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from enum import Enum
from numbers import Number
from typing import Any

import numpy as np

_PLAIN = (
    bool, int, str, bytes, np.str_, np.bytes_, type(None), type(Ellipsis), type(NotImplemented),
)  # fmt: skip
_NAMED = (
    type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType,
    types.MethodDescriptorType, types.WrapperDescriptorType, np.ufunc, np.dtype,
)  # fmt: skip
_CONTAINERS = frozenset({tuple, list, set, frozenset, dict, OrderedDict})
_WRITTEN = frozenset({bool, int, float, complex, str, bytes, type(None)})
_CACHED = functools.cached_property
_OF_PYTHON = 1 << 9  # a flag of classes that were made by a statement, not by C
_DEEPEST = 200  # levels
_DEEPEST_DATA = 8  # levels, in a class: what contains itself is none


def snapshot(value: Any) -> Hashable:
    """Copy the state of a value.

    Raises
    ------
    TypeError
        If it, or something in it, cannot be looked into: a lock, a file, a generator.
    """
    return _Look().state(value)


def is_by_value(state: Hashable) -> bool:
    """Whether a state says no more than type and value: of an integer, a string, None."""
    return type(state) is tuple and state[0] in _PLAIN


def is_by_identity(state: Hashable) -> bool:
    """Whether a state says no more than which object it is: of a class, a module, a function.

    A function that has been given attributes has another state.
    """
    return type(state) is _Same


def held(state: Any) -> Any:
    """The object whose state, by value or by identity, it is."""
    return state.value if type(state) is _Same else state[1]


class _Look:
    """One look at a value and at all that is in it."""

    def __init__(self) -> None:
        self.inside: dict[int, int] = {}  # of what we are in the middle of, how deep it is
        self.known: dict[int, tuple[Any, Hashable]] = {}  # the object too: an id must not go on

    def state(self, value: Any) -> Hashable:
        """Copy the state of one object."""
        kind = type(value)
        if kind in _PLAIN:
            return kind, value
        if isinstance(value, types.FunctionType) and value.__dict__:
            return _Same(value), self._data(value.__dict__)
        if isinstance(value, _NAMED):
            return _Same(value)
        if kind in (float, complex):
            return kind, repr(value)
        if id(value) in self.known:
            return self.known[id(value)][1]
        if id(value) in self.inside:
            return "within itself", self.inside[id(value)]
        if len(self.inside) > _DEEPEST:
            raise TypeError(f"it is nested more than {_DEEPEST} deep")
        self.inside[id(value)] = len(self.inside)
        state = kind, self._of_classes(kind), self._of(kind, value), self._cached(value)
        del self.inside[id(value)]
        self.known[id(value)] = value, state
        return state

    def _of(self, kind: type, value: Any) -> Hashable:
        if kind in (tuple, list):
            return self._each(value)
        if kind is dict:
            return self._each(value), self._each(value.values())
        if kind in (set, frozenset):
            return frozenset(self._each(value))
        if kind is np.ndarray and not value.dtype.hasobject:
            return value.dtype.str, value.shape, value.tobytes()
        return self._each(_parts(value))

    def _cached(self, value: Any) -> "_Cached":
        """What `functools.cached_property` keeps, or was assigned in its place."""
        owned = (v for base in type(value).__mro__ for v in vars(base).values())
        if not any(isinstance(v, _CACHED) for v in owned):
            return _Cached({})
        held: Any = getattr(value, "__dict__", {})  # a partial makes one where it is asked for
        names = _cached_names(value, held)
        return _Cached({name: self.state(held[name]) for name in names})

    def _of_classes(self, kind: type) -> Hashable:
        """Data in the class of an object and in those that it is made of."""
        bases = (base for base in kind.__mro__ if base.__flags__ & _OF_PYTHON)
        return tuple([self._data(vars(base)) for base in bases])

    def _data(self, attributes: Any) -> Hashable:
        """Attributes that are data; not those whose names Python and `enum` keep for themselves."""
        found: list[Hashable] = []
        for name, value in attributes.items():
            kind = type(value)
            if kind is types.FunctionType or (name.startswith("_") and name.endswith("_")):
                continue
            if kind in _WRITTEN:
                found.append((name, kind, repr(value)))
            elif isinstance(value, (Enum, np.ufunc)):
                found.append((name, _Same(value)))
            elif _is_data(value):
                found.append((name, self.state(value)))
        return tuple(found)

    def _each(self, items: Iterable[Any]) -> tuple[Hashable, ...]:
        return tuple([self.state(item) for item in items])


def _parts(value: Any) -> tuple[Any, ...]:
    """What pickle would keep of an object: how to make it, its state, its items."""
    made = value.__reduce_ex__(4)
    if isinstance(made, str):  # the name of a global
        return (_Same(value),)
    make, arguments, state, items, pairs, *rest = (*made, None, None, None, None)[:6]
    return (
        make, arguments, _without_cached(value, state),
        None if items is None else [*items], None if pairs is None else [*pairs], *rest,
    )  # fmt: skip


def _without_cached(value: Any, state: Any) -> Any:
    """Leave out what `functools.cached_property` keeps: it may be there or not."""
    if type(state) is not dict:
        return state
    cached = {*_cached_names(value, state)}
    return {k: v for k, v in state.items() if k not in cached} if cached else state


def _cached_names(value: Any, held: dict[str, Any]) -> list[str]:
    return [k for k in held if isinstance(getattr(type(value), k, None), _CACHED)]


def _is_data(value: Any, depth: int = 0) -> bool:
    """Whether something is made of numbers, texts and arrays alone.

    No more is compared of a class: what else stands there is code, or, as a register of its
    objects may be, no business of this one.
    """
    kind = type(value)
    if kind is np.ndarray:
        return not value.dtype.hasobject
    if kind in _CONTAINERS or (issubclass(kind, tuple) and hasattr(kind, "_fields")):
        items = [*value, *value.values()] if issubclass(kind, dict) else value
        return depth < _DEEPEST_DATA and all(_is_data(item, depth + 1) for item in items)
    return kind in _WRITTEN or isinstance(value, (np.generic, Number, range))


class _Cached:
    """What cached properties keep: equal where no value that both have differs."""

    __slots__ = ("values",)

    def __init__(self, values: dict[str, Hashable]) -> None:
        self.values = values

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Cached):
            return False
        both = self.values.keys() & other.values.keys()
        return all(self.values[name] == other.values[name] for name in both)

    def __hash__(self) -> int:
        return 0  # two that are equal may hold different names


class _Same:
    """An object that is equal to itself alone; pickles as the object does."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Same, (self.value,)
