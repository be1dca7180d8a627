"""Whether the fastest program is the one that is chosen: its alternatives are measured too.

For derivatives in the cases of the tests, and some more: the program that is chosen, and those that
are made of the other directions and forms. All are run in turn, round after round, and checked to
give one value; a time is the least. Printed is the time of the chosen one over that of the fastest,
and what the predicted time of the lowered programs would choose.
``OPENBLAS_NUM_THREADS=1 python benchmarks/choices.py [--once] [--json]``
"""

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import numpy as np

import eingrad as eg
from cases import CASES
from eingrad import _ir
from eingrad._cache import input_specs
from eingrad._derive import compile_derivatives, derive
from eingrad._forms import Forms
from eingrad._plan import Program, picoseconds
from eingrad._run import Executable
from inside import traced

_LARGEST_BYTES = 2**28
_MOST_NODES = 100  # of a value: of longer ones, the slower direction takes minutes to plan
_MOST_ORDER = 4
_LONGEST = 0.5  # seconds for the rounds of a problem
_RNG = np.random.default_rng(0)
A, B, V = _RNG.normal(size=(30, 30)), _RNG.normal(size=(30, 30)), _RNG.normal(size=30)

Problem = tuple[str, Callable[[Any], Any], Any, int]  # name, function, where, order


class OneForm(Forms):
    """Forms of which the normal one is always taken, or always the one as it was derived."""

    is_normal = True

    def _cheapest(self, roots: tuple[Any, ...]) -> tuple[Any, ...]:
        return self._plan((*self.normal(roots),) if self.is_normal else roots)


class AsDerived(OneForm):
    """Forms as they were derived."""

    is_normal = False


def metric(x: Any) -> Any:
    """Metric tensor of a curved space."""
    return np.eye(4) + 0.1 * np.outer(x, x) + np.exp(-(x @ x)) * np.eye(4)


def connection(x: Any) -> Any:
    """Christoffel symbols of the metric."""
    d = eg.jacobian(metric)(x)
    low = (d + d.transpose(0, 2, 1) - d.transpose(2, 0, 1)) / 2
    return np.einsum("il,ljk->ijk", np.linalg.inv(metric(x)), low)


def curvature(x: Any) -> Any:
    """Riemann tensor."""
    g, d = connection(x), eg.jacobian(connection)(x)
    half = np.einsum("ijlk->ijkl", d) + np.einsum("ikm,mjl->ijkl", g, g)
    return half - half.transpose(0, 1, 3, 2)


def wave(x: Any) -> Any:
    """Number whose Laplacian is asked for."""
    return np.exp(-(x * x).sum()) * np.sin(V @ x)


def polynomial(x: Any) -> Any:
    """Taylor polynomial of the exponential of a matrix."""
    return x + x @ x / 2 + x @ x @ x / 6 + x @ x @ x @ x / 24


def gram(x: Any) -> Any:
    """Log determinant of a Gram matrix."""
    return np.log(np.linalg.det(x.T @ x))


MORE: tuple[Problem, ...] = (
    ("curvature", curvature, _RNG.normal(size=4), 0),
    ("trace of the curvature", lambda x: np.einsum("ijik->jk", curvature(x)), V[:4], 0),
    ("Laplacian", lambda x: np.trace(eg.hessian(wave)(x)), V, 0),
    ("gradient of a Laplacian", lambda x: np.trace(eg.hessian(wave)(x)), V, 1),
    ("bilinear form", lambda x: V @ x @ A @ x @ B @ V, A, 2),
    ("trace of a product", lambda x: np.trace(x @ A @ x @ B), A, 1),
    ("layers", lambda x: A @ np.sin(B @ np.cos(A @ x)), V, 1),
    ("rational function", lambda x: x[0] * x[1] / (1 + x[2] ** 2), V[:3], 2),
    ("differences", lambda x: np.sin(x[1:] - x[:-1]) * x[:-1], V, 1),
    ("quartic form", lambda x: ((A @ x) @ (A @ x)) ** 2, V, 3),
    ("polynomial of a matrix", polynomial, A[:10, :10], 1),
    ("log det of a Gram matrix", gram, A[:20, :6], 2),
)


