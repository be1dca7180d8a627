"""Scaled outer products of a tensor with itself: symmetric to the last bit without a mirror."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import assert_close

import eingrad as eg
from eingrad import _ir
from eingrad._plan.kernels import Mirror
from eingrad._plan.mirror import is_exact
from eingrad._plan.outer import factored

N = 80
X = np.random.default_rng(0).normal(size=N)
FUNCTIONS = {
    "a norm": lambda x: np.sqrt(1 + x @ x),
    "minus a norm": lambda x: -np.sqrt(1 + x @ x) + np.logaddexp(0, x).sum(),
    "log of a sum": lambda x: np.log(np.exp(x).sum()),
    "a power that changes sign": lambda x: np.sin(x @ x) + (x**4).sum(),
    "a scale that is zero": lambda x: np.exp(0 * (x @ x)) * np.cos(x @ x - x @ x) + (x @ x) ** 2,
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_its_hessian_is_symmetric_without_a_mirror(name, dtype):
    f, x = FUNCTIONS[name], X.astype(dtype)
    plan = eg.hessian(f).plan(x)
    assert not any(isinstance(s.kernel, Mirror) for s in plan.program.statements)
    result = plan(x)
    assert np.array_equal(result, result.T)
    assert plan.program.written_bytes <= 1.3 * result.nbytes
    v = np.cos(np.arange(N)).astype(dtype)
    rtol = 1e-9 if dtype is np.float64 else 1e-3
    assert_close(result @ v, eg.hvp(f)(x, v), rtol=rtol)


def test_in_a_matrix_it_is_symmetric_in_pairs_of_axes():
    f, x = FUNCTIONS["minus a norm"], X.reshape(8, 10)
    plan = eg.hessian(lambda x: -np.sqrt(1 + (x**2).sum()) + np.logaddexp(0, x).sum()).plan(x)
    assert not any(isinstance(s.kernel, Mirror) for s in plan.program.statements)
    result = plan(x).reshape(N, N)
    assert np.array_equal(result, result.T)
    assert_close(result, eg.hessian(f)(X))


def test_with_a_number_in_a_sum_it_stays_symmetric():
    """Neither factor takes the number: they are equal but for the sign that one has."""
    b = np.cos(np.arange(N)).reshape(10, 8)
    f = lambda x: np.sin(0.1 * np.sum((x @ b) * (x @ b).T))  # noqa: E731
    result = eg.hessian(f)(X.reshape(8, 10)).reshape(N, N)
    assert np.array_equal(result, result.T)


@given(
    scale=st.floats(-1e300, 1e300).filter(lambda c: c == 0 or abs(c) > 1e-300),
    seed=st.integers(0, 2**32 - 1),
)
def test_an_entry_is_good_to_four_units_in_the_last_place(scale, seed):
    """Against integers: doubles are fractions of them."""
    u, c = _ir.new_input("u", (3,)), _ir.new_input("c", ())
    node = _ir.einsum("i,j->ij", _ir.einsum("i,->i", u, c), u)
    made = factored(node)
    assert is_exact(made, (1, 0))
    x = np.random.default_rng(seed).normal(size=3) * 2.0 ** -(np.frexp(scale)[1] // 2)
    root = np.sqrt(abs(scale))
    value = np.multiply.outer(root * x * np.sign(scale), root * x)
    for i in range(3):
        for j in range(3):
            exact = Fraction(scale) * Fraction(x[i]) * Fraction(x[j])
            error = abs(Fraction(value[i, j]) - exact)
            assert error <= 4 * Fraction(float(np.spacing(abs(float(exact)))))


def test_where_a_mirror_is_needed_anyway_no_scale_is_halved():
    """A matrix product adds in an order of its own."""
    a = np.random.default_rng(1).normal(size=(9, N)) / 9
    plan = eg.hessian(lambda x: np.sqrt(1 + x @ x) + np.exp(a @ x).sum()).plan(X)
    assert any(isinstance(s.kernel, Mirror) for s in plan.program.statements)
    assert "np.sign" not in plan.source


def test_products_with_numbers_stay_exact():
    """A number has no root that is one: what it is multiplied with is mirrored."""
    x = np.arange(N, dtype=float)
    assert np.array_equal(
        eg.hessian(lambda x: 3 * (x @ x) ** 2)(x),
        24 * np.outer(x, x) + np.diag(np.full(N, 12 * (x @ x))),
    )
    u, v, c = _ir.new_input("u", (3,)), _ir.new_input("v", (3,)), _ir.new_input("c", ())
    for node in (
        _ir.einsum("i,j->ij", u, u), _ir.scale(_ir.einsum("i,j->ij", u, u), 3),
        _ir.einsum("i,j->ij", _ir.einsum("i,->i", u, c), v), _ir.einsum("i,i->i", u, u),
        _ir.einsum("i,i->", u, u), u,
    ):  # fmt: skip
        assert factored(node) is None
