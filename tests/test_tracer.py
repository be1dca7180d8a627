"""What tracing refuses, and the laws of a traced call."""

import contextvars
import math
import sys
import threading
from collections import UserList, namedtuple
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import numpy as np
import pytest
from faults import A, Subclass, W, fixed
from inside import node_of

import eingrad as eg
from eingrad import _ir, _tracer
from eingrad.errors import (
    BranchError,
    DTypeError,
    EingradError,
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


def set_first(x):
    x[0] = 1.0
    return x


def add_in_place(x):
    x += X
    return x


def multiply_in_place(x):
    x *= 2
    return x


def array_plus_expression_in_place(x):
    z = np.zeros(3)
    z += x
    return z


def power_series(x):
    return sum(x ** int(x[0]))


def exclusive_or(x):
    return x ^ x


# Refusals: (function, argument, error, telling part of the message) -------------------------------

REFUSALS = {
    # control flow and leaks
    "if": (
        lambda x: x if x[0] > 0 else -x,
        X,
        BranchError,
        rf"truth of a traced value.*{HERE}.*np.where",
    ),
    "and": (lambda x: x[0] > 0 and x[0], X, BranchError, "truth of a traced value"),
    "max()": (lambda x: max(x[0], x[1]), X, BranchError, "np.maximum"),
    "in": (lambda x: x[0] in [1.0], X, BranchError, "truth of a traced value"),
    "not": (lambda x: not x, X, BranchError, "truth of a traced value"),
    "float()": (
        lambda x: float(x[0]),
        X,
        TracerLeakError,
        rf"float\(\) of a traced value at .*{HERE}",
    ),
    "int()": (power_series, X, TracerLeakError, rf"int\(\) of a traced value at .*{HERE}"),
    "complex()": (lambda x: complex(x[0]), X, TracerLeakError, r"complex\(\) of a traced value"),
    "round()": (lambda x: round(x[0]), X, TracerLeakError, r"round\(\) of a traced value"),
    "range()": (lambda x: range(x[0]), X, TracerLeakError, "an integer index of a traced value"),
    "list index": (lambda x: [1.0][x[0]], X, TracerLeakError, "an integer index of a traced value"),
    "format": (lambda x: f"{x[0]:.3f}", X, TracerLeakError, "formatting of a traced value"),
    "np.asarray": (
        np.asarray,
        X,
        TracerLeakError,
        "conversion to an array .*; it has no numbers yet",
    ),
    "np.array": (np.array, X, TracerLeakError, "conversion to an array"),
    "np.array of a list": (
        lambda x: np.array([x[0], x[1]]),
        X,
        TracerLeakError,
        "of a traced value",
    ),
    "math.sin": (lambda x: math.sin(x[0]), X, TracerLeakError, "math.sin takes plain numbers"),
    "list operand": (
        lambda x: np.add(x[:2], [x[0], x[1]]),
        X,
        TracerLeakError,
        "list with traced .*np.stack",
    ),
    "len of 0-d": (lambda x: len(x[0]), X, TypeError, "without axes"),
    "iteration over 0-d": (lambda x: [*x[0]], X, TypeError, "without axes"),
    # in place
    "x[0] = 1": (set_first, X, InPlaceError, rf"assigned to at .*{HERE}: `x\[0\] = 1.0`.*np.stack"),
    "x += y": (add_in_place, X, InPlaceError, r"changed in place at .*write x = x \+ y"),
    "x *= 2": (multiply_in_place, X, InPlaceError, "changed in place"),
    "z += x": (array_plus_expression_in_place, X, InPlaceError, r"np.add writes .*z = z \+ x"),
    "np.add(out=)": (
        lambda x: np.add(x, 1, out=np.zeros(3)),
        X,
        InPlaceError,
        "np.add writes into",
    ),
    "np.sum(out=)": (
        lambda x: np.sum(x, out=np.zeros(())),
        X,
        InPlaceError,
        r"np.sum\(out=\.\.\.\) writes",
    ),
    "np.add.at": (
        lambda x: np.add.at(np.zeros(3), 0, x),
        X,
        InPlaceError,
        r"np.add.at writes in place at .*np.stack",
    ),
    "np.divide.reduce": (
        np.divide.reduce,
        X,
        UnsupportedFunctionError,
        r"np.divide.reduce has no",
    ),
    # unknown
    "np.interp": (
        lambda x: np.interp(x, X, X),
        X,
        UnsupportedFunctionError,
        "np.interp has no derivative",
    ),
    "np.median": (np.median, X, UnsupportedFunctionError, "np.median has no derivative"),
    "np.linalg.svd": (
        np.linalg.svd,
        A,
        UnsupportedFunctionError,
        r"np.linalg.svd has no derivative",
    ),
    "np.spacing": (np.spacing, X, UnsupportedFunctionError, "np.spacing has no derivative"),
    "%": (lambda x: x % 2, X, UnsupportedFunctionError, "np.remainder has no derivative"),
    "//": (lambda x: x // 2, X, UnsupportedFunctionError, "np.floor_divide has no derivative"),
    "x.argmax()": (
        lambda x: x.argmax(),
        X,
        UnsupportedFunctionError,
        "ndarray.argmax has no derivative",
    ),
    "x.unknown": (lambda x: x.unknown, X, AttributeError, "no attribute 'unknown'"),
    "^": (exclusive_or, X, UnsupportedFunctionError, "np.bitwise_xor has no derivative here"),
    "ufunc keyword": (
        lambda x: np.exp(x, where=X > 1),
        X,
        UnsupportedFunctionError,
        "np.exp: keyword 'where'",
    ),
    "zeros_like(order=)": (
        lambda x: np.zeros_like(x, order="F"),
        X,
        UnsupportedFunctionError,
        rf"np.zeros_like: keyword argument 'order' .*{HERE}.*\(supported: dtype, shape\)",
    ),
    "too many arguments": (lambda x: np.ravel(x, "C", 3), X, TypeError, "positional argument"),
    # values of the wrong kind
    "np.matrix": (
        lambda x: x @ A.view(np.matrix),
        X,
        DTypeError,
        r"np.matrix, whose \* is a matrix product",
    ),
    "masked array": (
        lambda x: np.multiply(x, np.ma.masked_array(X)),
        X,
        DTypeError,
        "masked array, whose mask",
    ),
    "object array": (
        lambda x: x * np.array([1, 2, None]),
        X,
        DTypeError,
        "operand 1 has dtype object",
    ),
    "string array": (lambda x: np.add(x, np.array(["a"])), X, DTypeError, "has dtype <U1"),
    "subclass": (
        lambda x: np.multiply(x, X.view(Subclass)),
        X,
        DTypeError,
        "Subclass, a subclass of ndarray",
    ),
    "None operand": (lambda x: x + None, X, DTypeError, "operand 1 is None of type NoneType"),
    "Decimal operand": (lambda x: x + Decimal(1), X, DTypeError, "of type Decimal"),
    "longdouble": (lambda x: x * np.longdouble(1), X, DTypeError, "longdouble|float128"),
    "booleans": (lambda x: (x > 0) + (x > 1), X, DTypeError, "arithmetic on boolean values alone"),
    # shapes
    "broadcast": (
        lambda x: x + np.ones(4),
        X,
        ShapeError,
        rf"shapes \(3,\), \(4,\) do not broadcast, at .*{HERE}",
    ),
    "axis": (
        lambda x: np.sum(x, axis=1),
        X,
        np.exceptions.AxisError,
        "axis 1 is out of bounds for an array of 1",
    ),
    "axis twice": (lambda x: np.sum(x, axis=(0, -2)), A, ShapeError, "names an axis twice"),
    "traced axis": (
        lambda x: np.sum(x, axis=(x[0, 0],)),
        A,
        TracerLeakError,
        "an axis is a traced value",
    ),
    "complex maximum": (lambda x: np.maximum(x, 0), Z, DTypeError, "np.maximum is not holomorphic"),
    "complex absolute": (abs, Z, DTypeError, "np.absolute is not holomorphic"),
    "complex slogdet": (np.linalg.slogdet, A + 0j, DTypeError, "slogdet is not holomorphic"),
    "where of one": (
        lambda x: np.where(x > 0),
        X,
        UnsupportedFunctionError,
        "np.where with one argument",
    ),
    "matmul 0-d": (lambda x: np.matmul(x, x[0]), X, ShapeError, r"matmul of a 0-d value.*use \*"),
    "matmul": (lambda x: W.T @ x, X, ShapeError, r"matmul of shapes \(3, 2\) and \(3,\)"),
    "dot": (
        lambda x: np.dot(W.T, x),
        X,
        ShapeError,
        "axis 1 of the first operand .*axis 0 of the second",
    ),
    "tensordot": (
        lambda x: np.tensordot(x, W, ([0], [0])),
        X,
        ShapeError,
        r"\(shape \(2, 3\)\) have different",
    ),
    "mean": (np.mean, np.zeros((0, 2)), ShapeError, r"mean of no elements .*\(0, 2\)"),
    "transpose": (lambda x: np.transpose(x, (0,)), A, ShapeError, "transpose of 2 axes"),
    "reshape order": (
        lambda x: np.reshape(x, 9, order="A"),
        A,
        UnsupportedFunctionError,
        "order 'A' .* depends on how memory lies; use 'C' or 'F'",
    ),
    "reshape": (
        lambda x: x.reshape(2, 2),
        X,
        ShapeError,
        r"shape \(3,\) \(3 elements\) to \(2, 2\)",
    ),
    "reshape -1": (lambda x: x.reshape(2, -1), X, ShapeError, r"cannot reshape"),
    "squeeze": (lambda x: np.squeeze(x, 0), X, ShapeError, "squeeze of axis 0 of shape"),
    "broadcast_to": (
        lambda x: np.broadcast_to(x, (3, 1)),
        X,
        ShapeError,
        r"cannot broadcast shape \(3,\) to \(3, 1\)",
    ),
    "concatenate": (
        lambda x: np.concatenate([A, x]),
        W.T,
        ShapeError,
        r"array 1 has shape \(3, 2\), the first \(3, 3\)",
    ),
    "stack": (lambda x: np.stack([x, x[:2]]), X, ShapeError, r"stack of shapes \[\(2,\), \(3,\)\]"),
    "index list": (
        lambda x: x[[0, x[1]]],
        X,
        TracerLeakError,
        rf"an index of an array is a traced value at .*{HERE}.*one-hot rows",
    ),
    "index array of floats": (
        lambda x: x[np.array([0.0])],
        X,
        UnsupportedFunctionError,
        "indexing by ndarray",
    ),
    "index array": (
        lambda x: x[np.array([0, 5])],
        X,
        IndexError,
        rf"index 5 is out of bounds for axis 0 of shape \(3,\), at .*{HERE}",
    ),
    "index arrays": (
        lambda x: x[[0, 1], [0, 1, 2]],
        A,
        ShapeError,
        r"index arrays of shapes \(2,\), \(3,\) do not broadcast",
    ),
    "index mask": (
        lambda x: x[np.array([True, False])],
        X,
        IndexError,
        r"a mask of shape \(2,\) for axes 0 to 0 of shape \(3,\)",
    ),
    "index traced": (
        lambda x: x[x > 0],
        X,
        UnsupportedFunctionError,
        "indexing by a traced value.*np.where",
    ),
    "slice traced": (lambda x: x[: x[0]], X, TracerLeakError, "bound of a slice is a traced"),
    "too many indices": (lambda x: x[0, 1], X, IndexError, r"2 indices for shape \(3,\)"),
    "index out of bounds": (
        lambda x: x[3],
        X,
        IndexError,
        r"index 3 is out of bounds for axis 0 of shape \(3,\)",
    ),
    "inv": (np.linalg.inv, W, ShapeError, r"np.linalg.inv of shape \(2, 3\)"),
    "det": (np.linalg.det, X, ShapeError, r"np.linalg.det of shape \(3,\)"),
    "slogdet": (np.linalg.slogdet, W, ShapeError, r"np.linalg.slogdet of shape"),
    "solve": (lambda x: np.linalg.solve(A, x), W, ShapeError, "the number of equations differs"),
    "astype int": (lambda x: x.astype(int), X, DTypeError, r"astype\(int64\) of float64"),
    "astype real": (lambda x: x.astype(float), Z, DTypeError, r"astype\(float64\) of complex128"),
    # subscripts
    "einsum sizes": (
        lambda x: np.einsum("pq,qr->pr", x, W),
        A,
        ShapeError,
        (
            r"index 'q' has size 3 in operand 0 \(subscripts 'pq', shape \(3, 3\)\) "
            "but size 2 in operand 1"
        ),
    ),
    "einsum sizes, sublists": (
        lambda x: np.einsum(x, [0, 1], W, [1, 2]),
        A,
        ShapeError,
        "index 1 has size 3 in operand 0 .*size 2",
    ),
    "einsum sizes, one operand": (
        lambda x: np.einsum("kk", x),
        W,
        ShapeError,
        "index 'k' has size 2 in operand 0 .* size 3 in operand 0",
    ),
    "einsum terms": (
        lambda x: np.einsum("i,j", x),
        X,
        SubscriptsError,
        "have 2 terms but 1 operands",
    ),
    "einsum unknown output": (
        lambda x: np.einsum("p->pq", x),
        X,
        SubscriptsError,
        "output index 'q' is in no operand",
    ),
    "einsum repeated output": (
        lambda x: np.einsum("p->pp", x),
        X,
        SubscriptsError,
        "output index 'p' is repeated",
    ),
    "einsum character": (
        lambda x: np.einsum("i1->i", x),
        X,
        SubscriptsError,
        "'1' is not a letter",
    ),
    "einsum axes": (
        lambda x: np.einsum("ij->", x),
        X,
        SubscriptsError,
        "operand 0 has 1 axes .* its term names 2",
    ),
    "einsum few indices": (
        lambda x: np.einsum("i->", x),
        A,
        SubscriptsError,
        "operand 0 has 2 axes .* names 1",
    ),
    "einsum keyword": (
        lambda x: np.einsum("i", x, dtype=float),
        X,
        UnsupportedFunctionError,
        "np.einsum: .*'dtype'",
    ),
    # results
    "None result": (lambda x: None, X, DTypeError, "<lambda> returned None; it must return arrays"),
    "string result": (lambda x: {"a": x, "b": "text"}, X, DTypeError, "returned 'text'"),
    "boolean result": (lambda x: x > 0, X, DTypeError, "returned bool values"),
    "other result": (
        lambda x: UserList([x]),
        X,
        DTypeError,
        "the result of <lambda> is .*UserList",
    ),
}


@pytest.mark.parametrize(("f", "x", "error", "message"), REFUSALS.values(), ids=REFUSALS.keys())
def test_what_cannot_be_traced_is_refused(f, x, error, message):
    """By an error that says what, where and why; never by a wrong number."""
    with pytest.raises(error, match=message):
        eg.jacobian(f)(x)


ARGUMENTS = {
    "np.matrix": (A.view(np.matrix), "argument 'x' is an np.matrix"),
    "masked": (np.ma.masked_array(X), "argument 'x' is a masked array"),
    "object": (np.array([1, None]), "argument 'x' has dtype object"),
    "datetime": (np.array(["2020-01-01"], "M8[D]"), "argument 'x' has dtype datetime64"),
    "subclass": (X.view(Subclass), "argument 'x' is a Subclass, a subclass of ndarray"),
    "longdouble": (X.astype(np.longdouble), "argument 'x' has dtype .*; convert it to float64"),
    "string": ("text", "argument 'x' is 'text'; a derivative needs"),
    "bool": (True, "argument 'x' is True; a derivative needs"),
    "None": (None, "argument 'x' is None; a derivative needs"),
    "set": ({1.0}, "argument 'x' is of type set"),
}


@pytest.mark.parametrize(("value", "message"), ARGUMENTS.values(), ids=ARGUMENTS.keys())
def test_an_argument_without_derivative_is_named(value, message):
    """The message has the parameter's name."""
    with pytest.raises(DTypeError, match=message):
        eg.jacobian(lambda x: x)(value)


def test_einsum_sizes_are_named_by_letters_also_when_another_axis_broadcasts():
    """A size-one axis elsewhere does not cost the user his letters."""
    with pytest.raises(ShapeError, match=r"index 'q' has size 3 in operand 0 \(subscripts 'pq'"):
        eg.jacobian(lambda x: np.einsum("pq,qr,p->pr", x, W, np.ones(1)))(A)


def test_an_unsupported_option_of_a_method_is_refused_by_name():
    """Like that of the function."""
    with pytest.raises(UnsupportedFunctionError, match=r"np.ravel: order 'K' at .* depends on"):
        eg.jacobian(lambda x: x.ravel(order="K"))(X)


def test_every_refusal_is_an_eingrad_error_with_a_builtin():
    """Callers may catch the base class, or the builtin they would expect from NumPy."""
    with pytest.raises(EingradError):
        eg.jacobian(np.median)(X)
    with pytest.raises(NotImplementedError):
        eg.jacobian(np.median)(X)
    with pytest.raises(ValueError, match="do not broadcast"):
        eg.jacobian(lambda x: x + np.ones(4))(X)
    with pytest.raises(TypeError, match="traced value"):
        eg.jacobian(math.sin)(1.0)


def test_a_type_error_of_the_users_passes_unchanged():
    """Only refused keywords are rewritten."""
    with pytest.raises(TypeError, match="mine"):
        eg.jacobian(lambda x: (_ for _ in ()).throw(TypeError("mine")))(X)
    with pytest.raises(TypeError, match="NoneType"):
        eg.jacobian(lambda x: np.tensordot(x, x, None))(X)


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
    with pytest.raises(DTypeError, match="a plan needs arrays"):
        eg.jacobian(lambda x: eg.jacobian(np.sin).plan(x))(X)


def test_an_expression_shows_its_shape_and_its_formula():
    """Printing a traced value is allowed; only its numbers are not known."""
    shown = []
    eg.jacobian(lambda x: shown.extend([repr(x), f"{x}"]) or x)(X)
    assert shown == ["<Expression of shape (3,), float64>", "[i] = x[i]"]


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


# Calls that are found again ----------------------------------------------------------------------


def _uid():
    return _ir.new_input("probe", ()).uid


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.tanh(W @ (x * 2.0) + W[0, 0]).sum(),
        lambda x: np.linalg.slogdet(np.outer(x, x) + A)[1],
        lambda x: np.linalg.norm(np.stack([x, np.sin(x)]), axis=1).sum(),
        lambda x: np.add.reduce(x * x) * np.multiply.reduce(x),
        lambda x: (np.add.accumulate(x * x) @ np.add.outer(x, x)).sum(),
        lambda x: np.outer(x, x)[np.triu_indices(3)].sum(),
        lambda x: np.einsum("ij,j,jk->k", W, x, A).sum() + np.dot(x, A).sum(),
        lambda x: np.stack([x, A[0]]).sum() + np.concatenate([A[1], [2.0], x]).prod(),
        lambda x: np.where(A > 1, x, A).sum() + np.linalg.solve(A, x).sum(),
        lambda x: -(+x) @ abs(x) + (2**x + x**2 + x**3.5 + 1 / x - x / 2).sum(),
    ],
)
def test_a_second_call_builds_no_nodes(f):
    """What was recorded on the same inputs is found: the count is exact."""
    gradient = eg.grad(f)
    first = gradient(X)
    before = _uid()
    second = gradient(X)
    assert _uid() == before + 1
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("derivative", "x", "most"),
    [
        (eg.grad(lambda x: x @ A @ x), X, 110),
        (eg.jacobian(np.linalg.inv), A, 95),
        (eg.jacobian(lambda x: np.tanh(W @ np.tanh(A @ x + X))), X, 175),
        (eg.hessian(lambda x: np.exp(x).sum()), X, 95),
        (eg.hvp(lambda x: np.exp(A @ x).sum()), (X, X), 170),
    ],
    ids=["quadratic form", "inverse", "net", "diagonal Hessian", "hvp"],
)
def test_a_small_call_makes_few_calls(derivative, x, most):
    """Of Python functions, a count that no load of the machine changes: half of its time is these.

    A bound leaves room for a tenth more than there were.
    """
    args = x if type(x) is tuple else (x,)
    for _ in range(2):
        derivative(*args)
    calls = []
    sys.setprofile(lambda frame, event, _: event == "call" and calls.append(frame.f_code))
    try:
        derivative(*args)
    finally:
        sys.setprofile(None)
    assert len(calls) <= most


