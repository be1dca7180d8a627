"""Laws of index tables: operations on them are those on zero-one matrices; none is in the text."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inside import most_table_bytes_kept
from reference import held_after

import eingrad as eg
from eingrad import _cache, _ir
from eingrad._ir import tables
from eingrad._plan.kernels import Place, Slice, SliceAxis
from eingrad._run import load

N = 5
ROWS = st.one_of(
    st.lists(st.integers(-1, N - 1), max_size=6),
    st.builds(
        lambda a, k, n: range(a, a + k * n, k), st.integers(0, 1), st.integers(1, 2), st.just(2)
    ),
)


def matrix(table, n):
    """The zero-one matrix of a table, by its definition."""
    return np.array([[j == row for j in range(n)] for row in table], bool).reshape(len(table), n)


def rows(table):
    return [int(row) for row in table]


@given(ROWS)
def test_a_table_that_is_a_range_is_one(given_rows):
    table = tables.canonical_table(given_rows)
    assert rows(table) == [*given_rows]
    steps = set(np.diff([*given_rows]).tolist())
    is_range = min([0, *given_rows]) >= 0 and len(steps) <= 1 and steps != {0}
    assert isinstance(table, range) == is_range
    assert isinstance(table, range) or not table.flags.writeable


WRITTEN = {
    "steps": ([range(0, 12, 3), range(0, 10, 3), [0, 3, 6, 9]], range(0, 10, 3)),
    "backwards": ([range(9, -3, -3), range(9, -1, -3), [9, 6, 3, 0]], range(9, -1, -3)),
    "backwards, not to the start": ([range(9, 0, -4), range(9, -2, -4)[:3]], range(9, 0, -4)),
    "one": ([range(4, 5), range(4, 20, 30), range(4, 0, -7), [4]], range(4, 5)),
    "none": ([range(3, 3), range(5, 2), []], range(0)),
}


@pytest.mark.parametrize(("equal", "expected"), WRITTEN.values(), ids=WRITTEN)
def test_equal_ranges_are_written_in_one_way(equal, expected):
    """They stop next to the last position: within the axis, and in one digest."""
    assert {repr(tables.canonical_table(table)) for table in equal} == {repr(expected)}


@pytest.mark.parametrize(
    "f",
    [lambda x: x[[0, 3, 6, 9]], lambda x: x[[9, 6, 3, 0]], lambda x: x[::3][::3],
     lambda x: x[::-1][1::4], lambda x: np.take(x, [9, 5, 1])],
)  # fmt: skip
def test_no_slice_is_beyond_its_axis(f):
    """The standard of array libraries does not say what that is."""
    x = np.arange(1.0, 11.0)
    for order in (0, 1):
        plan = eg.derivative(lambda x: np.sin(f(x)), order).plan(x)
        kernels = [s.kernel for s in plan.program.statements]
        found = [k.positions for k in kernels if isinstance(k, Slice)]
        pieces = [p for k in kernels if isinstance(k, Place) for p in k.pieces]
        found += [w.positions for p in pieces for w in p.where if isinstance(w, SliceAxis)]
        assert found
        assert all(-1 <= positions.stop <= 10 for positions in found)


@given(
    st.lists(st.integers(-1, 3), min_size=1, max_size=6),
    st.lists(st.integers(-1, N - 1), min_size=4, max_size=4),
)
def test_selecting_of_a_selection_composes(first, second):
    table = tables.compose(*map(tables.canonical_table, (first, second)))
    np.testing.assert_array_equal(matrix(table, N), matrix(first, 4) @ matrix(second, N))


@given(ROWS, ROWS)
def test_two_selections_of_one_index_match(first, second):
    table = tables.match_rows(*map(tables.canonical_table, (first, second)))
    wanted = matrix(first, N) @ matrix(second, N).T
    if table is None:
        chosen = [row for row in second if row >= 0 and row in first]
        assert len({*chosen}) < len(chosen)
    else:
        np.testing.assert_array_equal(matrix(table, len(second)), wanted)


@given(ROWS, ROWS)
def test_two_selections_of_one_index_are_a_row_for_each_pair(first, second):
    first, second = map(tables.canonical_table, (first, second))
    mine, theirs = tables.pairs_of_rows(first, second)
    assert len(mine) == len(theirs) == tables.number_of_pairs(first, second)
    pairs = matrix(mine, len(first)).T.astype(int) @ matrix(theirs, len(second))
    np.testing.assert_array_equal(pairs, matrix(first, N) @ matrix(second, N).T)


@given(st.lists(st.integers(-1, 11), max_size=6))
def test_positions_split_and_merge_again(positions):
    table = tables.canonical_table(positions)
    parts = [tables.unravel(table, (3, 2, 2), axis) for axis in range(3)]
    assert rows(tables.ravel(parts, (3, 2, 2))) == positions
    for axis, part in enumerate(parts):
        expected = [int(np.unravel_index(p, (3, 2, 2))[axis]) if p >= 0 else -1 for p in positions]
        assert rows(part) == expected


def test_positions_beyond_a_machine_word_are_exact():
    far = tables.compose(tables.canonical_table([1, -1, 0]), range(2**70, 2**71, 3))
    assert rows(far) == [2**70 + 3, -1, 2**70]
    assert rows(tables.unravel(far, (2**40, 2**31), 0)) == [2**39, -1, 2**39]
    node = _ir.selection(far, 2**72)
    assert node is _ir.selection([2**70 + 3, -1, 2**70], 2**72)
    assert node is not _ir.selection([2**70 + 2, -1, 2**70], 2**72)


@pytest.mark.parametrize("table", [[0.0, 1.0], ["0"], [None], np.array([0.5])])
def test_what_is_no_integer_is_refused(table):
    with pytest.raises(TypeError):
        _ir.selection(table, 2)


def test_equal_tables_are_one_node_whatever_they_are_written_in():
    written = (
        [0, 0, 1],
        (0, 0, 1),
        np.array([0, 0, 1], np.uint8),
        np.array([0, 0, 0, 1])[[0, 1, 3]],
    )
    assert len({_ir.selection(table, 2) for table in written}) == 1


# In programs -------------------------------------------------------------------------------------

INDEX = np.random.default_rng(0).integers(0, 50, 1000)


def gathered(index):
    return lambda x: np.sum(np.sin(x[index]) * np.arange(len(index)))


def scattered(index, slopes, n):
    return np.bincount(index, slopes, n)


def test_a_table_of_many_entries_is_no_text():
    """It is a constant of the program, and the last parameter of the source."""
    x = np.linspace(0, 1, 50)
    plan = eg.grad(gathered(INDEX)).plan(x)
    assert len(plan.source) < 500
    assert len(plan.program.constants) == 1
    expected = scattered(INDEX, np.cos(x[INDEX]) * np.arange(1000), 50)
    np.testing.assert_allclose(plan(x), expected, rtol=1e-13)
    given = plan.constants.values()
    captured = [known.array for known in plan.captured]
    np.testing.assert_array_equal(load(plan.source)(x, *captured, *given), plan(x))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(plan))(x), plan(x))


def test_a_table_of_few_entries_is_read_in_the_text():
    plan = eg.grad(lambda x: np.sum(x[[0, 0, 2]] ** 3)).plan(np.ones(4))
    assert "[0, 0, 2]" in plan.source
    assert not plan.constants


def test_constants_cannot_be_written_to():
    plan = eg.grad(gathered(INDEX)).plan(np.ones(50))
    assert not any(array.flags.writeable for array in plan.program.constants)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(np.sin(x[INDEX]) ** 2),
        lambda x: np.sum(np.pad(x, 100, "reflect" if len(x) > 100 else "wrap") ** 3),
        lambda x: np.sum(np.pad(x, 70) ** 3),
        lambda x: np.sum(np.outer(x, x)[INDEX, INDEX[::-1]] ** 2),
        lambda x: np.sum(np.sin(np.take(x, INDEX.reshape(20, 50)) @ np.ones(50))),
        lambda x: np.sum(np.tile(x, 3)[INDEX] * np.roll(x, 7)[INDEX]),
    ],
)
def test_large_tables_have_the_derivatives_of_small_ones(f, order):
    """Against the sum over entries of one-hot rows, which have no table."""
    x = np.linspace(-1, 1, 50)
    direction = np.cos(np.arange(50.0))
    ours = eg.derivative(f, order)(x)
    for _ in range(order):
        ours = ours @ direction
    h = 1e-3
    steps = np.array([f(x + k * h * direction) for k in range(-3, 4)])
    weights = {
        1: np.array([-1, 9, -45, 0, 45, -9, 1]) / 60 / h,
        2: np.array([2, -27, 270, -490, 270, -27, 2]) / 180 / h**2,
    }[order]
    np.testing.assert_allclose(ours, weights @ steps, rtol=1e-6)


def test_the_cache_is_bounded_in_bytes():
    """Three hundred functions with tables of 20,000 entries held 645 MB."""
    eg.cache_clear()
    x, w = np.ones(1000), np.linspace(0.0, 1.0, 300_000)
    rng = np.random.default_rng(0)

    def job():
        for _ in range(40):
            index = rng.integers(0, 1000, 300_000)
            eg.grad(lambda x, index=index: np.sum(w * x[index] ** 3))(x)

    assert held_after(job) < 2 * _cache.cache.maxbytes
    assert 1 < eg.cache_info().currsize < 40


TAKEN = ["k0", "k1", "t0", "t0_pass", "t0_x0", "t1_part", "t2_value", "t0_rest", "k", "t", "kt0"]


@pytest.mark.parametrize("name", TAKEN)
@pytest.mark.parametrize("index", [[0, 2, 1, 1], np.arange(100) % 4], ids=["text", "parameter"])
def test_an_argument_may_be_called_as_the_source_calls_what_is_its_own(name, index):
    """An argument named k0 hid a table: a wrong number, silently."""
    scope = {"np": np, "index": index}
    exec(f"def f(x, {name}): return np.sum(x[index] ** 2) * {name}", scope)
    x = np.arange(1.0, 5.0)
    expected = 2 * np.bincount(index, x[index], 4) * 3.0
    np.testing.assert_allclose(eg.grad(scope["f"])(x, 3.0), expected, rtol=1e-14)
    plan = eg.grad(scope["f"]).plan(x, 3.0)
    np.testing.assert_allclose(plan(x, 3.0, out=np.empty(4)), expected, rtol=1e-14)


def test_indices_of_many_batches_are_not_kept():
    """What calls leave for the next is bounded in bytes of tables too."""
    eg.cache_clear()
    rng, w = np.random.default_rng(0), np.ones(1000)

    def job():
        for _ in range(120):
            batch = rng.integers(0, 1000, 100_000)
            eg.grad(lambda w, batch=batch: np.sum(w[batch] ** 2))(w)

    held = held_after(job)
    eg.cache_clear()
    assert held < most_table_bytes_kept() + 2 * _cache.cache.maxbytes
