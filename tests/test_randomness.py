"""Laws of random numbers in a function: one that is planned is warned of, once it has drawn."""
# ruff: noqa: NPY002 - the legacy functions are what others draw from

import random
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

import eingrad as eg
from eingrad.errors import RandomnessWarning

X = np.ones(2)
RNG = np.random.default_rng(0)
HELD = SimpleNamespace(rng=np.random.Generator(np.random.MT19937(0)))
LEGACY = np.random.RandomState(0)
PYTHON = random.Random(0)
MANY = {"first": np.random.Generator(np.random.SFC64(0))}


def drawing():
    return RNG.normal()


DRAWING = {
    "np.random": (lambda x: x.sum() * np.random.normal(), "np.random"),
    "np.random, an array": (lambda x: x @ np.random.uniform(size=2), "np.random"),
    "random": (lambda x: x.sum() * random.random(), "random"),
    "random.shuffle": (lambda x: random.shuffle([1, 2, 3]) or x.sum(), "random"),
    "a generator": (lambda x: x.sum() * RNG.normal(), "RNG"),
    "an attribute": (lambda x: x.sum() * HELD.rng.normal(), r"HELD\.rng"),
    "a RandomState": (lambda x: x.sum() * LEGACY.normal(), "LEGACY"),
    "a random.Random": (lambda x: x.sum() * PYTHON.random(), "PYTHON"),
    "in a dict": (lambda x: x.sum() * MANY["first"].normal(), r"MANY\['first'\]"),
    "in a function that is called": (lambda x: x.sum() * drawing(), "RNG"),
    "in a default": (lambda x, _rng=PYTHON: x.sum() * _rng.random(), "_rng"),
    "in a derivative": (lambda x: eg.grad(lambda y: y @ y * RNG.normal())(x).sum(), "RNG"),
}


@pytest.mark.parametrize(("f", "name"), DRAWING.values(), ids=DRAWING)
def test_a_plan_and_an_expression_of_a_function_that_draws_are_warned_of(f, name):
    """A call draws anew, so it is not."""
    with pytest.warns(RandomnessWarning, match=f"drew from {name}, or seeded it") as caught:
        plan = eg.grad(f).plan(X)
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(plan(X), plan(X))
    with pytest.warns(RandomnessWarning, match=name):
        eg.grad(f).expression(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        eg.grad(f)(X)
        plan(X)


SILENT = {
    "no generator": lambda x: x @ x,
    "a generator that is not used": lambda x: x @ x if RNG else x,
    "a draw outside": lambda x, c=RNG.normal(size=2): x @ c,  # noqa: B008 - once
    "np.random without a draw": lambda x: x @ x * len(np.random.__name__),
}


@pytest.mark.parametrize("f", SILENT.values(), ids=SILENT)
def test_a_function_that_draws_nothing_is_not_warned_of(f):
    """And nothing is drawn by looking."""
    before = np.random.get_state()[1].copy(), random.getstate(), RNG.bit_generator.state
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        eg.grad(f).plan(X)
        eg.grad(f).expression(X)
    after = np.random.get_state()[1], random.getstate(), RNG.bit_generator.state
    np.testing.assert_array_equal(before[0], after[0])
    assert before[1:] == after[1:]
