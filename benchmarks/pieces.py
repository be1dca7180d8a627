"""What tiles, halves of symmetric products and outer products of BLAS are worth: in turn without.

Every result is checked against that of the whole program before it is timed. Times are medians of
interleaved runs; memory is predicted, results included. ``python benchmarks/pieces.py``
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np

import eingrad as eg
from eingrad._limits import POLICY
from eingrad._plan import halves, tiles
from eingrad._plan.lower import products

Problem = tuple[Callable[..., Any], int, Any]  # a function, the order, where


def distances(x: Any) -> Any:
    """Sum of the distances of all pairs of points."""
    d = x[:, None, :] - x[None, :, :]
    return np.sqrt((d**2).sum(-1) + 1e-6).sum()


def blocks(points: int) -> Problem:
    """Blocks on the diagonal of the Hessian of that sum."""
    hessian = eg.hessian(distances)
    x = np.random.default_rng(0).normal(size=(points, 3))
    return lambda x: np.einsum("iaib->iab", hessian(x)), 0, x


def forces(points: int) -> Problem:
    """Gradient of a Lennard-Jones energy, softened."""

    def energy(x: Any) -> Any:
        d = x[:, None, :] - x[None, :, :]
        s = (d**2).sum(-1) + 1.0
        return (s**-6.0 - s**-3.0).sum()

    return energy, 1, np.random.default_rng(0).normal(size=(points, 3))


def kernel(points: int) -> Problem:
    """Gradient of a quadratic form of a Gaussian kernel matrix, in its points."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=points)

    def form(x: Any) -> Any:
        s = (x**2).sum(1)
        return a @ np.exp(x @ x.T - s[:, None] / 2 - s[None, :] / 2) @ a

    return form, 1, rng.normal(size=(points, 5))


def logistic(samples: int, weights: int, order: int) -> Problem:
    """Derivative of a logistic loss."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(samples, weights))
    return lambda w: np.log1p(np.exp(data @ w)).sum(), order, rng.normal(size=weights) / weights


def network(samples: int) -> Problem:
    """Hessian of the loss of a network of four layers of width twelve, in the first."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(samples, 12))
    layers = rng.normal(size=(3, 12, 12)) / np.sqrt(12)

    def loss(w: Any) -> Any:
        h = np.tanh(data @ w)
        for layer in layers:
            h = np.tanh(h @ layer)
        return (h**2).sum()

    return loss, 2, rng.normal(size=(12, 12)) / np.sqrt(12)


def chain(elements: int) -> Problem:
    """Gradient of 20 nested sines of many numbers."""

    def f(x: Any) -> Any:
        for _ in range(20):
            x = np.sin(x)
        return x.sum()

    return f, 1, np.random.default_rng(0).normal(size=elements)


def layer(*shape: int) -> Problem:
    """Gradient of a layer of a network in its weights: inputs, then outputs."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape[:-1])
    return lambda w: np.tanh(x @ w).sum(), 1, rng.normal(size=shape[-2:]) / np.sqrt(shape[-2])


def rows(count: int, length: int) -> Problem:
    """Gradient of one layer again, whose weights have a row for each output."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=length)
    return lambda w: np.tanh(w @ x).sum(), 1, rng.normal(size=(count, length))


