"""Dense derivatives of a diagonal and outer products, beside one product that writes as much.

``python benchmarks/outer_products.py [--once] [--size 2000] [WORD ...]``

The bare product is that of two random matrices, of as many rows, columns and factors as the largest
product of the plan; its result is neither symmetric nor has it a diagonal. Both in turn, each into
new memory and into an array that is given; medians, and of their ratio the median of rounds. Values
are compared with a difference of gradients along a vector. Best with OPENBLAS_NUM_THREADS=1.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import eingrad as eg
from eingrad._plan.kernels import MatMul, Outer

Function = Callable[[Any], Any]
RNG = np.random.default_rng(0)


def softmax(x: Any) -> Any:
    """As it is written without a shift."""
    e = np.exp(x)
    return e / e.sum()


def entropy(p: Any) -> Any:
    """Entropy of probabilities."""
    return -(p * np.log(p)).sum()


def hessians(n: int) -> dict[str, tuple[Function, Any]]:
    """Functions of n numbers, and where."""
    x, b = RNG.uniform(1, 2, size=n), RNG.normal(size=n)
    few = RNG.normal(size=(20, n)) / np.sqrt(n)

    def logistic(w: Any) -> Any:
        return np.log1p(np.exp(few @ w)).sum()

    return {
        "logsumexp": (lambda x: np.log(np.exp(x).sum()), x),
        "smoothed norm": (lambda x: np.sqrt(1 + x @ x) + np.logaddexp(0, x).sum(), x),
        "log of a sum of squares": (lambda x: np.log((x * x).sum()), x),
        "Cauchy likelihood": (lambda x: np.log1p((x - x.mean()) ** 2).sum(), x),
        "entropy of weights": (lambda x: entropy(x / x.sum()), x),
        "entropy of a softmax": (lambda x: entropy(softmax(x)), x),
        "score of a softmax": (lambda x: softmax(x) @ b, x),
        "normalised vector, a score": (lambda x: x @ b / np.linalg.norm(x), x),
        "normalised vector, a form": (lambda x: ((x / np.linalg.norm(x)) ** 2) @ b, x),
        "three norms": (
            lambda x: np.sqrt(1 + x @ x) + np.log(np.exp(x).sum()) + np.sin(x @ b),
            x,
        ),
        "logistic, 20 samples, ridge": (lambda w: logistic(w) + 0.1 * (w @ w), b),
        "logistic, 20 samples, a norm": (lambda w: logistic(w) + np.sqrt(1 + w @ w), b),
    }


def beyond(n: int) -> dict[str, tuple[Function, Any]]:
    """Blocks and batches of Hessians: functions whose value is the derivative."""
    side = int(n**0.5)
    W, v = RNG.normal(size=(side, side)), RNG.normal(size=side)
    X, b = RNG.uniform(1, 2, size=(16, n // 4)), RNG.normal(size=n // 4)
    batch = lambda f: lambda X: np.einsum("bibj->bij", eg.hessian(lambda X: f(X).sum())(X))  # noqa: E731
    return {
        "logsumexp of W v, in W": (eg.hessian(lambda W: np.log(np.exp(W @ v).sum())), W),
        "norm of W, in W": (eg.hessian(lambda W: np.sqrt(1 + (W * W).sum())), W),
        "a batch of logsumexp": (batch(lambda X: np.log(np.exp(X).sum(1))), X),
        "a batch of scores": (
            batch(lambda X: (np.exp(X) / np.exp(X).sum(1, keepdims=True)) @ b),
            X,
        ),
    }


def third(n: int) -> dict[str, tuple[Function, Any]]:
    """Functions of few numbers, for third derivatives."""
    x, b = RNG.uniform(1, 2, size=n), RNG.normal(size=n)
    return {
        "logsumexp, order 3": (lambda x: np.log(np.exp(x).sum()), x),
        "smoothed norm, order 3": (lambda x: np.sqrt(1 + x @ x) + np.exp(x).sum(), x),
        "entropy of weights, order 3": (lambda x: entropy(x / x.sum()), x),
        "score of a softmax, order 3": (lambda x: softmax(x) @ b, x),
    }


def bare(plan: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Two matrices whose product has as many entries, summed over as many numbers."""
    size = int(np.prod(shape))
    rank = 1
    for s in plan.program.statements:
        if isinstance(s.kernel, MatMul | Outer) and s.results[0].bytes == 8 * size:
            rank = max(rank, round(s.flops / size / 2))
            if isinstance(s.kernel, MatMul) and s.kernel.half:
                left = plan.program.values()[s.operands[0]].shape
                rank = int(np.prod(left)) // s.kernel.half.rows
    rows = shape[0] if len(shape) % 2 else int(np.prod(shape[: len(shape) // 2]))
    return RNG.normal(size=(rank, rows)).T, RNG.normal(size=(rank, size // rows))


def seconds(run: Callable[[], Any]) -> float:
    """Time one call, and what it takes to forget its result."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def compare(name: str, derivative: Any, x: Any, rounds: int) -> None:
    """Print a row."""
    plan = derivative.plan(x)
    value = plan(x)
    left, right = bare(plan, value.shape)
    out, product = np.empty_like(value), np.empty((left.shape[0], right.shape[1]))
    runs = {
        "bare": lambda: np.dot(left, right),
        "plan": lambda: plan(x),
        "bare, out": lambda: np.dot(left, right, out=product),
        "plan, out": lambda: plan(x, out=out),
    }
    taken = [{key: seconds(run) for key, run in runs.items()} for _ in range(rounds)]
    median = {key: 1e3 * statistics.median(times[key] for times in taken) for key in runs}
    fresh = statistics.median(t["plan"] / t["bare"] for t in taken)
    given = statistics.median(t["plan, out"] / t["bare, out"] for t in taken)
    program = plan.program
    written, peak = (count / value.nbytes for count in (program.written_bytes, program.peak_bytes))
    print(
        f"{name:32}{left.shape[1]:5}{median['bare']:9.3f}{median['plan']:9.3f}{fresh:7.2f}"
        f"{median['bare, out']:9.3f}{median['plan, out']:9.3f}{given:7.2f}{peak:7.2f}{written:8.2f}"
    )


def check(f: Function, x: Any) -> None:
    """Compare a Hessian along a vector with a difference of gradients."""
    v = np.cos(np.arange(x.size)).reshape(x.shape)
    gradient, step = eg.grad(f), 1e-5
    expected = (gradient(x + step * v) - gradient(x - step * v)) / (2 * step)
    found = np.tensordot(eg.hessian(f)(x), v, x.ndim)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6 * abs(expected).max())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="small, one round")
    parser.add_argument("--size", type=int, default=2000, help="numbers that are differentiated in")
    parser.add_argument("words", nargs="*", help="rows whose names have one of them")
    options = parser.parse_args()
    n, rounds = (100, 1) if options.once else (options.size, 15)
    rows = [(name, eg.hessian(f), x, f) for name, (f, x) in hessians(n).items()]
    rows += [(name, f, x, None) for name, (f, x) in beyond(n).items()]
    few = max(8, round(n ** (2 / 3)))
    rows += [(name, eg.derivative(f, 3), x, None) for name, (f, x) in third(few).items()]
    print(f"{'':37}{'new memory':^25}{'out=':^25}{'/ result':>14}")
    print(f"{'':32}{'rank':>5}{'bare ms':>9}{'plan':>9}{'ratio':>7}{'bare ms':>9}{'plan':>9}"
          f"{'ratio':>7}{'peak':>7}{'written':>8}")  # fmt: skip
    for name, derivative, x, f in rows:
        if options.words and not any(word in name for word in options.words):
            continue
        if f is not None:
            check(f, x)
        is_planned = hasattr(derivative, "plan")
        compare(name, derivative if is_planned else eg.derivative(derivative, 0), x, rounds)


if __name__ == "__main__":
    main()
