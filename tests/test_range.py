"""Values and derivatives near the ends of the range: what the user keeps in it stays in it.

The oracle evaluates the same function in 40 digits and unlimited exponents; derivatives by hand or
by its differences. `np.errstate` raises, so an intermediate that overflows is a failure too.
"""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest

import eingrad as eg
from eingrad._ir import add_exactly, common_exponent, is_harmless, multiply

PRECISIONS = {np.float16: 15, np.float32: 127, np.float64: 1023}  # largest exponents of two


@pytest.fixture(autouse=True)
def raising():
    """Overflow and what is invalid are errors; underflow is told by the result."""
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        yield


def at(f, order, x):
    return np.asarray(eg.derivative(f, order)(*(x if isinstance(x, tuple) else (x,))))


def exact(f, order, x):
    """Differentiate in 400 digits, where nothing leaves its range."""
    with mpmath.workdps(400):
        point = mpmath.mpf(float(x))
        return float(mpmath.diff(f, point, order, h=abs(point or 1) * mpmath.mpf(10) ** -60))


SCALED = {
    "a square of a quotient": lambda x, s: (x / s) * (x / s),
    "a square of a product": lambda x, s: (x * (1 / s)) ** 2,
    "a cube": lambda x, s: (x / s) * (x / s) * (x / s),
    "scaled back": lambda x, s: s * ((x / s) * (x / s)),
    "scaled back by parts": lambda x, s: (s * (x / s)) * (x / s),
    "a negative scale": lambda x, s: (-x / s) * (x / s),
    "a sum of squares": lambda x, s: (x / s) * (x / s) + (2 * x / s) * (x / s),
    "a twofold scale": lambda x, s: ((x / s) / 2) * ((x / s) * 4),
}


