"""Laws of the code that a call of a plan enters by: the same as the form interpreted, for less."""

import copy
import gc
import linecache
import math
import pickle
import threading
import weakref
from collections import OrderedDict

import numpy as np
import pytest
from faults import Pair
from hypothesis import given
from hypothesis import strategies as st
from inside import INTERPRET, captured_arrays, entry_of, interpreted, replace_emitted_function
from strategies import nestings

import eingrad as eg
from eingrad._tree import flatten
from eingrad.errors import DTypeError, MemoryLimitError, ShapeError, SymmetryError

X, Y = np.array([1.5, 2.5]), np.array([0.5, -2.0])
A = np.array([[2.0, 1.0], [0.5, 3.0]])


@pytest.fixture
def never_interpreted(monkeypatch):
    """Fail where a call is handed over."""

    def refuse(plan, args, kwargs):
        raise AssertionError("the entry did not take the call")

    INTERPRET.replace(monkeypatch, refuse)


def text_of(plan):
    """The entry, as a traceback shows it."""
    return "".join(linecache.getlines(entry_of(plan).__code__.co_filename))


def leaves_of(value):
    """Leaves with all that can be told of them."""
    leaves, tree = flatten(value)
    return tree, [(type(leaf), leaf.dtype, leaf.shape, leaf.tobytes()) for leaf in leaves]


# The same as interpreted -------------------------------------------------------------------------

ARRAYS = (
    st.sampled_from(["f4", "f8", "c16", "i8", "?"])
    .flatmap(lambda kind: st.sampled_from([(), (2,), (2, 1)]).map(lambda s: np.ones(s, kind)))
)  # fmt: skip
LEAVES = st.one_of(
    ARRAYS, st.floats(-2, 2), st.just(1j), st.just(np.float64(2)), st.integers(-3, 3),
    st.booleans(), st.text(max_size=3), st.none(), st.just(np.sin), st.just(int), st.just(range(3)),
)  # fmt: skip
NESTED = nestings(LEAVES, max_leaves=8)


def numbers_in(x, *args, **kwargs):
    """The same nesting, static leaves left out of it as zeros."""
    leaves, tree = flatten((args, kwargs))
    is_input = [hasattr(leaf, "dtype") or isinstance(leaf, (float, complex)) for leaf in leaves]
    return tree.build(
        [
            x.sum() * np.where(v, 1, v) if use else x[0]
            for v, use in zip(leaves, is_input, strict=True)
        ]
    )


@given(args=st.lists(NESTED, max_size=3), kwargs=st.dictionaries(st.sampled_from("pq"), NESTED))
def test_the_entry_gives_what_the_form_says(args, kwargs):
    """Whatever the arguments and the results are nested like; and it takes the call."""
    plan = eg.derivative(numbers_in, 0).plan(X, *args, **kwargs)
    expected = interpreted(plan, (Y, *args), kwargs)
    with pytest.MonkeyPatch.context() as patch:
        INTERPRET.replace(patch, None)
        actual = plan(Y, *args, **kwargs)
    assert leaves_of(actual) == leaves_of(expected)


TAKEN = {
    "an array": (eg.grad(lambda x: x @ x), (X,), (Y,)),
    "a number": (eg.grad(lambda x: x**3), (2.0,), (3.0,)),
    "a scalar of NumPy": (eg.grad(lambda x: x**3), (2.0,), (np.float64(3),)),
    "an array without axes": (eg.grad(lambda x: x**3), (2.0,), (np.array(3.0),)),
    "a complex number": (eg.grad(lambda x: x**3), (2j,), (3j,)),
    "an array that was pickled": (eg.grad(lambda x: x @ x), (X,), (pickle.loads(pickle.dumps(Y)),)),
    "a captured number": (eg.grad(lambda x: x @ x * np.array(2.0)), (X,), (Y,)),
    "an equal string": (eg.grad(lambda x, s: x @ x * len(s)), (X, "ab" * 50), (Y, "ab" * 50)),
    "a large integer": (eg.grad(lambda x, n: x @ x * (n % 7)), (X, 2**70), (Y, 2**70)),
    "None": (eg.grad(lambda x, n: x @ x), (X, None), (Y, None)),
    "a function": (eg.grad(lambda x, g: g(x).sum()), (X, np.sin), (Y, np.sin)),
    "a lambda": (eg.grad(lambda x, g: x @ x), (X, leaves_of), (Y, leaves_of)),
    "an object": (eg.grad(lambda x, g: x @ x), (X, range(2)), (Y, range(2))),
    "no arguments but static ones": (eg.derivative(lambda x: {}, 0), (X,), (Y,)),
    "structured": (eg.jacobian(np.sin, structured=True), (X,), (Y,)),
    "structured and nested": (
        eg.jacobian(lambda p: {"a": np.sin(p["x"]), "b": p["y"]}, structured=True),
        ({"x": X, "y": Y},), ({"x": Y, "y": X},),
    ),
    "several orders": (eg.value_and_derivatives(lambda p: p.a @ p.b), (Pair(X, Y),), (Pair(Y, X),)),
}  # fmt: skip


