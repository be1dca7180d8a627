"""Forms of inverses, determinants and traces of products of matrices.

In: sizes. Out: `PROBLEMS`.
Guaranteed: hand versions make nothing as large as the result but the result, and write it once.

``Y = inv(X)``, ``u = a Y``, ``w = Y b``. Sums of outer products are written as in `matrices`.
"""

import math
from functools import partial
from typing import Any

import numpy as np

from peers.matrices import invertible
from peers.problem import GRADIENT, HESSIAN, THIRD, Array, Library, Problem, Task, place

try:
    from scipy.linalg import lapack
except ImportError:  # a hand version less
    lapack = None


# Hand versions -----------------------------------------------------------------------------------


def form_gradient_lu(X: Array, a: Array, b: Array, out: Array | None = None) -> Array:
    """``-u w`` with ``X.T u = a`` and ``X w = b``: one factorisation, of X.T."""
    factors, pivots, _ = lapack.dgetrf(X.T)
    u, _ = lapack.dgetrs(factors, pivots, a)
    w, _ = lapack.dgetrs(factors, pivots, b, trans=1)
    return np.multiply(-u[:, None], w, out=out)


def form_gradient_solves(X: Array, a: Array, b: Array, out: Array | None = None) -> Array:
    """The same with NumPy alone: two factorisations."""
    return np.multiply(-np.linalg.solve(X.T, a)[:, None], np.linalg.solve(X, b), out=out)


def form_gradient_of_three(X: Array, a: Array, b: Array, out: Array | None = None) -> Array:
    """The same for 3 by 3 by cofactors: numbers of Python are faster than a call of NumPy."""
    (p, q, r), (s, t, u), (v, w, x) = X.tolist()
    a0, a1, a2 = a.tolist()
    b0, b1, b2 = b.tolist()
    c0, c1, c2 = t * x - u * w, u * v - s * x, s * w - t * v
    d0, d1, d2 = r * w - q * x, p * x - r * v, q * v - p * w
    e0, e1, e2 = q * u - r * t, r * s - p * u, p * t - q * s
    det = p * c0 + q * c1 + r * c2
    scale = -1.0 / (det * det)
    l0 = (c0 * a0 + c1 * a1 + c2 * a2) * scale
    l1 = (d0 * a0 + d1 * a1 + d2 * a2) * scale
    l2 = (e0 * a0 + e1 * a1 + e2 * a2) * scale
    r0, r1, r2 = (
        c0 * b0 + d0 * b1 + e0 * b2,
        c1 * b0 + d1 * b1 + e1 * b2,
        c2 * b0 + d2 * b1 + e2 * b2,
    )
    rows = [
        [l0 * r0, l0 * r1, l0 * r2],
        [l1 * r0, l1 * r1, l1 * r2],
        [l2 * r0, l2 * r1, l2 * r2],
    ]
    if out is None:
        return np.array(rows)
    out[...] = rows
    return out


def form_hessian_batched(X: Array, a: Array, b: Array, out: Array | None = None) -> Array:
    """``u[i] Y[j,k] w[l] + w[j] u[k] Y[l,i]``."""
    D, Y = len(X), np.linalg.inv(X)
    u, w = a @ Y, Y @ b
    found = place(out, (D,) * 4)
    left = np.empty((D, D, 2))  # j, k
    left[..., 0], left[..., 1] = Y, w[:, None] * u
    right = np.empty((D, 2, D))  # i, ., l
    right[:, 0], right[:, 1] = u[:, None] * w, Y.T
    np.matmul(left.reshape(D * D, 2), right, out=found.reshape(D, D * D, D))
    return found


def det_form_solves(X: Array, A: Array, B: Array, out: Array | None = None) -> Array:
    """With ``S = X B X.T``: ``det(A) det(S) (S^-1 X B + S^-T X B.T)``; A cancels in the inverse."""
    XB = X @ B
    S = XB @ X.T
    Y = np.linalg.inv(S)
    found = np.matmul(Y, XB, out=out)
    found += Y.T @ (X @ B.T)
    found *= np.linalg.det(A) * np.linalg.det(S)
    return found


def det_form_lu(X: Array, A: Array, B: Array, out: Array | None = None) -> Array:
    """The same by one factorisation of S and two solutions."""
    XB = X @ B
    factors, pivots, _ = lapack.dgetrf((XB @ X.T).T, overwrite_a=1)  # of S.T
    swaps = np.count_nonzero(pivots != np.arange(len(pivots)))
    det = np.prod(factors.diagonal()) * (-1) ** swaps * np.linalg.det(A)
    first, _ = lapack.dgetrs(factors, pivots, XB, trans=1)
    second, _ = lapack.dgetrs(factors, pivots, X @ B.T, overwrite_b=1)
    first += second
    return np.multiply(first, det, out=out)


def trace_gradient(
    X: Array, A: Array, B: Array, C: Array, D: Array, out: Array | None = None
) -> Array:
    """``(B X T + T X B + E X B X C).T`` with ``E = D A``, ``T = C X E``: nine products."""
    E, XB = D @ A, X @ B
    T = C @ X @ E
    found = np.matmul((X @ T).T, B.T, out=out)
    found += (T @ XB).T
    found += ((E @ XB) @ (X @ C)).T
    return found


