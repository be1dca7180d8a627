"""The orders that a search meets, and those of them that no other one beats in every respect.

In: a problem. Out: `Met` orders: flops, peak memory, predicted time, mode.
Guaranteed: deterministic; each is priced as any order is.

>>> from eingrad.paths.problem import of_einsum
>>> problem = of_einsum("ij,jk,kl->il", {"i": 2, "j": 30, "k": 40, "l": 5})
>>> [(m.flops, m.mode) for m in front(met(problem))]
[(5600, 'reverse')]
"""

from collections.abc import Sequence
from dataclasses import dataclass

from eingrad._plan import picoseconds
from eingrad._plan.network import Network, path_of_tree
from eingrad._plan.search import trees_met
from eingrad.paths.along import along
from eingrad.paths.executors import program_of
from eingrad.paths.modes import mode_of
from eingrad.paths.orders import network_of
from eingrad.paths.problem import Problem
from eingrad.paths.schedule import Path, Schedule

_MOST = 400  # operations of a schedule that is priced: more take too long for a picture


@dataclass(frozen=True, slots=True)
class Met:
    """An order that a search met.

    Attributes
    ----------
    flops : int
        Of all operations.
    peak_bytes : int
        Most memory live at once, operands not counted.
    seconds : float
        Predicted time of a run, as eingrad would compute it.
    mode : str
        Its mode; see `mode_of`.
    """

    flops: int
    peak_bytes: int
    seconds: float
    mode: str


def met(problem: Problem) -> list[Met]:
    """Search each term, and price the orders that were met on the way, each once."""
    found: list[list[Path]] = []
    for output, term in problem.terms:
        count = len(term.operands)
        if count <= 2:  # noqa: PLR2004 - a pair
            found.append([((0, 1),) if count > 1 else ((0,),)])
        else:
            trees = trees_met(Network(*network_of(output, term, problem.sizes)))
            found.append([*dict.fromkeys(path_of_tree(tree, count) for tree in trees)])
    most = max(map(len, found))
    schedules = [
        along(problem, [paths[min(n, len(paths) - 1)] for paths in found]) for n in range(most)
    ]
    return [_price(problem, schedule) for schedule in _different(schedules)]


def _different(schedules: Sequence[Schedule]) -> list[Schedule]:
    seen = {(s.flops, s.peak_bytes, s.written): s for s in schedules}
    return [s for s in seen.values() if len(s.operations) <= _MOST]


def _price(problem: Problem, schedule: Schedule) -> Met:
    seconds = picoseconds(program_of(schedule)) * 1e-12
    return Met(schedule.flops, schedule.peak_bytes, seconds, mode_of(problem, schedule))


def front(orders: Sequence[Met]) -> list[Met]:
    """Keep those that no other one equals or beats in flops, peak memory and time."""

    def beats(a: Met, b: Met) -> bool:
        pairs = ((a.flops, b.flops), (a.peak_bytes, b.peak_bytes), (a.seconds, b.seconds))
        return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)

    kept = [a for a in orders if not any(beats(b, a) for b in orders)]
    return sorted(kept, key=lambda m: (m.flops, m.peak_bytes, m.seconds))
