"""Programs on arrays of the array API standard: a second oracle for the emitter."""

import importlib.util
from types import SimpleNamespace

import array_api_strict
import numpy as np
import pytest
from cases import CASES, find
from hypothesis import given
from hypothesis import strategies as st
from inside import HALF_ROWS, MIRRORED_AT_ONCE, TILE_BYTES, gathered
from reference import assert_close, raw_derivatives
from strategies import functions, point, structured_networks
from test_tiles import looped, loops, make_small

import eingrad as eg
from eingrad import _ir
from eingrad._cache import input_specs
from eingrad._plan import (
    InputSpec,
    Program,
    Result,
    Statement,
    kernels,
    lower,
    pairwise,
)
from eingrad._plan.kernels import (
    Affine,
    At,
    Label,
    LookUp,
    MergeAxes,
    Merged,
    Part,
    PickAxis,
    Piece,
    Place,
    SliceAxis,
    SplitAxis,
    TableOperands,
)
from eingrad._primitives import PRIMITIVES, Primitive, apply
from eingrad._run import Executable
from eingrad._run.gathers import gathers
from eingrad._run.interpret import interpret
from eingrad._simplify import simplify
from eingrad.errors import DTypeError, UnsupportedFunctionError

SPACES = {"numpy": np, "array_api_strict": array_api_strict}


@pytest.fixture(params=SPACES.values(), ids=SPACES)
def xp(request):
    """A namespace, of the version of the standard that the interpreter asks for."""
    with array_api_strict.ArrayAPIStrictFlags(api_version="2024.12"):
        yield request.param


def run(program, arrays, xp):
    """Interpret; results are the namespace's own, in memory of theirs; inputs are as they were."""
    before = [np.array(a) for a in arrays]
    found = interpret(program, [xp.asarray(a) for a in arrays], xp)
    assert all(type(value) is type(xp.zeros(2)) for value in found)
    for a, b in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(a, b)
    results = [np.asarray(value) for value in found]
    for n, result in enumerate(results):
        others = [*arrays, *program.constants, *results[:n]]
        assert not any(np.shares_memory(result, other) for other in others)
    return results


def assert_agrees(program, arrays, xp, rtol=1e-12):
    """With the emitted source: shapes, dtypes, values."""
    expected = Executable(program).run(arrays)
    for found, value in zip(run(program, arrays, xp), expected, strict=True):
        assert found.dtype == value.dtype
        assert_close(found, value, rtol)


def arguments(inputs):
    return list(zip(inputs, input_specs(inputs), strict=True))


def lowered(nodes):
    """A program for nodes as they stand, its inputs, and arrays for them."""
    inputs = _ir.inputs(nodes)
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=n.shape).astype(n.dtype) for n in inputs]
    return lower(pairwise(nodes), arguments(inputs)), arrays


def agrees(plan, *arrays, xp, rtol=1e-12):
    """Of a plan, with the arrays that it captured."""
    captured = [known.array for known in plan.captured]
    assert_agrees(plan.program, [*arrays, *captured], xp, rtol)


def derivative_program(f, x, order, make):
    """Lower the derivatives of a function up to an order."""
    roots, variable = raw_derivatives(f, x.shape, *range(order + 1), dtype=x.dtype)
    return make(pairwise(simplify(roots)), [variable])


def kinds(program):
    return {type(s.kernel) for s in program.steps()}


# Whole programs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("order", range(3))
@pytest.mark.parametrize("case", {c.name: c for c in CASES}.values(), ids=lambda case: case.name)
def test_reference_derivatives_agree(case, order, xp):
    """The value and all derivatives: several results of one program."""
    f, x = case.build(case.small)
    agrees(eg.value_and_derivatives(f, order).plan(x), x, xp=xp, rtol=1e-9)


@given(case=functions(), seed=st.integers(0, 2**32 - 1), order=st.integers(0, 2))
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_derivatives_of_random_functions_agree(case, seed, order, space):
    f, shape = case
    x = point(shape, seed)
    program = derivative_program(
        lambda x: f(x, np), x, order, lambda *given: lower(given[0], arguments(given[1]))
    )
    assert_agrees(program, [x], space, 1e-9)


