"""The derivative of a traced function as a problem, with what the pure modes compute.

In: values of a function as nodes, variables, a point, an order. Out: a `Problem`.
Guaranteed: an output for each value and each choice of variables in ascending order, but for those
that are zero; the problem, its best schedule and the pure ones have the same operands.
"""

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from eingrad import _ir
from eingrad._derive import derive, prepare
from eingrad._forms import Forms
from eingrad._ir import Add, Apply, Constant, Input, Node, Product
from eingrad._mode import PureMode, Sweeps, TooLargeError, modes_of
from eingrad._recurrence import is_scan
from eingrad.errors import PlanError
from eingrad.paths.explicit import ProductRule
from eingrad.paths.leaves import Point, write_problem_of
from eingrad.paths.planned import of_nodes
from eingrad.paths.problem import Problem
from eingrad.paths.schedule import Schedule
from eingrad.paths.sums import Monomial, Sums

MOST_NODES = 400  # of a function; as many steps have as many operands in a term
_MOST_INTERMEDIATES = 20_000  # of a mode; one that makes more is left out


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
    if any(map(is_scan, _ir.topological(traced.values))):
        raise PlanError(
            "the function has a scan, which is no sum of products; write its steps in a Python loop"
        )
    derived = _derive(traced, order)
    wanted = [n for n, root in enumerate(derived.normal) if not _ir.is_zero(root)]
    if not wanted:
        raise PlanError(
            f"the derivative of order {order} is zero everywhere; there is nothing to contract"
        )
    sums = Sums()
    terms = _explicit(traced, derived, order, sums) if explicit else map(sums.of, derived.normal)
    every = [ts if n in wanted else [] for n, ts in enumerate(terms)]
    wanted = [n for n in wanted if every[n]]
    axes = [value.ndim for value in traced.values for _ in _choices(len(traced.variables), order)]
    results = [(every[n], axes[n]) for n in wanted]
    modes = _modes(traced, derived, order)
    numbers = _ascending(traced, order)
    roots = {name: [mode.roots[numbers[n]].node for n in wanted] for name, mode in modes.items()}
    planned = [] if explicit else [derived.planned[n] for n in wanted]
    used = {n for ts, _ in results for t in ts for n, _ in t.factors}
    more = [n for nodes in (*roots.values(), planned) for n in _leaves(nodes, used)]
    told = _told(traced, order, sums, len(every) - len(wanted), explicit=explicit)
    primal = [sum_ for sum_ in map(Sums().of, _primal(derived, modes)) if _is_long(sum_)]
    problem, nodes = write_problem_of(traced.name, results, traced.point, told, more, primal)
    pure = {name: of_nodes(problem, roots[name], nodes, mode.long) for name, mode in modes.items()}
    if explicit:
        return replace(problem, pure=pure)
    own = of_nodes(problem, planned, nodes)
    return replace(problem, pure=pure, best=_best(own), own=own)


class _Derived(NamedTuple):
    """Values that are planned, and the derivatives: in normal form, and as eingrad plans them."""

    values: list[Node]
    normal: list[Node]
    planned: list[Node]


def _derive(traced: Traced, order: int) -> _Derived:
    """Derive: for each value, each choice of variables in ascending order."""
    forms = Forms()
    found, _ = derive(traced.values, traced.variables, (order,), made=traced.made, forms=forms)
    every = [*dict.fromkeys(root.node for root in found)]
    planned = dict(zip(every, forms.form(every), strict=True))  # as for a plan: all together
    roots = [found[n].node for n in _ascending(traced, order)]
    values, _ = prepare(traced.values, traced.made)
    return _Derived(values, forms.normal(roots), [planned[root] for root in roots])


def _modes(traced: Traced, derived: _Derived, order: int) -> dict[str, PureMode]:
    """Differentiate in each mode, but for those that make very many intermediates."""
    sweeps, found = Sweeps(_MOST_INTERMEDIATES), {}
    for mode in modes_of(order):
        with contextlib.suppress(TooLargeError):
            found[mode] = PureMode(derived.values, traced.variables, (order,), mode, sweeps)
    return found


def _primal(derived: _Derived, modes: Mapping[str, PureMode]) -> list[Node]:
    """Give what every mode has: values of the function, and sums in its local Jacobians."""
    local = [node for mode in modes.values() for node in mode.local]
    found = [n for n in _ir.topological(derived.values) if isinstance(n, Add | Product)]
    return [*dict.fromkeys([*found, *(n for n in _ir.topological(local) if isinstance(n, Add))])]


def _is_long(terms: Sequence[Monomial]) -> bool:
    """Whether a sum is of several products, or one of several factors; a diagonal may be, too."""
    return len(terms) > 1 or any(len(term.factors) > 1 for term in terms)


def _best(own: Schedule) -> dict[str, Any]:
    """Eingrad's own order of a derivative: its sums are not multiplied out, those of terms are."""
    return {"by": "eingrad", "flops": own.flops, "size": own.largest, "schedule": own}


def _choices(count: int, order: int) -> list[tuple[int, ...]]:
    return [*itertools.combinations_with_replacement(range(count), order)]


def _ascending(traced: Traced, order: int) -> list[int]:
    """Number the derivatives, among those in any order of the variables, that are asked for."""
    every = [*itertools.product(range(len(traced.variables)), repeat=order)]
    ordered = [n for n, choice in enumerate(every) if list(choice) == sorted(choice)]
    return [k * len(every) + n for k in range(len(traced.values)) for n in ordered]


def _explicit(
    traced: Traced, derived: _Derived, order: int, sums: Sums
) -> Iterator[list[Monomial]]:
    """Write the plain sum of the product rule of each value, for each choice of variables."""
    for value in derived.values:
        for choice in _choices(len(traced.variables), order):
            yield _by_product_rule(sums, value, [traced.variables[n] for n in choice])


def _by_product_rule(sums: Sums, value: Node, variables: Sequence[Node]) -> list[Monomial]:
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
