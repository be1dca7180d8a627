"""What derivatives cost: ``python benchmarks/normal_form.py [WORD...]``.

Prints for each case: nodes, statements, flops, bytes written, peak, symbolic milliseconds (trace,
differentiate, simplify, plan; the second of two runs). Values are checked at a small size by the
tests. With words, only the cases whose name holds one of them.
"""

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import eingrad as eg
from cases import CASES, Case
from eingrad import _ir
from eingrad._derive import derivatives
from eingrad._plan import pairwise
from eingrad._simplify import simplify
from eingrad._tracer import Expression


def nodes_of(case: Case) -> int:
    """Nodes of the derivative in normal form."""
    f, x = case.build(case.sizes)
    variable = _ir.new_input("x", x.shape)
    roots, _ = derivatives([f(Expression(variable))._node], [variable], (case.order,))
    return len(_ir.topological(pairwise(simplify(roots))))


def measure(case: Case) -> tuple[Any, float]:
    """Return the plan, and milliseconds to make it."""
    f, x = case.build(case.sizes)
    seconds = []
    for _ in range(2):
        eg.cache_clear()
        start = time.perf_counter()
        plan = eg.derivative(f, case.order).plan(x)
        seconds.append(time.perf_counter() - start)
    return plan, 1000 * min(seconds)


def main(words: list[str]) -> None:
    """Print the table."""
    heading = ("nodes", "steps", "flops", "written", "peak", "ms")
    print(f"{'case':44}" + "".join(f"{name:>13}" for name in heading))
    for case in CASES:
        if words and not any(word in str(case) for word in words):
            continue
        plan, milliseconds = measure(case)
        numbers = (
            len(plan.program.statements), plan.flops, plan.program.written_bytes, plan.peak_bytes,
        )  # fmt: skip
        cells = "".join(f"{n:13,}" for n in (nodes_of(case), *numbers))
        print(f"{case!s:44}{cells}{milliseconds:13.1f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
