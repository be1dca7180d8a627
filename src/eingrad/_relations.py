"""What coefficients of series are solved from: sums of products of at most two factors.

In: a product, or a call of a row that has an equation. Out: pieces, each a Cauchy product of
series, and how the unknown coefficient is solved for.
Guaranteed: every factor is a node whose series is asked for, or the unknown.

``z = a (1 / b)`` is solved as ``a = b z``: one Cauchy product, where the reciprocal takes another.

>>> from eingrad._primitives import apply, times
>>> a, b = (_ir.new_input(name, (3,)) for name in "ab")
>>> [len(piece.factors) for piece in relation_of(times(a, apply("reciprocal", b)), id).pieces]
[1, 2]
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from eingrad import _ir
from eingrad._ir import Add, Apply, Coefficient, Einsum, Factor, Node, Product
from eingrad._plan import find_path
from eingrad._primitives import Law, equation, row_of, times
from eingrad._subscripts import Shape, Subscripts

PAIR = 2  # the most factors of a Cauchy product


@dataclass(frozen=True, slots=True)
class Piece:
    """A term of a sum: a number, and the factors whose series are multiplied."""

    number: Coefficient
    factors: tuple[Factor, ...]
    out: Subscripts
    sizes: Shape

    @property
    def nodes(self) -> list[Node]:
        """What the factors are."""
        return [node for node, _ in self.factors]

    @property
    def shape(self) -> Shape:
        """Shape of the product."""
        return tuple(self.sizes[index] for index in self.out)

    def build(self, nodes: Sequence[Node], number: Coefficient = 1) -> Node:
        """Multiply coefficients of the factors."""
        factors = zip(nodes, (term for _, term in self.factors), strict=True)
        number = _ir.multiply(self.number, number)
        return _ir.contract(factors, self.out, self.sizes, number, nodes[0].dtype)


@dataclass(frozen=True, slots=True)
class Relation:
    """A sum of pieces that is zero, to all orders, and linear in what is unknown of each."""

    pieces: tuple[Piece, ...]
    unknown: Node  # the node that is asked for, or its rate
    known: tuple[Node, ...]  # what `solve` gets the values of, after the rest of the sum
    solve: Callable[..., Node]
    gives_rate: bool = False
    first_by_rule: bool = False


def relation_of(node: Apply | Product, rate: Callable[[Node], Node]) -> Relation | None:
    """Find what a node is solved from; None: its rule, or a Cauchy product, takes no more."""
    return _equation(node, rate) if isinstance(node, Apply) else _quotient(node)


def _equation(node: Apply, rate: Callable[[Node], Node]) -> Relation | None:
    """Write the equation of a row in leaves, which no builder sees into, and put nodes there."""
    inner = (*node.operands, node)
    leaves = [_ir.new_input("leaf", n.shape, n.dtype, ("leaf", k)) for k, n in enumerate(inner)]
    meant: dict[Node, Node] = dict(zip(leaves, inner, strict=True))

    def rate_of_leaf(leaf: Node) -> Node:
        made = _ir.new_input("rate", leaf.shape, leaf.dtype, ("leaf rate", leaf.digest))
        meant[made] = rate(meant[leaf])
        return made

    found = equation(node, leaves, rate_of_leaf)
    if found is None:
        return None
    residual = found.residual
    terms: list[tuple[Node, Coefficient]] = [(residual, 1)]
    if isinstance(residual, Add):
        terms = [*zip(residual.terms, residual.coefficients, strict=True)]
    pieces = []
    for term, number in terms:
        piece = piece_of(term, number)
        nodes = _ir.substitute(piece.nodes, meant)
        factors = (Factor(n, axes) for n, (_, axes) in zip(nodes, piece.factors, strict=True))
        pieces.append(replace(piece, factors=tuple(factors)))
    unknown = rate(node) if found.gives_rate else node
    how = found.solve, found.gives_rate, found.first_by_rule
    return Relation(tuple(pieces), unknown, inner, *how)


def _quotient(node: Product) -> Relation | None:
    """Solve a product with a reciprocal, entry by entry, as a quotient."""
    for n, (below, term) in enumerate(node.factors):
        (other,) = node.factors[:n] + node.factors[n + 1 :]
        is_entrywise = term == node.out and other.node is not below
        if is_entrywise and isinstance(below, Apply) and row_of(below).law is Law.RECIPROCAL:
            left = Piece(node.coefficient, (other,), node.out, node.sizes)
            right = Factor(below.operands[0], node.out), Factor(node, node.out)
            pieces = left, Piece(-1, right, node.out, node.sizes)
            return Relation(pieces, node, (below,), times)
    return None


def piece_of(node: Node, number: Coefficient = 1) -> Piece:
    """Take a node as a product; what is none is one of itself alone."""
    if isinstance(node, Einsum):
        number = _ir.multiply(number, node.coefficient)
        return Piece(number, node.factors, node.out, node.sizes)
    axes = tuple(range(node.ndim))
    return Piece(number, (Factor(node, axes),), axes, node.shape)


def in_pairs(node: Product) -> Node:
    """Write a product as one of pairs: each has one Cauchy product, and each is shared."""
    factors = list(node.factors)
    sizes = dict(enumerate(node.sizes))
    for pair in find_path(node.terms, node.out, sizes)[:-1]:
        chosen = [factors.pop(n) for n in sorted(pair, reverse=True)]
        wanted = {*node.out}.union(*(term for _, term in factors))
        met = dict.fromkeys(index for _, term in chosen for index in term)
        term = tuple(index for index in met if index in wanted)
        factors.append(Factor(_ir.contract(chosen, term), term))
    return _ir.contract(factors, node.out, node.sizes, node.coefficient)


def add(terms: Sequence[tuple[Node, Coefficient]]) -> Node:
    """Add terms, those of one number first: ``2 a b + 2 c d + e e -> 2 (a b + c d) + e e``."""
    nodes, numbers = zip(*terms, strict=True)
    total = _ir.add(nodes, numbers)
    if not isinstance(total, Add):
        return total
    groups: dict[Coefficient, list[Node]] = {}
    for node, number in zip(total.terms, total.coefficients, strict=True):
        groups.setdefault(number, []).append(node)
    if len(groups) == 1 and 1 in groups:
        return total
    return _ir.add([_ir.add(group) for group in groups.values()], [*groups])
