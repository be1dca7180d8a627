"""`eg.einsum` against NumPy's and opt_einsum's, and plans whose constants are contracted before."""

import itertools
import pickle
import random
import re
import threading

import numpy as np
import opt_einsum
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import least_cost, random_network, regular
from opt_einsum.testing import build_views
from opt_einsum.tests import test_contract

import eingrad as eg
from eingrad._plan import Contraction
from eingrad._plan.canonical import canonical
from eingrad._plan.network import Network
from eingrad.errors import (
    DTypeError,
    EingradError,
    InPlaceError,
    MemoryLimitError,
    PathError,
    PlanError,
    ShapeError,
    SubscriptsError,
)

EQUATIONS = [*dict.fromkeys(test_contract.tests)]  # a list of subscripts
DTYPES = "?bhilqBHILQefdgFDG"
PATHS = ("planned", "greedy", "left to right", "opt_einsum:auto", opt_einsum.paths.branch_2)
A, B, C = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4), np.arange(4.0)


def fixed(array):
    """An array that nobody may write to."""
    array = np.array(array)
    array.flags.writeable = False
    return array


def assert_same(ours, theirs):
    """The value, shape and dtype; integers and flags exactly."""
    assert type(ours) is type(theirs)
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    if theirs.dtype.kind in "fc":
        digits = 1e-2 if theirs.dtype.char == "e" else 100 * np.finfo(theirs.dtype).eps
        scale = max(1, np.max(np.abs(theirs), initial=0))
        np.testing.assert_allclose(ours, theirs, rtol=digits, atol=digits * scale)
    else:
        assert np.array_equal(ours, theirs)


# Values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subscripts", EQUATIONS)
def test_the_equations_of_opt_einsum(subscripts):
    """With every kind of path, twice; and to `out`."""
    arrays = [fixed(view) for view in build_views(subscripts)]
    expected = np.einsum(subscripts, *arrays)
    np.testing.assert_allclose(opt_einsum.contract(subscripts, *arrays), expected, rtol=1e-10)
    for path in PATHS:
        for _ in range(2):
            assert_same(eg.einsum(subscripts, *arrays, path=path), expected)
    out = np.full(expected.shape, np.nan)
    assert eg.einsum(subscripts, *arrays, out=out) is out
    assert_same(out, np.asarray(expected))


@pytest.mark.parametrize("subscripts", EQUATIONS[::3])
def test_the_equations_of_opt_einsum_as_plans_with_constants(subscripts):
    """Any of the operands may be constants."""
    arrays = [np.array(view) for view in build_views(subscripts)]
    expected = np.asarray(np.einsum(subscripts, *arrays))
    count = len(arrays)
    for known in ([], [0], range(1, count), range(0, count, 2), range(count)):
        plan = eg.einsum_plan(subscripts, *arrays, constants=known)
        free = [array for n, array in enumerate(arrays) if n not in known]
        assert plan.inputs == tuple(f"operand{n}" for n in range(count) if n not in known)
        assert_same(plan(*free), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "subscripts",
    [
        "ij,jk->ik",
        "ij,jk,kl",
        "ij->i",
        "ij->",
        ",ij,->ij",
        "ii",
        "iij,jk->k",
        "ab,ab,cd,cd->",
        ",->",
    ],
)
def test_a_dtype_is_what_it_is_in_numpy(subscripts, dtype):
    """Flags are joined by "or", integers wrap around, sums of short integers stay short."""
    rng = np.random.default_rng(0)
    views = [np.asarray(view) for view in build_views(subscripts)]
    arrays = [fixed((rng.normal(size=v.shape) * 99 > 0) if dtype == "?" else v * 0) for v in views]
    if dtype != "?":
        low, high = (0, 5) if dtype in "ef" else (np.iinfo("b").min, np.iinfo("b").max)
        values = [rng.integers(low, high, v.shape) for v in views]
        arrays = [fixed(np.asarray(v).astype(dtype)) for v in values]
    expected = np.einsum(subscripts, *arrays)
    assert_same(eg.einsum(subscripts, *arrays), expected)
    out = np.empty(expected.shape, expected.dtype)
    assert_same(eg.einsum(subscripts, *arrays, out=out), np.asarray(expected))
    plan = eg.einsum_plan(subscripts, *arrays, constants=0)
    with np.errstate(over="ignore"):
        assert_same(plan(*arrays[1:]), np.asarray(expected))


