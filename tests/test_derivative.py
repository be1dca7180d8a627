"""Derivatives of whole functions against independent oracles."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import assert_close, complex_step, derivatives
from strategies import functions, point

import eingrad as eg
from eingrad import _ir
from eingrad.errors import IndependentWarning

SEEDS = st.integers(0, 2**32 - 1)


@given(case=functions(), seed=SEEDS, order=st.integers(1, 3))
def test_each_order_is_the_complex_step_of_the_order_below(case, seed, order):
    """A ladder: order n against the order n - 1, which runs on complex input."""
    f, shape = case
    x = point(shape, seed)
    below = f if order == 1 else eg.derivative(f, order - 1)
    if np.size(f(x)) * x.size**order > 2000:
        order, below = 1, f
    actual = eg.derivative(f, order)(x)
    assert_close(actual, complex_step(below, x))
    assert actual.dtype == np.float64


@settings(max_examples=max(4, settings.default.max_examples // 12))  # JAX compiles every step
@given(case=functions(most_steps=5), seed=SEEDS)
def test_orders_one_to_three_agree_with_jax(case, seed):
    """An independent implementation."""
    jax = pytest.importorskip("jax", reason="the oracle; install eingrad[jax]")
    jax.config.update("jax_enable_x64", True)
    f, shape = case
    x = point(shape, seed)
    other = lambda x: f(x, jax.numpy)  # noqa: E731 - differentiated again below
    for order in (1, 2, 3):
        other = jax.jacfwd(other) if order > 1 else jax.jacrev(other)
        if np.size(f(x)) * x.size**order > 300:
            break
        assert_close(eg.derivative(f, order)(x), np.asarray(other(x)))


@given(case=functions(), seed=SEEDS)
def test_the_hessian_is_symmetric_and_nesting_is_the_order(case, seed):
    """Schwarz; and jacobian of jacobian is the second derivative."""
    f, shape = case
    x = point(shape, seed)
    scalar = lambda x: f(x).sum()  # noqa: E731
    hessian = eg.hessian(scalar)(x)
    n = x.size
    assert_close(hessian.reshape(n, n), hessian.reshape(n, n).T, rtol=1e-11)
    assert_close(eg.jacobian(eg.grad(scalar))(x), hessian, rtol=1e-11)


@given(case=functions(), seed=SEEDS)
def test_order_zero_is_the_function_and_float32_stays(case, seed):
    """NumPy's value in NumPy's dtype."""
    f, shape = case
    x = point(shape, seed)
    assert_close(eg.derivative(f, 0)(x), f(x), rtol=1e-12)
    small = x.astype(np.float32)
    for order in (0, 1):
        assert eg.derivative(f, order)(small).dtype == np.asarray(f(small)).dtype


@given(case=functions(), seed=SEEDS)
def test_results_share_no_memory_with_inputs(case, seed):
    """A caller may write into a result."""
    f, shape = case
    x = point(shape, seed)
    for order in (0, 1, 2):
        result = eg.derivative(f, order)(x)
        assert not np.shares_memory(result, x)
        assert result.flags.writeable


def test_zeros_can_be_concatenated_with_values():
    """A tensor of equal entries is one number in elementwise steps alone (found by hypothesis)."""
    f = lambda x: np.stack([x - x, np.sin(x)])  # noqa: E731
    for x in (0.5, point((3,), 0)):
        assert_close(eg.derivative(f, 0)(x), f(x), rtol=1e-15)


# Structure ---------------------------------------------------------------------------------------


def test_hessian_of_a_quadratic_form_does_not_read_x():
    """It is A + A.T: one addition."""
    a = np.arange(9.0).reshape(3, 3)
    plan = eg.hessian(lambda x: x @ a @ x).plan(np.ones(3))
    assert plan.reads == ("c0",)
    assert plan.flops == 9
    assert_close(plan(np.ones(3)), a + a.T, rtol=0)


def test_derivative_of_the_identity_is_deltas_only():
    """Nothing but zeros and a diagonal of ones; the input is not read."""
    (dy,) = derivatives([x := _ir.new_input("X", (3, 4))], [x], (1,))
    assert all(isinstance(n, _ir.Selection) and n.is_delta for n in dy.operands)
    plan = eg.jacobian(lambda x: x).plan(np.ones((3, 4)))
    assert plan.reads == ()
    assert [s.kernel.label for s in plan.program.statements] == ["place"]
    assert_close(plan(np.ones((3, 4))), np.einsum("ik,jl->ijkl", np.eye(3), np.eye(4)), rtol=0)


def test_gradient_of_a_function_that_ignores_its_argument_is_zero():
    """Of the right shape and dtype; it is rarely what was meant, so there is a warning."""
    with pytest.warns(IndependentWarning, match="<lambda> returned a value that was not computed"):
        result = eg.grad(lambda x: 3.0)(np.ones((2, 3), np.float32))
    assert result.shape == (2, 3)
    assert result.dtype == np.float64  # that of the value, a Python float
    assert not result.any()


def test_order_above_the_degree_of_a_polynomial_is_zero_without_computing():
    """Known symbolically."""
    plan = eg.derivative(lambda x: (x**3).sum() + x @ x, 4).plan(np.ones(3))
    assert plan.flops == 0
    assert not plan(np.ones(3)).any()


def test_output_deltas_are_never_multiplied_out():
    """The Hessian of an elementwise function writes its diagonal: flops are linear in x."""
    plan = eg.hessian(lambda x: np.sin(x).sum()).plan(np.ones(50))
    assert plan.flops <= 4 * 50
    third = eg.derivative(lambda x: np.exp(x).sum(), 3).plan(np.ones(20))
    assert third.flops <= 4 * 20


def test_select_is_differentiated_as_a_select():
    """No nan from the branch that was not taken, in any order."""
    f = lambda x: np.where(x == 0, 1.0, np.sin(x) / x).sum()  # noqa: E731
    with np.errstate(all="ignore"):
        assert eg.grad(f)(np.array([0.0, 1.0]))[0] == 0
        assert np.isfinite(eg.hessian(f)(np.array([0.0, 1.0]))).all()
        through_a_norm = lambda x: np.where(x @ x == 0, 0.0, np.sqrt(x @ x))  # noqa: E731
        assert not eg.grad(through_a_norm)(np.zeros(3)).any()


def test_nested_selects_are_linear_and_guard_each_other():
    """A select leads straight to its leaves, so nesting does not multiply work."""

    def f(x):
        for _ in range(40):
            x = np.where(x > 0.5, np.log(1 + x), 2 * x)
        return x.sum()

    x = np.array([0.1, 0.6, 0.9])
    assert_close(eg.grad(f)(x), complex_step(lambda z: _chosen(z, 40), x))
    guarded = lambda x: np.where(x == 0, 0.0, np.where(x > 5, x, np.sin(x) / x)).sum()  # noqa: E731
    with np.errstate(all="ignore"):
        assert eg.grad(guarded)(np.array([0.0, 7.0])).tolist() == [0.0, 1.0]


def _chosen(z, n):
    for _ in range(n):
        z = np.where(z.real > 0.5, np.log(1 + z), 2 * z)
    return z.sum()


def test_sum_over_a_split_axis_stays_a_reshape():
    """No table as long as the array, no dense 0/1 matrix (found in review)."""
    plan = eg.grad(lambda x: (x.reshape(30, 30).sum(0) ** 2).sum()).plan(np.ones(900))
    assert len(plan.source) < 600
    assert plan.flops < 5 * 900


# Nesting -----------------------------------------------------------------------------------------


def test_an_inner_derivative_sees_the_outer_variable_by_closure():
    """At a plain number or array; a cached executable of y*y*y must not answer for x*y*y."""
    eg.grad(lambda y: y * y * y)(1.0)
    assert eg.grad(lambda x: eg.grad(lambda y: x * y * y)(1.0))(5.0) == 2.0
    x = np.arange(1.0, 4.0)
    inner = lambda x: eg.grad(lambda y: (x * y * y).sum())(np.ones(3))  # noqa: E731
    assert_close(eg.jacobian(inner)(x), 2 * np.eye(3), rtol=0)


def test_an_inner_derivative_of_constants_is_an_array():
    """It depends on nothing traced, so it may be used as numbers."""

    def f(x):
        h = eg.hessian(lambda y: (y**3).sum())(np.ones(3))
        assert isinstance(h, np.ndarray)
        return (h @ x).sum()

    assert_close(eg.grad(f)(np.zeros(3)), np.full(3, 6.0), rtol=0)


def test_mixed_partial_of_a_power_at_exponent_zero():
    """``d2 x**p / dx dp = x**(p-1) (1 + p log x)``, 1 / x at p = 0; found by fuzz: it was 0."""
    x, p = np.array([0.5, 2.0]), np.zeros(2)
    blocks = eg.hessian(lambda x, p: (x**p).sum(), argnums=(0, 1))(x, p)
    assert_close(blocks[0][1], np.diag(1 / x), rtol=1e-14)
    assert_close(blocks[1][0], np.diag(1 / x), rtol=1e-14)
    assert_close(blocks[0][0], np.zeros((2, 2)))


def test_power_with_an_array_exponent_at_zero():
    """Zero where the exponent is zero, not 0 * inf."""
    with np.errstate(all="ignore"):  # the branches that are not taken
        powers = eg.grad(lambda x: (x ** np.array([0, 1, 2])).sum())(np.zeros(3))
        assert powers.tolist() == [0.0, 1.0, 0.0]
        assert eg.grad(lambda x, p: x**p, argnums=1)(0.0, 2.0) == 0.0


# Closed forms ------------------------------------------------------------------------------------


def _inverse_closed_form(p, order):
    """``(-1)^k sum over orders of P[a,i1] P[j1,i2] ... P[jk,b]``."""
    letters = "cdefghijklmn"
    pairs = [letters[2 * k : 2 * k + 2] for k in range(order)]
    total = 0
    for chosen in itertools.permutations(pairs):
        chain = "a" + "".join(chosen) + "b"
        terms = [chain[2 * k : 2 * k + 2] for k in range(order + 1)]
        subscripts = ",".join(terms) + "->ab" + "".join(pairs)
        total = total + np.einsum(subscripts, *[p] * (order + 1), optimize=True)
    return (-1) ** order * total


@pytest.mark.parametrize("order", range(6))
def test_inverse_to_order_five(order):
    """All k! orders of the chain."""
    x = np.random.default_rng(0).normal(size=(2, 2)) + 2 * np.eye(2)
    actual = eg.derivative(np.linalg.inv, order)(x)
    assert_close(actual, _inverse_closed_form(np.linalg.inv(x), order), rtol=1e-11)


def test_exponential_to_order_five_on_a_scalar():
    """Every derivative is the function, as a 0-d array."""
    for order in range(6):
        result = eg.derivative(np.exp, order)(0.5)
        assert isinstance(result, np.ndarray)
        assert_close(result, math.exp(0.5), rtol=1e-14)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_zero_size_arrays(shape, order):
    """Zeros of the right shape; no path search fails on a size of zero."""
    f = lambda x: np.einsum("ij,ij->i", x, x) if x.ndim == 2 else x * x  # noqa: E731
    x = np.ones(shape)
    result = eg.derivative(f, order)(x)
    assert result.shape == f(x).shape + shape * order


def test_mixed_partials():
    """A tuple of arguments gives a tuple per order; mixed blocks are transposes of each other."""
    a, x = np.random.default_rng(0).normal(size=(2, 3)), np.ones(3)
    f = lambda a, x: np.sin(a @ x).sum()  # noqa: E731
    hessian = eg.hessian(f, argnums=(0, 1))(a, x)
    assert [[block.shape for block in row] for row in hessian] == [
        [(2, 3, 2, 3), (2, 3, 3)],
        [(3, 2, 3), (3, 3)],
    ]
    assert_close(hessian[0][1], np.moveaxis(hessian[1][0], 0, -1), rtol=1e-13)
    assert_close(eg.jacobian(eg.grad(f, 0), 1)(a, x), hessian[0][1], rtol=1e-13)


# Scale -------------------------------------------------------------------------------------------


def _chain(n):
    def f(x):
        for _ in range(n):
            x = np.sin(x)
        return x.sum()

    return f


def test_elementwise_chain_is_linear_in_its_length():
    """Statements grow by a constant per operation, at the default recursion limit."""
    counts = [len(eg.grad(_chain(n)).plan(np.ones(2)).program.statements) for n in (1000, 3000)]
    assert counts[1] <= 3 * counts[0] + 10
    x = np.full(2, 0.3)
    assert_close(eg.grad(_chain(10_000))(x), complex_step(_chain(10_000), x), rtol=1e-9)


def test_product_of_many_matrices_in_every_factor():
    """Adjoints are shared: flops are a small multiple of the product itself."""
    matrices = list(np.random.default_rng(0).normal(size=(300, 4, 4)) / 2)

    def f(*ms):
        product = ms[0]
        for m in ms[1:]:
            product = product @ m
        return product.sum()

    n = len(matrices)
    gradient = eg.grad(f, argnums=tuple(range(n)))
    plan = gradient.plan(*matrices)
    value = eg.derivative(f, 0).plan(*matrices)
    assert plan.flops <= 6 * value.flops
    result = plan(*matrices)
    k = 150
    expected = complex_step(lambda m: f(*matrices[:k], m, *matrices[k + 1 :]), matrices[k])
    assert_close(result[k], expected)


# Determinism -------------------------------------------------------------------------------------

_EMIT = """
import numpy as np, eingrad as eg
A = np.ones((4, 4))
def f(x, y):
    z = np.tanh(A @ x + y[::2])
    return np.concatenate([z, x]) @ np.concatenate([y[:4], z]) + np.linalg.det(A * x + np.eye(4))
