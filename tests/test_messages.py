"""What messages say: who asked a traced value for numbers, where, and what to write instead.

Whole messages, but for the path of a file. `AT` stands for the place: this file, a line, its text.
"""

# ruff: noqa: PLW0108 - a lambda is a line of the user's, which the message must show

import functools
import importlib
import math
import re
import statistics
import sys
import types
from collections import namedtuple
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from inside import names_of_other_libraries, verbs

import eingrad as eg
from eingrad._substitutes import ADVICE
from eingrad.errors import (
    BranchError,
    DTypeError,
    EingradError,
    InPlaceError,
    ShapeError,
    TraceError,
    TracerLeakError,
)

X = np.array([0.5, 1.5])
B = np.array([[2.0, 1.0], [1.0, 3.0]])
MASK = np.array([True, False])
LISTED = "; docs/functions.md lists what is supported"
UNLISTED = "write it with supported functions, which docs/functions.md lists"
KEEP = "keep to NumPy functions of the value itself, and build arrays with np.stack or "
KEEP += "np.concatenate"
POWER = functools.partial(math.pow, 2)
Pair = namedtuple("Pair", "a b")


def message_of(f, *args, error=EingradError):
    """What a derivative says, its place cut out; the place must be a line of this file."""
    with pytest.raises(error) as caught:
        eg.jacobian(f)(*args)
    text = str(caught.value)
    place = re.compile(rf"{re.escape(__file__)}:\d+(: `.*?`(?=[\);, ]|$))?", re.DOTALL)
    assert place.search(text), text
    return place.sub("AT", text)


# Lists -------------------------------------------------------------------------------------------

LISTS = {
    "@": (lambda x: x @ B @ x, [1.0, 2.0], "'x' is a list: pass np.array(x)"),
    "@, of a matrix": (lambda x: B @ x, [1.0, 2.0], "'x' is a list: pass np.array(x)"),
    "**": (lambda x: x**2, [1.0, 2], "'x' is a list: pass np.array(x)"),
    "-": (lambda x: -x, (1.0, 2.0), "'x' is a tuple: pass np.array(x)"),
    "+": (lambda x: x + 1.0, [1.0, 2.0], "'x' is a list: pass np.array(x)"),
    ">": (lambda x: np.where(x > 0, 1.0, 2.0), [1.0, 2.0], "'x' is a list: pass np.array(x)"),
    "a method": (lambda x: x.sum(), [1.0, 2.0], "'x' is a list: pass np.array(x)"),
    "an attribute": (lambda x: x.T, [[1.0, 2.0], [3.0, 4.0]], "'x' is a list: pass np.array(x)"),
    "a mask": (lambda x: x[MASK], [1.0, 2.0], "'x' is a list: pass np.array(x)"),
    "two indices": (lambda x: x[:, 0], [[1.0], [2.0]], "'x' is a list: pass np.array(x)"),
    "part of a list": (lambda x: x[1:] @ X, [1.0, 2.0, 3.0], "'x' is a list: pass np.array(x)"),
    "a ufunc": (np.exp, [1.0, 2.0], "'x' is a list: pass np.array(x)"),
    "a function": (lambda x: np.sum(x), [1.0, 2.0], "'x' is a list: pass np.array(x)"),
    "a method of an array": (lambda x: B.dot(x), [1.0, 2.0], "'x' is a list: pass np.array(x)"),
    "a list of arrays": (lambda x: np.exp(x), [X, X], "'x' is a list: pass np.array(x)"),
    "in a dict": (
        lambda p: p["w"] @ B,
        {"w": [1.0, 2.0], "b": X},
        """'p["w"]' is a list: pass np.array(p["w"])""",
    ),
    "in a named tuple": (
        lambda p: p.a @ p.a,
        Pair([1.0, 2.0], 3.0),
        "'p.a' is a list: pass np.array(p.a)",
    ),
    "in a function that is called": (
        lambda p: squared(p["w"]),
        {"w": (1.0, 2.0)},
        """'p["w"]' is a tuple: pass""",
    ),
}


def squared(w):
    return w @ w