@pytest.mark.parametrize("row", PRIMITIVES, ids=lambda row: row.name)
def test_every_row_agrees(row, xp):
    """All results of one call."""
    arrays = row.sample(np.random.default_rng(0))
    inputs = [_ir.new_input(f"x{k}", a.shape, a.dtype) for k, a in enumerate(arrays)]
    nodes = [apply(row.name, *inputs, result=n, **row.attributes) for n in range(row.results)]
    assert_agrees(lower(nodes, arguments(inputs)), arrays, xp, 1e-14)


@pytest.mark.parametrize("row", [r for r in PRIMITIVES if not r.real and r.dtype is None],
                         ids=lambda row: row.name)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128])
def test_every_row_agrees_in_other_dtypes(row, dtype, xp):
    phase = 1 + 0.1j if np.dtype(dtype).kind == "c" else 1
    sample = row.sample(np.random.default_rng(0))
    arrays = [a if a.dtype == bool else (a * phase).astype(dtype) for a in sample]
    attributes = row.attributes | ({"dtype": np.dtype(dtype).str} if row.name == "cast" else {})
    inputs = [_ir.new_input(f"x{k}", a.shape, a.dtype) for k, a in enumerate(arrays)]
    node = apply(row.name, *inputs, **attributes)
    rtol = 1e-13 if dtype == np.complex128 else 1e-5
    assert_agrees(lower([node], arguments(inputs)), arrays, xp, rtol)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128])
def test_other_dtypes_agree(dtype, xp):
    """Numbers and constants are of the dtype of what they meet."""
    rng = np.random.default_rng(0)
    a, x = rng.normal(size=(3, 3)).astype(dtype), rng.normal(size=3).astype(dtype)
    imaginary = 1j if np.dtype(dtype).kind == "c" else 1

    def f(x):
        y = np.sin(a @ x) / 3 + 0.3 * imaginary * x[[0, 0, 2]] + np.concatenate([x[1:], x[:1]]) ** 3
        return (np.outer(y, x) * np.eye(3, dtype=dtype)).sum() + np.trace(a * x) + 2

    plan = eg.value_and_derivatives(f, 2).plan(x)
    agrees(plan, x, xp=xp, rtol=1e-12 if dtype == np.complex128 else 1e-5)


def test_constants_and_results_without_axes_are_arrays(xp):
    plan = eg.value_and_derivatives(lambda x: x * x + np.float64(2) / 3, 3).plan(2.0)
    agrees(plan, np.array(0.5), xp=xp)


# Products ----------------------------------------------------------------------------------------


@given(st.data())
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_random_products_agree(space, data):
    """Of two or three operands, with diagonals, batches, vectors, sums and broadcasts."""
    sizes = data.draw(st.lists(st.integers(1, 3), min_size=5, max_size=5))
    term = st.lists(st.integers(0, 4), max_size=4)
    terms = data.draw(st.lists(term, min_size=1, max_size=3))
    out = data.draw(st.lists(st.integers(0, 4), max_size=4, unique=True))
    shapes = [tuple(sizes[i] for i in term) for term in terms]
    operands = [_ir.new_input(f"a{k}", shape) for k, shape in enumerate(shapes)]
    factors = zip(operands, terms, strict=True)
    node = _ir.contract(factors, out, sizes, data.draw(st.sampled_from([1, -1, 0.3])))
    program, arrays = lowered([node])
    assert_agrees(program, arrays, space)


@pytest.mark.parametrize("subscripts", ["iij->ji", "iiijj->ij", "iji->ij", "iiii->i"])
def test_diagonals_agree(subscripts, xp):
    """Of two axes and more, apart and together."""
    term = subscripts.partition("->")[0]
    node = _ir.einsum(subscripts, _ir.new_input("a", tuple(3 if i == "i" else 2 for i in term)))
    program, arrays = lowered([node])
    assert_agrees(program, arrays, xp)


