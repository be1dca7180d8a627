"""Inverses that are only multiplied with few columns: those are solved for."""

import numpy as np
import pytest
from reference import assert_close, evaluate

import eingrad as eg
from eingrad import _ir
from eingrad._plan import solved
from eingrad._primitives import apply

N = 40
RNG = np.random.default_rng(0)
A, B = RNG.normal(size=N), RNG.normal(size=N)
X = np.eye(N) + RNG.normal(size=(N, N)) / N
MANY = RNG.normal(size=(N, N))


def calls(plan):
    names = [s.kernel.row.name for s in plan.program.steps() if hasattr(s.kernel, "row")]
    return {name: names.count(name) for name in ("inverse", "solve", "det", "slogdet")}


# Nodes -------------------------------------------------------------------------------------------

M, V, K = _ir.new_input("m", (N, N)), _ir.new_input("v", (N,)), _ir.new_input("k", (N, 3))
T = _ir.new_input("t", (5, N, N))
R, W = _ir.new_input("r", (5, N)), _ir.new_input("w", (5, N, 2))
VALUES = {n: RNG.normal(size=n.shape) for n in (M, V, K, T, R, W)}
ONE, EACH = apply("inverse", M), apply("inverse", T)
OTHER = apply("inverse", _ir.scale(M, 3))


def product(subscripts, *operands):
    return _ir.einsum(subscripts, *operands, coefficient=2)


SOLVED = {
    "rows": product("ij,i->j", ONE, V),
    "columns": product("ij,j->i", ONE, V),
    "few": product("ij,jk->ki", ONE, K),
    "few of rows": product("ij,ik->jk", ONE, K),
    "as many as rows": product("ij,jk->ik", ONE, M),
    "a batch of columns": product("ij,bj->bi", ONE, R),
    "batch": product("bij,bj->bi", EACH, R),
    "batch of rows": product("bij,bi->bj", EACH, R),
    "batch of few": product("bij,bjk->kbi", EACH, W),
    "one for all of a batch": product("bij,j->bi", EACH, V),
    "before another": _ir.einsum("i,i->", product("ij,j->i", ONE, V), V),
    "of what was solved for": _ir.einsum("i,ij->j", product("ij,j->i", ONE, V), OTHER),
    "inverse of what was solved for": _ir.einsum(
        "ij,j->i", apply("inverse", _ir.add([M, product("ij,kj->ik", ONE, M)])), V
    ),
}
INVERTED = {
    "itself": ONE,
    "batch summed": product("bij,bj->i", EACH, R),
    "both axes": product("ij,ij->", ONE, M),
    "no axis": product("ij,i->ij", ONE, V),
    "diagonal": product("ii,i->i", ONE, V),
    "trace": product("ii->", ONE),
    "with itself": product("ij,jk->ik", ONE, ONE),
    "also in a sum": _ir.add([ONE, product("ij,jk->ik", ONE, M)]),
}


def names_below(root):
    return [n.primitive.name for n in _ir.topological([root]) if isinstance(n, _ir.Apply)]


@pytest.mark.parametrize("name", SOLVED)
def test_what_meets_columns_alone_is_solved_for(name):
    before = SOLVED[name]
    (after,) = solved([before])
    assert {*names_below(after)} == {"solve"}
    assert after.shape == before.shape
    assert_close(evaluate(after, VALUES), evaluate(before, VALUES))


@pytest.mark.parametrize("name", INVERTED)
def test_an_inverse_stays_where_it_is_needed(name):
    assert solved([INVERTED[name]]) == [INVERTED[name]]


def test_all_uses_decide_together():
    few, diagonal = product("ij,j->i", ONE, V), product("ii->i", ONE)
    assert solved([few, diagonal]) == [few, diagonal]
    assert {*names_below(solved([few, product("ij,i->j", ONE, V)])[0])} == {"solve"}


def test_many_columns_of_several_tensors_are_multiplied():
    """Each is factored for: from some on, one inverse takes less."""
    several = [_ir.einsum("ij,jk->ik", ONE, _ir.new_input(f"m{n}", (N, N))) for n in range(4)]
    assert solved(several) == several
    assert solved(several[:1]) != several[:1]


def test_what_a_user_wrote_and_wants_the_value_of_stays():
    value = product("ij,j->i", ONE, V)
    assert solved([value], {ONE, value}) == [value]
    gradient = _ir.einsum("i,j->ij", value, V)
    assert solved([gradient], {ONE, value}) != [gradient]
    assert solved([gradient, value], {ONE, value}) == [gradient, value]


# Derivatives -------------------------------------------------------------------------------------


def bilinear(X):
    return A @ np.linalg.solve(X, B)


def of_inverse(X):
    return A @ np.linalg.inv(X) @ B


def complex_step(f, x, direction):
    return f(x + 1e-20j * direction).imag / 1e-20


@pytest.mark.parametrize("f", [bilinear, of_inverse])
def test_gradient_of_a_bilinear_form_of_an_inverse_inverts_nothing(f):
    plan = eg.grad(f).plan(X)
    assert calls(plan) == {"inverse": 0, "solve": 2, "det": 0, "slogdet": 0}
    direction = RNG.normal(size=X.shape)
    assert_close(np.sum(plan(X) * direction), complex_step(f, X, direction))


def test_value_has_the_bits_of_the_function():
    value, gradient = eg.value_and_grad(of_inverse)(X)
    assert value == of_inverse(X)
    assert_close(gradient, eg.grad(of_inverse)(X))


def test_complex_matrices_are_transposed_and_not_conjugated():
    Z = X + 1j * RNG.normal(size=(N, N)) / N
    assert_close(eg.derivative(bilinear)(Z), eg.derivative(of_inverse)(Z))
    step = (bilinear(Z + 1e-6 * MANY) - bilinear(Z - 1e-6 * MANY)) / 2e-6
    assert_close(np.sum(eg.derivative(bilinear)(Z) * MANY), step, 1e-7)


def test_singular_matrices_are_an_error_as_before():
    plan = eg.grad(bilinear).plan(X)
    with pytest.raises(np.linalg.LinAlgError):
        plan(np.zeros((N, N)))
