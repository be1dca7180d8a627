"""Contractions of derivatives, written in the ways that people write them.

In: sizes. Out: `PROGRAMS`.
Guaranteed: each is bounded by the same contraction written as nested products, or by the flops of
the function: ``1.5 * (k + 1)`` times those for k directions.
"""

import functools

import numpy as np

import eingrad as eg
from real_programs.measure import Bound, Program, Task, evaluations
from real_programs.oracles import differences, on_circle

# Functions ---------------------------------------------------------------------------------------


def logistic(rng, samples, n):
    """Logistic loss."""
    a = rng.normal(size=(samples, n)) / np.sqrt(n)
    return lambda x: np.log1p(np.exp(a @ x)).sum(), rng.normal(size=n)


def network(rng, width, n):
    """A scalar network of two hidden layers."""
    first, second = rng.normal(size=(width, n)) / np.sqrt(n), rng.normal(size=(width, width)) / 3
    last = rng.normal(size=width)
    return lambda x: last @ np.tanh(second @ np.tanh(first @ x)), rng.normal(size=n)


def softmax_energy(rng, n):
    """A quadratic form of a softmax."""
    a = rng.normal(size=(n, n))

    def f(x):
        e = np.exp(x)
        p = e / e.sum()
        return p @ a @ p

    return f, rng.normal(size=n)


def matrix_loss(rng, samples, m, n):
    """A loss in a matrix of weights."""
    x, y = rng.normal(size=(samples, m)), rng.normal(size=(samples, n))
    return lambda w: ((np.tanh(x @ w) - y) ** 2).sum(), rng.normal(size=(m, n)) / np.sqrt(m)


# Third derivatives with two vectors --------------------------------------------------------------

WAYS = {
    "einsum": lambda D3, u, v: np.einsum("ijk,j,k->i", D3, u, v),
    "einsum, another index": lambda D3, u, v: np.einsum("ijk,i,k->j", D3, u, v),
    "einsum of einsum": lambda D3, u, v: np.einsum("j,ij->i", u, np.einsum("ijk,k->ij", D3, v)),
    "u @ (D3 @ v)": lambda D3, u, v: u @ (D3 @ v),
    "D3 @ u @ v": lambda D3, u, v: D3 @ u @ v,
    "tensordot with outer": lambda D3, u, v: np.tensordot(D3, np.outer(u, v), 2),
    "broadcast and sum": lambda D3, u, v: (D3 * u[:, None] * v).sum((1, 2)),
    "dot of dot": lambda D3, u, v: np.dot(np.dot(D3, u), v),
}


def twice(way, function, rng, *sizes):
    """``D3 f`` with two vectors: what ``D3 @ u @ v`` costs as a nested product."""
    f, x = function(rng, *sizes)
    u, v = rng.normal(size=(2, *x.shape))
    good = lambda x, u, v: eg.jvp(lambda x: eg.hvp(f)(x, v))(x, u)
    return Task(
        lambda x, u, v: WAYS[way](eg.derivative(f, 3)(x), u, v),
        (x, u, v),
        {"flops": Bound(good, (x, u, v))},
        lambda: differences(f, x, u, v, None),
    )


def of_matrix(rng, samples, m, n):
    """The same in a matrix: letters for all axes."""
    f, w = matrix_loss(rng, samples, m, n)
    u, v = rng.normal(size=(2, *w.shape))
    good = lambda w, u, v: eg.jvp(lambda w: eg.hvp(f)(w, v))(w, u)
    return Task(
        lambda w, u, v: np.einsum("abcdef,cd,ef->ab", eg.derivative(f, 3)(w), u, v),
        (w, u, v),
        {"flops": Bound(good, (w, u, v))},
        lambda: differences(f, w, u, v, None),
    )


# Inside other functions --------------------------------------------------------------------------


def curvature_differentiated(function, rng, *sizes):
    """Gradient of ``u @ H @ v``: three orders, within 6 evaluations for each vector."""
    f, x = function(rng, *sizes)
    u, v = rng.normal(size=(2, *x.shape))
    return Task(
        eg.grad(lambda x, u, v: u @ eg.hessian(f)(x) @ v),
        (x, u, v),
        {"flops": evaluations(f, x, 1.5 * 4)},
        lambda: differences(f, x, u, v, None),
    )


