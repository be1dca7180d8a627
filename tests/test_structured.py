"""Structured values: deltas and cores, dense on request."""

import pickle

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from reference import assert_close
from strategies import functions, point

import eingrad as eg
from eingrad.errors import DTypeError

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