@pytest.mark.parametrize("part", [0.4, 0.55, 0.7])
@pytest.mark.parametrize("dtype", PRECISIONS, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("f", SCALED.values(), ids=SCALED.keys())
@pytest.mark.parametrize("sign", [1, -1])
def test_a_scale_against_overflow_is_kept(f, dtype, part, sign):
    """At x about as large as its scale every value is about one, whatever the scale is."""
    s = 2.0 ** (sign * int(part * PRECISIONS[dtype]))
    x = dtype(1.25 * s)
    eps = float(np.finfo(dtype).eps)
    for order in range(3):
        expected = exact(lambda x: f(x, mpmath.mpf(s)), order, x)
        low, high = float(np.finfo(dtype).tiny), float(np.finfo(dtype).max)
        if abs(expected) > high or 0 < abs(expected) < low:
            continue  # it does not exist in this dtype
        np.testing.assert_allclose(at(lambda x: f(x, s), order, x), expected, rtol=8 * eps)


WRITTEN = {
    "a norm": (lambda x: 1e160 * np.sqrt(np.sum((x / 1e160) ** 2)), np.array([3e160, 4e160])),
    "a logarithm": (lambda x: np.log(np.sum((x * 1e-180) ** 2)), np.array([3e180, 4e180])),
    "a large factor at zero": (lambda x: (1e200 * x) ** 2, np.zeros(())),
    "tiny, squared, scaled back": (lambda x: (1e-200 * x) ** 2 * 1e300, np.asarray(1e100)),
    "two scales": (lambda x: (1e-170 * x) * (1e170 * x), np.asarray(1.5)),
    "a quotient of scales": (lambda x: (x / 1e170) / (x * 1e-170 + 1), np.asarray(1e170)),
    "a matrix": (lambda x: ((x / 1e170) @ np.ones((2, 2))) @ (x / 1e170), np.full(2, 1e170)),
    "in an einsum": (lambda x: np.einsum("i,i->", x / 1e170, x / 1e170), np.full(2, 1e170)),
    "in a slice": (lambda x: np.sum((x / 1e170)[1:] * (x / 1e170)[:-1]), np.full(3, 1e170)),
    "transposed": (lambda x: np.sum((x / 1e170).T * (x / 1e170)), np.full((2, 2), 1e170)),
    "broadcast": (lambda x: np.sum((x / 1e170)[:, None] * (x / 1e170)), np.full(2, 1e170)),
    "a mean": (lambda x: np.mean(x / 1e3), np.full(10, 1e298)),
    "a sum": (lambda x: np.sum(x * 1e-12), np.full(10, 1.7e308)),
}


@pytest.mark.parametrize(("f", "x"), WRITTEN.values(), ids=WRITTEN.keys())
def test_a_value_in_range_is_that_of_numpy(f, x):
    np.testing.assert_allclose(at(f, 0, x), f(x), rtol=1e-14)


@pytest.mark.parametrize(("f", "x"), WRITTEN.values(), ids=WRITTEN.keys())
def test_a_first_derivative_in_range_is_right(f, x):
    """Euler's relation and a difference in the scale of x."""
    step = 1e-6 * (np.abs(x).max() or 1e-203)
    gradient = at(f, 1, x)
    for n in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[n] = step
        by_difference = (f(x + e) - f(x - e)) / step / 2
        np.testing.assert_allclose(gradient[n], by_difference, rtol=1e-6, atol=1e-300)


@pytest.mark.parametrize(
    "numbers",
    [[1e200, 1e-200, 1e200, 1e-200], [1e300, 1.0, 1e-200, 1e-200], [-1e250, 1e-250, 1e250]],
)
@pytest.mark.parametrize("f", [np.prod, np.multiply.reduce, lambda x: np.cumprod(x)[-1]])
def test_a_product_is_taken_in_the_order_of_its_factors(f, numbers):
    """Others, first with last say, leave the range."""
    x = np.array(numbers)
    np.testing.assert_array_equal(eg.derivative(f, 0)(x), f(x))
    with np.errstate(over="ignore"):
        gradient = eg.grad(f)(x)
    for k, slope in enumerate(gradient):
        exact = math.prod(Fraction(y) for n, y in enumerate(numbers) if n != k)
        if len(x) == 3 and abs(exact) < Fraction(np.finfo(float).max):
            np.testing.assert_allclose(slope, float(exact), rtol=1e-15)


def test_the_gradient_of_a_long_product_is_linear_in_its_length():
    """What is before an entry and what is after it are running products from both ends."""
    flops = [eg.grad(np.prod).plan(np.ones(n)).flops for n in (256, 1024)]
    assert flops[1] < 5 * flops[0]
    assert flops[1] < 10 * 1024


NEAR, FAR = np.array([1e308]), np.array([1e-70])
EIGHTHS = np.full((2, 2), 4e19, np.float32)
SMALL = {  # harmless numbers next to the ends of the range
    "a norm of eighths": (lambda x: 8 * np.sqrt(np.sum((x / 8) ** 2)), np.full(2, 2e19, "f")),
    "a norm, scaled a little": (
        lambda x: 6e4 * np.sqrt(np.sum((x / 6e4) ** 2)), np.full(2, 2e154)
    ),
    "a sum of quarters": (lambda x: np.sum(x / 4), np.full(4, 1.5e308)),
    "a mean of halves": (lambda x: np.mean(x / 2), np.full(2, 1.5e308)),
    "a matrix product of eighths": (lambda x: np.sum((x / 8) @ (x / 8)), EIGHTHS),
    "a sum of exponentials": (
        lambda x: 1e-6 * np.exp(x) + 1e-6 * np.exp(x - 0.01), np.array(709.7)
    ),
    "a sum of others": (lambda x: 1e-7 * x**4 + 3e-7 * np.exp(x), np.array(709.7)),
    "halves of halves": (lambda x: 0.5 * np.exp(x) + 0.5 * np.exp(x - 0.01), np.float16(11.0)),
    "three scales": (lambda z: np.sum((1e150 * z) * ((NEAR / 1e200) * (FAR * 1e110))), np.ones(1)),
}  # fmt: skip


@pytest.mark.parametrize(("f", "x"), SMALL.values(), ids=SMALL.keys())
def test_a_harmless_number_stays_where_it_is_near_the_ends_of_the_range(f, x):
    value = eg.derivative(f, 0)(x)
    np.testing.assert_allclose(value, f(x), rtol=4 * np.finfo(value.dtype).eps)
    gradient = eg.jacobian(f)(x)
    assert np.all(np.isfinite(gradient))
    slope = np.sum(
        gradient.astype(float) * np.asarray(x, float)
    )  # Euler's, or x f' of exponentials
    wide = np.asarray(x, np.longdouble)
    step = np.longdouble(1e-7)
    expected = (f(wide * (1 + step)) - f(wide * (1 - step))) / (2 * step)
    np.testing.assert_allclose(slope, float(expected), rtol=1e-2 if value.dtype == "e" else 1e-5)


@pytest.mark.parametrize("shape", [(10,), (7, 3), (1000,)])
def test_the_mean_of_halves_is_that_of_numpy(shape):
    """The sum of such halves is no half; NumPy adds in single precision, and so do we."""
    x = np.full(shape, 60000, np.float16)
    for options in ({}, {"axis": 0}, {"keepdims": True}, {"where": np.ones(shape, bool)}):
        value = eg.derivative(lambda x, o=options: np.mean(x, **o), 0)(x)
        assert value.dtype == np.float16
        np.testing.assert_array_equal(value, np.mean(x, **options))
    gradient = eg.grad(np.mean)(x)
    assert gradient.dtype == np.float16
    np.testing.assert_allclose(gradient, 1 / x.size, rtol=1e-3)


@pytest.mark.parametrize(("x", "scale"), [(1e-300, 1e-310), (2e-310, 3e-310), (1.0, 1e308)])
def test_a_divisor_without_a_reciprocal_divides(x, scale):
    """1 / 1e-310 is no float, and 1 / 1e308 is subnormal."""
    np.testing.assert_allclose(eg.derivative(lambda x: x / scale, 0)(x), x / scale, rtol=1e-15)


@pytest.mark.parametrize("divisor", [3, 0.1, 7.3, 1e-3, 49.0, np.pi])
def test_a_quotient_is_that_of_numpy_to_the_last_bit(divisor):
    """Multiplied by a rounded reciprocal, the last bit would differ."""
    x = np.random.default_rng(0).normal(size=1000)
    np.testing.assert_array_equal(eg.derivative(lambda x: x / divisor, 0)(x), x / divisor)


# Signs of zero -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: np.arctan2(-0.0, x), -1.0),
        (lambda x: np.arctan2(np.float64(-0.0), x), -1.0),
        (lambda x: 1 / np.where(x > 0, -0.0, x), 1.0),
        (lambda x: np.where(x > 0, -0.0, x), 1.0),
        (lambda x: np.minimum(x, -0.0), 1.0),
        (lambda x: np.maximum(np.array([-0.0]), x), -np.ones(1)),
        (lambda x: np.stack([x, x * 0 + x])[0] * np.float32(-0.0), 2.0),
    ],
)
def test_a_constant_keeps_the_sign_of_zero(f, x):
    with np.errstate(divide="ignore"):
        expected, actual = np.asarray(f(np.asarray(x))), np.asarray(eg.derivative(f, 0)(x))
    np.testing.assert_array_equal(actual, expected)
    np.testing.assert_array_equal(np.signbit(actual), np.signbit(expected))


