"""Orders by name: our own, the pure modes, those that other libraries find, those of the user's.

In: a name, a function, or a path. Out: an `Order`, which gives the schedule of a problem.
Guaranteed: seeds are fixed, so an order is the same whenever it is asked for, unless it is told to
search for so many seconds. An order that cannot be had raises `PathError`, which says why.

>>> from eingrad.paths.problem import of_einsum
>>> problem = of_einsum("ij,jk,kl->il", {"i": 2, "j": 30, "k": 40, "l": 5})
>>> {name: find_order(name).find(problem).flops for name in ("forward", "reverse", "eingrad")}
{'forward': 12600, 'reverse': 5600, 'eingrad': 5600}
"""

import importlib.util
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from eingrad._mode import directions_of, is_mode
from eingrad._plan.given import WrittenPath, search_of
from eingrad._plan.path import (
    Search,
    left_to_right_path,
    longer_path,
    polished_path,
)
from eingrad._shown import shown
from eingrad._subscripts import Subscripts, number
from eingrad.errors import PathError
from eingrad.paths.along import along
from eingrad.paths.modes import sweep
from eingrad.paths.normal import eingrad_schedule, fewest_flops_schedule
from eingrad.paths.problem import Output, Problem, Term, text_of
from eingrad.paths.schedule import Path, Schedule
from eingrad.paths.searching import search_apart

Find = Callable[[Problem], Schedule]

_OPT_EINSUM = (
    "optimal", "dp", "greedy", "random-greedy", "branch-2", "branch-all", "auto", "auto-hq",
)  # fmt: skip
_COTENGRA = ("greedy", "random-greedy", "hyper")
BEST_KNOWN = "best known"  # as a file tells it
NAMES = (
    "eingrad",
    "eingrad:flops",
    "forward",
    "reverse",
    "forward over reverse",
    "reverse over forward",
    "left to right",
    BEST_KNOWN,
    *[f"opt_einsum:{name}" for name in _OPT_EINSUM],
    *[f"cotengra:{name}" for name in _COTENGRA],
    "cotengra+eingrad",
)
"""Orders that have a name. Of a third order and above, modes have longer ones: a direction for
each differentiation. `cotengra+eingrad` is what cotengra's hyper finds, improved by us."""

DEFAULT_ORDERS = (
    "eingrad",
    "forward",
    "reverse",
    "left to right",
    "opt_einsum:greedy",
    "opt_einsum:auto",
)
"""What is compared where nothing is said: all find a path in little time, and need no extra. Of a
Hessian and above, also the modes that have both directions: see `default_orders`."""

_SECONDS = 30.0  # for a search of another library that may take for ever


@dataclass(frozen=True, slots=True)
class Order:
    """A way to order the contractions of a problem.

    Attributes
    ----------
    name : str
        What tables call it.
    find : callable
        Gives the schedule of a problem; raises `PathError`.
    note : str
        What one must know of it: that a clock decided, say.
    """

    name: str
    find: Find
    note: str = ""


def find_order(name: str, *, seed: int = 0, seconds: float | None = None) -> Order:
    """Find an order by its name.

    Parameters
    ----------
    name : str
        One of `NAMES`, or a mode: the direction of each differentiation, the last one first, as in
        "forward over forward over reverse".
    seed : int
        Of the searches that draw random numbers.
    seconds : float, optional
        How long each search may take: `eingrad` then searches on until the time is up, for each
        product by itself, and searches of other libraries are ended after it, where they may take
        for ever (after 30 s by default).

    Returns
    -------
    Order

    Raises
    ------
    PathError
        If there is no such order, or what it needs is not installed.
    """
    if is_mode(name):
        return Order(name, partial(sweep, mode=name))
    if name not in NAMES:
        raise PathError(f"there is no order {shown(name)}; there are {', '.join(NAMES)}")
    if name == "eingrad" and seconds is not None:
        note = f"searched on for {seconds:g} s: not the same at each run"
        return Order(name, partial(_longer, seconds), note)
    if name in _OWN:
        return Order(name, _OWN[name])
    library, _, method = name.replace("+eingrad", ":hyper").partition(":")
    if importlib.util.find_spec(library) is None:
        raise PathError(f"the order {name!r} needs {library}; pip install {library}")
    most = seconds or _SECONDS
    return Order(name, partial(_apart, library, method, seed, most, name == "cotengra+eingrad"))


def default_orders(problem: Problem) -> list[str]:
    """Name the orders of a problem that are compared where nothing is said."""
    found = [*DEFAULT_ORDERS]
    place = found.index("reverse") + 1
    found[place:place] = [mode for mode in problem.pure if len({*directions_of(mode)}) > 1]
    return found


