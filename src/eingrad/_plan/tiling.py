"""Loops over tiles as operations of nodes, and what of a program may stand in them.

In: nodes, and the axis that each is sliced along. Out: the body of a pass, on slices.
Guaranteed: a slice of what may be sliced is the same operation on slices of its operands.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from eingrad import _ir
from eingrad._ir import Add, Apply, Einsum, Input, Node, Placement, Product
from eingrad._primitives import is_elementwise

Slices = dict[Node, int]  # the axis that each node is sliced along


@dataclass(frozen=True, slots=True, eq=False)
class Tiling:
    """The operation of a node: a result of a body that runs once for each tile of an index.

    Operand n is sliced along ``axes[n]``, or whole where that is None. Result n of the body is a
    slice along ``writes[n]`` of the result, or one of its addends where that is None.
    """

    sliced: Mapping[Node, int]
    nodes: tuple[Node, ...]  # the body as it was: children first
    roots: tuple[Node, ...]  # the results among them
    operands: tuple[Node, ...]
    axes: tuple[int | None, ...]
    size: int
    step: int
    name: str = "loop"
    identity: str = "loop"  # the attributes of its nodes name its results
    number: None = None
    linear: bool = False

    @property
    def writes(self) -> tuple[int | None, ...]:
        """Say of each result along which axis it is written; None: it is added up."""
        return tuple(self.sliced.get(root) for root in self.roots)

    def tiles(self) -> list[range]:
        """Give the tiles by their first index: those of full length, then a shorter one."""
        whole = self.size - self.size % self.step
        tiles = [range(0, whole, self.step), range(whole, self.size, self.size - whole or 1)]
        return [each for each in tiles if each]

    def body(self, length: int) -> tuple[list[Input], list[Node]]:
        """Build a pass over a tile of some length: what it is given, and its results."""
        given: dict[tuple[Node, int | None], Input] = {}
        for n, (node, axis) in enumerate(zip(self.operands, self.axes, strict=True)):
            shape = _shorten(node.shape, axis, length)
            given[node, axis] = _ir.new_input(f"operand {n}", shape, node.dtype, ("operand", n))
        new: dict[Node, Node] = {}
        for node in self.nodes:
            below = [
                new[n] if n in new else given[n, axis]
                for n, axis in operands_of(node, index_of(node, self.sliced))
            ]
            new[node] = _resize(node, below, self.sliced, length)
        return [*given.values()], [new[root] for root in self.roots]


# What can be sliced ------------------------------------------------------------------------------


def bytes_of(node: Node) -> int:
    return node.size * node.dtype.itemsize


def is_cut(node: Node, least_bytes: int) -> bool:
    """Whether a node takes so much memory, and can be sliced."""
    return bytes_of(node) >= least_bytes and may_be_sliced(node) and not is_virtual(node)


def is_virtual(node: Node) -> bool:
    """Whether a node takes no memory of its own: a view, or equal entries."""
    match node:
        case Product(is_view=True) | Placement(structure=()):
            return True
    return False


def may_be_sliced(node: Node) -> bool:
    """Whether a slice of a node is the same operation on slices of its operands."""
    match node:
        case Add():
            return not any(map(_ir.carries_delta, node.terms))
        case Product() | Placement(structure=()):
            return True
    return is_elementwise(node)


def terms_of(node: Node) -> tuple[Sequence[Sequence[int]], Sequence[int]]:
    """Say which index each axis has, of the operands and of the result."""
    if isinstance(node, Einsum):
        return node.terms, node.out
    out = range(node.ndim)
    return [out for _ in _ir.children(node)], out


def index_of(node: Node, sliced: Mapping[Node, int]) -> int | None:
    """Find the index of a node that is cut into tiles; None where there is not just one.

    An operand that has it twice, on its diagonal, would need two slices of itself.
    """
    if not may_be_sliced(node):
        return None
    terms, out = terms_of(node)
    found = {t[sliced[n]] for n, t in zip(_ir.children(node), terms, strict=True) if n in sliced}
    if node in sliced:
        found.add(out[sliced[node]])
    if len(found) != 1:
        return None
    (index,) = found
    return index if all([*term].count(index) <= 1 for term in terms) else None


def operands_of(node: Node, index: int | None) -> Iterator[tuple[Node, int | None]]:
    """Go through operands, each with the axis that has an index."""
    for operand, term in zip(_ir.children(node), terms_of(node)[0], strict=True):
        yield operand, [*term].index(index) if index is not None and index in term else None


def _resize(node: Node, below: Sequence[Node], sliced: Mapping[Node, int], length: int) -> Node:
    """Build a node again on slices of its operands."""
    match node:
        case Einsum():
            sizes = dict(enumerate(node.sizes))
            index = index_of(node, sliced)
            sizes.update({} if index is None else {index: length})
            factors = zip(below, node.terms, strict=True)
            return _ir.contract(factors, node.out, sizes, node.coefficient, node.dtype)
        case Add():
            return _ir.add(below, node.coefficients)
        case Apply():
            shape = _shorten(node.shape, sliced[node], length)
            attributes = dict(node.attributes)
            return _ir.apply_node(node.primitive, below, attributes, node.result, shape, node.dtype)
    raise AssertionError(f"not to be sliced: {node}")


def _shorten(shape: Sequence[int], axis: int | None, length: int) -> tuple[int, ...]:
    return tuple(length if a == axis else size for a, size in enumerate(shape))
