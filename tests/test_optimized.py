"""What must hold under ``python -O`` too, which removes every assert: so no assert is used here."""

import numpy as np
import pytest

import eingrad as eg
from eingrad.errors import BranchError, DTypeError, InPlaceError, ShapeError, TracerLeakError

A = np.array([[2.0, 1.0], [0.5, 3.0]])


def _branch(x):
    return x if x > 0 else -x


def _assign(x):
    x[0] = 1.0
    return x


@pytest.mark.parametrize(
    ("function", "argument", "error"),
    [
        (_branch, 1.0, BranchError),
        (_assign, np.ones(2), InPlaceError),
        (float, 1.0, TracerLeakError),
        (lambda x: A @ x, np.ones(3), ShapeError),
        (lambda x: np.einsum("ij,jk->ik", A, x), np.ones((3, 2)), ShapeError),
        (np.linalg.inv, np.ones((2, 3)), ShapeError),
        (lambda x: x, np.array(["a"]), DTypeError),
        (lambda x: np.reshape(x, (3,)), np.ones(4), ShapeError),
        (lambda x: np.concatenate([x, A]), np.ones(2), ShapeError),
    ],
)
def test_wrong_use_is_an_error_without_asserts(function, argument, error):
    with pytest.raises(error):
        eg.jacobian(function)(argument)


def test_a_plan_checks_shapes_without_asserts():
    plan = eg.hessian(lambda x: x @ A @ x).plan(np.ones(2))
    with pytest.raises(ShapeError, match="argument 'x' has shape"):
        plan(np.ones(3))


def test_derivatives_are_right_without_asserts():
    x = np.array([0.3, -0.7])
    np.testing.assert_allclose(eg.grad(lambda x: x @ A @ x)(x), x @ (A + A.T), rtol=1e-15)
    inverse = np.linalg.inv(A)
    expected = -np.einsum("ik,lj->ijkl", inverse, inverse)
    np.testing.assert_allclose(eg.jacobian(np.linalg.inv)(A), expected, rtol=1e-14)
