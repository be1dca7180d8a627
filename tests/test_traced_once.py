"""Laws of what is traced once: `eg.plan` and `eg.compiled`, and what they do not see."""

import copy
import enum
import pickle
import re
import threading
from collections import OrderedDict, namedtuple
from types import SimpleNamespace

import numpy as np
import pytest
from inside import derivative_of

import eingrad as eg
from eingrad.errors import DTypeError, PlanError, ShapeError

X, Y = np.array([1.5, 2.5]), np.array([0.5, -2.0])
Pair = namedtuple("Pair", "a b")
FACTOR = 2.0
WEIGHTS = np.array([1.0, 3.0])


def weighted(x):
    """A function of the module, which pickles; it reads a global number and a global array."""
    return (WEIGHTS * x * x).sum() * FACTOR


def counted(f):
    """The function, and a list of its calls."""
    calls = []

    def counting(*args, **kwargs):
        calls.append(args)
        return f(*args, **kwargs)

    return counting, calls


# plan --------------------------------------------------------------------------------------------


def test_plan_compiles_a_function_that_is_no_derivative():
    """Nothing is differentiated: integers are static, keyword arguments are enough."""
    plan = eg.plan(lambda n, x: n * x, 3, X)
    np.testing.assert_array_equal(plan(3, Y), 3 * Y)
    with pytest.raises(ShapeError, match="static argument 'n' is 4 but the plan was made for 3"):
        plan(4, Y)
    np.testing.assert_array_equal(
        eg.plan(lambda *, f, out: f - out, f=X, out=Y).inputs, ["f", "out"]
    )
    np.testing.assert_array_equal(eg.plan(lambda: X + 1)(), X + 1)
    assert eg.plan(lambda x: (x > 0) * x, np.array([1, 2])).program.inputs[0].dtype == np.int64


def test_plan_of_a_derivative_is_its_plan():
    """Not a function of order zero that computes it."""
    D = eg.grad(lambda x, B: x @ B @ x)
    assert eg.plan(D, X, np.eye(2)).source == D.plan(X, np.eye(2)).source


def test_what_is_no_function_is_refused():
    """Its value, say."""
    for verb in (eg.plan, eg.compiled):
        with pytest.raises(TypeError, match="is not a function; pass the function itself"):
            verb(X)


def test_a_derivative_still_needs_an_argument():
    """Only a value can be computed in none."""
    with pytest.raises(TypeError, match="argnums must be an integer or a tuple of integers, not"):
        eg.derivative(np.sin, 1, ())
    with pytest.raises(TypeError, match="argnums must be an integer or a tuple of integers, not"):
        eg.derivative(np.sin, 0, X)


# What compiled functions see ---------------------------------------------------------------------


def test_a_captured_array_that_is_changed_later_is_not_seen():
    """JAX's semantics: what the first trace saw, is. The derivative itself sees it."""
    B = np.eye(2)
    D = eg.grad(lambda x: x @ B @ x)
    fast = eg.compiled(D)
    np.testing.assert_array_equal(fast(X), 2 * X)
    B *= 10
    np.testing.assert_array_equal(fast(Y), 2 * Y)
    np.testing.assert_array_equal(D(Y), 20 * Y)
    ones = np.ones((1, 2))  # of another shape: another trace
    assert eg.compiled(lambda x: x @ B)(ones).tolist() == [[10.0, 10.0]]
    fast.cache_clear()
    np.testing.assert_array_equal(fast(Y), 20 * Y)


def test_a_global_that_is_changed_later_is_not_seen(monkeypatch):
    """Nor a branch of Python's, nor an attribute."""
    state = SimpleNamespace(power=2)
    fast = eg.compiled(lambda x: weighted(x) ** state.power)
    expected = fast(X)
    monkeypatch.setitem(globals(), "FACTOR", 5.0)
    monkeypatch.setitem(globals(), "WEIGHTS", X)
    state.power = 1
    np.testing.assert_array_equal(fast(X), expected)
    np.testing.assert_array_equal(eg.compiled(weighted)(X), (X**3).sum() * 5)


def test_a_call_of_the_same_kind_does_not_call_the_function():
    """Nor does it plan."""
    f, calls = counted(lambda x: (x * x).sum())
    fast = eg.compiled(eg.grad(f))
    for k in range(5):
        np.testing.assert_allclose(fast(k * X), 2 * k * X)
    assert len(calls) == 1
    assert fast.cache_info() == (4, 1, 128, 1)
    assert repr(fast) == "<compiled <derivative of counting, order 1, argnums 0>>"


