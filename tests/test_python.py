"""The catalogue of faults: Python under tracing, its branches, loops, threads and tasks.

One test id per fault, in words. Every message is matched: what, where, what to do.
"""

import asyncio
import contextvars
import functools
import math
import threading
from collections import OrderedDict

import numpy as np
import pytest
from faults import A, Box, Pair, X, fixed, parametrize, raises

import eingrad as eg
from eingrad.errors import (
    DTypeError,
    IndependentWarning,
    InPlaceError,
    ShapeError,
    TracerLeakError,
)

HERE = r"test_python\.py:\d+: `.*"  # the user's line, quoted


class Model:
    """With a method, and callable."""

    weights = fixed([1.0, 2.0, 3.0])

    def value(self, x):
        return x @ self.weights

    def __call__(self, x, power=2):
        return (x**power).sum()


def without_source():
    """Make a function whose text nobody can find."""
    namespace = {}
    exec("def f(x):\n    return (x**2).sum()", namespace)
    return namespace["f"]


RIGHT_CODE = {
    "built-in sum": (lambda: eg.grad(sum)(X), np.ones(3)),
    "math.prod": (lambda: eg.grad(math.prod)(X), [6.0, 3.0, 2.0]),
    "list that is filled": (
        lambda: eg.grad(lambda x: np.stack([*x[:1], x[1] * 2, x[0]]).sum())(X),
        [2.0, 2.0, 0.0],
    ),
    "ufunc.reduce": (lambda: eg.grad(np.multiply.reduce)(X), [6.0, 3.0, 2.0]),
    "ufunc.outer": (
        lambda: eg.jacobian(lambda x: np.multiply.outer(x, X))(X),
        np.einsum("ik,j->ijk", np.eye(3), X),
    ),
    "ufunc.accumulate": (lambda: eg.jacobian(np.add.accumulate)(X), np.tri(3)),
    "where=": (lambda: eg.grad(lambda x: np.sum(x, where=[True, False, True]))(X), [1.0, 0.0, 1.0]),
    "initial=": (lambda: eg.grad(lambda x: np.sum(x, initial=2.0))(X), np.ones(3)),
    "out=None": (lambda: eg.grad(lambda x: np.add(X, x, out=None).sum())(X), np.ones(3)),
    "perturbations of two levels": (
        lambda: eg.grad(lambda x: x * eg.grad(lambda y: x + y)(1.0))(2.0),
        1.0,
    ),
    "the argument itself": (lambda: eg.jacobian(lambda x: x)(X), np.eye(3)),
    "method": (lambda: eg.grad(Model().value)(X), X),
    "callable object": (lambda: eg.grad(Model())(X), 2 * X),
    "keyword argument": (lambda: eg.grad(Model())(X, power=3), 3 * X**2),
    "function of a class": (lambda: eg.grad(Model.value, argnums=1)(Model(), X), X),
    "partial": (lambda: eg.grad(functools.partial(lambda a, x: (a * x).sum(), 2.0))(X), [2.0] * 3),
    "any number of arguments": (lambda: eg.grad(lambda *a: a[0] @ a[1], argnums=1)(X, 2 * X), X),
    "function without source": (lambda: eg.grad(without_source())(X), 2 * X),
    "built-in function": (lambda: eg.grad(np.sin)(0.0), 1.0),
    "nan in the argument stays in its place": (
        lambda: eg.grad(lambda x: (x**2).sum())(fixed([np.nan, 1.0, np.inf])),
        [np.nan, 2.0, np.inf],
    ),
    "named tuple": (lambda: eg.grad(lambda p: p.a @ p.b)(Pair(X, 2 * X)).a, 2 * X),
    "OrderedDict": (lambda: eg.grad(lambda p: p["a"] @ p["b"])(OrderedDict(a=X, b=2 * X))["b"], X),
    "dict in a list in a tuple": (
        lambda: eg.grad(lambda p: p[0][0]["a"] @ p[1])(([{"a": X}], 2 * X))[0][0]["a"],
        2 * X,
    ),
    "dict of results": (lambda: eg.jacobian(lambda x: {"a": (x,)})(X)["a"][0], np.eye(3)),
    "object that is not differentiated": (
        lambda: eg.grad(lambda x, box: x @ box.value)(X, Box(X)),
        X,
    ),
}


