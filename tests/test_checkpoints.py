"""Checkpointing of scans: the same bits, memory as predicted, flops as counted."""

import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inside import kernel_of
from loops import POINT as X
from loops import VECTOR as V
from loops import WEIGHTS as W
from reference import allocated
from test_scan import OPERATIONS, OUTPUTS, program

import eingrad as eg
from eingrad._plan.checkpoints import within
from eingrad._plan.kernels import Rescan, Scan
from eingrad._run import Executable
from eingrad._run.interpret import interpret
from eingrad._tree import flatten
from eingrad.errors import MemoryLimitError

LENGTH = 23
SLICES = np.random.default_rng(2).normal(size=(LENGTH, 3)) / 3
ARGUMENTS = W, X / 2, SLICES
TANGENTS = tuple(map(np.cos, ARGUMENTS))


def bits(value):
    return [np.asarray(leaf).tobytes() for leaf in flatten(value)[0]]


def number_of(f):
    return lambda *a: sum(np.sum(np.sin(y)) for y in flatten(f(*a))[0])


VERBS = {
    "gradient": lambda f: (eg.value_and_grad(number_of(f), (0, 1, 2)), ARGUMENTS),
    "Hessian": lambda f: (eg.hessian(number_of(f), 1), ARGUMENTS),
    "hvp": lambda f: (eg.hvp(number_of(f), (0, 1)), (*ARGUMENTS, TANGENTS[:2])),
    "order 3": lambda f: (eg.derivative(number_of(f), 3, 1), ARGUMENTS),
    "series of a gradient": lambda f: (
        eg.taylor(eg.grad(number_of(f), 1), 2, 1), (*ARGUMENTS, TANGENTS[1]),
    ),
    "batch of cotangents": lambda f: (eg.jacobian(eg.grad(number_of(f), 1), 2), ARGUMENTS),
}  # fmt: skip


def has_rescan(program):
    return any(isinstance(s.kernel, Rescan) for s in program.steps())


