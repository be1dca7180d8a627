"""What planned nodes cost, each by itself: to compare forms without writing a program of each.

In: roots whose products are pairwise. Out: flops, elements written, and what else decides.
Guaranteed: what a node costs depends on the node alone, so it is worked out once however many forms
have it; transposed twins, and the results of one call, are paid for once.

The program that is lowered costs that or a little less: what is scaled in a sum may be scaled in an
operand of it (`lower`).

>>> from eingrad import _ir
>>> a, b, v = (_ir.new_input(n, (3,) * k) for n, k in (("a", 2), ("b", 2), ("v", 1)))
>>> Prices().of([_ir.einsum("ij,j->i", a, _ir.einsum("ij,j->i", b, v))]).flops
36
"""

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from eingrad import _ir
from eingrad._cost import call_flops, contraction_flops, weighted
from eingrad._ir import Add, Apply, Coefficient, Einsum, Node, Placement, Product, Selection
from eingrad._plan.lower.products import twin_key
from eingrad._plan.mirror import is_mirror
from eingrad._plan.program import PASS
from eingrad._subscripts import Subscripts

_FEW_PASSES = 4
_LITTLE = 0.125  # of the cost


class Step(NamedTuple):
    """What one node costs: flops, and elements written, each time."""

    flops: int = 0
    written: int = 0

    @property
    def cost(self) -> int:
        """One number to compare by."""
        return weighted(self.flops, self.written)

    def and_then(self, other: "Step") -> "Step":
        """Add up two."""
        return Step(self.flops + other.flops, self.written + other.written)


class Price(NamedTuple):
    """What decides between forms.

    `only_writes` says whether a few passes over the result are nearly all of it: then no other form
    is much cheaper.
    """

    cost: int
    flops: int
    only_writes: bool


class Prices:
    """Costs of nodes, remembered."""

    def __init__(self) -> None:
        self._steps: dict[Node, tuple[Hashable, Step]] = {}

    def of(self, roots: Sequence[Node]) -> Price:
        """Add up the nodes below these roots."""
        order = _ir.topological(roots)
        written = {*roots}.union(*(_ir.children(n) for n in order if not isinstance(n, Add)))
        steps: dict[Hashable, tuple[Step, int]] = {}
        for node in order:
            key, step = self._step(node)
            if step.written and (node in written or not _ir.carries_delta(node)):
                steps.setdefault(key, (step, node.size))
        cost = sum(step.cost for step, _ in steps.values())
        largest = max((root.size for root in roots), default=0)
        rest = [step.cost for step, size in steps.values() if not _passes(step, size, largest)]
        few = len(steps) - len(rest) <= _FEW_PASSES and sum(rest) <= _LITTLE * cost
        return Price(cost, sum(step.flops for step, _ in steps.values()), few)

    def _step(self, node: Node) -> tuple[Hashable, Step]:
        found = self._steps.get(node)
        if found is None:
            found = self._steps[node] = _what_is_paid(node), _step(node)
        return found


def _passes(step: Step, size: int, largest: int) -> bool:
    """Whether a step takes a few flops for each element of the largest result."""
    return size >= largest and step.cost <= PASS * size


def _what_is_paid(node: Node) -> Hashable:
    """Give what a node shares with others that are paid for with it."""
    match node:
        case Product(factors=(_, _, *_)):
            return twin_key(node)
        case Apply():
            return node.primitive.identity, node.operands, node.attributes
    return node


def _step(node: Node) -> Step:
    match node:
        case Add():
            return _sum(node)
        case Apply() if not is_mirror(node):
            results = getattr(node.primitive, "results", 1)
            return Step(call_flops(node), results * node.size)
        case Product(factors=(_, _)):
            return _pair(node)
        case Placement(ties=True):
            return _placed(node, 1).and_then(Step(0, node.size))
        case Placement(structure=(_, *_)):
            return _moved(node).and_then(_times(node, node.size))
        case Product(factors=((operand, term),)) | Placement(factors=((operand, term),)):
            step, left = _reduced(operand, term, {*node.out})
            return step.and_then(_times(node, min(math.prod(left.values()), node.size)))
    return Step()