def trace_hessian(
    X: Array, A: Array, B: Array, C: Array, D: Array, out: Array | None = None
) -> Array:
    """Six outer products ``L[j,k] R[l,i]`` as one batched product."""
    n, E = len(X), D @ A
    pairs = ((B, C @ X @ E), (C, E @ X @ B), (B @ X @ C, E))
    found = place(out, (n,) * 4)
    left, right = np.empty((n, n, 6)), np.empty((n, 6, n))
    for t, (P, Q) in enumerate(pairs):
        left[..., 2 * t], left[..., 2 * t + 1] = P, Q
        right[:, 2 * t], right[:, 2 * t + 1] = Q.T, P.T
    np.matmul(left.reshape(n * n, 6), right, out=found.reshape(n, n * n, n))
    return found


def form_third(X: Array, a: Array, b: Array, out: Array | None = None) -> Array:
    """Six products of u, Y, Y and w: four columns for each i, j, k."""
    D, Y = len(X), np.linalg.inv(X)
    u, w = a @ Y, Y @ b
    found = place(out, (D,) * 6)
    left, right = np.empty((D, 1, D, D, 4)), np.empty((D, D, 4, D))
    left[..., 0], left[..., 1] = -Y, -w[:, None] * u
    right[:, :, 2], right[:, :, 3] = u[:, None] * w, Y.T
    for i in range(D):
        crossed = -Y[:, i, None] * Y[:, None, :]  # j, l, m
        left[:, 0, :, :, 2] = crossed
        left[:, 0, :, :, 3] = -u[i] * w[:, None] * Y[:, None] - w[:, None, None] * (
            Y[:, i, None] * u
        )
        right[:, :, 0] = u[i] * Y[..., None] * w + (w[:, None] * u)[..., None] * Y[:, i]
        right[:, :, 1] = Y[..., None] * Y[:, i]
        np.matmul(left.reshape(D, 1, D * D, 4), right, out=found[i].reshape(D, D, D * D, D))
    return found


# What is differentiated --------------------------------------------------------------------------


def of_form(asked: str, hand: Any, rng: np.random.Generator, D: int) -> Task:
    """A derivative of ``a @ inv(X) @ b`` in X."""

    def function(lib: Library) -> Any:
        return lambda X, a, b: a @ lib.xp.linalg.inv(X) @ b

    args = (invertible(rng, D), *rng.normal(size=(2, D)))
    return Task(asked, function, args, hand, "a X^-1 b")


def of_det_form(rng: np.random.Generator, m: int, n: int) -> Task:
    """Gradient of ``det(A X B X.T)`` in X."""
    X = rng.normal(size=(m, n)) / math.sqrt(n)
    A, B = (np.eye(k) + 0.3 * rng.normal(size=(k, k)) / math.sqrt(k) for k in (m, n))
    hand = {"inverse": det_form_solves} | ({"one LU": det_form_lu} if lapack else {})
    return Task(
        GRADIENT, lambda lib: lambda X, A, B: lib.xp.linalg.det(A @ X @ B @ X.T), (X, A, B), hand
    )


def of_trace(asked: str, hand: Any, rng: np.random.Generator, size: int) -> Task:
    """A derivative of ``tr(A X B X C X D)`` in X."""

    def function(lib: Library) -> Any:
        return lambda X, A, B, C, D: lib.xp.trace(A @ X @ B @ X @ C @ X @ D)

    return Task(asked, function, tuple(rng.normal(size=(5, size, size)) / math.sqrt(size)), hand)


_FORM_SOLVES = {"two solves": form_gradient_solves} | (
    {"one LU": form_gradient_lu} if lapack else {}
)
_BY_FORM = (
    ("gradient of a X^-1 b", GRADIENT, {"cofactors": form_gradient_of_three}, (3,)),
    ("gradient of a X^-1 b", GRADIENT, _FORM_SOLVES, (200, 500)),
    ("Hessian of a X^-1 b", HESSIAN, {"two columns": form_hessian_batched}, (3, 48, 64)),
    ("third derivative of a X^-1 b", THIRD, {"four columns": form_third}, (8, 12)),
)
_BY_TRACE = (
    ("gradient of tr(A X B X C X D)", GRADIENT, {"nine products": trace_gradient}, (100,)),
    ("Hessian of tr(A X B X C X D)", HESSIAN, {"six columns": trace_hessian}, (32, 64)),
)

PROBLEMS = (
    *(
        Problem(f"{name}, D = {D}", partial(of_form, asked, hand), (D,), (3,))
        for name, asked, hand, sizes in _BY_FORM for D in sizes
    ),
    *(
        Problem(f"gradient of det(A X B X.T), {m} x {n}", of_det_form, (m, n), (3, 4))
        for m, n in ((64, 96), (200, 300))
    ),
    *(
        Problem(f"{name}, D = {D}", partial(of_trace, asked, hand), (D,), (3,))
        for name, asked, hand, sizes in _BY_TRACE for D in sizes
    ),
)  # fmt: skip
