"""Checks for users: derivatives of their own functions."""

import dataclasses
import itertools
import threading

import numpy as np
import pytest
from fuzzing.generate import random_program
from hypothesis import given
from hypothesis import strategies as st
from strategies import functions, point

import eingrad as eg
from eingrad import _ir, _primitives
from eingrad.errors import DTypeError, IndependentWarning, ShapeError
from eingrad.verify import functions as users_function
from eingrad.verify.functions import traced_once


@given(case=functions(most_steps=4), seed=st.integers(0, 2**32 - 1))
def test_derivatives_of_random_functions_pass(case, seed):
    """Analytic ones by the complex step."""
    f, shape = case
    check = eg.check_derivatives(f, point(shape, seed), order=2)
    assert check, check
    assert all(row[2] in {"the function", "complex step"} for row in check.rows)


def test_functions_that_are_not_analytic_are_checked_by_differences():
    """The complex step of abs is silently zero."""
    f = lambda x: np.abs(x) * np.maximum(x, 0.5) ** 3  # noqa: E731
    check = eg.check_derivatives(f, np.array([-0.3, 0.8, 2.0]), order=3)
    assert check, check
    assert [row[2] for row in check.rows[1:]] == ["difference"] * 3


def test_a_function_that_hides_a_value_is_found_wrong():
    """A branch on isinstance, where the derivative is silently another function's."""
    f = lambda x: x * x if isinstance(x, np.ndarray) else 3 * x  # noqa: E731
    check = eg.check_derivatives(f, np.array([1.0, 2.0]))
    assert not check
    assert "WRONG" in str(check)


def test_many_entries_several_arguments_and_no_entries():
    """Random directions where there are many; each argument by itself."""
    A = np.random.default_rng(0).normal(size=(10, 10)) / 4
    f = lambda A, x: np.tanh(A @ x) @ x  # noqa: E731
    check = eg.check_derivatives(f, A, np.linspace(0, 1, 10), argnums=(0, 1))
    assert check, check
    assert [row[1] for row in check.rows] == [0, 0, 0, 1, 1, 1]
    assert eg.check_derivatives(np.sin, np.zeros((0,)))
    assert eg.check_derivatives(lambda x: x * x, np.array([1.5], np.float32))
    with pytest.raises(
        DTypeError, match="argument 0 has dtype complex128; derivatives are checked"
    ):
        eg.check_derivatives(lambda x: x, np.ones(2, complex))


NESTED = {
    "a": np.array([[0.5, -0.2, 0.1], [0.3, 0.7, -0.4]]),
    "b": ({"c": np.array([0.2, -0.1])}, [0.5, np.array(0.25)]),
}
X = np.array([0.4, 1.5])


def _of_nested(p):
    vector, (first, second) = p["b"][0]["c"], p["b"][1]
    return np.tanh(vector @ p["a"]) * first + np.sin(second) * np.sum(p["a"] ** 2)


def test_nested_arguments_are_checked_as_a_whole():
    """As the verbs take them: dicts, tuples and lists of arrays and numbers."""
    check = eg.check_derivatives(_of_nested, NESTED, order=3)
    assert check, check
    assert [row[:3] for row in check.rows] == [
        (0, 0, "the function"),
        *((n, 0, "complex step") for n in (1, 2, 3)),
    ]
    f = lambda p, q: np.abs(p[0]) * q["x"]  # noqa: E731
    check = eg.check_derivatives(f, (X, 2), {"x": X}, argnums=(0, 1))
    assert check, check
    assert [row[1:3] for row in check.rows[1:3]] == [(0, "difference")] * 2
    with pytest.warns(IndependentWarning):
        assert eg.check_derivatives(lambda p: np.float64(2.0), {"x": X, "y": {}}, order=2)
    assert eg.check_derivatives(lambda p: np.float64(2.0), {}, order=2)


def test_a_wrong_mixed_derivative_of_a_nested_argument_is_found(monkeypatch):
    """Where the blocks of each array by itself are right."""

    def wrong(f, order, argnums):
        def derivative(p):
            result = eg.derivative(f, order, argnums)(p)
            if order == 2:
                result["a"]["b"] = result["a"]["b"] + 1e-3
            return result

        return derivative

    monkeypatch.setattr(users_function, "traced_once", wrong)
    check = eg.check_derivatives(lambda p: p["a"] ** 2 * p["b"], {"a": 0.5, "b": 2.0})
    assert [error <= tolerance for *_, error, tolerance in check.rows] == [True, True, False]


