"""Factors that cancel in what differentiation multiplies: same values, fewer factors, no more."""

import mpmath
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reference import assert_close, complex_step, evaluate

import eingrad as eg
from eingrad import _ir
from eingrad._cancel import Quotients, cancelled
from eingrad._primitives import apply, power, reciprocal, times
from eingrad._simplify import simplify

N = 3
V, W = _ir.new_input("v", (N,)), _ir.new_input("w", (N,))
M = _ir.new_input("m", (N, N))
S = _ir.einsum("i->", V)  # a sum, of which terms are in products
VALUES = {V: np.array([0.5, 2.0, 3.0]), W: np.array([1.5, 0.25, 4.0]), M: np.eye(N) + 0.5}


def repeated(s):
    return _ir.broadcast(s, (N,))


ATOMS = {
    "v": V,
    "1 / v": reciprocal(V),
    "w / v": apply("divide", W, V),
    "v / w": apply("divide", V, W),
    "v / v": apply("divide", V, V),
    "sqrt v": apply("sqrt", V),
    "1 / sqrt v": reciprocal(apply("sqrt", V)),
    "v**-3/2": power(V, -3 / 2),
    "v**3": power(V, 3),
    "1 / (v / w)": reciprocal(apply("divide", V, W)),
    "1 / (v w)": reciprocal(times(V, W)),
    "sum v": repeated(S),
    "1 / sum v": repeated(reciprocal(S)),
    "v / sum v": apply("divide", V, repeated(S)),
    "v sin w": times(V, apply("sin", W)),
    "-2 w / v": times(-2, W, reciprocal(V)),
    "quotient": apply("quotient", V, W),
    "sin v": apply("sin", V),
}
KNOWN = Quotients([ATOMS["w / v"], ATOMS["v / sum v"], ATOMS["v / w"]])


def value(node):
    return evaluate(node, VALUES)


def cost(node):
    """Number of factors, opened; ``v * v`` for ``v**3 (1 / v)`` is two again."""
    if isinstance(node, _ir.Einsum):
        return sum(map(cost, node.operands))
    return 1


@given(
    names=st.lists(st.sampled_from([*ATOMS]), min_size=1, max_size=6),
    is_summed=st.booleans(),
    is_known=st.booleans(),
)
@example(names=["v / sum v", "1 / (v / w)", "sum v"], is_summed=True, is_known=True)
def test_what_cancels_keeps_its_value_and_gets_no_longer(names, is_summed, is_known):
    """Sound, effective in the sense that nothing is left to do, and idempotent."""
    node = times(*(ATOMS[name] for name in names))
    node = _ir.einsum("i->", node) if is_summed else node
    known = KNOWN if is_known else Quotients()
    made = cancelled(node, known)
    assert made.shape == node.shape
    assert made.dtype == node.dtype
    assert_close(value(made), value(node), rtol=1e-13)
    assert cost(made) <= cost(node)
    assert cancelled(made, known) is made


CANCELLED = {
    "a factor and its reciprocal": (times(V, reciprocal(V), W), W),
    "what is divided by itself": (times(apply("divide", V, V), W), W),
    "a quotient and what it divides by": (times(apply("divide", W, V), V), W),
    "a quotient and its inverse": (times(ATOMS["v / w"], ATOMS["w / v"], V), V),
    "the reciprocal of a quotient": (times(reciprocal(ATOMS["v / w"]), V), W),
    "two roots": (times(ATOMS["sqrt v"], ATOMS["sqrt v"]), V),
    "powers that add to one": (times(power(V, 3 / 2), reciprocal(apply("sqrt", V))), V),
    "a root and a reciprocal": (
        times(ATOMS["sqrt v"], reciprocal(V), W),
        times(reciprocal(ATOMS["sqrt v"]), W),
    ),
    "inside of a product": (times(times(V, W), reciprocal(V)), W),
    "with another number": (times(times(-3, V, W), times(2, reciprocal(V))), times(-6, W)),
    "what is repeated": (_ir.einsum("i,j,i->ij", W, V, reciprocal(W)), None),
    "a sum over what vanishes": (_ir.einsum("i,i,j->j", V, reciprocal(V), W), times(N, W)),
    "a determinant": (
        _ir.einsum(",,ij->ij", apply("det", M), reciprocal(apply("det", M)), M),
        M,
    ),
    "a sum and its terms": (_ir.einsum("i,->", V, reciprocal(S)), None),
}


@pytest.mark.parametrize(("before", "after"), CANCELLED.values(), ids=CANCELLED.keys())
def test_what_cancels_is_gone(before, after):
    """The property above would accept a function that does nothing."""
    made = cancelled(before)
    assert made is not before
    assert_close(value(made), value(before), rtol=1e-14)
    if after is not None:
        assert made is after
    else:
        assert not calls(made)


