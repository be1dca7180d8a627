"""Elementwise functions: arithmetic, the rows of the primitives' table, comparisons, selects."""

import math
from fractions import Fraction
from typing import Any

import numpy as np

from eingrad import _ir, _primitives
from eingrad._ir import Placement
from eingrad._numpy_functions.operands import (
    Traced,
    broadcast,
    implements,
    integer,
    operands,
    refuse_complex,
)
from eingrad._place import user_line
from eingrad._primitives import apply, cast
from eingrad._tracer import UFUNCS, Expression, broadcast_shapes, node_of, trace_of
from eingrad.errors import DTypeError, ShapeError, UnsupportedFunctionError


@implements(np.add)
def _add(a: Any, b: Any) -> Traced:
    nodes, wrap = operands(a, b)
    return wrap(_ir.add(broadcast(nodes)))


@implements(np.subtract)
def _subtract(a: Any, b: Any) -> Traced:
    nodes, wrap = operands(a, b)
    return wrap(_ir.add(broadcast(nodes), (1, -1)))


@implements(np.multiply)
def _multiply(a: Any, b: Any) -> Traced:
    nodes, wrap = operands(a, b)
    for number, node in (nodes, nodes[::-1]):
        if not number.ndim and _ir.is_fill(number) and not isinstance(node, Placement):
            return wrap(_ir.scale(node, _ir.multiply(1, number.coefficient)))
    out = broadcast_shapes(*(n.shape for n in nodes))
    factors, extra = [], len(out)
    for node in nodes:
        lead = len(out) - node.ndim
        term = []
        for axis, size in enumerate(node.shape):
            same = size == out[lead + axis]
            term.append(lead + axis if same else extra)
            extra += not same
        factors.append((node, term))
    return wrap(_ir.contract(factors, range(len(out)), out))


@implements(np.negative)
def _negative(x: Any) -> Traced:
    (node,), wrap = operands(x)
    return wrap(_ir.scale(node, -1))


@implements(np.positive)
def _positive(x: Any) -> Traced:
    return operands(x)[1](operands(x)[0][0])


@implements(np.square)
def _square(x: Any) -> Traced:
    return np.multiply(x, x)


@implements(np.divide)
def _divide(a: Any, b: Any) -> Traced:
    nodes, wrap = operands(a, b)
    if isinstance(b, (int, float)) and math.isfinite(b) and b:
        inverse = 1 / Fraction(b)
        if _ir.is_in_range(inverse, nodes[0].dtype):
            return wrap(_ir.scale(nodes[0], inverse))
        return wrap(apply("divided", nodes[0], divisor=float(b)))
    if _ir.is_fill(nodes[0]) and isinstance(a, (int, float)) and a == 1:
        return wrap(apply("reciprocal", nodes[1]))
    return wrap(apply("divide", *broadcast(nodes)))


@implements(np.float_power)
def _float_power(x: Any, exponent: Any) -> Traced:
    (node,), wrap = operands(x)
    wide = wrap(cast(node, np.result_type(node.dtype, np.float64)))
    return np.power(wide, exponent)


@implements(np.power)
def _power(x: Any, exponent: Any) -> Traced:
    nodes, wrap = operands(x, exponent)
    if isinstance(exponent, (int, float, np.floating, np.integer)) and math.isfinite(exponent):
        number = exponent.item() if isinstance(exponent, np.generic) else exponent
        return wrap(_primitives.power(nodes[0], number))
    return wrap(apply("pow", *broadcast(nodes)))


def _elementwise(name: str, ufunc: Any, *, real: bool) -> None:
    @implements(ufunc)
    def handler(*values: Any) -> Traced:
        nodes, wrap = operands(*values)
        if real and nodes[0].dtype.kind == "c":
            raise DTypeError(
                f"np.{ufunc.__name__} is not holomorphic, so it has no derivative for complex "
                f"values (at {user_line()}); derivatives here are holomorphic"
            )
        return wrap(apply(name, *broadcast(nodes)))


def _predicate(name: str, ufunc: Any, *, real: bool) -> None:
    @implements(ufunc)
    def handler(*values: Any) -> Traced:
        trace = trace_of(values)
        nodes = [node_of(v, trace) for v in values]
        if not all(n.dtype.kind == "b" for n in nodes):
            nodes = operands(*values)[0]
            if real and nodes[0].dtype.kind == "c":
                raise DTypeError(
                    f"np.{ufunc.__name__} orders complex values at {user_line()}; such a function "
                    "is not holomorphic and has no derivative here"
                )
        return Expression(apply(name, *broadcast(nodes)), trace)


