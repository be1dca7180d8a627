"""Loops as people write them: their source does not grow with the steps, their values stay."""

import numpy as np
import pytest
from inside import ROLLED_NODES
from loops import assert_alike
from real_programs.recurrences import (
    LOOPS,
    driven,
    fitted,
    kalman_of_matrices,
    kalman_with_gaps,
    sinkhorn_of_squares,
)
from reference import assert_close, central_difference

import eingrad as eg
from eingrad import _ir
from eingrad._plan.kernels import Scan
from eingrad._rolled.stacks import stacked


@pytest.fixture(autouse=True)
def _fresh_plans():
    """What was planned with another limit is not found."""
    eg.cache_clear()
    yield
    eg.cache_clear()


def lines(plan):
    return len(plan.source.splitlines())


def scans(plan):
    return [s.kernel for s in plan.program.steps() if isinstance(s.kernel, Scan)]


@pytest.mark.parametrize("make", LOOPS, ids=lambda make: make.__name__)
def test_source_does_not_grow_with_the_steps(make):
    """But for how a few terms are added; fewer steps may stand outside. Flops grow as they do."""
    f, x = make(60)
    short, long = (eg.grad(f).plan(x) for f, x in ((f, x), make(120)))
    assert scans(long)
    assert lines(long) <= 1.02 * lines(short)
    assert long.program.flops < 2.2 * short.program.flops
    assert_close(short(x), central_difference(f, x), 1e-5)


@pytest.mark.parametrize(
    "make", [f for f in LOOPS if f is not kalman_with_gaps], ids=lambda make: make.__name__
)
def test_a_product_with_the_hessian_is_that_of_differences(make, monkeypatch):
    """Of few steps. (Those of selects have long second derivatives.)"""
    ROLLED_NODES.replace(monkeypatch, 10)
    f, x = make(7)
    v = np.cos(np.arange(x.size)).reshape(x.shape)
    gradient = eg.grad(f)
    along = (gradient(x + 1e-5 * v) - gradient(x - 1e-5 * v)) / 2e-5
    assert_close(eg.hvp(f)(x, v), along, 1e-5)


@pytest.mark.parametrize(
    "make", [driven, kalman_of_matrices, sinkhorn_of_squares], ids=lambda make: make.__name__
)
def test_a_rolled_loop_has_the_digits_of_one_written_out(make, monkeypatch):
    """Third coefficients of its series too."""
    f, x = make(7)
    v = np.cos(np.arange(x.size)).reshape(x.shape)
    found = []
    for least in (10, 10**9):
        ROLLED_NODES.replace(monkeypatch, least)
        eg.cache_clear()
        found.append((eg.grad(f)(x), eg.hvp(f)(x, v), eg.taylor(f, 3)(x, v)))
    assert_alike(*found, rtol=1e-9)


@pytest.mark.parametrize("order", [1, 2])
def test_a_few_long_steps_are_a_loop_where_they_are_differentiated(order):
    """Five steps cost as many lines as ten."""
    few, more = (eg.derivative(f, order).plan(x) for f, x in (fitted(5), fitted(10)))
    assert scans(few)
    assert lines(few) < 1.2 * lines(more)


def test_batches_of_parameters_are_planned_alike():
    """Many filters at once, by one loop over arrays."""
    seen = np.random.default_rng(0).normal(size=40)

    def f(q):  # (5, 2)
        spread, mean, total = np.ones(5), np.zeros(5), np.zeros(5)
        for y in seen:
            spread = spread + np.exp(q[:, 0])
            off, scale = y - mean, spread + np.exp(q[:, 1])
            gain = np.where(scale > 0.1, spread / scale, 0.0)
            mean, spread = mean + gain * off, spread * (1 - gain)
            total = total - (off**2 / scale + np.log(scale)) / 2
        return total.sum()

    q = np.random.default_rng(1).normal(size=(5, 2))
    plan = eg.grad(f).plan(q)
    assert scans(plan)
    assert_close(plan(q), central_difference(f, q), 1e-6)
    assert_close(eg.hessian(f)(q), central_difference(eg.grad(f), q), 1e-6)


def test_what_is_made_of_one_array_of_each_step_is_made_of_their_stack():
    """Flags of each step that are repeated along an axis."""
    flags = [_ir.constant(np.array(k % 2 == 0)) for k in range(3)]
    repeated = [_ir.contract([(flag, ())], (0,), {0: 4}) for flag in flags]
    expected = _ir.contract([(_ir.constant(np.array([True, False, True])), (0,))], (0, 1), {1: 4})
    assert stacked(repeated, lambda _: None) is expected