POSITIONS = np.array([0, 2])
LONG = (np.arange(300) % 3).astype(np.int16)  # more than a key holds as it is
INDICES = {
    "an item": lambda x: x[0] * x[-1],
    "a NumPy integer": lambda x: x[np.int64(1)] ** 2,
    "a slice": lambda x: (x[1:] * x[: np.int8(-1)]).sum(),
    "new axes": lambda x: (x[:, None] * x[None, ...]).sum(),
    "a list": lambda x: (x[[0, 2]] ** 2).sum(),
    "an array": lambda x: (x[POSITIONS] ** 2).sum(),
    "a long array": lambda x: (x[LONG] ** 2).sum(),
    "a mask": lambda x: (x[np.array([True, False, True])] ** 2).sum(),
    "a pair of arrays": lambda x: np.outer(x, x)[POSITIONS, POSITIONS].sum(),
    "unpacking": lambda x: math.prod([*x]),
    "iteration": lambda x: sum(a * b**k for k, (a, b) in enumerate(zip(x, x, strict=True))),
    "iteration over rows": lambda x: sum(row @ row for row in np.outer(x, x)),
    "a long iteration": lambda x: sum(a * a for a in np.concatenate([x] * 30)),
}


@pytest.mark.parametrize("f", INDICES.values(), ids=INDICES)
def test_an_index_is_taken_apart_at_the_first_call_alone(f, monkeypatch):
    """At the second the result is found, in iteration and unpacking too."""
    taken = []
    getitem = _tracer.FUNCTIONS["getitem"]
    monkeypatch.setitem(
        _tracer.FUNCTIONS, "getitem", lambda x, index: taken.append(index) or getitem(x, index)
    )
    eg.cache_clear()
    gradient = eg.grad(f)
    first = gradient(X)
    assert taken
    taken.clear()
    np.testing.assert_array_equal(gradient(X), first)
    assert not taken