@pytest.mark.parametrize(("f", "argument", "says"), LISTS.values(), ids=LISTS)
def test_a_list_that_is_used_as_an_array_is_told_so(f, argument, says):
    """Before anything else: which argument, what it is, what to pass."""
    with pytest.raises(DTypeError) as caught:
        eg.jacobian(f)(argument)
    assert str(caught.value).startswith(f"argument {says}")
    assert "A list or tuple is a container of traced numbers here, but an array is needed at" in (
        str(caught.value)
    )


def test_the_message_about_a_list_as_a_whole():
    """What Python said comes last."""
    assert message_of(lambda x: x @ x, [1.0, 2.0]) == (
        "argument 'x' is a list: pass np.array(x). A list or tuple is a container of traced "
        "numbers here, but an array is needed at AT (TypeError: unsupported operand type(s) for "
        "@: 'list' and 'list')"
    )


def test_a_list_that_is_used_as_one_is_none_of_these():
    """Neither where it works nor where the error is another."""
    np.testing.assert_array_equal(eg.grad(lambda p: p[0] * p[1])([2.0, 3.0]), [3.0, 2.0])
    np.testing.assert_array_equal(eg.grad(lambda p: sum(v * v for v in p))([2.0, 3.0]), [4.0, 6.0])
    with pytest.raises(AttributeError, match=r"^'list' object has no attribute 'foo'$"):
        eg.grad(lambda p: p.foo)([1.0, 2.0])
    with pytest.raises(TypeError, match=r"^unhashable type: 'list'$"):
        eg.grad(lambda p: {p: 1})([1.0, 2.0])
    with pytest.raises(BranchError, match=r"^max\(\) asked for the truth of a traced value at"):
        eg.grad(lambda p: max(p))([1.0, 2.0])
    with pytest.raises(TracerLeakError, match=r"^math.sin takes plain numbers"):
        eg.grad(lambda p: math.sin(p[0]))([1.0, 2.0])
    with pytest.raises(ValueError, match=r"^of the user's$"):
        eg.grad(raising)([1.0, 2.0])


def raising(p):
    raise ValueError("of the user's")


# Plain numbers -----------------------------------------------------------------------------------

