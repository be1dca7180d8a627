"""Extremes that a value does not depend on: found, and nothing else is."""

import functools

import numpy as np
import pytest
from inside import node_of
from reference import assert_close

import eingrad as eg
from eingrad._cancelling import cancelling_extremes

SHAPE = (4, 5)
W = np.random.default_rng(0).normal(size=(5, 5))


def shifted(x, axis=-1, shift=lambda m: m):
    e = np.exp(x - shift(x.max(axis, keepdims=True)))
    return e, e.sum(axis, keepdims=True)


def softmax(x, axis=-1):
    e, total = shifted(x, axis)
    return e / total


def logsumexp(x, axis=-1):
    _, total = shifted(x, axis)
    return x.max(axis, keepdims=True) + np.log(total)


def found(f):
    return len(cancelling_extremes([node_of(f(eg.variable("x", SHAPE)))]))


CANCELLING = {
    "softmax": (softmax, 1),
    "softmax of columns": (lambda x: softmax(x, 0), 1),
    "of all entries": (lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(), 1),
    "by a reciprocal": (lambda x: shifted(x)[0] * (1 / shifted(x)[1]), 1),
    "square of a root": (lambda x: shifted(x)[0] ** 2 / np.sqrt(shifted(x)[1]) ** 4, 1),
    "logsumexp": (logsumexp, 1),
    "log of a softmax": (lambda x: x - logsumexp(x), 1),
    "cross entropy": (lambda x: -np.sum(np.log(softmax(x)[:, 1])), 1),
    "below a minimum": (lambda x: x.min() + np.log(np.sum(np.exp(x - x.min()))), 1),
    "attention": (lambda x: softmax(np.tanh(x) @ W @ x.T) @ x, 1),
    "two layers": (lambda x: softmax(softmax(x @ W) @ W), 2),
    "shift alone": (lambda x: (x - x.max()) + x.max(), 1),
}
OTHERS = {
    "exponentials": lambda x: shifted(x)[0],
    "another number of them": lambda x: 2 * x.max(-1, keepdims=True) + np.log(shifted(x)[1]),
    "another multiple": lambda x: shifted(x, shift=lambda m: 2 * m)[0] / shifted(x)[1],
    "one more term": lambda x: shifted(x)[0] / (1 + shifted(x)[1]),
    "summed before": lambda x: shifted(x)[0].sum(0) / shifted(x)[1].sum(),
    "another function": lambda x: np.tanh(x - x.max()) / np.tanh(x - x.max()).sum(),
    "two powers": lambda x: shifted(x)[0] ** 3 / shifted(x)[1] ** 2,
    "transposed": lambda x: shifted(x[:, :4])[0] / shifted(x[:, :4])[1].T,
    "selected": lambda x: np.where(x > 0, shifted(x)[0], 1.0) / shifted(x)[1],
    "product of logarithms": lambda x: np.log(shifted(x)[0]) * np.log(shifted(x)[1]),
    "returned beside": lambda x: softmax(x) * x.max(-1, keepdims=True),
}


@pytest.mark.parametrize("name", CANCELLING)
def test_what_cancels_is_found(name):
    f, count = CANCELLING[name]
    assert found(f) == count


@pytest.mark.parametrize("name", OTHERS)
def test_what_does_not_cancel_is_left(name):
    assert found(OTHERS[name]) == 0


@pytest.mark.parametrize("name", [*CANCELLING, *OTHERS])
def test_series_are_those_of_nested_products(name):
    """Whether what cancels is held at its value, or moves."""
    f = CANCELLING[name][0] if name in CANCELLING else OTHERS[name]
    x, v = np.random.default_rng(3).normal(size=(2, *SHAPE)) / 2
    nested = f
    for k, c in enumerate(eg.taylor(f, 2)(x, v)):
        assert_close(c, eg.derivative(nested, 0)(x) / max(1, k), rtol=1e-8)
        nested = functools.partial(lambda below, x: eg.jvp(below)(x, v), nested)


@pytest.mark.parametrize("order", [3, 6])
def test_a_shift_costs_little_more_than_none(order):
    """Of the extreme and the differences themselves, at order zero."""
    x, v = np.random.default_rng(0).normal(size=(2, *SHAPE))
    plain = lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)  # noqa: E731
    flops = [eg.taylor(f, order).plan(x, v).flops for f in (softmax, plain)]
    assert flops[0] <= flops[1] + 3 * x.size


def test_series_of_shifted_functions_are_differentiated():
    x, v = np.random.default_rng(0).normal(size=(2, *SHAPE))
    plain = lambda x: np.sum(np.log(np.exp(x).sum(-1)))  # noqa: E731
    for verb in (eg.grad, lambda f: eg.derivative(f, 2)):
        one, other = (
            verb(lambda x, f=f: eg.taylor(f, 3)(x, v)[3])(x)
            for f in (lambda x: np.sum(logsumexp(x)), plain)
        )
        assert_close(one, other, rtol=1e-8)
