"""What later products need of a value: in which order its axes lie best.

In: nodes, as far as they are a chain of products. Out: for an order of the axes of one in memory,
the time that it costs later.
Guaranteed: results, and what is added or applied, need the order of their axes; what is multiplied
entry by entry, that of the other factor, or of the product. Only sizes, the graph, and how lie
what is lowered already are looked at.

A matrix product copies no operand whose kept axes are together in memory, and its summed ones too,
in whatever order: BLAS takes a transposed matrix as it is. So of the axes of a value those that are
summed next are to be first or last, then, of those left, the ones that are summed after that. What
is needed longest stands in the middle: on the left, what is summed first comes first; on the right,
last. Where what is summed stands in the middle there are more starts of BLAS, or it is copied.

>>> from eingrad import _ir
>>> t, a, b = (_ir.new_input(n, (2,) * k) for n, k in (("t", 3), ("a", 2), ("b", 2)))
>>> x = _ir.einsum("ijk,kc->ijc", t, a)
>>> (y,) = roots = [_ir.einsum("ijc,jb->ibc", x, b)]
>>> need = Users.of(roots, [x, y]).need(x)
>>> [need.picoseconds(order) for order in ((0, 1, 2), (2, 0, 1), (1, 0, 2))]
[140000, 253840, 0]
"""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from eingrad import _ir
from eingrad._ir import Node, Product
from eingrad._limits import MACHINE
from eingrad._plan.lower.memory import Array, in_order, outermost_first
from eingrad._subscripts import Subscripts

_FURTHEST = 8  # products that are looked at: what comes after has little to do with this one
_Role = Literal["batch", "kept", "summed"]
_Lying = Callable[[Node], Array | None]  # how a node lies; None where it is not lowered yet


@dataclass(frozen=True, slots=True)
class Stage:
    """What a later product does with axes: those of a value that are still there.

    Of the last stage `order` is what they must have; else `roles` has each of them.
    """

    bytes: int  # of what would be copied
    roles: Mapping[int, _Role] = field(default_factory=dict)
    order: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """What becomes of the axes of a value; none of size one. `sizes` has those of the others."""

    sizes: Mapping[int, int]
    stages: tuple[Stage, ...]

    @property
    def is_last(self) -> bool:
        """Whether no product comes in between."""
        return bool(self.stages) and self.stages[0].order is not None

    def of_result(self, out: Subscripts) -> Subscripts:
        """Put indices in the order that is wanted, where no product comes in between."""
        order = self.stages[0].order if self.stages else None
        if order is None or [*order] == sorted(order):
            return out
        return tuple(out[axis] for axis in (*order, *sorted({*range(len(out))}.difference(order))))

    def picoseconds(self, order: Sequence[int]) -> int:
        """Time that this order of the axes in memory costs later, up to the first copy."""
        time = 0
        rest = [axis for axis in order if axis in self.sizes]
        for stage in self.stages:
            if stage.order is not None:
                return time + (0 if rest == [*stage.order] else copying(stage.bytes))
            copied = copying(stage.bytes)
            parted = self._parted(rest, stage.roles)
            if parted is None or parted > copied:
                return time + copied
            time += parted
            batch = [axis for axis in rest if stage.roles[axis] == "batch"]
            rest = batch + [axis for axis in rest if stage.roles[axis] == "kept"]
        return time

    def _parted(self, axes: Sequence[int], roles: Mapping[int, _Role]) -> int | None:
        """Time for more starts of BLAS if kept axes lie around summed ones; None: copy them."""
        runs = [(role, [*run]) for role, run in itertools.groupby(axes, lambda axis: roles[axis])]
        names = [role for role, _ in runs if role != "batch"]
        is_run = len(names) == len({*names}) or names == ["kept", "summed", "kept"]
        if not is_run or (runs and runs[-1][0] == "batch"):
            return None
        if len(names) == len({*names}):
            return 0
        outer = next(run for role, run in runs if role == "kept")
        return starts(
            math.prod(self.sizes[axis] for axis in axes if roles[axis] == "batch" or axis in outer)
        )

    def rank(self, axis: int) -> tuple[int, int]:
        """When an axis is summed; after all that are, the place in the result."""
        for n, stage in enumerate(self.stages):
            if stage.order is not None and axis in stage.order:
                return n, stage.order.index(axis)
            if stage.roles.get(axis) == "summed":
                return n, axis
        return len(self.stages), axis


def copying(memory: int) -> int:
    """Time to copy so many bytes in another order."""
    return MACHINE.call + MACHINE.byte_moved * memory


def starts(matrices: int) -> int:
    """Time for a batch of so many matrices, beside that for one matrix."""
    return MACHINE.batch + MACHINE.matrix * matrices


