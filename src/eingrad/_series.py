"""Taylor coefficients of nodes along a curve: one recursion for every row of the table.

In: nodes, and the coefficients of a curve through some of them. Out: coefficients of the nodes.
Guaranteed: exact to any order, for no derivative is differentiated again; a coefficient is made
once; nothing recurses on the depth of the graph.

With ``x(t) = x[0] + x[1] t + x[2] t**2 + ...`` sums and linear rows act on each coefficient, and
a product is a Cauchy product. Any other row has a derivative rule, ``y' = J x'``. What stands on
the right is a node, whose series is found in the same way, one order lower: so ``k y[k]`` is its
coefficient number ``k - 1``. A row may state an equation that takes fewer products (`Equation`);
where ``J`` does not move, ``y[k] = J x[k]``.

>>> from eingrad._primitives import apply, times
>>> x, v = (_ir.new_input(name, (3,)) for name in "xv")
>>> y = apply("sin", x)
>>> Series({x: [v]}, 1).coefficient(y, 1) is times(v, apply("cos", x))
True
"""

import math
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._curve import NO_RATES, Curve
from eingrad._ir import Add, Apply, Coefficient, Factor, Input, Node, Placement, Product
from eingrad._primitives import Kind, apply, cast, divided, kind_of, row_of, scaled, times
from eingrad._recurrence import coefficient_of_scan, expression_of, is_composed
from eingrad._relations import PAIR, Piece, Relation, add, in_pairs, piece_of, relation_of
from eingrad._slopes import Slopes

_Need = tuple[Node, int]  # a node, and the number of a coefficient
_Steps = Generator[_Need, Node, Node]  # asks for coefficients, is sent them, gives one
_Terms = Generator[_Need, Node, list[tuple[Node, Coefficient]]]