for _row in _primitives.PRIMITIVES:
    if isinstance(_row.numpy, np.ufunc) and _row.numpy not in UFUNCS:  # else by hand, above
        _register = _elementwise if _row.dtype is None else _predicate
        _register(_row.name, _row.numpy, real=_row.real)


def _on_flags(ufunc: Any, logical: Any) -> None:
    @implements(ufunc)
    def handler(*values: Any) -> Traced:
        trace = trace_of(values)
        nodes = [node_of(v, trace) for v in values]
        if any(n.dtype.kind != "b" for n in nodes):
            raise DTypeError(
                f"np.{ufunc.__name__} (&, | or ~) of {', '.join(str(n.dtype) for n in nodes)} at "
                f"{user_line()}; it has no derivative, and is supported for booleans alone"
            )
        return logical(*values)


_on_flags(np.bitwise_and, np.logical_and)
_on_flags(np.bitwise_or, np.logical_or)
_on_flags(np.invert, np.logical_not)


@implements(np.where)
def _where(condition: Any, x: Any = None, y: Any = None) -> Traced:
    branches = (x, y)
    if x is None or y is None:
        raise UnsupportedFunctionError(
            f"np.where with one argument gives positions, which depend on values (at "
            f"{user_line()}); use np.where(condition, a, b)"
        )
    trace = trace_of((condition, *branches))
    flag = node_of(condition, trace, "the condition")
    if flag.dtype.kind != "b":
        flag = apply("not_equal", flag, _ir.zeros(flag.shape, flag.dtype))
    nodes, _ = operands(*branches)
    flag, a, b = broadcast([flag, *nodes])
    return Expression(apply("where", flag, a, b), trace)


# Compositions ------------------------------------------------------------------------------------


@implements(np.fabs)
def _fabs(x: Any) -> Traced:
    return np.absolute(x)


@implements(np.clip)
def _clip(
    a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None
) -> Traced:
    low = a_min if min is None else min
    high = a_max if max is None else max
    a = a if low is None else np.maximum(a, low)
    a = a if high is None else np.minimum(a, high)
    return np.positive(a)


def _scaling(name: str, factor: float) -> Any:
    def handler(x: Any) -> Traced:
        (node,), wrap = operands(x)
        refuse_complex(node, f"np.{name}")
        return wrap(_ir.scale(node, factor))

    return handler


for _function, _factor in (
    (np.deg2rad, math.pi / 180),
    (np.radians, math.pi / 180),
    (np.rad2deg, 180 / math.pi),
    (np.degrees, 180 / math.pi),
):
    implements(_function)(_scaling(_function.__name__, _factor))


@implements(np.logaddexp2)
def _logaddexp2(a: Any, b: Any) -> Traced:
    nodes, wrap = operands(a, b)
    left, right = (wrap(_ir.scale(node, math.log(2))) for node in broadcast(nodes))
    return np.logaddexp(left, right) / math.log(2)


@implements(np.logical_xor)
def _logical_xor(a: Any, b: Any) -> Traced:
    return np.logical_or(a, b) & ~np.logical_and(a, b)


@implements(np.fix)
def _fix(x: Any) -> Traced:
    return np.trunc(x)


@implements(np.round, np.around)
def _round(a: Any, decimals: int = 0) -> Traced:
    places = integer(decimals, "decimals")
    scale = 10.0**places
    return np.rint(a * scale) / scale if places else np.rint(a)


@implements(np.real, np.conjugate)
def _real(val: Any) -> Traced:
    (node,), wrap = operands(val)
    refuse_complex(node, "np.real or np.conj")
    return wrap(node)


@implements(np.imag)
def _imag(val: Any) -> Traced:
    (node,), wrap = operands(val)
    refuse_complex(node, "np.imag")
    return wrap(_ir.zeros(node.shape, node.dtype))


@implements(np.select)
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Traced:
    if len(condlist) != len(choicelist) or not len(condlist):
        raise ShapeError(
            f"np.select at {user_line()}: {len(condlist)} conditions but {len(choicelist)} choices"
        )
    result = default
    for condition, choice in reversed([*zip(condlist, choicelist, strict=True)]):
        result = np.where(condition, choice, result)
    return result
