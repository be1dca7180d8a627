"""What planning takes: milliseconds, nodes built and statements of derivatives of long programs.

Nothing is run but for a check of each derivative against central differences. A time is the
processor's, the least of several rounds, from a function to its plan; the cache is emptied before
each. The nodes are those of the first round: they are counted, and the same on every machine.
``python benchmarks/planning.py [--once] [--json] [--profile NAME]``
"""

import argparse
import cProfile
import gc
import json
import pstats
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import eingrad as eg
from eingrad import _ir


@dataclass(frozen=True)
class Case:
    """A function, the verb that differentiates it, and where."""

    name: str
    verb: str
    f: Callable[[Any], Any]
    x: Any


def runge_kutta(dimension: int, steps: int = 20) -> Case:
    """Squared distance after so many steps of a small network, in where they start."""
    w = np.random.default_rng(0).normal(size=(dimension, dimension)) / 3

    def rate(x: Any) -> Any:
        return np.tanh(w @ x) - 0.1 * x

    def f(x: Any) -> Any:
        h = 0.1
        for _ in range(steps):
            a = rate(x)
            b = rate(x + h / 2 * a)
            c = rate(x + h / 2 * b)
            d = rate(x + h * c)
            x = x + h / 6 * (a + 2 * b + 2 * c + d)
        return (x * x).sum()

    name = f"gradient of {steps} RK4 steps in {dimension} numbers"
    return Case(name, "grad", f, np.linspace(0.1, 1, dimension))


def network() -> Case:
    """Squares of the outputs of ten layers, in the weights of the first."""
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(10, 20, 20)) / np.sqrt(20)
    samples = rng.normal(size=(20, 64))

    def f(first: Any) -> Any:
        h = np.tanh(first @ samples)
        for w in weights[1:]:
            h = np.tanh(w @ h)
        return (h * h).sum()

    return Case("Hessian of ten tanh layers in W1", "hessian", f, weights[0])


def inverse_form() -> Case:
    """``a.T @ inv(X) @ b``."""
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 5))
    x = rng.normal(size=(5, 5)) + 5 * np.eye(5)
    return Case("Hessian of a.T inv(X) b", "hessian", lambda x: a @ np.linalg.inv(x) @ b, x)


def kalman(steps: int = 30) -> Case:
    """Log likelihood of observations of a linear system, in five of its parameters."""
    rng = np.random.default_rng(3)
    seen = rng.normal(size=(steps, 2))
    look = rng.normal(size=(2, 3))
    moves = rng.normal(size=(3, 3, 3)) / 5
    start, eye = np.diag([0.5, 0.4, 0.3]), np.eye(3)

    def f(p: Any) -> Any:
        step = start + p[0] * moves[0] + p[1] * moves[1] + p[2] * moves[2]
        driven, noise = np.exp(p[3]) * eye, np.exp(p[4]) * np.eye(2)
        mean, spread = np.zeros(3), eye
        total = 0.0
        for y in seen:
            mean = step @ mean
            spread = step @ spread @ step.T + driven
            off = y - look @ mean
            inverse = np.linalg.inv(look @ spread @ look.T + noise)
            gain = spread @ look.T @ inverse
            total = total - (off @ inverse @ off - np.linalg.slogdet(inverse)[1]) / 2
            mean = mean + gain @ off
            spread = spread - gain @ look @ spread
        return total

    return Case(f"Kalman score, {steps} steps, 5 parameters", "grad", f, np.full(5, 0.1))


CASES = (
    runge_kutta(6),
    network(),
    inverse_form(),
    kalman(),
    runge_kutta(5),
    runge_kutta(9),
)


def check(case: Case, plan: Any) -> None:
    """Refuse to time a wrong derivative: compare it, along one direction, with a difference."""
    direction = np.random.default_rng(4).normal(size=case.x.shape)
    step = 1e-5
    lower = eg.grad(case.f) if case.verb == "hessian" else case.f
    ahead, behind = (lower(case.x + sign * step * direction) for sign in (1, -1))
    found = np.tensordot(plan(case.x), direction, direction.ndim)
    expected = (ahead - behind) / (2 * step)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


def plan_of(case: Case) -> Any:
    """Plan as if it was the first time."""
    eg.cache_clear()
    return getattr(eg, case.verb)(case.f).plan(case.x)


def measure(case: Case, rounds: int) -> dict[str, float]:
    """Milliseconds, least of the rounds; nodes built and statements."""
    gc.collect()
    before = _ir.number_of_nodes_built()
    plan = plan_of(case)
    nodes = _ir.number_of_nodes_built() - before
    check(case, plan)
    seconds = []
    for _ in range(rounds):
        del plan
        gc.collect()
        start = time.process_time()
        plan = plan_of(case)
        seconds.append(time.process_time() - start)
    statements = len(plan.program.statements)
    return {
        "ms": 1e3 * min(seconds),
        "nodes": nodes,
        "statements": statements,
        "flops": plan.program.flops,
    }


def profile(case: Case) -> None:
    """Print where the time goes, function by function."""
    plan_of(case)
    gc.collect()
    profiler = cProfile.Profile()
    profiler.runcall(plan_of, case)
    pstats.Stats(profiler).sort_stats("cumulative").print_stats(60)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(40)


def main() -> None:
    """Print a table, JSON, or the profile of one case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="one round")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--profile", metavar="NAME", help="where the time of one case goes")
    options = parser.parse_args()
    if options.profile:
        profile(next(case for case in CASES if options.profile in case.name))
        return
    results = {case.name: measure(case, 1 if options.once else 7) for case in CASES}
    if options.json:
        print(json.dumps(results, indent=2))
        return
    print(f"{'':42}{'ms':>9}{'nodes':>9}{'statements':>12}{'flops':>13}")
    for name, row in results.items():
        counts = f"{row['nodes']:9,}{row['statements']:12,}{row['flops']:13,}"
        print(f"{name:42}{row['ms']:9.1f}{counts}")


if __name__ == "__main__":
    main()
