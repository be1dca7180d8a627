"""NumPy's functions as nodes: one short function each, with the keywords that are honoured.

In: the arguments of a NumPy call, at least one of them an `Expression`. Out: an `Expression`.
Guaranteed: a keyword that is not in the signature here is refused by name (see `_tracer`).
"""

import math
import operator
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np

from eingrad import _ir, _primitives, _subscripts
from eingrad._ir import Node
from eingrad._primitives import apply, cast
from eingrad._tracer import (
    FUNCTIONS,
    METHODS,
    UFUNCS,
    Expression,
    broadcast_shapes,
    node_of,
    trace_of,
    user_line,
)
from eingrad.errors import DTypeError, ShapeError, TracerLeakError, UnsupportedFunctionError

Axis = Any  # int, tuple of int or None; a traced value is refused
Handler = TypeVar("Handler", bound=Callable[..., Any])


def implements(*functions: Any) -> Callable[[Handler], Handler]:
    """Register a function as what an expression does for these NumPy functions."""

    def register(handler: Handler) -> Handler:
        for function in functions:
            table = UFUNCS if isinstance(function, np.ufunc) else FUNCTIONS
            table[function] = handler
        return handler

    return register


# Operands ----------------------------------------------------------------------------------------


def _is_weak(value: Any) -> bool:
    """Whether a value is a Python number, or stands for one: it does not decide the dtype."""
    if isinstance(value, Expression):
        return value._weak
    return isinstance(value, (int, float, complex)) and not isinstance(value, (bool, np.generic))


def _result_dtype(values: Sequence[Any], nodes: Sequence[Node]) -> np.dtype[Any]:
    """NumPy's promotion (NEP 50); integers become float64, for a derivative is not an integer."""
    kinds: list[Any] = []
    for value, node in zip(values, nodes, strict=True):
        if _is_weak(value):
            kinds.append(1j if node.dtype.kind == "c" else 1.0)
        else:
            kinds.append(node.dtype)
    dtype = np.result_type(*kinds)
    if dtype.kind == "b":
        raise DTypeError(
            f"arithmetic on boolean values alone at {user_line()}; convert with .astype(float), or "
            "use np.logical_and, np.logical_or, np.where"
        )
    return dtype if dtype.kind in "fc" else np.result_type(dtype, np.float64)


def _operands(*values: Any) -> tuple[list[Node], Callable[[Node], Expression]]:
    """Nodes of one dtype, and how to wrap a result."""
    trace = trace_of(values)
    nodes = [node_of(v, trace, f"operand {n}") for n, v in enumerate(values)]
    dtype = _result_dtype(values, nodes)
    weak = all(map(_is_weak, values))
    return [cast(n, dtype) for n in nodes], lambda node: Expression(node, trace, weak=weak)


def _broadcast(nodes: Sequence[Node]) -> list[Node]:
    shape = broadcast_shapes(*(n.shape for n in nodes))
    return [_ir.broadcast(n, shape) for n in nodes]


