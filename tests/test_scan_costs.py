"""Scans: one step in source, plan and graph; what is stored; how they run; what is refused."""

import pickle

import array_api_strict
import numpy as np
import pytest
from inside import ROLLED_NODES, kernel_of
from loops import POINT as X
from loops import VECTOR as V
from loops import WEIGHTS as W
from loops import assert_alike, energy, unrolled
from reference import allocated, assert_close

import eingrad as eg
from eingrad import _ir
from eingrad._plan.kernels import Call, Scan
from eingrad._run.interpret import interpret
from eingrad.errors import BranchError, DTypeError, PlanError, ShapeError, TraceError
from eingrad.paths.derived import of_function

# What it costs -----------------------------------------------------------------------------------


def scans(plan):
    """The scans of a plan, those within others too."""
    return [s.kernel for s in plan.program.steps() if isinstance(s.kernel, Scan)]


def lines(plan):
    return len(plan.source.splitlines())


def coupled(count, *, is_selected):
    """A scan of so many carries, each moved by its neighbour; and perhaps a select above it."""

    def f(x):
        def step(c, _):
            return tuple(np.sin(c[i]) * c[(i + 1) % count] for i in range(count)), None

        total = sum(eg.scan(step, tuple(1.0 * x[i] for i in range(count)), None, length=20)[0])
        return np.where(total > 0, total, np.log(x[0]) * total) if is_selected else total

    return f


def counted(name, monkeypatch, *, count, is_selected, verb=eg.grad):
    """How many nodes `_ir.topological` visits, or how many `_ir.apply_node` is asked for."""
    real, numbers = getattr(_ir, name), []

    def spy(*args, **kwargs):
        found = real(*args, **kwargs)
        numbers.append(len(found) if isinstance(found, list) else 1)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(_ir, name, spy)
        verb(coupled(count, is_selected=is_selected)).plan(np.linspace(0.1, 0.9, count))
    return sum(numbers)


def test_a_select_asks_once_for_each_scan_what_its_step_is_made_of(monkeypatch):
    """Not for each operand of each result: that is the cube of the carries."""
    few, many = (
        counted("topological", monkeypatch, count=count, is_selected=True) for count in (10, 40)
    )
    assert many < 6 * few


@pytest.mark.parametrize("verb", [eg.grad, eg.hessian])
def test_a_result_of_a_scan_is_made_without_the_others(verb, monkeypatch):
    """Each result has all operands: to make all for each of them is the cube of the carries."""
    few, many = (
        counted("apply_node", monkeypatch, count=count, is_selected=False, verb=verb)
        for count in (10, 40)
    )
    assert many < 6 * few


@pytest.mark.parametrize("verb", [eg.grad, eg.hessian])
def test_lines_and_nodes_do_not_depend_on_the_length(verb):
    def planned(length):
        before = _ir.number_of_nodes_built()
        plan = verb(energy(eg.scan, length)).plan(X)
        return plan, _ir.number_of_nodes_built() - before

    (short, few), (long, many) = planned(11), planned(1100)
    assert lines(long) == lines(short)
    assert many <= few * 1.1  # what is interned, of the short one, is not built
    assert long.program.flops < 101 * short.program.flops


@pytest.mark.parametrize("length", [10, 40])
def test_a_gradient_takes_the_flops_of_the_loop(length, monkeypatch):
    ROLLED_NODES.replace(monkeypatch, 10**6)
    found, written_out = (eg.grad(energy(loop, length)).plan(X) for loop in (eg.scan, unrolled))
    assert found.program.flops < 1.05 * written_out.program.flops
    assert found.program.peak_bytes < 1.5 * written_out.program.peak_bytes


@pytest.mark.parametrize("length", [2, 6])
def test_a_number_of_many_carries_is_taken_in_reverse(length):
    """Its carries begin with the variable: a sweep forward has as many columns as that entries."""
    w = np.random.default_rng(0).normal(size=(40, 40)) / 40

    def f(x):
        return eg.scan(lambda c, _: (np.tanh(w @ c), None), x, length=length)[0].sum()

    plan = eg.grad(f).plan(w[0])
    assert plan.mode.name == "reverse"
    assert plan.flops < 2.2 * eg.plan(f, w[0]).flops


