"""Laws of simplification, paths, programs and emitted source."""

import functools
import gc
import itertools
import linecache
import pickle
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inside import kernel_of
from reference import (
    allocated,
    assert_close,
    central_difference,
    complex_step,
    evaluate,
    raw_derivatives,
)
from strategies import functions, point, structured_networks

import eingrad as eg
from eingrad import _ir
from eingrad._cache import input_specs
from eingrad._cost import contraction_flops
from eingrad._emit import emit
from eingrad._forms import compile_program
from eingrad._plan import find_path, greedy_path, pairwise
from eingrad._run import Executable
from eingrad._simplify import MOST_OPERANDS, regroup, simplify, walk


def _derivative_node(f, shape, order):
    (node,), x = raw_derivatives(f, shape, order)
    return x, node


def associate(roots):
    """Join chains of contractions."""
    return walk(roots, (regroup,))


@given(case=functions(), seed=st.integers(0, 2**32 - 1), order=st.integers(0, 2))
@pytest.mark.parametrize("a_pass", [associate, pairwise, simplify])
def test_a_pass_keeps_value_shape_and_dtype(a_pass, case, seed, order):
    """Sound: on derivatives of random functions, against the reference evaluator."""
    f, shape = case
    x, node = _derivative_node(f, shape, order)
    (after,) = a_pass([node])
    _ir.verify([after])
    values = {x: point(shape, seed)}
    assert after.dtype == node.dtype
    assert_close(evaluate(after, values), evaluate(node, values), rtol=1e-11)


@given(case=functions(), order=st.integers(0, 2))
def test_simplification_is_idempotent(case, order):
    """A second run finds nothing to do."""
    f, shape = case
    _, node = _derivative_node(f, shape, order)
    once = simplify([node])
    assert simplify(once) == once


def test_regrouping_opens_single_uses_only():
    """The property above would accept a pass that does nothing; this one does not."""
    a, b = _ir.new_input("a", (3, 3)), _ir.new_input("b", (3, 3))
    v = _ir.new_input("v", (3,))
    ab = _ir.einsum("ij,jk->ik", a, b)
    (flat,) = associate([_ir.einsum("ij,j->i", ab, v)])
    assert set(flat.operands) == {a, b, v}
    shared = [_ir.einsum("ij,j->i", ab, v), ab]
    assert associate(shared) == shared


def test_regrouping_is_bounded():
    """A long chain is cut, so that planning stays linear."""
    x = _ir.new_input("m0", (2, 2))
    for k in range(1, 100):
        x = _ir.einsum("ij,jk->ik", x, _ir.new_input(f"m{k}", (2, 2)))
    longest = max(len(_ir.children(n)) for n in _ir.topological(associate([x])))
    assert 2 < longest <= MOST_OPERANDS


# Paths -------------------------------------------------------------------------------------------


def _flops_of(path, terms, out, sizes):
    live = [frozenset(t) for t in terms]
    total = 0
    for step in path:
        chosen = [live[k] for k in step]
        live = [t for k, t in enumerate(live) if k not in step]
        union = frozenset().union(*chosen)
        kept = union & frozenset(out).union(*live)
        total += contraction_flops({i: sizes[i] for i in union}, summed=kept != union)
        live.append(kept)
    return total


def _least_flops(terms, out, sizes):
    """Every order of every pair: the oracle."""
    if len(terms) == 1:
        return 0
    best = None
    for a, b in itertools.combinations(range(len(terms)), 2):
        rest = [t for k, t in enumerate(terms) if k not in (a, b)]
        union = terms[a] | terms[b]
        kept = union & frozenset(out).union(*rest)
        step = contraction_flops({i: sizes[i] for i in union}, summed=kept != union)
        total = step + _least_flops([*rest, kept], out, sizes)
        best = total if best is None else min(best, total)
    return best


@pytest.mark.parametrize("seed", range(60))
def test_paths_are_near_the_exhaustive_optimum(seed):
    """On hyperedge networks of up to five operands; writes are weighed too, hence near."""
    rng = random.Random(seed)
    sizes = {i: rng.choice([2, 5, 20]) for i in range(5)}
    terms = [tuple(rng.sample(range(5), rng.randint(1, 3))) for _ in range(rng.randint(3, 5))]
    used = sorted({i for t in terms for i in t})
    out = tuple(rng.sample(used, rng.randint(0, min(2, len(used)))))
    lone = {i for i in used if sum(i in t for t in terms) == 1 and i not in out}
    terms = [tuple(i for i in t if i not in lone) for t in terms]  # summed before any pair meets
    best = _least_flops([frozenset(t) for t in terms], out, sizes)
    assert _flops_of(find_path(terms, out, sizes), terms, out, sizes) <= 1.3 * best
    assert len(greedy_path(terms, out, sizes)) == len(terms) - 1


