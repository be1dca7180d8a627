"""Which candidates are built: bounds from the undifferentiated graph, and one table of rules.

In: a node that is to be differentiated, and in what. Out: the directions that are worth building,
and the rule that says so.
Guaranteed: one pass over the graph for each direction and variable; nothing is differentiated.

A *sweep* multiplies one vector by all local Jacobians. Forward takes as many as the variable has
entries, reverse as many as the result has: fewer where deltas tie the entries of a node to those
of the variable, or where a node depends on few of them. That is not counted to the last flop, for
what a product is made of decides `_plan`; so what is nearly as cheap is built too, and priced.

>>> from eingrad import _ir
>>> x, w = _ir.new_input("x", (9,)), _ir.new_input("w", (9, 9))
>>> y = x
>>> for _ in range(3):
...     y = _ir.einsum("ij,j->i", w, _ir.einsum("i,i->i", y, y))
>>> loss = _ir.einsum("i,i->", y, y)
>>> sweeps(loss, [x], "forward") // sweeps(loss, [x], "reverse")
6
>>> directions(Differentiation(loss, (x,)))
(('reverse',), 'the other direction has the larger bound')
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from eingrad import _ir
from eingrad._cost import call_flops, contraction_flops, roughly
from eingrad._ir import Add, Apply, Einsum, Node, Placement, Product
from eingrad._limits import BUDGET, POLICY
from eingrad._locks import lazy
from eingrad._primitives import core_ndims, is_elementwise
from eingrad._recurrence import is_scan, scan_of

Candidates = tuple[tuple[str, int], ...]


# Rules -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Differentiation:
    """One differentiation: of `y` in `variables`. Of a gradient, it may make a `hessian`."""

    y: Node
    variables: tuple[Node, ...]
    last: bool = True
    hessian: bool = False
    of_value: bool = False  # of the user's value, whose factors have his order

    @lazy
    def nodes(self) -> int:
        """How many nodes are differentiated."""
        return len(_ir.topological([self.y]))

    @lazy
    def has_many(self) -> bool:
        """Whether many nodes are computed; those of the step of a scan, as often as it runs."""
        return _count([self.y]) > POLICY.nodes_one_way

    @lazy
    def bounds(self) -> dict[str, int]:
        """Least time of each direction, with that of writing the result, which is the same."""
        size = POLICY.passes * self.y.size * sum(x.size for x in self.variables)
        result = roughly(size, size)
        return {name: result + sweeps(self.y, self.variables, name) for name in DIRECTIONS}

    @property
    def smaller(self) -> str:
        """The direction of the smaller bound."""
        return min(DIRECTIONS, key=self.bounds.__getitem__)

    @property
    def is_decided(self) -> bool:
        """Whether one bound is far above the other."""
        least, most = sorted(self.bounds.values())
        return most > POLICY.within * least


class Rule(NamedTuple):
    """A rule of choice: when it applies, the directions that are built then, what it says."""

    applies: Callable[[Differentiation], bool]
    directions: Callable[[Differentiation], tuple[str, ...]]
    says: str


class Choice(NamedTuple):
    """What was compared, with flops, the one that was taken first; and the rule that decided."""

    candidates: Candidates = ()
    rule: str = ""


ONLY_WRITES = "little is done but to write the result: no direction is much cheaper"
FEWER_CALLS = "the arrays are small, and the other direction makes far more calls"
IN_SERIES = "in one number, derivatives are coefficients of a series"
DIRECTIONS = ("reverse", "forward")

# The first that applies decides. A scalar in many numbers is never much cheaper forward. A gradient
# is one network that is read from either end: its derivative costs the same both ways, but for a
# hundredth, and forward leaves fewer terms. So it does where more orders follow.
RULES = (
    Rule(
        lambda s: s.y.size == sum(x.size for x in s.variables) == 1 and not (s.last and s.of_value),
        lambda _: ("forward",),
        "one number in one number is taken forward, and made of what its value is made of",
    ),
    Rule(
        lambda s: s.y.size == 1 and (not s.last or s.has_many),
        lambda _: ("reverse",),
        "a scalar of many nodes, or to be differentiated again, is taken in reverse",
    ),
    Rule(
        lambda s: (s.hessian and s.has_many) or (not s.last and s.y.size > 1 and not s.is_decided),
        lambda _: ("forward",),
        "a gradient of many nodes is differentiated forward: both ends are alike",
    ),
    Rule(
        lambda s: s.is_decided or s.nodes > BUDGET.compared_nodes,
        lambda s: (s.smaller,),
        "the other direction has the larger bound",
    ),
    Rule(
        lambda _: True,
        lambda _: DIRECTIONS,
        "the bounds are near each other: the lower price",
    ),
)


def directions(step: Differentiation) -> tuple[tuple[str, ...], str]:
    """Say which directions are built, first the one that may settle it, and by what rule.

    >>> x = _ir.new_input("x", (2,))
    >>> directions(Differentiation(x, (x,), last=False))[0]
    ('forward',)
    """
    rule = next(rule for rule in RULES if rule.applies(step))
    found = rule.directions(step)
    if len(found) > 1:
        first = "forward" if step.hessian else step.smaller
        found = tuple(sorted(found, key=lambda name: name != first))
    return found, rule.says


def _count(roots: Sequence[Node]) -> int:
    order = _ir.topological(roots)
    scans = {(scan_of(n), n.operands) for n in order if is_scan(n)}
    return len(order) + sum(row.length * _count(row.recurrence.results) for row, _ in scans)


def may_plan_between(values: Sequence[Node], order: int) -> bool:
    """Whether derivatives may be planned before their own are taken: where that is little work."""
    return order > 1 and len(_ir.topological(values)) <= BUDGET.nodes_between


def may_be_a_series(variables: Sequence[Node], order: int) -> bool:
    """Whether derivatives may be taken from a series: in one number, where that may be less work.

    Two orders are products of what the value is made of anyway.
    """
    return order > 2 and len(variables) == 1 and variables[0].size == 1  # noqa: PLR2004


def is_compared_in_print(outputs: Sequence[Node]) -> bool:
    """Whether the directions that were not built are priced for `print(plan)`."""
    return len(_ir.topological(outputs)) <= BUDGET.nodes_in_print


Axes = frozenset[int]


# Bounds ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Carried:
    """What is known of the derivative at a node: how many columns it has, and its deltas.

    `sources` are bits: what the node depends on, as numbered by `_Columns`. Axes that are `tied`
    need no entries of their own. What is `pure` is deltas alone, and multiplied for nothing.
    """

    sources: int
    tied: Axes
    pure: bool

    def size(self, node: Node, columns: int) -> int:
        """How many columns there are for each entry of a node, deltas left out; times its size."""
        return node.size * columns // max(1, math.prod(node.shape[axis] for axis in self.tied))


class _Columns:
    """Entries that the derivative is taken in, or of: all, and those that a part consists of."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._sizes = [total]

    def of(self, sources: int) -> int:
        """Count the entries of some sources together."""
        found = sum(size for n, size in enumerate(self._sizes) if sources >> n & 1)
        return min(found, self._total)

    def part(self, sources: int, size: int) -> int:
        """Number a part of some sources, if it is smaller."""
        if size >= self.of(sources):
            return sources
        self._sizes.append(size)
        return 1 << len(self._sizes) - 1


