"""The values of a function: which form of them is computed, and which nodes the user wrote.

In: output nodes, digests of derivatives that they are made of. Out: equal nodes.
Guaranteed: a form that is far dearer than another by an estimate is not planned.
"""

from collections.abc import Callable, Mapping, Sequence

from eingrad import _ir
from eingrad._estimated import of_fewest_calls
from eingrad._forms import Forms
from eingrad._ir import Node
from eingrad._limits import BUDGET, POLICY
from eingrad._plan import Price, pairwise
from eingrad._simplify import (
    Made,
    made_by_differentiation,
    narrowed,
    picked_last,
    push,
    whole_work,
    written_nodes,
)

Nodes = Sequence[Node]


def prepare(outputs: Sequence[Node], made: Made) -> tuple[list[Node], frozenset[Node]]:
    """Plan the values of a function, and say which nodes of them the user wrote.

    Derivatives among them, digests of which are `made`, are contracted with what they meet.
    """
    written = written_nodes(outputs, made)
    contracted = contract_derivatives(outputs, made, written)
    values, written = narrowed(*picked_last(contracted, written))
    planned = pairwise([*values, *written])
    return planned[: len(values)], frozenset(planned[len(values) :])


def substitute_outer(
    derivatives: Sequence[Node], outputs: Sequence[Node], replaced: Mapping[Node, Node]
) -> tuple[list[Node], Made]:
    """Substitute outer values; return also the nodes that push-in may open."""
    nodes = _ir.substitute([*derivatives, *outputs], replaced)
    count = len(derivatives)
    return nodes[:count], made_by_differentiation(nodes[:count], nodes[count:])


def contract_derivatives(
    roots: Sequence[Node], made: Made, written: Sequence[Node] = ()
) -> list[Node]:
    """Contract derivatives with what they meet before they are written out, where that is faster.

    Or where else there would be far more work: that it takes fewer calls is true of small sizes.
    """
    pushed = push(roots, made) if made else [*roots]
    if all(a is b for a, b in zip(pushed, roots, strict=True)):
        return [*roots]
    forms = Forms(written=written)
    options = [[*nodes] for nodes in _not_far_dearer([pushed, roots], whole_work)]
    best = of_fewest_calls(options)
    return options[_fastest([*map(forms.price, options)]) if best is None else best]


def cheapest_values(options: Sequence[Sequence[Node]], made: Made) -> int:
    """Number the form of a function's values that is computed fastest, as `derive` would."""
    compared = _not_far_dearer(options, lambda outputs: _least_work(outputs, made))
    if not compared[1:]:
        return next(n for n, outputs in enumerate(options) if outputs is compared[0])
    best = of_fewest_calls(options)
    if best is not None:
        return best
    prices = []
    for outputs in options:
        values, written = prepare(outputs, made)
        prices.append(Forms(written=written).price(values))
    return _fastest(prices)


def _not_far_dearer(options: Sequence[Nodes], estimate: Callable[[Nodes], int]) -> list[Nodes]:
    """Leave out what is long, and far dearer than the least by an estimate: it is not planned.

    Of few nodes calls take most of the time, which are as many in any form, and planning is short.
    """
    if all(map(_is_short, options)):
        return [*options]
    works = [*map(estimate, options)]
    most = POLICY.far * min(works)
    pairs = zip(options, works, strict=True)
    return [nodes for nodes, work in pairs if work <= most or _is_short(nodes)]


def _is_short(nodes: Sequence[Node]) -> bool:
    return len(_ir.topological(nodes)) <= BUDGET.nodes_in_print


def _least_work(outputs: Sequence[Node], made: Made) -> int:
    """Estimate the work of values, contracted with derivatives or not."""
    return min(whole_work(outputs), whole_work(push(outputs, made)))


def _fastest(prices: Sequence[Price]) -> int:
    """Number what takes the least time, and not far more work than another."""
    most = POLICY.most_work * min(price.work for price in prices)
    numbers = range(len(prices))
    return min(numbers, key=lambda n: (prices[n].work > most, prices[n].picoseconds))
