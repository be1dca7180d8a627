"""The catalogue of faults: singular matrices, memory, determinism, aliasing and `out=`.

One test id per fault, in words. Every message is matched: what, where, what to do.
"""

import gc
import itertools
import os
import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pytest
from faults import SINGULAR, A, X, fixed, matrix, parametrize, raises

import eingrad as eg
from eingrad import _ir
from eingrad._tree import flatten
from eingrad.errors import (
    DTypeError,
    PlanError,
    ShapeError,
)

# C. Singular matrices, overflow ------------------------------------------------------------------

SINGULAR_CALLS = {
    "inv": (lambda: eg.jacobian(np.linalg.inv)(SINGULAR), "operand 'a' of shape", "inv"),
    "inv, value alone": (lambda: eg.derivative(np.linalg.inv, 0)(SINGULAR), "operand 'a'", "inv"),
    "inv, plan": (
        lambda: eg.jacobian(np.linalg.inv).plan(np.eye(2))(SINGULAR),
        "operand 'a'",
        "inv",
    ),
    "inv, plan of symbols": (
        lambda: eg.compile(np.linalg.inv(eg.variable("Q", (2, 2))))(SINGULAR),
        "operand 'Q' of shape",
        "inv",
    ),
    "inv of an intermediate": (
        lambda: eg.grad(lambda s: np.linalg.inv(s * SINGULAR).sum())(1.0),
        r"operand `t0 = s \* c0` of shape",
        "inv",
    ),
    "inv of a captured array": (
        lambda: eg.grad(lambda s: (s * np.linalg.inv(np.eye(2) * s - np.eye(2))).sum())(1.0),
        "operand `",
        "inv",
    ),
    "solve": (
        lambda: eg.derivative(lambda m: np.linalg.solve(m, X[:2]), 0)(SINGULAR),
        "operand 'm' of shape",
        "",
    ),
    "matrix_power": (
        lambda: eg.jacobian(lambda m: np.linalg.matrix_power(m, -2))(SINGULAR),
        "operand 'm' of shape",
        "inv",
    ),
    "slogdet": (
        lambda: eg.grad(lambda m: np.linalg.slogdet(m)[1])(SINGULAR),
        "operand 'm' of shape",
        "inv",
    ),
}


@parametrize(("call", "operand", "function"), SINGULAR_CALLS)
def test_a_singular_matrix_is_named(call, operand, function):
    """In NumPy's own class of error, with the operand and the line of the source."""
    raises(
        call,
        np.linalg.LinAlgError,
        rf"Singular matrix: {operand}.*\(2, 2\), in `\w+ = np.linalg.{function}.*, line \d+ of the "
        "plan's source; neither its inverse nor a derivative through it exists there",
    )


SPECIAL = {
    "overflow of exp": (lambda: eg.grad(np.exp)(1000.0), np.inf, "overflow encountered in exp"),
    "pole": (lambda: eg.grad(lambda x: 1 / x)(0.0), -np.inf, "divide by zero"),
    "root at zero": (lambda: eg.grad(np.sqrt)(0.0), np.inf, "divide by zero"),
    "root at zero, of an array": (
        lambda: eg.grad(lambda x: np.sqrt(x).sum())(np.zeros(1)),
        [np.inf],
        "divide by zero",
    ),
    "power at zero": (lambda: eg.grad(lambda x: x**0.5)(0.0), np.inf, "divide by zero"),
}


@parametrize(("call", "expected", "warning"), SPECIAL)
def test_special_values_are_ieee_with_numpys_warning(call, expected, warning):
    """Floats like arrays: no ZeroDivisionError, no OverflowError."""
    with pytest.warns(RuntimeWarning, match=warning):
        result = call()
    np.testing.assert_array_equal(result, expected)


def test_numpys_error_state_is_the_users():
    """He may silence a warning, or make it an error."""
    with np.errstate(over="ignore"):
        assert eg.grad(np.exp)(1000.0) == np.inf
    with np.errstate(over="raise"), pytest.raises(FloatingPointError, match="overflow"):
        eg.grad(np.exp)(1000.0)


# E. Determinism, memory --------------------------------------------------------------------------

