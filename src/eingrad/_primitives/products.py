"""Running products, and products of all entries but one: their Jacobians, and what they equal.

In: operands as nodes. Out: nodes.
Guaranteed: nothing divides by an entry, so zeros are right, one or many; a Jacobian that is written
out takes a few flops for each entry of it.

With ``y[k] = x[0] ... x[k]``, before[j] the product of the entries before j, and between[j,k] that
of the entries after j up to k,

    dy[k]/dx[j] = before[j] between[j,k]  for j <= k, else 0.

A row of ``before[j] between[j,k]`` is a running product again: of before[j], ones, and the entries
after j. What meets the Jacobian, and is no delta, meets an equal expression in its place: a scan
for a running product (see `_recurrence`), running products from both ends for all but one.
"""

import numpy as np

from eingrad import _ir
from eingrad._ir import Node
from eingrad._primitives.algebra import apply, times
from eingrad._primitives.row import Array


def products_before(y: Node) -> Node:
    """Give the product of the entries before each, of running products along the last axis."""
    n = y.shape[-1]
    one = _ir.fill(1, (*y.shape[:-1], 1), y.dtype)
    if n == 1:
        return one
    return apply("concatenate", one, _first(y, n - 1), axis=y.ndim - 1)


def cumprod_rule(x: Node, y: Node) -> Node:
    """``dY[k]/dX[j] = before[j] between[j,k]`` where j <= k, and 0 elsewhere."""
    n, last = x.shape[-1], x.ndim
    triangle = _triangle(x)
    products = apply("cumprod", _rows_from(products_before(y), x, triangle))
    products = _ir.take(products, last, _ir.selection(range(1, n + 1), n + 1))
    masked = apply("where", _before_or_at(x), products, _ir.zeros(products.shape, x.dtype))
    return _swapped(masked)


def others_of(x: Array) -> Array:
    """Multiply all entries but one, for each along the last axis."""
    one = np.ones_like(x[..., :1])
    before = np.cumprod(np.concatenate((one, x[..., :-1]), -1), -1)
    after = np.cumprod(np.concatenate((one, x[..., :0:-1]), -1), -1)
    return before * after[..., ::-1]


def others_from_both_ends(x: Node) -> Node:
    """Multiply what is before each entry by what is after it."""
    before = products_before(apply("cumprod", x))
    after = products_before(apply("cumprod", _flip(x)))
    return times(before, _flip(after))


def others_rule(x: Node, y: Node) -> Node:
    """``dY[i]/dX[j]``: the product of all but i and j, and 0 where they are the same.

    With i < j it is that of the entries before i, of those between, and of those after j.
    """
    n, last = x.shape[-1], x.ndim
    before = products_before(apply("cumprod", x))
    after = _flip(products_before(apply("cumprod", _flip(x))))
    triangle = _triangle(x)
    products = apply("cumprod", _rows_from(before, x, triangle))
    products = times(_ir.take(products, last, _ir.selection(range(n), n + 1)), _along(after, n))
    upper = apply("where", triangle, _ir.zeros(products.shape, x.dtype), products)
    return _ir.add([upper, _swapped(upper)])


def _rows_from(start: Node, x: Node, triangle: Node) -> Node:
    """Rows ``start[j], 1, ..., 1, x[j+1], ..., x[n-1]``."""
    n = x.shape[-1]
    factors = apply("where", triangle, _ir.fill(1, (*x.shape, n), x.dtype), _along(x, n))
    column = _ir.reshape(start, (*start.shape, 1))
    return apply("concatenate", column, factors, axis=x.ndim)


def _triangle(x: Node) -> Node:
    """Flags ``k <= j``, with the batch axes of x before j and k."""
    n = x.shape[-1]
    return _ir.broadcast(apply("tri", n=n, m=n, k=0, dtype="|b1"), (*x.shape, n))


def _before_or_at(x: Node) -> Node:
    """Flags ``j <= k``."""
    return _swapped(_triangle(x))


def _along(x: Node, n: int) -> Node:
    """Repeat entries along a new axis before the last."""
    return _ir.broadcast(_ir.reshape(x, (*x.shape[:-1], 1, x.shape[-1])), (*x.shape[:-1], n, n))


def _swapped(x: Node) -> Node:
    axes = range(x.ndim)
    return _ir.transpose(x, (*axes[:-2], axes[-1], axes[-2]))


def _first(x: Node, count: int) -> Node:
    return _ir.take(x, x.ndim - 1, _ir.selection(range(count), x.shape[-1]))


def _flip(x: Node) -> Node:
    n = x.shape[-1]
    return _ir.take(x, x.ndim - 1, _ir.selection(range(n - 1, -1, -1), n))
