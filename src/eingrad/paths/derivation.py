"""The derivative of a traced function as a problem, with what the pure modes compute.

In: values of a function as nodes, variables, a point, an order. Out: a `Problem`.
Guaranteed: an output for each value and each choice of variables in ascending order, but for those
that are zero; the problem, its best schedule and the pure ones have the same operands.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from eingrad import _ir
from eingrad._derive import derive, prepare
from eingrad._forms import Forms
from eingrad._ir import Apply, Constant, Input, Node
from eingrad.errors import PlanError
from eingrad.paths.explicit import ProductRule
from eingrad.paths.leaves import Point, write_problem_of
from eingrad.paths.planned import of_nodes
from eingrad.paths.problem import Problem
from eingrad.paths.pure import MODES, pure_roots
from eingrad.paths.schedule import Schedule
from eingrad.paths.sums import Monomial, Sums

MOST_NODES = 400  # of a function; as many steps have as many operands in a term


@dataclass(frozen=True)
class Traced:
    """What is differentiated: values of a function as nodes, in variables, at a point."""

    name: str
    what: str  # in provenance
    values: Sequence[Node]
    variables: Sequence[Node]
    made: frozenset[bytes]
    point: Point


def write_derivative(traced: Traced, order: int, *, explicit: bool) -> Problem:
    """Derive, write as sums, and add what the pure modes compute."""
    count = len(_ir.topological(traced.values))
    if count > MOST_NODES:
        raise PlanError(
            f"the function has {count:,} operations; networks are made of at most {MOST_NODES:,}: "
            "take fewer layers or steps"
        )
    choices = _choices(len(traced.variables), order)
    roots = _normal_roots(traced, order)
    axes = [value.ndim for value in traced.values for _ in choices]
    wanted = [n for n, root in enumerate(roots) if not _ir.is_zero(root)]
    if not wanted:
        raise PlanError(
            f"the derivative of order {order} is zero everywhere; there is nothing to contract"
        )
    values, written = prepare(traced.values, traced.made)
    sums = Sums()
    if explicit:
        variables = traced.variables
        terms = [_explicit(sums, y, [variables[n] for n in c]) for y in values for c in choices]
        wanted = [n for n in wanted if terms[n]]
    else:
        terms = [sums.of(root) if n in wanted else [] for n, root in enumerate(roots)]
    pure = {mode: pure_roots(values, traced.variables, order, mode) for mode in MODES}
    if not explicit:
        pure["own"] = Forms(written=written).form(roots)
    pure = {mode: [nodes[n] for n in wanted] for mode, nodes in pure.items()}
    results = [(terms[n], axes[n]) for n in wanted]
    told = _told(traced, order, sums, len(roots) - len(wanted), explicit=explicit)
    used = {n for ts, _ in results for t in ts for n, _ in t.factors}
    more = [n for nodes in pure.values() for n in _leaves(nodes, used)]
    problem, nodes = write_problem_of(traced.name, results, traced.point, told, more)
    schedules = {mode: of_nodes(problem, roots, nodes) for mode, roots in pure.items()}
    own = schedules.pop("own", None)
    best = {} if own is None else _best(own)
    return replace(problem, pure=schedules, best=best, own=own)


def _best(own: Schedule) -> dict[str, Any]:
    """Eingrad's own order of a derivative: its sums are not multiplied out, those of terms are."""
    return {"by": "eingrad", "flops": own.flops, "size": own.largest, "schedule": own}


def _choices(count: int, order: int) -> list[tuple[int, ...]]:
    return [*itertools.combinations_with_replacement(range(count), order)]


def _normal_roots(traced: Traced, order: int) -> list[Node]:
    """Derive, in normal form: for each value, each choice of variables in ascending order."""
    forms = Forms()
    found, _ = derive(traced.values, traced.variables, (order,), made=traced.made, forms=forms)
    every = [*itertools.product(range(len(traced.variables)), repeat=order)]
    ordered = [n for n, choice in enumerate(every) if list(choice) == sorted(choice)]
    kept = [found[k * len(every) + n].node for k in range(len(traced.values)) for n in ordered]
    return forms.normal(kept)


def _explicit(sums: Sums, value: Node, variables: Sequence[Node]) -> list[Monomial]:
    terms = sums.of(value)
    try:
        for variable in variables:
            terms = ProductRule(variable, sums).derivative(terms)
    except RecursionError:
        raise PlanError(
            "the function is nested too deeply for the plain sum of the product rule; take the "
            "derivative in normal form"
        ) from None
    return terms


def _leaves(roots: Sequence[Node], used: set[Node]) -> list[Node]:
    """What the pure modes read besides the operands of the terms."""
    found: dict[Node, None] = {}
    seen: set[Node] = set()
    stack = [*roots][::-1]
    while stack:
        node = stack.pop()
        if node in seen or node in used:
            continue
        seen.add(node)
        if isinstance(node, (Input, Apply)):
            found[node] = None
        elif not isinstance(node, Constant):
            stack += _ir.children(node)[::-1]
    return [*found]


def _told(traced: Traced, order: int, sums: Sums, zeros: int, *, explicit: bool) -> str:
    """Say where a problem comes from."""
    how = "the plain sum of the product rule" if explicit else "in normal form"
    text = f"derivative of order {order} of {traced.what}; {how}"
    if zeros:
        text += f"; {zeros} outputs that are zero left out"
    if sums.kept:
        text += f"; {len(sums.kept)} sums kept as operands, for there would be too many terms"
    return text
