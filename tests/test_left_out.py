"""Forms that are not planned, since an estimate shows that they are far dearer than another."""

import gc

import numpy as np
import pytest
from real_programs.planning import layers

import eingrad as eg
from eingrad import _ir
from eingrad._derive import cheapest_values, values
from eingrad._forms import Forms
from eingrad._limits import BUDGET, POLICY
from eingrad._simplify import whole_work

SIZES = (3, 3, 2, 2, 1)  # samples, then widths


def planned():
    """Plan a third derivative of which two axes are traced; give the source, and nodes built."""
    f, w = layers(np.random.default_rng(0), *SIZES)
    eg.cache_clear()
    gc.collect()
    before = _ir.number_of_nodes_built()
    plan = eg.plan(lambda w: np.einsum("iij->j", eg.derivative(f, 3)(w)), w)
    return plan.source, _ir.number_of_nodes_built() - before


def test_a_whole_third_derivative_is_not_planned_to_be_compared(monkeypatch):
    """The plan is the one that comparing gives."""
    found, few = planned()
    monkeypatch.setattr(values, "whole_work", lambda _: 1)  # all alike
    monkeypatch.setattr(values, "of_fewest_calls", lambda _: None)
    compared, many = planned()
    assert compared == found
    assert 1.3 * few <= many


def products(count):
    """A chain of so many elementwise products of a vector."""
    x = _ir.new_input("x", (5,))
    node = x
    for _ in range(count):
        node = _ir.einsum("i,i->i", node, x)
    return node


@pytest.mark.parametrize("is_long", [True, False])
def test_what_is_short_is_compared_whatever_the_estimate_says(is_long, monkeypatch):
    """Of few nodes, calls take most of the time, which an estimate of work does not count."""
    short = [products(3)]
    other = [products(BUDGET.nodes_in_print + 1 if is_long else 4)]
    compared = []
    price = Forms.price
    monkeypatch.setattr(
        Forms, "price", lambda self, roots: compared.append(1) or price(self, roots)
    )
    assert cheapest_values([short, other], frozenset()) == 0
    assert len(compared) == (0 if is_long else 2)


def test_work_of_the_whole_counts_each_node_once_and_calls_too():
    x = _ir.new_input("x", (7,))
    one, few, many = (whole_work([products(n)]) for n in (1, 4, 8))
    assert few == 4 * one
    assert many == 8 * one
    assert whole_work([products(4), products(8)]) > many  # of two inputs
    node = products(8)
    assert whole_work([node, node]) == many
    assert whole_work([x]) == 0
    assert POLICY.far * few > many