@pytest.mark.parametrize(("left", "right"), [*itertools.product("?blQfdFDg", repeat=2)])
def test_two_dtypes_promote_as_in_numpy(left, right):
    a, b = fixed(np.arange(6).reshape(2, 3).astype(left)), fixed(np.arange(3).astype(right))
    assert_same(eg.einsum("ij,j", a, b), np.einsum("ij,j", a, b))


def test_operands_are_of_one_dtype_before_any_two_meet():
    """100 times 100 is 16 in eight bits."""
    short, long = fixed(np.array([100], np.int8)), fixed(np.ones(1))
    for path in ([(0, 1), (0, 1)], "planned"):
        assert_same(eg.einsum("i,i,i->i", short, short, long, path=path), np.array([10000.0]))


def test_bytes_in_the_other_order_are_numbers():
    a, b = np.arange(6.0).reshape(2, 3).astype(">f8"), np.arange(3).astype(">i4")
    for arrays in ((a, b), (a, b.astype(">f8")), (a.astype("<f8"), b)):
        assert_same(eg.einsum("ij,j", *arrays), np.array([5.0, 14.0]))


@st.composite
def sublists(draw):
    """Operands with numbers as subscripts; sizes 0 and 1, broadcast ones, ellipses."""
    sizes = draw(st.lists(st.sampled_from([0, 1, 2, 2, 3, 3, 4]), min_size=1, max_size=6))
    names = draw(
        st.lists(st.integers(0, 51), min_size=len(sizes), max_size=len(sizes), unique=True)
    )
    batch = draw(st.lists(st.sampled_from([1, 2, 3]), max_size=2))
    arguments, used, widest = [], set(), 0
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    for _ in range(draw(st.integers(1, 5))):
        chosen = draw(st.lists(st.integers(0, len(sizes) - 1), max_size=4))
        once = {k: chosen.count(k) == 1 for k in chosen}
        shape = [1 if once[k] and draw(st.integers(0, 9)) == 0 else sizes[k] for k in chosen]
        term = [names[k] for k in chosen]
        lead = batch[draw(st.integers(0, len(batch))) :]
        if lead or draw(st.booleans()):
            place = draw(st.integers(0, len(chosen)))
            term[place:place] = [Ellipsis]
            shape[place:place] = lead
            widest = max(widest, len(lead))
        arguments += [fixed(rng.normal(size=shape)), term]
        used.update(names[k] for k in chosen)
    if draw(st.booleans()):
        out = draw(st.permutations(sorted(used)))[: draw(st.integers(0, 4))]
        place = draw(st.integers(0, len(out)))
        arguments.append([*out[:place], *([Ellipsis] if widest else []), *out[place:]])
    return arguments


@given(sublists())
def test_any_sublists(arguments):
    """Repeated indices, diagonals, sizes of zero and one, ellipses: NumPy's value."""
    assert_same(eg.einsum(*arguments), np.array(np.einsum(*arguments))[()])


@pytest.mark.parametrize("seed", range(20))
def test_any_network(seed):
    """Twelve operands and more, along paths of all kinds."""
    network = random_network(seed, 4, 16)
    sizes = {i: min(size, 3) for i, size in network.sizes.items()}
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=[sizes[i] for i in term]) for term in network.terms]
    arguments = [x for a, t in zip(arrays, network.terms, strict=True) for x in (a, t)]
    expected = np.einsum(*arguments, network.out, optimize="greedy")
    scale = max(1e-300, np.max(np.abs(expected), initial=0))
    result = eg.einsum(*arguments, network.out)
    np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-9 * scale)


