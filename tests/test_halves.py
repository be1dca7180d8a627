"""Of a matrix product that is mirrored, one triangle is computed."""

from dataclasses import replace

import numpy as np
import pytest
from inside import HALF_ROWS, with_halves
from reference import allocated

import eingrad as eg
from eingrad import _ir
from eingrad._cache import input_specs
from eingrad._plan import kernels, lower
from eingrad._run import Executable


def logistic(samples, n, dtype=float):
    rng = np.random.default_rng(n)
    data = rng.normal(size=(samples, n)).astype(dtype)
    w = (rng.normal(size=n) / n).astype(dtype)

    def hessian(w):
        p = 1 / (1 + np.exp(-data @ w))
        return data.T @ ((p * (1 - p))[:, None] * data)

    return data, w, hessian


def half_products(program):
    """Those of loops too."""
    found = [s for s in program.statements if getattr(s.kernel, "half", None)]
    for s in program.statements:
        found += half_products(s.kernel.body) if isinstance(s.kernel, kernels.Loop) else []
    return found


def assert_symmetric(matrix):
    np.testing.assert_array_equal(matrix, matrix.T)


@pytest.mark.parametrize("n", [256, 257, 259, 300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_hessian_of_a_linear_model_is_made_by_halves(n, dtype):
    data, w, expected = logistic(40, n, dtype)
    plan = eg.hessian(lambda w: np.log(1 + np.exp(data @ w)).sum()).plan(w)
    (half,) = half_products(plan.program)
    whole = 2 * 40 * n**2
    assert 0.5 * whole < half.flops <= 0.63 * whole
    assert_symmetric(plan(w))
    np.testing.assert_allclose(plan(w), expected(w), rtol=1e-4 if dtype == np.float32 else 1e-11,
                               atol=1e-6)  # fmt: skip
    assert "symmetric products whole" in str(plan)


def test_small_products_are_made_whole():
    data, w, _ = logistic(40, 255)
    assert not half_products(eg.hessian(lambda w: np.exp(data @ w).sum()).plan(w).program)


def test_what_is_not_mirrored_is_made_whole():
    data, w, _ = logistic(300, 300)
    plan = eg.jacobian(lambda w: data.T @ np.exp(data @ w)).plan(w)
    assert not half_products(plan.program)


def test_a_product_of_a_matrix_with_itself_is_left_to_blas():
    data, w, _ = logistic(40, 256)
    plan = eg.hessian(lambda w: ((data @ w) ** 2).sum() / 2).plan(w)
    assert not half_products(plan.program)
    assert_symmetric(plan(w))


def test_sums_with_deltas_and_other_products_are_made_by_halves():
    """A penalty on the diagonal, two sets of data, a scale."""
    (a, w, _), (b, _, _) = logistic(50, 260), logistic(30, 260)
    b = b[::-1] * 2

    def loss(w):
        return 0.5 * (np.exp(a @ w).sum() + (1 / (2 + (b @ w) ** 2)).sum()) + 3 * (w**4).sum()

    plan = eg.hessian(loss).plan(w)
    assert len(half_products(plan.program)) == 2
    found = plan(w)
    assert_symmetric(found)
    z = b @ w
    second = 8 * z**2 / (2 + z**2) ** 3 - 2 / (2 + z**2) ** 2
    expected = a.T @ (np.exp(a @ w)[:, None] * a) + b.T @ (second[:, None] * b)
    np.testing.assert_allclose(found, expected / 2 + np.diag(36 * w**2), rtol=1e-9, atol=1e-9)


def test_a_variable_of_two_axes_is_made_by_halves():
    """Each side of the product is two axes then."""
    data, w, expected = logistic(40, 288)
    plan = eg.hessian(lambda w: np.log(1 + np.exp(data @ w.ravel())).sum()).plan(w.reshape(16, 18))
    assert half_products(plan.program)
    found = plan(w.reshape(16, 18)).reshape(288, 288)
    assert_symmetric(found)
    np.testing.assert_allclose(found, expected(w), rtol=1e-10, atol=1e-12)


def test_products_that_a_loop_adds_up_are_made_by_halves():
    data, w, expected = logistic(40_000, 256)
    plan = eg.hessian(lambda w: np.log(1 + np.exp(data @ w)).sum()).plan(w)
    assert any(isinstance(s.kernel, kernels.Loop) for s in plan.program.statements)
    assert half_products(plan.program)
    assert plan.flops <= 0.66 * 2 * 40_000 * 256**2
    assert "symmetric products whole" in str(plan)
    assert_symmetric(plan(w))
    np.testing.assert_allclose(plan(w), expected(w), rtol=1e-9, atol=1e-9)


def symbols(samples, n):
    """Symbols of a linear model, arrays for them, its loss's second factor, and the product."""
    w, data = eg.variable("w", (n,)), eg.variable("D", (samples, n))
    e = np.exp(data @ w)
    rng = np.random.default_rng(0)
    values = {"w": rng.normal(size=n) / n, "D": rng.normal(size=(samples, n))}
    dense = values["D"].T @ (np.exp(values["D"] @ values["w"])[:, None] * values["D"])
    return w, data, e, values, dense


@pytest.mark.parametrize("samples", [40, 20_000])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_product_that_is_a_result_too_is_made_whole(samples, transposed, swapped):
    """One triangle of it stayed zero."""
    w, data, e, values, dense = symbols(samples, 256)
    product = data.T @ (e[:, None] * data)
    hessian = eg.differentiate(e.sum() + (w**4).sum(), w, order=2)
    both = [product.T if transposed else product, hessian]
    plan = eg.compile(tuple(both[::-1] if swapped else both))
    found = plan(**values)
    found = found[::-1] if swapped else found
    np.testing.assert_allclose(found[0], dense, rtol=1e-9, atol=1e-9)
    expected = dense + np.diag(12 * values["w"] ** 2)
    np.testing.assert_allclose(found[1], expected, rtol=1e-9, atol=1e-9)


def test_a_product_that_another_step_needs_is_made_whole():
    w, data, e, values, dense = symbols(40, 256)
    hessian = eg.differentiate(e.sum() + (w**4).sum(), w, order=2)
    plan = eg.compile((np.tanh(data.T @ (e[:, None] * data)), hessian))
    tanh, found = plan(**values)
    np.testing.assert_allclose(tanh, np.tanh(dense), rtol=1e-9, atol=1e-9)
    assert_symmetric(found)


def test_a_loop_that_makes_halves_may_write_slices_too():
    """The inner loop had the variable of the outer one."""
    w, data, e, values, _ = symbols(40_000, 256)
    hessian = eg.differentiate(np.log1p(e).sum(), w, order=2)
    scaled = (e / (1 + e) ** 2)[:, None] * data
    plan = eg.compile((hessian, (scaled * scaled).sum(1)))
    assert half_products(plan.program)
    assert any({None, 0} <= {*getattr(s.kernel, "writes", ())} for s in plan.program.statements)
    x = np.exp(values["D"] @ values["w"])
    expected = (((x / (1 + x) ** 2)[:, None] * values["D"]) ** 2).sum(1)
    np.testing.assert_allclose(plan(**values)[1], expected, rtol=1e-10)


@pytest.mark.parametrize("upper", [False, True])
def test_one_triangle_of_a_product_is_that_of_the_whole(upper):
    """Also seen through a view that transposes it, which swaps the triangles."""
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(261, 7)), rng.normal(size=(7, 261))
    a, b = _ir.new_input("a", left.shape), _ir.new_input("b", right.shape)
    product = _ir.einsum("ik,kj->ij", a, b)
    specs = list(zip([a, b], input_specs([a, b]), strict=True))
    program = lower([product], specs)
    if not upper:
        program = lower([product, _ir.einsum("ij->ji", product)], specs)
        kernels = [statement.kernel.label for statement in program.statements]
        assert kernels == ["matmul", "view", "copy"]
        program = replace(program, outputs=program.outputs[1:])
    wanted = [(program.outputs[0], True)]
    half = with_halves(program, wanted)
    assert half_products(half)
    (found,) = Executable(half).run([left, right])
    whole = left @ right if upper else (left @ right).T
    np.testing.assert_allclose(np.triu(found), np.triu(whole), atol=1e-12)
    assert np.count_nonzero(found) < 0.7 * found.size


@pytest.mark.parametrize(("samples", "n"), [(40, 1000), (8000, 600)])
def test_predicted_memory_of_a_half_is_what_is_allocated(samples, n):
    """The second is made in a loop."""
    data, w, _ = logistic(samples, n)
    plan = eg.hessian(lambda w: np.exp(data @ w).sum()).plan(w)
    assert half_products(plan.program)
    peak = allocated(lambda: plan(w))
    assert plan.peak_bytes / 1.05 <= peak <= plan.peak_bytes * 1.05 + 2**16


def test_without_halves_a_hessian_takes_more(monkeypatch):
    data, w, _ = logistic(2000, 256)
    hessian = eg.hessian(lambda w: np.exp(data @ w).sum())
    eg.cache_clear()
    half = hessian.plan(w).flops
    HALF_ROWS.replace(monkeypatch, 10**9)
    eg.cache_clear()
    assert hessian.plan(w).flops >= 1.55 * half
    eg.cache_clear()


@pytest.mark.parametrize("n", [256, 257])
def test_source_with_halves_runs_alone(n):
    data, w, _ = logistic(40, n)
    plan = eg.hessian(lambda w: np.exp(data @ w).sum()).plan(w)
    namespace = {}
    exec(plan.source, namespace)
    found = namespace["derivative"](w, *(known.array for known in plan.captured))
    np.testing.assert_array_equal(found, plan(w))
