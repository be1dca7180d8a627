"""Derivatives that lose digits when they are written badly, with their exact values.

In: nothing. Out: `CASES`; each function takes the namespace that it is computed in.
Guaranteed: an exact value is that of a difference in hundreds of digits, at the floats of the case:
of the function as it is written here, by mpmath.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mpmath
import numpy as np

import eingrad as eg

DIGITS = 700
_EPS = 2.0**-53
_STEP = mpmath.mpf(10) ** -120  # of the largest entry; its square is the error of a difference

Namespace = Any
Function = Callable[[Namespace, Any], Any]


def _each(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return np.frompyfunc(f, 1, 1)


class _Linalg:
    """What the functions use of `numpy.linalg`, exactly."""

    @staticmethod
    def det(x: Any) -> Any:
        """Determinant of a matrix."""
        return mpmath.det(mpmath.matrix(x.tolist()))

    @staticmethod
    def norm(x: Any) -> Any:
        """Length of a vector."""
        return mpmath.sqrt((x * x).sum())


class Exact:
    """A namespace of NumPy's functions for arrays of mpmath's numbers."""

    exp, log, sqrt = _each(mpmath.exp), _each(mpmath.log), _each(mpmath.sqrt)
    sum, max, mean = np.sum, np.max, np.mean
    linalg = _Linalg


@dataclass(frozen=True, slots=True)
class Case:
    """A function at a point, what is asked of it, and the error that it may have.

    `ask` is a gradient, a Hessian, or a curvature ``v @ H @ v`` along a vector. An error is the
    largest of an entry, relative to that entry, or to the largest one.
    """

    name: str
    f: Function
    x: Any
    bound: float
    ask: str = "gradient"
    along: Any = field(default=None)
    by_entry: bool = True

    def exact(self) -> Any:
        """Differentiate by central differences, in many digits."""
        with mpmath.workdps(DIGITS):
            x = np.vectorize(mpmath.mpf, otypes=[object])(self.x)
            step = _STEP * abs(x).max()

            def value(*moves: Any) -> Any:
                return self.f(Exact, x + step * sum(moves))

            axes = [_unit(x.shape, i) for i in np.ndindex(x.shape)]
            if self.ask == "gradient":
                found = [(value(a) - value(-a)) / (2 * step) for a in axes]
                return np.array(found, object).reshape(x.shape)
            if self.ask == "curvature":
                v = np.vectorize(mpmath.mpf, otypes=[object])(self.along)
                return np.array((value(v) - 2 * value(0 * v) + value(-v)) / step**2, object)
            found = [
                (value(a, b) - value(a, -b) - value(-a, b) + value(-a, -b)) / (4 * step**2)
                for a in axes
                for b in axes
            ]
            return np.array(found, object).reshape(x.shape * 2)

    def error(self, value: Any, exact: Any) -> float:
        """Give the largest relative error of an entry; infinite where one is not finite."""
        value = np.asarray(value)
        if not np.isfinite(value).all():
            return float("inf")
        with mpmath.workdps(DIGITS):
            scale = abs(exact) if self.by_entry else np.max(abs(exact))
            return float(np.max(abs(value - exact) / scale))

    def here(self) -> Any:
        """Differentiate as a user of this library does."""
        f = functools.partial(self.f, np)
        if self.ask == "curvature":
            return eg.derivative(functools.partial(_curvature, eg.hessian(f)), 0)(
                self.x, self.along
            )
        return (eg.grad if self.ask == "gradient" else eg.hessian)(f)(self.x)

    def by_jax(self, jax: Any) -> Any:
        """Differentiate as a user of JAX does, in double precision."""
        f = functools.partial(self.f, jax.numpy)
        if self.ask == "curvature":
            return _curvature(jax.hessian(f), self.x, self.along)
        return (jax.grad if self.ask == "gradient" else jax.hessian)(f)(self.x)


def _curvature(hessian: Callable[[Any], Any], x: Any, v: Any) -> Any:
    return v @ hessian(x) @ v


def _unit(shape: tuple[int, ...], index: tuple[int, ...]) -> Any:
    unit = np.zeros(shape, object)
    unit[index] = 1
    return unit


# Functions ---------------------------------------------------------------------------------------


def log_det(xp, x):
    """Logarithm of a determinant, as it is written."""
    return xp.log(xp.linalg.det(x))


def logsumexp(xp, x):
    """Shifted by the largest entry."""
    top = xp.max(x)
    return top + xp.log(xp.sum(xp.exp(x - top)))


def cross_entropy(xp, x):
    """Of a softmax, for the class of the first entry."""
    e = xp.exp(x - xp.max(x))
    return -xp.log((e / xp.sum(e))[0])


def softmax(xp, x):
    """A score of a softmax: the probability of the first entry."""
    e = xp.exp(x - xp.max(x))
    return (e / xp.sum(e))[0]


def layernorm(xp, x):
    """A score of a vector that is centred, and divided by its standard deviation."""
    centred = x - xp.mean(x)
    y = centred / xp.sqrt(xp.mean(centred**2))
    return (y * np.array([1.0, -2.0, 0.5, 3.0, 1.0])).sum()


def cosine(xp, x):
    """Cosine of the angle to a vector."""
    return (x @ DIRECTION) / (xp.linalg.norm(x) * xp.linalg.norm(DIRECTION))


def form(xp, x):
    """A quadratic form of a normalised vector."""
    unit = x / xp.linalg.norm(x)
    return unit @ FORM @ unit


def scaled_norm(xp, x):
    """Length of a vector whose squares are not in range."""
    top = xp.max(x)
    return top * xp.sqrt(xp.sum((x / top) ** 2))


def ratio(xp, x):
    """A scale that divides out."""
    v = xp.exp(x)
    return (x * x * v * (1 / v)).sum()


def root(xp, x):
    """The square of a root."""
    return xp.exp(-(xp.sqrt(x) ** 2)).sum()


def squares(X, y):
    """Least squares, ``|X w - y|**2 / 2``."""
    return lambda xp, w: ((X @ w - y) ** 2).sum() / 2


_rng = np.random.default_rng(0)
DIRECTION = _rng.normal(size=5)
FORM = _rng.normal(size=(5, 5))
PARALLEL = _rng.normal(size=5)


def _matrix(condition, samples=8, n=4):
    """Draw a matrix with singular values down to one by its condition, and its last direction."""
    left, _ = np.linalg.qr(_rng.normal(size=(samples, n)))
    right, _ = np.linalg.qr(_rng.normal(size=(n, n)))
    return left * np.geomspace(1, 1 / condition, n) @ right.T, right[:, -1]


def _determinant(exponent):
    x = _rng.normal(size=(6, 6)) + 3 * np.eye(6)
    return x * (10.0**exponent / abs(np.linalg.det(x))) ** (1 / 6)


def _hilbert(n):
    return 1 / (np.arange(n)[:, None] + np.arange(n) + 1.0)


def _least_squares(condition):
    """Gradient at random weights, and curvature in which the data hardly change."""
    X, last = _matrix(condition)
    w = _rng.normal(size=4)
    f = squares(X, _rng.normal(size=8))
    return [
        # 1.5e-13 with two threads of BLAS, which add up in another order.
        Case(f"least squares, condition {condition:.0e}, gradient", f, w, 3e-13),
        Case(
            f"least squares, condition {condition:.0e}, v @ H @ v", f, w,
            20 * condition * _EPS, "curvature", last,
        ),
    ]  # fmt: skip


_SPREAD = np.array([0.3, -1.0, 0.7, 0.1, -0.5])
_STEEP = np.array([1.0, 0.0, -0.5, -1.0])

CASES = [
    *(
        Case(f"log det, det about 1e{n}", log_det, _determinant(n), 1e-13, by_entry=False)
        for n in (170, -190, 290)
    ),
    *(
        Case(f"log det of a Hilbert matrix of {n}", log_det, _hilbert(n), bound, by_entry=False)
        for n, bound in ((6, 1e-9), (8, 1e-6))
    ),
    *(
        Case(f"logsumexp, spread {s:g}, {ask}", logsumexp, s * _STEEP, 1e-13, ask, by_entry=each)
        for s in (10.0, 45.0, 300.0)
        for ask, each in (("gradient", True), ("Hessian", False))
    ),
    *(
        Case(f"cross entropy, spread {s:g}, gradient", cross_entropy, s * _STEEP, 1e-13)
        for s in (10.0, 30.0, 45.0)
    ),
    *(
        Case(f"softmax, spread {s:g}, gradient", softmax, s * _STEEP, 1e-13)
        for s in (10.0, 30.0, 45.0)
    ),
    *(
        Case(f"layernorm, entries 1 + {s:.0e} z", layernorm, 1 + s * _SPREAD, 10 * _EPS / s)
        for s in (1e-2, 1e-5, 1e-8)
    ),
    *(
        Case(f"cosine, angle about {s:.0e}", cosine, DIRECTION + s * PARALLEL, 100 * _EPS / s)
        for s in (1e-2, 1e-5, 1e-8)
    ),
    *(
        Case(f"form of a normalised vector of length {s:.0e}", form, s * PARALLEL, 1e-13)
        for s in (1e-140, 1e140)
    ),
    Case("norm, scaled by the largest entry 1e200", scaled_norm, 1e200 * (1 + abs(_SPREAD)), 1e-15),
    Case("v (1 / v), v = exp(-300..300)", ratio, 300 * _SPREAD, 1e-15),
    Case("sqrt(s)**2, s about 1e-300", root, 1e-300 * abs(_SPREAD), 1e-15),
    *(case for c in (1e6, 1e8, 1e10) for case in _least_squares(c)),
]  # fmt: skip
