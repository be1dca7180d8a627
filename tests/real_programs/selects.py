"""Selects around logarithms and quotients, above and below layers, loops and cumulative products.

In: sizes. Out: `PROGRAMS`.
Guaranteed: flops are bounded by those of the same program with the mask as a factor, which is nan
where what is not chosen is infinite.
"""

import functools
import itertools

import numpy as np

import eingrad as eg
from real_programs.measure import Bound, Program, Task
from real_programs.oracles import differences


def select(mask, x):
    """Choose, or zero."""
    return np.where(mask, x, 0.0)


def multiply(mask, x):
    """Do as is done where there is no select."""
    return mask * x


def _derived(make, x, kind, rng):
    """Task: a derivative of ``make(select)``, bounded by that of ``make(multiply)``."""
    f, masked = make(select), make(multiply)
    v = rng.normal(size=x.shape)
    orders = {"gradient": 1, "Hessian": 2}
    if kind in orders:
        order = orders[kind]
        should = {"flops": Bound(eg.derivative(masked, order), (x,))}
        value = lambda: differences(f, x, *[None] * order)
        return Task(eg.derivative(f, order), (x,), should, value, (f, order))
    should = {"flops": Bound(eg.hvp(masked), (x, v))}
    return Task(eg.hvp(f), (x, v), should, lambda: differences(f, x, None, v))


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))


def _softplus(z):
    return np.log1p(np.exp(z))


def _weights(rng, *sizes):
    """Give matrices of layers, one behind the other in a vector, and what takes them apart."""
    shapes = [*itertools.pairwise(sizes)]
    ends = np.cumsum([n * m for n, m in shapes])[:-1]

    def apart(w):
        parts = [w[start:stop] for start, stop in zip([0, *ends], [*ends, None], strict=True)]
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]

    return rng.normal(size=sum(n * m for n, m in shapes)) / 3, apart


def survival(kind, rng, subjects, covariates, width):
    """Likelihood of event times, censored ones among them: hazards by a network of covariates."""
    x, times = rng.normal(size=(subjects, covariates)), rng.exponential(size=subjects)
    event = rng.random(subjects) > 0.4
    w, apart = _weights(rng, covariates, width, width, 1)

    def make(choose):
        def f(w):
            a, b, c = apart(w)
            hazard = _softplus(_softplus(_softplus(x @ a) @ b) @ c)[:, 0]
            return np.sum(hazard * times - choose(event, np.log(hazard)))

        return f

    return _derived(make, w, kind, rng)


def discrete_hazards(kind, rng, subjects, covariates, width, intervals):
    """Likelihood of the interval of an event: those before it are survived, those after are not."""
    x = rng.normal(size=(subjects, covariates))
    last = rng.integers(0, intervals, size=subjects)[:, None]
    event = rng.random((subjects, 1)) > 0.4
    at, before = (np.arange(intervals) == last) & event, np.arange(intervals) < last
    w, apart = _weights(rng, covariates, width, intervals)

    def make(choose):
        def f(w):
            a, b = apart(w)
            hazard = _sigmoid(_sigmoid(x @ a) @ b)
            survived = np.cumprod(1 - hazard, axis=1)
            likely = choose(at, np.log(hazard)) + choose(before, np.log(survived)) / intervals
            return -np.sum(likely)

        return f

    return _derived(make, w, kind, rng)


def piecewise_exponential(kind, rng, subjects, covariates, pieces):
    """Likelihood of events by pieces of constant hazard, a normalised score in it."""
    x, exposed = rng.normal(size=(subjects, covariates)), rng.random((subjects, pieces))
    event = rng.random((subjects, pieces)) > 0.8
    start = rng.normal(size=covariates + pieces) / 3

    def make(choose):
        def f(p):
            scores = x @ p[:covariates]
            off = scores - scores.mean()
            scores = off / np.sqrt(1 + np.mean(off**2))
            hazard = np.exp(np.tanh(scores)[:, None] + p[covariates:])
            return np.sum(hazard * exposed) - np.sum(choose(event, np.log(hazard)))

        return f

    return _derived(make, start, kind, rng)