def test_of_a_long_array_only_the_items_that_are_asked_for_are_made():
    """Iteration may stop early."""
    x = np.ones(100_000)
    f = eg.grad(lambda x: next(iter(x)) ** 2)
    before = _uid()
    assert f(x)[0] == 2.0
    assert _uid() < before + 50


def test_an_index_is_told_by_its_values():
    """An array may be written between calls; flags are not integers; shapes differ."""
    where = np.array([0, 1])
    gradient = eg.grad(lambda x: (x[where] ** 2).sum())
    np.testing.assert_array_equal(gradient(X), [2 * X[0], 2 * X[1], 0])
    where[:] = [2, 2]
    np.testing.assert_array_equal(gradient(X), [0, 0, 4 * X[2]])
    where = np.array([True, False, True])
    np.testing.assert_array_equal(gradient(X), [2 * X[0], 0, 2 * X[2]])
    where = np.array([1, 0, 1], np.uint8)
    np.testing.assert_array_equal(gradient(X), [2 * X[0], 4 * X[1], 0])
    where = where[:, None]
    shape = eg.derivative(lambda x: x[where], 0)
    assert shape(X).shape == (3, 1)
    where = where.T
    assert shape(X).shape == (1, 3)


def test_numbers_are_told_by_their_signs_and_nan_by_being_none():
    """``0.0 == -0.0`` and ``nan != nan``."""
    state = {"number": 0.0}
    g = eg.derivative(lambda x: x + state["number"], 0)
    for number in (0.0, -0.0, 0.0):
        state["number"] = number
        product = eg.derivative(lambda x: x * state["number"], 0)(X)
        np.testing.assert_array_equal(np.signbit(product), np.signbit(number))
    state["number"] = math.nan
    assert np.isnan(g(X)).all()
    before = _uid()
    assert np.isnan(g(X)).all()
    assert _uid() == before + 1


