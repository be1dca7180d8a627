"""Products with unevaluated derivatives among their factors: what is contracted goes into them.

In: a product, its factors apart from derivatives, and these. Out: the same product, of derivatives
of a lower order, or of a smaller result, and of fewer factors.
Guaranteed: each contraction makes a derivative smaller, so this ends.

A factor that meets one variable alone is a tangent: the function is swept forward along it. What
meets the result alone is contracted with the values, before they are differentiated. What meets
two variables ties them (`collapsed`); there both are taken forward together, and added up.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from eingrad import _ir
from eingrad._collapsed import Ties
from eingrad._derivative_factor import Derivative, cast_all, dtypes_of
from eingrad._ir import Coefficient, Factor, Node
from eingrad._recurrence import is_scan
from eingrad._subscripts import Shape, Subscripts


class _Tangent(NamedTuple):
    """What meets one variable of a derivative: the factors, and the tangents that they make."""

    block: int
    seed: Node
    kept: Subscripts
    meeting: list[Factor]


@dataclass(slots=True)
class Network:
    """A product with derivatives among its factors; what it is contracted to is `out`."""

    out: Subscripts
    sizes: dict[int, int]
    fresh: Iterator[int]
    coefficient: Coefficient = 1
    factors: list[Factor] = field(default_factory=list)
    derivatives: list[Derivative] = field(default_factory=list)
    sums: list[Factor] = field(default_factory=list)  # of derivatives and others

    def copy(self) -> "Network":
        """Copy what changes."""
        factors, derivatives, sums = [*self.factors], [*self.derivatives], [*self.sums]
        return replace(self, factors=factors, derivatives=derivatives, sums=sums)

    def shape(self, term: Iterable[int]) -> Shape:
        """Sizes of some indices."""
        return tuple(self.sizes[i] for i in term)

    def contract_all(self) -> None:
        """Contract derivatives with what makes them smaller, until nothing does."""
        while any(self.contract_into(n) for n in range(len(self.derivatives))):
            pass

    def with_tied(self) -> "Network | None":
        """Take variables that are tied to each other forward together; None if there are none."""
        network, is_tied = self.copy(), False
        while any(network._tie(n) for n in range(len(network.derivatives))):
            is_tied = True
            network.contract_all()
        return network if is_tied else None

    def contract_into(self, n: int) -> bool:
        """Contract a derivative with what makes it smaller; say whether there was something."""
        found = self.derivatives[n]
        is_contracted = len({*found.term}.intersection(self.out)) < len(found.term)
        known = found.of_entries() if is_contracted else None
        if known:
            self.derivatives[n] = known
            return True
        others, groups = self._around(found)
        tangents = [self._tangent(n, k, groups, others) for k in range(len(found.blocks))]
        each = [tangent for tangent in tangents if tangent]
        if each:
            # Those that are repeated last: along one line a series may take fewer products.
            seeds = [(found.blocks[t.block], t.seed) for t in each]
            fewest = min(range(len(each)), key=lambda m: seeds.count(seeds[m]))
            self._contract_block(n, each[fewest])
            return True
        return self._contract_result(n, groups, others)

    def _around(self, found: Derivative) -> tuple[list[Subscripts], list[list[Factor]]]:
        """Give the terms of other derivatives, and factors in groups that meet this one."""
        others = [d.term for d in self.derivatives if d is not found]
        return others, _groups(self.factors, {*found.term, *self.out, *itertools.chain(*others)})

    def _kept(
        self, own: Iterable[int], others: Sequence[Subscripts], gone: Sequence[Factor],
        *more: Subscripts,
    ) -> Subscripts:  # fmt: skip
        """Which indices are needed by what is left."""
        left = (f.term for f in self.factors if all(f is not g for g in gone))
        needed = {*self.out, *itertools.chain(*others, *left, *more)}
        return tuple(i for i in dict.fromkeys(own) if i in needed)

    def _tangent(
        self, n: int, k: int, groups: Sequence[list[Factor]], others: Sequence[Subscripts]
    ) -> _Tangent | None:
        """Find what meets one variable alone, where these are fewer tangents."""
        found = self.derivatives[n]
        block = found.of_block(k)
        elsewhere = {*found.of_result}.union(
            *(found.of_block(m) for m in range(len(found.blocks)) if m != k)
        )
        if len({*block}) < len(block) or not elsewhere.isdisjoint(block):
            return None  # tied to another axis
        meeting = _meeting(groups, {*block}, elsewhere)
        own = (*block, *_indices(meeting))
        kept = self._kept(own, others, meeting)
        columns = self._size(kept)
        if columns >= self._size(block) or (len(found.blocks) == 1 and 1 < columns >= found.y.size):
            return None
        return _Tangent(k, self._seed(found.blocks[k], block, meeting, kept), kept, meeting)

    def _contract_block(self, n: int, tangent: _Tangent) -> None:
        """Sweep forward along what meets one variable."""
        k, seed, kept, meeting = tangent
        self.derivatives[n] = self.derivatives[n].along(k, seed, kept, self.shape(kept))
        self._remove(meeting)

    def _seed(
        self, x: Node, block: Subscripts, meeting: Sequence[Factor], kept: Subscripts
    ) -> Node:
        """Make tangents of a variable: its axes, tied to these indices, then what is kept."""
        axes = tuple(next(self.fresh) for _ in block)
        self.sizes.update(zip(axes, x.shape, strict=True))
        pairs = zip(axes, block, strict=True)
        ties = [Factor(_ir.delta(self.sizes[i]), (axis, i)) for axis, i in pairs]
        dtype = np.result_type(x.dtype, *dtypes_of(meeting))
        factors = cast_all([*meeting, *ties], dtype)
        return _ir.contract(factors, (*axes, *kept), self.sizes, 1, dtype)

    def _tie(self, n: int) -> bool:
        """Take two variables forward together; say whether there were such."""
        found = self.derivatives[n]
        if any(map(is_scan, _ir.topological([found.y]))):
            return False  # its second derivative is no product of Jacobians of its nodes
        pairs = itertools.combinations(range(len(found.blocks)), 2)
        return any(self._tie_pair(n, k, m) for k, m in pairs)

    def _tie_pair(self, n: int, k: int, m: int) -> bool:
        """Sweep forward along two variables, where a sum over their tangents is what is kept."""
        found = self.derivatives[n]
        others, groups = self._around(found)
        blocks = found.of_block(k), found.of_block(m)
        left = [found.of_block(j) for j in range(len(found.blocks)) if j not in (k, m)]
        elsewhere = [found.of_result, *left]
        meeting = _meeting(groups, {*blocks[0], *blocks[1]}, {*itertools.chain(*elsewhere)})
        own = (*blocks[0], *blocks[1], *_indices(meeting))
        out = self._kept(own, others, meeting, *elsewhere)
        alone, trailing = zip(
            *(
                self._tangents_of(block, other, meeting, [*others, *elsewhere])
                for block, other in (blocks, blocks[::-1])
            ),
            strict=True,
        )
        # What is summed over in the end, though other variables may be tied to it, too.
        end = self._kept(own, others, meeting, found.of_result)
        is_summed = self._size(end) < self._size({*trailing[0], *trailing[1]})
        if not is_summed or self._size(out) >= self._size(trailing[0]) * self._size(trailing[1]):
            return False
        between = [f for f in meeting if all(f is not g for g in itertools.chain(*alone))]
        sizes = {i: self.sizes[i] for i in (*trailing[0], *trailing[1], *out, *_indices(between))}
        ties = Ties(trailing[0], trailing[1], (*between,), out, sizes)
        first, second = (
            self._seed(found.blocks[j], found.of_block(j), gone, kept)
            for j, gone, kept in zip((k, m), alone, trailing, strict=True)
        )
        self.derivatives[n] = found.along_both(k, m, (first, second), ties)
        self._remove(meeting)
        return True

    def _tangents_of(
        self, block: Subscripts, other: Subscripts, meeting: Sequence[Factor],
        needed: Sequence[Subscripts],
    ) -> tuple[list[Factor], Subscripts]:  # fmt: skip
        """Find factors that meet one variable, and not the other: if they are no more tangents.

        Gives also the indices of tangents.
        """
        gone = [
            f for f in meeting if not {*block}.isdisjoint(f.term) and {*other}.isdisjoint(f.term)
        ]
        kept = self._kept((*block, *_indices(gone)), needed, gone, other)
        if self._size(kept) > self._size(block):
            return [], tuple(dict.fromkeys(block))
        return gone, kept

    def _contract_result(
        self, n: int, groups: Sequence[list[Factor]], others: Sequence[Subscripts]
    ) -> bool:
        """Contract the result with what meets it alone, where it becomes smaller."""
        found = self.derivatives[n]
        result = found.of_result
        blocks = found.term[len(result) :]
        best: tuple[int, list[Factor], Subscripts] | None = None
        for group in [[], *groups]:
            met = {*_indices(group)}
            if group and (met.isdisjoint(result) or not met.isdisjoint(blocks)):
                continue
            own = (*result, *_indices(group))
            kept = self._kept(own, others, group, blocks)
            size = self._size(kept)
            if size < found.y.size and (best is None or size < best[0]):
                best = size, group, kept
        if best is None:
            return False
        _, group, kept = best
        self.derivatives[n] = found.with_result(group, kept)
        self._remove(group)
        return True

    def _size(self, indices: Iterable[int]) -> int:
        return math.prod(self.sizes[i] for i in indices)

    def _remove(self, gone: Sequence[Factor]) -> None:
        self.factors = [f for f in self.factors if all(f is not g for g in gone)]


def _groups(factors: Sequence[Factor], apart: set[int]) -> list[list[Factor]]:
    """Factors that hang together by indices that nothing else has."""
    groups: list[tuple[set[int], list[Factor]]] = []
    for factor in factors:
        own = {*factor.term} - apart
        members = [factor]
        left = []
        for indices, group in groups:
            if own.isdisjoint(indices):
                left.append((indices, group))
            else:
                own |= indices
                members = group + members
        groups = [*left, (own, members)]
    return [members for _, members in groups]


def _meeting(groups: Sequence[list[Factor]], own: set[int], apart: set[int]) -> list[Factor]:
    """Pick the groups that meet some indices, and none of those apart."""
    return [
        f
        for group in groups
        if (met := {*_indices(group)}).intersection(own) and apart.isdisjoint(met)
        for f in group
    ]


def _indices(factors: Iterable[Factor]) -> list[int]:
    return [i for f in factors for i in f.term]
