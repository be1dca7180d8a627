"""Build derivatives of any order: candidates, each normalised and planned, the cheapest kept.

In: output nodes, the variables, the orders wanted. Out: one node per output and choice of
variables, and the program that computes them all.
Guaranteed: the user chooses no mode. `_choose` says which candidates are built; `_forms`
normalises, plans and prices them, and what was chosen is lowered once.

`values` prepares a function's values, `directions` differentiates once, `orders` as often as is
wanted, and `roots` arranges what comes out by the order of the variables.
"""

import functools
from collections.abc import Sequence
from dataclasses import replace

from eingrad._choose import (
    DIRECTIONS,
    IN_SERIES,
    Candidates,
    Choice,
    is_compared_in_print,
    may_be_a_series,
    may_plan_between,
)
from eingrad._derive.directions import differentiate, jacobian_of_entries, take_direction
from eingrad._derive.orders import derive_orders, plan_pairwise
from eingrad._derive.roots import Level, Root, arrange
from eingrad._derive.values import (
    cheapest_values,
    contract_derivatives,
    prepare,
    substitute_outer,
)
from eingrad._forms import Forms, arguments_of
from eingrad._ir import Input, Node
from eingrad._plan import InputSpec, Program, compose, solved, stack
from eingrad._progress import phase
from eingrad._repeated import in_one_number
from eingrad._simplify import Made


def derive(
    outputs: Sequence[Node],
    variables: Sequence[Node],
    orders: Sequence[int],
    mode: str = "cheapest",
    made: Made = frozenset(),
    forms: Forms | None = None,
    *,
    is_final: bool = False,
) -> tuple[list[Root], Choice]:
    """Differentiate each output ``order`` times, for each order and each choice of variables.

    Within an order, the outputs are outermost, then the variable of each differentiation. `mode`
    is "forward" or "reverse" for those who want to compare; else the cheaper one is taken; "either"
    prices both, whatever `_choose` says. `made` are digests of derivatives that the outputs are
    made of. `forms` keeps what was planned. What is final is not differentiated again.
    """
    with phase("differentiating"):
        derived = functools.partial(_derived, outputs, variables, orders, is_final=is_final)
        return derived(mode, made, forms or Forms())


def _derived(
    outputs: Sequence[Node],
    variables: Sequence[Node],
    orders: Sequence[int],
    mode: str,
    made: Made,
    forms: Forms,
    *,
    is_final: bool,
) -> tuple[list[Root], Choice]:
    values, forms.written = prepare(outputs, made)
    found, choice = _derived_in_steps(values, variables, orders, mode, forms, is_final=is_final)
    if mode in DIRECTIONS or not may_be_a_series(variables, max(orders)):
        return found, choice
    levels = in_one_number(values, variables[0], max(orders))
    others = [
        root
        for order in orders
        for y, nodes in zip(values, levels, strict=True)
        for root in arrange(y, {(0,) * order: nodes[order]}, variables, order)
    ]
    if forms.least([_nodes(found), _nodes(others)]) == 0:
        return found, choice
    flops = forms.price(_nodes(others)).flops
    return others, Choice((("series", flops), *choice.candidates), IN_SERIES)


def _derived_in_steps(
    values: Sequence[Node],
    variables: Sequence[Node],
    orders: Sequence[int],
    mode: str,
    forms: Forms,
    *,
    is_final: bool,
) -> tuple[list[Root], Choice]:
    """Differentiate order by order."""
    # Both ways of going on from the first order have that order in common.
    once = functools.cache(functools.partial(differentiate, mode=mode, forms=forms))
    in_order = functools.partial(derive_orders, values, variables, orders, once)
    found, choice = in_order(is_final=is_final)
    if mode in DIRECTIONS or not may_plan_between(values, max(orders)):
        return found, choice
    if max(orders) == 2 and forms.price(_nodes(found)).only_writes:  # noqa: PLR2004
        return found, choice
    between = functools.partial(plan_pairwise, forms=forms)
    others, other_choice = in_order(between, is_final=is_final)
    if forms.least([_nodes(found), _nodes(others)]) == 0:
        return found, choice
    return others, other_choice


def _nodes(found: Sequence[Root]) -> list[Node]:
    return [*dict.fromkeys(root.node for root in found)]


def compare_directions(
    outputs: Sequence[Node], variables: Sequence[Node], orders: Sequence[int], made: Made
) -> Candidates:
    """Price both directions of the last order, also where `derive` looks at one.

    Not of many nodes, where it would take long.
    """
    if not is_compared_in_print(outputs):
        return ()
    return derive(outputs, variables, orders, "either", made)[1].candidates


def compile_derivatives(
    found: Sequence[Root],
    inputs: Sequence[Input],
    specs: Sequence[InputSpec],
    choice: Choice,
    forms: Forms,
) -> Program:
    """Plan and lower derivatives, mirrored; what was planned to compare candidates is not again."""
    program = compose(
        plan_derivatives(found, forms),
        arguments_of(inputs, specs),
        choice.candidates,
        forms.written,
        forms.limit,
    )
    return replace(program, rule=choice.rule)


def plan_derivatives(found: Sequence[Root], forms: Forms) -> list[Node]:
    """Plan derivatives together, invert nothing in vain, make one product of outer ones, mirror."""
    nodes = _nodes(found)
    form = dict(zip(nodes, solved(forms.form(nodes), forms.written), strict=True))
    symmetries = {form[root.node]: root.symmetry for root in found}
    stacked = stack([*form.values()], forms.written, symmetries)
    form = dict(zip(nodes, stacked, strict=True))
    return [replace(root, node=form[root.node]).mirrored() for root in found]


__all__ = [
    "Level",
    "Root",
    "arrange",
    "cheapest_values",
    "compare_directions",
    "compile_derivatives",
    "contract_derivatives",
    "derive",
    "derive_orders",
    "jacobian_of_entries",
    "plan_derivatives",
    "prepare",
    "substitute_outer",
    "take_direction",
]
