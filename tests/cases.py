"""Functions as a user would write them, whose derivatives have structure worth finding.

Each takes a random generator and sizes, and returns the function and its argument: `CASES` lists
them with the order, the sizes of the table in the documents, and small sizes that the reference
evaluator and the complex step can follow. Used by the tests and by ``benchmarks/normal_form.py``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import eingrad as eg


@dataclass(frozen=True, slots=True)
class Case:
    """A function to differentiate: how it is made, in what, how often, how large."""

    name: str
    make: Callable[..., tuple[Callable[..., Any], Any]]
    order: int
    sizes: tuple[int, ...]
    small: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name}, order {self.order}"

    def build(self, sizes: tuple[int, ...]) -> tuple[Callable[..., Any], Any]:
        """Make the function and its argument."""
        return self.make(np.random.default_rng(0), *sizes)


# Networks ----------------------------------------------------------------------------------------


def tanh_network(rng, layer, layers, width, samples):
    """Squared loss of a tanh network in one of its weight matrices."""
    weights = list(rng.normal(size=(layers, width, width)) / np.sqrt(width))
    x, target = rng.normal(size=(width, samples)), rng.normal(size=(width, samples))

    def loss(w):
        h = x
        for k, other in enumerate(weights):
            h = np.tanh((w if k == layer else other) @ h)
        return ((h - target) ** 2).sum() / samples

    return loss, weights[layer]


def gated_residual(rng, blocks, n):
    """Blocks ``x + (W x) * x``."""
    weights = list(rng.normal(size=(blocks, n, n)) / (2 * n))

    def f(x):
        for w in weights:
            x = x + (w @ x) * x
        return x.sum()

    return f, rng.normal(size=n)


def residual(rng, blocks, n):
    """Blocks ``x + tanh(W x)``."""
    weights = list(rng.normal(size=(blocks, n, n)) / n)

    def f(x):
        for w in weights:
            x = x + np.tanh(w @ x)
        return x.sum()

    return f, rng.normal(size=n)


def layernorm(rng, samples, n):
    """Squared loss of a normalised layer."""
    x, target, w = rng.normal(size=(3, samples, n))

    def f(x):
        centred = x - x.mean(-1, keepdims=True)
        y = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return (np.tanh(w * y - target) ** 2).sum()

    return f, x


def attention(rng, tokens, width):
    """One head of attention in the query weights."""
    x, wk, wv, wq = rng.normal(size=(tokens, width)), *rng.normal(size=(3, width, width))

    def f(wq):
        scores = (x @ wq) @ (x @ wk).T / np.sqrt(width)
        e = np.exp(scores)
        return (((e / e.sum(1, keepdims=True)) @ (x @ wv)) ** 2).sum()

    return f, wq / width


# Powers, products, stacks ------------------------------------------------------------------------


def matrix_power(rng, p, n):
    """``X @ X @ ... @ X``."""

    def f(x):
        y = x
        for _ in range(p - 1):
            y = y @ x
        return y

    return f, rng.normal(size=(n, n)) / np.sqrt(n)


def matrix_power_by_squaring(rng, squarings, n):
    """``((X @ X) @ (X @ X)) ...``."""

    def f(x):
        for _ in range(squarings):
            x = x @ x
        return x

    return f, rng.normal(size=(n, n)) / np.sqrt(n)


def trace_of_power(rng, p, n):
    """``tr(X^p)``."""
    power, x = matrix_power(rng, p, n)
    return lambda x: np.trace(power(x)), x


def trace_by_squaring(rng, squarings, n):
    """``tr(X^4)``, say, as ``tr((X @ X) @ (X @ X))``."""
    power, x = matrix_power_by_squaring(rng, squarings, n)
    return lambda x: np.trace(power(x)), x


def stack_of_scalars(rng, n):
    """A quadratic form of n scalars, each made by itself."""
    a, b = rng.normal(size=(2, n, n)) / np.sqrt(n)

    def f(x):
        s = np.stack([np.sin(b[k] @ x) for k in range(n)])
        return s @ a @ s

    return f, rng.normal(size=n)


def squared_often(rng, times, n):
    """``x = x * x``, often."""

    def f(x):
        for _ in range(times):
            x = x * x
        return x.sum()

    return f, 1 + rng.normal(size=n) / 1000


def elementwise_chain(rng, length, n):
    """Nested sines."""

    def f(x):
        for _ in range(length):
            x = np.sin(x)
        return x.sum()

    return f, rng.normal(size=n)


def cubic_form(rng, n):
    """A polynomial of degree three."""
    a = rng.normal(size=(n, n, n))
    return lambda x: np.einsum("ijk,i,j,k->", a, x, x, x), rng.normal(size=n)


# Geometry ----------------------------------------------------------------------------------------


def pairwise_distances(rng, n):
    """The sum of all distances of points in space."""

    def f(x):
        d = x[:, None, :] - x[None, :, :]
        return np.sqrt((d**2).sum(-1) + 1e-6).sum()

    return f, rng.normal(size=(n, 3))


def diagonal_blocks(rng, n):
    """The blocks of that sum's Hessian that belong to one point each."""
    f, x = pairwise_distances(rng, n)
    return lambda x: np.einsum("iaib->iab", eg.hessian(f)(x)), x