def curvature_in_a_loss(rng, width, n):
    """Gradient of a loss that has ``v.T H v`` within, by einsum, beside the function."""
    f, x = network(rng, width, n)
    v = rng.normal(size=n)

    def loss(x, v):
        return np.tanh(np.einsum("ij,i,j", eg.hessian(f)(x), v, v)) + f(x) ** 2

    def plain(x, v):
        return np.tanh(differences(f, x, v, v)) + f(x) ** 2

    return Task(
        eg.grad(loss),
        (x, v),
        {"flops": evaluations(f, x, 1.5 * 4)},
        lambda: differences(lambda x: plain(x, v), x, None),
    )


# k directions ------------------------------------------------------------------------------------


def by_einsum(f, k):
    """``D^k f`` with k times the same vector, in one einsum."""
    letters = "abcdef"[:k]
    return lambda x, v: np.einsum(
        f"{letters},{','.join(letters)}->", eg.derivative(f, k)(x), *[v] * k
    )


def by_matmul(f, k):
    """``D^k f @ v @ v ...``."""

    def g(x, v):
        result = eg.derivative(f, k)(x)
        for _ in range(k):
            result = result @ v
        return result

    return g


def by_jvp(f, k):
    """Nested products with the Jacobian."""

    def g(x, v):
        h = f
        for _ in range(k):
            h = functools.partial(lambda below, x: eg.jvp(below)(x, v), h)
        return h(x)

    return g


def by_hessian(f, k):
    """``v @ H @ v`` differentiated along v, k - 2 times."""

    def g(x, v):
        h = lambda x: v @ eg.hessian(f)(x) @ v
        for _ in range(k - 2):
            h = functools.partial(lambda below, x: eg.grad(below)(x) @ v, h)
        return h(x)

    return g


def along(way, function, k, rng, *sizes):
    """The k-th derivative along one vector, within ``1.5 * (k + 1)`` evaluations."""
    f, x = function(rng, *sizes)
    v = rng.normal(size=x.shape) / np.sqrt(x.size)
    return Task(
        way(f, k),
        (x, v),
        {"flops": evaluations(f, x, 1.5 * (k + 1))},
        lambda: on_circle(f, x, v, k),
    )


def _twice(way, function):
    return functools.partial(twice, way, function)


def _along(way, function, k):
    return functools.partial(along, way, function, k)


PROGRAMS = (
    *(Program("1", f"D3 u v of a logistic loss, {way}", _twice(way, logistic), (100, 80), (5, 3)) for way in WAYS),
    Program("1", "D3 u v of a logistic loss, einsum, n = 160", _twice("einsum", logistic), (200, 160), (5, 3)),
    Program("1", "D3 u v of a network, einsum", _twice("einsum", network), (30, 40), (4, 3)),
    Program("1", "D3 u v of a network, einsum, n = 80", _twice("einsum", network), (60, 80), (4, 3)),
    Program("1", "D3 u v of a network, u @ (D3 @ v)", _twice("u @ (D3 @ v)", network), (30, 40), (4, 3)),
    Program("1", "D3 u v of a network, broadcast and sum", _twice("broadcast and sum", network), (30, 40), (4, 3)),
    Program("1", "D3 u v of a softmax, einsum", _twice("einsum", softmax_energy), (40,), (3,)),
    Program("1", "D3 U V in a matrix, einsum", of_matrix, (50, 12, 6), (4, 2, 2)),
    Program("1", "gradient of u @ H @ v, logistic loss", functools.partial(curvature_differentiated, logistic), (100, 80), (5, 3)),
    Program("1", "gradient of u @ H @ v, network", functools.partial(curvature_differentiated, network), (30, 40), (4, 3)),
    Program("1", "gradient of a loss with v.T H v within", curvature_in_a_loss, (30, 40), (4, 3)),
    *(Program("1", f"{k} directions, logistic loss, {name}", _along(way, logistic, k), (100, 80), (5, 3))
      for k in (2, 3, 4, 5) for name, way in (("einsum", by_einsum), ("@", by_matmul), ("nested jvp", by_jvp), ("v @ H @ v", by_hessian))),
    *(Program("1", f"{k} directions, network, {name}", _along(way, network, k), (30, 40), (3, 3))
      for k in (2, 3, 4) for name, way in (("einsum", by_einsum), ("nested jvp", by_jvp))),
)  # fmt: skip