def test_it_is_traced_a_few_times_and_evaluated_at_hundreds_of_points():
    """For each order and kind of number; at each point where another argument could change."""

    class Slope:
        def __init__(self):
            self.value, self.guard = 3.0, threading.Lock()

    def traces(*others):
        count = 0

        def f(x, slope=None):
            nonlocal count
            count += not isinstance(x, np.ndarray)
            return np.abs(x) * x * (slope.value if slope else 3.0)

        check = eg.check_derivatives(f, np.linspace(0.5, 2, 9), *others)
        assert check, check
        return count

    assert traces() <= 12
    assert traces(Slope()) > 100


def test_the_tolerance_of_check_derivatives_can_be_given():
    """Relative, for every order; the default is not less."""
    exact = eg.check_derivatives(np.sin, X, tol=1e-13)
    assert exact, exact
    assert [row[4] for row in exact.rows] == [1e-13] * 3
    rough = lambda x: np.sin(x) * (1 + 1e-3 * isinstance(x, np.ndarray))  # noqa: E731
    assert eg.check_derivatives(rough, X, tol=1e-2)
    assert not eg.check_derivatives(rough, X, tol=1e-4)
    assert not eg.check_derivatives(rough, X)
    for tol in (0, -1.0, np.inf, np.nan, "1e-3"):
        with pytest.raises(ValueError, match=f"tol must be a positive number, .*not {tol!r}"):
            eg.check_derivatives(np.sin, X, tol=tol)


KINKS = {
    "abs": (np.abs, np.array([0.05])),
    "maximum, in random directions": (
        lambda x: np.maximum(x, 0),
        np.random.default_rng(1).normal(size=40),
    ),
    "a power of abs, over six decades": (lambda x: np.abs(x) ** 2.5, np.array([1e-3, 1e3])),
}


@pytest.mark.parametrize(("f", "x"), KINKS.values(), ids=KINKS.keys())
def test_right_derivatives_next_to_a_kink_pass(f, x):
    """The step of the difference becomes small enough."""
    check = eg.check_derivatives(f, x)
    assert check, check
    assert {row[2] for row in check.rows[1:]} == {"difference"}


def _half_abs(x):
    """``abs``, but half of it where it is traced."""
    return np.abs(x) if isinstance(x, np.ndarray) else np.abs(x) * 0.5


def test_wrong_values_that_are_small_are_found():
    """Errors are relative to the function's own scale."""
    f = lambda x: 1e-15 * x * x if isinstance(x, np.ndarray) else 3e-15 * x * x  # noqa: E731
    assert not eg.check_derivatives(f, np.array([1.0, 2.0]))
    assert not eg.check_derivatives(_half_abs, np.array([1e-9]))


def test_terms_that_cancel_are_no_wrong_derivative():
    """What is zero but for rounding."""
    f = lambda x: np.sin(x) ** 2 + np.cos(x) ** 2 - 1  # noqa: E731
    check = eg.check_derivatives(f, np.linspace(0, 3, 7), order=3)
    assert check, check


def test_wrong_arguments_of_check_derivatives_are_refused_by_name():
    """The argument's number, the order, the value."""
    assert eg.check_derivatives(lambda a, b: a * b, 1.0, 2.0, argnums=-1).rows[0][1] == 1
    with pytest.raises(ShapeError, match="argnums 3 names argument 3, but the call has 1"):
        eg.check_derivatives(np.sin, 1.0, argnums=3)
    with pytest.raises(TypeError, match=r"argnums must be an integer or a tuple of integers"):
        eg.check_derivatives(np.sin, 1.0, argnums=0.0)
    for order in (1.5, -1):
        with pytest.raises(
            ValueError, match=f"order must be an integer of at least 0, not {order}"
        ):
            eg.check_derivatives(np.sin, 1.0, order=order)
    with pytest.raises(DTypeError, match="pair returned a value of type tuple; it must return one"):
        eg.check_derivatives(_pair, 1.0)
    with pytest.raises(ValueError, match="log is not finite at the point: nan"):
        eg.check_derivatives(np.log, -1.0)


def _pair(x):
    return x, x


# Optima, kinks, scales ---------------------------------------------------------------------------

