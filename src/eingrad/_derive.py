"""Build derivatives of any order: candidates, each normalised and planned, the cheapest kept.

In: output nodes, the variables, the orders wanted. Out: one node per output and choice of
variables, and the program that computes them all.
Guaranteed: the user chooses no mode; the flops of what was not taken are kept for `print(plan)`.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence

from eingrad import _ir
from eingrad._diff import forward, reverse
from eingrad._formula import Pattern, split_terms
from eingrad._ir import Input, Node
from eingrad._opaque import open_inputs
from eingrad._plan import InputSpec, Program, Search, find_path, lower, pairwise
from eingrad._simplify import Made, associate, made_by_differentiation, push, simplify

_COMPARED = 2000  # nodes; above that one candidate is built, chosen by shape
_PLANNED_BETWEEN = 50  # nodes of a value whose derivatives are planned before the next order
_MANY_COLUMNS = 8

Candidates = tuple[tuple[str, int], ...]


def derivatives(
    outputs: Sequence[Node],
    variables: Sequence[Node],
    orders: Sequence[int],
    mode: str = "cheapest",
    made: Made = frozenset(),
) -> tuple[list[Node], Candidates]:
    """Differentiate each output ``order`` times, for each order and each choice of variables.

    Within an order, the outputs are outermost, then the variable of each differentiation. `mode`
    is "forward" or "reverse" for those who want to compare; else the cheaper one is taken. `made`
    are digests of derivatives that the outputs are made of.
    """
    # Associate the user's chains; never expand his sums.
    start = pairwise(associate(contracted(outputs, made)))
    roots, candidates = _differentiated(start, variables, orders, mode)
    if max(orders) < 2 or not candidates or len(_ir.topological(start)) > _PLANNED_BETWEEN:  # noqa: PLR2004
        return roots, candidates
    others, compared = _differentiated(start, variables, orders, mode, between=_in_pairs)
    return (others, compared) if _planned(others) < _planned(roots) else (roots, candidates)


def _differentiated(
    level: Sequence[Node],
    variables: Sequence[Node],
    orders: Sequence[int],
    mode: str,
    between: Callable[[Sequence[Node]], Sequence[Node]] = list,
) -> tuple[list[Node], Candidates]:
    """Differentiate order by order; `between` is done to a derivative before its own derivative."""
    roots: list[Node] = []
    candidates: Candidates = ()
    for order in range(max(orders) + 1):
        if order:
            last = order == max(orders)
            steps = [_jacobians(node, variables, mode, last=last) for node in level]
            level = list(itertools.chain.from_iterable(nodes for nodes, _ in steps))
            candidates = _total([c for _, c in steps])
            if not last:
                level = between(level)
        if order in orders:
            roots += level
    return roots, candidates


def _in_pairs(derivatives: Sequence[Node]) -> list[Node]:
    """Plan derivatives before they are differentiated again.

    Then the product rule meets their intermediates, and the sum is in factors: of
    ``(inv(F) dF) inv(F)`` there are two terms, of ``inv(F) dF inv(F)`` three. Often that is less
    work; not always, for what then has two users is not opened again.
    """
    return pairwise(simplify(derivatives))


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
    """Add up the candidates of several outputs, where each was compared; what was taken first."""
    if not candidates or not all(candidates):
        return ()
    names = [name for name, _ in candidates[0]]
    total = tuple((name, sum(dict(c)[name] for c in candidates)) for name in names)
    if len({c[0][0] for c in candidates}) == 1:
        return total
    return (("each output its own", sum(c[0][1] for c in candidates)), *total)


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
    best = min(costs, key=lambda name: costs[name])
    ordered = sorted(costs, key=lambda name: name != best)
    return options[best], tuple((name, costs[name][2]) for name in ordered)


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