@pytest.mark.parametrize(("derivative", "made", "called"), TAKEN.values(), ids=TAKEN)
def test_the_entry_takes(derivative, made, called, never_interpreted):
    """Calls that need no conversion are computed by the emitted code alone."""
    actual, expected = derivative.plan(*made)(*called), derivative(*called)
    (actual, tree), (expected, of) = flatten(actual), flatten(expected)
    assert [type(leaf) for leaf in actual] == [type(leaf) for leaf in expected]
    assert tree.is_like(of)
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-14)


@pytest.mark.parametrize("x", [2.0, np.float64(2), np.array(2.0)], ids=["a", "b", "c"])
def test_what_has_no_axes_reaches_the_kernel_as_a_scalar(x, never_interpreted):
    """With arrays, NumPy's last bits differ."""
    plan = eg.grad(lambda x: x * np.array(3.0)).plan(2.0)
    given = []
    replace_emitted_function(plan, lambda *values: given.extend(values) or values[0])
    assert type(plan(x)) is np.ndarray
    assert given
    assert {type(value) for value in given} == {np.float64}
    assert plan(x).dtype is np.dtype(float)


def test_a_dtype_is_compared_with_the_object_that_arrays_have():
    """`newbyteorder` makes another one, equal to it but slower to compare."""
    plan = eg.grad(lambda x: x @ x).plan(X)
    held = [cell.cell_contents for cell in entry_of(plan).__closure__]
    assert [v is X.dtype for v in held if isinstance(v, np.dtype)] == [True]


def test_a_dict_in_another_order_is_read_by_its_keys(never_interpreted):
    """And the result is in the order of the plan."""
    plan = eg.grad(lambda p: p["a"] @ p["b"] * 2).plan({"a": X, "b": Y})
    result = plan({"b": Y, "a": X})
    assert [*result] == ["a", "b"]
    np.testing.assert_array_equal(result["a"], 2 * Y)


CONVERTED = {
    "an integer": (2.0, 3),
    "a flag": (2.0, True),
    "a float32": (2.0, np.float32(3)),
    "integers": (X, np.array([1, 2])),
    "float32": (X, Y.astype("f4")),
    "the other byte order": (X, Y.astype(">f8")),
}


@pytest.mark.parametrize(("made", "given"), CONVERTED.values(), ids=CONVERTED)
def test_what_casts_safely_is_converted(made, given):
    """As it always was; the entry hands it over."""
    plan = eg.derivative(lambda x: x * x, 0).plan(made)
    actual = plan(given)
    assert actual.dtype == np.float64
    np.testing.assert_array_equal(actual, np.asarray(given, float) ** 2)


def number(x, p, n=2, *, s="a"):
    """A function of arguments of each kind."""
    return x @ p["w"] * n * len(s)


REFUSED = {
    "a shape": ((np.ones(3), {"w": Y}, 2), {}, "argument 'x' has shape"),
    "a dtype": ((X * 1j, {"w": Y}, 2), {}, "argument 'x' has dtype complex128"),
    "a list": (([1.0, 2.0], {"w": Y}, 2), {}, "argument 'x' is a list"),
    "a matrix": ((np.ma.ones(2), {"w": Y}, 2), {}, "argument 'x'"),
    "too few": ((X, {"w": Y}), {}, "2 positional arguments were given"),
    "too many": ((X, {"w": Y}, 2, 3), {}, "4 positional arguments were given"),
    "a keyword in another way": ((X,), {"p": {"w": Y}, "n": 2}, "1 positional argument was"),
    "an unknown keyword": ((X, {"w": Y}, 2), {"m": 1}, "without a keyword argument 'm'"),
    "a key": ((X, {"v": Y}, 2), {}, "argument 'p' has no key 'w'"),
    "one more key": ((X, {"w": Y, "v": Y}, 2), {}, "unexpected key 'v'"),
    "an ordered dict": ((X, OrderedDict(w=Y), 2), {}, "argument 'p' is a dict"),
    "a number": ((X, {"w": Y}, 3), {}, "static argument 'n' is 3"),
    "True for 1": ((X, {"w": Y}, True), {}, "static argument 'n' is True"),
    "2.0 for 2": ((X, {"w": Y}, 2.0), {}, "static argument 'n' is 2.0"),
    "an integer of NumPy": ((X, {"w": Y}, np.int64(2)), {}, r"pass int\(n\)"),
}


@pytest.mark.parametrize(("args", "kwargs", "message"), REFUSED.values(), ids=REFUSED)
def test_the_entry_takes_nothing_that_the_form_refuses(args, kwargs, message):
    """In the words of the interpreted form."""
    plan = eg.grad(number).plan(X, {"w": Y}, 2)
    with pytest.raises((ShapeError, DTypeError), match=message):
        plan(*args, **kwargs)


