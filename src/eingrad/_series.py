"""Taylor coefficients of nodes along a curve: one recursion for every row of the table.

In: nodes, and the coefficients of a curve through some of them. Out: the coefficients of the nodes.
Guaranteed: exact to any order, for no derivative is differentiated again; a coefficient is made once,
and a row takes a number of products that grows as the square of the order.

With ``x(t) = x[0] + x[1] t + x[2] t**2 + ...`` sums and linear rows act on each coefficient, and
a product is a Cauchy product. Any other row has a derivative rule, ``y' = J x'``. What stands on
the right is a node, whose series is found in the same way, one order lower: so ``k y[k]`` is its
coefficient number ``k - 1``. A row may state an equation that takes fewer products (`Equation`).

>>> from eingrad._primitives import apply
>>> x, v = (_ir.new_input(name, (3,)) for name in "xv")
>>> y = apply("sin", x)
>>> Series({x: [v]}).coefficient(y, 1) is times(v, apply("cos", x))
True
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._diff import rate_of
from eingrad._ir import Add, Apply, Coefficient, Einsum, Factor, Input, Node, Placement, Product
from eingrad._plan import find_path
from eingrad._primitives import (
    Kind,
    Law,
    apply,
    cast,
    equation,
    kind_of,
    row_of,
    times,
)
from eingrad._subscripts import Subscripts

_Steps = Generator[tuple[Node, int], Node, Node]  # asks for coefficients, is sent them, gives one
_PAIR = 2


@dataclass(frozen=True, slots=True)
class _Piece:
    """A term of a sum: a number, and at most two factors that have series."""

    number: Coefficient
    factors: tuple[Factor, ...]
    out: Subscripts
    sizes: Sequence[int]

    def build(self, nodes: Sequence[Node]) -> Node:
        """Multiply coefficients of the factors."""
        factors = zip(nodes, (term for _, term in self.factors), strict=True)
        return _ir.contract(factors, self.out, self.sizes, self.number)


class Series:
    """Coefficients of nodes that depend on some nodes, whose own are given from number one on.

    If one of these is of a wider dtype than its node, complex say, all are.
    """

    def __init__(self, curve: Mapping[Node, Sequence[Node]]) -> None:
        self._curve = curve
        self._wider = [c.dtype for x, given in curve.items() for c in given if c.dtype != x.dtype]
        self._made: dict[tuple[Node, int], Node] = {}
        self._moves: dict[Node, bool] = dict.fromkeys(curve, True)  # whether it is not constant
        self._rates: dict[Node, Input] = {}  # what stands for x' in rules
        self._moving: dict[Node, Node] = {}  # what such a node is the rate of
        self._made_of_rates: set[Node] = set()  # these have no value of their own
        self._right: dict[Node, Node | None] = {}  # J x'
        self._relations: dict[Node, _Relation | None] = {}
        self._pairs: dict[Node, Node] = {}

    def coefficient(self, node: Node, k: int) -> Node:
        """Give coefficient number k. Nothing here recurses, so depth is limited by memory alone."""
        stack = [((node, k), self._steps(node, k))]
        answer: Any = None
        while stack:
            key, steps = stack[-1]
            try:
                need = steps.send(answer)
            except StopIteration as end:
                answer = self._made[key] = end.value
                stack.pop()
                continue
            answer = self._made.get(need)
            if answer is None:
                stack.append((need, self._steps(*need)))
        return answer  # type: ignore[no-any-return]

    def _steps(self, node: Node, k: int) -> _Steps:
        if node in self._moving:
            return self._scaled((self._moving[node], k + 1), k + 1)
        is_moving = self._is_moving(node)
        if k == 0 and node not in self._made_of_rates:
            return _given(cast(node, self._dtype(node)))
        if node in self._curve:
            given = self._curve[node]
            known = cast(given[k - 1], self._dtype(node)) if k <= len(given) else self._zero(node)
            return _given(known)
        if not is_moving:
            return _given(self._zero(node))
        match node:
            case Add():
                return self._sum(node, k)
            case Placement(core=Factor() as core):
                factors = (core, *node.structure)
                piece = _Piece(node.coefficient, factors, node.out, node.sizes)
                return self._placed(piece, k)
            case Product():
                return self._product(node, k)
        assert isinstance(node, Apply)
        return self._applied(node, k)

    # Sums and products

    def _scaled(self, key: tuple[Node, int], number: int) -> _Steps:
        """A multiple, as a step of its own: what it is a factor of is no multiple of more terms."""
        below = yield key
        return _multiple("scaled", below, factor=number)

    def _sum(self, node: Add, k: int) -> _Steps:
        terms = []
        for term, number in zip(node.terms, node.coefficients, strict=True):
            below = yield term, k
            terms.append((below, number))
        return _add(terms)

    def _placed(self, piece: _Piece, k: int) -> _Steps:
        core, *structure = (node for node, _ in piece.factors)
        below = yield core, k
        return piece.build([below, *structure])

    def _product(self, node: Product, k: int) -> _Steps:
        moving = [n for n, factor in enumerate(node.operands) if self._is_moving(factor)]
        piece = _piece_of(node)
        if len(moving) == 1:
            (place,) = moving
            below = yield node.operands[place], k
            nodes = [cast(n, below.dtype) for n in node.operands]
            return piece.build([*nodes[:place], below, *nodes[place + 1 :]])
        if len(node.factors) > _PAIR:
            if node not in self._pairs:
                self._pairs[node] = _in_pairs(node)
            below = yield self._pairs[node], k
            return below
        relation = self._relation(node)
        if relation is not None:
            return (yield from self._related(relation, k))
        return _add((yield from self._convolved(piece, k)))

    def _convolved(
        self, piece: _Piece, k: int, unknown: Node | None = None, known_below: int = 0
    ) -> Generator[tuple[Node, int], Node, list[tuple[Node, Coefficient]]]:
        """Terms of a Cauchy product, without those of what is unknown from some number on."""
        nodes = [node for node, _ in piece.factors]
        terms: list[tuple[Node, Coefficient]] = []
        for numbers in [(k,)] if len(nodes) == 1 else [(j, k - j) for j in range(k + 1)]:
            needs = [*zip(nodes, numbers, strict=True)]
            if any(node is unknown and j >= known_below for node, j in needs):
                continue
            met: list[Node] = []
            for need in needs:
                below = yield need
                met.append(below)
                if _ir.is_zero(below):
                    break
            else:
                terms.append((piece.build(met), 1))
        shape = tuple(piece.sizes[index] for index in piece.out)
        return terms or [(_ir.zeros(shape, self._dtype(nodes[0])), 1)]

    # Rows

    def _applied(self, node: Apply, k: int) -> _Steps:
        row, kind = row_of(node), kind_of(node)
        if kind is Kind.SELECT:
            condition, a, b = node.operands
            chosen = yield a, k
            other = yield b, k
            if _ir.is_zero(chosen) and _ir.is_zero(other):
                return chosen
            return apply("where", condition, chosen, other)
        if kind is Kind.CAST or row.linear:
            below = yield node.operands[0], k
            return self._passed(node, below)
        relation = self._relation(node)
        if relation is not None:
            return (yield from self._related(relation, k))
        right = self._right_of(node)
        if right is None:
            return self._zero(node)
        rate = yield right, k - 1
        return _multiple("divided", rate, divisor=k)

    def _passed(self, node: Apply, below: Node) -> Node:
        """Apply a linear row to a coefficient of its operand."""
        dtype = self._dtype(node)
        if _ir.is_zero(below):
            return _ir.zeros(node.shape, dtype)
        if kind_of(node) is Kind.CAST:
            return cast(below, dtype)
        attributes = dict(node.attributes)
        return _ir.apply_node(node.primitive, [below], attributes, node.result, node.shape, dtype)

    def _right_of(self, node: Apply) -> Node | None:
        """Build ``J x'``, which ``y'`` is equal to; None where it is zero everywhere."""
        if node not in self._right:
            operands = [n for n in node.operands if self._is_moving(n)]
            self._right[node] = rate_of(node, {n: self._rate(n) for n in operands})
        return self._right[node]

    def _rate(self, node: Node) -> Node:
        """Make a node that stands for the rate of change of one."""
        if node not in self._rates:
            made = _ir.new_input("rate", node.shape, node.dtype, ("rate", node.digest))
            self._rates[node] = made
            self._moving[made] = node
            self._moves[made] = True
            self._made_of_rates.add(made)
        return self._rates[node]

    # Equations

    def _related(self, relation: "_Relation", k: int) -> _Steps:
        """Solve an equation for a coefficient: all others are known."""
        order = k - relation.gives_rate
        terms = []
        for piece in relation.pieces:
            terms += yield from self._convolved(piece, order, relation.unknown, order)
        rest = _add(terms)
        if _ir.is_zero(rest):
            return self._zero(relation.node)
        known = []
        for node in relation.known:
            below = yield node, 0
            known.append(below)
        solved = relation.solve(rest, *known)
        return _multiple("divided", solved, divisor=k) if relation.gives_rate else solved

    def _relation(self, node: Apply | Product) -> "_Relation | None":
        if node not in self._relations:
            find = self._equation if isinstance(node, Apply) else self._quotient
            self._relations[node] = find(node)  # type: ignore[operator]
        return self._relations[node]

    def _equation(self, node: Apply) -> "_Relation | None":
        """Find the equation of a row, and put what it is about in the place of its leaves."""
        inner = (*node.operands, node)
        leaves = [_ir.new_input("leaf", n.shape, n.dtype, ("leaf", k)) for k, n in enumerate(inner)]
        meant: dict[Node, Node] = dict(zip(leaves, inner, strict=True))

        def rate(leaf: Node) -> Node:
            stands = _ir.new_input(
                "rate", leaf.shape, leaf.dtype, ("leaf rate", meant[leaf].digest)
            )
            meant[stands] = self._rate(meant[leaf])
            return stands

        found = equation(node, leaves, rate)
        if found is None:
            return None
        residual = found.residual
        sums = isinstance(residual, Add)
        terms = residual.terms if sums else (residual,)
        numbers = residual.coefficients if sums else (1,)
        pieces = [_piece_of(term, c) for term, c in zip(terms, numbers, strict=True)]
        pieces = [replace(piece, factors=_substituted(piece.factors, meant)) for piece in pieces]
        unknown = self._rate(node) if found.gives_rate else node
        return _Relation(node, tuple(pieces), unknown, inner, found.solve, found.gives_rate)

    def _quotient(self, node: Product) -> "_Relation | None":
        """``z = a (1 / b)`` as ``a = b z``: one Cauchy product, where the reciprocal takes another."""
        for n, (below, term) in enumerate(node.factors):
            (other,) = node.factors[:n] + node.factors[n + 1 :]
            is_entrywise = term == node.out and not node.sums and other.node is not below
            if is_entrywise and isinstance(below, Apply) and row_of(below).law is Law.RECIPROCAL:
                left = _Piece(node.coefficient, (other,), node.out, node.sizes)
                right = Factor(below.operands[0], node.out), Factor(node, node.out)
                pieces = left, _Piece(-1, right, node.out, node.sizes)
                return _Relation(node, pieces, node, (below,), times)
        return None

    # Nodes

    def _is_moving(self, node: Node) -> bool:
        """Whether a node depends on the curve; flags do not, but for their jumps."""
        moves, stack = self._moves, [node]
        while stack:
            top = stack[-1]
            unknown = [child for child in _ir.children(top) if child not in moves]
            if top in moves or top.dtype.kind not in "fc":
                moves.setdefault(top, False)
                stack.pop()
            elif unknown:
                stack += unknown
            else:
                below = _ir.children(stack.pop())
                moves[top] = any(moves[child] for child in below)
                if not self._made_of_rates.isdisjoint(below):
                    self._made_of_rates.add(top)
        return moves[node]

    def _dtype(self, node: Node) -> np.dtype[Any]:
        return np.result_type(node.dtype, *self._wider)

    def _zero(self, node: Node) -> Node:
        return _ir.zeros(node.shape, self._dtype(node))


@dataclass(frozen=True, slots=True)
class _Relation:
    """What the series of a node is found from: a sum of pieces is zero, linear in the unknown."""

    node: Node
    pieces: tuple[_Piece, ...]
    unknown: Node  # the node, or its rate
    known: tuple[Node, ...]  # what `solve` gets the values of
    solve: Callable[..., Node]
    gives_rate: bool = False


def _given(node: Node) -> _Steps:
    """A coefficient that nothing is needed for."""
    return node
    yield  # so that this is a generator


def _piece_of(node: Node, number: Coefficient = 1) -> _Piece:
    if isinstance(node, Einsum):
        number = _ir.multiply(number, node.coefficient)
        return _Piece(number, node.factors, node.out, node.sizes)
    axes = tuple(range(node.ndim))
    return _Piece(number, (Factor(node, axes),), axes, node.shape)


def _substituted(factors: Sequence[Factor], meant: Mapping[Node, Node]) -> tuple[Factor, ...]:
    nodes = _ir.substitute([node for node, _ in factors], meant)
    return tuple(Factor(n, term) for n, (_, term) in zip(nodes, factors, strict=True))


def _in_pairs(node: Product) -> Node:
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


def _multiple(row: str, node: Node, **number: int) -> Node:
    """Multiply or divide by a number of the recursion, once, and not in each term of a sum."""
    return node if _ir.is_zero(node) or 1 in number.values() else apply(row, node, **number)


def _add(terms: Sequence[tuple[Node, Coefficient]]) -> Node:
    """Add terms, those with the same number first: ``2 a b + 2 c d + e e -> 2 (a b + c d) + e e``."""
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
