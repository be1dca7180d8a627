"""Linear algebra of square matrices, in batches."""

import math
import operator
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._ir import Node
from eingrad._numpy_functions.operands import (
    Axis,
    Traced,
    converted,
    implements,
    known,
    last,
    normal_axes,
    operands,
    refuse_complex,
)
from eingrad._place import user_line
from eingrad._primitives import apply
from eingrad._shown import shown
from eingrad._tracer import Expression, broadcast_shapes
from eingrad.errors import DTypeError, ShapeError, UnsupportedFunctionError


def _square_matrices(node: Node, name: str) -> Node:
    """Refuse what is not square, or too narrow for NumPy to factorise."""
    if node.dtype == np.float16:
        raise DTypeError(
            f"np.linalg.{name} of float16 at {user_line()}: NumPy's linear algebra begins at "
            "float32; convert with .astype(np.float32)"
        )
    return _squares(node, name)


def _squares(node: Node, name: str) -> Node:
    if node.ndim < 2 or node.shape[-1] != node.shape[-2]:  # noqa: PLR2004
        raise ShapeError(
            f"np.linalg.{name} of shape {node.shape} at {user_line()}: the last two axes must be "
            "equal"
        )
    return node


@implements(np.linalg.inv)
def _inv(a: Any) -> Traced:
    (node,), wrap = operands(a)
    return wrap(apply("inverse", _square_matrices(node, "inv")))


@implements(np.linalg.det)
def _det(a: Any) -> Traced:
    (node,), wrap = operands(a)
    if 0 in node.shape[-2:]:
        return wrap(_ir.fill(1, _square_matrices(node, "det").shape[:-2], node.dtype))
    return wrap(apply("det", _square_matrices(node, "det")))


@implements(np.linalg.slogdet)
def _slogdet(a: Any) -> Any:
    (node,), wrap = operands(a)
    _square_matrices(node, "slogdet")
    if node.dtype.kind == "c":
        raise DTypeError(
            f"np.linalg.slogdet is not holomorphic (at {user_line()}); use np.log(np.linalg.det(a))"
        )
    sign, logdet = (wrap(apply("slogdet", node, result=k)) for k in (0, 1))
    return type(np.linalg.slogdet(np.eye(1)))(sign, logdet)


def _inexact(x: Any) -> Any:
    """Integers and flags as float64, which NumPy's linear algebra computes with."""
    if isinstance(x, Expression) and x.dtype.kind not in "fc":
        return converted(x, np.float64)
    return (
        x
        if isinstance(x, Expression) or np.asarray(x).dtype.kind not in "biu"
        else (np.asarray(x, np.float64))
    )


@implements(np.linalg.solve)
def _solve(a: Any, b: Any) -> Traced:
    nodes, wrap = operands(_inexact(a), _inexact(b))
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


@implements(np.linalg.tensorinv)
def _tensorinv(a: Any, ind: int = 2) -> Traced:
    shape = np.shape(a)
    rows = math.prod(shape[:ind])
    if ind <= 0 or not shape or rows != math.prod(shape[ind:]):
        raise ShapeError(
            f"np.linalg.tensorinv of shape {shape}, ind={shown(ind)}, at {user_line()}"
        )
    inverse = np.linalg.inv(np.reshape(a, (rows, rows)))
    return np.reshape(inverse, (*shape[ind:], *shape[:ind]))


@implements(np.linalg.tensorsolve)
def _tensorsolve(a: Any, b: Any, axes: Any = None) -> Traced:
    if axes is not None:
        moved = normal_axes(axes, np.ndim(a))
        a = np.transpose(a, (*(k for k in range(np.ndim(a)) if k not in moved), *moved))
    unknown = np.shape(a)[-(np.ndim(a) - np.ndim(b)) :]  # all axes, where b has as many
    if math.prod(unknown) != np.size(b) or np.size(a) != np.size(b) ** 2:
        raise ShapeError(
            f"np.linalg.tensorsolve of shapes {np.shape(a)} and {np.shape(b)} at {user_line()}"
        )
    matrix = np.reshape(a, (np.size(b), np.size(b)))
    return np.reshape(np.linalg.solve(matrix, np.ravel(b)), unknown)


@implements(np.linalg.matrix_power)
def _matrix_power(a: Any, n: int) -> Traced:
    (node,), wrap = operands(a)
    _squares(node, "matrix_power")
    if not hasattr(known(n, "the exponent"), "__index__"):
        raise TypeError(
            f"np.linalg.matrix_power at {user_line()}: exponent {shown(n)} is not an integer"
        )
    power = operator.index(n)
    if power == 0:
        axes = tuple(range(node.ndim))
        identity = _ir.delta(node.shape[-1]), axes[-2:]
        return wrap(_ir.contract([identity], axes, node.shape, dtype=node.dtype))
    base = np.linalg.inv(a) if power < 0 else wrap(node)
    result, power = None, abs(power)
    while power:
        if power % 2:
            result = base if result is None else np.matmul(result, base)
        power //= 2
        base = np.matmul(base, base) if power else base
    return result


