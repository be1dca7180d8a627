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
from dataclasses import replace

from eingrad._ir import Node, Product
from eingrad._monomials import Monomials
from eingrad.errors import PathError
from eingrad.paths.along import along
from eingrad.paths.normal import operands_of
from eingrad.paths.problem import Output, Problem, Term
from eingrad.paths.schedule import Path, Schedule, Step

MODES = ("forward", "reverse")


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
        return replace(schedule, problem=problem)
    if problem.pure:
        raise PathError(f"of {problem.name} it is not known what {mode} mode computes")
    return along(problem, [_grow(problem, output, term, mode) for output, term in problem.terms])


def mode_of(problem: Problem, schedule: Schedule) -> str:
    """Name the mode of a schedule: "forward", "reverse", "either" or "cross-country"."""
    made = {*kinds_of(problem, schedule)} - {""}
    held = [mode for mode in MODES if made <= {mode, "either"}]
    return "either" if len(held) > 1 else held[0] if held else "cross-country"


def kinds_of(problem: Problem, schedule: Schedule) -> list[str]:
    """Say of each operation which mode makes it; "" of results, and of what is no product."""
    if not problem.pure:
        return _kinds_of_network(problem, schedule)
    operands, monomials = operands_of(problem), Monomials()
    known = {
        mode: frozenset().union(*_products(pure, operands, monomials))
        for mode, pure in problem.pure.items()
    }
    products = _products(schedule, operands, monomials)
    results = {products[v - schedule.first] for v in schedule.outputs if v >= schedule.first}
    return [
        _kind([mode for mode in known if made <= known[mode]])
        if made and made not in results
        else ""
        for made in products
    ]


def _kind(modes: Sequence[str]) -> str:
    return "either" if len(modes) > 1 else modes[0] if modes else "cross-country"


# Of a derivative ---------------------------------------------------------------------------------


def _products(
    schedule: Schedule, operands: Sequence[Node], known: Monomials
) -> list[frozenset[Node]]:
    """Describe what each operation makes, up to association and the order of axes."""
    nodes = schedule.nodes(operands)[schedule.first :]
    return [known.of(node) if isinstance(node, Product) else frozenset() for node in nodes]


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


def _kinds_of_network(problem: Problem, schedule: Schedule) -> list[str]:
    """Say of each product of operands which ends of the network it contains."""
    names, terms = problem.number, problem.terms
    ends = {
        mode: {names[term.operands[n]] for output, term in terms for n in _ends(output, term, mode)}
        for mode in MODES
    }
    contains = [{m for m in MODES if value in ends[m]} for value in range(schedule.first)]
    kinds = []
    for n, operation in enumerate(schedule.operations, schedule.first):
        found = set().union(*(contains[value] for value in operation.operands))
        contains.append(found)
        is_product = isinstance(operation, Step) and len(operation.operands) > 1
        is_made = is_product and n not in schedule.outputs
        kinds.append(_kind([mode for mode in MODES if mode in found]) if is_made else "")
    return kinds
