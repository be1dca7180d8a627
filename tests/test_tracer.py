"""The laws of a traced call."""

import contextvars
import threading
from collections import namedtuple

import numpy as np
import pytest
from faults import A, fixed

import eingrad as eg
from eingrad.errors import (
    DTypeError,
    InPlaceError,
    ShapeError,
    SubscriptsError,
    TracerLeakError,
    UnsupportedFunctionError,
)

X = fixed([0.5, 1.5, 2.5])
Z = X + 0j
Z.flags.writeable = False
HERE = r"test_tracer\.py:\d+"  # a message names the user's line


# Values that outlive their call -----------------------------------------------------------------


@pytest.mark.parametrize("use", [lambda y: y + 1, np.exp, lambda y: y[0], lambda y: np.sum([y, y])])
def test_a_traced_value_dies_with_its_call(use):
    """A value kept from an earlier call is refused wherever it is used."""
    kept = []
    eg.jacobian(lambda x: kept.append(x) or x)(X)
    with pytest.raises(TracerLeakError):
        use(kept[0])
    with pytest.raises(TracerLeakError, match=f"outlived the call it was made in .*{HERE}"):
        eg.jacobian(lambda x: x + kept[0])(X)


def test_a_dead_value_cannot_be_returned():
    """The result is checked like any operand."""
    kept = []
    eg.jacobian(lambda x: kept.append(x) or x)(X)
    with pytest.raises(TracerLeakError, match="outlived"):
        eg.jacobian(lambda x: kept[0])(X)


def test_a_thread_that_goes_on_in_the_context_of_a_call_cannot_use_its_values():
    """To the thread, the trace is the innermost one still."""
    ended, found = threading.Event(), []

    def job(x):
        assert ended.wait(60)
        with pytest.raises(TracerLeakError, match="outlived the call"):
            x * x
        found.append(x)

    def f(x):
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(job, x))
        thread.start()
        found.append(thread)
        return x * x

    eg.jacobian(f)(X)
    ended.set()
    found[0].join()
    assert len(found) == 2


def test_a_function_without_results_has_none_of_derivatives():
    """And no warning that they do not depend on its argument."""
    assert eg.jacobian(lambda x: ())(X) == ()
    assert eg.jacobian(lambda x: {"a": []})(X) == {"a": []}


# Captured arrays ---------------------------------------------------------------------------------


def test_a_captured_array_cannot_be_written_during_the_call():
    """It would be read after the write; afterwards it is writable again."""
    w = np.ones(3)
    view = w[:2]

    def f(x):
        y = x * w
        w[0] = 2.0
        return y

    with pytest.raises(InPlaceError, match=rf"destination is read-only at .*{HERE}.*to a copy"):
        eg.jacobian(f)(X)
    assert w.flags.writeable
    assert view.flags.writeable
    np.testing.assert_array_equal(w, np.ones(3))


def test_the_base_of_a_captured_view_is_locked_too():
    """Writing to the owner would change the view."""
    base = np.ones((2, 3))
    row = base[1]

    def f(x):
        y = x * row
        base[1, 0] = 2.0
        return y

    with pytest.raises(InPlaceError, match=rf"destination is read-only at .*{HERE}.*to a copy"):
        eg.jacobian(f)(X)
    assert base.flags.writeable
    assert row.flags.writeable


def test_captured_arrays_are_writable_after_an_exception():
    """Whatever ends the call."""
    w = np.ones(3)

    def f(x):
        y = x * w
        assert not w.flags.writeable
        raise RuntimeError(f"mine {y}")

    with pytest.raises(RuntimeError, match="mine"):
        eg.jacobian(f)(X)
    assert w.flags.writeable


def test_captured_arrays_are_writable_after_a_nested_call():
    """The lock of an inner call ends with the outermost one."""
    w = np.ones(3)
    eg.jacobian(lambda x: eg.grad(lambda y: (x * y * w).sum())(x) * w)(X)
    assert w.flags.writeable


def test_read_only_captured_arrays_stay_read_only():
    """The lock does not open what was closed."""
    eg.jacobian(lambda x: x * X)(A[0])
    assert not X.flags.writeable


