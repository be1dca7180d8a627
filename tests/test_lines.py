"""Products nested along one direction, and derivatives in one number: taken from one series."""

import functools
import math

import numpy as np
import pytest
from reference import assert_close

import eingrad as eg

N = 20
RNG = np.random.default_rng(0)
A, B, C = RNG.normal(size=(3, N, N)) / np.sqrt(N)
A = A / 3 + 2 * np.eye(N)
RIGHT = RNG.normal(size=N)
MATMUL, INVERSE = 2 * N**3, 8 * N**3 // 3

FUNCTIONS = {
    "inverse": lambda s: np.linalg.inv(A + s * B + s**2 * C),
    "solution": lambda s: np.linalg.solve(A + s * B, RIGHT),
    "log determinant": lambda s: np.linalg.slogdet(A + s * B + s**2 * C)[1],
    "quotient": lambda s: RIGHT / (2 + s * RIGHT) / np.sqrt(1 + s * s),
}


def nested(f, v, order):
    """Order times `jvp`, each along v."""
    for _ in range(order):
        f = functools.partial(lambda below, x: eg.jvp(below)(x, v), f)
    return f


def all_orders(f, v, order):
    return lambda x: [nested(f, v, k)(x) for k in range(order + 1)]


def stacked(f, v, order):
    return lambda x: np.stack(all_orders(f, v, order)(x))


@pytest.mark.parametrize("way", [all_orders, stacked, nested])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_nested_products_take_what_a_series_takes(name, way):
    """Returned as they are, stacked, or the last alone: to order six at most 1.1 times as much."""
    f = FUNCTIONS[name]
    plan = eg.plan(way(f, 1.0, 6), 0.1)
    series = eg.taylor(f, 6)
    assert plan.flops <= 1.1 * series.plan(0.1, 1.0).flops + 1000
    found = plan(0.1)
    coefficients = series(0.1, 1.0)
    expected = [math.factorial(k) * c for k, c in enumerate(coefficients)]
    if way is nested:
        assert_close(found, expected[-1], rtol=1e-8)
    else:
        for a, b in zip(found, expected, strict=True):
            assert_close(a, b, rtol=1e-8)


@pytest.mark.parametrize("order", [3, 6, 10])
def test_derivatives_in_one_number_take_what_a_series_takes(order):
    f = FUNCTIONS["inverse"]
    plan = eg.value_and_derivatives(f, order).plan(0.1)
    products = sum(min(k, 2) + 1 for k in range(1, order + 1))
    assert plan.flops <= 1.3 * (INVERSE + products * MATMUL)
    for k, (a, c) in enumerate(zip(plan(0.1), eg.taylor(f, order)(0.1, 1.0), strict=True)):
        assert_close(a, math.factorial(k) * c, rtol=1e-8)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_they_have_the_axes_of_derivatives(shape):
    x = np.full(shape, 0.3)

    def f(x):
        return np.arctan(np.array([1.0, 2.0, 3.0]) / (1 + np.sum(x)))

    found = eg.derivative(f, 4)(x)
    assert found.shape == (3, *shape * 4)
    assert_close(found.reshape(3), 24 * eg.taylor(f, 4)(x, np.ones(shape))[4])


def test_products_in_a_matrix_take_the_series_of_the_matrix():
    """Along a matrix V, an argument, within a function of what they give."""

    def f(x, v):
        third = nested(np.linalg.inv, v, 5)(x)
        return np.sum(third * third)

    plan = eg.plan(f, A, B)
    assert plan.flops <= INVERSE + 1.1 * 10 * MATMUL
    expected = 120 * eg.taylor(np.linalg.inv, 5)(A, B)[5]
    assert_close(plan(A, B), np.sum(expected**2), rtol=1e-8)
    assert_close(eg.grad(f)(A, B), eg.grad(lambda x: f(x, B))(A))


