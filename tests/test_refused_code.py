"""Code that cannot be traced, as people write it: refused, with its line and what to write."""

import functools
import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from faults import A, Box, NoPair, X, fixed, parametrize, raises

import eingrad as eg
from eingrad.errors import (
    BranchError,
    DTypeError,
    InPlaceError,
    ShapeError,
    TracerLeakError,
    UnsupportedFunctionError,
)

HERE = r"test_refused_code\.py:\d+: `.*"  # the user's line, quoted


def branch(x):
    if x[0] > 0:
        return x.sum()
    return -x.sum()


def loop(x):
    while x[0] > 0:
        x = x - 1
    return x.sum()


def filled(x):
    z = np.zeros(3)
    z[0] = x[0]
    return z.sum()


def filled_with_all(x):
    z = np.zeros(3)
    z[:] = x
    return z.sum()


def assigned(x):
    x[0] = 1.0
    return x.sum()


def accumulated(x):
    z = np.zeros(3)
    z += x
    return z.sum()


def accumulated_row(x):
    z = np.zeros((2, 3))
    z[1] += x
    return z.sum()


def incremented(x):
    x += 1
    return x.sum()


def installed(name, x):
    """Call a function of SciPy, if it is there."""
    module, _, function = name.rpartition(".")
    return getattr(pytest.importorskip(module), function)(x)


