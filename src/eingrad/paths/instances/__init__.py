"""Instances: the networks that are committed, by name.

In: a name. Out: a `Problem`, with the best order known.
Guaranteed: the same for everyone who has the same version; values of operands are drawn.

Derivatives, each in normal form and, named ``...-explicit``, as the plain sum of the product rule;
`benchmarks/make_networks.py` makes them. Those named ``opt_einsum-...`` are the networks of that
library's tests and documents.

>>> len(instances()) > 200, "mps-6-gradient" in instances()
(True, True)
>>> problem = instance("form-by-all-explicit")
>>> len(problem.outputs), problem.best["by"]
(6, 'eingrad')
"""

import difflib
import functools
import importlib.resources
from collections.abc import Mapping

from eingrad._shown import shown
from eingrad.errors import PlanError
from eingrad.paths.files import read_problem, read_problems
from eingrad.paths.problem import Problem

__all__ = ["instance", "instances"]

_OUTSIDE = "opt_einsum"


def instances() -> tuple[str, ...]:
    """Name the instances.

    Returns
    -------
    tuple of str
        The derivatives in the order of the alphabet, then the networks that others chose.
    """
    folder = importlib.resources.files(__name__)
    names = {
        path.name.removesuffix(".json") for path in folder.iterdir() if _is_instance(path.name)
    }
    return (*sorted(names - {_OUTSIDE}), *_outside())


def instance(name: str) -> Problem:
    """Give an instance.

    Parameters
    ----------
    name : str
        One of `instances`.

    Returns
    -------
    Problem
        ``best`` holds the flops of the best order known, its `schedule`, and `by` whom it was
        found; ``pure`` what forward and reverse mode compute, where drawn values allow it.

    Raises
    ------
    PlanError
        If there is none of that name.
    """
    if name in _outside():
        return _outside()[name]
    if name not in instances():
        near = difflib.get_close_matches(name, instances(), 3)
        told = f"did you mean {' or '.join(near)}?" if near else "eingrad.paths.instances() has all"
        raise PlanError(f"there is no instance {shown(name)}; {told}")
    with importlib.resources.as_file(importlib.resources.files(__name__) / f"{name}.json") as path:
        return read_problem(path)


@functools.cache
def _outside() -> Mapping[str, Problem]:
    file = importlib.resources.files(__name__) / f"{_OUTSIDE}.json"
    with importlib.resources.as_file(file) as path:
        return {problem.name: problem for problem in read_problems(path)}


def _is_instance(name: str) -> bool:
    return name.endswith(".json")