def _axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Normalise an axis argument."""
    if axis is None:
        return tuple(range(ndim))
    axes = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
    for a in axes:
        if isinstance(a, Expression):
            raise TracerLeakError(f"an axis is a traced value at {user_line()}; use an integer")
        if not -ndim <= a < ndim:
            raise np.exceptions.AxisError(
                f"axis {a} is out of bounds for an array of {ndim} axes, at {user_line()}"
            )
    normal = tuple(operator.index(a) % ndim for a in axes)
    if len(set(normal)) < len(normal):
        raise ShapeError(f"axis {axis} names an axis twice, at {user_line()}")
    return normal


# Arithmetic --------------------------------------------------------------------------------------


@implements(np.add)
def _add(a: Any, b: Any) -> Expression:
    nodes, wrap = _operands(a, b)
    return wrap(_ir.add(_broadcast(nodes)))


@implements(np.subtract)
def _subtract(a: Any, b: Any) -> Expression:
    nodes, wrap = _operands(a, b)
    return wrap(_ir.add(_broadcast(nodes), (1, -1)))


@implements(np.multiply)
def _multiply(a: Any, b: Any) -> Expression:
    nodes, wrap = _operands(a, b)
    out = broadcast_shapes(*(n.shape for n in nodes))
    terms, extra = [], len(out)
    for node in nodes:
        lead = len(out) - node.ndim
        term = []
        for axis, size in enumerate(node.shape):
            same = size == out[lead + axis]
            term.append(lead + axis if same else extra)
            extra += not same
        terms.append(term)
    return wrap(_ir.contract(nodes, terms, range(len(out)), dict(enumerate(out))))


@implements(np.negative)
def _negative(x: Any) -> Expression:
    (node,), wrap = _operands(x)
    return wrap(_ir.scale(node, -1))


@implements(np.positive)
def _positive(x: Any) -> Expression:
    return _operands(x)[1](_operands(x)[0][0])


@implements(np.square)
def _square(x: Any) -> Expression:
    return _multiply(x, x)


@implements(np.divide)
def _divide(a: Any, b: Any) -> Expression:
    nodes, wrap = _operands(a, b)
    if isinstance(b, (int, float)) and b == b and b not in (0, float("inf"), -float("inf")):  # noqa: PLR0124 - nan
        return wrap(_ir.scale(nodes[0], 1 / Fraction(b)))
    if _ir.is_fill(nodes[0]) and isinstance(a, (int, float)) and a == 1:
        return wrap(apply("reciprocal", nodes[1]))
    return wrap(apply("divide", *_broadcast(nodes)))


@implements(np.float_power)
def _float_power(x: Any, exponent: Any) -> Expression:
    (node,), wrap = _operands(x)
    wide = wrap(cast(node, np.result_type(node.dtype, np.float64)))
    return _power(wide, exponent)


@implements(np.power)
def _power(x: Any, exponent: Any) -> Expression:
    nodes, wrap = _operands(x, exponent)
    if isinstance(exponent, (int, float, np.floating, np.integer)) and math.isfinite(exponent):
        number = exponent.item() if isinstance(exponent, np.generic) else exponent
        return wrap(_primitives.power(nodes[0], number))
    return wrap(apply("pow", *_broadcast(nodes)))


def _elementwise(name: str, ufunc: Any, *, real: bool) -> None:
    @implements(ufunc)
    def handler(*values: Any) -> Expression:
        nodes, wrap = _operands(*values)
        if real and nodes[0].dtype.kind == "c":
            raise DTypeError(
                f"np.{ufunc.__name__} is not holomorphic, so it has no derivative for complex "
                f"values (at {user_line()}); derivatives here are holomorphic"
            )
        return wrap(apply(name, *_broadcast(nodes)))


def _predicate(name: str, ufunc: Any) -> None:
    @implements(ufunc)
    def handler(*values: Any) -> Expression:
        trace = trace_of(values)
        nodes = [node_of(v, trace) for v in values]
        if not all(n.dtype.kind == "b" for n in nodes):
            nodes = _operands(*values)[0]
            if nodes[0].dtype.kind == "c" and name not in {
                "equal",
                "not_equal",
                "isfinite",
                "isnan",
            }:
                raise DTypeError(
                    f"np.{ufunc.__name__} orders complex values at {user_line()}; such a function "
                    "is not holomorphic and has no derivative here"
                )
        return Expression(apply(name, *_broadcast(nodes)), trace)


_BY_HAND = {"power", "pow", "where", "cast", "divide"}
for _row in _primitives.PRIMITIVES:
    if isinstance(_row.numpy, np.ufunc) and _row.name not in _BY_HAND:
        if _row.dtype is not None:
            _predicate(_row.name, _row.numpy)
        else:
            _elementwise(_row.name, _row.numpy, real=_row.real)


def _on_flags(name: str, ufunc: Any) -> None:
    @implements(ufunc)
    def handler(*values: Any) -> Expression:
        trace = trace_of(values)
        nodes = [node_of(v, trace) for v in values]
        if any(n.dtype.kind != "b" for n in nodes):
            raise DTypeError(
                f"np.{ufunc.__name__} (&, | or ~) of {', '.join(str(n.dtype) for n in nodes)} at "
                f"{user_line()}; it has no derivative, and is supported for booleans alone"
            )
        return Expression(apply(name, *_broadcast(nodes)), trace)


for _name, _ufunc in {
    "logical_and": np.bitwise_and,
    "logical_or": np.bitwise_or,
    "logical_not": np.invert,
}.items():
    _on_flags(_name, _ufunc)


@implements(np.where)
def _where(condition: Any, *branches: Any) -> Expression:
    if len(branches) != 2:  # noqa: PLR2004
        raise UnsupportedFunctionError(
            f"np.where with one argument gives positions, which depend on values (at "
            f"{user_line()}); use np.where(condition, a, b)"
        )
    trace = trace_of((condition, *branches))
    flag = node_of(condition, trace, "the condition")
    if flag.dtype.kind != "b":
        flag = apply("not_equal", flag, _ir.zeros(flag.shape, flag.dtype))
    nodes, _ = _operands(*branches)
    flag, a, b = _broadcast([flag, *nodes])
    return Expression(apply("where", flag, a, b), trace, weak=all(map(_is_weak, branches)))


# Contractions ------------------------------------------------------------------------------------


@implements(np.einsum)
def _einsum(*operands: Any, optimize: Any = False) -> Expression:
    del optimize  # every contraction is planned
    arrays: Sequence[Any]
    spec: Any
    if isinstance(operands[0], str):
        spec, arrays = operands[0], operands[1:]
    else:
        pairs = operands[: len(operands) - len(operands) % 2]
        out = list(operands[-1]) if len(operands) % 2 else None
        arrays, spec = pairs[::2], ([list(t) for t in pairs[1::2]], out)
    nodes, wrap = _operands(*arrays)
    shapes = [n.shape for n in nodes]
    terms, out_term = _subscripts.parse(spec, shapes)
    terms, sizes = _subscripts.broadcast_sizes(terms, shapes)
    return wrap(_ir.contract(nodes, terms, out_term, dict(sizes)))


@implements(np.matmul, np.linalg.matmul)
def _matmul(a: Any, b: Any) -> Expression:
    nodes, wrap = _operands(a, b)
    left, right = nodes
    if not left.ndim or not right.ndim:
        raise ShapeError(f"matmul of a 0-d value at {user_line()}; use * instead")
    batch = max(left.ndim, right.ndim) - 2
    i, j, k = batch + 0, batch + 1, batch + 2
    terms = []
    for node, core in ((left, (i, k) if left.ndim > 1 else (k,)),
                       (right, (k, j) if right.ndim > 1 else (k,))):  # fmt: skip
        lead = node.ndim - len(core)
        terms.append((*range(batch - lead, batch), *core))
    out = (
        *range(max(batch, 0)),
        *((i,) if left.ndim > 1 else ()),
        *((j,) if right.ndim > 1 else ()),
    )
    if left.shape[-1] != right.shape[-2 if right.ndim > 1 else 0]:
        raise ShapeError(
            f"matmul of shapes {left.shape} and {right.shape} at {user_line()}: the last axis of "
            "the first must equal the second-to-last (or only) axis of the second"
        )
    new_terms, sizes = _subscripts.broadcast_sizes(terms, [n.shape for n in nodes])
    _subscripts.index_sizes(new_terms, [n.shape for n in nodes])
    return wrap(_ir.contract(nodes, new_terms, out, dict(sizes)))


@implements(np.dot)
def _dot(a: Any, b: Any) -> Expression:
    left, right = np.ndim(a), np.ndim(b)
    if not left or not right:
        return _multiply(a, b)
    return _tensordot(a, b, ((left - 1,), (max(right - 2, 0),)))


@implements(np.tensordot)
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Expression:
    nodes, wrap = _operands(a, b)
    left, right = nodes
    if isinstance(axes, (int, np.integer)):
        axes = (range(left.ndim - axes, left.ndim), range(axes))
    pair = [_axes(tuple(x) if np.iterable(x) else (x,), n.ndim)
            for x, n in zip(axes, nodes, strict=True)]  # fmt: skip
    term = list(range(left.ndim, left.ndim + right.ndim))
    for x, y in zip(*pair, strict=True):
        if left.shape[x] != right.shape[y]:
            raise ShapeError(
                f"tensordot at {user_line()}: axis {x} of the first operand (shape {left.shape}) "
                f"and axis {y} of the second (shape {right.shape}) have different sizes"
            )
        term[y] = x
    kept = [i for i in range(left.ndim) if i not in pair[0]]
    out = [*kept, *(i for y, i in enumerate(term) if y not in pair[1])]
    return wrap(_ir.contract(nodes, (range(left.ndim), term), out))


@implements(np.inner)
def _inner(a: Any, b: Any) -> Expression:
    if not np.ndim(a) or not np.ndim(b):
        return _multiply(a, b)
    return _tensordot(a, b, ((np.ndim(a) - 1,), (np.ndim(b) - 1,)))


@implements(np.outer)
def _outer(a: Any, b: Any) -> Expression:
    return _tensordot(_ravel(a), _ravel(b), 0)


@implements(np.multiply.outer)
def _multiply_outer(a: Any, b: Any) -> Expression:
    return _tensordot(a, b, 0)


@implements(np.sum)
def _sum(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Expression:
    (node,), wrap = _operands(x)
    axes = _axes(axis, node.ndim)
    term = tuple(range(node.ndim))
    out = [i if i not in axes else node.ndim + i for i in term if keepdims or i not in axes]
    return wrap(_ir.contract((node,), (term,), out, {i: 1 for i in out if i >= node.ndim}))


@implements(np.mean)
def _mean(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Expression:
    count = 1
    for a in _axes(axis, np.ndim(x)):
        count *= np.shape(x)[a]
    if count == 0:
        raise ShapeError(f"the mean of no elements at {user_line()} (shape {np.shape(x)})")
    return _divide(_sum(x, axis, keepdims=keepdims), count)


@implements(np.diagonal)
def _diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Expression:
    (node,), wrap = _operands(x)
    first, second = _axes((axis1, axis2), node.ndim)
    length = min(node.shape[first] - max(-offset, 0), node.shape[second] - max(offset, 0))
    length = max(length, 0)
    for axis, start in ((first, max(-offset, 0)), (second, max(offset, 0))):
        picks = _ir.selection(range(start, start + length), node.shape[axis])
        node = _ir.take(node, axis, picks)
    term = [first if i == second else i for i in range(node.ndim)]
    out = [i for i in range(node.ndim) if i not in (first, second)] + [first]
    return wrap(_ir.contract((node,), (term,), out))


@implements(np.linalg.diagonal)
def _linalg_diagonal(x: Any, /, *, offset: int = 0) -> Expression:
    return _diagonal(x, offset, -2, -1)


@implements(np.trace)
def _trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Expression:
    return _sum(_diagonal(x, offset, axis1, axis2), -1)


@implements(np.linalg.trace)
def _linalg_trace(x: Any, /, *, offset: int = 0) -> Expression:
    return _trace(x, offset, -2, -1)


# Layout ------------------------------------------------------------------------------------------


@implements(np.transpose, np.permute_dims)
def _transpose(x: Any, axes: Sequence[int] | None = None) -> Expression:
    (node,), wrap = _operands(x)
    order = _axes(tuple(axes), node.ndim) if axes is not None else tuple(range(node.ndim))[::-1]
    if len(order) != node.ndim:
        raise ShapeError(f"transpose of {node.ndim} axes by {axes}, at {user_line()}")
    return wrap(_ir.transpose(node, order))


@implements(np.matrix_transpose, np.linalg.matrix_transpose)
def _matrix_transpose(x: Any, /) -> Expression:
    return _swapaxes(x, -1, -2)


@implements(np.swapaxes)
def _swapaxes(x: Any, axis1: int, axis2: int) -> Expression:
    (first,), (second,) = _axes(axis1, np.ndim(x)), _axes(axis2, np.ndim(x))
    order = list(range(np.ndim(x)))
    order[first], order[second] = second, first
    return _transpose(x, order)


@implements(np.moveaxis)
def _moveaxis(x: Any, source: Any, destination: Any) -> Expression:
    sources, targets = _axes(source, np.ndim(x)), _axes(destination, np.ndim(x))
    order = [a for a in range(np.ndim(x)) if a not in sources]
    for target, a in sorted(zip(targets, sources, strict=True)):
        order.insert(target, a)
    return _transpose(x, order)


@implements(np.reshape)
def _reshape(x: Any, shape: Any, order: str = "C") -> Expression:
    (node,), wrap = _operands(x)
    if order != "C":
        raise UnsupportedFunctionError(f"np.reshape: order {order!r} at {user_line()}; only 'C'")
    new = [operator.index(n) for n in (shape if np.iterable(shape) else (shape,))]
    if new.count(-1) == 1:
        rest = 1
        for n in new:
            rest *= n if n != -1 else 1
        if rest and node.size % rest == 0:
            new[new.index(-1)] = node.size // rest
    size = 1
    for n in new:
        size *= n
    if size != node.size or min(new, default=0) < 0:
        raise ShapeError(
            f"cannot reshape shape {node.shape} ({node.size} elements) to {shape}, at {user_line()}"
        )
    return wrap(_ir.reshape(node, tuple(new)))


@implements(np.ravel)
def _ravel(x: Any, order: str = "C") -> Expression:
    return _reshape(x, (-1,) if np.size(x) else (0,), order)


@implements(np.expand_dims)
def _expand_dims(x: Any, axis: Axis) -> Expression:
    count = 1 if isinstance(axis, (int, np.integer)) else len(axis or ())
    axes = _axes(axis, np.ndim(x) + count)
    sizes = iter(np.shape(x))
    return _reshape(x, [1 if a in axes else next(sizes) for a in range(np.ndim(x) + count)])


@implements(np.squeeze)
def _squeeze(x: Any, axis: Axis = None) -> Expression:
    shape = np.shape(x)
    axes = (
        _axes(axis, len(shape)) if axis is not None else [a for a, n in enumerate(shape) if n == 1]
    )
    if any(shape[a] != 1 for a in axes):
        raise ShapeError(
            f"squeeze of axis {axis} of shape {shape}, at {user_line()}: size is not 1"
        )
    return _reshape(x, [n for a, n in enumerate(shape) if a not in axes])


@implements(np.broadcast_to)
def _broadcast_to(x: Any, shape: Any) -> Expression:
    (node,), wrap = _operands(x)
    shape = tuple(shape) if np.iterable(shape) else (shape,)
    if broadcast_shapes(node.shape, shape) != shape:
        raise ShapeError(f"cannot broadcast shape {node.shape} to {shape}, at {user_line()}")
    return wrap(_ir.broadcast(node, shape))


@implements(np.concatenate)
def _concatenate(arrays: Sequence[Any], axis: int | None = 0) -> Expression:
    if axis is None:
        arrays, axis = [_ravel(a) if isinstance(a, Expression) else np.ravel(a) for a in arrays], 0
    nodes, wrap = _operands(*arrays)
    (place,) = _axes(axis, nodes[0].ndim)
    for n, node in enumerate(nodes):
        if node.ndim != nodes[0].ndim or any(
            a != place and size != nodes[0].shape[a] for a, size in enumerate(node.shape)
        ):
            raise ShapeError(
                f"concatenate at {user_line()}: array {n} has shape {node.shape}, the first "
                f"{nodes[0].shape}; all axes but {axis} must agree"
            )
    kept = [n for n in nodes if n.shape[place]] or nodes[:1]
    return wrap(kept[0] if len(kept) == 1 else apply("concatenate", *kept, axis=place))


@implements(np.stack)
def _stack(arrays: Sequence[Any], axis: int = 0) -> Expression:
    arrays = list(arrays)
    shapes = {np.shape(a) for a in arrays}
    if len(shapes) > 1:
        raise ShapeError(f"stack of shapes {sorted(shapes)}, at {user_line()}; all must be equal")
    (place,) = _axes(axis, np.ndim(arrays[0]) + 1)
    widened = [
        _expand_dims(a, place) if isinstance(a, Expression) else np.expand_dims(a, place)
        for a in arrays
    ]
    return _concatenate(widened, place)


@implements("getitem")
def _getitem(x: Expression, index: Any) -> Expression:
    (node,), wrap = _operands(x)
    parts = index if isinstance(index, tuple) else (index,)
    for part in parts:
        plain = part is None or part is Ellipsis or isinstance(part, (int, np.integer, slice))
        if not plain or isinstance(part, bool):
            what = "a traced value" if isinstance(part, Expression) else type(part).__name__
            raise UnsupportedFunctionError(
                f"indexing by {what} is not supported (at {user_line()}); use integers, slices, "
                "None and ..., or a product with a 0/1 array"
            )
    if sum(p is Ellipsis for p in parts) > 1:
        raise IndexError(f"an index has more than one ellipsis, at {user_line()}")
    spare = node.ndim - sum(p is not None and p is not Ellipsis for p in parts)
    if spare < 0:
        raise IndexError(f"{len(parts)} indices for shape {node.shape}, at {user_line()}")
    if not any(p is Ellipsis for p in parts):
        parts = (*parts, Ellipsis)
    shape: list[int] = []
    axis = 0
    for part in parts:
        if part is None:
            shape.append(1)
        elif part is Ellipsis:
            shape += node.shape[axis : axis + spare]
            axis += spare
        else:
            picked = _picked(part, node.shape[axis], axis, x.shape)
            node = _ir.take(node, axis, _ir.selection(picked, node.shape[axis]))
            shape += [len(picked)] if isinstance(part, slice) else []
            axis += 1
    return wrap(_ir.reshape(node, tuple(shape)))


def _picked(part: Any, size: int, axis: int, shape: tuple[int, ...]) -> range:
    """Which positions of an axis an index picks."""
    if isinstance(part, slice):
        if any(isinstance(v, Expression) for v in (part.start, part.stop, part.step)):
            raise TracerLeakError(f"a slice with a traced bound at {user_line()}; use integers")
        return range(*part.indices(size))
    position = operator.index(part)
    if not -size <= position < size:
        raise IndexError(
            f"index {position} is out of bounds for axis {axis} of shape {shape}, at {user_line()}"
        )
    return range(position % size, position % size + 1)


# Linear algebra ----------------------------------------------------------------------------------


def _square_matrices(node: Node, name: str) -> Node:
    if node.ndim < 2 or node.shape[-1] != node.shape[-2]:  # noqa: PLR2004
        raise ShapeError(
            f"np.linalg.{name} of shape {node.shape} at {user_line()}: the last two axes must be "
            "equal"
        )
    return node


@implements(np.linalg.inv)
def _inv(a: Any) -> Expression:
    (node,), wrap = _operands(a)
    return wrap(apply("inverse", _square_matrices(node, "inv")))


@implements(np.linalg.det)
def _det(a: Any) -> Expression:
    (node,), wrap = _operands(a)
    if 0 in node.shape[-2:]:
        return wrap(_ir.fill(1, _square_matrices(node, "det").shape[:-2], node.dtype))
    return wrap(apply("det", _square_matrices(node, "det")))


@implements(np.linalg.slogdet)
def _slogdet(a: Any) -> Any:
    (node,), wrap = _operands(a)
    _square_matrices(node, "slogdet")
    if node.dtype.kind == "c":
        raise DTypeError(
            f"np.linalg.slogdet is not holomorphic (at {user_line()}); use np.log(np.linalg.det(a))"
        )
    sign, logdet = (wrap(apply("slogdet", node, result=k)) for k in (0, 1))
    return type(np.linalg.slogdet(np.eye(1)))(sign, logdet)


@implements(np.linalg.solve)
def _solve(a: Any, b: Any) -> Expression:
    nodes, wrap = _operands(a, b)
    matrix, right = _square_matrices(nodes[0], "solve"), nodes[1]
    vector = right.ndim == 1
    if vector:
        right = _ir.reshape(right, (*right.shape, 1))
    if not right.ndim or right.shape[-2] != matrix.shape[-1]:
        raise ShapeError(
            f"np.linalg.solve of shapes {nodes[0].shape} and {nodes[1].shape} at {user_line()}: "
            "the number of equations differs"
        )
    batch = broadcast_shapes(matrix.shape[:-2], right.shape[:-2])
    matrix = _ir.broadcast(matrix, (*batch, *matrix.shape[-2:]))
    right = _ir.broadcast(right, (*batch, *right.shape[-2:]))
    made = apply("solve", matrix, right)
    return wrap(_ir.reshape(made, made.shape[:-1]) if vector else made)


# Shape and dtype ---------------------------------------------------------------------------------


@implements(np.shape)
def _shape(x: Expression) -> tuple[int, ...]:
    return x.shape


@implements(np.ndim)
def _ndim(x: Expression) -> int:
    return x.ndim


@implements(np.size)
def _size(x: Expression, axis: int | None = None) -> int:
    return x.size if axis is None else x.shape[axis]


def _constant_like(number: int) -> Callable[..., Any]:
    def like(x: Expression, dtype: Any = None, *, shape: Any = None) -> Any:
        return np.full(x.shape if shape is None else shape, number, dtype or x.dtype)

    return like


implements(np.zeros_like)(_constant_like(0))
implements(np.ones_like)(_constant_like(1))


def _astype(x: Expression, dtype: Any, *, copy: bool = True) -> Expression:
    del copy
    target = np.dtype(dtype)
    if target.kind not in "fc" or (target.kind == "f" and x.dtype.kind == "c"):
        raise DTypeError(
            f"astype({target}) of {x.dtype} at {user_line()} has no derivative; use a float type"
        )
    return Expression(cast(node_of(x, None), target), trace_of((x,)))


@implements(np.copy)
def _copy(x: Expression) -> Expression:
    return x


def _as_method(function: Callable[..., Any], *, splat: bool = False) -> Callable[..., Any]:
    """Let a method take its shape or axes one by one, as NumPy's methods do."""

    def method(x: Expression, *args: Any, **kwargs: Any) -> Any:
        many = splat and (len(args) > 1 or (len(args) == 1 and not np.iterable(args[0])))
        if splat and args == (None,):
            args = ()
        elif many:
            args = (args,)
        return function(x, *args, **kwargs)

    return method


METHODS.update(
    sum=_sum, mean=_mean, dot=_dot, trace=_trace, diagonal=_diagonal, swapaxes=_swapaxes,
    reshape=_as_method(_reshape, splat=True), transpose=_as_method(_transpose, splat=True),
    ravel=_ravel, flatten=_ravel, squeeze=_squeeze, astype=_astype, copy=_copy,
)  # fmt: skip
