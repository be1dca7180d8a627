"""Superword parallelism: small operations of one kind become one operation on a vector.

In: the values of a function, as the user wrote it. Out: equal values.
Guaranteed: each entry is computed by the operation that was written, of the same numbers; nothing
is done where it does not take fewer steps.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence, Set

from eingrad import _ir
from eingrad._ir import Input, Node, Placement, Structural
from eingrad._pack.build import Builder
from eingrad._pack.entries import Book
from eingrad._pack.operations import MOST_OF_ONE
from eingrad._pack.program import Program, parts_of_sums, read
from eingrad._pack.schedule import schedule

_FEWEST = 6  # small operations that are alike: worth a look
_MOST_OTHERS = 4  # times as many small operations
_FEWEST_LANES = 3  # of a pack, on average
_MOST_LEFT = (1, 2)  # of the steps of what is packed
_MOST_PARTS = 12  # that are taken of packs


def pack(
    roots: Sequence[Node], given: Sequence[Node] | None = None, made: Set[bytes] = frozenset()
) -> list[list[Node]]:
    """Give forms in which small operations are done together, that of the fewest steps first.

    There are none where that would not take far fewer. What depends on nothing that is `given`, and
    what derivatives are made of, is left as it is; digests of these are `made`.
    """
    order = _ir.topological(roots)
    if not _has_many(order):
        return []
    kept = _kept(order, given, made)
    joined = parts_of_sums(order, roots, kept)
    ways: list[set[Node]] = [set(), joined] if joined else [joined]
    book = Book()
    for node in order:
        if not isinstance(node, Structural):
            book.enter(node, whole=node in kept and not _ir.is_fill(node))
    found = (_packed(roots, book, read(book, roots, kept, parts)) for parts in ways)
    forms = [form for form in found if form and _pays(roots, form)]
    return sorted(forms, key=lambda form: _steps({*_ir.topological(form)}))


def _has_many(order: Sequence[Node]) -> bool:
    """Whether several small operations are alike, as deep as each other: in most programs none are.

    A quarter of all, at least: it is a look at each node, before more is found out.
    """
    depths: dict[Node, int] = {}
    counts: Counter[Hashable] = Counter()
    for node in order:
        below = _ir.children(node)
        depths[node] = depth = 1 + max((depths[n] for n in below), default=0)
        if below and node.size <= MOST_OF_ONE and not isinstance(node, Placement):
            counts[type(node), getattr(node, "primitive", None), node.size, depth] += 1
    alike = sum(count for count in counts.values() if count >= _FEWEST_LANES)
    return alike >= _FEWEST and counts.total() <= _MOST_OTHERS * alike


def _kept(order: Sequence[Node], given: Sequence[Node] | None, made: Set[bytes]) -> set[Node]:
    kept: set[Node] = set()
    if made:
        kept.update(_ir.topological([n for n in order if n.digest in made]))
    if given is not None:
        inside = {*given}
        for node in order:
            if node not in inside and not inside.isdisjoint(_ir.children(node)):
                inside.add(node)
        depends: set[Node] = set()
        for node in order:
            if isinstance(node, Input) or not depends.isdisjoint(_ir.children(node)):
                depends.add(node)
        kept.update(n for n in order if (n in depends and n not in inside) or n in {*given})
    return kept


def _packed(roots: Sequence[Node], book: Book, program: Program) -> list[Node]:
    """Build a form; nothing where few operations are alike, for then it would not pay."""
    groups = schedule(program.needs, program.kinds)
    lanes = [len(group) for group in groups if len(group) > 1]
    joined = sum(len(o.within) for o in program.operations.values())
    if sum(lanes) + joined < _FEWEST_LANES * len(lanes):
        return []
    operations = program.operations
    builder = Builder(book)
    for number in program.given:
        builder.keep(number)
    taken = _taken_out(groups, book, roots)
    for group in groups:
        found = [operations[n] for n in group if n in operations]
        if len(found) > 1 or (found and len(found[0].coefficients) > 2):  # noqa: PLR2004
            pairs = builder.arranged(group, program)
            if builder.saved(pairs, sum(taken.get(n, 0) for n in group)) > 0:
                builder.pack(pairs)
                continue
        for number in group:
            builder.rebuild(number, operations[number].within if number in operations else ())
    return [builder.value(root) for root in roots]


def _taken_out(
    groups: Sequence[Sequence[int]], book: Book, roots: Sequence[Node]
) -> dict[int, int]:
    """Count how often a node is used by what is done by itself."""
    found: dict[int, int] = {}
    users = [roots, *(_ir.children(book.sources[g[0]]) for g in groups if len(g) == 1)]
    for nodes in users:
        for node in nodes:
            if not isinstance(node, Structural) and book.is_source(node):
                (number,) = book.sources_of(node)
                found[number] = found.get(number, 0) + 1
    return found


def _pays(before: Sequence[Node], after: Sequence[Node]) -> bool:
    """Whether what was packed takes far fewer steps, and few parts of packs are taken.

    Derivatives take many times the steps. Each part that is taken of a pack is a pattern of its own
    in them, and patterns are multiplied one by one.
    """
    old, new = ({*_ir.topological(roots)} for roots in (before, after))
    added = new - old
    parts = [n for n in added if isinstance(n, Placement) and n.core and n.core.node in added]
    taken = sum(n.size < n.core.node.size for n in parts if n.core)
    left, of = _MOST_LEFT
    return bool(added) and taken <= _MOST_PARTS and of * _steps(added) <= left * _steps(old - new)


def _steps(nodes: Iterable[Node]) -> int:
    return sum(bool(_ir.children(n)) for n in nodes)
