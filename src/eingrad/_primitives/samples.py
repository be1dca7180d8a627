"""Where a row is tested: points of its domain."""

import numpy as np

from eingrad._primitives.row import Array


def reals(rng: np.random.Generator) -> tuple[Array, ...]:
    return (rng.normal(size=(2, 3)),)


def positive(rng: np.random.Generator) -> tuple[Array, ...]:
    return (rng.uniform(0.5, 2.0, size=(2, 3)),)


def below_one(rng: np.random.Generator) -> tuple[Array, ...]:
    return (rng.uniform(-0.8, 0.8, size=(2, 3)),)


def above_one(rng: np.random.Generator) -> tuple[Array, ...]:
    return (rng.uniform(1.2, 3.0, size=(2, 3)),)


def two_reals(rng: np.random.Generator) -> tuple[Array, ...]:
    return reals(rng) + reals(rng)


def two_positive(rng: np.random.Generator) -> tuple[Array, ...]:
    return positive(rng) + positive(rng)


def two_flags(rng: np.random.Generator) -> tuple[Array, ...]:
    return tuple(rng.normal(size=(2, 2, 3)) > 0)


def two_vectors(rng: np.random.Generator) -> tuple[Array, ...]:
    """Two vectors of space, twice."""
    return rng.normal(size=(2, 3)), rng.normal(size=(2, 3))


def flag_and_two_reals(rng: np.random.Generator) -> tuple[Array, ...]:
    return (rng.normal(size=(2, 3)) > 0, *two_reals(rng))


def invertible(rng: np.random.Generator) -> tuple[Array, ...]:
    return (rng.normal(size=(2, 3, 3)) + 3 * np.eye(3),)


def system(rng: np.random.Generator) -> tuple[Array, ...]:
    return (*invertible(rng), rng.normal(size=(2, 3, 2)))