def test_a_captured_array_changed_between_calls_gives_new_results():
    """Every call reads the function as it is now; a plan keeps a copy."""
    w = np.ones(3)
    first = eg.jacobian(lambda x: w * x * x)
    plan = first.plan(X)
    np.testing.assert_array_equal(first(X), np.diag(2 * X))
    w *= 3
    np.testing.assert_array_equal(first(X), np.diag(6 * X))
    np.testing.assert_array_equal(plan(X), np.diag(2 * X))


def test_a_global_changed_between_calls_gives_new_results():
    """Numbers and control flow of the user's are read at every call."""
    power = 2
    first = eg.grad(lambda x: x**power)
    assert first(3.0) == 6.0
    power = 3
    assert first(3.0) == 27.0


# Nesting -----------------------------------------------------------------------------------------


def test_perturbations_are_not_confused():
    """d/dx (x d/dy (x + y)) = 1."""
    assert eg.grad(lambda x: x * eg.grad(lambda y: x + y)(1.0))(2.0) == 1.0


def test_perturbations_are_not_confused_at_equal_arguments():
    """d/dx (x d/dy (x y)|y=x) = d/dx x^2 = 2x."""
    assert eg.grad(lambda x: x * eg.grad(lambda y: x * y)(x))(3.0) == 6.0


def test_the_jacobian_of_the_gradient_is_the_hessian():
    """In both orders of nesting, and for the mixture of three."""

    def f(x):
        return np.sum(np.exp(A @ x)) * x[0]

    expected = eg.hessian(f)(X)
    np.testing.assert_allclose(eg.jacobian(eg.grad(f))(X), expected, rtol=1e-13)
    np.testing.assert_allclose(eg.jacobian(eg.jacobian(f))(X), expected, rtol=1e-13)
    third = eg.derivative(f, order=3)(X)
    np.testing.assert_allclose(eg.jacobian(eg.hessian(f))(X), third, rtol=1e-13)
    np.testing.assert_allclose(eg.hessian(eg.grad(f))(X), third, rtol=1e-13)


def test_a_gradient_step_is_differentiable():
    """d(x - r f'(x))/dx = 1 - r f''(x)."""
    actual = eg.jacobian(lambda x: x - 0.1 * eg.grad(lambda y: np.sum(y**3))(x))(X)
    np.testing.assert_allclose(actual, np.eye(3) - 0.6 * np.diag(X), rtol=1e-14)


def test_arguments_and_results_may_be_nested():
    """Outputs outermost, then the arguments, in the user's own containers."""
    Pair = namedtuple("Pair", "u v")

    def f(p):
        return {"s": p["a"] @ p["b"][0], "t": (p["b"][1] * p["a"], [p["a"][0]])}

    p = {"a": X, "b": (2 * X, 3.0)}
    first = eg.jacobian(f)(p)
    assert first["s"].keys() == p.keys()
    np.testing.assert_array_equal(first["s"]["a"], 2 * X)
    np.testing.assert_array_equal(first["s"]["b"][0], X)
    assert first["s"]["b"][1] == 0
    np.testing.assert_array_equal(first["t"][0]["b"][1], X)
    np.testing.assert_array_equal(first["t"][0]["a"], 3 * np.eye(3))
    assert isinstance(first["t"][1], list)
    pair = eg.jacobian(lambda q: q.u * q.v)(Pair(2.0, 5.0))
    assert pair == Pair(5.0, 2.0)


def test_keyword_arguments_are_values_not_variables():
    """They are passed on, and not differentiated."""

    def f(x, *, scale, name="sin"):
        return scale * getattr(np, name)(x)

    first = eg.jacobian(f)
    np.testing.assert_allclose(first(X, scale=2.0), np.diag(2 * np.cos(X)))
    np.testing.assert_allclose(first(X, scale=X, name="cos"), np.diag(-X * np.sin(X)))
    plan = first.plan(X, scale=2.0)
    np.testing.assert_allclose(plan(X, scale=3.0), np.diag(3 * np.cos(X)))


