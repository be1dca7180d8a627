"""Time steps and selects: rolls, slices, pads, concatenations, cumulative products.

In: sizes. Out: `PROGRAMS`.
Guaranteed: flops of a gradient are bounded by five evaluations, those of a Hessian by five for
each number; lines by ten times those of the function.
"""

import dataclasses
import functools

import numpy as np

import eingrad as eg
from real_programs.measure import Bound, Program, Task, evaluations
from real_programs.oracles import differences


def derived(f, x, order, flops=None):
    """Task: sweeps over the program, one for each number and order beyond the first.

    Its flops are counted from its plan, or known.
    """
    sweeps = 5.0 * x.size ** (order - 1)
    evaluation = evaluations(f, x, sweeps) if flops is None else Bound(flops, times=sweeps)
    should = {"flops": evaluation, "lines": evaluations(f, x, 10.0)}
    value = lambda: differences(f, x, *[None] * order)
    return Task(eg.derivative(f, order), (x,), should, value, (f, order))


# Time steps --------------------------------------------------------------------------------------


def lorenz(order, rng, steps, n):
    """Lorenz-96, by rolls."""

    def f(x):
        for _ in range(steps):
            x = x + 0.01 * ((np.roll(x, -1) - np.roll(x, 2)) * np.roll(x, 1) - x + 8.0)
        return (x**2).sum()

    return derived(f, rng.normal(size=n), order)


def burgers(order, rng, steps, n):
    """Burgers' equation, periodic: central differences, diffusion."""

    def f(u):
        for _ in range(steps):
            ahead, behind = np.roll(u, -1), np.roll(u, 1)
            u = u - 0.05 * u * (ahead - behind) + 0.1 * (ahead - 2 * u + behind)
        return (u**2).mean()

    return derived(f, rng.normal(size=n), order)


def reversed_products(order, rng, steps, n):
    """Products of the reversed array with itself, and a roll."""

    def f(y):
        for _ in range(steps):
            y = 0.3 * (y[::-1] * y + np.roll(y, 1))
        return y.sum()

    return derived(f, rng.normal(size=n), order)


def padded(order, rng, steps, n):
    """A reaction with diffusion, its edges padded."""

    def f(u):
        for _ in range(steps):
            p = np.pad(u, 1, mode="edge")
            u = u + 0.1 * (p[2:] - 2 * u + p[:-2]) + 0.05 * u * (1 - u)
        return (u**2).sum()

    return derived(f, rng.normal(size=n), order)


def fixed_edges(order, rng, steps, n):
    """The same with fixed edges, put on by concatenation."""

    def f(u):
        for _ in range(steps):
            inner = u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2]) * u[1:-1]
            u = np.concatenate([u[:1], inner, u[-1:]])
        return (u**3).sum()

    return derived(f, rng.normal(size=n), order)


def upwind(order, rng, steps, n):
    """Advection by its own speed, upwind: a select at each step."""

    def f(u):
        for _ in range(steps):
            slope = np.where(u > 0, u - np.roll(u, 1), np.roll(u, -1) - u)
            u = u - 0.05 * u * slope
        return (u**2).sum()

    return derived(f, _away_from_zero(rng, n), order)


def selected_logarithms(order, rng, steps, n):
    """A select around a logarithm at each step."""

    def f(x):
        for _ in range(steps):
            x = np.where(x > 0, np.log1p(np.abs(x)), 0.5 * x)
        return x.sum()

    return derived(f, _away_from_zero(rng, n), order)


def _away_from_zero(rng, n):
    return rng.uniform(0.5, 1.5, size=n) * np.where(np.arange(n) % 3, 1.0, -1.0)


def clipped(order, rng, steps, n):
    """A step that is clipped, its neighbours by slices."""

    def f(x):
        for _ in range(steps):
            x = np.clip(x + 0.1 * np.append(x[1:], x[:1]) * x, -5.0, 5.0)
        return (x**2).sum()

    return derived(f, rng.normal(size=n), order)


def two_indices(order, rng, steps):
    """Indices with a repeat, and a reversal.

    Its step is two operations, a product and a function, whose second derivatives take more than
    five evaluations of them: the bound is columns of the Hessian, swept by hand.
    """

    def f(y):
        for _ in range(steps):
            y = np.tanh(y[[0, 0, 2]] * y[::-1])
        return y.sum()

    y = rng.normal(size=3)
    task = derived(f, y, order)
    by_hand = eg.derivative(functools.partial(_hessian_by_hand, steps), 0)
    return dataclasses.replace(task, should={**task.should, "flops": Bound(by_hand, (y,))})


def _hessian_by_hand(steps, y):
    """Forward: tangents T of y. Backward: the cotangent g, and its tangents G."""
    T, stored = np.eye(3), []
    for _ in range(steps):
        a, b, along_a, along_b = y[[0, 0, 2]], y[::-1], T[[0, 0, 2]], T[::-1]
        y = np.tanh(a * b)
        slope = 1 - y * y
        T = slope[:, None] * (along_a * b[:, None] + a[:, None] * along_b)
        stored.append((a, b, along_a, along_b, slope, y, T))
    g, G = np.ones(3), np.zeros((3, 3))
    for a, b, along_a, along_b, slope, z, tangent in stored[::-1]:
        h = slope * g
        H = slope[:, None] * G - (2 * z * g)[:, None] * tangent
        g = _added_back(h * b, h * a)
        G = _added_back(
            H * b[:, None] + h[:, None] * along_b, H * a[:, None] + h[:, None] * along_a
        )
    return G


