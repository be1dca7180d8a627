"""Common sub-networks of several contractions: candidates for shared intermediates.

In: products as values. Out: their parts as values, equal where they are equal.
Guaranteed: a value is written in one way, whatever its place, association or order of axes.

>>> from eingrad import _ir
>>> a, b, c, d = (_ir.new_input(name, (3, 3)) for name in "abcd")
>>> values = [value_of(_ir.einsum("ij,jk,kl->il", a, b, m)) for m in (c, d)]
>>> parts = SharedParts(values)
>>> (shared,) = parts.of(values[0]).values()
>>> set(shared.value.operands) == {a, b}
True
"""

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeGuard

from eingrad import _ir
from eingrad._ir import Apply, Factor, Node, Product
from eingrad._limits import BUDGET
from eingrad._locks import lazy
from eingrad._plan.network import Network
from eingrad._subscripts import Subscripts, renumber

Signature = tuple[int, ...]  # the operands of a part, however they are wired


def is_product(node: Node) -> TypeGuard[Product]:
    """Whether a node is a product of several operands."""
    return isinstance(node, Product) and len(node.factors) > 1


class Value:
    """A product up to the order of its axes.

    As `value_of` and `SharedParts` write it, equal values are equal: operands in canonical order,
    indices numbered by first use, those of `out` ascending.
    """

    def __init__(self, factors: tuple[Factor, ...], out: Subscripts) -> None:
        self.factors, self.out = factors, out
        self.operands = tuple([node for node, _ in factors])
        self._key = factors, out
        self._hash = hash(self._key)  # values are looked up again and again

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Value) and self._key == other._key)

    def __hash__(self) -> int:
        return self._hash

    @property
    def is_long(self) -> bool:
        """Whether it is not a pair yet."""
        return len(self.factors) > 2  # noqa: PLR2004

    @lazy
    def network(self) -> Network:
        """What a search is asked about."""
        return network_of(self.factors, self.out)

    @lazy
    def signatures(self) -> dict[int, Signature]:
        """Which operands are in each part."""
        return _signatures(self)

    @property
    def rank(self) -> tuple[object, ...]:
        """Something to sort by that does not depend on history."""
        digests = [node.digest for node in self.operands]
        return digests, [term for _, term in self.factors], self.out

    def build(self, operands: Sequence[Node]) -> Node:
        """Build it as a node, on these operands."""
        terms = [term for _, term in self.factors]
        return _ir.contract(zip(operands, terms, strict=True), self.out)


def value_of(node: Product) -> Value:
    """Describe a product."""
    twin, _ = _ir.canonical_twin(node)
    return Value(twin.factors, twin.out)


def network_of(factors: Sequence[Factor], out: Subscripts) -> Network:
    """Tell a search about a product."""
    return Network([term for _, term in factors], out, _ir.sizes_of(factors))


class Part(NamedTuple):
    """A set of a product's operands as a value of its own, and the index of each of its axes."""

    value: Value
    term: Subscripts