def test_any_number_of_indices_of_any_name():
    """NumPy has 52 letters."""
    rng = np.random.default_rng(0)
    matrices = rng.normal(size=(80, 2, 2))
    chain = [x for n, m in enumerate(matrices) for x in (m, [10**6 * n, 10**6 * (n + 1)])]
    expected = np.linalg.multi_dot(matrices)
    np.testing.assert_allclose(eg.einsum(*chain, [0, 80 * 10**6]), expected)
    letters = [opt_einsum.get_symbol(n) for n in range(81)]
    terms = ",".join(map("".join, itertools.pairwise(letters)))
    np.testing.assert_allclose(
        eg.einsum(f"{terms}->{letters[0]}{letters[80]}", *matrices), expected
    )
    assert_same(eg.einsum("αβ, βγ", A, B), A @ B)


def test_lists_numbers_and_subclasses_of_str():
    class Text(str):
        __slots__ = ()

    assert_same(eg.einsum("ij,j", [[1, 2], [3, 4]], (1, 1)), np.array([3, 7]))
    assert_same(eg.einsum(",i", 2, [1.0, 2.0]), np.array([2.0, 4.0]))
    assert_same(eg.einsum(",i", np.float32(2), np.ones(2, "f")), np.full(2, 2, "f"))
    assert_same(eg.einsum(Text("ij->ji"), A), A.T)
    assert_same(eg.einsum([[1, 2]], [1, 0]), np.array([[1], [2]]))


def test_a_result_is_never_a_view():
    a = A.copy()
    for result in (eg.einsum("ij", a), eg.einsum("ij->ji", a), eg.einsum("ii->i", a[:, :2])):
        assert not np.shares_memory(result, a)
        result[...] = 9
    assert np.array_equal(a, A)


def test_out_may_be_an_operand():
    a = np.arange(9.0).reshape(3, 3)
    expected = a @ a
    assert eg.einsum("ij,jk->ik", a, a, out=a) is a
    assert np.array_equal(a, expected)


def test_integers_do_not_warn_where_they_wrap():
    """NumPy's scalars do; the suite makes a warning an error."""
    a = np.array(100, np.int8)
    assert_same(eg.einsum(",", a, a), np.int8(16))


def test_expressions_are_recorded():
    """As np.einsum records them, in either form, beside arrays; and differentiated."""
    X = eg.variable("X", (2, 3))
    for expression in (eg.einsum("ij,jk->ik", X, B), eg.einsum(X, [0, 1], B, [1, 2], [0, 2])):
        assert isinstance(expression, eg.Expression)
        np.testing.assert_allclose(eg.compile(expression)(A), A @ B)
    assert str(eg.einsum("ij,ij", X, X)) == str(np.einsum("ij,ij", X, X))
    gradient = eg.grad(lambda x: eg.einsum("ij,jk,k->", x, B, C))(A)
    np.testing.assert_allclose(gradient, np.outer(np.ones(2), B @ C))


def test_what_is_planned_is_found_again():
    """Also by other arrays of the same kind; another path is another plan."""
    eg.cache_clear()
    a = np.ones((2, 3))
    for _ in range(3):
        eg.einsum("ij,jk", a, B)
        eg.einsum(a, [0, 1], B, [1, 2])
        eg.einsum("ij,jk", a + 1, B, path=[(0, 1)])
    assert eg.cache_info()[:2] == (6, 3)
    eg.einsum("ij,jk", a.astype("f"), B)
    assert eg.cache_info().misses == 4


def test_threads_share_what_is_planned():
    results = [None] * 8

    def work(n):
        results[n] = [eg.einsum("ij,jk,k", A + k, B, C) for k in range(50)]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        np.testing.assert_array_equal(result, [(A + k) @ (B @ C) for k in range(50)])


# Constants ---------------------------------------------------------------------------------------