REFUSED_CODE = {
    "if": (
        lambda: eg.grad(branch)(X),
        BranchError,
        (
            r"the truth of a traced value was asked for at .*test_refused_code\.py:\d+: "
            r"`if x\[0\] > 0:`; it has no numbers yet: use np.where\(condition, a, b\), np.maximum"
        ),
    ),
    "while": (lambda: eg.grad(loop)(X), BranchError, r"`while x\[0\] > 0:`; .*np.where"),
    "max of two": (lambda: eg.grad(lambda x: max(x[0], x[1]))(X), BranchError, "np.maximum"),
    "sorted": (lambda: eg.grad(lambda x: sorted(x)[0])(X), BranchError, rf"at .*{HERE}"),
    "in a list": (lambda: eg.grad(lambda x: x[0] in [x[1]])(X), BranchError, rf"at .*{HERE}"),
    "in a traced value": (lambda: eg.grad(lambda x: 1.0 in x)(X), BranchError, rf"at .*{HERE}"),
    "not": (lambda: eg.grad(lambda x: not x[0])(X), BranchError, rf"at .*{HERE}"),
    "any": (lambda: eg.grad(lambda x: any(x))(X), BranchError, rf"at .*{HERE}"),  # noqa: PLW0108
    "equal to a number": (
        lambda: eg.grad(lambda x: x.sum() if x[0] == 1 else 0.0)(X),
        BranchError,
        rf"at .*{HERE}",
    ),
    "np.allclose": (
        lambda: eg.grad(lambda x: x.sum() if np.allclose(x, X) else 0.0)(X),
        UnsupportedFunctionError,
        rf"np.allclose has no derivative here \(at .*{HERE}",
    ),
    "dict key": (
        lambda: eg.grad(lambda x: {1.0: 2.0}.get(x[0], 0.0))(X),
        TracerLeakError,
        rf"hash\(\) \(a dict key, a set, functools.cache\) of a traced value at .*{HERE}",
    ),
    "functools.cache": (
        lambda: eg.grad(functools.cache(lambda x: x.sum()))(X),
        TracerLeakError,
        r"hash\(\) .*of a traced value",
    ),
    "float": (lambda: eg.grad(lambda x: float(x[0]))(X), TracerLeakError, rf"float\(\) of.*{HERE}"),
    "int": (lambda: eg.grad(lambda x: int(x[0]))(X), TracerLeakError, rf"int\(\) of .*{HERE}"),
    "complex": (lambda: eg.grad(lambda x: complex(x[0]))(X), TracerLeakError, r"complex\(\) of a"),
    "round": (lambda: eg.grad(lambda x: round(x[0], 2))(X), TracerLeakError, r"round\(\) of a tr"),
    "math.sin": (lambda: eg.grad(lambda x: math.sin(x[0]))(X), TracerLeakError, "write np.sin$"),
    "math.trunc": (lambda: eg.grad(lambda x: math.trunc(x[0]))(X), TracerLeakError, "math.trunc"),
    "math.fsum": (lambda: eg.grad(math.fsum)(X), TracerLeakError, "math.fsum takes plain numb"),
    "range": (lambda: eg.grad(lambda x: range(x[0]))(X), TracerLeakError, "integer index of a tr"),
    "index of an array": (
        lambda: eg.grad(lambda x: X[x[0]])(X),
        TracerLeakError,
        rf"an index of an array is a traced value at .*{HERE}",
    ),
    "index of a list": (lambda: eg.grad(lambda x: [1, 2][x[0]])(X), TracerLeakError, "integer ind"),
    "formatting": (lambda: eg.grad(lambda x: f"{x[0]:.2f}")(X), TracerLeakError, "formatting of"),
    "percent formatting": (lambda: eg.grad(lambda x: "%f" % x[0])(X), TracerLeakError, "format"),  # noqa: UP031
    "item": (lambda: eg.grad(lambda x: x[0].item())(X), TracerLeakError, "ndarray.item of a"),
    "tolist": (lambda: eg.grad(lambda x: x.tolist())(X), TracerLeakError, "ndarray.tolist of"),
    "np.float64": (lambda: eg.grad(lambda x: np.float64(x[0]))(X), TracerLeakError, "conversion"),
    "np.asarray": (
        lambda: eg.grad(lambda x: np.asarray(x).sum())(X),
        TracerLeakError,
        rf"conversion to an array .* at .*{HERE}.*keep to NumPy functions of the value itself",
    ),
    "np.array of elements": (
        lambda: eg.grad(lambda x: np.array([x[0], x[1]]).sum())(X),
        TracerLeakError,
        r"write np.stack\(\[x\[0\], x\[1\]\]\)",
    ),
    "np.fromiter": (
        lambda: eg.grad(lambda x: np.fromiter(x, float).sum())(X),
        TracerLeakError,
        rf"float\(\) of a traced value at .*{HERE}",
    ),
    "np.vectorize": (
        lambda: eg.grad(lambda x: np.vectorize(math.sin)(x).sum())(X),
        TracerLeakError,
        "conversion to an array",
    ),
    "assignment": (
        lambda: eg.grad(assigned)(X),
        InPlaceError,
        (
            r"a traced value was assigned to at .*`x\[0\] = 1.0`; build the array with np.stack, "
            "np.concatenate or np.where instead"
        ),
    ),
    "assignment of an element to an array": (
        lambda: eg.grad(filled)(X),
        InPlaceError,
        r"assigned a traced value at .*`z\[0\] = x\[0\]`; .*build the array with np.stack",
    ),
    "assignment of all to an array": (
        lambda: eg.grad(filled_with_all)(X),
        InPlaceError,
        r"assigned a traced value at .*`z\[:\] = x`; .*build the array with np.stack",
    ),
    "array += traced": (
        lambda: eg.grad(accumulated)(X),
        InPlaceError,
        r"np.add writes into an existing array at .*`z \+= x`; .*\(z = z \+ x instead of z \+= x\)",
    ),
    "row of an array += traced": (
        lambda: eg.grad(accumulated_row)(X),
        InPlaceError,
        r"np.add writes into an existing array at .*`z\[1\] \+= x`",
    ),
    "labels as an argument": (
        lambda: eg.grad(lambda x, labels: x[labels].sum())(X, fixed([0, 2], int)),
        UnsupportedFunctionError,
        (
            r"capture argument 'labels', as in lambda x: f\(x, labels\), or pass labels.tolist"
            r"\(\): the function sees that as it is; or pass one-hot rows, np.eye\(n\)\[labels\]"
        ),
    ),
    "a mask as an argument": (
        lambda: eg.grad(lambda x, mask: x[mask].sum())(X, fixed([0, 1, 1], bool)),
        UnsupportedFunctionError,
        r"capture argument 'mask', .* pass mask.tolist\(\): .*; or use np.where\(condition, a, b\)",
    ),
    "a mask of two arguments": (
        lambda: eg.grad(lambda x, n, k: x[n > k].sum())(X, fixed([0, 1, 2], int), np.int64(1)),
        UnsupportedFunctionError,
        r"capture arguments 'n', 'k', as in lambda x: f\(x, n, k\), or pass n.tolist\(\), k.tolist",
    ),
    "labels as an argument of np.take": (
        lambda: eg.grad(lambda x, labels: np.take(x, labels).sum())(X, fixed([0, 2], int)),
        TracerLeakError,
        (
            rf"an index is a traced value at .*{HERE}.*; it must be known before the values: "
            r"capture argument 'labels', .*labels.tolist\(\)"
        ),
    ),
    "NumPy integer as an index": (
        lambda: eg.grad(lambda x, k: x[k])(X, np.int64(1)),
        UnsupportedFunctionError,
        r"pass int\(k\) for argument 'k': the function sees that as it is$",
    ),
    "NumPy integer as the bound of a slice": (
        lambda: eg.grad(lambda x, k: x[:k].sum())(X, np.int64(1)),
        TracerLeakError,
        rf"the bound of a slice is a traced value at .*{HERE}.*pass int\(k\) for argument 'k'",
    ),
    "NumPy integer as an axis": (
        lambda: eg.grad(lambda x, k: x.sum(k))(X, np.int64(0)),
        TracerLeakError,
        r"an axis is a traced value at .*pass int\(k\) for argument 'k'",
    ),
    "NumPy integer as a count": (
        lambda: eg.grad(lambda x, k: sum(x[0] for _ in range(k)))(X, np.int64(2)),
        TracerLeakError,
        r"an integer index of a traced value at .*pass int\(k\) for argument 'k'",
    ),
    "float as a count": (
        lambda: eg.grad(lambda x, k: sum(x[0] for _ in range(k)))(X, 2.0),
        TracerLeakError,
        rf"index of a traced value at .*{HERE}.*: pass int\(k\) for argument 'k': the f",
    ),
    "computed number as a count": (
        lambda: eg.grad(lambda x: sum(x[0] for _ in range(x[1] * 2)))(X),
        TracerLeakError,
        r"go on as often as is ever needed, with np.where\(k < n, new, old\) in pass k$",
    ),
    "NumPy flag in a condition": (
        lambda: eg.grad(lambda x, flag: x[0] if flag else x[1])(X, np.True_),
        BranchError,
        r"the truth of a traced value .* pass bool\(flag\) for argument 'flag'",
    ),
    "list where an array is needed, to a NumPy function": (
        lambda: eg.grad(lambda x: np.sin(x).sum())([1.0, 2.0]),
        DTypeError,
        r"argument 'x' is a list: pass np.array\(x\)",
    ),
    "list where an array is needed, to an operator": (
        lambda: eg.grad(lambda x: x**2)([1, 2]),
        DTypeError,
        r"argument 'x' is a list: pass np.array\(x\)",
    ),
    "nested list where an array is needed, to a method": (
        lambda: eg.grad(lambda x, w: w.sum())(X, w=[[1.0, 2.0], [3.0, 4.0]]),
        DTypeError,
        r"argument 'w' is a list: pass np.array\(w\)",
    ),
    "list to a plan for an array": (
        lambda: eg.grad(lambda x: x @ x).plan(X)([1.0, 2.0, 3.0]),
        ShapeError,
        r"argument 'x' is a list, .*: pass np.array\(x\); call the plan in the way it was made",
    ),
    "NumPy integer to a plan for an int": (
        lambda: eg.grad(lambda x, n: x[0] ** n).plan(X, 3)(X, np.int64(3)),
        ShapeError,
        r"static argument 'n' is np.int64\(3\) but the plan was made for 3; pass int\(n\), or make",
    ),
    "traced += 1": (
        lambda: eg.grad(incremented)(X),
        InPlaceError,
        r"a traced value was changed in place at .*`x \+= 1`; write x = x \+ y, not x \+= y",
    ),
    "out= of a ufunc": (
        lambda: eg.grad(lambda x: np.add(X, x, out=np.zeros(3)).sum())(X),
        InPlaceError,
        rf"np.add writes into an existing array at .*{HERE}.*write y = np.add\(...\)",
    ),
    "out= of a function": (
        lambda: eg.grad(lambda x: np.sum(x, out=np.zeros(())))(X),
        InPlaceError,
        rf"np.sum\(out=...\) writes in place at .*{HERE}.*use its result",
    ),
    "np.add.at": (
        lambda: eg.grad(lambda x: np.add.at(np.zeros(3), [0], x[0]))(X),
        InPlaceError,
        r"np.add.at writes in place at .*build the array with np.stack",
    ),
    "np.copyto": (
        lambda: eg.grad(lambda x: np.copyto(np.zeros(3), x))(X),
        InPlaceError,
        "np.copyto writes in place",
    ),
    "sort in place": (lambda: eg.grad(lambda x: x.sort())(X), InPlaceError, "ndarray.sort writes"),
    "unsupported function": (
        lambda: eg.grad(lambda x: np.interp(1.5, X, x))(X),
        UnsupportedFunctionError,
        rf"np.interp has no derivative here \(at .*{HERE}.*docs/functions.md lists",
    ),
    "unsupported function, nothing like it": (
        lambda: eg.grad(np.median)(X),
        UnsupportedFunctionError,
        r"np.median has no derivative here \(at .*\); write it with supported functions, which",
    ),
    "unsupported function, what does the same named": (
        lambda: eg.grad(np.nansum)(X),
        UnsupportedFunctionError,
        (
            r"np.nansum has no derivative here \(at .*\); write "
            r"np.sum\(np.where\(np.isnan\(x\), 0, x\)\); docs/functions.md lists what is supported"
        ),
    ),
    "unsupported method, what does nearly the same named": (
        lambda: eg.grad(lambda x: x.argmax())(X),
        UnsupportedFunctionError,
        r"; where you need only a mask of the largest, not its position, write x == x.max",
    ),
    "unsupported function of np.linalg": (
        lambda: eg.grad(np.linalg.svd)(A),
        UnsupportedFunctionError,
        "np.linalg.svd has no derivative here",
    ),
    "unsupported keyword of a ufunc": (
        lambda: eg.grad(lambda x: np.sin(x, where=[True, False, True]))(X),
        UnsupportedFunctionError,
        rf"np.sin: keyword 'where' is not supported on traced values \(at .*{HERE}.*leave it out",
    ),
    "unsupported keyword of a function": (
        lambda: eg.grad(lambda x: np.einsum("i->", x, casting="unsafe"))(X),
        UnsupportedFunctionError,
        "np.einsum: keyword argument 'casting' is not supported on traced values .*leave it out",
    ),
    "unsupported ufunc method": (
        lambda: eg.grad(lambda x: np.add.reduceat(x, [0, 1]).sum())(X),
        UnsupportedFunctionError,
        "np.add.reduceat has no derivative here",
    ),
    "unsupported accumulation": (
        lambda: eg.jacobian(np.maximum.accumulate)(X),
        UnsupportedFunctionError,
        "np.maximum.accumulate has no derivative here",
    ),
    "function of SciPy": (
        lambda: eg.jacobian(lambda x: installed("scipy.linalg.expm", x))(A),
        TracerLeakError,
        (
            rf"scipy.linalg.expm does not dispatch to traced values \(at .*{HERE}.*\); write "
            r"np.linalg.matrix_power"
        ),
    ),
    "function of SciPy, itself differentiated": (
        lambda: eg.jacobian(pytest.importorskip("scipy.linalg").expm)(A),
        TracerLeakError,
        "scipy.linalg.expm does not dispatch to traced values",
    ),
    "ufunc of SciPy": (
        lambda: eg.jacobian(lambda x: installed("scipy.special.erf", x))(X),
        UnsupportedFunctionError,
        "scipy.special.erf has no derivative here",
    ),
    "None returned": (lambda: eg.grad(lambda x: None)(X), DTypeError, "returned None; it must"),
    "text returned": (lambda: eg.grad(lambda x: "a")(X), DTypeError, "returned 'a'; it must"),
    "None returned in a tuple": (
        lambda: eg.jacobian(lambda x: (x, None))(X),
        DTypeError,
        "<lambda> returned None; it must return arrays or numbers",
    ),
    "generator function": (
        lambda: eg.jacobian(lambda x: (v for v in x))(X),
        DTypeError,
        "the result of <lambda> is of type generator.*only arrays, numbers and traced values",
    ),
    "object returned": (
        lambda: eg.jacobian(Box)(X),
        DTypeError,
        "the result of Box is of type Box.*only arrays, numbers and traced values",
    ),
    "object differentiated": (
        lambda: eg.jacobian(lambda p: p.value)(Box(X)),
        DTypeError,
        "argument 'p' is of type Box; a derivative needs an array or a float there, or tuples,",
    ),
    "set differentiated": (
        lambda: eg.grad(sum)({1.0, 2.0}),
        DTypeError,
        "is of type set; a derivative needs an array",
    ),
    "Counter differentiated": (
        lambda: eg.grad(lambda p: p["a"])(Counter(a=1)),
        DTypeError,
        "argument 'p' is of type Counter; a derivative needs",
    ),
    "defaultdict differentiated": (
        lambda: eg.grad(lambda p: p["a"])(defaultdict(float, a=1.0)),
        DTypeError,
        "argument 'p' is of type defaultdict; a derivative needs",
    ),
    "subclass of tuple differentiated": (
        lambda: eg.grad(lambda p: p[0])(NoPair(1.0, 2.0)),
        DTypeError,
        "argument 'p' is of type NoPair; a derivative needs",
    ),
    "None among what is differentiated": (
        lambda: eg.grad(lambda p: p[0])((1.0, None)),
        DTypeError,
        r"argument 'p\[1\]' is None; a derivative needs an array or a float there",
    ),
    "argument that is not positional": (
        lambda: eg.grad(lambda x: x.sum())(x=X),
        ShapeError,
        "argnums 0 names argument 0, but the call has 0 positional arguments; argnums counts",
    ),
    "symbol by closure": (
        lambda: eg.grad(lambda x: (x * eg.variable("v", (3,))).sum())(X),
        TracerLeakError,
        "<lambda> uses 'v', a symbol that has no value in this call; pass it as an argument",
    ),
}


@parametrize(("call", "error", "message"), REFUSED_CODE)
def test_code_that_cannot_be_traced_is_refused(call, error, message):
    """With the line of the user's, and what to write instead."""
    raises(call, error, message)


def nested_list(depth):
    value = X
    for _ in range(depth):
        value = [value]
    return value


def cyclic_list():
    value = [X]
    value.append(value)
    return value


@pytest.mark.parametrize("value", [nested_list(3000), cyclic_list()], ids=["deep", "cyclic"])
def test_a_bottomless_nesting_is_refused(value):
    """Not by RecursionError."""
    raises(
        lambda: eg.grad(lambda p: p[0])(value),
        ShapeError,
        "nested more than 100 deep, or contain themselves; give flatter ones",
    )
