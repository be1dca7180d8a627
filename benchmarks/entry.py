"""What calling a plan costs besides its function, in microseconds.

For each form of arguments: the emitted function alone; then, on top of it, ``plan(...)``, which
checks the arguments and nests the results; the same where the form is interpreted, as it is for
arguments to be converted; and `eingrad.compiled`, which finds its plan by the arguments. Contenders
are checked against the emitted function and timed in turn, round after round. A time is the median
over the rounds, a difference the median of differences within a round.
``python benchmarks/entry.py [--once] [--json]``
"""

import sys
from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import eingrad as eg
from common.timing import Calls, arguments, medians, microseconds, print_json, print_table
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


def contenders(case: Case) -> Calls:
    """Calls to compare, by name; the first is the emitted function."""
    args, plan, compiled = case.args, case.derivative.plan(*case.args), eg.compiled(case.derivative)
    function, inputs = emitted_function(plan), (*case.inputs, *captured_arrays(plan))
    _check(plan, function(*inputs), plan(*args))
    _check(plan, function(*inputs), compiled(*args))
    return {
        "function": lambda: function(*inputs),
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


def measure(calls: Calls, rounds: int) -> dict[str, float]:
    """Microseconds of the emitted function, and what the others take on top of it."""
    times = microseconds(calls, rounds)
    least = times.pop("function")
    over = {
        name: [a - b for a, b in zip(values, least, strict=True)] for name, values in times.items()
    }
    return medians({"function": least, **over})


def main() -> None:
    """Print a table, or JSON."""
    options = arguments(__doc__).parse_args()
    rounds = 5 if options.once else 200
    results = {case.name: measure(contenders(case), rounds) for case in CASES}
    if options.json:
        print_json(results)
        return
    first, *others = next(iter(results.values()))
    print_table(results, [first, *(f"+ {name}" for name in others)], width=16, digits=2)


if __name__ == "__main__":
    main()
