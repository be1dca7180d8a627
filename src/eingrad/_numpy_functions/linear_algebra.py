"""Linear algebra of square matrices, in batches."""

from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._ir import Node
from eingrad._numpy_functions.operands import Traced, implements, operands
from eingrad._primitives import apply
from eingrad._tracer import broadcast_shapes, user_line
from eingrad.errors import DTypeError, ShapeError


def _square_matrices(node: Node, name: str) -> Node:
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


@implements(np.linalg.solve)
def _solve(a: Any, b: Any) -> Traced:
    nodes, wrap = operands(a, b)
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
