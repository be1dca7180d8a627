"""Higher derivatives are symmetric to the last bit, and the symmetry saves work."""

import itertools

import numpy as np
import pytest
from cases import CASES
from hypothesis import given
from hypothesis import strategies as st
from strategies import functions, point

import eingrad as eg
from eingrad import _ir
from eingrad._plan import kernels
from eingrad._plan.kernels import Mirror
from eingrad._plan.mirror import flat_groups, is_exact


def assert_symmetric(tensor, order, ndim):
    """Assert that no order of the last blocks of axes, `ndim` each, changes a bit."""
    first = tensor.ndim - order * ndim
    blocks = [tuple(range(first + k * ndim, first + (k + 1) * ndim)) for k in range(order)]
    for permuted in itertools.permutations(blocks):
        axes = (*range(first), *itertools.chain.from_iterable(permuted))
        np.testing.assert_array_equal(tensor, tensor.transpose(axes))


HIGHER = [case for case in CASES if case.order > 1]


@pytest.mark.parametrize("case", HIGHER, ids=str)
def test_every_case_is_symmetric(case):
    f, x = case.build(case.small)
    assert_symmetric(eg.derivative(f, case.order)(x), case.order, x.ndim)


@pytest.mark.parametrize("case", [c for c in HIGHER if c.order == 2], ids=str)
def test_every_hessian_of_full_size_is_symmetric(case):
    """Large ones are mirrored in place, by blocks of rows."""
    f, x = case.build(case.sizes)
    plan = eg.hessian(f).plan(x)
    if plan.peak_bytes < 2**28:
        assert_symmetric(plan(x), 2, x.ndim)


@given(functions(largest=12), st.integers(2, 3), st.sampled_from([np.float32, np.float64]))
def test_every_random_derivative_is_symmetric(f_and_shape, order, dtype):
    f, shape = f_and_shape
    x = point(shape, 3).astype(dtype)
    assert_symmetric(eg.derivative(f, order)(x), order, x.ndim)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@pytest.mark.parametrize("n", [3, 7, 70])
def test_complex_hessians_are_symmetric(n, dtype):
    """NumPy's complex product is not commutative to the last bit: it may fuse one step."""
    rng = np.random.default_rng(n)
    x = (rng.normal(size=n) + 1j * rng.normal(size=n)).astype(dtype)
    assert_symmetric(eg.hessian(lambda x: (x @ x) ** 2 + x.sum() ** 3)(x), 2, 1)


def test_symbols_and_lifts_are_symmetric():
    rng = np.random.default_rng(0)
    x, a = rng.normal(size=(4, 4)), rng.normal(size=(40, 4))
    symbol = eg.variable("X", (4, 4))
    y = np.log1p(np.exp(a @ symbol)).sum()
    assert_symmetric(eg.compile(eg.differentiate(y, symbol, 2))(x), 2, 2)
    d2f = rng.normal(size=(4, 4, 6, 6))
    jets = (x, rng.normal(size=(4, 4, 6)), d2f + d2f.swapaxes(2, 3))
    *_, second = eg.lift(lambda f: np.tanh(a @ f @ f))(jets)
    assert_symmetric(second, 2, 1)


def test_mixed_derivatives_are_transposes_of_each_other():
    """Those in other orders of the same variables are derived once, and mirrored."""
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=6), rng.normal(size=(5, 6))

    def f(x, w):
        return np.tanh(w @ np.exp(x)).sum() * (x @ x)

    third = eg.derivative(f, 3, (0, 1))(x, w)
    np.testing.assert_array_equal(third[0][0][1], np.moveaxis(third[0][1][0], 3, 1))
    np.testing.assert_array_equal(third[0][0][1], np.moveaxis(third[1][0][0], (0, 1), (2, 3)))
    assert_symmetric(third[0][0][0], 3, 1)
    assert_symmetric(third[1][1][1], 3, 2)
    assert_symmetric(third[0][1][1], 2, 2)


def test_mixed_derivatives_cost_what_one_of_each_pair_costs():
    """The whole Hessian in three matrices: its six upper blocks, to a few percent; not nine."""
    rng = np.random.default_rng(0)
    weights = tuple(rng.normal(size=(3, 8, 8)))
    v = rng.normal(size=(8, 20))

    def loss(*weights):
        h = v
        for w in weights:
            h = np.tanh(w @ h)
        return (h**2).sum()

    whole = eg.hessian(loss, (0, 1, 2)).plan(*weights)
    matrices = [eg.variable(f"W{n}", (8, 8)) for n in range(3)]
    gradients = [eg.differentiate(loss(*matrices), m) for m in matrices]
    pairs = itertools.product(range(3), repeat=2)
    blocks = {(i, j): eg.differentiate(gradients[i], matrices[j]) for i, j in pairs}
    upper = eg.compile([block for (i, j), block in blocks.items() if i <= j])
    assert whole.flops <= 1.05 * upper.flops
    assert whole.flops <= 0.9 * eg.compile(list(blocks.values())).flops


