"""Taylor coefficients of nodes along a curve: one recursion for every row of the table.

In: nodes, and the coefficients of a curve through some of them. Out: coefficients of the nodes.
Guaranteed: exact to any order, for no derivative is differentiated again; a coefficient is made
once; nothing recurses on the depth of the graph.

With ``x(t) = x[0] + x[1] t + x[2] t**2 + ...`` sums and linear rows act on each coefficient, and
a product is a Cauchy product. Any other row has a derivative rule, ``y' = J x'``. What stands on
the right is a node, whose series is found in the same way, one order lower: so ``k y[k]`` is its
coefficient number ``k - 1``. A row may state an equation that takes fewer products (`Equation`).

>>> from eingrad._primitives import apply, times
>>> x, v = (_ir.new_input(name, (3,)) for name in "xv")
>>> y = apply("sin", x)
>>> Series({x: [v]}).coefficient(y, 1) is times(v, apply("cos", x))
True
"""

import math
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._diff import rate_of
from eingrad._ir import Add, Apply, Coefficient, Factor, Input, Node, Placement, Product
from eingrad._primitives import Kind, apply, cast, divided, kind_of, row_of, scaled
from eingrad._recurrence import coefficient_of_scan, expression_of, is_composed
from eingrad._relations import PAIR, Piece, Relation, add, in_pairs, piece_of, relation_of

_Need = tuple[Node, int]  # a node, and the number of a coefficient
_Steps = Generator[_Need, Node, Node]  # asks for coefficients, is sent them, gives one
_Terms = Generator[_Need, Node, list[tuple[Node, Coefficient]]]


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
        self._relations: dict[Node, Relation | None] = {}
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
                return self._placed(node, core, k)
            case Product():
                return self._product(node, k)
        assert isinstance(node, Apply)
        return self._applied(node, k)

    # Sums and products

    def _scaled(self, key: tuple[Node, int], number: int) -> _Steps:
        """A multiple, as a step of its own: what it is a factor of is no multiple of more terms."""
        below = yield key
        return scaled(below, number)

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
        moving = [n for n, factor in enumerate(node.operands) if self._is_moving(factor)]
        piece = piece_of(node)
        if len(moving) == 1:
            (place,) = moving
            below = yield node.operands[place], k
            nodes = [cast(n, below.dtype) for n in node.operands]
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

        There numbers of rates are those of terms: ``2 x y' - x' y`` has two products of one kind.
        """
        unknown = relation.unknown if relation else None
        moving = self._moving if relation and relation.gives_rate else {}
        nodes = piece.nodes
        terms: list[tuple[Node, Coefficient]] = []
        for numbers in [(k,)] if len(nodes) == 1 else [(j, k - j) for j in range(k + 1)]:
            pairs = [*zip(nodes, numbers, strict=True)]
            if (unknown, k) in pairs:
                continue
            met: list[Node] = []
            for node, j in pairs:
                below = yield (moving[node], j + 1) if node in moving else (node, j)
                if _ir.is_zero(below):
                    break
                met.append(below)
            else:
                number = math.prod(j + 1 for node, j in pairs if node in moving)
                terms.append((piece.build(met, number), 1))
        return terms or [(_ir.zeros(piece.shape, self._dtype(nodes[0])), 1)]

    # Rows

    def _applied(self, node: Apply, k: int) -> _Steps:
        row, kind = row_of(node), kind_of(node)
        if kind is Kind.SCAN:
            return (yield from self._scanned(node, k))
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
        if is_composed(node):
            below = yield expression_of(node), k
            return below
        relation = self._relation(node)
        if relation is not None and not (k == 1 and relation.first_by_rule):
            return (yield from self._related(node, relation, k))
        right = self._right_of(node)
        if right is None:
            return self._zero(node)
        rate = yield right, k - 1
        return divided(rate, k)

    def _passed(self, node: Apply, below: Node) -> Node:
        """Apply a linear row to a coefficient of its operand."""
        dtype = self._dtype(node)
        if _ir.is_zero(below):
            return _ir.zeros(node.shape, dtype)
        if kind_of(node) is Kind.CAST:
            return cast(below, dtype)
        attributes = dict(node.attributes)
        return _ir.apply_node(node.primitive, [below], attributes, node.result, node.shape, dtype)

    def _scanned(self, node: Apply, k: int) -> _Steps:
        """Expand the step of a scan, with coefficients up to this one."""
        given: dict[int, list[Node]] = {}
        for place, operand in enumerate(node.operands):
            if self._is_moving(operand):
                given[place] = []
                for j in range(1, k + 1):
                    below = yield operand, j
                    given[place].append(below)
        wider = self._wider
        return coefficient_of_scan(node, k, given, wider, lambda curve: Series(curve).coefficient)

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
        solved = relation.solve(rest, *known)
        return divided(solved, k) if relation.gives_rate else solved

    def _relation(self, node: Apply | Product) -> Relation | None:
        if node not in self._relations:
            self._relations[node] = relation_of(node, self._rate)
        return self._relations[node]

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


def _given(node: Node) -> _Steps:
    """A coefficient that nothing is needed for."""
    yield from ()
    return node