@pytest.mark.parametrize("in_place", [True, False])
def test_halves_agree(in_place, xp, monkeypatch):
    """A half is made whole, and the mirror reads one triangle of it; alone and in a loop."""
    HALF_ROWS.replace(monkeypatch, 4)
    MIRRORED_AT_ONCE.replace(monkeypatch, 1 if in_place else 10**9)
    eg.cache_clear()
    rng = np.random.default_rng(0)
    data, w = rng.normal(size=(40, 6)), rng.normal(size=6)
    plan = eg.hessian(lambda w: np.log(1 + np.exp(data @ w)).sum() + (w**4).sum()).plan(w)
    eg.cache_clear()
    (mirror,) = (s.kernel for s in plan.program.steps() if isinstance(s.kernel, kernels.Mirror))
    assert mirror.in_place == in_place
    assert in_place == any(getattr(s.kernel, "half", None) for s in plan.program.steps())
    agrees(plan, w, xp=xp)


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("at_once", [1, 10**9])
def test_mirrors_agree(order, at_once, xp, monkeypatch):
    """In place and not, of two blocks and three, of a variable of two axes."""
    MIRRORED_AT_ONCE.replace(monkeypatch, at_once)
    eg.cache_clear()
    rng = np.random.default_rng(0)
    a, x = rng.normal(size=(4, 6)), rng.normal(size=(2, 3))
    plan = eg.derivative(lambda x: np.exp(a @ x.ravel()).sum(), order).plan(x)
    eg.cache_clear()
    assert kernels.Mirror in kinds(plan.program)
    agrees(plan, x, xp=xp)


def test_what_the_source_leaves_to_einsum_agrees(xp):
    """Several operands, a diagonal, a broadcast, and indices that are summed."""
    shapes = (2, 3), (3, 4, 4), (4, 2)
    specs = tuple(InputSpec(n, n, s, np.dtype(float)) for n, s in zip("abc", shapes, strict=True))
    kernel = kernels.EinsumLoop(((0, 1), (1, 2, 2), (2, 3)), (3, 0))
    statement = Statement(kernel, (0, 1, 2), (3,), (Result((2, 2), np.dtype(float)),))
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in shapes]
    assert_agrees(Program(specs, (), (statement,), (3,)), arrays, xp)


# Placements --------------------------------------------------------------------------------------


@given(network=structured_networks(), factor=st.sampled_from([1, -1, 0.3]))
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_random_networks_with_structure_agree(space, network, factor):
    """Deltas, merges and selections, whose positions are given twice, or are missing."""
    operands, terms, out, sizes = network
    node = _ir.contract(zip(operands, terms, strict=True), out, sizes, factor, np.float64)
    program, arrays = lowered([node])
    assert_agrees(program, arrays, space)


PICKS = TableOperands(
    0, 1
)  # which are the first operands; the first position is given several times
PAIRS, MERGED = (Merged((2, n), (Label(0), Label(1))) for n in (2, 3))
PIECES = {  # shape of the buffer, how it is looked at, labels, their sizes
    "a pick": ((6, 2), (PickAxis(0, PICKS),), (0, 1), (4, 2)),
    "a pick on a diagonal": ((4, 6), (PickAxis(1, PICKS),), (0, 0), (4,)),
    "two picks": ((6, 6), (PickAxis(1, PICKS), PickAxis(0, PICKS)), (0, 1), (4, 4)),
    "a slice": ((2, 6), (SliceAxis(1, range(4, -1, -2)),), (0, 1), (2, 3)),
    "a split, then a pick": ((12,), (SplitAxis(0, (6, 2)), PickAxis(0, PICKS)), (0, 1), (4, 2)),
    "a merge, then a pick": ((2, 3, 2), (MergeAxes(0, 2), PickAxis(0, PICKS)), (1, 0), (4, 2)),
    "a merge, then a slice": ((2, 2, 3), (MergeAxes(1, 2), SliceAxis(1, range(0, 6, 2))), (0, 1),
                              (2, 3)),
    "a diagonal": ((3, 2, 3), (), (0, 1, 0), (3, 2)),
    "what is merged": ((8,), At((2, 3), (Affine(7, -1, MERGED),)), (0, 1), (2, 3)),
    "a table of what is merged": ((6, 2), At((2, 2), (LookUp(PICKS, PAIRS), Label(1))), (0, 1),
                                  (2, 2)),
    "parts of what is merged": ((3, 2), At((2, 3), (Part(2, 3, MERGED), Part(1, 2, MERGED))),
                                (0, 1), (2, 3)),
}  # fmt: skip


