"""Programs that took long to plan: masks in masks, pieces put together, flat weights, curvature.

In: sizes. Out: `PROGRAMS`, three of each kind that was mended.
Guaranteed: flops are bounded by evaluations of the function, as of other programs of their kind.
"""

import functools
import itertools

import numpy as np

import eingrad as eg
from real_programs.loops import christoffel_symbols, curvature
from real_programs.measure import Program, Task, evaluations
from real_programs.oracles import differences


def _task(run, f, x, times, value, of=None):
    return Task(run, (x,), {"flops": evaluations(f, x, times)}, value, of)


# Masks in masks ----------------------------------------------------------------------------------


def softmax(z):
    """Shifted by the maximum, along the last axis."""
    e = np.exp(z - np.max(z, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def attention(rng, tokens, n, layers):
    """Squares of what masked attention gives, layer after layer."""
    weights = rng.normal(size=(layers, 3, n, n)) / 2
    mask = np.tril(np.ones((tokens, tokens), bool))

    def f(x):
        for query, key, value in weights:
            scores = (x @ query) @ (x @ key).T / n**0.5
            x = x + softmax(np.where(mask, scores, -np.inf)) @ (x @ value)
        return np.sum(x**2)

    return f, rng.normal(size=(tokens, n))


ENTRIES = {
    "an entry": lambda H: H[0, 0, 1, 1],
    "entries": lambda H: np.stack([H[0, 0, 0, 0], H[0, 1, 1, 0], H[1, 0, 1, 1]]),
    "a row": lambda H: H[0, 0],
}


def masked(way, rng, tokens, n, layers):
    """Entries of the Hessian of attention."""
    f, x = attention(rng, tokens, n, layers)
    take = ENTRIES[way]
    value = lambda: take(differences(f, x, None, None))
    return _task(lambda x: take(eg.hessian(f)(x)), f, x, 5.0 * x.size, value)


# Pieces put together -----------------------------------------------------------------------------


def neighbours(rng, n):
    """Numbers made one by one and put together."""

    def f(x):
        y = np.concatenate([np.atleast_1d(np.sin(x[k]) * x[(k + 1) % n]) for k in range(n)])
        return np.sum(y * y * y)

    return f, rng.normal(size=n)


def blocks(rng, n):
    """Pairs put together in the other order, and multiplied with their neighbours."""

    def f(x):
        y = np.concatenate([x[2 * k : 2 * k + 2] ** 2 for k in range(n)][::-1])
        return np.sum(np.exp(y[:-1] * x[1:]))

    return f, rng.normal(size=2 * n) / 2


def stencil(rng, n, steps):
    """RK4 of Burgers' equation, its edges repeated by concatenation."""

    def rate(u):
        left, right = np.concatenate([u[:1], u[:-1]]), np.concatenate([u[1:], u[-1:]])
        return left - 2 * u + right - u * (right - left) / 2

    def f(u):
        for _ in range(steps):
            a = rate(u)
            b = rate(u + 0.025 * a)
            c = rate(u + 0.025 * b)
            u = u + 0.05 / 6 * (a + 2 * b + 2 * c + rate(u + 0.05 * c))
        return np.sum(u * u)

    return f, rng.normal(size=n)


def put_together(make, rng, *sizes):
    """The Hessian."""
    f, x = make(rng, *sizes)
    value = lambda: differences(f, x, None, None)
    return _task(eg.hessian(f), f, x, 5.0 * x.size, value, (f, 2))


# Flat weights ------------------------------------------------------------------------------------


def layers(rng, samples, *widths):
    """Squared loss of a network, its weights taken off one vector."""
    x, y = rng.normal(size=(samples, widths[0])), rng.normal(size=(samples, widths[-1]))
    size = sum((m + 1) * n for m, n in itertools.pairwise(widths))

    def f(w):
        h, start = x, 0
        for m, n in itertools.pairwise(widths):
            h = h @ w[start : start + m * n].reshape(m, n)
            h = h + w[start + m * n : start + m * n + n]
            start += m * n + n
            h = np.tanh(h) if start < size else h
        return np.mean((h - y) ** 2)

    return f, rng.normal(size=size) / 2


def traced_third(subscripts, rng, *sizes):
    """The third derivative, contracted with itself."""
    f, w = layers(rng, *sizes)
    value = lambda: np.einsum(subscripts, differences(f, w, None, None, None))
    run = lambda w: np.einsum(subscripts, eg.derivative(f, 3)(w))
    return _task(run, f, w, 7.5 * w.size, value)


# Curvature ---------------------------------------------------------------------------------------


def covariant_curvature(rng):
    """The covariant derivative of Riemann's tensor of a metric."""
    jacobian = lambda f, x: eg.jacobian(f)(x)
    x = np.array([0.0, 3.0, 2.0, 1.0])

    def covariant(derived, x):
        symbols = lambda x: christoffel_symbols(x, derived)
        riemann = lambda x: curvature(symbols(x), derived(symbols, x))
        R, G, D = riemann(x), symbols(x), derived(riemann, x)
        return (
            D
            + np.einsum("aeg,ebcd->abcdg", G, R)
            - np.einsum("ebg,aecd->abcdg", G, R)
            - np.einsum("ecg,abed->abcdg", G, R)
            - np.einsum("edg,abce->abcdg", G, R)
        )

    symbols = lambda x: christoffel_symbols(x, jacobian)
    value = lambda: covariant(lambda f, x: differences(f, x, None), x)
    return _task(lambda x: covariant(jacobian, x), eg.jacobian(symbols), x, 15.0, value)


def _row(name, make, *given, sizes=(), small=(), slow=False):
    return Program("13", name, functools.partial(make, *given), sizes, small, slow)


PROGRAMS = (
    *(_row(f"masked attention of two layers, {way} of the Hessian", masked, way, sizes=(5, 3, 2), small=(2, 2, 1), slow=True) for way in ENTRIES),
    _row("numbers put together, 100, Hessian", put_together, neighbours, sizes=(100,), small=(4,), slow=True),
    _row("blocks put together, 50, Hessian", put_together, blocks, sizes=(50,), small=(3,), slow=True),
    _row("RK4 of a stencil put together, 20 steps, Hessian", put_together, stencil, sizes=(12, 20), small=(4, 2), slow=True),
    _row("flat network, 93 weights, iij->j of the third derivative", traced_third, "iij->j", sizes=(20, 9, 6, 4, 1), small=(3, 2, 1, 1), slow=True),
    _row("flat network, 93 weights, iji->j of the third derivative", traced_third, "iji->j", sizes=(20, 9, 6, 4, 1), small=(3, 2, 1, 1), slow=True),
    _row("flat network, 38 weights, iii->i of the third derivative", traced_third, "iii->i", sizes=(20, 5, 4, 2, 1), small=(3, 2, 1, 1), slow=True),
    _row("covariant derivative of the Riemann tensor", covariant_curvature, small=None, slow=True),
)  # fmt: skip