def test_what_is_between_the_products_is_expanded_too():
    """Of ``sin(f')'' `` the inner rate is a coefficient of the same series."""

    def inner(s):
        return np.sin(3 * eg.jvp(FUNCTIONS["quotient"])(s, 1.0)) * s

    def h(s):
        return np.sin(3 * eg.taylor(FUNCTIONS["quotient"], 1)(s, 1.0)[1]) * s

    assert_close(
        eg.plan(nested(inner, 1.0, 3), 0.2)(0.2), 6 * eg.taylor(h, 3)(0.2, 1.0)[3], rtol=1e-8
    )


def test_tangents_that_depend_on_the_point_are_differentiated():
    """``f'(x) x``, nested: each product differentiates the tangent of the one within."""

    def along_itself(g):
        return lambda x: eg.jvp(g)(x, x)

    found = eg.plan(along_itself(along_itself(along_itself(np.linalg.inv))), A)(A)
    assert_close(found, -np.linalg.inv(A))  # homogeneous of degree -1: three times -1


def test_what_is_made_of_the_point_outside_is_constant():
    """Of ``c x**3`` along x, with ``c = cos(x)``, c does not move, though it is made of x."""

    def f(x):
        c = np.cos(x)
        return nested(lambda y: c * y**3, 1.0, 2)(x)

    assert_close(eg.plan(f, 0.3)(0.3), 6 * 0.3 * np.cos(0.3))
    assert_close(eg.grad(f)(0.3), 6 * np.cos(0.3) - 6 * 0.3 * np.sin(0.3))


def test_different_directions_are_no_series():
    def f(x, u, v):
        return nested(lambda x: eg.jvp(np.linalg.inv)(x, u), v, 2)(x)

    found = eg.plan(f, A, B, C)(A, B, C)
    tensor = eg.derivative(np.linalg.inv, 3)
    expected = np.einsum(
        "abcdefgh,cd,ef,gh->ab", tensor(A[:3, :3]), B[:3, :3], C[:3, :3], C[:3, :3]
    )
    assert_close(f(A[:3, :3], B[:3, :3], C[:3, :3]), expected)
    assert found.shape == (N, N)


@pytest.mark.parametrize("verb", [eg.grad, eg.hessian, lambda f: eg.taylor(f, 2)])
def test_they_are_differentiated_again(verb):
    """Nested products within another verb are what the series within it is."""
    x, v = np.array([0.3, 0.7, 1.1]), RNG.normal(size=3)

    def f(x):
        return np.sum(np.log(2 + x * x) / (1 + x))

    last = () if verb in (eg.grad, eg.hessian) else (v,)
    ways = nested(f, v, 3), lambda x: 6 * eg.taylor(f, 3)(x, v)[3]
    found, expected = (verb(each)(x, *last) for each in ways)
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, rtol=1e-8)


def test_within_a_scan_they_are_those_of_the_loop():
    def step(c, _):
        return c + 0.1 * nested(lambda c: 1 / (1 + np.exp(-c)), 1.0, 3)(c), None

    def loop(c, scan):
        if scan:
            return eg.scan(step, c, None, length=4)[0]
        for _ in range(4):
            c, _ = step(c, None)
        return c

    for verb in (eg.derivative(loop, 0), eg.grad(loop)):
        assert_close(verb(0.3, True), verb(0.3, False))


def test_complex_directions_and_single_precision():
    def f(z):
        return 1 / (1 + z * z)

    found = eg.plan(nested(f, 1j, 4), 0.3)(0.3)
    assert_close(found, 24 * eg.taylor(f, 4)(0.3, 1j)[4])
    single = eg.plan(nested(f, np.float32(1), 4), np.float32(0.3))
    assert single(np.float32(0.3)).dtype == np.float32


@pytest.mark.parametrize(
    "f", [lambda x: x ** np.array(2.5), np.exp, np.log, lambda x: np.sin(x) * x, np.tan]
)
def test_a_rate_along_ones_may_be_a_slope(f):
    """What the product is then is what its own rule is made of."""
    found = eg.plan(nested(f, 1.0, 3), 0.7)(0.7)
    assert_close(found, 6 * eg.taylor(f, 3)(0.7, 1.0)[3], rtol=1e-8)
