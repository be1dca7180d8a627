"""Products of many entries: derivatives that divide by none, linear time where that is enough."""

import numpy as np
import pytest
from reference import assert_close, complex_step

import eingrad as eg

RNG = np.random.default_rng(0)
LONG = [1, 2, 5, 16, 17, 64, 65, 70]  # around the lengths at which a scan becomes one of blocks


def weighted(f):
    """A number that is not linear in f."""
    return lambda x: np.sum(np.cos(np.arange(f(x).size)).reshape(f(x).shape) * f(x) ** 2)


PRODUCTS = {
    "cumprod": np.cumprod,
    "cumprod of the rows": lambda x: np.cumprod(x.reshape(-1, x.size // 4 or 1), axis=1),
    "prod": np.prod,
    "prod of the rows": lambda x: np.prod(x.reshape(x.size // 4 or 1, -1), axis=1),
    "prod and cumprod": lambda x: np.prod(x) * np.cumprod(x[::-1]),
    "of functions": lambda x: np.cumprod(np.cos(x)) + np.prod(1 + x**2 / 9),
}


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
@pytest.mark.parametrize("n", [4, 8])
@pytest.mark.parametrize("f", PRODUCTS.values(), ids=PRODUCTS)
@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_are_right_at_zeros_and_negative_entries(f, order, n, zeros):
    """No zero, one, two, three: what a division by an entry would not give."""
    x = RNG.normal(size=n)
    x[RNG.permutation(n)[:zeros]] = 0
    below = eg.derivative(weighted(f), order - 1) if order > 1 else weighted(f)
    assert_close(eg.derivative(weighted(f), order)(x), complex_step(below, x))


@pytest.mark.parametrize("n", LONG)
@pytest.mark.parametrize("f", [np.cumprod, np.prod], ids=["cumprod", "prod"])
def test_all_ways_to_a_derivative_agree_at_any_length(f, n):
    """Jacobian, products with it from both sides, nested, and series."""
    x, v = 1 + RNG.normal(size=n) / 9, RNG.normal(size=n)
    x[n // 2] = 0
    jacobian = complex_step(f, x)
    assert_close(eg.jacobian(f)(x), jacobian)
    assert_close(eg.jvp(f)(x, v), jacobian @ v)
    w = RNG.normal(size=np.shape(f(x)))
    assert_close(eg.vjp(f)(x, w), np.tensordot(w, jacobian, w.ndim))
    second = complex_step(eg.grad(weighted(f)), x)
    assert_close(eg.hvp(weighted(f))(x, v), second @ v)
    assert_close(eg.hessian(weighted(f))(x), second)
    series = eg.taylor(weighted(f), 2)(x, v)
    assert_close(series[1], eg.grad(weighted(f))(x) @ v)
    assert_close(series[2], v @ second @ v / 2)


@pytest.mark.parametrize("n", [65, 1030])
@pytest.mark.parametrize("shape", [(2, -1), (-1, 2), (2, 3, -1), (2, -1, 3)])
def test_long_products_of_a_batch_do_not_mix_its_rows(shape, n):
    """What blocks begin with is handed on for each row: of blocks, and of blocks of blocks."""
    axis = shape.index(-1)
    shape = tuple(n if size == -1 else size for size in shape)
    x, v = 1 + RNG.normal(size=shape) / 9, RNG.normal(size=shape)
    x[(0,) * axis + (n // 2,)] = 0
    f = lambda x: np.cumprod(x, axis=axis)  # noqa: E731
    along = f(x + 1e-30j * v).imag / 1e-30
    assert_close(eg.jvp(f)(x, v), along)
    assert_close(np.sum(eg.vjp(f)(x, x + 1) * v), np.sum((x + 1) * along))
    gradient = eg.grad(weighted(f))(x)
    assert_close(np.sum(gradient * v), weighted(f)(x + 1e-30j * v).imag / 1e-30)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, None])
@pytest.mark.parametrize("f", [np.cumprod, np.prod], ids=["cumprod", "prod"])
def test_axes_and_batches(f, axis):
    x = RNG.normal(size=(3, 4, 2))
    x[0, 1, 1] = x[2, 3, 0] = 0
    along = lambda x: f(x, axis=axis)  # noqa: E731
    assert_close(eg.jacobian(along)(x), complex_step(along, x))
    assert_close(eg.grad(weighted(along))(x), complex_step(weighted(along), x))
    assert_close(eg.hessian(weighted(along))(x), complex_step(eg.grad(weighted(along)), x))


def test_a_batch_that_the_variable_scales_stays_a_batch():
    """The tangent of each row is a delta between rows: no array has both axes."""
    b = RNG.normal(size=(30, 20))
    f = lambda a: np.cumprod(1 + a[:, None] * b, axis=1)  # noqa: E731
    a = RNG.normal(size=30) / 9
    plan = eg.jacobian(f).plan(a)
    assert_close(plan(a), complex_step(f, a))
    assert plan.flops <= 12 * b.size


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_dtypes(dtype):
    x = RNG.normal(size=40).astype(dtype)
    f = lambda x: np.sum(np.cumprod(x / 2) * 3)  # noqa: E731
    gradient = eg.grad(f)(x)
    assert gradient.dtype == dtype
    one = np.concatenate([np.cumprod(x[:k] / 2)[-1:] for k in range(1, 40)])
    before = np.concatenate([[1], one]).astype(complex) / 2
    expected = [
        before[k] * 3 * np.sum(np.concatenate([[1], np.cumprod(x[k + 1 :] / 2)])) for k in range(40)
    ]
    np.testing.assert_allclose(gradient, expected, rtol=2e-5, atol=1e-6)


def test_a_complex_tangent_of_real_entries():
    x, v = RNG.normal(size=20), RNG.normal(size=20) + 1j * RNG.normal(size=20)
    assert_close(eg.jvp(np.cumprod)(x, v), complex_step(np.cumprod, x) @ v)
    assert_close(eg.jvp(np.prod)(x, v), complex_step(np.prod, x) @ v)


COSTS = {  # flops for each entry, and lines whose number does not grow
    "gradient of prod": lambda x: eg.grad(np.prod).plan(x),
    "hvp of prod": lambda x: eg.hvp(np.prod).plan(x, x),
    "gradient of cumprod": lambda x: eg.grad(lambda x: np.sum(np.sin(np.cumprod(x)))).plan(x),
    "hvp of cumprod": lambda x: eg.hvp(lambda x: np.sum(np.sin(np.cumprod(x)))).plan(x, x),
    "jvp of cumprod": lambda x: eg.jvp(np.cumprod).plan(x, x),
    "second along two": lambda x: eg.plan(
        lambda x: x @ eg.hessian(lambda x: np.sum(np.cumprod(x)))(x) @ x, x
    ),
}


@pytest.mark.parametrize("plan", COSTS.values(), ids=COSTS)
def test_products_with_derivatives_take_linear_time(plan):
    small, large = plan(np.ones(100)), plan(np.ones(1600))
    assert large.flops <= 20 * small.flops
    assert large.flops <= 60 * 1600
    assert large.program.peak_bytes <= 8 * 60 * 1600
    assert len(large.source.splitlines()) <= 2 * len(small.source.splitlines())


WHOLE = {
    "Jacobian of cumprod": lambda x: eg.jacobian(np.cumprod).plan(x),
    "Hessian of prod": lambda x: eg.hessian(np.prod).plan(x),
    "Hessian of a sum of cumprod": lambda x: eg.hessian(lambda x: np.sum(np.cumprod(x))).plan(x),
}


@pytest.mark.parametrize("plan", WHOLE.values(), ids=WHOLE)
def test_whole_derivatives_take_a_few_flops_for_each_entry(plan):
    found = plan(np.ones(100))
    assert found.flops <= 15 * 100**2
    assert len(found.source.splitlines()) <= 200


def test_the_value_is_numpys_to_the_last_bit():
    """It is multiplied from the left, blocks or not, also beside its derivative."""
    x = RNG.normal(size=300) * 2
    np.testing.assert_array_equal(eg.derivative(np.cumprod, 0)(x), np.cumprod(x))
    value, _ = eg.value_and_derivatives(lambda x: np.cumprod(x) * 1.0, 1)(x)
    np.testing.assert_array_equal(value, np.cumprod(x))


def test_within_scans_selects_and_picks():
    """Seams: a step that multiplies, a select of products, rows that are picked again."""
    x = RNG.normal(size=(4, 5)) / 2
    rows = np.arange(12) % 4

    def scanned(x):
        def step(c, row):
            return c + np.cumprod(row * c) / 3, np.prod(c)

        c, ys = eg.scan(step, np.sin(x[0]), x)
        return (c**2).sum() + ys.sum()

    def looped(x):
        c, total = np.sin(x[0]), 0
        for row in x:
            c, total = c + np.cumprod(row * c) / 3, total + np.prod(c)
        return (c**2).sum() + total

    others = {
        "select": lambda x: np.sum(np.where(x > 0, np.cumprod(np.exp(x), axis=1), x**3)),
        "picked": lambda x: np.sum(np.sin(np.cumprod(x[rows], axis=1) * np.prod(x[rows], 0))),
        "cumulative_prod": lambda x: np.sum(
            np.cumulative_prod(x, axis=1, include_initial=True) ** 3
        ),
        "of a reshape": lambda x: np.sum(np.cos(np.cumprod(x.T.reshape(2, 10), axis=1))),
        "of one vector": lambda x: np.sum(np.cumprod(x[0] + x[1]) * np.cumprod(x[2])[::-1]),
    }
    assert_close(eg.grad(scanned)(x), complex_step(looped, x))
    assert_close(eg.hessian(scanned)(x), eg.hessian(looped)(x))
    for f in others.values():
        select = f is others["select"]
        if not select:
            assert_close(eg.grad(f)(x), complex_step(f, x))
            assert_close(eg.hessian(f)(x), complex_step(eg.grad(f), x))
        assert_close(eg.hvp(f)(x, x), np.einsum("ijkl,kl->ij", eg.hessian(f)(x), x))


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("f", [np.cumprod, lambda x: np.prod(np.cos(x))], ids=["cumprod", "prod"])
def test_structured_values(order, f):
    x = RNG.normal(size=5)
    tensor = eg.derivative(f, order, structured=True)(x)
    assert_close(tensor.dense(), eg.derivative(f, order)(x))


def test_the_hessian_of_a_product_is_symmetric_to_the_last_bit():
    x = RNG.normal(size=30)
    hessian = eg.hessian(np.prod)(x)
    np.testing.assert_array_equal(hessian, hessian.T)
    assert not hessian.diagonal().any()
