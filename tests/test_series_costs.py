"""What Taylor coefficients cost: of every row, beside the recursion that one writes by hand."""

import numpy as np
import pytest
import series_by_hand as by_hand
from reference import assert_close
from series_by_hand import BY_HAND

import eingrad as eg
from eingrad import _ir
from eingrad._forms import compile_program
from eingrad._primitives import BY_NAME, PRIMITIVES, apply
from eingrad._run import Executable
from eingrad._series import Series

FLOAT_ROWS = [row for row in PRIMITIVES if row.dtype is None and row.rules]
ROWS = [*FLOAT_ROWS, BY_NAME["where"], BY_NAME["cast"]]
MOST = 1.3
# Of an array of exponents nothing is known when it is planned. Where a base is zero, coefficients
# are those of a polynomial, or infinite, as each exponent says: so the rule of powers is followed.
FOLLOWS_ITS_RULE = {"pow"}
# They are made by few steps on whole arrays, for two to four times the flops, and without looking
# which coefficients of few entries must be zero.
BY_WHOLE_ARRAYS = {"cumprod", "others"}


def _given(row, order, last):
    """Coefficients of the operands, those above `last` zero: a line has one, a curve has all."""
    rng = np.random.default_rng(0)
    given = []
    for a in row.sample(rng):
        moving = last if a.dtype.kind == "f" else 0
        found = rng.uniform(-0.5, 0.5, size=(moving, *a.shape))
        given.append([a, *found, *[None] * (order - moving)])
    return given


def _expanded(row, given, order):
    """Program and values of the row's series."""
    inputs = [
        [c if c is None else _ir.new_input(f"x{n}_{k}", c.shape, c.dtype) for k, c in enumerate(x)]
        for n, x in enumerate(given)
    ]
    first = [series[0] for series in inputs]
    node = apply(row.name, *first, result=row.results - 1, **row.attributes)
    curve = {x: [c for c in more if c is not None] for x, *more in inputs if x.dtype.kind == "f"}
    series = Series(curve, order)
    roots = [series.coefficient(node, k) for k in range(order + 1)]
    needed = _ir.inputs(roots)
    program = compile_program(roots, needed)
    pairs = zip(inputs, given, strict=True)
    values = dict(pair for a, b in pairs for pair in zip(a, b, strict=True))
    return program, Executable(program).run([values[n] for n in needed])


def _by_hand(row, given, order):
    flat = [c for series in given for c in series if c is not None]

    def f(*arrays):
        left = iter(arrays)
        series = [[None if c is None else next(left) for c in each] for each in given]
        found = BY_HAND[row.name](*series, order=order, **row.attributes)
        zero = np.zeros_like(found[0])
        return [zero if c is None else c for c in found]

    return eg.plan(f, *flat), f(*flat)


@pytest.mark.parametrize("shape", ["curve", "line"])
@pytest.mark.parametrize("order", [3, 6, 10])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_takes_the_recursion_that_is_written_by_hand(row, order, shape):
    """Its values, and at most 1.3 times its flops."""
    given = _given(row, order, order if shape == "curve" else 1)
    program, values = _expanded(row, given, order)
    plan, expected = _by_hand(row, given, order)
    for actual, c in zip(values, expected, strict=True):
        assert_close(actual, c, rtol=1e-8)
    if row.name not in FOLLOWS_ITS_RULE | BY_WHOLE_ARRAYS:
        assert program.flops <= MOST * plan.flops


def test_every_row_is_written_by_hand():
    assert BY_HAND.keys() == {row.name for row in ROWS}


# Programs ----------------------------------------------------------------------------------------

SIZE = 30
MATRIX = np.random.default_rng(5).normal(size=(SIZE, SIZE)) / 5


def _sums(x):
    return [None if c is None else c.sum() for c in x]


def _softmax(x, order):
    e = by_hand.exp(x, order)
    return by_hand.divided(e, _sums(e), order)


def _logsumexp(x, order):
    return by_hand.log(_sums(by_hand.exp(x, order)), order)


def _normalised(x, order):
    centred = [None if c is None else c - c.mean() for c in x]
    squares = [by_hand.square(centred, k, multiply=by_hand.dot) for k in range(order + 1)]
    variance = [None if c is None else c / SIZE for c in squares]
    variance[0] = variance[0] + 1e-5
    deviation = by_hand.root(lambda k: variance[k], np.sqrt(variance[0]), order)
    return by_hand.divided(centred, deviation, order)


