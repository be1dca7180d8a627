"""Mistakes that people make with the verbs, and what the message must have: a table.

Each row is a call, the builtin that its error is too, and words of the message: what is wrong with
its values, where in the user's words, what to do. The traceback ends at the user's line, here.
"""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from inside import COMPILE

import eingrad as eg
from eingrad.errors import EingradError, IndependentWarning

X = np.array([0.5, 1.5, 2.5])
A = np.arange(9.0).reshape(3, 3) + 9 * np.eye(3)
S, s = eg.variable("S", (3, 3)), eg.variable("s", (3,))
HERE = "test_mistakes.py:"


def f(x):
    return np.sum(np.sin(x) ** 2)


def field(x):
    return np.sin(A @ x)


def two(x, y):
    return x @ y


PLAN = eg.grad(f).plan(X)
CALLED = "the values are given when the derivative is called"

VERBS = {
    "the point beside the function": (lambda: eg.grad(f, X), TypeError, "array of shape (3,)", CALLED),
    "the point beside hessian": (lambda: eg.hessian(f, X), TypeError, "argnums must be", CALLED),
    "the point in place of the order": (
        lambda: eg.derivative(f, X), ValueError, "order must be an integer", "not an array of", CALLED,
    ),
    "the value of the function": (
        lambda: eg.grad(f(X)), TypeError, "is not a function; pass the function itself, not its value",
    ),
    "the gradient of a vector": (
        lambda: eg.grad(field)(X), ValueError, "but field returned shape (3,)", "use eingrad.jacobian",
    ),
    "no function": (lambda: eg.grad(), TypeError, "eg.grad is not given 'f'", "eg.grad(f)(x)"),
    "no point": (lambda: eg.grad(f)(), ValueError, "the call has 0 positional arguments", "by position"),
    "the point by name": (lambda: eg.grad(f)(x=X), ValueError, "pass what is differentiated by position"),
    "an argument too many": (lambda: eg.grad(f)(X, X), TypeError, "f() takes 1 positional argument but 2"),
    "an argument missing": (lambda: eg.grad(two)(X), TypeError, "two() missing 1 required", "'y'"),
    "a list": (lambda: eg.grad(f)([1.0, 2.0]), TypeError, "'x' is a list: pass np.array(x)", HERE),
    "a text": (lambda: eg.grad(f)("abc"), TypeError, "argument 'x' is 'abc'; a derivative needs an array"),
    "None": (lambda: eg.grad(f)(None), TypeError, "argument 'x' is None"),
    "flags": (lambda: eg.grad(f)(X > 1), TypeError, "is boolean", "convert with .astype(float)"),
    "objects": (lambda: eg.grad(f)(np.array([1, None])), TypeError, "dtype object", "convert it to a float"),
    "a matrix of NumPy's": (lambda: eg.grad(f)(np.matrix(X)), TypeError, "np.matrix", "with np.asarray"),
    "argnums beyond": (lambda: eg.grad(f, 1)(X), ValueError, "names argument 1, but the call has 1"),
    "argnums as a list": (lambda: eg.grad(two, [0, 1])(X, X), TypeError, "not [0, 1]; write (0, 1)"),
    "argnums as a name": (lambda: eg.grad(f, "x"), TypeError, "a tuple of integers, not 'x'"),
    "argnums twice": (lambda: eg.hessian(two, (0, 0))(X, X), ValueError, "(0, 0) names an argument twice"),
    "autograd's argnum": (lambda: eg.grad(two, argnum=1), TypeError, "'argnum'; it is called argnums"),
    "has_aux": (lambda: eg.grad(f, has_aux=True), TypeError, "'has_aux'", "lambda x: f(x)[0]", "eg.plan("),
    "holomorphic": (lambda: eg.grad(f, holomorphic=True), TypeError, "'holomorphic'; leave it out"),
    "a misspelt option": (
        lambda: eg.hessian(f, structred=True), TypeError, "no argument 'structred'", "eg.hessian(f)(x)",
    ),
    "a negative order": (lambda: eg.derivative(f, -1), ValueError, "at least 0, not -1"),
    "several orders": (lambda: eg.derivative(f, [1, 2]), ValueError, "order must be", "not [1, 2]"),
    "n for the order": (lambda: eg.derivative(f, n=2), TypeError, "no argument 'n'", "is called order"),
    "jvp as in JAX": (
        lambda: eg.jvp(field, (X,), (X,)), TypeError, "at most 2 positional", "eg.jvp(f)(x, v)",
    ),
    "jvp of nested arguments": (
        lambda: eg.jvp(field)((X,), (X,)), TypeError, "'x' is a tuple: pass np.array(x)", HERE,
    ),
    "no tangent": (lambda: eg.jvp(field)(X), ValueError, "tangent is missing", "jvp(f)(x, v)"),
    "a tangent of another shape": (
        lambda: eg.jvp(field)(X, np.ones(4)), ValueError, "shape (4,) but the argument has shape (3,)",
    ),
    "a tangent that is a list": (
        lambda: eg.jvp(field)(X, [1.0, 2.0, 3.0]), ValueError, "nested as the argument", "np.array makes",
    ),
    "no cotangent": (lambda: eg.vjp(field)(X), ValueError, "cotangent is missing", "vjp(f)(x, v)"),
    "a cotangent of another shape": (
        lambda: eg.vjp(f)(X, X), ValueError, "shape (3,) but the result of f has shape ()",
    ),
    "no order of a series": (
        lambda: eg.taylor(f)(X, X), TypeError, "is not given 'order'", "eg.taylor(f, order)(x, v)",
    ),
    "the point as the order of a series": (lambda: eg.taylor(f, X, 3), ValueError, "order must", CALLED),
    "a curve that is an array": (
        lambda: eg.taylor(f, 2, curve=True)(X, X), ValueError, "a tuple of its coefficients (v, w, ...)",
    ),
    "a name of JAX": (lambda: eg.jit, AttributeError, "'jit'", "use `eg.compiled(f)(x)`"),
}  # fmt: skip

