"""Sums and other functions that reduce axes."""

from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._numpy_functions.operands import Axis, Traced, implements, normal_axes, operands
from eingrad._tracer import user_line
from eingrad.errors import ShapeError


@implements(np.sum)
def _sum(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Traced:
    (node,), wrap = operands(x)
    axes = normal_axes(axis, node.ndim)
    term = tuple(range(node.ndim))
    out = [i if i not in axes else node.ndim + i for i in term if keepdims or i not in axes]
    return wrap(_ir.contract((node,), (term,), out, {i: 1 for i in out if i >= node.ndim}))


@implements(np.mean)
def _mean(x: Any, axis: Axis = None, *, keepdims: bool = False) -> Traced:
    count = 1
    for a in normal_axes(axis, np.ndim(x)):
        count *= np.shape(x)[a]
    if count == 0:
        raise ShapeError(f"the mean of no elements at {user_line()} (shape {np.shape(x)})")
    return np.divide(np.sum(x, axis, keepdims=keepdims), count)