def angle_energy(rng, n):
    """Bending energy of a chain of points."""

    def f(x):
        bond = x[1:] - x[:-1]
        a, b = bond[1:], bond[:-1]
        cosine = (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))
        return ((cosine - 0.5) ** 2).sum()

    return f, rng.normal(size=(n, 3))


def slices(rng, n):
    """Slices, a concatenation and a reshape."""

    def f(x):
        y = np.concatenate([np.sin(x[2:]), x[:2] ** 2])
        return (y.reshape(2, -1) * x[::-1].reshape(2, -1)).sum(0)

    return f, rng.normal(size=n)


# Factorisations ----------------------------------------------------------------------------------


def masked_factorisation(rng, m, n, k):
    """``|mask * (T - U V^T)|^2`` in U."""
    target, mask, v = rng.normal(size=(m, n)), rng.random((m, n)) > 0.3, rng.normal(size=(n, k))
    return lambda u: ((target - u @ v.T) ** 2 * mask).sum(), rng.normal(size=(m, k))


def factorisation(rng, m, n, k):
    """``|T - U V^T|^2`` in U."""
    target, v = rng.normal(size=(m, n)), rng.normal(size=(n, k))
    return lambda u: ((target - u @ v.T) ** 2).sum(), rng.normal(size=(m, k))


def cp_loss(rng, n, rank):
    """CP decomposition in its first factor."""
    target, b, c = rng.normal(size=(n, n, n)), *rng.normal(size=(2, n, rank))

    def f(a):
        return ((target - np.einsum("ir,jr,kr->ijk", a, b, c)) ** 2).sum()

    return f, rng.normal(size=(n, rank))


def cp_pair(rng, n, rank):
    """CP decomposition in two factors together."""
    target, c = rng.normal(size=(n, n, n)), rng.normal(size=(n, rank))

    def f(ab):
        return ((target - np.einsum("ir,jr,kr->ijk", ab[0], ab[1], c)) ** 2).sum()

    return f, rng.normal(size=(2, n, rank))


def tucker_loss(rng, n, rank):
    """Tucker decomposition in its first factor."""
    target, core = rng.normal(size=(n, n, n)), rng.normal(size=(rank, rank, rank))
    b, c = rng.normal(size=(2, n, rank))

    def f(a):
        return ((target - np.einsum("abc,ia,jb,kc->ijk", core, a, b, c)) ** 2).sum()

    return f, rng.normal(size=(n, rank))


# Matrix functions --------------------------------------------------------------------------------


def _invertible(rng, n):
    return rng.normal(size=(n, n)) + n * np.eye(n)


def inverse_form(rng, n):
    """``a^T X^-1 b``."""
    a, b = rng.normal(size=(2, n))
    return lambda x: a @ np.linalg.inv(x) @ b, _invertible(rng, n)


def inverse(rng, n):
    """``X^-1``."""
    return np.linalg.inv, _invertible(rng, n)


def trace_of_inverses(rng, n):
    """``tr(X^-1 S X^-1)`` for a symmetric S."""
    half = rng.normal(size=(n, n))
    return lambda x: np.trace(np.linalg.inv(x) @ (half @ half.T) @ np.linalg.inv(x)), _invertible(
        rng, n
    )


def inverse_row(rng, n):
    """A row of ``X^-1``."""
    return lambda x: np.linalg.inv(x)[0], _invertible(rng, n)


def gathered(rng, samples, groups, n):
    """A sum over samples, each of which is of a group: ``sum exp((A x)[group])``."""
    a, group = rng.normal(size=(groups, n)), rng.integers(groups, size=samples)
    return lambda x: np.exp((a @ x)[group]).sum(), rng.normal(size=n) / n


def weighted_rows(rng, samples, groups, n):
    """A sum over samples of squared rows of a Jacobian, each with a weight."""
    a, group, weights = (
        rng.normal(size=(groups, n)),
        rng.integers(groups, size=samples),
        rng.normal(size=samples),
    )

    def f(x):
        rows = eg.jacobian(lambda x: np.exp(a @ x))(x)[group]
        return np.einsum("r,rj,rk->jk", weights, rows, rows)

    return f, rng.normal(size=n) / n


