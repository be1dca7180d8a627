"""Time of a contraction: eingrad beside the best that other libraries do, in one run.

Twenty networks: from issues of opt_einsum and NumPy, physics, factorisations, and derivatives of
the set. opt_einsum takes the faster of its own paths, cotengra its own; NumPy, torch and JAX,
jitted, take eingrad's, since they have none as good. Values agree before anything is timed; one
thread; medians of interleaved rounds. Libraries that are not installed are left out.
``python benchmarks/executors.py [--once] [--json] [--seconds S]``
"""

import argparse
import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before NumPy is there

from orders import CASES  # noqa: E402

from eingrad import paths  # noqa: E402
from eingrad._subscripts import letter  # noqa: E402
from eingrad.paths import Problem, of_einsum  # noqa: E402
from eingrad.paths.executors import EXECUTORS  # noqa: E402

ISSUES = {
    "Winograd": (  # opt_einsum 103, numpy 14332
        "mn,nr,fcr,nh,octh->oftm",
        {"m": 8, "n": 10, "r": 3, "f": 100, "c": 300, "h": 10, "o": 100, "t": 75},
    ),
    "density fitting": (  # opt_einsum 248, smaller
        "iP,sP,PQ,jQ,tQ,ti,sj->",
        {"i": 60, "j": 60, "P": 600, "Q": 600, "s": 20, "t": 20},
    ),
    "three of a batch": ("bgk,bkd,bk->bgd", {"b": 32, "g": 8, "k": 1024, "d": 64}),  # 254
    "a greedy miss": (  # opt_einsum 34
        "xyf,xtf,ytpf,fr->tpr",
        {"x": 20, "y": 22, "t": 24, "p": 24, "f": 30, "r": 27},
    ),
    "states and operators": (  # numpy 9788
        "abc,bdih,dfjm,kfg,chmg->aijk",
        {"a": 9, "b": 5, "c": 9, "d": 5, "i": 2, "h": 2, "f": 5, "j": 2, "m": 2, "k": 9, "g": 9},
    ),
}
NETWORKS = (
    "chain of 30", "3-regular graph, 36", "hyperedges, 24", "MPO norm, 12 sites", "norm of 4 x 4",
    "circuit 8 x 8",
)  # fmt: skip
DERIVATIVES = (
    "cp-by-first", "tucker-by-core", "train-by-all", "mps-6-gradient", "attention-by-v",
    "pair-energy-gradient", "kronecker-by-first", "mlp-by-first", "gram-by-first",
)  # fmt: skip
THEIRS = ("opt_einsum:auto-hq", "opt_einsum:random-greedy", "cotengra:hyper")


def problems() -> dict[str, Problem]:
    """Return the networks, by name."""
    found = {name: of_einsum(*given, name=name) for name, given in ISSUES.items()}
    for name in NETWORKS:
        case = CASES[name]
        texts = ["".join(map(letter, term)) for term in (*case.terms, case.out)]
        sizes = {letter(index): size for index, size in case.sizes.items()}
        found[name] = of_einsum(",".join(texts[:-1]) + "->" + texts[-1], sizes, name=name)
    return found | {name: paths.instance(name) for name in DERIVATIVES}


def contenders(library: str) -> list[str]:
    """Say along which orders a library is timed: its own, or ours."""
    own = [order for order in THEIRS if order.startswith(library)]
    return own or ["eingrad"]


def measure(problem: Problem, seconds: float, *, once: bool) -> dict[str, Any]:
    """Time each library on one network: seconds of a call, along the faster of its orders."""
    theirs = [
        o for o in THEIRS[: 1 if once else None] if EXECUTORS[o.partition(":")[0]].available()
    ]
    orders = ["eingrad", *theirs]
    found = paths.compare(problem, orders=orders, seconds=seconds)
    if not found.agrees:
        raise AssertionError(f"values of {problem.name} disagree\n{found}")
    row: dict[str, Any] = {"operands": len(problem.terms[0][1].operands), "seconds": {}}
    for library in EXECUTORS:
        runs = [found.run(order, library) for order in contenders(library)]
        times = [run.timing.seconds for run in runs if run and run.timing]
        if times:
            row["seconds"][library] = min(times)
    return row


def ratios(row: Mapping[str, Any]) -> dict[str, float]:
    """Time of each library over that of eingrad."""
    own = row["seconds"]["eingrad"]
    return {library: seconds / own for library, seconds in row["seconds"].items()}


def summary(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Geometric means of the ratios, and how often another library is faster."""
    lines = []
    for library in EXECUTORS:
        found = [ratios(row)[library] for row in rows if library in row["seconds"]]
        if found and library != "eingrad":
            mean = math.exp(sum(map(math.log, found)) / len(found))
            faster = sum(ratio < 1 / 1.05 for ratio in found)
            lines.append(
                f"{library}: {mean:.2f} times the time of eingrad (geometric mean, {len(found)}), "
                f"least {min(found):.2f}; faster by more than 5% on {faster}"
            )
    return lines


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="two networks, few rounds")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--seconds", type=float, default=8.0, help="for each network (default: 8)")
    options = parser.parse_args()
    chosen = problems()
    if options.once:
        chosen = {name: chosen[name] for name in ("a greedy miss", "gram-by-first")}
    results = {}
    for n, (name, problem) in enumerate(chosen.items()):
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{n} of {len(chosen)}: {name}\033[K")
        results[name] = measure(
            problem, 0.05 if options.once else options.seconds, once=options.once
        )
    if options.json:
        print(json.dumps(results, indent=2))
        return
    others = [name for name in EXECUTORS if name != "eingrad"]
    print(f"{'':24}{'eingrad':>12}" + "".join(f"{name:>12}" for name in others))
    for name, row in results.items():
        found = ratios(row)
        cells = [f"{found[k]:11.2f}x" if k in found else f"{'-':>12}" for k in others]
        print(f"{name:24}{1e3 * row['seconds']['eingrad']:9.3f} ms" + "".join(cells))
    print("\n".join(summary([*results.values()])))


if __name__ == "__main__":
    main()
