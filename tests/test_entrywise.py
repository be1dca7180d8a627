"""Functions whose entries depend on one entry each: their Jacobian is a delta and a factor."""

import numpy as np
import pytest
from reference import assert_close

import eingrad as eg

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 3))
W = RNG.normal(size=(3, 3))
A, B = RNG.normal(size=(2, 3, 4))
SQUARES = {  # from nine numbers to nine
    "elementwise": lambda x: np.exp(-(x**2)) * np.sin(x) + 1 / (2 + x**2),
    "a layer for each number": lambda x: np.tanh(x[..., None] * A[0] + B[0]) @ A[1],
    "times other arrays": lambda x: A[:, :3] * x * x,
    "a select": lambda x: np.where(x > 0, x**2, np.sin(x) * x),
    "linear": lambda x: 3 * x,
    # not such, though of the same shape
    "transposed": lambda x: x.T**2,
    "reversed": lambda x: x * x[::-1],
    "rolled": lambda x: np.roll(x, 1, axis=0) * x,
    "a matrix product": lambda x: x @ x,
    "the sum too": lambda x: x * x.sum(),
    "rows normalised": lambda x: x / np.sqrt((x * x).sum(-1, keepdims=True)),
    "sums so far": lambda x: np.cumsum(x**2, 0),
    "gathered": lambda x: x[[0, 0, 2]] ** 2,
    "a diagonal": lambda x: x * np.diagonal(x),
    "constant": lambda x: A[:, :3] + 0 * x.sum(),
}


@pytest.mark.parametrize("name", SQUARES)
def test_a_product_with_a_cotangent_is_that_of_the_jacobian(name):
    f = SQUARES[name]
    expected = np.einsum("ij,ijkl->kl", W, eg.jacobian(f)(X))
    assert_close(eg.vjp(f)(X, W), expected)
    for product in (
        lambda x, w: np.einsum("ij,ijkl->kl", w, eg.jacobian(f)(x)),
        lambda x, w: np.tensordot(w, eg.jacobian(f)(x)),
        lambda x, w: eg.grad(lambda x: np.sum(w * f(x)))(x),
    ):
        assert_close(eg.plan(product, X, W)(X, W), expected)


@pytest.mark.parametrize("name", SQUARES)
def test_a_diagonal_is_that_of_the_jacobian(name):
    f = SQUARES[name]
    diagonal = lambda x: np.einsum("ijij->ij", eg.jacobian(f)(x))  # noqa: E731
    assert_close(eg.plan(diagonal, X)(X), diagonal(X))


def test_a_complex_cotangent_of_a_real_function():
    w = W + 1j * W.T
    f = SQUARES["elementwise"]
    assert_close(eg.vjp(f)(X, w), np.einsum("ij,ijkl->kl", w, eg.jacobian(f)(X)))


WAYS = {
    "vjp": lambda f: lambda x: eg.vjp(f)(x, np.ones_like(x)),
    "jvp": lambda f: lambda x: eg.jvp(f)(x, np.ones_like(x)),
    "sum of the Jacobian": lambda f: lambda x: eg.jacobian(f)(x).sum(0),
    "diagonal": lambda f: lambda x: np.diagonal(eg.jacobian(f)(x)),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_order_more_takes_no_more_than_the_function_itself(way):
    """Terms that are equal are one: backward there are more than twice as many at each order."""
    f = lambda x: np.exp(-(x**2)) * np.sin(3 * x)  # noqa: E731
    x = np.linspace(-1, 1, 100)
    functions = [f]
    for _ in range(6):
        functions.append(WAYS[way](functions[-1]))
    plans = [eg.plan(g, x) for g in functions]
    series = eg.taylor(f, 6)(x, np.ones_like(x))
    factorial = 1
    for k, (plan, coefficient) in enumerate(zip(plans, series, strict=True)):
        factorial *= max(k, 1)
        assert_close(plan(x), coefficient * factorial)
    flops = [plan.flops / 100 for plan in plans]
    assert max(np.diff(flops)) <= flops[0]
