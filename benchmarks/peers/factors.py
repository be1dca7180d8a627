"""Factorisations and tensor networks: derivatives in one factor, zero off a diagonal of blocks.

In: sizes. Out: `PROBLEMS`.
Guaranteed: hand versions make nothing as large as the result but the result; zeros are the
system's, which nobody writes.
"""

import math
from functools import partial
from typing import Any

import numpy as np

from peers.problem import GRADIENT, HESSIAN, Array, Library, Problem, Task, place, zeros


# Hand versions -----------------------------------------------------------------------------------


def factor_gradient(U: Array, V: Array, T: Array, out: Array | None = None) -> Array:
    """``2 (U (V.T V) - T V)``: the residual is not made."""
    found = np.matmul(U, V.T @ V, out=out)
    found -= T @ V
    found *= 2
    return found


def factor_hessian(U: Array, V: Array, _T: Array, out: Array | None = None) -> Array:
    """Zeros, and ``2 V.T V`` on the diagonal."""
    found = zeros(out, U.shape * 2)
    np.einsum("iaib->iab", found)[...] = 2 * (V.T @ V)
    return found


def masked_gradient(U: Array, V: Array, T: Array, M: Array, out: Array | None = None) -> Array:
    """``2 (M**2 (U V.T - T)) V``."""
    r = U @ V.T
    r -= T
    r *= M
    r *= M
    found = np.matmul(r, V, out=out)
    found *= 2
    return found


def masked_hessian(U: Array, V: Array, _T: Array, M: Array, out: Array | None = None) -> Array:
    """Zeros, and ``2 V.T diag(M[i]**2) V`` on the diagonal: one product with pairs of columns."""
    found, k = zeros(out, U.shape * 2), V.shape[1]
    pairs = (2 * V[:, :, None] * V[:, None]).reshape(len(V), k * k)
    np.einsum("iaib->iab", found)[...] = ((M * M) @ pairs).reshape(len(U), k, k)
    return found


def cp_gradient(A: Array, B: Array, C: Array, T: Array, out: Array | None = None) -> Array:
    """``2 (A (B.T B * C.T C) - T (B x C))``: the residual is not made."""
    pairs = (B[:, None] * C[None]).reshape(-1, A.shape[1])
    found = np.matmul(A, (B.T @ B) * (C.T @ C), out=out)
    found -= T.reshape(len(A), -1) @ pairs
    found *= 2
    return found


def cp_hessian(A: Array, B: Array, C: Array, _T: Array, out: Array | None = None) -> Array:
    """Zeros, and ``2 (B.T B * C.T C)`` on the diagonal."""
    found = zeros(out, A.shape * 2)
    np.einsum("iaib->iab", found)[...] = 2 * (B.T @ B) * (C.T @ C)
    return found


def mps_gradient(site: Array, *others: Array, out: Array | None = None) -> Array:
    """``2 L A R`` with the environments of the site."""
    left, right = _environments(others)
    middle = (left @ site.reshape(len(left), -1)).reshape(-1, len(right))
    found = place(out, site.shape)
    np.matmul(middle, 2 * right, out=found.reshape(middle.shape))
    return found


def mps_hessian(site: Array, *others: Array, out: Array | None = None) -> Array:
    """Zeros, and ``2 L[a,c] R[b,d]`` where both spins are the same."""
    left, right = _environments(others)
    found = zeros(out, site.shape * 2)
    right = 2 * right
    for s in range(site.shape[1]):
        np.multiply(left[:, None, :, None], right[:, None], out=found[:, s, :, :, s])
    return found


def _environments(others: tuple[Array, ...]) -> tuple[Array, Array]:
    """Contract the halves of a state with themselves, site by site; the site is in the middle."""
    half = (len(others) + 1) // 2
    left = others[0].T @ others[0]
    for site in others[1:half]:
        left = _next(left, site)
    right = others[-1] @ others[-1].T
    for site in others[-2 : half - 1 : -1]:
        right = _next(right, site.transpose(2, 1, 0))
    return left, right