RNG = np.random.default_rng(0)
A, NOISE = RNG.normal(size=(40, 4)), RNG.normal(size=40)
TRUE = np.array([1.0, 2.0, -1.0, 0.5])
B = A @ TRUE + NOISE / 10
SIGNS = np.where(A @ TRUE + NOISE > 0, 1.0, -1.0)


def _rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2.0) ** 2.0 + (1 - x[:-1]) ** 2.0)


def _rosenbrock_by_abs(x):
    return np.sum(100.0 * np.abs(x[1:] - x[:-1] ** 2.0) ** 2.0 + np.abs(1 - x[:-1]) ** 2.0)


def _logistic(w):
    return np.logaddexp(0, -SIGNS * (A @ w)).sum() + 0.05 * w @ w


def _powers(w, p):
    return np.sum(np.abs(A @ w - B) ** p)


def _huber(w):
    r = np.abs(A @ w - B)
    return np.sum(np.where(r < 0.1, 0.5 * r**2, 0.1 * (r - 0.05)))


def _minimised(f, w):
    """Newton's method, as far as it goes."""
    gradient, hessian = eg.grad(f), eg.hessian(f)
    for _ in range(60):
        step = np.linalg.solve(hessian(w) + 1e-9 * np.eye(len(w)), gradient(w))
        while f(w - step) > f(w) and np.max(np.abs(step)) > 1e-12:
            step = step / 2
        w = w - step
    return w


LEAST_SQUARES = np.linalg.lstsq(A, B)[0]
FITTED = A @ LEAST_SQUARES
OPTIMA = {
    "Rosenbrock": (_rosenbrock, np.ones(4)),
    "Rosenbrock, not analytic": (_rosenbrock_by_abs, np.ones(3)),
    "logistic regression": (_logistic, _minimised(_logistic, np.zeros(4))),
    "least squares": (lambda w: np.sum((A @ w - B) ** 2), LEAST_SQUARES),
    "least squares by abs": (lambda w: _powers(w, 2), LEAST_SQUARES),
    "least squares that fit": (lambda w: np.sum((A @ w - FITTED) ** 2), LEAST_SQUARES),
    "norm of residuals that do not fit": (lambda w: np.linalg.norm(A @ w - B), LEAST_SQUARES),
    "power 1.5 of residuals": (lambda w: _powers(w, 1.5), LEAST_SQUARES),
    "power 1.5 of residuals that fit": (
        lambda w: np.sum(np.abs(A @ w - FITTED) ** 1.5),
        LEAST_SQUARES,
    ),
    "absolute residuals that fit": (lambda w: np.sum(np.abs(A @ w - FITTED)), LEAST_SQUARES),
    "Huber": (_huber, _minimised(_huber, LEAST_SQUARES)),
    "a saddle": (lambda x: x[0] ** 2 - x[1] ** 2, np.zeros(2)),
    "a saddle on a hill": (
        lambda x: (np.abs(x[0]) - 0.3) ** 2 - (x[1] - 0.1) ** 2 + 1e6,
        np.array([0.3, 0.1]),
    ),
    "a monkey saddle": (lambda x: np.abs(x[0]) ** 3 - 3 * x[0] * x[1] ** 2, np.zeros(2)),
    "a flat minimum": (lambda x: np.sum(np.abs(x - 1) ** 4), np.ones(2)),
    "a constant": (lambda x: 3 + 0 * x, np.ones(3)),
    "a constant of steps": (lambda x: np.abs(np.sign(x)), np.ones(3)),
    "many entries": (lambda x: np.sum(np.abs(x - 1) ** 3 + (x - 1) ** 2), np.ones(50)),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("f", "x"), OPTIMA.values(), ids=OPTIMA.keys())
def test_right_derivatives_at_a_stationary_point_pass(f, x, dtype):
    """A gradient of zero has no relative error."""
    for seed in range(3):
        check = eg.check_derivatives(f, x.astype(dtype), order=2, seed=seed)
        assert check, check


