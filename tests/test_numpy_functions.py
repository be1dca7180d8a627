"""Every traced function: its value, Jacobian and second derivative, against NumPy alone."""

import functools
import inspect
import itertools

import numpy as np
import pytest
from faults import fixed
from function_cases import CASES
from reference import traced_once

import eingrad as eg
from eingrad._primitives import PRIMITIVES
from eingrad._tracer import FUNCTIONS, METHODS, UFUNCS

# One of the functions reads nothing; the warning of that has tests of its own.
pytestmark = pytest.mark.filterwarnings("ignore::eingrad.errors.IndependentWarning")

STEP = 1e-30  # of the complex step: no difference is taken, so none cancels


every_case = pytest.mark.parametrize("row", CASES, ids=[row.name for row in CASES])


# Derivatives without eingrad ---------------------------------------------------------------------


def units(x):
    """Each entry's direction."""
    return (u.reshape(x.shape) for u in np.eye(x.size))


def differentiated(g, args, k, *, analytic):
    """Differentiate g in argument k, one entry after the other; axes of the entry last."""
    x, g = args[k], traced_once(g)

    def at(step):
        return np.asarray(g(*args[:k], fixed(x + step), *args[k + 1 :]))

    if analytic:
        columns = [at(STEP * 1j * u).imag / STEP for u in units(x)]
    else:
        h = 1e-3  # the stencil is of fourth order
        columns = [
            (8 * (at(h * u) - at(-h * u)) - (at(2 * h * u) - at(-2 * h * u))) / (12 * h)
            for u in units(x)
        ]
    if not columns:
        return np.zeros((*np.shape(g(*args)), *x.shape))
    return np.stack(columns, -1).reshape((*columns[0].shape, *x.shape))


def assert_close(actual, expected, rtol):
    """Equal in shape, and in value up to rtol of the largest entry."""
    assert actual.shape == expected.shape
    scale = np.abs(expected).max(initial=1.0)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=1e-2 * rtol * scale)


@every_case
def test_the_value_is_numpys(row):
    """Order zero has NumPy's shape, dtype and value."""
    args = row.sample()
    expected = np.asarray(row.f(*args))
    actual = eg.derivative(row.f, order=0)(*args)
    assert actual.dtype == expected.dtype
    assert_close(actual, expected, rtol=1e-13)


@every_case
def test_the_jacobian_is_that_of_the_numpy_function(row):
    """In every argument, against the complex step, or central differences where not analytic."""
    args = row.sample()
    for k in range(len(args)):
        actual = eg.jacobian(row.f, argnums=k)(*args)
        expected = differentiated(row.f, args, k, analytic=row.analytic)
        assert_close(actual, expected, rtol=1e-11 if row.analytic else 1e-6)


@every_case
def test_the_second_derivative_is_that_of_the_jacobian(row):
    """In every pair of arguments; the complex step also runs the Jacobian at complex points."""
    args = row.sample()
    numbers = tuple(range(len(args)))
    actual = eg.hessian(row.f, argnums=numbers)(*args)
    for a, b in itertools.product(numbers, numbers):
        first = eg.jacobian(row.f, argnums=a)
        expected = differentiated(first, args, b, analytic=row.analytic)
        assert_close(actual[a][b], expected, rtol=1e-10 if row.analytic else 1e-6)


@every_case
def test_dtypes_are_numpys_also_for_float32(row):
    """Value and Jacobian at float32 have the dtype of NumPy's value."""
    args = row.sample(np.float32)
    expected = np.asarray(row.f(*args))
    value, first = (eg.derivative(row.f, order=n)(*args) for n in (0, 1))
    assert value.dtype == expected.dtype
    assert first.dtype == expected.dtype
    assert_close(value, expected, rtol=1e-5)


# What does not fit the table ---------------------------------------------------------------------


