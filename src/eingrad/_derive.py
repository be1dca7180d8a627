"""Build derivatives of any order: candidates, each normalised and planned, the cheapest kept.

In: output nodes, the variables, the orders wanted. Out: one node per output and choice of
variables, and the program that computes them all.
Guaranteed: the user chooses no mode. `_choose` says which candidates are built; `_forms`
normalises, plans and prices them, and what was chosen is lowered once.
Derivatives that differ in the order of differentiation alone are derived once (Schwarz's theorem).
"""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from eingrad import _ir
from eingrad._choose import (
    DIRECTIONS,
    FEWER_CALLS,
    IN_SERIES,
    ONLY_WRITES,
    Candidates,
    Choice,
    Differentiation,
    directions,
    is_compared_in_print,
    is_entrywise,
    may_be_a_series,
    may_plan_between,
)
from eingrad._diff import forward, reverse
from eingrad._estimated import of_fewest_calls
from eingrad._forms import Forms, arguments_of
from eingrad._invariance import Use
from eingrad._ir import Add, Input, Node, Symmetry
from eingrad._limits import BUDGET, POLICY
from eingrad._plan import InputSpec, Price, Program, compose, mirror, pairwise, stack
from eingrad._progress import phase
from eingrad._repeated import in_one_number
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


@dataclass(frozen=True, slots=True)
class Root:
    """One derivative: `node` with its axes in the order `axes`.

    `symmetry` says which blocks of axes of the node may be interchanged: those of one variable.
    """

    node: Node
    axes: tuple[int, ...]
    symmetry: Symmetry

    @property
    def is_ordered(self) -> bool:
        """Whether the axes are those of the node, in order."""
        return list(self.axes) == sorted(self.axes)

    def plain(self) -> Node:
        """Give the derivative as it was derived, symmetric in exact arithmetic."""
        if not isinstance(self.node, Add):
            return _ir.transpose(self.node, self.axes)
        terms = [_ir.transpose(term, self.axes) for term in self.node.terms]
        return _ir.add(terms, self.node.coefficients)

    def mirrored(self) -> Node:
        """Give the derivative with interchangeable entries equal to the last bit."""
        return _ir.transpose(mirror(self.node, self.symmetry), self.axes)


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
    once = functools.partial(_differentiate, mode=mode, forms=forms)
    differentiate = functools.cache(once)
    in_order = functools.partial(derive_orders, values, variables, orders, differentiate)
    found, choice = in_order(is_final=is_final)
    if mode in DIRECTIONS or not may_plan_between(values, max(orders)):
        return found, choice
    if max(orders) == 2 and forms.price(_nodes(found)).only_writes:  # noqa: PLR2004
        return found, choice
    between = functools.partial(_plan_pairwise, forms=forms)
    others, other_choice = in_order(between, is_final=is_final)
    if forms.least([_nodes(found), _nodes(others)]) == 0:
        return found, choice
    return others, other_choice


def prepare(outputs: Sequence[Node], made: Made) -> tuple[list[Node], frozenset[Node]]:
    """Plan the values of a function, and say which nodes of them the user wrote.

    Derivatives among them, digests of which are `made`, are contracted with what they meet.
    """
    written = written_nodes(outputs, made)
    contracted = contract_derivatives(outputs, made, written)
    values, written = narrowed(*picked_last(contracted, written))
    planned = pairwise([*values, *written])
    return planned[: len(values)], frozenset(planned[len(values) :])


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


Level = dict[tuple[int, ...], Node]  # by the numbers of the variables, in ascending order


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


def arrange(y: Node, nodes: Level, variables: Sequence[Node], order: int) -> list[Root]:
    """Give the derivatives in every order of the variables: those with ascending ones, transposed.

    Which axes belong to a differentiation follows from how often each variable came before.
    """
    found = []
    for wanted in itertools.product(range(len(variables)), repeat=order):
        numbers = tuple(sorted(wanted))
        stops = itertools.accumulate((variables[n].ndim for n in numbers), initial=y.ndim)
        blocks = [tuple(range(*pair)) for pair in itertools.pairwise(stops)]
        of: dict[int, list[tuple[int, ...]]] = {}
        for n, block in zip(numbers, blocks, strict=True):
            of.setdefault(n, []).append(block)
        symmetry = _ir.schwarz(y.ndim, numbers, [x.ndim for x in variables])
        left = {n: iter(group) for n, group in of.items()}
        axes = (*range(y.ndim), *(axis for n in wanted for axis in next(left[n])))
        found.append(Root(nodes[numbers], axes, symmetry))
    return found


def _plan_pairwise(level: Level, forms: Forms) -> Level:
    """Plan derivatives before they are differentiated again.

    Then the product rule meets their intermediates, and the sum is in factors: of
    ``(inv(F) dF) inv(F)`` there are two terms, of ``inv(F) dF inv(F)`` three. Often that is less
    work; not always, for what then has two users is not opened again.
    """
    return dict(zip(level, forms.pairwise(forms.normal([*level.values()])), strict=True))


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


def _differentiate(
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
    """Plan derivatives together, make one product of outer ones, and mirror them."""
    nodes = _nodes(found)
    form = dict(zip(nodes, forms.form(nodes), strict=True))
    symmetries = {form[root.node]: root.symmetry for root in found}
    stacked = stack([*form.values()], forms.written, symmetries)
    form = dict(zip(nodes, stacked, strict=True))
    return [replace(root, node=form[root.node]).mirrored() for root in found]
