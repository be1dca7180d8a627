"""The mode of an order: forward, reverse, or neither; and what the pure modes take.

In: a problem, a schedule of it. Out: the name of its mode; the schedules of the pure modes.
Guaranteed: products are compared by what they are, whatever their association and their axes.

An order of a derivative is *forward* where each product that it makes is one that forward mode
makes, tangents and the function's own values, and *reverse* likewise; *either* where both hold, and
*cross-country* where neither does. Where no function is known, of a network alone, an order is
reverse where each product contains an operand that has an axis of the result, and forward where
each contains one that has an axis of the variable: it grows from one end of the network.
"""

from collections.abc import Sequence

from eingrad import _ir
from eingrad._ir import Factor, Node, Product
from eingrad.errors import PathError
from eingrad.paths.along import along
from eingrad.paths.normal import operands_of
from eingrad.paths.problem import Output, Problem, Term
from eingrad.paths.schedule import Path, Schedule, Step

MODES = ("forward", "reverse")
_MOST = 64  # operands of a product that is compared: more are left as they are nested


def sweep(problem: Problem, mode: str) -> Schedule:
    """Give the schedule of a pure mode.

    Parameters
    ----------
    problem : Problem
        A derivative, of which it is known; of a network alone, operands are taken in one after the
        other from one end, each time the one that takes the fewest flops.
    mode : "forward" or "reverse"
        Which.
    """
    if mode in problem.pure:
        schedule: Schedule = problem.pure[mode]
        return schedule
    if problem.pure:
        raise PathError(f"of {problem.name} it is not known what {mode} mode computes")
    return along(problem, [_grow(problem, output, term, mode) for output, term in problem.terms])


def mode_of(problem: Problem, schedule: Schedule) -> str:
    """Name the mode of a schedule: "forward", "reverse", "either" or "cross-country"."""
    if problem.pure:
        made = _products(problem, schedule)
        known = {mode: _products(problem, problem.pure[mode]) for mode in problem.pure}
        held = [mode for mode, products in known.items() if made <= products]
    else:
        held = [mode for mode in MODES if _grows(problem, schedule, mode)]
    return "either" if len(held) > 1 else held[0] if held else "cross-country"


# Of a derivative ---------------------------------------------------------------------------------


def _products(problem: Problem, schedule: Schedule) -> frozenset[object]:
    """Describe the products that a schedule makes, the results apart."""
    operands = operands_of(problem)
    nodes = schedule.nodes(operands)
    results = {key_of(nodes[value]) for value in schedule.outputs}
    made = {key_of(node) for node in nodes[schedule.first :]}
    return frozenset(made - results - {None})


def key_of(node: Node) -> object:
    """Describe a product by its operands, flattened; None for anything else."""
    if not isinstance(node, Product) or len(node.factors) == 1:
        return None
    flat = _flatten(node)
    if not isinstance(flat, Product):
        return flat.digest
    twin, _ = _ir.canonical_twin(flat)
    return twin.factors, twin.out


def _flatten(node: Product) -> Node:
    """Open the products among the operands of a product."""
    fresh = iter(range(len(node.sizes), 1 << 30))
    factors: list[Factor] = []
    pending = [*node.factors]
    while pending:
        inner, term = pending.pop()
        is_open = isinstance(inner, Product) and len(factors) + len(pending) < _MOST
        if is_open and isinstance(inner, Product):
            pending += _ir.splice(inner, term, fresh)
        else:
            factors.append(Factor(inner, term))
    return _ir.contract(factors, node.out)


# Of a network alone ------------------------------------------------------------------------------


def _ends(output: Output, term: Term, mode: str) -> list[int]:
    """Say which operands have an axis of the result, or of the variable; else the outermost one."""
    axes = output.result_axes
    wanted = {*(output.indices[:axes] if mode == "reverse" else output.indices[axes:])}
    found = [n for n, labels in enumerate(term.indices) if wanted.intersection(labels)]
    return found or [0 if mode == "reverse" else len(term.operands) - 1]


def _grow(problem: Problem, output: Output, term: Term, mode: str) -> Path:
    """Contract the operands at one end, and then always the neighbour that is cheapest."""
    sizes = problem.sizes
    live = [frozenset(labels) for labels in term.indices]
    path: list[tuple[int, ...]] = []
    wanted = frozenset(output.indices)

    def flops(a: int, b: int) -> int:
        size = 1
        for label in live[a] | live[b]:
            size *= sizes[label]
        return size

    def join(a: int, b: int) -> None:
        rest = [labels for n, labels in enumerate(live) if n not in (a, b)]
        kept = (live[a] | live[b]) & wanted.union(*rest)
        path.append((min(a, b), max(a, b)))
        live[:] = [*rest, kept]

    ends = _ends(output, term, mode)
    grown, waiting = ends[0], ends[1:]
    while len(live) > 1:
        others = [n for n in range(len(live)) if n != grown]
        near = waiting or [n for n in others if live[n] & live[grown]] or others
        chosen = min(near, key=lambda n: (flops(grown, n), n))
        gone = {grown, chosen}
        waiting = [n - sum(k < n for k in gone) for n in waiting if n != chosen]
        join(grown, chosen)
        grown = len(live) - 1
    return path or ((0,),)


def _grows(problem: Problem, schedule: Schedule, mode: str) -> bool:
    """Whether each product of operands contains one at this end."""
    names = [*problem.operands]
    ends = {
        names.index(term.operands[n])
        for output, term in problem.terms
        for n in _ends(output, term, mode)
    }
    contains = [value in ends for value in range(schedule.first)]
    results = {*schedule.outputs}
    for n, operation in enumerate(schedule.operations, schedule.first):
        has = any(contains[value] for value in operation.operands)
        contains.append(has)
        is_product = isinstance(operation, Step) and len(operation.operands) > 1
        if is_product and not has and n not in results:
            return False
    return True


def gain(schedules: Sequence[Schedule], schedule: Schedule) -> float:
    """How many times fewer flops a schedule takes than the cheapest of some others."""
    return min(other.flops for other in schedules) / max(schedule.flops, 1)
