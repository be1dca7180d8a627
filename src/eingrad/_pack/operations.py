"""Small operations in a form in which those that do the same are seen to.

In: a node whose operands are in the book. Out: an `Operation`, or None for what is not packed.
Guaranteed: operations of one kind compute the same of operands of the same shapes; axes of length
one do not count. What the order of operands does not change is in one order.

A sum of sums, ``((a + b) - c) + d``, each of which is used once, is one operation: of all its
terms, in the order in which they are added.
"""

from collections.abc import Container, Hashable, Mapping
from dataclasses import dataclass, replace

from eingrad import _ir
from eingrad._ir import Add, Apply, Coefficient, Einsum, Node, Product
from eingrad._pack.entries import MOST_ENTRIES, Addresses, Book, picks, short
from eingrad._primitives import Kind, is_elementwise, kind_of, row_of
from eingrad._subscripts import Shape, Subscripts

MOST_OF_ONE = 16  # entries of the result of an operation that is packed
MOST_IN_ORDER = 7  # terms that NumPy adds one after the other
_TWO = 2  # terms, as the user adds them
_PACKED = (Kind.BY_RULES, Kind.CAST, Kind.SELECT)


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """What a node computes, of which entries; `within` are sums that are part of it."""

    node: Node
    kind: Hashable
    operands: tuple[Addresses, ...]
    shapes: tuple[Shape, ...]  # of the operands, and of the result, without axes of length one
    shape: Shape
    coefficients: tuple[Coefficient, ...] = ()
    terms: tuple[Subscripts, ...] = ()  # of a product
    out: Subscripts = ()
    within: tuple[Node, ...] = ()
    commuting: tuple[tuple[int, ...], ...] = ()  # operands whose order does not matter

    @property
    def is_sum(self) -> bool:
        """Whether its operands are added."""
        return isinstance(self.node, Add)


def operation_of(
    node: Node, book: Book, once: Container[Node], marks: Hashable
) -> Operation | None:
    """Read a node; `marks` tell operations apart that could be infinite."""
    if node.size > MOST_OF_ONE or 0 in node.shape:
        return None
    found = None
    match node:
        case Apply():
            found = _call(node, book)
        case Add():
            found = _sum(node, book, once)
        case Product():
            found = _product(node, book)
        case Einsum():
            found = _multiple(node, book)
    return None if found is None else replace(found, kind=(found.kind, marks))


def _call(node: Apply, book: Book) -> Operation | None:
    if not is_elementwise(node) or not node.operands or kind_of(node) not in _PACKED:
        return None
    row = row_of(node)
    if row.results != 1 or row.core != () or node.symmetry:
        return None
    dtypes = tuple(n.dtype.str for n in node.operands)
    shape = short(node.shape)
    kind = (row.identity, repr(node.attributes), shape, node.dtype.str, dtypes)
    operands = tuple(book.addresses(n) for n in node.operands)
    return Operation(node, kind, operands, (shape,) * len(operands), shape)


def _sum(node: Add, book: Book, once: Container[Node]) -> Operation:
    """Read a sum with the sums that it goes on from."""
    spine = [node]
    pairs: list[tuple[Node, Coefficient]] = []
    number: Coefficient = 1
    while True:
        terms = [*zip(spine[-1].terms, spine[-1].coefficients, strict=True)]
        inner = [(n, c) for n, c in terms if isinstance(n, Add) and n in once and abs(c) == 1]
        if len(inner) != 1 or len(terms) != _TWO:
            break
        rest = [pair for pair in terms if pair not in inner]
        pairs += [(n, _ir.multiply(c, number)) for n, c in rest]
        ((below, sign),) = inner
        number = _ir.multiply(number, sign)
        assert isinstance(below, Add)
        spine.append(below)
    first = [(n, _ir.multiply(c, number)) for n, c in terms]
    pairs = [*_in_order(first), *pairs[::-1]]
    if len({n for n, _ in pairs}) < len(pairs) or not _may_be_joined(pairs):
        spine = spine[:1]
        pairs = _in_order([*zip(node.terms, node.coefficients, strict=True)])
        first = pairs
    shape = short(node.shape)
    operands = tuple(book.addresses(n) for n, _ in pairs)
    alike = len(first) == _TWO and pairs[0][1] == pairs[1][1]
    return Operation(
        node, ("sum", len(pairs), shape, node.dtype.str), operands, (shape,) * len(operands), shape,
        tuple(c for _, c in pairs), within=(*spine[1:],), commuting=((0, 1),) if alike else (),
    )  # fmt: skip


def _in_order(pairs: list[tuple[Node, Coefficient]]) -> list[tuple[Node, Coefficient]]:
    """Put what is added first, of two; the order of more is that in which they are added."""
    return pairs if len(pairs) > _TWO else sorted(pairs, key=_number_of, reverse=True)


def _number_of(pair: tuple[Node, Coefficient]) -> tuple[float, float]:
    return float(pair[1].real), float(pair[1].imag)


def _may_be_joined(pairs: list[tuple[Node, Coefficient]]) -> bool:
    """Whether a sum of all terms is the sum in their order, or one of many alike."""
    return len(pairs) <= MOST_IN_ORDER or len({c for _, c in pairs}) == 1


def _product(node: Product, book: Book) -> Operation | None:
    if len(node.factors) == 1 and not node.sums:
        return _multiple(node, book)
    if any(n.size > MOST_OF_ONE for n in node.operands):
        return None
    long = [index for index, size in enumerate(node.sizes) if size != 1]
    pairs = [
        (tuple(i for i in term if i in long), book.addresses(n), n) for n, term in node.factors
    ]
    pairs.sort(key=lambda pair: (pair[0], short(pair[2].shape)))
    number: Mapping[int, int] = {
        index: n for n, index in enumerate(dict.fromkeys(i for t, _, _ in pairs for i in t))
    }
    terms = tuple(tuple(number[i] for i in t) for t, _, _ in pairs)
    out = tuple(number[i] for i in node.out if i in long)
    shapes = tuple(short(n.shape) for _, _, n in pairs)
    kind = ("product", terms, out, shapes, repr(node.coefficient), node.dtype.str)
    operands = tuple(a for _, a, _ in pairs)
    alike: dict[Hashable, list[int]] = {}
    for n, pair in enumerate(zip(terms, shapes, strict=True)):
        alike.setdefault(pair, []).append(n)
    return Operation(
        node, kind, operands, shapes, short(node.shape), (node.coefficient,), terms, out,
        commuting=tuple(tuple(group) for group in alike.values() if len(group) > 1),
    )  # fmt: skip


def _multiple(node: Einsum, book: Book) -> Operation | None:
    """Read a multiple of entries of one array."""
    view = _ir.view_of(node, deep=False)
    if view is None or view.core is None or view.core.node.size > MOST_ENTRIES:
        return None
    core, picked = view.core.node, picks(view)
    if picked is None or (picked < 0).any():
        return None
    shape = short(node.shape)
    kind = ("multiple", repr(node.coefficient), shape, node.dtype.str)
    term = tuple(range(len(shape)))
    return Operation(
        node,
        kind,
        (book.addresses(core)[picked],),
        (shape,),
        shape,
        (node.coefficient,),
        (term,),
        term,
    )