def given_order(given: Any, name: str = "given") -> Order:
    """Make an order of what the user gives.

    Parameters
    ----------
    given : callable, sequence of pairs, or sequence of those
        A function with the signature of opt_einsum's, asked for each term; a path, where there is
        one term; or a path for each term.
    name : str
        What tables call it.

    Returns
    -------
    Order
    """
    if callable(given):
        return Order(name, partial(_each, search_of(given)))
    return Order(name, partial(_written, given, name))


# Each term by itself -----------------------------------------------------------------------------


def network_of(output: Output, term: Term, sizes: Mapping[str, int]) -> tuple[Any, ...]:
    """Number the indices of a term: its terms, output and sizes, as searches are asked about."""
    terms, out, _ = number(term.indices, output.indices)
    labels = dict.fromkeys(label for labels in term.indices for label in labels)
    return terms, out, {n: sizes[label] for n, label in enumerate(labels)}


def _each(search: Search, problem: Problem) -> Schedule:
    """Ask a search about each term."""
    paths = [
        search(*network_of(output, term, problem.sizes)) if len(term.operands) > 1 else ((0,),)
        for output, term in problem.terms
    ]
    return along(problem, paths)


def _longer(seconds: float, problem: Problem) -> Schedule:
    """Search on for each term, as long as there is time; all together, where that is better."""
    long = [term for _, term in problem.terms if len(term.operands) > 2]  # noqa: PLR2004 - a pair
    share = seconds / max(len(long), 1)

    def search(terms: Sequence[Subscripts], out: Subscripts, sizes: Mapping[int, int]) -> Any:
        until = time.monotonic() + share
        if len(terms) <= 2:  # noqa: PLR2004 - a pair
            return left_to_right_path(terms, out, sizes)
        return longer_path(terms, out, sizes, lambda: time.monotonic() > until)

    return min(eingrad_schedule(problem), _each(search, problem), key=_cost)


def _best_known(problem: Problem) -> Schedule:
    """Give the order that a problem of a file, or of the set, says is the best known."""
    best = problem.best.get("schedule")
    if isinstance(best, Schedule):
        return replace(best, problem=problem)
    if "path" in problem.best:
        return _written(problem.best["path"], BEST_KNOWN, problem)
    raise PathError(f"of {problem.name} no best order is known; leave 'best known' out")


def _cost(schedule: Schedule) -> tuple[int, int]:
    return schedule.work, schedule.flops


_OWN: dict[str, Find] = {
    "eingrad": eingrad_schedule,
    "eingrad:flops": fewest_flops_schedule,
    "left to right": partial(_each, left_to_right_path),
    BEST_KNOWN: _best_known,
}


def _apart(
    library: str, method: str, seed: int, seconds: float, polish: bool, problem: Problem
) -> Schedule:
    """Ask another library, in a process of its own, which is ended when the time is up."""
    asked = [
        (n, network_of(output, term, problem.sizes))
        for n, (output, term) in enumerate(problem.terms)
        if len(term.operands) > 2  # noqa: PLR2004 - a pair
    ]
    paths: list[Path] = [_short(term) for _, term in problem.terms]
    taken = 0.0
    if asked:
        found, taken = search_apart(library, method, [n for _, n in asked], seed, seconds)
        for (n, network), path in zip(asked, found, strict=True):
            output, term = problem.terms[n]
            terms, out, sizes = network
            read = WrittenPath(path, text_of(term, output))(terms, out, sizes)
            paths[n] = polished_path(terms, out, sizes, read) if polish else read
    return replace(along(problem, paths), searched=taken)


def _short(term: Term) -> Path:
    return ((0, 1),) if len(term.operands) > 1 else ((0,),)


def _written(given: Any, name: str, problem: Problem) -> Schedule:
    """Read a path for each term, or the path of the only one."""
    terms = problem.terms
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise PathError(f"order {name!r}: a path is a list of steps, not {shown(given)}")
    steps = [*given]
    is_one = len(terms) == 1 and not (len(steps) == 1 and _is_path(steps[0]))
    paths = [steps] if is_one else steps
    if len(paths) != len(terms):
        raise PathError(
            f"order {name!r} has {len(paths)} paths, but the problem has {len(terms)} terms; give "
            "a list with a path for each"
        )
    read = []
    for (output, term), path in zip(terms, paths, strict=True):
        network = network_of(output, term, problem.sizes)
        alone = len(term.operands) == 1
        read.append(_short(term) if alone else WrittenPath(path, text_of(term, output))(*network))
    return along(problem, read)


def _is_path(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(v, (list, tuple)) for v in value)