plain = "{} takes plain numbers, not a traced value (at AT); {}".format
leak = "{} of a traced value at AT; it has no numbers yet: {}".format
NUMBERS = {
    "math.sin": (lambda x: math.sin(x[0]), plain("math.sin", "write np.sin")),
    "math.pow": (lambda x: math.pow(x[0], 2), plain("math.pow", "write np.power")),
    "math.acos": (lambda x: math.acos(x[0]), plain("math.acos", "write np.arccos")),
    "math.hypot": (lambda x: math.hypot(x[0], x[1]), plain("math.hypot", "write np.hypot")),
    "math.floor": (lambda x: math.floor(x[0]), plain("math.floor", "write np.floor")),
    "math.isnan": (lambda x: math.isnan(x[0]), plain("math.isnan", "write np.isnan")),
    "math.fsum": (lambda x: math.fsum(x), plain("math.fsum", f"write np.sum(x){LISTED}")),
    "math.gamma": (lambda x: math.gamma(x[0]), plain("math.gamma", ADVICE["math.gamma"])),
    "math.copysign": (
        lambda x: math.copysign(x[0], x[1]),
        plain(
            "math.copysign",
            f"write np.abs(x) * np.where(y < 0, -1, 1) (where y is not -0.0){LISTED}",
        ),
    ),
    "cmath.exp": (
        lambda x: importlib.import_module("cmath").exp(x[0]),
        leak("complex()", KEEP),
    ),
    "map": (lambda x: [*map(math.cos, x)], plain("math.cos", "write np.cos")),
    "reduce": (lambda x: functools.reduce(math.hypot, x), plain("math.hypot", "write np.hypot")),
    "partial": (lambda x: functools.partial(math.pow, 2)(x[0]), plain(
        "math.pow", "write np.power")),
    "partial, made before": (lambda x: POWER(x[0]), plain("math.pow", "write np.power")),
    "comprehension": (lambda x: [math.tanh(v) for v in x], plain("math.tanh", "write np.tanh")),
    "statistics": (lambda x: statistics.stdev(x), plain(
        "statistics.stdev", f"write np.std(x, ddof=1){LISTED}")),
    "statistics, in C": (lambda x: statistics.fmean(x), plain(
        "statistics.fmean", f"write np.mean(x){LISTED}")),
    "Decimal": (lambda x: Decimal(x[0]), plain("decimal.Decimal", ADVICE["decimal"])),
    "Fraction": (lambda x: Fraction(x[0]), plain("fractions.Fraction", ADVICE["fractions"])),
    "float": (lambda x: float(x[0]), leak(
        "float()", "leave float() out, for it is computed with as it is")),
    "round": (lambda x: round(x[0], 2), leak("round()", "write np.round(x)")),
    "%": (lambda x: "%f" % x[0], leak("formatting", "format the result, or write str(x), its formula")),  # noqa: UP031, E501
    "f-string": (lambda x: f"{x[0]:.3f}", leak(
        "formatting", "format the result, or write str(x), its formula")),
    "np.array": (lambda x: np.array([x[0], x[1]]), leak(
        "conversion to an array by np.array", "write np.stack([x[0], x[1]])")),
    "np.array, nested": (lambda x: np.array([[x[0]], [x[1]]]), leak(
        "conversion to an array by np.array", "write np.block([[x[0]], [x[1]]])")),
    "np.asarray": (lambda x: np.asarray(x), leak(
        "conversion to an array by np.asarray", f"leave np.asarray out, or {KEEP}")),
    "np.full": (lambda x: np.full(3, x[0]), leak(
        "conversion to an array by np.full", f"write x * np.ones(n) (of a number x){LISTED}")),
    "np.vectorize": (lambda x: np.vectorize(lambda t: t * t)(x), leak(
        "conversion to an array by np.vectorize", f"leave np.vectorize out, or {KEEP}")),
    "np.random": (lambda x: np.random.normal(x), leak(  # noqa: NPY002
        "conversion to an array by np.random.normal",
        "draw numbers that do not depend on it, and compute with them: m + s * z")),
    "an index": (lambda x: X[x[0]], (
        "an index of an array is a traced value at AT; which entry it is must be known before the "
        "values: use np.where(condition, a, b), or multiply by one-hot rows")),
    "np.r_": (lambda x: np.r_[x[0], x[1] ** 2], leak(
        "joining by np.r_", "write np.hstack([x[0], x[1] ** 2])")),
    "np.c_": (lambda x: np.c_[x, x], leak("joining by np.c_", "write np.column_stack([x, x])")),
    "np.r_ with a slice": (lambda x: np.r_[0:3, x], leak(
        "joining by np.r_", "build the array with np.stack, np.concatenate or np.where")),
    "max": (lambda x: max(x[0], 0), (
        "max() asked for the truth of a traced value at AT; it has no numbers yet: write "
        "np.max(x), or np.maximum(a, b) of two values")),
    "sorted": (lambda x: sorted(x), (
        "sorted() asked for the truth of a traced value at AT; it has no numbers yet: sorting is "
        "not supported; np.max(x) and np.min(x) are")),
    "any": (lambda x: any(x > 0), (
        "any() asked for the truth of a traced value at AT; it has no numbers yet: write "
        "np.any(x)")),
}  # fmt: skip


@pytest.mark.parametrize(("f", "message"), NUMBERS.values(), ids=NUMBERS)
def test_what_asked_for_numbers_is_named_and_what_to_write(f, message):
    """The function of the user's line, by its public name."""
    assert message_of(f, X, error=TraceError) == message


def item(x):
    y = np.zeros(3)
    y[0] = x[1]
    return y


def item_of_matrix(x):
    y, i = np.zeros((3, 3)), 1
    y[i, 2] = x[1]
    return y


def all_items(x):
    y = np.zeros(2)
    y[:] = x
    return y


def row(x):
    y = np.zeros((2, 2))
    y[0] = x
    return y


STORED = (
    "an element of a NumPy array was assigned a traced value at AT; an array of numbers cannot "
    "hold one: build the array with np.stack, np.concatenate or np.where"
)


@pytest.mark.parametrize("f", [item, item_of_matrix, all_items, row])
def test_an_assignment_to_an_array_is_told_so(f):
    """Not as the conversion to a float that NumPy tries."""
    assert message_of(f, X, error=InPlaceError) == STORED


