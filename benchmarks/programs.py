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
from dataclasses import dataclass
from typing import Any

import numpy as np

import eingrad as eg
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
Program = Callable[[Any], Any]


@dataclass(frozen=True)
class Data:
    """What the programs are given, for a number of samples."""

    points: Any
    symbols: list[int]
    sequences: Any
    targets: Any
    images: Any
    labels: Any
    survival: tuple[Any, ...]  # events, covariates, splines at times and at nodes, weights
    places: Any
    heights: Any


def make_data(times: int) -> Data:
    """Draw data, `times` as much as the least."""
    draw, uniform = _RNG.normal, _RNG.uniform
    until = uniform(0.1, 1.0, size=400 * times)
    nodes, weights = np.polynomial.legendre.leggauss(10)
    survival = (
        (uniform(size=until.size) < 0.7).astype(float),
        draw(size=(until.size, 4)),
        _splines(until),
        _splines(until[:, None] * (nodes + 1) / 2),
        until[:, None] * weights / 2,
    )
    return Data(
        points=draw(size=(500 * times, 3)),
        symbols=[int(symbol) for symbol in _RNG.integers(8, size=60)],
        sequences=draw(size=(20, 16 * times, 3)),
        targets=draw(size=(20, 16 * times)),
        images=draw(size=(8 * times, 1, 14, 14)),
        labels=np.eye(5)[_RNG.integers(5, size=8 * times)],
        survival=survival,
        places=draw(size=(40 * times, 3)),
        heights=draw(size=40 * times),
    )


def _splines(times: Any) -> Any:
    """Cubic B-splines on [0, 1], uniform knots, at times of any shape: one more axis."""
    u = np.abs(5 * times[..., None] - (np.arange(8) - 1))
    return np.where(u < 1, 2 / 3 - u**2 + u**3 / 2, np.maximum(2 - u, 0) ** 3 / 6)


# The programs, each written for any NumPy ---------------------------------------------------------


def mixture(xp: Any, data: Data) -> Program:
    """Log-likelihood of a Gaussian mixture, its precisions given by triangular factors."""

    def log_likelihood(p: Any) -> Any:
        logits, p = p[:4], p[4:]
        means, p = p[:12].reshape(4, 3), p[12:]
        scales, factors = p[:12].reshape(4, 3), p[12:].reshape(4, 3, 3)
        log_weights = logits - xp.log(xp.sum(xp.exp(logits)))
        densities = []
        for log_weight, mean, scale, factor in zip(
            log_weights, means, scales, factors, strict=True
        ):
            away = data.points - mean
            z = away * xp.exp(scale) + away @ xp.tril(factor, -1).T
            densities.append(log_weight + xp.sum(scale) - 0.5 * xp.sum(z**2, axis=1))
        joint = xp.stack(densities)
        highest = xp.max(joint, axis=0)
        return xp.sum(highest + xp.log(xp.sum(xp.exp(joint - highest), axis=0)))

    return log_likelihood


def markov(xp: Any, data: Data) -> Program:
    """Log-likelihood of a hidden Markov model: the forward pass, rescaled at every step."""

    def softmax(logits: Any) -> Any:
        weights = xp.exp(logits - xp.max(logits, axis=-1, keepdims=True))
        return weights / xp.sum(weights, axis=-1, keepdims=True)

    def log_likelihood(p: Any) -> Any:
        initial, p = softmax(p[:5]), p[5:]
        transition, emission = softmax(p[:25].reshape(5, 5)), softmax(p[25:].reshape(5, 8))
        alpha = initial * emission[:, data.symbols[0]]
        total = 0.0
        for symbol in data.symbols[1:]:
            scale = xp.sum(alpha)
            total = total + xp.log(scale)
            alpha = ((alpha / scale) @ transition) * emission[:, symbol]
        return total + xp.log(xp.sum(alpha))

    return log_likelihood