PLANS = {
    "a plan of nothing": (lambda: eg.plan(f), TypeError, "f() missing 1 required positional", "'x'"),
    "a plan of a value": (lambda: eg.plan(f(X), X), TypeError, "pass the function itself, not its value"),
    "another shape": (
        lambda: PLAN(np.ones(4)), ValueError, "'x' has shape (4,) but the plan was made for (3,)",
        "make a plan for the new shape",
    ),
    "another dtype": (lambda: PLAN(X + 1j), TypeError, "complex128", "made for float64", "or convert"),
    "a list to a plan": (lambda: PLAN([1.0, 2.0, 3.0]), ValueError, "is a list", "pass np.array(x)"),
    "too many to a plan": (lambda: PLAN(X, X), ValueError, "2 positional arguments were given", "for 1"),
    "a traced value to a plan": (
        lambda: eg.grad(lambda x: PLAN(x).sum())(X), TypeError, "is a traced value", "eingrad.compiled(f)",
    ),
    "out of another shape": (
        lambda: PLAN(X, out=np.zeros(4)), ValueError, "out has shape (4,) but the result has shape (3,)",
    ),
    "out that is a list": (lambda: PLAN(X, out=[0, 0, 0]), ValueError, "out holds 3 arrays", "gives 1"),
    "a function to compile": (
        lambda: eg.compile(f), TypeError, "output 0 is a function", "eingrad.plan(f, x)",
    ),
    "arguments to compiled": (
        lambda: eg.compiled(f, X), TypeError, "at most 1 positional argument, not 2", "eg.compiled(f)(x)",
    ),
    "static_argnums": (
        lambda: eg.compiled(f, static_argnums=1), TypeError, "'static_argnums'; leave it out: int, bool",
    ),
    "a symbol that is missing": (
        lambda: eg.compile(S @ s)(A), ValueError, "the plan needs an array for s",
    ),
    "an unknown path": (
        lambda: eg.compile(S @ S @ s, path="fast"), ValueError, "path must be one of", "not 'fast'",
    ),
    "a function to differentiate": (
        lambda: eg.differentiate(f, X), TypeError, "is a function", "eingrad.derivative(f)(x)",
    ),
    "another variable of the name": (
        lambda: eg.differentiate(S @ s, eg.variable("s", 3)), ValueError, "another one of that name",
    ),
    "a symbol of no name": (lambda: eg.variable((3,)), ValueError, "must be an identifier", "not (3,)"),
    "the truth of a symbol": (
        lambda: 1 if s[0] > 0 else 2, TypeError, "truth of a traced value", "np.where(condition, a, b)",
    ),
    "symbols that do not fit": (
        lambda: S @ np.ones(4), ValueError, "matmul of shapes (3, 3) and (4,)", HERE,
    ),
}  # fmt: skip