def outputs(count: int, length: int) -> Problem:
    """Jacobian of all outputs of that layer."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=length)
    return lambda w: np.tanh(w @ x), 1, rng.normal(size=(count, length))


def trilinear(size: int) -> Problem:
    """Gradient of a trilinear form in its tensor."""
    u, v, w = np.random.default_rng(0).normal(size=(3, size))
    form = lambda t: np.tanh(np.einsum("ijk,i,j,k->", t, u, v, w))  # noqa: E731
    return form, 1, np.random.default_rng(0).normal(size=(size, size, size))


def norm(size: int) -> Problem:
    """Hessian of a norm."""
    return lambda x: np.sqrt(x @ x + 1), 2, np.random.default_rng(0).normal(size=size)


def softmax(size: int) -> Problem:
    """Jacobian of a softmax."""

    def f(x: Any) -> Any:
        powers = np.exp(x)
        return powers / powers.sum()

    return f, 1, np.random.default_rng(0).normal(size=size)


TILES = (
    ("diagonal blocks, 1,000 points", blocks, (1000,)),
    ("diagonal blocks, 2,483 points", blocks, (2483,)),
    ("Lennard-Jones forces, 1,500 points", forces, (1500,)),
    ("Gaussian kernel, 1,500 points", kernel, (1500,)),
    ("logistic Hessian, 200,000 samples", logistic, (200_000, 50, 2)),
    ("logistic, order 3, 20,000 samples", logistic, (20_000, 50, 3)),
    ("network Hessian, 5,000 samples", network, (5000,)),
    ("chain of 20 sines, 1,000,000 numbers", chain, (1_000_000,)),
)
HALVES = (
    ("logistic Hessian, 2,000 x 256", logistic, (2000, 256, 2)),
    ("logistic Hessian, 2,000 x 500", logistic, (2000, 500, 2)),
    ("logistic Hessian, 2,000 x 1,000", logistic, (2000, 1000, 2)),
)
OUTERS = (
    ("layer of 300 x 200, a vector", layer, (300, 200)),
    ("layer of 300 x 200, one sample", layer, (1, 300, 200)),
    ("layer of 1,000 x 1,000, a vector", layer, (1000, 1000)),
    ("layer of 1,000 x 1,000, one sample", layer, (1, 1000, 1000)),
    ("layer of 100,000 rows of 6", rows, (100_000, 6)),
    ("layer of 6 rows of 100,000", rows, (6, 100_000)),
    ("Jacobian of a layer, 30 x 40", outputs, (30, 40)),
    ("trilinear form, 60 x 60 x 60", trilinear, (60,)),
    ("Hessian of a norm, 500", norm, (500,)),
    ("Jacobian of a softmax, 500", softmax, (500,)),
)


def seconds(plan: Any, x: Any) -> float:
    """Time one call."""
    start = time.perf_counter()
    plan(x)
    return time.perf_counter() - start


def compare(title: str, problems: Sequence[Any], switch: Any, rounds: int, *, once: bool) -> None:
    """Print a table; `switch` is a module, a name in it, and what it is in programs without."""
    print(f"{title:37}{'ms without':>10}{'with':>9}{'ratio':>7}{'MB without':>11}{'with':>9}")
    for name, make, sizes in problems[:1] if once else problems:
        f, order, x = make(*sizes)
        derivative = eg.derivative(f, order)
        with mock.patch.object(*switch):
            eg.cache_clear()
            whole = derivative.plan(x)
        eg.cache_clear()
        cut = derivative.plan(x)
        expected = whole(x)
        np.testing.assert_allclose(cut(x), expected, rtol=1e-9, atol=1e-9 * abs(expected).max())
        runs = [(seconds(whole, x), seconds(cut, x)) for _ in range(1 if once else rounds)]
        before, after = (1e3 * statistics.median(times) for times in zip(*runs, strict=True))
        peaks = [plan.peak_bytes / 1e6 for plan in (whole, cut)]
        times = f"{before:10.4g}{after:9.4g}{after / before:7.2f}"
        print(f"{name:37}{times}{peaks[0]:11.1f}{peaks[1]:9.1f}")
    print()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="the first problem of each, one run")
    once = parser.parse_args().once
    no_tiles = (tiles, "POLICY", replace(POLICY, seed_bytes=sys.maxsize))
    no_halves = (halves, "POLICY", replace(POLICY, half_rows=sys.maxsize))
    compare("tiles", TILES, no_tiles, 9, once=once)
    compare("halves", HALVES, no_halves, 9, once=once)
    compare("outer products", OUTERS, (products, "OF_BLAS", ()), 99, once=once)


if __name__ == "__main__":
    main()
