"""Build derivatives of any order: candidates, each normalised and planned, the cheapest kept.

In: output nodes, the variables, the orders wanted. Out: one node per output and choice of
variables, and the program that computes them all.
Guaranteed: the user chooses no mode; the flops of what was not taken are kept for `print(plan)`.
Derivatives that differ in the order of differentiation alone are derived once (Schwarz's theorem).
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from eingrad import _ir
from eingrad._diff import forward, reverse
from eingrad._formula import Pattern, split_terms
from eingrad._ir import Input, Node, Symmetry
from eingrad._opaque import open_inputs
from eingrad._plan import InputSpec, Program, Search, find_path, lower, mirror, pairwise
from eingrad._simplify import Made, associate, made_by_differentiation, push, simplify

_COMPARED = 2000  # nodes; above that one candidate is built, chosen by shape
_PLANNED_BETWEEN = 50  # nodes of a value whose derivatives are planned before the next order
_MANY_COLUMNS = 8

Candidates = tuple[tuple[str, int], ...]


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
        return _ir.transpose(self.node, self.axes)

    def mirrored(self) -> Node:
        """Give the derivative with interchangeable entries equal to the last bit."""
        return _ir.transpose(mirror(self.node, self.symmetry), self.axes)


def derivatives(
    outputs: Sequence[Node],
    variables: Sequence[Node],
    orders: Sequence[int],
    mode: str = "cheapest",
    made: Made = frozenset(),
) -> tuple[list[Node], Candidates]:
    """Differentiate as `derive` does; give the derivatives as they were derived."""
    found, candidates = derive(outputs, variables, orders, mode, made)
    return [root.plain() for root in found], candidates


def derive(
    outputs: Sequence[Node],
    variables: Sequence[Node],
    orders: Sequence[int],
    mode: str = "cheapest",
    made: Made = frozenset(),
) -> tuple[list[Root], Candidates]:
    """Differentiate each output ``order`` times, for each order and each choice of variables.

    Within an order, the outputs are outermost, then the variable of each differentiation. `mode`
    is "forward" or "reverse" for those who want to compare; else the cheaper one is taken. `made`
    are digests of derivatives that the outputs are made of.
    """
    # Associate the user's chains; never expand his sums.
    values = pairwise(associate(contracted(outputs, made)))
    found, candidates = _derived(values, variables, orders, mode)
    if max(orders) < 2 or not candidates or len(_ir.topological(values)) > _PLANNED_BETWEEN:  # noqa: PLR2004
        return found, candidates
    others, compared = _derived(values, variables, orders, mode, between=_in_pairs)
    plans = [_planned([root.plain() for root in roots]) for roots in (found, others)]
    return (others, compared) if plans[1] < plans[0] else (found, candidates)


_Level = dict[tuple[int, ...], Node]  # by the numbers of the variables, in ascending order


def _derived(
    values: Sequence[Node],
    variables: Sequence[Node],
    orders: Sequence[int],
    mode: str,
    between: Callable[[_Level], _Level] = dict,
) -> tuple[list[Root], Candidates]:
    """Differentiate order by order; `between` is done to derivatives before their own ones."""
    level: list[_Level] = [{(): y} for y in values]
    found: list[Root] = []
    candidates: Candidates = ()
    for order in range(max(orders) + 1):
        if order:
            last = order == max(orders)
            steps = [_differentiated(nodes, variables, mode, last=last) for nodes in level]
            level = [nodes for nodes, _ in steps]
            candidates = _total([c for _, each in steps for c in each])
            if not last:
                level = [between(nodes) for nodes in level]
        if order in orders:
            for y, nodes in zip(values, level, strict=True):
                found += _ordered(y, nodes, variables, order)
    return found, candidates


def _differentiated(
    nodes: _Level, variables: Sequence[Node], mode: str, *, last: bool
) -> tuple[_Level, list[Candidates]]:
    """Differentiate once more, in the variables that keep the numbers ascending."""
    level: _Level = {}
    compared = []
    for numbers, node in nodes.items():
        first = numbers[-1] if numbers else 0
        made, candidates = _jacobians(node, variables[first:], mode, last=last)
        level.update({(*numbers, n): x for n, x in enumerate(made, first)})
        compared.append(candidates)
    return level, compared


def _ordered(y: Node, nodes: _Level, variables: Sequence[Node], order: int) -> list[Root]:
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
        groups = (tuple(group) for group in of.values() if len(group) > 1 and group[0])
        symmetry = tuple(groups)
        left = {n: iter(group) for n, group in of.items()}
        axes = (*range(y.ndim), *(axis for n in wanted for axis in next(left[n])))
        found.append(Root(nodes[numbers], axes, symmetry))
    return found


def _in_pairs(level: _Level) -> _Level:
    """Plan derivatives before they are differentiated again.

    Then the product rule meets their intermediates, and the sum is in factors: of
    ``(inv(F) dF) inv(F)`` there are two terms, of ``inv(F) dF inv(F)`` three. Often that is less
    work; not always, for what then has two users is not opened again.
    """
    return dict(zip(level, pairwise(simplify([*level.values()])), strict=True))


def placed(
    derivatives: Sequence[Node], outputs: Sequence[Node], replaced: Mapping[Node, Node]
) -> tuple[list[Node], Made]:
    """Substitute in derivatives, to be used in expressions; say what may be opened there."""
    nodes = _ir.substitute([*derivatives, *outputs], replaced)
    count = len(derivatives)
    return nodes[:count], made_by_differentiation(nodes[:count], nodes[count:])


def contracted(roots: Sequence[Node], made: Made) -> list[Node]:
    """Contract derivatives with what they meet before they are written out, where that is less."""
    pushed = push(roots, made) if made else [*roots]
    if all(a is b for a, b in zip(pushed, roots, strict=True)):
        return [*roots]
    return min(pushed, [*roots], key=lambda nodes: _planned(nodes)[0])


def split(roots: Sequence[Node]) -> tuple[list[Node], list[list[Pattern]]]:
    """Split derivatives into the cores of their terms, and what places each core."""
    terms = [split_terms(node) for node in simplify(roots)]
    cores = [core for parts in terms for _, core, _ in parts]
    return cores, [[(deltas, axes) for deltas, _, axes in parts] for parts in terms]


def _total(candidates: Sequence[Candidates]) -> Candidates:
    """Add up the candidates of several derivatives, each compared; what was taken comes first.

    "mixed" is each in its own best direction.
    """
    if not candidates or not all(candidates):
        return ()
    names = list(dict.fromkeys(name for c in candidates for name, _ in c))
    total = tuple((name, sum(dict(c).get(name, c[0][1]) for c in candidates)) for name in names)
    if len({c[0][0] for c in candidates}) == 1:
        return total
    others = (pair for pair in total if pair[0] != "mixed")
    return (("mixed", sum(c[0][1] for c in candidates)), *others)


def _jacobians(
    y: Node, variables: Sequence[Node], mode: str, *, last: bool
) -> tuple[list[Node], Candidates]:
    """Differentiate in every variable, in the cheaper direction.

    The gradient that is only a step to the next order is taken backward without a look at the
    other direction: of a scalar in many numbers, no forward sweep is cheaper.
    """
    if mode == "forward":
        return [forward(y, x) for x in variables], ()
    if mode == "reverse":
        return reverse(y, variables), ()
    columns = sum(x.size for x in variables)
    if not last and y.size == 1 and columns >= _MANY_COLUMNS:
        return reverse(y, variables), ()
    if len(_ir.topological([y])) > _COMPARED:
        nodes = reverse(y, variables) if y.size <= columns else [forward(y, x) for x in variables]
        return nodes, ()
    options = {
        "reverse": reverse(y, variables),
        "forward": [forward(y, x) for x in variables],
    }
    if options["reverse"] == options["forward"]:
        flops = _planned(options["reverse"])[2]
        return options["reverse"], tuple((name, flops) for name in options)
    costs = {name: _planned(nodes) for name, nodes in options.items()}
    mixed = _mixed(*options.values())
    if mixed not in options.values():
        options["mixed"], costs["mixed"] = mixed, _planned(mixed)
    best = min(costs, key=lambda name: costs[name])
    ordered = sorted(costs, key=lambda name: name != best)
    return options[best], tuple((name, costs[name][2]) for name in ordered)


def _mixed(backward: Sequence[Node], onward: Sequence[Node]) -> list[Node]:
    """Take for each variable what is cheaper by itself: each direction may be best for some."""
    if len(backward) == 1:
        return [*backward]
    return [
        a if a is b or _planned([a]) <= _planned([b]) else b
        for a, b in zip(backward, onward, strict=True)
    ]


def _planned(roots: Sequence[Node]) -> tuple[int, int, int]:
    """Planned cost of a candidate, its peak memory, which decides a draw, and its flops."""
    program = compile_program(*open_inputs(roots))
    return program.cost, program.peak_bytes, program.flops


def compile_program(
    roots: Sequence[Node],
    inputs: Sequence[Input],
    specs: Sequence[InputSpec] | None = None,
    candidates: Candidates = (),
    search: Search = find_path,
) -> Program:
    """Normalise, plan and lower; the raw form is kept where the normal form would cost more."""
    specs = specs or [InputSpec(n.name, n.name, n.shape, n.dtype) for n in inputs]
    arguments = list(zip(inputs, specs, strict=True))
    normal = lower(pairwise(simplify(roots), search), arguments, candidates)
    if len(normal.statements) > _COMPARED:
        return normal
    raw = lower(pairwise(roots, search), arguments, candidates)
    return normal if normal.cost <= raw.cost else raw
