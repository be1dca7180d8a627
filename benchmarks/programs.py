"""Real programs called without a plan: value and gradient, and products with the Hessian.

For each program, times in units of NumPy's own evaluation of it: `eingrad.value_and_grad` and
`eingrad.hvp`, which trace at every call; `eingrad.compiled` of them; plans; autograd, which also
traces at every call, and JAX, jitted, where they are installed. Of autograd's two products with the
Hessian, the faster one counts. Contenders are checked against the plan and timed in turn, round
after round; a time is the median over the rounds. Programs are small, so that calls are seen;
``--times 10`` takes ten times the data.
``python benchmarks/programs.py [--once] [--json] [--times N]``
"""

from collections.abc import Callable
from typing import Any

import numpy as np

import eingrad as eg
from common.models import CASES, Case, Data, make_data
from common.timing import Calls, arguments, medians, microseconds, print_json

try:
    import autograd
    import autograd.numpy
    from autograd.differential_operators import make_hvp
except ImportError:
    autograd = None

try:
    import jax
except ImportError:
    jax = None
else:
    jax.config.update("jax_enable_x64", True)

_RNG = np.random.default_rng(0)


# Contenders --------------------------------------------------------------------------------------


def contenders(case: Case, data: Data) -> dict[str, Calls]:
    """Calls to compare, by what they compute; all but NumPy's give the same."""
    f, x, v = case.build(np, data), 0.3 * _RNG.normal(size=case.size), _RNG.normal(size=case.size)
    gradient, product = eg.value_and_grad(f), eg.hvp(f)
    calls = {"value_and_grad": _ours(gradient, x), "hvp": _ours(product, x, v)}
    if autograd:
        g = case.build(autograd.numpy, data)
        calls["value_and_grad"]["autograd"] = _call(autograd.value_and_grad(g), x)
        calls["hvp"]["autograd"] = _call(autograd.hessian_vector_product(g), x, v)
        calls["hvp"]["autograd, make_hvp"] = lambda: make_hvp(g)(x)[0](v)
    if jax:
        h = case.build(jax.numpy, data)
        jitted = jax.jit(jax.value_and_grad(h))
        pushed = jax.jit(lambda x, v: jax.jvp(jax.grad(h), (x,), (v,))[1])
        calls["value_and_grad"]["JAX jitted"] = lambda: jax.block_until_ready(jitted(x))
        calls["hvp"]["JAX jitted"] = lambda: jax.block_until_ready(pushed(x, v))
    for each in calls.values():
        each["NumPy"] = lambda: f(x)
    return calls


def _ours(derivative: eg.Derivative, *args: Any) -> Calls:
    plan, compiled = derivative.plan(*args), eg.compiled(derivative)
    return {
        "plan": _call(plan, *args),
        "compiled": _call(compiled, *args),
        "eingrad": _call(derivative, *args),
    }


def _call(function: Callable[..., Any], *args: Any) -> Callable[[], Any]:
    return lambda: function(*args)


def check(calls: Calls) -> None:
    """Refuse to time a wrong answer."""
    expected = calls["plan"]()
    is_pair = isinstance(expected, tuple)
    for name, call in calls.items():
        if name == "NumPy" and not is_pair:
            continue
        actual, wanted = (call(), expected[0]) if name == "NumPy" else (call(), expected)
        pairs = (
            zip(actual, wanted, strict=True) if isinstance(wanted, tuple) else [(actual, wanted)]
        )
        for one, other in pairs:
            scale = np.max(np.abs(other))
            np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-9 * scale, err_msg=name)


def measure(calls: Calls, rounds: int) -> dict[str, float]:
    """Microseconds of one call: the median over rounds, each of which times every contender."""
    found = medians(microseconds(calls, rounds, least=0))
    if "autograd, make_hvp" in found:
        found["autograd"] = min(found["autograd"], found.pop("autograd, make_hvp"))
    return found


def _row(row: dict[str, float]) -> str:
    """NumPy's time; the others in units of it; and ours in units of autograd's."""
    unit = row["NumPy"]
    names = ("plan", "compiled", "eingrad", "autograd", "JAX jitted")
    cells = [f"{row[name] / unit:12.2f}" if name in row else f"{'-':>12}" for name in names]
    against = f"{row['eingrad'] / row['autograd']:12.2f}" if "autograd" in row else ""
    return f"{unit:12.0f}" + "".join(cells) + against


def main() -> None:
    """Print a table, or JSON."""
    parser = arguments(__doc__)
    parser.add_argument("--times", type=int, default=1, help="how much data")
    options = parser.parse_args()
    data = make_data(options.times, _RNG)
    results = {}
    for case in CASES:
        for what, calls in contenders(case, data).items():
            check(calls)
            results[f"{case.name}, {what}"] = measure(calls, rounds=3 if options.once else 50)
    if options.json:
        print_json(results)
        return
    heads = ("NumPy, us", "plan", "compiled", "eingrad", "autograd", "JAX jitted", "/ autograd")
    print(f"{'in units of NumPy':36}" + "".join(f"{head:>12}" for head in heads))
    for name, row in results.items():
        print(f"{name:36}" + _row(row))


if __name__ == "__main__":
    main()
