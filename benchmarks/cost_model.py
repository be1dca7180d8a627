"""How well the planned cost predicts time: rank correlation over many plans.

Random networks, each contracted along the planned, the greedy and the left-to-right path, and
derivatives of every order in the cases of the tests. A time is the least of several calls of the
generated function; all paths of a network are checked to give one value.
``python benchmarks/cost_model.py [--once] [--json]``
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import numpy as np

import eingrad as eg
from cases import CASES
from eingrad import _ir
from eingrad._compile import input_specs
from eingrad._derive import compile_program
from eingrad._plan import find_path, greedy_path, left_to_right_path
from eingrad._run import Kernel

PATHS = {"planned": find_path, "greedy": greedy_path, "left to right": left_to_right_path}
_LARGEST_BYTES = 2**28
_LARGEST_COST = 10**9
_CALLS_COUNT_LESS = 10**5  # cost above which the time is not that of NumPy's calls


def network(seed: int) -> tuple[Any, list[Any]]:
    """Make a product of three to eight arrays, with hyperedges, and its inputs."""
    rng = random.Random(seed)
    count = rng.randint(3, 8)
    terms = [tuple(rng.sample(range(count + 1), rng.randint(1, 3))) for _ in range(count)]
    used = sorted({i for term in terms for i in term})
    out = rng.sample(used, rng.randint(0, min(2, len(used))))
    sizes = {i: rng.choice([4, 15, 40, 90]) for i in used}
    inputs = [_ir.new_input(f"t{k}", tuple(sizes[i] for i in t)) for k, t in enumerate(terms)]
    return _ir.contract(inputs, terms, out, dtype=np.float64), inputs


def seconds(call: Any, rounds: int) -> float:
    """Least time of a call, over rounds of about a millisecond each."""
    start = time.perf_counter()
    call()
    repeats = max(1, round(1e-3 / max(1e-7, time.perf_counter() - start)))
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(repeats):
            call()
        times.append((time.perf_counter() - start) / repeats)
    return min(times)


def of_networks(count: int, rounds: int) -> list[tuple[str, int, float]]:
    """Name, cost and seconds of distinct plans of random networks."""
    measured = []
    for seed in range(count):
        node, inputs = network(seed)
        rng = np.random.default_rng(seed)
        values = [rng.normal(size=n.shape) for n in inputs]
        expected, seen = None, set()
        for name, search in PATHS.items():
            program = compile_program([node], inputs, input_specs(inputs), search=search)
            if program.cost in seen or program.cost > _LARGEST_COST:
                continue
            if program.peak_bytes > _LARGEST_BYTES:
                continue
            seen.add(program.cost)
            kernel = Kernel(program)
            (result,) = kernel.run(values)
            expected = result if expected is None else expected
            np.testing.assert_allclose(result, expected, rtol=1e-8, atol=1e-8)
            call = lambda kernel=kernel, values=values: kernel.run(values)  # noqa: E731
            measured.append((f"network {seed}, {name}", program.cost, seconds(call, rounds)))
    return measured


def of_derivatives(step: int, rounds: int) -> list[tuple[str, int, float]]:
    """Name, cost and seconds of every ``step``-th case of the tests."""
    measured = []
    for case in CASES[::step]:
        f, x = case.build(case.sizes)
        plan = eg.derivative(f, case.order).plan(x)
        if plan.peak_bytes > _LARGEST_BYTES or plan.program.cost > _LARGEST_COST:
            continue
        call = lambda plan=plan, x=x: plan(x)  # noqa: E731
        measured.append((str(case), plan.program.cost, seconds(call, rounds)))
    return measured


def spearman(a: Any, b: Any) -> float:
    """Correlation of the ranks."""
    ranks = [np.argsort(np.argsort(values)) for values in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


def main() -> None:
    """Print the correlations and the plans that the cost predicts worst, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="few plans, few rounds")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    rounds = 3 if options.once else 15
    groups = {
        "networks": of_networks(8 if options.once else 40, rounds),
        "derivatives": of_derivatives(8 if options.once else 1, rounds),
    }
    groups["all"] = [*groups["networks"], *groups["derivatives"]]
    groups["large"] = [row for row in groups["all"] if row[1] > _CALLS_COUNT_LESS]
    correlations = {
        name: spearman([cost for _, cost, _ in rows], [s for _, _, s in rows])
        for name, rows in groups.items()
    }
    speed = float(np.median([s / cost for _, cost, s in groups["all"] if cost]))
    off = sorted(
        ((s / cost / speed, name, cost, s) for name, cost, s in groups["all"] if cost),
        key=lambda row: -abs(np.log(row[0])),
    )
    if options.json:
        counts = {name: len(rows) for name, rows in groups.items()}
        print(json.dumps({"plans": counts, "rank correlation": correlations}, indent=2))
        return
    for name, value in correlations.items():
        print(f"{name:12} {len(groups[name]):4} plans   rank correlation {value:.3f}")
    print(f"\nmedian {1e9 * speed:.3g} ns per unit of cost; farthest from it:")
    for ratio, name, cost, s in off[:8]:
        print(f"{ratio:8.2g} times  {name:44} cost {cost:14,} {1e6 * s:12.1f} us")


if __name__ == "__main__":
    main()