KINKED = {
    "abs ** 1.5 at zero": (lambda r: np.abs(r) ** 1.5, [0.0]),
    "abs ** 1.5 close to zero": (lambda r: np.abs(r) ** 1.5, [1e-9, -1e-12]),
    "abs ** 1.5 of several": (lambda r: np.sum(np.abs(r) ** 1.5), [0.0, 1e-3, 1e-12, 2.0]),
    "abs at zero": (np.abs, [0.0, 1.0]),
    "abs close to zero": (np.abs, [1e-9, 1e-14, -1e-5]),
    "abs of a difference": (lambda x: np.abs(x - 1 - 1e-9), [1.0]),
    "abs close to rounding": (lambda x: np.abs(x - 0.1) + np.abs(x - 0.2 - 1e-12), [0.2]),
    "maximum at a tie": (lambda x: np.maximum(x, 0.0) ** 2 + x, [0.0, 1.0, -1.0]),
    "max of ties": (np.max, [1.0, 1.0, 0.0]),
    "max next to a tie": (np.max, [1.0, 1.0 + 1e-15, 0.0]),
    "unequal powers": (lambda x: np.where(x > 0, x**1.5, 2 * np.abs(x) ** 1.5), [0.0, 0.1]),
    "unequal smooth powers": (lambda x: np.where(x > 0, x**2.5, 2 * np.abs(x) ** 2.5), [0, 0.1]),
    "norm at zero": (np.linalg.norm, [0.0, 0.0, 0.0]),
    "norm close to zero": (np.linalg.norm, [1e-9, 0.0, 1e-10]),
    "norm of different sizes": (np.linalg.norm, [1e-3, 0.0, 1.0]),
    "std of equal entries": (np.std, [1.0, 1.0, 1.0]),
    "std of one entry": (np.std, [1.0]),
    "sqrt at zero": (np.sqrt, [0.0, 1.0]),
    "sqrt of a square": (lambda x: np.sqrt(x * x), [0.0, 1.0]),
    "a power of 1.5": (lambda x: x**1.5, [0.0, 1.0]),
    "cbrt": (np.cbrt, [0.0, 1.0]),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("f", "x"), KINKED.values(), ids=KINKED.keys())
def test_at_a_kink_and_close_to_it_nothing_right_is_called_wrong(f, x, dtype):
    """What has no limit, or is infinite, is not compared."""
    with np.errstate(all="ignore"):
        for seed in range(3):
            check = eg.check_derivatives(f, np.array(x, dtype), order=2, seed=seed)
            assert check, check


SCALES = {
    "tiny values": (lambda x: 1e-12 * np.abs(x) ** 3, [1.0, -2.0]),
    "huge values": (lambda x: 1e12 * np.abs(x) ** 3, [1.0, -2.0]),
    "tiny entries": (lambda x: np.sum(np.abs(x) ** 3), [1e-8, -2e-8]),
    "huge entries": (lambda x: np.sum(np.abs(x) ** 3), [1e8, -2e8]),
    "entries of every size": (lambda x: np.abs(x) ** 3, [1e-8, 1.0, -2e8]),
    "logarithms of tiny entries": (lambda x: np.log(np.abs(x)).sum(), [1e-8, 3e-8]),
    "logarithms of many": (lambda x: np.log(np.abs(x)).sum(), 1e-8 * (1 + np.arange(50.0))),
    "a sine far out": (lambda x: np.sin(np.abs(x)).sum(), [1e8, 0.5]),
    "an analytic sine far out": (lambda x: np.sin(x).sum(), [1e8, 0.5]),
    "a short length": (lambda x: np.exp(-np.abs(x) / 1e-9), [1e-9, 3e-9]),
    "values of every size": (lambda x: np.abs(x) * np.array([1e-9, 1.0, 1e9]), [0.3, 0.2, 0.1]),
    "an ill-conditioned inverse": (
        lambda x: np.abs(np.linalg.inv(x)),
        1 / (1 + np.add.outer(np.arange(5), np.arange(5.0))),
    ),
}


@pytest.mark.parametrize(("f", "x"), SCALES.values(), ids=SCALES.keys())
def test_every_scale_is_checked(f, x):
    """Right ones pass; an error of a thousandth is found, in each entry that is not zero."""
    x = np.array(x)
    check = eg.check_derivatives(f, x, order=2)
    assert check, check
    assert all(np.isfinite(row[3]) for row in check.rows)


def _planted(monkeypatch, change, order):
    """Let derivatives of one order be changed."""

    def wrong(f, order_, argnums):
        right = traced_once(f, order_, argnums)
        return (lambda *args: change(np.array(right(*args)))) if order_ == order else right

    monkeypatch.setattr(users_function, "traced_once", wrong)


def _entry(change):
    def changed(tensor):
        place = np.unravel_index(np.argmax(np.abs(tensor)), tensor.shape)
        tensor[place] = change(tensor[place])
        return tensor

    return changed


