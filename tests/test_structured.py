"""Structured values: deltas and cores, dense on request."""

import pickle

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from reference import allocated, assert_close
from strategies import functions, point

import eingrad as eg
from eingrad._tracer import Term
from eingrad.errors import DTypeError, ShapeError

RNG = np.random.default_rng(0)
T, V, MASK = RNG.normal(size=(20, 30)), RNG.normal(size=(30, 4)), RNG.random((20, 30))


def factorisation(u):
    return np.sum((T - u @ V.T) ** 2 * MASK)


def test_a_diagonal_is_kept_as_its_core():
    tensor = eg.derivative(np.sin, structured=True)(np.array([1.0, 2.0, 3.0]))
    (term,) = tensor.terms
    assert term.deltas == ((0, 1),)
    assert term.axes == (0,)
    assert_close(term.core, np.cos([1.0, 2.0, 3.0]))
    assert repr(tensor) == "StructuredTensor of shape (3, 3), float64: delta[0,1] core(3)[0]"
    assert_close(np.asarray(tensor), np.diag(np.cos([1.0, 2.0, 3.0])))


def test_the_hessian_of_a_masked_factorisation_is_never_written_out():
    """One delta and a (m, k, k) core: nothing of size (m k)^2 in the plan either."""
    u = RNG.normal(size=(20, 4))
    plan = eg.derivative(factorisation, 2, structured=True).plan(u)
    tensor = plan(u)
    assert [(t.deltas, t.core.shape) for t in tensor.terms] == [(((0, 2),), (20, 4, 4))]
    assert tensor.nbytes == 20 * 4 * 4 * 8
    assert max(s.bytes for s in plan.program.statements) < 8 * (20 * 4) ** 2
    assert_close(tensor.dense(), eg.hessian(factorisation)(u))


@given(case=functions(), order=st.integers(0, 3), seed=st.integers(0, 2**32 - 1))
def test_dense_is_the_derivative(case, order, seed):
    f, shape = case
    x = point(shape, seed)
    dense = eg.derivative(f, order)(x)
    assume(dense.size < 5000)
    tensor = eg.derivative(f, order, structured=True)(x)
    assert (tensor.shape, tensor.dtype) == (dense.shape, dense.dtype)
    assert_close(tensor.dense(), dense)


def test_zero_has_no_terms():
    tensor = eg.derivative(lambda x: 2 * x, 2, structured=True)(np.ones(3))
    assert tensor.terms == ()
    assert tensor.nbytes == 0
    assert not tensor.dense().any()
    assert tensor.dense().shape == (3, 3, 3)
    assert repr(tensor).endswith(": zero")


def test_several_outputs_and_arguments_are_nested():
    (by_a, by_b), (again, _) = eg.derivative(
        lambda a, b: (a * b, a + b), 1, (0, 1), structured=True
    )(np.ones(2), np.full(2, 3.0))
    for tensor, diagonal in ((by_a, 3.0), (by_b, 1.0), (again, 1.0)):
        assert_close(tensor.dense(), diagonal * np.eye(2))


def test_a_structured_plan_pickles_and_takes_no_out():
    x = np.array([0.5, 2.0])
    plan = eg.derivative(np.exp, 2, structured=True).plan(x)
    again = pickle.loads(pickle.dumps(plan))
    assert_close(again(x).dense(), eg.hessian(np.exp)(x))
    with pytest.raises(DTypeError, match="no array of its own"):
        plan(x, out=np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match="copy"):
        plan(x).__array__(copy=False)


def test_within_another_derivative_it_is_an_expression():
    """Whose terms are known as well."""
    x = np.array([0.5, 2.0])
    outer = eg.grad(lambda x: np.sum(eg.derivative(np.sin, structured=True)(x)))
    assert_close(outer(x), -np.sin(x))


# Computing with the terms ------------------------------------------------------------------------

SEEDS = st.integers(0, 2**32 - 1)


