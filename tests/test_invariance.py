"""Functions that a shift does not change: no ties of the maximum, and every entry to its digits."""

import mpmath
import numpy as np
import pytest
from reference import assert_close

import eingrad as eg
from eingrad import _ir
from eingrad._invariance import vanishes
from eingrad._primitives import apply, reciprocal

N = 4
E, C = _ir.new_input("e", (N,)), _ir.new_input("c", (N,))
TOTAL = _ir.einsum("i->", E)
P = apply("divide", E, _ir.broadcast(TOTAL, (N,)))
MEAN = _ir.einsum("i,i->", P, C)
CENTRED = _ir.add([C, _ir.broadcast(MEAN, (N,))], (1, -1))

ZERO = {
    "centred by the mean": _ir.einsum("i,i->", P, CENTRED),
    "p - 1 of all": _ir.add([_ir.einsum("i->", P), _ir.fill(1, (), E.dtype)], (1, -1)),
    "a mean of squares": _ir.add(
        [_ir.einsum("i,i,i->", P, C, CENTRED), _ir.einsum("i,i,i->", P, CENTRED, CENTRED)], (1, -1)
    ),
    "by reciprocals": _ir.add(
        [_ir.einsum("i,,i->", E, reciprocal(TOTAL), C), MEAN], (-2, 2)
    ),
}  # fmt: skip
NOT_ZERO = {
    "a mean": MEAN,
    "centred by another": _ir.einsum("i->", CENTRED),
    "a sum that is not one": _ir.add([TOTAL, _ir.fill(1, (), E.dtype)], (1, -1)),
    "a function of zero": apply("exp", _ir.einsum("i,i->", P, CENTRED)),
}


@pytest.mark.parametrize("name", [*ZERO, *NOT_ZERO])
def test_what_vanishes_by_algebra_is_found_and_nothing_else(name):
    assert vanishes(ZERO.get(name) or NOT_ZERO[name]) == (name in ZERO)


# Derivatives -------------------------------------------------------------------------------------


class Exact:
    """A namespace for arrays of mpmath's numbers."""

    exp, log = (np.frompyfunc(f, 1, 1) for f in (mpmath.exp, mpmath.log))
    sum, max, min = np.sum, np.max, np.min


def softmax(xp, x):
    e = xp.exp(x - xp.max(x))
    return e / xp.sum(e)


def softmin(xp, x):
    e = xp.exp(xp.min(x) - x)
    return e / xp.sum(e)


SCORES, HOT = np.array([1.0, -2.0, 0.5, 3.0]), np.array([1.0, 0.0, 0.0, 0.0])
FUNCTIONS = {
    "a score": lambda xp, x: (softmax(xp, x) * SCORES).sum(),
    "cross entropy": lambda xp, x: -(HOT * xp.log(softmax(xp, x))).sum(),
    "of another class": lambda xp, x: -(HOT[::-1] * xp.log(softmax(xp, x))).sum(),
    "entropy": lambda xp, x: -(softmax(xp, x) * xp.log(softmax(xp, x))).sum(),
    "a collision entropy": lambda xp, x: -xp.log((softmax(xp, x) ** 2).sum()),
    "of a softmin": lambda xp, x: (softmin(xp, -x) * SCORES).sum(),
}


def exact(f, x, order):
    """Central differences in 250 digits."""
    with mpmath.workdps(250):
        x, h = np.vectorize(mpmath.mpf, otypes=[object])(x), mpmath.mpf(10) ** -30
        steps = h * np.eye(N, dtype=int).astype(object)
        if order == 1:
            return np.array([(f(Exact, x + a) - f(Exact, x - a)) / (2 * h) for a in steps], object)
        four = lambda a, b: sum(  # noqa: E731
            s * t * f(Exact, x + s * a + t * b) for s in (1, -1) for t in (1, -1)
        )
        return np.array([[four(a, b) / (4 * h * h) for b in steps] for a in steps], object)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("spread", [1.0, 10.0, 45.0])
