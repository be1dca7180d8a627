"""Full expansion: equal forms are equal values, and the laws it knows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inside import node_of
from reference import assert_close, evaluate
from strategies import functions, point

import eingrad as eg
from eingrad import _ir
from eingrad._distribute import are_equal, expand

A, B, S = (eg.variable(name, (3, 3)) for name in "ABS")
A1, B1 = eg.variable("A1", (1, 1)), eg.variable("B1", (1, 1))
x, y = eg.variable("x", 3), eg.variable("y", 3)
stack = eg.variable("stack", (2, 3, 3))
cube = eg.variable("cube", (3, 3, 3))
one = eg.differentiate(x.sum(), x)  # a constant, without operands
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
    "solve with a product": (np.linalg.solve(A @ B, x), inv(B) @ inv(A) @ x),
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
    "cancelled stack": (inv(stack) @ stack, stack @ inv(stack)),
    "multiple of the determinants of a stack": (det(stack) * 2, det(stack) + det(stack)),
    "reciprocal of a constant": (1 / one, one),
    "identity that is an array": (inv(A) @ A, np.eye(3) + 0 * A),
    "multiple of the identity": (A @ (2 * np.eye(3)), 2 * A),
    "array of equal entries": (x @ np.full((3, 2), 0.5), np.full(2, 0.5) * np.sum(x)),
    "symmetric by construction": ((x @ (S + S.T)) - (S + S.T) @ x, x - x),
}
UNEQUAL = {
    "transposed": (A @ x, A.T @ x),
    "commuted": (A @ B, B @ A),
    "inverse of a product": (inv(A @ B), inv(A) @ inv(B)),
    "determinant of a sum": (det(A + B), det(A) + det(B)),
    "factor": (x @ x, 2 * x @ x),
    "quotient of a sum": (1 / np.sum(x * y) * x * y, x / x),
    "row of the diagonal of an inverse": (np.diag(inv(A)) @ A, 0 * A[0] + 1),
    "inverse and matrix, entry by entry on the diagonal": (
        np.einsum("qq,qq->", inv(A), A),
        np.trace(A @ inv(A)),
    ),
    "inverse times the diagonal": (inv(A) @ np.diag(A), 0 * A[0] + 1),
    "stack along its own index": (
        np.einsum("qpq,qqs->ps", inv(cube), cube),
        3 * np.einsum("qp,qs->ps", 0 * A + 1, 0 * A + 1),
    ),
    "not quite the identity": (A @ np.diag([1.0, 1.0, 2.0]), A),
    "diagonal": (np.trace(A) * x, np.einsum("ii->i", A) * x),
}


@pytest.mark.parametrize(("a", "b"), EQUAL.values(), ids=EQUAL.keys())
def test_equal_expressions_expand_to_one_form(a, b):
    """Proved, and true at a point."""
    assert are_equal(node_of(a), node_of(b))
    plan = eg.compile((a, b))
    values = [
        np.random.default_rng(n).normal(size=s.shape)
        + 2 * (np.eye(*s.shape[-2:]) if s.shape[1:] else 1)
        for n, s in enumerate(plan.program.inputs)
    ]
    assert_close(*plan(*values))


@pytest.mark.parametrize(("a", "b"), UNEQUAL.values(), ids=UNEQUAL.keys())
def test_unequal_expressions_are_not_proved_equal(a, b):
    """The test above would accept a proof of everything."""
    assert not are_equal(node_of(a), node_of(b))


@given(case=functions(), seed=st.integers(0, 2**32 - 1))
def test_expansion_keeps_the_value(case, seed):
    """Of random programs; and expanding twice changes nothing."""
    f, shape = case
    symbol = eg.variable("x", shape)
    node = node_of(f(symbol))
    expanded = expand(node)
    if expanded is None:
        return
    _ir.verify([expanded])
    values = {node_of(symbol): point(shape, seed)}
    assert_close(evaluate(expanded, values), evaluate(node, values))
    assert expand(expanded) is expanded


@st.composite
def cancelling_products(draw):
    """Products of x with its inverse, determinant or reciprocal, subscripts repeating freely."""
    shape = draw(st.sampled_from([(2, 2), (3, 3), (2, 2, 2), (3, 2, 2)]))
    symbol = eg.variable("x", shape)
    choices = [symbol, 1 / symbol, inv(symbol), det(symbol), 1 / det(symbol)]
    indices = {n: [f"{n}{k}" for k in range(3)] for n in shape}
    operands, used = [], set()
    first = draw(st.sampled_from(choices[1:]))
    for factor in [symbol, first, *draw(st.lists(st.sampled_from(choices), max_size=2))]:
        term = [draw(st.sampled_from(indices[n])) for n in factor.shape]
        operands += [factor, term]
        used.update(term)
    numbers = {index: n for n, index in enumerate(sorted(used))}
    operands[1::2] = [[numbers[i] for i in term] for term in operands[1::2]]
    out = draw(st.lists(st.sampled_from(sorted(numbers.values())), max_size=3, unique=True))
    return symbol, np.einsum(*operands, out) if used else operands[0]


@given(case=cancelling_products(), seed=st.integers(0, 2**32 - 1))
def test_cancellation_keeps_the_value(case, seed):
    """Where subscripts repeat within an operand, and in stacks of matrices."""
    symbol, product = case
    value = np.random.default_rng(seed).uniform(0.5, 1.5, size=symbol.shape)
    value = value + 2 * np.eye(symbol.shape[-1])
    values = {node_of(symbol): value}
    expanded = expand(node_of(product))
    assert_close(evaluate(expanded, values), evaluate(node_of(product), values))


def test_a_contraction_of_nothing_needs_a_dtype():
    """Refused by its cause, not by a StopIteration out of a generator."""
    with pytest.raises(TypeError, match="of nothing, needs a dtype"):
        _ir.contract((), ())


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1e17 * x + x, 1e17 * x),
        (0.1 * x + 1e-18 * x, 0.1 * x),
        (np.exp(0.1 * x + 1e-18 * x), np.exp(0.1 * x)),
        ((0.1 + 0.2) * x, 0.1 * x + 0.2 * x),
        ((1e17 * x + x) - 1e17 * x, 0 * x),
        ((1e-200 * x) * (1e-200 * x), 0 * x),
        ((1e-300 * y) * (1e-300 * y) * x, 0 * x),
    ],
)
def test_nothing_is_proved_of_rounded_coefficients(a, b):
    """What the builder, or Python, rounded is not what was written."""
    assert not are_equal(node_of(a), node_of(b))


def test_sums_and_products_of_coefficients_are_exact():
    """Nothing is lost beyond 2**53, so what cancels is what should."""
    assert are_equal(node_of((1e17 * x + x) - 1e17 * x), node_of(1 * x))
    cube = 67108863**3 * x**3 + 3 * 67108863**2 * x**2 * y + 3 * 67108863 * x * y**2 + y**3
    assert are_equal(node_of((67108863 * x + y) ** 3), node_of(cube))


def test_short_coefficients_are_exact():
    """Halves and quarters, integers and thirds are proved with; sums beyond 2**53 are not lost."""
    assert are_equal(node_of(0.5 * (x + y) * 0.25), node_of(0.125 * x + 0.125 * y))
    assert are_equal(node_of((x + 0.5 * y) ** 2), node_of(x * x + x * y + 0.25 * y * y))
    large = 2**26 * (2**27 * x + y)
    assert not are_equal(node_of(large + 0.5 * x), node_of(large))


def test_what_is_too_large_is_given_up():
    """Twelve factors of two terms and more are not worth a proof."""
    product = 1.0
    for n in range(14):
        product = product * (x[0] + eg.variable(f"y{n}"))
    assert expand(node_of(product)) is None