def test_a_chain_ending_in_a_vector_is_planned_from_the_vector():
    """Reverse mode is a contraction order."""
    terms = [(k, k + 1) for k in range(12)] + [(12,)]
    sizes = dict.fromkeys(range(13), 50)
    assert _flops_of(find_path(terms, (0,), sizes), terms, (0,), sizes) == 12 * 2 * 50**2
    terms = [(k, k + 1) for k in range(40)] + [(40,)]
    sizes = dict.fromkeys(range(41), 50)
    assert _flops_of(find_path(terms, (0,), sizes), terms, (0,), sizes) == 40 * 2 * 50**2


def test_planning_leaves_the_users_random_state_alone():
    """No search reseeds anything."""
    random.seed(1)
    before = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002 - what it is about
    find_path([(k, k + 1, 50 + k % 3) for k in range(30)], (0,), dict.fromkeys(range(60), 3))
    assert random.getstate() == before[0]
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002 - what it is about


# Programs ----------------------------------------------------------------------------------------


@given(network=structured_networks(), seed=st.integers(0, 2**32 - 1))
def test_every_structure_is_lowered_right(network, seed):
    """Placements, takes, splits and merges, alone and combined."""
    operands, terms, out, sizes = network
    node = _ir.contract(zip(operands, terms, strict=True), out, sizes, dtype=np.float64)
    rng = np.random.default_rng(seed)
    inputs = _ir.inputs([node])
    values = {n: rng.normal(size=n.shape) for n in inputs}
    (result,) = Executable(compile_program([node], inputs)).run([values[n] for n in inputs])
    assert_close(result, evaluate(node, values), rtol=1e-12)


@given(case=functions(), order=st.integers(0, 2))
def test_contractions_are_never_an_einsum_loop(case, order):
    """Pairwise steps are matmul or multiply; np.einsum is used for diagonal views alone."""
    f, shape = case
    x, node = _derivative_node(f, shape, order)
    source = emit(compile_program([node], [x]))
    for line in source.splitlines():
        if "np.einsum(" in line:
            assert "," not in line.split('"')[1]


def test_predicted_peak_covers_the_measured_one():
    """Counted from the statements: not below what is allocated, not far above."""
    a = np.random.default_rng(0).normal(size=(400, 300))
    hessian = eg.hessian(lambda w: np.logaddexp(0, a @ w).sum())
    plan = hessian.plan(np.zeros(300))
    peak = allocated(lambda: plan(np.zeros(300)))
    assert peak <= 1.1 * plan.peak_bytes + 2**20
    assert plan.peak_bytes <= 1.5 * peak


def test_flops_count_additions_and_elementwise_work():
    """x + y + sin(x): n + n + n."""
    plan = eg.derivative(lambda x, y: (x + y) + np.sin(x), 0).plan(np.ones(10), np.ones(10))
    assert plan.flops == 30


def test_the_table_names_steps_sizes_flops_and_bytes():
    """The printed plan is interface."""
    a = np.ones((3, 4))
    text = str(eg.derivative(lambda x: a @ x, 0).plan(np.ones(4)))
    assert "inputs: x (4,) float64, c0 (3, 4) float64" in text
    assert ["t0", "matmul", "i,ji->j", "3", "24", "24"] in [
        line.split() for line in text.split("\n")
    ]
    assert text.endswith("flops 24; peak 24 bytes")


def test_value_and_gradient_share_one_plan():
    """Intermediates are computed once."""
    a = np.random.default_rng(0).normal(size=(30, 20))
    f = lambda w: np.logaddexp(0, a @ w).sum()  # noqa: E731
    both = eg.value_and_grad(f).plan(np.zeros(20))
    alone = [eg.derivative(f, k).plan(np.zeros(20)).flops for k in (0, 1)]
    assert both.flops < sum(alone)
    value, gradient = both(np.ones(20))
    assert_close(value, f(np.ones(20)), rtol=1e-13)
    assert_close(gradient, eg.grad(f)(np.ones(20)), rtol=1e-13)


