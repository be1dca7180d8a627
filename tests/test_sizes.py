"""Laws of size: axes up to the 64 of NumPy's arrays, and sizes that no machine word holds."""

import math

import numpy as np
import pytest

import eingrad as eg
from eingrad import _subscripts
from eingrad.errors import MemoryLimitError, ShapeError

OF_MANY_AXES = {
    "product": lambda x: x * x,
    "with a number": lambda x: 3 * np.exp(x) + 1,
    "with a captured array": lambda x: x * np.full(x.shape, 2.0),
    "np.where": lambda x: np.where(x > 0, x, 1.0),
    "a sum": lambda x: x.sum(0) * np.sin(x),
    "transposed": lambda x: np.swapaxes(x, 0, -1) * x,
    "np.broadcast_to": lambda x: np.broadcast_to(x[:1], x.shape) * x,
    "np.maximum": lambda x: np.maximum(x, x.max()),
    "np.concatenate": lambda x: np.concatenate([x, x * x]),
}


@pytest.mark.parametrize("f", OF_MANY_AXES.values(), ids=OF_MANY_AXES)
@pytest.mark.parametrize("axes", [31, 33, 40, 64])
def test_functions_of_arrays_of_many_axes(f, axes):
    """NumPy's value, and the gradient of fewer axes of the same entries."""
    x = np.linspace(0.5, 1.5, 8).reshape(2, *(1,) * (axes - 3), 2, 2)
    small = x.reshape(2, 2, 2)
    np.testing.assert_allclose(eg.derivative(f, 0)(x), f(x), rtol=1e-14)
    gradient = eg.grad(lambda x: np.sum(f(x)))
    expected = gradient(small)
    np.testing.assert_allclose(gradient(x).reshape(2, 2, 2), expected, rtol=1e-14)
    try:
        plan = eg.hvp(lambda x: np.sum(f(x))).plan(x, x)
    except ShapeError:  # a batched product of vectors takes one more axis
        assert axes == 64
    else:
        assert plan(x, x).shape == x.shape


@pytest.mark.parametrize("axes", [8, 17, 30, 32])
def test_jacobians_to_64_axes(axes):
    """Out and in together; the Jacobian of fewer axes has the same entries."""
    x = np.linspace(0.5, 1.5, 8).reshape(2, 2, 2, *(1,) * (axes - 3))
    jacobian = eg.jacobian(lambda x: x * x + x.sum())
    expected = jacobian(x.ravel())
    np.testing.assert_array_equal(jacobian(x).reshape(8, 8), expected)


@pytest.mark.parametrize(("axes", "order"), [(33, 1), (40, 1), (64, 1), (22, 2), (13, 4)])
def test_more_axes_are_refused(axes, order):
    """With the shape, before anything is computed."""
    count = axes * (order + 1)
    with pytest.raises(ShapeError, match=rf"{count} axes, shape \(1, .*at most 64; flatten"):
        eg.derivative(lambda x: x ** (order + 1), order)(np.ones((1,) * axes))
    with pytest.raises(ShapeError, match="65 axes"):
        eg.derivative(lambda x: x[None] * 2, 0)(np.ones((1,) * 64))


@pytest.mark.parametrize("axes", [26, 40, 60])
def test_diagonals_of_many_axes(axes):
    """NumPy's einsum has letters for 52."""
    x = np.linspace(0.5, 1.5, 8).reshape(2, 2, *(1,) * (axes - 3), 2)
    f = lambda x: np.trace(x * x)  # noqa: E731
    np.testing.assert_allclose(eg.derivative(f, 0)(x), f(x))
    gradient = eg.grad(lambda x: np.sum(f(x)))
    if axes > 53:  # it is placed on a diagonal
        with pytest.raises(ShapeError, match=r"has the indices .* more than the 52"):
            gradient(x)
    else:
        np.testing.assert_allclose(gradient(x).ravel(), gradient(x.reshape(2, 2, 2)).ravel())


