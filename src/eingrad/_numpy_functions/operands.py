"""What every traced function needs: registration, operands of one dtype, axes.

In: the arguments of a NumPy call. Out: nodes, and how to wrap a result.
Guaranteed: dtypes promote as in NumPy (NEP 50), integers to float64.
"""

import math
import operator
from collections.abc import Callable, Sequence, Set
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np

from eingrad import _ir
from eingrad._ir import Add, Coefficient, Einsum, Node, Placement, Product, Structural
from eingrad._numpy_functions.refusals import checked
from eingrad._place import user_line
from eingrad._primitives import apply, cast
from eingrad._shown import shown
from eingrad._simplify import remembered
from eingrad._tracer import (
    FUNCTIONS,
    UFUNCS,
    Expression,
    advice_for,
    broadcast_shapes,
    is_weak,
    node_of,
    trace_of,
)
from eingrad.errors import DTypeError, ShapeError, TraceError, TracerLeakError

_DOUBLE = np.dtype(np.float64)
Axis = Any  # int, tuple of int or None; a traced value is refused
Traced = Any  # an Expression, also where it comes from NumPy's own function of one
Handler = TypeVar("Handler", bound=Callable[..., Any])


def implements(*functions: Any) -> Callable[[Handler], Handler]:
    """Register a function as what an expression does for these NumPy functions."""

    def register(handler: Handler) -> Handler:
        for function in functions:
            if isinstance(function, np.ufunc):
                UFUNCS[function] = handler  # operands alone: no option is honoured
            else:
                FUNCTIONS[function] = checked(function, handler) if callable(function) else handler
        return handler

    return register


def result_dtype(
    values: Sequence[Any], nodes: Sequence[Node], *, flags: bool = False
) -> np.dtype[Any]:
    """NumPy's promotion (NEP 50); integers become float64, for a derivative is not an integer."""
    if all(node.dtype == _DOUBLE for node in nodes):  # nearly always
        return _DOUBLE
    kinds: list[Any] = []
    for value, node in zip(values, nodes, strict=True):
        if is_weak(value):
            kinds.append(1j if node.dtype.kind == "c" else 1.0)
        else:
            kinds.append(node.dtype)
    dtype = np.result_type(*kinds)
    if dtype.kind == "b" and flags:
        return dtype
    if dtype.kind == "b":
        raise DTypeError(
            f"arithmetic on boolean values alone at {user_line()}; convert with .astype(float), or "
            "use np.logical_and, np.logical_or, np.where"
        )
    return dtype if dtype.kind in "fc" else np.result_type(dtype, np.float64)


def operands(*values: Any, flags: bool = False) -> tuple[list[Node], Callable[[Node], Expression]]:
    """Nodes of one dtype, and how to wrap a result; `flags`: booleans alone stay booleans."""
    trace = trace_of(values)
    nodes = [node_of(v, trace, f"operand {n}") for n, v in enumerate(values)]
    dtype = result_dtype(values, nodes, flags=flags)
    made = None if trace is None else trace.made
    return [keep_in_range(cast(n, dtype), made) for n in nodes], lambda n: Expression(n, trace)


def keep_in_range(node: Node, made: Set[bytes] | None) -> Node:
    """Make a scale of the user's an operation, so that nothing takes it out of the operand.

    Not a sign, nor a harmless number that divides a sum: the sum was there before. And not what
    scales a derivative: its numbers are collected, exactly.
    """
    if not isinstance(node, Product) and not (isinstance(node, Placement) and node.core):
        return node
    number = node.coefficient
    if abs(number) == 1 or (_is_sum(node) and _ir.is_harmless(number, node.dtype)):
        return node
    if node.digest in (remembered([node]) if made is None else made):
        return node
    is_half = abs(number) == Fraction(1, 2) and len(node.factors) == 1
    if is_half and isinstance(node.operands[0], Add):
        return _halve(node)
    if isinstance(node, Product) or not node.structure:
        return _scale(_ir.with_coefficient(node, 1), number)
    factors = [(n if isinstance(n, Structural) else _scale(n, number), t) for n, t in node.factors]
    return _ir.contract(factors, node.out, node.sizes)


def _halve(node: Einsum) -> Node:
    """``(A + A^T) / 2`` as a sum, whose symmetry can be seen: halves are exact."""
    ((total, term),) = node.factors
    assert isinstance(total, Add)
    halves = _ir.add(total.terms, [_ir.multiply(node.coefficient, c) for c in total.coefficients])
    return _ir.contract([(halves, term)], node.out, node.sizes)


