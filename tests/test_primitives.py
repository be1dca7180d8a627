"""Every row of the table, tested from its own sampling domain: a new row needs no test code."""

import mpmath
import numpy as np
import pytest
from reference import assert_close, central_difference, evaluate

import eingrad as eg
from eingrad import _ir
from eingrad._derive import compile_program
from eingrad._diff import forward, reverse
from eingrad._primitives import PRIMITIVES, apply
from eingrad._run import Kernel

FLOAT_ROWS = [row for row in PRIMITIVES if row.dtype is None]


def _case(row):
    arrays = row.sample(np.random.default_rng(0))
    inputs = [_ir.new_input(f"x{k}", a.shape, a.dtype) for k, a in enumerate(arrays)]
    outputs = [apply(row.name, *inputs, result=n, **row.attributes) for n in range(row.results)]
    return arrays, inputs, outputs


def _run(node, values):
    inputs = _ir.inputs([node])
    for n in values.values():
        n.flags.writeable = False
    (result,) = Kernel(compile_program([node], inputs)).run([values[n] for n in inputs])
    return result


@pytest.mark.parametrize("row", PRIMITIVES, ids=lambda row: row.name)
def test_emitted_call_is_numpys(row):
    """Source text computes what the row's NumPy function does, in the declared dtype."""
    arrays, inputs, outputs = _case(row)
    values = dict(zip(inputs, arrays, strict=True))
    for node in outputs:
        result = _run(node, values)
        assert result.dtype == node.dtype
        assert_close(result, evaluate(node, values), rtol=1e-14)


@pytest.mark.parametrize("row", FLOAT_ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_derivatives_agree_with_differences_of_the_order_below(row, direction):
    """First and second derivative in every operand, in both directions."""
    arrays, inputs, outputs = _case(row)
    for x, a in zip(inputs, arrays, strict=True):
        if a.dtype == bool:
            continue
        for output in outputs:
            y = output
            for _ in range(2):
                dy = forward(y, x) if direction == "forward" else reverse(y, [x])[0]
                _ir.verify([dy])

                def value(moved, y=y, x=x):
                    values = {
                        n: moved if n is x else b for n, b in zip(inputs, arrays, strict=True)
                    }
                    return evaluate(y, values)

                actual = _run(dy, dict(zip(inputs, arrays, strict=True)))
                assert_close(actual, central_difference(value, a.copy()), rtol=3e-7)
                y = dy


FAR_APART = {
    "balanced": (0.3, 0.3),
    "near": (-3.0, 2.5),
    "the first in its tail": (0.0, 40.0),
    "the second in its tail": (40.0, 0.0),
    "far in the tail": (0.0, 650.0),
    "large and near": (1e3, 1e3 + 36),
    "nothing but zero": (0.0, 800.0),
}


@pytest.mark.parametrize("point", FAR_APART.values(), ids=FAR_APART)
def test_derivatives_of_logaddexp_are_exact_in_its_tails(point):
    """To order four, every entry, against 60 digits; to 1e-12 of the entry itself.

    With ``exp(b - y)`` for the first derivative, the second was ``y' (1 - y')``: zero at (0, 40).
    """
    with mpmath.workdps(60):
        p, q = (1 / (1 + mpmath.exp(d)) for d in (mpmath.mpf(point[1]) - point[0],
                                                  mpmath.mpf(point[0]) - point[1]))  # fmt: skip
        exact = {1: q, 2: p * q, 3: p * q * (p - q), 4: p * q * ((p - q) ** 2 - 2 * p * q)}
        f = lambda x: np.logaddexp(x[0], x[1])  # noqa: E731
        for order, by_b in exact.items():
            tensor = eg.derivative(f, order)(np.array(point))
            for entry, value in np.ndenumerate(tensor):
                wanted = p if entry == (0,) else by_b * (-1) ** entry.count(0)
                tiny = abs(wanted) < 1e-307 and value == 0
                assert tiny or abs(value - wanted) <= 1e-12 * abs(wanted), (entry, value)


def test_names_are_unique():
    """A node finds its row by name."""
    assert len({row.name for row in PRIMITIVES}) == len(PRIMITIVES)