@pytest.mark.parametrize(
    ("f", "order"),
    [
        (lambda x: (x**3).sum(), 2),  # a diagonal
        (lambda x: np.exp(x.sum()), 3),  # equal entries
        (lambda x: x @ np.arange(9.0).reshape(3, 3) @ x, 2),  # A + A.T
        (lambda x: np.linalg.slogdet(x * np.eye(3) + 2)[1], 2),
        (lambda x: (x**2).sum() ** 2, 2),  # a multiple of x x^T, and a delta
    ],
)
def test_nothing_is_mirrored_where_all_is_computed_alike(f, order):
    plan = eg.derivative(f, order).plan(np.ones(3))
    assert not [s for s in plan.program.statements if isinstance(s.kernel, kernels.Mirror)]
    assert_symmetric(plan(np.array([0.3, 0.7, 1.9])), order, 1)


def test_mirroring_in_place_writes_to_nothing_else():
    """What is mirrored may be an input or another result: then a copy is."""
    rng = np.random.default_rng(0)
    x, a = rng.normal(size=70), rng.normal(size=(300, 70))
    kept = x.copy(), a.copy()

    def f(x):
        return np.log1p(np.exp(a @ x)).sum()

    plan = eg.value_and_derivatives(f, 2).plan(x)
    assert any(s.is_in_place for s in plan.program.statements)
    _, _, hessian = plan(x)
    assert_symmetric(hessian, 2, 1)
    np.testing.assert_array_equal(x, kept[0])
    np.testing.assert_array_equal(a, kept[1])


def test_an_argument_may_have_a_name_that_the_source_uses():
    """The source counts rows where it mirrors in place."""
    a = np.random.default_rng(0).normal(size=(100, 70)) / 10

    def f(row):
        return np.tanh(a @ row).sum() + (a @ row).sum() ** 3

    x = np.linspace(0, 1, 70)
    t = np.tanh(a @ x)
    expected = (a.T * (-2 * t * (1 - t**2))) @ a + 6 * (a @ x).sum() * np.outer(a.sum(0), a.sum(0))
    np.testing.assert_allclose(eg.hessian(f)(x), expected, rtol=1e-10, atol=1e-10)


def test_comparators_sort():
    """A tensor read at the indices that the comparators leave is read at sorted ones."""
    entries = np.arange(4**4).reshape(4, 4, 4, 4)
    tensor = entries
    node = _ir.new_input("x", tensor.shape)
    flat, groups = flat_groups(node, (((0,), (1,), (2,), (3,)),))
    assert flat == tensor.shape
    for axis in Mirror(flat, groups, in_place=False).axes:
        triangle = np.tri(4, dtype=bool).reshape((4, 4) + (1,) * (2 - axis))
        tensor = np.where(triangle, tensor.swapaxes(axis, axis + 1), tensor)
    for index in itertools.product(range(4), repeat=4):
        assert tensor[index] == entries[tuple(sorted(index))]


def test_exactness_is_not_claimed_of_what_rounds_differently():
    u, v = _ir.new_input("u", (3,)), _ir.new_input("v", (3,))
    a = _ir.new_input("a", (3, 3))
    outer = _ir.einsum("i,j->ij", u, u)
    assert is_exact(outer, (1, 0))
    assert not is_exact(_ir.scale(outer, 3), (1, 0))
    assert is_exact(_ir.scale(outer, 4), (1, 0))
    assert not is_exact(_ir.einsum("i,i,j->ij", v, u, u), (1, 0))
    assert not is_exact(_ir.einsum("ki,kj->ij", a, a), (1, 0))
    assert not is_exact(a, (1, 0))
    twins = _ir.add([a, _ir.einsum("ij->ji", a)])
    assert is_exact(twins, (1, 0))
    assert not is_exact(
        _ir.add([a, _ir.einsum("ij->ji", a), outer, _ir.einsum("ij,j->ij", a, v)]), (1, 0)
    )


def test_twins_of_structure_alone_are_found():
    """Two terms that only reorder zeros and ones raised for want of a dtype (fuzzer)."""
    x = np.arange(8.0).reshape(2, 4)
    f = lambda x: np.vdot(x.T, x)  # noqa: E731
    hessian = eg.hessian(f)(x)
    assert_symmetric(hessian, 2, x.ndim)
    np.testing.assert_array_equal(hessian, eg.jacobian(eg.grad(f))(x))
    assert hessian.sum() == 2 * x.size


@pytest.mark.parametrize("coefficient", [1.5, 0.7, 3])
@pytest.mark.parametrize("n", [7, 40])
def test_a_scaled_square_is_symmetric(coefficient, n):
    """Of two equal factors, scaling one would round the two halves differently."""
    x = np.random.default_rng(n).normal(size=n)
    assert_symmetric(eg.hessian(lambda x: coefficient * (x @ x) ** 2)(x), 2, 1)
