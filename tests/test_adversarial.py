"""Inputs on which naive systems fail: rewriting without end, two texts for one function, 2**L.

Everything is counted from the program or the graph; no test here measures time.
"""

import itertools
import os
import pickle
import re

import numpy as np
import pytest
from cases import (
    CASES,
    attention,
    diagonal_blocks,
    elementwise_chain,
    find,
    gated_residual,
    residual,
    softmax,
    stack_of_scalars,
    tanh_network,
    trace_of_power,
)
from hypothesis import given
from hypothesis import strategies as st
from inside import ROLLED_NODES
from networks import cost_of
from reference import raw_derivatives
from strategies import functions, point, random_function

import eingrad as eg
from eingrad import _ir
from eingrad._derive import compare_directions, derive
from eingrad._plan import InputSpec, kernels, lower, pairwise
from eingrad._simplify import Memo, simplify

nightly = pytest.mark.skipif(
    os.environ.get("HYPOTHESIS_PROFILE") != "nightly",
    reason="takes more than five seconds; HYPOTHESIS_PROFILE=nightly runs it",
)


def roots_of(f, x, order):
    """Raw derivative of a function, and its argument."""
    return raw_derivatives(f, x.shape, order)


def planned(roots, variable):
    """The program of nodes as they stand: neither normalised nor compared with another form."""
    spec = InputSpec("x", "x", variable.shape, variable.dtype)
    return lower(pairwise(roots), [(variable, spec)])


def steps(f, x, order, argnums=0):
    arguments = x if isinstance(argnums, tuple) else (x,)
    return eg.derivative(f, order, argnums).plan(*arguments)


@given(functions(most_steps=5, largest=9), st.sampled_from([2, 3]))
def test_the_normal_form_of_any_derivative_ends_and_is_sound(f_and_shape, order):
    """Hessians and third derivatives of random programs: each ends, in a form of the same kind."""
    f, shape = f_and_shape
    roots, _ = roots_of(f, point(shape, 0), order)
    normal = simplify(roots)
    _ir.verify(normal)
    assert [(n.shape, n.dtype) for n in normal] == [(n.shape, n.dtype) for n in roots]