def test_filling_an_array_is_told_so():
    """As an assignment of all elements."""

    def f(x):
        y = np.zeros(3)
        y.fill(x[0])
        return y

    assert message_of(f, X, error=InPlaceError) == (
        "np.ndarray.fill writes a traced value into an array of numbers at AT; it cannot hold "
        "one: build the array with np.stack, np.concatenate or np.where"
    )


# Other libraries ---------------------------------------------------------------------------------


def scipy(name):
    """A function of SciPy, by its name in a public module."""
    module, _, function = name.rpartition(".")
    return getattr(pytest.importorskip(f"scipy.{module}"), function)


SCIPY = {
    "special.logsumexp": ("write (c := np.max(x)) + np.log(np.sum(np.exp(x - c)))" + LISTED),
    "special.softmax": ("write (e := np.exp(x - np.max(x))) / np.sum(e)" + LISTED),
    "integrate.simpson": ADVICE["scipy.integrate"],
    "optimize.rosen": (
        "write np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2, axis=0)" + LISTED
    ),
    "signal.hilbert": ADVICE["scipy.signal"],
    "stats.zscore": "write (x - np.mean(x)) / np.std(x)" + LISTED,
}


@pytest.mark.parametrize("name", SCIPY)
def test_a_function_of_scipy_is_named(name):
    """By its public name, however deep in private modules the conversion is; with a substitute."""
    function = scipy(name)
    message = f"scipy.{name} does not dispatch to traced values (at AT); {SCIPY[name]}"
    assert message_of(lambda x: function(x), X, error=TracerLeakError) == message


def test_solvers_of_differential_equations_have_an_advice_of_their_own():
    """Theirs was that of quadrature."""
    solve, integrate = scipy("integrate.solve_ivp"), scipy("integrate.odeint")
    for name, call in {
        "solve_ivp": lambda x: solve(lambda t, y: -y, (0, 1), x).y[0, -1],
        "odeint": lambda x: integrate(lambda y, t: -y, x, [0, 1]).sum(),
    }.items():
        message = message_of(call, X, error=TracerLeakError)
        advice = ADVICE[f"scipy.integrate.{name}"]
        assert (
            message
            == f"scipy.integrate.{name} does not dispatch to traced values (at AT); {advice}"
        )


def test_functions_of_matrices_of_scipy_are_named():
    """Also where SciPy checks its arguments first, or wraps the function."""
    linalg = pytest.importorskip("scipy.linalg")
    factor = linalg.cho_factor(B)
    says = "scipy.linalg.{} does not dispatch to traced values (at AT); write {}".format
    assert message_of(lambda x: linalg.cho_solve(factor, x), X) == says(
        "cho_solve", "np.linalg.solve(A, b) (of the matrix A that was factored)" + LISTED
    )
    assert message_of(lambda x: linalg.solve(x, X), B) == says(
        "solve", "np.linalg.solve(A, b)" + LISTED
    )
    assert message_of(linalg.lu, B).startswith("scipy.linalg.lu does not dispatch to")


def test_a_method_of_a_distribution_is_named():
    """By the name of the distribution."""
    stats = pytest.importorskip("scipy.stats")
    assert message_of(lambda x: stats.norm.logpdf(x, 0, 1), X) == (
        "scipy.stats.norm.logpdf does not dispatch to traced values (at AT); write "
        "-(((x - m) / s) ** 2) / 2 - np.log(s) - np.log(2 * np.pi) / 2 (of mean m, deviation s)"
        + LISTED
    )
    assert message_of(lambda x: stats.norm(x[0], 1).logpdf(1.0), X).startswith(
        "stats.norm(x[0], 1).logpdf does not dispatch to traced values (at AT)"
    )


UNNAMED = {
    "called": lambda x: scipy("stats.norm")(0, 1).logpdf(x),
    "held": lambda x: (n := scipy("stats.norm")(1, 2)) and n.logpdf(x),
    "a density": lambda x: scipy("stats.norm")(0, 1).pdf(x),
}


