"""Losses in one flat vector of weights, as every user of an optimiser has: sliced and reshaped.

In: sizes. Out: `PROGRAMS`.
Guaranteed: each contraction of a derivative is bounded by the nested product that computes the
same.
"""

import functools
import itertools

import numpy as np

import eingrad as eg
from real_programs.measure import Bound, Program, Task, evaluations
from real_programs.oracles import differences

# Losses ------------------------------------------------------------------------------------------


def layers(rng, samples, *widths):
    """Squared loss of a network, its weights and biases taken off the vector one by one."""
    x, y = rng.normal(size=(samples, widths[0])), rng.normal(size=(samples, widths[-1]))

    def loss(w):
        h, start = x, 0
        for m, n in itertools.pairwise(widths):
            weight = w[start : start + m * n].reshape(m, n)
            bias = w[start + m * n : start + m * n + n]
            h = h @ weight + bias
            start += m * n + n
            if start < w.size:
                h = np.tanh(h)
        return np.mean((h - y) ** 2)

    size = sum((m + 1) * n for m, n in itertools.pairwise(widths))
    return loss, rng.normal(size=size) / 2


def regression(rng, samples, features):
    """Logistic regression, the intercept last, with a penalty on the rest."""
    x, y = rng.normal(size=(samples, features)), rng.choice([-1.0, 1.0], size=samples)

    def loss(w):
        return np.mean(np.logaddexp(0, -y * (x @ w[:-1] + w[-1]))) + 0.01 * np.sum(w[:-1] ** 2)

    return loss, rng.normal(size=features + 1)


def factorisation(rng, users, items, rank):
    """Masked factorisation with biases of users and items; the vector split at once."""
    seen, mask = rng.normal(size=(users, items)), rng.random((users, items)) > 0.5
    cuts = np.cumsum([users * rank, items * rank, users])

    def loss(w):
        u, v, b, c = np.split(w, cuts)
        score = u.reshape(users, rank) @ v.reshape(items, rank).T + b[:, None] + c
        return np.sum(mask * (seen - score) ** 2) + 0.1 * np.sum(w**2)

    return loss, rng.normal(size=(users + items) * (rank + 1))


def mixture(rng, samples, parts, n):
    """Log-likelihood of a Gaussian mixture: weights, means, scales."""
    points = rng.normal(size=(samples, n))

    def loss(w):
        logits, w = w[:parts], w[parts:]
        means, scales = w.reshape(2, parts, n)
        z = (points[:, None, :] - means) * np.exp(scales)
        joint = logits + scales.sum(1) - (z**2).sum(-1) / 2
        return np.sum(np.log(np.exp(joint).sum(1))) - samples * np.log(np.exp(logits).sum())

    return loss, rng.normal(size=parts * (1 + 2 * n)) / 2


# Contractions ------------------------------------------------------------------------------------

THIRD = {
    "D3 @ u @ v": lambda D3, u, v: D3 @ u @ v,
    "einsum": lambda D3, u, v: np.einsum("ijk,j,k->i", D3, u, v),
}
SECOND = {
    "H @ v": lambda H, v: H @ v,
    "einsum": lambda H, v: np.einsum("ij,j->i", H, v),
    "v @ H": lambda H, v: v @ H,
    "v @ H @ v": lambda H, v: v @ H @ v,
}


def third(way, function, rng, *sizes):
    """The third derivative with two vectors: ``jvp(hvp)``."""
    f, w = function(rng, *sizes)
    u, v = rng.normal(size=(2, w.size))
    good = lambda w, u, v: eg.jvp(lambda w: eg.hvp(f)(w, v))(w, u)
    return Task(
        lambda w, u, v: THIRD[way](eg.derivative(f, 3)(w), u, v),
        (w, u, v),
        {"flops": Bound(good, (w, u, v)), "peak_bytes": Bound(good, (w, u, v))},
        lambda: differences(f, w, u, v, None),
    )


def second(way, function, rng, *sizes):
    """The Hessian with a vector: ``hvp``; with two: its product."""
    f, w = function(rng, *sizes)
    v = rng.normal(size=w.size)
    good = eg.hvp(f) if way != "v @ H @ v" else lambda w, v: v @ eg.hvp(f)(w, v)
    return Task(
        lambda w, v: SECOND[way](eg.hessian(f)(w), v),
        (w, v),
        {"flops": Bound(good, (w, v)), "peak_bytes": Bound(good, (w, v))},
        lambda: SECOND[way](differences(f, w, None, None), v),
    )


def differentiated(function, rng, *sizes):
    """Gradient of ``v @ H @ v``: within 6 evaluations of the loss."""
    f, w = function(rng, *sizes)
    v = rng.normal(size=w.size)
    return Task(
        eg.grad(lambda w, v: v @ eg.hessian(f)(w) @ v),
        (w, v),
        {"flops": evaluations(f, w, 1.5 * 4)},
        lambda: differences(f, w, v, v, None),
    )


def _second(way, function):
    return functools.partial(second, way, function)


def _third(way, function):
    return functools.partial(third, way, function)


LAYERS, FEW_LAYERS = (40, 7, 16, 13, 1), (4, 2, 2, 1)

PROGRAMS = (
    *(Program("2", f"flat network, 363 weights, {way}", _second(way, layers), LAYERS, FEW_LAYERS) for way in SECOND),
    Program("2", "flat network, 73 weights, H @ v", _second("H @ v", layers), (20, 4, 6, 5, 1), FEW_LAYERS),
    Program("2", "flat network, 73 weights, D3 @ u @ v", _third("D3 @ u @ v", layers), (20, 4, 6, 5, 1), FEW_LAYERS),
    Program("2", "flat network, 363 weights, D3 @ u @ v", _third("D3 @ u @ v", layers), LAYERS, FEW_LAYERS),
    Program("2", "flat network, 363 weights, D3 by einsum", _third("einsum", layers), LAYERS, FEW_LAYERS),
    Program("2", "flat network, 73 weights, gradient of v @ H @ v", functools.partial(differentiated, layers), (20, 4, 6, 5, 1), FEW_LAYERS),
    Program("2", "regression with intercept, H @ v", _second("H @ v", regression), (200, 50), (5, 2)),
    Program("2", "regression with intercept, v @ H @ v", _second("v @ H @ v", regression), (200, 50), (5, 2)),
    Program("2", "regression with intercept, D3 @ u @ v", _third("D3 @ u @ v", regression), (200, 50), (5, 2)),
    Program("2", "factorisation with biases, H @ v", _second("H @ v", factorisation), (20, 30, 4), (2, 3, 1)),
    Program("2", "factorisation with biases, D3 by einsum", _third("einsum", factorisation), (20, 30, 4), (2, 3, 1)),
    Program("2", "mixture, H @ v", _second("H @ v", mixture), (100, 4, 3), (3, 2, 1)),
    Program("2", "mixture, D3 @ u @ v", _third("D3 @ u @ v", mixture), (100, 4, 3), (3, 2, 1)),
    Program("2", "mixture, gradient of v @ H @ v", functools.partial(differentiated, mixture), (100, 4, 3), (3, 2, 1)),
)  # fmt: skip
