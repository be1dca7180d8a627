"""What messages say to write in place of a function: it is what the function gives."""

import functools

import numpy as np
import pytest

import eingrad as eg
from eingrad._substitutes import SUBSTITUTES
from eingrad._tracer import FUNCTIONS, METHODS, UFUNCS

RNG = np.random.default_rng(0)
X, Y = RNG.uniform(0.2, 0.8, size=(2, 5))
HOLES = np.array([0.5, np.nan, 2.0])
SIGNS = np.array([-2.5, 0.0, 1.5, -np.inf, np.inf])
A, SQUARE = RNG.normal(size=(5, 3)), RNG.normal(size=(3, 3))
SYMMETRIC = SQUARE @ SQUARE.T + np.eye(3)
K, T, S, M = np.array([1.0, -2.0, 0.5]), np.array([0.1, 1.7]), np.arange(5.0), 1.25

# What the names in an expression stand for, and what NumPy says its value is.
HOLED = {"x": HOLES, "m": M, "n": 2}
SIGNED = {"x": np.array([-2.5, 0.0, 1.5]), "y": np.array([-0.7, 0.7, 0.4]), "n": 3}
POSITIVE = {"x": X, "y": Y, "n": 3, "k": K}
KNOTS = {"x": X, "t": T, "s": S}
ENDS = {"x": 2.0, "y": 3.0, "n": 4}
TALL, SPD = {"A": A, "b": X}, {"A": SYMMETRIC}
EXPECTED = {
    "np.bitwise_xor": (SIGNED, lambda x, y, n: np.bitwise_xor(x > 0, y > 0)),
    "np.modf": (SIGNED, lambda x, y, n: np.modf(x)),
    "np.isneginf": ({"x": SIGNS}, np.isneginf),
    "np.isposinf": ({"x": SIGNS}, np.isposinf),
    "np.signbit": (SIGNED, lambda x, y, n: np.signbit(x)),
    "np.sinc": (SIGNED, lambda x, y, n: np.sinc(x)),
    "np.ldexp": (SIGNED, lambda x, y, n: np.ldexp(x, n)),
    "np.count_nonzero": (SIGNED, lambda x, y, n: np.count_nonzero(x)),
    "np.argmax": (POSITIVE, lambda x, **_: np.arange(5) == np.argmax(x)),
    "np.argmin": (POSITIVE, lambda x, **_: np.arange(5) == np.argmin(x)),
    "ndarray.argmax": (POSITIVE, lambda x, **_: np.arange(5) == x.argmax()),
    "ndarray.argmin": (POSITIVE, lambda x, **_: np.arange(5) == x.argmin()),
    "np.insert": (POSITIVE, lambda x, y, n, k: np.insert(x, [n] * 5, y)),
    "np.polyval": (POSITIVE, lambda x, y, n, k: np.polyval(y, x)),
    "np.vander": (POSITIVE, lambda x, y, n, k: np.vander(x, n)),
    "np.convolve": (POSITIVE, lambda x, y, n, k: np.convolve(x, k)),
    "np.correlate": (POSITIVE, lambda x, y, n, k: np.correlate(x, k)),
    "np.interp": (KNOTS, lambda x, t, s: np.interp(t, s, x)),
    "np.fft.fft2": (TALL, lambda A, b: np.fft.fft2(A)),
    "np.fft.ifft2": (TALL, lambda A, b: np.fft.ifft2(A)),
    "np.cov": (TALL, lambda A, b: np.cov(A)),
    "np.linalg.cholesky": (SPD, lambda A: 2 * np.log(np.diag(np.linalg.cholesky(A))).sum()),
    "np.linalg.cond": (SPD, lambda A: np.linalg.cond(A, "fro")),
    "np.linalg.eig": (SPD, lambda A: np.linalg.eig(A)[0].sum()),
    "np.linalg.eigh": (SPD, lambda A: np.linalg.eigh(A)[0].sum()),
    "np.linalg.eigvals": (SPD, lambda A: np.linalg.eigvals(A).sum()),
    "np.linalg.eigvalsh": (SPD, lambda A: np.linalg.eigvalsh(A).sum()),
    "np.linalg.lstsq": (TALL, lambda A, b: np.linalg.lstsq(A, b)[0]),
    "np.linalg.pinv": (TALL, lambda A, b: np.linalg.pinv(A)),
    "np.linalg.qr": (TALL, lambda A, b: np.linalg.lstsq(A, b)[0]),
    "np.linalg.svd": (TALL, lambda A, b: (np.linalg.svd(A)[1] ** 2).sum()),
    "np.linalg.svdvals": (TALL, lambda A, b: (np.linalg.svdvals(A) ** 2).sum()),
}


def of(name):
    """The function of that name."""
    module, _, rest = name.partition(".")
    found = {"np": np, "ndarray": np.ndarray, "scipy": None}[module]
    if found is None:
        found, rest = pytest.importorskip("scipy.special"), rest.removeprefix("special.")
    return functools.reduce(getattr, rest.split("."), found)


def case(name):
    """The scope of an expression, and the value that it must have in it."""
    if name in EXPECTED:
        scope, value = EXPECTED[name]
        return scope, value(**scope)
    if name.startswith("np.nan"):
        return HOLED, of(name)(HOLES)
    if name in ("np.geomspace", "np.linspace", "np.logspace"):
        return ENDS, of(name)(2.0, 3.0, 4)
    scope = SIGNED if name in ("np.copysign", "np.floor_divide", "np.fmod", "np.heaviside",
                               "np.remainder") else POSITIVE  # fmt: skip
    binary = " y" in f" {SUBSTITUTES[name]}".replace("(", " ")
    return scope, of(name)(*(scope[v] for v in ("x", "y")[: 1 + binary]))


@pytest.mark.parametrize("name", SUBSTITUTES)
def test_a_substitute_gives_what_the_function_gives(name):
    """In NumPy, and on traced values of which it has a derivative or none but a mask."""
    scope, expected = case(name)
    code = compile(SUBSTITUTES[name], name, "eval")
    with np.errstate(invalid="ignore"):
        value = eval(code, {"np": np, **scope})
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-14)
    traced = [v for v in ("x", "y", "A", "b") if v in scope and v in code.co_names]
    known = {"np": np, **{k: v for k, v in scope.items() if k not in traced}}

    def f(*values):
        result = eval(code, {**known, **dict(zip(traced, values, strict=True))})
        parts = result if isinstance(result, tuple) else (result,)
        return tuple(np.where(p, 1.0, 0.0) if p.dtype == bool else p for p in parts)

    arguments = [np.asarray(scope[v], float) for v in traced]
    with np.errstate(invalid="ignore"):
        values, _ = eg.value_and_derivatives(f, 1, tuple(range(len(traced))))(*arguments)
    expected = expected if isinstance(expected, tuple) else (expected,)
    for ours, theirs in zip(values, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


def test_no_substitute_is_for_a_supported_function():
    """Nor for one that there is not."""
    supported = {f for f in (*FUNCTIONS, *UFUNCS) if callable(f)}
    supported |= {getattr(np.ndarray, name) for name in METHODS if hasattr(np.ndarray, name)}
    for name in SUBSTITUTES:
        assert of(name) not in supported, name
