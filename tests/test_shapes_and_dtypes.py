"""The catalogue of faults: awkward shapes, dtypes and layouts end in the right value or an error.

One test id per fault, in words. Every message is matched: what, where, what to do.
"""

import itertools

import numpy as np
import pytest
from faults import MASKED, A, Quantity, Subclass, W, X, fixed, matrix, parametrize, raises

import eingrad as eg
from eingrad.errors import (
    DTypeError,
    ShapeError,
    SubscriptsError,
)

HERE = r"test_shapes_and_dtypes\.py:\d+: `.*"  # the user's line, quoted


REFUSED_INPUT = {
    "one index of two sizes": (
        lambda: eg.jacobian(lambda x: np.einsum("pq,qr->pr", x, A))(W.T),
        ShapeError,
        (
            r"index 'q' has size 2 in operand 0 .*'pq', shape \(3, 2\)\) but size 3 in operand 1 .*"
            r"'qr', shape \(3, 3\)\); make the two axes equal or"
        ),
    ),
    "one index of two sizes, symbols": (
        lambda: np.einsum("ab,bc->ac", eg.variable("P", (2, 3)), eg.variable("Q", (4, 5))),
        ShapeError,
        r"index 'b' has size 3 in operand 0 .* but size 4 in operand 1",
    ),
    "matrix product of two sizes": (
        lambda: eg.jacobian(lambda x: x @ W)(A),
        ShapeError,
        rf"matmul of shapes \(3, 3\) and \(2, 3\) at .*{HERE}.*last axis of the first must equal",
    ),
    "output index of no operand": (
        lambda: eg.jacobian(lambda x: np.einsum("i->ij", x))(X),
        SubscriptsError,
        "output index 'j' is in no operand; remove it, or broadcast with np.broadcast_to",
    ),
    "reduction of no elements": (
        lambda: eg.grad(lambda x: x.max())(np.zeros(0)),
        ShapeError,
        rf"the max of no elements at .*{HERE}.*shape \(0,\)",
    ),
    "more axes than arrays have": (
        lambda: eg.hessian(lambda x: x * x * x)(np.ones((1,) * 22)),
        ShapeError,
        r"a step of the plan \(\w+\) has 66 axes, .*but NumPy arrays have at most 64; flatten",
    ),
    "bool": (
        lambda: eg.grad(np.sum)(np.ones(3, bool)),
        DTypeError,
        "argument 'a' is boolean; a derivative needs numbers there: convert with .astype",
    ),
    "bool, arithmetic of flags alone": (
        lambda: eg.grad(lambda x: ((x > 0) + (x > 1)).sum())(X),
        DTypeError,
        rf"arithmetic on boolean values alone at .*{HERE}.*convert with .astype\(float\)",
    ),
    "longdouble": (
        lambda: eg.grad(np.sum)(X.astype(np.longdouble)),
        DTypeError,
        "argument 'a' has dtype .*, which has no derivative; convert it to float64",
    ),
    "complex longdouble, captured": (
        lambda: eg.grad(lambda x: (x * X.astype(np.clongdouble)).sum())(X),
        DTypeError,
        "operand 1 has dtype .*, which has no derivative; convert it to complex128",
    ),
    "structured": (
        lambda: eg.grad(np.sum)(np.zeros(2, [("a", float)])),
        DTypeError,
        r"argument 'a' has dtype \[\('a', '<f8'\)\], which has no derivative; convert it",
    ),
    "structured, to a plan": (
        lambda: eg.grad(np.sum).plan(X)(np.zeros(3, [("a", float)])),
        DTypeError,
        r"argument 'a' has dtype \[\('a', '<f8'\)\] but the plan was made for float64",
    ),
    "string": (
        lambda: eg.grad(np.sum)(np.array(["1.0"])),
        DTypeError,
        "argument 'a' has dtype <U3, which has no derivative",
    ),
    "string, to a plan": (
        lambda: eg.grad(np.sum).plan(X)(np.array(["1", "2", "3"])),
        DTypeError,
        "argument 'a' has dtype <U1 but the plan was made for float64",
    ),
    "datetime": (
        lambda: eg.grad(np.sum)(np.array([1], "m8[s]")),
        DTypeError,
        r"argument 'a' has dtype timedelta64\[s\], which has no derivative",
    ),
    "object": (
        lambda: eg.grad(np.sum)(np.array([1.0, None])),
        DTypeError,
        "argument 'a' has dtype object, which has no derivative; convert it to a float",
    ),
    "object, to a plan": (
        lambda: eg.grad(np.sum).plan(X)(np.array([1, 2, 3], object)),
        DTypeError,
        "argument 'a' has dtype object but the plan was made for float64",
    ),
    "object, captured": (
        lambda: eg.grad(lambda x: (np.array([1, 2, 3], object) * x).sum())(X),
        DTypeError,
        "operand 0 has dtype object, which has no derivative",
    ),
    "object, returned": (
        lambda: eg.jacobian(lambda x: np.array([None]))(X),
        DTypeError,
        "the result of <lambda> has dtype object",
    ),
    "not holomorphic: abs": (
        lambda: eg.jacobian(np.abs)(X + 0j),
        DTypeError,
        rf"np.absolute is not holomorphic, so it has no derivative for complex .*{HERE}",
    ),
    "not holomorphic: vdot": (
        lambda: eg.jacobian(lambda x: np.vdot(x, x))(X + 0j),
        DTypeError,
        "np.conj is not holomorphic",
    ),
    "not holomorphic: real": (
        lambda: eg.jacobian(lambda x: x.real)(X + 0j),
        DTypeError,
        "np.real .* is not holomorphic",
    ),
    "not holomorphic: max": (
        lambda: eg.jacobian(np.max)(X + 0j),
        DTypeError,
        "np.max is not holomorphic",
    ),
    "masked array": (
        lambda: eg.grad(np.sum)(MASKED),
        DTypeError,
        "argument 'a' is a masked array, whose mask would be lost; fill it first",
    ),
    "masked array, to a plan": (
        lambda: eg.grad(np.sum).plan(X)(MASKED),
        DTypeError,
        "argument 'a' is a masked array, whose mask would be lost; fill it first",
    ),
    "masked array, to a plan of symbols": (
        lambda: eg.compile(eg.variable("v", (3,)) * 2)(MASKED),
        DTypeError,
        "argument 'v' is a masked array",
    ),
    "masked array, captured": (
        lambda: eg.grad(lambda x: (x * MASKED).sum())(X),
        DTypeError,
        "operand 1 is a masked array, whose mask would be lost",
    ),
    "masked array, captured, on the left": (
        lambda: eg.grad(lambda x: (MASKED * x).sum())(X),
        DTypeError,
        rf"a masked array, or a function of np.ma, meets a traced value at .*{HERE}.*fill it first",
    ),
    "masked array, in an einsum": (
        lambda: eg.grad(lambda x: np.einsum("i,i->", MASKED, x))(X),
        DTypeError,
        "operand 0 is a masked array",
    ),
    "masked array, returned": (
        lambda: eg.jacobian(lambda x: MASKED)(X),
        DTypeError,
        "the result of <lambda> is a masked array",
    ),
    "function of np.ma": (
        lambda: eg.grad(np.ma.sum)(X),
        DTypeError,
        "a masked array, or a function of np.ma, meets a traced value",
    ),
    "np.matrix": (
        lambda: eg.grad(np.sum)(matrix(A)),
        DTypeError,
        r"argument 'a' is an np.matrix, whose \* is a matrix product; convert it with np.asarray",
    ),
    "np.matrix, not differentiated": (
        lambda: eg.grad(lambda x, m: (m @ x).sum())(A, matrix(A)),
        DTypeError,
        "argument 'm' is an np.matrix",
    ),
    "np.matrix, to a plan": (
        lambda: eg.grad(np.sum).plan(A)(matrix(A)),
        DTypeError,
        "argument 'a' is an np.matrix",
    ),
    "np.matrix, captured": (
        lambda: eg.grad(lambda x: (matrix(A) * x).sum())(A),
        DTypeError,
        "operand 0 is an np.matrix",
    ),
    "subclass": (
        lambda: eg.grad(np.sum)(X.view(Subclass)),
        DTypeError,
        "argument 'a' is a Subclass, a subclass of ndarray whose meaning would be lost; convert",
    ),
    "subclass, to a plan": (
        lambda: eg.grad(np.sum).plan(X)(X.view(Subclass)),
        DTypeError,
        "argument 'a' is a Subclass",
    ),
    "subclass, captured": (
        lambda: eg.grad(lambda x: (x * X.view(Subclass)).sum())(X),
        DTypeError,
        "operand 1 is a Subclass",
    ),
    "quantity with a unit": (
        lambda: eg.grad(np.sum)(Quantity()),
        DTypeError,
        "argument 'a' is of type Quantity; a derivative needs an array or a float there",
    ),
    "quantity with a unit, to a plan": (
        lambda: eg.grad(np.sum).plan(X)(Quantity()),
        DTypeError,
        "argument 'a' is of type Quantity; give an array or a number",
    ),
    "quantity with a unit, captured": (
        lambda: eg.grad(lambda x: (x * Quantity()).sum())(X),
        DTypeError,
        rf"operand 1 is .*Quantity.*, at .*{HERE}.*only arrays, numbers and traced values",
    ),
    "ragged list, captured": (
        lambda: eg.jacobian(lambda x: x * [[1, 2], [3]])(X),
        ShapeError,
        r"operand 1 is ragged, \[\[1, 2\], \[3\]\]; make its rows equally long",
    ),
    "ragged list, to a plan": (
        lambda: eg.compile(eg.variable("v", (2,)) * 2)([[1, 2], [3]]),
        ShapeError,
        r"argument 'v' is ragged, \[\[1, 2\], \[3\]\]; make its rows equally long",
    ),
    "another shape than planned": (
        lambda: eg.grad(np.sum).plan(X)(np.ones((3, 1))),
        ShapeError,
        r"argument 'a' has shape \(3, 1\) but the plan was made for \(3,\); make a plan for the",
    ),
    "a number where an array was planned": (
        lambda: eg.grad(np.sum).plan(X)(1.0),
        ShapeError,
        r"argument 'a' has shape \(\) but the plan was made for \(3,\)",
    ),
    "another nesting than planned": (
        lambda: eg.grad(np.sum).plan(X)([X]),
        ShapeError,
        "argument 'a' is a list, but the plan was made for an array there: pass np.array",
    ),
    "complex where floats were planned": (
        lambda: eg.grad(np.sum).plan(X)(X + 0j),
        DTypeError,
        "argument 'a' has dtype complex128 but the plan was made for float64; make a plan for the",
    ),
    "int of more bits than a float has": (
        lambda: eg.grad(lambda x: (x * 10**400).sum())(X),
        DTypeError,
        rf"an integer of 1329 bits at .*{HERE}.*is no float64",
    ),
}


