"""Laws of the order of statements: the same bits, a lower peak, and order where one overwrites."""

import numpy as np
import pytest
from cases import CASES, diagonal_blocks, find
from hypothesis import given
from hypothesis import strategies as st
from inside import (
    IN_LESS_MEMORY,
    MIRRORED_AT_ONCE,
    ORDERED_BYTES,
    statements_before,
)
from reference import allocated
from strategies import functions, point

import eingrad as eg
from eingrad._plan import InputSpec, Program, Result, Statement, kernels


@pytest.fixture(autouse=True)
def _forget():
    eg.cache_clear()
    yield
    eg.cache_clear()


def planned(monkeypatch, derivative, x, *, ordered):
    """Plan in the order of lowering; or in a better one, however little memory that takes."""
    with monkeypatch.context() as patch:
        if ordered:
            ORDERED_BYTES.replace(patch, 1)
        else:
            IN_LESS_MEMORY.replace(patch, lambda program: program)
        eg.cache_clear()
        plan = derivative.plan(x)
    eg.cache_clear()
    return plan


def bits(value):
    return [np.asarray(x).tobytes() for x in (value if isinstance(value, tuple) else (value,))]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_results_have_the_same_bits(case, monkeypatch):
    f, x = case.make(np.random.default_rng(1), *case.small)
    before, after = (
        planned(
            monkeypatch, eg.hessian(f) if case.order == 2 else eg.derivative(f, 1), x, ordered=o
        )
        for o in (False, True)
    )
    assert bits(after(x)) == bits(before(x))
    assert after.peak_bytes <= before.peak_bytes
    assert after.flops == before.flops


@given(f=functions(), seed=st.integers(0, 2**32 - 1))
def test_random_programs_have_the_same_bits(f, seed):
    """Also with mirrors in place, which other readers of that memory must not meet half done."""
    f, shape = f
    x = point(shape, seed)
    with pytest.MonkeyPatch.context() as patch:
        MIRRORED_AT_ONCE.replace(patch, 1)
        derivative = eg.value_and_derivatives(f, order=2)
        before, after = (planned(patch, derivative, x, ordered=o) for o in (False, True))
    assert bits(after(x)) == bits(before(x))
    assert after.peak_bytes <= before.peak_bytes


@pytest.mark.parametrize(
    ("name", "percent"),
    [("tanh network, first weight", 55), ("Gaussian process, n = 300", 65)],
)
def test_less_is_live_at_once(name, percent, monkeypatch):
    """Predicted, and allocated."""
    case = find(name, 2)
    f, x = case.build(case.sizes)
    before, after = (planned(monkeypatch, eg.hessian(f), x, ordered=o) for o in (False, True))
    assert 100 * after.peak_bytes <= percent * before.peak_bytes
    assert allocated(lambda: after(x)) <= 1.1 * after.peak_bytes + 2**17


def test_a_value_is_made_near_where_it_is_used():
    """Ten large terms, each of two functions, are added up as they are made."""

    def f(x):
        return sum(np.sin(x[k]) * np.cos(x[k]) for k in range(10))

    x = np.random.default_rng(0).normal(size=(10, 50_000))
    plan = eg.plan(f, x)
    assert plan.peak_bytes <= 12 * 50_000 * 8
    assert allocated(lambda: plan(x)) <= 12.5 * 50_000 * 8


def test_a_program_of_little_memory_keeps_its_order():
    x = np.random.default_rng(0).normal(size=20)
    program = eg.hessian(lambda x: np.sum(np.exp(np.outer(x, np.sin(x))))).plan(x).program
    assert IN_LESS_MEMORY.get()(program) is program


def test_what_is_written_in_place_keeps_its_order():
    """Who reads a matrix before it is mirrored comes before that, and who reads it after, after."""
    matrix, scalar = Result((4, 4), np.dtype(float)), Result((), np.dtype(float))
    total = kernels.Sum(((0, 1),), ())
    statements = (
        Statement(kernels.Scale(2), (0,), (1,), (matrix,)),
        Statement(total, (1,), (2,), (scalar,)),
        Statement(kernels.Mirror((4, 4), ((0, 2, 1),), in_place=True), (1,), (3,), (matrix,)),
        Statement(total, (3,), (4,), (scalar,)),
        Statement(total, (1,), (5,), (scalar,)),
    )
    inputs = (InputSpec("x", "x", (4, 4), np.dtype(float)),)
    program = Program(inputs, (), statements, (2, 4, 5))
    assert statements_before(program) == [[], [0], [0, 1], [2], [0, 2]]


def test_loops_come_after_who_read_their_buffers(monkeypatch):
    """And all passes of a loop before who reads what they write."""
    f, x = diagonal_blocks(np.random.default_rng(0), 600)
    before, after = (planned(monkeypatch, eg.derivative(f, 0), x, ordered=o) for o in (False, True))
    assert any(isinstance(s.kernel, kernels.Loop) for s in after.program.statements)
    assert bits(after(x)) == bits(before(x))