@pytest.mark.parametrize("case", PIECES.values(), ids=PIECES)
@pytest.mark.parametrize("core", [2, None])
def test_placements_agree(case, core, xp):
    """Of a core and of a number, twice the same, onto zeros."""
    shape, where, labels, sizes = case
    term = tuple(dict.fromkeys(labels))[::-1]  # a core in another order
    piece = Piece(where, labels, () if core is None else term, core, 0.3)
    spec = InputSpec("x", "x", sizes[::-1], np.dtype(float))
    tables = np.array([2, 0, 2, 5]), np.array([True, False, True, True])
    result = Result(shape, np.dtype(float))
    statement = Statement(Place(has_base=False, pieces=(piece, piece)), (1, 2, 0), (3,), (result,))
    x = np.random.default_rng(0).normal(size=sizes[::-1])
    assert_agrees(Program((spec,), tables, (statement,), (3,)), [x], xp)


@given(st.integers(1, 5), st.integers(0, 12), st.data())
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_gathers_add_where_a_position_is_given_twice(space, size, count, data):
    """As `np.add.at` does, but for -1, which is nowhere."""
    positions = np.array(data.draw(st.lists(st.integers(-1, size - 1), min_size=count,
                                            max_size=count)), dtype=np.intp)  # fmt: skip
    core = np.random.default_rng(0).normal(size=count)
    expected = np.zeros(size)
    np.add.at(expected, positions[positions >= 0], core[positions >= 0])
    steps = gathers(positions, (size,))
    found = gathered(space.asarray(core), steps, space)
    np.testing.assert_allclose(np.asarray(found), expected, atol=1e-14)


def test_a_position_given_often_takes_few_steps():
    assert len(gathers(np.zeros(1000, dtype=np.intp), (3,)).sums) == 10


def test_an_infinite_entry_stays_where_it_is(xp):
    """Nothing is multiplied by the zeros around it."""
    program, _ = lowered([_ir.einsum("ij,i->ij", _ir.delta(3), _ir.new_input("x", (3,)))])
    (found,) = run(program, [np.array([np.inf, np.nan, 1])], xp)
    np.testing.assert_array_equal(found, np.diag([np.inf, np.nan, 1]))


@pytest.mark.parametrize("subscripts", ["ij,jk->ik", "ij,kj->ki", "ij,kjl->kil"])
def test_takes_agree(subscripts, xp):
    """Along any axis; what selects nothing is zero."""
    picks = _ir.selection((2, -1, 2, 5), 6)
    shape = tuple(6 if i == "j" else 2 for i in subscripts[3:].partition("->")[0])
    program, arrays = lowered([_ir.einsum(subscripts, picks, _ir.new_input("x", shape))])
    assert kernels.Take in kinds(program)
    assert_agrees(program, arrays, xp)


@pytest.mark.parametrize(("missing", "has_base"), [(True, False), (False, True)])
def test_gathers_and_scatters_of_indices_agree(missing, has_base, xp):
    table = [3, 0, 3, 3, 1]
    scale = np.array([1.0, 0.0, 2.0, 3.0, 1.0])

    def f(x):
        picked = np.where(scale > 0, x[table], 0) if missing else x[table]
        return (np.sin(picked) * scale).sum() + ((x @ x) ** 2 if has_base else 0)

    x = np.random.default_rng(0).normal(size=4)
    for order in range(3):
        agrees(eg.derivative(f, order).plan(x), x, xp=xp)


# Loops -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["layernorm", "attention in Wq", "tanh network, first weight",
                                  "logistic", "pairwise distances, N = 100"])  # fmt: skip
def test_loops_agree(name, xp, monkeypatch):
    make_small(monkeypatch)
    case = find(name, 2)
    f, x = case.build(case.small)
    program = derivative_program(f, x, 2, looped)
    assert loops(program)
    assert_agrees(program, [x], xp, 1e-9)


