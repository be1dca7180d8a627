"""Derivatives of elementwise functions to the last digits, where their formulas lose some.

Near the ends of a domain, at tiny and at huge arguments, against mpmath; and never worse than
JAX, where that is installed.
"""

import importlib.util

import mpmath
import numpy as np
import pytest
from reference import traced_once

import eingrad as eg
from eingrad._primitives import PRIMITIVES

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")

EPS = 2.0**-52
LARGEST, SMALLEST = mpmath.mpf("1.79e308"), mpmath.mpf("1e-300")

ENDS = (1 - 1e-9, 1 - 1e-12, 1 - 2**-53, 0.5, 1e-9, 1e-20, 1e-200, -1e-9, 1e-9 - 1, 1e-12 - 1)
MIDDLE = (1e-200, 1e-20, 1e-9, 0.3, 1.0, 3.0, 30.0, 300.0, 700.0, -1e-20, -0.3, -3.0, -30.0)
ANY = (*MIDDLE, 1e50, 1e150, 1e160, 1e200, 1e300, -1e50, -1e200)
POSITIVE = (1e-300, 1e-200, 1e-160, 1e-100, 1e-20, 0.3, 1.0, 3.0, 1e20, 1e100, 1e160, 1e300)
ABOVE_ONE = (1 + 1e-9, 1 + 1e-12, 1 + 2**-52, 1.5, 10.0, 1e10, 1e100, 1e160, 1e200, 1e300)
ABOVE_MINUS_ONE = (1e-9 - 1, 1e-15 - 1, -0.5, -1e-20, 1e-20, 1e-200, 0.3, 1e20, 1e100, 1e200)
ANGLES = (1e-200, 1e-20, 0.3, 1.5, 1.57079, 1.5707963267948966, -1.5, 3.0, 30.0)

POINTS = {
    "exp": (MIDDLE, mpmath.exp),
    "expm1": (MIDDLE, mpmath.expm1),
    "exp2": (MIDDLE, lambda x: mpmath.mpf(2) ** x),
    "log": (POSITIVE, mpmath.log),
    "log2": (POSITIVE, lambda x: mpmath.log(x, 2)),
    "log10": (POSITIVE, mpmath.log10),
    "log1p": (ABOVE_MINUS_ONE, lambda x: mpmath.log(1 + x)),
    "sqrt": (POSITIVE, mpmath.sqrt),
    "cbrt": (POSITIVE, mpmath.cbrt),
    "reciprocal": (POSITIVE, lambda x: 1 / x),
    "sin": (MIDDLE, mpmath.sin),
    "cos": (MIDDLE, mpmath.cos),
    "tan": (ANGLES, mpmath.tan),
    "arcsin": (ENDS, mpmath.asin),
    "arccos": (ENDS, mpmath.acos),
    "arctan": (ANY, mpmath.atan),
    "sinh": (MIDDLE, mpmath.sinh),
    "cosh": (MIDDLE, mpmath.cosh),
    "tanh": ((*MIDDLE[:6], 10.0, 15.0, -0.3, -10.0), mpmath.tanh),
    "arcsinh": (ANY, mpmath.asinh),
    "arccosh": (ABOVE_ONE, mpmath.acosh),
    "arctanh": (ENDS, mpmath.atanh),
}
# The value itself is rounded next to 1, and the formula has nothing else to go by; JAX neither.
ROUNDED = {"tanh": 1e-3}
PLAIN = {"absolute", "sign", "floor", "ceil", "trunc", "rint", "one_minus_square"}  # no digits lost


def exact(f, x, order):
    """A derivative by differences with hundreds of digits."""
    extreme = x != 0 and not 1e-15 < abs(x) < 1e15
    with mpmath.workdps(900 if extreme else 150):
        step = abs(mpmath.mpf(x)) * mpmath.mpf(10) ** -60
        return +mpmath.diff(f, mpmath.mpf(x), order, h=step)


def error(value, true):
    """Relative to the true value; 0 where both are too large or too small for a float."""
    if abs(true) > LARGEST:
        return 0.0 if np.isinf(value) else np.inf
    if abs(true) < SMALLEST:
        return 0.0 if abs(value) < 1e-299 else np.inf
    return float(abs((mpmath.mpc(complex(value)) - true) / true)) if np.isfinite(value) else np.inf


def test_every_analytic_row_of_one_operand_has_points():
    """A row that is added to the table is tested here too."""
    rows = {row.name for row in PRIMITIVES if isinstance(row.numpy, np.ufunc)
            and row.numpy.nin == 1 and row.dtype is None}  # fmt: skip
    assert rows - PLAIN == set(POINTS)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("name", POINTS)
