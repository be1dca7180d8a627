"""Searches of other libraries, in a process of their own: some never end, and one is ended then.

In: the name of a search and networks, as JSON on standard input. Out: paths, and the seconds that
the searches took, as JSON on standard output.
Guaranteed: random numbers are seeded and rounds are counted, so a search that ends finds the same
path each time; nothing of the caller's process changes. Run as ``python -m`` this module.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eingrad._shown import cut
from eingrad.errors import PathError

_ROUNDS = 128  # of a search that draws random numbers
_Find = Callable[[Sequence[Any], Any, Mapping[Any, int]], Any]


def search_apart(
    library: str, method: str, networks: Sequence[Any], seed: int, seconds: float
) -> tuple[list[Any], float]:
    """Find a path for each network, given as terms, output and sizes.

    Parameters
    ----------
    library, method : str
        ``"opt_einsum", "dp"``: whose search, and which.
    networks : sequence of (terms, output, sizes)
        Indices are integers.
    seed : int
        Of the random numbers.
    seconds : float
        For all of them together, the start of the process not counted.

    Returns
    -------
    paths : list
        In opt_einsum's linear format; not checked.
    taken : float
        Processor seconds of the searches.

    Raises
    ------
    PathError
        If the search raises, or does not end in time.
    """
    asked = {
        "library": library,
        "method": method,
        "seed": seed,
        "networks": [(terms, out, [*sizes.items()]) for terms, out, sizes in networks],
    }
    command = [sys.executable, "-m", "eingrad.paths.searching"]
    folders = os.pathsep.join(filter(None, sys.path))
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**os.environ, "PYTHONPATH": folders},
    )  # fmt: skip
    try:
        said, complaint = process.communicate(json.dumps(asked), timeout=seconds + _START)
    except subprocess.TimeoutExpired:
        raise PathError(
            f"{library}'s {method} did not end within {seconds:g} s; give it more seconds, or "
            "leave it out"
        ) from None
    finally:
        process.kill()
        process.wait()
    if process.returncode:
        last = (complaint.strip().splitlines() or ["it ended without a word"])[-1]
        raise PathError(f"{library}'s {method} failed: {cut(last)}")
    answer = json.loads(said)
    return answer["paths"], answer["seconds"]


_START = 5.0  # seconds for a process to begin


# In the other process ----------------------------------------------------------------------------


def _main() -> None:
    asked = json.load(sys.stdin)
    find = _searches(asked["library"])(asked["method"], asked["seed"])
    paths = []
    start = time.process_time()
    for terms, out, sizes in asked["networks"]:
        random.seed(asked["seed"])
        found = find(terms, out, dict(sizes))
        paths.append([[int(k) for k in step] for step in found])
    seconds = time.process_time() - start
    json.dump({"paths": paths, "seconds": seconds}, sys.stdout)


def _searches(library: str) -> Callable[[str, int], _Find]:
    return {"opt_einsum": _of_opt_einsum, "cotengra": _of_cotengra}[library]


def _of_opt_einsum(method: str, seed: int) -> _Find:
    from opt_einsum import RandomGreedy  # noqa: PLC0415 - only the process that searches needs it
    from opt_einsum.paths import get_path_fn  # noqa: PLC0415

    del seed  # set before each search
    named = method != "random-greedy"
    search = get_path_fn(method) if named else RandomGreedy(max_repeats=_ROUNDS, parallel=False)

    def find(terms: Sequence[Any], out: Any, sizes: Mapping[Any, int]) -> Any:
        return search([frozenset(term) for term in terms], frozenset(out), sizes)

    return find


def _of_cotengra(method: str, seed: int) -> _Find:
    import cotengra  # noqa: PLC0415 - optional

    def find(terms: Sequence[Any], out: Any, sizes: Mapping[Any, int]) -> Any:
        symbol = {index: cotengra.get_symbol(n) for n, index in enumerate(sizes)}
        inputs = [tuple([symbol[index] for index in dict.fromkeys(term)]) for term in terms]
        output = tuple([symbol[index] for index in out])
        named = {symbol[index]: size for index, size in sizes.items()}
        if method == "greedy":
            return cotengra.array_contract_path(inputs, output, named, optimize="greedy")
        if method == "random-greedy":
            search = cotengra.RandomGreedyOptimizer(max_repeats=_ROUNDS, seed=seed, parallel=False)
            return search(inputs, output, named)
        hyper = cotengra.HyperOptimizer(
            methods=["greedy"], max_repeats=_ROUNDS // 2, parallel=False, reconf_opts={},
            optlib="random", seed=seed, progbar=False,
        )  # fmt: skip
        return hyper.search(inputs, output, named).get_path()

    return find


if __name__ == "__main__":
    _main()
