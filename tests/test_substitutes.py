"""What messages say to write in place of a function: it is what the function gives."""

import functools
import importlib
import math
import re
import sys

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
RAMP = {"x": np.array([-1.0, 0.3, 2.0, 3.9, 7.0]), "s": S, "y": np.sin(S)}
ENDS = {"x": 2.0, "y": 3.0, "n": 4}
TALL, SPD, SYSTEM = {"A": A, "b": X}, {"A": SYMMETRIC}, {"A": SYMMETRIC, "b": X[:3]}
NORMAL = {"x": X, "m": M, "s": 0.7}


def log_of(triangle):
    """The logarithm of the product of what is on the diagonal."""
    return np.log(np.abs(np.diag(triangle))).sum()


def scipy(name, *args, **kwargs):
    """What a function of SciPy gives."""
    return of(f"scipy.{name}")(*args, **kwargs)


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
    "np.interp": (RAMP, lambda **given: np.interp(*map(given.get, "xsy"))),
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
    "np.full": (ENDS, lambda x, y, n: np.full(n, x)),
    "math.isclose": (ENDS, lambda x, y, n: math.isclose(x, y)),
    "math.log": (ENDS, lambda x, y, n: math.log(x)),
    "math.remainder": (ENDS, lambda x, y, n: math.remainder(x, y)),
    "scipy.fft.fft": (POSITIVE, lambda x, **_: scipy("fft.fft", x)),
    "scipy.signal.convolve": (POSITIVE, lambda x, y, n, k: scipy("signal.convolve", x, k)),
    "scipy.interpolate.CubicSpline": (
        KNOTS,
        lambda x, t, s: scipy("interpolate.CubicSpline", s, x)(t),
    ),
    "scipy.interpolate.interp1d": (
        {**RAMP, "x": RAMP["x"][1:4]},
        lambda x, s, y: scipy("interpolate.interp1d", s, y)(x),
    ),
    "scipy.stats.multivariate_normal.logpdf": (
        {"x": X[:3], "y": Y[:3], "A": SYMMETRIC},
        lambda x, y, A: scipy("stats.multivariate_normal.logpdf", x, y, A),
    ),
    "scipy.stats.norm.logpdf": (NORMAL, lambda x, m, s: scipy("stats.norm.logpdf", x, m, s)),
    "scipy.stats.norm.pdf": (NORMAL, lambda x, m, s: scipy("stats.norm.pdf", x, m, s)),
    "scipy.linalg.cho_factor": (SPD, lambda A: log_of(scipy("linalg.cho_factor", A)[0]) * 2),
    "scipy.linalg.cho_solve": (
        SYSTEM,
        lambda A, b: scipy("linalg.cho_solve", scipy("linalg.cho_factor", A), b),
    ),
    "scipy.linalg.cholesky": (SPD, lambda A: log_of(scipy("linalg.cholesky", A)) * 2),
    "scipy.linalg.det": (SPD, lambda A: scipy("linalg.det", A)),
    "scipy.linalg.eigh": (SPD, lambda A: scipy("linalg.eigh", A)[0].sum()),
    "scipy.linalg.eigvalsh": (SPD, lambda A: scipy("linalg.eigvalsh", A).sum()),
    "scipy.linalg.expm": (SPD, lambda A: scipy("linalg.expm", A)),
    "scipy.linalg.inv": (SPD, lambda A: scipy("linalg.inv", A)),
    "scipy.linalg.lstsq": (TALL, lambda A, b: scipy("linalg.lstsq", A, b)[0]),
    "scipy.linalg.lu": (SPD, lambda A: log_of(scipy("linalg.lu", A)[2])),
    "scipy.linalg.lu_factor": (SPD, lambda A: log_of(scipy("linalg.lu_factor", A)[0])),
    "scipy.linalg.lu_solve": (
        SYSTEM,
        lambda A, b: scipy("linalg.lu_solve", scipy("linalg.lu_factor", A), b),
    ),
    "scipy.linalg.norm": (SPD, lambda A: scipy("linalg.norm", A)),
    "scipy.linalg.pinv": (TALL, lambda A, b: scipy("linalg.pinv", A)),
    "scipy.linalg.qr": (TALL, lambda A, b: scipy("linalg.lstsq", A, b)[0]),
    "scipy.linalg.solve": (SYSTEM, lambda A, b: scipy("linalg.solve", A, b)),
    "scipy.linalg.solve_triangular": (SYSTEM, lambda A, b: scipy("linalg.solve_triangular", A, b)),
    "scipy.linalg.svd": (TALL, lambda A, b: (scipy("linalg.svd", A)[1] ** 2).sum()),
    "scipy.linalg.svdvals": (TALL, lambda A, b: (scipy("linalg.svdvals", A) ** 2).sum()),
}


def of(name):
    """The function of that name; None where SciPy, or this Python, does not have it."""
    root, *rest = name.split(".")
    if root in ("np", "ndarray"):
        return functools.reduce(getattr, rest, {"np": np, "ndarray": np.ndarray}[root])
    for n in range(len(rest), 0, -1):  # the longest part that is a module
        try:
            module = importlib.import_module(".".join((root, *rest[: n - 1])))
        except ModuleNotFoundError:
            continue
        return functools.reduce(
            lambda owner, part: getattr(owner, part, None), rest[n - 1 :], module
        )
    return None


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
    if of(name) is None:
        pytest.skip(f"there is no {name} here")
    scope, expected = case(name)
    code = compile(SUBSTITUTES[name], name, "eval")
    modules = {"np": np, "math": math, "scipy": sys.modules.get("scipy")}
    with np.errstate(invalid="ignore"):
        value = eval(code, {**modules, **scope})
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-14)
    traced = [
        v for v in ("x", "y", "A", "b") if v in scope and re.search(rf"\b{v}\b", SUBSTITUTES[name])
    ]
    traced += ["s"] if "np.diff(s)" in SUBSTITUTES[name] else []
    known = {**modules, **{k: v for k, v in scope.items() if k not in traced}}

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