@parametrize(("call", "error", "message"), REFUSED_INPUT)
def test_input_that_has_no_meaning_is_refused(call, error, message):
    """By name, at the door."""
    raises(call, error, message)


def einsum_of_many_labels(x):
    """Sixty indices in one network."""
    y = x
    for _ in range(30):
        y = np.einsum("a,b->ab", y, np.ones(1)) @ np.ones(1)
    return y.sum()


def long_network(x):
    """One einsum of 60 indices, by sublists."""
    chain = itertools.chain.from_iterable((np.eye(2), [k, k + 1]) for k in range(59))
    return np.einsum(x, [0], *chain, x, [59], [])


RIGHT_INPUT = {
    "axis of size one that broadcasts in an einsum": (
        lambda: eg.jacobian(lambda x: np.einsum("ij,jk->ik", W, x))(fixed([[1.0, 2.0]])),
        np.einsum("i,km->ikm", W.sum(1), np.eye(2))[:, :, None, :],
    ),
    "axis of size zero": (
        lambda: eg.jacobian(lambda x: np.einsum("ab,b,d->ad", x, X, np.zeros(0)))(A),
        np.zeros((3, 0, 3, 3)),
    ),
    "axis of size zero, summed": (
        lambda: eg.jacobian(lambda x: np.einsum("ab,bc->ac", x, np.zeros((0, 2))))(np.ones((2, 0))),
        np.zeros((2, 2, 2, 0)),
    ),
    "matrices of size zero": (
        lambda: eg.hessian(lambda x: np.linalg.slogdet(x)[1])(np.zeros((0, 0))),
        np.zeros((0, 0, 0, 0)),
    ),
    "Python float": (lambda: eg.grad(lambda x: x**2)(2.0), 4.0),
    "NumPy scalar": (lambda: eg.grad(lambda x: x**2)(np.float64(2.0)), 4.0),
    "array without axes": (lambda: eg.grad(lambda x: x**2)(fixed(2.0)), 4.0),
    "repeated index, summed": (lambda: eg.grad(lambda x: np.einsum("ii->", x))(A), np.eye(3)),
    "repeated index, kept": (
        lambda: eg.jacobian(lambda x: np.einsum("ii->i", x))(A),
        np.einsum("ia,ib->iab", np.eye(3), np.eye(3)),
    ),
    "repeated index, with another": (
        lambda: eg.hessian(lambda x: np.einsum("iij->j", np.einsum("i,j,k", x, x, X)) @ X)(X),
        2 * np.eye(3) * (X @ X),
    ),
    "sixty indices": (lambda: eg.hessian(long_network)(fixed([1.0, 2.0])), 2 * np.eye(2)),
    "thirty steps that broadcast": (lambda: eg.grad(einsum_of_many_labels)(X), np.ones(3)),
    "integers": (lambda: eg.grad(lambda x: (x**2).sum())(fixed([1, 2], int)), [2.0, 4.0]),
    "Python integer": (lambda: eg.grad(lambda x: x**2)(3), 6.0),
    "integers that are held constant, returned": (
        lambda: eg.jacobian(lambda x, n: np.diff(n, 0, axis=-1))(X, fixed([1, 2], int)),
        np.zeros((2, 3)),
    ),
    "integers that are held constant, converted and returned among others": (
        lambda: eg.jacobian(lambda x, n: {"x": x, "n": n.astype(int)})(X, fixed([1, 2], int))["n"],
        np.zeros((2, 3)),
    ),
    "unsigned integers that would wrap": (
        lambda: eg.grad(lambda x: ((x - fixed([5, 5], np.uint8)) ** 2).sum())(
            fixed([1, 2], np.uint8)
        ),
        [-8.0, -6.0],
    ),
    "integers to a negative power": (
        lambda: eg.grad(lambda x: (x**-1).sum())(fixed([1, 2], int)),
        [-1.0, -0.25],
    ),
    "bool that is not differentiated": (
        lambda: eg.jacobian(np.where, 1)(fixed([True, False], bool), fixed([1.0, 2.0]), 0.0),
        [[1.0, 0.0], [0.0, 0.0]],
    ),
    "big-endian": (lambda: eg.grad(lambda x: (x**2).sum())(X.astype(">f8")), 2 * X),
    "big-endian, to a plan": (
        lambda: eg.grad(lambda x: (x**2).sum()).plan(X)(X.astype(">f8")),
        2 * X,
    ),
    "big-endian, captured": (lambda: eg.grad(lambda x: x @ X.astype(">f4"))(X), X),
    "complex": (
        lambda: eg.jacobian(np.exp)(fixed([1j, 2.0], complex)),
        np.diag(np.exp([1j, 2.0])),
    ),
    "list of lists, captured": (
        lambda: eg.grad(lambda x: (x @ [[1, 2], [3, 4]])[1])(X[:2]),
        [2, 4],
    ),
    "list, to a plan of symbols": (
        lambda: eg.compile(eg.variable("v", (2,)) * 2)([1, 2]),
        [2.0, 4.0],
    ),
    "symmetric argument, its entries independent": (
        lambda: eg.grad(lambda x: x[0, 1])(np.eye(2)),
        [[0.0, 1.0], [0.0, 0.0]],
    ),
}