def problems(step: int) -> Iterator[Problem]:
    """Give every ``step``-th one."""
    for case in [case for case in CASES if case.order <= _MOST_ORDER][::step]:
        yield str(case), *case.build(case.sizes), case.order
    yield from MORE[::step]


def programs(f: Callable[[Any], Any], x: Any, order: int) -> list[Program]:
    """Give the chosen program first, then the others, each once."""
    variable = _ir.new_input("x", x.shape, x.dtype)
    outputs = [traced(f, variable)]
    if len(_ir.topological(outputs)) > _MOST_NODES:
        return []
    found: dict[Any, Program] = {}
    others = itertools.product(("forward", "reverse"), (OneForm, AsDerived))
    for mode, kind in [("cheapest", Forms), *others]:
        forms = kind()
        roots, choice = derive(outputs, [variable], (order,), mode, forms=forms)
        program = compile_derivatives(roots, [variable], input_specs([variable]), choice, forms)
        if program.peak_bytes <= _LARGEST_BYTES:
            found.setdefault(program.statements, program)
        elif not found:
            return []
    return [*found.values()]


def seconds(calls: Sequence[Callable[[], Any]], rounds: int) -> list[float]:
    """Give the least time of each, over rounds in which all are called: three or more."""
    repeats = []
    for call in calls:
        start = time.perf_counter()
        call()
        repeats.append(max(1, round(3e-4 / max(1e-7, time.perf_counter() - start))))
    least, end = [float("inf")] * len(calls), time.perf_counter() + _LONGEST
    for number in range(rounds):
        if number > 2 and time.perf_counter() > end:
            break
        for n, call in enumerate(calls):
            start = time.perf_counter()
            for _ in range(repeats[n]):
                call()
            least[n] = min(least[n], (time.perf_counter() - start) / repeats[n])
    return least


def measure(problem: Problem, rounds: int) -> dict[str, Any] | None:
    """Give the times of a problem; None where it is too large."""
    name, f, x, order = problem
    found = programs(f, np.asarray(x), order)
    if not found:
        return None
    executables = [Executable(program) for program in found]
    expected = executables[0].run([x])[0]
    for executable in executables[1:]:
        close = 1e-6 * np.abs(expected).max(initial=1e-300)
        np.testing.assert_allclose(executable.run([x])[0], expected, rtol=1e-6, atol=close)
    calls = [lambda executable=executable: executable.run([x]) for executable in executables]
    times = seconds(calls, rounds)
    predicted = [picoseconds(program) for program in found]
    fastest, shortest = min(times), times[predicted.index(min(predicted))]
    return {
        "name": name,
        "programs": len(found),
        "us": 1e6 * times[0],
        "over fastest": times[0] / fastest,
        "of predicted over fastest": shortest / fastest,
    }


def main() -> None:
    """Print a table, the worst first, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="few problems, one round")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    once = options.once
    measured = [measure(problem, 1 if once else 25) for problem in problems(20 if once else 1)]
    rows = sorted((row for row in measured if row), key=lambda row: -row["over fastest"])
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'':42}{'programs':>9}{'us':>11}{'over fastest':>14}{'predicted':>11}")
    for row in rows:
        name, count, time_us, chosen, predicted = row.values()
        print(f"{name:42}{count:9}{time_us:11.1f}{chosen:14.2f}{predicted:11.2f}")
    for key in ("over fastest", "of predicted over fastest"):
        ratios = np.array([row[key] for row in rows])
        mean, slower = np.exp(np.log(ratios).mean()), int((ratios > 1.2).sum())
        print(f"{key}: geometric mean {mean:.3f}, worst {ratios.max():.2f}, {slower} above 1.2")


if __name__ == "__main__":
    main()