def calls(node):
    return [n for n in _ir.topological([node]) if isinstance(n, _ir.Apply)]


KEPT = {
    "other entries": _ir.einsum("i,j->ij", V, reciprocal(V)),
    "another array": times(W, reciprocal(V)),
    "a square": times(V, V),
    "a square of a reciprocal": times(reciprocal(V), reciprocal(V)),
    "a root of a square": times(apply("sqrt", times(V, V)), W),
    "one that is 0 where it divides by 0": times(ATOMS["quotient"], W),
    "part of a sum": _ir.einsum("i,i,->", V, W, reciprocal(S)),
    "a sum of another array": _ir.einsum("i,->", W, reciprocal(S)),
    "a contraction": _ir.einsum("ij,j,j->i", M, V, W),
}


@pytest.mark.parametrize("node", KEPT.values(), ids=KEPT.keys())
def test_what_does_not_cancel_is_left_as_it_is(node):
    assert cancelled(node) is node


def test_a_scale_leaves_a_contraction_that_stays_as_it_was():
    """``s (A (B (x / s)))`` is ``A (B x)``: nothing is multiplied out, ``A B`` least of all."""
    scaled = _ir.einsum("i,->i", W, reciprocal(S))
    inner = _ir.einsum("ij,j->i", M, scaled)
    product = _ir.einsum(",ij,j->i", S, M, inner)
    expected = _ir.einsum("ij,j->i", M, _ir.einsum("ij,j->i", M, W))
    assert cancelled(product) is expected
    assert cancelled(_ir.einsum("ij,j->i", M, inner)) is _ir.einsum("ij,j->i", M, inner)


def test_a_quotient_that_is_there_takes_the_place_of_its_factors():
    """``w (1/v) -> w / v`` where the function has it, whichever indices they have; else not."""
    product = _ir.einsum("j,i,j->ij", W, V, reciprocal(V))
    assert cancelled(product) is product
    assert cancelled(product, KNOWN) is _ir.einsum("j,i->ij", ATOMS["w / v"], V)
    other = _ir.einsum("i,j->ij", W, reciprocal(V))
    assert cancelled(other, KNOWN) is other


def test_a_guarded_quotient_is_the_other_one_only_beside_a_division():
    """By itself it is 0 where it divides by 0, and the other one is not."""
    guarded = ATOMS["quotient"]
    assert cancelled(times(guarded, M_ROW), KNOWN) is times(guarded, M_ROW)
    beside = cancelled(times(guarded, reciprocal(W), M_ROW), KNOWN)
    assert "quotient" not in {node.primitive.name for node in calls(beside)}


M_ROW = _ir.einsum("ij->i", M)


# Derivatives -------------------------------------------------------------------------------------


def source_of(f, order, x):
    return eg.derivative(f, order).plan(x).source


def log_det(X):
    return np.log(np.linalg.det(X))


def test_the_logarithm_of_a_determinant_has_the_derivatives_of_slogdet():
    X = np.random.default_rng(0).normal(size=(4, 4)) + 4 * np.eye(4)
    for f in (
        log_det,
        lambda X: 2 * np.log(np.sqrt(np.linalg.det(X))),
        lambda X: np.log(1 / np.linalg.det(X)) * -1,
    ):
        for order in (1, 2, 3):
            plan = eg.derivative(f, order).plan(X)
            good = eg.derivative(lambda X: np.linalg.slogdet(X)[1], order).plan(X)
            assert "det" not in plan.source
            assert plan.flops <= good.flops
            assert_close(plan(X), good(X), rtol=1e-12)


@pytest.mark.parametrize("exponent", [170, -190, 280, -300])
@pytest.mark.parametrize("order", [1, 2])
def test_no_power_of_a_determinant_leaves_the_range(exponent, order):
    """Where the determinant itself is a float: its square is none."""
    n = 10
    A = np.random.default_rng(1).normal(size=(n, n)) + 3 * np.eye(n)
    X = A * (10.0**exponent / np.linalg.det(A)) ** (1 / n)
    inverse = np.linalg.inv(X)
    expected = inverse.T if order == 1 else -np.einsum("jk,li->ijkl", inverse, inverse)
    np.testing.assert_allclose(eg.derivative(log_det, order)(X), expected, rtol=1e-12)


