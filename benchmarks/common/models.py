"""Real programs, each written for any NumPy: likelihoods and losses of statistics and learning.

In: a library with NumPy's functions, and data. Out: `CASES`, functions of one vector of parameters.
Guaranteed: nothing here knows what differentiates them; data may be arrays of that library.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

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


def make_data(times: int, rng: np.random.Generator) -> Data:
    """Draw data, `times` as much as the least."""
    draw, uniform = rng.normal, rng.uniform
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
        symbols=[int(symbol) for symbol in rng.integers(8, size=60)],
        sequences=draw(size=(20, 16 * times, 3)),
        targets=draw(size=(20, 16 * times)),
        images=draw(size=(8 * times, 1, 14, 14)),
        labels=np.eye(5)[rng.integers(5, size=8 * times)],
        survival=survival,
        places=draw(size=(40 * times, 3)),
        heights=draw(size=40 * times),
    )


def _splines(times: Any) -> Any:
    """Cubic B-splines on [0, 1], uniform knots, at times of any shape: one more axis."""
    u = np.abs(5 * times[..., None] - (np.arange(8) - 1))
    return np.where(u < 1, 2 / 3 - u**2 + u**3 / 2, np.maximum(2 - u, 0) ** 3 / 6)


# The programs ------------------------------------------------------------------------------------


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
        noise = xp.exp(2 * p[4]) * xp.eye(len(heights))
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