@pytest.mark.parametrize("verb", VERBS)
@settings(max_examples=5)
@given(
    names=st.lists(st.sampled_from([*OPERATIONS]), min_size=1, max_size=3),
    output=st.sampled_from([*OUTPUTS]),
    reverse=st.booleans(),
    part=st.sampled_from([2, 5, 50]),
)
def test_results_have_the_same_bits(verb, names, output, reverse, part):
    """Of random steps with slices, outputs, gathers, selects; and close by the interpreter."""
    scanned, _ = program(names, output, reverse)
    derivative, args = VERBS[verb](scanned)
    with np.errstate(all="ignore"):
        plan = derivative.plan(*args)
        arrays = [*flatten(args)[0], *(known.array for known in plan.captured)]
        less = within(plan.program, plan.peak_bytes // part)
        assert less.peak_bytes <= plan.peak_bytes
        expected = kernel_of(plan).run(arrays)
        assert bits(tuple(Executable(less).run(arrays))) == bits(tuple(expected))
        if has_rescan(less):
            found = interpret(less, arrays, np)
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


def loop(n, length, output=False):
    """A number of a long scan of so many numbers."""
    rng = np.random.default_rng(0)
    A, x = rng.normal(size=(n, n)) / (3 * np.sqrt(n)), rng.normal(size=n)

    def f(x):
        last, seen = eg.scan(
            lambda c, _: (np.tanh(A @ c), c[0] if output else None), x, length=length
        )
        return last @ last + (seen.sum() if output else 0)

    return f, x


MADE = {"gradient": eg.grad, "hvp": eg.hvp, "Hessian": eg.hessian}


@pytest.mark.parametrize(
    ("verb", "n", "length"),
    [
        ("gradient", 8, 1000), ("hvp", 8, 1000), ("Hessian", 8, 1000), ("gradient", 400, 200),
        ("hvp", 400, 200),
    ],
)  # fmt: skip
@pytest.mark.parametrize("part", [1, 3, 12])
def test_the_peak_is_what_is_predicted(verb, n, length, part):
    """To a tenth and a megabyte, with a limit and without one."""
    f, x = loop(n, length)
    args = (x, x) if verb == "hvp" else (x,)
    whole = MADE[verb](f).plan(*args)
    plan = eg.plan(MADE[verb](f), *args, memory_limit=whole.peak_bytes // part)
    assert plan.peak_bytes <= whole.peak_bytes // part
    assert (part > 1) == has_rescan(plan.program)
    measured = allocated(lambda: plan(*args))
    assert abs(measured - plan.peak_bytes) <= 0.1 * plan.peak_bytes + 10**6
    assert bits(plan(*args)) == bits(whole(*args))


def test_flops_are_counted_and_bounded():
    f, x = loop(8, 1000)
    value, whole = eg.plan(f, x), eg.grad(f).plan(x)
    roots = eg.plan(eg.grad(f), x, memory_limit=whole.peak_bytes // 12)
    assert whole.flops < roots.flops < whole.flops + 1.3 * value.flops
    few = eg.plan(eg.grad(f), x, memory_limit=whole.peak_bytes // 50)
    assert roots.flops < few.flops < whole.flops + 4 * value.flops
    assert few.peak_bytes <= whole.peak_bytes // 50
    assert roots.seconds > whole.seconds


def test_scans_within_scans_and_outputs_that_are_asked_for():
    def f(x):
        def outer(c, u):
            inner, seen = eg.scan(lambda d, _: (np.sin(W @ d + u), d[0]), c, length=40)
            return inner, seen.sum()

        last, seen = eg.scan(outer, x, SLICES[:5])
        return last.sum() + (seen**2).sum()

    derivative = eg.value_and_grad(f)
    whole = derivative.plan(X)
    plan = eg.plan(derivative, X, memory_limit=whole.peak_bytes // 2)
    inner = [s.kernel for s in plan.program.steps() if isinstance(s.kernel, Rescan)]
    assert any(kernel.segments.length == 40 for kernel in inner)
    assert bits(plan(X)) == bits(whole(X))


def test_several_ways_back_over_one_way_there_are_gone_each_by_itself():
    """One scan stores for the gradients of two numbers, which no other reads, and an output."""

    def f(x):
        last, seen = eg.scan(lambda c, _: (np.tanh(W @ c), c[:1]), x, length=500)
        return np.sin(last).sum(), last @ last, seen

    D = eg.jacobian(lambda x: f(x)[:2])
    whole = D.plan(X)
    plan = eg.plan(D, X, memory_limit=whole.peak_bytes // 20)
    assert len([s for s in plan.program.steps() if isinstance(s.kernel, Rescan)]) == 2
    assert bits(plan(X)) == bits(whole(X))
    measured = allocated(lambda: plan(X))
    assert measured < whole.peak_bytes // 2
    values = eg.value_and_derivatives(f, 1).plan(X)
    less = within(values.program, values.peak_bytes // 2)
    arrays = [X, *(known.array for known in values.captured)]
    assert bits(tuple(Executable(less).run(arrays))) == bits(values(X))


def test_a_loop_that_is_found_is_gone_over_again_too():
    """Written in Python, and planned as a scan."""

    def f(x):
        for _ in range(300):
            x = np.tanh(W @ x + V)
        return x @ x

    for derivative in (eg.grad(f), eg.hessian(f)):
        whole = derivative.plan(X)
        plan = eg.plan(derivative, X, memory_limit=whole.peak_bytes // 4)
        assert has_rescan(plan.program)
        assert bits(plan(X)) == bits(whole(X))


def test_a_program_keeps_what_takes_little():
    """Two scans, of which one stores a hundred times as much: that one is gone over again."""

    def f(x):
        short = eg.scan(lambda c, _: (np.tanh(W @ c), None), x, length=20)[0]
        return eg.scan(lambda c, _: (np.tanh(W @ c), None), short, length=2000)[0].sum()

    plan = eg.plan(eg.grad(f), X, memory_limit="4kB")
    scans = [s.kernel for s in plan.program.steps() if isinstance(s.kernel, Scan | Rescan)]
    assert {k.length for k in scans if isinstance(k, Scan) and k.cut is None} == {20}
    assert bits(plan(X)) == bits(eg.grad(f)(X))


def test_source_table_and_tree_show_the_checkpoints():
    f, x = loop(8, 1000)
    plan = eg.plan(eg.grad(f), x, memory_limit="4kB")
    assert "binomial(" in plan.source
    assert "# snapshots, with their segments" in plan.source
    assert re.search(r"stored in segments of \d+, \d+ snapshots", str(plan))
    assert "scan back, with its way there" in str(plan)
    assert "there again" in str(plan.tree)
    short = eg.plan(eg.grad(loop(8, 2000)[0]), x, memory_limit="4kB")
    assert len(short.source.splitlines()) == len(plan.source.splitlines())


def test_plans_pickle_and_fill_arrays():
    f, x = loop(8, 300)
    plan = eg.plan(eg.grad(f), x, memory_limit="4kB")
    assert has_rescan(plan.program)
    expected = bits(plan(x))
    assert bits(pickle.loads(pickle.dumps(plan))(x)) == expected
    out = np.empty(8)
    plan(x, out=out)
    assert bits(out) == expected


def test_a_singular_matrix_on_the_way_there_again_is_named():
    def f(A):
        def step(c, t):
            return np.linalg.inv(c) + A * t, None

        return eg.scan(step, A, np.zeros(9))[0].sum()

    plan = eg.plan(eg.grad(f), np.eye(2), memory_limit="1kB")
    with pytest.raises(np.linalg.LinAlgError, match="operand that it is given in a step of a scan"):
        plan(np.ones((2, 2)))


@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_short_scans(length):
    f, x = loop(8, length, output=True)
    whole = eg.grad(f).plan(x).program
    arrays = [x, *(known.array for known in eg.grad(f).plan(x).captured)]
    less = within(whole, 1)
    assert less.peak_bytes <= whole.peak_bytes
    assert bits(tuple(Executable(less).run(arrays))) == bits(tuple(Executable(whole).run(arrays)))


def test_what_does_not_fit_is_refused_with_the_least_that_there_is():
    f, x = loop(8, 1000)
    with pytest.raises(MemoryLimitError, match="at its peak, more than the 300 of memory_limit;"):
        eg.plan(eg.grad(f), x, memory_limit="300B")


def test_dtypes_of_carries_are_kept():
    def f(x):
        def step(c, _):
            a, z = c
            return (np.tanh(W.astype(np.float32) @ a), z * np.complex64(0.9 + 0.1j) * z[0]), None

        a, z = eg.scan(step, (x, x[:2] * np.array([0.1j, 0.2])), length=200)[0]
        return a.sum() + z.sum()

    x = X.astype(np.float32)
    whole = eg.grad(f).plan(x + 0j)
    plan = eg.plan(eg.grad(f), x + 0j, memory_limit=whole.peak_bytes // 3)
    assert has_rescan(plan.program)
    assert bits(plan(x + 0j)) == bits(whole(x + 0j))


def test_a_limit_reaches_every_verb():
    f, x = loop(8, 1000)
    limit = "8kB"
    for plan in (
        eg.grad(f, memory_limit=limit).plan(x),
        eg.value_and_grad(f, memory_limit=limit).plan(x),
        eg.derivative(f, 1, memory_limit=limit).plan(x),
        eg.jacobian(f, memory_limit=limit).plan(x),
        eg.hessian(f, memory_limit="80kB").plan(x),
        eg.value_and_derivatives(f, 1, memory_limit=limit).plan(x),
        eg.vjp(f, memory_limit=limit).plan(x, 1.0),
        eg.hvp(f, memory_limit=limit).plan(x, x),
        eg.taylor(eg.grad(f), 1, memory_limit=limit).plan(x, x),
        eg.plan(lambda x: eg.grad(f)(x) + 0, x, memory_limit=limit),
    ):
        assert has_rescan(plan.program)
    assert not has_rescan(eg.jvp(f, memory_limit=limit).plan(x, x).program)
    fast = eg.compiled(eg.grad(f), memory_limit=limit)
    assert bits(fast(x)) == bits(eg.grad(f, memory_limit=limit)(x)) == bits(eg.grad(f)(x))
    symbol = eg.variable("x", 8)
    found = eg.differentiate(f(symbol), symbol)
    assert has_rescan(eg.compile(found, memory_limit=limit).program)