class Users:
    """What uses each node: of several products the largest, whose wish is the one that counts.

    Results, what is used otherwise, and all nodes of which nothing is known, lie in order.
    """

    def __init__(self) -> None:
        self._user: dict[Node, Product] = {}
        self._in_order: set[Node] = set()

    @classmethod
    def of(cls, roots: Sequence[Node], order: Iterable[Node]) -> "Users":
        """Find the users below roots; `order` has all nodes, children first."""
        found = cls()
        found._in_order.update(roots)
        for node in order:
            for child in _ir.children(node):
                if child.ndim < 2 or child in found._in_order:  # noqa: PLR2004 - a vector has one
                    continue
                if not isinstance(node, Product) or not (
                    _is_multiplied(node, child) or _roles(node, child)
                ):
                    found._in_order.add(child)
                    continue
                other = found._user.get(child)
                if other is None or math.prod(other.sizes) < math.prod(node.sizes):
                    found._user[child] = node
        return found

    def need(
        self, node: Node, lying: _Lying = lambda _node: None, furthest: int = _FURTHEST
    ) -> Need:
        """Follow the axes of a node through the products that use it, one after the other."""
        sizes = {axis: size for axis, size in enumerate(node.shape) if size != 1}
        place = [axis if axis in sizes else None for axis in range(node.ndim)]
        stages: list[Stage] = []
        while len(stages) < furthest:
            user = None if node in self._in_order else self._user.get(node)
            if user is None:
                order = tuple(axis for axis in place if axis is not None)
                stages.append(Stage(_bytes(node), order=order))
                break
            term = next(term for n, term in user.factors if n is node)
            at = dict(zip(term, place, strict=True))
            if _is_multiplied(user, node):
                wanted = self._met(user, node, lying, furthest - len(stages) - 1)
                met = (at.get(index) for index in wanted)
                order = tuple(axis for axis in met if axis is not None)
                stages.append(Stage(_bytes(node), order=order))
                break
            roles = _roles(user, node) or {}
            if len(user.factors) > 1:
                found = {axis: roles[i] for i, axis in at.items() if axis is not None}
                stages.append(Stage(_bytes(node), found))
            place, node = [at.get(index) for index in user.out], user
        return Need(sizes, tuple(stages))

    def _met(self, user: Product, node: Node, lying: _Lying, furthest: int) -> Subscripts:
        """Order the indices of a product entry by entry as one of its factors is to lie.

        That is as the other factor lies, if it has all of them: else NumPy reads one of the two in
        another order than it lies, and the product lies in the order of its axes. Which is right
        where that is needed in the end, or worth more later.
        """
        ((other, term),) = [factor for factor in user.factors if factor.node is not node]
        array = lying(other)
        if array is None and not isinstance(other, Product):
            array = Array(other.shape, in_order(other.shape))
        if array is None or user in self._in_order or sorted(term) != sorted(user.out):
            return user.out
        order = outermost_first(array.strides)
        if order is None:
            return user.out
        met = tuple(term[axis] for axis in order)
        need = self.need(user, lying, furthest)
        as_other, as_axes = (
            need.picoseconds([user.out.index(i) for i in indices]) for indices in (met, user.out)
        )
        return met if as_other <= as_axes + MACHINE.out_of_order * user.size else user.out


def _bytes(node: Node) -> int:
    return node.size * node.dtype.itemsize


def _is_multiplied(user: Product, node: Node) -> bool:
    """Whether a product only multiplies the entries of a node, of which it takes no diagonal.

    Of few entries the order costs less than it takes to look at them in another one.
    """
    terms = [term for n, term in user.factors if n is node]
    return (
        node.size * MACHINE.out_of_order > 2 * MACHINE.view
        and len(user.factors) > 1
        and not user.sums
        and len(terms) == 1
        and len({*terms[0]}) == len(terms[0])
    )


def _roles(user: Product, node: Node) -> dict[int, _Role] | None:
    """Give the role of each index of a node in a product; None: it is no matrix product or view.

    Nor is one that takes the node twice, a diagonal of it, or sums over it alone.
    """
    terms = [term for n, term in user.factors if n is node]
    if len(terms) != 1 or len({*terms[0]}) < len(terms[0]):
        return None
    others = {i for n, term in user.factors if n is not node for i in term}
    roles: dict[int, _Role] = {}
    for index in terms[0]:
        is_kept, is_shared = index in user.out, index in others
        if not is_kept and not is_shared:
            return None
        roles[index] = ("batch" if is_shared else "kept") if is_kept else "summed"
    return roles if len(user.factors) == 1 or "summed" in roles.values() else None
