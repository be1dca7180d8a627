"""Calls that are found again: what a function gave for the same nodes and options.

In: a call. Out: what it gave before, as values of this trace; else it is performed, and noted.
Guaranteed: what used an array meanwhile is not kept, for the array belongs to one trace; two calls
that could differ in anything a handler looks at have two keys.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from eingrad import _reuse
from eingrad._tracer.arrays import DTYPES, Array
from eingrad._tracer.value import TracedValue, trace_of
from eingrad._tree import LEAF, flatten

_PLAIN = frozenset({int, bool, str, type(None), type(...)})  # what `==` tells apart, in one class
_DIGESTED = 64  # bytes of an array in a key above which a digest stands for it
_MOST_INDEXED = 1 << 23  # bytes of an index that is looked up, an eighth of what `_reuse` keeps


def find_or_perform(
    function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], perform: Callable[[], Any]
) -> Any:
    """Find what a function gave for the same nodes and options, else have it performed."""
    found: list[TracedValue] = []
    tokens: list[Hashable] = []
    for value in args:
        if isinstance(value, TracedValue):  # as `_token` does, which most calls need not ask then
            found.append(value)
            tokens.append((value._node.uid, value._weak, value._array))
        else:
            tokens.append(_token(value, found))
    options = [_token(item, found) for item in kwargs.items()] if kwargs else ()
    trace = trace_of(found)
    if trace is None or trace.lasting or None in tokens or None in options:
        return perform()
    call = function, (*tokens,), (*options,)
    known = _reuse.find(call)
    if known is not None:
        tree, leaves = known
        make = type(found[0])
        if tree is LEAF:
            ((node, weak, array),) = leaves
            return make(node, trace, weak=weak, array=array)
        return tree.build(
            [make(node, trace, weak=weak, array=array) for node, weak, array in leaves]
        )
    before = trace.root.captures
    result = perform()
    if type(result) is type(found[0]):
        results, tree = [result], LEAF
    else:
        results, tree = flatten(result)
    if trace.root.captures == before and all(isinstance(leaf, TracedValue) for leaf in results):
        _reuse.keep(call, (tree, [(leaf._node, leaf._weak, leaf._array) for leaf in results]))
    return result


def _token(value: Any, found: list[TracedValue]) -> Hashable:
    """What a value is to a handler, to look it up by; None for what only the handler can judge."""
    kind = type(value)
    if kind in _PLAIN:  # 1, 1.0 and True are three things
        return kind, value
    if kind is float and value and not math.isnan(value):
        return kind, value
    if isinstance(value, TracedValue):
        found.append(value)
        return value._node.uid, value._weak, value._array
    if kind is float or kind is complex:  # 0.0 and -0.0 are two things, nan and nan are one
        return kind, repr(value)
    if kind is tuple or kind is list or kind is slice:
        items = (value.start, value.stop, value.step) if kind is slice else value
        tokens = [_token(item, found) for item in items]
        return None if None in tokens else (kind, *tokens)
    if kind is np.ndarray and value.dtype.kind in "biu" and value.nbytes <= _MOST_INDEXED:
        return _positions_token(value)
    if isinstance(value, np.generic) and value.dtype in DTYPES:
        return kind, value.tobytes()
    return None


def _positions_token(value: Array) -> Hashable:
    """Tell integers and flags by their values: they say where, and are read while traced."""
    if value.nbytes <= _DIGESTED:
        content = value.tobytes()
    else:
        content = blake2b(np.ascontiguousarray(value).data, digest_size=16).digest()
    return np.ndarray, value.dtype.str, value.shape, content
