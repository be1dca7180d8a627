"""Products within products, opened: factors in the place of those that are their product.

In: factors, and which of their nodes may be opened. Out: factors with the same product.
Guaranteed: an index that an opened node sums is no index of others; no recursion on the depth.

>>> from eingrad._ir.contract import contract
>>> from eingrad._ir.leaves import new_input
>>> a, b, v = (new_input(name, (3,) * n) for name, n in (("a", 2), ("b", 2), ("v", 1)))
>>> ab = contract([(a, (0, 1)), (b, (1, 2))], (0, 2))
>>> found = open_factors([Factor(ab, (0, 1)), Factor(v, (1,))], lambda node: node is ab)
>>> sorted((factor.node.name, factor.term) for factor in found.factors)
[('a', (0, 2)), ('b', (2, 1)), ('v', (1,))]
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from eingrad._ir.coefficients import multiply
from eingrad._ir.einsums import ones_along
from eingrad._ir.nodes import Coefficient, Einsum, Factor, Node, splice


class Opened(NamedTuple):
    """What stands in the place of factors: the product of all this is theirs.

    `ones` are along indices that an opened node repeats: where no other factor and no output has
    such an index, it is summed, and they count how often.
    """

    factors: list[Factor]
    coefficient: Coefficient
    ones: list[Factor]


def open_factors(
    factors: Sequence[Factor],
    opens: Callable[[Node], bool],
    fresh: Iterator[int] | None = None,
    most: int | None = None,
) -> Opened:
    """``(A B) v -> A B v``: put the factors of products in their place, down to the last.

    Parameters
    ----------
    factors : nodes, each with the indices of its axes
    opens : says of an einsum whether it is opened; of other nodes it is not asked
    fresh : integers that are no index; those after all that the factors have, if it is not given
    most : factors that there may be; what would make more of them stays closed
    """
    if fresh is None:
        fresh = itertools.count(1 + max((i for _, term in factors for i in term), default=-1))
    found = Opened([], 1, [])
    pending = [*factors][::-1]
    while pending:
        node, term = pending.pop()
        if isinstance(node, Einsum) and opens(node):
            room = None if most is None else most - len(found.factors) - len(pending)
            if room is None or len(node.factors) <= room:
                pending += splice(node, term, fresh)[::-1]
                number = multiply(found.coefficient, node.coefficient)
                found = Opened(found.factors, number, [*found.ones, *ones_along(node, term)])
                continue
        found.factors.append(Factor(node, term))
    return found
