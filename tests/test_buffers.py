"""Laws of writing over dead values: the same bits, no more memory, nothing else is written."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from cases import CASES
from hypothesis import given
from hypothesis import strategies as st
from inside import REUSE, REUSED_BYTES
from reference import allocated, assert_close
from strategies import functions, point

import eingrad as eg
from eingrad._plan import InputSpec, Program, Result, Statement, kernels
from eingrad._primitives import BY_NAME, PRIMITIVES
from eingrad._run import Executable
from eingrad._run.interpret import interpret

RNG = np.random.default_rng(0)
LARGE = 2**16  # bytes


@pytest.fixture(autouse=True)
def _forget():
    eg.cache_clear()
    yield
    eg.cache_clear()


@pytest.fixture
def every_size(monkeypatch):
    """Write over dead values of any size."""
    REUSED_BYTES.replace(monkeypatch, 1)


def planned_anew(monkeypatch, derivative, *args):
    """Plan with new memory for each result."""
    with monkeypatch.context() as patch:
        REUSE.replace(patch, lambda program: program)
        eg.cache_clear()
        plan = derivative.plan(*args)
    eg.cache_clear()
    return plan


def over(plan):
    """Count the statements that write over a dead value."""
    return sum(s.into is not None for s in plan.program.steps())


def assert_same_but_for_few_last_bits(actual, expected):
    """Equal in seven of eight entries, and in the others but for the last bit of the largest."""
    assert np.count_nonzero(actual != expected) <= np.size(expected) / 8
    assert_close(actual, expected, 2 * np.finfo(float).eps)


def steps_of(plan):
    """What is computed, wherever it is written."""
    return [(s.kernel, s.operands, s.targets) for s in plan.program.steps()]


def bits(value):
    return [np.asarray(x).tobytes() for x in (value if isinstance(value, tuple) else (value,))]


# Soundness ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_results_have_the_same_bits(case, order, every_size, monkeypatch):
    """As with new memory for each, at the next call too; the interpreter has none to write over.

    But for the last bit of few entries: beside other tests, one of sixteen, and its mirror image,
    of the Hessian of attention was seen to differ by it, in the same steps. It is not known why. It
    was the same at 4,096 alignments of the arguments, in each order of their axes, and in 20,000
    calls among other arrays; nor did any of the products of its shapes go by alignment.
    """
    f, x = case.make(np.random.default_rng(1), *case.small)
    derivative = eg.derivative(f, order)
    new = planned_anew(monkeypatch, derivative, x)
    plan = derivative.plan(x)
    x.flags.writeable = False
    found = plan(x)
    assert bits(plan(x)) == bits(found)
    if steps_of(plan) == steps_of(new):
        assert_same_but_for_few_last_bits(new(x), found)
        assert plan.peak_bytes <= new.peak_bytes
    assert_close(new(x), plan(x), 1e-12)  # terms may be added in another order in another plan
    arrays = [x, *(known.array for known in plan.captured)]
    (interpreted,) = interpret(plan.program, arrays, np)
    assert_close(interpreted, plan(x), 1e-12)


@given(f=functions(), seed=st.integers(0, 2**32 - 1), order=st.integers(0, 2))
def test_random_programs_have_the_same_bits(f, seed, order):
    f, shape = f
    x = point(shape, seed)
    derivative = eg.derivative(f, order)
    with pytest.MonkeyPatch.context() as patch:
        new = planned_anew(patch, derivative, x)
        REUSED_BYTES.replace(patch, 1)
        plan = derivative.plan(x)
    eg.cache_clear()
    assert bits(plan(x)) == bits(new(x))
    assert plan.peak_bytes <= new.peak_bytes


@pytest.mark.parametrize("layout", ["F", "strided", "backwards"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_inputs_may_lie_in_any_order(case, layout, every_size):
    f, x = case.make(np.random.default_rng(1), *case.small)
    plan = eg.derivative(f, 2).plan(x)
    turned = {
        "F": np.asfortranarray(x),
        "strided": np.repeat(x[..., None], 2, -1)[..., 0],
        "backwards": x[(slice(None, None, -1),) * x.ndim].copy()[(slice(None, None, -1),) * x.ndim],
    }[layout]
    assert_close(plan(turned), plan(x), 1e-10)


@pytest.mark.parametrize("primitive", PRIMITIVES, ids=lambda primitive: primitive.name)
def test_a_row_that_fills_an_array_gives_the_bits_of_a_new_one(primitive):
    """Over what was there, and over the operand itself where an entry depends on one entry."""
    source = primitive.source_into(primitive.attributes)
    if not source:
        return
    many = [primitive.sample(np.random.default_rng(seed)) for seed in range(50)]
    operands = [np.concatenate([np.ravel(a) for a in column]) for column in zip(*many, strict=True)]
    if primitive.core != ():
        operands = [np.stack([a, a]) for a in operands]
    texts = {k: repr(float(v)) if not isinstance(v, int | str) else repr(v)
             for k, v in primitive.attributes.items()}  # fmt: skip
    names = {f"x{k}": a for k, a in enumerate(operands)}
    new = eval(primitive.source.format(*names, **texts, all=", ".join(names)), {"np": np, **names})

    def run(out, names):
        text = source.format(*names, **texts, all=", ".join(names), out="out")
        found = eval(text, {"np": np, "out": out, **names})
        assert found is out
        assert found.tobytes() == new.tobytes()

    run(np.full_like(new, 1), names)
    for k, operand in enumerate(operands):
        if primitive.core == () and operand.dtype == new.dtype:
            copies = {name: a.copy() for name, a in names.items()}
            run(copies[f"x{k}"], copies)


# What is never written ---------------------------------------------------------------------------


def test_results_share_no_memory(every_size):
    def f(x):
        a = np.exp(x)
        b = np.sin(a)
        return a, b, np.cos(b) * 2, b + 1

    x = RNG.normal(size=200)
    results = eg.plan(f, x)(x)
    for first, second in pairwise((x, *results)):
        assert not np.may_share_memory(first, second)
    for found, expected in zip(results, f(x), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_results_of_an_earlier_call_stay():
    x = RNG.normal(size=20_000)
    plan = eg.plan(lambda x: np.exp(np.sin(x) + 1) * 2, x)
    first = plan(x)
    kept = first.copy()
    plan(2 * x)
    np.testing.assert_array_equal(first, kept)


def test_what_a_cast_may_share_is_not_written_over(every_size):
    """``np.asarray(x, dtype)`` of an array that has the dtype is that array."""
    array = Result((50,), np.dtype(float))
    sin, exp = (kernels.Call(BY_NAME[name], ()) for name in ("sin", "exp"))
    cast = kernels.Call(BY_NAME["cast"], (("dtype", "<f8"),))
    total = kernels.Add((1, 1))
    statements = (
        Statement(sin, (0,), (1,), (array,)),
        Statement(cast, (1,), (2,), (array,)),
        Statement(exp, (1,), (3,), (array,)),
        Statement(total, (3, 2), (4,), (array,)),
    )
    program = Program((InputSpec("x", "x", *array),), (), statements, (4,))
    x = RNG.normal(size=50)
    (found,) = Executable(REUSE.get()(program)).run([x])
    np.testing.assert_array_equal(found, np.exp(np.sin(x)) + np.sin(x))


def test_a_term_that_is_added_later_is_not_written_over(every_size):
    """``t = a + b; t += c``: `c` is read after the first sum is written."""

    def f(x):
        return np.sin(x) + np.cos(x) + np.sin(x) * np.tanh(x) - np.exp(x)

    x = RNG.normal(size=60)
    plan = eg.plan(f, x)
    np.testing.assert_array_equal(plan(x), f(x))


def test_a_mask_that_outlives_the_call_is_not_written_over(every_size):
    """A triangle is made once; results of tests are flags of the same size."""
    x = RNG.normal(size=(12, 12))
    hessian = eg.hessian(lambda v: np.sum(np.exp(np.outer(v, v)) * (x > 0)))
    v = RNG.normal(size=12)
    plan = hessian.plan(v)
    first = plan(v)
    np.testing.assert_array_equal(plan(v), first)
    np.testing.assert_array_equal(first, first.T)


def test_given_arrays_are_filled_as_before():
    f = lambda x: np.sum(x * (1 + np.tanh(x + 0.1 * x**3)))  # noqa: E731
    x = RNG.normal(size=(150, 150))
    plan = eg.grad(f).plan(x)
    assert over(plan)
    for out in (np.empty((150, 150)), np.empty((150, 150)).T):
        np.testing.assert_array_equal(plan(x, out=out), plan(x))


# Effect ------------------------------------------------------------------------------------------


def gelu(x):
    return np.sum(x * (1 + np.tanh(0.79788 * (x + 0.044715 * x**3))) / 2)


def network(w):
    rng = np.random.default_rng(0)
    data, second = rng.normal(size=(400, 64)), rng.normal(size=(64, 64)) / 8
    return np.sum(np.tanh(np.tanh(data @ w) @ second) ** 2)


def layernorm(x):
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred**2).mean(-1, keepdims=True)
    return np.sum((centred / np.sqrt(variance + 1e-5)) ** 3)


def stencil(u):
    for _ in range(4):
        u = u + 0.1 * (np.roll(u, 1, 0) + np.roll(u, -1, 0) - 2 * u) * u
    return np.sum(u**2)


# Arrays of 64 kB and more that a gradient makes: before, and now.
LARGE_ARRAYS = {
    "GELU": (gelu, (100, 100), 15, 3),
    "a network over a batch": (network, (64, 64), 11, 3),
    "layernorm": (layernorm, (100, 100), 10, 4),
    "a stencil": (stencil, (100, 100), 69, 9),
}


@pytest.mark.parametrize(("f", "shape", "before", "now"), LARGE_ARRAYS.values(), ids=LARGE_ARRAYS)
def test_large_arrays_are_made_once_and_written_over(f, shape, before, now, monkeypatch):
    """Each of them is asked of the system; predicted memory is what is allocated."""
    x = RNG.normal(size=shape)
    new, plan = planned_anew(monkeypatch, eg.grad(f), x), eg.grad(f).plan(x)
    counts = [sum(s.bytes >= LARGE for s in p.program.steps()) for p in (new, plan)]
    assert counts == [before, now]
    assert plan.peak_bytes <= new.peak_bytes
    assert bits(plan(x)) == bits(new(x))
    assert allocated(lambda: plan(x)) <= plan.peak_bytes * 1.05 + 2**17  # NumPy's own


def test_a_sum_takes_a_matrix_product_and_a_placement_in_place():
    """A diagonal plus an outer product is one matrix: the diagonal is added where it lies."""
    x = RNG.normal(size=300)
    plan = eg.hessian(lambda x: np.sum(np.tanh(x)) ** 2).plan(x)
    (placed,) = (s for s in plan.program.statements if isinstance(s.kernel, kernels.Place))
    assert placed.into == placed.operands[0]
    assert allocated(lambda: plan(x)) < 1.1 * 300 * 300 * 8


def test_small_results_are_made_anew():
    """A keyword takes as long as their memory."""
    x = RNG.normal(size=1000)
    assert not over(eg.grad(gelu).plan(x))


def test_a_plan_that_writes_over_values_is_pickled():
    x = RNG.normal(size=(100, 100))
    plan = eg.grad(gelu).plan(x)
    assert bits(pickle.loads(pickle.dumps(plan))(x)) == bits(plan(x))


def test_writing_over_dead_values_is_done_once(every_size):
    """The pass is idempotent: a result that has memory keeps it."""
    program = eg.grad(gelu).plan(RNG.normal(size=50)).program
    assert REUSE.get()(program).statements == program.statements


def test_what_is_added_last_does_not_say_how_a_sum_lies():
    """What was placed onto a sum of transposed arrays went to a copy of it (a reviewer)."""
    n = 46
    a, b, x = RNG.normal(size=(3, n, n))
    picks = RNG.integers(0, n, n)

    def f(x):
        total = ((np.sin(x) * b).T * x).sum() * 3.0 - ((x * np.sin(x) - x.T) ** 2).sum()
        total = total + (np.sin(a @ x).T * x).sum() * 3.0 + (np.sin(x) * b).sum()
        return total + np.exp(-(x**2)).sum() * 0.5 + (x[:, picks] * x).sum()

    v = RNG.normal(size=(n, n))
    slope = np.imag(f(x + 1e-30j * v)) / 1e-30
    plan, given = eg.grad(f).plan(x), np.empty((n, n))
    assert_close(np.sum(plan(x) * v), slope)
    assert np.array_equal(plan(x, out=given), plan(x))