def _is_sum(node: Einsum) -> bool:
    return node.sums or any(isinstance(n, Einsum) and n.sums for n in node.operands)


def _scale(node: Node, coefficient: Coefficient) -> Node:
    """Multiply by a number, in a step of its own; its sign is harmless."""
    if not isinstance(coefficient, complex) and coefficient < 0:
        return _ir.scale(_scale(node, -coefficient), -1)
    divisor = _ir.divisor(coefficient)
    if divisor is not None:
        return apply("divided", node, divisor=divisor)
    return apply("scaled", node, factor=coefficient)


def broadcast(nodes: Sequence[Node]) -> list[Node]:
    """Nodes of one shape."""
    shape = broadcast_shapes(*(n.shape for n in nodes))
    return [_ir.broadcast(n, shape) for n in nodes]


def normal_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Normalise an axis argument."""
    if axis is None:
        return tuple(range(ndim))
    axes = (axis,) if isinstance(axis, (int, np.integer, Expression)) else tuple(axis)
    for a in axes:
        if not -ndim <= known(a, "an axis") < ndim:
            raise np.exceptions.AxisError(
                f"axis {a} is out of bounds for an array of {ndim} axes, at {user_line()}"
            )
    normal = tuple(operator.index(a) % ndim for a in axes)
    if len(set(normal)) < len(normal):
        raise ShapeError(f"axis {axis} names an axis twice, at {user_line()}")
    return normal


def one_axis(axis: Any, ndim: int) -> int:
    """Normalise an axis argument that must be one integer."""
    return normal_axes(integer(axis, "an axis"), ndim)[0]


def refuse_complex(node: Node, name: str) -> None:
    """Refuse what is not holomorphic, or has no order among complex values."""
    if node.dtype.kind == "c":
        raise DTypeError(
            f"{name} is not holomorphic, so it has no derivative for complex values (at "
            f"{user_line()}); derivatives here are holomorphic"
        )


def converted(x: Any, dtype: Any) -> Any:
    """What a keyword `dtype` asks for: the operand in that dtype."""
    if dtype is None:
        return x
    if isinstance(x, Expression):
        return np.astype(x, dtype)  # type: ignore[call-overload]
    return np.asarray(x, dtype)


def known(value: Any, what: str) -> Any:
    """Refuse a traced value where shapes or counts must be known."""
    if isinstance(value, Expression):
        raise _unknown(what, advice_for(value).count)
    return value


def known_index(value: Any, owner: Any) -> Any:
    """Refuse a traced value as positions of what may be traced itself."""
    if isinstance(value, Expression):
        of = owner if isinstance(owner, Expression) else None
        raise _unknown("an index", advice_for(value, of).index)
    return value


def known_bound(value: Any) -> Any:
    """Refuse a traced value as the bound of a slice."""
    if isinstance(value, Expression):
        raise _unknown("the bound of a slice", advice_for(value).bound)
    return value


def _unknown(what: str, advice: str) -> TracerLeakError:
    return TracerLeakError(
        f"{what} is a traced value at {user_line()}; it must be known before the values: "
        f"{advice or 'use plain numbers'}"
    )


def integer(value: Any, what: str) -> int:
    """Take an integer: Python's, NumPy's, or what stands for one; a number with a point is none."""
    try:
        return operator.index(known(value, what))
    except TypeError as error:
        if isinstance(error, TracerLeakError):
            raise
        raise TraceError(
            f"{what} is {shown(value)} at {user_line()}; it must be an integer"
        ) from None


def strong(x: Any) -> Any:
    """What a number is to a function that makes an array of it first: its dtype decides too."""
    if isinstance(x, Expression):
        return Expression(x._node, x._trace)
    return np.asarray(x) if isinstance(x, (int, float, complex)) else x


def last(x: Any, axis: Axis) -> tuple[Any, tuple[int, ...]]:
    """Move the axes that are reduced to the end, as one axis; and say which they were."""
    axes = normal_axes(axis, np.ndim(x))
    kept = [a for a in range(np.ndim(x)) if a not in axes]
    sizes = [np.shape(x)[a] for a in kept]
    count = math.prod(np.shape(x)[a] for a in axes)
    return np.reshape(np.transpose(x, (*kept, *axes)), (*sizes, count)), axes