def recurrent(xp: Any, data: Data) -> Program:
    """Squared error of a recurrent network with gates (LSTM) over sequences."""

    def sigmoid(x: Any) -> Any:
        return 0.5 * (xp.tanh(0.5 * x) + 1.0)

    def error(p: Any) -> Any:
        weights, p = p[:520].reshape(13, 40), p[520:]
        bias, readout = p[:40], p[40:]
        hidden, cell = xp.zeros((len(data.targets[0]), 10)), xp.zeros((len(data.targets[0]), 10))
        total = 0.0
        for x, y in zip(data.sequences, data.targets, strict=True):
            gates = xp.concatenate([x, hidden], axis=1) @ weights + bias
            forget, enter, leave = (sigmoid(gates[:, 10 * k : 10 * k + 10]) for k in range(3))
            cell = forget * cell + enter * xp.tanh(gates[:, 30:])
            hidden = leave * xp.tanh(cell)
            total = total + xp.sum((hidden @ readout - y) ** 2)
        return total / data.targets.size

    return error


def convolution(xp: Any, data: Data) -> Program:
    """Cross entropy of a network of two convolutions, each a product with shifted images."""

    def layer(images: Any, filters: Any) -> Any:
        size = images.shape[2] - 2
        shifted = [images[:, :, i : i + size, j : j + size] for i in range(3) for j in range(3)]
        columns = xp.stack(shifted, axis=2)
        return xp.tanh(xp.einsum("nckij,dck->ndij", columns, filters))

    def loss(p: Any) -> Any:
        first, p = p[:36].reshape(4, 1, 9), p[36:]
        second, p = p[:216].reshape(6, 4, 9), p[216:]
        hidden = layer(data.images, first)
        pooled = xp.mean(hidden.reshape(-1, 4, 6, 2, 6, 2), axis=(3, 5))
        features = layer(pooled, second).reshape(-1, 96)
        logits = features @ p.reshape(96, 5)
        highest = xp.max(logits, axis=1)
        log_sums = highest + xp.log(xp.sum(xp.exp(logits - highest[:, None]), axis=1))
        return xp.mean(log_sums - xp.sum(logits * data.labels, axis=1))

    return loss


def survival(xp: Any, data: Data) -> Program:
    """Penalised likelihood of times to an event, the log hazard a spline in time."""
    events, covariates, at_times, at_nodes, weights = data.survival

    def objective(p: Any) -> Any:
        coefficients, effects = p[:8], p[8:]
        risk = covariates @ effects
        log_hazard = at_times @ coefficients + risk
        cumulative = xp.exp(risk) * xp.sum(weights * xp.exp(at_nodes @ coefficients), axis=1)
        curvature = coefficients[2:] - 2 * coefficients[1:-1] + coefficients[:-2]
        return xp.sum(cumulative) - xp.sum(events * log_hazard) + xp.sum(curvature**2)

    return objective


def process(xp: Any, data: Data) -> Program:
    """Negative log-likelihood of a Gaussian process, a length scale for each coordinate."""
    places, heights = data.places, data.heights

    def loss(p: Any) -> Any:
        scaled = places / xp.exp(p[:3])
        squares = xp.sum((scaled[:, None] - scaled[None]) ** 2, axis=-1)
        noise = xp.exp(2 * p[4]) * np.eye(len(heights))
        covariance = xp.exp(2 * p[3] - 0.5 * squares) + noise
        log_determinant = xp.linalg.slogdet(covariance)[1]
        return 0.5 * (xp.dot(heights, xp.linalg.solve(covariance, heights)) + log_determinant)

    return loss


@dataclass(frozen=True)
class Case:
    """A program, and the number of its parameters."""

    name: str
    build: Callable[[Any, Data], Program]
    size: int


CASES = (
    Case("Gaussian mixture", mixture, 64),
    Case("hidden Markov model", markov, 70),
    Case("recurrent network", recurrent, 570),
    Case("convolutions", convolution, 732),
    Case("spline survival", survival, 12),
    Case("Gaussian process", process, 5),
)


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
    data = make_data(options.times)
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
