"""A program whose derivatives are right, for what else must be so of it.

In: what `oracles` has computed of a program. Out: the same, with what laws ask of it in common.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import eingrad as eg
from eingrad._tree import flatten
from fuzzing.programs import Program, blocks
from fuzzing.quotients import EPS, SAFETY


@dataclass(frozen=True)
class Case:
    """Its function, where it was checked, and the blocks of its derivatives there."""

    program: Program
    f: Callable
    at: list
    plans: list[Callable]  # of each order; called, they give blocks
    results: list[dict]  # blocks of each order, by the arguments they are for
    losses: list[float]  # of each order, in units of the last place

    @property
    def order(self):
        """The highest order that is checked."""
        return len(self.plans) - 1

    def allowed(self, n):
        """Say how wrong order `n` may be, relative to its largest entry."""
        return SAFETY * EPS * self.losses[n]

    def blocks(self, nested, n):
        """Blocks of a derivative of order `n` by the arguments they are for."""
        return blocks(self.program, nested, n)

    def derivative(self, f=None, n=None, **options):
        """Give a derivative in the arguments of the program: of the highest order, of its function."""
        order = self.order if n is None else n
        return eg.derivative(f or self.f, order, self.program.argnums, **options)

    @functools.cached_property
    def plan(self):
        """The plan of the highest order."""
        return self.derivative().plan(*self.at)

    @functools.cached_property
    def expressions(self):
        """The expressions of all orders."""
        whole = eg.value_and_derivatives(self.f, self.order, self.program.argnums)
        return whole.expression(*self.at)

    def arrays_of(self, plan):
        """Give what the source of a plan is called with, but for its constants."""
        return [*self.at, *(known.array for known in plan.captured)]

    def rng(self, number):
        """Give the generator of one law, by its number."""
        return np.random.default_rng([*self.program.seed, number])

    def packed(self, parts):
        """Nest what is given for each argument as the argument of a product is."""
        argnums = self.program.argnums
        return tuple(parts[k] for k in argnums) if isinstance(argnums, tuple) else parts[argnums]

    def direction(self, rng):
        """Draw a direction of the arguments that are differentiated."""
        return {k: drawn_like(rng, self.at[k]) for k in self.program.every}


def drawn_like(rng, x):
    """Draw an array of the shape of another, complex where that is."""
    x = np.asarray(x)
    v = rng.uniform(-1, 1, x.shape)
    return v + 1j * rng.uniform(-1, 1, x.shape) if x.dtype.kind == "c" else v


def leaves(results):
    """List the arrays of a nesting."""
    return [np.asarray(a) for a in flatten(results)[0]]


def contracted(found, directions):
    """Contract the axes of each block with directions of its arguments, and add up."""
    total = 0
    for where, block in found.items():
        left = block
        for k, v in zip(where[::-1], directions[::-1], strict=True):
            left = np.tensordot(left, v[k], np.ndim(v[k]))
        total = total + left
    return np.asarray(total)
