"""Small operations done together: the same numbers, in few steps, and nowhere that they hurt."""

import warnings

import numpy as np
import pytest
from components import PROGRAMS, gravity, ring, ring_at_once, turned
from hypothesis import event, given
from hypothesis import strategies as st
from inside import traced
from reference import assert_close, central_difference, evaluate

import eingrad as eg
from eingrad import _ir
from eingrad._forms import compile_program
from eingrad._pack import pack, program
from eingrad._plan import InputSpec
from eingrad._primitives import apply
from eingrad._run import Executable

X = np.random.default_rng(1).normal(size=6)


def lines(plan):
    return sum(1 for line in plan.source.splitlines() if line.strip())


def computed(node, x, value):
    """What the emitted program of a node computes, in the order in which it is written."""
    specs = [InputSpec("x", "x", x.shape, x.dtype)]
    program = compile_program([node], [x], specs, written=_ir.topological([node]))
    return Executable(program).run([value])[0]


def node_of_six(f):
    """A function of a vector, as a node, and its input."""
    x = _ir.new_input("x", (6,))
    return traced(f, x), x


def test_a_chain_of_additions_is_read_once(monkeypatch):
    """A sum is read with those that it goes on from, which are not read again by themselves."""
    x = _ir.new_input("x", ())
    total = x
    for k in range(200):
        total = _ir.add([total, apply("sin", _ir.scale(x, k + 2))])
    read = []
    known = program.operation_of

    def counted(*args):
        found = known(*args)
        read.append(1 + len(found.within) if found else 1)
        return found

    monkeypatch.setattr(program, "operation_of", counted)
    pack([total])
    assert sum(read) < 10 * len(_ir.topological([total]))


# The same numbers --------------------------------------------------------------------------------


OPERATIONS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / (b * b + 1),
    "sqrt": lambda a, b: np.sqrt(a * a + b * b),
    "where": lambda a, b: np.where(a > b, a, 2 * b),
    "sum": lambda a, b: a + b - a * b + b * b - 3.0,
}


@st.composite
def programs_in_lanes(draw):
    """The same operations on entries of several lanes, from their own lane or another one."""
    lanes = draw(st.integers(3, 6))
    steps = [
        (draw(st.sampled_from([*OPERATIONS])), *(draw(st.integers(0, 99)) for _ in range(4)))
        for _ in range(draw(st.integers(3, 8)))
    ]
    order = draw(st.permutations(range(lanes)))

    def f(x):
        known = [[x[lane], x[(lane + 1) % 6]] for lane in range(lanes)]
        for kind, i, j, near, far in steps:
            new = [
                OPERATIONS[kind](
                    known[(lane + near % 2) % lanes][i % len(known[0])],
                    known[(lane + far) % lanes][j % len(known[0])],
                )
                for lane in range(lanes)
            ]
            known = [[*row, n] for row, n in zip(known, new, strict=True)]
        return np.stack([known[lane][-1] for lane in order])

    return f


@given(f=programs_in_lanes())
def test_every_form_has_the_bits_of_what_was_written(f):
    """Sums and products, quotients and roots are rounded alike in vectors and alone."""
    node, x = node_of_six(f)
    with np.errstate(all="ignore"):
        expected = f(X)
        assert np.array_equal(computed(node, x, X), expected, equal_nan=True)
        forms = pack([node])
        event(f"forms: {len(forms)}")
        for (form,) in forms:
            assert form.shape == node.shape
            assert np.array_equal(computed(form, x, X), expected, equal_nan=True)
            assert_close(evaluate(form, {x: X}), expected, rtol=1e-12)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_value_that_is_planned_is_near_the_user_s_own(name):
    """To rounding: NumPy's functions of vectors and of numbers differ in the last bit."""
    f, _, x = PROGRAMS[name]
    assert_close(eg.plan(f, x)(x), f(x), rtol=1e-15)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_are_those_of_the_program_written_at_once(name, order):
    f, at_once, x = PROGRAMS[name]
    assert_close(eg.derivative(f, order)(x), eg.derivative(at_once, order)(x), rtol=1e-11)


