"""What a value is, so that later it can be told whether it still is that.

In: any object. Out: its state as nested tuples, in which all that can change is copied; two are
equal only if the objects behave alike: 1, 1.0 and True are three things, and so are 0.0 and -0.0.
Guaranteed: an object that cannot be looked into is refused, not taken to be equal to itself.

Numbers, strings and arrays are compared by value, and so are containers and other objects, by what
pickle would keep of them. Functions, classes and modules are compared by identity.

>>> values = [1, {2}]
>>> before = snapshot(values)
>>> values[1].add(3)
>>> snapshot(values) == before
False
"""

import functools
import types
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

_PLAIN = (bool, int, str, bytes, type(None), type(Ellipsis), type(NotImplemented))
_NAMED = (
    type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType,
    types.MethodDescriptorType, types.WrapperDescriptorType, np.ufunc, np.dtype,
)  # fmt: skip
_DEEPEST = 200  # levels


def snapshot(value: Any) -> Hashable:
    """Copy the state of a value.

    Raises
    ------
    TypeError
        If it, or something in it, cannot be looked into: a lock, a file, a generator.
    """
    return _Look().state(value)


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
        state = kind, self._of(kind, value)
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
    """Leave out what `functools.cached_property` keeps: it comes of the rest."""
    if type(state) is not dict:
        return state
    cached = functools.cached_property
    return {k: v for k, v in state.items() if not isinstance(getattr(type(value), k, None), cached)}


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