def test_several_arguments_nest_once_per_order():
    """hessian[a][b] is the derivative in argument a, then in b; negative numbers count back."""
    f = lambda x, s, w: s**2 * (w @ x)  # noqa: E731
    hessian = eg.hessian(f, argnums=(0, -2))(X, 3.0, A)
    np.testing.assert_allclose(hessian[0][0], np.zeros((3, 3, 3)))
    np.testing.assert_allclose(hessian[0][1], 6 * A)
    np.testing.assert_allclose(hessian[1][0], 6 * A)
    np.testing.assert_allclose(hessian[1][1], 2 * (A @ X))
    (only,) = eg.jacobian(f, argnums=(1,))(X, 3.0, A)
    np.testing.assert_allclose(only, 6 * (A @ X))


def test_value_and_grad_is_the_pair():
    """One plan, the value and gradient of each argument."""
    value, (dx, dy) = eg.value_and_grad(lambda x, y: x @ A @ y, argnums=(0, 1))(X, X)
    np.testing.assert_allclose(value, X @ A @ X)
    np.testing.assert_allclose(dx, A @ X)
    np.testing.assert_allclose(dy, X @ A)


# Results -----------------------------------------------------------------------------------------

VIEWS = {
    "identity": lambda x: x,
    "transpose": lambda x: x.T,
    "reshape": lambda x: x.reshape(-1),
    "slice": lambda x: x[::-1],
    "part": lambda x: x[0],
    "copy": lambda x: x.copy(),
    "diagonal": np.diagonal,
    "broadcast": lambda x: np.broadcast_to(x, (2, 3, 3)),
    "times one": lambda x: 1 * x,
    "linear": lambda x: np.sum(A * x),
    "captured": lambda x: A,
    "twice": lambda x: (x, x, [x.T]),
}


@pytest.mark.parametrize("f", VIEWS.values(), ids=VIEWS.keys())
@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.filterwarnings("ignore::eingrad.errors.IndependentWarning")
def test_results_share_no_memory_and_may_be_written(f, order):
    """Not with the arguments, the captured arrays, each other, or another call's results."""
    x = fixed(A * 2)
    derived = eg.derivative(f, order)
    plan = derived.plan(x)
    results = []
    for value in (derived(x), derived(x), plan(x), plan(x)):
        results += [value] if isinstance(value, np.ndarray) else [*value[:2], value[2][0]]
    for n, one in enumerate(results):
        assert one.flags.writeable
        assert not np.shares_memory(one, x)
        assert not np.shares_memory(one, A)
        assert not any(np.shares_memory(one, other) for other in results[:n])
        before = [other.copy() for other in results[n + 1 :]]
        one[...] = -7
        for other, kept in zip(results[n + 1 :], before, strict=True):
            np.testing.assert_array_equal(other, kept)


def test_inputs_keep_their_values_and_flags():
    """A call neither writes nor locks its arguments for good."""
    x = np.array(A)
    eg.hessian(np.linalg.inv)(x)
    assert x.flags.writeable
    np.testing.assert_array_equal(x, A)


@pytest.mark.parametrize(
    "view", [A.T, A[::-1], A[:, ::2], np.broadcast_to(X, (2, 3)), np.asfortranarray(A)]
)
def test_memory_layout_does_not_matter(view):
    """Strides, negative strides, broadcasts and Fortran order give the values of a plain copy."""
    f = lambda x: np.sin(x @ x.T)  # noqa: E731
    np.testing.assert_allclose(eg.jacobian(f)(view), eg.jacobian(f)(view.copy()), rtol=1e-14)
    swapped = view.astype(view.dtype.newbyteorder())
    np.testing.assert_allclose(eg.jacobian(f)(swapped), eg.jacobian(f)(view), rtol=1e-14)


# The verbs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("argnums", [1, -2, (0, 3)])
def test_argnums_out_of_range_is_refused(argnums):
    """By the number that is wrong, and the number of arguments."""
    with pytest.raises(ShapeError, match=r"names argument -?\d, but the call has 1 positional"):
        eg.jacobian(np.sin, argnums=argnums)(X)


@pytest.mark.parametrize("verb", [eg.grad, eg.value_and_grad])
@pytest.mark.parametrize(
    ("f", "shown"), [(np.sin, r"\(3,\)"), (lambda x: (x[0], x[1]), r"\[\(\), \(\)\]")]
)
def test_a_gradient_needs_a_scalar(verb, f, shown):
    """The message has the shape that was returned."""
    with pytest.raises(ShapeError, match=rf"returned shape {shown}; use eingrad.jacobian"):
        verb(f)(X)


