"""Functions written by components, and what is known of them: for the tests of packs."""

import numpy as np

RNG = np.random.default_rng(0)
POINTS, TARGETS = RNG.normal(size=(2, 10, 3))


def ring(x):
    """Lorenz-96's rate, an entry after the other."""
    n = len(x)
    return np.stack([(x[(i + 1) % n] - x[i - 2]) * x[i - 1] - x[i] + 8.0 for i in range(n)])


def ring_at_once(x):
    return (np.roll(x, -1) - np.roll(x, 2)) * np.roll(x, 1) - x + 8.0


def gravity(p):
    """Energy of bodies, pair by pair."""
    total = 0.0
    for i in range(len(p)):
        for j in range(i):
            dx, dy, dz = p[i] - p[j]
            total = total - 1 / np.sqrt(dx**2 + dy**2 + dz**2)
    return total


def gravity_at_once(p):
    first, second = np.tril_indices(len(p), -1)
    return -(((p[first] - p[second]) ** 2).sum(1) ** -0.5).sum()


def angles(p):
    """Angles of a chain, by components."""
    total = 0.0
    for i in range(1, len(p) - 1):
        (ax, ay, az), (bx, by, bz) = p[i - 1] - p[i], p[i + 1] - p[i]
        dot = ax * bx + ay * by + az * bz
        total += np.cos(dot) / ((ax * ax + ay * ay + az * az) * (bx * bx + by * by + bz * bz))
    return total


def angles_at_once(p):
    a, b = p[:-2] - p[1:-1], p[2:] - p[1:-1]
    return (np.cos((a * b).sum(1)) / ((a * a).sum(1) * (b * b).sum(1))).sum()


def turned(q):
    """Points turned by a quaternion, the entries of the matrix stacked."""
    w, x, y, z = q
    matrix = np.stack([
        np.stack([w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)]),
        np.stack([2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)]),
        np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z]),
    ])  # fmt: skip
    return np.exp(-((POINTS @ matrix.T - TARGETS) ** 2).sum(1) / 9).sum()


def twice(rate):
    """The squares of two steps of a ring, added."""
    return lambda x: (rate(rate(x) * 0.1) ** 2).sum()


PROGRAMS = {  # by components, at once, a point
    "ring": (twice(ring), twice(ring_at_once), RNG.normal(size=8)),
    "gravity": (gravity, gravity_at_once, RNG.normal(size=(4, 3)) / 9 + 2 * np.arange(4)[:, None]),
    "angles": (angles, angles_at_once, RNG.normal(size=(5, 3)) + 3 * np.arange(5)[:, None]),
}
