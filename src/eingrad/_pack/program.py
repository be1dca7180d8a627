"""A program as operations that need each other.

In: the book of its entries, and the sums that are parts of others. Out: a `Program`.
Guaranteed: a sum is a part of others only where all that uses it has its terms.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence, Set
from dataclasses import dataclass

from eingrad import _ir
from eingrad._ir import Add, Node, Structural
from eingrad._pack.entries import Book
from eingrad._pack.guards import marks
from eingrad._pack.operations import Operation, operation_of

_MOST_SHARED = 2  # sums that go on from one, each of which adds its terms again


@dataclass(frozen=True, slots=True)
class Program:
    """Computed nodes by their number: what each needs; those that are read as operations."""

    operations: dict[int, Operation]
    needs: dict[int, set[int]]
    given: list[int]  # numbers of what is left as it is
    added: dict[int, tuple[int, ...]]  # terms of the one sum that uses a node, itself among them
    commuting: dict[tuple[int, ...], tuple[tuple[int, ...], ...]]  # places of which may be changed

    @property
    def kinds(self) -> dict[int, Hashable | None]:
        """What can be done together; None for what is done by itself."""
        return {n: self.operations[n].kind if n in self.operations else None for n in self.needs}


def read(book: Book, roots: Sequence[Node], kept: Set[Node], parts: Set[Node]) -> Program:
    """Read all nodes; those that are `kept` need nothing."""
    guards = marks(book.nodes, {*roots})
    given = [n for n, node in enumerate(book.sources) if node in kept or not _ir.children(node)]
    known = {*given}
    while True:
        operations, within = _read_operations(book, known, parts, guards)
        needs = {
            n: _needs(book, node, operations.get(n))
            for n, node in enumerate(book.sources)
            if n not in known and node not in within
        }
        needed = {book.sources[n] for below in needs.values() for n in below}
        if within.isdisjoint(needed):
            break
        parts = parts - needed
    operations = {n: operation for n, operation in operations.items() if n in needs}
    sums = _sums_of_terms(book, operations, needs)
    added = {n: terms for terms in sums for n in terms}
    return Program(operations, needs, given, added, sums)


def _read_operations(
    book: Book, known: Set[int], parts: Set[Node], guards: Mapping[Node, Hashable]
) -> tuple[dict[int, Operation], set[Node]]:
    """Read what is part of no other operation; give also the sums that are.

    Users first: each sum of a chain would be read with all before it, that is, n**2 / 2 of them.
    """
    operations: dict[int, Operation] = {}
    within: set[Node] = set()
    for number, node in reversed([*enumerate(book.sources)]):
        if number in known or node in within:
            continue
        found = operation_of(node, book, parts, guards.get(node))
        if found is not None:
            operations[number] = found
            within.update(found.within)
    return dict(sorted(operations.items())), within


def _sums_of_terms(
    book: Book, operations: dict[int, Operation], needs: dict[int, set[int]]
) -> dict[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """Find sums of what is a term, whole, and used by nothing else; say what commutes."""
    uses = Counter(n for below in needs.values() for n in below)
    found = {}
    for operation in operations.values():
        if not operation.is_sum:
            continue
        below = [book.numbers_of(addresses) for addresses in operation.operands]
        terms = tuple(n for numbers in below for n in numbers)
        is_whole = len(terms) == len(below) and all(
            uses[n] == 1 and book.sources[n].size == operation.node.size for n in terms
        )
        if is_whole and len({*terms}) == len(terms):
            found[terms] = operation.commuting
    return found


def _needs(book: Book, node: Node, operation: Operation | None) -> set[int]:
    if operation is not None:
        parts = (book.numbers_of(addresses) for addresses in operation.operands)
    else:
        below = (n for n in _ir.children(node) if not isinstance(n, Structural))
        parts = (book.sources_of(n) for n in below)
    return {number for part in parts for number in part}


def parts_of_sums(order: Sequence[Node], roots: Sequence[Node], kept: Set[Node]) -> set[Node]:
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
