"""How a value becomes an operand: an expression's own node; an array, captured; a number.

In: what a NumPy function is given. Out: its node, or a traced value in the place of an array.
Guaranteed: nothing untraced passes as a constant, for the user may change it between two calls.
"""

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._described import described, remedy
from eingrad._executing import name_in
from eingrad._ir import Node
from eingrad._place import place, user_line
from eingrad._shown import is_plain, shown
from eingrad._tracer.arrays import DTYPES, Array, as_array, check_array, native
from eingrad._tracer.trace import Trace
from eingrad._tracer.value import TracedValue, trace_of
from eingrad._tree import flatten
from eingrad.errors import DTypeError, TracerLeakError

_DOUBLE = np.dtype(np.float64)


def node_of(value: Any, trace: Trace | None, what: str = "an operand") -> Node:
    """Make a node of a value: an expression's own; an array captured by the trace, or constant."""
    if isinstance(value, TracedValue):
        if value._trace is not None:
            value._trace.check_usable()
        return value._node
    check_array(value, what)
    if isinstance(value, (list, tuple)):
        if any(isinstance(leaf, TracedValue) for leaf in flatten(value)[0]):
            nested = any(isinstance(item, (list, tuple)) for item in value)
            raise TracerLeakError(
                f"a {type(value).__name__} with traced values stands for an array at "
                f"{user_line()}; build it with np.{'block' if nested else 'stack'}"
            )
        value = as_array(value, what)
    if isinstance(value, np.ndarray):
        if trace is not None and value.ndim:
            return trace.capture(value)
        return _ir.constant(value) if value.ndim else number_node(value[()])
    if isinstance(value, (bool, int, float, complex, np.generic)):
        return number_node(value)
    raise DTypeError(_refusal(value, what))


def _refusal(value: Any, what: str) -> str:
    """Say that a value is no operand, what it is, and how an array is got of it."""
    where = place()
    name = name_in(where, value)
    hint = remedy(value, name or "x")
    hint = f": write {hint}" if hint else ""
    own = f"{shown(value)} " if is_plain(value) else ""
    return (
        f"{what}{f', {name},' if name else ''} is {own}{described(value)}, at {where}; only "
        f"arrays, numbers and traced values can be computed with{hint}"
    )


def number_node(value: Any) -> Node:
    """Make a 0-d node of a number."""
    if type(value) is float and value and math.isfinite(value):  # most are
        return _ir.fill(value, (), _DOUBLE)
    dtype = np.dtype(np.float64) if type(value) is int else np.asarray(value).dtype
    plain = value.item() if isinstance(value, np.generic) else value
    if type(plain) is int and abs(plain) > sys.float_info.max:
        raise DTypeError(f"an integer of {plain.bit_length()} bits at {user_line()} is no float64")
    if dtype.kind == "b" or _has_negative_zero(plain):
        return _ir.constant(np.asarray(value, dtype))
    return _ir.fill(plain, (), dtype)


def _has_negative_zero(value: Any) -> bool:
    """Whether a number has a sign that a coefficient, an exact rational, would lose."""
    parts = (value.real, value.imag) if isinstance(value, complex) else (value,)
    return any(part == 0 and math.copysign(1.0, part) < 0 for part in parts)


# Arrays among the arguments of a call ------------------------------------------------------------


def capture_arrays(values: Sequence[Any], *, are_factors: bool = False) -> Sequence[Any]:
    """Put traced values in the place of the arrays among the operands of a ufunc."""
    trace = trace_of(values)
    if trace is None:
        return values
    kind = _kind_of(values)
    return [_enter(v, trace, kind, are_factors) if type(v) is np.ndarray else v for v in values]


def has_operands(values: Sequence[Any]) -> bool:
    """Whether there are arrays of floats or flags, which are no positions, also within lists."""
    return any(
        value.dtype.kind in "fcb" if type(value) is np.ndarray else has_operands(value)
        for value in values
        if type(value) in _WITHIN
    )


_WITHIN = frozenset({np.ndarray, list, tuple})


def capture_operands(values: tuple[Any, ...], *, are_factors: bool = False) -> tuple[Any, ...]:
    """Put traced values in the place of such arrays."""
    leaves = flatten(values)[0]
    trace = trace_of(leaves)
    if trace is None:
        return values
    entered: tuple[Any, ...] = _enter_within(values, trace, _kind_of(leaves), are_factors)
    return entered


def _kind_of(values: Sequence[Any]) -> type[TracedValue]:
    """The class of the traced values among these, of which there are some."""
    for value in values:
        if isinstance(value, TracedValue):
            return type(value)
    raise AssertionError("a trace was found, but no value of it")


def _enter_within(value: Any, trace: Trace, kind: type[TracedValue], are_factors: bool) -> Any:
    if type(value) is list or type(value) is tuple:
        return type(value)([_enter_within(item, trace, kind, are_factors) for item in value])
    if type(value) is np.ndarray and value.dtype.kind in "fcb":
        return _enter(value, trace, kind, are_factors)
    return value


def _enter(array: Array, trace: Trace, kind: type[TracedValue], is_factor: bool) -> Any:
    """Make an array of numbers a traced value of some class; leave another, or one of no axes."""
    is_known = array.dtype in DTYPES or native(array.dtype) in DTYPES
    if not is_known or not array.ndim:
        return array
    return kind(trace.capture(array, is_factor=is_factor), trace)