def test_large_intermediates_are_computed_again():
    """Of a step that is 100 times wider than what it carries, carries are stored."""
    A = np.linspace(-1, 1, 900).reshape(3, 300) / 9

    def f(x):
        return eg.scan(lambda c, _: (np.sin(A @ np.exp(A.T @ c)), None), x, length=200)[0]

    program = eg.vjp(f).plan(X, V).program
    assert 200 * X.nbytes < program.peak_bytes < 1.1 * 200 * X.nbytes + 20 * 300 * 8
    assert_close(eg.vjp(f)(X, V), V @ eg.jacobian(f)(X))


def test_stored_carries_count_and_forward_mode_stores_none():
    def f(x):
        return eg.scan(lambda c, _: (np.tanh(W @ c), None), x, length=1000)[0]

    forward, reverse = eg.jvp(f).plan(X, V), eg.vjp(f).plan(X, V)
    stored = 1000 * X.nbytes
    assert forward.program.peak_bytes < 1000
    assert stored < reverse.program.peak_bytes < 1.1 * stored
    assert allocated(lambda: reverse(X, V)) < 1.2 * reverse.program.peak_bytes + 20_000


def test_what_no_step_changes_is_computed_once():
    def f(A):
        return eg.scan(lambda c, _: (np.linalg.inv(A) @ c, None), X, length=5)[0]

    (scan,) = scans(eg.plan(f, np.eye(3)))
    assert not any(isinstance(s.kernel, Call) for s in scan.body.statements)


def test_value_and_derivative_share_the_way_there():
    """The way there, with its carries stored, and the way back."""
    assert len(scans(eg.value_and_grad(energy(eg.scan, 20)).plan(X))) == 2

    def along(f):
        return lambda x: (f(x), eg.jvp(f)(x, V))

    assert len(scans(eg.plan(along(energy(eg.scan)), X))) == 1
    assert len(scans(eg.taylor(energy(eg.scan), 4).plan(X, V))) == 1


def test_a_scan_is_not_joined_with_what_its_results_lead_to():
    """The second one has all carries of the first, and goes over its outputs."""

    def f(x, loop):
        _, seen = loop(lambda c, _: (np.sin(c), c), x, length=3)
        (_, total), _ = loop(lambda c, y: ((np.sin(c[0]), c[1] + y * c[0]), None), (x, x), seen)
        return total

    for verb in (eg.plan, lambda f, x: eg.jacobian(f).plan(x)):
        plan = verb(lambda x: f(x, eg.scan), X)
        assert len(scans(plan)) == 2
        assert_close(plan(X), verb(lambda x: f(x, unrolled), X)(X))


def test_what_nobody_asks_for_is_not_computed():
    def step(c, x):
        a, b = c
        return (np.sin(a), b * a), (np.exp(b), a)

    def f(x):
        return eg.scan(step, (x, x), length=5)[1][1]

    (scan,) = scans(eg.plan(f, X))
    assert (scan.carries, len(scan.body.outputs)) == (1, 2)


def test_the_function_is_called_once_and_its_plan_is_found_again():
    calls = []

    def f(x):
        def step(c, _):
            calls.append(1)
            return np.cos(c) * x, None

        return eg.scan(step, x, length=50)[0].sum()

    D = eg.hessian(f)
    D(X)
    assert len(calls) == 1
    before = eg.cache_info().hits
    D(V)
    assert eg.cache_info().hits == before + 1


# Running -----------------------------------------------------------------------------------------


def test_plans_pickle_fill_arrays_and_run_elsewhere():
    table = [2, 0, 1]

    def f(x):
        return eg.scan(lambda c, _: (np.sin(W @ c[table]), c), x, length=3)

    plan = eg.jacobian(f).plan(X)
    expected = plan(X)
    assert_alike(pickle.loads(pickle.dumps(plan))(X), expected, rtol=0)
    out = tuple(map(np.empty_like, expected))
    plan(X, out=out)
    assert_alike(out, expected, rtol=0)
    program, captured = plan.program, [known.array for known in plan.captured]
    arrays = [array_api_strict.asarray(a) for a in (X, *captured)]
    assert_alike(tuple(map(np.asarray, interpret(program, arrays, array_api_strict))), expected)
    assert "scan of 3 passes" in str(plan.tree)
    assert kernel_of(plan).program is program


def test_a_singular_matrix_in_a_step_is_named():
    def f(A):
        return eg.scan(lambda c, _: (np.linalg.inv(c) @ A, None), A, length=2)[0]

    with pytest.raises(
        np.linalg.LinAlgError, match=r"operand that it is given in a step of a scan of shape"
    ):
        eg.plan(f, np.eye(2))(np.ones((2, 2)))


