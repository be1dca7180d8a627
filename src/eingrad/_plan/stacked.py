"""Sums of outer products as one matrix product: ``a b' + c d' -> [a c] [b d]'``.

In: roots whose products are pairwise. Out: equal ones, in which the terms of a large sum that are
products across one split of its axes, into rows and columns, are one product of stacked factors.
Guaranteed: a sum or an elementwise product that the user wrote stays as it is; of others nothing is
opened that is not larger than its factors. The predicted time is less. An entry is the sum of the
same products, of which those with a factor in common are added first.

``p_i p_j (g_i + g_j)`` is the sum of two such products, and ``g_i + g_j``, each repeated, one with
ones. A matrix product is stacked with them along the index that it sums.

>>> from eingrad import _ir
>>> a, b, c, d = (_ir.new_input(name, (100,)) for name in "abcd")
>>> total = _ir.add([_ir.einsum("i,j->ij", *pair) for pair in ((a, b), (c, d))])
>>> (made,) = stack([total])
>>> [n.shape for n in made.operands], made.sums
([(2, 100), (2, 100)], True)
"""

import functools
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from eingrad import _ir
from eingrad._ir import Add, Coefficient, Factor, Node, Placement, Product, Symmetry
from eingrad._limits import BUDGET, POLICY
from eingrad._plan.price import Prices, time_to_mirror
from eingrad._primitives import apply
from eingrad._subscripts import Subscripts

_OF_BLAS = (np.float32, np.float64)


def stack(
    roots: Sequence[Node],
    written: Set[Node] = frozenset(),
    symmetries: Mapping[Node, Symmetry] = MappingProxyType({}),
) -> list[Node]:
    """Make the products in large sums one product each, where that takes less time.

    ``sum_t a^t_i b^t_j + M -> sum_k A_ki B_kj + M``. Keeps value, shape and dtype. Terminates: it
    looks once. All ways to part the axes are tried, also those that part a block of a root of which
    blocks may be interchanged. (A square product is mirrored while it is made; other forms after
    that, which takes longer.) Leaves alone what the user has
    `written`, terms that deltas tie, and complex numbers, whose products round otherwise in a
    matrix product.
    """
    if not any(_is_large(root) for root in roots):
        return [*roots]
    order = _ir.topological(roots)
    uses = Counter(child for node in order for child in _ir.children(node))
    uses.update(roots)
    return [
        _stacked(root, symmetries.get(root, ()), written, uses) if _is_large(root) else root
        for root in roots
    ]


def _is_large(node: Node) -> bool:
    return node.size > POLICY.mirrored_at_once and node.ndim > 1 and node.dtype in _OF_BLAS


def _stacked(root: Node, symmetry: Symmetry, written: Set[Node], uses: Mapping[Node, int]) -> Node:
    """Stack one root in the cheapest way, if any takes less time than the root as it is."""
    if root in written or not isinstance(root, Add | Product):
        return root
    forms: dict[Node, int] = {root: 0}  # with what it takes to mirror each
    for split in _splits(root.ndim):
        made = _Sum(root, split, written, uses).build()
        if made is not None:
            is_square = any(split.rows in group for group in symmetry)
            forms.setdefault(made, 0 if is_square else time_to_mirror(made, symmetry))
    if len(forms) == 1:
        return root
    prices = Prices()
    return min(forms, key=lambda form: prices.of([form]).picoseconds + forms[form])


class _Split(NamedTuple):
    """Axes of a sum in their order: those of a batch, rows, columns."""

    batch: Subscripts
    rows: Subscripts
    columns: Subscripts


def _splits(ndim: int) -> Iterator[_Split]:
    """Part axes in all ways that leave them in order: so the result is made as it is to lie."""
    axes = tuple(range(ndim))
    for first, second in itertools.combinations(range(ndim), 2):
        yield _Split(axes[:first], axes[first:second], axes[second:])


@dataclass(frozen=True, slots=True)
class _Crossing:
    """A product across a split: factors of rows, of columns; indices that are summed, if any."""

    rows: tuple[Factor, ...] = ()
    columns: tuple[Factor, ...] = ()
    summed: Subscripts = ()
    coefficient: Coefficient = 1

    def times(self, other: "_Crossing") -> "_Crossing":
        """Multiply two, one of which sums nothing."""
        return _Crossing(
            self.rows + other.rows,
            self.columns + other.columns,
            self.summed + other.summed,
            _ir.multiply(self.coefficient, other.coefficient),
        )


class _CannotError(Exception):
    """A term is no sum of products across the split."""


