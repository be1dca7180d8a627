"""Which modes make what scans compute: steps of scans, compared as all else is.

In: what each mode computes, and what a plan computes, as nodes. Out: for each scan of the plan the
modes that make it.
Guaranteed: products of a step are compared with those of steps that are repeated in the same
direction, from the first slice on or from the last: a tangent in the place of a cotangent is
another product. Inputs of steps are told apart by their numbers, so it is found of a mode where the
plan differentiated the same steps; where it did not, nothing is claimed.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from eingrad import _ir
from eingrad._ir import Apply, Node, Product
from eingrad._mode.makers import Makers, UnknownError
from eingrad._mode.names import VALUE
from eingrad._recurrence import is_scan, scan_of

_Directions = tuple[bool, ...]  # of a scan, and of those that it is in: whether from the last on


class Made(NamedTuple):
    """What makes a scan: these modes; or the function itself, so that all do."""

    modes: frozenset[str]
    is_value: bool


def has_scans(nodes: Iterable[Node]) -> bool:
    """Whether there are scans among some nodes."""
    return any(map(is_scan, nodes))


def count_in_steps(nodes: Iterable[Node]) -> int:
    """Count the nodes of steps, those of each scan once."""
    scans = {scan_of(node): node for node in filter(is_scan, nodes)}
    return sum(len(step) for scan in scans.values() for _, step in _steps(scan))


def modes_of_scans(
    modes: Mapping[str, Iterable[Node]], values: Iterable[Node], planned: Iterable[Node]
) -> dict[Node, Made]:
    """Say for each scan among the planned nodes which modes make the products of its steps.

    Raises
    ------
    UnknownError
        If no mode makes one of them, or too much would have to be compared.
    """
    own, made = _steps_by_direction(values), {m: _steps_by_direction(n) for m, n in modes.items()}
    makers: dict[_Directions, Makers] = {}
    found: dict[Node, Made] = {}
    for scan in filter(is_scan, planned):
        common, is_value = frozenset(modes), True
        for directions, step in _steps(scan):
            if directions not in makers:
                known = {mode: steps.get(directions, []) for mode, steps in made.items()}
                makers[directions] = Makers(known, [], own.get(directions, []))
            for node in step:
                if isinstance(node, Product) and len(node.factors) > 1:
                    common &= makers[directions].of(node)
                    is_value &= makers[directions].kind(node) == VALUE
        if not common:
            raise UnknownError("a scan has steps that are those of no mode, and are not compared")
        found[scan] = Made(common, is_value)
    return found


def _steps_by_direction(nodes: Iterable[Node]) -> dict[_Directions, list[Node]]:
    found: dict[_Directions, list[Node]] = {}
    for scan in filter(is_scan, nodes):
        for directions, step in _steps(scan):
            found.setdefault(directions, []).extend(step)
    return found


def _steps(scan: Apply, outside: _Directions = ()) -> Iterator[tuple[_Directions, list[Node]]]:
    """Give the nodes of the step of a scan, then those of scans in it."""
    row = scan_of(scan)
    directions = (*outside, row.is_backward)
    step = [*_ir.topological(row.recurrence.results)]
    yield directions, step
    for inner in filter(is_scan, step):
        yield from _steps(inner, directions)