def test_a_product_with_zeros_put_in_is_planned():
    """Building a step of a product again adds no mask again; found by fuzz: it never ended."""
    f = lambda v: np.linalg.norm(np.concatenate([v, v])[:3:2])  # noqa: E731
    v = np.linspace(0.1, 1, 6).reshape(3, 2)
    rows = v[[0, 2]]
    expected = np.zeros((3, 2))
    expected[[0, 2]] = rows / np.linalg.norm(rows)
    assert_close(eg.jacobian(f)(v), expected, rtol=1e-14)
    assert_close(eg.hessian(f)(v), _hessian_of_the_norm(v), rtol=1e-12)


def _hessian_of_the_norm(v):
    """Hessian of the norm of the first and the last row."""
    chosen = np.array([1.0, 0.0, 1.0])[:, None] * v
    r = np.sqrt(np.sum(chosen**2))
    flags = np.einsum("i,ik,jl->ijkl", [1.0, 0.0, 1.0], np.eye(3), np.eye(2))
    return flags / r - np.multiply.outer(chosen, chosen) / r**3


def test_the_text_of_a_plan_is_forgotten_with_it():
    """A traceback shows the generated line while the plan lives; found by fuzz: it used 4 GB."""
    eg.cache_clear()
    gc.collect()
    before = {name for name in linecache.cache if name.startswith("<eingrad")}
    plans = [eg.grad(lambda x: np.sin(x) * 0.123456).plan(1.0) for _ in range(2)]
    eg.cache_clear()
    names = {name for name in linecache.cache if name.startswith("<eingrad")} - before
    texts = ["".join(linecache.getlines(name)) for name in names]
    assert len(texts) == 2  # of the entry, which both plans have, and of the executable
    assert plans[0].source in texts
    del plans[0]
    gc.collect()
    assert names <= {*linecache.cache}
    plans.clear()
    gc.collect()
    assert not names & {*linecache.cache}


def test_a_kernel_pickles_and_emits_again():
    """Only the program travels."""
    kernel = kernel_of(eg.hessian(lambda x: np.sin(x).sum()).plan(np.ones(3)))
    again = pickle.loads(pickle.dumps(kernel))
    assert again.source == kernel.source
    assert_close(again.run([np.ones(3)])[0], kernel.run([np.ones(3)])[0], rtol=0)


def test_a_plan_pickles():
    """With its captured arrays, static arguments and nesting."""
    a = np.array([[2.0, 1.0], [0.5, 3.0]])
    arguments = ({"x": np.ones(2)}, 3)
    plan = eg.grad(lambda p, n: (p["x"] @ a @ p["x"]) ** n).plan(*arguments)
    again = pickle.loads(pickle.dumps(plan))
    assert_close(again(*arguments)["x"], plan(*arguments)["x"], rtol=0)


def test_the_jacobian_of_an_inverse_stays_lazy():
    """A Gaussian-process Hessian in few parameters has nothing of size n**4."""
    n = 30
    points = np.linspace(0, 1, n)
    distance = (points[:, None] - points) ** 2
    y = np.sin(5 * points)

    def f(t):
        k = np.exp(t[0] - distance * np.exp(t[1])) + np.exp(t[2]) * np.eye(n)
        return y @ np.linalg.solve(k, y) + np.linalg.slogdet(k)[1]

    plan = eg.hessian(f).plan(np.zeros(3))
    assert plan.peak_bytes < 40 * n**2 * 8
    assert plan.flops < 200 * n**3
    gradient = eg.grad(f)
    expected = central_difference(gradient, np.zeros(3))
    assert_close(plan(np.zeros(3)), expected, rtol=1e-6)


def test_constants_are_written_to_the_bit():
    """Numbers that repr would lose: -0.0 as an array entry, subnormals, nan, infinity."""
    values = np.array([-0.0, 5e-324, np.nan, np.inf, -np.inf, 1e308, 0.1])
    node = _ir.constant(values)
    (result,) = Executable(compile_program([node], [])).run([])
    assert result.tobytes() == values.tobytes()


def test_hostile_names_never_become_source():
    """A name is a label; the emitter writes only identifiers it has checked."""
    names = ["t0", "np", "x\nimport os", "__import__('os')", "lambda", "print", "x"]
    inputs = [_ir.new_input(name, ()) for name in names]
    program = compile_program([_ir.add(inputs)], inputs, input_specs(inputs))
    source = emit(program)
    assert "os" not in source
    assert_close(Executable(program).run([np.float64(k) for k in range(7)])[0], 21.0)


