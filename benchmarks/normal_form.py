"""What derivatives cost: ``python benchmarks/normal_form.py [WORD...]``.

Prints for each case: nodes, statements, flops, bytes written, peak, symbolic milliseconds (trace,
differentiate, simplify, plan, emit; the fastest of twenty runs, or of those that four seconds are
enough for). Values are checked at a small size by the tests. With words, only the cases whose name
holds one of them. With ``--walks N`` instead, how many walks change the second and third
derivatives of N random functions before nothing does.
"""

import itertools
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import eingrad as eg
from cases import CASES, Case
from eingrad import _ir
from reference import raw_derivatives
from strategies import random_function
from eingrad._plan import pairwise
from eingrad._simplify import PASSES, simplify, walk


_RUNS = 20
_SECONDS = 4.0


def nodes_of(case: Case) -> int:
    """Nodes of the derivative in normal form."""
    f, x = case.build(case.sizes)
    roots, _ = raw_derivatives(f, x.shape, case.order)
    return len(_ir.topological(pairwise(simplify(roots))))


def measure(case: Case) -> tuple[Any, float]:
    """Return the plan, and milliseconds to make it."""
    f, x = case.build(case.sizes)
    seconds: list[float] = []
    while len(seconds) < 2 or (len(seconds) < _RUNS and sum(seconds) < _SECONDS):
        eg.cache_clear()
        start = time.perf_counter()
        plan = eg.derivative(f, case.order).plan(x)
        seconds.append(time.perf_counter() - start)
    return plan, 1000 * min(seconds)


def walks_of(roots: list[Any]) -> tuple[int, bool]:
    """How many walks change these derivatives, and whether they end where they began."""
    forms = [roots]
    while (form := walk(forms[-1], PASSES)) not in forms:
        forms.append(form)
    return len(forms) - 1, form != forms[-1]


def count_walks(count: int) -> None:
    """Print how many derivatives need how many walks."""
    found: Counter[tuple[int, bool]] = Counter()
    for seed, order in itertools.product(range(count), (2, 3)):
        f, shape = random_function(seed)
        roots, _ = raw_derivatives(f, shape, order)
        found[walks_of(roots)] += 1
    for (walks, circle), number in sorted(found.items()):
        print(f"{walks} walks{', in a circle' if circle else ''}: {number:,}")


def main(words: list[str]) -> None:
    """Print the table."""
    heading = ("nodes", "steps", "flops", "written", "peak", "ms")
    print(f"{'case':44}" + "".join(f"{name:>15}" for name in heading[:-1]) + f"{heading[-1]:>10}")
    for case in CASES:
        if words and not any(word in str(case) for word in words):
            continue
        plan, milliseconds = measure(case)
        numbers = (
            len(plan.program.statements), plan.flops, plan.program.written_bytes, plan.peak_bytes,
        )  # fmt: skip
        cells = "".join(f"{n:15,}" for n in (nodes_of(case), *numbers))
        print(f"{case!s:44}{cells}{milliseconds:10.1f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--walks"]:
        count_walks(int(sys.argv[2]))
    else:
        main(sys.argv[1:])