def _root_of_sum(x, order):
    squares = [by_hand.square(x, k, multiply=by_hand.dot) for k in range(order + 1)]
    squares[0] = squares[0] + 1
    return by_hand.root(lambda k: squares[k], np.sqrt(squares[0]), order)


def _clipped(x, order):
    """Half of the slope at either end."""
    above = (x[0] > -0.5) * 1.0 + 0.5 * (x[0] == -0.5)
    below = (x[0] < 0.5) * 1.0 + 0.5 * (x[0] == 0.5)
    slope = above * below
    more = [by_hand.product(slope, c) for c in x[1 : order + 1]]
    return [np.minimum(np.maximum(x[0], -0.5), 0.5), *more]


def _quadratic(x, order):
    moved = [None if c is None else MATRIX @ c for c in x]
    return [by_hand.cauchy(x, moved, k, multiply=by_hand.dot) for k in range(order + 1)]


def _cubes(x, order):
    squares = [by_hand.square(x, k) for k in range(order + 1)]
    return [by_hand.cauchy(x, squares, k, multiply=by_hand.dot) for k in range(order + 1)]


def _polar(x, order):
    half = SIZE // 2
    a, b = ([None if c is None else c[part] for c in x] for part in np.s_[:half, half:])
    angle, length = by_hand.arctan2(a, b, order), by_hand.hypot(a, b, order)
    return [by_hand.cauchy(angle, length, k) for k in range(order + 1)]


def _silu(x, order):
    first, *more = by_hand.exp([None if c is None else -c for c in x], order)
    return by_hand.divided(x, [1 + first, *more], order)


def _running_squares(x, order):
    return [
        None if c is None else np.cumsum(c)
        for c in (by_hand.square(x, k) for k in range(order + 1))
    ]


# Of what is shifted by an extreme, the recursion is the plain one; two numbers for an entry more.
PROGRAMS = {
    "softmax": (lambda x: np.exp(x) / np.exp(x).sum(), _softmax),
    "logsumexp": (lambda x: np.log(np.exp(x).sum()), _logsumexp),
    "softmax, shifted": (lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(), _softmax),
    "logsumexp, shifted": (lambda x: x.max() + np.log(np.exp(x - x.max()).sum()), _logsumexp),
    "normalised": (lambda x: (x - x.mean()) / np.sqrt(x.var() + 1e-5), _normalised),
    "root of a sum": (lambda x: np.sqrt(x @ x + 1), _root_of_sum),
    "clip": (lambda x: np.clip(x, -0.5, 0.5), _clipped),
    "x A x": (lambda x: x @ MATRIX @ x, _quadratic),
    "sum of cubes": (lambda x: np.einsum("i,i,i->", x, x, x), _cubes),
    "polar": (lambda x: np.arctan2(*np.split(x, 2)) * np.hypot(*np.split(x, 2)), _polar),
    "silu": (lambda x: x / (1 + np.exp(-x)), _silu),
    "running sum": (lambda x: np.cumsum(x**2), _running_squares),
}


@pytest.mark.parametrize("shape", ["curve", "line"])
@pytest.mark.parametrize("order", [3, 6, 10])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_takes_the_recursions_of_its_functions(name, order, shape):
    f, recursion = PROGRAMS[name]
    count = order if shape == "curve" else 1
    x, *more = np.random.default_rng(0).normal(size=(count + 1, SIZE)) / 2
    plan = eg.taylor(f, order, curve=True).plan(x, more)

    def g(*arrays):
        found = recursion([*arrays, *[None] * (order - count)], order)
        zero = np.zeros_like(found[0])
        return [zero if c is None else c for c in found]

    for actual, c in zip(plan(x, more), g(x, *more), strict=True):
        assert_close(actual, c, rtol=1e-8)
    assert plan.flops <= MOST * eg.plan(g, x, *more).flops


def test_equal_recursions_are_one():
    """Of length and angle of the same vectors; of sine and cosine; of a root and its derivative."""
    a, b = np.random.default_rng(0).uniform(1, 2, size=(2, SIZE))
    pairs = [
        (lambda x: (np.sin(x), np.cos(x)), np.sin, 1.15),
        (lambda x: (np.sqrt(1 + x * x), x / np.sqrt(1 + x * x)), lambda x: np.sqrt(1 + x * x), 2.7),
        (lambda x: (np.tanh(x), 1 - np.tanh(x) ** 2), np.tanh, 1.3),
    ]
    for both, one, most in pairs:
        flops = [eg.taylor(f, 10).plan(a, b).flops for f in (both, one)]
        assert flops[0] <= most * flops[1]
