"""How the cost of a gradient grows with the length of the program.

Traces, differentiates, compiles and runs the gradient of elementwise chains and of products of
matrices; every result is checked before its time is printed. ``python benchmarks/depth.py``
"""

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import eingrad as eg


def chain(n: int) -> Callable[..., Any]:
    """Sum of n nested sines."""

    def f(x: Any) -> Any:
        for _ in range(n):
            x = np.sin(x)
        return x.sum()

    return f


def product(*matrices: Any) -> Any:
    """Sum of the entries of a product."""
    result = matrices[0]
    for matrix in matrices[1:]:
        result = result @ matrix
    return result.sum()


def complex_step(f: Callable[[Any], Any], x: Any) -> float:
    """Derivative in the first entry, exact to rounding."""
    z = x.astype(complex)
    z.flat[0] += 1e-30j
    return float(np.imag(f(z)) / 1e-30)


def measure(f: Callable[..., Any], arguments: list[Any], argnums: Any) -> tuple[float, int, Any]:
    """Seconds of the first call (nothing cached), statements, and the gradient."""
    eg.cache_clear()
    start = time.perf_counter()
    gradient = eg.grad(f, argnums)(*arguments)
    seconds = time.perf_counter() - start
    statements = len(eg.grad(f, argnums).plan(*arguments).program.statements)
    return seconds, statements, gradient


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="the smallest sizes only")
    once = parser.parse_args().once
    print(f"recursion limit {sys.getrecursionlimit()}\n")
    print(f"{'program':34} {'seconds':>8} {'statements':>11}")
    for n in (1000,) if once else (1000, 3000, 10_000):
        x = np.full(3, 0.3)
        seconds, statements, gradient = measure(chain(n), [x], 0)
        assert np.isclose(gradient[0], complex_step(chain(n), x), rtol=1e-9)
        print(f"{f'elementwise chain of {n:,}':34} {seconds:8.2f} {statements:11,}")
    for n in (30,) if once else (30, 100, 300):
        rng = np.random.default_rng(0)
        matrices = list(rng.normal(size=(n, 5, 5)) / 2)
        seconds, statements, gradients = measure(product, matrices, tuple(range(n)))
        expected = complex_step(lambda m, rest=matrices: product(m, *rest[1:]), matrices[0])
        assert np.isclose(gradients[0].flat[0], expected, rtol=1e-9)
        name = f"product of {n} matrices, in every one"
        print(f"{name:34} {seconds:8.2f} {statements:11,}")


if __name__ == "__main__":
    main()
