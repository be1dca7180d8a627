"""Rows that are differentiated as what they equal: running products as scans.

In: a call of a row. Out: an equal expression, whose work is linear; products of its Jacobian.
Guaranteed: a product takes as many flops as a few evaluations, not as the Jacobian has entries. What
a Jacobian would be multiplied with is a derivative of the expression from its own operand on, so
nothing below that is looked at.

A long running product is one of blocks: a scan over `BLOCK` steps of all blocks at once, then the
running product of what the blocks come to. So of n numbers a few scans of `BLOCK` steps are made.

>>> from eingrad._primitives import apply
>>> x = _ir.new_input("x", (1000,))
>>> [n.shape for n in _ir.topological([expression_of(apply("cumprod", x))]) if kind_of(n)]
[]
"""

from collections.abc import Callable, Mapping, Sequence

from eingrad import _ir, _reuse
from eingrad._ir import Apply, Factor, Node
from eingrad._primitives import Kind, apply, kind_of, products_before, row_of, times
from eingrad._recurrence.row import Recurrence, results_of_scan, step_input
from eingrad._subscripts import Shape

BLOCK = 16
Pushforward = Callable[[Sequence[Node], Mapping[Node, Node], Shape], list[Node]]
Pullback = Callable[[Mapping[Node, Node], Sequence[Node], Shape], list[Node]]
Sweep = Callable[[Node, Node, Node, Shape], Node]  # of what, in what, what arrives, its more axes


def is_composed(node: Node) -> bool:
    """Whether a node is differentiated as an equal expression."""
    return kind_of(node) in (Kind.RUNNING, Kind.COMPOSED)


def expression_of(node: Apply) -> Node:
    """Give an equal expression of other rows, or of shorter running products."""
    composed = row_of(node).composed
    return composed(*node.operands) if composed else _running_product(*node.operands)


def _running_product(x: Node) -> Node:
    """Multiply the first 1, 2, ..., n entries along the last axis."""
    n, last = x.shape[-1], x.ndim - 1
    if n <= BLOCK:
        return _by_steps(x)
    blocks = -(-n // BLOCK)
    if blocks * BLOCK > n:
        ones = _ir.fill(1, (*x.shape[:-1], blocks * BLOCK - n), x.dtype)
        x = apply("concatenate", x, ones, axis=last)
    inside = apply("cumprod", _ir.reshape(x, (*x.shape[:-1], blocks, BLOCK)))
    ends = _ir.take(inside, last + 1, _ir.selection(range(BLOCK - 1, BLOCK), BLOCK))
    ends = _ir.reshape(ends, ends.shape[:-1])
    before = products_before(apply("cumprod", ends))
    before = _ir.broadcast(_ir.reshape(before, (*before.shape, 1)), inside.shape)
    whole = _ir.reshape(times(inside, before), x.shape)
    return _ir.take(whole, last, _ir.selection(range(n), blocks * BLOCK))


def _by_steps(x: Node) -> Node:
    """Multiply step by step, all rows at once."""
    *batch, n = x.shape
    carry, entry = (step_input(0, k, (*batch,), x.dtype) for k in range(2))
    product = times(carry, entry)
    step = Recurrence((), (carry,), (entry,), (product,), (product,))
    axes = range(x.ndim)
    slices = _ir.transpose(x, (axes[-1], *axes[:-1]))
    _, products = results_of_scan(step, [_ir.fill(1, (*batch,), x.dtype), slices], n)
    return _ir.transpose(products, (*axes[1:], 0))


# Products with its Jacobian ----------------------------------------------------------------------


def push_composed(node: Apply, tangent: Node, pushforward: Pushforward) -> Node | None:
    """Multiply the Jacobian by a tangent; None where that is to be written out.

    So it is where a delta ties the last axis: there each entry of the product is one of it.
    """

    def sweep(y: Node, x: Node, arriving: Node, more: Shape) -> Node:
        return pushforward([y], {x: arriving}, more)[0]

    return _through(node, tangent, range(node.ndim), "push", sweep)


def pull_composed(node: Apply, bar: Node, pullback: Pullback) -> Node | None:
    """Multiply a cotangent, whose last axes are those of the node, by the Jacobian; or None."""

    def sweep(y: Node, x: Node, arriving: Node, more: Shape) -> Node:
        return pullback({y: arriving}, [x], more)[0]

    return _through(node, bar, range(bar.ndim - node.ndim, bar.ndim), "pull", sweep)


def _through(
    node: Apply, arriving: Node, axes: range, name: str, sweep: Sweep
) -> Node | None:
    """Sweep what deltas place, and place the result: they are of batch axes."""
    if not _ir.carries_delta(arriving):
        return _swept(node, arriving, axes, name, sweep)
    own = tuple(arriving.out[axis] for axis in axes)
    tied = {index for _, term in arriving.structure for index in term}
    determined = {index for _, of, _ in arriving.determined for index in of}
    if own[-1] in tied or not determined.isdisjoint(own):
        return None
    cores = () if arriving.core is None else (arriving.core,)
    more = tuple(dict.fromkeys(i for _, term in cores for i in term if i not in own))
    term = (*own, *more) if axes.start == 0 else (*more, *own)
    first = axes.start and len(more)
    core = _ir.contract(cores, term, arriving.sizes, arriving.coefficient, arriving.dtype)
    swept = _swept(node, core, range(first, first + len(own)), name, sweep)
    factors = [Factor(swept, term), *arriving.structure]
    return _ir.contract(factors, arriving.out, arriving.sizes, 1, swept.dtype)


def _swept(node: Apply, arriving: Node, axes: range, name: str, sweep: Sweep) -> Node:
    """Sweep a stand-in for the node, whose operand has nothing below it, once for all like it."""
    more = (*arriving.shape[: axes.start], *arriving.shape[axes.stop :])
    (operand,) = node.operands
    known = node.primitive, node.attributes, node.shape, node.dtype
    x = step_input(0, 0, operand.shape, operand.dtype)
    bar = step_input(0, 1, arriving.shape, arriving.dtype)

    def make() -> Node:
        return sweep(expression_of(_like(node, x)), x, bar, more)

    found = _reuse.find_or_derive((name, *known, arriving.shape, arriving.dtype), make)
    return _ir.substitute([found], {x: operand, bar: arriving})[0]


def _like(node: Apply, x: Node) -> Apply:
    made = _ir.with_operands(node, [x])
    assert isinstance(made, Apply)
    return made