@pytest.mark.parametrize("f", UNNAMED.values(), ids=UNNAMED)
def test_a_frozen_distribution_has_the_substitute_of_its_distribution(f):
    """Though the object has no name of its own."""
    assert "2 * np.pi) / 2 (" in message_of(f, X) or "np.sqrt(2 * np.pi)) (" in message_of(f, X)


NOWHERE = {
    "math.erf": lambda x: math.erf(x[0]),
    "math.lgamma": lambda x: math.lgamma(x[0]),
    "scipy.special.gammaln": lambda x: scipy("special.gammaln")(x),
    "n.cdf": lambda x: (n := scipy("stats.norm")(0, 1)) and n.cdf(x),
}


@pytest.mark.parametrize(("name", "f"), NOWHERE.items(), ids=NOWHERE)
def test_what_no_expression_gives_is_told_so(name, f):
    """There is nothing to look for in the list of functions."""
    message = message_of(f, X)
    assert "no expression of supported functions gives it" in message
    assert message.startswith(name) or "scipy" in name


CHECKED = {
    "of SciPy": (
        lambda: eg.check_identity(scipy("special.logsumexp"), np.sum, shapes={"x": 3}),
        "scipy.special.logsumexp does not dispatch",
    ),
    "of numbers": (
        lambda: eg.check_identity(math.sin, np.sin, shapes={"x": ()}),
        "math.sin takes plain numbers, .*write np.sin",
    ),
    "none": (
        lambda: eg.check_identity(math.erf, np.sin, shapes={"x": ()}),
        "math.erf takes plain numbers, .*no expression",
    ),
}


@pytest.mark.parametrize(("check", "message"), CHECKED.values(), ids=CHECKED)
def test_a_function_given_to_a_check_is_named(check, message):
    """Not the check."""
    with pytest.raises(TracerLeakError, match=f"^{message}"):
        check()


def test_every_verb_has_a_file():
    """One that was renamed would be taken for what the user's function calls."""
    assert all(Path(verb).exists() or Path(f"{verb}.py").exists() for verb in verbs())


OPERATOR = {
    "L @ x": lambda L, x: L @ x,
    "L * x": lambda L, x: L * x,
    "L(x)": lambda L, x: L(x),
    "L.matvec(x)": lambda L, x: L.matvec(x),
}


@pytest.mark.parametrize("f", OPERATOR.values(), ids=OPERATOR)
def test_a_linear_operator_is_named(f):
    """With how its matrix is got."""
    L = scipy("sparse.linalg.aslinearoperator")(B)
    message = message_of(lambda x: f(L, x), X)
    assert message.startswith("L is a SciPy MatrixLinearOperator")
    assert message.endswith("write L @ np.eye(L.shape[1])")


SPARSE = {
    "A @ x": lambda A, x: A @ x,
    "A.dot(x)": lambda A, x: A.dot(x),
    "A.T @ x": lambda A, x: A.T @ x,
    "A * x": lambda A, x: A * x,
    "A.multiply(x)": lambda A, x: A.multiply(x),
}


@pytest.mark.parametrize("f", SPARSE.values(), ids=SPARSE)
@pytest.mark.parametrize("kind", ["csr_array", "csc_matrix"])
def test_a_sparse_array_is_named(f, kind):
    """With its method that makes an array of it."""
    A = scipy(f"sparse.{kind}")(B)
    assert message_of(lambda x: f(A, x), X) == (
        f"A is a SciPy {kind} (scipy.sparse._{kind[:3]}.{kind}), which does not dispatch to "
        "traced values (at AT); write A.toarray()"
    )


def test_a_sparse_array_as_second_operand_is_named():
    """Which is refused by us, not by SciPy."""
    A = scipy("sparse.csr_array")(B)
    assert message_of(lambda x: x @ A, X) == (
        "operand 1, A, is a SciPy csr_array (scipy.sparse._csr.csr_array), at AT; only arrays, "
        "numbers and traced values can be computed with: write A.toarray()"
    )