def shifts(rng, steps, n):
    """Steps of Lorenz-96, on a ring of n numbers."""

    def f(y):
        for _ in range(steps):
            ahead, behind, far = np.roll(y, -1), np.roll(y, 1), np.roll(y, 2)
            y = y + 0.01 * ((ahead - far) * behind - y + 8)
        return (y * y).sum()

    return f, rng.normal(size=n)


def padded(rng, steps, n):
    """Steps of Burgers' equation between walls."""

    def f(u):
        for _ in range(steps):
            p = np.pad(u, 1)
            u = u + 0.1 * (p[2:] - 2 * u + p[:-2]) - 0.05 * u * (p[2:] - p[:-2])
        return (u * u).sum()

    return f, rng.normal(size=n)


def logdet(rng, n):
    """``log |det X|``."""
    return lambda x: np.linalg.slogdet(x)[1], _invertible(rng, n)


def det(rng, n):
    """``det X``."""
    return np.linalg.det, _invertible(rng, n) / n


# Statistics --------------------------------------------------------------------------------------


def logsumexp(rng, samples, n):
    """``log sum exp(A x)``."""
    a = rng.normal(size=(samples, n))
    return lambda x: np.log(np.exp(a @ x).sum()), rng.normal(size=n)


def softmax(rng, n):
    """``exp(x) / sum exp(x)``."""

    def f(x):
        e = np.exp(x)
        return e / e.sum()

    return f, rng.normal(size=n)


def logistic(rng, samples, n):
    """Logistic loss."""
    a = rng.normal(size=(samples, n))
    return lambda w: np.logaddexp(0, a @ w).sum(), rng.normal(size=n)


def gaussian_process(rng, n):
    """Marginal likelihood in five parameters of the kernel."""
    points = rng.normal(size=(n, 2))
    square = (points[:, None, :] - points[None, :, :]) ** 2
    y = rng.normal(size=n)

    def f(t):
        scaled = square[:, :, 0] * np.exp(t[1]) + square[:, :, 1] * np.exp(t[2])
        k = np.exp(t[0] - scaled) + np.exp(t[3]) * np.eye(n) + np.exp(t[4])
        return y @ np.linalg.solve(k, y) + np.linalg.slogdet(k)[1]

    return f, rng.normal(size=5) / 10


def gaussian_process_in_three(rng, n):
    """Marginal likelihood in three parameters of the kernel."""
    points, y = rng.normal(size=(2, n))
    square = (points[:, None] - points[None]) ** 2

    def f(t):
        k = np.exp(t[0] - square * np.exp(t[1])) + np.exp(t[2]) * np.eye(n)
        return y @ np.linalg.solve(k, y) + np.linalg.slogdet(k)[1]

    return f, np.zeros(3)


def gaussian_process_in_inputs(rng, n):
    """Marginal likelihood in the positions of the points."""
    y = rng.normal(size=n)

    def f(x):
        k = np.exp(-((x[:, None] - x[None, :]) ** 2)) + np.eye(n)
        return y @ np.linalg.inv(k) @ y + np.linalg.slogdet(k)[1]

    return f, rng.normal(size=n)


