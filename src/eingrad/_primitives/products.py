"""Running products, and products of all entries but some: their Jacobians, and what they equal.

In: operands as nodes. Out: nodes; rows, one for each number of entries that are left out.
Guaranteed: nothing divides by an entry, so zeros are right, one or many; powers of two are apart, so
nothing leaves the range but results that do; a derivative that is written out takes a few flops for
each entry of it.

With ``y[k] = x[0] ... x[k]``, before[j] the product of the entries before j, and up_to[j,k] that of
the entries after j up to k, zero where k < j, those left out in their order,

    d^n y[k] / dx[j1] ... dx[jn] = before[j1] up_to[j1,j2-1] ... up_to[jn,k],

and zero where two are the same. `np.prod` is the last of them: so what its derivatives leave out of
the product is one more each time. What meets such a derivative, and is no delta, meets an equal
expression in its place: a scan for a running product (see `_recurrence`), running products from both
ends for all but one. In all of them the factors are scaled (`scaling`): products of a part of them
may leave the range.
"""

import functools
import itertools
import math
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._ir import Factor, Node
from eingrad._precedence import closed
from eingrad._primitives.algebra import apply
from eingrad._primitives.row import Array, Kind, Primitive
from eingrad._primitives.samples import reals
from eingrad._primitives.scaling import by_power, scaled_factors
from eingrad._subscripts import Subscripts

_IN_RANGE = "cumprod_in_range"


@functools.cache
def all_but(count: int, *, is_running: bool) -> Primitive:
    """Make the row of products of all entries but some; of all up to each, where it `is_running`.

    A name for an expression: it is written out when it is planned.
    """
    name = f"{'running' if is_running else ''}others{count if count > 1 else ''}"
    return Primitive(
        name,
        lambda x: _values(x, count, is_running=is_running),
        reals,
        (lambda x, y: leave_out(x, count + 1, is_running=is_running),),
        core=(count + is_running, 1),
        kind=Kind.COMPOSED,
        composed=lambda x: _expression(x, count, is_running=is_running),
        flops=lambda y, a: 3 * math.prod(y),
        plain=closed(f"{name}({{0}})"),
    )


def leave_out(x: Node, count: int, *, is_running: bool) -> Node:
    """Multiply all entries but so many, for all ways to choose those: axes of results first."""
    n = x.shape[-1]
    shape = (*x.shape[:-1], *[n] * (count + is_running))
    if count > n:
        return _ir.zeros(shape, x.dtype)
    return _ir.apply_node(all_but(count, is_running=is_running), [x], {}, 0, shape, x.dtype)


def prod_rule(x: Node, y: Node) -> Node:
    """``d prod(x)/dx[k]``: the product of all others, with no division."""
    return leave_out(x, 1, is_running=False)


def cumprod_rule(x: Node, y: Node) -> Node:
    """``dY[k]/dX[j] = before[j] up_to[j,k]``."""
    return leave_out(x, 1, is_running=True)


def in_range_rule(x: Node, y: Node) -> Node:
    """Give the Jacobian of running products where none leaves the range."""
    return _products(x, 1, is_running=True)


def running_products(x: Node) -> Node:
    """Multiply factors up to each, powers of two apart."""
    return _expression(x, 0, is_running=True)


def products_before(y: Node) -> Node:
    """Give the product of the entries before each, of running products along the last axis."""
    n = y.shape[-1]
    one = _ir.fill(1, (*y.shape[:-1], 1), y.dtype)
    if n == 1:
        return one
    first = _ir.take(y, y.ndim - 1, _ir.selection(range(n - 1), n))
    return apply("concatenate", one, first, axis=y.ndim - 1)


# Expressions -------------------------------------------------------------------------------------


def _expression(x: Node, count: int, *, is_running: bool) -> Node:
    """Write the products out: of factors in range, times powers of two."""
    scaled = scaled_factors(x)
    if scaled is None:
        return _products(x, count, is_running=is_running)
    products = _products(scaled.factors, count, is_running=is_running)
    batch, end, places = _axes(x, count)
    out = (*batch, *end[:is_running], *places)
    sizes = dict(zip(out, products.shape, strict=True))
    whole = (scaled.running, (*batch, *end)) if is_running else (scaled.total, batch)
    exponents = [whole, *((scaled.own, (*batch, place)) for place in places)]
    spread = [_ir.contract([pair], out, sizes) for pair in exponents]
    return by_power(_ir.add(spread, [1, *[-1] * count]), products)


def _products(x: Node, count: int, *, is_running: bool) -> Node:
    """Write the products out, of factors no product of which leaves the range."""
    running = apply(_IN_RANGE, x)
    if count == 0:
        return running
    batch, end, places = _axes(x, count)
    factors = [Factor(products_before(running), (*batch, places[0]))]
    if count > 1 or is_running:
        up_to = _up_to(x)
        n = x.shape[-1]
        between = _ir.take(up_to, up_to.ndim - 1, _ir.selection([-1, *range(n - 1)], n))
        factors += [Factor(between, (*batch, *pair)) for pair in itertools.pairwise(places)]
    last = (up_to, (*batch, places[-1], *end)) if is_running else (_after(x), (*batch, places[-1]))
    rest = (*batch, *end[:is_running])
    in_order = _ir.contract([*factors, last], (*rest, *places))
    first = len(rest)
    orders = itertools.permutations(range(first, first + count))
    return _ir.add([_ir.transpose(in_order, (*range(first), *order)) for order in orders])


def _axes(x: Node, count: int) -> tuple[Subscripts, Subscripts, Subscripts]:
    """Number the axes of a batch, of running products, and of entries that are left out."""
    last = x.ndim - 1
    return tuple(range(last)), (last,), tuple(range(x.ndim, x.ndim + count))


def _up_to(x: Node) -> Node:
    """``up_to[j,k]``, the product of the entries after j up to k: one at j, zero before it."""
    n, last = x.shape[-1], x.ndim - 1
    axes = tuple(range(last))
    rows = _ir.contract([(x, (*axes, last + 1))], (*axes, last, last + 1), {last: n})
    first, before = (
        _ir.broadcast(apply("tri", n=n, m=n, k=k, dtype="|b1"), rows.shape) for k in (0, -1)
    )
    products = apply(_IN_RANGE, apply("where", first, _ir.fill(1, rows.shape, x.dtype), rows))
    return apply("where", before, _ir.zeros(rows.shape, x.dtype), products)


def _after(x: Node) -> Node:
    """Multiply the entries after each."""
    return _flip(products_before(apply(_IN_RANGE, _flip(x))))


def _flip(x: Node) -> Node:
    n = x.shape[-1]
    return _ir.take(x, x.ndim - 1, _ir.selection(range(n - 1, -1, -1), n))


# Values ------------------------------------------------------------------------------------------


def _values(x: Array, count: int, *, is_running: bool) -> Array:
    """Multiply with NumPy, choice by choice."""
    n = x.shape[-1]
    result = np.zeros((*x.shape[:-1], *[n] * (count + is_running)), x.dtype)
    for places in itertools.permutations(range(n), count):
        kept = x.copy()
        kept[..., places] = 1
        products = np.cumprod(kept, -1)
        last: Any = slice(max(places, default=0), None) if is_running else -1
        result[(..., *([last] if is_running else []), *places)] = products[..., last]
    return result