@pytest.mark.parametrize(("n", "count"), [(1, 0), (5, 2), (7, 2), (12, 1)])
def test_loops_that_write_and_accumulate_agree(n, count, xp, monkeypatch):
    """A shorter tile comes last if no step divides the size: a loop of its own. One row: none."""
    make_small(monkeypatch)
    TILE_BYTES.replace(monkeypatch, 96)  # three rows
    x, w = _ir.new_input("x", (n, 3)), _ir.new_input("w", (3, 4))
    z = _ir.einsum("ij,jk->ik", x, w)
    program = looped([_ir.einsum("ik,ik->k", z, z), _ir.einsum("ik,ik->i", z, z)], [x, w])
    assert len(loops(program)) == count
    rng = np.random.default_rng(n)
    assert_agrees(program, [rng.normal(size=(n, 3)), rng.normal(size=(3, 4))], xp)


# Devices -----------------------------------------------------------------------------------------


def test_all_arrays_are_made_on_the_device_of_the_inputs():
    """Numbers, constants, gathers, masks, triangles, and rows that have no operands."""
    device = array_api_strict.Device("device1")
    a = np.random.default_rng(0).normal(size=(4, 4))

    def f(x):
        y = np.cumsum(np.sin(a @ x)) + x[[0, 0, 2, 1]] + np.maximum(x, 0.5)
        return np.exp(a @ y).sum() + (x**4).sum()

    x = np.random.default_rng(1).normal(size=4)
    plan = eg.value_and_derivatives(f, 2).plan(x)
    assert any(s.kernel.label == "tri" for s in plan.program.steps())
    arrays = [x, *(known.array for known in plan.captured)]
    given = [array_api_strict.asarray(array, device=device) for array in arrays]
    found = interpret(plan.program, given, array_api_strict)
    assert all(value.device == device for value in found)


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_arrays_that_cannot_be_written_are_traced():
    """By `jax.jit`: a Hessian with a gather."""
    import jax  # noqa: PLC0415 - an optional oracle

    jax.config.update("jax_enable_x64", True)
    a, x = np.random.default_rng(0).normal(size=(4, 4)), np.linspace(0, 1, 4)
    plan = eg.hessian(lambda x: np.exp(a @ np.sin(x) + x[[0, 0, 2, 1]]).sum() + (x**4).sum()).plan(
        x
    )
    arrays = [x, *(known.array for known in plan.captured)]
    traced = jax.jit(lambda *given: interpret(plan.program, given, jax.numpy))
    assert_close(traced(*arrays)[0], plan(x), rtol=1e-12)


# What is refused ---------------------------------------------------------------------------------


def test_a_row_that_the_standard_lacks_is_refused(xp):
    row = Primitive("bessel", np.i0, PRIMITIVES[0].sample)
    x = _ir.new_input("x", (2,))
    node = _ir.apply_node(row, [x], {}, 0, (2,), np.float64)
    message = f"^'bessel' cannot be computed in {xp.__name__}: there is no 'bessel' in it; "
    with pytest.raises(UnsupportedFunctionError, match=message):
        interpret(lower([node], arguments([x])), [xp.zeros(2)], xp)


def test_linear_algebra_is_refused_where_the_extension_is_missing():
    x = _ir.new_input("x", (2, 2))
    program = lower([apply("inverse", x)], arguments([x]))
    space = SimpleNamespace(asarray=np.asarray)
    message = r"^'inverse' cannot be computed in SimpleNamespace: there is no 'linalg\.inv' in it; "
    with pytest.raises(UnsupportedFunctionError, match=message):
        interpret(program, [np.eye(2)], space)


def test_a_dtype_that_the_standard_lacks_is_refused():
    x = _ir.new_input("x", (2,), np.float16)
    program = lower(
        [_ir.einsum("i->i", x, coefficient=3), _ir.fill(1, (2,), np.float16)], arguments([x])
    )
    message = "^array_api_strict has no dtype 'float16'; "
    with pytest.raises(DTypeError, match=message):
        interpret(program, [np.zeros(2)], array_api_strict)