# The rule ----------------------------------------------------------------------------------------


def test_numbers_are_multiplied_exactly():
    """Also beyond the range of a float, from which they may come back."""
    assert multiply(0.1, 3) != 0.1 * 3  # that is rounded
    assert multiply(0.1, 3) == 3 * Fraction(0.1)
    assert multiply(multiply(1e200, 1e200), 1e-200) == Fraction(1e200) ** 2 * Fraction(1e-200)
    assert multiply(0.5j, 2j) == -1
    assert add_exactly(add_exactly(1e17, 1), -1e17) == 1


def test_numbers_of_a_long_program_stay_short():
    """A product of 10,000 numbers is a rational of bounded length, near the exact one."""
    number = 1
    for _ in range(10_000):
        number = multiply(number, 0.9)
    exact = Fraction(0.9) ** 10_000
    assert abs(Fraction(number) / exact - 1) < 2.0**-48
    assert Fraction(number).denominator.bit_length() < 5_000


@pytest.mark.parametrize(("dtype", "most"), [("e", 1.0), ("f", 2.0**4), ("d", 2.0**16)])
def test_a_number_of_the_users_moves_within_a_stated_margin(dtype, most):
    """docs/conventions.md states it."""
    dtype = np.dtype(dtype)
    assert is_harmless(most, dtype)
    assert is_harmless(-1 / most, dtype)
    assert not is_harmless(most * 1.01, dtype)
    assert not is_harmless(0.99 / most, dtype)