class SharedParts:
    """Parts that may be made once for several of some products, or exist as one of them.

    Not among them is a part that with one operand more is the same value wherever its operands
    are, each time once: whoever could use it can use the larger one.
    """

    def __init__(self, forms: Iterable[Value], made: Iterable[Value] = ()) -> None:
        forms = [*dict.fromkeys(forms)]
        self._canonical: dict[Value, tuple[Value, Subscripts] | None] = {}
        self._places: defaultdict[Signature, Counter[Value]] = defaultdict(Counter)
        self._repeated: set[Signature] = set()  # twice in one product, perhaps
        for form in dict.fromkeys([*made, *forms]):
            uses = Counter(node.uid for node in form.operands)
            several = {uid for uid, times in uses.items() if times > 1}
            for signature in form.signatures.values():
                self._places[signature][form] += 1
                if several.issuperset(signature):
                    self._repeated.add(signature)
        self._parts: dict[Value, dict[int, Part]] = {form: {} for form in forms}
        self.having: defaultdict[Value, Counter[Value]] = defaultdict(Counter)  # forms with a part
        self._read(forms)

    def of(self, form: Value) -> dict[int, Part]:
        """Give the parts of a product, by sets of operands."""
        if form not in self._parts:
            self._parts[form] = {}
            if form.is_long:  # a pair has no parts
                self._read([form])
        return self._parts[form]

    def all(self) -> list[Part]:
        """Give the parts of all products that were asked about."""
        return [part for parts in self._parts.values() for part in parts.values()]

    def _read(self, forms: Sequence[Value]) -> None:
        """Find parts, large ones first: these tell which smaller ones nobody needs."""
        by_size: defaultdict[int, list[tuple[Value, int]]] = defaultdict(list)
        signatures = {form: form.signatures for form in forms}
        for form in forms:
            for operands, signature in signatures[form].items():
                if operands != form.network.whole and self._places[signature].total() > 1:
                    by_size[operands.bit_count()].append((form, operands))
        alike: set[tuple[Value, int]] = set()  # one value wherever these operands are
        for size in sorted(by_size, reverse=True):
            found: list[tuple[Value, int]] = []
            for form, operands in by_size[size]:
                if self._is_covered(form, operands, signatures[form], alike):
                    alike.add((form, operands))
                elif part := self._part(form, operands):
                    self._parts[form][operands] = part
                    self.having[part.value][form] += 1
                    found.append((form, operands))
            for form, operands in found:
                value = self._parts[form][operands].value
                if self.having[value] == self._places[signatures[form][operands]]:
                    alike.add((form, operands))

    def _is_covered(
        self,
        form: Value,
        operands: int,
        signatures: dict[int, Signature],
        alike: set[tuple[Value, int]],
    ) -> bool:
        """Whether a part with one operand more is found wherever this one is."""
        signature = signatures[operands]
        if signature in self._repeated:
            return False
        more = (operands | k for k in form.network.operands if not operands & k)
        return any(
            (form, larger) in alike and self._places[signatures[larger]] == self._places[signature]
            for larger in more
        )

    def _part(self, form: Value, operands: int) -> Part | None:
        """Describe a part of a product; None where building finds other operands in it."""
        nodes, terms = zip(
            *(f for k, f in enumerate(form.factors) if operands >> k & 1), strict=True
        )
        wanted = form.network.wanted(operands)
        out = [index for index in dict.fromkeys(itertools.chain(*terms)) if index in wanted]
        new_terms, new_out = renumber(terms, out)
        value = Value(tuple(map(Factor, nodes, new_terms)), new_out)
        if value not in self._canonical:
            self._canonical[value] = _canonical(value)
        found = self._canonical[value]
        return found and Part(found[0], tuple(out[axis] for axis in found[1]))


def _signatures(value: Value) -> dict[int, Signature]:
    """Which operands are in each part, the whole included: equal values have equal signatures.

    All parts of a short product; of a long one the small parts.
    """
    uids = [node.uid for node in value.operands]
    count = len(uids)
    found: dict[int, Signature] = {}
    for size in range(2, count):
        if len(found) + math.comb(count, size) > BUDGET.parts:
            break
        for chosen in itertools.combinations(range(count), size):
            found[sum(1 << k for k in chosen)] = tuple(sorted(uids[k] for k in chosen))
    return {**found, (1 << count) - 1: tuple(sorted(uids))}


def _canonical(value: Value) -> tuple[Value, Subscripts] | None:
    """Write a part in the one way; for each of its axes, the axis that it was.

    Where operands are equal or symmetric, only building tells which is which.
    """
    nodes = value.operands
    if len({*nodes}) == len(nodes) and not any(isinstance(n, Apply) and n.symmetry for n in nodes):
        return value, tuple(range(len(value.out)))
    node = value.build(nodes)
    if not isinstance(node, Product) or Counter(node.operands) != Counter(nodes):
        return None
    twin, axes = _ir.canonical_twin(node)
    return Value(twin.factors, twin.out), axes
