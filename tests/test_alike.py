"""Terms that are the same product, however bracketed and divided: one of them is left, or none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import assert_close, complex_step, evaluate

import eingrad as eg
from eingrad import _ir
from eingrad._alike import combined
from eingrad._primitives import apply, reciprocal

N = 3
A, B = _ir.new_input("a", (N, N)), _ir.new_input("b", (N, N))
X, S = _ir.new_input("x", (N,)), _ir.new_input("s", ())
ONE_OVER = reciprocal(S)
VALUES = {
    A: np.random.default_rng(0).normal(size=(N, N)),
    B: np.random.default_rng(1).normal(size=(N, N)),
    X: np.array([0.5, -2.0, 3.0]),
    S: np.array(1.7),
}
INNER = _ir.einsum("ij,j->i", B, X)
SCALED_X = _ir.einsum("i,->i", X, ONE_OVER)
DIVIDED = apply("divide", X, _ir.broadcast(S, (N,)))
LIKE = [  # A B x / s
    _ir.einsum("ij,j,->i", A, INNER, ONE_OVER),
    _ir.einsum("ij,j->i", _ir.einsum("ij,jk->ik", A, B), SCALED_X),
    _ir.einsum("ij,jk,k,->i", A, B, X, ONE_OVER),
    _ir.einsum(",ij,j,->i", S, A, _ir.einsum("ij,j->i", B, SCALED_X), ONE_OVER),
    _ir.einsum(",ij,j,,->i", S, A, INNER, ONE_OVER, ONE_OVER),
    _ir.einsum("ij,j,->i", A, INNER, ONE_OVER, coefficient=-3),
    _ir.einsum("ij,j->i", A, _ir.einsum("ij,j->i", B, DIVIDED)),
]
OTHERS = [
    _ir.einsum("ij,j->i", B, _ir.einsum("ij,j->i", A, X)),
    _ir.einsum("ji,j->i", A, INNER),
    _ir.einsum("ij,j,->i", A, INNER, S),
    _ir.einsum("ij,j->i", A, apply("exp", INNER)),
    X,
]
TERMS = [*LIKE, *OTHERS]


def total(terms):
    return sum((float(c) * evaluate(node, VALUES) for node, c in terms), np.zeros(N))


@given(
    chosen=st.lists(
        st.tuples(st.sampled_from(range(len(TERMS))), st.sampled_from([1, -1, 2, 0.5])), max_size=7
    )
)
def test_the_sum_keeps_its_value_and_has_no_like_terms(chosen):
    terms = [(TERMS[n], c) for n, c in chosen]
    made = combined(terms)
    assert_close(total(made), total(terms), rtol=1e-13)
    assert len({node for node, _ in made if node in LIKE}) <= 1
    assert {node for node, _ in made} <= {node for node, _ in terms}
    assert combined(made) == made


@pytest.mark.parametrize("n", range(1, len(LIKE)))
def test_what_cancels_is_gone(n):
    number = -3 if n == 5 else 1
    assert combined([(LIKE[0], number), (LIKE[n], -1)]) == []


def test_what_is_of_many_factors_or_of_other_arrays_is_left_as_it_is():
    many = [_ir.new_input(f"m{n}", (N, N)) for n in range(18)]
    left, right = many[0], many[-1]
    for node in many[1:]:
        left = _ir.einsum("ij,jk->ik", left, node)
    for node in many[-2::-1]:
        right = _ir.einsum("ij,jk->ik", node, right)
    for terms in ([(left, 1), (right, -1)], [(node, 1) for node in OTHERS]):
        assert combined(terms) == terms


DATA = np.random.default_rng(2).normal(size=(6, 5))
POINT = np.random.default_rng(3).uniform(1, 2, size=5)


def scaled(x):
    return 1 + x @ x


SCALED = {
    "a scale that divides out": lambda x: np.tanh(scaled(x) * (DATA @ (x * scaled(x) ** -1))).sum(),
    "divided by": lambda x: np.tanh(scaled(x) * (DATA @ (x / scaled(x)))).sum(),
    "a root": lambda x: np.tanh(np.sqrt(x @ x) * (DATA @ (x / np.sqrt(x @ x)))).sum(),
    "two layers": lambda x: np.tanh(scaled(x) * (DATA.T @ (DATA @ (x / scaled(x))))).sum(),
}


@pytest.mark.parametrize("name", SCALED)
@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_scale_that_divides_out_leaves_nothing_in_derivatives(name, order):
    """Nothing but the values: at order three, some terms of two layers still differ in form."""
    f = SCALED[name]
    good = lambda x: np.tanh(DATA.T @ (DATA @ x) if name == "two layers" else DATA @ x).sum()  # noqa: E731
    plan = eg.derivative(f, order).plan(POINT)
    assert_close(plan(POINT), eg.derivative(good, order)(POINT), rtol=1e-11)
    if name != "two layers" or order < 3:
        most = eg.derivative(good, order).plan(POINT).flops + eg.plan(f, POINT).flops
        assert plan.flops <= most


def test_what_is_like_a_term_of_a_select_or_a_scan_is_right():
    """Branches and bodies are differentiated by themselves."""

    def f(x):
        s = 1 + x @ x
        y = s * (DATA @ (np.where(x > 1.5, x, x**2) / s))
        step = lambda carry, row: (np.tanh(carry * s * (row @ (x / s))), None)  # noqa: E731
        return (
            y.sum() + eg.scan(step, x, np.stack([np.cos(x), x]))[0].sum() + (y / s)[[0, 0, 2]].sum()
        )

    assert_close(eg.grad(f)(POINT), complex_step(_unrolled, POINT), rtol=1e-10)


def _unrolled(x):
    s = 1 + x @ x
    y = s * (DATA @ (np.where(x.real > 1.5, x, x**2) / s))
    carry = x
    for row in (np.cos(x), x):
        carry = np.tanh(carry * s * (row @ (x / s)))
    return y.sum() + carry.sum() + (y / s)[[0, 0, 2]].sum()
