"""Quadratic forms and regressions: what is summed over samples.

In: sizes. Out: `PROBLEMS`.
Guaranteed: hand versions make nothing as large as the result but the result.
"""

import math
from functools import partial
from typing import Any

import numpy as np

from peers.problem import GRADIENT, HESSIAN, THIRD, Array, Library, Problem, Task, place


# Hand versions: forms ----------------------------------------------------------------------------


def form_gradient(x: Array, B: Array, out: Array | None = None) -> Array:
    """``B x + x B``, the matrix read twice, by methods, which are the fastest to call."""
    found = B.dot(x, out)
    found += x.dot(B)
    return found


def form_hessian(_x: Array, B: Array, out: Array | None = None) -> Array:
    """``B + B.T``; tiles are no faster."""
    return np.add(B, B.T, out=out)


def fit_gradient(s: Array, x: Array, A: Array, W: Array, out: Array | None = None) -> Array:
    """``-A.T (W r + W.T r)``."""
    r = x - A @ s
    sides = W @ r
    sides += r @ W
    return np.negative(np.matmul(sides, A, out=out), out=out)


def fit_hessian(_s: Array, _x: Array, A: Array, W: Array, out: Array | None = None) -> Array:
    """``M + M.T`` of ``M = A.T W A``: symmetric at the end, where it is small."""
    M = A.T @ (W @ A)
    return np.add(M, M.T, out=out)


# Regressions -------------------------------------------------------------------------------------


def logistic_gradient(w: Array, X: Array, y: Array, out: Array | None = None) -> Array:
    """``X.T (p - y)``."""
    z = X @ w
    np.negative(z, out=z)
    np.exp(z, out=z)
    z += 1
    np.reciprocal(z, out=z)
    z -= y
    return np.matmul(z, X, out=out)


def logistic_hessian(w: Array, X: Array, _y: Array, out: Array | None = None) -> Array:
    """``S.T S`` with ``S = sqrt(p (1 - p)) X``: a symmetric product."""
    S = _root(X @ w)[:, None] * X
    return np.matmul(S.T, S, out=out)


def logistic_hessian_blocked(w: Array, X: Array, _y: Array, out: Array | None = None) -> Array:
    """The same by blocks of rows, so that S stays in the cache."""
    n = len(w)
    root, rows = _root(X @ w), max(2**17 // n, 4 * n)
    found = None
    for k in range(0, len(X), rows):
        S = root[k : k + rows, None] * X[k : k + rows]
        found = np.matmul(S.T, S, out=out) if found is None else np.add(found, S.T @ S, out=found)
    assert found is not None  # there are rows
    return found


def _root(z: Array) -> Array:
    """``sqrt(p (1 - p))``, which is ``1 / (2 cosh(z / 2))``."""
    return 0.5 / np.cosh(0.5 * z)


def softplus_third(w: Array, X: Array, out: Array | None = None) -> Array:
    """Entries with ``a <= b, c`` by a product for each a; the others are copies of them."""
    n, p = len(w), 1 / (1 + np.exp(-(X @ w)))
    found, columns = place(out, (n, n, n)), np.ascontiguousarray(X.T)
    weighted = columns * (p * (1 - p) * (1 - 2 * p))
    spare = np.empty_like(columns)
    for a in range(n):
        block = np.multiply(columns[a:], weighted[a], out=spare[a:]) @ columns[a:].T
        found[a, a:, a:] = found[a:, a, a:] = found[a:, a:, a] = block
    return found


# What is differentiated --------------------------------------------------------------------------


def of_form(asked: str, hand: Any, rng: np.random.Generator, n: int) -> Task:
    """A derivative of ``x B x`` in x."""
    args = (rng.normal(size=n), rng.normal(size=(n, n)))
    return Task(asked, lambda _: lambda x, B: x @ B @ x, args, hand, "x B x")


def of_fit(asked: str, hand: Any, rng: np.random.Generator, m: int, n: int) -> Task:
    """A derivative of ``(x - A s) W (x - A s)`` in s."""
    sizes = ((n,), (m,), (m, n), (m, m))
    args = tuple(rng.normal(size=size) for size in sizes)
    return Task(asked, lambda _: lambda s, x, A, W: (x - A @ s) @ W @ (x - A @ s), args, hand)


def of_logistic(asked: str, hand: Any, rng: np.random.Generator, m: int, n: int) -> Task:
    """A derivative of the logistic loss in its weights."""

    def function(lib: Library) -> Any:
        return lambda w, X, y: lib.xp.sum(lib.xp.log1p(lib.xp.exp(X @ w)) - y * (X @ w))

    X = rng.normal(size=(m, n)) / math.sqrt(n)
    return Task(asked, function, (rng.normal(size=n), X, rng.integers(2, size=m) * 1.0), hand)


def of_softplus(rng: np.random.Generator, m: int, n: int) -> Task:
    """The third derivative of ``sum(log(1 + exp(X w)))``."""

    def function(lib: Library) -> Any:
        return lambda w, X: lib.xp.sum(lib.xp.log1p(lib.xp.exp(X @ w)))

    args = (rng.normal(size=n), rng.normal(size=(m, n)) / math.sqrt(n))
    return Task(THIRD, function, args, {"symmetric": softplus_third})


_FORM = {"two products": form_gradient}
_SUM = {"one sum": form_hessian}
_LOGISTIC = (
    ("gradient", GRADIENT, {"in place": logistic_gradient}),
    ("Hessian", HESSIAN, {"symmetric": logistic_hessian, "in blocks": logistic_hessian_blocked}),
)
_FIT = (
    ("gradient", GRADIENT, {"two products": fit_gradient}),
    ("Hessian", HESSIAN, {"symmetric late": fit_hessian}),
)

PROBLEMS = (
    *(
        Problem(f"gradient of x B x, n = {n}", partial(of_form, GRADIENT, _FORM), (n,), (3,))
        for n in (3, 10, 2000)
    ),
    Problem("Hessian of x B x, n = 2000", partial(of_form, HESSIAN, _SUM), (2000,), (3,)),
    *(
        Problem(f"{name} of (x - A s) W (x - A s), 2000 x 500", partial(of_fit, asked, hand),
                (2000, 500), (4, 3))
        for name, asked, hand in _FIT
    ),
    *(
        Problem(f"{name} of logistic loss, {m} x {n}", partial(of_logistic, asked, hand),
                (m, n), (4, 3))
        for name, asked, hand in _LOGISTIC for m, n in ((10_000, 200), (2000, 1000))
    ),
    *(
        Problem(f"third derivative of softplus(X w), {m} x {n}", of_softplus, (m, n), (4, 3))
        for m, n in ((2000, 50), (2000, 100))
    ),
)  # fmt: skip
