"""Slicing, joining, moving entries: a Jacobian costs what its nonzeros cost.

Selections are zero-one tensors, and never made: a dense Jacobian is zeros and one write of the
nonzeros. Flops and entries are counted from the program.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import assert_close, complex_step

import eingrad as eg
from eingrad._run.interpret import interpret

N = 40
RNG = np.random.default_rng(0)
X, MATRIX, A = RNG.normal(size=N), RNG.normal(size=(6, 6)), RNG.normal(size=N)


def all_together(x):
    joined = np.concatenate([np.sin(x[2:]), x[:2] ** 2]).reshape(2, -1)
    return joined * x[::-1].reshape(2, -1)


# Alone, and in a function of several steps.
SELECTIONS = {
    "slice": (lambda x: x[2:5], X),
    "slice, then sine": (lambda x: np.sin(x[2:5]), X),
    "every second": (lambda x: x[::2] ** 2, X),
    "differences": (lambda x: (x[1:] - x[:-1]) ** 3, X),
    "concatenate": (lambda x: np.concatenate([x, x**2]), X),
    "concatenate slices": (lambda x: np.concatenate([np.sin(x[20:]), x[:20] ** 2]), X),
    "concatenate columns": (lambda x: np.concatenate([x, 2 * x.T], axis=1), MATRIX),
    "diag of a vector": (np.diag, X),
    "diag of sines": (lambda x: np.diag(np.sin(x)), X),
    "diag of a matrix": (lambda x: np.diag(x) ** 2, MATRIX),
    "flip": (np.flip, X),
    "flip, times itself": (lambda x: np.exp(np.flip(x)) * x, X),
    "roll": (lambda x: np.roll(x, 3), X),
    "roll, difference": (lambda x: (np.roll(x, 3) - x) ** 2, X),
    "pad": (lambda x: np.pad(x, 2), X),
    "pad, then sine": (lambda x: np.sin(np.pad(x, (1, 2))), X),
    "take": (lambda x: np.take(x, [3, 1, 1, 7]), X),
    "take, then sine": (lambda x: np.sin(np.take(x, [3, 1, 1, 7])) * A[:4], X),
    "stack": (lambda x: np.stack([x, x**2, A * x]), X),
    "stack of slices": (lambda x: np.stack([x[1:] * x[:-1], x[1:]]), X),
    "reshape": (lambda x: x.reshape(5, 8), X),
    "reshape, then sine": (lambda x: np.sin(x.reshape(5, 8)) ** 2, X),
    "reshape without common refinement": (lambda x: np.sin(x.reshape(4, 9)), MATRIX),
    "transpose, then tanh": (lambda x: np.tanh(x.T), MATRIX),
    "all together": (all_together, X),
}  # fmt: skip

STEPS = 6  # elementwise steps per entry, at most: of the functions above, their derivatives


@pytest.mark.parametrize("name", SELECTIONS)
def test_a_jacobian_costs_its_nonzeros(name):
    """Flops: a few per nonzero. Written: the dense result once, and as much again per nonzero."""
    f, x = SELECTIONS[name]
    plan = eg.jacobian(f).plan(x)
    result = plan(x)
    assert_close(result, complex_step(f, x))
    nonzeros = np.count_nonzero(result)
    assert plan.flops <= STEPS * nonzeros
    assert plan.program.written_bytes <= 8 * (result.size + STEPS * nonzeros)


@pytest.mark.parametrize("name", SELECTIONS)
def test_a_structured_jacobian_holds_its_nonzeros(name):
    """Or fewer: a number where they are equal. With positions it holds no more than the whole."""
    f, x = SELECTIONS[name]
    tensor = eg.derivative(f, structured=True)(x)
    result = complex_step(f, x)
    assert_close(tensor.dense(), result)
    assert sum(term.core.size for term in tensor.terms) <= np.count_nonzero(result)
    assert tensor.nbytes <= result.nbytes


@pytest.mark.parametrize("name", [n for n in SELECTIONS if "without" not in n])
def test_a_hessian_costs_its_nonzeros(name):
    """Of the sum of the cubes: what is selected is placed on diagonals."""
    f, x = SELECTIONS[name]
    plan = eg.hessian(lambda x: (f(x) ** 3).sum()).plan(x)
    result = plan(x)
    nonzeros = max(x.size, np.count_nonzero(result))
    assert plan.flops <= 4 * STEPS * nonzeros
    largest = max(math.prod(s.shape) for s in plan.program.statements)
    assert largest <= max(result.size, f(x).size)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_a_mask_does_not_grow_at_every_rebuilding(order):
    """Padding after `resize` selects twice in one row; planning went on for ever (fuzzer)."""
    x = np.arange(24.0).reshape(2, 4, 3)

    def f(x):
        return np.pad(np.resize(x, (2, 3)), 1, constant_values=0.7) ** 2

    expected = f(x) if order == 0 else complex_step(eg.derivative(f, order - 1), x)
    assert_close(eg.derivative(f, order)(x), expected)
    plan = eg.derivative(f, order).plan(x)
    assert plan.flops <= 4 * f(x).size


def test_a_mask_of_merged_rows_does_not_grow_at_every_rebuilding():
    """Rows that a merge makes of three axes are masked by them (fuzzer, seed 1001, 2461)."""
    x = RNG.normal(size=(3, 2, 3))
    flags = RNG.random(36) > 0.3

    def f(x):
        both = np.concatenate([x, np.flip(x, 0)], axis=None)
        product = np.prod(np.where(flags, both, 0 * both), axis=0)
        return product + np.sin(product)

    expected = complex_step(eg.grad(f), x)
    assert_close(eg.hessian(f)(x), expected)


NEIGHBOURS = RNG.integers(0, N, (N, 3))
GATHERED = {
    "sum over neighbours": lambda x: np.tanh(x[NEIGHBOURS].sum(1)),
    "sum over nodes": lambda x: np.tanh(x[NEIGHBOURS.T].sum(1)),
    "sum of differences": lambda x: np.tanh((x[:, None] - x[NEIGHBOURS]).sum(1)),
    "sum over joined rows": lambda x: np.tanh(x[NEIGHBOURS.ravel()].reshape(N, -1).sum(1)),
}


@pytest.mark.parametrize("name", GATHERED)
def test_a_hessian_of_sums_over_gathered_rows_adds_an_entry_for_each_pair(name):
    """Which rows are in one sum was a table of as many entries as pairs of rows there are."""
    f = GATHERED[name]
    x = RNG.normal(size=(N, 2))

    def square(x):
        return (f(x) ** 2).sum()

    plan = eg.hessian(square).plan(x)
    assert_close(plan(x), complex_step(eg.grad(square), x))
    assert all(c.ndim == 1 for c in plan.program.constants)
    assert plan.flops <= 40 * NEIGHBOURS.size * 2 * len(NEIGHBOURS.T) * 2


@given(
    first=st.lists(st.integers(-1, 3), min_size=4, max_size=9),
    second=st.lists(st.integers(-1, 3), min_size=4, max_size=9),
)
def test_what_is_scattered_and_gathered_again_has_its_derivative(first, second):
    """Both repeat, and leave rows out; the derivative of a gradient gathers what was scattered."""
    x = np.linspace(0.3, 0.9, 4)

    def f(x):
        gradient = eg.grad(lambda x: np.sin(x[first] * x[first][::-1]).sum())(x)
        return gradient[second] ** 2

    assert_close(eg.jacobian(f)(x), complex_step(f, x))


ROWS, COLUMNS = RNG.integers(0, 6, (3, 2)), RNG.integers(0, 5, (3, 2))
ADDED = {  # what is added where several axes say: of rows, columns, both, slices, and diagonals
    "rows": lambda x: np.sin(x[ROWS.ravel()]),
    "columns": lambda x: np.sin(x[:, COLUMNS.ravel()]),
    "both": lambda x: np.sin(x[ROWS, COLUMNS]),
    "rows of a slice": lambda x: np.sin(x[::2, 1:][ROWS // 2]),
    "sums of rows": lambda x: np.sin(x[ROWS].sum(1)),
    "rows that may be missing": lambda x: np.sin(np.pad(x, 1)[ROWS]),
    "rows of what is reshaped": lambda x: np.sin(x.reshape(3, 10)[ROWS // 2]),
    "products of rows": lambda x: np.sin(x[ROWS[:, 0]] @ x[ROWS[:, 1]].T),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("name", ADDED)
def test_entries_are_added_along_one_axis(name, dtype):
    """NumPy has a fast loop for that; over several axes it takes six to ten times as long."""
    f = ADDED[name]
    x = RNG.normal(size=(6, 5)).astype(dtype)
    weights = RNG.normal(size=f(x).shape).astype(dtype)  # or each row would count so many times
    for order in (1, 2):
        plan = eg.derivative(lambda x: (weights * f(x)).sum(), order=order).plan(x)
        added = [line for line in plan.source.splitlines() if "np.add.at" in line]
        assert added
        assert all(".reshape(" in line and "arange" not in line for line in added)
        result = plan(x)
        assert result.dtype == dtype
        below = eg.derivative(lambda x: (weights * f(x)).sum(), order=order - 1)
        expected = complex_step(below, x.real.astype(float))
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
        (interpreted,) = interpret(plan.program, [x, weights], np)
        assert interpreted.dtype == dtype
        np.testing.assert_allclose(interpreted, result, rtol=1e-5, atol=1e-6)


def test_of_more_positions_than_are_kept_each_axis_has_its_own():
    """Eight MiB of positions are kept for one piece; beyond, and in a loop, none."""
    x, rows = np.ones((6, 5)), np.arange(300_000) % 6
    w = np.linspace(0.5, 1.5, 1_500_000).reshape(300_000, 5)
    plan = eg.grad(lambda x: (w * np.sin(x[rows])).sum()).plan(x)
    assert sum(c.nbytes for c in plan.program.constants) == rows.nbytes
    assert_close(plan(x), w.reshape(-1, 6, 5).sum(0) * np.cos(1))


FIRST, SECOND = np.arange(600) % 7, np.arange(600) * 5 % 11
PAIRS = {
    "two axes": lambda a: (a[FIRST, SECOND] ** 2).sum(),
    "one entry of each row": lambda a: np.sin((a.T @ a)[np.arange(11), SECOND[:11]]).sum(),
    "flat positions": lambda a: np.sin(a.reshape(-1)[FIRST * 11 + SECOND]).sum(),
    "of a transpose": lambda a: np.exp(a.T[SECOND, FIRST]).sum(),
    "axes apart": lambda a: (np.stack([a, a * a], 1)[FIRST, :, SECOND] ** 3).sum(),
    "a grid": lambda a: np.cos(a[FIRST.reshape(20, 30), SECOND.reshape(20, 30)]).sum(),
    "along an axis": lambda a: (np.take_along_axis(a, SECOND[:7, None], 1) ** 2).sum(),
    "three axes": lambda a: (np.einsum("ab,c->abc", a, a[0])[FIRST, SECOND, SECOND] ** 2).sum(),
}


@pytest.mark.parametrize("f", PAIRS.values(), ids=PAIRS)
def test_positions_on_several_axes_are_gathered_at_once(f):
    """Axes were gathered one after the other, and the diagonal of that taken: n times n entries."""
    a = np.random.default_rng(0).normal(size=(7, 11))
    for plan in (eg.plan(f, a), eg.grad(f).plan(a)):
        assert plan.peak_bytes < 8 * 600 * 100
    direction = np.random.default_rng(1).normal(size=a.shape)
    expected = (f(a + 1e-5 * direction) - f(a - 1e-5 * direction)) / 2e-5
    assert_close((eg.grad(f)(a) * direction).sum(), expected, rtol=1e-7)
    slope = eg.grad(f)
    ahead, behind = (slope(a + sign * 1e-5 * direction) for sign in (1, -1))
    assert_close(eg.hvp(f)(a, direction), (ahead - behind) / 2e-5, rtol=1e-6)
