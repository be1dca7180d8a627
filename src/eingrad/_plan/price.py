"""What planned nodes cost, each by itself: to compare forms without writing a program of each.

In: roots whose products are pairwise. Out: picoseconds, flops, and what else decides.
Guaranteed: what a node costs is the predicted time of the statements that lowering writes for it.
It depends on the node alone and on the order in which its operands lie, so it is worked out once
however many forms have it; transposed twins, and the results of one call, are paid for once.

An outer product is priced as if no user had written it: one that he did takes longer in all forms.
The program that is lowered takes that time or a little less: what is scaled in a sum may be scaled
in an operand of it (`lower`).

>>> from eingrad import _ir
>>> a, b, v = (_ir.new_input(n, (3,) * k) for n, k in (("a", 2), ("b", 2), ("v", 1)))
>>> Prices().of([_ir.einsum("ij,j->i", a, _ir.einsum("ij,j->i", b, v))]).flops
36
"""

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from eingrad import _ir
from eingrad._cost import roughly
from eingrad._ir import Add, Apply, Constant, Einsum, Input, Node, Product, Structural, Symmetry
from eingrad._limits import POLICY
from eingrad._plan.duration import of_statement, out_of_order
from eingrad._plan.kernels import Mirror
from eingrad._plan.lower import lower_alone
from eingrad._plan.lower.memory import Strides
from eingrad._plan.lower.products import twin_key
from eingrad._plan.mirror import flat_groups, is_exactly_symmetric, is_mirror
from eingrad._plan.program import Result, Statement


class Step(NamedTuple):
    """What one node takes: time, flops, and new memory; whether its axes lie in another order."""

    picoseconds: int = 0
    flops: int = 0
    bytes: int = 0
    is_disordered: bool = False

    @property
    def work(self) -> int:
        """Time apart from calls: of any order of the same contractions, there are about as many."""
        return roughly(self.flops, self.bytes // 8)


class Price(NamedTuple):
    """What decides between forms.

    `work` is time apart from calls. `only_writes` says whether a few passes over the result are
    nearly all of it: then no other form is much faster.
    """

    picoseconds: int
    flops: int
    work: int
    only_writes: bool


class Prices:
    """Times of nodes, remembered."""

    def __init__(self) -> None:
        self._steps: dict[Node, tuple[Hashable, Step]] = {}
        self._strides: dict[Node, Strides] = {}  # of nodes not in the order of their axes

    def of(self, roots: Sequence[Node]) -> Price:
        """Add up the nodes below these roots."""
        order = _ir.topological(roots)
        written = {*roots}.union(*(_ir.children(n) for n in order if not isinstance(n, Add)))
        steps: dict[Hashable, tuple[Step, Node]] = {}
        for node in order:
            if node in written or not _ir.carries_delta(node):
                key, step = self._step(node)
                steps.setdefault(key, (step, node))
        time = sum(step.picoseconds for step, _ in steps.values())
        largest = max((root.size for root in roots), default=0)
        passes = [step for step, n in steps.values() if _is_pass(step, n, largest)]
        work = sum(step.work for step, _ in steps.values())
        rest = work - sum(step.work for step in passes)
        only_writes = len(passes) <= POLICY.few_passes and rest * POLICY.little <= work
        return Price(time, sum(step.flops for step, _ in steps.values()), work, only_writes)

    def picoseconds_alone(self, nodes: Iterable[Node]) -> int:
        """Add up the time of these nodes, without what is below them."""
        return sum(self._step(node)[1].picoseconds for node in nodes)

    def peak_bytes(self, roots: Sequence[Node]) -> int:
        """Most memory live at once: what decides between forms of one time.

        Views keep the memory they look at alive.
        """
        order = _ir.topological(roots)
        base: dict[Node, Node] = {}
        first: dict[Hashable, Node] = {}
        last: dict[Node, int] = {}
        for n, node in enumerate(order):
            cores = [child for child in _ir.children(node) if child in base]
            is_view = isinstance(node, Einsum) and len(cores) == 1 and not self._bytes(node)
            base[node] = base[cores[0]] if is_view else first.setdefault(_what_is_paid(node), node)
            last.update((base[used], n) for used in (*cores, node))
        last.update((base[root], len(order)) for root in roots)
        dying: dict[int, int] = {}
        for node, n in last.items():
            dying[n] = dying.get(n, 0) + self._bytes(node)
        peak = now = 0
        for n, node in enumerate(order):
            now += self._bytes(node) if base[node] is node else 0
            peak = max(peak, now)
            now -= dying.get(n, 0)
        return peak

    def _bytes(self, node: Node) -> int:
        return self._step(node)[1].bytes

    def _step(self, node: Node) -> tuple[Hashable, Step]:
        found = self._steps.get(node)
        if found is None:
            found = self._steps[node] = _what_is_paid(node), self._of_node(node)
        return found

    def _of_node(self, node: Node) -> Step:
        """Lower a node alone, and add up its statements."""
        if isinstance(node, Input | Constant | Structural) or is_mirror(node):
            return Step()
        writer, below = lower_alone(node, self._strides)
        late = {n for n, child in below.items() if self._is_disordered(child)}
        disordered = late | out_of_order(writer.statements)
        strides = writer.strides(writer.number[node])
        if strides is not None:
            self._strides[node] = strides
        return Step(
            sum(of_statement(s, writer.results, disordered) for s in writer.statements),
            sum(s.flops for s in writer.statements),
            sum(s.bytes for s in writer.statements),
            writer.number[node] in disordered,
        )

    def _is_disordered(self, node: Node) -> bool:
        return node in self._steps and self._steps[node][1].is_disordered


def time_to_mirror(node: Node, symmetry: Symmetry) -> int:
    """Give the time to make a large node symmetric where it lies; none, if it is made so."""
    flat, groups = flat_groups(node, symmetry)
    if not groups or is_exactly_symmetric(node, symmetry):
        return 0
    kernel = Mirror(flat, groups, in_place=True)
    result = Result(node.shape, node.dtype)
    return of_statement(Statement(kernel, (0,), (1,), (result,)), [result, result], frozenset())


def _is_pass(step: Step, node: Node, largest: int) -> bool:
    """Whether a step takes little more than to write the largest result."""
    is_large = step.bytes > 0 and node.size >= largest
    return is_large and step.work <= POLICY.pass_reads * roughly(node.size, node.size)


def _what_is_paid(node: Node) -> Hashable:
    """Give what a node shares with others that are paid for with it."""
    match node:
        case Product(factors=(_, _, *_)):
            return twin_key(node)
        case Apply():
            return node.primitive.identity, node.operands, node.attributes
    return node