class _Sum:
    """A sum, its terms opened across one split."""

    def __init__(
        self, root: Node, split: _Split, written: Set[Node], uses: Mapping[Node, int]
    ) -> None:
        self._root, self._split, self._written, self._uses = root, split, written, uses
        self._sizes = dict(enumerate(root.shape))
        self._fresh = itertools.count(root.ndim)

    def build(self) -> Node | None:
        """Build the sum with one product; None where that is no other sum."""
        pairs: list[_Crossing] = []
        rest: list[tuple[Node, Coefficient]] = []
        axes = tuple(range(self._root.ndim))
        terms = (
            [*zip(self._root.terms, self._root.coefficients, strict=True)]
            if isinstance(self._root, Add)
            else [(self._root, 1)]
        )
        for term, coefficient in terms:
            try:
                found = [] if _ir.carries_delta(term) else self._open(Factor(term, axes))
            except _CannotError:
                found = []
            pairs += [p.times(_Crossing(coefficient=coefficient)) for p in found]
            if not found:
                rest.append((term, coefficient))
        if len(pairs) < 2:  # noqa: PLR2004 - nothing to stack
            return None
        made = self._product(pairs)
        if made is None:
            return None
        total = [(made, 1), *rest]
        return _ir.add(*zip(*total, strict=True))

    # Opening -------------------------------------------------------------------------------------

    def _open(self, factor: Factor) -> list[_Crossing]:
        """Write a factor as a sum of products across the split."""
        node, term = factor
        has_rows, has_columns = (
            not {*side}.isdisjoint(term) for side in (self._split.rows, self._split.columns)
        )
        if not (has_rows and has_columns):
            return [_Crossing(columns=(factor,)) if has_columns else _Crossing(rows=(factor,))]
        if len({*term}) < len(term) or (node in self._written and not _is_outer(node)):
            raise _CannotError
        match node:
            case Add():
                found = [
                    pair.times(_Crossing(coefficient=c))
                    for n, c in zip(node.terms, node.coefficients, strict=True)
                    for pair in self._open(Factor(n, term))
                ]
            case Placement(structure=(), ties=False) | Product(sums=False):
                found = [_Crossing(coefficient=node.coefficient)]
                for inner in _ir.splice(node, term, self._fresh):
                    opened = self._open(inner)
                    found = [a.times(b) for a in found for b in opened]
                    self._check(found)
            case Product() if self._uses[node] == 1:
                found = [self._matrices(node, term)]
            case _:
                raise _CannotError
        self._check(found)
        return found

    def _check(self, found: Sequence[_Crossing]) -> None:
        if len(found) > BUDGET.opened_terms or any(len(pair.summed) > 1 for pair in found):
            raise _CannotError

    def _matrices(self, node: Product, term: Subscripts) -> _Crossing:
        """Read a matrix product that sums over one index."""
        rows: list[Factor] = []
        columns: list[Factor] = []
        factors = _ir.splice(node, term, self._fresh)
        self._sizes.update(_ir.sizes_of(factors))
        summed = {i for f in factors for i in f.term}.difference(term)
        for factor in factors:
            is_row, is_column = (
                not {*side}.isdisjoint(factor.term)
                for side in (self._split.rows, self._split.columns)
            )
            if is_row == is_column or len(summed) != 1 or not summed.issubset(factor.term):
                raise _CannotError
            (rows if is_row else columns).append(factor)
        return _Crossing(tuple(rows), tuple(columns), tuple(summed), node.coefficient)

    # Building ------------------------------------------------------------------------------------

    def _product(self, pairs: Sequence[_Crossing]) -> Node | None:
        """Stack both sides; products with the same rows are added before."""
        alike: dict[Node, list[tuple[Node, Coefficient]]] = {}
        sides: list[tuple[Node, Node]] = []
        split = self._split
        for pair in pairs:
            if pair.summed:
                left = self._side(pair.rows, split.rows, pair.summed, pair.coefficient)
                sides.append((left, self._side(pair.columns, split.columns, pair.summed)))
            else:
                left = self._side(pair.rows, split.rows)
                right = self._side(pair.columns, split.columns)
                alike.setdefault(left, []).append((right, pair.coefficient))
        for left, rights in alike.items():
            sides.append((left, _ir.add(*zip(*rights, strict=True))))
        stacks = [self._stack(nodes) for nodes in zip(*sides, strict=True)]
        entries = sum(stack.size for stack in stacks)
        if entries * POLICY.little > 2 * self._root.size:
            return None
        out, k = tuple(range(self._root.ndim)), next(self._fresh)
        terms = [(*split.batch, k, *side) for side in (split.rows, split.columns)]
        return _ir.contract([*zip(stacks, terms, strict=True)], out, dtype=self._root.dtype)

    def _side(
        self, factors: Sequence[Factor], side: Subscripts, summed: Subscripts = (),
        coefficient: Coefficient = 1,
    ) -> Node:  # fmt: skip
        """Multiply the factors of one side, in pairs, small ones first: batch, summed, side."""
        out = (*self._split.batch, *summed, *side)
        if factors:
            ordered = sorted(factors, key=lambda f: f.node.size)
            node, term = functools.reduce(self._times, ordered)
            made = _ir.contract([(node, term)], out, self._sizes, coefficient, self._root.dtype)
        else:
            made = _ir.fill(coefficient, tuple(self._sizes[i] for i in out), self._root.dtype)
        if summed:
            return made
        at = len(self._split.batch)
        return _ir.reshape(made, (*made.shape[:at], 1, *made.shape[at:]))

    def _times(self, one: Factor, other: Factor) -> Factor:
        term = tuple(i for i in self._sizes if i in one.term or i in other.term)
        return Factor(_ir.contract([one, other], term), term)

    def _stack(self, nodes: Sequence[Node]) -> Node:
        if len(nodes) == 1:
            return nodes[0]
        return apply("concatenate", *nodes, axis=len(self._split.batch))


def _is_outer(node: Node) -> bool:
    """Whether a product is larger than its factors: each entry is one product of theirs."""
    if not isinstance(node, Product) or node.sums:
        return False
    return node.size > sum(n.size for n in {*node.operands})
