"""Superword parallelism: small operations of one kind become one operation on a vector.

In: the values of a function, as the user wrote it. Out: equal values.
Guaranteed: each entry is computed by the operation that was written, of the same numbers; nothing
is done where it does not take fewer steps.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence, Set

from eingrad import _ir
from eingrad._ir import Add, Input, Node, Structural
from eingrad._pack.build import Builder
from eingrad._pack.entries import Book
from eingrad._pack.guards import marks
from eingrad._pack.operations import Operation, operation_of
from eingrad._pack.schedule import schedule

_FEWEST = 8  # small operations that are worth a look
_MOST_LEFT = (2, 3)  # of the steps of what is packed
_MOST_SHARED = 2  # sums that go on from one, each of which adds its terms again


def packed(
    roots: Sequence[Node], given: Sequence[Node] | None, made: Set[bytes]
) -> tuple[Node, ...]:
    """Compute together what does the same.

    What depends on nothing that is `given`, and what derivatives are made of, is left as it is;
    digests of these are `made`.
    """
    order = _ir.topological(roots)
    kept = _kept(order, given, made)
    together = _parts_of_sums(order, roots, kept)
    forms = [_pack(roots, order, kept, parts) for parts in ({*()}, together)]
    best = min(forms, key=lambda nodes: _steps({*_ir.topological(nodes)}))
    return (*(best if _pays(roots, best) else roots),)


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


def _pack(
    roots: Sequence[Node], order: Sequence[Node], kept: Set[Node], once: Set[Node]
) -> list[Node]:
    book = Book()
    for node in order:
        if not isinstance(node, Structural):
            book.enter(node, whole=node in kept and not _ir.is_fill(node))
    guards = marks(order, {*roots})
    operations: dict[int, Operation] = {}
    for number, node in enumerate(book.sources):
        found = None if node in kept else operation_of(node, book, once, guards.get(node))
        if found is not None:
            operations[number] = found
    numbers = {node: n for n, node in enumerate(book.sources)}
    within = {numbers[n] for n in _outermost(operations)}
    operations = {n: o for n, o in operations.items() if n not in within}
    builder = Builder(book)
    needs: dict[int, set[int]] = {}
    for number, node in enumerate(book.sources):
        if node in kept or not _ir.children(node):
            builder.keep(number)
        elif number in operations:
            needs[number] = set()
            for addresses in operations[number].operands:
                needs[number] |= book.numbers_of(addresses)
        elif number not in within:
            needs[number] = set()
            for child in _ir.children(node):
                if not isinstance(child, Structural):
                    needs[number] |= book.sources_of(child)
    kinds: dict[int, Hashable | None] = {
        n: operations[n].kind if n in operations else None for n in needs
    }
    groups = schedule(needs, kinds)
    taken = _taken_out(groups, book, roots)
    for group in groups:
        found = [operations[n] for n in group if n in operations]
        out = sum(taken.get(n, 0) for n in group)
        is_sum = len(found) == 1 and found[0].is_sum and len(found[0].operands) > 2
        if (len(found) > 1 or is_sum) and builder.saved(found, out) > 0:
            builder.pack(group, found)
        else:
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
    """Whether what was packed takes far fewer steps: its derivatives take many times as many."""
    old, new = ({*_ir.topological(roots)} for roots in (before, after))
    saved, added = (_steps(nodes) for nodes in (old - new, new - old))
    return _MOST_LEFT[1] * added <= _MOST_LEFT[0] * saved


def _steps(nodes: Iterable[Node]) -> int:
    return sum(bool(_ir.children(n)) for n in nodes)


def _parts_of_sums(order: Sequence[Node], roots: Sequence[Node], kept: Set[Node]) -> set[Node]:
    """Sums that nothing but sums goes on from, a few of them."""
    used: dict[Node, int] = {}
    elsewhere: set[Node] = {*roots, *kept}
    for node in order:
        for child in _ir.children(node):
            if isinstance(node, Add):
                used[child] = used.get(child, 0) + 1
            else:
                elsewhere.add(child)
    return {
        n for n in order
        if isinstance(n, Add) and n not in elsewhere and used.get(n, 0) <= _MOST_SHARED
    }  # fmt: skip


def _outermost(operations: Mapping[int, Operation]) -> set[Node]:
    """Sums that are within others, by sums that are within none."""
    found: set[Node] = set()
    for number in sorted(operations, reverse=True):
        operation = operations[number]
        if operation.node not in found:
            found.update(operation.within)
    return found
