"""Pieces of a derivative that a selection does not meet: left out, and nothing else is."""

import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import assert_close

import eingrad as eg
from eingrad import _ir
from eingrad._collected import pieces_of
from eingrad._supports import pieces_that_meet, support

SIZE = 24


def nodes_built(make):
    """Count the nodes that planning builds, as if it was the first time."""
    eg.cache_clear()
    gc.collect()
    before = _ir.number_of_nodes_built()
    make()
    return _ir.number_of_nodes_built() - before


def pieces(n):
    """Numbers put together one by one, neighbours multiplied."""

    def f(x):
        y = np.concatenate([np.atleast_1d(np.sin(x[k]) * x[(k + 1) % n]) for k in range(n)])
        return np.sum(y * y * y)

    return f


def blocks(n):
    """Slices put together in another order, then shifted; every second entry, and a gather."""

    def f(x):
        parts = np.split(x, n)
        y = np.concatenate([p * q for p, q in zip(parts, parts[::-1], strict=True)])
        z = np.concatenate([y[1:], y[:1]]) * np.roll(x, 2)
        return (z[::2] ** 2 * y[1::2]).sum() + np.exp(z[[0, 3, 3, 1]]).sum()

    return f


@pytest.mark.parametrize("derived", [eg.grad, eg.hessian])
def test_planning_grows_with_the_number_of_pieces_and_not_its_square(derived):
    """The Hessian built 17,567 nodes for 50 pieces, 60,418 for 100."""
    few, many = (nodes_built(lambda n=n: derived(pieces(n)).plan(np.ones(n))) for n in (30, 60))
    assert many <= 2.3 * few


@pytest.mark.parametrize("make", [pieces, blocks])
def test_derivatives_of_what_is_put_together_are_right(make):
    """Against derivatives of the same gathered from a dense function."""
    n = 12
    x = np.random.default_rng(0).normal(size=2 * n)
    f = make(n) if make is blocks else pieces(2 * n)
    step = 1e-5 * np.eye(2 * n)
    for order in (1, 2, 3):
        below = eg.derivative(f, order - 1)
        rows = [(below(x + e) - below(x - e)) / 2e-5 for e in step]
        found = eg.derivative(f, order)(x)
        assert_close(found, np.moveaxis(np.array(rows), 0, -1), rtol=1e-5)


ranges = st.tuples(
    st.integers(0, SIZE - 1), st.sampled_from([-3, -1, 1, 2, 5]), st.integers(1, 6)
).map(lambda t: [k for k in range(t[0], t[0] + t[1] * t[2], t[1]) if 0 <= k < SIZE])
tables = st.one_of(ranges, st.lists(st.integers(-1, SIZE - 1), min_size=1, max_size=5))


@given(st.lists(tables, min_size=9, max_size=14), tables, st.booleans())
def test_what_is_left_out_would_be_zero_and_the_rest_is_in_order(placed, taken, has_plain):
    """Of pieces along two axes, one of which is selected from."""
    terms = []
    for n, table in enumerate(placed):
        x = _ir.new_input(f"x{n}", (len(table), 2))
        picks = _ir.selection(table, SIZE)
        terms.append(_ir.contract([(x, (0, 2)), (picks, (0, 1))], (1, 2)))
    if has_plain:
        terms.append(_ir.new_input("plain", (SIZE, 2)))
    total = _ir.add(terms)
    picks = _ir.selection(taken, SIZE)
    found = [*pieces_that_meet(total, (0, 1), [(picks, (2, 0))])]
    every = pieces_of(total)
    assert found
    assert [piece for piece in every if piece in found] == found
    for piece in every:
        if piece not in found:
            assert _ir.is_zero(_ir.contract([(piece[0], (0, 1)), (picks, (2, 0))], (2, 1)))


def test_a_support_is_that_of_ranges_alone():
    """An array of positions may select anything; what selects all says nothing."""
    x = _ir.new_input("x", (3,))

    def placed(table):
        return _ir.contract([(x, (0,)), (_ir.selection(table, 9), (0, 1))], (1,))

    assert support(placed(range(2, 7, 2))) == ((2, 7),)
    assert support(placed(range(6, 1, -2))) == ((2, 7),)
    assert support(placed([5, 0, 1])) == (None,)
    assert support(x) == (None,)
    assert support(_ir.selection(range(9), 9)) == (None, None)
