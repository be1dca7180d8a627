"""Factors that cancel: ``v * (1 / v)``, ``s * s**-1``, shifts by a maximum, norms.

In: sizes. Out: `PROGRAMS`.
Guaranteed: each is bounded by the same mathematics written so that there is nothing to cancel.
"""

import functools
from dataclasses import replace

import numpy as np

import eingrad as eg
from real_programs.measure import Bound, Program, Task
from real_programs.oracles import differences


def _bounded(f, good, x, order, *, times=1.0):
    """Task: a derivative of one formulation, bounded by that of the other: flops and lines."""
    bound = Bound(eg.derivative(good, order), (x,), times)
    return Task(
        eg.derivative(f, order),
        (x,),
        {"flops": bound, "lines": bound},
        lambda: differences(f, x, *[None] * order),
    )


# Determinants ------------------------------------------------------------------------------------


def log_det(order, rng, n):
    """``log(det(X))``: as slogdet."""
    f = lambda X: np.log(np.linalg.det(X))
    good = lambda X: np.linalg.slogdet(X)[1]
    return _bounded(f, good, _positive(rng, n), order)


def log_det_of_kernel(order, rng, n):
    """The same of a kernel matrix in its length scale and noise."""
    points = rng.normal(size=(n, 2))
    square = ((points[:, None] - points) ** 2).sum(-1)
    kernel = lambda t: np.exp(t[0] - square * np.exp(t[1])) + np.exp(t[2]) * np.eye(n)
    f = lambda t: 0.5 * np.log(np.linalg.det(kernel(t)))
    good = lambda t: 0.5 * np.linalg.slogdet(kernel(t))[1]
    return _bounded(f, good, rng.normal(size=3) / 3, order)


def root_of_det(order, rng, n):
    """``-log sqrt(det(S))``, as in a normal density."""
    f = lambda S: -np.log(np.sqrt(np.linalg.det(S)))
    good = lambda S: -0.5 * np.linalg.slogdet(S)[1]
    return _bounded(f, good, _positive(rng, n), order)


def _positive(rng, n):
    return rng.normal(size=(n, n)) / n + np.eye(n)


# Shifts by a maximum -----------------------------------------------------------------------------


def shifted_logsumexp(order, rng, samples, n):
    """logsumexp of a linear function, shifted by its maximum."""
    a = rng.normal(size=(samples, n))

    def f(x):
        z = a @ x
        top = z.max()
        return top + np.log(np.exp(z - top).sum())

    good = lambda x: np.log(np.exp(a @ x).sum())
    return _bounded(f, good, rng.normal(size=n), order)


def cross_entropy(order, rng, samples, features, classes):
    """Cross entropy by log of softmax, shifted, in the weights."""
    x, hot = (
        rng.normal(size=(samples, features)),
        np.eye(classes)[rng.integers(classes, size=samples)],
    )

    def f(w):
        z = x @ w
        e = np.exp(z - z.max(1, keepdims=True))
        return -np.mean(np.sum(hot * np.log(e / e.sum(1, keepdims=True)), axis=1))

    def good(w):
        z = x @ w
        return np.mean(np.log(np.exp(z).sum(1)) - (hot * z).sum(1))

    task = _bounded(f, good, rng.normal(size=(features, classes)), order)
    bytes_too = Bound(eg.derivative(good, order), task.args)
    return replace(task, should={**task.should, "written_bytes": bytes_too})


def softmax(order, rng, n):
    """Softmax, shifted by its maximum, with a linear score."""
    score = rng.normal(size=n)

    def f(x):
        e = np.exp(x - x.max())
        return (e / e.sum()) @ score

    def good(x):
        e = np.exp(x)
        return (e / e.sum()) @ score

    return _bounded(f, good, rng.normal(size=n), order)


# Norms -------------------------------------------------------------------------------------------


def normalised(order, rng, n):
    """A quadratic form of a normalised vector; better as a quotient of forms."""
    a = rng.normal(size=(n, n))
    a = a + a.T

    def f(x):
        v = x / np.linalg.norm(x)
        return v @ a @ v

    return _bounded(f, lambda x: (x @ a @ x) / (x @ x), rng.normal(size=n), order)


def cosine(order, rng, n):
    """Cosine similarity with a vector; better with the norm's power in one."""
    b = rng.normal(size=n)
    f = lambda a: a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
    unit = b / np.linalg.norm(b)
    return _bounded(f, lambda a: (a @ unit) * (a @ a) ** -0.5, rng.normal(size=n), order)


