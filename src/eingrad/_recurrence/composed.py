"""Rows through which nothing goes by their Jacobian, unless deltas do: running products.

In: a call of a row, and what its Jacobian is to be multiplied with. Out: the product.
Guaranteed: it takes a few flops for each entry of what arrives, where the Jacobian has n times as
many; but for a delta that arrives: then the product has the entries of the Jacobian, and meets it.

With ``y[k] = x[0] ... x[k]``, and before[k] the product of the entries before x[k], a tangent is
``t[k] = x[k] t[k-1] + before[k] dx[k]``; a cotangent is ``before[k] s[k]``, with
``s[k] = x[k+1] s[k+1] + c[k]``: linear recurrences. A row with an equal expression of such rows is
differentiated as that.

>>> from eingrad._primitives import apply
>>> x, v = (_ir.new_input(name, (1000,)) for name in "xv")
>>> ((product, _),), rest = push_composed(apply("cumprod", x), [(v, 1)], lambda *_: [])
>>> product.shape
(1000,)
"""

from collections.abc import Callable, Mapping, Sequence

from eingrad import _ir, _reuse
from eingrad._ir import Apply, Coefficient, Factor, Node, Placement
from eingrad._primitives import Kind, cast, kind_of, products_before, row_of
from eingrad._recurrence.linear import linear_recurrence
from eingrad._recurrence.row import step_input
from eingrad._subscripts import Shape

_FEW = 4  # entries, whose Jacobian is as small as what a scan of them takes
Pushforward = Callable[[Sequence[Node], Mapping[Node, Node], Shape], list[Node]]
Pullback = Callable[[Mapping[Node, Node], Sequence[Node], Shape], list[Node]]
Term = tuple[Node, Coefficient]
Sweep = Callable[[Node, Node, Node], Node]  # of what, in what, what arrives


def is_composed(node: Node) -> bool:
    """Whether a node is differentiated as an equal expression."""
    return kind_of(node) in (Kind.RUNNING, Kind.COMPOSED)


def expression_of(node: Apply) -> Node:
    """Give an equal expression: of scans, and of running products of fewer entries."""
    composed = row_of(node).composed
    return composed(*node.operands) if composed else _as_recurrence(*node.operands)


def _as_recurrence(x: Node) -> Node:
    """``y[k] = x[k] y[k-1] + b[k]``, of b all is zero but ``b[0] = x[0]``."""
    last, n = x.ndim - 1, x.shape[-1]
    factors = _ir.transpose(x, (last, *range(last)))
    first = _ir.take(factors, 0, _ir.selection([0, *[-1] * (n - 1)], n))
    products = linear_recurrence(factors, first, range(last))
    return _ir.transpose(products, (*range(1, x.ndim), 0))


# Products with its Jacobian ----------------------------------------------------------------------


def push_composed(
    node: Apply, tangents: Sequence[Term], pushforward: Pushforward
) -> tuple[list[Term], list[Term]]:
    """Multiply the Jacobian by the terms of a tangent; give also those that are to meet it.

    Such a term has a delta between the last axis and one of directions.
    """

    def sweep(y: Node, x: Node, tangent: Node) -> Node:
        return pushforward([y], {x: tangent}, tangent.shape[x.ndim :])[0]

    if node.shape[-1] <= _FEW:
        return [], [*tangents]

    def through(tangent: Node) -> Node:
        if kind_of(node) is Kind.RUNNING:
            return _tangent(node, tangent)
        return _swept(node, tangent, "push", sweep)

    return _through(tangents, range(node.ndim), through)


def pull_composed(
    node: Apply, bars: Sequence[Term], pullback: Pullback
) -> tuple[list[Term], list[Term]]:
    """Multiply the terms of a cotangent, whose last axes are those of the node, by the Jacobian."""
    more = bars[0][0].ndim - node.ndim

    def sweep(y: Node, x: Node, bar: Node) -> Node:
        return pullback({y: bar}, [x], bar.shape[:more])[0]

    if node.shape[-1] <= _FEW:
        return [], [*bars]

    def through(bar: Node) -> Node:
        if kind_of(node) is Kind.RUNNING:
            return _cotangent(node, bar)
        return _swept(node, bar, "pull", sweep)

    return _through(bars, range(more, more + node.ndim), through)