def test_signs_and_what_divides_a_sum_leave_their_factors_and_other_numbers_do_not():
    """The properties above would accept a tracer that makes every number an operation."""
    x, y = eg.variable("x", 3), eg.variable("y", 3)
    assert str((-x) * (-y)) == "[i] = x[i] y[i]"
    assert str(np.mean(x) * y) == "[i] = (1/3) (sum_j x[j]) y[i]"
    assert str((2 * x) * (3 * y)) == "[i] = 3 y[i] (2 x[i])"
    kept = str((1e30 * x) * (y / 1e30))
    assert "(1e+30 x[i])" in kept
    assert "(y[i] / 1e+30)" in kept
    assert str(eg.differentiate((2 * x) * (3 * y), x)) == "[i,j] = 2 delta[i,j] (3 y[i])"


def test_a_scale_and_its_inverse_cancel_in_a_derivative():
    """``(s x) (y / s)``: the slope is y, not s times what may have no square."""
    x, y = eg.variable("x", 3), eg.variable("y", 3)
    assert str(eg.differentiate((1e30 * x) * (x / 1e30), x)) == "[i,j] = 2 delta[i,j] x[i]"
    assert str(eg.differentiate((1e30 * x) * (y / 1e30), x)) == "[i,j] = delta[i,j] y[i]"
    point = np.array([0.3, -0.7, 1.1]), np.array([1.3, 0.4, -0.2])
    for s in (1e200, 1e-200):
        ours = eg.derivative(lambda x, y, s=s: np.cosh((s * x) * (y / s)).sum(), 3)(*point)
        plain = eg.derivative(lambda x, y: np.cosh(x * y).sum(), 3)(*point)
        np.testing.assert_allclose(ours, plain, rtol=1e-13)


def test_numbers_of_a_derivative_are_collected():
    """``T f(x / S)``: its second derivative has ``T / S**2``, though 1 / S**2 is no float."""
    s = 1e170
    result = eg.hessian(lambda x: s * (s * np.cosh(x / s)))(np.asarray(s))
    np.testing.assert_allclose(result, np.cosh(1.0), rtol=1e-15)
    with np.errstate(over="ignore"):
        assert np.isinf(eg.hessian(lambda x: s * np.cosh(x * s))(np.asarray(1 / s)))  # no float


def test_a_derivative_of_a_users_scale_is_structured():
    """A harmful number does not make a diagonal dense."""
    jacobian = eg.jacobian(lambda x: (x / 1e170) * 1e30, structured=True)(np.ones(1000))
    assert jacobian.nbytes <= 8000
    hessian = eg.hessian(lambda x: np.sum((x / 1e170) ** 2) * 1e300)
    plan = eg.derivative(lambda x, v: hessian(x) @ v, 0).plan(np.ones(1000), np.ones(1000))
    assert plan.flops < 20_000


CAPTURED = np.array([0.3, 0.7])
WITHIN = {  # of a number x, a scale s and an array a that NumPy scales; all are a x
    "divided": lambda x, s, a: (s * x) * (a / s),
    "multiplied": lambda x, s, a: (x / s) * (a * s),
    "both captured": lambda x, s, a: (s * a) * x * (a / s) / a,
    "with a zero": lambda x, s, a: (np.append(a, 0.0) / s * (x * s))[:2],
    "turned": lambda x, s, a: (s * x) * (np.outer(a, a) / s).T[0] / a[0],
    "a list": lambda x, s, a: (s * x) * np.array((a / s).tolist(), s.dtype),
    "summed": lambda x, s, a: (s * x) * (a / s / 2) + (a / s / 2) * (s * x),
    "another scale": lambda x, s, a: (s * x) * (a / s * 4) / 4,
}