def _added_back(of_a, of_b):
    """Add what came from indices 0, 0, 2 and what came from the reversed array."""
    taken = np.concatenate([of_a[:1] + of_a[1:2], np.zeros_like(of_a[:1]), of_a[2:]])
    return taken + of_b[::-1]


def grid(order, rng, steps, n):
    """Diffusion on a square, neighbours by slices of a padded array."""

    def f(u):
        for _ in range(steps):
            p = np.pad(u, 1)
            around = p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] + p[1:-1, :-2]
            u = u + 0.1 * (around - 4 * u) * (1 + u**2)
        return (u**2).sum()

    return derived(f, rng.normal(size=(n, n)) / 2, order)


# Products ----------------------------------------------------------------------------------------


def product(order, rng, n):
    """The product of all numbers."""
    return derived(np.prod, rng.uniform(0.9, 1.1, size=n), order, n)


def survival(order, rng, n):
    """Survival in discrete time: a cumulative product, weighted."""
    weights = rng.normal(size=n)
    f = lambda h: weights @ np.cumprod(1 - h)
    return derived(f, rng.uniform(0.01, 0.1, size=n), order, 4 * n)


def rows_multiplied(order, rng, m, n):
    """Products of the rows of a matrix, summed: independent events."""
    f = lambda p: np.log1p(np.prod(1 + p**2, axis=1)).sum()
    return derived(f, rng.uniform(0.1, 0.5, size=(m, n)), order, 3 * m * n + 2 * m)


def _row(name, make, order, sizes, small, *, slow=False):
    what = {1: "gradient", 2: "Hessian"}[order]
    return Program("3b", f"{name}, {what}", functools.partial(make, order), sizes, small, slow)


PROGRAMS = (
    _row("Lorenz-96, 16 steps", lorenz, 1, (16, 8), (3, 4)),
    _row("Lorenz-96, 100 steps", lorenz, 1, (100, 40), (3, 4)),
    _row("Lorenz-96, 4 steps", lorenz, 2, (4, 8), (3, 4)),
    _row("Lorenz-96, 16 steps", lorenz, 2, (16, 8), (3, 4)),
    _row("Burgers, 30 steps", burgers, 1, (30, 64), (3, 4)),
    _row("Burgers, 4 steps", burgers, 2, (4, 8), (3, 4)),
    _row("Burgers, 16 steps", burgers, 2, (16, 8), (3, 4)),
    _row("reversed products, 16 steps", reversed_products, 1, (16, 8), (3, 4)),
    _row("reversed products, 4 steps", reversed_products, 2, (4, 8), (3, 4)),
    _row("reversed products, 16 steps", reversed_products, 2, (16, 8), (3, 4)),
    _row("padded reaction, 12 steps", padded, 1, (12, 8), (2, 4)),
    _row("padded reaction, 3 steps", padded, 2, (3, 8), (2, 4)),
    _row("padded reaction, 8 steps", padded, 2, (8, 8), (2, 4)),
    _row("padded reaction, 12 steps", padded, 2, (12, 8), (2, 4)),
    _row("fixed edges, 12 steps", fixed_edges, 1, (12, 8), (2, 5)),
    _row("fixed edges, 8 steps", fixed_edges, 2, (8, 8), (2, 5)),
    _row("upwind, 16 steps", upwind, 1, (16, 8), (2, 4)),
    _row("upwind, 8 steps", upwind, 2, (8, 8), (2, 4)),
    _row("selected logarithms, 10 steps", selected_logarithms, 1, (10, 8), (3, 4)),
    _row("selected logarithms, 10 steps", selected_logarithms, 2, (10, 8), (3, 4)),
    _row("clipped, 10 steps", clipped, 1, (10, 8), (2, 4)),
    _row("clipped, 6 steps", clipped, 2, (6, 8), (2, 4)),
    _row("two indices, 4 steps", two_indices, 2, (4,), (2,)),
    _row("two indices, 10 steps", two_indices, 2, (10,), (2,)),
    _row("square of 8 x 8, 6 steps", grid, 1, (6, 8), (2, 3)),
    _row("square of 4 x 4, 3 steps", grid, 2, (3, 4), (2, 2)),
    _row("product of 30", product, 2, (30,), (4,)),
    _row("product of 200", product, 2, (200,), (4,)),
    _row("product of 300", product, 1, (300,), (4,)),
    _row("product of 10,000", product, 1, (10_000,), (4,)),
    _row("survival over 100", survival, 1, (100,), (4,)),
    _row("survival over 3,000", survival, 1, (3000,), (4,)),
    _row("survival over 30", survival, 2, (30,), (4,)),
    _row("rows of 8 multiplied", rows_multiplied, 1, (50, 8), (2, 3)),
    _row("rows of 8 multiplied", rows_multiplied, 2, (20, 8), (2, 3)),
)  # fmt: skip
