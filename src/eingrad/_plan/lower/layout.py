"""In which order the indices of a matrix product lie: that in which least is copied, now and later.

In: two operands, how they lie, and what later products need of the result. Out: the order of kept
and summed indices, and which operand stands left.
Guaranteed: deterministic; a result that can lie in the order of its axes, and is to, does so.

>>> from eingrad._plan.lower.needs import Need
>>> a = Operand((0, 1, 2), Array((2, 3, 4), (1, 2, 6)), 192)
>>> b = Operand((0, 3), Array((2, 5), (5, 1)), 80)
>>> usual = Order(((1, 2), (3,)), (0,), False)
>>> Choice((a, b), (), (1, 2, 3), Need({0: 3, 1: 4, 2: 5}, ()), usual).best()[0].kept
((2, 1), (3,))
"""

import itertools
import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from eingrad._plan.lower.memory import Array, are_together
from eingrad._plan.lower.needs import Need, copying, starts
from eingrad._subscripts import Subscripts


@dataclass(frozen=True, slots=True)
class Operand:
    """An operand of a matrix product: the indices of its axes, how it lies, and its memory."""

    term: Subscripts
    array: Array
    bytes: int

    def in_memory(self, indices: Collection[int]) -> Subscripts:
        """Put some of its indices in the order in which they lie."""
        axes = [axis for axis, index in enumerate(self.term) if index in indices]
        axes.sort(key=lambda axis: -self.array.strides[axis])
        return tuple(self.term[axis] for axis in axes)

    def outside(self, kept: Subscripts, summed: Subscripts) -> Subscripts:
        """Give kept indices that lie outside all summed ones, if others lie inside."""
        strides = dict(zip(self.term, self.array.strides, strict=True))
        lying = self.in_memory(kept)
        found = tuple(i for i in lying if strides[i] > max(strides[j] for j in summed))
        return found if found and len(found) < len(lying) else ()

    def copied_bytes(self, *groups: Subscripts) -> int:
        """Bytes that are copied to merge these groups, or for BLAS, which needs entries in runs.

        They count twice where the copy has no runs either: another axis is the innermost then.
        """
        axes = [[self.term.index(i) for i in group] for group in groups]
        long = [a for group in axes for a in group if self.array.shape[a] > 1]
        strides = [self.array.strides[a] for a in long]
        if not all(are_together(self.array, group) for group in axes):
            return self.bytes if strides[-1] == min(strides) else 2 * self.bytes
        return 0 if 1 in strides or not long else self.bytes // 2  # matrix by matrix


class Order(NamedTuple):
    """Order of the indices of a matrix product: kept of the first operand, of the second, summed.

    `outer` are kept indices of one operand that count as a batch, over which the other is repeated.
    With `is_turned` the second stands left.
    """

    kept: tuple[Subscripts, Subscripts]
    summed: Subscripts
    is_turned: bool
    outer: Subscripts = ()

    def natural(self, batch: Subscripts) -> Subscripts:
        """Indices of the result in memory."""
        first, second = self.kept
        ends = (*second, *first) if self.is_turned else (*first, *second)
        return (*batch, *self.outer, *ends)


@dataclass(frozen=True, slots=True)
class Choice:
    """The orders that a product may have. What `need` says of axes is that of indices in `out`."""

    operands: tuple[Operand, ...]  # two
    batch: Subscripts
    out: Subscripts
    need: Need
    usual: Order

    def best(self) -> tuple[Order, Subscripts]:
        """Choose the order that costs least, now and later; the usual one, if none is better.

        Give also the indices of the result as they are to lie: a result that can lie in the order
        of its axes does, if need be as a copy, where that is smaller than an operand.
        """
        orders = dict.fromkeys([self.usual, *self._orders()])
        best = min(orders, key=lambda order: self._now(order) + self._later(order))
        is_in_order = self.need.is_last and not self._later(self.usual)
        return best, (self.usual if is_in_order else best).natural(self.batch)

    def _now(self, order: Order) -> int:
        """Time for copies of operands, and for the matrices of an outer index."""
        copied = [
            operand.copied_bytes(*((kept, order.summed) if is_left else (order.summed, kept)))
            for operand, kept, is_left in zip(
                self.operands, order.kept, (not order.is_turned, order.is_turned), strict=True
            )
        ]
        time = sum(copying(memory) for memory in copied if memory)
        if not order.outer:
            return time
        return time + starts(math.prod(self._size(i) for i in (*self.batch, *order.outer)))

    def _later(self, order: Order) -> int:
        natural = order.natural(self.batch)
        return self.need.picoseconds([self.out.index(i) for i in natural])

    def _size(self, index: int) -> int:
        return self.need.sizes.get(self.out.index(index), 1)

    def _orders(self) -> Iterator[Order]:
        in_memory = [operand.in_memory(self.usual.summed) for operand in self.operands]
        all_summed = dict.fromkeys([self.usual.summed, *in_memory])
        pairs = zip(self.operands, self.usual.kept, strict=True)
        outers = [(), *(operand.outside(kept, self.usual.summed) for operand, kept in pairs)]
        for outer, is_turned in itertools.product(
            dict.fromkeys(outers), (self.usual.is_turned, not self.usual.is_turned)
        ):
            kept = [self._kept(n, outer, is_left=(n == 0) != is_turned) for n in (0, 1)]
            for first, second, summed in itertools.product(*kept, all_summed):
                yield Order((first, second), summed, is_turned, outer)

    def _kept(self, n: int, outer: Subscripts, *, is_left: bool) -> Iterable[Subscripts]:
        """Give orders of an operand's kept indices: the usual one, in memory, as needed."""
        usual = tuple(i for i in self.usual.kept[n] if i not in outer)
        needed = sorted(usual, key=lambda i: self.need.rank(self.out.index(i)), reverse=not is_left)
        return dict.fromkeys([usual, self.operands[n].in_memory(usual), tuple(needed)])