@parametrize(("call", "expected"), RIGHT_INPUT)
def test_awkward_input_has_the_right_derivative(call, expected):
    """And the right shape; inputs are read-only."""
    result = call()
    assert isinstance(result, np.ndarray)
    np.testing.assert_allclose(result, expected, rtol=1e-14, atol=1e-14, strict=False)
    assert result.shape == np.shape(expected)


def summed_to(values, shape):
    """Sum over the axes along which an array of this shape was broadcast."""
    values = values.sum(tuple(range(values.ndim - len(shape))))
    return values.sum(tuple(n for n, size in enumerate(shape) if size == 1), keepdims=True)


@pytest.mark.parametrize("shapes", [((3, 1), (1, 4)), ((3,), (4, 3)), ((), (2, 3)), ((1,), (1, 1))])
def test_derivatives_sum_over_broadcast_axes(shapes):
    """Of a product, in both factors."""
    a, b = (fixed(np.arange(1.0, 1 + np.prod(shape)).reshape(shape)) for shape in shapes)
    in_a, in_b = eg.grad(lambda a, b: np.sum(a * b), argnums=(0, 1))(a, b)
    ones = np.ones(np.broadcast_shapes(*shapes))
    np.testing.assert_array_equal(in_a, summed_to(b * ones, a.shape), strict=True)
    np.testing.assert_array_equal(in_b, summed_to(a * ones, b.shape), strict=True)


FLOATS = [np.float16, np.float32, np.float64, np.complex64, np.complex128]


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_dtype_is_kept_to_any_order(dtype):
    """Constants of the user's, and ours, do not raise it (NEP 50)."""
    for order in (0, 1, 2, 3):
        result = eg.derivative(lambda x: (np.sin(x) * 0.5 + 2 * x**3).sum(), order)(X.astype(dtype))
        assert result.dtype == dtype


@pytest.mark.parametrize(("one", "other"), [*itertools.product(FLOATS, repeat=2)])
def test_two_dtypes_promote_as_in_numpy(one, other):
    """All pairs."""
    a, b = X.astype(one), X.astype(other)
    assert eg.jacobian(lambda x: x * b)(a).dtype == (a * b).dtype
    assert eg.jacobian(lambda x: x @ b)(a).dtype == (a @ b).dtype