def library(monkeypatch, name, **methods):
    """A class as an installed library has it, whose objects must not be printed."""
    root = name.partition(".")[0]
    module = types.ModuleType(root)
    module.__file__ = f"/venv/lib/site-packages/{root}/__init__.py"
    monkeypatch.setitem(sys.modules, root, module)

    def forbidden(self, *args):
        raise AssertionError("printed, or asked for an attribute")

    kind = type(name.rpartition(".")[2], (), {**methods, "__repr__": forbidden,
                                              "__getattr__": forbidden})  # fmt: skip
    kind.__module__ = name.rpartition(".")[0]
    return kind()


FOREIGN = [
    ("pandas.core.series.Series", ["to_numpy", "__array__"], "a pandas Series", "s.to_numpy()"),
    ("polars.series.Series", ["to_numpy"], "a polars Series", "s.to_numpy()"),
    ("xarray.core.DataArray", ["to_numpy"], "an xarray DataArray", "s.to_numpy()"),
    ("torch.Tensor", ["numpy", "detach", "__array__"], "a PyTorch Tensor", "s.detach().numpy()"),
    ("jaxlib._jax.ArrayImpl", ["__array__"], "a JAX array", "np.asarray(s)"),
    ("pint.Quantity", ["magnitude", "__array__"], "a pint Quantity",
     "s.magnitude, which has no unit"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "methods", "kind", "remedy"), FOREIGN)
def test_an_array_of_another_library_is_named_and_not_printed(
    monkeypatch, name, methods, kind, remedy
):
    """With the method that it has."""
    s = library(monkeypatch, name, **dict.fromkeys(methods, lambda self: X))
    assert message_of(lambda x: x * s, X, error=DTypeError) == (
        f"operand 1, s, is {kind} ({name}), at AT; only arrays, numbers and traced values can be "
        f"computed with: write {remedy}"
    )
    with pytest.raises(DTypeError) as caught:
        eg.grad(lambda w: w.sum())(s)
    assert str(caught.value) == (
        f"argument 'w' is {kind} ({name}); a derivative needs an array or a float there, or "
        f"tuples, lists and dicts of them: pass {remedy.replace('s.', 'w.').replace('(s)', '(w)')}"
    )


def test_what_is_printed_is_cut():
    """A long text or list of the user's does not fill the screen."""
    with pytest.raises(EingradError) as caught:
        eg.grad(lambda x: x[0] * ("a" * 10**6))(X)
    assert len(str(caught.value)) < 700
    with pytest.raises(ShapeError) as refused:
        eg.grad(lambda x, s: x[0]).plan(X, "a" * 10**6)(X, "b" * 10**6)
    assert len(str(refused.value)) < 700


# The user's own line -----------------------------------------------------------------------------


def call_through(file, source, **names):
    """Define functions as if in a file."""
    scope = {"np": np, "math": math, **names}
    exec(compile(source, file, "exec"), scope)
    return scope


def test_a_library_that_is_installed_has_no_line_of_the_users(tmp_path):
    """But one that is installed editable, or lies on the path, has."""
    source = "def f(x):\n    return float(x[0])\n"
    installed = call_through("/venv/lib/python3/site-packages/lib/inner.py", source)["f"]
    message = message_of(lambda x: installed(x), X)
    assert "site-packages" not in message
    assert "AT" in message
    on_the_path = call_through(str(tmp_path / "mine.py"), source)["f"]
    with pytest.raises(TracerLeakError, match=rf"at {re.escape(str(tmp_path))}.mine.py:2"):
        eg.grad(lambda x: on_the_path(x))(X)


def test_the_line_of_a_function_without_source_is_told():
    """As of a console: its number is all there is."""
    f = call_through("<console>", "def f(x):\n    return float(x[0])\n")["f"]
    with pytest.raises(TracerLeakError, match=r"^float\(\) of a traced value at <console>:2;"):
        eg.grad(f)(X)
    g = call_through("<console>", "def g(x):\n    return x @ x\n")["g"]
    with pytest.raises(DTypeError, match=r"^argument 'x' is a list: pass np.array.* <console>:2 "):
        eg.grad(g)([1.0, 2.0])