def test_the_table_calls_every_traced_function(monkeypatch):
    """A function added to the tracer must be added here."""
    called = set()

    def counting(key, handler):
        def counted(*args, **kwargs):
            called.add(key)
            return handler(*args, **kwargs)

        return counted

    eg.cache_clear()  # a call that was recorded before does not ask the handler again
    for table in (FUNCTIONS, UFUNCS, METHODS):
        for key, handler in table.items():
            monkeypatch.setitem(table, key, counting(key, handler))
    for row in CASES:
        eg.derivative(row.f, order=0)(*row.sample())
    assert {*FUNCTIONS, *UFUNCS, *METHODS} - called == set()


OF_MEMORY = {"copy", "optimize"}  # honoured by giving the same numbers


def _options(function):
    """Split NumPy's options into honoured and refused ones."""
    given = inspect.signature(function).parameters.values()
    names = {p.name for p in given if p.default is not p.empty and p.kind is not p.VAR_KEYWORD}
    own = set(inspect.signature(FUNCTIONS[function]).parameters)
    return names & own, names - own


def test_the_table_gives_every_honoured_option(monkeypatch):
    """An option that a handler takes and forgets would pass silently otherwise."""
    given = set()

    def recording(handler):
        own, inner = inspect.signature(handler), inspect.unwrap(handler)  # one for two names

        @functools.wraps(handler)
        def recorded(*args, **kwargs):
            given.update((inner, name) for name in own.bind(*args, **kwargs).arguments)
            return handler(*args, **kwargs)

        return recorded

    eg.cache_clear()  # a call that was recorded before does not ask the handler again
    functions = [f for f in FUNCTIONS if callable(f)]
    wanted = {
        (inspect.unwrap(FUNCTIONS[f]), name): f"{f.__name__} {name}"
        for f in functions
        for name in _options(f)[0] - OF_MEMORY
    }
    for function, handler in FUNCTIONS.items():
        monkeypatch.setitem(FUNCTIONS, function, recording(handler))
    for row in CASES:
        eg.derivative(row.f, order=0)(*row.sample())
    assert sorted(text for key, text in wanted.items() if key not in given) == []


@pytest.mark.parametrize(
    ("function", "option"),
    [(f, name) for f in FUNCTIONS if callable(f) for name in sorted(_options(f)[1])],
    ids=lambda x: x if isinstance(x, str) else x.__name__,
)
def test_an_option_that_is_not_honoured_is_refused_by_name(function, option):
    """Whatever its value, if it is not NumPy's default."""
    parameters = inspect.signature(function).parameters.values()
    required = [p for p in parameters if p.default is p.empty and p.kind in (0, 1)]
    error = eg.errors.InPlaceError if option == "out" else eg.errors.UnsupportedFunctionError
    wanted = (
        r"\(out=\.\.\.\) writes in place" if option == "out" else f"keyword argument '{option}'"
    )
    with pytest.raises(error, match=f"{function.__name__}.*{wanted}|{function.__name__}{wanted}"):
        eg.jacobian(
            lambda x: x.__array_function__(function, (), (x,) * len(required), {option: "other"})
        )(np.ones((2, 2)))


@pytest.mark.parametrize("name", ["var", "std"])
def test_the_spread_of_a_chosen_number_keeps_float32(name):
    """The count of one flag is a NumPy number, which must not decide the dtype."""
    f = lambda x: getattr(np, name)(x, where=np.array(True), ddof=0.5)  # noqa: E731
    x = np.array(1.5, np.float32)
    assert eg.derivative(f, 0)(x).dtype == f(x).dtype == np.float32


@pytest.mark.parametrize("order", [1, 2])
def test_astype_float32_keeps_the_derivative(order):
    """A conversion has derivative one, up to the precision of the narrower dtype."""
    x = fixed(np.linspace(-1, 1, 4))
    narrow = eg.derivative(lambda x: (x**3).astype(np.float32), order)(x)
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(
        narrow, eg.derivative(lambda x: x**3, order)(x), rtol=1e-6, atol=1e-6
    )