@pytest.mark.parametrize("dtype", PRECISIONS, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("inner", WITHIN.values(), ids=WITHIN.keys())
@pytest.mark.parametrize("sign", [1, -1])
def test_a_scale_within_a_captured_array(inner, dtype, sign):
    """NumPy has divided before eingrad sees the array: its scale is found in its values.

    Of ``(s * x) * (a / s)``; found by the fuzzer at order 3 (seed 9202, program 1357).
    """
    s = dtype(2.0 ** (sign * int(0.52 * PRECISIONS[dtype])))
    a, x = CAPTURED.astype(dtype), dtype(1.5)
    eps = float(np.finfo(dtype).eps)
    with np.errstate(all="ignore" if dtype is np.float16 else "raise", under="ignore"):
        value = at(lambda x: inner(x, s, a), 0, x)
        np.testing.assert_allclose(value, inner(x, s, a), rtol=2 * eps)
        for order in (1, 2, 3):
            result = at(lambda x: np.sin(inner(x, s, a)), order, x)
            expected = np.sin(1.5 * CAPTURED + order * np.pi / 2) * CAPTURED**order
            np.testing.assert_allclose(result, expected, rtol=64 * eps)


@pytest.mark.parametrize(
    ("values", "exponent"),
    [
        ([3e160, 7e170], 534),
        ([3e-160, 7e-170], -529),
        ([3e-160, 7e170], 0),
        ([1e-160, 0.3], 0),
        ([0.0, 5e-324, np.inf, np.nan], -1022),
        ([1.7e308], 1022),
        ([0.0, 0.0], 0),
        ([np.inf], 0),
        ([], 0),
        (np.array([2.0**40], np.float32), 41),
        (np.array([2.0**-12], np.float16), -11),
        (np.array([1e-160j, 2e-160 + 1e-200j]), -530),
        (np.array([1e160 + 1e-300j]), 0),
        (np.array([2**62]), 0),
    ],
)
def test_the_scale_of_an_array_is_a_power_of_two_that_no_entry_loses_by(values, exponent):
    array = np.asarray(values)
    assert common_exponent(array) == exponent
    scaled = array * array.dtype.type(2.0**-exponent)
    np.testing.assert_array_equal(scaled * array.dtype.type(2.0**exponent), array)


CONVERTED = {
    "complex": (lambda x, y, s: (s * y) * (x / s), np.complex128, np.float64),
    "complex, the other way round": (lambda x, y, s: (y / s) * (x * s), np.complex128, np.float64),
    "complex of single precision": (lambda x, y, s: (s * y) * (x / s), np.complex64, np.float32),
    "double and single": (lambda x, y, s: (s * y) * (x / s), np.float64, np.float32),
    "single and half": (lambda x, y, s: (s * y) * (x / s), np.float32, np.float16),
    "a running sum": (lambda x, y, s: np.cumsum(s * np.stack([y]))[0] * (x / s), float, float),
    "by astype": (lambda x, y, s: (s * y).astype(complex) * (x / s), np.complex128, np.float64),
}


@pytest.mark.parametrize(("inner", "of_x", "of_y"), CONVERTED.values(), ids=CONVERTED.keys())
@pytest.mark.parametrize("sign", [1, -1])
def test_a_scale_leaves_what_is_linear(inner, of_x, of_y, sign):
    """Of ``(s * y) * (x / s)``, x complex; found by the fuzzer (seed 9303, program 674)."""
    s = 2.0 ** (sign * int(0.6 * PRECISIONS[np.zeros((), of_y).real.dtype.type]))
    x, y = of_x(0.4 + 0.1j if np.dtype(of_x).kind == "c" else 0.4), of_y(0.75)
    with np.errstate(all="ignore"):
        for order in (1, 2, 3):
            result = at(lambda x, y: np.cos(inner(x, y, s)), order, (x, y))
            phase = 0.75 * complex(x) + order * np.pi / 2
            expected = np.cos(phase) * 0.75**order
            eps = np.finfo(of_y).eps
            np.testing.assert_allclose(result, expected, rtol=64 * eps)


@pytest.mark.parametrize(("s", "t"), [(1e170, 1e160), (1e-170, 1e-160), (1e200, 1e140)])
def test_scales_that_cancel_in_part_do_so(s, t):
    """Of ``(s * x) * (y / t)``: what is left of both is multiplied once."""
    result = eg.derivative(lambda x, y: np.sin((s * x) * (y / t)), 2)(t / s, np.asarray(0.7))
    np.testing.assert_allclose(result, -np.sin(0.7) * 0.49 * (s / t) ** 2, rtol=1e-13)