def sweeps(y: Node, variables: Sequence[Node], direction: str) -> int:
    """Estimate what differentiating in one direction costs, apart from local Jacobians."""
    order = _dependents(y, variables)
    if direction == "reverse":
        return _backward(y, order)
    return sum(_forward(x, _dependents(y, [x])) for x in variables)


def is_entrywise(y: Node, x: Node) -> bool:
    """Whether each entry depends on one of the variable, as deltas and selections tell.

    >>> x, w = _ir.new_input("x", (2,)), _ir.new_input("w", (3,))
    >>> layer = _ir.einsum("i,a->ia", x, w)
    >>> [is_entrywise(_ir.einsum(f"ia,a->{out}", layer, w), x) for out in ("i", "a")]
    [True, False]
    """
    if y.shape != x.shape:
        return False
    carried = _carry(x, _dependents(y, [x]))[0].get(y)
    return carried is not None and len(carried.tied) == y.ndim


def _dependents(y: Node, variables: Iterable[Node]) -> list[Node]:
    found: dict[Node, None] = {}
    sources = {*variables}
    for node in _ir.topological([y]):
        if node in sources or any(child in found for child in _ir.children(node)):
            found[node] = None
    return [*found]


def _forward(x: Node, order: Sequence[Node]) -> int:
    return _carry(x, order)[1]


