"""Derivatives at many points at once: tangents of an elastic material, curvature of spacetimes.

In: how many points. Out: `PROBLEMS`.
Guaranteed: no point depends on another; each library takes derivatives by its own way to say so.
"""

from typing import Any

import numpy as np

from peers.problem import VALUE, Array, Library, Problem, Task, place

_SHEAR, _BULK = 1.3, 2.1  # of the material


# Elasticity --------------------------------------------------------------------------------------


def elastic_tangent(F: Array, out: Array | None = None) -> Array:
    """``m d[ik] d[jl] + b G[ji] G[lk] + (m - b log J) G[jk] G[li]``, ``G = inv(F)``, by planes."""
    planes = np.ascontiguousarray(F.reshape(-1, 9).T)
    p, q, r, s, t, u, v, w, x = planes
    G = np.stack([t * x - u * w, r * w - q * x, q * u - r * t, u * v - s * x, p * x - r * v,
                  r * s - p * u, s * w - t * v, q * v - p * w, p * t - q * s])  # fmt: skip
    J = p * G[0] + q * G[3] + r * G[6]
    G /= J
    G = G.reshape(3, 3, -1)
    one, other = G.transpose(1, 0, 2), (_SHEAR - _BULK * np.log(J)) * G
    tensor = np.multiply(one[:, :, None, None], _BULK * one, order="C")  # i, j, k, l, point
    tensor += other[None, :, :, None] * one[:, None, None]
    for i in range(3):
        for j in range(3):
            tensor[i, j, i, j] += _SHEAR
    found = place(out, (*F.shape, 3, 3))
    found.reshape(-1, 81)[...] = tensor.reshape(81, -1).T
    return found


def of_elastic(rng: np.random.Generator, count: int) -> Task:
    """Tangent stiffness of a compressible neo-Hookean material: a Hessian at each point."""

    def function(lib: Library) -> Any:
        xp = lib.xp

        def energy(flat: Any) -> Any:
            F = flat.reshape(-1, 3, 3)
            log_J = xp.log(xp.linalg.det(F))
            return _SHEAR * (xp.sum(flat * flat, axis=1) / 2 - log_J) + _BULK / 2 * log_J**2

        def tangent(F: Any) -> Any:
            return lib.batched(energy, 2)(F.reshape(-1, 9)).reshape(-1, 3, 3, 3, 3)

        return tangent

    F = np.eye(3) + 0.2 * rng.normal(size=(count, 3, 3))
    return Task(VALUE, function, (F,), {"planes": elastic_tangent}, order=2)


# Spacetime ---------------------------------------------------------------------------------------


def curvature(x: Array, k: Array, h: Array, out: Array | None = None) -> Array:
    """Riemann's tensor of a sum of waves: derivatives of the metric are products with matrices."""
    n, waves = len(x), len(k)
    phase = x @ k.T
    sines, cosines = np.sin(phase), np.cos(phase)
    metric = (sines @ h.reshape(waves, 16)).reshape(n, 4, 4)
    metric += np.diag([-1.0, 1.0, 1.0, 1.0])
    slopes = h[:, :, :, None] * k[:, None, None]  # g[a, b], c
    symbols = 0.5 * (slopes + slopes.transpose(0, 1, 3, 2) - slopes.transpose(0, 3, 1, 2))
    second = slopes[..., None] * k[:, None, None, None]  # g[a, b], c, d
    mixed = second.transpose(0, 1, 3, 4, 2)  # a, b, c, d = g[a, d], b, c
    four = mixed + mixed.transpose(0, 2, 1, 4, 3)  # ... + g[b, c], a, d
    four = 0.5 * (four - four.transpose(0, 1, 2, 4, 3))
    lower = (sines @ four.reshape(waves, 256)).reshape(n, 4, 64)
    lower *= -1
    first = (cosines @ symbols.reshape(waves, 64)).reshape(n, 4, 16)  # e, (b, c)
    inverse = np.linalg.inv(metric)
    square = (first.transpose(0, 2, 1) @ (inverse @ first)).reshape((n, 4, 4, 4, 4))  # ad, bc
    product = square.transpose(0, 1, 3, 4, 2) - square.transpose(0, 1, 3, 2, 4)
    lower += product.reshape(lower.shape)
    found = place(out, (n, 4, 4, 4, 4))
    np.matmul(inverse, lower, out=found.reshape(n, 4, 64))
    return found


def of_spacetime(rng: np.random.Generator, count: int) -> Task:
    """Riemann's tensor of a metric, from the symbols of Christoffel and their derivative."""

    def function(lib: Library) -> Any:
        xp = lib.xp

        def riemann(x: Any, k: Any, h: Any) -> Any:
            flat = lib.array(np.diag([-1.0, 1.0, 1.0, 1.0]))

            def metric(x: Any) -> Any:
                return xp.einsum("nw,wab->nab", xp.sin(x @ k.T), h) + flat

            def symbols(x: Any) -> Any:
                d = lib.batched(metric, 1)(x)
                first = d + xp.einsum("nabc->nacb", d) - xp.einsum("nbca->nabc", d)
                return 0.5 * xp.einsum("nae,nebc->nabc", xp.linalg.inv(metric(x)), first)

            s = symbols(x)
            half = xp.einsum("nabdc->nabcd", lib.batched(symbols, 1)(x))
            half = half + xp.einsum("nace,nebd->nabcd", s, s)
            return half - xp.einsum("nabdc->nabcd", half)

        return riemann

    k, h = rng.normal(size=(6, 4)), 0.05 * rng.normal(size=(6, 4, 4))
    args = (rng.normal(size=(count, 4)), k, h + h.transpose(0, 2, 1))
    return Task(VALUE, function, args, {"waves": curvature}, order=2)


PROBLEMS = (
    Problem("elastic tangents, 1000 points", of_elastic, (1000,), (2,)),
    Problem("spacetime curvature, 500 points", of_spacetime, (500,), (2,)),
)
