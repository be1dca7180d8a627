"""Likelihoods and losses of statistics and learning: value and gradient, Hessian, and its product.

In: how much data. Out: `PROBLEMS`, of the functions in ``common/models.py``.
Guaranteed: all is in one vector of parameters, as optimizers have it.
"""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from common.models import CASES, Case, Data, make_data
from peers.problem import HESSIAN, PRODUCT, VALUE_AND_GRADIENT, Array, Library, Problem, Task

try:
    from scipy.linalg import lapack
except ImportError:  # a hand version less
    lapack = None

# Hand versions -----------------------------------------------------------------------------------

Pair = tuple[Array, Array]


def _given(out: Any, value: Any, gradient: Array) -> Pair:
    """Give value and gradient, in the caller's arrays if there are any."""
    if out is None:
        return value, gradient
    out[0][...], out[1][...] = value, gradient
    return out


class Survival:
    """Penalised likelihood of times to an event: all is linear in one exponential at each node."""

    def __init__(self, data: Data) -> None:
        events, covariates, at_times, at_nodes, weights = data.survival
        samples, nodes, splines = at_nodes.shape
        repeated = np.broadcast_to(covariates[:, None], (samples, nodes, covariates.shape[1]))
        self.rows = np.concatenate([at_nodes, repeated], axis=2).reshape(samples * nodes, -1)
        self.weights = weights.reshape(-1)
        self.linear = np.concatenate([events @ at_times, events @ covariates])
        bend = np.zeros((splines - 2, self.rows.shape[1]))
        bend[:, :splines] = np.diff(np.eye(splines), 2, axis=0)
        self.penalty = 2 * bend.T @ bend

    def _hazards(self, p: Array) -> Array:
        hazards = self.rows @ p
        np.exp(hazards, out=hazards)
        hazards *= self.weights
        return hazards

    def value_and_gradient(self, p: Array, out: Any = None) -> Pair:
        """The cumulative hazard is its own derivative in what adds to its logarithm."""
        hazards, bent = self._hazards(p), self.penalty @ p
        gradient = hazards @ self.rows
        gradient -= self.linear
        gradient += bent
        return _given(out, hazards.sum() - self.linear @ p + 0.5 * (p @ bent), gradient)

    def hessian(self, p: Array, out: Array | None = None) -> Array:
        """One product."""
        found = np.matmul((self._hazards(p)[:, None] * self.rows).T, self.rows, out=out)
        found += self.penalty
        return found

    def product(self, p: Array, v: Array, out: Array | None = None) -> Array:
        """The Hessian is not made."""
        hazards = self._hazards(p)
        hazards *= self.rows @ v
        found = np.matmul(hazards, self.rows, out=out)
        found += self.penalty @ v
        return found


class GaussianProcess:
    """Negative log-likelihood: one Cholesky factorisation gives solution, determinant, inverse."""

    def __init__(self, data: Data) -> None:
        places = data.places
        squares = (places[:, None] - places[None]) ** 2
        self.heights, self.squares = data.heights, squares.reshape(-1, 3)

    def value_and_gradient(self, p: Array, out: Any = None) -> Pair:
        """``tr((K^-1 - a a') dK) / 2`` with ``a = K^-1 y``: a matrix with each derivative of K."""
        n = len(self.heights)
        scales, noise = np.exp(-2 * p[:3]), np.exp(2 * p[4])
        K = np.exp(2 * p[3] - 0.5 * (self.squares @ scales)).reshape(n, n)
        whole = K.copy()
        whole.reshape(-1)[:: n + 1] += noise
        factor, _ = lapack.dpotrf(whole.T, lower=1, overwrite_a=1)
        a, _ = lapack.dpotrs(factor, self.heights, lower=1)
        value = 0.5 * (self.heights @ a) + np.log(factor.diagonal()).sum()
        inverse, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)  # its lower triangle
        half = np.tril(inverse)
        half.reshape(-1)[:: n + 1] *= 0.5  # symmetric: the triangle twice
        outer = np.multiply(a[:, None], a)
        trace = 2 * half.trace() - a @ a
        inner = ((2 * half - outer) * K).reshape(-1)
        gradient = np.empty(5)
        gradient[:3] = 0.5 * scales * (inner @ self.squares)
        gradient[3] = inner.sum()
        gradient[4] = noise * trace
        return _given(out, value, gradient)


def _hand(case: Case, asked: str, data: Data) -> dict[str, Callable[..., Any]]:
    """Hand versions where they were written; of the others, peers are the measure."""
    if case.name == "spline survival":
        model = Survival(data)
        calls = {
            VALUE_AND_GRADIENT: model.value_and_gradient,
            HESSIAN: model.hessian,
            PRODUCT: model.product,
        }
        return {"one exponential": calls[asked]}
    if case.name == "Gaussian process" and asked == VALUE_AND_GRADIENT and lapack:
        return {"Cholesky": GaussianProcess(data).value_and_gradient}
    return {}


# What is differentiated --------------------------------------------------------------------------


def of_model(case: Case, asked: str, rng: np.random.Generator, times: int) -> Task:
    """A derivative of a program; its data are kept, as people keep them."""
    data = make_data(times, rng)
    args = tuple(0.3 * rng.normal(size=(2, case.size)))

    def function(lib: Library) -> Any:
        given = {f.name: _converted(getattr(data, f.name), lib) for f in dataclasses.fields(data)}
        return case.build(lib.xp, Data(**given))

    return Task(asked, function, args if asked == PRODUCT else args[:1], _hand(case, asked, data))


def _converted(value: Any, lib: Library) -> Any:
    if isinstance(value, tuple):
        return tuple(_converted(part, lib) for part in value)
    return lib.array(value) if isinstance(value, np.ndarray) else value


PROBLEMS = tuple(
    Problem(f"{case.name}, {asked}", partial(of_model, case, asked), (1,), (1,))
    for case in CASES
    for asked in (VALUE_AND_GRADIENT, PRODUCT, HESSIAN)
)