def _carry(x: Node, order: Sequence[Node]) -> tuple[dict[Node, _Carried], int]:
    """Carry what is known of derivatives forward; give it with the cost."""
    columns, cost = _Columns(x.size), 0
    carried: dict[Node, _Carried] = {}
    for node in order:
        arriving = [_seed(x)] if node is x else []
        for k, below in enumerate(_ir.children(node)):
            if node is not x and below in carried:
                state, work = _multiply(carried[below], node, k, columns, up=True)
                arriving.append(state)
                cost += work
        if arriving:
            carried[node], work = _sum(arriving, node, columns)
            cost += work
    return carried, cost


def _backward(y: Node, order: Sequence[Node]) -> int:
    columns, cost, known = _Columns(y.size), 0, {*order}
    arriving: dict[Node, list[_Carried]] = {node: [] for node in order}
    if y in arriving:
        arriving[y].append(_seed(y))
    for node in reversed(order):
        if not arriving[node]:
            continue
        carried, work = _sum(arriving[node], node, columns)
        cost += work
        for k, below in enumerate(_ir.children(node)):
            if below in known:
                state, work = _multiply(carried, node, k, columns, up=False)
                arriving[below].append(state)
                cost += work
    return cost


def _seed(node: Node) -> _Carried:
    return _Carried(1, frozenset(range(node.ndim)), True)


def _sum(terms: Sequence[_Carried], node: Node, columns: _Columns) -> tuple[_Carried, int]:
    """Add what arrives at a node; axes stay tied that are so in all terms."""
    if len(terms) == 1:
        return terms[0], 0
    sources, tied = 0, terms[0].tied
    for term in terms:
        sources |= term.sources
        tied &= term.tied
    total = _Carried(sources, tied, all(term.pure for term in terms))
    size = 0 if total.pure else total.size(node, columns.of(sources))
    return total, (len(terms) - 1) * roughly(size, size)


def _multiply(
    carried: _Carried, node: Node, k: int, columns: _Columns, *, up: bool
) -> tuple[_Carried, int]:
    """Multiply by the Jacobian of a node in its operand k, from either side."""
    below = _ir.children(node)[k]
    start, end = (below, node) if up else (node, below)
    pairs, flops = _jacobian(node, k)
    tied = frozenset(b if up else a for a, b in pairs if (a if up else b) in carried.tied)
    if flops is None:  # nothing is computed
        if not carried.pure:
            return _Carried(carried.sources, tied, False), 0
        sources = columns.part(carried.sources, end.size)
        is_moved = isinstance(node, Placement) and bool(node.structure)
        return _Carried(sources, frozenset(range(end.ndim)) if is_moved else tied, True), 0
    each = max(1, math.prod(start.shape[axis] for axis in carried.tied))
    many = columns.of(carried.sources)
    after = _Carried(carried.sources, tied, False)
    is_local = carried.pure and not is_scan(node)  # of a scan there is no Jacobian to begin with
    work = 0 if is_local else roughly(flops * many // each, after.size(end, many))
    return after, work


def _jacobian(node: Node, k: int) -> tuple[list[tuple[int, int]], int | None]:
    """Say which axes of operand k are axes of a node, and what a product with the Jacobian takes.

    None for what only moves entries.
    """
    below = _ir.children(node)[k]
    if isinstance(node, Einsum):
        place = {index: axis for axis, index in enumerate(node.out)}
        term = node.factors[k].term
        pairs = [(axis, place[index]) for axis, index in enumerate(term) if index in place]
        is_computed = isinstance(node, Product) and not node.is_view
        sizes = dict(enumerate(node.sizes))
        return pairs, contraction_flops(sizes, summed=node.sums) if is_computed else None
    if isinstance(node, Add) or is_elementwise(node):
        pairs = [(axis, axis) for axis in range(node.ndim)]
        return pairs, None if isinstance(node, Add) else node.size
    assert isinstance(node, Apply)
    batch = node.ndim - core_ndims(node, k)[0]
    flops = call_flops(node)
    is_moved = below.ndim == batch
    return [(axis, axis) for axis in range(batch)], flops if not is_moved else node.size
