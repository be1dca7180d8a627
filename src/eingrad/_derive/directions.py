"""Differentiate once: in the direction that was chosen, or in the cheapest of those in question.

In: a node and variables. Out: its derivative in each, and what was compared.
Guaranteed: a derivative has the axes of the node first, then those of the variable.
"""

from collections.abc import Sequence

from eingrad import _ir
from eingrad._choose import (
    DIRECTIONS,
    FEWER_CALLS,
    ONLY_WRITES,
    Choice,
    Differentiation,
    directions,
)
from eingrad._diff import forward, reverse
from eingrad._estimated import of_fewest_calls
from eingrad._forms import Forms
from eingrad._invariance import Use
from eingrad._ir import Node
from eingrad._sweeps import is_entrywise


def differentiate(
    y: Node,
    variables: tuple[Node, ...],
    *,
    use: Use,
    hessian: bool,
    of_value: bool,
    mode: str,
    forms: Forms,
) -> tuple[list[Node], Choice]:
    """Differentiate in every variable, in the direction that was chosen, or the cheapest."""
    if mode in DIRECTIONS:
        return take_direction(y, variables, mode, use), Choice()
    last = use in (Use.LAST, Use.FINAL)
    names, rule = directions(Differentiation(y, variables, last, hessian, of_value))
    names = DIRECTIONS if mode == "either" else names
    options: dict[str, list[Node]] = {}
    for name in names:
        options[name] = take_direction(y, variables, name, use)
        may_stop = hessian and last and len(names) > 1 and mode != "either"
        if may_stop and forms.price(options[name]).only_writes:
            return options[name], Choice(((name, 0),), ONLY_WRITES)
    if mode != "either" and len(options) > 1 and len(variables) == 1:
        best = of_fewest_calls([*options.values()])
        if best is not None:
            options, rule = dict([[*options.items()][best]]), FEWER_CALLS
    if len(options) == 1:
        ((name, nodes),) = options.items()
        return nodes, Choice(((name, 0),), rule)
    return _take_cheapest(options, rule, forms)


def take_direction(
    y: Node, variables: Sequence[Node], direction: str, use: Use = Use.BOTH
) -> list[Node]:
    """Differentiate in every variable, in one direction."""
    if direction == "reverse":
        return reverse(y, variables, use)
    return [forward(y, x) for x in variables]


def _take_cheapest(
    options: dict[str, list[Node]], rule: str, forms: Forms
) -> tuple[list[Node], Choice]:
    """Take the lowest price, of either direction or of the better one for each variable."""
    options = {name: options[name] for name in DIRECTIONS}  # reverse, where they cost the same
    mixed = _mix(options, forms)
    if mixed not in options.values():
        options = {**options, "mixed": mixed}
    names = list(options)
    best = names[forms.least([*options.values()])]
    prices = {name: forms.price(nodes) for name, nodes in options.items()}
    ordered = sorted(names, key=lambda name: name != best)
    return options[best], Choice(tuple((name, prices[name].flops) for name in ordered), rule)


def _mix(options: dict[str, list[Node]], forms: Forms) -> list[Node]:
    """Take for each variable what is cheaper by itself: each direction may be best for some."""
    pairs = list(zip(options["reverse"], options["forward"], strict=True))
    if len(pairs) == 1:
        return options["reverse"]
    return [a if a is b else (a, b)[forms.least([[a], [b]])] for a, b in pairs]


def jacobian_of_entries(y: Node, x: Node) -> Node | None:
    """Differentiate, if each entry depends on one of the variable; None if it does not.

    The Jacobian is an array of the shape of y, placed by deltas. A number made of the entries would
    be differentiated backward, and cotangents are all new: their derivatives have more terms than
    those of factors that were there before.
    """
    if not is_entrywise(y, x):
        return None
    jacobian = forward(y, x)
    if not y.ndim:
        return jacobian
    if not _ir.carries_delta(jacobian):
        return None
    core = jacobian.core
    return jacobian if core is None or core.node.size <= y.size else None