SCRIPT = """
import numpy as np, eingrad as eg
A = np.arange(9.0).reshape(3, 3) + np.eye(3)
def f(x):
    B = A + np.outer(x, x)
    return np.sin(A @ x) @ np.linalg.solve(A, x * np.exp(x)) + np.linalg.slogdet(B)[1]
for order in (1, 2, 3):
    plan = eg.derivative(f, order).plan(np.ones(3))
    print(plan.source, plan)
"""


def test_the_source_does_not_depend_on_the_hash_seed():
    """Nor do path and table."""
    texts = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in (0, 1, 2)
    }
    assert len(texts) == 1
    assert "def derivative" in texts.pop()


def test_a_deep_graph_is_freed_without_recursion():
    """And nothing of it is left."""
    gc.collect()
    before = _ir.nodes.number_of_live_nodes()
    x = eg.variable("x", ())
    for _ in range(20_000):
        x = np.sin(x)
    assert _ir.nodes.number_of_live_nodes() >= before + 20_000
    del x
    gc.collect()
    assert _ir.nodes.number_of_live_nodes() <= before


# F. Aliasing, out= -------------------------------------------------------------------------------

SHARING = {
    "captured array returned": lambda x: A,
    "argument returned": lambda x: x,
    "one array twice": lambda x: (x * 2, x * 2),
    "an array and its transpose": lambda x: (x @ x, (x @ x).T),
    "an array and its shape changed": lambda x: (x @ x, (x @ x).ravel()),
    "an array and a part of it": lambda x: (x @ x, (x @ x)[0]),
    "an array and a broadcast of it": lambda x: (x @ x, np.broadcast_to(x @ x, (2, 3, 3))),
}


@pytest.mark.filterwarnings("ignore::eingrad.errors.IndependentWarning")
@parametrize("f", SHARING)
def test_results_share_memory_with_nothing(f):
    """Not with arguments, captured arrays, a plan's constants, each other; all may be written."""
    everything = eg.value_and_derivatives(f, 2)
    plan = everything.plan(A)
    results = []
    for value in (everything(A), plan(A), plan(A)):
        for part in value:
            results += part if isinstance(part, tuple) else [part]
    for one, other in itertools.combinations([*results, A], 2):
        assert not np.shares_memory(one, other)
    assert all(result.flags.writeable for result in results)


def overlapping(shape):
    return np.lib.stride_tricks.as_strided(np.zeros(shape[-1]), shape, (0, 8))


REFUSED_OUT = {
    "shape": (np.zeros((3, 2)), ShapeError, r"out has shape \(3, 2\) but the result has shape"),
    "dtype": (np.zeros((3, 3), np.float32), DTypeError, "out has dtype float32 but the result has"),
    "integers": (np.zeros((3, 3), int), DTypeError, "out has dtype int64 but the result has dtype"),
    "byte order": (np.zeros((3, 3), ">f8"), DTypeError, "out has dtype >f8 but the result has"),
    "read-only": (fixed(np.zeros((3, 3))), PlanError, "out is read-only; give an array that can"),
    "entries that share memory": (
        overlapping((3, 3)),
        PlanError,
        "out has entries that share memory; give an array of its own",
    ),
    "masked array": (np.ma.zeros((3, 3)), DTypeError, "out is a MaskedArray; it must be a NumPy"),
    "np.matrix": (matrix(np.zeros((3, 3))), DTypeError, "out is a matrix; it must be a NumPy"),
    "text": ("abc", DTypeError, "out is a str; it must be a NumPy array"),
    "too many": ((np.zeros((3, 3)),) * 2, ShapeError, "out holds 2 arrays but the plan gives 1"),
    "nested": ([np.zeros((3, 3))], ShapeError, "out is nested in another way than the result"),
}


@parametrize(("out", "error", "message"), REFUSED_OUT)
def test_an_out_that_cannot_be_written_is_refused(out, error, message):
    """Before anything is computed: the matrix is singular."""
    plan = eg.derivative(np.linalg.inv, 0).plan(A)
    raises(lambda: plan(np.zeros((3, 3)), out=out), error, message)


