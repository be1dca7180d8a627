"""Loops in Python: found by structure, they are scans, and compute what they computed before."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inside import ROLLED_NODES
from loops import POINT as X
from loops import VECTOR as V
from loops import WEIGHTS as W
from loops import assert_alike, unrolled
from reference import assert_close, central_difference
from test_scan import PROGRAMS

import eingrad as eg
from eingrad import _ir, _rolled
from eingrad._plan.kernels import Scan
from eingrad._primitives import apply
from eingrad._rolled import chain
from eingrad._rolled.stacks import joined, one_of, stacked

RNG = np.random.default_rng(2)
DATA = RNG.normal(size=(400, 3))
STEPS = RNG.uniform(0.05, 0.2, size=400)
PICKS = RNG.integers(0, 3, size=400)
POLICY_NODES = dataclasses.asdict(_rolled.POLICY)["rolled_nodes"]


@pytest.fixture(autouse=True)
def _short_loops(monkeypatch):
    """Also loops of few nodes are rolled."""
    ROLLED_NODES.replace(monkeypatch, 20)
    eg.cache_clear()
    yield
    eg.cache_clear()


def scans(plan):
    """The scans of a plan."""
    return [s.kernel for s in plan.program.steps() if isinstance(s.kernel, Scan)]


# Programs ----------------------------------------------------------------------------------------


def rate(x):
    return np.tanh(W @ x) - 0.1 * x


def runge_kutta(x, n):
    """One loop with four calls of a function in it."""
    for _ in range(n):
        a = rate(x)
        b = rate(x + 0.05 * a)
        c = rate(x + 0.05 * b)
        x = x + 0.1 / 6 * (a + 2 * b + 2 * c + rate(x + 0.1 * c))
    return x @ x


def against_data(x, n):
    """Losses are added up on the way; a row of the data is captured in each step."""
    total = 0.0
    for k in range(n):
        x = x + 0.1 * rate(x)
        total = total + ((x - DATA[k]) ** 2).sum()
    return total


def trajectory(x, n):
    """States are collected in a list."""
    states = []
    for _ in range(n):
        x = np.roll(x, 1) * 0.5 + np.sin(x)
        states.append(x)
    return ((np.stack(states) - DATA[:n]) ** 2).sum()


def summed_after(x, n):
    """A list of states, and another loop over it."""
    states = []
    for _ in range(n):
        x = np.sin(np.concatenate([x[1:], x[:1]]) * x + 0.3)
        states.append(x)
    return sum(np.exp(-s @ s) for s in states)


def steps_of_time(x, n):
    """A number that is another one in each step."""
    for k in range(n):
        x = x + STEPS[k] * np.tanh(W @ x)
    return (x**2).sum()


def picked(x, n):
    """A column that is another one in each step."""
    columns = np.exp(W * x)
    state = np.ones(3) / 3
    total = 0.0
    for k in range(n):
        state = (columns @ state) * columns[:, PICKS[k]]
        total = total + np.log(state.sum())
        state = state / state.sum()
    return total


def two_before(x, n):
    """A step uses the two before it."""
    before, now = x, np.sin(x)
    for _ in range(n):
        before, now = now, 1.9 * now - 0.95 * before - 0.01 * np.sin(now)
    return now @ now + before.sum()


def filtered(x, n):
    """Two recursions, one within the other; products are transposed from step to step."""
    mean, spread, total = np.zeros(2), np.eye(2), 0.0
    move, look = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([1.0, 0.0])
    noise = np.exp(x)
    for k in range(n):
        mean, spread = move @ mean, move @ spread @ move.T + noise[0] * np.eye(2)
        off, scale = DATA[k, 0] - look @ mean, look @ spread @ look + noise[1]
        gain = spread @ look / scale
        total = total - (off**2 / scale + np.log(scale)) / 2
        mean, spread = mean + gain * off, spread - np.outer(gain, look @ spread)
    return total


def descent(x, n):
    """A gradient in each step."""

    def loss(w):
        return ((np.tanh(W @ w) - DATA[0]) ** 2).sum() + x[0] ** 2 * (w @ w)

    w = np.zeros(3)
    for _ in range(n):
        w = w - 0.1 * x[1] ** 2 * eg.grad(loss)(w)
    return loss(w)


def components(x, n):
    """Numbers are taken out of a vector, and stacked again."""
    for _ in range(n):
        a, b, c = x
        x = np.stack([a + 0.1 * b, b - 0.1 * np.sin(a) * c, 0.9 * c + 0.1])
    return x @ x


def backwards(x, n):
    """A loop, and one that goes back over what it made."""
    states = [x]
    for _ in range(n):
        states.append(np.tanh(W @ states[-1]))
    back = np.ones(3)
    for state in states[::-1]:
        back = W.T @ (back * (1 - state**2)) + 0.1 * state
    return back @ back


def nested(x, n):
    """A loop of loops."""
    for k in range(n):
        for _ in range(9):
            x = np.sin(x) + 0.1 * (W @ x)
        x = x * np.cos(DATA[k])
    return x @ x


LOOPS = [
    runge_kutta, against_data, trajectory, summed_after, steps_of_time, picked, two_before,
    filtered, descent, components, backwards, nested,
]  # fmt: skip


@pytest.mark.parametrize("f", LOOPS, ids=lambda f: f.__name__)
def test_a_loop_is_planned_once(f):
    """Source does not grow with the steps, but for how a few terms are added; flops as they do."""
    short, long = (eg.grad(f).plan(X, n) for n in (15, 30))
    assert scans(long)
    assert len(long.source.splitlines()) < 1.1 * len(short.source.splitlines())
    assert long.program.flops < 2.2 * short.program.flops
    assert len(long.program.inputs) == len(short.program.inputs)


@pytest.mark.parametrize("f", LOOPS, ids=lambda f: f.__name__)
def test_a_loop_computes_what_it_says(f):
    """Its value, and derivatives in either direction, by differences of what is not rolled."""
    value, gradient = eg.plan(f, X, 14), eg.grad(f).plan(X, 14)
    assert scans(value)
    assert_close(value(X, 14), f(X, 14), 1e-11)
    assert_close(gradient(X, 14), central_difference(lambda x: f(x, 14), X), 1e-6)
    second = central_difference(lambda x: gradient(x, 14), X)
    assert_close(eg.hvp(f)(X, 14, V), second @ V, 1e-6)
    assert_close(eg.hessian(f)(X, 14), second, 1e-6)


@pytest.mark.parametrize(
    "f", [runge_kutta, against_data, filtered, picked], ids=lambda f: f.__name__
)
def test_a_rolled_loop_has_the_digits_of_the_loop(f, monkeypatch):
    """Third coefficients of its series too; it adds in the order in which the user does."""
    found = eg.taylor(f, 3)(X, 12, V), eg.grad(f)(X, 12)
    ROLLED_NODES.replace(monkeypatch, 10**9)
    eg.cache_clear()
    expected = eg.taylor(f, 3)(X, 12, V), eg.grad(f)(X, 12)
    assert_alike(found, expected, rtol=1e-11)


@settings(max_examples=4)
@given(pair=PROGRAMS, slices=st.integers(10, 12))
def test_a_loop_is_the_scan(pair, slices):
    """Random steps, of constants, a carry of two parts, and slices."""
    scanned, looped = pair
    arguments = W, X, RNG.normal(size=(slices, 3))
    found = eg.derivative(looped, 1, (0, 1))(*arguments)
    assert_alike(found, eg.derivative(scanned, 1, (0, 1))(*arguments), rtol=1e-7)


def test_batches_and_scans_of_loops():
    """A loop within the step of a scan, and in a function of many points."""

    def step(c, x):
        for k in range(12):
            c = np.tanh(W @ c + DATA[k]) * x
        return c, c.sum()

    def f(loop, x):
        carry, sums = loop(step, x, DATA[:3])
        return carry @ carry + sums.sum()

    found, expected = (
        eg.hessian(lambda x, loop=loop: f(loop, x))(X) for loop in (eg.scan, unrolled)
    )
    assert_close(found, expected, 1e-9)
    points = RNG.normal(size=(5, 3))

    def total(x):
        return sum(np.sin(W @ x[k % 5]).sum() * x[k % 5, 0] for k in range(20))

    assert_close(eg.grad(total)(points), central_difference(total, points), 1e-6)


# What it is ---------------------------------------------------------------------------------------


def test_what_is_collected_is_an_output():
    """No array of states is put together: the scan has it."""
    source = eg.plan(trajectory, X, 40).source
    assert source.count("concatenate") == source.count("stack") == 0


def test_rows_of_the_data_are_one_input_and_new_at_each_call():
    data = RNG.normal(size=(30, 3))

    def f(x):
        for row in data:
            x = np.sin(x) * row + x
        return x.sum()

    gradient = eg.grad(f)
    plan = gradient.plan(X)
    assert [spec.shape for spec in plan.program.inputs] == [(3,), (30, 3)]
    first = gradient(X)
    data *= 0.5
    assert_close(plan(X), first, 0)
    assert_close(gradient(X), central_difference(f, X), 1e-6)
    data *= 2
    assert_close(gradient(X), first, 0)


def test_short_loops_are_written_out():
    """Those of few steps, however many nodes they have."""
    assert not scans(eg.plan(runge_kutta, X, 2))
    assert scans(eg.plan(runge_kutta, X, 5))


def test_what_is_a_loop_depends_on_the_order(monkeypatch):
    """Derivatives of what is planned as fast as it stands are not."""
    ROLLED_NODES.replace(monkeypatch, POLICY_NODES)
    assert not scans(eg.plan(steps_of_time, X, 20))
    assert scans(eg.hessian(steps_of_time).plan(X, 20))


def test_linear_in_the_steps():
    """Nodes that are built for twice the steps are no more than twice as many."""

    def built(n):
        before = _ir.number_of_nodes_built()
        eg.grad(runge_kutta).plan(X + n, n)
        return _ir.number_of_nodes_built() - before

    built(10)
    few, many = built(100), built(200)
    assert many < 2.1 * few


def test_functions_of_which_nothing_is_known_are_not_rolled():
    """Each application would need values of its own."""
    x = eg.variable("x", 3)
    F = eg.function("F", x, shape=3)
    y = x
    for _ in range(20):
        y = np.sin(y) + F
    assert eg.differentiate(y, x).shape == (3, 3)


def test_a_sum_of_different_functions_is_no_loop():
    """What a step hands on was taken for a slice: one more scan for each term, and never an end."""
    x = _ir.new_input("x", ())
    functions = ["sin", "cos", "tanh"]
    total = _ir.add([x, apply("sinh", x)])
    for k in range(40):
        total = _ir.add([total, apply(functions[PICKS[k]], _ir.scale(x, k + 2))])
    rolled, _ = _rolled.roll([total], frozenset(), lambda _: None)
    assert rolled == [total]


def test_a_path_is_found_through_sums_of_sums(monkeypatch):
    """Each node is looked at once for each level, not once for each path that leads to it."""
    asked = []
    known = chain.kind_of_node
    monkeypatch.setattr(chain, "kind_of_node", lambda node: asked.append(node) or known(node))
    layer = [_ir.new_input(f"x{k}", ()) for k in range(10)]
    for depth in range(8):
        layer = [_ir.add(layer, [depth * 10 + j + k + 2 for j in range(10)]) for k in range(10)]
    order = _ir.topological(layer)
    assert [*chain.find_chains(order, 2)]
    assert len(asked) < 10 * len(order)


# Stacks -------------------------------------------------------------------------------------------


def test_entries_of_one_array_are_stacked_as_a_part_of_it():
    x = _ir.new_input("x", (6, 3))
    nodes = [one_of(x, k) for k in range(6)]
    assert stacked(nodes, lambda _: None) is x
    assert stacked(nodes[::-1], lambda _: None) is _ir.take(
        x, 0, _ir.selection(range(5, -1, -1), 6)
    )
    rows = [_ir.take(x, 0, _ir.selection(range(k, k + 1), 6)) for k in range(4)]
    other = _ir.new_input("y", (2, 3))
    assert joined(apply("concatenate", *rows, axis=0)) is _ir.take(x, 0, _ir.selection(range(4), 6))
    found = joined(apply("concatenate", other, *rows, axis=0))
    assert found.operands == (other, _ir.take(x, 0, _ir.selection(range(4), 6)))
    apart = apply("concatenate", rows[0], other, axis=0)
    assert joined(apart) is apart
    across = apply("concatenate", *rows, axis=1)
    assert joined(across) is across


def test_numbers_are_stacked_as_a_constant():
    nodes = [_ir.fill(2, (), np.float64), _ir.constant(np.array(0.5))]
    found = stacked(nodes, lambda _: None)
    np.testing.assert_array_equal(found.value, [2, 0.5])
