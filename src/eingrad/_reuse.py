"""Reuse between traces: a pool of inputs, and a table from a call and its operands to its result.

In: what an input must be; a NumPy call, or a sweep, as a key. Out: an input; what it gave before.
Guaranteed: two open traces never share an input; nothing is found that the call would not give
again, for nodes are immutable and a `uid` is never used twice; all tables are bounded.

A function is traced anew at every call of its derivative. On the inputs of the last call it asks
for the same nodes, and looking one up takes a fraction of the time of building it. So it is with
the derivatives that are taken within a trace: they are made of the same nodes again.

>>> x = lend("x", (3,), np.dtype(float), ("argument", 0))
>>> lend("x", (3,), np.dtype(float), ("argument", 0)) is x
False
>>> give_back([x])
>>> lend("x", (3,), np.dtype(float), ("argument", 0)) is x
True
"""

from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

import numpy as np

from eingrad import _ir
from eingrad._ir import Input
from eingrad._subscripts import Shape

_MOST = 1 << 12  # entries of a table; one that is full starts again
_MOST_DERIVED = 1 << 8  # of the table of derivatives, each of which is a graph of its own
_MOST_BYTES = 1 << 26  # of index tables in nodes that the tables keep alive

T = TypeVar("T")

_free: dict[tuple[Hashable, ...], list[Input]] = {}
_results: dict[Hashable, Any] = {}  # who makes a key knows the type of what it gives
_derived: dict[Hashable, Any] = {}
_charged = 0


def lend(name: str, shape: Shape, dtype: np.dtype[Any], key: tuple[Hashable, ...]) -> Input:
    """Find an input that was given back, or make one."""
    try:
        return _free[name, shape, dtype, key].pop()
    except (KeyError, IndexError):
        return _ir.new_input(name, shape, dtype, key)


def give_back(inputs: Iterable[Input]) -> None:
    """Let the next trace have these inputs: nothing that can still be computed with uses them."""
    for node in inputs:
        if len(_free) >= _MOST:
            _free.clear()
        _free.setdefault((node.name, node.shape, node.dtype, node.key), []).append(node)


find = _results.get  # what a call gave; None if it is not known. Asked at every call of NumPy


def keep(call: Hashable, result: Any) -> None:
    """Note what a call gives."""
    if len(_results) >= _MOST:
        _results.clear()
    _results[call] = result


def find_or_derive(key: Hashable, make: Callable[[], T]) -> T:
    """Find what was derived of the nodes in a key, which stay alive with it; else derive it."""
    known: T | None = _derived.get(key)
    if known is None:
        known = make()
        if len(_derived) >= _MOST_DERIVED:
            _derived.clear()
        _derived[key] = known
    return known


def charge(nbytes: int) -> None:
    """Count index tables that new nodes hold; forget all results when they are too many bytes."""
    global _charged  # noqa: PLW0603 - a count that all traces share
    _charged += nbytes
    if _charged > _MOST_BYTES:
        _charged = 0
        _results.clear()
        _derived.clear()


def clear() -> None:
    """Forget everything."""
    _free.clear()
    _results.clear()
    _derived.clear()