@pytest.mark.parametrize("order", [-1, 1.0, True, None])
def test_an_order_is_a_natural_number(order):
    """Refused where it is written."""
    with pytest.raises(ValueError, match=r"order must be an integer of at least 0, not"):
        eg.derivative(np.sin, order)


def test_a_verb_needs_a_function():
    """A common slip: the value in place of the function."""
    with pytest.raises(TypeError, match="is not a function; pass the function itself"):
        eg.grad(3.0)


def test_a_plan_refuses_other_arguments():
    """Shape, dtype, nesting and fixed arguments are those it was made for."""
    plan = eg.jacobian(lambda x, n: x**n).plan(X, 2)
    np.testing.assert_array_equal(plan(2 * X, 2), np.diag(4 * X))
    np.testing.assert_array_equal(plan(np.arange(3, dtype=np.int32), 2), np.diag([0.0, 2, 4]))
    with pytest.raises(ShapeError, match=r"argument 'x' has shape \(2,\) .* made for \(3,\)"):
        plan(X[:2], 2)
    with pytest.raises(DTypeError, match=r"argument 'x' has dtype complex128 .* made for float64"):
        plan(Z, 2)
    with pytest.raises(ShapeError, match="static argument 'n' is 3 but the plan was made for 2"):
        plan(X, 3)
    with pytest.raises(
        ShapeError, match="argument 'x' is a tuple, but the plan was made for an arr"
    ):
        plan((X,), 2)
    with pytest.raises(ShapeError, match="1 positional argument was given, but the plan was made"):
        plan(X, n=2)


def test_a_plan_is_not_made_inside_a_trace():
    """It needs arrays."""
    message = (
        "a plan needs arrays; it was asked for with traced values; call the function, or "
        r"eingrad.compiled\(f\), which is f where it is traced, or make the plan outside$"
    )
    with pytest.raises(DTypeError, match=message):
        eg.jacobian(lambda x: eg.jacobian(np.sin).plan(x))(X)
    with pytest.raises(DTypeError, match=message):
        eg.jacobian(lambda x: eg.plan(np.sin, x)(x))(X)


def test_a_plan_is_not_called_inside_a_trace():
    """It was said to be of another type, to be made an array of: which is refused, too."""
    plan = eg.plan(np.sin, X)
    message = (
        "argument 'x' is a traced value, but a plan computes with numbers; call what the plan was "
        r"made of, or eingrad.compiled\(f\), which is f where it is traced$"
    )
    with pytest.raises(DTypeError, match=message):
        eg.jacobian(plan)(X)
    assert eg.jacobian(eg.compiled(np.sin))(X).shape == 2 * X.shape


def test_an_expression_shows_its_shape_and_its_formula():
    """Printing a traced value is allowed; only its numbers are not known."""
    shown = []
    eg.jacobian(lambda x: shown.extend([repr(x), f"{x}"]) or x)(X)
    assert shown == ["<Expression of shape (3,), float64>", "[i] = x[i]"]


TUPLES = {
    "alone": ((0, 2),),
    "before a slice": ((0, 2), slice(1, None)),
    "after one": (slice(None), (0, 0, 1)),
    "two": ((0, 2), (1, 0)),
    "nested": (((0, 1), (2, 2)),),
    "in a list": ([(0, 1), (2, 2)],),
    "with an array": ((0, 2), np.array([1, 0])),
    "of flags": ((True, False, True),),
    "empty": ((),),
}


@pytest.mark.parametrize("index", TUPLES.values(), ids=TUPLES)
def test_a_tuple_within_an_index_is_what_a_list_is(index):
    """It was refused."""
    a = np.arange(6.0).reshape(3, 2)
    for _ in range(2):  # found in the record, too
        np.testing.assert_array_equal(eg.derivative(lambda a: a[index], 0)(a), a[index])
    slope = eg.grad(lambda a: np.sum(a[index] ** 2))(a)
    counts = np.zeros_like(a)
    np.add.at(counts, index, 1.0)
    np.testing.assert_array_equal(slope, 2 * a * counts)