def test_derivatives_keep_their_digits(name, order):
    """To a few units of the last place, each; 3e-15 of the derivative."""
    points, f = POINTS[name]
    derivative = eg.derivative(getattr(np, name), order)
    for x in points:
        bound = ROUNDED.get(name, 3e-15)
        assert error(derivative(x), exact(f, x, order)) <= bound, x


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
@pytest.mark.parametrize("name", POINTS)
def test_derivatives_are_never_worse_than_those_of_jax(name):
    """Four times its error, or four units of the last place; orders one and two."""
    import jax  # noqa: PLC0415 - optional

    jax.config.update("jax_enable_x64", True)
    points, f = POINTS[name]
    theirs = getattr(jax.numpy, name)
    for order in (1, 2):
        theirs = jax.grad(theirs)
        ours = traced_once(eg.derivative(getattr(np, name), order))
        for x, their in zip(points, jax.vmap(theirs)(np.array(points, float)), strict=True):
            true = exact(f, x, order)
            assert error(ours(x), true) <= 4 * max(error(float(their), true), EPS), (x, order)


# Two operands ------------------------------------------------------------------------------------


def _of_arctan2(a, b):
    square = a * a + b * b
    return {(0,): b / square, (1,): -a / square, (0, 0): -2 * a * b / square**2,
            (0, 1): (a * a - b * b) / square**2, (1, 1): 2 * a * b / square**2}  # fmt: skip


def _of_hypot(a, b):
    h = mpmath.sqrt(a * a + b * b)
    return {(0,): a / h, (1,): b / h, (0, 0): b * b / h**3, (0, 1): -a * b / h**3,
            (1, 1): a * a / h**3}  # fmt: skip


FAR = ((1.0, 2.0), (1e200, 2e200), (1e-200, 3e-200), (3e170, -4e170), (-3e-160, 4e-160),
       (1e155, 3e155), (2e-150, 1e-150), (-1e300, -3e300))  # fmt: skip


@pytest.mark.parametrize(("f", "exactly"), [(np.arctan2, _of_arctan2), (np.hypot, _of_hypot)])
@pytest.mark.parametrize("point", FAR, ids=str)
def test_nothing_is_squared_that_overflows(f, exactly, point):
    """The derivatives exist, however large or small the arguments are."""
    with mpmath.workdps(60):
        wanted = exactly(*map(mpmath.mpf, point))
    for order in (1, 2):
        tensor = eg.derivative(lambda v: f(v[0], v[1]), order)(np.array(point))
        for entry in (key for key in wanted if len(key) == order):
            if abs(wanted[entry]) > LARGEST:  # no float is it
                continue
            assert error(tensor[entry], wanted[entry]) <= 1e-14, entry


# Complex arguments -------------------------------------------------------------------------------

RAYS = np.exp(2j * np.pi * (np.arange(12) + 0.37) / 12)  # none lies along a cut
CENTRES = {
    "arcsin": (1, -1, 0), "arccos": (1, -1, 0), "arctan": (1j, -1j, 0), "arcsinh": (1j, -1j, 0),
    "arccosh": (1, -1, 0), "arctanh": (1, -1, 0),
}  # fmt: skip


@pytest.mark.parametrize("radius", [1e-9, 1e-3, 0.5, 3.0, 40.0])
@pytest.mark.parametrize("name", CENTRES)
def test_inverse_functions_keep_their_digits_and_their_branch(name, radius):
    """Around each branch point, along rays on all sides of its cut."""
    f = POINTS[name][1]
    for order in (1, 2):
        derivative = eg.derivative(getattr(np, name), order)
        for z in (complex(centre + radius * ray) for centre in CENTRES[name] for ray in RAYS):
            with mpmath.workdps(100):
                true = +mpmath.diff(f, mpmath.mpc(z), order, h=mpmath.mpf(radius) * 10**-30)
            if abs(true) < 1e-2:  # at the centre, a second derivative cancels by itself
                continue
            lost = 8 * EPS / radius if name in ("arctan", "arcsinh") else 0.0  # in 1 + z*z, near i
            assert error(complex(derivative(z)), true) <= 3e-14 + lost, (z, order)


# At zero -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (lambda x: x**x, -np.inf),  # x**x (log x + 1) goes there
        (lambda x: x ** (2 * x), -np.inf),
        (lambda x: np.power(x, np.sin(x)), -np.inf),
        (lambda x: np.sum(np.array([0.0, 2.0]) ** x), -np.inf),  # 1, and 0 on the right
        (lambda x: x ** (x + 1.0), 1.0),
        (lambda x: x ** (x + 2.0), 0.0),
        (lambda x: 0.0 ** (x + 0.5), 0.0),
        (lambda x: (0.0 * x) ** (x + 1.0), 0.0),
    ],
)
def test_powers_with_a_changing_exponent_at_base_zero(f, slope):
    """0**p is 0 for p > 0, where its slope is 0; but 1 at p = 0, where it falls without end."""
    assert eg.grad(f)(0.0) == slope