def _through(
    arriving: Sequence[Term], axes: range, through: Callable[[Node], Node]
) -> tuple[list[Term], list[Term]]:
    """Part terms by what deltas tie to directions: nothing, batch axes, or the last axis."""
    whole: list[Term] = []
    placed: list[Term] = []
    tied: list[Term] = []
    for node, number in arriving:
        outer = _ties_to_others(node, axes) if isinstance(node, Placement) else []
        if not isinstance(node, Placement) or not outer:
            whole.append((node, number))
            continue
        found = _placed(node, outer, axes, through)
        if found is None:
            tied.append((node, number))
        else:
            placed.append((found, number))
    total = [through(_ir.add(*zip(*whole, strict=True)))] if whole else []
    return [*((node, 1) for node in total), *placed], tied


def _placed(
    arriving: Placement, outer: Sequence[Factor], axes: range, through: Callable[[Node], Node]
) -> Node | None:
    """Go through with what deltas place, and place that; None where they tie the last axis."""
    own = arriving.out[axes.start : axes.stop]
    tied = {index for _, term in outer for index in term}
    determined = tied.intersection(i for _, of, _ in arriving.determined for i in of)
    if own[-1] in tied or not determined.isdisjoint(own):
        return None
    inner = [f for f in arriving.factors if f not in outer]
    core = () if arriving.core is None else arriving.core.term
    kept = tied.union(arriving.out).difference(own)
    more = tuple(dict.fromkeys(i for i in core if i in kept))
    term = (*own, *more) if axes.start == 0 else (*more, *own)
    sizes, dtype = arriving.sizes, arriving.dtype
    found = through(_ir.contract(inner, term, sizes, arriving.coefficient, dtype))
    return _ir.contract([Factor(found, term), *outer], arriving.out, sizes, 1, found.dtype)


def _ties_to_others(arriving: Placement, axes: range) -> list[Factor]:
    """The structure that ties axes of the node to those of directions, by one factor or several."""
    own = arriving.out[axes.start : axes.stop]
    reached = {*arriving.out}.difference(own)
    outer: list[Factor] = []
    rest = [*arriving.structure]
    while found := [f for f in rest if not reached.isdisjoint(f.term)]:
        outer += found
        rest = [f for f in rest if f not in found]
        reached.update(i for _, term in found for i in term if i not in own)
    return outer


def _swept(node: Apply, arriving: Node, name: str, sweep: Sweep) -> Node:
    """Sweep an equal expression of a stand-in, which has nothing below it: once for all like it."""
    (operand,) = node.operands
    x = step_input(0, 0, operand.shape, operand.dtype)
    seed = step_input(0, 1, arriving.shape, arriving.dtype)

    def make() -> Node:
        like = _ir.with_operands(node, [x])
        assert isinstance(like, Apply)
        return sweep(expression_of(like), x, seed)

    known = node.primitive, node.attributes, operand.shape, operand.dtype
    found = _reuse.find_or_derive((name, *known, arriving.shape, arriving.dtype), make)
    return _ir.substitute([found], {x: operand, seed: arriving})[0]


# Running products --------------------------------------------------------------------------------


def _tangent(node: Apply, tangent: Node) -> Node:
    x = cast(node.operands[0], tangent.dtype)
    last, axes = node.ndim - 1, tuple(range(tangent.ndim))
    before = products_before(cast(node, tangent.dtype))
    b = _ir.contract([(before, axes[: node.ndim]), (tangent, axes)], axes)
    batch = range(last)
    a = _ir.transpose(x, (last, *batch))
    b = _ir.transpose(b, (last, *batch, *axes[last + 1 :]))
    found = linear_recurrence(a, b, batch)
    return _ir.transpose(found, (*range(1, last + 1), 0, *axes[last + 1 :]))


def _cotangent(node: Apply, bar: Node) -> Node:
    x = cast(node.operands[0], bar.dtype)
    n, last, axes = node.shape[-1], bar.ndim - 1, tuple(range(bar.ndim))
    a = _ir.take(x, node.ndim - 1, _ir.selection([*range(1, n), -1], n))
    a = _ir.transpose(a, (node.ndim - 1, *range(node.ndim - 1)))
    b = _ir.transpose(bar, (last, *axes[:-1]))
    found = linear_recurrence(a, b, axes[bar.ndim - node.ndim : -1], is_backward=True)
    found = _ir.transpose(found, (*axes[1:], 0))
    before = products_before(cast(node, bar.dtype))
    return _ir.contract([(before, axes[bar.ndim - node.ndim :]), (found, axes)], axes)
