"""Arrays like a traced value, of one number: known where they are used, but still arrays."""

import numpy as np
import pytest

import eingrad as eg

POINT = np.array([0.5, -2.0, 3.0])
LIKE = {
    "ones_like": np.ones_like,
    "zeros_like": np.zeros_like,
    "full_like": lambda x: np.full_like(x, 2.5),
    "of another shape": lambda x: np.ones_like(x, shape=(2, 3)),
    "of another dtype": lambda x: np.full_like(x, 1j, dtype=complex),
    "in single precision": lambda x: np.full_like(x, 0.1, dtype=np.float32),
}


@pytest.mark.parametrize("like", LIKE.values(), ids=LIKE)
def test_it_is_a_constant_and_no_array_is_captured(like):
    f = lambda x: like(x) * np.sin(x)  # noqa: E731
    plan = eg.plan(f, POINT)
    assert plan.captured == ()
    assert plan(POINT).dtype == f(POINT).dtype
    np.testing.assert_array_equal(plan(POINT), f(POINT))


OTHERS = {
    "written to": lambda w: w.__setitem__(1, 7.0) or w,
    "filled with another number": lambda w: w.fill(4.0) or w,
    "a view": lambda w: w[::-1],
    "a copy": lambda w: w.copy(),
    "a product": lambda w: 3 * w,
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_what_the_user_makes_of_it_is_an_array_of_his(change):
    f = lambda x: change(np.ones_like(x)) * x  # noqa: E731
    plan = eg.plan(f, POINT)
    assert len(plan.captured) == 1
    np.testing.assert_array_equal(plan(POINT), f(POINT))


def test_each_use_has_the_values_of_its_time():
    """As in NumPy: what was computed before a write does not change with it."""

    def f(x):
        w = np.ones_like(x)
        before = w * x
        w[0] = 5.0
        return before + w * x**2

    np.testing.assert_array_equal(eg.plan(f, POINT)(POINT), f(POINT))


@pytest.mark.parametrize("number", [np.nan, np.inf, -0.0])
def test_what_no_coefficient_can_be_stays_an_array(number):
    f = lambda x: np.full_like(x, number) * x  # noqa: E731
    plan = eg.plan(f, POINT)
    assert len(plan.captured) == 1
    np.testing.assert_array_equal(np.signbit(plan(POINT)), np.signbit(f(POINT)))
    np.testing.assert_array_equal(plan(POINT), f(POINT))


def test_integers_are_positions_as_before():
    f = lambda x: x[np.zeros_like(x, dtype=int)]  # noqa: E731
    np.testing.assert_array_equal(eg.plan(f, POINT)(POINT), f(POINT))


def test_an_array_that_died_is_not_mistaken_for_one_in_its_place():
    """They may have one address: what is known is forgotten with the array."""

    def f(x):
        total = 0.0
        for k in range(50):
            np.ones_like(x)  # dies at once
            total = total + np.full(x.shape, float(k)) * x
        return total

    np.testing.assert_array_equal(eg.plan(f, POINT)(POINT), f(POINT))


def test_factors_of_one_do_not_keep_equal_terms_apart():
    """Three arrays of ones were three unknown factors."""

    def elementwise(f):
        return lambda x: eg.vjp(f)(x, np.ones_like(x))

    nested = elementwise(elementwise(elementwise(np.tanh)))
    series = eg.plan(lambda x: 6 * eg.taylor(np.tanh, 3)(x, np.ones_like(x))[3], POINT)
    plan = eg.plan(nested, POINT)
    np.testing.assert_allclose(plan(POINT), series(POINT), rtol=1e-12)
    assert plan.flops <= series.flops
