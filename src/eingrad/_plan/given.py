"""Paths that the user gives: by name, by a function that finds them, or written out.

In: what stands for `path`. Out: a `Search`, as `path` has some of its own.
Guaranteed: what it returns is a path of pairs, for just the operands that it was asked about; a
function that fails, or returns anything else, gives one `PathError` with its name and the product.

The function has the signature of opt_einsum's: ``find(inputs, output, sizes, memory_limit)`` with
sets of letters, as `opt_einsum.contract` calls it, so that it may be any of opt_einsum's, an
optimizer object of opt_einsum or cotengra, or the user's own; without a limit, it is called with
three. A step of more than two operands is split by our own search; one of a single operand, which
is only looked at, is left out.

>>> search_of(lambda inputs, output, sizes, memory_limit: [(0, 1), (0, 1)])(
...     [(0, 1), (1, 2), (2,)], (0,), {0: 9, 1: 9, 2: 9}
... )
((0, 1), (0, 1))
"""

import copy
import inspect
import operator
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from opt_einsum.parser import get_symbol
from opt_einsum.paths import get_path_fn

from eingrad import _subscripts
from eingrad._plan.network import Network, Tree
from eingrad._plan.path import (
    Path,
    Search,
    fewest_flops_path,
    find_path,
    greedy_path,
    join,
    left_to_right_path,
    path_of,
)
from eingrad._shown import cut, shown, type_name
from eingrad._subscripts import Subscripts
from eingrad.errors import PathError

OWN: dict[str, Search] = {
    "planned": find_path,
    "fewest flops": fewest_flops_path,
    "greedy": greedy_path,
    "left to right": left_to_right_path,
}
_LIBRARIES = ("cotengra", "opt_einsum")
_THEIRS = "opt_einsum:"
_KNOWN = ("auto", "auto-hq", "optimal", "dp", "branch-all", "branch-2", "greedy", "random-greedy")
_Steps = tuple[tuple[int, ...], ...]


def search_of(path: Any, said: str = "") -> Search:
    """Make a search of what the user gives; `said` is the product in his words, where known.

    None is the planned one, as it is of `einsum`; of a tree of cotengra's its path is taken.
    """
    if path is None:
        return find_path
    if isinstance(path, str):
        return _named(path, said)
    if callable(path):
        return FoundPath(_name_of(path), path, said)
    if callable(getattr(path, "get_path", None)):
        path = path.get_path()
    if isinstance(path, Iterable):
        return WrittenPath(path if isinstance(path, list) else tuple(path), said)
    raise PathError(
        f"path must be one of {_names()}, a function such as those of opt_einsum, or a list of "
        f"pairs of positions, not {shown(path)}"
    )


def _named(name: str, said: str) -> Search:
    if name in OWN:
        return OWN[name]
    if not name.startswith(_THEIRS):
        raise PathError(f"path must be one of {_names()}, not {shown(name)}")
    try:
        find = get_path_fn(name.removeprefix(_THEIRS))
    except KeyError as error:
        raise PathError(
            f"path {shown(name)}: opt_einsum has no optimizer of that name; it has "
            f"{', '.join(map(repr, _KNOWN))}"
        ) from error
    return FoundPath(name, partial(_with_own_randomness, find), said)


def _names() -> str:
    return f"{', '.join(map(repr, OWN))}, 'opt_einsum:auto' (or another optimizer of opt_einsum)"


def _name_of(find: Callable[..., Any]) -> str:
    """Name a function as the user does; an object by its class."""
    if isinstance(find, partial):
        return _name_of(find.func)
    if isinstance(find, FunctionType | BuiltinFunctionType | MethodType | type):
        return cut(find.__qualname__)
    return cut(type_name(find))


def _fresh(find: Callable[..., Any]) -> Callable[..., Any]:
    """Copy an optimizer of a library that keeps the best path it found, whatever it was asked.

    So do cotengra's `HyperOptimizer` and opt_einsum's `RandomGreedy`. Those that cotengra calls
    reusable know of each product; what the user wrote is asked itself.
    """
    kind = type(find)
    if kind.__module__.partition(".")[0] not in _LIBRARIES or kind.__name__.startswith("Reusable"):
        return find
    if kind in (FunctionType, MethodType):
        return find
    try:
        return copy.deepcopy(find)
    except TypeError:  # cotengra's hold modules; what they found they assign anew
        return copy.copy(find)


def _accepted(find: Callable[..., Any], *problem: Any) -> tuple[Any, ...]:
    """Leave the limit of memory, which is none, away where a function takes no such argument."""
    try:
        inspect.signature(find).bind(*problem)
    except TypeError:
        return problem[:-1]
    except ValueError:  # its signature is not known
        pass
    return problem


def _with_own_randomness(find: Callable[..., Any], *problem: Any) -> Any:
    """Leave the user's random numbers as they were: opt_einsum seeds Python's generator."""
    before = random.getstate()
    try:
        return find(*problem)
    finally:
        random.setstate(before)


# Found by a function -----------------------------------------------------------------------------


