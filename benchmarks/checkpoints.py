"""Gradients through long scans under a memory limit, beside `jax.checkpoint` of segments.

The state is that of Lorenz's model of 1996, of so many numbers, after so many steps of Euler. Each
limit is a part of the peak of the plan that stores everything. Times are in units of that plan's;
JAX's are those of a scan over segments of about the root of the number of steps, each under
`jax.checkpoint`, in units of JAX's own gradient of one scan; all are given in units of that with
segments, too. They are called in turn, round after round, and a time is the median. Peaks are
measured, as Python counts what arrays take; JAX's are those of its compiler. Every gradient has the
bits of that which stores everything.
``python benchmarks/checkpoints.py [--once] [--json]``
"""

import json
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

import eingrad as eg
from common.timing import arguments, medians

try:
    import jax
    import jax.numpy as jnp
except ImportError:
    jax = None

PARTS = (1, 2, 5, 10, 50)  # of the full peak
CUT = "JAX, segments"
LONG = 10_000  # steps of a loop that is called a few times
HEAD = (
    "| steps | numbers | limit | peak MB | measured MB | of full | flops | time | of JAX |\n"
    "|---:|---:|---|---:|---:|---:|---:|---:|---:|"
)
SIZES = ((1_000, 8), (1_000, 1_000), (100_000, 8), (100_000, 1_000))  # steps, numbers


@dataclass(frozen=True)
class Row:
    """One limit: what the plan does, and what it costs beside full storage."""

    steps: int
    numbers: int
    way: str
    limit_bytes: int
    predicted_bytes: int
    measured_bytes: int
    of_full_peak: float
    of_full_flops: float
    of_full_time: float
    of_jax_time: float | None  # in units of that with segments


def euler(xp: Any) -> Callable[[Any, Any], tuple[Any, None]]:
    """Make a step of Lorenz's model for a library."""

    def step(c: Any, _: Any) -> tuple[Any, None]:
        return c + 1e-5 * ((xp.roll(c, -1) - xp.roll(c, 2)) * xp.roll(c, 1) - c + 8), None

    return step


def measured(call: Callable[[], Any]) -> int:
    """Most bytes that arrays take at once in a call."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def seconds(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Time one call of each in each round: they take long enough."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return times


def rows_of(steps: int, numbers: int, rounds: int, parts: tuple[int, ...]) -> list[Row]:
    """Compare all limits of one loop."""
    x = np.random.default_rng(0).normal(size=numbers)

    def loss(x: Any) -> Any:
        return (eg.scan(euler(np), x, length=steps)[0] ** 2).sum()

    full = eg.grad(loss).plan(x)
    plans = {1: full}
    for part in parts[1:]:
        plans[part] = eg.plan(eg.grad(loss), x, memory_limit=full.peak_bytes // part)
        np.testing.assert_array_equal(plans[part](x), full(x))
    calls = {f"1/{part}": lambda plan=plan: plan(x) for part, plan in plans.items()}
    compiled = jax_ways(steps, x) if jax is not None else {}
    for name, (call, _) in compiled.items():
        np.testing.assert_allclose(np.asarray(call()), full(x), rtol=1e-7, atol=1e-9)
        calls[name] = call
    times = medians(seconds(calls, rounds))

    def of_jax(time: float) -> float | None:
        return time / times[CUT] if CUT in times else None

    found = []
    for part, plan in plans.items():
        peak = measured(lambda plan=plan: plan(x))
        found.append(
            Row(
                steps, numbers, f"1/{part}", full.peak_bytes // part, plan.peak_bytes, peak,
                plan.peak_bytes / full.peak_bytes, plan.flops / full.flops,
                times[f"1/{part}"] / times["1/1"], of_jax(times[f"1/{part}"]),
            )
        )  # fmt: skip
    for name, (_, peak) in compiled.items():
        whole = compiled["JAX"][1]
        found.append(
            Row(
                steps,
                numbers,
                name,
                0,
                peak,
                peak,
                peak / whole,
                0,
                times[name] / times["JAX"],
                of_jax(times[name]),
            )
        )
    return found


def jax_ways(steps: int, x: Any) -> dict[str, tuple[Callable[[], Any], int]]:
    """Compile JAX's gradients, with one scan and with segments; give their peaks too."""
    jax.config.update("jax_enable_x64", True)
    step = euler(jnp)
    segments = 2 ** round(np.log2(steps**0.5))
    while steps % segments:
        segments -= 1

    def whole(x: Any) -> Any:
        return (jax.lax.scan(step, x, None, length=steps)[0] ** 2).sum()

    @jax.checkpoint
    def segment(c: Any, _: Any) -> tuple[Any, None]:
        return jax.lax.scan(step, c, None, length=steps // segments)

    def cut(x: Any) -> Any:
        return (jax.lax.scan(segment, x, None, length=segments)[0] ** 2).sum()

    found = {}
    for name, f in (("JAX", whole), (CUT, cut)):
        compiled = jax.jit(jax.grad(f)).lower(x).compile()
        peak = compiled.memory_analysis().temp_size_in_bytes
        found[name] = (lambda run=compiled: run(x).block_until_ready()), peak
    return found


def main() -> None:
    """Compare all, or short loops alone."""
    options = arguments(__doc__).parse_args()
    sizes = ((200, 8),) if options.once else SIZES
    parts = PARTS[:3] if options.once else PARTS
    rows = []
    if not options.json:
        print(HEAD)
    for steps, numbers in sizes:
        found = rows_of(steps, numbers, 15 if steps < LONG else 3, parts)
        rows += found
        if not options.json:
            print("\n".join(map(line, found)), flush=True)
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))


def line(row: Row) -> str:
    """Write a row of the table."""
    flops = f"{row.of_full_flops:.2f}" if row.of_full_flops else "-"
    jax_time = "-" if row.of_jax_time is None else f"{row.of_jax_time:.2f}"
    return (
        f"| {row.steps:,} | {row.numbers:,} | {row.way} | {row.predicted_bytes / 1e6:,.3f} | "
        f"{row.measured_bytes / 1e6:,.3f} | {row.of_full_peak:.3f} | {flops} | "
        f"{row.of_full_time:.2f} | {jax_time} |"
    )


if __name__ == "__main__":
    main()