MISTAKES = {
    "sign": lambda d: -d,
    "a factor": lambda d: d * 1.001,
    "a small factor": lambda d: d * (1 + 1e-7),
    "nothing": lambda d: 0 * d,
    "one entry": _entry(lambda d: d * 1.001),
    "nan in one entry": _entry(lambda d: np.nan),
    "inf in one entry": _entry(lambda d: np.inf),
}
NOT_PLANTED = ("values of every size", "logarithms of many")
SMOOTH = {
    "Rosenbrock": (_rosenbrock, np.array([1.2, 0.7, 0.3])),
    "Rosenbrock, not analytic": (_rosenbrock_by_abs, np.array([1.2, 0.7, 0.3])),
    "logistic regression": (_logistic, TRUE / 2),
    "power 1.5 of residuals": (lambda w: _powers(w, 1.5), TRUE / 2),
    "Huber": (_huber, TRUE / 2),
    "many entries": (lambda x: np.sum(np.abs(x) ** 3), np.linspace(0.5, 2, 33)),
    "logarithms of many": (lambda x: np.log(np.abs(x)).sum(), 1e-8 * (1 + np.arange(33.0))),
} | {name: SCALES[name] for name in SCALES if name not in NOT_PLANTED}


ROUGH = ("an ill-conditioned inverse", "a sine far out")
FEW_DIGITS = [SCALES[name][0] for name in ROUGH]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("change", MISTAKES.values(), ids=MISTAKES.keys())
@pytest.mark.parametrize(("f", "x"), SMOOTH.values(), ids=SMOOTH.keys())
def test_a_planted_mistake_is_found(monkeypatch, f, x, change, order):
    """Of every scale, in each order by itself."""
    if change is MISTAKES["a small factor"] and f in FEW_DIGITS:
        change = MISTAKES["sign"]
    _planted(monkeypatch, change, order)
    check = eg.check_derivatives(f, np.array(x), order=order)
    assert [row[3] > row[4] for row in check.rows] == [n == order for n in range(order + 1)]
    assert "WRONG" in str(check).splitlines()[-1]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_mistake_in_a_small_entry_next_to_a_large_one_is_found(monkeypatch, place):
    """Each is relative to its own direction, and its own place in the value."""
    f, x = SCALES["entries of every size"]

    def wrong(d):
        d[place, place] *= 1.001
        return d

    _planted(monkeypatch, wrong, 1)
    assert not eg.check_derivatives(f, np.array(x), order=1)


AT_OPTIMA = [
    "Rosenbrock", "logistic regression", "least squares",
    "least squares by abs", "power 1.5 of residuals", "Huber", "a saddle", "a saddle on a hill",
    "many entries", "norm of residuals that do not fit",
]  # fmt: skip


@pytest.mark.parametrize("name", AT_OPTIMA)
def test_a_mistake_at_a_stationary_point_is_found(monkeypatch, name):
    """Of the gradient where it is larger than what rounding makes of it, and of the Hessian."""
    f, x = OPTIMA[name]
    for order, change in (
        (1, lambda d: d + 1e-4),  # a missing term
        (1, lambda d: d - 1e-3 * (np.arange(d.size) == 1)),
        (2, lambda d: -d),
        (2, lambda d: d * 1.001),
        (2, _entry(lambda d: d * 1.001)),
    ):
        with monkeypatch.context() as context:
            _planted(context, change, order)
            assert not eg.check_derivatives(f, x, order=order), (order, change)


RULES = [
    ("exp", 0, lambda x: np.exp(x).sum()),
    ("log", 0, lambda x: np.log(x * x + 1).sum()),
    ("sin", 0, lambda x: np.sin(x) @ np.cos(x)),
    ("tanh", 0, lambda x: np.tanh(x).sum()),
    ("absolute", 0, lambda x: np.abs(x).sum()),
    ("maximum", 0, lambda x: np.maximum(x, 0.1).sum()),
    ("norm", 0, lambda x: np.linalg.norm(x) / 2),
    ("inverse", 0, lambda x: np.linalg.inv(np.diag(x) + 3 * np.eye(3))),
    ("slogdet", 0, lambda x: np.linalg.slogdet(np.diag(x) + 3 * np.eye(3))[1]),
]


