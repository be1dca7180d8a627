"""Laws of `out=`: the same bits, written by the steps that compute them, into any memory."""

import re

import numpy as np
import pytest
from cases import CASES
from reference import allocated

import eingrad as eg
from eingrad._emit import emit_into

RNG = np.random.default_rng(0)


def in_order(shape, dtype):
    return np.empty(shape, dtype)


def reversed_axes(shape, dtype):
    return np.empty(shape[::-1], dtype).T


def strided(shape, dtype):
    return np.empty((*shape, 2), dtype)[..., 0]


def backwards(shape, dtype):
    return np.empty(shape, dtype)[(slice(None, None, -1),) * len(shape)]


LAYOUTS = [in_order, reversed_axes, strided, backwards]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_array_is_filled_with_the_result(case, order, layout):
    """Compared where NumPy's loops are the same: to a few units in the last place."""
    f, x = case.make(np.random.default_rng(1), *case.small)
    plan = eg.derivative(f, order).plan(x)
    expected = plan(x)
    out = layout(expected.shape, expected.dtype)
    assert plan(x, out=out) is out
    np.testing.assert_allclose(out, expected, rtol=1e-13, atol=1e-13)


def outer(x):
    return np.linalg.inv(x)


FILLS = {  # what is written straight to the array: no copy at the end
    "an outer product": (outer, 1, (6, 6)),
    "a placement": (lambda x: np.sum(np.tanh(x)), 2, (9,)),
    "a placement on a sum": (lambda x: np.sum(np.tanh(x)) ** 2, 2, (9,)),
    "a matrix product": (lambda x: np.sum((x @ x.T) ** 2), 1, (7, 5)),
    "a sum": (lambda x: np.sum(x, 0), 0, (7, 5)),
    "a function": (np.sin, 0, (7, 5)),
    "a multiple": (lambda x: 3.0 * np.tanh(x), 0, (4,)),
    "a sum of terms": (lambda x: np.sin(x) - np.cos(x) + x * x, 0, (4,)),
    "equal entries": (lambda x: np.sum(x, 0), 2, (4, 3)),
    "a symmetric matrix": (lambda x: np.sum(np.exp(np.outer(x, x))), 2, (70,)),
}


@pytest.mark.parametrize(("f", "order", "shape"), FILLS.values(), ids=FILLS.keys())
def test_the_step_that_computes_a_result_writes_it(f, order, shape):
    x = RNG.normal(size=shape)
    plan = eg.derivative(f, order).plan(x)
    text = emit_into(plan.program)
    assert not re.search(r"^    out0\[\.\.\.\] =", text, re.M)
    out = np.full(plan(x).shape, np.nan)
    plan(x, out=out)
    np.testing.assert_allclose(out, plan(x), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("n", [3, 17, 40])
def test_a_long_run_of_a_product_is_written_at_a_time(n):
    """Of d inv(X) / dX, whose last axis is short: the same bits."""
    x = RNG.normal(size=(n, n)) + 3 * np.eye(n)
    plan = eg.jacobian(np.linalg.inv).plan(x)
    out = np.empty((n,) * 4)
    np.testing.assert_array_equal(plan(x, out=out), plan(x))
    assert ("broadcast_to" in emit_into(plan.program)) == (n > 16)


def test_an_argument_may_be_filled():
    """Also one that the last step reads, or that only overlaps."""
    memory = RNG.normal(size=20)
    plan = eg.grad(lambda x: np.sum(x**3) * x[0]).plan(memory[:10])
    for given, out in ((memory[:10], memory[:10]), (memory[:10], memory[5:15])):
        expected = plan(given.copy())
        plan(given, out=out)
        np.testing.assert_array_equal(out, expected)
        memory[:] = RNG.normal(size=20)


def test_what_the_plan_captured_is_not_written_over():
    b = RNG.normal(size=(4, 4))
    plan = eg.grad(lambda x: x @ b @ x).plan(np.ones(4))
    (known,) = plan.captured
    with pytest.raises(ValueError, match="read-only"):
        plan(np.ones(4), out=known.array[0])
    np.testing.assert_array_equal(known.array, b)


@pytest.mark.parametrize("f", [lambda x: (x @ x, np.linalg.inv(x)), lambda x: np.linalg.inv(x) @ x])
def test_nothing_is_written_where_an_argument_is_singular(f):
    plan = eg.derivative(f, 0).plan(np.eye(2))
    outputs = plan(np.eye(2))
    is_pair = isinstance(outputs, tuple)
    out = (np.full((2, 2), 7.0), np.full((2, 2), 7.0)) if is_pair else np.full((2, 2), 7.0)
    with pytest.raises(np.linalg.LinAlgError):
        plan(np.zeros((2, 2)), out=out)
    np.testing.assert_array_equal(out, np.full(np.shape(out), 7.0))


def test_an_input_called_as_the_arrays_are():
    plan = eg.derivative(lambda out0, out1: out0 * out1, 0).plan(np.ones(3), np.ones(3))
    out = np.empty(3)
    plan(np.full(3, 2.0), np.full(3, 5.0), out=out)
    np.testing.assert_array_equal(out, 10)


def test_no_memory_is_taken_for_a_result_that_is_given():
    """One matrix of 8 MB; what is left are vectors."""
    x, out = RNG.normal(size=1000), np.empty((1000, 1000))
    plan = eg.jacobian(lambda x: np.outer(np.sin(x), x) @ np.ones(1000)).plan(x)
    product = eg.derivative(lambda x: np.outer(np.sin(x), x), 0).plan(x)
    for p, most in ((product, 1_000_000), (plan, 9_000_000)):
        assert allocated(lambda p=p: p(x, out=out)) < most