def test_scales_that_divide_out_have_no_derivative():
    """Of ``m sqrt(sum((x / m)**2))`` in m, by any function of x."""

    def norm(x):
        m = np.max(x)
        return m * np.sqrt(np.sum((x / m) ** 2))

    x = np.array([3.0, 4.0, 12.0])
    assert_close(eg.grad(norm)(x), x / 13, rtol=1e-15)
    plan = eg.grad(norm).plan(x)
    assert "==" not in plan.source  # no ties of the maximum
    assert_close(eg.grad(norm)(1e200 * x), x / 13, rtol=1e-15)
    for f in (lambda x: np.sum(x / x), lambda x: np.sum(x * (1 / x)), lambda x: np.sum(x * x**-1)):
        assert not eg.grad(f)(x).any()
        assert "x" not in eg.grad(f).plan(x).source.split("# x: shape (3,), float64")[1]


def test_no_case_is_nan_where_what_cancels_is_zero():
    """In derivatives; the value is as it was written."""
    x = np.array([0.0, 1.0])
    with np.errstate(divide="ignore", invalid="ignore"):
        np.testing.assert_array_equal(eg.grad(lambda x: np.sum(np.sqrt(x) ** 2))(x), [1, 1])
        np.testing.assert_array_equal(eg.grad(lambda x: np.sum(x / x))(x), [0, 0])
        value = eg.derivative(lambda x: x / x, 0)(x)
    np.testing.assert_array_equal(value, [np.nan, 1])


def test_what_was_written_is_computed_as_it_was_written():
    """Cancelling is for derivatives: the value has its factors, in their order."""
    plan = eg.derivative(lambda x: np.sqrt(x) ** 2 * (x * (1 / x)), 0).plan(np.ones(2))
    assert "sqrt" in plan.source
    assert "reciprocal" in plan.source


def logsumexp(x):
    top = x.max()
    return top + np.log(np.sum(np.exp(x - top)))


def test_the_gradient_of_a_shifted_logsumexp_has_no_ties():
    """What the shift adds is ``1 - sum(e) / sum(e)``; the second derivative keeps its shift."""
    x = np.array([1.0, 700.0, -800.0, 699.0])
    e = np.exp(x - 700)
    np.testing.assert_allclose(eg.grad(logsumexp)(x), e / e.sum(), rtol=1e-14)
    assert "==" not in source_of(logsumexp, 1, x)
    assert "==" in source_of(logsumexp, 2, x)


@pytest.mark.parametrize("gap", [1.0, 30.0, 45.0])
def test_the_hessian_of_a_shifted_logsumexp_is_exact_to_its_largest_entry(gap):
    """``p0 - p0**2`` is a rounded zero where p0 is almost one."""
    x = np.array([gap, 0.0, -1.0])
    with mpmath.workdps(60):
        p = [mpmath.exp(v) for v in x]
        p = [v / sum(p) for v in p]
        exact = [[p[i] * ((i == j) - p[j]) for j in range(3)] for i in range(3)]
        exact = np.array(exact, float)
    result = eg.hessian(logsumexp)(x)
    np.testing.assert_allclose(result / abs(exact).max(), exact / abs(exact).max(), atol=1e-15)


def test_a_norm_has_the_derivative_of_its_rule_at_the_origin():
    """A quotient that is 0 there is not taken for one that is nan."""

    def unit(x):
        n = np.linalg.norm(x)
        return np.where(n > 0, x / n, 0.0).sum() + n

    with np.errstate(divide="ignore", invalid="ignore"):
        np.testing.assert_array_equal(eg.grad(unit)(np.zeros(3)), np.zeros(3))


def test_a_long_chain_of_products_is_no_deeper_than_a_short_one():
    """What is looked into is a few steps deep, whatever was written."""

    def chain(x):
        y = x
        for _ in range(3000):
            y = y * x / x
        return y.sum()

    assert_close(eg.grad(chain)(np.array([0.5, 2.0])), np.ones(2), rtol=1e-12)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(np.exp(x) / np.sum(np.exp(x)) * np.array([1.0, 2.0, 0.5])),
        lambda x: np.sum((x / np.sqrt(np.sum(x * x))) ** 3),
        lambda x: np.sum(np.sin(x) * (x / np.sqrt(x)) * (1 / (x * x))),
        lambda x: np.prod(x) / np.sum(x) * np.sqrt(np.prod(x)) / np.prod(x),
        lambda x: np.sum(x**2.5 / x) * np.sum(np.sqrt(x)) ** -1,
    ],
)
def test_derivatives_of_quotients_agree_with_a_complex_step(f):
    x = np.array([0.7, 1.3, 2.1])
    for order in (1, 2, 3):
        below = f if order == 1 else eg.derivative(f, order - 1)
        assert_close(eg.derivative(f, order)(x), complex_step(below, x), rtol=1e-12)


def test_the_normal_form_of_what_was_cancelled_is_itself():
    """Nothing that the phases do brings back what is gone."""
    node = times(times(V, W), reciprocal(V), apply("sin", W))
    made = cancelled(node)
    (form,) = simplify([made])
    assert cancelled(form) is form
