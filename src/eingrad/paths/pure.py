"""What forward mode and reverse mode compute, step by step as they make it.

In: the values of a function, its variables, an order of differentiation. Out: roots whose products
are pairwise.
Guaranteed: a tangent, or a cotangent, of each value that lies between the variables and the result
is made, and nothing is reordered across them; each step alone goes along its cheapest path.

Local Jacobians are never written out: what multiplies ``-inv(X)[i,k] inv(X)[l,j]`` meets its
factors, as in every implementation of a mode. Deltas are eliminated as they meet. A higher order
differentiates what the lower one computes, in the same mode.
"""

import itertools
from collections.abc import Container, Sequence

from eingrad import _ir
from eingrad._diff import forward, reverse
from eingrad._ir import Apply, Factor, Node, Product
from eingrad._plan import find_path
from eingrad._primitives import Kind, jacobian, kind_of
from eingrad._simplify.products import open_operands

MODES = ("forward", "reverse")


def pure_roots(
    values: Sequence[Node], variables: Sequence[Node], order: int, mode: str
) -> list[Node]:
    """Differentiate each value so many times in one mode.

    Returns a root for each value and each choice of variables in ascending order, values outermost.
    """
    level: list[tuple[tuple[int, ...], Node]] = [((), value) for value in values]
    for _ in range(order):
        raised: list[tuple[tuple[int, ...], Node]] = []
        for numbers, node in level:
            first = numbers[-1] if numbers else 0
            rest = variables[first:]
            made = reverse(node, rest) if mode == "reverse" else [forward(node, x) for x in rest]
            raised += [((*numbers, n), root) for n, root in enumerate(made, first)]
        settled = _settle([node for _, node in raised])
        level = [(numbers, node) for (numbers, _), node in zip(raised, settled, strict=True)]
    return [node for _, node in level]


def _settle(roots: Sequence[Node]) -> list[Node]:
    """Open local Jacobians where they meet something, and make products pairwise."""
    local = _local_jacobians(roots)

    def step(node: Node) -> Node:
        if not isinstance(node, Product) or len(node.factors) == 1:
            return node
        return _pairwise(open_operands(node, local))

    return _ir.rewrite(roots, step)


def _local_jacobians(roots: Sequence[Node]) -> Container[Node]:
    found: set[Node] = set()
    for node in _ir.topological(roots):
        if isinstance(node, Apply) and kind_of(node) is Kind.BY_RULES:
            made = [jacobian(node, k) for k in range(len(node.operands))]
            found.update(
                _ir.canonical_twin(local)[0]
                for local in made
                if isinstance(local, Product) and len(local.factors) > 1 and not local.sums
            )
    return found


def _pairwise(node: Node) -> Node:
    """Contract a product along its cheapest path."""
    if not isinstance(node, Product) or len(node.factors) <= 2:  # noqa: PLR2004 - a pair
        return node
    live = [*node.factors]
    for pair in find_path(node.terms, node.out, dict(enumerate(node.sizes))):
        met = [live[k] for k in pair]
        live = [factor for k, factor in enumerate(live) if k not in pair]
        if not live:
            return _ir.contract(met, node.out, node.sizes, node.coefficient, node.dtype)
        needed = {*node.out}.union(*(term for _, term in live))
        every = dict.fromkeys(itertools.chain(*(term for _, term in met)))
        term = tuple([index for index in every if index in needed])
        live.append(Factor(_ir.contract(met, term), term))
    return node