def _sum(node: Add) -> Step:
    """Add plain terms; write those that deltas tie onto the sum."""
    pairs = list(zip(node.terms, node.coefficients, strict=True))
    plain = [(n, c) for n, c in pairs if not _ir.carries_delta(n)]
    arrays = [(n, c) for n, c in plain if not _ir.is_fill(n)]
    step = Step()
    for n, c in arrays:
        step = step.and_then(_scaled(c, _cheapest_to_scale(n)))
    joined = (len(plain) - 1) * node.size if plain else 0
    if len(plain) > 1 or any(c == -1 for _, c in plain):
        turned = node.size if plain and all(c == -1 for _, c in plain) else 0
        step = step.and_then(Step(joined + turned, max(1, len(plain) - 1) * node.size))
    placed = [(n, c) for n, c in pairs if _ir.carries_delta(n)]
    for n, c in placed:
        step = step.and_then(_placed(n, c))
    return step.and_then(Step(0, node.size)) if placed else step


def _placed(node: Node, factor: Coefficient) -> Step:
    """Scale a core and write it to its place; what is around it is written once for all."""
    assert isinstance(node, Placement)
    labels = {*range(len(node.sizes))}.difference(*(of for _, of, _ in node.determined))
    step = Step(math.prod(node.sizes[index] for index in labels))
    if node.core and _ir.multiply(node.coefficient, factor) != 1:
        return step.and_then(Step(node.core.node.size, node.core.node.size))
    return step


def _cheapest_to_scale(node: Node) -> int:
    """Elements of the smallest operand: a sum scales that in place of a product it alone uses."""
    if isinstance(node, Product) and len(node.factors) > 1:
        return min(node.size, *(n.size for n in node.operands))
    return node.size


def _scaled(coefficient: Coefficient, size: int) -> Step:
    is_sign = not isinstance(coefficient, complex) and abs(coefficient) == 1
    return Step() if is_sign else Step(size, size)


def _pair(node: Product) -> Step:
    """Contract two operands, each reduced first to what the other or the result needs."""
    ((left, a), (right, b)), wanted = node.factors, {*node.out}
    first, sizes = _reduced(left, a, wanted.union(b))
    second, more = _reduced(right, b, wanted.union(a))
    smallest = min(math.prod(sizes.values()), math.prod(more.values()), node.size)
    summed = any(i in more and i not in wanted for i in sizes)
    step = Step(contraction_flops({**sizes, **more}, summed=summed), node.size)
    return first.and_then(second).and_then(step).and_then(_times(node, smallest))


def _times(node: Einsum, size: int) -> Step:
    return Step() if node.coefficient == 1 else Step(size, size)


def _reduced(node: Node, term: Subscripts, wanted: set[int]) -> tuple[Step, dict[int, int]]:
    """Sum over what nobody needs; give the sizes of what is left."""
    sizes = dict(zip(term, node.shape, strict=True))
    left = {index: size for index, size in sizes.items() if index in wanted}
    size = math.prod(left.values())
    if math.prod(sizes.values()) == size:  # what is dropped has one entry
        return (Step() if len(left) == len(sizes) else Step(0, size)), left
    return Step(contraction_flops(sizes, summed=True), size), left


def _moved(node: Placement) -> Step:
    """A slice is a view; what is gathered or reshaped is written."""
    match node:
        case Placement(structure=((Selection(table=range()), _),), repeated=()):
            return Step()
    return Step(0, node.size)


def peak_bytes(roots: Sequence[Node]) -> int:
    """Most memory live at once: what decides between forms of one cost. Views keep theirs alive."""
    order = _ir.topological(roots)
    base: dict[Node, Node] = {}
    first: dict[Hashable, Node] = {}
    last: dict[Node, int] = {}
    for n, node in enumerate(order):
        cores = [child for child in _ir.children(node) if child in base]
        is_view = isinstance(node, Einsum) and len(cores) == 1 and not _step(node).written
        base[node] = base[cores[0]] if is_view else first.setdefault(_what_is_paid(node), node)
        last.update((base[used], n) for used in (*cores, node))
    last.update((base[root], len(order)) for root in roots)
    dying: dict[int, int] = {}
    for node, n in last.items():
        dying[n] = dying.get(n, 0) + _bytes(node)
    peak = now = 0
    for n, node in enumerate(order):
        now += _bytes(node) if base[node] is node else 0
        peak = max(peak, now)
        now -= dying.get(n, 0)
    return peak


def _bytes(node: Node) -> int:
    return node.size * node.dtype.itemsize if _step(node).written else 0
