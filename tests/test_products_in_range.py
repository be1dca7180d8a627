"""Derivatives of long products are in range where they exist: beside 60 digits of any power.

Parts of the products leave it: all small factors come before all large ones, say. An entry that is
infinite or subnormal in exact numbers is not compared; one that is zero is zero.
"""

import itertools
import math
import operator

import mpmath
import numpy as np
import pytest

import eingrad as eg

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")

RNG = np.random.default_rng(7)
EPS = 2.0**-53


def near(*powers):
    """Numbers of these magnitudes, in this order."""
    return 10.0 ** np.array(powers, float) * RNG.uniform(1, 2, size=len(powers))


FACTORS = {
    "in turn": near(*[-200, 200] * 4),
    "small ones first": near(*[-200] * 4, *[200] * 4),
    "large ones first": near(*[150] * 4, *[-150] * 4),
    "negative": -near(*[-160] * 4, *[160] * 3),
    "one zero": np.r_[near(*[-200] * 3), 0, near(*[200] * 4)],
    "two zeros": np.r_[0, near(*[-200] * 3), 0, near(*[200] * 3)],
    "three zeros": np.r_[0, near(*[-200] * 3), 0, near(*[200] * 3), 0],
    "four": near(-200, -200, 150, 150),
    "moderate": RNG.normal(size=7),
}


@pytest.fixture(autouse=True)
def _many_digits():
    with mpmath.workdps(60):
        yield


def exactly(numbers):
    return [mpmath.mpmathify(complex(n) if np.iscomplexobj(n) else float(n)) for n in numbers]


def product(numbers):
    return math.prod(exactly(numbers))


def prod_exactly(x, order):
    """All derivatives of one order of a product."""
    exact = np.zeros((len(x),) * order, object)
    for places in itertools.permutations(range(len(x)), order):
        exact[places] = product(np.delete(x, places))
    return exact


def cumprod_exactly(x, order):
    ends = [prod_exactly(x[: k + 1], order) for k in range(len(x))]
    exact = np.zeros((len(x),) * (order + 1), object)
    for k, end in enumerate(ends):
        exact[(k, *[slice(k + 1)] * order)] = end
    return exact


def assert_exact(found, exact, rtol):
    """Compare entry by entry, relative to each."""
    limits = np.finfo(found.dtype)
    for place, value in np.ndenumerate(exact):
        entry = found[place]
        if value == 0:
            assert entry == 0, place
        elif limits.tiny <= abs(value) <= limits.max:
            assert np.isfinite(entry), place
            assert abs(exactly([entry])[0] - value) <= rtol * abs(value), place


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("x", FACTORS.values(), ids=FACTORS)
def test_derivatives_of_a_product(x, order):
    """Each entry to the last bits, whatever the products of other parts are."""
    found = np.asarray(eg.derivative(np.prod, order)(x))
    assert_exact(found, prod_exactly(x, order), 2 * len(x) * EPS)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("x", FACTORS.values(), ids=FACTORS)
def test_derivatives_of_running_products(x, order):
    found = np.asarray(eg.derivative(np.cumprod, order)(x))
    assert_exact(found, cumprod_exactly(x, order), 2 * len(x) * EPS)


LONG = {
    "in turn": near(*[-200, 200] * 200),
    "small ones first": near(*[-200] * 200, *[200] * 200),
    "halves, then doubles": np.r_[np.full(1100, 0.5), np.full(1100, 2.0)],
    "halves and doubles": 2.0 ** RNG.permutation(np.repeat([-1, 1], 1000)),
    "around one half and two": RNG.permutation(np.repeat([0.5, 2.0], 1000))
    * RNG.uniform(1, 1.001, size=2000),
    "small, one zero": np.r_[near(*[-200] * 100), 0, near(*[200] * 100)],
}  # fmt: skip


def others_exactly(x):
    """Products of what is before and after each entry."""
    numbers, one = exactly(x), mpmath.mpf(1)
    before = [one, *itertools.accumulate(numbers[:-1], operator.mul)]
    after = [one, *itertools.accumulate(numbers[:0:-1], operator.mul)][::-1]
    return np.array([a * b for a, b in zip(before, after, strict=True)], object)