@parametrize(("call", "expected"), RIGHT_CODE)
def test_everyday_python_has_the_right_derivative(call, expected):
    """Tracing needs no source text, and no special style."""
    np.testing.assert_allclose(call(), expected, rtol=1e-14)


def test_integers_that_are_returned_are_floats_of_the_same_value():
    """As are integers that are computed with: no dtype of a derivative depends on which."""
    n = fixed([1, 2], np.int32)
    for f in (lambda x, n: n, lambda x, n: n * 1, lambda x, n: n.astype(np.int32)):
        value, derivative = eg.value_and_derivatives(f, order=1)(2.0, n)
        np.testing.assert_array_equal(value, np.array([1.0, 2.0]), strict=True)
        np.testing.assert_array_equal(derivative, np.zeros(2), strict=True)


def test_labels_are_given_as_the_messages_say():
    """Captured, as a list, or one-hot."""
    labels, mask = fixed([0, 2, 0], int), fixed([1, 0, 1], bool)

    def f(x, labels):
        return (x[labels] ** 2).sum()

    expected = eg.grad(lambda x: f(x, labels))(X)
    np.testing.assert_allclose(expected, [4 * X[0], 0.0, 2 * X[2]])
    np.testing.assert_array_equal(eg.grad(f)(X, labels.tolist()), expected)
    one_hot = eg.grad(lambda x, rows: ((rows @ x) ** 2).sum())(X, np.eye(3)[labels])
    np.testing.assert_allclose(one_hot, expected)
    selected = eg.grad(lambda x, mask: (np.where(mask, x, 0.0) ** 2).sum())(X, mask)
    np.testing.assert_array_equal(selected, eg.grad(f)(X, mask.tolist()))