@pytest.mark.parametrize(("out", "expected"), [((1,), [1, 1, 2]), ((), 4)])
def test_a_selection_and_a_merge_that_tie_summed_indices_count(out, expected):
    """``sum_mj S[m,j] M[m,i,j]`` was lowered as if the tie placed entries: to ones."""
    picks, merge = _ir.selection((0, 0, 0, 0, 0, 1), 2), _ir.merge((3, 2))
    node = _ir.contract([(picks, (0, 2)), (merge, (0, 1, 2))], out, dtype=np.float64)
    (result,) = Executable(compile_program([node], [])).run([])
    np.testing.assert_array_equal(result, expected)


# Captured arrays ---------------------------------------------------------------------------------

W, B = np.full((2, 2), 3.0), np.array([[1.0, 3.0], [0.0, 1.0]])
PARAMETERS = {"layers": [(W, np.ones(2))]}


class Model:
    """A user's object, with an array of its own."""

    def __init__(self):
        self.weights = W * 2

    def __call__(self, x):
        return self.weights @ x

    def method(self, x):
        return np.tanh(self.weights @ x)


MODEL = Model()


def uses_a_global(x):
    return x @ B @ x


def by_default(x, matrix=W):
    return matrix @ x


NAMED = {
    "global": (uses_a_global, ["B"]),
    "in a function that is called": (lambda x: 2 * uses_a_global(x), ["B"]),
    "in a derivative that is called": (lambda x: 2 * eg.grad(uses_a_global)(x), ["B"]),
    "in containers": (
        lambda x: np.tanh(PARAMETERS["layers"][0][0] @ x + PARAMETERS["layers"][0][1]),
        ["PARAMETERS['layers'][0][0]", "PARAMETERS['layers'][0][1]"],
    ),
    "attribute of an object that is called": (MODEL, ["self.weights"]),
    "attribute of an object, of a method": (MODEL.method, ["self.weights"]),
    "attribute of an object that a function uses": (
        lambda x: MODEL.weights @ x,
        ["MODEL.weights"],
    ),
    "attribute of an object that a function calls": (lambda x: 2 * MODEL(x), ["self.weights"]),
    "partial": (functools.partial(lambda A, x: A @ x, B), ["A"]),
    "default": (by_default, ["matrix"]),
    "views": (lambda x: sum(row @ x for row in B), ["part of B"] * 2),
    "none": (lambda x: np.eye(2) @ x, [None]),
}


@pytest.mark.parametrize(("f", "names"), NAMED.values(), ids=NAMED)
def test_captured_arrays_are_named_as_in_the_function(f, names):
    """Globals, closures, attributes, items; also where the function is not called directly."""
    plan = eg.derivative(f).plan(np.ones(2))
    assert [known.variable for known in plan.captured] == names
    assert [known.name for known in plan.captured] == [f"c{n}" for n in range(len(names))]


def test_captured_arrays_of_a_closure_are_named():
    """Also of products, and of a recursive function, whose cell may be empty meanwhile."""
    inner = np.eye(3)

    def f(x, n=2):
        return inner @ x if not n else f(x, n - 1)

    for plan in (
        eg.jacobian(f).plan(np.ones(3)),
        eg.jvp(f).plan(np.ones(3), np.ones(3)),
        eg.hvp(lambda x: x @ f(x)).plan(np.ones(3), np.ones(3)),
    ):
        assert [known.variable for known in plan.captured] == ["inner"]


def test_looking_for_names_runs_no_code_of_the_user():
    """Nor ends in a list that contains itself, or at a key that prints something."""

    class Loud:
        __slots__ = ()

        def __getattr__(self, name):
            raise AssertionError(name)

        def __repr__(self):
            raise AssertionError

    loud, itself = Loud(), []
    itself.append(itself)
    keyed = {loud: np.ones(3), 1: np.zeros(3)}

    def f(x):
        assert loud is not None
        assert itself
        return x @ keyed[1] + x @ keyed[loud]

    plan = eg.grad(f).plan(np.ones(3))
    assert [known.variable for known in plan.captured] == ["keyed[1]", None]


def test_a_plan_tells_what_it_captured():
    """In its table, and as arrays that cannot be written; its source runs with them."""
    x = np.array([1.0, 2.0])
    plan = eg.grad(uses_a_global).plan(x)
    assert str(plan).splitlines()[:2] == [
        "inputs: x (2,) float64, c0 (2, 2) float64",
        "captured: c0 is B",
    ]
    (known,) = pickle.loads(pickle.dumps(plan)).captured
    assert (known.name, known.variable) == ("c0", "B")
    assert not known.array.flags.writeable
    scope = {}
    exec(plan.source, scope)
    values = {known.name: known.array for known in plan.captured}
    np.testing.assert_array_equal(scope["derivative"](x, **values), (B + B.T) @ x)
    assert eg.grad(lambda x: x @ x).plan(x).captured == ()
    assert "captured" not in str(eg.grad(lambda x: x @ x).plan(x))


