"""Derivatives within a function: what they are multiplied with goes into them first.

Values are those of the derivative written out, contracted by NumPy. Costs are counted from the
program: whichever way a product is written, it costs what a sweep along the vectors costs.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import assert_close

import eingrad as eg
from eingrad.errors import TracerLeakError, UnsupportedFunctionError

N = 4
RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(3, N)), RNG.normal(size=(N, N))
PICKS = np.array([0, 2, 2, 1, 3, 0, 0])

NUMBERS = {
    "network": lambda x: np.sum(np.tanh(B @ np.tanh(A.T @ np.tanh(A @ x))) ** 2),
    "logsumexp": lambda x: np.log(np.sum(np.exp(B @ x))),
    "picked": lambda x: np.sum(np.exp((B @ x)[PICKS]) * np.arange(7)),
    "form": lambda x: x @ B @ x * np.sum(x**2),
    "ring": lambda x: np.sum((x + np.roll(x, 1) * x[::-1]) ** 3),
    "slices": lambda x: np.sum(np.sin(x[:2].reshape(1, 2) @ x[2:].reshape(2, 1))) + np.prod(x),
    "select": lambda x: np.sum(np.where(x > 0, x**3, np.exp(x))),
    "inverse": lambda x: np.trace(np.linalg.inv(0.1 * np.diag(x) + np.outer(x, x) + 3 * np.eye(N))),
}
ARRAYS = {
    "layer": lambda x: np.tanh(A @ np.tanh(B @ x)),
    "product": lambda x: (B @ x) * x,
    "pieces": lambda x: np.concatenate([x[:2] * x[2:], np.sin(x)]),
    "matrix": lambda x: np.outer(x, np.sin(x)) + B,
    "entries": lambda x: np.sin(x) * x,
}
FUNCTIONS = NUMBERS | ARRAYS
AFTER = (
    lambda part: part,
    lambda part: 2 * np.sin(part),
    lambda part: part + np.ones(np.shape(part)),
)


# Values ------------------------------------------------------------------------------------------


@st.composite
def contractions(draw):
    """A derivative, subscripts that contract it with arrays, what is added to it, and done after.

    Axes are tied, summed, kept; arrays have one or two of its axes, or one of their own.
    """
    name = draw(st.sampled_from([*FUNCTIONS]))
    f = FUNCTIONS[name]
    order = draw(st.integers(1, 3 if name in NUMBERS else 2))
    shape = (*np.shape(f(np.ones(N))), *(N,) * order)
    terms = list("abcdefgh"[: len(shape)])
    for n in range(1, len(terms)):
        like = [m for m in range(n) if shape[m] == shape[n]]
        if like and draw(st.integers(0, 7)) == 0:
            terms[n] = terms[draw(st.sampled_from(like))]
    sizes = dict(zip(terms, shape, strict=True))
    others = []
    own = iter("pqrstuvw")
    for term in dict.fromkeys(terms):
        kind = draw(st.sampled_from(["none", "vector", "vector", "matrix", "metric"]))
        if kind == "vector":
            others.append(term)
        elif kind == "matrix":
            other = next(own)
            sizes[other] = draw(st.integers(1, 5))
            others.append(term + other)
        elif kind == "metric":
            other = draw(st.sampled_from(terms))
            others.append(term + other if other != term else term)
    wanted = [i for i in sizes if draw(st.integers(0, 2)) == 0]
    out = "".join(draw(st.permutations(wanted)))
    arrays = [RNG.normal(size=[sizes[i] for i in other]) for other in others]
    subscripts = ",".join(["".join(terms), *others]) + "->" + out
    sums = draw(st.sampled_from(["alone", "with a number", "with another"]))
    return f, order, subscripts, arrays, sums, draw(st.sampled_from(AFTER))


@given(contractions(), st.integers(0, 2**32 - 1))
def test_a_product_with_a_derivative_is_that_with_its_entries(contraction, seed):
    f, order, subscripts, arrays, sums, after = contraction
    x = np.random.default_rng(seed).normal(size=N)

    def product(derivative, x, arrays):
        tensor = derivative(x)
        if sums == "with a number":
            tensor = tensor + np.ones(tensor.shape)
        if sums == "with another":
            tensor = 2.5 * tensor - 0.5 * derivative(1.5 * x)
        return after(np.einsum(subscripts, tensor, *arrays))

    derivative = eg.derivative(f, order)
    traced = eg.derivative(lambda x, arrays: product(derivative, x, arrays), 0)
    assert_close(traced(x, arrays), product(derivative, x, arrays))


def f(x):
    return np.sum(np.tanh(B @ x) ** 3)


X, V = RNG.normal(size=(2, N))


def test_derivatives_of_two_functions_within_one_have_inputs_of_their_own():
    """What the first is of, the second closes over: their arguments must not be taken for one."""

    def g(x, v):
        inner = eg.grad(f)(x)
        outer = eg.jacobian(lambda y: inner * y + np.sin(y * x))(v)
        return outer @ v + eg.hessian(lambda y: np.sum(inner * y**3))(v) @ v

    inner = eg.grad(f)(X)
    outer = np.diag(inner + np.cos(V * X) * X)
    assert_close(eg.derivative(g, 0)(X, V), outer @ V + 6 * inner * V * V)


@pytest.mark.parametrize(
    "third",
    [
        lambda x, v: eg.jacobian(lambda y: eg.hessian(f)(y) @ v)(x) @ v,
        lambda x, v: eg.jacobian(eg.hessian(f))(x) @ v @ v,
        lambda x, v: eg.grad(lambda y: v @ eg.hessian(f)(y) @ v)(x),
        lambda x, v: np.tensordot(eg.derivative(f, 3)(x), np.outer(v, v), 2),
    ],
)
def test_a_derivative_of_a_derivative_is_contracted(third):
    assert_close(eg.derivative(third, 0)(X, V), eg.derivative(f, 3)(X) @ V @ V)


def test_blocks_of_several_arguments_are_contracted():
    def loss(p, q):
        return np.sum(np.sin(p["a"]) * q) + p["b"] ** 2 * q[0]

    def products(p, q, v):
        blocks = eg.hessian(loss, argnums=(0, 1))(p, q)
        return blocks[0]["a"][1] @ v, v @ blocks[1][0]["a"], blocks[0]["a"][0]["a"] @ v

    p, q = {"a": X, "b": 1.5}, RNG.normal(size=N)
    for found, expected in zip(eg.derivative(products, 0)(p, q, V), products(p, q, V), strict=True):
        assert_close(found, expected)


def test_a_complex_vector_meets_a_real_derivative():
    v = V + 1j * X
    assert_close(eg.derivative(lambda x, v: eg.hessian(f)(x) @ v, 0)(X, v), eg.hessian(f)(X) @ v)


def test_a_holomorphic_derivative_is_contracted_without_conjugation():
    z = X + 1j * V
    g = lambda z: np.sum(z**3 * np.exp(z))  # noqa: E731
    assert_close(eg.derivative(lambda z: eg.hessian(g)(z) @ z, 0)(z), eg.hessian(g)(z) @ z)


def test_a_traced_derivative_can_be_printed():
    def printed(x):
        tensor = eg.hessian(f)(x)
        assert str(tensor) == "[i,j] = derivative(c0, x)[i,j]"
        assert len(tensor.terms()) == 1
        return np.sum(tensor)

    assert_close(eg.derivative(printed, 0)(X), eg.hessian(f)(X).sum())


def test_what_cannot_be_differentiated_is_refused_within_a_function():
    with pytest.raises(UnsupportedFunctionError, match=r"np\.linalg\.eigvals has no derivative"):
        eg.derivative(eg.grad(lambda y: np.linalg.eigvals(np.outer(y, y)).sum()), 0)(X)


def test_a_derivative_does_not_outlive_the_function_that_calls_it():
    kept = []

    def leak(x):
        kept.append(eg.grad(f)(x))
        return np.sum(kept[-1])

    eg.grad(leak)(X)
    with pytest.raises(TracerLeakError):
        kept[0] + 1


# Costs -------------------------------------------------------------------------------------------

M = 40
W = RNG.normal(size=(M, M)) / 6


def deep(x):
    return np.sum(np.tanh(W @ np.tanh(W @ x)))


WAYS = {
    "einsum": lambda t, u, v: np.einsum("ijk,j,k->i", t, u, v),
    "einsum of other axes": lambda t, u, v: np.einsum("ijk,i,k->j", t, v, u),
    "einsum twice": lambda t, u, v: np.einsum("ij,j->i", np.einsum("ijk,k->ij", t, u), v),
    "@": lambda t, u, v: t @ u @ v,
    "@ from the left": lambda t, u, v: u @ (t @ v),
    "tensordot": lambda t, u, v: np.tensordot(np.tensordot(t, u, (0, 0)), v, (0, 0)),
    "broadcast": lambda t, u, v: (t * u[:, None] * v).sum((1, 2)),
}


def flops(f, *arguments):
    return eg.plan(f, *arguments).flops


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_third_derivative_along_two_vectors_costs_a_few_sweeps(way):
    x, u, v = RNG.normal(size=(3, M))
    found = flops(lambda x, u, v: way(eg.derivative(deep, 3)(x), u, v), x, u, v)
    assert found <= 1.55 * 4 * flops(deep, x)


@pytest.mark.parametrize("order", [2, 3, 4, 5])
def test_a_derivative_along_vectors_grows_by_sweeps_with_its_order(order):
    """At most ``1.5 (k + 1)`` times the function, and not n times for each order."""
    x, v = RNG.normal(size=(2, M))

    def along(x, v):
        tensor = eg.derivative(deep, order)(x)
        for _ in range(order - 1):
            tensor = tensor @ v
        return tensor

    assert flops(along, x, v) <= 1.5 * (order + 1) * flops(deep, x)


def sliced_weights(w):
    """A network as users of optimisers write it: one vector, sliced and reshaped."""
    first, shift, second = w[:200].reshape(20, 10), w[200:210], w[210:]
    return np.mean((np.tanh(np.ones((30, 20)) @ first + shift) @ second) ** 2)


def test_products_with_derivatives_in_sliced_weights_cost_sweeps():
    w, u, v = RNG.normal(size=(3, 220))
    hvp = flops(eg.hvp(sliced_weights), w, v)
    assert flops(lambda w, v: eg.hessian(sliced_weights)(w) @ v, w, v) <= 1.1 * hvp
    third = flops(lambda w, u, v: eg.derivative(sliced_weights, 3)(w) @ u @ v, w, u, v)
    assert third <= 2.5 * hvp


def test_the_normal_matrix_is_not_made_for_a_vector():
    """``(J^T J) v`` is ``J^T (J v)``: a tangent, then a cotangent."""
    residual = lambda x: np.tanh(W @ np.tanh(W @ x))  # noqa: E731
    x, v = RNG.normal(size=(2, M))

    def gauss_newton(x, v):
        jacobian = eg.jacobian(residual)(x)
        return jacobian.T @ jacobian @ v

    assert flops(gauss_newton, x, v) <= 1.5 * 4 * flops(residual, x)


def test_a_matrix_with_a_shift_is_not_made_for_a_vector():
    """Of Levenberg and Marquardt: ``(H + c I) v``."""
    x, v = RNG.normal(size=(2, M))
    damped = lambda x, v: (eg.hessian(deep)(x) + 0.1 * np.eye(M)) @ v  # noqa: E731
    assert flops(damped, x, v) <= 1.2 * flops(eg.hvp(deep), x, v) + 4 * M**2


def test_many_products_in_a_row_are_each_a_sweep():
    """Powers of a Hessian times a vector: the steps of a power iteration."""
    x, v = RNG.normal(size=(2, M))

    def power(x, v):
        for _ in range(10):
            v = eg.hessian(deep)(x) @ v
        return v

    assert flops(power, x, v) <= 11 * flops(eg.hvp(deep), x, v)


def test_a_digit_is_not_lost_to_the_normal_matrix():
    """``v H v`` of least squares of condition 1e7: the matrix is not multiplied by itself first."""
    q, _ = np.linalg.qr(RNG.normal(size=(30, 6)))
    matrix = q * 10.0 ** -np.arange(0, 7.2, 1.2)
    fit = lambda w: np.sum((matrix @ w) ** 2) / 2  # noqa: E731
    v = np.eye(6)[-1] + 0.0
    exact = np.sum((matrix @ v) ** 2)
    found = eg.derivative(lambda w, v: v @ eg.hessian(fit)(w) @ v, 0)(np.ones(6), v)
    assert abs(found - exact) <= 1e-12 * exact