def squared_root(order, rng, n):
    """``sqrt(s)**2`` of squared distances; better without the root."""
    c = rng.normal(size=(n, 3))

    def f(x):
        s = ((x - c) ** 2).sum(1)
        return np.exp(-(np.sqrt(s) ** 2)).sum()

    good = lambda x: np.exp(-((x - c) ** 2).sum(1)).sum()
    return _bounded(f, good, rng.normal(size=3), order)


def layernorm(order, rng, samples, n):
    """Layernorm by its standard deviation; better by a power of the variance."""
    w = rng.normal(size=(samples, n))

    def f(x):
        centred = x - x.mean(1, keepdims=True)
        return (w * centred / np.sqrt((centred**2).mean(1, keepdims=True))).sum()

    def good(x):
        centred = x - x.mean(1, keepdims=True)
        return ((w * centred).sum(1) * (centred**2).mean(1) ** -0.5).sum()

    return _bounded(f, good, rng.normal(size=(samples, n)), order)


# Reciprocals -------------------------------------------------------------------------------------


def ratio_of_gammas(order, rng, n):
    """``v * (1 / v)`` left by a scale that divides out."""

    def f(x):
        v = np.exp(x)
        return (np.sin(x) * v * (1 / v)).sum()

    return _bounded(f, lambda x: np.sin(x).sum(), rng.normal(size=n), order)


def unscaled(order, rng, n):
    """Data divided by a scale and multiplied with it again."""
    a = rng.normal(size=(n, n))

    def f(x):
        s = 1 + x @ x
        return np.tanh(s * (a @ (x * s**-1))).sum()

    return _bounded(f, lambda x: np.tanh(a @ x).sum(), rng.normal(size=n), order)


def divided(order, rng, n):
    """The same by a division, through two layers."""
    a = rng.normal(size=(n, n)) / n

    def f(x):
        s = np.exp(x.sum())
        return np.tanh(s * (a.T @ (a @ (x / s)))).sum()

    return _bounded(f, lambda x: np.tanh(a.T @ (a @ x)).sum(), rng.normal(size=n), order)


def by_length(order, rng, n):
    """The same by a length."""
    a = rng.normal(size=(n, n))

    def f(x):
        s = np.sqrt(x @ x)
        return np.tanh((a @ (x / s)) * s).sum()

    return _bounded(f, lambda x: np.tanh(a @ x).sum(), rng.normal(size=n), order)


def softmin(order, rng, n):
    """Softmin, shifted by its minimum, with a linear score."""
    score = rng.normal(size=n)

    def f(x):
        e = np.exp(x.min() - x)
        return (e / e.sum()) @ score

    def good(x):
        e = np.exp(-x)
        return (e / e.sum()) @ score

    return _bounded(f, good, rng.normal(size=n), order)


def shifted_entropy(order, rng, n):
    """Entropy of a softmax, shifted by its maximum."""

    def of(e):
        p = e / e.sum()
        return -(p * np.log(p)).sum()

    f, good = lambda x: of(np.exp(x - x.max())), lambda x: of(np.exp(x))
    return _bounded(f, good, rng.normal(size=n), order)


def _rows(name, make, sizes, small, *, orders=(1, 2)):
    what = {1: "gradient", 2: "Hessian"}
    return [
        Program("7", f"{name}, {what[order]}", functools.partial(make, order), sizes, small)
        for order in orders
    ]


PROGRAMS = (
    *_rows("log of det", log_det, (20,), (3,)),
    *_rows("log of det of a kernel", log_det_of_kernel, (30,), (4,)),
    *_rows("log of the root of det", root_of_det, (20,), (3,)),
    *_rows("logsumexp, shifted", shifted_logsumexp, (100, 20), (4, 3)),
    *_rows("cross entropy of log softmax", cross_entropy, (200, 10, 5), (4, 2, 3)),
    *_rows("softmax, shifted", softmax, (50,), (4,)),
    *_rows("form of a normalised vector", normalised, (50,), (3,)),
    *_rows("cosine similarity", cosine, (50,), (3,)),
    *_rows("root of squares, squared", squared_root, (50,), (3,)),
    *_rows("layernorm", layernorm, (8, 16), (2, 3)),
    *_rows("v * (1 / v)", ratio_of_gammas, (50,), (3,)),
    *_rows("s * (x * s**-1)", unscaled, (30,), (3,)),
    *_rows("s * (A.T @ (A @ (x / s)))", divided, (30,), (3,)),
    *_rows("(A @ (x / s)) * s, a length", by_length, (30,), (3,)),
    *_rows("softmin, shifted", softmin, (50,), (4,)),
    *_rows("entropy of a softmax, shifted", shifted_entropy, (50,), (4,)),
)  # fmt: skip
