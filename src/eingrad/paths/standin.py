"""Stands in for the registry of orders, until `eingrad.paths.orders` is there; same names.

Who imports from here imports `find_order`, `given_order`, `mode_of`, `NAMES`, `Order` from there.

>>> from eingrad.paths.problem import of_einsum
>>> problem = of_einsum("ij,jk,kl->il", {"i": 2, "j": 3, "k": 4, "l": 5})
>>> find_order("left to right").find(problem).flops
128
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import opt_einsum

from eingrad._plan import find_path, left_to_right_path
from eingrad._shown import shown
from eingrad._subscripts import number
from eingrad.errors import PlanError
from eingrad.paths.along import along
from eingrad.paths.problem import Problem
from eingrad.paths.schedule import Schedule

Find = Callable[[Problem], Schedule]

NAMES = ("eingrad", "left to right", "opt_einsum:greedy", "opt_einsum:optimal")
DEFAULT_ORDERS = ("eingrad", "left to right", "opt_einsum:greedy")


@dataclass(frozen=True, slots=True)
class Order:
    """A name, and what gives the schedule of a problem."""

    name: str
    find: Find
    note: str = ""


def find_order(name: str, *, seed: int = 0, seconds: float | None = None) -> Order:  # noqa: ARG001
    """Find an order by its name."""
    if name not in NAMES:
        raise PlanError(f"there is no order {shown(name)}; there are {', '.join(NAMES)}")
    return Order(name, partial(_found, name))


def given_order(given: Any, name: str = "given") -> Order:
    """Make an order of a path, or of one for each term."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise PlanError(f"order {name!r}: a path is a list of steps, not {shown(given)}")
    return Order(name, partial(_along, [*given]))


def mode_of(problem: Problem, schedule: Schedule) -> str:  # noqa: ARG001
    """Name the mode of a schedule: nobody knows it yet."""
    return ""


def _along(given: list[Any], problem: Problem) -> Schedule:
    is_one = len(problem.terms) == 1 and all(isinstance(k, int) for step in given for k in step)
    return along(problem, [given] if is_one else given)


def _found(name: str, problem: Problem) -> Schedule:
    paths: list[Any] = []
    for output, term in problem.terms:
        if len(term.operands) == 1:
            paths.append(((0,),))
        elif name.startswith("opt_einsum:"):
            inputs = [set(labels) for labels in term.indices]
            method: Any = getattr(opt_einsum.paths, name.partition(":")[2])
            paths.append(method(inputs, {*output.indices}, dict(problem.sizes)))
        else:
            terms, out, _ = number(term.indices, output.indices)
            labels = dict.fromkeys(label for group in term.indices for label in group)
            sizes = {n: problem.sizes[label] for n, label in enumerate(labels)}
            search = find_path if name == "eingrad" else left_to_right_path
            paths.append(search(terms, out, sizes))
    return along(problem, paths)
