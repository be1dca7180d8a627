"""The sum of all distances between pairs of points in space.

In: how many points. Out: `PROBLEMS`.
Guaranteed: the hand versions go by blocks of rows whose planes, one for each coordinate, stay in
the cache; the diagonal blocks of the Hessian are sums of the others.
"""

from typing import Any

import numpy as np

from peers.problem import GRADIENT, HESSIAN, Array, Library, Problem, Task, place

_PAIRS = 2**14  # of a block


def _rows(x: Array) -> Any:
    """Blocks of rows with differences in each coordinate, and one over distances."""
    count = len(x)
    planes = np.ascontiguousarray(x.T)
    step = max(1, _PAIRS // count)
    for start in range(0, count, step):
        rows = np.arange(start, min(start + step, count))
        d = planes[:, rows, None] - planes[:, None]
        inverse = d[0] * d[0]
        inverse += d[1] * d[1]
        inverse += d[2] * d[2]
        inverse[rows - start, rows] = np.inf
        np.sqrt(inverse, out=inverse)
        np.reciprocal(inverse, out=inverse)
        yield rows, d, inverse


def gradient(x: Array, out: Array | None = None) -> Array:
    """Sums of unit vectors."""
    found = place(out, x.shape)
    for rows, d, inverse in _rows(x):
        found[rows] = np.einsum("kij,ij->ik", d, inverse)
    return found


def hessian(x: Array, out: Array | None = None) -> Array:
    """``(d d' / r**2 - 1) / r`` off the diagonal: six planes, three of them written twice."""
    found = place(out, x.shape * 2)
    for rows, d, inverse in _rows(x):
        block, own = found[rows[0] : rows[-1] + 1], rows - rows[0]
        plane, scaled = np.empty_like(inverse), np.empty_like(inverse)
        cube = inverse * inverse
        cube *= inverse
        for a in range(3):
            np.multiply(d[a], cube, out=scaled)
            for b in range(a, 3):
                np.multiply(scaled, d[b], out=plane)
                if a == b:
                    plane -= inverse
                plane[own, rows] = -plane.sum(1)
                block[:, a, :, b] = plane
                if a != b:
                    block[:, b, :, a] = plane
    return found


def of_points(asked: str, hand: Any, rng: np.random.Generator, count: int) -> Task:
    """A derivative of the sum; ones on the diagonal keep the root from zero, and are constants."""

    def function(lib: Library) -> Any:
        def total(x: Any) -> Any:
            d = x[:, None] - x[None]
            return 0.5 * lib.xp.sum(lib.xp.sqrt(lib.xp.sum(d * d, axis=-1) + lib.xp.eye(len(x))))

        return total

    return Task(asked, function, (rng.normal(size=(count, 3)),), hand, "distances")


def _gradient(rng: np.random.Generator, count: int) -> Task:
    return of_points(GRADIENT, {"planes": gradient}, rng, count)


def _hessian(rng: np.random.Generator, count: int) -> Task:
    return of_points(HESSIAN, {"planes": hessian}, rng, count)


PROBLEMS = (
    *(Problem(f"gradient of distances, N = {n}", _gradient, (n,), (4,)) for n in (200, 2483)),
    *(
        Problem(f"Hessian of distances, N = {n}", _hessian, (n,), (4,))
        for n in (50, 100, 200, 400, 800, 1200, 2483)
    ),
)
