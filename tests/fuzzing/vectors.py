"""Functions of one vector that give a number: derivatives, products, series, by all ways.

In: a long program or a model. Out: counts of what was compared.
Guaranteed: all is compared with two numbers that others made: the slope along a direction, from
NumPy's value, and the bend, from the gradient that was compared before.
"""

import functools
import pickle
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import eingrad as eg
from eingrad._run.interpret import interpret
from eingrad.errors import MemoryLimitError
from fuzzing.helpers import scan
from fuzzing.quotients import AGREEMENT, EPS, SAFETY, UNITS, Excluded, Mismatch, close, differences
from fuzzing.ways import bits

ALLOWED = SAFETY * EPS * 1e3  # of sums of hundreds of steps
LARGEST = 1e4  # values above it lose too many digits to tell
LOST = 1e4  # units of the last place, in single precision


@dataclass(frozen=True)
class Vector:
    """A function where it is checked, with its gradient there and what is known along directions."""

    program: Any
    f: Callable
    x: np.ndarray
    v: np.ndarray
    w: np.ndarray
    allowed: float  # of second derivatives

    @functools.cached_property
    def gradient(self):
        """The plan of the gradient."""
        return eg.grad(self.f).plan(self.x)

    @functools.cached_property
    def slope(self):
        """The first derivative along `v`."""
        (slope,) = self.along_v(lambda z: [np.asarray(self.f(z))])
        return slope

    @functools.cached_property
    def bend(self):
        """The product of the Hessian with `v`."""
        return self._rate(eg.grad(self.f))

    @functools.cached_property
    def third(self):
        """The product of the third derivative with `v` and `w`."""
        return self._rate(eg.derivative(lambda z: eg.hvp(self.f)(z, self.w), 0))

    def along_v(self, f):
        """Differentiate arrays along `v`, by the complex step or by differences."""
        if self.program.analytic:
            return [np.imag(y) / 1e-30 for y in f(self.x + 1e-30j * self.v)]
        return differences(lambda h: f(self.x + h * self.v), 1.0)

    def _rate(self, derivative):
        plan = derivative.plan(self.x + 0j if self.program.analytic else self.x)
        (rate,) = self.along_v(lambda z: [plan(z)])
        return rate

    def rng(self, number):
        """Give the generator of one law."""
        return np.random.default_rng([*self.program.seed, number])


# Laws --------------------------------------------------------------------------------------------


def check_product(at):
    """The Hessian times a direction."""
    close(eg.hvp(at.f)(at.x, at.v), at.bend, at.allowed, "hvp")


def check_contracted(at):
    """The Hessian that is contracted where it is called, with one vector and with two."""
    contracted = eg.derivative(lambda x, v: np.einsum("ij,j->i", eg.hessian(at.f)(x), v), 0)
    close(contracted(at.x, at.v), at.bend, at.allowed, "Hessian contracted with a vector")
    twice = eg.derivative(lambda x, v: v @ eg.hessian(at.f)(x) @ v, 0)
    along = np.asarray(at.v @ at.bend)
    close(np.asarray(twice(at.x, at.v)), along, at.allowed, "Hessian along a direction")


def check_directions(at):
    """`jvp` of `jvp` along two directions, and the gradient of a product with the gradient."""
    inner = lambda x: eg.jvp(at.f)(x, at.v)  # noqa: E731
    found = eg.jvp(inner)(at.x, at.w)
    close(np.asarray(found), np.asarray(at.w @ at.bend), at.allowed, "jvp along two directions")
    found = eg.grad(lambda x: eg.grad(at.f)(x) @ at.v)(at.x)
    close(found, at.bend, at.allowed, "gradient of a product")
    found = eg.vjp(eg.grad(at.f))(at.x, at.v)
    close(found, at.bend, at.allowed, "vjp of the gradient")


def check_hessian(at):
    """The whole Hessian, its symmetry, and the structured one."""
    whole = eg.hessian(at.f)(at.x)
    close(whole @ at.v, at.bend, at.allowed, "Hessian")
    close(whole, whole.T, ALLOWED, "Hessian and its transpose")
    structured = eg.derivative(at.f, 2, structured=True)(at.x)
    close(structured.dense(), whole, ALLOWED, "structured Hessian")
    if structured.nbytes > whole.nbytes:
        raise Mismatch(f"structured: {structured.nbytes} bytes, of the dense {whole.nbytes}")


def check_third(at):
    """The third derivative along two directions: contracted by `einsum` and `@`, and nested."""
    tensor = eg.derivative(at.f, 3)
    ways = {
        "einsum": lambda x: np.einsum("ijk,j,k->i", tensor(x), at.v, at.w),
        "matmul": lambda x: tensor(x) @ at.v @ at.w,
        "jvp of hvp": lambda x: eg.jvp(lambda z: eg.hvp(at.f)(z, at.w))(x, at.v),
    }
    for name, way in ways.items():
        close(eg.derivative(way, 0)(at.x), at.third, 10 * at.allowed, f"third derivative, {name}")


def check_series(at):
    """Taylor coefficients along the first direction; the second and third from it nested."""
    found = eg.taylor(at.f, 3)(at.x, at.v)
    expected = [at.f(at.x), at.slope, at.v @ at.bend / 2]
    for n, value in enumerate(expected):
        close(np.asarray(found[n]), np.asarray(value), at.allowed, f"taylor, number {n}")
    nested = at.f
    for _ in range(3):
        nested = functools.partial(lambda f, x: eg.jvp(f)(x, at.v), nested)
    third = eg.derivative(nested, 0)(at.x)
    close(np.asarray(found[3]), np.asarray(third / 6), 10 * at.allowed, "taylor, number 3")