def test_matrix_powers_of_half_precision_are_products():
    """NumPy multiplies float16 matrices, and inverts none."""
    x = fixed(np.array([[1, 2], [0.5, 1]], np.float16))
    cube = lambda x: np.linalg.matrix_power(x, 3)  # noqa: E731
    value, first = (eg.derivative(cube, n)(x) for n in (0, 1))
    assert value.dtype == first.dtype == np.float16
    np.testing.assert_array_equal(value, cube(x))
    np.testing.assert_array_equal(first, eg.jacobian(cube)(x.astype(float)))
    with pytest.raises(
        eg.errors.DTypeError, match=r"np\.linalg\.inv of float16 .*begins at float32"
    ):
        eg.jacobian(lambda x: np.linalg.matrix_power(x, -1))(x)


@pytest.mark.parametrize("name", ["var", "std"])
def test_too_few_elements_for_ddof_are_refused(name):
    """NumPy warns and gives nan; but a result without entries divides nothing."""
    f = getattr(np, name)
    with pytest.raises(
        eg.errors.ShapeError,
        match=rf"the {name} of one element at .*\(shape \(1,\)\); there must be more than ddof = 1",
    ):
        eg.grad(lambda x: f(x, ddof=1))(np.ones(1))
    assert eg.jacobian(lambda x: f(x, axis=0, ddof=1))(np.ones((1, 0))).shape == (0, 1, 0)
    assert eg.jacobian(lambda x: f(x, axis=0, ddof=1))(np.ones((0, 0))).shape == (0, 0, 0)


def test_norms_of_negative_order_of_nothing_are_refused():
    """NumPy divides by zero; but a result without entries is one, unless a minimum is taken."""
    message = r"np\.linalg\.norm: order -1 of no entries, at .*"
    with pytest.raises(eg.errors.ShapeError, match=message):
        eg.derivative(lambda x: np.linalg.norm(x, -1), 0)(np.ones(0))
    with pytest.raises(eg.errors.ShapeError, match="order -inf of no entries"):
        eg.derivative(lambda x: np.linalg.norm(x, -np.inf, 0), 0)(np.ones((0, 0)))
    assert eg.derivative(lambda x: np.linalg.norm(x, -1, 2), 1)(np.ones((0, 2, 0))).size == 0


@pytest.mark.filterwarnings("ignore:Degrees of freedom")
@pytest.mark.parametrize("name", ["var", "std"])
def test_where_flags_leave_too_few_elements_the_spread_is_numpys(name):
    """It divides by zero, not by a negative number."""
    f, x = getattr(np, name), np.arange(6.0).reshape(2, 3)
    with np.errstate(all="ignore"):
        for ddof in (2, 3, 4):
            g = lambda x, ddof=ddof: f(x, axis=1, where=x > 1.5, ddof=ddof)  # noqa: E731
            np.testing.assert_array_equal(eg.derivative(g, 0)(x), g(x))


def test_powers_of_matrices_have_integer_exponents():
    """As in NumPy."""
    with pytest.raises(TypeError, match=r"matrix_power at .*: exponent 0\.5 is not an integer"):
        eg.jacobian(lambda a: np.linalg.matrix_power(a, 0.5))(np.eye(2))


def test_integers_keep_their_dtype_in_astype():
    """A conversion that converts nothing; what is computed is float64."""
    x = fixed(np.array([1, 2]))
    actual = eg.jacobian(lambda x: x.astype(x.dtype) * x)(x)
    np.testing.assert_array_equal(actual, np.diag([2.0, 4.0]))


def test_vectors_of_the_plane_have_no_cross_product():
    """NumPy deprecates them; the message says what to write instead."""
    with pytest.raises(
        eg.errors.ShapeError,
        match=r"np\.cross of vectors of 2 and 3 entries at .*: `.*np\.cross\(x, .*`; "
        r"both must have 3 \(NumPy deprecates 2: append a zero, or write x\[0\]\*y\[1\] - "
        r"x\[1\]\*y\[0\]\)",
    ):
        eg.jacobian(lambda x: np.cross(x, np.ones(3)))(np.ones(2))