EINSUMS = {
    "sizes": (
        lambda: eg.einsum("ij,jk->ik", A, np.ones((4, 2))), ValueError,
        "index 'j' has size 3 in operand 0", "size 4 in operand 1", "make the two axes equal",
    ),
    "operands": (lambda: eg.einsum("ij,jk->ik", A), ValueError, "2 terms but 1 operands", "one comma"),
    "axes": (lambda: eg.einsum("ijk->i", A), ValueError, "has 2 axes (shape (3, 3))", "names 3"),
    "an index of the result": (lambda: eg.einsum("ij->ik", A), ValueError, "'k' is in no operand"),
    "the text behind": (lambda: eg.einsum(A, "ij->i"), ValueError, "give a text first"),
    "optimize": (lambda: eg.einsum("ij->i", A, optimize=True), TypeError, "no optimize", "given as path"),
    "in a function": (
        lambda: eg.grad(lambda x: np.einsum("i,j->ii", x, x).sum())(X), ValueError, HERE,
        "'i' is repeated; use np.diag",
    ),
}  # fmt: skip


def loop(x):
    while x[0] > 0:
        x = x - 1
    return x.sum()


def filled(x):
    y = np.zeros(3)
    y[0] = x[1]
    return y.sum()


FUNCTIONS = {
    "no return": (lambda x: None, TypeError, "<lambda> returned None; it must return arrays"),
    "a text returned": (lambda x: "a", TypeError, "returned 'a'"),
    "a function returned": (lambda x: print, TypeError, "the result of <lambda> is of type builtin"),
    "if": (lambda x: x.sum() if x[0] > 0 else 0.0, TypeError, HERE, "np.where(condition, a, b)"),
    "while": (loop, TypeError, f"{HERE}", "`while x[0] > 0:`", "np.where"),
    "max": (lambda x: max(x), TypeError, "max() asked for the truth", "np.max(x)", HERE),
    "math": (lambda x: math.exp(x[0]), TypeError, "math.exp takes plain numbers", "np.exp", HERE),
    "float": (lambda x: float(x[0]), TypeError, "float() of a traced value", "leave float() out", HERE),
    "a format": (lambda x: f"{x[0]:.3f}", TypeError, "formatting of a traced value", HERE),
    "np.array": (
        lambda x: np.array([[x[0], 1], [0, x[1]]]), TypeError, "write np.block([[x[0], 1], [0, x[1]]])",
    ),
    "np.asarray": (lambda x: np.asarray(x).sum(), TypeError, "leave np.asarray out", HERE),
    "an entry assigned": (filled, TypeError, "an element of a NumPy array", "np.stack", HERE),
    "shapes": (lambda x: (x + np.ones(4)).sum(), ValueError, "(3,), (4,) do not broadcast", HERE),
    "a product": (lambda x: (A @ x[:2]).sum(), ValueError, "matmul of shapes (3, 3) and (2,)", HERE),
    "np.dot": (lambda x: np.dot(A, x[:2]).sum(), ValueError, "np.dot at", "sizes, 3 and 2", HERE),
    "an index": (lambda x: x[7], IndexError, "index 7 is out of bounds for axis 0 of shape (3,)", HERE),
    "an axis": (lambda x: x.sum(1), IndexError, "axis 1 is out of bounds", HERE),
    "a mask": (lambda x: x[np.array([True, False])].sum(), IndexError, "a mask of shape (2,)", HERE),
    "a reshape": (lambda x: x.reshape(2, 2).sum(), ValueError, "(3,) (3 elements) to (2, 2)", HERE),
    "a function that is not there": (
        lambda x: np.median(x), TypeError, "np.median has no derivative here", HERE,
    ),
    "a symbol from outside": (lambda x: (x * s).sum(), TypeError, "'s', a symbol that has no value"),
    "a loop over a number": (
        lambda x: sum(x[0]), TypeError, "iteration over a traced value without axes", HERE, "as it is",
    ),
    "the length of a number": (lambda x: len(x[0]), TypeError, "len() of a traced value without axes"),
    "an attribute": (lambda x: x.append(1), AttributeError, "an expression has no attribute 'append'"),
}  # fmt: skip

