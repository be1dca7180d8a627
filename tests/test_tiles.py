"""Loops over tiles: the same values, in a fraction of the memory."""

import math
import pickle

import numpy as np
import pytest
from cases import CASES, diagonal_blocks, find
from hypothesis import given
from hypothesis import strategies as st
from inside import (
    LEAST_TILE_BYTES,
    MAY_BE_CUT,
    PERCENT_FOR_MEMORY,
    SEED_BYTES,
    SLICED_BYTES,
    TILE_BYTES,
    compose,
    tile_step,
)
from reference import allocated, assert_close, evaluate, raw_derivatives
from strategies import functions, point

import eingrad as eg
from eingrad import _ir
from eingrad._cache import input_specs
from eingrad._plan import kernels, lower, pairwise, tiles
from eingrad._plan.tiling import Tiling
from eingrad._run import Executable
from eingrad._simplify import simplify


@pytest.fixture
def small(monkeypatch):
    """Let intermediates of a few numbers be worth a loop."""
    make_small(monkeypatch)


def make_small(monkeypatch):
    TILE_BYTES.replace(monkeypatch, 24)
    SEED_BYTES.replace(monkeypatch, 32)
    SLICED_BYTES.replace(monkeypatch, 1)


def looped(roots, inputs):
    """Lower roots with all loops that can be made."""
    return lower(tiles.tile(roots, 10**12), list(zip(inputs, input_specs(inputs), strict=True)))


def loops(program):
    return [s for s in program.statements if isinstance(s.kernel, kernels.Loop)]


def run(program, *arrays):
    return Executable(program).run(arrays)


def derivative_roots(f, x, order):
    roots, variable = raw_derivatives(f, x.shape, order)
    return pairwise(simplify(roots)), variable


def einsum_inputs(**shapes):
    return [_ir.new_input(name, shape) for name, shape in shapes.items()]


# Values ------------------------------------------------------------------------------------------


@given(case=functions(), seed=st.integers(0, 2**32 - 1), order=st.integers(0, 2))
def test_loops_keep_values(case, seed, order):
    """Of derivatives of random functions, with loops wherever one can be."""
    f, shape = case
    x = point(shape, seed)
    roots, variable = derivative_roots(lambda x: f(x, np), x, order)
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch)
        program = looped(roots, [variable])
    for root, result in zip(roots, run(program, x), strict=True):
        assert result.shape == root.shape
        assert result.dtype == root.dtype
        assert_close(result, evaluate(root, {variable: x}), rtol=1e-11)


@pytest.mark.parametrize("case", [c for c in CASES if "chain" not in c.name], ids=str)
def test_loops_keep_values_of_reference_derivatives(case, small):
    f, x = case.build(case.small)
    roots, variable = derivative_roots(f, x, case.order)
    program = looped(roots, [variable])
    for root, result in zip(roots, run(program, x), strict=True):
        assert_close(result, evaluate(root, {variable: x}))


def test_reference_derivatives_have_loops(small):
    """The test above would accept a pass that makes none."""
    cases = [c for c in CASES if c.order == 2 and "chain" not in c.name]
    found = 0
    for case in cases:
        f, x = case.build(case.small)
        roots, variable = derivative_roots(f, x, case.order)
        found += bool(loops(looped(roots, [variable])))
    assert found > len(cases) / 2


@pytest.mark.parametrize("n", [1, 2, 3, 5, 7, 12, 13])
def test_a_loop_covers_every_row_once(n, small):
    """Also where no step divides the size: a shorter tile comes last."""
    x, w = einsum_inputs(x=(n, 3), w=(3, 4))
    z = _ir.einsum("ij,jk->ik", x, w)
    roots = [_ir.einsum("ik,ik->k", z, z), _ir.einsum("ik,ik->i", z, z)]
    program = looped(roots, [x, w])
    assert loops(program)
    rng = np.random.default_rng(n)
    a, b = rng.normal(size=(n, 3)), rng.normal(size=(3, 4))
    for root, result in zip(roots, run(program, a, b), strict=True):
        assert_close(result, evaluate(root, {x: a, w: b}), rtol=1e-13)


@given(st.integers(1, 10_000), st.data())
def test_tiles_cover_a_range(size, data):
    step = tile_step(size, data.draw(st.integers(1, size)))
    loop = Tiling({}, (), (), (), (), size, step)
    rows = [row for r in loop.tiles() for start in r for row in range(start, start + r.step)]
    assert rows == list(range(size))
    assert all(passes.step <= step for passes in loop.tiles())