@pytest.mark.parametrize("is_planned", [False, True])
def test_no_steps_give_the_first_carry(is_planned):
    def f(x):
        return eg.scan(lambda c, t: (c * t, c[:2]), x, np.zeros(0))

    carry, ys = (eg.plan(f, X) if is_planned else f)(X)
    assert_close(carry, X)
    assert ys.shape == (0, 2)


# Refusals ----------------------------------------------------------------------------------------


def returning(what):
    return lambda c, x: what


FOUR = np.ones((4, 3))
REFUSED = [
    (
        lambda: eg.scan(3, X, length=2), TypeError,
        "3 is not a function; pass the function itself, not its value",
    ),
    (
        lambda: eg.scan(returning(1), X), ShapeError,
        "how many steps a scan has is not known; give xs, or length",
    ),
    (
        lambda: eg.scan(returning(1), X, length=-1), ValueError,
        "length must be an integer of at least 0, not -1",
    ),
    (
        lambda: eg.scan(returning(1), X, {"a": X, "b": FOUR}), ShapeError,
        'xs["a"] says 3 steps, but xs["b"] has 4, the size of its first axis; they must be equal',
    ),
    (
        lambda: eg.scan(returning(1), X, X, length=2), ShapeError,
        "length says 2 steps, but xs has 3, the size of its first axis; they must be equal",
    ),
    (
        lambda: eg.scan(returning(1), X, (X, 2.0)), ShapeError,
        (
            "xs[1] has no axes, so it cannot be sliced; let the function of the scan use it from "
            "outside, or give an array with an axis for the steps"
        ),
    ),
    (
        lambda: eg.scan(returning(X), X, length=2), ShapeError,
        (
            "<lambda> returned array, but the function of a scan returns a pair, (carry, y); "
            "without an output return (carry, None)"
        ),
    ),
    (
        lambda: eg.scan(returning(((X,), None)), X, length=2), ShapeError,
        "the carry that <lambda> returned must be nested as init is: array, not (array,)",
    ),
    (
        lambda: eg.scan(returning(({"a": X[:2]}, None)), {"a": X}, length=2), ShapeError,
        (
            'init["a"] has shape (3,), but <lambda> returned shape (2,) for it; a step must keep '
            "the shape of what it carries: start with that shape"
        ),
    ),
    (
        lambda: eg.scan(returning((X * 1j, None)), X, length=2), DTypeError,
        (
            "init is float64, but <lambda> returned complex128 for it; a step must keep the dtype "
            'of what it carries: start with complex128, or return it as x.astype("float64")'
        ),
    ),
    (
        lambda: eg.scan(returning((0.5, None)), np.int64(0), length=2), DTypeError,
        (
            "init is int64, but <lambda> returned float64 for it; a step must keep the dtype of "
            "what it carries: start with float64, or count with xs=np.arange(length)"
        ),
    ),
    (
        lambda: eg.scan(returning((None, None)), X, length=2), ShapeError,
        "<lambda> returned None where init is an array; a step must give what it is given",
    ),
]  # fmt: skip


@pytest.mark.parametrize("is_traced", [False, True])
@pytest.mark.parametrize(("call", "error", "message"), REFUSED, ids=range(len(REFUSED)))
def test_refusals(call, error, message, is_traced):
    with pytest.raises(error) as caught:
        eg.plan(lambda x: (x, call())[0], X) if is_traced else call()
    of_integers = " (what is computed of an integer in a traced function is a float)"
    said = str(caught.value)
    assert (of_integers in said) == (is_traced and "int64" in message)
    assert said.replace(of_integers, "") == message


def test_an_index_that_python_must_know_is_refused():
    def step(c, t):
        return (c * 2 if t > 1 else c, None)

    with pytest.raises(
        BranchError, match=r"the truth of a traced value was asked for at .* write np\.where"
    ):
        eg.grad(lambda x: eg.scan(step, x, np.arange(3.0))[0])(1.0)


def test_unknown_functions_and_networks_are_refused():
    def step(c, _):
        return (eg.function("F", c, shape=(3,)), None)

    with pytest.raises(TraceError) as caught:
        eg.scan(step, eg.variable("x", (3,)), length=2)
    assert str(caught.value) == (
        "a step of a scan calls F, of which nothing is known; each step would need values of its "
        "own: write the steps in a Python loop"
    )
    with pytest.raises(PlanError) as caught:
        of_function(energy(eg.scan), (3,))
    assert str(caught.value) == (
        "the function has a scan, which is no sum of products; write its steps in a Python loop"
    )