def test_every_call_sees_what_the_function_is_now():
    """Constants, captured arrays and the function's own text may change between calls."""
    state = {"factor": 2.0, "array": X, "power": 2}
    gradient = eg.grad(lambda x: (state["factor"] * state["array"] * x ** state["power"]).sum())
    np.testing.assert_allclose(gradient(X), 4 * X * X)
    state["factor"] = 3.0
    np.testing.assert_allclose(gradient(X), 6 * X * X)
    state["array"] = fixed([1.0, 0.0, 0.0])
    np.testing.assert_allclose(gradient(X), [6 * X[0], 0, 0])
    state["power"] = 3
    np.testing.assert_allclose(gradient(X), [9 * X[0] ** 2, 0, 0])


def test_equal_numbers_of_other_kinds_are_other_calls():
    """``1 == True``, but only one of them is a flag."""
    f = eg.grad(lambda x, one: np.where((x > 0) & one, x, 2 * x).sum())
    np.testing.assert_array_equal(f(X, True), np.ones(3))
    with pytest.raises(DTypeError, match="supported for booleans alone"):
        f(X, 1)


def test_a_python_number_does_not_decide_the_dtype_but_a_numpy_number_does():
    """The two may have the same input."""
    f = eg.derivative(lambda x, y: x * y, 0)
    y = np.ones(2, np.float32)
    for x, dtype in ((2.0, np.float32), (np.float64(2), np.float64), (2.0, np.float32)):
        assert f(x, y).dtype == dtype