def above_layers(kind, rng, n):
    """What layers make of reciprocals, chosen from at the end."""
    a, b = rng.normal(size=(2, n, n)) / n
    mask = np.arange(n) % 3 > 0
    make = lambda choose: lambda x: np.sum(choose(mask, np.tanh(b @ np.tanh(a @ (1 / x)))) ** 2)
    return _derived(make, rng.uniform(0.5, 1.5, size=n), kind, rng)


def in_a_loop(kind, rng, steps, n):
    """A logarithm of a square of a product, chosen at each step."""
    a, mask = rng.normal(size=(n, n)) / n, np.arange(n) % 3 > 0

    def make(choose):
        def f(x):
            for _ in range(steps):
                x = 0.5 * x + choose(mask, np.log1p((a @ x) ** 2))
            return np.sum(x**2)

        return f

    return _derived(make, rng.uniform(0.5, 1.5, size=n), kind, rng)


def above_a_scan(kind, rng, steps, rows, n):
    """Sequences, some of which are left out: what a scan of softplus makes of them."""
    a, kept = rng.normal(size=(n, n)) / n, (rng.random((rows, 1)) > 0.4)
    make = lambda choose: (
        lambda x: np.sum(
            choose(kept, eg.scan(lambda c, _: (_softplus(c @ a), None), x, length=steps)[0]) ** 2
        )
    )
    return _derived(make, rng.normal(size=(rows, n)), kind, rng)


def missing_observations(kind, rng, steps):
    """Score of a Kalman filter of a level, at times of which some were not observed."""
    seen, data = rng.random(steps) > 0.3, rng.normal(size=steps).cumsum()

    def make(choose):
        def f(p):
            driven, noise = np.exp(p[0]), np.exp(p[1])

            def step(carry, given):
                (mean, spread), (is_seen, y) = carry, given
                spread = spread + driven
                scale, off = spread + noise, y - mean
                gain = choose(is_seen, spread / scale)
                lost = choose(is_seen, off**2 / scale + np.log(scale)) / 2
                return (mean + gain * off, spread - gain * spread), -lost

            return eg.scan(step, (0.0 * p[0], 1.0 + 0.0 * p[0]), (seen, data))[1].sum()

        return f

    return _derived(make, rng.normal(size=2) / 3, kind, rng)


def stencil(kind, rng, steps, n):
    """Diffusion of logarithms that are chosen at each step."""
    mask = np.arange(n) % 3 > 0

    def make(choose):
        def f(u):
            for _ in range(steps):
                u = choose(mask, np.log1p(u))
                u = u + 0.1 * (np.roll(u, 1) - 2 * u + np.roll(u, -1))
            return np.sum(u**2)

        return f

    return _derived(make, rng.uniform(0.5, 1.5, size=n), kind, rng)


def _rows(name, make, sizes, small, kinds=("gradient", "H @ v", "Hessian")):
    return [
        Program("3b", f"{name}, {kind}", functools.partial(make, kind), sizes, small)
        for kind in kinds
    ]


PROGRAMS = (
    *_rows("survival of 1,000 subjects", survival, (1000, 8, 12), (3, 2, 2), ("gradient", "H @ v")),
    *_rows("survival of 60 subjects", survival, (60, 4, 5), (3, 2, 2), ("Hessian",)),
    *_rows("discrete hazards", discrete_hazards, (200, 6, 8, 10), (3, 2, 2, 3), ("gradient", "H @ v")),
    *_rows("hazards by pieces", piecewise_exponential, (300, 5, 6), (12, 2, 2)),
    *_rows("chosen above layers", above_layers, (20,), (4,)),
    *_rows("chosen in a loop", in_a_loop, (30, 12), (3, 4)),
    *_rows("chosen above a scan", above_a_scan, (30, 20, 6), (3, 3, 2), ("gradient", "H @ v")),
    *_rows("missing observations", missing_observations, (100,), (4,)),
    *_rows("chosen before a stencil", stencil, (10, 40), (3, 4)),
)  # fmt: skip
