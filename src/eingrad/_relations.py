"""What coefficients of series are solved from: sums of products of at most two factors.

In: a product, or a call of a row that has an equation. Out: pieces, each a Cauchy product of
series, and how the unknown coefficient is solved for.
Guaranteed: every factor is a node whose series is asked for, or the unknown.

``z = a (1 / b)`` is solved as ``a = b z``: one Cauchy product, where the reciprocal takes another.

>>> from eingrad._primitives import apply, times
>>> a, b = (_ir.new_input(name, (3,)) for name in "ab")
>>> relation = relation_of(times(a, apply("reciprocal", b)), Curve([a, b]), 2)
>>> [len(piece.factors) for piece in relation.pieces]
[1, 2]
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from eingrad import _ir
from eingrad._curve import Curve
from eingrad._ir import Add, Apply, Coefficient, Einsum, Factor, Node, Product
from eingrad._plan import find_path
from eingrad._primitives import Along, Equation, Law, equation, row_of, times
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

    def numbers(self, k: int, curve: Curve) -> list[tuple[tuple[int, ...], int]]:
        """Number the coefficients that are multiplied; say how often each product occurs.

        Of ``(x / c) x`` half of them are made, and of ``x / c`` half the coefficients. Of ``x x``
        products that are equal are one anyway.
        """
        if len(self.factors) == 1:
            return [((k,), 1)]
        (first, one), (second, other) = self.factors
        half = [(j, 1 if 2 * j == k else 2) for j in range(k // 2 + 1)]
        if one == other and _is_multiple(first, second, curve):
            return [((j, k - j), times) for j, times in half]
        if one == other and _is_multiple(second, first, curve):
            return [((k - j, j), times) for j, times in half]
        return [((j, k - j), 1) for j in range(k + 1)]

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
    known: tuple[Node, ...]  # what `solve` gets the values of, after number and rest of the sum
    solve: Callable[..., Node]
    gives_rate: bool = False
    first_by_rule: bool = False
    partners: tuple[tuple[Node, "Relation"], ...] = ()  # relations of other nodes in it

    def is_in_terms(self, piece: Piece, curve: Curve) -> bool:
        """Whether coefficients of rates are written as numbers times those of nodes.

        So where another piece has then the same products, ``x y'`` and ``x' y``.
        """
        own = {curve.of_rate.get(node, node) for node in piece.nodes}
        pairs = [{curve.of_rate.get(n, n) for n in other.nodes} for other in self.pieces]
        return self.gives_rate and pairs.count(own) > 1


def relation_of(node: Apply | Product, curve: Curve, order: int) -> Relation | None:
    """Find what a node is solved from; None: its rule, or a Cauchy product, takes no more."""
    return _equation(node, curve, order) if isinstance(node, Apply) else _quotient(node)


def _equation(node: Apply, curve: Curve, order: int) -> Relation | None:
    """Write the equation of a row in leaves, which no builder sees into, and put nodes there."""
    inner = (*node.operands, node)
    leaves = [_ir.new_input("leaf", n.shape, n.dtype, ("leaf", k)) for k, n in enumerate(inner)]
    meant: dict[Node, Node] = dict(zip(leaves, inner, strict=True))

    def standing(make: Callable[[Node], Node]) -> Callable[[Node], Node]:
        def stand_in(of: Node) -> Node:
            made = _ir.new_input("leaf", of.shape, of.dtype, ("stands for", of.digest))
            (node,) = _ir.substitute([of], meant)
            meant[made] = make(node)
            return made

        return stand_in

    def outside(found: Equation, unknown: Node) -> Relation:
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
        known = _ir.substitute(found.known or leaves, meant)
        partners = []
        for partner, its_own in found.partners:
            (other,) = _ir.substitute([partner], meant)
            partners.append((other, outside(its_own, other)))
        unknown = curve.rate(unknown) if found.gives_rate else unknown
        how = found.solve, found.gives_rate, found.first_by_rule, (*partners,)
        return Relation(tuple(pieces), unknown, (*known,), *how)

    along = Along(standing(curve.rate), standing(curve.start), order)
    found = equation(node, leaves, along)
    return None if found is None else outside(found, node)


def _quotient(node: Product) -> Relation | None:
    """Solve a product with a reciprocal, entry by entry, as a quotient."""
    for n, (below, term) in enumerate(node.factors):
        (other,) = node.factors[:n] + node.factors[n + 1 :]
        is_entrywise = term == node.out and other.node is not below
        if is_entrywise and isinstance(below, Apply) and row_of(below).law is Law.RECIPROCAL:
            left = Piece(node.coefficient, (other,), node.out, node.sizes)
            right = Factor(below.operands[0], node.out), Factor(node, node.out)
            pieces = left, Piece(-1, right, node.out, node.sizes)
            return Relation(pieces, node, (below,), lambda _, *factors: times(*factors))
    return None


def _is_multiple(quotient: Node, node: Node, curve: Curve) -> bool:
    """Whether a node is another one, divided by what does not move."""
    if not isinstance(quotient, Apply) or row_of(quotient).exponents != (1, -1):
        return False
    above, below = quotient.operands
    return above is node and not curve.is_moving(below)


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