def test_keyword_arguments_are_taken_as_the_plan_was_made(never_interpreted):
    """In any order."""
    plan = eg.grad(number).plan(X, p={"w": Y}, s="abc")
    np.testing.assert_array_equal(plan(X, s="abc", p={"w": Y}), 6 * Y)


def test_symbols_are_taken_by_position_or_by_name(never_interpreted):
    """Names are the safer way, and not a slower one."""
    v, w = eg.variable("v", 2), eg.variable("w", 2)
    plan = eg.compile({"sum": v + 2 * w, "product": v @ w})
    for result in (plan(X, Y), plan(w=Y, v=X)):
        np.testing.assert_array_equal(result["sum"], X + 2 * Y)
    assert eg.compile(())() == ()


def test_symbols_are_refused_as_before():
    """Every way in which a call can be wrong."""
    plan = eg.compile(eg.variable("v", 2) + eg.variable("w", 2))
    np.testing.assert_array_equal(plan(X, w=Y), X + Y)
    np.testing.assert_array_equal(plan([1, 2], [3, 4]), [4, 6])
    for args, kwargs in [((X,), {}), ((X, Y, X), {}), ((X,), {"v": Y}), ((), {"v": X, "u": Y})]:
        with pytest.raises(ShapeError, match=r"needs an array for w|takes 2 arrays|twice|no input"):
            plan(*args, **kwargs)


def test_given_derivative_tensors_are_checked_by_the_entry(never_interpreted):
    """A Hessian is symmetric."""
    x = eg.variable("x", 2)
    plan = eg.compile(eg.differentiate(eg.function("F", x), x, order=2) @ X)
    np.testing.assert_array_equal(plan(A + A.T), (A + A.T) @ X)
    with pytest.raises(SymmetryError, match="is not symmetric"):
        plan(A)


def test_a_plan_that_cannot_run_says_so():
    """It can be looked at."""
    plan = eg.jacobian(lambda x: np.sin(x[:, None] * x)).plan(np.zeros(3 * 10**6))
    with pytest.raises(MemoryLimitError, match="more than an array can have"):
        plan(np.zeros(3 * 10**6))


def test_results_nested_deeper_than_python_parses_are_built():
    """Twenty levels are written out, and any more are built."""

    def deep(x):
        for _ in range(90):
            x = [x]
        return x

    result = eg.derivative(deep, 0).plan(X)(Y)
    for _ in range(90):
        (result,) = result
    np.testing.assert_array_equal(result, Y)


# The text ----------------------------------------------------------------------------------------


def test_no_word_of_the_users_is_in_the_text():
    """Keys, names and strings are objects that the text has numbers for."""
    key = 'os"]\nimport os #'
    plan = eg.grad(lambda p, s, **os: p[key] @ p[key]).plan({key: X}, "os", os=Pair(X, "os"))
    assert "os" not in text_of(plan)
    assert [*plan({key: Y}, "os", os=Pair(Y, "os"))] == [key]


def test_the_text_is_the_same_for_the_same_form():
    """Deterministic, as all that is emitted."""
    plans = [eg.grad(lambda p, scale=k: p["a"] @ Y * scale).plan({"a": X}) for k in (2, 3)]
    assert text_of(plans[0]) == text_of(plans[1])
    assert plans[0].source != plans[1].source


def test_a_plan_is_freed_with_its_last_reference():
    """Its captured arrays may be large: they do not wait for the collector."""
    plan = eg.grad(lambda x: x @ A @ x).plan(X)
    plan(Y)
    freed = weakref.ref(plan), weakref.ref(captured_arrays(plan)[0])
    gc.disable()
    try:
        del plan
        assert [ref() for ref in freed] == [None, None]
    finally:
        gc.enable()


def test_copies_of_a_plan_have_an_entry_of_their_own(never_interpreted):
    """Pickled, copied, copied deeply."""
    plan = eg.grad(number).plan(X, {"w": Y}, 2)
    for again in (pickle.loads(pickle.dumps(plan)), copy.copy(plan), copy.deepcopy(plan)):
        np.testing.assert_array_equal(again(X, {"w": Y}, 2), plan(X, {"w": Y}, 2))
        assert text_of(again) == text_of(plan)


def test_threads_share_an_entry(never_interpreted):
    """It holds no state."""
    plan = eg.grad(lambda p, n: (p["a"] @ A @ p["a"]) * n).plan({"a": X}, 3)
    wrong = []

    def call(k):
        for _ in range(200):
            result = plan({"a": k * X}, 3)["a"]
            if not math.isclose(result[0], 3 * k * ((A + A.T) @ X)[0]):
                wrong.append(k)

    threads = [threading.Thread(target=call, args=(float(k),)) for k in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
