"""Differentiate order by order, each time in the variables that keep their numbers ascending.

In: values, variables, orders, and how a node is differentiated once. Out: a root for each value,
order and choice of variables.
Guaranteed: what differs in the order of differentiation alone is derived once.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from eingrad._choose import Candidates, Choice
from eingrad._derive.roots import Level, Root, arrange
from eingrad._forms import Forms
from eingrad._invariance import Use
from eingrad._ir import Node


class _Differentiate(Protocol):
    """`_differentiate`, with mode and forms given."""

    def __call__(
        self,
        y: Node,
        variables: tuple[Node, ...],
        /,
        *,
        use: Use,
        hessian: bool,
        of_value: bool,
    ) -> tuple[list[Node], Choice]: ...


def derive_orders(
    values: Sequence[Node],
    variables: Sequence[Node],
    orders: Sequence[int],
    differentiate: _Differentiate,
    between: Callable[[Level], Level] = dict,
    *,
    is_final: bool = False,
) -> tuple[list[Root], Choice]:
    """Differentiate order by order; `between` is done to derivatives before their own ones."""
    uses = {n: Use.BOTH if n in orders else Use.BETWEEN for n in range(max(orders))}
    uses[max(orders)] = Use.FINAL if is_final else Use.LAST
    level: list[Level] = [{(): y} for y in values]
    found: list[Root] = []
    choice = Choice()
    for order in range(max(orders) + 1):
        if order:
            raised = [
                _raise_order(
                    nodes, variables, differentiate, use=uses[order], of_scalar=y.size == 1
                )
                for y, nodes in zip(values, level, strict=True)
            ]
            level = [nodes for nodes, _ in raised]
            choice = _add_up([c for _, each in raised for c in each])
            if order < max(orders):
                level = [between(nodes) for nodes in level]
        if order in orders:
            for y, nodes in zip(values, level, strict=True):
                found += arrange(y, nodes, variables, order)
    return found, choice


def _raise_order(
    nodes: Level,
    variables: Sequence[Node],
    differentiate: _Differentiate,
    *,
    use: Use,
    of_scalar: bool,
) -> tuple[Level, list[Choice]]:
    """Differentiate once more, in the variables that keep the numbers ascending."""
    level: Level = {}
    choices = []
    for numbers, node in nodes.items():
        first = numbers[-1] if numbers else 0
        rest = tuple(variables[first:])
        hessian = of_scalar and len(numbers) == len(rest) == 1
        made, choice = differentiate(node, rest, use=use, hessian=hessian, of_value=not numbers)
        level.update({(*numbers, n): x for n, x in enumerate(made, first)})
        choices.append(choice)
    return level, choices


def _add_up(choices: Sequence[Choice]) -> Choice:
    """Add up the candidates of several derivatives; what was taken comes first."""
    rules = {choice.rule for choice in choices}
    rule = rules.pop() if len(rules) == 1 else ""
    return Choice(_add_up_candidates([choice.candidates for choice in choices]), rule)


def _add_up_candidates(candidates: Sequence[Candidates]) -> Candidates:
    """Add up candidates, where each derivative was compared.

    "mixed" is each in its own best direction. One candidate alone was not priced.
    """
    if not candidates or not all(candidates):
        return ()
    if any(len(c) == 1 for c in candidates):
        return candidates[0] if len({*candidates}) == 1 else ()
    names = list(dict.fromkeys(name for c in candidates for name, _ in c))
    total = tuple((name, sum(dict(c).get(name, c[0][1]) for c in candidates)) for name in names)
    if len({c[0][0] for c in candidates}) == 1:
        return total
    others = (pair for pair in total if pair[0] != "mixed")
    return (("mixed", sum(c[0][1] for c in candidates)), *others)


def plan_pairwise(level: Level, forms: Forms) -> Level:
    """Plan derivatives before they are differentiated again.

    Then the product rule meets their intermediates, and the sum is in factors: of
    ``(inv(F) dF) inv(F)`` there are two terms, of ``inv(F) dF inv(F)`` three. Often that is less
    work; not always, for what then has two users is not opened again.
    """
    return dict(zip(level, forms.pairwise(forms.normal([*level.values()])), strict=True))