def test_a_boolean_is_not_an_integer_index():
    """NumPy's x[True] is a mask, not x[1] (found by a new user)."""
    with pytest.raises(UnsupportedFunctionError, match="indexing by bool"):
        eg.jacobian(lambda x: x[True])(np.ones(3))


def test_a_scalar_accumulates_in_a_loop():
    """NumPy's scalars are immutable, so += rebinds the name and loses nothing."""

    def energy(x):
        total = 0.0
        for k in range(3):
            total += x[k] ** 2
        return total

    np.testing.assert_allclose(eg.grad(energy)(np.arange(3.0)), 2 * np.arange(3.0))


def test_argnums_are_checked_when_the_derivative_is_made():
    """A common slip: the argument where argnums belongs."""
    with pytest.raises(TypeError, match="argnums must be an integer"):
        eg.grad(np.sum, np.ones(3))


def test_another_view_written_during_tracing_is_seen():
    """The values at first use count; a use after the change is an error (found in review)."""
    base = np.ones(3)
    view = base[:]

    def once(x):
        y = (base * x).sum()
        view[:] = 0
        return y

    assert eg.grad(once)(np.ones(3)).tolist() == [1.0, 1.0, 1.0]
    base[:] = 1
    with pytest.raises(InPlaceError, match="was changed while it was traced"):
        eg.grad(lambda x: once(x) + (base * x).sum())(np.ones(3))


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda x: np.einsum("...i->i", x), SubscriptsError, "the ellipsis stands for 1 axes"),
        (lambda x: np.einsum("ii->i", x[:, :1]), ShapeError, "index 'i' has size 2"),
        (lambda x: x[..., ...], IndexError, "more than one ellipsis"),
        (lambda x: np.where(x & 1, x, 0), DTypeError, "supported for booleans alone"),
        (lambda x: x * 10**400, DTypeError, "is no float64"),
    ],
)
def test_what_numpy_refuses_is_refused(function, error, message):
    """Found in review."""
    with pytest.raises(error, match=message):
        eg.jacobian(function)(np.ones((2, 2)))


def test_argnums_name_each_argument_once():
    """Twice has no nesting of its own."""
    with pytest.raises(ShapeError, match="names an argument twice"):
        eg.derivative(lambda x, y: x * y, 1, (0, -2))(1.0, 2.0)


def test_views_of_one_array_are_writable_again():
    """A view can be made writable only after its base, whichever was captured last."""
    base = np.ones((3, 2, 2))
    first, second = base[0], base[1]
    eg.grad(lambda x: (first @ x).sum() + (second @ x).sum() + base.sum())(np.ones(2))
    assert all(array.flags.writeable for array in (base, first, second))


VIEWS_OF_ONE = {  # and how many arrays are captured
    "the same transpose twice": (lambda B: (B.T, B.T), 1),
    "the array and all of it": (lambda B: (B, B[:]), 1),
    "the same rows": (lambda B: (B[1:], B[1:]), 1),
    "the same entry, repeated": (lambda B: (np.broadcast_to(B[0, 0], (3, 3)),) * 2, 1),
    "an array and its transpose": (lambda B: (B, B.T), 2),
    "other rows": (lambda B: (B[1:], B[:-1]), 2),
    "the same bits as another dtype": (lambda B: (B, B.view(np.int64)), 2),
    "a copy": (lambda B: (B, B.copy()), 2),
}


@pytest.mark.parametrize("name", VIEWS_OF_ONE)
def test_views_of_the_same_entries_are_captured_once(name):
    """``W.T`` is another object each time: what is made of it was computed each time, too."""
    views, count = VIEWS_OF_ONE[name]
    B = np.random.default_rng(0).normal(size=(3, 3))

    def f(x):
        first, second = views(B)
        return np.sum(np.sin(x * first)) + np.sum(np.cos(x * second))

    x = np.array(0.7)
    plan = eg.plan(f, x)
    assert len(plan.captured) == count
    np.testing.assert_allclose(plan(x), f(x), rtol=1e-14)


def test_what_is_written_through_a_view_made_before_is_seen():
    B = np.ones((3, 3))
    first, second = B.T, B.T

    def f(x):
        y = x @ first
        second[0, 0] = 2.0
        return y + x @ second

    with pytest.raises(InPlaceError, match="was changed while it was traced"):
        eg.plan(f, np.ones(3))
