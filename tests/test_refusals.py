"""What tracing refuses: functions, options, arguments; with the line of the user's."""

import math
from collections import UserList
from decimal import Decimal

import numpy as np
import pytest
from faults import A, Subclass, W, fixed

import eingrad as eg
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
HERE = r"test_refusals\.py:\d+"  # a message names the user's line


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