KEYED = {  # a result, and an out for it
    "dict": (lambda x: {"a": x, "b": 2 * x}, lambda a, b: {"b": b, "a": a}),
    "of other shapes": (lambda x: {"a": x, "b": np.outer(x, x)}, lambda a, b: {"b": b, "a": a}),
    "in a tuple": (lambda x: (x, {"b": x, "c": {"a": 3 * x, "d": 4 * x}})[1:],
                   lambda a, b, c: ({"c": {"d": c, "a": b}, "b": a},)),
    "in order or not": (lambda x: OrderedDict(a=x, b=2 * x), lambda a, b: {"b": b, "a": a}),
}  # fmt: skip


@parametrize("case", KEYED)
def test_an_out_is_matched_by_its_keys(case):
    """The results were swapped once; then their shapes were said to be wrong."""
    f, nest = case
    plan = eg.derivative(f, 0).plan(X)
    expected, _ = flatten(plan(X))
    buffers = [np.zeros_like(result) for result in expected]
    out = nest(*buffers)
    assert plan(X, out=out) is out
    for buffer, result in zip(buffers, expected, strict=True):
        np.testing.assert_array_equal(buffer, result)


def test_an_out_with_other_keys_is_refused():
    plan = eg.derivative(lambda x: {"a": x, "b": np.outer(x, x)}, 0).plan(X)
    raises(
        lambda: plan(X, out={"b": np.zeros(3), "c": np.zeros((3, 3))}),
        ShapeError,
        "nested in another way than the result; nest it as the result is, with the same keys$",
    )


OUTS = {
    "Fortran order": lambda: np.zeros((3, 3), order="F"),
    "every second column": lambda: np.zeros((3, 6))[:, ::2],
    "backwards": lambda: np.zeros((3, 3))[::-1],
    "the transpose of a larger one": lambda: np.zeros((3, 5, 3))[:, 2].T,
    "unaligned": lambda: np.zeros(73, np.uint8)[1:].view(float).reshape(3, 3),
}


@parametrize("make", OUTS)
def test_an_out_of_any_layout_is_filled(make):
    """Only its entries."""
    plan = eg.jacobian(lambda x: x**2).plan(X)
    out = make()
    assert plan(X, out=out) is out
    np.testing.assert_array_equal(out, np.diag(2 * X))


def test_out_is_untouched_by_an_error():
    """It is written last."""
    plan = eg.jacobian(np.linalg.inv).plan(np.eye(2))
    out = np.full((2,) * 4, 7.0)
    with pytest.raises(np.linalg.LinAlgError):
        plan(SINGULAR, out=out)
    assert (out == 7.0).all()


def test_out_may_be_an_argument():
    """Also where it is read again after the first result is known."""
    plan = eg.derivative(lambda x: (x @ x, x @ x @ x), 0).plan(A)
    first, second = np.array(A), np.zeros((3, 3))
    plan(first, out=(first, second))
    np.testing.assert_allclose(first, A @ A, rtol=1e-15)
    np.testing.assert_allclose(second, A @ A @ A, rtol=1e-15)


def test_names_of_other_libraries_lead_to_ours():
    """Who writes ``jax.jacfwd`` as ``eg.jacfwd`` is told what it is called."""
    with pytest.raises(AttributeError, match=r"no attribute 'jacfwd'; use `eg\.jacobian"):
        eg.jacfwd  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'jacobi'$"):
        eg.jacobi  # noqa: B018


def test_the_order_of_keys_and_keywords_does_not_count():
    """What is rebuilt, by an optimiser say, may have them in another order."""
    x, y = np.array([1.0, 2.0]), np.array([3.0, 5.0])
    f = lambda d: (d["a"] ** 2) @ d["b"]  # noqa: E731
    plan = eg.grad(f).plan({"a": x, "b": y})
    result = plan({"b": y, "a": x})
    np.testing.assert_array_equal(result["a"], 2 * x * y)
    np.testing.assert_array_equal(result["b"], x**2)
    tangent = {"b": np.ones(2), "a": np.zeros(2)}
    np.testing.assert_array_equal(eg.hvp(f)({"a": x, "b": y}, tangent)["a"], 2 * x)
    named = eg.grad(lambda x, p, q: x @ p * (x @ q)).plan(x, p=x, q=y)
    np.testing.assert_array_equal(named(x, q=y, p=x), named(x, p=x, q=y))
    with pytest.raises(eg.errors.ShapeError, match="argument 'd' has no key 'b'"):
        plan({"a": x, "c": y})
