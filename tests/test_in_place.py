"""Results written to operands that die: what is placed onto a sum needs no copy of it."""

import numpy as np
import pytest
from reference import assert_close

import eingrad as eg
from eingrad._plan.kernels import Place

N = 90
X = np.random.default_rng(0).normal(size=N)


def quartic(x):
    return (x @ x) ** 2 + (x**4).sum()


def norm(x):
    return np.sqrt(1 + x @ x) + np.logaddexp(0, x).sum()


def test_a_diagonal_is_added_in_place():
    """The outer product is the result: nothing else of its size is held, or written."""
    plan = eg.hessian(quartic).plan(X)
    assert plan.program.peak_bytes <= 1.1 * 8 * N * N
    assert plan.program.written_bytes <= 1.1 * 8 * N * N
    assert_close(plan(X), 8 * np.outer(X, X) + np.diag(12 * X**2 + 4 * (X @ X)))


def test_a_sign_is_that_of_a_vector():
    """Where a sum has one plain term, onto which the others are placed."""
    plan = eg.hessian(norm).plan(X)
    assert plan.program.peak_bytes <= 1.1 * 8 * N * N
    assert plan.flops <= 1.5 * N * N


ALIASED = {
    "the base is returned": lambda x: (np.outer(x, x), np.outer(x, x) + np.diag(np.sin(x))),
    "the base is used later": lambda x: np.exp(np.outer(x, x) + np.diag(x)) @ np.outer(x, x),
    "it is placed onto itself": lambda x: np.outer(x, x) + np.diag(np.outer(x, x)[0]),
    "a base that is an argument": lambda x: x[:, None] * np.ones(N) + np.diag(x),
    "twice": lambda x: (np.outer(x, x) + np.diag(x)) * 2 + np.diag(np.cos(x)),
}


@pytest.mark.parametrize("name", ALIASED)
def test_nothing_that_is_needed_is_written_to(name):
    f, before = ALIASED[name], X.copy()
    made, wanted = eg.derivative(f, 0)(X), f(X)
    for value, expected in zip(np.atleast_3d(made), np.atleast_3d(wanted), strict=True):
        assert_close(value, expected)
    assert np.array_equal(X, before)


def test_an_argument_is_not_placed_onto():
    """A captured array neither."""
    a = np.random.default_rng(1).normal(size=(N, N))
    for f, x in (
        (lambda a: a + np.diag(np.sin(a[0])), a),
        (lambda x: a + np.diag(np.sin(x)), X),
        (lambda a: a.T + np.diag(np.sin(a[0])), a),
    ):
        before = a.copy()
        assert_close(eg.derivative(f, 0)(x), f(x))
        assert np.array_equal(a, before)


def test_a_base_in_another_order_is_copied():
    """What is placed at positions in the order of the axes would be written to a copy of it."""
    a = np.random.default_rng(1).normal(size=(N, N))
    table = np.random.default_rng(2).permutation(N)
    f = lambda a: np.exp(a.T) * np.sin(a.T) + np.diag(a[0])[table]  # noqa: E731
    plan = eg.derivative(f, 0).plan(a)
    (placed,) = (s for s in plan.program.statements if isinstance(s.kernel, Place))
    assert placed.into != placed.operands[0]
    assert_close(plan(a), f(a))


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_given_array_is_filled_where_the_base_is_computed(order):
    """Of any order in memory; what is reshaped to be placed onto too."""
    table = np.random.default_rng(2).permutation(N)

    def scattered(x):
        return (x @ x) ** 2 + (np.sin(x) * x[table]).sum()

    for f in (quartic, norm, scattered):
        plan = eg.hessian(f).plan(X)
        assert any(
            s.into == s.operands[0] for s in plan.program.statements if isinstance(s.kernel, Place)
        )
        out = np.full((N, N), np.nan, order=order)
        plan(X, out=out)
        assert_close(out, eg.hessian(f)(X))


@pytest.mark.parametrize("order", ["C", "F"])
def test_half_of_a_product_is_written_to_a_given_array(order):
    """And mirrored there: whatever it held before."""
    a = np.random.default_rng(3).normal(size=(20, 300)) / 20
    plan = eg.hessian(lambda w: np.log1p(np.exp(a @ w)).sum() + 0.1 * (w @ w)).plan(a[0])
    assert any(getattr(s.kernel, "half", None) for s in plan.program.statements)
    out = np.full((300, 300), np.nan, order=order)
    plan(a[0], out=out)
    assert np.array_equal(out, plan(a[0]))