def test_astype_and_back_has_numpys_dtype():
    """Single precision in the middle only."""
    x = fixed(np.linspace(-1, 1, 4))
    f = lambda x: np.sin(x.astype(np.float32)).astype(np.float64)  # noqa: E731
    assert eg.derivative(f, 0)(x).dtype == np.float64
    np.testing.assert_allclose(eg.jacobian(f)(x), np.diag(np.cos(x)), rtol=1e-6)


def test_slogdet_is_a_named_pair():
    """NumPy's result type, so that .sign and .logabsdet work; the sign is constant."""
    a = fixed(np.array([[0.0, 2.0], [1.0, 0.5]]))
    value = eg.derivative(np.linalg.slogdet, 0)(a)
    assert value.sign == -1
    first = eg.jacobian(np.linalg.slogdet)(a)
    assert isinstance(first, type(np.linalg.slogdet(a)))
    np.testing.assert_array_equal(first.sign, np.zeros((2, 2)))
    np.testing.assert_allclose(first.logabsdet, np.linalg.inv(a).T, rtol=1e-13)


@pytest.mark.parametrize("f", [np.maximum, np.minimum])
def test_a_tie_is_split_in_half(f):
    """Both arguments of maximum and minimum get half of the slope."""
    x = fixed(np.array([1.0, 2.0]))
    for first in eg.jacobian(f, argnums=(0, 1))(x, x):
        np.testing.assert_array_equal(first, np.eye(2) / 2)


KINKS = {  # docs/conventions.md: function, point, gradient, and of the Hessian its entries
    "abs": (lambda x: np.abs(x[0]), [0.0], [0.0], 0.0),
    "sign": (lambda x: np.sign(x[0]), [0.0], [0.0], 0.0),
    "max": (np.max, [1.0, 1.0, 0.0], [0.5, 0.5, 0.0], 0.0),
    "min": (np.min, [1.0, 1.0, 1.0], [1 / 3, 1 / 3, 1 / 3], 0.0),
    "clip": (lambda x: np.clip(x[0], 0, x[1]), [2.0, 2.0], [0.5, 0.5], 0.0),
    "norm": (np.linalg.norm, [0.0, 0.0], [0.0, 0.0], np.nan),
    "norm of a matrix": (lambda x: np.linalg.norm(x[None]), [0.0, 0.0], [0.0, 0.0], np.nan),
    "hypot": (lambda x: np.hypot(x[0], x[0]), [0.0], [0.0], np.nan),
    "std": (np.std, [2.0, 2.0, 2.0], [0.0, 0.0, 0.0], np.nan),
    "norm 1": (lambda x: np.linalg.norm(x, 1), [0.0, 0.0], [0.0, 0.0], 0.0),
    "norm 3": (lambda x: np.linalg.norm(x, 3), [0.0, 0.0], [0.0, 0.0], 0.0),
    "norm inf": (lambda x: np.linalg.norm(x, np.inf), [0.0, 0.0], [0.0, 0.0], 0.0),
    "norm 0.5": (lambda x: np.linalg.norm(x, 0.5), [0.0, 1.0], [np.nan, 1.0], np.nan),
    "norm -1": (lambda x: np.linalg.norm(x, -1), [0.0, 1.0], [np.nan, 0.0], np.nan),
    "arctan2": (lambda x: np.arctan2(x[0], x[1]), [0.0, 0.0], [np.nan, np.nan], np.nan),
    "sqrt": (lambda x: np.sqrt(x[0]), [0.0], [np.inf], -np.inf),
    "cbrt": (lambda x: np.cbrt(x[0]), [0.0], [np.inf], -np.inf),
    "log": (lambda x: np.log(x[0]), [0.0], [np.inf], -np.inf),
    "power": (lambda x: x[0] ** 0.5, [0.0], [np.inf], -np.inf),
}


