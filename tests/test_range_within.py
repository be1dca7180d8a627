"""Values near the ends of the range where a function calls a derivative, or repeats a step.

Of ``s f(x / s)``, s a power of two, all values are those of f, times a power of two: exactly.
"""

import numpy as np
import pytest

import eingrad as eg

X = np.array([0.3, -0.7, 0.4])
SCALES = [2.0**582, 2.0**-600]


@pytest.fixture(autouse=True)
def raising():
    """Overflow and what is invalid are errors; underflow is told by the result."""
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        yield


def inner(u):
    return np.sum(np.sin(u) * u**2)


WITHIN = {  # found by the fuzzer (seed 71, program 171): numbers of the argument were collected
    "grad": eg.grad(inner),
    "grad of a cube": eg.grad(lambda u: np.sum(u**3)),
    "jvp": lambda x: eg.jvp(lambda u: np.sin(u) * u**2)(x, x),
    "vjp": lambda x: eg.vjp(lambda u: np.sin(u) * u**2)(x, np.cos(x)),
    "hvp": lambda x: eg.hvp(inner)(x, x),
    "hessian": lambda x: eg.hessian(inner)(x) @ np.ones(3),
    "series": lambda x: eg.taylor(lambda u: np.sin(u) * u**2, 3)(x, np.ones(3))[2],
}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("f", WITHIN.values(), ids=WITHIN.keys())
def test_the_argument_of_an_inner_derivative_stays_in_range(f, scale):
    """It is a value that the user wrote: its numbers are no part of the derivative."""
    scaled = eg.plan(lambda x: scale * f(x / scale), X * scale)
    np.testing.assert_allclose(scaled(X * scale) / scale, eg.plan(f, X)(X), rtol=1e-13)


def step(c, s):
    return np.sin(c) * s + 0.1 * c[::-1], c @ c


def last(x):
    return eg.scan(step, x, np.array([1.0, 1.5, 1.2]))[0]


def outputs(x):
    return eg.scan(step, np.zeros(3), np.stack([x, 2 * x, x]))[1]


def number(x):
    carry, ys = eg.scan(step, x, np.array([1.0, 1.5, 1.2]))
    return np.sum(carry**2) + ys.sum()


@pytest.mark.parametrize("scale", [2.0**700, 2.0**-700])
@pytest.mark.parametrize("f", [last, outputs, number])
def test_a_second_derivative_through_a_scan_stays_in_range(f, scale):
    """Found by the fuzzer (seed 8002, program 88): ``1 / s**2`` was a factor within its steps."""
    expected = eg.derivative(f, 2)(X)
    found = eg.derivative(lambda x: scale * f(x / scale), 2)(X * scale)
    np.testing.assert_allclose(found * scale, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("power", [93, -93])
def test_derivatives_of_a_running_product_stay_in_range(power):
    """Found by the fuzzer (seed 71, program 76): these are recurrences, also without a scan."""
    x, scale = np.float32([0.3, -0.7, 0.4, 0.2]), 2.0**power

    def product(x):
        return eg.hessian(lambda u: np.prod(1 + 0.2 * u))(x) @ np.ones(4, np.float32)

    expected = eg.derivative(product, 2)(x)
    scaled = eg.derivative(lambda x: scale * product(x / scale), 2)
    found = scaled(x * np.float32(scale)) * np.float32(scale)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("scale", [2.0**700, 2.0**-700])
def test_reverse_mode_of_a_scan_stays_in_range(scale):
    """Cotangents of a number that is scaled twice, which forward mode would not meet."""
    expected = eg.grad(number)(X)
    found = eg.grad(lambda x: scale * (scale * number(x / scale)))(X * scale)
    np.testing.assert_allclose(found / scale, expected, rtol=1e-12)
