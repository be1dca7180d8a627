"""Which entries of a node are needed: those that a chosen branch of every select above leads to.

In: nodes of a sweep, and those that it begins with, which are needed everywhere. Out: for each node
where it is needed, and flags that say so, made when they are asked for.
Guaranteed: what is not needed has cotangents that are zero, whatever is multiplied with them.

A need is a set of alternatives, each a set of conditions that hold together, entry by entry: so
``c`` or not ``c`` is everywhere, and nothing is built to know that. Where entries are moved, or
summed, flags go the way of cotangents: an entry is needed if one that is made of it is.

>>> x, y = (_ir.new_input(name, (3,)) for name in "xy")
>>> flags = apply("greater", x, y)
>>> chosen, other = (together(EVERYWHERE, Condition(flags, holds)) for holds in (True, False))
>>> either(chosen, other) == EVERYWHERE
True
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from eingrad import _ir
from eingrad._diff.flags import flags_below
from eingrad._diff.graph import dependents
from eingrad._ir import Add, Apply, Einsum, Node, Placement
from eingrad._primitives import Kind, apply, is_elementwise, kind_of
from eingrad._recurrence import Scan, is_scan, scan_of

_MOST = 4  # alternatives; of more, flags are made


@dataclass(frozen=True, slots=True)
class Condition:
    """Entries where flags hold, or where they do not."""

    flags: Node
    holds: bool


@dataclass(frozen=True, slots=True)
class Below:
    """Entries of operand number k of a node that are needed through it."""

    node: Node
    k: int


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Entries of a node where one of several alternatives holds."""

    node: Node


@dataclass(frozen=True, slots=True)
class Operand:
    """Entries of operand number k of a scan that are needed through it: its way back tells."""

    scan: Scan
    operands: tuple[Node, ...]
    k: int


Literal = Condition | Below | AnyOf | Operand
Need = frozenset[frozenset[Literal]]
EVERYWHERE: Need = frozenset([frozenset()])
NOWHERE: Need = frozenset()


def together(need: Need, literal: Literal) -> Need:
    """Say where one more condition holds."""
    opposite = (
        Condition(literal.flags, not literal.holds) if isinstance(literal, Condition) else None
    )
    return frozenset(each | {literal} for each in need if opposite not in each)


def either(one: Need, other: Need) -> Need:
    """Say where one of two holds, ``(a and c) or (a and not c) = a``: each step joins two."""
    if EVERYWHERE in (one, other):
        return EVERYWHERE
    found = {*one, *other}
    while True:
        pairs = itertools.combinations(found, 2)
        joined = ((pair, made) for pair in pairs if (made := _join(*pair)) is not None)
        pair, made = next(joined, ((), None))
        if made is None:
            return frozenset(found)
        found = {*found.difference(pair), made}


def _join(one: frozenset[Literal], other: frozenset[Literal]) -> frozenset[Literal] | None:
    """Give one alternative for two: the one that the other contains, or what both share."""
    if one <= other or other <= one:
        return min(one, other, key=len)
    left, right = [*(one - other)], [*(other - one)]
    if len(left) == len(right) == 1:
        a, b = left[0], right[0]
        if isinstance(a, Condition) and isinstance(b, Condition) and a.flags is b.flags:
            return one & other
    return None