@pytest.mark.parametrize("name", KINKS)
@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
def test_values_at_a_kink_are_those_of_the_conventions(name):
    """Never a finite number where the slope is infinite, and 0 only where it is documented."""
    f, point, gradient, second = KINKS[name]
    x = fixed(np.array(point))
    np.testing.assert_allclose(eg.grad(f)(x), gradient, rtol=1e-15)
    hessian = eg.hessian(f)(x)
    assert hessian[0, 0] == second or (np.isnan(hessian[0, 0]) and np.isnan(second))


def test_products_with_zeros_divide_by_none():
    """Gradient and Hessian of a product of which two factors are 0."""
    x = fixed(np.array([0.0, 0.0, 3.0]))
    np.testing.assert_array_equal(eg.grad(np.prod)(fixed(np.array([0.0, 2.0, 3.0]))), [6, 0, 0])
    np.testing.assert_array_equal(eg.grad(np.prod)(x), np.zeros(3))
    expected = np.zeros((3, 3))
    expected[0, 1] = expected[1, 0] = 3
    np.testing.assert_array_equal(eg.hessian(np.prod)(x), expected)


@pytest.mark.parametrize("p", [0, 1, 2, 3])
def test_integer_powers_are_smooth_at_zero(p):
    """No 0 * inf where x ** p has a derivative."""
    x = fixed(np.zeros(2))
    for order in (1, 2, 3, 4):
        factor = np.prod([float(p - k) for k in range(order)]) if order == p else 0.0
        actual = eg.derivative(lambda x: (x**p)[0], order)(x)
        assert actual[(0,) * order] == factor


def test_mixed_precision_promotes_as_numpy_does():
    """float32 with Python numbers stays; with float64 arrays it widens."""
    x = fixed(np.ones(2, np.float32))
    rows = (
        lambda x: 2 * x,
        lambda x: x + 1.5,
        lambda x: x * np.float32(3),
        lambda x: x * np.float64(3),
        lambda x: x + np.ones(2),
        lambda x: x * np.arange(2),
        lambda x: x * np.int8(3),
        lambda x: x * np.arange(2, dtype=np.int8),
        lambda x: 1j * x,
        lambda x: x**2,
        lambda x: x**0.5,
        lambda x: np.where(x > 0, x, 1.0),
        lambda x: np.maximum(x, 0),
        np.mean,
        lambda x: np.array(2.0) * x,
        lambda x: x / 3,
        lambda x: 1 / x,
    )
    for n, f in enumerate(rows):
        expected = np.asarray(f(x)).dtype
        got = [eg.derivative(f, order)(x).dtype for order in (0, 1)]
        assert got == [expected] * 2, f"row {n}"


HOLOMORPHIC = [
    row.name
    for row in PRIMITIVES
    if isinstance(row.numpy, np.ufunc) and row.numpy.nin == 1 and row.rules and not row.real
]


@pytest.mark.parametrize("name", HOLOMORPHIC)
def test_derivatives_at_complex_points_are_on_the_branch_of_the_value(name):
    """In all four quadrants, inside and outside of the unit circle; found by fuzz in arccosh."""
    f = getattr(np, name)
    z = np.array(
        [a * x + b * y * 1j for a in (1, -1) for b in (1, -1) for x, y in ((1.3, 0.7), (0.4, 0.3))]
    )
    h = 1e-3
    expected = (8 * (f(z + h) - f(z - h)) - (f(z + 2 * h) - f(z - 2 * h))) / (12 * h)
    np.testing.assert_allclose(np.diag(eg.jacobian(f)(fixed(z))), expected, rtol=1e-8)


def test_integer_arguments_are_differentiated_as_float64():
    """A derivative is not an integer."""
    x = fixed(np.array([1, 2, 3]))
    actual = eg.jacobian(lambda x: x**2)(x)
    assert actual.dtype == np.float64
    np.testing.assert_array_equal(actual, np.diag([2.0, 4.0, 6.0]))