def test_constants_are_contracted_once_in_the_order_that_leaves_least():
    """From the left, ``(x K) L`` is cheaper; where K and L are known, ``x (K L)``."""
    rng = np.random.default_rng(0)
    K, L, x = rng.normal(size=(40, 40)), rng.normal(size=(40, 40)), rng.normal(size=(5, 40))
    plan = eg.einsum_plan("ij,jk,kl->il", (5, 40), K, L, constants=[1, 2])
    assert plan.flops == 2 * 5 * 40 * 40
    (captured,) = plan.captured
    assert str(captured) == "constant1_2 is operands 1 and 2 contracted"
    np.testing.assert_allclose(captured.array, K @ L)
    np.testing.assert_allclose(plan(x), x @ K @ L)
    np.testing.assert_allclose(plan(operand0=x), x @ K @ L)
    copy = pickle.loads(pickle.dumps(plan))
    K[...] = 0  # it holds a copy
    np.testing.assert_array_equal(copy(x), plan(x))
    assert np.any(plan(x))
    assert plan.path == [(0, 1)]


def test_constants_that_are_better_kept_apart_are_kept_apart():
    """The outer product of two vectors is a matrix; a vector times each takes less."""
    u, v = np.arange(50.0), np.arange(50.0)
    plan = eg.einsum_plan("ij,i,j->", (50, 50), u, v, constants=[1, 2])
    assert plan.flops <= 2 * 2500 + 100
    plan = eg.einsum_plan("i,j,i,j->ij", u, v, (50,), (50,), constants=[0, 1])
    assert max(each.array.ndim for each in plan.captured) == 1


def test_all_may_be_constants():
    plan = eg.einsum_plan("ij,jk->ik", A, B, constants=[0, 1])
    first = plan()
    np.testing.assert_allclose(first, A @ B)
    first[...] = 0
    np.testing.assert_allclose(plan(), A @ B)


def test_a_path_of_the_users_is_kept_where_there_are_constants():
    """What it contracts of constants alone is contracted before."""
    rng = np.random.default_rng(0)
    a, b, c, d = rng.normal(size=(4, 3, 3))
    path = [(2, 3), (0, 1), (0, 1)]
    plan = eg.einsum_plan("ij,jk,kl,lm->im", (3, 3), b, c, d, constants=[1, 2, 3], path=path)
    assert [each.name for each in plan.captured] == ["constant1", "constant2_3"]
    assert plan.path == [(0, 1), (0, 1)]
    np.testing.assert_allclose(plan(a), a @ b @ c @ d)


@pytest.mark.parametrize("seed", range(60))
def test_no_order_leaves_less_to_be_done(seed):
    """Of all trees, if what is made of constants alone is free."""
    network = random_network(seed, 3, 7)
    rng = np.random.default_rng(seed)
    known = frozenset(np.flatnonzero(rng.random(len(network.terms)) < 0.5).tolist())
    product = Contraction(network.terms, network.out, network.sizes, known)
    assert product.cost == least_cost(network, known), network.text