def test_an_argument_named_as_a_captured_array_is_not_confused_with_it():
    """The name is that of the source."""
    plan = eg.grad(lambda c0: c0 @ B @ c0).plan(np.ones(2))
    (known,) = plan.captured
    assert known.name in plan.source
    assert (known.name != "c0", known.variable) == (True, "B")


def test_large_constants_of_symbols_are_those_of_the_plan():
    """Nobody knows what they were called; what a function captures may have no name either."""
    plan = eg.compile(np.arange(100.0) * eg.variable("x", 100))
    assert plan.captured == ()
    (constant,) = plan.constants.values()
    np.testing.assert_array_equal(constant, np.arange(100.0))
    (known,) = eg.plan(lambda x: x * (np.ones(100) + 1), np.ones(100)).captured
    assert str(known) == "c0 is an array without a name"


def test_a_reshape_without_common_sizes_of_a_stack_is_placed_not_multiplied_out():
    """``(2, 3) -> (3, 2)`` splits what a merge of other sizes made: positions are computed."""

    def f(x):
        return np.stack([0.5 * x - 1, np.sin(x)]).reshape(3, 2)

    x = np.array([0.2, 0.7, 1.1])
    plan = eg.jacobian(f).plan(x)
    assert "einsum" not in plan.source
    np.testing.assert_allclose(plan(x), complex_step(f, x), rtol=1e-15)


DTYPES = ["f2", "f4", "f8", "c8", "c16"]
ZERO_DIM = {
    "product": lambda z, c: z * z * c * z,
    "quotient": lambda z, c: (z + c) / (z * z + 1),
    "powers": lambda z, c: z**5 - c / z**3,
    "functions": lambda z, c: np.exp(z * c) / np.sqrt(1 + z * z),
    "nothing": lambda z, c: z,
}
GIVEN = {
    "array": np.array,
    "scalar": lambda v: v[()],
    "Python number": lambda v: v.item(),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of overflows in float16
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("f", ZERO_DIM.values(), ids=ZERO_DIM)
@pytest.mark.parametrize("order", [0, 1, 2])
def test_a_number_gives_the_same_bits_whatever_it_came_as(dtype, f, order):
    """Array, scalar or number; by a call, a plan, a pickled plan, a plan of symbols, to `out`."""
    rng = np.random.default_rng(0)
    derivative = eg.derivative(f, order)
    z, c = eg.variable("z", (), dtype), eg.variable("c", (), dtype)
    symbols = eg.compile(eg.differentiate(f(z, c), z, order))
    plan = derivative.plan(np.ones((), dtype), np.ones((), dtype))
    pickled = pickle.loads(pickle.dumps(plan))
    for pair in rng.normal(size=(20, 2)) + 1j * rng.normal(size=(20, 2)):
        at = [np.array(p if dtype[0] == "c" else p.real, dtype) for p in pair]
        results, of_symbols = set(), set()  # the plan of symbols has steps of its own
        for name, give in GIVEN.items():
            given = [give(v) for v in at]
            if name != "Python number":  # of those, a call makes double precision
                results.add(derivative(*given).tobytes())
            if name != "Python number" or dtype in ("f8", "c16"):
                out = np.empty((), dtype)
                results |= {plan(*given).tobytes(), pickled(*given).tobytes()}
                results.add(plan(*given, out=out).tobytes())
                named = dict(zip("zc", given, strict=True))
                of_symbols.add(symbols(**{n: named[n] for n in symbols.inputs}).tobytes())
        assert len(results) == len(of_symbols) == 1


def test_a_captured_number_gives_the_same_bits_as_an_argument():
    """As an array without axes, or as a scalar."""
    rng = np.random.default_rng(0)
    for number in rng.normal(size=(50, 2)) @ np.array([1, 1j]):
        z = np.array(number)
        captured = [eg.jacobian(lambda x, c=c: x * x * c)(z) for c in (z, z[()])]
        planned = [eg.jacobian(lambda x, c=c: x * x * c).plan(z)(z) for c in (z, z[()])]
        assert len({r.tobytes() for r in captured + planned}) == 1
