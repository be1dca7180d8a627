"""Calls that are found again: what a trace asks for a second time is not built a second time."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from faults import A, W, fixed
from inside import node_of
from reference import count_calls

import eingrad as eg
from eingrad import _ir, _tracer
from eingrad.errors import (
    DTypeError,
    TracerLeakError,
)

X = fixed([0.5, 1.5, 2.5])


def _uid():
    return _ir.new_input("probe", ()).uid


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.tanh(W @ (x * 2.0) + W[0, 0]).sum(),
        lambda x: np.linalg.slogdet(np.outer(x, x) + A)[1],
        lambda x: np.linalg.norm(np.stack([x, np.sin(x)]), axis=1).sum(),
        lambda x: np.add.reduce(x * x) * np.multiply.reduce(x),
        lambda x: (np.add.accumulate(x * x) @ np.add.outer(x, x)).sum(),
        lambda x: np.outer(x, x)[np.triu_indices(3)].sum(),
        lambda x: np.einsum("ij,j,jk->k", W, x, A).sum() + np.dot(x, A).sum(),
        lambda x: np.stack([x, A[0]]).sum() + np.concatenate([A[1], [2.0], x]).prod(),
        lambda x: np.where(A > 1, x, A).sum() + np.linalg.solve(A, x).sum(),
        lambda x: -(+x) @ abs(x) + (2**x + x**2 + x**3.5 + 1 / x - x / 2).sum(),
    ],
)
def test_a_second_call_builds_no_nodes(f):
    """What was recorded on the same inputs is found: the count is exact."""
    gradient = eg.grad(f)
    first = gradient(X)
    before = _uid()
    second = gradient(X)
    assert _uid() == before + 1
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("derivative", "x", "most"),
    [
        (eg.grad(lambda x: x @ A @ x), X, 132),
        (eg.jacobian(np.linalg.inv), A, 112),
        (eg.jacobian(lambda x: np.tanh(W @ np.tanh(A @ x + X))), X, 199),
        (eg.hessian(lambda x: np.exp(x).sum()), X, 114),
        (eg.hvp(lambda x: np.exp(A @ x).sum()), (X, X), 204),
    ],
    ids=["quadratic form", "inverse", "net", "diagonal Hessian", "hvp"],
)
def test_a_small_call_makes_few_calls(derivative, x, most):
    """Of Python functions, a count that no load of the machine changes: half of its time is these.

    A bound leaves room for a tenth more than there were.
    """
    args = x if type(x) is tuple else (x,)
    for _ in range(2):
        derivative(*args)
    assert count_calls(lambda: derivative(*args), {"call"}) - 1 <= most


POSITIONS = np.array([0, 2])
LONG = (np.arange(300) % 3).astype(np.int16)  # more than a key holds as it is
VERY_LONG, FLAGS = np.arange(100_000) % 3, np.arange(90_000) % 7 == 0
INDICES = {
    "an item": lambda x: x[0] * x[-1],
    "a NumPy integer": lambda x: x[np.int64(1)] ** 2,
    "a slice": lambda x: (x[1:] * x[: np.int8(-1)]).sum(),
    "new axes": lambda x: (x[:, None] * x[None, ...]).sum(),
    "a list": lambda x: (x[[0, 2]] ** 2).sum(),
    "an array": lambda x: (x[POSITIONS] ** 2).sum(),
    "a long array": lambda x: (x[LONG] ** 2).sum(),
    "100,000 positions": lambda x: (x[VERY_LONG] ** 2).sum(),
    "every second of them": lambda x: (x[VERY_LONG[::2]] ** 2).sum(),
    "100,000 flags": lambda x: (np.tile(x, 30_000)[FLAGS] ** 2).sum(),
    "a mask": lambda x: (x[np.array([True, False, True])] ** 2).sum(),
    "a pair of arrays": lambda x: np.outer(x, x)[POSITIONS, POSITIONS].sum(),
    "unpacking": lambda x: math.prod([*x]),
    "iteration": lambda x: sum(a * b**k for k, (a, b) in enumerate(zip(x, x, strict=True))),
    "iteration over rows": lambda x: sum(row @ row for row in np.outer(x, x)),
    "a long iteration": lambda x: sum(a * a for a in np.concatenate([x] * 30)),
}


@pytest.mark.parametrize("f", INDICES.values(), ids=INDICES)
def test_an_index_is_taken_apart_at_the_first_call_alone(f, monkeypatch):
    """At the second the result is found, in iteration and unpacking too."""
    taken = []
    getitem = _tracer.FUNCTIONS["getitem"]
    monkeypatch.setitem(
        _tracer.FUNCTIONS, "getitem", lambda x, index: taken.append(index) or getitem(x, index)
    )
    eg.cache_clear()
    gradient = eg.grad(f)
    first = gradient(X)
    assert taken
    taken.clear()
    np.testing.assert_array_equal(gradient(X), first)
    assert not taken


def test_of_a_long_array_only_the_items_that_are_asked_for_are_made():
    """Iteration may stop early."""
    x = np.ones(100_000)
    f = eg.grad(lambda x: next(iter(x)) ** 2)
    before = _uid()
    assert f(x)[0] == 2.0
    assert _uid() < before + 50


def test_an_index_is_told_by_its_values():
    """An array may be written between calls; flags are not integers; shapes differ."""
    where = np.array([0, 1])
    gradient = eg.grad(lambda x: (x[where] ** 2).sum())
    np.testing.assert_array_equal(gradient(X), [2 * X[0], 2 * X[1], 0])
    where[:] = [2, 2]
    np.testing.assert_array_equal(gradient(X), [0, 0, 4 * X[2]])
    where = np.zeros(50_000, int)
    np.testing.assert_allclose(gradient(X), [100_000 * X[0], 0, 0])
    where[31_234] = 1  # no sample would have it
    np.testing.assert_allclose(gradient(X), [99_998 * X[0], 2 * X[1], 0])
    where = np.array([True, False, True])
    np.testing.assert_array_equal(gradient(X), [2 * X[0], 0, 2 * X[2]])
    where = np.array([1, 0, 1], np.uint8)
    np.testing.assert_array_equal(gradient(X), [2 * X[0], 4 * X[1], 0])
    where = where[:, None]
    shape = eg.derivative(lambda x: x[where], 0)
    assert shape(X).shape == (3, 1)
    where = where.T
    assert shape(X).shape == (1, 3)


def test_numbers_are_told_by_their_signs_and_nan_by_being_none():
    """``0.0 == -0.0`` and ``nan != nan``."""
    state = {"number": 0.0}
    g = eg.derivative(lambda x: x + state["number"], 0)
    for number in (0.0, -0.0, 0.0):
        state["number"] = number
        product = eg.derivative(lambda x: x * state["number"], 0)(X)
        np.testing.assert_array_equal(np.signbit(product), np.signbit(number))
    state["number"] = math.nan
    assert np.isnan(g(X)).all()
    before = _uid()
    assert np.isnan(g(X)).all()
    assert _uid() == before + 1


def test_every_call_sees_what_the_function_is_now():
    """Constants, captured arrays and the function's own text may change between calls."""
    state = {"factor": 2.0, "array": X, "power": 2}
    gradient = eg.grad(lambda x: (state["factor"] * state["array"] * x ** state["power"]).sum())
    np.testing.assert_allclose(gradient(X), 4 * X * X)
    state["factor"] = 3.0
    np.testing.assert_allclose(gradient(X), 6 * X * X)
    state["array"] = fixed([1.0, 0.0, 0.0])
    np.testing.assert_allclose(gradient(X), [6 * X[0], 0, 0])
    state["power"] = 3
    np.testing.assert_allclose(gradient(X), [9 * X[0] ** 2, 0, 0])