LARGE = {
    "2 * X": lambda X: 2 * X,
    "X + sin(X)": lambda X: X + np.sin(X),
    "np.mean": np.mean,
    "np.std": lambda X: np.std(X, 0),
    "np.broadcast_to": lambda X: np.broadcast_to(X, (3, *X.shape)),
    "np.tile": lambda X: np.tile(X, 2),
    "np.repeat": lambda X: np.repeat(X, 2, 0),
    "np.ravel": np.ravel,
    "X @ X": lambda X: X @ X,
    "np.concatenate": lambda X: np.concatenate([X, X]),
    "np.einsum": lambda X: np.einsum("ijkl,ijml->km", X, X),
    "np.average": lambda X: np.average(X, returned=True)[1] * X[0],
}


@pytest.mark.parametrize("f", LARGE.values(), ids=LARGE)
def test_symbols_of_any_size_are_planned_and_printed(f):
    """Of 1e20 entries; what no memory can hold is refused when it is run."""
    X = eg.variable("X", (10**5,) * 4)
    plan = eg.compile(f(X))
    assert max(plan.flops, plan.peak_bytes) > 10**14
    assert "(100000, 100000, 100000, 100000)" in str(plan)
    assert str(f(X))
    derivative = eg.differentiate(np.sum(f(X)), X)
    assert derivative.shape == X.shape
    assert str(eg.compile(derivative))


def test_a_mean_of_more_entries_than_a_machine_word_counts_divides_by_their_number():
    """It was divided by what was left of it in 64 bits."""
    x = eg.variable("x", (10**20,))
    (term,) = eg.terms(eg.differentiate(np.mean(x), x))
    assert str(term.core) == "1e-20"


def test_a_step_that_no_array_can_hold_is_refused_when_it_is_run():
    """The plan can be looked at: what it would cost is what one wants to know."""
    x = np.ones(10**5)
    plan = eg.hessian(lambda x: np.sin(x[:, None] * x)).plan(x)
    assert plan.peak_bytes > 8 * 10**20
    with pytest.raises(MemoryLimitError, match=r"shape \(100000, .* bytes, more than an array"):
        plan(x)
    with pytest.raises(ShapeError, match="but the plan was made for"):
        eg.compile(2 * eg.variable("Y", 10**30))(x)


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([], ()),
        ([()], ()),
        ([(), (3,)], (3,)),
        ([(3, 1), (4,)], (3, 4)),
        ([(1,), (3, 1), (1, 4)], (3, 4)),
        ([(0,), (1,)], (0,)),
        ([(0,), (3,)], None),
        ([(2,), (3,)], None),
        ([(2, 1), (3, 2, 5), (4, 1, 1, 1)], (4, 3, 2, 5)),
        ([(10**30, 1), (10**40,)], (10**30, 10**40)),
        ([(1,) * 100, (2,)], (1,) * 99 + (2,)),
    ],
)
def test_broadcasting_is_numpys(shapes, expected):
    """Where NumPy has an answer."""
    assert _subscripts.broadcast(shapes) == expected
    if all(len(s) <= 32 and math.prod(s) < 2**60 for s in shapes):
        try:
            known = np.broadcast_shapes(*shapes)
        except ValueError:
            known = None
        assert known == expected


@pytest.mark.parametrize("shape", [(-1,), (2, -1), -1, (2, 0), (3,)])
def test_what_numpy_does_not_broadcast_to_is_refused(shape):
    """A negative size too."""
    with pytest.raises(ValueError):  # noqa: PT011 - of NumPy
        np.broadcast_to(np.ones(2), shape)
    with pytest.raises(ShapeError, match="broadcast"):
        eg.jacobian(lambda x: np.broadcast_to(x, shape))(np.ones(2))
    with pytest.raises(ShapeError, match="broadcast"):
        eg.jacobian(lambda x: np.broadcast_to(x[0], (2, -1)))(np.ones(2))