class Series:
    """Coefficients of nodes that depend on some nodes, whose own are given from number one on.

    If one of these is of a wider dtype than its node, complex say, all are. No coefficient above
    `order` is asked for. Of `rates` it is said what they are the rate of: they have series too.
    No coefficient depends on what is `fixed`.
    """

    def __init__(
        self,
        given: Mapping[Node, Sequence[Node]],
        order: int,
        rates: Mapping[Node, Node] = NO_RATES,
        fixed: Iterable[Node] = (),
    ) -> None:
        self._given, self._order = given, order
        self._wider = [c.dtype for x, known in given.items() for c in known if c.dtype != x.dtype]
        self._made: dict[_Need, Node] = {}
        self._open: set[_Need] = set()  # being made
        self._curve = Curve(given, rates, fixed)
        self._slopes = Slopes(self._curve)
        self._relations: dict[Node, Relation | None] = {}
        self._pairs: dict[Node, Node] = {}

    def coefficient(self, node: Node, k: int) -> Node:
        """Give coefficient number k. Nothing here recurses, so depth is limited by memory alone."""
        stack = [((node, k), self._steps(node, k))]
        self._open.add((node, k))
        answer: Any = None
        while stack:
            key, steps = stack[-1]
            try:
                need = steps.send(answer)
            except StopIteration as end:
                answer = self._made[key] = end.value
                self._open.discard(key)
                stack.pop()
                continue
            answer = self._made.get(need)
            if answer is None:
                stack.append((need, self._steps(*need)))
                self._open.add(need)
        return answer  # type: ignore[no-any-return]

    def _steps(self, node: Node, k: int) -> _Steps:
        curve = self._curve
        if node in curve.of_rate and self._may_be_multiple(node, k):
            return self._rate(node, k)
        is_moving = curve.is_moving(node)
        if k == 0 and curve.has_value(node):
            return _given_node(cast(curve.at_start(node), self._dtype(node)))
        if node in self._given:
            given = self._given[node]
            known = cast(given[k - 1], self._dtype(node)) if k <= len(given) else self._zero(node)
            return _given_node(known)
        if not is_moving:
            return _given_node(self._zero(node))
        match node:
            case Add():
                return self._sum(node, k)
            case Placement(core=Factor() as core):
                return self._placed(node, core, k)
            case Product():
                return self._product(node, k)
        assert isinstance(node, Apply)
        return self._applied(node, k)

    # Sums and products

    def _may_be_multiple(self, rate: Node, k: int) -> bool:
        """Whether a coefficient of what it is the rate of is known, or made of none of it.

        Along ones a slope is a rate, which its own node is made of, and ``exp`` is its own rate:
        each coefficient would ask for a higher one without end.
        """
        of = self._curve.of_rate[rate]
        is_open = of is rate or any(node is of for node, _ in self._open)
        return isinstance(rate, Input) or not is_open or (of, k + 1) in self._made

    def _rate(self, rate: Node, k: int) -> _Steps:
        """A multiple, as a step of its own: what it is a factor of is no multiple of more terms.

        Where the coefficient was found from that of the rate, it is known already.
        """
        below = yield self._curve.of_rate[rate], k + 1
        return self._made.get((rate, k)) or scaled(below, k + 1)

    def _sum(self, node: Add, k: int) -> _Steps:
        terms = []
        for term, number in zip(node.terms, node.coefficients, strict=True):
            below = yield term, k
            terms.append((below, number))
        return add(terms)

    def _placed(self, node: Placement, core: Factor, k: int) -> _Steps:
        below = yield core.node, k
        factors = [(below, core.term), *node.structure]
        return _ir.contract(factors, node.out, node.sizes, node.coefficient, below.dtype)

    def _product(self, node: Product, k: int) -> _Steps:
        moving = [n for n, factor in enumerate(node.operands) if self._curve.is_moving(factor)]
        piece = piece_of(node)
        if len(moving) == 1:
            (place,) = moving
            below = yield node.operands[place], k
            nodes = [cast(self._curve.at_start(n), below.dtype) for n in node.operands]
            return piece.build([*nodes[:place], below, *nodes[place + 1 :]])
        if len(node.factors) > PAIR:
            if node not in self._pairs:
                self._pairs[node] = in_pairs(node)
            below = yield self._pairs[node], k
            return below
        relation = self._relation(node)
        if relation is not None:
            return (yield from self._related(node, relation, k))
        return add((yield from self._convolved(piece, k)))

    def _convolved(self, piece: Piece, k: int, relation: Relation | None = None) -> _Terms:
        """Give the terms of a Cauchy product; in a relation, without that of what is unknown.

        There, numbers of rates may be those of terms: ``2 x y' - x' y`` has two of one kind.
        """
        unknown = relation.unknown if relation else None
        rates = self._curve.of_rate if relation and relation.is_in_terms(piece, self._curve) else {}
        terms: list[tuple[Node, Coefficient]] = []
        nodes = piece.nodes
        for each, often in piece.numbers(k, self._curve):
            pairs = [*zip(nodes, each, strict=True)]
            if (unknown, k) in pairs:
                continue
            met: list[Node] = []
            for node, j in pairs:
                below = yield (rates[node], j + 1) if node in rates else (node, j)
                if _ir.is_zero(below):
                    break
                met.append(below)
            else:
                number = math.prod(j + 1 for node, j in pairs if node in rates)
                terms.append((piece.build(met, number * often), 1))
        return terms or [(_ir.zeros(piece.shape, self._dtype(nodes[0])), 1)]

    # Rows

    def _applied(self, node: Apply, k: int) -> _Steps:
        row, kind = row_of(node), kind_of(node)
        if kind is Kind.SCAN:
            return self._scanned(node, k)
        if kind is Kind.SELECT:
            return self._selected(node, k)
        if kind is Kind.CAST or row.linear or row.is_additive or row.number is not None:
            return self._with_coefficients(node, k)
        if row.is_product:
            return self._with_pairs(node, k)
        if is_composed(node):
            return self._composed(node, k)
        relation = self._relation(node)
        if relation is not None and not (k == 1 and relation.first_by_rule):
            return self._related(node, relation, k)
        return self._passed(node, k) if self._slopes.are_constant(node) else self._ruled(node, k)

    def _selected(self, node: Apply, k: int) -> _Steps:
        condition, a, b = node.operands
        chosen = yield a, k
        other = yield b, k
        if _ir.is_zero(chosen) and _ir.is_zero(other):
            return chosen
        return apply("where", self._curve.at_start(condition), chosen, other)

    def _composed(self, node: Apply, k: int) -> _Steps:
        """Take the expression of other rows, which takes linear work."""
        below = yield expression_of(node), k
        return below

    def _with_coefficients(self, node: Apply, k: int) -> _Steps:
        """Apply a row that is linear in all operands together."""
        below = []
        for operand in node.operands:
            coefficient = yield operand, k
            below.append(coefficient)
        if all(map(_ir.is_zero, below)):
            return self._zero(node)
        if kind_of(node) is Kind.CAST:
            return cast(below[0], self._dtype(node))
        return self._again(node, below)

    def _with_pairs(self, node: Apply, k: int) -> _Steps:
        """Apply a row that is linear in each of two operands: a Cauchy product of its own."""
        terms: list[tuple[Node, Coefficient]] = []
        for j in range(k + 1):
            first = yield node.operands[0], j
            second = yield node.operands[1], k - j
            if not _ir.is_zero(first) and not _ir.is_zero(second):
                terms.append((self._again(node, [first, second]), 1))
        return add(terms) if terms else self._zero(node)

    def _passed(self, node: Apply, k: int) -> _Steps:
        """Multiply coefficients of operands with Jacobians that do not move."""
        chain = self._slopes.chain(node)
        if chain is not None:
            base, slope = chain
            below = yield base, k
            return times(cast(slope, below.dtype), below)
        rates: dict[Node, Node] = {}
        for operand in self._slopes.moving(node):
            below = yield operand, k
            if not _ir.is_zero(below):
                rates[operand] = below
        found = self._slopes.times(node, rates)
        return self._zero(node) if found is None else found

    def _ruled(self, node: Apply, k: int) -> _Steps:
        """Follow the rule, ``y' = J x'``."""
        right = self._slopes.right_of(node)
        if right is None:
            return self._zero(node)
        rate = yield right, k - 1
        return self._integrated(node, rate, k)

    def _scanned(self, node: Apply, k: int) -> _Steps:
        """Expand the step of a scan, with coefficients up to this one."""
        given: dict[int, list[Node]] = {}
        for place, operand in enumerate(node.operands):
            if self._curve.is_moving(operand):
                given[place] = []
                for j in range(1, k + 1):
                    below = yield operand, j
                    given[place].append(below)
        wider, order = self._wider, self._order
        return coefficient_of_scan(
            node, k, order, given, wider, lambda curve: Series(curve, order).coefficient
        )

    def _integrated(self, node: Node, rate: Node, k: int) -> Node:
        """Give a coefficient from that of the rate, which is kept."""
        self._made[self._curve.rate(node), k - 1] = rate
        return divided(rate, k)

    # Equations

    def _related(self, node: Node, relation: Relation, k: int) -> _Steps:
        """Solve an equation for a coefficient: all others are known."""
        order = k - 1 if relation.gives_rate else k
        terms = []
        for piece in relation.pieces:
            terms += yield from self._convolved(piece, order, relation)
        rest = add(terms)
        if _ir.is_zero(rest):
            return self._zero(node)
        known = []
        for each in relation.known:
            below = yield each, 0
            known.append(below)
        solved = relation.solve(k, rest, *known)
        return self._integrated(node, solved, k) if relation.gives_rate else solved

    def _relation(self, node: Apply | Product) -> Relation | None:
        if node not in self._relations:
            found = relation_of(node, self._curve, self._order)
            self._relations[node] = found
            for partner, relation in found.partners if found else ():
                self._relations.setdefault(partner, relation)
        return self._relations[node]

    # Nodes

    def _again(self, node: Apply, operands: Sequence[Node]) -> Node:
        """Apply the row of a node to others."""
        dtype = self._dtype(node)
        cast_ones = [cast(n, dtype) for n in operands]
        attributes = dict(node.attributes)
        return _ir.apply_node(node.primitive, cast_ones, attributes, node.result, node.shape, dtype)

    def _dtype(self, node: Node) -> np.dtype[Any]:
        return _ir.widened(node, self._wider)

    def _zero(self, node: Node) -> Node:
        return _ir.zeros(node.shape, self._dtype(node))


def _given_node(node: Node) -> _Steps:
    """A coefficient that nothing is needed for."""
    yield from ()
    return node