# What a loop may hold ----------------------------------------------------------------------------


def test_what_needs_a_total_comes_after_the_loop(small):
    """``z / sum(z)`` needs all of z before its first row: z is written, and the rest follows."""
    x, w = einsum_inputs(x=(8, 3), w=(3, 4))
    z = _ir.einsum("ij,jk->ik", x, w)
    total = _ir.einsum("ik->", z)
    root = _ir.einsum("ik,->k", z, total)
    program = looped([root], [x, w])
    a, b = np.random.default_rng(0).normal(size=(8, 3)), np.ones((3, 4))
    assert_close(run(program, a, b)[0], evaluate(root, {x: a, w: b}))


def test_a_diagonal_of_what_is_sliced_is_taken_after_the_loop(small):
    x, w = einsum_inputs(x=(8, 3), w=(3, 8))
    z = _ir.einsum("ij,jk->ik", x, w)
    roots = [_ir.einsum("ik,ik->k", z, z), _ir.einsum("ii->i", z)]
    program = looped(roots, [x, w])
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(8, 3)), rng.normal(size=(3, 8))
    for root, result in zip(roots, run(program, a, b), strict=True):
        assert_close(result, evaluate(root, {x: a, w: b}))


def test_a_product_of_one_tensor_in_two_places_is_sliced_in_one(small):
    """``x_ik x_jk`` in rows i: x in slices and x whole."""
    (x,) = einsum_inputs(x=(9, 2))
    gram = _ir.einsum("ik,jk->ij", x, x)
    root = _ir.einsum("ij,ij,jl->il", gram, gram, x)
    roots = pairwise([root])
    (loop, *_) = loops(looped(roots, [x]))
    assert {0, None} <= set(loop.kernel.axes)
    a = np.random.default_rng(0).normal(size=(9, 2))
    assert_close(run(looped(roots, [x]), a)[0], evaluate(root, {x: a}))


def test_a_mask_of_a_triangle_is_not_sliced(small):
    """Its size is no operand's: a slice of it would be another mask. (The fuzzer found it.)"""
    x = np.random.default_rng(0).random((4, 3, 3)) + 0.5
    roots, variable = derivative_roots(lambda x: np.cumulative_prod(x, axis=0), x, 1)
    (found,) = run(looped(roots, [variable]), x)
    assert_close(found, evaluate(roots[0], {variable: x}))


def test_what_has_no_operands_may_be_sliced(small):
    """The derivative of ``logaddexp`` at two equal arguments knows its entries."""
    x = np.arange(4.0)
    roots, variable = derivative_roots(lambda x: np.logaddexp(x, x), x, 1)
    (found,) = run(looped(roots, [variable]), x)
    assert_close(found, evaluate(roots[0], {variable: x}))


def test_two_programs_may_share_a_loop(small):
    """Siblings of a loop that still lives are found again, with it."""
    x, w = einsum_inputs(x=(8, 3), w=(3, 4))
    z = _ir.einsum("ij,jk->ik", x, w)
    roots = [_ir.einsum("ik,ik->k", z, z), _ir.einsum("ik,ik->i", z, z)]
    alive = tiles.tile(roots, 10**12)[:1]
    program = looped(roots, [x, w])
    assert len({s.written for s in loops(program)}) == 1
    del alive


def test_many_large_intermediates_that_no_loop_helps_are_planned_in_time():
    """A search for each of them would be quadratic."""
    eye = np.eye(600)

    def f(x):
        for _ in range(60):
            x = np.linalg.inv(x @ eye)
        return x

    plan = eg.derivative(f, 0).plan(eye)
    assert not loops(plan.program)


# What a loop is for ------------------------------------------------------------------------------


def test_diagonal_blocks_of_a_pairwise_energy_take_a_hundredth_of_its_hessian():
    n = 2483
    f, x = diagonal_blocks(np.random.default_rng(0), n)
    plan = eg.derivative(f, 0).plan(x)
    assert plan.peak_bytes <= 8 * (3 * n) ** 2 / 80
    assert plan.flops <= 70 * n**2


def test_predicted_memory_of_a_loop_is_what_is_allocated():
    f, x = diagonal_blocks(np.random.default_rng(0), 600)
    plan = eg.derivative(f, 0).plan(x)
    assert loops(plan.program)
    peak = allocated(lambda: plan(x))
    assert plan.peak_bytes / 1.1 <= peak <= plan.peak_bytes * 1.1 + 2**16