class Needs:
    """Where the nodes of a sweep are needed, which begins with some."""

    def __init__(self, ys: Mapping[Node, Need], order: Iterable[Node]) -> None:
        self._needs = {**ys}
        self._many: dict[Node, Need] = {}
        self._flags: dict[Node, Node] = {}
        self._told: dict[Operand, Node] = {}
        known = {*order}
        for node in reversed([*order]):
            need = self._needs[node] = self._short(node, self._needs.get(node, NOWHERE))
            if need != NOWHERE:
                for k, below in enumerate(_ir.children(node)):
                    if below in known:
                        more = _through(node, k, need)
                        self._needs[below] = either(self._needs.get(below, NOWHERE), more)

    def note(self, node: Apply, flags: Mapping[int, Node]) -> None:
        """Note what the way back through a scan tells of its operands, by their numbers."""
        for k, found in flags.items():
            self._told[Operand(scan_of(node), node.operands, k)] = found

    def _short(self, node: Node, need: Need) -> Need:
        if len(need) <= _MOST:
            return need
        self._many[node] = need
        return frozenset([frozenset([AnyOf(node)])])

    def of(self, node: Node) -> Need:
        """Say where a node is needed."""
        return self._needs.get(node, NOWHERE)

    def flags(self, node: Node) -> Node:
        """Give flags of the entries where a node is needed, which is not everywhere."""
        pending = [node]
        while pending:
            top = pending[-1]
            missing = [n for n in self._asked(top) if n not in self._flags]
            if missing:
                pending += missing
                continue
            self._flags.setdefault(pending.pop(), self._made(top, self.of(top)))
        return self._flags[node]

    def _asked(self, node: Node) -> list[Node]:
        """Nodes whose flags those of a node are made of."""
        literals = itertools.chain(*self._many.get(node, self.of(node)))
        return [
            each.node
            for each in literals
            if isinstance(each, Below) or (isinstance(each, AnyOf) and each.node is not node)
        ]

    def _made(self, node: Node, need: Need) -> Node:
        need = self._many.get(node, need)
        found: Node | None = None
        for each in sorted(need, key=lambda one: sorted(map(_name, one))):
            flags: Node | None = None
            for literal in sorted(each, key=_name):
                more = self._of_literal(literal)
                flags = more if flags is None else apply("logical_and", flags, more)
            assert flags is not None
            found = flags if found is None else apply("logical_or", found, flags)
        assert found is not None
        return found

    def _of_literal(self, literal: Literal) -> Node:
        match literal:
            case Condition():
                return _holding(literal)
            case Below(node, k):
                return flags_below(node, k, self._flags[node])
            case Operand(_, operands, k):
                everything = _ir.fill(1, operands[k].shape, bool)
                return self._told.get(literal, everything)
            case AnyOf(node):
                return self._flags[node]


def _name(literal: Literal) -> tuple[bytes, int]:
    """What alternatives are ordered by: not the history of the process."""
    match literal:
        case Condition(flags, holds):
            return flags.digest, int(holds)
        case Below(node, k):
            return node.digest, k
        case AnyOf(node):
            return node.digest, -1
        case Operand(scan, operands, k):
            return b"".join([scan.name.encode(), *(n.digest for n in operands)]), k


def _holding(condition: Condition) -> Node:
    return condition.flags if condition.holds else apply("logical_not", condition.flags)


def needed(ys: Sequence[tuple[Node, Node | None]], xs: Sequence[Node]) -> list[Node | None]:
    """Flag what nodes are made of, where flags tell that these are needed; None: everywhere."""
    seeds: dict[Node, Need] = {}
    for y, flags in ys:
        seeds[y] = either(seeds.get(y, NOWHERE), only_where(flags))
    needs = Needs(seeds, dependents(seeds, xs))
    found: list[Node | None] = []
    for x in xs:
        need = needs.of(x)
        nothing = _ir.zeros(x.shape, bool)
        found.append(None if need == EVERYWHERE else needs.flags(x) if need else nothing)
    return found


def only_where(flags: Node | None) -> Need:
    """Say that a node is needed where flags hold; None: everywhere."""
    return EVERYWHERE if flags is None else together(EVERYWHERE, Condition(flags, holds=True))


def _through(node: Node, k: int, need: Need) -> Need:
    """Say where operand number k is needed, as far as one node is made of it."""
    if kind_of(node) is Kind.SELECT:
        return NOWHERE if k == 0 else together(need, Condition(_ir.children(node)[0], k == 1))
    if is_scan(node) and (need != EVERYWHERE or scan_of(node).has_selects):
        return frozenset([frozenset([Operand(scan_of(node), node.operands, k)])])
    is_same = isinstance(node, Add) or is_elementwise(node) or kind_of(node) is Kind.CAST
    if is_same or need == EVERYWHERE:
        return need
    if isinstance(node, Einsum) and not isinstance(node, Placement):
        term, axes = node.factors[k].term, node.out
        if term == axes:
            return need
    return frozenset([frozenset([Below(node, k)])])