def test_the_line_is_the_users_where_a_library_calls_the_function():
    """The optimiser's is none, nor that of NumPy, functools, statistics."""
    optimize = pytest.importorskip("scipy.optimize")

    def f(x):
        return float(x[0])

    with pytest.raises(TracerLeakError, match=r"test_messages.py:\d+: `return float\(x\[0\]\)`"):
        optimize.minimize(lambda x: (x**2).sum(), X, jac=eg.grad(f))
    with pytest.raises(TracerLeakError, match=r"^math.fsum .*test_messages.py:\d+: `"):
        optimize.minimize(lambda x: (x**2).sum(), X, jac=eg.grad(math.fsum))
    cached = functools.singledispatch(f)
    assert message_of(cached, X).startswith("float() of a traced value at AT")


def test_of_a_long_line_what_is_evaluated_is_shown():
    """Not its first hundred letters."""
    with pytest.raises(TracerLeakError, match=r": `float\(x\[0\]\)`; it has no numbers yet"):
        # fmt: off
        eg.grad(lambda x: (np.sin(x) + np.cos(x) * 1.0).sum() + np.exp(x[0]) * 2.0 + float(x[0]) + x[1])(X)  # noqa: E501
        # fmt: on


# Nested arguments --------------------------------------------------------------------------------

PARAMETERS = {"a": [1.0, {"b": X}], "gamma": X}


def loss(p, n=2):
    return (p["a"][1]["b"] ** n).sum() * p["a"][0] + p["gamma"] @ p["gamma"]


NESTED = {
    "shape": (
        {"a": [1.0, {"b": np.ones(3)}], "gamma": X},
        """argument 'p["a"][1]["b"]' has shape (3,) but the plan was made for (2,); make a plan""",
    ),
    "dtype": (
        {"a": [1.0, {"b": X}], "gamma": X + 0j},
        """argument 'p["gamma"]' has dtype complex128 but the plan was made for float64; make""",
    ),
    "missing key": ({"a": [1.0, {"b": X}]}, "argument 'p' has no key 'gamma'"),
    "missing key, deep": (
        {"a": [1.0, {"c": X}], "gamma": X},
        """argument 'p["a"][1]' has no key 'b'""",
    ),
    "extra key": (
        {"a": [1.0, {"b": X}], "gamma": X, "x": 1.0},
        "argument 'p' has an unexpected key 'x'",
    ),
    "items": ({"a": [1.0], "gamma": X}, """argument 'p["a"]' has 1 item, but the plan was made"""),
    "kind": (
        {"a": (1.0, {"b": X}), "gamma": X},
        """argument 'p["a"]' is a tuple, but the plan was made for a list there""",
    ),
    "a list": (
        {"a": [1.0, {"b": [1.0, 2.0]}], "gamma": X},
        """argument 'p["a"][1]["b"]' is a list, but the plan was made for an array there: pass""",
    ),
    "an array": (X, "argument 'p' is one value, but the plan was made for a dict with keys 'a', '"),
}


@pytest.mark.parametrize(("argument", "message"), NESTED.values(), ids=NESTED)
def test_an_item_of_a_nested_argument_is_named_as_the_user_reaches_it(argument, message):
    """Where it differs from what a plan was made for."""
    plan = eg.grad(loss).plan(PARAMETERS, 3)
    with pytest.raises(EingradError) as caught:
        plan(argument, 3)
    assert str(caught.value).startswith(message)


def test_static_items_and_positions_are_named():
    """Also of keywords and named tuples."""
    plan = eg.grad(lambda x, p, q=1: x[0] * p["n"][1]).plan(X, {"n": (2.0, 3)}, q=2)
    says = pytest.raises(
        ShapeError, match=r"""^static argument 'p\["n"\]\[1\]' is 4 but the plan"""
    )
    with says:
        plan(X, {"n": (2.0, 4)}, q=2)
    with pytest.raises(ShapeError, match=r"^the keyword argument 'q' is missing; call the plan in"):
        plan(X, {"n": (2.0, 3)})
    with pytest.raises(
        ShapeError, match=r"^the plan was made without a keyword argument 'r'; call"
    ):
        plan(X, {"n": (2.0, 3)}, q=2, r=3)
    with pytest.raises(
        ShapeError, match=r"^1 positional argument was given, but the plan was made"
    ):
        plan(X)
    with pytest.raises(
        DTypeError, match=r"^argument 'p.b' is None; a derivative needs an array or"
    ):
        eg.grad(lambda p: p.a)(Pair(1.0, None))
    with pytest.raises(DTypeError, match=r"""^argument 'p\["k"\]' has dtype <U1, which has no"""):
        eg.grad(lambda p: p["k"])({"k": np.array(["a"])})
    labels = {"labels": np.array([0, 1])}
    with pytest.raises(EingradError, match=r"""pass p\["labels"\]\.tolist\(\)"""):
        eg.grad(lambda x, p: np.take(x, p["labels"]).sum())(X, labels)


