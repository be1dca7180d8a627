"""Taylor series: each row against an independent oracle, laws of power series, what they cost."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from reference import assert_close, evaluate
from strategies import RandomFunction, functions, point

import eingrad as eg
from eingrad import _ir
from eingrad._diff import pushforward
from eingrad._forms import compile_program
from eingrad._primitives import BY_NAME, PRIMITIVES, Kind, apply
from eingrad._run import Executable
from eingrad._series import Series
from eingrad.errors import DTypeError, ShapeError

HIGH = 10
RADIUS, POINTS = 0.3, 256  # of the circle on which Cauchy's integrals are summed
FLOAT_ROWS = [row for row in PRIMITIVES if row.dtype is None and row.rules]
DIFFERENTIABLE = [*FLOAT_ROWS, BY_NAME["where"], BY_NAME["cast"]]
STEPS = [
    row
    for row in PRIMITIVES
    if row.dtype is None and not row.rules and row.kind is Kind.BY_RULES and row.core == ()
]


# What equals a row that is real, or that NumPy has for real numbers, near its samples. What is
# decided by a comparison is decided at the first point, the centre.
ANALYTIC = {
    "cbrt": lambda x: x ** (1 / 3),
    "arctan2": lambda a, b: np.arctan(a / b),
    "hypot": lambda a, b: np.sqrt(a * a + b * b),
    "logaddexp": lambda a, b: np.log(np.exp(a) + np.exp(b)),
    "absolute": lambda x: np.where(x[0].real < 0, -x, x),
    "maximum": lambda a, b: np.where(a[0].real > b[0].real, a, b),
    "minimum": lambda a, b: np.where(a[0].real < b[0].real, a, b),
    "max": lambda x: np.take_along_axis(x, _places(x, np.argmax), -1)[..., 0],
    "min": lambda x: np.take_along_axis(x, _places(x, np.argmin), -1)[..., 0],
    "norm": lambda x: np.sqrt(np.sum(x * x, -1)),
    "power": lambda x, exponent: np.exp(float(exponent) * np.log(x)),
    "slogdet": lambda x: (_det_sign(x), np.log(np.linalg.det(x) * _det_sign(x))),
    "cast": lambda x, dtype: x,
}

HOLOMORPHIC = [row for row in DIFFERENTIABLE if not row.real or row.name in ANALYTIC]


def _places(x, argument):
    return np.broadcast_to(argument(x[0].real, -1)[..., None], (*x.shape[:-1], 1))


def _det_sign(x):
    return np.broadcast_to(np.sign(np.linalg.det(x[0]).real), x.shape[:-2])


def on_circle(f, x, v, order=HIGH):
    """Coefficients of ``f(x + t v)`` by Cauchy's integral formula, summed on a circle.

    `f` takes points with one axis more, the first; the first point is the centre, and is dropped.
    """
    circle = RADIUS * np.exp(2j * np.pi * np.arange(POINTS) / POINTS)
    t = np.concatenate([[0], circle])
    points = [a + t.reshape(-1, *[1] * np.ndim(a)) * b for a, b in zip(x, v, strict=True)]
    values = f(*points)[1:]
    spectrum = np.fft.fft(values, axis=0)[: order + 1] / POINTS
    scale = RADIUS ** -np.arange(order + 1.0)
    return (spectrum * scale.reshape(-1, *[1] * (values.ndim - 1))).real


def _row_case(row, result=0):
    arrays = row.sample(np.random.default_rng(0))
    moving = [n for n, a in enumerate(arrays) if a.dtype.kind == "f"]
    rng = np.random.default_rng(1)
    directions = [rng.uniform(-0.5, 0.5, size=arrays[n].shape) for n in moving]
    inputs = [_ir.new_input(f"x{n}", a.shape, a.dtype) for n, a in enumerate(arrays)]
    along = [_ir.new_input(f"v{n}", arrays[n].shape, float) for n in moving]
    node = apply(row.name, *inputs, result=result, **row.attributes)
    curve = {inputs[n]: [v] for n, v in zip(moving, along, strict=True)}
    values = dict(zip([*inputs, *along], [*arrays, *directions], strict=True))
    return node, curve, values, arrays, moving, directions


def _series(node, curve, values, order):
    series = Series(curve, order)
    roots = [series.coefficient(node, k) for k in range(order + 1)]
    inputs = _ir.inputs(roots)
    return Executable(compile_program(roots, inputs)).run([values[n] for n in inputs])


# Rows --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", HOLOMORPHIC, ids=lambda row: row.name)
def test_rows_agree_with_cauchys_integrals(row):
    """All coefficients up to order ten, from values at complex points alone."""
    for result in range(row.results):
        node, curve, values, arrays, moving, directions = _row_case(row, result)
        of_complex = ANALYTIC.get(row.name, row.numpy)

        def f(*points, moving=moving, arrays=arrays, result=result, of_complex=of_complex):
            full = dict(zip(moving, points, strict=True))
            attributes = dict(row.attributes)
            if "axis" in attributes:
                attributes["axis"] += 1
            found = of_complex(*(full.get(n, a) for n, a in enumerate(arrays)), **attributes)
            return found[result] if row.results > 1 else found

        expected = on_circle(f, [arrays[n] for n in moving], directions)
        for k, actual in enumerate(_series(node, curve, values, HIGH)):
            assert_close(actual, expected[k], rtol=2e-9)


@pytest.mark.parametrize("row", DIFFERENTIABLE, ids=lambda row: row.name)
def test_rows_agree_with_nested_products(row):
    """Four times forward: the other way to get there, from the rules alone."""
    for result in range(row.results):
        node, curve, values, *_ = _row_case(row, result)
        along = {x: v for x, (v,) in curve.items()}
        for k, actual in enumerate(_series(node, curve, values, 4)):
            assert_close(actual, evaluate(node, values) / math.factorial(k), rtol=1e-10)
            (node,) = pushforward([node], along)


@pytest.mark.parametrize("row", STEPS, ids=lambda row: row.name)
def test_a_row_without_a_derivative_is_constant(row):
    node, curve, values, arrays, *_ = _row_case(row)
    first, *others = _series(node, curve, values, 3)
    assert_close(first, row.numpy(*arrays))
    assert not np.any(others)


@pytest.mark.parametrize(
    ("f", "reference", "x"),
    [
        (np.exp, mpmath.exp, 0.3),
        (np.tan, mpmath.tan, 0.4),
        (np.arcsin, mpmath.asin, 0.3),
        (np.arccosh, mpmath.acosh, 1.7),
        (np.arcsinh, mpmath.asinh, 0.7),
        (np.cbrt, mpmath.cbrt, 0.6),
        (lambda x: x**2.5, lambda x: x ** mpmath.mpf("2.5"), 0.8),
        (lambda x: x**7, lambda x: x**7, 0.8),
        (lambda x: x**-3, lambda x: x**-3, 0.8),
        (lambda x: x**x, lambda x: x**x, 0.8),
        (lambda x: np.arctan2(x, 2 + x), lambda x: mpmath.atan(x / (2 + x)), 0.8),
        (lambda x: np.hypot(x, 2 + x), lambda x: mpmath.sqrt(x**2 + (2 + x) ** 2), 0.8),
        (lambda x: np.logaddexp(x, 2 * x), lambda x: x + mpmath.log(1 + mpmath.exp(x)), 0.4),
    ],
)  # fmt: skip
def test_high_orders_agree_with_mpmath(f, reference, x):
    """To twelve digits at order twelve, where differences have lost all."""
    with mpmath.workdps(60):
        expected = [float(c) for c in mpmath.taylor(reference, mpmath.mpf(x), 12)]
    for actual, c in zip(eg.taylor(f, 12)(x, 1.0), expected, strict=True):
        np.testing.assert_allclose(actual, c, rtol=1e-12, atol=1e-12)


# Laws --------------------------------------------------------------------------------------------


@given(functions(), st.integers(0, 2**32 - 1))
@example((RandomFunction([("gram", 0), ("inverse", 1), ("det", 2)]), (2, 3)), 0)
def test_a_series_is_made_of_derivatives_along_its_line(function, seed):
    """``k! c[k]`` is a derivative of order k, applied to k times the direction."""
    f, shape = function
    x, v = point(shape, seed), point(shape, seed + 1)
    series = eg.taylor(f, 3)(x, v)
    for k, coefficient in enumerate(series):
        expected = eg.derivative(f, k)(x)
        for _ in range(k):
            expected = np.tensordot(expected, v, len(shape))
        assert_close(coefficient, expected / math.factorial(k), rtol=1e-8)


@given(functions(most_steps=4), st.integers(0, 2**32 - 1))
def test_nested_products_give_the_same(function, seed):
    """Four times `jvp`, which doubles the work with each."""
    f, shape = function
    x, v = point(shape, seed), point(shape, seed + 1)
    nested = f
    for k, coefficient in enumerate(eg.taylor(f, 4)(x, v)):
        assert_close(coefficient, eg.derivative(nested, 0)(x) / math.factorial(k), rtol=1e-8)
        nested = _along(nested, v)


def _along(f, v):
    return lambda x: eg.jvp(f)(x, v)


def _fits(function, x):
    try:
        function(x)
    except ValueError:  # shapes that do not fit
        return False
    return True


@given(functions(most_steps=4), functions(most_steps=4), st.integers(0, 2**32 - 1))
def test_the_series_of_a_composition_is_the_series_along_a_curve(inner, outer, seed):
    """Of ``g(f(x + t v))``, and of g along the curve that the coefficients of f describe."""
    (f, shape), (g, _) = inner, outer
    x, v = point(shape, seed), point(shape, seed + 1)
    first, *others = eg.taylor(f, HIGH)(x, v)
    assume(_fits(g, first))
    whole = eg.taylor(lambda x: g(f(x)), HIGH)(x, v)
    for a, b in zip(whole, eg.taylor(g, HIGH, curve=True)(first, others), strict=True):
        assert_close(a, b, rtol=1e-7)


@given(functions(most_steps=4), st.integers(0, 2**32 - 1))
def test_the_series_of_a_product_is_the_product_of_the_series(function, seed):
    f, shape = function
    x, v = point(shape, seed), point(shape, seed + 1)
    one = eg.taylor(f, 6)(x, v)
    other = eg.taylor(lambda x: np.exp(np.sum(x)), 6)(x, v)
    both = eg.taylor(lambda x: f(x) * np.exp(np.sum(x)), 6)(x, v)
    for k, coefficient in enumerate(both):
        assert_close(coefficient, sum(one[j] * other[k - j] for j in range(k + 1)), rtol=1e-8)


def test_coefficients_shrink_the_remainder():
    """``f(x + h v)`` less the sum is of order ``h**(n + 1)``: so they are normalised."""
    x, v = np.array([0.3, 0.7]), np.array([1.0, -2.0])

    def f(x):
        return np.sin(x[0]) * np.exp(x[1]) / (2 + x[0] * x[1])

    for order in (1, 3, 5):
        series = eg.taylor(f, order)(x, v)
        errors = [
            abs(f(x + h * v) - sum(c * h**k for k, c in enumerate(series))) for h in (0.02, 0.01)
        ]
        assert errors[0] / errors[1] == pytest.approx(2 ** (order + 1), rel=0.1)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.einsum("ij,ij->", x, 1 / (3 + x)),
        lambda x: np.einsum("ij,ji->ij", x, 1 / (3 + x)),
        lambda x: np.einsum("ij,i->i", x, 1 / (3 + x[0])),
        lambda x: np.einsum("ij,jk,kl->il", x, 1 / (3 + x), np.cos(x)),
        lambda x: x[0] * (1 / (3 + x)),
        lambda x: (1 / (3 + x)) * (1 / (3 + x)),
        lambda x: 2 * x * (1 / (3 + x)),
    ],
)
def test_products_with_a_reciprocal_are_quotients_only_where_they_are(f):
    """Summed, transposed, repeated, multiplied by itself and by a number."""
    x, v = np.random.default_rng(0).uniform(-0.5, 0.5, size=(2, 3, 3))
    expected = on_circle(lambda points: np.stack([f(x) for x in points]), [x], [v])
    for actual, c in zip(eg.taylor(f, HIGH)(x, v), expected, strict=True):
        assert_close(actual, c)


def test_matrix_polynomials_in_factorisations():
    """``inv``, ``solve``, ``det`` and ``slogdet`` of ``A + s B + s^2 C`` to order ten."""
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 4, 4)) + 4 * np.eye(4)[None] * np.array([1, 0, 0])[:, None, None]
    right = rng.normal(size=(4, 2))
    for f in (
        np.linalg.inv,
        np.linalg.det,
        lambda x: np.linalg.solve(x, right + x[:, :2]),
        lambda x: np.linalg.slogdet(x)[1],
    ):
        series = eg.taylor(f, HIGH, curve=True)(a, (b, c))
        h = 0.05
        assert_close(sum(k * h**n for n, k in enumerate(series)), f(a + h * b + h * h * c), 1e-9)
        composed = eg.taylor(lambda s, f=f: f(a + s * b + s * s * c), HIGH)(0.0, 1.0)
        for one, other in zip(series, composed, strict=True):
            assert_close(one, other)


def test_jax_agrees():
    """`jax.experimental.jet`, where it has rules; it gives derivatives, ours are divided."""
    jax = pytest.importorskip("jax")
    jet = pytest.importorskip("jax.experimental.jet")
    jnp = jax.numpy
    rng = np.random.default_rng(0)
    w, x, v, u = rng.normal(size=(3, 3)), *rng.normal(size=(3, 3))

    def f(x, xp=np):
        return xp.sum(xp.tanh(w @ x) ** 2 * xp.exp(x)) + xp.log(2 + xp.sin(x) @ x)

    with jax.enable_x64(True):
        given = [[v, 2 * u, 0 * u, 0 * u]]
        value, terms = jet.jet(lambda x: f(x, jnp), [x], given)
    for k, (actual, expected) in enumerate(
        zip(eg.taylor(f, 4, curve=True)(x, (v, u)), [value, *terms], strict=True)
    ):
        assert_close(actual, np.asarray(expected) / math.factorial(k))


# Special points ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: x**2, [0, 0, 1, 0, 0]),
        (lambda x: x**3, [0, 0, 0, 1, 0]),
        (lambda x: x**7, [0, 0, 0, 0, 0]),
        (lambda x: x ** np.array(2.0), [0, 0, 1, 0, 0]),
        (np.sqrt, [0, np.inf, -np.inf, np.inf, -np.inf]),
        (np.cbrt, [0, np.inf, -np.inf, np.inf, -np.inf]),
        (lambda x: x**0.3, [0, np.inf, -np.inf, np.inf, -np.inf]),
        (lambda x: x**2.5, [0, 0, 0, np.inf, -np.inf]),
        (lambda x: 1 / x, [np.inf, -np.inf, np.inf, -np.inf, np.inf]),
        (np.log, [-np.inf, np.inf, -np.inf, np.inf, -np.inf]),
        (np.abs, [0, 0, 0, 0, 0]),
        (lambda x: np.maximum(x, 0.0), [0, 0.5, 0, 0, 0]),
        (lambda x: np.clip(x, 0.0, 1.0), [0, 0.5, 0, 0, 0]),
        (lambda x: np.max(np.stack([x, -x])), [0, 0, 0, 0, 0]),
        (lambda x: np.linalg.norm(np.stack([x, 2 * x])), [0, 0, np.nan, np.nan, np.nan]),
        (lambda x: np.hypot(x, 2 * x), [0, 0, np.nan, np.nan, np.nan]),
        (lambda x: np.arctan2(x, 1 + x), [0, 1, -1, 2 / 3, 0]),
        (lambda x: np.where(x == 0, 1.0, np.sin(x) / x), [1, 0, 0, 0, 0]),
        (lambda x: np.where(x > 0, x**2, -x), [0, -1, 0, 0, 0]),
    ],
)
def test_at_zero_the_conventions_of_derivatives_hold(f, expected):
    """What nested products give there: docs/conventions.md has the table."""
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(eg.taylor(f, 4)(0.0, 1.0), expected, rtol=1e-14)
        nested = f
        for k, c in enumerate(expected):
            value = eg.derivative(nested, 0)(0.0)
            np.testing.assert_allclose(value / math.factorial(k), c, rtol=1e-14)
            nested = _along(nested, 1.0)


# Arguments and results ---------------------------------------------------------------------------


def test_arguments_and_results_are_nested():
    def f(p, q, scale):
        return {"s": scale * p["a"] * q, "t": [p["a"]]}

    first, second, third = eg.taylor(f, 2, (0, 1))({"a": 1.0}, 2.0, 3.0, ({"a": 1.0}, 10.0))
    assert first == {"s": 6.0, "t": [1.0]}
    assert second == {"s": 36.0, "t": [1.0]}
    assert third == {"s": 30.0, "t": [0.0]}


def test_order_zero_is_the_function():
    assert eg.taylor(np.exp, 0)(0.0, 1.0) == (1.0,)
    assert eg.taylor(np.exp, 0, curve=True)(0.0, ()) == (1.0,)


def test_a_short_curve_is_a_polynomial():
    assert_close(eg.taylor(lambda x: x * x, 4, curve=True)(1.0, (2.0, 3.0)), [1, 4, 10, 12, 9])
    assert_close(eg.taylor(lambda x: x * x, 2, curve=True)(1.0, []), [1, 0, 0])


def test_what_does_not_depend_on_the_argument_is_constant():
    c = np.array([1.0, 2.0])
    assert_close(eg.taylor(lambda x: (c, x)[0] * 1, 2)(1.0, 1.0), [c, 0 * c, 0 * c])


def test_dtypes_hold_both_point_and_direction():
    single, double = np.float32(1), 1.0
    assert {c.dtype for c in eg.taylor(np.tanh, 3)(single, single)} == {np.dtype("f4")}
    assert {c.dtype for c in eg.taylor(np.tanh, 3)(single, double)} == {np.dtype("f8")}
    assert_close(eg.taylor(np.sin, 2)(1.0, 1j), [np.sin(1), 1j * np.cos(1), np.sin(1) / 2])
    assert_close(eg.taylor(lambda z: 1 / z, 2)(1j, 1.0), [-1j, 1, 1j])
    assert_close(eg.taylor(lambda x: x * x, 2)(3, 1), [9, 6, 1])


def test_series_are_differentiated_and_expanded_again():
    assert_close(eg.grad(lambda x: eg.taylor(np.sin, 3)(x, 1.0)[3])(0.3), np.sin(0.3) / 6)
    assert_close(
        eg.taylor(eg.grad(np.sin), 2)(0.3, 1.0), [np.cos(0.3), -np.sin(0.3), -np.cos(0.3) / 2]
    )
    again = eg.taylor(lambda x: eg.taylor(np.exp, 2)(x, 1.0)[2], 2)(0.3, 1.0)
    assert_close(again, np.exp(0.3) / np.array([2, 2, 4]))


def test_symbols_have_series():
    """A tuple of expressions, compiled as one."""
    x, v = eg.variable("X", (3,)), eg.variable("V", (3,))
    plan = eg.compile(eg.taylor(np.sin, 3)(x, v))
    a, b = np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0, 3.0])
    assert_close(plan(a, b)[3], -np.cos(a) * b**3 / 6)


def test_a_deep_program_is_no_deep_recursion():
    def f(x):
        for _ in range(1500):
            x = np.sin(x)
        return x

    assert len(eg.taylor(f, 2).expression(1.0, 1.0)) == 3


# Cost --------------------------------------------------------------------------------------------

N = 20
MATMUL = 2 * N**3
INVERSE, DET = 8 * N**3 // 3, 2 * N**3 // 3  # as rows count them


def _matrices():
    a, b, c = np.random.default_rng(0).normal(size=(3, N, N))
    return a + N * np.eye(N), b, c


def _matmuls(plan):
    """How many of its steps multiply matrices of full size."""
    return sum(s.flops == MATMUL for s in plan.program.statements)


def _products_of_inverse(order, terms):
    """``Y[k] = -Y[0] sum_j X[j] Y[k-j]``, with so many coefficients of X that are not zero."""
    return sum(min(k, terms) + 1 for k in range(1, order + 1))


@pytest.mark.parametrize("order", [1, 2, 6, 10])
def test_the_inverse_takes_the_products_of_its_recursion(order):
    """Of ``inv(A + s B + s^2 C)``, for order six 17; the tensors of all orders take more."""
    a, b, c = _matrices()
    products = _products_of_inverse(order, 2)
    by_hand = INVERSE + products * MATMUL
    along = eg.taylor(np.linalg.inv, order, curve=True).plan(a, (b, c)[:order])
    composed = eg.taylor(lambda s: np.linalg.inv(a + s * b + s * s * c), order).plan(0.0, 1.0)
    assert _matmuls(along) == _matmuls(composed) == products
    assert along.flops <= 1.05 * by_hand
    assert composed.flops <= 1.1 * by_hand
    if order == 6:
        tensors = eg.value_and_derivatives(lambda s: np.linalg.inv(a + s * b + s * s * c), 6)
        assert composed.flops < tensors.plan(0.0).flops < 1.3 * composed.flops


@pytest.mark.parametrize("order", [2, 6])
def test_determinants_take_the_series_of_the_inverse_and_traces(order):
    """``d' = d tr(X^-1 X')``: products of matrices for the inverse only, one order lower."""
    a, b, c = _matrices()
    products = _products_of_inverse(order - 1, 2)
    by_hand = INVERSE + DET + products * MATMUL + (2 * order - 1) * 2 * N * N
    for f in (np.linalg.det, lambda x: np.linalg.slogdet(x)[1]):
        plan = eg.taylor(f, order, curve=True).plan(a, (b, c))
        assert plan.flops <= 1.3 * by_hand


def test_solve_takes_an_inverse_and_products_with_vectors():
    a, b, _ = _matrices()
    right = np.ones(N)
    plan = eg.taylor(lambda x: np.linalg.solve(x, right), 6).plan(a, b)
    assert plan.flops <= 1.05 * (INVERSE + DET + 2 * N * N + 6 * 4 * N * N)
    assert not _matmuls(plan)


def _recursion(order, convolutions, halves=0):
    """Flops for each entry: products and sums of a recursion, and one number for each term of x'.

    A convolution ``k y[k] = sum_j j x[j] z[k-j]`` has k products and k - 1 sums, and a division. Of
    a square half the products are needed.
    """
    full = sum(2 * k for k in range(1, order + 1))
    half = sum(k // 2 + k // 2 + 2 for k in range(order + 1))
    return 1 + order + convolutions * full + halves * half


@pytest.mark.parametrize(
    ("f", "convolutions", "halves"),
    [
        (np.exp, 1, 0),
        (np.log, 1, 0),
        (np.sin, 2, 0),
        (np.sqrt, 0, 1),
        (np.tanh, 1, 1),
        (np.arctan, 1, 1),
        (lambda x: 1 / x, 1, 0),
        (lambda x: x**0.3, 1.5, 0),
        (lambda x: x * x, 0, 1),
        (lambda x: (1 / x) ** 2, 1, 1),
        (lambda x: x**7, 2, 2),
    ],
)
def test_functions_of_entries_take_their_recursion(f, convolutions, halves):
    """Along a full curve to order ten, within 1.15 of a count by hand."""
    size = 50
    x = np.linspace(0.5, 0.9, size)
    plan = eg.taylor(f, HIGH, curve=True).plan(x, (x,) * HIGH)
    assert plan.flops <= 1.15 * size * _recursion(HIGH, convolutions, halves)


def test_what_a_square_has_twice_is_doubled_once():
    """Of order k half the products, their sum, one doubling: counted by hand for orders 0 to 10."""
    x = np.linspace(0.5, 0.9, 50)
    products = sum(k // 2 + 1 for k in range(HIGH + 1))
    sums, doublings = products - (HIGH + 1), HIGH
    plan = eg.taylor(lambda x: x * x, HIGH, curve=True).plan(x, (x,) * HIGH)
    assert plan.flops == 50 * (products + sums + doublings)


@pytest.mark.parametrize("order", [2, 6, 10])
def test_a_network_takes_a_product_for_each_coefficient_and_layer(order):
    size, layers = 60, 4
    w = np.random.default_rng(0).normal(size=(layers, size, size)) / 10
    x, v = np.random.default_rng(1).normal(size=(2, size))

    def network(x):
        for each in w:
            x = x + np.tanh(each @ x)
        return x

    plan = eg.taylor(network, order).plan(x, v)
    entries = _recursion(order, 1, 1) + order + 1
    by_hand = layers * ((order + 1) * 2 * size**2 + size * entries)
    assert plan.flops <= 1.3 * by_hand


def test_work_grows_as_the_square_of_the_order():
    """Nested products double it; of every row twice the order is at most six times the work."""
    for row in FLOAT_ROWS:
        node, curve, *_ = _row_case(row)
        flops = []
        for order in (8, 16):
            series = Series(curve, order)
            roots = [series.coefficient(node, k) for k in range(order + 1)]
            flops.append(compile_program(roots, _ir.inputs(roots)).flops)
        assert flops[1] <= 6.5 * flops[0], row.name


def test_a_plan_of_order_ten_has_few_nodes():
    """What planning takes, counted: nodes made for the network of `docs/products.md`."""
    w = np.random.default_rng(0).normal(size=(6, 30, 30)) / 10

    def network(x):
        for each in w:
            x = x + np.tanh(each @ x)
        return x

    before = _ir.number_of_nodes_built()
    eg.taylor(network, 10).plan(np.ones(30), np.ones(30))
    assert _ir.number_of_nodes_built() - before < 20_000


def test_what_meets_a_derivative_inside_goes_in_first():
    """The Jacobian of a function that is expanded is not written out for its product."""
    rng = np.random.default_rng(0)
    w, (x, v) = rng.normal(size=(4, 40, 40)) / 10, rng.normal(size=(2, 40))

    def network(x):
        for each in w:
            x = x + np.tanh(each @ x)
        return x

    written = eg.taylor(lambda x: eg.jacobian(network)(x) @ x, 3).plan(x, v)
    named = eg.taylor(lambda x: eg.jvp(network)(x, x), 3).plan(x, v)
    assert written.flops <= 1.05 * named.flops


def test_a_call_finds_the_series_of_the_last_one():
    """Traced anew, but nothing is derived again."""
    f = eg.taylor(np.tanh, 4)
    f(0.1, 1.0)
    before = _ir.number_of_nodes_built()
    f(0.2, 1.0)
    assert _ir.number_of_nodes_built() - before < 5


# Errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [-1, 1.5, True, "2"])
def test_an_order_that_is_none_is_an_error(order):
    with pytest.raises(ValueError, match=r"^order must be an integer of at least 0, not "):
        eg.taylor(np.sin, order)


def test_what_is_no_function_is_an_error():
    with pytest.raises(TypeError, match=r"^3 is not a function; pass the function itself"):
        eg.taylor(3, 2)


@pytest.mark.parametrize("order", [0, 2])
def test_a_direction_of_another_shape_is_an_error(order):
    message = (
        r"^the direction has shape \(2,\) but the argument has shape \(3,\); they must be equal$"
    )
    with pytest.raises(ShapeError, match=message):
        eg.taylor(np.sin, order)(np.ones(3), np.ones(2))
    with pytest.raises(ShapeError, match=message):
        eg.taylor(np.sin, 2, curve=True)(np.ones(3), (np.ones(3), np.ones(2)))
    with pytest.raises(ShapeError, match=r"^the direction must be nested as the argument is: "):
        eg.taylor(np.sin, order)(np.ones(3), (np.ones(3),))


def test_a_missing_direction_is_an_error():
    message = r"^the direction is missing.*; call taylor\(f, 2\)\(x, v\), the direction v after all"
    with pytest.raises(ShapeError, match=message):
        eg.taylor(np.sin, 2)(1.0)


def test_a_curve_that_is_none_is_an_error():
    message = (
        r"^a curve is given as a tuple of its coefficients \(v, w, \.\.\.\), "
        r"not as an array of shape \(3,\)$"
    )
    with pytest.raises(ShapeError, match=message):
        eg.taylor(np.sin, 2, curve=True)(np.ones(3), np.ones(3))
    with pytest.raises(ShapeError, match=r"not as \{'a': .*\}$"):
        eg.taylor(np.sin, 2, curve=True)(1.0, {"a": 1.0})
    message = (
        r"^the curve has 3 coefficients but the order is 2; give at most 2, or expand to order 3$"
    )
    with pytest.raises(ShapeError, match=message):
        eg.taylor(np.sin, 2, curve=True)(1.0, (1.0, 1.0, 1.0))


def test_what_has_no_derivative_has_no_series():
    with pytest.raises(DTypeError, match="returned bool values, which have no derivative"):
        eg.taylor(lambda x: x > 0, 2)(1.0, 1.0)
    with pytest.raises(DTypeError, match="argument 'x1' is True"):
        eg.taylor(np.sin, 2)(1.0, True)