# Kinds of arguments ------------------------------------------------------------------------------


def anything(x, *args, **kwargs):
    """Reads nothing of what it is not told about."""
    return x


def first(n, *args):
    """Takes any number first."""
    return n * 1.0


SAME = {
    "values": (((X,), {}), ((Y,), {})),
    "numbers": (((2.0,), {}), ((3.0,), {})),
    "nested values": (((X, {"a": (X, 1.0)}), {}), ((Y, {"a": (Y, 2.0)}), {})),
    "keywords": (((X,), {"a": X, "n": 2}), ((Y,), {"a": Y, "n": 2})),
    "equal statics": (((X, "ab", 2**70), {}), ((X, "".join(["a", "b"]), 2**70), {})),
    "objects of one state": (
        ((X, SimpleNamespace(n=2)), {}), ((X, SimpleNamespace(n=2)), {}),
    ),
    "functions": (((X, np.sin, len), {}), ((Y, np.sin, len), {})),
    "dtypes that are equal": (((X,), {}), ((pickle.loads(pickle.dumps(Y)),), {})),
}  # fmt: skip
OTHER = {
    "shape": (((X,), {}), ((np.ones(3),), {})),
    "dtype": (((X,), {}), ((X.astype("f4"),), {})),
    "byte order": (((X,), {}), ((X.astype(">f8"),), {})),
    "axes": (((2.0,), {}), ((np.ones(1),), {})),
    "number or scalar": (((2.0,), {}), ((np.float64(2),), {})),
    "scalar or array": (((np.float64(2),), {}), ((np.array(2.0),), {})),
    "number of arguments": (((X,), {}), ((X, X), {})),
    "position or keyword": (((X, X), {}), ((X,), {"a": X})),
    "keywords": (((X,), {"a": X}), ((X,), {"b": X})),
    "order of keywords": (((X,), {"a": X, "b": X}), ((X,), {"b": X, "a": X})),
    "keys": (((X, {"a": X}), {}), ((X, {"b": X}), {})),
    "order of keys": (((X, {"a": X, "b": X}), {}), ((X, {"b": X, "a": X}), {})),
    "list or tuple": (((X, [X]), {}), ((X, (X,)), {})),
    "named tuple": (((X, (X, X)), {}), ((X, Pair(X, X)), {})),
    "ordered dict": (((X, {"a": X}), {}), ((X, OrderedDict(a=X)), {})),
    "key 1 or True": (((X, {1: X}), {}), ((X, {True: X}), {})),
    "key 1 or 1.0": (((X, {1: X}), {}), ((X, {1.0: X}), {})),
    "key 0.0 or -0.0": (((X, {0.0: X}), {}), ((X, {-0.0: X}), {})),
    "key within a key": (((X, [{(1, "a"): X}]), {}), ((X, [{(True, "a"): X}]), {})),
    "depth": (((X, ((X,), X)), {}), ((X, ((X, X),)), {})),
    "number or string": (((X, 1), {}), ((X, "1"), {})),
    "static value": (((X, 2), {}), ((X, 3), {})),
    "static type": (((X, 1), {}), ((X, True), {})),
    "static class": (((X, float), {}), ((X, 1.0), {})),
    "static string": (((X, "a"), {}), ((X, b"a"), {})),
    "state": (((X, SimpleNamespace(n=2)), {}), ((X, SimpleNamespace(n=3)), {})),
    "function": (((X, np.sin), {}), ((X, np.cos), {})),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_of_one_kind(one, other):
    """One plan serves both."""
    fast = eg.compiled(eg.derivative(anything, 0))
    for args, kwargs in (one, other):
        np.testing.assert_array_equal(fast(*args, **kwargs), args[0])
    assert fast.cache_info()[:2] == (1, 1)


@pytest.mark.parametrize(("one", "other"), OTHER.values(), ids=OTHER)
def test_of_two_kinds(one, other):
    """Each is traced by itself, and found again."""
    fast = eg.compiled(eg.derivative(anything, 0))
    for args, kwargs in (one, other, one, other):
        np.testing.assert_array_equal(fast(*args, **kwargs), args[0])
    assert fast.cache_info()[:2] == (2, 2)


@pytest.mark.parametrize("keys", [(1, True, 1.0), (True, 1), (0.0, -0.0), ((1,), (True,))])
def test_a_result_has_the_keys_that_were_given(keys):
    """Those that are equal to others of another type too, in values, derivatives and messages."""
    fast = eg.compiled(lambda given: {key: value**2 for key, value in given.items()})
    slope = eg.compiled(eg.grad(lambda given: sum((v**2).sum() for v in given.values())))
    for key in (*keys, *keys):
        for made in (fast({key: X}), slope({key: X})):
            ((found, _),) = made.items()
            assert repr(found) == repr(key)
        plan = eg.plan(lambda given: sum(given.values()), {key: X})
        with pytest.raises(ShapeError, match=re.escape(f"'given[{key!r}]' has shape")):
            plan({key: np.ones(7)})


def test_an_integer_that_is_differentiated_is_an_input():
    """Counted from the front or from the end; one that is not is static."""
    for argnums, args in [(0, (2,)), (0, (2, X)), (-1, (X, 2)), ((0, 1), ([1, 2], 3))]:
        fast = eg.compiled(eg.derivative(first if argnums == 0 else anything, 0, argnums))
        fast(*args)
        fast(*[[5, 6] if type(v) is list else 7 if type(v) is int else v for v in args])
        assert fast.cache_info().currsize == 1
    fast = eg.compiled(lambda n, x: n * x)
    np.testing.assert_array_equal(fast(2, X), 2 * X)
    np.testing.assert_array_equal(fast(3, X), 3 * X)
    assert fast.cache_info().currsize == 2


def test_a_compiled_function_computes_what_the_function_does():
    """Also what depends on the class of a number, and on the order of a dict."""
    f = lambda x, s, p: np.concatenate([*p.values()]) * x * s  # noqa: E731
    fast, D = eg.compiled(eg.derivative(f, 0)), eg.derivative(f, 0)
    x = np.array([2.0], "f4")
    for s in (2.0, np.float64(2), np.array(2.0), np.float32(2)):
        for p in ({"a": x, "b": 2 * x}, {"b": x, "a": 2 * x}):
            actual, expected = fast(x, s, p), D(x, s, p)
            assert actual.dtype == expected.dtype
            np.testing.assert_array_equal(actual, expected)


def test_keyword_arguments_of_any_name():
    """Also those that the verbs and plans have."""
    fast = eg.compiled(lambda f, *, out, maxsize, self: f * out * maxsize - self)
    np.testing.assert_array_equal(fast(f=X, out=Y, maxsize=2, self=1.0), 2 * X * Y - 1)
    np.testing.assert_array_equal(fast(f=Y, out=Y, maxsize=2, self=1.0), 2 * Y * Y - 1)
    assert fast.cache_info().hits == 1


# Errors, bounds, sharing -------------------------------------------------------------------------


def test_errors_are_those_of_the_derivative():
    """And nothing is kept of the call."""
    loop = []
    loop.append(loop)
    fast = eg.compiled(eg.grad(lambda x, *_: x @ x))
    for args in [(), ("a",), (X * 1j > 0,), (np.ma.ones(2),), (X, loop), (np.ones((2, 2)),)]:
        with pytest.raises(Exception) as expected:  # noqa: PT011 - whatever it is
            derivative_of(fast)(*args)
        with pytest.raises(type(expected.value)) as actual:
            fast(*args)
        assert str(actual.value) == str(expected.value)
    assert fast.cache_info().currsize == 0
    for _ in range(2):
        with pytest.raises(PlanError, match="could change unnoticed"):
            fast(X, threading.Lock())


@pytest.mark.parametrize("maxsize", [0, -1, 1.5, True, None])
def test_the_bound_is_checked(maxsize):
    """An integer of at least 1."""
    with pytest.raises(ValueError, match="maxsize must be an integer of at least 1, not"):
        eg.compiled(weighted, maxsize=maxsize)


def test_the_least_recently_used_plan_is_dropped():
    """And traced again when it is needed."""
    f, calls = counted(lambda x: x.sum())
    fast = eg.compiled(f, maxsize=2)
    for n in (1, 2, 1, 3, 1, 2):  # 3 drops 2, for 1 was used after it
        assert fast(np.ones(n)) == n
    assert [len(x) for (x,) in calls] == [1, 2, 3, 2]
    assert fast.cache_info() == (2, 4, 2, 2)


def test_threads_share_what_is_compiled():
    """Many at the first call: one plan is kept, and all have right results."""
    fast = eg.compiled(eg.grad(lambda x, p: x @ p["A"] @ x))
    barrier, wrong = threading.Barrier(8), []

    def call(k):
        barrier.wait()
        for n in (2, 3, 2):
            x = np.arange(1.0, n + 1)
            if not np.allclose(fast(x, {"A": k * np.eye(n)}), 2 * k * x):
                wrong.append((k, n))

    threads = [threading.Thread(target=call, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert fast.cache_info().currsize == 2


def test_it_pickles_with_its_plans(monkeypatch):
    """So what was frozen stays so, where the copy is used too."""
    fast = eg.compiled(eg.grad(weighted), maxsize=3)
    fast(X)
    monkeypatch.setitem(globals(), "WEIGHTS", WEIGHTS * 10)
    for again in (pickle.loads(pickle.dumps(fast)), copy.copy(fast), copy.deepcopy(fast)):
        assert again.cache_info() == (0, 0, 3, 1)
        np.testing.assert_array_equal(again(Y), fast(Y))
    fast.cache_clear()
    again = pickle.loads(pickle.dumps(fast))
    np.testing.assert_array_equal(again(Y), eg.grad(weighted)(Y))
    with pytest.raises(Exception, match=r"(?i)pickle"):
        pickle.dumps(eg.compiled(lambda x: x))


# Within other derivatives ------------------------------------------------------------------------


def test_with_traced_values_it_is_the_function():
    """It is differentiated like any other."""
    f, calls = counted(lambda x, n: (x**n).sum())
    fast = eg.compiled(f)
    for _ in range(2):
        np.testing.assert_allclose(eg.hessian(lambda x: fast(x, n=3) * 1.0)(X), np.diag(6 * X))
    assert len(calls) == 2
    assert fast.cache_info().currsize == 0
    np.testing.assert_allclose(eg.grad(eg.compiled(eg.grad(f)))(2.0, 3), 12.0)


def test_a_closure_over_traced_values_is_no_plan():
    """It would hold them after they are gone; what is traced once is traced with them."""
    with pytest.raises(DTypeError, match="a plan needs arrays"):
        eg.grad(lambda x: x @ eg.plan(lambda y: x * y, Y)(Y))(X)
    fast = []

    def f(x):
        fast.append(eg.compiled(lambda y: x * y))
        return x @ fast[-1](Y)

    np.testing.assert_allclose(eg.grad(f)(X), 2 * X * Y)
    assert all(each.cache_info().currsize == 0 for each in fast)


# Found by a reader -------------------------------------------------------------------------------


class Level(float, enum.Enum):
    """Members that are floats too."""

    LOW = 1.5
    HIGH = 2.5


@pytest.mark.parametrize("make", [eg.plan, None], ids=["plan", "compiled"])
@pytest.mark.parametrize(
    ("first", "second"),
    [(np.str_("a"), np.str_("b")), (np.bytes_(b"a"), np.bytes_(b"b")), (Level.LOW, Level.HIGH)],
)
def test_strings_of_numpy_and_members_of_enums_are_static(make, first, second):
    """They are numbers by class, but a function tells them by what they are."""

    def f(x, mode):
        return x * 2 if mode is first or (mode == first and mode != second) else x * 3

    for mode in (first, second, first):
        call = make(f, X, mode) if make else COMPILED.setdefault(f, eg.compiled(f))
        np.testing.assert_array_equal(call(X, mode), f(X, mode))
        np.testing.assert_array_equal(eg.derivative(f, 0)(X, mode), f(X, mode))


COMPILED = {}


def test_what_captures_a_traced_value_is_traced_with_it():
    """Whether it was called before or not."""
    weights = [np.ones(3)]
    inner = eg.compiled(lambda z: z @ weights[0])

    def outer(w):
        weights[0] = w
        return inner(np.arange(3.0)) ** 2

    w = np.array([1.0, -2.0, 0.5])
    expected = 2 * (w @ np.arange(3.0)) * np.arange(3.0)
    np.testing.assert_allclose(eg.grad(outer)(w), expected)
    weights[0] = np.ones(3)
    assert inner(np.arange(3.0)) == 3
    np.testing.assert_allclose(eg.grad(outer)(w), expected)