def test_an_item_of_an_outer_argument_is_named_in_an_inner_derivative():
    """As the outer function's caller reaches it."""

    where = np.array([0, 1])

    def outer(x, p):
        inner = eg.grad(lambda y, q: np.take(y, p["n"] < q["k"]).sum())
        return inner(X, {"k": where}).sum()

    with pytest.raises(EingradError, match=r"""pass .*p\["n"\]\.tolist\(\)""") as caught:
        eg.grad(outer)(X, {"n": where})
    assert """q["k"].tolist()""" in str(caught.value)


def test_inputs_of_a_plan_are_identifiers_of_their_own():
    """Whatever the keys are: nothing of them but letters and digits reaches the source."""
    keys = ["gamma", "a b", "a_b", "a-b", "\u00e9", "", "class", 1, (1, 2), "x\n\"y", "z" * 300,
            "import os; os.system('true')", "p_gamma"]  # fmt: skip
    p = dict.fromkeys(keys, X)
    plan = eg.grad(lambda p, p_gamma: sum(v @ v for v in p.values())).plan(p, X)
    assert plan.inputs[0] == "p_gamma_"
    assert plan.inputs[-1] == "p_gamma"
    assert len({*plan.inputs}) == len(plan.inputs) == len(keys) + 1
    assert all(name.isidentifier() and name.isascii() and len(name) < 60 for name in plan.inputs)
    assert "os.system" not in plan.source
    assert eg.grad(loss).plan(PARAMETERS).inputs == ("p_a_0", "p_a_1_b", "p_gamma")
    result = plan(p, X)
    assert [*result] == keys
    np.testing.assert_array_equal(result[""], 2 * X)


def test_arguments_of_one_name_are_two():
    """A keyword may be called as a parameter that is positional only, or as none is."""
    f = lambda x, /, **more: x @ more["x"]  # noqa: E731
    plan = eg.grad(f).plan(X, x=B[0])
    assert plan.inputs == ("x", "x_")
    np.testing.assert_array_equal(plan(X, x=B[0]), B[0])
    np.testing.assert_array_equal(eg.grad(lambda *a, **k: a[0] @ k["x0"])(X, x0=B[0]), B[0])


# Names of other libraries ------------------------------------------------------------------------


def test_what_is_advised_for_a_name_of_another_library_runs():
    """Every call that is given in backquotes."""
    scope = {"eg": eg, "np": np, "f": lambda x, c=1.0: (x**3).sum() * c, "x": X, "v": X, "c": 2.0}
    calls = []
    for name, advice in names_of_other_libraries().items():
        with pytest.raises(AttributeError, match=f"has no attribute '{name}'; use "):
            getattr(eg, name)
        elementwise = {"f": lambda x: x**3} if name == "elementwise_grad" else {}
        calls += re.findall("`(.*?)`", advice)
        for call in re.findall("`(.*?)`", advice):
            eval(call, {**scope, **elementwise})
    assert len(calls) > 15


def test_jit_is_told_to_compile_the_function_itself():
    """Its derivative is another thing."""
    with pytest.raises(AttributeError) as caught:
        eg.jit  # noqa: B018
    assert str(caught.value) == (
        "module 'eingrad' has no attribute 'jit'; use `eg.compiled(f)(x)` to compile a function, "
        "`eg.compiled(eg.grad(f))(x)` to compile its gradient; `eg.plan(f, x)` and "
        "`eg.grad(f).plan(x)` for arguments of one shape and dtype"
    )
    np.testing.assert_allclose(eg.compiled(lambda x: x**3)(2 * X), (2 * X) ** 3)
    np.testing.assert_allclose(eg.plan(lambda x: x**3, X)(2 * X), (2 * X) ** 3)
