"""Whether small operations are done together: where derivatives cost no more for it.

In: nodes of a function that a user wrote. Out: equal nodes.
Guaranteed: nothing is packed whose derivative, by its bounds, would take more arithmetic. Few steps
are bought with arithmetic where entries are moved that are mostly zeros and ones, as those of a
rotation are.
"""

from collections.abc import Sequence, Set

from eingrad import _ir
from eingrad._choose import DIRECTIONS
from eingrad._ir import Node
from eingrad._pack import pack
from eingrad._sweeps import sweeps

_MOST = (11, 10)  # times the bound: as good


def together(
    nodes: Sequence[Node], given: Sequence[Node] | None, made: Set[bytes]
) -> tuple[Node, ...]:
    """Do small operations together that do the same, if they depend on what is `given`, or if None.

    `made` are digests of what differentiation made, which is left as it is.
    """
    forms = pack(nodes, given, made)
    if not forms:
        return (*nodes,)
    variables = [*_variables(nodes)] if given is None else [*given]
    most = _MOST[0] * _bound(nodes, variables)
    for form in forms:
        if _MOST[1] * _bound(form, variables) <= most:
            return (*form,)
    return (*nodes,)


def _variables(nodes: Sequence[Node]) -> Sequence[Node]:
    """Arguments of the function; what it captured, if it has none."""
    inputs = _ir.inputs(nodes)
    return [n for n in inputs if n.key[0] == "argument"] or inputs


def _bound(nodes: Sequence[Node], variables: Sequence[Node]) -> int:
    """Least time of the derivatives, in the better direction."""
    return min(sum(sweeps(y, variables, name) for y in nodes) for name in DIRECTIONS)
