"""Selects: differentiated as selects, never as a mask times what is not chosen.

In: the nodes of a sweep, and what it begins and ends with. Out: Jacobians of selects, and of nodes
that are needed only where a select chooses them.
Guaranteed: a branch that is nan or infinite where it is not chosen does not reach the rest; nothing
is multiplied out for that but what is made entry by entry.

``where(c, f(u), b)`` leads straight to ``u``, with ``where(c, df/du, 0)``, where f is made entry by
entry. Below a product or a reduction, entries are told by whether a chosen one is made of them
(`needs`): ``where(needed, df/du, 0)`` again. Forward, what is not led to something finite has no
Jacobian at all: the tangents of both branches are selected from.

>>> x, n = (_ir.new_input(name, (3,)) for name in "xn")
>>> y = apply("where", apply("equal", n, x), n, apply("log", x))
>>> selects = Selects([y], [x], dict.fromkeys([x, y.operands[2], y]))
>>> [(below, _, _)] = selects.led[y]
>>> below is x
True
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import NamedTuple

from eingrad import _ir
from eingrad._diff.chosen import choose
from eingrad._diff.flags import flags_below, moved
from eingrad._diff.infinite import Infinite
from eingrad._diff.local import Hole, Jacobian, Led, Local, local_jacobians
from eingrad._diff.needs import EVERYWHERE, NOWHERE, Needs, only_where
from eingrad._diff.regions import Regions
from eingrad._ir import Apply, Factor, Node, Product, Structural
from eingrad._primitives import Kind, apply, jacobian, kind_of
from eingrad._recurrence import WHOLLY, Partly, is_composed, is_scan, scan_of
from eingrad._subscripts import Subscripts


class _Total(NamedTuple):
    """What a select is led to, derivatives in it by whether the branch is the chosen one."""

    leaf: Node
    by_branch: dict[bool, Node]
    batch: int  # axes that they share


class Selects:
    """The selects of a sweep from the `ys` to the `xs`; `order` are the nodes between them.

    It `has_flags` of what is needed where cotangents go down that have no rows of their own.

    Attributes
    ----------
    led : dict
        Jacobians of those that are led to what is finite wherever it is not needed, or to what both
        branches are made of.
    are_led : bool
        Whether all are.
    """

    def __init__(
        self,
        ys: Iterable[Node],
        xs: Iterable[Node],
        order: dict[Node, None],
        partly: Partly = WHOLLY,
        *,
        has_flags: bool = False,
    ) -> None:
        self._has_flags = has_flags
        self.led: Led = {}
        self.are_led = True
        self.infinite: Container[Node] = ()
        self._totals_of: dict[Node, list[_Total]] = {}
        self._place = {node: n for n, node in enumerate(order)}
        chosen = [node for node in order if kind_of(node) is Kind.SELECT]
        scans = [node for node in order if is_scan(node) and scan_of(node).has_selects]
        if not chosen and not scans and not partly.flags:
            return
        self._needs = Needs({y: only_where(partly.flags.get(y)) for y in ys}, order)
        self.infinite = Infinite(partly.infinite)
        self._regions = Regions(xs, self._needs, self.led, self.infinite, self._place)
        self.are_led = not scans and not partly.flags
        for node in chosen:
            self._totals_of[node], is_closed = self._of_select(node)
            self.are_led &= is_closed
            if is_closed:
                self.led[node] = self._chosen(node, None)

    def guarded(self, node: Node) -> list[Jacobian]:
        """Jacobians of a node that are finite where it is not needed."""
        flags = self.flags(node)
        if node in self._totals_of:
            return self._chosen(node, flags)
        found = local_jacobians(node, self._place, self.led)
        if flags is None:
            return found
        if is_composed(node):
            local = jacobian(self.safe(node), 0)
            return [(below, local or one, n) for below, one, n in found]
        region = self._regions.find(node)
        if region.inside:
            totals = self._regions.totals(node, region)
            return [(leaf, choose(flags, total, None), 0) for leaf, total in totals.items()]
        return [(below, self._masked(node, local, flags), n) for below, local, n in found]

    def flags(self, node: Node) -> Node | None:
        """Flags of the entries of a node that are needed; None where all are, or may be."""
        is_partly = self._has_flags and not self.are_led and node in self.infinite
        if not is_partly or self._needs.of(node) in (EVERYWHERE, NOWHERE):
            return None
        flags = self._needs.flags(node)
        return None if _ir.is_fill(flags) and not _ir.is_zero(flags) else flags

    def note(self, node: Apply, flags: Mapping[int, Node]) -> None:
        """Note what the way back through a scan tells of its operands, by their numbers."""
        if flags:
            self._needs.note(node, flags)

    def safe(self, node: Node) -> Node:
        """Put ones in a running product for what no needed entry is made of."""
        flags = self.flags(node)
        if flags is None or not isinstance(node, Apply) or not is_composed(node):
            return node
        (x,) = node.operands
        where = flags_below(node, 0, flags)
        ones = _ir.fill(1, x.shape, x.dtype)
        return _ir.with_operands(node, [choose(where, x, ones)])

    # A select ------------------------------------------------------------------------------------

    def _of_select(self, node: Node) -> tuple[list[_Total], bool]:
        """Differentiate the branches of a select; say whether in what is finite, or in both."""
        pairs = [*zip(_ir.children(node)[1:], (True, False), strict=True)]
        pairs = [(branch, holds) for branch, holds in pairs if branch in self._place]
        reached = [self._regions.reached(branch) for branch, _ in pairs]
        shared = reached[0] & reached[1] if len(pairs) > 1 else set[Node]()
        regions = [self._regions.find(branch, shared) for branch, _ in pairs]
        totals: list[_Total] = []
        by_leaf: dict[Node, dict[bool, Node]] = {}
        for (branch, holds), region in zip(pairs, regions, strict=True):
            if region.inside:
                for leaf, total in self._regions.totals(branch, region).items():
                    by_leaf.setdefault(leaf, {})[holds] = total
            else:
                one = _ir.fill(1, node.shape, node.dtype)
                totals.append(_Total(branch, {holds: one}, node.ndim))
        totals += [_Total(leaf, by_branch, 0) for leaf, by_branch in by_leaf.items()]
        leaves = {leaf for region in regions for leaf in region.leaves}
        return totals, all(n not in self.infinite for n in leaves - shared)

    def _chosen(self, node: Node, flags: Node | None) -> list[Jacobian]:
        """Choose ``where(c, da, db)``, and zero where a select is not needed."""
        condition = _ir.children(node)[0]
        jacobians: list[Jacobian] = []
        for leaf, by_branch, batch in self._totals_of[node]:
            own, (first, second) = condition, (by_branch.get(holds) for holds in (True, False))
            if flags not in (None, condition) and second is None:
                own = apply("logical_and", flags, condition)
            found = choose(own, first, second)
            if flags is not None and second is not None:
                found = choose(flags, found, None)
            jacobians.append((leaf, found, batch))
        return jacobians

    # What is not made entry by entry -------------------------------------------------------------

    def _masked(self, node: Node, local: Local, flags: Node) -> Local:
        """Put zeros for what a Jacobian is made of where a node is not needed."""
        if isinstance(local, Hole):
            einsum = local.einsum
            others = [f for n, f in enumerate(einsum.factors) if n != local.k]
            sizes = dict(enumerate(einsum.sizes))
            return Hole(einsum, local.k, self._zeroed(others, einsum.out, sizes, flags))
        if isinstance(local, Product):
            axes, sizes = local.out[: node.ndim], dict(enumerate(local.sizes))
            factors = self._zeroed(local.factors, axes, sizes, flags)
            return _ir.contract(factors, local.out, sizes, local.coefficient, local.dtype)
        if isinstance(local, Node) and local in self.infinite:
            return choose(flags, local, None)
        return local

    def _zeroed(
        self, factors: Sequence[Factor], axes: Subscripts, sizes: dict[int, int], flags: Node
    ) -> tuple[Factor, ...]:
        """Put zeros where no flagged entry is made of an entry of a factor."""
        structure = [f for f in factors if isinstance(f.node, Structural)]
        found = []
        for factor in factors:
            if factor.node in self.infinite:
                own = moved(flags, axes, structure, factor.term, sizes)
                factor = Factor(choose(own, factor.node, None), factor.term)  # noqa: PLW2901
            found.append(factor)
        return tuple(found)