def test_a_gradient_is_that_of_central_differences():
    q = np.array([0.9, 0.1, -0.3, 0.2])
    assert_close(eg.grad(turned)(q), central_difference(turned, q), rtol=1e-7)


def test_kahan_s_sum_keeps_its_digits():
    """What is used twice, and what cancels, is never joined with other terms."""

    def f(x):
        total, lost = x[0], 0.0 * x[0]
        for n in range(1, 6):
            y = x[n] - lost
            new = total + y
            lost = (new - total) - y
            total = new
        return total - lost

    x = np.array([1.0, *[2.0**-53] * 5])
    node, v = node_of_six(f)
    for form in [[node], *pack([node])]:
        assert computed(form[0], v, x) == f(x)


def test_a_sum_of_differences_keeps_the_order_in_which_it_was_written():
    """``(((a - b) + c) - d) + e``, twice: where big ones cancel first, small ones stay."""

    def f(x):
        return np.stack([x[i] - x[i + 1] + x[i + 2] - x[i + 3] + x[i + 4] for i in (0, 1)] * 3)

    x = np.array([1e16, 1e16, 1.0, 1.0, 1.0, 1e-9])
    node, v = node_of_six(f)
    for form in [[node], *pack([node])]:
        assert np.array_equal(computed(form[0], v, x), f(x))


# In few steps ------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2])
def test_lines_do_not_grow_with_the_number_of_bodies(order):
    few, many = (
        eg.derivative(gravity, order).plan(np.random.default_rng(0).normal(size=(n, 3)))
        for n in (4, 8)
    )
    assert lines(many) <= lines(few) + 6


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("order", [1, 2])
def test_lines_are_few_times_those_of_the_program_written_at_once(name, order):
    f, at_once, x = PROGRAMS[name]
    found, good = (eg.derivative(g, order).plan(x) for g in (f, at_once))
    assert lines(found) <= 3 * lines(good)


def test_what_is_stacked_in_order_is_the_array_itself():
    """No entry is taken out, and none is put together."""
    node, x = node_of_six(lambda x: np.stack([np.sin(x[i]) * x[i] + x[i] for i in range(6)]))
    ((form,),) = pack([node])[:1]
    assert form is node_of(x, lambda x: np.sin(x) * x + x)


def node_of(x, f):
    return traced(f, x)


def test_packing_again_finds_nothing_more():
    node, _ = node_of_six(lambda x: (ring(x) ** 2).sum())
    form = pack([node])[0]
    assert all(steps(again) >= steps(form) for again in pack(form))


def steps(roots):
    return len(_ir.topological(roots))


# Nowhere that it hurts ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.tanh(np.outer(x, x) @ x).sum(),
        lambda x: np.sin(x[1:] * x[:-1]).sum(),
        lambda x: np.stack([x[0] * x[1], np.sin(x[2]), x[3]]),
        lambda x: np.concatenate([x[:3] ** 2, np.exp(x[3:])]),
    ],
)
def test_other_programs_are_left_as_they_are(f):
    node, _ = node_of_six(f)
    assert pack([node]) == []


def test_what_derivatives_are_made_of_is_left_as_it_is():
    """And what depends on nothing that is given."""
    x, y = _ir.new_input("x", (6,)), _ir.new_input("y", (6,))
    inner, outer = traced(ring, x), traced(ring, y)
    node = _ir.add([inner, outer])
    assert pack([node], None, {node.digest}) == []
    for form in pack([node], [x]):
        assert outer in _ir.topological(form)
        assert inner not in _ir.topological(form)


def test_what_is_shown_is_what_was_written():
    x = np.ones(3)
    shown = str(eg.grad(lambda x: x[0] * x[1] + x[1] * x[2] + x[2] * x[0]).expression(x))
    assert "concatenate" not in shown


def hidden(x):
    """Logarithms of five entries, all but the last hidden where they are infinite."""
    terms = [np.where(x[i] > 0, np.log(x[i]) * x[i], 0.0) for i in range(4)]
    return terms[0] + terms[1] + terms[2] + terms[3] + np.log(x[4]) * x[5]