class FoundPath:
    """A search by a function of the user's, which is asked once for each product."""

    def __init__(self, name: str, find: Callable[..., Any], said: str = "") -> None:
        self._name, self._find, self._said = name, find, said
        self._known: dict[Any, Path] = {}

    def __call__(
        self, terms: Sequence[Subscripts], out: Subscripts, sizes: Mapping[int, int]
    ) -> Path:
        """Ask the function, and check what it returns."""
        network = Network(terms, out, sizes)
        if network.key not in self._known:
            self._known[network.key] = self._ask(network)
        return self._known[network.key]

    def _ask(self, network: Network) -> Path:
        if len(network.operands) == 1:  # nothing meets
            return ((0,),)
        terms, out, sizes = network.key
        letter = {index: get_symbol(n) for n, (index, _) in enumerate(sizes)}
        inputs = [frozenset(letter[index] for index in term) for term in terms]
        output = frozenset(letter[index] for index in out)
        named = {letter[index]: size for index, size in sizes}
        said = self._said or _text(terms, out)
        try:
            find = _fresh(self._find)
            found = find(*_accepted(find, inputs, output, named, None))
        except (Exception, SystemExit) as error:  # the user's function may raise anything
            what = cut(f"{type(error).__name__}: {error}")
            raise PathError(
                f"path {self._name} failed on the product {said} of {len(terms)} operands, with "
                f"{what}; give another function, or leave path away"
            ) from error
        try:
            return _pairs(_steps(found, len(terms)), network)
        except _NoPathError as error:
            raise PathError(
                f"path {self._name} returned {shown(found)} for the product {said} of "
                f"{len(terms)} operands: {error}; a path is a list of steps, each with the "
                "positions of two operands, which are removed, and their product appended"
            ) from None


# Written out -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WrittenPath:
    """A path for one product: operands of a compiled one are numbered as the inputs of its plan."""

    path: Sequence[Any]
    said: str = ""

    def __call__(
        self, terms: Sequence[Subscripts], out: Subscripts, sizes: Mapping[int, int]
    ) -> Path:
        """Check it against the operands."""
        said = self.said or _text(terms, out)
        try:
            return _pairs(_steps(self.path, len(terms)), Network(terms, out, sizes))
        except _NoPathError as error:
            raise PathError(
                f"path {shown(self.path)} is none of the product {said} of {len(terms)} operands: "
                f"{error}; each step removes two operands by their positions and appends their "
                "product"
            ) from None

    def check(self, counts: Sequence[int]) -> None:
        """Refuse to be the path of several products, of which these are the numbers of operands."""
        if len(counts) != 1:
            made = "no product" if not counts else f"{len(counts)} products"
            of = f", of {_listed(counts)} operands" if counts else ""
            raise PathError(
                f"path {shown(self.path)} is for one product, but {made}{of} would be compiled; "
                "give the name of a path, or a function, which is asked for each product"
            )


def _listed(counts: Sequence[int]) -> str:
    words = [*map(str, counts[:8]), *(["..."] if len(counts) > 8 else [])]  # noqa: PLR2004 - a few
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _text(terms: Sequence[Subscripts], out: Subscripts) -> str:
    return cut(repr(_subscripts.text(*_subscripts.renumber(terms, out))))


# Paths of any kind -------------------------------------------------------------------------------


class _NoPathError(ValueError):
    """Why something is no path."""


def _steps(path: Any, count: int) -> _Steps:
    """Read a path of linear positions, as opt_einsum and NumPy write it."""
    if isinstance(path, str) or not isinstance(path, Iterable):
        raise _NoPathError("it is no list of steps")
    steps = [*path]
    if steps and isinstance(steps[0], str) and steps[0] == "einsum_path":  # NumPy's
        del steps[0]
    found, left = [], count
    for n, step in enumerate(steps):
        found.append(_step(step, n, left))
        left -= len(found[-1]) - 1
    if left > 1:
        raise _NoPathError(f"it leaves {left} operands")
    return tuple(found)


def _step(step: Any, n: int, left: int) -> tuple[int, ...]:
    try:
        positions = tuple(map(operator.index, step))
    except TypeError:
        raise _NoPathError(f"step {n}, {shown(step)}, is no tuple of positions") from None
    if not positions:
        raise _NoPathError(f"step {n} is empty")
    for position in positions:
        if not 0 <= position < left:
            raise _NoPathError(f"step {n}, {shown(step)}, has position {shown(position)}, but "
                               f"{left} operands are left then, numbered from 0")  # fmt: skip
    if len({*positions}) < len(positions):
        raise _NoPathError(f"step {n}, {shown(step)}, names a position twice")
    return positions


def _pairs(steps: _Steps, network: Network) -> Path:
    """Write a path with pairs alone: what meets in one step is searched by ourselves."""
    live, tree = [*network.operands], Tree()
    for step in steps:
        chosen = [live[k] for k in step]
        live = [part for k, part in enumerate(live) if k not in step] + [sum(chosen)]
        tree.update(join(chosen, network))
    return path_of(tree, len(network.operands))
