"""What a call costs besides its arithmetic: derivatives of 3 x 3 inputs, in microseconds.

For each function: the derivative written by hand in NumPy, the generated function alone,
``plan(x)``, ``D(x)`` (which traces the function at every call), and JAX, jitted and not, where it
is installed. All contenders are checked against the hand-written one, then timed in turn, round
after round; a time is the median of the rounds. ``python benchmarks/overhead.py [--once] [--json]``
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import eingrad as eg
from common.timing import Calls, arguments, medians, microseconds, print_json, print_table
from inside import captured_arrays, emitted_function

try:
    import jax
except ImportError:
    jax = None
else:
    jax.config.update("jax_enable_x64", True)

_RNG = np.random.default_rng(0)
A = _RNG.normal(size=(3, 3)) + 3 * np.eye(3)
B = _RNG.normal(size=(3, 3))
V = _RNG.normal(size=3)


@dataclass(frozen=True)
class Case:
    """A function, written for any NumPy; its derivative by hand; where it is taken."""

    name: str
    verb: str  # of eingrad and of JAX
    build: Callable[[ModuleType], Callable[[Any], Any]]
    by_hand: Callable[[Any], Any]
    x: Any


def inverse_by_hand(x: Any) -> Any:
    """``dY[i,j]/dX[k,l] = -Y[i,k] Y[l,j]``."""
    y = np.linalg.inv(x)
    return -y[:, None, :, None] * y.T[None, :, None, :]


def logdet_hessian_by_hand(x: Any) -> Any:
    """``d2 log|det X| / dX[i,j] dX[k,l] = -Y[j,k] Y[l,i]``."""
    y = np.linalg.inv(x)
    return -y.T[:, None, None, :] * y[None, :, :, None]


def layer_gradient_by_hand(x: Any) -> Any:
    """``B.T (1 - tanh(B X)**2)``."""
    y = np.tanh(B @ x)
    return B.T @ (1 - y * y)


def layer_hessian_by_hand(x: Any) -> Any:
    """``B.T diag(-2 y (1 - y**2)) B`` for ``y = tanh(B x)``."""
    y = np.tanh(B @ x)
    return B.T @ ((-2 * y * (1 - y * y))[:, None] * B)


CASES = (
    Case("jacobian of inv(X)", "jacobian", lambda xp: xp.linalg.inv, inverse_by_hand, A),
    Case(
        "grad of log|det X|", "grad", lambda xp: lambda x: xp.linalg.slogdet(x)[1],
        lambda x: np.linalg.inv(x).T, A,
    ),
    Case(
        "hessian of log|det X|", "hessian", lambda xp: lambda x: xp.linalg.slogdet(x)[1],
        logdet_hessian_by_hand, A,
    ),
    Case("grad of x @ B @ x", "grad", lambda _xp: lambda x: x @ B @ x, lambda x: x @ (B + B.T), V),
    Case("hessian of x @ B @ x", "hessian", lambda _xp: lambda x: x @ B @ x, lambda _x: B + B.T, V),
    Case(
        "grad of sum(tanh(B @ X))", "grad", lambda xp: lambda x: xp.tanh(B @ x).sum(),
        layer_gradient_by_hand, A,
    ),
    Case(
        "hessian of sum(tanh(B @ x))", "hessian", lambda xp: lambda x: xp.tanh(B @ x).sum(),
        layer_hessian_by_hand, V,
    ),
)  # fmt: skip


def contenders(case: Case) -> Calls:
    """Calls to compare, by name; the first is the one that the others are checked against."""
    f, x = case.build(np), case.x
    derivative = getattr(eg, case.verb)(f)
    plan = derivative.plan(x)
    function, captured = emitted_function(plan), captured_arrays(plan)
    calls = {
        "NumPy": lambda: case.by_hand(x),
        "generated": lambda: function(x, *captured),
        "plan(x)": lambda: plan(x),
        "D(x)": lambda: derivative(x),
    }
    if jax:
        plain = getattr(jax, case.verb)(case.build(jax.numpy))
        jitted = jax.jit(plain)
        calls["JAX jitted"] = lambda: jax.block_until_ready(jitted(x))
        calls["JAX plain"] = lambda: jax.block_until_ready(plain(x))
    return calls


def check(calls: Calls) -> None:
    """Refuse to time a wrong answer."""
    expected = next(iter(calls.values()))()
    for name, call in calls.items():
        np.testing.assert_allclose(call(), expected, rtol=1e-10, atol=1e-12, err_msg=name)


def main() -> None:
    """Print a table, or JSON."""
    options = arguments(__doc__).parse_args()
    results = {}
    for case in CASES[:2] if options.once else CASES:
        calls = contenders(case)
        check(calls)
        results[case.name] = medians(microseconds(calls, rounds=5 if options.once else 200))
    if options.json:
        print_json(results)
        return
    print_table(results, list(next(iter(results.values()))), width=12, digits=1)


if __name__ == "__main__":
    main()