@pytest.mark.parametrize("factor", [1.001, -1])
@pytest.mark.parametrize(("name", "k", "f"), RULES, ids=[row[0] for row in RULES])
def test_a_wrong_rule_of_the_table_is_found(monkeypatch, name, k, f, factor):
    """At a point, and where the function that is built of it is stationary."""
    row = _primitives.BY_NAME[name]
    rule = row.rules[k]

    def wrong(*operands, **attributes):
        return _ir.scale(rule(*operands, **attributes), factor)

    rules = (*row.rules[:k], wrong, *row.rules[k + 1 :])
    x = np.array([0.4, -0.7, 1.3])
    there = f(x)
    squared = lambda x: np.sum((f(x) - there) ** 2)  # noqa: E731
    assert eg.check_derivatives(f, x)
    assert eg.check_derivatives(squared, x)
    eg.cache_clear()
    monkeypatch.setitem(_primitives.BY_NAME, name, dataclasses.replace(row, rules=rules))
    try:
        assert not eg.check_derivatives(f, x)
        assert not eg.check_derivatives(squared, x)
    finally:
        eg.cache_clear()


def test_a_derivative_that_is_known_to_be_zero_is_compared_with_a_rounded_one():
    """The determinant of two equal columns more, in single precision."""
    x = np.array([0.3, 0.7], np.float32)
    f = lambda v: 0.1 * np.linalg.det(0.2 * v + 2 * np.eye(2, dtype=v.dtype))  # noqa: E731
    for scale in np.linspace(0.5, 2, 9, dtype=np.float32):
        check = eg.check_derivatives(f, x * scale, order=2)
        assert check, check


def test_what_is_not_finite_is_neither_right_nor_wrong():
    """Where the function has no derivative; where it has one, nan is wrong."""
    with np.errstate(all="ignore"):
        check = eg.check_derivatives(lambda r: np.abs(r) ** 1.5, np.array(0.0))
    assert check
    assert np.isnan(check.rows[2][3])
    assert check.comparisons[2].left_out == 1
    assert "not compared: 1 entries that are not finite or have no limit here" in str(check)
    hidden = lambda x: np.sqrt(x**4)  # noqa: E731 - x^2, whose derivative is inf * 0 at zero
    with np.errstate(all="ignore"):
        check = eg.check_derivatives(hidden, np.array([0.0, 1.0]), order=1)
    assert not check
    assert "WRONG: not finite, or of another shape, where it should not be" in str(check)


def test_a_function_of_another_kind_for_complex_numbers_is_checked_by_differences():
    """A complex step would differentiate something else."""
    f = lambda x: x**2 * (1 + np.isrealobj(x) + 2 * np.iscomplexobj(x))  # noqa: E731
    check = eg.check_derivatives(f, np.array([0.3, 0.5]))
    assert check, check
    assert check.rows[1][2] == "difference"


def test_the_value_may_differ_by_rounding_of_what_another_argument_is_in():
    """It is zero but for that, and does not change with the argument that is checked."""
    x, y = np.linspace(1, 2, 6).reshape(2, 3), np.array([3, 1, 2])
    for f in (
        lambda x, y: np.tanh(y / 7) @ np.log1p(0.2 * x[0] * x[0]),
        lambda x, y: np.log1p(0.2 * x * x) * 1.1,
        lambda x, y: np.linalg.inv(3 * np.eye(3) + 0.2 * np.sin(y.sum())),
    ):
        there = f(x, y) * (1 + 2**-52)
        squared = lambda x, y, f=f, there=there: np.sum((f(x, y) - there) ** 2)  # noqa: E731
        check = eg.check_derivatives(squared, x, y, argnums=(0, 1))
        assert check, check
    program = random_program(77, 6)  # log1p(0.2 * v1 * v1), zero but for rounding, in v0
    f, args = program.function(), program.inputs()
    there = f(*args)
    assert eg.check_derivatives(lambda *v: np.sum((f(*v) - there) ** 2), *args, order=0)


def test_the_table_says_what_was_compared():
    """The derivative, how far off it is, how far it may be."""
    check = eg.check_derivatives(lambda x: np.abs(x) ** 3, np.array(2.0))
    lines = str(check).splitlines()
    assert lines[0].split() == ["order", "argument", "against", "derivative", "error", "allowed"]
    assert lines[2].split()[3] == "1.2e+01"
    assert [float(c.size) for c in check.comparisons[1:]] == pytest.approx([12, 12])
    wrong = eg.check_derivatives(_half_abs, np.array([1.0, 2.0]), order=1)
    assert "times what is allowed" in str(wrong)