def test_predicted_memory_holds_where_a_loop_reads_slices_of_intermediates(monkeypatch):
    """A slice that outlived the loop kept what it was a slice of."""
    n = 700
    eye = 30 * np.eye(n)

    def f(x):
        y = np.linalg.inv(x)
        s = np.exp(np.sin(y) * np.cos(y) + np.tanh(y)).sum(0)
        return np.linalg.inv(np.outer(s, s) + eye)

    x = np.random.default_rng(0).normal(size=(n, n)) + eye
    eg.cache_clear()
    plan = eg.derivative(f, 0).plan(x)
    eg.cache_clear()
    assert any({0, 1} & {*loop.kernel.axes} for loop in loops(plan.program))
    peak = allocated(lambda: plan(x))
    assert peak <= plan.peak_bytes * 1.1 + 2**16


def test_predicted_memory_holds_where_a_pass_gives_a_view():
    """What a result of a pass is a view of outlived the pass."""
    rng = np.random.default_rng(0)
    data, labels = rng.normal(size=(5000, 10)), np.eye(6)[rng.integers(0, 6, 5000)]

    def loss(w):
        z = data @ w
        return (np.log(np.exp(z).sum(1)) - (labels * z).sum(1)).sum() / 5000

    w = rng.normal(size=(10, 6)) / 10
    plan = eg.value_and_derivatives(loss, order=3).plan(w)
    assert loops(plan.program)
    assert allocated(lambda: plan(w)) <= plan.peak_bytes * 1.1 + 2**16


def test_a_singular_matrix_that_a_loop_made_is_named_by_the_loop():
    data = np.random.default_rng(0).normal(size=(400_000, 3))

    def f(w):
        b = np.tanh(data @ np.outer(w, w))
        return np.linalg.inv(np.sqrt(b * b + 1).T @ b)

    plan = eg.derivative(f, 0).plan(np.ones(3))
    assert loops(plan.program)
    with pytest.raises(np.linalg.LinAlgError, match=r"that the loop in line \d+ makes"):
        plan(np.zeros(3))


def test_a_loop_that_saves_less_than_half_the_memory_is_not_kept(monkeypatch):
    """Of two arrays, the result must be there whole."""
    MAY_BE_CUT.replace(monkeypatch, lambda program: True)
    PERCENT_FOR_MEMORY.replace(monkeypatch, 1000)
    seen = []
    monkeypatch.setattr(compose, "tile", lambda *args: seen.append(tiles.tile(*args)) or seen[-1])
    eg.cache_clear()
    plan = eg.derivative(lambda x: np.exp(np.sin(x)), 0).plan(np.ones((2000, 500)))
    eg.cache_clear()
    assert any(isinstance(n, _ir.Apply) and isinstance(n.primitive, Tiling) for n in seen[0])
    assert not loops(plan.program)


def test_a_loop_that_costs_much_more_or_saves_little_is_not_made(monkeypatch):
    f, x = diagonal_blocks(np.random.default_rng(0), 500)
    for part, value in ((PERCENT_FOR_MEMORY, 10), (LEAST_TILE_BYTES, 2**30)):
        with monkeypatch.context() as patch:
            part.replace(patch, value)
            eg.cache_clear()
            assert not loops(eg.derivative(f, 0).plan(x).program)
    eg.cache_clear()


def test_views_of_what_is_not_sliced_are_not_written(small):
    """They are as free outside."""
    x, w = einsum_inputs(x=(8, 5), w=(5,))
    wide = _ir.contract([(w, (1,))], (0, 1), {0: 8})
    z = _ir.add([x, wide])
    total = _ir.contract([(_ir.einsum("ij,ij->", z, z), ())], (0, 1), {0: 8, 1: 5})
    late = _ir.add([wide, total])
    program = looped([late], [x, w])
    assert loops(program)
    assert all(0 not in loop.kernel.writes for loop in loops(program))


def test_a_loop_is_made_only_where_it_halves_the_memory():
    """Here the result is the largest: nothing would be saved."""
    plan = eg.derivative(lambda x: np.exp(np.sin(x)), 0).plan(np.ones((2000, 500)))
    assert not loops(plan.program)


def test_a_loop_is_not_made_where_multiplying_takes_the_time():
    """A network's Hessian, of 13 MB in the order of lowering, was slower in pieces."""
    case = find("tanh network, first weight", 2)
    f, x = case.build(case.sizes)
    plan = eg.derivative(f, 2).plan(x)
    assert plan.peak_bytes > 2**22
    assert not loops(plan.program)


