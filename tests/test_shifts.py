"""Shifts by an extreme keep their digits: softmax with the maximum taken off, and its kin."""

import mpmath
import numpy as np
import pytest

import eingrad as eg


def softmax(x):
    e = np.exp(x - np.max(x, -1, keepdims=True))
    return e / np.sum(e, -1, keepdims=True)


def softmin(x):
    e = np.exp(np.min(x, -1, keepdims=True) - x)
    return e / np.sum(e, -1, keepdims=True)


WAYS = {
    "a method": lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(),
    "a minimum": lambda x: softmin(-x),
    "shifted twice": lambda x: softmax(x - x[:1]),
    "an affine map": lambda x: softmax(2 * (x / 2) + 1),
    "one entry": lambda x: softmax(x)[0],
    "a loss": lambda x: np.sum(softmax(x) * np.array([1.0, 0.0, 0.0])),
}
POINTS = {
    "the first is the largest": [40.0, 0.0, -40.0],
    "the last is the largest": [-35.0, 1.0, 38.0],
    "moderate": [0.3, -0.2, 0.1],
}


def exact(x, order):
    """Derivatives of softmax in 60 digits."""
    with mpmath.workdps(60):
        p = [mpmath.exp(v) for v in x]
        p = [v / sum(p) for v in p]
        n = range(len(x))
        first = [[p[i] * ((i == j) - p[j]) for j in n] for i in n]
        second = [
            [[first[i][k] * ((i == j) - p[j]) - p[i] * first[j][k] for k in n] for j in n]
            for i in n
        ]
        return np.array(first if order == 1 else second, float)


@pytest.mark.parametrize("x", POINTS.values(), ids=POINTS.keys())
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("structured", [False, True])
def test_softmax_is_exact_to_its_largest_entry(x, order, structured):
    """With p0 within 1e-17 of one, dp0/dx0 is as large as any other entry: no rounded 1 - 1."""
    result = eg.derivative(softmax, order, structured=structured)(np.array(x))
    expected = exact(x, order)
    scale = np.abs(expected).max(axis=tuple(range(1, order + 1)), keepdims=True)
    np.testing.assert_allclose(np.asarray(result) / scale, expected / scale, atol=1e-14)


@pytest.mark.parametrize("f", WAYS.values(), ids=WAYS.keys())
def test_other_ways_to_write_it_are_as_exact(f):
    x = np.array(POINTS["the first is the largest"])
    result = eg.jacobian(f)(x)
    expected = exact(x, 1)
    expected = expected[0] if result.ndim == 1 else expected
    np.testing.assert_allclose(result, expected, atol=1e-14 * np.abs(expected).max())


def test_a_batch_is_not_written_out():
    """What all terms have stays outside: of a batch, only its own blocks are computed."""
    X = np.random.default_rng(0).normal(size=(200, 5))
    blocks = eg.derivative(lambda X: np.einsum("bibj->bij", eg.jacobian(softmax)(X)), 0)
    p = softmax(X)
    expected = p[:, :, None] * np.eye(5) - p[:, :, None] * p[:, None, :]
    np.testing.assert_allclose(blocks(X), expected, atol=1e-15)
    assert blocks.plan(X).peak_bytes < 20 * 200 * 5 * 5 * 8
    (term,) = eg.terms(eg.jacobian(softmax).expression(X))
    assert term.deltas == ((0, 2),)
    assert term.core.shape == (200, 5, 5)


def test_a_shift_that_is_no_extreme_keeps_its_structure():
    """Of x - mean(x) nothing is kept whole; of x - max(x) the delta is within the whole."""

    def deltas(f):
        return {term.deltas for term in eg.terms(eg.jacobian(f).expression(np.ones(4)))}

    assert ((0, 1),) in deltas(lambda x: np.exp(x - np.mean(x)))
    assert deltas(softmax) == {()}
    assert "np.positive" not in eg.jacobian(softmax).plan(np.ones(4)).source  # no step of its own