def test_a_hidden_infinity_reaches_nothing():
    """`np.where` in front of some entries, none in front of others: no warning, no nan."""
    x = np.array([0.0, 1.0, 0.0, 2.0, 3.0, 4.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with np.errstate(divide="ignore", invalid="ignore"):
            gradient, hessian = eg.grad(hidden)(x), eg.hessian(hidden)(x)
    assert_close(gradient, [0, 1, 0, 1 + np.log(2), 4 / 3, np.log(3)])
    assert_close(hessian[:5, :5], np.diag([0, 1, 0, 0.5, -4 / 9]))


def test_what_is_not_differentiated_is_not_divided_by():
    """Roots of another argument, at zero: their derivative is not asked for."""
    weights = np.random.default_rng(0).normal(size=(3, 8))

    def f(x, y):
        roots = np.stack([np.sqrt(v[i]) for v in (x, y) for i in range(4)])
        return ((weights @ roots) ** 2).sum()

    x, y = np.full(4, 4.0), np.zeros(4)
    with np.errstate(all="raise"):
        found = eg.grad(f)(x, y)
    assert_close(found, weights[:, :4].T @ weights[:, :4] @ np.sqrt(x) / np.sqrt(x))


# With everything else ----------------------------------------------------------------------------


def test_a_step_of_a_scan_is_packed():
    def f(loop_of):
        def energy(x):
            carry, ys = eg.scan(lambda c, _: (c + 0.01 * loop_of(c), c), x, length=5)
            return (carry**2).sum() + ys.sum()

        return energy

    by_entries, at_once = (eg.hessian(f(g)).plan(X) for g in (ring, ring_at_once))
    assert_close(by_entries(X), at_once(X), rtol=1e-12)
    assert lines(by_entries) <= 2 * lines(at_once)


def test_products_series_and_batches_agree():
    f, at_once, x = PROGRAMS["angles"]
    v = np.cos(np.arange(x.size)).reshape(x.shape)
    for verb in (eg.jvp, eg.hvp):
        assert_close(verb(f)(x, v), verb(at_once)(x, v), rtol=1e-12)
    for found, wanted in zip(eg.taylor(f, 4)(x, v), eg.taylor(at_once, 4)(x, v), strict=True):
        assert_close(found, wanted, rtol=1e-11)
    many = np.stack([x, x + 0.1 * v])
    found, wanted = (
        eg.jacobian(lambda many, g=g: np.stack([g(many[0]), g(many[1])]))(many)
        for g in (f, at_once)
    )
    assert_close(found, wanted, rtol=1e-12)


def test_gathers_with_repeats_and_structured_values_agree():
    table = [0, 0, 3, 5, 3, 1]
    f, g = (lambda x, h=h: h(x[table]) * x for h in (ring, ring_at_once))
    assert_close(eg.jacobian(f)(X), eg.jacobian(g)(X), rtol=1e-12)
    dense = eg.jacobian(ring)(X)
    assert_close(eg.jacobian(ring, structured=True)(X).dense(), dense, rtol=1e-14)


def test_a_derivative_within_a_function_is_packed():
    """The Jacobian of a function by entries, multiplied with a vector."""
    f, at_once, x = PROGRAMS["gravity"]
    found, good = (
        eg.plan(lambda x, g=g: np.einsum("abcd,cd->ab", eg.hessian(g)(x), x), x)
        for g in (f, at_once)
    )
    assert_close(found(x), good(x), rtol=1e-12)
    assert lines(found) <= 3 * lines(good)


def test_one_product_of_the_same_entries_on_all_lanes_is_packed():
    """Found by the fuzzer (seed 8302, program 304): no operand carried the lanes; it raised."""

    def f(x, spread, angle):
        p = np.stack([a / (2.5 + np.sin(b)) for a in x for b in np.resize(angle, 3)])
        q = np.resize(spread, 3)
        return np.stack([q[i] * p[j] - q[j] * p[i] for i, j in ((0, 1), (1, 2), (2, 0))])

    x, spread, angle = np.array([0.3, 0.7, 0.2]), np.array([0.6, 0.5, 0.9]), np.array(0.4)
    args = x, spread, angle
    assert_close(eg.plan(f, *args)(*args), f(*args))
    same = x, np.array(0.6), angle
    assert_close(eg.plan(f, *same)(*same), f(*same))
