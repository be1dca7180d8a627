"""Selects: what is not chosen reaches nothing, and costs no more than a mask."""

import functools

import numpy as np
import pytest
from loops import unrolled
from reference import assert_close

import eingrad as eg

RNG = np.random.default_rng(14)
A, B = RNG.normal(size=(4, 4)) / 3, RNG.normal(size=(4, 4)) / 3
KEPT = np.array([True, False, True, False, True])
POINT = RNG.uniform(0.5, 1.5, size=(5, 4))
POINT[1], POINT[3] = 0.0, -1.0
POINT[3, 2] = 1e4  # whose exponential is infinite


def repeated(step, n=4):
    """Repeat a step in a loop that is written out, or found and rolled."""

    def f(x):
        for _ in range(n):
            x = step(x)
        return x

    return f


def scanned(step, n=4):
    return lambda x: eg.scan(lambda c, _: (step(c), None), x, length=n)[0]


def normalised(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def softmax(x):
    e = np.exp(x)
    return e / e.sum(1, keepdims=True)


def neighbours(x):
    return x + 0.3 * (np.roll(x, 1, axis=1) - np.pad(x, ((0, 0), (0, 1)))[:, 1:])


def outer_product(x):
    r = np.sqrt(x)
    return np.einsum("ni,nj,jk->nk", r, 1 / x, A)


def with_stacked(x):
    _, each = eg.scan(lambda c, _: (np.log1p(np.exp(c)) @ A, 1 / c), np.log(x), length=3)
    return each[1] + each[2]


def over_slices(x):
    return eg.scan(lambda c, s: (c * np.sqrt(s[:, None]) + 1, None), x, np.log(3 * x).T)[0]


def many_conditions(x):
    """Where one of six conditions holds, a layer is needed."""
    y = np.tanh(np.sqrt(x) @ A)
    return sum(np.where(x > 0.5 + k / 10, np.sin(k * y), 0.0) for k in range(1, 7))


# Of rows: what is not kept is infinite or nan at the point, in the value or in the derivative.
def step(x):
    return 0.5 * x + np.log1p(np.sqrt(x)) @ np.abs(A)


def selecting_step(x):
    return 0.5 * x + np.where(x > 0.7, np.log(x), np.sqrt(x)) @ np.abs(A)


def sum_and_product(x):
    return np.log(x).sum(1, keepdims=True) * np.prod(1 / x, 1, keepdims=True) + x


def padded_sequences(x):
    """Rows that end at once: nothing but zeros is handed on, whatever the first carry is."""

    def one(c, k):
        alive = KEPT[: len(x), None] if len(x) == len(KEPT) else np.ones((len(x), 1), bool)
        return np.where(alive, np.tanh(c @ A) / c + k, 0.0), np.where(alive, c, 0.0)

    last, each = eg.scan(one, 1 / x, np.arange(3.0))
    return last + each.sum(0)


ROWS = {
    "log": np.log,
    "reciprocal": lambda x: 1 / x,
    "softplus": lambda x: np.log1p(np.exp(x)),
    "root and power": lambda x: np.sqrt(x) * x**1.5,
    "layers of log": lambda x: np.tanh(np.tanh(np.log(x) @ A) @ B),
    "layers of roots": lambda x: np.sin(np.sqrt(x) @ A) @ B,
    "log of layers": lambda x: np.log(1.5 + np.tanh(x @ A) @ B / 4 + 1 / x),
    "sigmoid layers": lambda x: 1 / (1 + np.exp(-((1 / (1 + np.exp(-x @ A))) @ B / x))),
    "softmax": lambda x: softmax(x) @ A,
    "normalised": normalised,
    "normalised layers": lambda x: np.tanh(normalised(x) @ A),
    "sum and product": sum_and_product,
    "cumulative": lambda x: np.cumsum(np.log(x), axis=1) + np.cumprod(1 / x, axis=1),
    "maximum": lambda x: np.max(1 / x, axis=1, keepdims=True) * np.sqrt(x),
    "stencil": lambda x: np.log(3 + neighbours(1 / neighbours(x) ** 2)),
    "gather": lambda x: (1 / x)[:, [0, 0, 2, 1, 3, 3]] @ np.ones((6, 4)),
    "concatenate": lambda x: np.concatenate([np.log(x)[:, 2:], np.sqrt(x)[:, :2]], axis=1) @ A,
    "reshape": lambda x: (np.log(x).reshape(-1, 2, 2) @ A[:2, :2]).reshape(-1, 4) ** 2,
    "outer product": outer_product,
    "inner select": lambda x: np.where(x > 0.8, np.log(x), np.sqrt(x)) @ A,
    "selects in layers": lambda x: np.where(x @ A > 0, np.log(x) @ B, (1 / x) @ A),
    "loop": repeated(step),
    "scan": scanned(step),
    "loop of selects": repeated(selecting_step),
    "scan of selects": scanned(selecting_step),
    "scan of a reciprocal": lambda x: scanned(lambda c: np.tanh(c @ A) + c)(1 / x),
    "stacked results": with_stacked,
    "slices": over_slices,
    "padded sequences": padded_sequences,
    "many conditions": many_conditions,
}  # fmt: skip


def chosen_rows(name, x):
    """Weigh the rows that are kept, of all that were computed."""
    return np.where(KEPT[:, None], ROWS[name](x), 0.5 * x)


def kept_rows(name, x):
    """Compute the others from what they are made of, and put them in their places."""
    places = np.cumsum(KEPT) - 1
    of_kept = ROWS[name](x[KEPT])
    return KEPT[:, None] * of_kept[places] + ~KEPT[:, None] * (0.5 * x)


ROWS_OF_THREE = {
    **ROWS,
    "reshape": lambda x: (np.log(x).reshape(3, 2, 2) @ A[:2, :2]).reshape(3, 4) ** 2,
}


def weighed(rows, name, x):
    return np.sum(np.sin(rows(name, x)) * np.arange(1, 21).reshape(5, 4))


def pair(name, of=weighed):
    return (functools.partial(of, rows, name) for rows in (chosen_rows, kept_rows))


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("order", [1, 2])
def test_what_is_not_chosen_reaches_no_derivative_of_a_number(name, order):
    """As if it were not computed; what is chosen is derived as ever."""
    f, g = pair(name)
    with np.errstate(all="ignore"):
        assert_close(eg.derivative(f, order)(POINT), eg.derivative(g, order)(POINT), rtol=1e-9)


@pytest.mark.parametrize("name", ROWS)
def test_what_is_not_chosen_reaches_no_row_of_a_jacobian(name):
    f, g = (functools.partial(rows, name) for rows in (chosen_rows, kept_rows))
    with np.errstate(all="ignore"):
        assert_close(eg.jacobian(f)(POINT), eg.jacobian(g)(POINT), rtol=1e-9)


@pytest.mark.parametrize("name", ROWS)
def test_what_is_not_chosen_reaches_no_product(name):
    """Along tangents, with cotangents, and both; along a curve."""
    f, g = pair(name)
    rows = [functools.partial(each, name) for each in (chosen_rows, kept_rows)]
    v = RNG.normal(size=POINT.shape)
    with np.errstate(all="ignore"):
        for product in (eg.jvp, eg.vjp):
            ours, expected = (product(each)(POINT, v) for each in rows)
            assert_close(ours, expected, rtol=1e-9)
        assert_close(eg.hvp(f)(POINT, v), eg.hvp(g)(POINT, v), rtol=1e-9)
        for ours, expected in zip(
            eg.taylor(f, 3)(POINT, v), eg.taylor(g, 3)(POINT, v), strict=True
        ):
            assert_close(ours, expected, rtol=1e-8)


@pytest.mark.parametrize("name", ["log", "layers of log", "normalised", "cumulative", "scan"])
def test_what_is_not_chosen_reaches_no_third_derivative(name):
    f, g = pair(name)
    x = POINT[:, :4]
    with np.errstate(all="ignore"):
        v = np.ones_like(x)
        ours, expected = (eg.jvp(eg.hvp(each))(x, v, v) for each in (f, g))
        assert_close(ours, expected, rtol=1e-8)


# Entry by entry ----------------------------------------------------------------------------------

SEEN = np.array([0.7, np.nan, -0.2, np.nan])
COUNTS = np.array([0.0, 2.0, 3.0, 0.0])
ENTRIES = np.array([0.5, 2000.0, -1.0, 0.0])
SINGULAR = {
    "overflow": lambda x: np.where(x < 700, np.exp(x), x),
    "softplus": lambda x: np.where(x < 30, np.log1p(np.exp(x)), x),
    "missing data": lambda x: np.where(np.isnan(SEEN), x, (SEEN - x) ** 2),
    "counts": lambda x: np.where(COUNTS > 0, x * np.log(COUNTS), x),
    "sinc": lambda x: np.where(x == 0, 1 + 0 * x, np.sin(x) / x),
    "both": lambda x: np.where(x > 0, np.log(x), 1 / x),
}


@pytest.mark.parametrize("name", [n for n in SINGULAR if n not in ("overflow", "softplus")])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_an_entry_that_is_not_chosen_is_as_if_it_were_not_computed(name, order):
    """Each entry by itself: at a point where it alone is there, with its own branch."""
    f = SINGULAR[name]
    x = ENTRIES if name in ("missing data", "counts") else np.array([0.5, 2.0, -1.0, 3.0])
    with np.errstate(all="ignore"):
        found = eg.derivative(lambda x: f(x).sum(), order)(x)
        total = np.array(
            [eg.derivative(lambda t, k=k: f(x + (np.arange(4) == k) * (t - x[k]))[k], order)(x[k])
             for k in range(4)]
        )  # fmt: skip
    assert np.isfinite(found).all()
    assert_close(np.einsum("i" * order + "->i", found), total)


@pytest.mark.parametrize("name", ["overflow", "softplus", "missing data", "counts"])
def test_values_that_are_infinite_where_they_are_not_chosen_reach_nothing(name):
    """In gradient and Hessian: what overflows there, and data that are nan."""
    f = SINGULAR[name]
    with np.errstate(all="ignore"):
        first = eg.grad(lambda x: f(x).sum())(ENTRIES)
        second = eg.hessian(lambda x: f(x).sum())(ENTRIES)
    expected = {
        "overflow": np.exp(ENTRIES, where=ENTRIES < 700, out=np.ones(4)),
        "softplus": 1 / (1 + np.exp(-ENTRIES)),
        "missing data": np.where(np.isnan(SEEN), 1, 2 * (ENTRIES - SEEN)),
        "counts": np.where(COUNTS > 0, np.log(np.maximum(COUNTS, 1)), 1),
    }[name]
    assert_close(first, expected)
    assert np.isfinite(second).all()


def test_rows_of_a_derivative_go_back_through_a_select_of_what_a_step_carries():
    """What the step before made may be infinite: it is differentiated in, so it is a leaf."""

    def sinc(c, _):
        made = np.where(c == 0, 1, np.sin(c) / c)
        return made, made

    def steps(loop):
        return lambda x: loop(sinc, x, length=4)[1]

    x = np.array([0.3, 0.0, -0.4])
    with np.errstate(all="ignore"):
        found = eg.derivative(steps(eg.scan))(x)
        expected = eg.derivative(steps(unrolled))(x)
    assert_close(found, expected)
    assert np.abs(found[3]).max() > 1e-4


@pytest.mark.parametrize("order", [1, 2])
def test_what_is_chosen_in_no_step_of_a_scan_reaches_nothing_outside(order):
    """The first carry is infinite where no step chooses it, and is handed on to the last."""

    def results(x, kept):
        def step(c, k):
            return np.sin(c @ A), np.where(kept, c * k, 0.0)

        return eg.scan(step, np.log(x), np.arange(1.0, 4.0))[1]

    def of_kept(x):
        return np.sum(results(x[KEPT], np.ones((3, 1), bool)) ** 2)

    with np.errstate(all="ignore"):
        found = eg.derivative(lambda x: np.sum(results(x, KEPT[:, None]) ** 2), order)(POINT)
        assert_close(found, eg.derivative(of_kept, order)(POINT))


@pytest.mark.parametrize("number", [0, 0.0, 1.0])
def test_rows_of_a_derivative_go_back_through_a_select_below_a_select(number):
    """The inner one is led to what is finite, past what the outer one is led to."""

    def f(w):
        factors = 1 + 0.1 / (2 + w)
        inner = np.where(KEPT[:3, None], 1.0, np.broadcast_to(factors, (3, 3)))
        return np.where(np.tri(3, k=-1) > 0, number, np.cumprod(inner, -1))

    w = np.array([0.3, 0.5, 0.9])
    columns = [np.imag(f(w + 1e-30j * unit)) / 1e-30 for unit in np.eye(3)]
    assert_close(eg.derivative(f)(w), np.stack(columns, -1))


def test_rows_of_a_second_derivative_go_back_through_two_selects_of_rows():
    """What the inner one is led to is not what the outer one is multiplied out down to."""
    first, second, table = (
        np.array([1, 0, 1], bool),
        np.array([1, 1, 0], bool),
        RNG.normal(size=(3, 3)),
    )

    def rows(kept, x, y):
        return np.where(kept[:, None], (1 / (1.5 + np.sin(y)))[:, None] * x, table).sum(1)

    def f(x):
        y = rows(first, x, x)
        return rows(second, x, y) + 0.1 * y

    x = np.array([0.3, -0.5, 0.9])
    columns = [np.imag(eg.derivative(f)(x + 1e-30j * unit)) / 1e-30 for unit in np.eye(3)]
    assert_close(eg.derivative(f, 2)(x), np.stack(columns, -1))


# What is missing, as nan in the data --------------------------------------------------------------

OBSERVED = np.random.default_rng(3).normal(size=(12, 2))
MISSING = np.arange(12) % 3 == 1
WITH_NAN = np.where(MISSING[:, None], np.nan, OBSERVED)


def filtered(data, steps, *, is_spread_fixed):
    """A Kalman filter that takes no step where an observation is missing."""

    def f(p):
        move, noise = p[:4].reshape(2, 2), np.exp(p[4]) * np.eye(2)
        mean, spread, total = np.zeros(2), np.eye(2), 0.0
        for k in range(steps):
            mean = move @ mean
            if not is_spread_fixed:
                spread = move @ spread @ move.T + noise
            scale, off = A[:2, :2] @ spread @ A[:2, :2].T + np.eye(2), data[k] - A[:2, :2] @ mean
            gain = spread @ A[:2, :2].T @ np.linalg.inv(scale)
            total = total + np.where(MISSING[k], 0, off @ np.linalg.solve(scale, off))
            mean = np.where(MISSING[k], mean, mean + gain @ off)
            if not is_spread_fixed:
                spread = np.where(MISSING[k], spread, spread - gain @ A[:2, :2] @ spread)
        return total + mean @ mean

    return f


@pytest.mark.parametrize("steps", [4, 12], ids=["written_out", "found"])
@pytest.mark.parametrize("is_spread_fixed", [False, True])
def test_a_filter_takes_data_with_nan_where_nothing_is_chosen(steps, is_spread_fixed):
    """Nothing of it is singular, but the data is."""
    p, v = np.array([0.5, 0.1, -0.1, 0.4, -1.0]), np.arange(1.0, 6.0)
    f, whole = (filtered(d, steps, is_spread_fixed=is_spread_fixed) for d in (WITH_NAN, OBSERVED))
    for take in (eg.grad, eg.hessian):
        assert_close(take(f)(p), take(whole)(p))
    assert_close(eg.hvp(f)(p, v), eg.hvp(whole)(p, v))


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("kind", ["array", "vector", "number", "scan"])
def test_what_is_not_chosen_may_be_nan_by_data(kind, order):
    first = WITH_NAN[:, 0]

    def f(x):
        if kind == "array":
            off = WITH_NAN[:2] - A[:2, :2] @ x
            return np.where(x[0] > 9, np.sum(off @ off.T), x @ x)
        if kind == "scan":

            def step(c, each):
                seen, is_missing = each
                off = seen - A[:2, :2] @ c
                return np.where(is_missing, c, c + 0.1 * off * (off @ c)), None

            return np.sum(eg.scan(step, x, (WITH_NAN, MISSING))[0])
        if kind == "number":
            made = [np.where(MISSING[k], 0, first[k] * ((A[:2, :2] @ x) @ x)) for k in range(3)]
        else:
            offs = [first[k] - A[:2, :2] @ x for k in range(3)]
            made = [np.where(MISSING[k], 0, off @ off) for k, off in enumerate(offs)]
        return made[0] + made[1] + made[2] + x @ x

    x = np.array([0.5, 0.3])
    found = eg.derivative(f, order)(x)
    step = 1e-5 * np.eye(2)
    below = eg.derivative(f, order - 1)
    differences = [(below(x + e) - below(x - e)) / 2e-5 for e in step]
    np.testing.assert_allclose(found, np.stack(differences, -1), rtol=1e-6, atol=1e-8)


def test_data_that_became_nan_is_another_program():
    """A call looks at the data anew: a plan of numbers is none of nan."""
    data = OBSERVED[:2].copy()

    def f(x):
        off = data - x
        return np.where(np.isnan(data).any(), x @ x, np.sum(off @ off.T))

    gradient, x = eg.grad(f), np.array([0.5, 0.3])
    gradient(x)
    data[0, 0] = np.nan
    assert_close(gradient(x), 2 * x)


@pytest.mark.parametrize("number", [np.inf, np.nan])
def test_terms_may_be_alike_but_for_a_number_that_is_none(number):
    found = eg.grad(lambda x: number * (x @ x) + x @ x)(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(found, [number, number])


@pytest.mark.parametrize("meet", [lambda y: y[::-1].cumsum(), lambda y: y * y.sum()])
def test_a_select_of_rows_above_one_that_is_led_past_what_is_finite(meet):
    """Branches that are infinite where they are not chosen, and guarded, lead to the variable."""

    def f(x):
        held, chosen = np.where(x > 0.2, x, 1.0), x > 0.2
        y = np.where(chosen, np.sqrt(held), np.sqrt(np.where(chosen, 1.0, 0.21 - x)))
        return np.where(y.sum() > 0.2, meet(y), y)

    x = np.array([0.5, -0.3, 0.9])
    rows = [(f(x + 1e-6 * e) - f(x - 1e-6 * e)) / 2e-6 for e in np.eye(3)]
    assert_close(eg.jacobian(f)(x), np.transpose(rows), 1e-7)