@pytest.mark.parametrize("x", LONG.values(), ids=LONG)
def test_the_gradient_of_a_long_product(x):
    assert_exact(eg.grad(np.prod)(x), others_exactly(x), 2 * len(x) * EPS)


@pytest.mark.parametrize("x", LONG.values(), ids=LONG)
def test_products_with_derivatives_of_a_long_product(x):
    """Along the factors themselves: by Euler, n times the value, and n - 1 times the gradient."""
    n = len(x)
    value = product(x)
    exact = others_exactly(x)
    wanted = np.array([n * value], object)
    assert_exact(np.atleast_1d(eg.jvp(np.prod)(x, x)), wanted, 4 * n * EPS)
    assert_exact(np.atleast_1d(eg.taylor(np.prod, 1)(x, x)[1]), wanted, 4 * n * EPS)
    assert_exact(eg.hvp(np.prod)(x, x), (n - 1) * exact, 8 * n * EPS)


def test_a_cotangent_of_running_products_that_leave_the_range_between():
    """The first is large where the others are small again: only their ratios are out of range."""
    x = near(*[-100, -100, -100, 200, 200, -200, -100, 150])
    weights = RNG.uniform(1, 2, size=len(x))
    jacobian = cumprod_exactly(x, 1)
    exact = np.array(exactly(weights), object) @ jacobian
    assert_exact(eg.grad(lambda x: weights @ np.cumprod(x))(x), exact, 4 * len(x) * EPS)
    tangent = x * RNG.uniform(1, 2, size=len(x))
    exact = jacobian @ np.array(exactly(tangent), object)
    assert_exact(eg.jvp(np.cumprod)(x, tangent), exact, 4 * len(x) * EPS)


@pytest.mark.parametrize("dtype", [np.complex128, np.float32, np.complex64])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_other_dtypes(order, dtype):
    """Powers of two are apart from both parts of a complex number."""
    power = 150 if np.finfo(dtype).dtype == np.float64 else 20
    x = near(*[-power] * 3, *[power] * 3).astype(dtype)
    if np.dtype(dtype).kind == "c":
        x = x * np.exp(1j * np.arange(6)).astype(dtype)
    found = np.asarray(eg.derivative(np.prod, order)(x))
    assert found.dtype == dtype
    assert_exact(found, prod_exactly(x, order), 20 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("n", [4, 8, 30, 100])
def test_moderate_factors_give_the_bits_that_they_gave(n):
    """Powers of two round nothing: the gradient is that of running products from both ends."""
    x = RNG.normal(size=n) / 2
    one = np.ones(1)
    before = np.cumprod(np.concatenate((one, x[:-1])))
    after = np.cumprod(np.concatenate((one, x[:0:-1])))[::-1]
    np.testing.assert_array_equal(eg.grad(np.prod)(x), before * after)


def test_within_other_programs():
    """Seams: rows of a batch, a scan that multiplies, a select, rows that are picked again."""
    x = np.array([near(*[-200] * 3, *[200] * 3), near(*[200] * 3, *[-200] * 3)])
    exact = np.array([others_exactly(row) for row in x])
    rows = np.array([1, 0, 1])
    assert_exact(eg.grad(lambda x: np.sum(np.prod(x, axis=1)))(x), exact, 20 * EPS)
    assert_exact(eg.grad(lambda x: np.sum(np.prod(x[rows], 1)))(x), exact * [[1], [2]], 20 * EPS)
    chosen = lambda x: np.sum(np.where(x > 1, np.prod(x, 1)[:, None], 0))  # noqa: E731
    assert_exact(eg.grad(chosen)(x), 3 * exact, 20 * EPS)
    scanned = lambda x: eg.scan(lambda c, row: (c + np.prod(row), None), 0.0, x)[0]  # noqa: E731
    assert_exact(eg.grad(scanned)(x), exact, 20 * EPS)
    hessian = eg.hessian(lambda x: np.sum(np.prod(x, axis=1)))(x)
    for k, row in enumerate(x):
        assert_exact(hessian[k, :, k], prod_exactly(row, 2), 20 * EPS)
    assert not hessian[0, :, 1].any()