ROWS = {
    **{f"verbs: {name}": row for name, row in VERBS.items()},
    **{f"plans: {name}": row for name, row in PLANS.items()},
    **{f"einsum: {name}": row for name, row in EINSUMS.items()},
    **{
        f"functions: {name}": ((lambda g=g: eg.grad(g)(X)), *rest)
        for name, (g, *rest) in FUNCTIONS.items()
    },
}


@pytest.mark.parametrize(("call", "builtin", "words"), [(r[0], r[1], r[2:]) for r in ROWS.values()],
                         ids=ROWS)  # fmt: skip
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # np.matrix
def test_a_mistake_is_told_in_the_users_words_and_at_his_line(call, builtin, words):
    """Nothing of ours is in the traceback, however deep it was found."""
    with pytest.raises(builtin) as caught:
        call()
    for word in words:
        assert word in str(caught.value)
    assert caught.traceback[-1].path.name == "test_mistakes.py"
    assert not [entry for entry in caught.traceback if "eingrad" in entry.path.parts[-3:-1]]
    assert isinstance(caught.value, EingradError) or builtin in type(caught.value).__mro__


def test_there_are_enough_of_them():
    assert len(ROWS) >= 80


def test_a_result_that_does_not_depend_on_its_arguments_is_warned_of():
    with pytest.warns(
        IndependentWarning, match="constant returned a value that was not computed"
    ) as caught:
        eg.grad(constant)(X)
    assert caught[0].filename == __file__


def constant(x):
    return 1.0


def test_what_is_advised_for_auxiliary_outputs_gives_both():
    """The advice as it is printed, of a function that returns a pair."""
    with pytest.raises(TypeError) as caught:
        eg.grad(f, has_aux=True)
    advice = str(caught.value).partition("plan both together, ")[2]
    plan = eval(advice, {"eg": eg, "f": lambda x: (x @ x, {"twice": 2 * x}), "x": X})
    gradient, auxiliary = plan(X)
    np.testing.assert_array_equal(gradient, 2 * X)
    np.testing.assert_array_equal(auxiliary["twice"], 2 * X)


FAULTS = {
    "of the user's": lambda x: {}["key"],
    "of NumPy's": lambda x: np.linalg.inv(np.zeros((2, 2))).sum() * x.sum(),
}


@pytest.mark.parametrize("g", FAULTS.values(), ids=FAULTS)
def test_errors_that_are_not_ours_keep_their_frames(g):
    with pytest.raises((KeyError, np.linalg.LinAlgError)) as caught:
        eg.grad(g)(X)
    names = [entry.path.name for entry in caught.traceback]
    assert "_call.py" in names


def test_an_error_that_nobody_meant_keeps_its_frames(monkeypatch):
    """As of a fault of ours: an assertion, an attribute that is missing."""

    def faulty(*_):
        raise AssertionError("a fault")

    COMPILE.replace(monkeypatch, faulty)
    with pytest.raises(AssertionError) as caught:
        eg.grad(f)(X)
    assert "_derivative.py" in [entry.path.name for entry in caught.traceback]


def test_all_frames_are_shown_where_they_are_asked_for(monkeypatch):
    monkeypatch.setenv("EINGRAD_TRACEBACK", "full")
    with pytest.raises(TypeError) as caught:
        eg.grad(lambda x: float(x[0]))(X)
    assert [e.path.name for e in caught.traceback if "eingrad" in e.path.parts[-3:-1]]


def test_what_a_user_sees():
    """The whole of it, as it is printed: the calls of his that led there, and the message."""
    script = "import numpy as np, eingrad as eg\n"
    script += (
        "def f(x):\n    return float(x[0])\n\ndef run():\n    eg.grad(f)(np.ones(2))\n\nrun()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    lines = [line.strip() for line in ran.stderr.splitlines() if "^" not in line]
    lines = [line for line in lines if not line.startswith(("return float", "eg.grad(f)", "run()"))]
    assert lines[:4] == [
        "Traceback (most recent call last):",
        'File "<string>", line 8, in <module>',
        'File "<string>", line 6, in run',
        'File "<string>", line 3, in f',
    ]
    assert len(lines) == 5
    assert lines[4].startswith("eingrad.errors.TracerLeakError: float() of a traced value at <str")