def test_equal_numbers_of_other_kinds_are_other_calls():
    """``1 == True``, but only one of them is a flag."""
    f = eg.grad(lambda x, one: np.where((x > 0) & one, x, 2 * x).sum())
    np.testing.assert_array_equal(f(X, True), np.ones(3))
    with pytest.raises(DTypeError, match="supported for booleans alone"):
        f(X, 1)


def test_a_python_number_does_not_decide_the_dtype_but_a_numpy_number_does():
    """The two may have the same input."""
    f = eg.derivative(lambda x, y: x * y, 0)
    y = np.ones(2, np.float32)
    for x, dtype in ((2.0, np.float32), (np.float64(2), np.float64), (2.0, np.float32)):
        assert f(x, y).dtype == dtype


def test_an_array_that_a_call_makes_is_captured_at_every_call():
    """It belongs to one trace, so the call is not found again."""
    f = eg.grad(lambda x: (np.multiply(x, [1.0, 2.0, 3.0]) + x @ [0.0, 0.0, 1.0]).sum())
    g = eg.grad(lambda x: np.einsum("i,ij,j", x, A, x))
    for _ in range(2):
        np.testing.assert_array_equal(f(X), [1, 2, 6])
        np.testing.assert_allclose(g(X), (A + A.T) @ X)


def test_derivatives_of_the_same_name_inside_each_other_stay_apart():
    """An inner call never gets the input of a call that is still open."""

    def inner(x, y):
        return eg.grad(lambda x: x**2 * y)(x)  # 2 x y

    for _ in range(2):
        assert eg.grad(lambda x: inner(x, x) + inner(3.0, x))(2.0) == 4 * 2.0 + 6.0
        assert eg.grad(lambda x: inner(x, inner(x, x)))(2.0) == 12 * 2.0**2


def test_open_traces_of_threads_share_no_input():
    """Two calls at once, one inside the other's time, each with its own input."""
    nodes = []
    barrier = threading.Barrier(2)

    def f(x):
        nodes.append(node_of(x))
        barrier.wait(10)
        return x * x

    with ThreadPoolExecutor(2) as pool:
        results = [*pool.map(eg.grad(f), (1.0, 2.0))]
    assert results == [2.0, 4.0]
    assert nodes[0] is not nodes[1]


def test_an_expression_made_while_tracing_dies_with_its_trace():
    """Its variable is given to the next call, where it would mean something else."""
    kept = []

    def f(x):
        kept.append(eg.jacobian(lambda y: x * y).expression(x))
        return x * x

    assert eg.grad(f)(3.0) == 6.0
    with pytest.raises(TracerLeakError, match="outlived the call"):
        eg.grad(lambda x: x * kept[0])(3.0)
    with pytest.raises(TracerLeakError, match="outlived the call"):
        eg.compile(kept[0])


def test_the_expression_of_a_call_keeps_its_variable():
    """Expressions outlive their trace, so their inputs are never given to another."""
    held = eg.jacobian(lambda x: x**2).expression(3.0)
    other = eg.jacobian(lambda x: x**2).expression(3.0)
    assert _ir.inputs([node_of(held)])[0] is not _ir.inputs([node_of(other)])[0]