def random_tensor(seed, shape=None):
    """Up to three terms, each with random deltas, its core on some of the axes that are left."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(2, 3 + rng.integers(2), size=rng.integers(2, 5))  # of one size or two
    shape = shape or tuple(drawn.tolist())
    terms = []
    for _ in range(rng.integers(0, 4)):
        free, deltas = list(range(len(shape))), []
        for b in rng.permutation(len(shape))[: rng.integers(0, len(shape))].tolist():
            like = [a for a, size in enumerate(shape) if a != b and size == shape[b]]
            if like:  # a may be tied in its turn, and b may have been tied to
                deltas.append((like[rng.integers(len(like))], b))
                free.remove(b)
        axes = tuple(rng.permutation([n for n in free if rng.random() < 0.8]).tolist())
        core = rng.normal(size=[shape[n] for n in axes])
        terms.append(Term(tuple(deltas), core, axes))
    return eg.StructuredTensor(shape, np.dtype(float), tuple(terms)), rng


def agree(value, expected):
    """Of less than two axes an array, else a tensor that holds no more than it must."""
    assert isinstance(value, np.ndarray if expected.ndim < 2 else eg.StructuredTensor)
    assert value.shape == expected.shape
    assert value.dtype == expected.dtype
    assert_close(np.asarray(value), expected)


@given(seed=SEEDS)
def test_linear_operations_are_those_of_the_whole(seed):
    """Sums, differences, multiples, transposes, sums over axes, traces."""
    tensor, rng = random_tensor(seed)
    whole, ndim = tensor.dense(), tensor.ndim
    other, _ = random_tensor(seed + 1, tensor.shape)
    array = rng.normal(size=tensor.shape)
    agree(tensor + other, whole + other.dense())
    agree(tensor - other, whole - other.dense())
    agree(tensor - tensor, 0 * whole)
    agree(array - tensor, array - whole)
    agree(2 - tensor, 2 - whole)
    agree(tensor + array, whole + array)
    agree(-3 * tensor / 2.0, -1.5 * whole)
    order = rng.permutation(ndim).tolist()
    agree(np.transpose(tensor, order), whole.transpose(order))
    agree(tensor.T, whole.T)
    agree(eg.transpose(tensor), eg.transpose(whole))
    axes = tuple(rng.choice(ndim, rng.integers(0, ndim + 1), replace=False).tolist())
    agree(np.sum(tensor, axis=axes), np.asarray(whole.sum(axis=axes)))
    agree(np.sum(tensor), np.asarray(whole.sum()))
    square, _ = random_tensor(seed, (3, 2, 3, 3))
    agree(np.trace(square, axis1=3, axis2=0), np.trace(square.dense(), axis1=3, axis2=0))
    agree(
        eg.trace(random_tensor(seed, (3, 3, 2, 3))[0]),
        eg.trace(random_tensor(seed, (3, 3, 2, 3))[0].dense()),
    )


@given(seed=SEEDS)
def test_products_with_arrays_are_those_of_the_whole(seed):
    """Arrays, also of the structured tensor on the right."""
    tensor, rng = random_tensor(seed)
    whole, ndim = tensor.dense(), tensor.ndim

    def same(value, expected):
        assert type(value) is np.ndarray
        assert_close(value, np.asarray(expected))

    v, A = rng.normal(size=tensor.shape[-1]), rng.normal(size=(tensor.shape[-1], 4))
    w, B = rng.normal(size=tensor.shape[-2]), rng.normal(size=(4, tensor.shape[-2]))
    same(tensor @ v, whole @ v)
    same(tensor @ A, whole @ A)
    same(w @ tensor, w @ whole)
    same(B @ tensor, B @ whole)
    for n in range(ndim + 1):
        last = rng.normal(size=(*tensor.shape[ndim - n :], 2))
        same(np.tensordot(tensor, last, n), np.tensordot(whole, last, n))
    first = rng.normal(size=(tensor.shape[1], 3, tensor.shape[0]))
    same(
        np.tensordot(first, tensor, ((2, 0), (0, 1))), np.tensordot(first, whole, ((2, 0), (0, 1)))
    )
    C, D = rng.normal(size=(4, tensor.shape[0])), rng.normal(size=(tensor.shape[1], 5))
    same(eg.product(C, tensor, D), eg.product(C, whole, D))


def test_a_product_with_a_hessian_never_writes_it_out():
    """The cores only: of (mk)^2 entries, 400 MB, there is a diagonal of blocks."""
    m, k = 1000, 7
    u = RNG.normal(size=(m, k))
    hessian = eg.hessian(lambda u: np.sum((u @ np.ones((k, 3))) ** 4), structured=True)(u)
    v = RNG.normal(size=(m, k))
    peak = allocated(lambda: (np.tensordot(hessian, v), np.sum(hessian)))
    product, total = np.tensordot(hessian, v), np.sum(hessian)
    assert peak < 10 * hessian.nbytes < 8 * (m * k) ** 2 / 50
    sums = u.sum(1)
    assert_close(product, (36 * sums**2 * v.sum(1))[:, None] * np.ones(k))
    assert_close(total, np.asarray((36 * sums**2).sum() * k * k))


def test_every_verb_has_the_keyword():
    """As `derivative` has it; values too are tensors then."""
    x = np.array([0.5, 2.0])
    f = lambda x: np.sum(np.sin(x))  # noqa: E731
    for made, dense in (
        (eg.jacobian(np.sin, structured=True), eg.jacobian(np.sin)),
        (eg.grad(f, structured=True), eg.grad(f)),
        (eg.hessian(f, structured=True), eg.hessian(f)),
    ):
        tensor = made(x)
        assert isinstance(tensor, eg.StructuredTensor)
        assert_close(tensor.dense(), dense(x))
    for made, dense in (
        (eg.value_and_grad(f, structured=True), eg.value_and_grad(f)),
        (eg.value_and_derivatives(f, structured=True), eg.value_and_derivatives(f)),
    ):
        for tensor, array in zip(made(x), dense(x), strict=True):
            assert isinstance(tensor, eg.StructuredTensor)
            assert_close(tensor.dense(), array)
    with pytest.raises(ShapeError, match="the gradient needs a scalar function"):
        eg.grad(np.sin, structured=True)(x)


DIAGONAL = eg.jacobian(np.sin, structured=True)(np.ones(3))
REFUSED = {
    "a function": (
        lambda: np.linalg.inv(DIAGONAL),
        DTypeError,
        (
            r"np.linalg.inv of a structured tensor would write it out: shape \(3, 3\), 72 bytes; "
            r"if that is meant, call np.linalg.inv with tensor.dense\(\)"
        ),
    ),
    "a ufunc": (lambda: np.exp(DIAGONAL), DTypeError, "np.exp of a structured tensor would write"),
    "an option": (
        lambda: np.sum(DIAGONAL, keepdims=True),
        DTypeError,
        "np.sum of a structured tensor would write it out",
    ),
    "an option of a ufunc": (
        lambda: np.add(DIAGONAL, 1, where=True),
        DTypeError,
        "np.add of a str",
    ),
    "an elementwise product": (
        lambda: DIAGONAL * np.ones(3),
        DTypeError,
        r"multiplied with numbers only, not elementwise with shape \(3,\); write it out",
    ),
    "a quotient": (
        lambda: 1 / np.float64(2) / DIAGONAL,
        DTypeError,
        "divided by numbers only, and",
    ),
    "a product of two": (
        lambda: DIAGONAL @ DIAGONAL,
        DTypeError,
        r"a product of two structured tensors, of shapes \(3, 3\) and \(3, 3\), is not kept struct",
    ),
    "a sum of other shapes": (
        lambda: DIAGONAL + np.ones(3),
        ShapeError,
        r"of shape \(3, 3\) and an array of shape \(3,\) are not added; give an array of the same",
    ),
    "a vector of another size": (
        lambda: DIAGONAL @ np.ones(2),
        ShapeError,
        r"axes \[-1\] of shape \(3, 3\) and \[0\] of shape \(2,\) are contracted with each other; ",
    ),
    "a stack of matrices": (
        lambda: DIAGONAL @ np.ones((2, 3, 3)),
        ShapeError,
        r"@ of shapes \(3, 3\) and \(2, 3, 3\): a structured tensor is multiplied with a vector or",
    ),
    "a trace of unequal axes": (
        lambda: eg.trace(random_tensor(0, (2, 3))[0]),
        ShapeError,
        "the first two axes have sizes 2 and 3",
    ),
    "a trace of one axis": (
        lambda: np.trace(DIAGONAL, axis1=1, axis2=1),
        ShapeError,
        r"the trace of shape \(3, 3\) over axes 1 and 1, of sizes 3 and 3; they must be two",
    ),
    "a transpose of some axes": (
        lambda: np.transpose(DIAGONAL, (0, 0)),
        ShapeError,
        r"axes \(0, 0\) do not name each axis of shape \(3, 3\) once",
    ),
    "a traced value": (
        lambda: eg.jacobian(lambda x: DIAGONAL @ x)(np.ones(3)),
        DTypeError,
        r"operand \d, DIAGONAL, is .*StructuredTensor.*: write np.asarray\(DIAGONAL\)",
    ),
    "a traced value, on the left": (
        lambda: eg.jacobian(lambda x: x @ DIAGONAL)(np.ones(3)),
        DTypeError,
        r"operand 1, DIAGONAL, is .*StructuredTensor.*: write np.asarray",
    ),
    "a traced value, to a function": (
        lambda: eg.jacobian(lambda x: np.tensordot(DIAGONAL, x, 1))(np.ones(3)),
        DTypeError,
        r"operand \d, DIAGONAL, is .*StructuredTensor.*: write np.asarray\(DIAGONAL\)",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_would_write_it_out_is_refused(call, error, message):
    """Or says what there is in its place."""
    with pytest.raises(error, match=message):
        call()


def test_adding_in_place_binds_the_name_anew():
    """Tensors are immutable, as numbers are."""
    tensor = before = DIAGONAL
    tensor += 1
    assert tensor is not before
    assert_close(tensor.dense(), before.dense() + 1)


def test_terms_of_a_structured_tensor_are_its_own():
    tensor = eg.jacobian(np.sin, structured=True)(np.ones(4))
    assert eg.terms(tensor) == tensor.terms
