"""What it is worth to write over dead values: each plan in turn with new memory for every result.

Both must give the same bits. Times are medians of interleaved calls; pages of memory are counted
that the system gives to a call; peaks are predicted, results included, and so are the arrays of
64 kB and more that a call makes.
``OPENBLAS_NUM_THREADS=1 python benchmarks/buffers.py``
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np

import eingrad as eg

compose = sys.modules["eingrad._plan.compose"]  # the function of that room has its name
_LARGE = 2**16  # bytes

Problem = tuple[Callable[..., Any], Any]  # a function, where


def gelu(count: int) -> Problem:
    """Sum of a GELU."""

    def f(x: Any) -> Any:
        return np.sum(x * (1 + np.tanh(0.79788 * (x + 0.044715 * x**3))) / 2)

    return f, np.random.default_rng(0).normal(size=count)


def network(batch: int, width: int) -> Problem:
    """Loss of a network of three layers, in the first weights, over a batch."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(batch, width))
    first, second, third = rng.normal(size=(3, width, width)) / np.sqrt(width)

    def loss(w: Any) -> Any:
        return np.sum(np.tanh(np.tanh(np.tanh(data @ w) @ second) @ third) ** 2)

    return loss, first


def layernorm(rows: int, width: int) -> Problem:
    """Sum of the cubes of rows that are centred and scaled."""

    def f(x: Any) -> Any:
        centred = x - x.mean(-1, keepdims=True)
        variance = (centred**2).mean(-1, keepdims=True)
        return np.sum((centred / np.sqrt(variance + 1e-5)) ** 3)

    return f, np.random.default_rng(0).normal(size=(rows, width))


def stencil(size: int, steps: int) -> Problem:
    """Some steps of a nonlinear heat equation on a periodic grid."""

    def f(u: Any) -> Any:
        for _ in range(steps):
            near = np.roll(u, 1, 0) + np.roll(u, -1, 0) + np.roll(u, 1, 1) + np.roll(u, -1, 1)
            u = u + 0.1 * (near - 4 * u) / (1 + u**2)
        return np.sum(u**2)

    return f, np.random.default_rng(0).normal(size=(size, size))


PROBLEMS = (
    ("GELU, 1,000 numbers", gelu, (1_000,)),
    ("GELU, 30,000", gelu, (30_000,)),
    ("GELU, 1,000,000", gelu, (1_000_000,)),
    ("network, batch 64, width 32", network, (64, 32)),
    ("network, batch 2,000, width 32", network, (2_000, 32)),
    ("network, batch 10,000, width 64", network, (10_000, 64)),
    ("layernorm, 50 x 64", layernorm, (50, 64)),
    ("layernorm, 500 x 128", layernorm, (500, 128)),
    ("layernorm, 2,000 x 512", layernorm, (2_000, 512)),
    ("stencil, 32 x 32, 4 steps", stencil, (32, 4)),
    ("stencil, 200 x 200, 4 steps", stencil, (200, 4)),
    ("stencil, 700 x 700, 4 steps", stencil, (700, 4)),
)


def seconds(plan: Any, x: Any) -> float:
    """Time one call."""
    start = time.perf_counter()
    plan(x)
    return time.perf_counter() - start


def large(plan: Any) -> int:
    """Count the arrays that a call asks the system for."""
    return sum(s.bytes >= _LARGE for s in plan.program.steps())


def pages(plan: Any, x: Any, calls: int = 10) -> float:
    """Count the pages of memory that the system gives to a call."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(calls):
        plan(x)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / calls


def compare(number: int, rounds: int) -> None:
    """Print a line of the table."""
    name, make, sizes = PROBLEMS[number]
    f, x = make(*sizes)
    with mock.patch.object(compose, "reuse", lambda program: program):
        new = eg.grad(f).plan(x)
    eg.cache_clear()
    over = eg.grad(f).plan(x)
    np.testing.assert_array_equal(over(x), new(x))
    given = [pages(plan, x) for plan in (new, over)]
    runs = [(seconds(new, x), seconds(over, x)) for _ in range(rounds)]
    before, after = (1e3 * statistics.median(times) for times in zip(*runs, strict=True))
    peaks = [plan.peak_bytes / 1e6 for plan in (new, over)]
    print(
        f"{name:34}{before:9.3g}{after:9.3g}{after / before:7.2f}{given[0]:8.0f}{given[1]:7.0f}",
        end="",
    )
    print(f"{peaks[0]:9.3g}{peaks[1]:8.3g}{large(new):7}{large(over):6}", flush=True)


def main() -> None:
    """Print the table; each problem in a process of its own, for what `free` does has a history."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="the first problem, one run")
    parser.add_argument("--number", type=int, help="one problem, in this process")
    options = parser.parse_args()
    if options.number is not None:
        compare(options.number, 151)
        return
    print(f"{'gradient':34}{'ms new':>9}{'over':>9}{'ratio':>7}{'pages':>8}{'over':>7}", end="")
    print(f"{'peak MB':>9}{'over':>8}{'large':>7}{'over':>6}", flush=True)
    if options.once:
        compare(0, 1)
        return
    for number in range(len(PROBLEMS)):
        subprocess.run([sys.executable, __file__, "--number", str(number)], check=True)


if __name__ == "__main__":
    main()