def test_24_creation_orders_give_one_text():
    """The parts of a function may be made in any order: the source is the same."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 4, 4))
    parts = (
        lambda x: np.tanh(a @ x),
        lambda x: x * (x @ b @ x),
        lambda x: np.exp(b @ x),
        lambda x: a.T @ np.sin(x),
    )
    sources = set()
    for order in itertools.permutations(range(4)):

        def f(x, order=order):
            made = {n: parts[n](x) for n in order}
            first, second = made[0] * made[1], made[2] * made[3]
            return (first + second if order[0] < 2 else second + first).sum()

        symbol = eg.variable("x", 4)
        sources.add(eg.compile(eg.differentiate(f(symbol), symbol, 2)).source)
    assert len(sources) == 1


@pytest.mark.parametrize("case", [c for c in CASES if "chain" not in c.name], ids=str)
def test_the_normal_form_never_costs_more_than_the_raw_form(case):
    """Layernorm is the one that others miss: its normal form cost 1.2 times the raw one."""
    f, x = case.build(case.sizes)
    roots, variable = roots_of(f, x, case.order)
    assert cost_of(planned(simplify(roots), variable)) <= cost_of(planned(roots, variable))


# Depth -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [2, 3])
def test_plain_residual_networks_are_linear_to_64_blocks(order, monkeypatch):
    """Statements, flops and additions: every block adds the same, however many come before it.

    Written out, that is: many blocks are found to be a loop.
    """
    ROLLED_NODES.replace(monkeypatch, 10**9)
    rng = np.random.default_rng(0)
    counts, depths = [], (4, 8, 16, 32, 64)
    for blocks in depths:
        plan = steps(*residual(rng, blocks, 2), order)
        additions = sum(
            s.flops for s in plan.program.statements if isinstance(s.kernel, kernels.Add)
        )
        counts.append((len(plan.program.statements), plan.flops, additions))
    for count in zip(*counts, strict=True):
        increases = [b - a for a, b in itertools.pairwise(count)]
        each = [
            i / (b - a) for i, (a, b) in zip(increases, itertools.pairwise(depths), strict=True)
        ]
        assert max(each) <= 1.2 * min(each)


def test_gated_residual_networks_are_linear_to_12_blocks():
    """Every block adds the same number of statements; opened, it would be 2**L."""
    rng = np.random.default_rng(0)
    counts = [
        len(steps(*gated_residual(rng, blocks, 3), 2).program.statements) for blocks in range(2, 13)
    ]
    assert counts[8 - 2] <= 300
    increases = [b - a for a, b in itertools.pairwise(counts)]
    assert max(increases) - min(increases) <= 2


@pytest.mark.parametrize("lengths", [(1000, 2000), pytest.param((5000, 10_000), marks=nightly)])
def test_a_long_chain_is_linear(lengths):
    """Three statements a step."""
    rng = np.random.default_rng(0)
    for length in lengths:
        plan = steps(*elementwise_chain(rng, length, 3), 1)
        assert len(plan.program.statements) <= 3 * length
        assert plan.flops <= 3 * 3 * length


@pytest.mark.parametrize(("order", "statements"), [(1, 9), (2, 22)])
def test_a_stack_is_linear_in_its_scalars(order, statements):
    """Kept whole: one node joins all scalars, and no sum has a term for each pair."""
    rng = np.random.default_rng(0)
    for n in (16, 32, 64):
        f, x = stack_of_scalars(rng, n)
        assert len(steps(f, x, order).program.statements) <= statements * n
    f, x = stack_of_scalars(rng, 32)
    assert len(eg.derivative(f, order).expression(x).terms()) <= 32
    normal = _ir.topological(simplify(roots_of(f, x, order)[0]))
    joins = [n for n in normal if isinstance(n, _ir.Apply) and len(n.operands) == 32]
    assert len(joins) == 1
    assert max(len(n.terms) for n in normal if isinstance(n, _ir.Add)) <= order * 32


@pytest.mark.parametrize("order", [1, 2])
def test_squaring_often_makes_no_long_product(order):
    """X * x twelve times, which opened is a product of 4,096 operands."""
    f, x = find("x * x, 12 times", order).build((12, 8))
    products = [
        n for n in _ir.topological(simplify(roots_of(f, x, order)[0])) if isinstance(n, _ir.Product)
    ]
    assert max(len(n.operands) for n in products) <= 40


def test_the_gradient_of_a_chain_in_all_factors_is_a_small_multiple_of_the_chain():
    """Adjoints are shared: one sweep down serves every factor."""
    rng = np.random.default_rng(0)
    factors = tuple(rng.normal(size=(30, 10, 10)) / 3)
    v = rng.normal(size=10)

    def chain(*factors):
        h = v
        for w in factors:
            h = w @ h
        return h.sum()

    value = eg.derivative(chain, 0).plan(*factors)
    gradient = steps(chain, factors, 1, tuple(range(30)))
    assert gradient.flops <= 3 * value.flops


@pytest.mark.parametrize(("layer", "flops"), [(0, 3.2e10), (4, 3.2e10), (9, 1e8)])
def test_third_order_of_a_network(layer, flops):
    """Undone, 5.4e11."""
    f, w = tanh_network(np.random.default_rng(0), layer, 10, 20, 200)
    assert steps(f, w, 3).flops <= flops


@pytest.mark.parametrize("order", [2, 3, 4])
def test_trace_of_a_power_is_the_closed_form(order):
    """Order 4 of tr X^4 is constant; below it, one core and its transposes."""
    n = 6
    f, x = trace_of_power(np.random.default_rng(0), 4, n)
    plan = steps(f, x, order)
    assert plan.flops <= {2: 3 * n**4, 3: n**6, 4: n**8}[order]


def test_an_order_above_the_degree_of_a_trace_is_zero():
    f, x = trace_of_power(np.random.default_rng(0), 3, 2)
    plan = steps(f, x, 4)
    assert plan.flops == 0
    assert plan.reads == ()


@pytest.mark.parametrize("order", [1, 2, 3])
def test_softmax_costs_a_small_multiple_of_its_entries(order):
    """Diagonal minus outer products."""
    n = 20
    assert steps(*softmax(np.random.default_rng(0), n), order).flops <= 4 * n ** (order + 1)


def test_pairwise_energy_of_2483_points_fits_in_memory():
    """443 MB are the answer; peers need 551 GB. Planned figures: nothing of the kind is run."""

    def f(x):
        d = x[:, None, :] - x[None, :, :]
        return np.sqrt((d**2).sum(-1) + 1e-6).sum()

    n = 2483
    plan = steps(f, np.zeros((n, 3)), 2)
    assert plan.peak_bytes <= 4 * 8 * (3 * n) ** 2
    assert plan.flops <= 12 * (3 * n) ** 2


def test_attention_keeps_its_structure():
    """A few Gram products: quadratic in the entries of Wq, not in those of the scores."""
    tokens, width = 12, 8
    plan = steps(*attention(np.random.default_rng(0), tokens, width), 2)
    scores = tokens**2
    assert max(s.bytes for s in plan.program.statements) <= 8 * scores * width**2


def test_diagonal_blocks_of_a_pairwise_energy_are_quadratic():
    """Twice the points, four times the flops; what memory is needed is in `test_tiles.py`."""
    rng = np.random.default_rng(0)
    small, large = (steps(*diagonal_blocks(rng, n), 0) for n in (80, 160))
    assert large.flops <= 4 * small.flops
    assert large.peak_bytes <= 4 * small.peak_bytes


# Idempotence -------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_normal_form_is_idempotent(case):
    """Normalising again gives the same nodes."""
    f, x = case.build(case.small)
    normal = simplify(roots_of(f, x, case.order)[0])
    _ir.verify(normal)
    assert simplify(normal) == normal


def test_the_normal_form_of_random_functions_is_idempotent():
    """Hessians and third derivatives of 70 functions: all end, in a form that stays."""
    moved = []
    for seed, order in itertools.product(range(70), (2, 3)):
        f, shape = random_function(seed)
        normal = simplify(roots_of(f, point(shape, 0), order)[0])
        if simplify(normal) != normal:
            moved.append((seed, order))
    assert not moved, f"not idempotent in {len(moved)} of 140: {moved}"


@pytest.mark.parametrize(("shape", "taken"), [((2, 50), "reverse"), ((50, 2), "forward")])
def test_a_plan_says_which_direction_was_taken_and_what_the_other_costs(shape, taken):
    a = np.ones((50, 50)) / 50
    last, first = np.ones((shape[0], 50)), np.ones((50, shape[1]))

    def f(x):
        h = first @ x
        for _ in range(3):
            h = h + np.tanh(a @ h)
        return last @ h

    plan = eg.jacobian(f).plan(np.ones(shape[1]))
    assert plan.program.candidates == ((taken, 0),)
    assert plan.program.rule == "the other direction has the larger bound"
    ((least, other),) = re.findall(rf"taken: {taken}: ([0-9,]+) flops; \w+: ([0-9,]+)", str(plan))
    assert int(least.replace(",", "")) < int(other.replace(",", ""))


def test_a_plan_prices_when_printed_what_was_not_looked_at_before():
    """A long gradient is differentiated forward: both directions are one network."""
    case = find("tanh network, first weight", 2)
    f, x = case.build(case.sizes)
    plan = eg.hessian(f).plan(x)
    assert plan.program.candidates == (("forward", 0),)
    rule = "chosen: a gradient of many nodes is differentiated forward: both ends are alike"
    assert str(pickle.loads(pickle.dumps(plan))).endswith(f"taken: forward\n{rule}")
    assert "taken: forward: " in str(plan)
    assert "; reverse: " in str(plan)
    assert str(pickle.loads(pickle.dumps(plan))) == str(plan)


LONG = ("tanh network, f", "gated residual", "residual", "stack", "angle", "Gaussian process, n")


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.order == 2 and c.name.startswith(LONG)], ids=str
)
def test_a_long_gradient_is_differentiated_forward_at_hardly_more_than_the_best(case):
    f, x = case.build(case.sizes)
    roots, variable = roots_of(f, x, 0)
    _, taken = derive(roots, [variable], (2,))
    found = dict(compare_directions(roots, [variable], (2,), frozenset()))
    if "4 blocks" not in case.name:
        assert taken.candidates == (("forward", 0),)
    assert found["forward"] <= 1.013 * found["reverse"]


def test_what_walks_remember_changes_nothing():
    """A pass asks whether nodes are used once; in another expression the answer may be another."""
    memo = Memo()
    for case in CASES:
        if case.order <= 2 and "chain" not in case.name:
            f, x = case.build(case.small)
            roots, _ = roots_of(f, x, case.order)
            value = _ir.topological(roots)[-2]
            for given in (roots, [*roots, value], [value]):
                assert simplify(given, memo) == simplify(given)
