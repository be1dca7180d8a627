"""Rows that are picked more often than there are: functions of them are computed once each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inside import node_of
from reference import assert_close, central_difference, complex_step, evaluate

import eingrad as eg
from eingrad import _ir
from eingrad._primitives import apply
from eingrad._simplify import picked_last, written_nodes

RNG = np.random.default_rng(0)
A, W = RNG.normal(size=(6, 3)), RNG.normal(size=(3, 3))
ROWS, GRID = np.arange(40) * 5 % 6, np.arange(40).reshape(8, 5) * 7 % 6
SOME = np.arange(40) % 3 * 2  # rows 0, 2 and 4

PICKED = {
    "a function": lambda a: np.tanh(a[ROWS]),
    "a function of a product": lambda a: np.cos(a[ROWS] @ W),
    "a sum with what has no rows": lambda a: np.exp(a[ROWS] - W[0]),
    "a sum of two": lambda a: np.sin(a[ROWS] + (2 * a * a)[ROWS]),
    "a grid": lambda a: np.tanh(a[GRID] * 2),
    "some rows": lambda a: np.tanh(a[SOME]),
    "columns": lambda a: np.exp(a[:, ROWS % 3] / 2),
    "rows, then columns": lambda a: np.sin(np.cos(a[ROWS])[:, ROWS % 3]),
    "a slice of the rows": lambda a: np.exp(a[1:][ROWS % 5]),
    "an entry of each row": lambda a: np.sin(a[:, 1][ROWS]) * np.cos(a[:, 2][ROWS]),
    "a select": lambda a: np.where(a[ROWS] > 0, np.sin(a[ROWS]), a[ROWS] ** 2),
    "inverses of rows": lambda a: np.linalg.inv((np.eye(3) * 4 + a[:, :, None] * a[:, None])[ROWS]),
    "products along rows": lambda a: np.cumprod(a[ROWS], axis=1),
    "products of rows": lambda a: np.prod(np.cos(a[ROWS]), axis=1),
    "a pick of a pick": lambda a: np.exp(np.sin(a[ROWS])[np.arange(60) % 40]),
    "take": lambda a: np.tanh(np.take(a, GRID, axis=0)),
    "wider by what has no rows": lambda a: np.exp(a[ROWS][:, :, None] * W),
}
NOT_PICKED = {  # two tables, data of each row, too few repeats
    "differences": lambda a: np.sin(a[ROWS] - a[ROWS[::-1]]),
    "data of rows": lambda a: np.sin(a[ROWS] * np.arange(120.0).reshape(40, 3)),
    "few repeats": lambda a: np.sin(a[[0, 1, 2, 2]]),
    "missing rows": lambda a: np.exp(np.pad(a, ((1, 0), (0, 0)))[np.arange(30) % 7]),
}


def traced(f):
    a = eg.variable("a", A.shape)
    return node_of(f(a)), node_of(a)


def largest_call(node):
    """How large the largest result of a function is, of what is computed."""
    calls = [n for n in _ir.topological([node]) if isinstance(n, _ir.Apply)]
    return max(n.size for n in calls)


def with_picks_last(node):
    return picked_last([node], written_nodes([node], frozenset()))[0][0]


@pytest.mark.parametrize("f", PICKED.values(), ids=PICKED)
def test_picks_go_outward_and_the_value_stays(f):
    """Sound, effective and idempotent."""
    node, a = traced(f)
    after = with_picks_last(node)
    _ir.verify([after])
    assert after.shape == node.shape
    assert after.dtype == node.dtype
    assert_close(evaluate(after, {a: A}), f(A), rtol=1e-14)
    assert largest_call(after) < largest_call(node)
    assert with_picks_last(after) is after


@pytest.mark.parametrize("f", NOT_PICKED.values(), ids=NOT_PICKED)
def test_what_is_not_one_pick_stays(f):
    node, _ = traced(f)
    assert with_picks_last(node) is node


@pytest.mark.parametrize("f", [*PICKED.values(), *NOT_PICKED.values()], ids=[*PICKED, *NOT_PICKED])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_are_those_of_what_is_written(f, order):
    """By the complex step of the derivative of the order below."""
    weights = np.cos(np.arange(f(A).size)).reshape(f(A).shape)
    loss = lambda a: np.sum(weights * f(a) ** 2)  # noqa: E731
    below = loss if order == 1 else eg.derivative(loss, order - 1)
    actual = eg.derivative(loss, order)(A)
    if f is PICKED["a select"]:  # which the complex step does not take
        np.testing.assert_allclose(actual, central_difference(below, A), rtol=1e-5, atol=1e-5)
    else:
        assert_close(actual, complex_step(below, A))


def test_a_function_is_not_computed_of_rows_that_are_not_picked():
    """A logarithm of them would be nan, and warn."""
    a = np.where(np.arange(6)[:, None] % 2, -1.0, 2.0) + np.zeros(3)
    f = lambda a: np.sum(np.log(a[SOME]))  # noqa: E731
    with np.errstate(all="raise"):
        gradient, hessian = eg.grad(f)(a), eg.hessian(f)(a)
    counts = np.bincount(SOME, minlength=6)[:, None]
    assert_close(gradient, counts / a)
    assert_close(np.einsum("iaia->ia", hessian), -counts / a**2)


COSTS = {
    "gradient": eg.grad,
    "Hessian": eg.hessian,
    "hvp": lambda f: lambda a: eg.hvp(f)(a, np.ones_like(a)),
    "jvp": lambda f: lambda a: eg.jvp(f)(a, np.ones_like(a)),
    "vjp": lambda f: lambda a: eg.vjp(f)(a, np.array(2.0)),
    "contracted": lambda f: lambda a: np.einsum("ijkl,kl->ij", eg.hessian(f)(a), a),
}


@pytest.mark.parametrize("verb", COSTS.values(), ids=COSTS)
def test_flops_do_not_depend_on_how_often_rows_are_picked(verb):
    """Of sums of functions of rows; the value itself is a sum of as many terms as before."""

    def flops(times):
        rows = np.tile(ROWS, times)
        run = verb(lambda a: np.sum(np.tanh(a[rows] @ W)))
        return (run.plan(A) if isinstance(run, eg.Derivative) else eg.plan(run, A)).flops

    assert flops(10) == flops(1)


def test_what_is_left_of_data_of_each_row_are_sums_by_group():
    """One addition for each row, and functions of groups."""
    data = RNG.normal(size=4000)
    label = np.arange(4000) % 6
    f = lambda g: data @ np.exp(np.sin(g[label]))  # noqa: E731
    plan = eg.grad(f).plan(A[:, 0])
    assert plan.flops <= 4000 + 10 * 6
    assert_close(plan(A[:, 0]), complex_step(f, A[:, 0]))


def test_counts_are_constants():
    """No row is touched when a gradient is computed: how often each is picked is known."""
    rows = np.arange(5000) % 6
    plan = eg.grad(lambda a: np.mean(np.exp(a[rows]))).plan(A)
    shapes = [result.shape for s in plan.program.statements for result in s.results]
    assert max(max(shape, default=0) for shape in shapes) == 6
    assert_close(plan(A), np.bincount(rows)[:, None] / 15000 * np.exp(A))


def test_a_step_of_a_scan_picks_last():
    """Its body is planned as the values of a function are."""

    def moved(a):
        return a + 0.05 * np.tanh(a[ROWS] @ W)[:36].reshape(-1, 6, 3).mean(0)

    def f(a):
        return (eg.scan(lambda a, _: (moved(a), None), a, length=3)[0] ** 2).sum()

    def written(a):
        return (moved(moved(moved(a))) ** 2).sum()

    assert_close(eg.grad(f)(A), complex_step(written, A))
    assert_close(eg.hessian(f)(A), eg.hessian(written)(A))


def test_structured_values_and_series_of_picked_rows():
    f = lambda a: np.sum(np.exp(np.sin(a[ROWS])))  # noqa: E731
    tensor = eg.derivative(f, 2, structured=True)(A)
    assert sum(term.core.size for term in tensor.terms) <= A.size
    assert_close(tensor.dense(), complex_step(eg.grad(f), A))
    V = RNG.normal(size=A.shape)
    series = eg.taylor(f, 3)(A, V)
    assert_close(series[2], np.einsum("ij,ijkl,kl", V, eg.hessian(f)(A), V) / 2)


# Masks that are nowhere or everywhere true --------------------------------------------------------


@pytest.mark.parametrize("subscripts", ["iaib->iab", "iaia->ia", "iaia->", "iaja->ij"])
def test_blocks_of_a_pair_energy_need_no_hessian(subscripts):
    """Of different points a pair has no entry on the diagonal: those terms are not computed."""
    i, j = np.triu_indices(12, 1)
    x = RNG.normal(size=(12, 3))
    f = lambda x: np.exp(-((x[i] - x[j]) ** 2).sum(1)).sum()  # noqa: E731
    plan = eg.plan(lambda x: np.einsum(subscripts, eg.hessian(f)(x)), x)
    assert_close(plan(x), np.einsum(subscripts, complex_step(eg.grad(f), x)))
    if subscripts.startswith("iai"):
        assert plan.program.peak_bytes < 8 * 36**2 * 2.5
        assert all(s.results[0].shape != (12, 3, 12, 3) for s in plan.program.statements)


# Selections among captured arrays -----------------------------------------------------------------

LABELS = np.arange(60) * 7 % 5
HOT = np.eye(5)[LABELS]
B, X = RNG.normal(size=(5, 4)), RNG.normal(size=(60, 3))

ONE_HOT = {
    "rows": (lambda b: np.tanh(HOT @ b), lambda b: np.tanh(b[LABELS])),
    "by einsum": (lambda b: np.einsum("sc,cj->sj", HOT, b), lambda b: b[LABELS]),
    "columns": (lambda b: np.tanh(b.T @ HOT.T), lambda b: np.tanh(b[LABELS].T)),
    "column by column": (lambda b: np.sin(HOT.T @ (HOT @ b)), None),
    "elementwise": (lambda b: HOT * np.exp(X @ b[:, :3].T), None),
    "subtracted": (lambda b: np.exp(X @ b[:, :3].T) - HOT, None),
    "a grid": (lambda b: np.cos(HOT.reshape(6, 10, 5) @ b), lambda b: np.cos(b[LABELS])),
    "integers": (lambda b: HOT.astype(int) @ b, lambda b: b[LABELS]),
    "single precision": (lambda b: HOT.astype(np.float32) @ b, lambda b: b[LABELS]),
    "a permutation": (lambda b: np.eye(10)[::-1] @ np.concatenate([b, b * b]), None),
    "the identity": (lambda b: np.linalg.inv(np.eye(8) * 3 + 0.1 * np.pad(b @ b.T, (0, 3))), None),
}  # fmt: skip


@pytest.mark.parametrize(("f", "by_index"), ONE_HOT.values(), ids=ONE_HOT)
@pytest.mark.parametrize("order", [0, 1, 2])
def test_products_with_one_hot_rows_are_picks(f, by_index, order):
    """The same value, and the flops of indices."""
    loss = lambda b: np.sum(f(b) ** 2)  # noqa: E731
    plan = eg.derivative(loss, order).plan(B)
    if order:
        expected = complex_step(eg.derivative(loss, order - 1) if order > 1 else loss, B)
    else:
        expected = loss(B)
    assert_close(plan(B), expected)
    if by_index is not None:
        assert plan.flops == eg.derivative(lambda b: np.sum(by_index(b) ** 2), order).plan(B).flops


NOT_ONE_HOT = {
    "two ones in a row": np.where(np.arange(5) == 1, 1.0, HOT),
    "half": HOT / 2,
    "a row of zeros": np.where(np.arange(60)[:, None] == 3, 0.0, HOT),
    "one that moves a sign": -HOT,
    "a negative zero": np.where(HOT, 1.0, -0.0),
    "nan": np.where((np.arange(60)[:, None] == 59) & (HOT == 1), np.nan, HOT),
    "small": np.eye(5),
}


@pytest.mark.parametrize("array", NOT_ONE_HOT.values(), ids=NOT_ONE_HOT)
def test_other_arrays_are_inputs_as_before(array):
    f = lambda b: array @ b  # noqa: E731
    plan = eg.derivative(lambda b: np.sum(np.sin(f(b))), 1).plan(B)
    assert len(plan.captured) == 1
    np.testing.assert_array_equal(eg.derivative(f, 0)(B), f(B))


def test_a_selection_is_held_and_looked_at_like_any_captured_array():
    """It is read-only while it is traced, and read anew at the next call."""
    hot = HOT.copy()

    def writes(b):
        y = hot @ b
        hot[0] = 0
        return y.sum()

    with pytest.raises(eg.errors.InPlaceError):
        eg.grad(writes)(B)
    gradient = eg.grad(lambda b: (hot @ b).sum())
    before = gradient(B)
    hot[:] = np.roll(hot, 1, axis=1)
    assert_close(gradient(B), np.roll(before, 1, axis=0))
    hot[0] = 7.0
    assert_close(gradient(B), hot.sum(0)[:, None] + np.zeros((5, 4)))


@given(st.integers(0, 2**32 - 1))
def test_random_chains_of_picks(seed):
    """Picks, functions, products and reshapes in any order."""
    rng = np.random.default_rng(seed)
    steps = [
        lambda y, n: y[rng.integers(len(y), size=int(n))],
        lambda y, n: np.tanh(y),
        lambda y, n: y @ W,
        lambda y, n: y + W[0],
        lambda y, n: y * y,
        lambda y, n: y[: max(1, len(y) // 2)],
        lambda y, n: np.cumprod(y, axis=1),
    ]
    chosen = [
        (rng.integers(len(steps)), rng.integers(2, 20), rng.integers(2**31)) for _ in range(7)
    ]

    def f(a):
        nonlocal rng
        for k, n, again in chosen:
            rng = np.random.default_rng(again)
            a = steps[k](a, n)
        return np.sum(a)

    assert_close(eg.grad(f)(A / 4), complex_step(f, A / 4))


def test_a_reshaped_pick_of_a_slice_is_seen_through():
    """Placements of placements, of which each has one selection or merge."""
    node = apply("exp", node_of(eg.variable("q", (2, 6))[1][GRID]))
    assert largest_call(with_picks_last(node)) == 6
