"""Taylor coefficients at awkward points: ends of the range, kinks, zeros, ties; and dtypes."""

import functools
import math

import mpmath
import numpy as np
import pytest
from reference import assert_close

import eingrad as eg

LENGTHS = {
    "hypot": lambda x: np.hypot(x[0], x[1]),
    "norm": np.linalg.norm,
    "angle": lambda x: np.arctan2(x[0], x[1]),
}


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", LENGTHS)
def test_squares_leave_no_range(name, sign):
    """Of vectors whose squares are infinite, or zero: the same digits, moved.

    NumPy's norm of such is infinite, or zero, itself; its products of three are tried.
    """
    f, scale = LENGTHS[name], 2.0 ** (sign * (480 if name == "norm" else 700))
    x, v = np.array([0.3, 0.7]), np.array([1.0, -0.2])
    back = 1 if name == "angle" else scale
    for c, moved in zip(eg.taylor(f, 8)(x, v), eg.taylor(f, 8)(scale * x, scale * v), strict=True):
        np.testing.assert_allclose(moved / back, c, rtol=1e-13)


@pytest.mark.parametrize("gap", [50.0, -50.0, 800.0, -800.0, 0.0])
def test_tails_of_a_soft_maximum_keep_their_digits(gap):
    """Of ``log(exp(a + t) + exp(b - 2 t))``, far from and at ``a = b``, against exact ones."""
    with mpmath.workdps(900):
        reference = lambda t: mpmath.log(mpmath.exp(1 + t) + mpmath.exp(1 + gap - 2 * t))  # noqa: E731
        expected = [float(c) for c in mpmath.taylor(reference, 0, 5)]
    found = eg.taylor(lambda t: np.logaddexp(1 + t, 1 + gap - 2 * t), 5)(0.0, 1.0)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: x**2.5, 0.0),
        (lambda x: x**1.5, -0.0),
        (lambda x: x**0.5, 0.0),
        (lambda x: x**-1.5, 0.0),
        (lambda x: x**12, 0.0),
        (lambda x: x ** np.array([0.0, 1.0, 2.0, 2.5]), 0.0),
        (np.arcsin, 1.0),
        (np.arccos, -1.0),
        (np.arccosh, 1.0),
        (np.arctanh, 1.0),
        (lambda x: np.hypot(x, 0.0), 0.0),
        (lambda x: np.linalg.norm(np.stack([x, x])), 0.0),
        (lambda x: np.arctan2(x, 0.0 * x), 0.0),
        (lambda x: np.logaddexp(x, x), 0.3),
        (lambda x: np.clip(x, 0.0, 1.0), 1.0),
        (lambda x: np.abs(np.clip(x, -1.0, 1.0)), 0.0),
        (lambda x: np.maximum(x, np.stack([x, -x])), 0.0),
        (lambda x: np.prod(np.stack([x, x, 2 + x])), 0.0),
    ],
)
def test_the_first_coefficients_are_those_of_derivatives(f, x):
    """Value, and first derivative with the direction; to order three where it is finite."""
    with np.errstate(all="ignore"):
        series = eg.taylor(f, 3)(x, -2.0)
        for k, c in enumerate(series):
            expected = eg.derivative(f, k)(x) * (-2.0) ** k / math.factorial(k)
            if k < 2 or np.all(np.isfinite(expected)):
                np.testing.assert_allclose(c, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("exponent", [2.5, -1.5, 0.3, 7, 12, 1 + 2j, -0.5j])
@pytest.mark.parametrize("order", [3, 10])
def test_powers_agree_with_exact_ones(exponent, order):
    """Of exponents above the order and below it, negative, broken and complex."""
    x = 0.8 + 0j if isinstance(exponent, complex) else 0.8
    with mpmath.workdps(50):
        expected = [complex(c) for c in mpmath.taylor(lambda x: x**exponent, 0.8, order)]
    found = np.array(eg.taylor(lambda x: x**exponent, order)(x, 1.0))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def _everything(x):
    a, b = x[..., 0], x[..., 1]
    return np.stack(
        [
            np.hypot(a, b), np.arctan2(a, b), np.logaddexp(a, b), np.arcsinh(a), np.arccosh(1 + b),
            np.arcsin(a / 4), np.arccos(b / 4), np.log2(b), np.prod(x, -1),
            np.linalg.norm(x, axis=-1), a**2.5, np.clip(a, 0.2, 0.6), np.max(x, -1),
        ],
        -1,
    )  # fmt: skip


def test_single_precision_stays_and_batches_are_points():
    x, v = np.random.default_rng(0).uniform(0.2, 0.9, size=(2, 6, 3))
    series = eg.taylor(_everything, 5)(x, v)
    single = eg.taylor(_everything, 5)(x.astype(np.float32), v.astype(np.float32))
    for k, (c, s) in enumerate(zip(series, single, strict=True)):
        assert s.dtype == np.float32
        np.testing.assert_allclose(s, c, rtol=2e-3 * 10**k, atol=1e-3)
        for n in range(len(x)):
            assert_close(eg.taylor(_everything, 5)(x[n], v[n])[k], c[n])


def test_directions_are_complex_where_the_point_is_real():
    """A real function goes on along a complex direction, as its nested products do."""
    x, v = np.array([0.3, 0.7, 0.4]), np.array([0.2 + 0.1j, -0.3j, 0.5])
    nested = _everything
    for k, c in enumerate(eg.taylor(_everything, 3)(x, v)):
        assert_close(c, eg.derivative(nested, 0)(x) / math.factorial(k), rtol=1e-8)
        nested = functools.partial(lambda below, x: eg.jvp(below)(x, v), nested)


def test_plans_fill_given_arrays():
    x, v = np.random.default_rng(0).uniform(0.2, 0.9, size=(2, 4, 3))
    plan = eg.taylor(_everything, 3).plan(x, v)
    out = tuple(np.empty_like(c) for c in plan(x, v))
    plan(x, v, out=out)
    for a, b in zip(out, eg.taylor(_everything, 3)(x, v), strict=True):
        assert_close(a, b)


def test_coefficients_are_differentiated_twice():
    """The Hessian of a coefficient is the coefficient of the Hessian."""
    x, v = np.array([0.3, 0.7, 0.4]), np.array([0.2, -0.3, 0.5])

    def f(x):
        return np.sum(np.sin(_everything(x)))

    found = eg.hessian(lambda x: eg.taylor(f, 3)(x, v)[3])(x)
    assert_close(found, eg.taylor(eg.hessian(f), 3)(x, v)[3], rtol=1e-7)
