"""Identities (5.99)-(5.102), of an unknown ``F(X)``: sides, a sample of F, matrix forms.

The matrix forms are plain NumPy and know nothing of this library; of order n they sum over the
ways to split n differentiations into blocks.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from eingrad._symbols import differentiate, function, variable
from eingrad.identities.stated import Array, Arrays, Point, Size, Stated


def of_unknown_f(
    value: Callable[[Any], Any], tensor: Callable[[Any, Any], Any]
) -> Callable[..., Stated]:
    """State an identity of an unknown F: a value of it, and its derivative by F and dF/dX."""

    def state(size: Size, dtype: Any = np.float64) -> Stated:
        d, e, f = size
        x = variable("X", (e, f), dtype)
        y = function("F", x, shape=(d, d), dtype=dtype)
        return Stated(value(y), x, tensor(y, differentiate(y, x)))

    return state


def sample_f(rng: np.random.Generator, size: Size) -> Point:
    """Sample ``F(X) = C + 0.3 sin(P X)``, with derivatives of every order in closed form."""
    d, e, f = size
    offset = well_conditioned(rng, d)
    slope = rng.normal(size=(d, d, e, f)) / np.sqrt(e * f)
    cycle = (np.sin, np.cos, lambda u: -np.sin(u), lambda u: -np.cos(u))

    def arrays(x: Array, order: int) -> Arrays:
        u = np.tensordot(slope, x, axes=2)
        known = {"F": offset + 0.3 * np.sin(u)}
        outer = np.ones((d, d))
        for n in range(1, order + 1):
            outer = np.einsum("ij...,ijkl->ij...kl", outer, slope)
            inner = cycle[n % 4](u).reshape(d, d, *[1] * (2 * n))
            known[f"d{n if n > 1 else ''}F{'_dX' * n}"] = 0.3 * inner * outer
        return known

    return Point(rng.normal(size=(e, f)), arrays)


def well_conditioned(rng: np.random.Generator, n: int) -> Array:
    """Draw an n x n matrix whose inverse loses few digits."""
    return np.asarray(2 * np.eye(n) + 0.5 * rng.normal(size=(n, n)) / np.sqrt(n))


def matrices(arrays: Arrays, order: int) -> Callable[[Sequence[int]], Array]:
    """Give the D x D matrices ``d F / d X[k,l]...`` for a block of differentiations.

    All axes of the variable come first, one pair per differentiation, of size one for those that
    are not in the block; so that ``@`` multiplies matrices and broadcasts the rest.
    """

    def block(of: Sequence[int]) -> Array:
        n = len(of)
        tensor = arrays[f"d{n if n > 1 else ''}F{'_dX' * n}"]
        e, f = tensor.shape[2:4]
        moved = np.moveaxis(tensor, (0, 1), (-2, -1))
        sizes = [size for k in range(order) for size in ((e, f) if k in of else (1, 1))]
        return np.asarray(moved.reshape(*sizes, *tensor.shape[:2]))

    return block


def back(matrices: Array) -> Array:
    """Put the matrix axes first again: D x D x E x F."""
    return np.moveaxis(matrices, (-2, -1), (0, 1))


def _ordered_partitions(items: Sequence[int]) -> Iterator[list[list[int]]]:
    """Every way to split items into blocks, the order of the blocks counting."""
    for labels in itertools.product(range(len(items)), repeat=len(items)):
        count = max(labels) + 1
        if len(set(labels)) == count:
            yield [[i for i, k in zip(items, labels, strict=True) if k == n] for n in range(count)]


def _partitions(items: Sequence[int]) -> Iterator[list[list[int]]]:
    """Every way to split items into blocks."""
    for blocks in _ordered_partitions(items):
        if blocks == sorted(blocks):
            yield blocks


def inverse_matrix(arrays: Arrays, order: int) -> Array:
    """``-F^-1 dF F^-1``; of order n, a product ``(-1)^m F^-1 dF F^-1 ... dF F^-1`` per split."""
    inverse, block = np.linalg.inv(arrays["F"]), matrices(arrays, order)
    total: Any = 0
    for blocks in _ordered_partitions(range(order)):
        term = inverse
        for b in blocks:
            term = -term @ block(b) @ inverse
        total = total + term
    return back(total)


def det_matrix(arrays: Arrays, order: int) -> Array:
    """``det F tr(F^-1 dF)``; of order n, the sum over splits of products of log-derivatives."""
    inverse, block = np.linalg.inv(arrays["F"]), matrices(arrays, order)

    def of_log(items: Sequence[int]) -> Array:
        total: Any = 0
        for blocks in _ordered_partitions(items):
            term: Any = np.eye(len(inverse))
            for b in blocks:
                term = term @ inverse @ block(b)
            sign = (-1) ** (len(blocks) - 1) / len(blocks)
            total = total + sign * np.trace(term, axis1=-2, axis2=-1)
        return np.asarray(total)

    total: Any = 0
    for blocks in _partitions(range(order)):
        term: Any = 1
        for b in blocks:
            term = term * of_log(b)
        total = total + term
    return np.asarray(np.linalg.det(arrays["F"]) * total)