def test_a_list_of_arrays_is_no_mistake():
    """Errors within the function are as they were."""
    with pytest.raises(ZeroDivisionError) as raised:
        eg.grad(lambda xs: xs[0] @ xs[1] / (1 // 0))([X, X])
    assert not hasattr(raised.value, "__notes__")
    with pytest.raises(TypeError, match="'list' and 'int'") as raised:
        eg.grad(lambda xs: xs**2)([X, X])
    assert not hasattr(raised.value, "__notes__")


def test_flags_that_are_returned_are_refused():
    """A comparison may depend on the argument; its derivative is zero almost everywhere only."""
    for f in (lambda x, flags: x > 1, lambda x, flags: flags):
        with pytest.raises(DTypeError, match=r"returned bool values.*np\.where turns a condition"):
            eg.jacobian(f)(2.0, fixed([True, False], bool))


def test_containers_come_back_as_what_they_were():
    """Of the class they were given in."""
    gradient = eg.grad(lambda p: p["a"].a @ p["a"].b)
    assert type(gradient(OrderedDict(a=Pair(X, X)))) is OrderedDict
    assert type(gradient({"a": Pair(X, X)})["a"]) is Pair


CONSTANT = {
    "number": (lambda x: 5.0, (3,)),
    "integer": (lambda x: 5, (3,)),
    "array": (lambda x: np.ones(2), (2, 3)),
    "lost in a test of the class": (lambda x: x.sum() if isinstance(x, np.ndarray) else 0.0, (3,)),
}


@parametrize(("f", "shape"), CONSTANT)
def test_a_result_that_was_not_computed_from_the_argument_warns(f, shape):
    """Zeros of the right shape; at the line of the call."""
    message = "<lambda> returned a value that was not computed from its arguments by NumPy"
    with pytest.warns(IndependentWarning, match=message) as caught:
        result = eg.jacobian(f)(X)
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(result, np.zeros(shape), strict=True)


def test_the_value_of_a_constant_function_does_not_warn():
    """Nothing is differentiated; nor does a derivative that vanishes."""
    assert eg.derivative(lambda x: 5.0, 0)(X) == 5.0
    np.testing.assert_array_equal(eg.hessian(np.sum)(X), np.zeros((3, 3)))


def test_results_among_others_are_looked_at_one_by_one():
    """One constant of two is enough for the warning."""
    with pytest.warns(IndependentWarning):
        eg.jacobian(lambda x: (x, 1.0))(X)


# Arrays written while they are traced

WRITES = {
    "element": lambda w: w.__setitem__(0, 9.0),
    "all": lambda w: w.__setitem__(slice(None), 9.0),
    "sort": lambda w: w.sort(),
    "fill": lambda w: w.fill(9.0),
    "ufunc": lambda w: np.add(w, 1, out=w),
    "a view": lambda w: w[1:].__setitem__(0, 9.0),
    "copyto": lambda w: np.copyto(w, 9.0),
}


@pytest.mark.parametrize("role", ["captured", "argument", "base of a view", "not differentiated"])
@parametrize("write", WRITES)
def test_an_array_in_use_cannot_be_written_while_it_is_traced(role, write):
    """Its values are part of the derivative already; afterwards it is as it was."""
    w = np.array([3.0, 1.0, 2.0])
    used = w[:] if role == "base of a view" else w

    def f(x, other):
        y = x * (used if role in ("captured", "base of a view") else other)
        write(w)
        return y.sum()

    arguments = {
        "argument": (w, X),
        "not differentiated": (X, w),
    }.get(role, (X, X))
    raises(
        lambda: eg.grad(f)(*arguments),
        InPlaceError,
        r"read-only at .*test_python\.py:\d+: `.*`: arrays that the function is given or has used "
        "are read-only until the call ends.*write to a copy instead",
    )
    np.testing.assert_array_equal(w, [3.0, 1.0, 2.0])
    write(w)


def test_an_array_written_by_another_view_is_noticed_or_harmless():
    """No lock reaches a view that was made before."""
    owner = np.ones(3)
    used, other = owner[:], owner[::-1]

    def once(x):
        y = x * used
        other[...] = 0.0
        return y.sum()

    np.testing.assert_array_equal(eg.grad(once)(X), np.ones(3))
    owner[...] = 1.0

    def twice(x):
        y = x * used
        other[...] = 0.0
        return (y + used * x).sum()

    raises(
        lambda: eg.grad(twice)(X), InPlaceError, rf"was changed while it was .*again at .*{HERE}"
    )


def test_a_read_only_error_of_the_users_own_passes_unchanged():
    """Nothing of ours is locked then."""
    frozen = fixed([1.0])

    def f(x):
        frozen[0] = 2.0
        return x

    with pytest.raises(ValueError, match=r"^assignment destination is read-only$") as caught:
        eg.jacobian(f)(2.0)
    assert type(caught.value) is ValueError


def test_a_plan_keeps_the_values_it_was_made_with():
    """Also those of a read-only view, whose base may change."""
    base = np.ones(3)
    view = base[:]
    view.flags.writeable = False
    gradient = eg.grad(lambda x: x @ view)
    plan = gradient.plan(X)
    base[...] = 9.0
    np.testing.assert_array_equal(plan(X), np.ones(3))
    np.testing.assert_array_equal(gradient(X), np.full(3, 9.0))


# Traced values where they do not belong

OUTLIVED = {
    "ufunc": np.sin,
    "function": np.sum,
    "operator": lambda x: x + 1,
    "reflected operator": lambda x: X * x,
    "comparison": lambda x: x == 1,
    "index": lambda x: x[0],
    "method": lambda x: x.sum(),
    "transpose": lambda x: x.T,
    "capture in another call": lambda x: eg.grad(lambda y: (x * y).sum())(X),
    "argument of another call": eg.grad(np.sum),
    "result of another call": lambda x: eg.jacobian(lambda _: x)(X),
}


@parametrize("use", OUTLIVED)
def test_a_traced_value_that_outlives_its_call_is_refused(use):
    """And the call it was made in is named."""
    kept = []

    def f(x):
        kept.append(x * 2)
        return x.sum()

    eg.grad(f)(X)
    raises(
        lambda: use(kept[0]),
        TracerLeakError,
        r"outlived the call it was made in at .*test_python\.py:\d+ \(used at .*test_python\.py:\d+"
        ".*return it from the function instead of storing it",
    )


def in_a_thread(job):
    """Run in a thread of its own; its error comes back."""
    results = []

    def run():
        try:
            results.append(job())
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(results[0], Exception):
        raise results[0]
    return results[0]


def test_a_thread_may_compute_with_a_traced_value():
    """It is no part of a call there."""
    np.testing.assert_array_equal(eg.grad(lambda x: in_a_thread((x**2).sum))(X), 2 * X)


def test_a_call_in_a_thread_refuses_values_of_a_call_outside():
    """It was taken for its own argument: the gradient of x * y in y came out as that of y * y."""
    eg.grad(lambda y: (y * y).sum())(X)  # its plan was found for the other

    def f(x):
        return in_a_thread(lambda: eg.grad(lambda y: (x * y).sum())(X)).sum()

    raises(
        lambda: eg.grad(f)(X),
        TracerLeakError,
        r"a traced value of the call at .*test_python\.py:\d+ is used in a call of another thread, "
        rf"at .*{HERE}.*start the thread in its context, with contextvars.copy_context\(\).run",
    )


def test_a_call_in_a_thread_is_part_of_the_call_outside_in_its_context():
    """As the message says."""

    def f(x):
        inner = lambda: eg.grad(lambda y: (x**2 * y).sum())(X)  # noqa: E731
        return in_a_thread(functools.partial(contextvars.copy_context().run, inner)).sum()

    np.testing.assert_array_equal(eg.grad(f)(X), 2 * X)


def test_a_call_in_a_thread_that_uses_nothing_outside_is_its_own():
    """Traces of two threads do not mix."""

    def f(x):
        return x @ in_a_thread(lambda: eg.grad(lambda y: (y**3).sum())(X))

    np.testing.assert_array_equal(eg.grad(f)(X), 3 * X**2)


def test_coroutines_that_take_turns_do_not_mix():
    """Each has a context of its own."""

    async def one(power):
        await asyncio.sleep(0)
        result = eg.grad(lambda x: (x**power).sum())(X)
        await asyncio.sleep(0)
        return result

    async def all_of_them():
        return await asyncio.gather(*map(one, (2, 3, 4)))

    for power, result in zip((2, 3, 4), asyncio.run(all_of_them()), strict=True):
        np.testing.assert_allclose(result, power * X ** (power - 1), rtol=1e-15)


def test_a_coroutine_function_is_refused():
    """What it returns is no value."""

    async def later(x):
        return x

    made = []

    def f(x):
        made.append(later(x))
        return made[0]

    raises(lambda: eg.jacobian(f)(X), DTypeError, "the result of f is <coroutine object .*of type")
    made[0].close()


def test_an_exception_of_the_users_passes_unchanged_and_leaves_no_trace_open():
    """The same object, not a copy."""
    mine = KeyError("mine")

    def f(x):
        _ = x * A
        raise mine

    with pytest.raises(KeyError) as caught:
        eg.jacobian(f)(X)
    assert caught.value is mine
    np.testing.assert_array_equal(eg.grad(np.sum)(X), np.ones(3))


def test_a_static_argument_that_holds_arrays_is_not_taken_for_another():
    """Comparing two of them has no single truth; asking for it was an error of NumPy's."""
    plan = eg.grad(lambda x, box: x @ box.value).plan(X, box := Box(X))
    np.testing.assert_array_equal(plan(X, box), X)
    raises(
        lambda: plan(X, Box(2 * X)),
        ShapeError,
        "static argument 'box' is an object of type faults.Box but is not as it was when",
    )