def check_again(at):
    """The gradient called once more, from a pickle, as its source, into an array: the same bits."""
    plan, x = at.gradient, at.x
    expected = bits(plan(x))
    scope = {}
    exec(plan.source, scope)  # what a user pastes
    given = [x, *(known.array for known in plan.captured), *plan.constants.values()]
    ways = {
        "called once more": lambda: plan(x),
        "its source": lambda: scope["derivative"](*given),
        "from a pickle": lambda: pickle.loads(pickle.dumps(plan))(x),
        "traced once more": lambda: eg.grad(at.f)(x),
    }
    for what, way in ways.items():
        if bits(way()) != expected:
            raise Mismatch(f"{what}: not the same bits")
    close(plan(x, out=np.full_like(x, 7)), plan(x), ALLOWED, "written to an array")
    found = interpret(plan.program, given[: 1 + len(plan.captured)], np)
    close(np.asarray(found[0]), plan(x), ALLOWED, "interpreted")


def check_limit(at):
    """Gradient and product in less memory: the same, or refused."""
    counts = Counter()
    for derivative, args in ((eg.grad(at.f), (at.x,)), (eg.hvp(at.f), (at.x, at.v))):
        whole = derivative.plan(*args)
        limit = max(1, int(whole.peak_bytes * at.rng(4).uniform(0.2, 1)))
        try:
            less = eg.plan(derivative, *args, memory_limit=limit)
        except MemoryLimitError:
            counts["refused for memory"] += 1
            continue
        if less.peak_bytes > limit:
            raise Mismatch(f"memory: {less.peak_bytes} bytes, of {limit} allowed")
        close(less(*args), whole(*args), ALLOWED, f"in {limit} bytes")
        counts["planned in less memory"] += 1
    return counts


def check_batched(at):
    """Of a batch of points, by a scan and by a loop."""
    batch = np.stack([at.x, at.x + 0.1 * at.v, at.x])
    rows = np.stack([at.gradient(x) for x in batch])
    bends = np.stack([eg.hvp(at.f)(x, at.v) for x in batch])
    tangents = np.stack([at.v] * 3)
    ways = {
        "scan": lambda X: scan(lambda total, x: (total + at.f(x), None), 0.0, X)[0],
        "loop": lambda X: sum(at.f(x) for x in X),
    }
    for name, way in ways.items():
        if np.all(np.isfinite(rows)):
            close(eg.grad(way)(batch), rows, ALLOWED, f"gradient of a batch, {name}")
        if np.all(np.isfinite(bends)):
            found = eg.hvp(way)(batch, tangents)
            close(found, bends, ALLOWED, f"products of a batch, {name}")


def check_single(at):
    """Single precision, of real numbers and of complex ones."""
    kinds = [(np.float32, np.float64)] + [(np.complex64, np.complex128)] * at.program.analytic
    for narrow, wide in kinds:
        imaginary = 0.1j * at.v if narrow is np.complex64 else 0
        x = (at.x + imaginary).astype(narrow)
        g = at.program.function(dtype=np.float32)
        found, right = eg.grad(g)(x), eg.grad(at.f)(x.astype(wide))
        if found.dtype != narrow:
            raise Mismatch(f"gradient: dtype {found.dtype}, not {np.dtype(narrow)}")
        if np.all(np.isfinite(right)):
            close(found.astype(wide), right, LOST * UNITS[4], f"gradient in {np.dtype(narrow)}")


def check_jax(at):
    """JAX's gradient and its derivative along `v`, where JAX has all of the functions."""
    import jax  # noqa: PLC0415 - an optional oracle

    jax.config.update("jax_enable_x64", True)
    gradient = jax.grad(at.program.function(jax.numpy))
    try:
        slopes, bend = jax.jvp(gradient, (at.x,), (at.v,))
    except (TypeError, ValueError, NotImplementedError, AttributeError, IndexError, KeyError):
        return Counter({"not in jax": 1})
    if np.all(np.isfinite(bend)):
        close(at.gradient(at.x), np.asarray(slopes), ALLOWED, "jax, gradient")
        close(eg.hvp(at.f)(at.x, at.v), np.asarray(bend), ALLOWED, "jax, product")
    return Counter({"checked by jax": 1})


LAWS = {  # share of the programs, and what is checked of them
    "product": (1.0, check_product),  # of all
    "contracted": (0.5, check_contracted),
    "directions": (0.3, check_directions),
    "hessian": (0.3, check_hessian),
    "third": (0.25, check_third),
    "series": (0.4, check_series),
    "again": (0.4, check_again),
    "limit": (0.3, check_limit),
    "batched": (0.25, check_batched),
    "single": (0.4, check_single),
    "jax": (0.0, check_jax),
}


def check_vector(program, *, with_jax=False, laws_share=1.0):
    """Raise `Mismatch` where a derivative is wrong, `Excluded` where nothing can tell."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _check(program, laws_share, with_jax=with_jax)


def _check(program, part, *, with_jax):
    f, (x, v, w) = program.function(), program.point()
    exact = np.asarray(f(x))
    if not np.abs(exact) < LARGEST:
        raise Excluded("a value that is too large")
    at = Vector(program, f, x, v, w, ALLOWED + (0 if program.analytic else AGREEMENT))
    close(np.asarray(eg.derivative(f, 0)(x)), exact, ALLOWED, "value")
    along = np.asarray(at.gradient(x) @ v)
    close(along, np.asarray(at.slope), at.allowed, "gradient along a direction")
    counts, rng = Counter(), at.rng(7)
    counts["plans with scans"] += "for row in range(" in at.gradient.source
    for name, (share, law) in LAWS.items():
        if share == 1 or rng.random() < part * share or (name == "jax" and with_jax):
            counts[f"law {name}"] += 1
            counts += law(at) or Counter()
    return counts