# Norms -------------------------------------------------------------------------------------------


@implements(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Axis = None, *, keepdims: bool = False) -> Traced:
    if axis is None and (ord is None or (ord in ("f", "fro") and np.ndim(x) == 2)):  # noqa: PLR2004
        axes = tuple(range(np.ndim(x)))
        return _vector_norm(x, 2, axes, keepdims=keepdims)
    axes = normal_axes(axis, np.ndim(x))
    if len(axes) == 1:
        return _vector_norm(x, 2 if ord is None else ord, axes, keepdims=keepdims)
    if len(axes) == 2:  # noqa: PLR2004 - a matrix
        return _matrix_norm(x, "fro" if ord is None else ord, axes, keepdims=keepdims)
    raise ShapeError(
        f"np.linalg.norm over {len(axes)} axes of shape {np.shape(x)} at {user_line()}; give one "
        "axis for vectors, two for matrices"
    )


@implements(np.linalg.vector_norm)
def _linalg_vector_norm(
    x: Any, /, *, axis: Axis = None, keepdims: bool = False, ord: Any = 2
) -> Traced:
    return _vector_norm(x, ord, normal_axes(axis, np.ndim(x)), keepdims=keepdims)


@implements(np.linalg.matrix_norm)
def _linalg_matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Traced:
    return _matrix_norm(x, ord, normal_axes((-2, -1), np.ndim(x)), keepdims=keepdims)


def _vector_norm(x: Any, ord: Any, axes: tuple[int, ...], *, keepdims: bool) -> Any:
    flat, _ = last(x, axes)
    (node,), wrap = operands(flat)
    refuse_complex(node, "np.linalg.norm")
    if isinstance(known(ord, "ord"), str):
        raise ShapeError(
            f"np.linalg.norm: order {shown(ord)} is not one of vectors, at {user_line()}"
        )
    if ord != ord:  # noqa: PLR0124 - nan
        raise ShapeError(f"np.linalg.norm of order nan, at {user_line()}; give a number")
    if not node.shape[-1] and ord < 0 and (ord == -np.inf or 0 not in node.shape[:-1]):
        raise ShapeError(f"np.linalg.norm: order {shown(ord)} of no entries, at {user_line()}")
    result = _norm_of_last_axis(wrap(node), ord) if node.shape[-1] else np.sum(wrap(node), -1)
    return np.expand_dims(result, axes) if keepdims else result


def _norm_of_last_axis(x: Any, ord: Any) -> Any:
    if ord == 2:  # noqa: PLR2004 - the Euclidean one
        return Expression(apply("norm", x._node), x._trace)
    if ord == np.inf:
        return np.max(np.abs(x), -1)
    if ord == -np.inf:
        return np.min(np.abs(x), -1)
    if ord == 0:
        return np.sum(np.where(x != 0, np.ones_like(x), np.zeros_like(x)), -1)
    if ord == 1:
        return np.sum(np.abs(x), -1)
    total = np.sum(np.abs(x) ** ord, -1)
    return np.where(total == 0, 0, total ** (1 / ord)) if ord > 0 else total ** (1 / ord)


def _matrix_norm(x: Any, ord: Any, axes: tuple[int, ...], *, keepdims: bool) -> Any:
    row, column = axes
    if ord in ("fro", "f"):
        return _vector_norm(x, 2, axes, keepdims=keepdims)
    if ord not in (1, -1, np.inf, -np.inf):
        raise UnsupportedFunctionError(
            f"np.linalg.norm: order {shown(ord)} of matrices is not supported on traced values (at "
            f"{user_line()}); use 'fro', 1, -1, inf or -inf"
        )
    (node,), wrap = operands(x)
    refuse_complex(node, "np.linalg.norm")
    summed, other = (row, column) if abs(ord) == 1 else (column, row)
    sums = np.sum(np.abs(wrap(node)), summed, keepdims=True)
    if not sums.shape[other] and ord > 0:  # NumPy starts at 0
        result = np.sum(sums, other, keepdims=True)
    elif ord > 0:
        result = np.max(sums, other, keepdims=True)
    else:
        result = np.min(sums, other, keepdims=True)
    return result if keepdims else np.squeeze(result, axes)
