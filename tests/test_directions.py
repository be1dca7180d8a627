"""What derivatives contracted with k directions cost, by how often each direction occurs.

A derivative along directions ``v_1, ..., v_r``, the i-th of them ``m_i`` times, is a coefficient of
a polynomial in r variables, of degree ``m_i`` in the i-th: so through each layer of a network go
``prod_i (m_i + 1)`` arrays. A free index takes as many cotangents. Each carries what no other does,
so that many evaluations it takes, less what the first layer saves, which is linear: ``k + 1`` for
one direction, ``2 k`` with a free index, ``2**k`` for k different ones. Below ``1.5 (k + 1)`` is
one direction always, with a free index to k = 3, and two different ones without.
"""

import functools
import itertools
import math

import numpy as np
import pytest
from reference import assert_close

import eingrad as eg

WIDTH, INPUTS = 48, 64
LETTERS = "abcdef"


def network(layers):
    rng = np.random.default_rng(0)
    sizes = [INPUTS, *[WIDTH] * layers]
    weights = [rng.normal(size=(b, a)) / np.sqrt(a) for a, b in itertools.pairwise(sizes)]
    last = rng.normal(size=WIDTH)

    def f(x):
        for w in weights:
            x = np.tanh(w @ x)
        return last @ x

    return f


def by_einsum(f, directions, free):
    k = len(directions) + free
    terms = LETTERS[free:k]

    def g(x, *vectors):
        operands = [vectors[n] for n in directions]
        return np.einsum(
            f"{LETTERS[:k]},{','.join(terms)}->{LETTERS[:free]}", eg.derivative(f, k)(x), *operands
        )

    return g


def by_matmul(f, directions, free):
    def g(x, *vectors):
        found = eg.derivative(f, len(directions) + free)(x)
        for n in directions:
            found = found @ vectors[n]
        return found

    return g


def by_products(f, directions, free):
    def g(x, *vectors):
        h = f
        for n in directions:
            h = functools.partial(lambda below, v, x: eg.jvp(below)(x, v), h, vectors[n])
        return eg.grad(h)(x) if free else h(x)

    return g


WAYS = (by_einsum, by_matmul, by_products)


def sweeps(directions, free):
    """Arrays that go through each layer but the first, there and back."""
    counts = [directions.count(n) for n in {*directions}]
    return math.prod(count + 1 for count in counts) * (1 + free)


@pytest.mark.parametrize("free", [False, True], ids=["contracted", "free index"])
@pytest.mark.parametrize(
    "directions", [(0,), (0, 1), (0, 0), (0, 0, 0), (0, 1, 1), (0, 1, 2), (0,) * 4]
)
@pytest.mark.parametrize("layers", [2, 3, 6])
def test_directions_take_their_sweeps_whichever_way_they_are_written(layers, directions, free):
    """Within 1.2 times the products of the matrices with what goes through them."""
    f = network(layers)
    rng = np.random.default_rng(1)
    x, *vectors = rng.normal(size=(1 + len({*directions}), INPUTS))
    first = 1 + len(vectors) + free
    products = 2 * WIDTH * (first * INPUTS + (layers - 1) * sweeps(directions, free) * WIDTH)
    values = []
    for way in WAYS:
        plan = eg.plan(way(f, directions, free), x, *vectors)
        assert plan.flops <= 1.2 * products
        values.append(plan(x, *vectors))
    assert_close(values[1], values[0], rtol=1e-7)
    assert_close(values[2], values[0], rtol=1e-7)


@pytest.mark.parametrize("k", [2, 3, 4, 5])
@pytest.mark.parametrize("layers", [2, 4])
def test_one_direction_takes_less_than_one_and_a_half_evaluations_for_each_order(layers, k):
    f = network(layers)
    x, v = np.random.default_rng(1).normal(size=(2, INPUTS))
    most = 1.5 * (k + 1) * eg.plan(f, x).flops
    for way in WAYS:
        assert eg.plan(way(f, (0,) * k, False), x, v).flops <= most
        if k <= 3:
            assert eg.plan(way(f, (0,) * (k - 1), True), x, v).flops <= most