@pytest.mark.parametrize("turn", [1, -1])
def test_every_entry_keeps_its_digits(name, order, spread, turn):
    """Where p is within 1e-20 of one too."""
    f = FUNCTIONS[name]
    x = spread * np.array([1.0, 0.0, -0.5, -1.0])[::turn]
    found, expected = eg.derivative(lambda x: f(np, x), order)(x), exact(f, x, order)
    with mpmath.workdps(250):
        assert np.max(abs(found - expected) / abs(expected)) < 1e-13


def test_ties_share_as_before():
    """Any weights do where the sum vanishes; elsewhere the maxima share equally."""
    x = np.array([2.0, 2.0, 1.0, 2.0])
    p = np.exp(x) / np.exp(x).sum()
    assert_close(eg.grad(lambda x: softmax(np, x) @ SCORES)(x), p * (SCORES - p @ SCORES))
    squares = lambda x: ((x - x.max()) ** 3 + x - x.max()).sum()  # noqa: E731
    rest = 3 * (x - 2) ** 2 + 1
    assert_close(eg.grad(squares)(x), rest - rest.sum() * (x == 2) / 3)


def loss(w, data, hot):
    z = data @ w
    e = np.exp(z - z.max(1, keepdims=True))
    return -np.mean(np.sum(hot * np.log(e / e.sum(1, keepdims=True)), axis=1))


def test_a_gradient_of_a_cross_entropy_has_no_ties():
    rng = np.random.default_rng(0)
    data, hot, w = (
        rng.normal(size=(7, 3)),
        np.eye(4)[rng.integers(4, size=7)],
        rng.normal(size=(3, 4)),
    )
    plan = eg.grad(lambda w: loss(w, data, hot)).plan(w)
    p = np.exp(data @ w) / np.exp(data @ w).sum(1, keepdims=True)
    assert_close(plan(w), data.T @ (p - hot) / 7, rtol=1e-13)
    assert "==" not in plan.source


@pytest.mark.parametrize(
    "how", ["both orders", "nested", "hvp", "jvp", "structured", "scan", "picked"]
)
def test_it_is_the_same_however_it_is_asked(how):
    """What is a result and differentiated again has the ties, whose derivative is zero."""
    rng = np.random.default_rng(1)
    data, hot, w = (
        rng.normal(size=(7, 3)),
        np.eye(4)[rng.integers(4, size=7)],
        rng.normal(size=(3, 4)),
    )
    f = lambda w: loss(w, data, hot)  # noqa: E731
    plain = lambda w: np.mean(  # noqa: E731
        np.log(np.exp(data @ w).sum(1)) - (hot * (data @ w)).sum(1)
    )
    v, hessian = rng.normal(size=w.shape), eg.hessian(plain)(w)
    along = np.tensordot(hessian, v, 2)
    if how == "both orders":
        _, gradient, found = eg.value_and_derivatives(f, 2)(w)
        assert_close(gradient, eg.grad(plain)(w), rtol=1e-13)
        assert_close(found, hessian, rtol=1e-12)
    elif how == "nested":
        assert_close(eg.jacobian(eg.grad(f))(w), hessian, rtol=1e-12)
    elif how == "hvp":
        assert_close(eg.hvp(f)(w, v), along, rtol=1e-12)
    elif how == "jvp":
        assert_close(eg.jvp(eg.grad(f))(w, v), along, rtol=1e-12)
    elif how == "structured":
        assert_close(np.asarray(eg.hessian(f, structured=True)(w)), hessian, rtol=1e-12)
    elif how == "scan":
        row = lambda total, pair: (total + loss(w_[0], pair[0][None], pair[1][None]), None)  # noqa: E731
        w_ = [None]

        def scanned(w):
            w_[0] = w
            return eg.scan(row, 0.0 * w[0, 0], (data, hot))[0] / 7

        assert_close(eg.grad(scanned)(w), eg.grad(plain)(w), rtol=1e-12)
    else:
        picked = np.array([0, 0, 5, 2])
        found = eg.grad(lambda w: loss(w, data[picked], hot[picked]))(w)
        p = np.exp(data @ w) / np.exp(data @ w).sum(1, keepdims=True)
        assert_close(found, (data.T[:, picked] @ (p - hot)[picked]) / 4, rtol=1e-13)