CASES = (
    #    name                            made by               order  sizes         small
    Case("tanh network, first weight", lambda r, *s: tanh_network(r, 0, *s), 2, (10, 20, 200), (4, 3, 5)),
    Case("tanh network, first weight", lambda r, *s: tanh_network(r, 0, *s), 3, (10, 20, 200), (3, 2, 3)),
    Case("tanh network, fifth weight", lambda r, *s: tanh_network(r, s[0] // 2 - 1, *s), 2, (10, 20, 200), (4, 3, 5)),
    Case("tanh network, last weight", lambda r, *s: tanh_network(r, s[0] - 1, *s), 2, (10, 20, 200), (4, 3, 5)),
    Case("gated residual, 4 blocks", gated_residual, 2, (4, 10), (3, 2)),
    Case("gated residual, 8 blocks", gated_residual, 2, (8, 10), (3, 2)),
    Case("gated residual, 12 blocks", gated_residual, 2, (12, 10), (3, 2)),
    Case("residual, 8 blocks", residual, 2, (8, 10), (3, 2)),
    Case("residual, 16 blocks", residual, 2, (16, 10), (3, 2)),
    Case("residual, 8 blocks", residual, 3, (8, 10), (3, 2)),
    Case("residual, 16 blocks", residual, 3, (16, 10), (3, 2)),
    Case("layernorm", layernorm, 2, (6, 8), (2, 3)),
    Case("layernorm", layernorm, 3, (4, 5), (2, 3)),
    Case("attention in Wq", attention, 2, (12, 8), (3, 2)),
    Case("X^8", matrix_power, 1, (8, 32), (5, 3)),
    Case("X^16", matrix_power, 1, (16, 32), (9, 2)),
    Case("X^8 by squaring", matrix_power_by_squaring, 1, (3, 32), (2, 3)),
    Case("tr X^4", trace_of_power, 1, (4, 32), (4, 3)),
    Case("tr X^4", trace_of_power, 2, (4, 32), (4, 3)),
    Case("tr X^4", trace_of_power, 3, (4, 8), (4, 2)),
    Case("tr X^4 by squaring", trace_by_squaring, 2, (2, 32), (2, 3)),
    Case("tr X^4 by squaring", trace_by_squaring, 3, (2, 8), (2, 2)),
    Case("tr X^6", trace_of_power, 5, (6, 3), (6, 2)),
    Case("stack of 32 scalars", stack_of_scalars, 1, (32,), (4,)),
    Case("stack of 32 scalars", stack_of_scalars, 2, (32,), (4,)),
    Case("x * x, 12 times", squared_often, 1, (12, 8), (5, 3)),
    Case("x * x, 12 times", squared_often, 2, (12, 8), (5, 3)),
    Case("elementwise chain of 1,000", elementwise_chain, 1, (1000, 3), (20, 3)),
    Case("cubic form", cubic_form, 3, (10,), (3,)),
    Case("pairwise distances, N = 100", pairwise_distances, 2, (100,), (4,)),
    Case("pairwise distances, N = 400", pairwise_distances, 2, (400,), (4,)),
    Case("angle energy, N = 30", angle_energy, 2, (30,), (5,)),
    Case("diagonal blocks, N = 400", diagonal_blocks, 0, (400,), (4,)),
    Case("pairwise distances, N = 10", pairwise_distances, 3, (10,), (2,)),
    Case("angle energy, N = 4", angle_energy, 3, (4,), (3,)),
    Case("slices", slices, 1, (100,), (8,)),
    Case("slices", slices, 2, (100,), (8,)),
    Case("masked factorisation", masked_factorisation, 2, (50, 60, 5), (3, 4, 2)),
    Case("factorisation", factorisation, 2, (50, 60, 5), (3, 4, 2)),
    Case("CP in one factor", cp_loss, 2, (30, 6), (3, 2)),
    Case("CP in two factors", cp_pair, 2, (20, 4), (3, 2)),
    Case("Tucker in one factor", tucker_loss, 2, (20, 4), (3, 2)),
    Case("inverse form", inverse_form, 1, (48,), (3,)),
    Case("inverse form", inverse_form, 2, (32,), (3,)),
    Case("inverse form", inverse_form, 3, (10,), (2,)),
    Case("inverse form", inverse_form, 4, (5,), (2,)),
    Case("inverse", inverse, 1, (32,), (3,)),
    Case("inverse", inverse, 2, (10,), (2,)),
    Case("inverse", inverse, 3, (5,), (2,)),
    Case("trace of inverses", trace_of_inverses, 2, (8,), (2,)),
    Case("row of an inverse", inverse_row, 1, (20,), (3,)),
    Case("gathered", gathered, 2, (3000, 40, 50), (20, 3, 4)),
    Case("weighted rows of a Jacobian", weighted_rows, 0, (3000, 40, 30), (20, 3, 4)),
    Case("shifts, 16 steps", shifts, 2, (16, 8), (3, 5)),
    Case("padded, 8 steps", padded, 2, (8, 8), (3, 4)),
    Case("logdet", logdet, 2, (32,), (3,)),
    Case("logdet", logdet, 3, (10,), (2,)),
    Case("logdet", logdet, 4, (5,), (2,)),
    Case("logdet", logdet, 5, (4,), (2,)),
    Case("det", det, 2, (32,), (3,)),
    Case("det", det, 3, (10,), (2,)),
    Case("det", det, 4, (5,), (2,)),
    Case("logsumexp", logsumexp, 2, (100, 20), (4, 3)),
    Case("logsumexp", logsumexp, 3, (100, 20), (4, 3)),
    Case("logsumexp", logsumexp, 4, (50, 8), (4, 2)),
    Case("softmax", softmax, 1, (50,), (4,)),
    Case("softmax", softmax, 2, (50,), (4,)),
    Case("logistic", logistic, 2, (200, 20), (4, 3)),
    Case("logistic", logistic, 3, (200, 20), (4, 3)),
    Case("logistic", logistic, 5, (50, 8), (4, 2)),
    Case("Gaussian process, n = 50", gaussian_process_in_three, 3, (50,), (3,)),
    Case("Gaussian process, n = 300", gaussian_process, 2, (300,), (6,)),
    Case("Gaussian process in its inputs", gaussian_process_in_inputs, 2, (20,), (4,)),
    Case("Gaussian process in its inputs", gaussian_process_in_inputs, 3, (6,), (3,)),
)  # fmt: skip


def find(name: str, order: int) -> Case:
    """Look up a case."""
    (case,) = (c for c in CASES if (c.name, c.order) == (name, order))
    return case