def test_an_array_that_a_call_makes_is_captured_at_every_call():
    """It belongs to one trace, so the call is not found again."""
    f = eg.grad(lambda x: (np.multiply(x, [1.0, 2.0, 3.0]) + x @ [0.0, 0.0, 1.0]).sum())
    g = eg.grad(lambda x: np.einsum("i,ij,j", x, A, x))
    for _ in range(2):
        np.testing.assert_array_equal(f(X), [1, 2, 6])
        np.testing.assert_allclose(g(X), (A + A.T) @ X)


def test_derivatives_of_the_same_name_inside_each_other_stay_apart():
    """An inner call never gets the input of a call that is still open."""

    def inner(x, y):
        return eg.grad(lambda x: x**2 * y)(x)  # 2 x y

    for _ in range(2):
        assert eg.grad(lambda x: inner(x, x) + inner(3.0, x))(2.0) == 4 * 2.0 + 6.0
        assert eg.grad(lambda x: inner(x, inner(x, x)))(2.0) == 12 * 2.0**2


def test_open_traces_of_threads_share_no_input():
    """Two calls at once, one inside the other's time, each with its own input."""
    nodes = []
    barrier = threading.Barrier(2)

    def f(x):
        nodes.append(node_of(x))
        barrier.wait(10)
        return x * x

    with ThreadPoolExecutor(2) as pool:
        results = [*pool.map(eg.grad(f), (1.0, 2.0))]
    assert results == [2.0, 4.0]
    assert nodes[0] is not nodes[1]


def test_an_expression_made_while_tracing_dies_with_its_trace():
    """Its variable is given to the next call, where it would mean something else."""
    kept = []

    def f(x):
        kept.append(eg.jacobian(lambda y: x * y).expression(x))
        return x * x

    assert eg.grad(f)(3.0) == 6.0
    with pytest.raises(TracerLeakError, match="outlived the call"):
        eg.grad(lambda x: x * kept[0])(3.0)
    with pytest.raises(TracerLeakError, match="outlived the call"):
        eg.compile(kept[0])


def test_the_expression_of_a_call_keeps_its_variable():
    """Expressions outlive their trace, so their inputs are never given to another."""
    held = eg.jacobian(lambda x: x**2).expression(3.0)
    other = eg.jacobian(lambda x: x**2).expression(3.0)
    assert _ir.inputs([node_of(held)])[0] is not _ir.inputs([node_of(other)])[0]
