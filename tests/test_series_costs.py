"""What Taylor coefficients cost: of every row, beside the recursion that one writes by hand."""

import numpy as np
import pytest
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
    if row.name not in FOLLOWS_ITS_RULE:
        assert program.flops <= MOST * plan.flops


def test_every_row_is_written_by_hand():
    assert BY_HAND.keys() == {row.name for row in ROWS}