def _next(left: Array, site: Array) -> Array:
    bond, spin, after = site.shape
    moved = (left @ site.reshape(bond, spin * after)).reshape(bond * spin, after)
    return site.reshape(bond * spin, after).T @ moved


# What is differentiated --------------------------------------------------------------------------


def of_factors(asked: str, hand: Any, rng: np.random.Generator, m: int, n: int, k: int) -> Task:
    """A derivative of the squared error of ``U V.T`` in U."""
    args = tuple(rng.normal(size=size) for size in ((m, k), (n, k), (m, n)))
    return Task(asked, lambda lib: lambda U, V, T: lib.xp.sum((T - U @ V.T) ** 2), args, hand)


def of_masked(asked: str, hand: Any, rng: np.random.Generator, m: int, n: int, k: int) -> Task:
    """The same with a weight for each entry."""
    args = tuple(rng.normal(size=size) for size in ((m, k), (n, k), (m, n)))
    mask = rng.integers(2, size=(m, n)) * 1.0
    return Task(
        asked,
        lambda lib: lambda U, V, T, M: lib.xp.sum((M * (T - U @ V.T)) ** 2),
        (*args, mask),
        hand,
    )


def of_cp(asked: str, hand: Any, rng: np.random.Generator, size: int, rank: int) -> Task:
    """A derivative of the squared error of a sum of outer products of three vectors."""

    def function(lib: Library) -> Any:
        return lambda A, B, C, T: lib.xp.sum((lib.xp.einsum("ir,jr,kr->ijk", A, B, C) - T) ** 2)

    return Task(
        asked, function, (*rng.normal(size=(3, size, rank)), rng.normal(size=(size,) * 3)), hand
    )


def of_mps(
    asked: str, hand: Any, rng: np.random.Generator, count: int, bond: int, spin: int
) -> Task:
    """A derivative of the norm of a matrix product state in the site in its middle."""
    half = count // 2

    def function(lib: Library) -> Any:
        def norm(site: Any, *others: Any) -> Any:
            first, *inner, last = (*others[:half], site, *others[half:])
            left = first.T @ first
            for A in inner:
                left = lib.xp.einsum("ab,asc,bsd->cd", left, A, A)
            return lib.xp.sum(left * (last @ last.T))

        return norm

    inner = [rng.normal(size=(bond, spin, bond)) / math.sqrt(bond * spin) for _ in range(count - 2)]
    ends = rng.normal(size=(spin, bond)), rng.normal(size=(bond, spin))
    site = inner.pop()
    return Task(asked, function, (site, ends[0], *inner, ends[1]), hand)


_FACTORS = (
    (GRADIENT, "gradient", factor_gradient, masked_gradient),
    (HESSIAN, "Hessian", factor_hessian, masked_hessian),
)

PROBLEMS = (
    *(
        Problem(f"{name} of {what}, 200 x 200, k = 5", partial(make, asked, {"at once": hand}),
                (200, 200, 5), (4, 3, 2))
        for asked, name, plain, masked in _FACTORS
        for what, make, hand in (("|T - U V.T|^2", of_factors, plain),
                                 ("|M (T - U V.T)|^2", of_masked, masked))
    ),
    *(
        Problem(f"{name} of CP loss, 60^3, rank 10", partial(of_cp, asked, {"Gram": hand}),
                (60, 10), (4, 3))
        for asked, name, hand in ((GRADIENT, "gradient", cp_gradient),
                                  (HESSIAN, "Hessian", cp_hessian))
    ),
    *(
        Problem(f"{name} of MPS norm, 10 sites, bond 32", partial(of_mps, asked, hand),
                (10, 32, 4), (4, 3, 2))
        for asked, name, hand in ((GRADIENT, "gradient", {"environments": mps_gradient}),
                                  (HESSIAN, "Hessian", {"blocks": mps_hessian}))
    ),
)  # fmt: skip
