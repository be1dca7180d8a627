"""How well the predicted time is that of a clock: rank correlation over many plans.

Random networks, each contracted along the planned, the greedy and the left-to-right path, and
derivatives of every order in the cases of the tests. A time is the least of several calls of the
generated function; all paths of a network are checked to give one value. What the prediction adds
up is measured by ``--fit``: each number of `eingrad._limits`, beside the one that stands there.
``OPENBLAS_NUM_THREADS=1 python benchmarks/cost_model.py [--once] [--json] [--fit]``
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
from eingrad._cache import input_specs
from eingrad._forms import compile_program
from eingrad._limits import MACHINE
from eingrad._plan import find_path, greedy_path, left_to_right_path, picoseconds
from eingrad._run import Executable

PATHS = {"planned": find_path, "greedy": greedy_path, "left to right": left_to_right_path}
_LARGEST_BYTES = 2**28
_LARGEST_FLOPS = 10**9
_LARGE = 1e-4  # seconds: above that the time is not that of NumPy's calls


def network(seed: int) -> tuple[Any, list[Any]]:
    """Make a product of three to eight arrays, with hyperedges, and its inputs."""
    rng = random.Random(seed)
    count = rng.randint(3, 8)
    terms = [tuple(rng.sample(range(count + 1), rng.randint(1, 3))) for _ in range(count)]
    used = sorted({i for term in terms for i in term})
    out = rng.sample(used, rng.randint(0, min(2, len(used))))
    sizes = {i: rng.choice([4, 15, 40, 90]) for i in used}
    inputs = [_ir.new_input(f"t{k}", tuple(sizes[i] for i in t)) for k, t in enumerate(terms)]
    return _ir.contract(zip(inputs, terms, strict=True), out), inputs


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


def of_networks(count: int, rounds: int) -> list[tuple[str, float, float]]:
    """Name, predicted and measured seconds of distinct plans of random networks."""
    measured = []
    for seed in range(count):
        node, inputs = network(seed)
        rng = np.random.default_rng(seed)
        values = [rng.normal(size=n.shape) for n in inputs]
        expected, seen = None, set()
        for name, search in PATHS.items():
            program = compile_program([node], inputs, input_specs(inputs), search=search)
            if program.statements in seen or program.flops > _LARGEST_FLOPS:
                continue
            if program.peak_bytes > _LARGEST_BYTES:
                continue
            seen.add(program.statements)
            executable = Executable(program)
            (result,) = executable.run(values)
            expected = result if expected is None else expected
            np.testing.assert_allclose(result, expected, rtol=1e-8, atol=1e-8)
            call = lambda executable=executable, values=values: executable.run(values)  # noqa: E731
            predicted = picoseconds(program) / 1e12
            measured.append((f"network {seed}, {name}", predicted, seconds(call, rounds)))
    return measured


def of_derivatives(step: int, rounds: int) -> list[tuple[str, float, float]]:
    """Name, predicted and measured seconds of every ``step``-th case of the tests."""
    measured = []
    for case in CASES[::step]:
        f, x = case.build(case.sizes)
        plan = eg.derivative(f, case.order).plan(x)
        if plan.peak_bytes > _LARGEST_BYTES or plan.flops > _LARGEST_FLOPS:
            continue
        call = lambda plan=plan, x=x: plan(x)  # noqa: E731
        measured.append((str(case), plan.seconds, seconds(call, rounds)))
    return measured


def spearman(a: Any, b: Any) -> float:
    """Correlation of the ranks."""
    ranks = [np.argsort(np.argsort(values)) for values in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


def fit() -> None:
    """Print what each number of `eingrad._limits` is here, in picoseconds, beside what stands."""
    rng = np.random.default_rng(0)
    few, square = rng.normal(size=3), rng.normal(size=(3, 3))
    near, far = rng.normal(size=2**16), rng.normal(size=2**23)
    matrix, stack = rng.normal(size=(600, 600)), rng.normal(size=(2, 3, 3))
    many = rng.normal(size=(10_000, 2, 2))
    short, long = rng.normal(size=(2**16, 4)), rng.normal(size=2**18)
    table, turned = rng.integers(0, 2**16, 2**16), np.ones((4, 2**16)).T
    good = rng.normal(size=(200, 200)) + 20 * np.eye(200)
    panel, slim = rng.normal(size=(100, 100)), rng.normal(size=(100, 8))
    buffer, mask = np.zeros(2**16), np.tri(3, dtype=bool)
    rows = np.zeros((2**16, 4))
    column, row = rng.normal(size=(2, 256))

    def time(call: Any) -> float:
        return 1e12 * seconds(call, 9)

    def outer(x: Any, y: Any) -> Any:
        return np.dot(x[:, None], y[None])

    call, product = time(lambda: few * few), time(lambda: square @ square)
    written = time(lambda: near * near)
    found = {
        "call": call,
        "broadcast": time(lambda: few[:, None] * few) - call,
        "outer": time(lambda: outer(few, few)),
        "view": time(lambda: square.transpose(1, 0)),
        "diagonal": time(lambda: np.einsum("ii->i", square)),
        "product": product,
        "batch": time(lambda: stack @ stack) - product,
        "matrix": time(lambda: many @ many) / len(many),
        "dot": time(lambda: np.matmul(short[:, None], short[:, :, None])) / len(short),
        "reduction": time(few.sum),
        "selection": time(lambda: np.where(mask, square.T, square)),
        "factorisation": time(lambda: np.linalg.inv(square)),
        "byte_written": written / near.nbytes,
        "byte_far": time(lambda: far * far) / far.nbytes,
        "byte_read": time(lambda: matrix @ matrix[0]) / matrix.nbytes,
        "byte_moved": time(lambda: np.ascontiguousarray(matrix.T)) / matrix.nbytes,
        "byte_packed": (time(lambda: panel @ slim) - 2 * 8 * panel.size * MACHINE.flop)
        / (panel.nbytes + slim.nbytes),
        "byte_repeated": (time(lambda: column[:, None] * row) - written) / near.nbytes / 2,
        "byte_outer": (time(lambda: outer(column, row)) - written) / near.nbytes,
        "flop": time(lambda: matrix @ matrix) / (2 * 600**3),
        "flop_of_factorisation": time(lambda: np.linalg.inv(good)) / (8 * 200**3 / 3),
        "inner_loop": (time(lambda: short * short[:, :1]) - time(lambda: long * long)) / 2**16,
        "inner_loop_of_sum": time(lambda: short.sum(1)) / 2**16,
        "out_of_order": (time(lambda: short + turned) - time(lambda: short + short)) / 2**18,
        "scattered": time(lambda: np.add.at(buffer, (table,), near)) / 2**16,
        "added": time(lambda: np.add.at(rows, (table[:, None], np.arange(4)), short)) / 2**18,
    }
    print(f"{'':24}{'measured':>12}{'stands':>12}")
    for name, value in found.items():
        print(f"{name:24}{value:12,.0f}{getattr(MACHINE, name):12,}")


def main() -> None:
    """Print the correlations and the plans that the cost predicts worst, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="few plans, few rounds")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--fit", action="store_true", help="measure the numbers of `_limits`")
    options = parser.parse_args()
    if options.fit:
        fit()
        return
    rounds = 3 if options.once else 15
    groups = {
        "networks": of_networks(8 if options.once else 40, rounds),
        "derivatives": of_derivatives(8 if options.once else 1, rounds),
    }
    groups["all"] = [*groups["networks"], *groups["derivatives"]]
    groups["large"] = [row for row in groups["all"] if row[1] > _LARGE]
    correlations = {
        name: spearman([p for _, p, _ in rows], [s for _, _, s in rows])
        for name, rows in groups.items()
    }
    scale = float(np.median([s / p for _, p, s in groups["all"]]))
    off = sorted(
        ((s / p / scale, name, p, s) for name, p, s in groups["all"]),
        key=lambda row: -abs(np.log(row[0])),
    )
    worst = max(off[0][0], 1 / off[0][0])
    if options.json:
        counts = {name: len(rows) for name, rows in groups.items()}
        found = {"plans": counts, "rank correlation": correlations, "scale": scale, "worst": worst}
        print(json.dumps(found, indent=2))
        return
    for name, value in correlations.items():
        print(f"{name:12} {len(groups[name]):4} plans   rank correlation {value:.3f}")
    print(f"\ntimes are {scale:.2f} of those predicted, in the median; farthest from it:")
    for ratio, name, p, s in off[:8]:
        print(f"{ratio:8.2g} times  {name:44} {1e6 * p:12.1f} us predicted {1e6 * s:12.1f} us")


if __name__ == "__main__":
    main()
