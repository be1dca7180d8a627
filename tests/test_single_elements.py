"""One element is its own mean and extreme: its spread is zero, and so is every derivative of it."""

import numpy as np
import pytest

import eingrad as eg

norm = np.linalg.norm

SPREADS = {
    "std": np.std,
    "var": np.var,
    "std, ddof below one": lambda x: np.std(x, ddof=0.5),
    "std, negative ddof": lambda x: np.std(x, ddof=-1),
    "var, correction": lambda x: np.var(x, correction=0.25),
    "std, last axis": lambda x: np.std(x, axis=-1),
    "std, keepdims": lambda x: np.std(x, axis=-1, keepdims=True),
    "var, keepdims": lambda x: np.var(x, axis=-1, keepdims=True),
    "std, all flags": lambda x: np.std(x, axis=-1, where=np.array(True)),
    "std, mean given": lambda x: np.std(x, axis=-1, mean=np.mean(x, axis=-1, keepdims=True)),
    "root of var": lambda x: np.sqrt(np.var(x, axis=-1)),
    "ptp": lambda x: np.ptp(x, axis=-1),
    "ptp, keepdims": lambda x: np.ptp(x, axis=-1, keepdims=True),
    "norm of deviations": lambda x: norm(x - np.mean(x, axis=-1, keepdims=True), axis=-1),
    "norm of what is summed apart": lambda x: norm(x - np.sum(x, axis=-1)[..., None], axis=-1),
    "norm of what is taken apart": lambda x: norm(x - x[..., 0][..., None], axis=-1),
    "norm from the maximum": lambda x: norm(x - np.max(x, axis=-1, keepdims=True), axis=-1),
    "norm of what is reshaped": lambda x: norm(x - x.reshape(x.shape[:-1])[..., None]),
}
IN_ALL = ("std", "var", "std, ddof below one", "std, negative ddof", "var, correction")


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(1,), (1, 1), (3, 1)])
@pytest.mark.parametrize("name", SPREADS)
def test_the_spread_of_one_element_is_zero_to_every_order(name, shape, dtype, order):
    """Also where the library is not told: what is subtracted from itself is nothing."""
    if name in IN_ALL:
        shape = (1,) * len(shape)
    f, x = SPREADS[name], np.full(shape, 1.7, dtype)
    found = eg.derivative(f, order=order)(x)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.zeros(np.shape(f(x)) + order * shape))


ROWS = np.array([[1.0, 2.5, 4.0], [9.0, 4.0, 1.5], [3.0, 1.0, 2.0]])
FLAGS = np.array([[True, False, False], [True, True, False], [False, False, True]])
CHOSEN = {
    "flags that are known": lambda f, x, **k: f(x, axis=1, where=FLAGS, **k),
    "flags of the values": lambda f, x, **k: f(x, axis=1, where=(x < 1.7) | (x > 3.5), **k),
    "keepdims": lambda f, x, **k: f(x, axis=1, keepdims=True, where=FLAGS, **k),
    "along the first axis": lambda f, x, **k: f(x, axis=0, where=FLAGS.T, **k),
    "flags that are spread": lambda f, x, **k: f(x, axis=0, where=FLAGS[1][:, None], **k),
    "one of all": lambda f, x, **k: f(x, where=np.eye(3)[:, :] * [1, 0, 0] > 0, **k),
}


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("ddof", [0, 0.5])
@pytest.mark.parametrize("function", [np.std, np.var])
@pytest.mark.parametrize("choose", CHOSEN.values(), ids=CHOSEN.keys())
def test_where_flags_leave_one_element_the_spread_is_zero(choose, function, ddof, order):
    """The other rows are what they are alone."""
    f = lambda x: choose(function, x, ddof=ddof)  # noqa: E731
    np.testing.assert_allclose(eg.derivative(f, order=0)(ROWS), f(ROWS), rtol=1e-14, atol=1e-15)
    found = eg.derivative(f, order=order)(ROWS)
    assert np.isfinite(found).all()
    below = eg.derivative(f, order=order - 1)
    for place in np.ndindex(ROWS.shape):
        step = np.zeros(ROWS.shape)
        step[place] = 1e-4
        difference = (below(ROWS + step) - below(ROWS - step)) / 2e-4
        start = found.ndim - 2
        np.testing.assert_allclose(
            found[(slice(None),) * start + place], difference, atol=1e-6, err_msg=str(place)
        )


def test_too_few_elements_for_ddof_are_nan_where_flags_are_traced():
    """As NumPy's, where the count is not known beforehand; refused where it is."""
    f = lambda x: np.std(x, axis=1, where=x > 3.5, ddof=1)  # noqa: E731
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning):
        expected = f(ROWS)
    with np.errstate(all="ignore"):
        found = eg.derivative(f, order=0)(ROWS)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    with pytest.raises(eg.errors.ShapeError, match="there must be more than ddof = 1"):
        eg.grad(lambda x: np.std(x, ddof=1))(np.ones(1))


def test_equal_elements_of_longer_axes_keep_their_kink():
    """Of two equal entries the standard deviation is half their distance: |x - y| / 2."""
    with np.errstate(all="ignore"):
        assert np.isnan(eg.hessian(np.std)(np.ones(2))).all()
    np.testing.assert_array_equal(eg.grad(np.std)(np.ones(2)), [0, 0])
    fixed = lambda x: np.std(x, mean=np.array([1.0]))  # noqa: E731 - |x - 1|
    with np.errstate(all="ignore"):
        assert np.isnan(eg.hessian(fixed)(np.ones(1))).all()
    assert eg.grad(fixed)(np.full(1, 3.0)) == 1


def test_a_sum_over_one_entry_that_is_spread_over_one_is_nothing():
    """The formula says so."""
    x, y = eg.variable("x", (2, 1)), eg.variable("y", (1, 1))
    for z in (x - x.sum(1)[:, None], x - x[:, 0][:, None], x - x.mean(1, keepdims=True), y - y[0]):
        assert str(z) == "[i,j] = 0"
    assert str(y - y.sum()) == "[i,j] = 0"
    two = eg.variable("z", (2, 2))
    assert str(two - two.sum(1)[:, None]) != "[i,j] = 0"
