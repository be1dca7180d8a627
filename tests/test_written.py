"""What the user wrote is computed as he wrote it: order of factors, sums, accumulation."""

import numpy as np
import pytest

import eingrad as eg

RNG = np.random.default_rng(0)


def value(f, *args):
    """Give the value of a function as it is planned."""
    return eg.derivative(f, 0)(*args)


# Bits --------------------------------------------------------------------------------------------

A, B, C = RNG.normal(size=(3, 40, 40))
V = RNG.normal(size=40)

AS_WRITTEN = {
    "a chain from the left": lambda v: (A @ B) @ v,
    "a chain from the right": lambda v: A @ (B @ v),
    "a matrix twice": lambda v: A.T @ (A @ v),
    "a weighted square": lambda v: A.T @ (C @ (A @ v)),
    "an inverse": lambda v: A @ (np.linalg.inv(A) @ v),
    "a sum with a common factor": lambda v: A[0] * v + B[0] * v,
    "a sum of products": lambda v: A @ v + B @ v,
    "a product of sums": lambda v: (v + A[0]) * (v - A[0]),
    "a sum in a sum": lambda v: (v + A[0]) + (B[0] + v),
    "elementwise factors": lambda v: ((A[0] * v) * B[0]) * (v * C[0]),
    "a sum of squares": lambda v: np.sum(v * v),
    "a sum of squares, by an axis": lambda v: np.sum((A * v) ** 2, axis=1),
    "a mean of products": lambda v: np.mean(A * v, axis=0),
}


@pytest.mark.parametrize("f", AS_WRITTEN.values(), ids=AS_WRITTEN.keys())
def test_a_value_is_that_of_numpy_to_the_last_bit(f):
    """Nothing is associated, distributed, factored or accumulated in another way."""
    np.testing.assert_array_equal(value(f, V), f(V))


@pytest.mark.parametrize("f", AS_WRITTEN.values(), ids=AS_WRITTEN.keys())
def test_a_symbol_is_computed_as_it_was_written(f):
    """The same of expressions that are compiled; their constants lie in memory in another way."""
    v = eg.variable("v", V.shape)
    np.testing.assert_allclose(eg.compile(f(v))(V), f(V), rtol=1e-14, atol=1e-13)


@pytest.mark.parametrize("f", AS_WRITTEN.values(), ids=AS_WRITTEN.keys())
def test_a_value_beside_its_derivatives_is_that_of_numpy(f):
    np.testing.assert_array_equal(eg.value_and_derivatives(f, 2)(V)[0], f(V))


# Range -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda a, b, x: a * x + b * x,
        lambda a, b, x: (a * x) + (x * b) + a * x,
        lambda a, b, x: np.sum(a[:, None] * x[None, :] + b[:, None] * x[None, :]),
    ],
)
def test_factors_in_common_are_not_added_first(f):
    """``a + b`` overflows where ``a x + b x`` does not."""
    a, b, x = 1.7e308 * np.ones(3), 1.7e308 * np.ones(3), 1e-10 * np.ones(3)
    np.testing.assert_allclose(value(f, a, b, x), f(a, b, x), rtol=1e-15)


@pytest.mark.parametrize("subscripts", [",,,->", "i,i,i,i->i", ",i,,i->i", "ij,ij,ij,ij->ij"])
def test_an_elementwise_einsum_multiplies_in_the_order_of_its_operands(subscripts):
    """Pairs in another order overflow."""
    terms = subscripts.partition("->")[0].split(",")
    numbers = (1e200, 1e-200, 1e-200, 1e200)
    arrays = [np.full((2,) * len(t), x) for t, x in zip(terms, numbers, strict=True)]
    f = lambda *xs: np.einsum(subscripts, *xs)  # noqa: E731
    np.testing.assert_allclose(value(f, *arrays), f(*arrays), rtol=1e-15)
    for n, x in enumerate(numbers):
        gradient = eg.grad(lambda *xs: np.sum(f(*xs)), argnums=n)(*arrays)
        np.testing.assert_allclose(gradient * x, gradient * 0 + np.size(f(*arrays)) / gradient.size)


# Accumulation and digits -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(x * x),
        lambda x: np.mean(x**2),
        lambda x: np.sum((x - 0.5) * (x + 0.5)),
        np.var,
        lambda x: np.sum(x[None] * x[None], axis=1)[0],
    ],
)
def test_long_sums_in_float32_are_as_exact_as_those_of_numpy(f):
    """A product that is summed is no BLAS dot, which adds one by one."""
    x = np.random.default_rng(1).uniform(0.5, 1.5, 10**6).astype(np.float32)
    exact = f(x.astype(np.float64))
    ours, theirs = (abs(y - exact) / abs(exact) for y in (value(f, x), f(x)))
    assert ours <= 4 * theirs + 1e-7


@pytest.mark.parametrize(
    "f",
    [
        lambda w: 0.5 * np.sum((X @ w) ** 2),
        lambda w: np.sum(G * (X.T @ (X @ w))),
        lambda w: np.sum((X.T @ (X @ w)) ** 2) / 2,
        lambda w: np.sum(np.cosh(1e3 * (X @ w)) - 1),
    ],
)
def test_gradients_do_not_square_the_condition(f):
    """``X.T (X w)`` is not ``(X.T X) w``: where X w is small, half of the digits would go."""
    exact = eg.grad(f)(W)
    wide = X.astype(np.longdouble)
    y = wide @ W
    by_hand = {
        0: wide.T @ y,
        1: wide.T @ (wide @ G),
        2: wide.T @ (wide @ (wide.T @ y)),
        3: wide.T @ (1e3 * np.sinh(1e3 * y)),
    }
    errors = [np.abs(exact - g).max() / np.abs(g).max() for g in by_hand.values()]
    assert min(errors) < 1e-9


def nearly_singular():
    """A matrix, a vector that it makes small, and another one."""
    rng = np.random.default_rng(0)
    left, _ = np.linalg.qr(rng.normal(size=(200, 6)))
    right, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    matrix = left @ np.diag([1, 1, 1, 1, 1, 1e-6]) @ right.T
    return matrix, right[:, -1:] + 1e-7 * right[:, :1], right[:, :1]


X, W, G = nearly_singular()


# What is left to the library ---------------------------------------------------------------------


def flops(f, *args):
    return eg.derivative(f, 0).plan(*args).flops


@pytest.mark.parametrize(
    ("f", "most"),
    [
        (lambda a, b: np.trace(a @ b), 3 * 40**2),
        (lambda a, b: np.diagonal(a @ b), 3 * 40**2),
        (lambda a, b: np.sum(a @ b), 5 * 40**2),
        (lambda a, b: np.sum(a[:, :, None] * b[None], axis=1), 2 * 40**3),
        (lambda a, b: np.einsum("ij,jk,k->i", a, b, a[0]), 5 * 40**2),
        (lambda a, b: np.linalg.multi_dot([a, b, a[0]]), 5 * 40**2),
    ],
)
def test_what_one_call_leaves_open_is_planned(f, most):
    """A trace needs no whole product, and several operands of one call have no order."""
    np.testing.assert_allclose(value(f, A, B), f(A, B), rtol=1e-10)
    assert flops(f, A, B) <= most


def test_a_matrix_product_made_by_broadcasting_is_not_written_out():
    """It would be larger than its operands together."""
    plan = eg.derivative(lambda a, b: np.sum(a[:, :, None] * b[None], axis=1), 0).plan(A, B)
    assert plan.peak_bytes < 40**3 * 8
