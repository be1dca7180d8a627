"""Elementwise derivatives as the README writes them: ``vjp(f)(x, ones)``, nested.

In: sizes. Out: `PROGRAMS`.
Guaranteed: each is bounded by the diagonal of the whole derivative, read off by einsum, and its
lines by forty times those of the function.
"""

import functools

import numpy as np

import eingrad as eg
from real_programs.measure import Bound, Program, Task, evaluations
from real_programs.oracles import on_circle


def wave(rng, n):
    """A damped oscillation."""
    return lambda x: np.exp(-(x**2)) * np.sin(3 * x), rng.normal(size=n)


def gaussian_of_sine(rng, n):
    """Exponential of a sine, times x."""
    return lambda x: x * np.exp(np.sin(x)), rng.normal(size=n)


def quotient(rng, n):
    """A rational function with a root."""
    return lambda x: x / np.sqrt(1 + x**2), rng.normal(size=n)


def network(rng, n):
    """A network from one number to one number, at many points, as for a differential equation."""
    w, b, v = rng.normal(size=(3, 10))
    return lambda x: np.tanh(x[:, None] * w + b) @ v, rng.normal(size=n)


def nested(function, k, rng, n):
    """The k-th elementwise derivative by k nested products."""
    f, x = function(rng, n)

    def elementwise(f):
        return lambda x: eg.vjp(f)(x, np.ones_like(x))

    def run(x):
        h = f
        for _ in range(k):
            h = elementwise(h)
        return h(x)

    letters = "i" * (k + 1)
    good = lambda x: np.einsum(f"{letters}->i", eg.derivative(f, k)(x))
    should = {"flops": Bound(good, (x,)), "lines": evaluations(f, x, 40.0)}
    return Task(run, (x,), should, lambda: on_circle(f, x, np.ones_like(x), k))


def _row(name, function, k, *, slow=False):
    make = functools.partial(nested, function, k)
    return Program("5", f"{name}, order {k}", make, (1000,), (3,), slow)


PROGRAMS = (
    *(_row("wave", wave, k) for k in (2, 3, 4)),
    _row("wave", wave, 6),
    *(_row("exponential of a sine", gaussian_of_sine, k) for k in (2, 4)),
    _row("exponential of a sine", gaussian_of_sine, 6),
    *(_row("quotient with a root", quotient, k) for k in (2, 4)),
    *(_row("network of one number", network, k) for k in (2, 4)),
    _row("network of one number", network, 5),
)  # fmt: skip