# Singular matrices, small entries, few digits ----------------------------------------------------


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (np.linalg.det, np.zeros((3, 3))),
        (np.linalg.det, np.array([[1.0, 2.0], [2.0, 4.0]])),
        (lambda x: x**2 * np.linalg.det(np.ones((2, 2)) * x[0]), np.array([1.0, 2.0])),
        (lambda x: np.linalg.det(np.outer(x, x)), np.array([1.0, 2.0])),
    ],
)
def test_a_derivative_that_inverts_a_singular_matrix_is_not_compared(f, x):
    """The table says why; the function itself is compared."""
    check = eg.check_derivatives(f, x)
    assert check, check
    assert check.comparisons[0].left_out == 0
    for row in check.comparisons[1:]:
        assert np.isnan(row.error)
        assert "not compared: a matrix is singular here" in str(row)


SMALL = {
    "log": (np.log, 1e-40),
    "sqrt": (np.sqrt, 1e-33),
    "reciprocal": (lambda x: 1 / x, 1e-29),
    "x log x": (lambda x: x * np.log(x), 1e-50),
    "entropy": (lambda p: -np.sum(p * np.log(p)), np.array([0.25, 0.75, 1e-35, 1e-31])),
    "logarithms": (lambda p: np.log(p).sum(), np.array([1e-45, 0.5])),
    "entropy of many": (lambda p: -np.sum(p * np.log(p)), np.append(np.ones(40) / 40, 1e-33)),
}


@pytest.mark.parametrize(("f", "x"), SMALL.values(), ids=SMALL.keys())
def test_right_derivatives_at_small_entries_pass_and_wrong_ones_do_not(monkeypatch, f, x):
    """The complex step is small beside every entry."""
    check = eg.check_derivatives(f, x)
    assert check, check
    assert [row[2] for row in check.rows[1:]] == ["complex step"] * 2
    for order in (1, 2):
        with monkeypatch.context() as context:
            _planted(context, lambda d: d * 1.001, order)
            assert not eg.check_derivatives(f, x, order=order)


@pytest.mark.parametrize("f", [np.sin, np.exp, lambda x: x * x + 1, np.abs])
@pytest.mark.parametrize("factor", [0.9, 1.5, -1.0])
def test_a_wrong_value_is_found_in_half_precision(f, factor):
    """A thousand units in the last place are all there is."""
    wrong = lambda x: f(x) * (1 if isinstance(x, np.ndarray) else factor)  # noqa: E731
    x = np.array([0.5, 1.5], np.float16)
    assert eg.check_derivatives(f, x, order=0)
    assert not eg.check_derivatives(wrong, x, order=0)


@pytest.mark.parametrize("kinked", [1e-8, -1e-12, 0.0])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_is_wrong_next_to_a_kink_in_another_entry(
    monkeypatch, kinked, bad
):
    """Whether there is a derivative is a question to each entry."""

    def change(d):
        d[1] = bad
        return d

    _planted(monkeypatch, change, 1)
    check = eg.check_derivatives(lambda x: np.abs(x).sum(), np.array([kinked, 2.0]), order=1)
    assert not check, check


@pytest.mark.parametrize(
    "draw", [np.random.rand, np.random.default_rng(0).normal, lambda: next(COUNT)]
)
def test_a_function_that_differs_from_itself_is_refused(draw):
    """It passed with whatever error its values made likely."""
    with pytest.raises(
        ValueError, match=r"returned .*, and called again .*: it draws random numbers"
    ):
        eg.check_derivatives(lambda x: np.sum(x**2) * (1 + draw()), np.ones(3))


COUNT = itertools.count()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("off", [1e-6, 1e-4, 1e-8])
def test_next_to_a_perfect_fit_of_round_numbers_nothing_right_is_called_wrong(seed, off):
    """The residual is what is left of numbers a million times as large, which do not scatter."""
    rng = np.random.default_rng(seed)
    X = np.round(rng.normal(size=(10, 3)) * 4) / 4
    w = np.array([1.0, -2.0, 0.5])
    y = X @ w
    f = lambda w: np.sqrt(np.mean((y - X @ w) ** 2))  # noqa: E731
    check = eg.check_derivatives(f, w + off * np.array([1, 0, -1]), order=2)
    assert check, check
