"""What Python and NumPy ask of structured values: as of the whole, or refused by name."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import allocated, assert_close
from test_structured import random_tensor

import eingrad as eg
from eingrad.errors import DTypeError, InPlaceError, ShapeError

SEEDS = st.integers(0, 2**32 - 1)


def same(value, expected):
    """Equal shapes, dtypes and entries; with two axes or more, structured."""
    assert isinstance(value, eg.StructuredTensor) == (np.ndim(expected) > 1)
    assert (value.shape, value.dtype) == (np.shape(expected), np.asarray(expected).dtype)
    assert_close(np.asarray(value), np.asarray(expected))


@given(seed=SEEDS)
def test_diagonals_and_traces_are_those_of_the_whole(seed):
    """Of any two axes, of whatever sizes, and beside the main one."""
    tensor, rng = random_tensor(seed)
    whole = tensor.dense()
    a, b = rng.permutation(tensor.ndim)[:2].tolist()
    a -= tensor.ndim if rng.random() < 0.5 else 0
    k = int(rng.integers(-2, 3))
    same(np.diagonal(tensor, k, a, b), np.diagonal(whole, k, a, b))
    same(tensor.diagonal(k, a, b), whole.diagonal(k, a, b))
    same(np.trace(tensor, k, a, b), np.trace(whole, k, a, b))
    same(tensor.trace(k, axis1=a, axis2=b), whole.trace(k, axis1=a, axis2=b))
    same(np.linalg.diagonal(tensor, offset=k), np.linalg.diagonal(whole, offset=k))
    same(np.linalg.trace(tensor, offset=k), np.linalg.trace(whole, offset=k))
    if tensor.ndim == 2:
        same(np.diag(tensor, k), np.diag(whole, k))


@given(seed=SEEDS)
def test_moved_and_averaged_axes_are_those_of_the_whole(seed):
    tensor, rng = random_tensor(seed)
    whole = tensor.dense()
    order = rng.permutation(tensor.ndim).tolist()
    same(tensor.transpose(*order), whole.transpose(*order))
    same(tensor.transpose(order), whole.transpose(order))
    same(tensor.transpose(), whole.transpose())
    same(tensor.mT, whole.mT)
    source, target = order[:2], rng.permutation(tensor.ndim)[:2].tolist()
    same(np.moveaxis(tensor, source, target), np.moveaxis(whole, source, target))
    same(np.moveaxis(tensor, 0, -1), np.moveaxis(whole, 0, -1))
    same(tensor.swapaxes(*order[:2]), whole.swapaxes(*order[:2]))
    same(np.mean(tensor), np.mean(whole))
    same(tensor.mean(order[0]), whole.mean(order[0]))
    same(tensor.mean(axis=tuple(order[:2])), whole.mean(axis=tuple(order[:2])))


@given(seed=SEEDS)
def test_dot_and_inner_are_those_of_the_whole(seed):
    """With vectors and stacks of matrices on both sides, with numbers, with each other."""
    tensor, rng = random_tensor(seed)
    whole = tensor.dense()
    last = tensor.shape[-1]
    v, A = rng.normal(size=last), rng.normal(size=(2, last, 3))
    w = rng.normal(size=tensor.shape[-2])
    for ours, theirs in [
        (np.dot(tensor, v), np.dot(whole, v)),
        (tensor.dot(A), whole.dot(A)),
        (np.dot(w, tensor), np.dot(w, whole)),
        (np.inner(tensor, v), np.inner(whole, v)),
        (np.inner(v[None], tensor), np.inner(v[None], whole)),
    ]:
        assert type(ours) is np.ndarray
        assert_close(ours, np.asarray(theirs))
    same(np.dot(tensor, 2.0), whole * 2.0)
    same(np.inner(tensor, tensor), np.inner(whole, whole))
    part, of_whole = (whole[(0,) * (tensor.ndim - 2)] for whole in (tensor, whole))
    same(np.linalg.matmul(part, part.T), np.linalg.matmul(of_whole, of_whole.T))


@given(seed=SEEDS)
def test_entries_of_terms_are_converted_each_by_itself(seed):
    tensor, _ = random_tensor(seed)
    whole = tensor.dense()
    single, turned = tensor.astype(np.float32), (1j * tensor)
    assert single.dtype == np.float32
    assert_close(single.dense(), whole.astype(np.float32), 1e-6)
    same(tensor.astype(complex), whole.astype(complex))
    same(turned.conj(), (1j * whole).conj())
    same(np.conjugate(turned), np.conj(1j * whole))
    same(turned.imag, whole)
    same(turned.real, np.zeros_like(whole))
    same(np.real(tensor), whole)
    same(np.imag(tensor), np.zeros_like(whole))
    assert np.iscomplexobj(turned)
    assert np.isrealobj(tensor)
    assert np.result_type(tensor, 1j) == np.complex128


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


HESSIAN = eg.hessian(rosenbrock, structured=True)(np.linspace(0, 1, 300))
SMALL = eg.hessian(rosenbrock, structured=True)(np.array([0.5, 1.5, 2.5]))
NUMBER = eg.derivative(np.sum, 0, structured=True)(np.array([1.0, 1.5]))


def test_nothing_of_this_writes_the_tensor_out():
    """Of 300 x 300 entries, 720 kB, a fifth is never there."""

    def all_of_it():
        np.diagonal(HESSIAN, 1), HESSIAN.trace(), np.dot(HESSIAN, np.ones(300)), HESSIAN.mean(0)
        HESSIAN.astype(np.float32), HESSIAN.T, HESSIAN + HESSIAN, 2 * HESSIAN, HESSIAN[0]

    all_of_it()
    assert allocated(all_of_it) < 300 * 300 * 8 / 5


def test_python_can_copy_pickle_count_and_iterate():
    for again in (pickle.loads(pickle.dumps(SMALL)), copy.copy(SMALL), copy.deepcopy(SMALL)):
        assert_close(again.dense(), SMALL.dense())
        assert repr(again) == repr(SMALL) == f"{SMALL}"
    assert len(SMALL) == 3
    assert_close(np.stack([*SMALL]), SMALL.dense())
    assert_close(np.asarray(SMALL, np.float32), SMALL.dense().astype(np.float32), 1e-6)
    assert hash(SMALL) == hash(SMALL)
    assert SMALL in {SMALL}


def test_a_tensor_without_axes_is_a_number():
    assert (float(NUMBER), int(NUMBER), complex(NUMBER)) == (2.5, 2, 2.5 + 0j)
    assert bool(NUMBER) is True
    with pytest.raises(TypeError, match="without axes has no length"):
        list(NUMBER)


def test_a_sum_begins_with_nothing():
    """``sum([S, T])`` adds to 0, which is no term: of that the whole would be held."""
    total = sum([SMALL, SMALL])
    assert [term.core.shape for term in total.terms] == [t.core.shape for t in (2 * SMALL).terms]
    assert_close(total.dense(), 2 * SMALL.dense())


REFUSED = {
    "abs": (abs, DTypeError, "np.absolute of a structured tensor would write it out"),
    "a power": (lambda S: S**2, DTypeError, "np.power of a structured tensor would write it out"),
    "a quotient": (lambda S: 1 / S, DTypeError, "by numbers only, and nothing by it; write it out"),
    "a remainder": (lambda S: S % 2, DTypeError, r"call np.remainder with tensor.dense\(\)"),
    "equality": (lambda S: S == S.T, DTypeError, r"call np.equal with tensor.dense\(\)"),
    "equality to a number": (lambda S: S == 0, DTypeError, "np.equal of a structured tensor"),
    "equality to an array": (lambda S: np.eye(3) != S, DTypeError, "np.not_equal of a"),
    "an order": (lambda S: S < 1, DTypeError, "np.less of a structured tensor"),
    "truth": (bool, ShapeError, r"shape \(3, 3\) is ambiguous; ask np.any\(tensor.dense\(\)\)"),
    "a number": (float, DTypeError, r"shape \(3, 3\) is no number; pick one .* tensor\[0, 0\]"),
    "assignment": (
        lambda S: S.__setitem__(0, 1.0),
        InPlaceError,
        r"cannot be assigned to; write it out first, array = tensor.dense\(\), and assign to array",
    ),
    "a method": (
        lambda S: S.max(),
        AttributeError,
        "no attribute 'max', for it would need the entries; write tensor.dense\\(\\).max",
    ),
    "no method": (lambda S: S.foo, AttributeError, "^a structured tensor has no attribute 'foo'$"),
    "a text": (lambda S: S + "a", DTypeError, "a summand of a structured tensor is of type str"),
    "None as a factor": (lambda S: S * None, DTypeError, "a factor of .* is of type NoneType"),
    "None as a divisor": (lambda S: S / None, DTypeError, "a divisor of .* is of type NoneType"),
    "an axis": (
        lambda S: S.sum(7),
        np.exceptions.AxisError,
        r"axis 7 is out of bounds for a structured tensor of shape \(3, 3\); give -2 to 1",
    ),
    "an axis twice": (lambda S: np.sum(S, (0, -2)), ShapeError, r"axes \(0, -2\) name an axis"),
    "an axis that is none": (lambda S: S.sum("a"), DTypeError, "axis 'a' of .*; give an integer"),
    "too few axes": (
        lambda S: np.transpose(S, (0,)),
        ShapeError,
        r"axes \(0,\) do not name each axis of shape \(3, 3\) once",
    ),
    "axes that are moved": (
        lambda S: np.moveaxis(S, (0, 1), 0),
        ShapeError,
        r"np.moveaxis from \(0, 1\) to 0; give as many of both",
    ),
    "contracted axes": (
        lambda S: np.tensordot(S, np.ones(3), 7),
        ShapeError,
        r"np.tensordot over axes 7 of shapes \(3, 3\) and \(3,\); give how many, or two lists",
    ),
    "an offset": (lambda S: np.trace(S, 0.5), DTypeError, "a diagonal is 0.5; give an integer"),
    "integers": (lambda S: S.astype(int), DTypeError, r"write it out first, with dense\(\).astype"),
    "a matrix of more axes": (
        lambda S: np.diag(np.tensordot(S, S, 0)),
        ShapeError,
        r"np.diag of a structured tensor of shape \(3, 3, 3, 3\); give a matrix, or use np.diag",
    ),
    "a vector of SciPy's": (
        lambda S: np.tensordot(S, S, 0).matvec(np.ones(3)),
        ShapeError,
        r"matvec of a structured tensor of shape \(3, 3, 3, 3\); it is a method of matrices",
    ),
    "a method of a ufunc": (np.add.reduce, DTypeError, "np.add.reduce of a struct"),
    "an option": (lambda S: S.sum(axis=0).sum() + np.mean(S, where=True), DTypeError, "where= of"),
    "another argument": (
        lambda S: np.dot(S, np.ones(3), np.ones(3)),
        DTypeError,
        "np.dot with 1 more argument of a structured tensor",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_needs_the_entries_is_refused_at_the_users_line(call, error, message):
    """Nothing compares identities, or fails with a message of Python's own."""
    with pytest.raises(error, match=message) as caught:
        call(SMALL)
    assert caught.traceback[-1].path.name == "test_structured_operators.py"


def test_iterative_solvers_of_scipy_take_a_matrix():
    """Newton's step, by products with the terms alone."""
    linalg = pytest.importorskip("scipy.sparse.linalg")
    hessian = eg.hessian(lambda x: np.sum(x**4 + x * x) + np.sum(x[1:] * x[:-1]), structured=True)
    H, b = hessian(np.linspace(0, 1, 20)), np.ones(20)
    solved, status = linalg.cg(H, b, rtol=1e-12)
    assert status == 0
    assert_close(H.dense() @ solved, b, rtol=1e-9)
    J = eg.jacobian(lambda x: np.sin(x[1:]) * x[:-1], structured=True)(np.linspace(0, 1, 20))
    operator = linalg.aslinearoperator(J)
    assert_close(operator.rmatvec(b[1:]), J.dense().T @ b[1:])
