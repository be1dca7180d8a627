"""What calling a plan costs besides its kernel, in microseconds.

For each form of arguments: the emitted function alone; then, on top of it, ``plan(...)``, which
checks the arguments and nests the results; the same where the form is interpreted, as it is for
arguments to be converted; and `eingrad.compiled`, which finds its plan by the arguments. Contenders
are checked against the emitted function and timed in turn, round after round. A time is the median
over the rounds, a difference the median of differences within a round.
``python benchmarks/entry.py [--once] [--json]``
"""

import argparse
import json
import statistics
import sys
import time
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import eingrad as eg
from inside import captured_arrays, emitted_function, interpreted

_RNG = np.random.default_rng(0)
A = _RNG.normal(size=(3, 3)) + 3 * np.eye(3)
B = _RNG.normal(size=(3, 3))
V = _RNG.normal(size=3)
Layer = namedtuple("Layer", "weights bias")


@dataclass(frozen=True)
class Case:
    """A derivative, and the arguments it is taken at; which of their leaves are inputs."""

    name: str
    derivative: eg.Derivative
    args: tuple[Any, ...]
    inputs: tuple[Any, ...]


def _layers(p: Any, x: Any) -> Any:
    hidden = np.tanh(p["in"].weights @ x + p["in"].bias)
    return p["out"][0] @ hidden + p["out"][1]


_PARAMETERS = {"in": Layer(A, V), "out": (V, 0.5)}
CASES = (
    Case("one vector", eg.grad(lambda x: x @ x), (V,), (V,)),
    Case("one matrix, one captured", eg.grad(lambda x: (B @ x).sum()), (A,), (A,)),
    Case("three arrays", eg.grad(lambda x, y, z: x @ y @ z), (V, A, V), (V, A, V)),
    Case("one number", eg.grad(lambda x: x * x), (2.0,), (np.float64(2.0),)),
    Case("static number and string", eg.grad(lambda x, n, s: (x * n).sum(axis=len(s) - 1)),
         (V, 2, "a"), (V,)),
    Case("static function", eg.grad(lambda x, g: g(x).sum()), (V, np.sin), (V,)),
    Case("dict", eg.grad(lambda p: p["a"] @ p["b"]), ({"a": V, "b": V},), (V, V)),
    Case("tuple of pairs", eg.grad(lambda p: p[0][0] @ p[0][1] + p[1][0] @ p[1][1]),
         (((V, V), (V, V)),), (V, V, V, V)),
    Case("dict of layers", eg.grad(_layers), (_PARAMETERS, V), (A, V, V, np.float64(0.5), V)),
)  # fmt: skip


def contenders(case: Case) -> dict[str, Callable[[], Any]]:
    """Calls to compare, by name; the first is the emitted function."""
    args, plan, compiled = case.args, case.derivative.plan(*case.args), eg.compiled(case.derivative)
    function, inputs = emitted_function(plan), (*case.inputs, *captured_arrays(plan))
    _check(plan, function(*inputs), plan(*args))
    _check(plan, function(*inputs), compiled(*args))
    return {
        "kernel": lambda: function(*inputs),
        "plan": lambda: plan(*args),
        "interpreted": lambda: interpreted(plan, args, {}),
        "compiled": lambda: compiled(*args),
    }


def _check(plan: eg.Plan, outputs: Any, nested: Any) -> None:
    """Refuse to time a wrong answer."""
    given = [nested]
    while any(isinstance(value, (dict, tuple)) for value in given):
        given = [item for value in given for item in _items(value)]
    expected = outputs if len(plan.program.outputs) > 1 else [outputs]
    for actual, value in zip(given, expected, strict=True):
        np.testing.assert_array_equal(actual, value)


def _items(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.values()]
    return [*value] if isinstance(value, tuple) else [value]


def measure(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Microseconds of the kernel, and what the others take on top of it."""
    repeats = {name: _repeats(call) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(1e6 * _seconds(call, repeats[name]))
    kernel = times.pop("kernel")
    over = {
        name: statistics.median(a - b for a, b in zip(values, kernel, strict=True))
        for name, values in times.items()
    }
    return {"kernel": statistics.median(kernel), **over}


def _repeats(call: Callable[[], Any]) -> int:
    """How many calls make about a millisecond."""
    return max(1, round(1e-3 / min(_seconds(call, 1) for _ in range(3))))


def _seconds(call: Callable[[], Any], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="few rounds")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    rounds = 5 if options.once else 200
    results = {case.name: measure(contenders(case), rounds) for case in CASES}
    if options.json:
        print(json.dumps({"unit": "microseconds", "medians": results}, indent=2))
        return
    names = list(next(iter(results.values())))
    heads = [names[0], *(f"+ {name}" for name in names[1:])]
    print(f"{'microseconds a call':28}" + "".join(f"{head:>16}" for head in heads))
    for name, medians in results.items():
        print(f"{name:28}" + "".join(f"{medians[column]:16.2f}" for column in names))


if __name__ == "__main__":
    main()
