"""Linear recurrences, ``t[k] = a[k] t[k-1] + b[k]``: products with Jacobians of running products.

In: nodes whose first axis is that of the steps. Out: all t; or, backward, with ``t[k+1]``.
Guaranteed: a few flops for each entry of b, and a number of statements that grows as the logarithm
of the number of steps.

Few steps are a scan. More of them are a scan over `BLOCK` steps of all blocks at once, each
beginning with zero; what each block begins with is a linear recurrence of the blocks, and is handed
on by the running products of a.

>>> a, b = (_ir.new_input(name, (100,)) for name in "ab")
>>> linear_recurrence(a, b, ()).shape
(100,)
"""

from collections.abc import Sequence

from eingrad import _ir
from eingrad._ir import Node
from eingrad._primitives import apply
from eingrad._recurrence.row import Recurrence, result_of_scan, step_input
from eingrad._recurrence.scaled import without_scale

BLOCK = 16
_MOST_AT_ONCE = 4 * BLOCK  # of a few blocks, parting them takes longer


def linear_recurrence(a: Node, b: Node, axes: Sequence[int], *, is_backward: bool = False) -> Node:
    """Solve ``t[k] = a[k] t[k-1] + b[k]``, or backward, ``t[k] = a[k] t[k+1] + b[k]``.

    Axes of `a` after the first are the `axes` of b after the first that these numbers say.
    """
    given, scale = without_scale({"b": b})
    return _ir.scale(_solved(a, given["b"], axes, is_backward=is_backward), scale)


def _solved(a: Node, b: Node, axes: Sequence[int], *, is_backward: bool) -> Node:
    """Solve it as it stands: its scale is moderate."""
    steps = b.shape[0]
    if steps <= _MOST_AT_ONCE:
        return _by_steps(a, b, axes, is_backward=is_backward)
    blocks = -(-steps // BLOCK)
    a, b = (_in_blocks(n, blocks) for n in (a, b))
    of_blocks = (0, *(axis + 1 for axis in axes))
    inside = _by_steps(a, b, of_blocks, is_backward=is_backward)
    handed = _running_products(a, is_backward=is_backward)
    end = 0 if is_backward else BLOCK - 1
    ends, products = (_row(n, end) for n in (inside, handed))
    starts = _solved(products, ends, axes, is_backward=is_backward)
    starts = _shifted(starts, is_backward=is_backward)
    term = tuple(range(1, inside.ndim))
    products_on = (0, *(1 + axis for axis in of_blocks))
    first = _ir.contract([(handed, products_on), (starts, term)], (0, *term))
    return _in_a_row(_ir.add([inside, first]), steps)


def _by_steps(a: Node, b: Node, axes: Sequence[int], *, is_backward: bool) -> Node:
    carry, entry = (step_input(0, k, b.shape[1:], b.dtype) for k in (0, 2))
    factor = step_input(0, 1, a.shape[1:], a.dtype)
    term = tuple(range(carry.ndim))
    result = _ir.add([entry, _ir.contract([(factor, axes), (carry, term)], term)])
    step = Recurrence((), (carry,), (factor, entry), (result,), (result,))
    operands = [_ir.zeros(carry.shape, carry.dtype), a, b]
    return result_of_scan(step, operands, b.shape[0], 1, is_backward=is_backward)


def _in_blocks(x: Node, blocks: int) -> Node:
    """Part the first axis into steps and blocks, in this order; zeros at the end."""
    steps = x.shape[0]
    table = [*range(steps), *[-1] * (blocks * BLOCK - steps)]
    longer = _ir.take(x, 0, _ir.selection(table, steps))
    parted = _ir.reshape(longer, (blocks, BLOCK, *x.shape[1:]))
    return _ir.transpose(parted, (1, 0, *range(2, parted.ndim)))


def _in_a_row(x: Node, steps: int) -> Node:
    moved = _ir.transpose(x, (1, 0, *range(2, x.ndim)))
    whole = _ir.reshape(moved, (moved.shape[0] * BLOCK, *moved.shape[2:]))
    return _ir.take(whole, 0, _ir.selection(range(steps), whole.shape[0]))


def _running_products(a: Node, *, is_backward: bool) -> Node:
    """Multiply the entries from where a block begins up to each."""
    order = range(BLOCK - 1, -1, -1) if is_backward else range(BLOCK)
    picks, last = _ir.selection(order, BLOCK), a.ndim - 1
    turned = _ir.transpose(a, (*range(1, a.ndim), 0))
    products = _ir.take(apply("cumprod", _ir.take(turned, last, picks)), last, picks)
    return _ir.transpose(products, (last, *range(last)))


def _row(x: Node, place: int) -> Node:
    one = _ir.take(x, 0, _ir.selection(range(place, place + 1), x.shape[0]))
    return _ir.reshape(one, x.shape[1:])


def _shifted(x: Node, *, is_backward: bool) -> Node:
    """What each begins with: the one before, or after it; zero where there is none."""
    n = x.shape[0]
    table = [*range(1, n), -1] if is_backward else [-1, *range(n - 1)]
    return _ir.take(x, 0, _ir.selection(table, n))
