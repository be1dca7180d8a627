"""Full expansion: equal forms are equal values, and the laws it knows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import assert_close, evaluate
from strategies import functions, point

import eingrad as eg
from eingrad import _ir
from eingrad._expand import are_equal, expand

A, B, S = (eg.variable(name, (3, 3)) for name in "ABS")
A1, B1 = eg.variable("A1", (1, 1)), eg.variable("B1", (1, 1))
x, y = eg.variable("x", 3), eg.variable("y", 3)
inv, det = np.linalg.inv, np.linalg.det

EQUAL = {
    "distribution": ((A + B) @ (x + y), A @ x + A @ y + B @ x + B @ y),
    "binomial": (np.sum((x - y) ** 2), x @ x - 2 * x @ y + y @ y),
    "cubes": ((x + y) ** 3, x**3 + 3 * x**2 * y + 3 * x * y**2 + y**3),
    "transposed product": ((A @ B).T, B.T @ A.T),
    "cyclic trace": (np.trace(A @ B @ S), np.trace(S @ A @ B)),
    "inverse of a product": (inv(A @ B.T), inv(B).T @ inv(A)),
    "inverse of an inverse": (inv(inv(A)), A),
    "inverse of a multiple": (inv(2 * A), inv(A) / 2),
    "cancelled": (inv(A) @ A @ x, x),
    "cancelled, with a factor": (3 * inv(A) @ A @ x, 3 * x),
    "cancelled, transposed": (A.T @ inv(A).T @ x, x),
    "cancelled trace": (np.trace(A @ inv(A)) * x, 3 * x),
    "solve": (np.linalg.solve(A, x), inv(A) @ x),
    "inverse of a product, size 1": (inv(A1 @ B1), inv(B1) @ inv(A1)),
    "inverse of a multiple, size 1": (inv(2 * A1), inv(A1) / 2),
    "determinant of an inverse, size 1": (det(inv(A1 @ B1)), 1 / det(A1) / det(B1)),
    "quotient of a product": (x / (2 * x * y), 1 / y / 2),
    "determinant of a product": (det(A @ B), det(A) * det(B)),
    "determinant of a transpose": (det(A.T), det(A)),
    "determinant of a multiple": (det(-2 * A), -8 * det(A)),
    "determinant of an inverse": (det(inv(A)), 1 / det(A)),
    "quotient": (x * y / x, y),
    "sum of what is repeated": (np.sum(np.broadcast_to(x, (2, 3)), 0), 2 * x),
    "symmetric by construction": ((x @ (S + S.T)) - (S + S.T) @ x, x - x),
}
UNEQUAL = {
    "transposed": (A @ x, A.T @ x),
    "commuted": (A @ B, B @ A),
    "inverse of a product": (inv(A @ B), inv(A) @ inv(B)),
    "determinant of a sum": (det(A + B), det(A) + det(B)),
    "factor": (x @ x, 2 * x @ x),
    "quotient of a sum": (1 / np.sum(x * y) * x * y, x / x),
    "diagonal": (np.trace(A) * x, np.einsum("ii->i", A) * x),
}


@pytest.mark.parametrize(("a", "b"), EQUAL.values(), ids=EQUAL.keys())
def test_equal_expressions_expand_to_one_form(a, b):
    """Proved, and true at a point."""
    assert are_equal(a._node, b._node)
    plan = eg.compile((a, b))
    values = [
        np.random.default_rng(n).normal(size=s.shape) + 2 * (np.eye(*s.shape) if s.shape[1:] else 1)
        for n, s in enumerate(plan.program.inputs)
    ]
    assert_close(*plan(*values))


@pytest.mark.parametrize(("a", "b"), UNEQUAL.values(), ids=UNEQUAL.keys())
def test_unequal_expressions_are_not_proved_equal(a, b):
    """The test above would accept a proof of everything."""
    assert not are_equal(a._node, b._node)


@given(case=functions(), seed=st.integers(0, 2**32 - 1))
def test_expansion_keeps_the_value(case, seed):
    """Of random programs; and expanding twice changes nothing."""
    f, shape = case
    symbol = eg.variable("x", shape)
    node = f(symbol)._node
    expanded = expand(node)
    if expanded is None:
        return
    _ir.verify([expanded])
    values = {symbol._node: point(shape, seed)}
    assert_close(evaluate(expanded, values), evaluate(node, values))
    assert expand(expanded) is expanded


def test_what_is_too_large_is_given_up():
    """Twelve factors of two terms and more are not worth a proof."""
    product = 1.0
    for n in range(14):
        product = product * (x[0] + eg.variable(f"y{n}"))
    assert expand(product._node) is None