print(eg.hessian(f, argnums=(0, 1)).plan(np.ones(4), np.ones(8)).source)
"""


def test_emission_is_identical_under_two_hash_seeds():
    """Text depends on the expression alone."""
    texts = {
        subprocess.run(
            [sys.executable, "-c", _EMIT],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(texts) == 1
    assert "def derivative(" in texts.pop()


def test_source_runs_without_eingrad():
    """A pasted plan needs NumPy alone."""
    x = np.arange(1.0, 4.0)
    plan = eg.hessian(lambda x: np.log(x).sum() * x.sum()).plan(x)
    namespace = {}
    exec(plan.source, namespace)
    assert "eingrad" not in plan.source
    assert_close(namespace["derivative"](x), plan(x), rtol=0)


# Arguments in another order ----------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("verb", ["derivative", "structured", "value_and_derivatives"])
def test_argnums_in_any_order_give_the_derivatives_in_that_order(order, verb):
    """``argnums=(1, 0)`` gave the derivative in argument 0 first."""
    rng = np.random.default_rng(0)
    m, n, c = rng.normal(size=(3, 3)), rng.normal(size=(3, 3)), rng.normal(size=2)

    def f(pair, n, c):
        return np.trace(pair[0] @ n @ pair[1].T) * np.linalg.det(n) * c.sum() ** 2

    def derive(argnums):
        if verb == "value_and_derivatives":
            return eg.value_and_derivatives(f, order, argnums)((m, 2 * m), n, c)[-1]
        return eg.derivative(f, order, argnums, structured=verb == "structured")((m, 2 * m), n, c)

    ascending, other = derive((0, 1, 2)), derive((2, 0, -2))
    place = (2, 0, 1)
    for i in range(3):
        got, expected = other[i], ascending[place[i]]
        for j in range(3) if order == 2 else [None]:
            a = got if j is None else got[j] if i != 1 else [block[j] for block in got]
            b = (
                expected
                if j is None
                else (expected[place[j]] if i != 1 else [block[place[j]] for block in expected])
            )
            assert_same(a, b)


def assert_same(a, b):
    """Assert that nested arrays are nested alike and equal."""
    if isinstance(a, (tuple, list)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert_close(np.asarray(a), np.asarray(b))