def test_a_loop_goes_through_small_intermediates_too(monkeypatch):
    """All layers of a network are in one loop over the samples, not in one each."""
    PERCENT_FOR_MEMORY.replace(monkeypatch, 1000)
    case = find("tanh network, first weight", 2)
    f, x = case.build(case.sizes)
    eg.cache_clear()
    program = eg.derivative(f, 2).plan(x).program
    eg.cache_clear()
    (loop,) = loops(program)
    assert loop.kernel.writes == (None, None)
    assert program.peak_bytes < 2**22


def test_adding_up_stays_a_small_part_of_the_work():
    """So few passes are made that cost grows by a twentieth at most."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(100_000, 50))
    hessian = eg.hessian(lambda w: np.log1p(np.exp(data @ w)).sum())
    plan = hessian.plan(rng.normal(size=50))
    program = plan.program
    assert loops(program)
    elements = sum(
        math.prod(s.shape) for s in program.statements if isinstance(s.kernel, kernels.Fill)
    )
    added = elements * sum(len(s.kernel.passes) for s in loops(program))
    assert added <= program.flops / 20


# What a user sees --------------------------------------------------------------------------------


def loop_plan():
    f, x = diagonal_blocks(np.random.default_rng(0), 500)
    return eg.derivative(f, 0).plan(x), x


def test_source_with_loops_runs_alone():
    plan, x = loop_plan()
    namespace = {}
    exec(plan.source, namespace)
    np.testing.assert_array_equal(namespace["derivative"](x), plan(x))
    assert "for row in range(0, " in plan.source


def test_the_table_shows_a_pass_below_its_loop():
    plan, _ = loop_plan()
    lines = str(plan).splitlines()
    first = next(n for n, line in enumerate(lines) if "loop" in line.split())
    assert "20 passes of 25" in lines[first]
    assert lines[first + 1].startswith("  t")


def test_a_plan_with_loops_pickles():
    plan, x = loop_plan()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(plan))(x), plan(x))


def test_plans_with_loops_are_equal_in_every_process_order():
    """Text does not depend on what was planned before."""
    texts = set()
    for size in (500, 300, 500):
        f, x = diagonal_blocks(np.random.default_rng(0), size)
        eg.cache_clear()
        source = eg.derivative(f, 0).plan(x).source
        texts |= {source} if size == 500 else set()
    assert len(texts) == 1


def test_a_variable_named_like_one_of_a_loop_is_renamed():
    t3_4 = eg.variable("t3_4", (500, 3))
    difference = t3_4[:, None, :] - t3_4[None, :, :]
    energy = np.sum(np.sqrt(np.sum(difference**2, axis=2) + 1e-6) ** 3)
    plan = eg.compile(energy)
    assert loops(plan.program)
    assert "derivative(a0)" in plan.source
    x = np.random.default_rng(0).normal(size=(500, 3))
    d = x[:, None, :] - x[None, :, :]
    np.testing.assert_allclose(plan(x), np.sum(np.sqrt(np.sum(d**2, axis=2) + 1e-6) ** 3))


@pytest.mark.parametrize("subscripts", ["ip,ti,tq,{},sp,jq->sj", "jq,sp,{},tq,ti,ip->js"])
@pytest.mark.parametrize("term", ["pq", "qp"])
def test_slices_of_a_large_operand_are_its_rows(subscripts, term):
    """Columns save a hundredth more memory, but lie in hundreds of runs, each waited for."""
    subscripts = subscripts.format(term)
    sizes = {"p": 700, "q": 500, "i": 60, "j": 60, "s": 24, "t": 16}
    terms = subscripts.partition("->")[0].split(",")
    plan = eg.einsum_plan(subscripts, *[tuple(sizes[i] for i in t) for t in terms])
    (loop,) = loops(plan.program)
    (axis,) = (
        a for n, a in zip(loop.operands, loop.kernel.axes, strict=False) if n == terms.index(term)
    )
    assert axis == 0


def test_a_loop_has_more_than_one_pass(small, monkeypatch):
    """Where one tile is all there is, nothing is saved: it was a loop of one pass."""
    a, b = einsum_inputs(a=(6, 5), b=(5, 7))
    product = _ir.einsum("ij,jk->ik", a, b)
    roots = [_ir.einsum("ik,ik->k", product, product)]
    (made,) = loops(looped(roots, [a, b]))
    assert len(made.kernel.passes) > 1
    TILE_BYTES.replace(monkeypatch, 10**6)
    assert not loops(looped(roots, [a, b]))