def test_with_many_constants_no_more_is_left_than_without():
    """Above twelve operands the search is another one; their order decides nothing there either."""
    for network in (*(random_network(seed, 14, 24) for seed in range(5)), regular(3, 20, 2)):
        count = len(network.terms)
        known = {*range(count // 2)}
        product = Contraction(*network, known)
        assert product.cost <= Contraction(*network).cost
        order = random.Random(0).sample(range(count), count)
        terms = [network.terms[n] for n in order]
        moved = {k for k, n in enumerate(order) if n in known}
        assert Contraction(terms, network.out, network.sizes, moved).cost == product.cost


def test_constants_of_a_ring_are_told_apart_wherever_they_stand():
    """All operands are alike but for that; what is searched does not depend on their order."""
    ring = Network(
        [(n, (n + 1) % 14) for n in range(14)], (), dict.fromkeys(range(14), 3), 0b100111
    )
    order, found = random.Random(0).sample(range(14), 14), canonical(ring)[0]
    known = sum(1 << k for k, n in enumerate(order) if ring.known >> n & 1)
    terms, out, sizes = ring.key
    shuffled, _ = canonical(Network([terms[n] for n in order], out, dict(sizes), known))
    assert (shuffled.key, shuffled.known) == (found.key, found.known)


def test_of_a_long_chain_of_constants_one_matrix_is_left():
    """Without that, the vector goes through all of them: each is small work then."""
    x, matrices = np.ones(4), np.random.default_rng(0).normal(size=(20, 4, 4)) / 2
    chain = [y for n, m in enumerate(matrices) for y in (m, [n, n + 1])]
    plan = eg.einsum_plan(x, [0], *chain, [20], constants=range(1, 21))
    assert plan.flops == 2 * 4 * 4
    np.testing.assert_allclose(plan(x), x @ np.linalg.multi_dot(matrices))


# Many axes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["greedy", "left to right"])
def test_a_graph_of_unit_indices_has_no_step_of_too_many_axes(path):
    """A step had 65 axes, and NumPy's arrays have 64; compiled ones too."""
    network = regular(3, 200, 1)
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(0.5, 2, size=(1, 1, 1)) for _ in network.terms]
    arguments = [x for a, t in zip(arrays, network.terms, strict=True) for x in (a, [*t])]
    expected = np.prod([array.item() for array in arrays])
    np.testing.assert_allclose(eg.einsum(*arguments, [], path=path), expected)
    wanted = [*range(40)]
    assert_same(eg.einsum(*arguments, wanted, path=path), np.full((1,) * 40, expected))
    symbols = [eg.variable(f"x{n}", (1, 1, 1)) for n in range(len(arrays))]
    arguments[::2] = symbols
    plan = eg.compile(np.einsum(*arguments, []), path=path)
    np.testing.assert_allclose(plan(*arrays), expected)
    assert len(plan.path) == 199


def test_what_no_memory_holds_is_told_beforehand_with_its_bytes():
    network = regular(3, 60, 1)
    arguments = [x for t in network.terms for x in (np.ones((16, 16, 16)), [*t])]
    plan = eg.einsum_plan(*arguments, [], path="left to right")  # may be looked at
    assert plan.peak_bytes > 2**63
    message = (
        r"a step of the plan \(matmul\) has shape \(16, 16, .*, [\d,]{12,} bytes, more than an "
    )
    with pytest.raises(MemoryLimitError, match=message):
        eg.einsum(*arguments, [], path="left to right")


def test_what_this_machine_has_no_memory_for_says_what_the_plan_takes():
    long = np.ones(10**6)
    message = r"the plan of einsum 'i,j,k->ijk' takes [\d,]+ bytes at its peak; sum over fewer"
    with pytest.raises(MemoryError, match=message):
        eg.einsum("i,j,k->ijk", long, long, long)


# Errors ------------------------------------------------------------------------------------------

X = eg.variable("X", (2, 3))
REFUSED = {
    "too few operands": (
        lambda: eg.einsum("ij,jk", A),
        SubscriptsError,
        (
            "einsum subscripts 'ij,jk' have 2 terms but 1 operands were given; write one "
            "comma-separated term per operand"
        ),
    ),
    "no letter": (
        lambda: eg.einsum("i1", A),
        SubscriptsError,
        (
            "einsum subscripts 'i1': '1' is not a letter; use a-z and A-Z, ',' between "
            "operands, '->' "
            "before the result, '...' for leading axes"
        ),
    ),
    "sizes that differ": (
        lambda: eg.einsum("ij,ik", A, B),
        ShapeError,
        (
            "index 'i' has size 2 in operand 0 (subscripts 'ij', shape (2, 3)) but "
            "size 3 in operand 1 "
            "(subscripts 'ik', shape (3, 4)); make the two axes equal or give them "
            "different letters"
        ),
    ),
    "no subscripts": (
        lambda: eg.einsum(A),
        SubscriptsError,
        (
            "einsum was given an operand but no subscripts; write einsum('ij->ji', a), "
            "or a list of "
            "numbers after each operand"
        ),
    ),
    "letters in a list": (
        lambda: eg.einsum(A, ["i", "j"]),
        SubscriptsError,
        (
            "einsum was given the subscripts ['i', 'j']; give a text first, or a list "
            "of numbers from "
            "0 after each operand"
        ),
    ),
    "objects": (
        lambda: eg.einsum("i", np.array([None])),
        DTypeError,
        "operand 0 has dtype object, which einsum does not take; convert it to numbers",
    ),
    "out of another shape": (
        lambda: eg.einsum("ij->ji", A, out=np.ones((2, 3))),
        ShapeError,
        "out has shape (2, 3) but the result has shape (3, 2)",
    ),
    "out of another dtype": (
        lambda: eg.einsum("ij->ji", A, out=np.ones((3, 2), "f")),
        DTypeError,
        "out has dtype float32 but the result has dtype float64",
    ),
    "out that is read-only": (
        lambda: eg.einsum("ij->ij", A, out=fixed(A)),
        PlanError,
        "out is read-only; give an array that can be written",
    ),
    "a path of other operands": (
        lambda: eg.einsum("ab,bc,c", A, B, C, path=[(0, 1)]),
        PathError,
        (
            "path [(0, 1)] is none of the product 'ab,bc,c' of 3 operands: it leaves 2 "
            "operands; each "
            "step removes two operands by their positions and appends their product"
        ),
    ),
    "a path of sublists": (
        lambda: eg.einsum(A, [0, 1], B, [1, 2], [2], path=[(0, 2)]),
        PathError,
        (
            "path [(0, 2)] is none of the product [0, 1], [1, 2] -> [2] of 2 operands: "
            "step 0, (0, 2), "
            "has position 2, but 2 operands are left then, numbered from 0; each step removes two "
            "operands by their positions and appends their product"
        ),
    ),
    "a path that nothing is read from": (
        lambda: eg.einsum("ij", A, path=3),
        PathError,
        (
            "path must be one of 'planned', 'fewest flops', 'greedy', 'left to right', "
            "'opt_einsum:auto' (or another "
            "optimizer of opt_einsum), a function such as those of opt_einsum, or a "
            "list of pairs of "
            "positions, not 3"
        ),
    ),
    "a path of numbers": (
        lambda: eg.einsum("ij,jk", A, B, path=[0, 1]),
        PathError,
        (
            "path [0, 1] is none of the product 'ij,jk' of 2 operands: step 0, 0, is no tuple of "
            "positions; each step removes two operands by their positions and appends their product"
        ),
    ),
    "a constant of a shape": (
        lambda: eg.einsum_plan("ij,jk", A, (3, 4), constants=[1]),
        ShapeError,
        (
            "operand 1 is a constant, but only its shape is given; give the array, or "
            "leave it out of "
            "constants"
        ),
    ),
    "a constant that is none": (
        lambda: eg.einsum_plan("ij,jk", A, B, constants=[-1]),
        ShapeError,
        "constants has -1, but the 2 operands are numbered from 0; give positions of operands",
    ),
    "a tuple that is no shape": (
        lambda: eg.einsum_plan("i", (1.5,)),
        ShapeError,
        (
            "operand 0 is (1.5,), which is no shape; a tuple is read as one: give "
            "integers of at least "
            "0, or an array"
        ),
    ),
    "an expression to be planned": (
        lambda: eg.einsum_plan("ij", X),
        DTypeError,
        (
            "operand 0 is an expression, but a plan of einsum is made for arrays; give "
            "its shape, or "
            "compile eingrad.einsum of expressions"
        ),
    ),
    "another shape at a call": (
        lambda: eg.einsum_plan("ij,jk", (2, 3), B, constants=1)(np.ones((3, 3))),
        ShapeError,
        (
            "argument 'operand0' has shape (3, 3) but the plan was made for (2, 3); "
            "make a plan for "
            "the new shape"
        ),
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_says_what_is_wrong_and_what_to_do(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$") as caught:
        call()
    assert isinstance(caught.value, EingradError)


def test_an_expression_has_no_path_and_is_not_written_to():
    with pytest.raises(PathError, match=r"^einsum of an expression at .*test_einsum\.py:\d+.* has "
                       r"path='greedy', but it is contracted where it is compiled; give the path "
                       r"to eingrad\.compile$"):  # fmt: skip
        eg.einsum("ij->ji", X, path="greedy")
    with pytest.raises(InPlaceError, match=r"^einsum of an expression at .*test_einsum\.py:\d+.* "
                       r"cannot be written to out; use what it gives$"):  # fmt: skip
        eg.einsum("ij->ji", X, out=np.ones((3, 2)))
