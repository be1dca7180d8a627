"""Products with derivatives, and whatever a derivative is contracted with: values and costs.

Costs are counted from the program: no derivative is written out to be multiplied.
"""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from inside import MOST_SWEEPS, sweeps_kept
from reference import assert_close
from strategies import functions, point

import eingrad as eg
from eingrad import _derivative, _directional
from eingrad._plan import kernels
from eingrad.errors import ShapeError

N = 20
RNG = np.random.default_rng(0)
W = RNG.normal(size=(6, N, N)) / 5
T, MASK = RNG.normal(size=(N, N)), RNG.random((N, N))


def network(x):
    for w in W:
        x = np.tanh(w @ x)
    return x


def residual(x):
    for w in W:
        x = x + np.tanh(w @ x)
    return x


def gated(x):
    for w in W[:3]:
        x = x + (w @ x) * x
    return x


def softmax(x):
    e = np.exp(W[0] @ x)
    return e / e.sum()


def layernorm(x):
    centred = x - x.mean()
    return centred / np.sqrt((centred**2).mean() + 0.1)


def loss(x):
    return np.sum(residual(x) ** 2)


def pairwise(x):
    return np.sum(np.sqrt(((x[:, None] - x[None]) ** 2).sum(-1) + 1))


def factorisation(u):
    return np.sum((T - u @ W[0, :5]) ** 2 * MASK)


VECTORS = {f.__name__: f for f in (network, residual, gated, softmax, layernorm)}
FUNCTIONS = {
    **{name: (f, (N,)) for name, f in VECTORS.items()},
    "loss": (loss, (N,)),
    "logsumexp": (lambda x: np.log(np.exp(W[0] @ x).sum()), (N,)),
    "pairwise": (pairwise, (N, 3)),
    "factorisation": (factorisation, (N, 5)),
    "inverse": (lambda x: np.linalg.inv(x + 3 * np.eye(5)), (5, 5)),
    "power": (lambda x: x @ x @ x, (5, 5)),
}


def case(name):
    f, shape = FUNCTIONS[name]
    x = RNG.normal(size=shape)
    return f, x, RNG.normal(size=shape), RNG.normal(size=np.shape(f(x)))


def written(contraction):
    """The plan of a function that writes a derivative and contracts it."""
    return eg.derivative(contraction, 0)


# Products ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_products_are_contractions_of_the_derivative(name):
    f, x, v, w = case(name)
    jacobian, hessian = eg.jacobian(f)(x), eg.hessian(f)(x)
    assert_close(eg.jvp(f)(x, v), np.tensordot(jacobian, v, v.ndim))
    assert_close(eg.vjp(f)(x, w), np.tensordot(w, jacobian, w.ndim))
    assert_close(eg.hvp(f)(x, v), np.tensordot(hessian, v, v.ndim))


@pytest.mark.parametrize("name", ["network", "residual", "gated", "softmax", "loss", "pairwise"])
def test_a_product_costs_a_small_multiple_of_the_function(name):
    """Baur and Strassen: no more than five times, of a scalar function also the Hessian's."""
    f, x, v, w = case(name)
    cost = eg.derivative(f, 0).plan(x).flops
    assert eg.jvp(f).plan(x, v).flops <= 3 * cost
    assert eg.vjp(f).plan(x, w).flops <= 3 * cost
    if not w.ndim:
        assert eg.hvp(f).plan(x, v).flops <= 6 * cost


@pytest.mark.parametrize(
    "product",
    [
        eg.jvp(np.linalg.inv),
        eg.vjp(np.linalg.inv),
        eg.hvp(lambda x: np.linalg.slogdet(x)[1]),
        eg.hvp(lambda x: T[0] @ np.linalg.solve(x, T[1])),
    ],
    ids=["jvp", "vjp", "hvp", "hvp of a solve"],
)
def test_a_jacobian_that_is_an_outer_product_is_not_written_out_to_be_multiplied(product):
    """``Y V Y``, never ``(Y x Y) V``: called, within a function, and of symbols."""
    x, v = RNG.normal(size=(N, N)) + 5 * np.eye(N), RNG.normal(size=(N, N))
    symbols = eg.variable("X", (N, N)), eg.variable("V", (N, N))
    within = written(product).plan(x, v)
    for plan in (product.plan(x, v), within, eg.compile(product(*symbols))):
        assert plan.flops <= 8 * N**3
        assert_close(plan(x, v), product(x, v))


def test_products_in_several_arguments():
    """A tuple of argnums takes, or gives, a tuple; the mixed parts of the Hessian are included."""

    def f(a, b, scale):
        return scale * np.sin(a) @ (b * b)

    a, b, u, v = RNG.normal(size=(4, 3))
    by_a, by_b = eg.jacobian(f, (0, 1))(a, b, 2.0)
    assert_close(eg.jvp(f, (0, 1))(a, b, 2.0, (u, v)), by_a @ u + by_b @ v)
    assert_close(eg.jvp(f, 1)(a, b, 2.0, v), by_b @ v)
    for actual, expected in zip(eg.vjp(f, (0, 1))(a, b, 2.0, 3.0), (by_a, by_b), strict=True):
        assert_close(actual, 3 * expected)
    (aa, ab), (ba, bb) = eg.hessian(f, (0, 1))(a, b, 2.0)
    first, second = eg.hvp(f, (0, 1))(a, b, 2.0, (u, v))
    assert_close(first, aa @ u + ab @ v)
    assert_close(second, ba @ u + bb @ v)


def test_products_of_nested_arguments_and_results():
    """Tangents are nested as the argument is, cotangents as the result is."""

    def f(p):
        return {"s": p["a"] * p["b"], "t": [p["a"].sum()]}

    p = {"a": RNG.normal(size=3), "b": RNG.normal(size=3)}
    v = {"a": RNG.normal(size=3), "b": RNG.normal(size=3)}
    out = eg.jvp(f)(p, v)
    assert_close(out["s"], p["a"] * v["b"] + v["a"] * p["b"])
    assert_close(out["t"][0], v["a"].sum())
    w = {"s": RNG.normal(size=3), "t": [2.0]}
    back = eg.vjp(f)(p, w)
    assert_close(back["a"], w["s"] * p["b"] + 2)
    assert_close(back["b"], w["s"] * p["a"])


def test_products_differentiate_again():
    """grad of a jvp, jvp of a jvp: traced like any function."""
    x, u, v = RNG.normal(size=(3, 4))

    def f(x):
        return np.sum(np.sin(x) * x[::-1])

    third = eg.derivative(f, 3)(x)
    product = eg.grad(lambda x: eg.jvp(lambda x: eg.jvp(f)(x, u))(x, v))(x)
    assert_close(product, np.einsum("ijk,j,k->i", third, u, v))


@pytest.mark.parametrize("product", [eg.jvp, eg.vjp, eg.hvp])
def test_a_tangent_of_another_shape_is_an_error(product):
    x = np.ones(3)
    with pytest.raises(ShapeError, match=r"has shape \(2,\).* \(3,\)"):
        product(np.sin)(x, np.ones(2))
    with pytest.raises(ShapeError, match="nested as"):
        product(np.sin)(x, (x, x))


@pytest.mark.parametrize("product", [eg.jvp, eg.vjp, eg.hvp])
def test_a_missing_tangent_is_named(product):
    """In the words of the user's call, not by the number it has inside."""
    x = np.ones(3)
    role = "cotangent" if product is eg.vjp else "tangent"
    call = rf"call {product.__name__}\(f\)\(x, v\), the {role} v after all arguments of f"
    for f, args in ((np.sin, (x,)), (np.multiply, (x, x)), (lambda a, b: a * b, (x, x)), (abs, ())):
        with pytest.raises(ShapeError, match=rf"the {role} is missing.*{call}"):
            product(f)(*args)
    with pytest.raises(ShapeError, match=rf"argument 2, but the call has 2 .* before the {role};"):
        product(lambda a, b: a * b, 2)(x, x, x)
    with pytest.raises(ShapeError, match=r"argument -3, but the call has 2"):
        product(lambda a, b: a * b, -3)(x, x, x)


def test_a_tangent_of_another_nesting_is_shown():
    """Both nestings, and what makes an array of a list."""
    x = np.ones(3)
    with pytest.raises(ShapeError, match=r"array, not \[array, array, array\]; np.array makes an"):
        eg.jvp(np.sin)(x, [1.0, 2.0, 3.0])
    with pytest.raises(ShapeError, match=r"\{'a': array\}, not \{'b': array\}$"):
        eg.jvp(lambda p: p["a"])({"a": x}, {"b": x})


# Sweeps that are found again ---------------------------------------------------------------------

AGAIN = {
    "jvp": eg.jvp(network),
    "vjp": eg.vjp(network),
    "hvp": eg.hvp(loss),
    "a derivative of a derivative": eg.grad(lambda x, v: eg.grad(loss)(x) @ v),
    "a product of a product": eg.jvp(lambda x: eg.jvp(network)(x, x)),
    "by the user": eg.derivative(lambda x, v: eg.jacobian(network)(x) @ v, 0),
}


@pytest.fixture
def sweeps(monkeypatch):
    """Names of what derives, once per call of it."""
    made = []
    for module, names in (
        (_directional, ("derive", "pushforward", "pullback")),
        (_derivative, ("derive",)),
    ):
        for name in names:
            function = getattr(module, name)
            monkeypatch.setattr(
                module, name, lambda *a, f=function, n=name, **k: made.append(n) or f(*a, **k)
            )
    return made


@pytest.mark.parametrize("name", AGAIN)
def test_a_second_call_derives_nothing(name, sweeps):
    """At another point, with another tangent; the first call does."""
    product = AGAIN[name]
    eg.cache_clear()
    x, v = RNG.normal(size=(2, N))
    first = product(x, v)
    assert sweeps
    sweeps.clear()
    second = product(v, x)
    again = product(x, v)
    assert not sweeps
    np.testing.assert_array_equal(first, again)
    assert np.any(first != second)
    np.testing.assert_array_equal(product.plan(v, x)(v, x), second)


def test_few_sweeps_are_kept(monkeypatch):
    """Each may be a large graph; `cache_clear` forgets them."""
    MOST_SWEEPS.replace(monkeypatch, 3)
    eg.cache_clear()
    x = np.ones(2)
    for k in range(2, 10):
        np.testing.assert_array_equal(eg.vjp(lambda x, k=k: x**k)(x, x), k * x)
        assert 1 <= sweeps_kept() <= 3
    eg.cache_clear()
    assert not sweeps_kept()


def test_a_product_of_another_function_or_tangent_is_derived_anew():
    """The function may change between calls, the tangent may be of another dtype or a number."""
    state = {"power": 2}
    x, v = np.array([1.0, 2.0]), np.array([1.0, 10.0])
    product = eg.hvp(lambda x: (x ** state["power"]).sum())
    np.testing.assert_array_equal(product(x, v), 2 * v)
    state["power"] = 3
    np.testing.assert_array_equal(product(x, v), 6 * x * v)
    np.testing.assert_array_equal(product(x, v * 1j), 6j * x * v)
    np.testing.assert_array_equal(product(x, v.astype(np.float32)), 6 * x * v)
    both = eg.jvp(lambda x, y: x * y, (0, 1))
    np.testing.assert_array_equal(both(x, x, (v, v)), 2 * x * v)
    np.testing.assert_array_equal(both(x, x, (v, 0 * v)), x * v)
    same = eg.jvp(lambda x: x * x)
    np.testing.assert_array_equal(eg.derivative(lambda x: same(x, x), 0)(x), 2 * x * x)


# Contractions that a user writes --------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_written_contraction_costs_what_the_product_costs(name):
    """Multiplied by the user, on either side: as cheap as jvp and vjp, and the same numbers."""
    f, x, v, w = case(name)
    first = written(lambda x, v: np.tensordot(eg.jacobian(f)(x), v, v.ndim))
    last = written(lambda x, w: np.tensordot(w, eg.jacobian(f)(x), w.ndim))
    assert_close(first(x, v), eg.jvp(f)(x, v))
    assert_close(last(x, w), eg.vjp(f)(x, w))
    assert first.plan(x, v).flops <= 1.5 * eg.jvp(f).plan(x, v).flops
    assert last.plan(x, w).flops <= 1.5 * eg.vjp(f).plan(x, w).flops


@pytest.mark.parametrize("name", ["loss", "logsumexp", "pairwise", "factorisation"])
def test_a_written_hessian_product_costs_what_hvp_costs(name):
    f, x, v, _ = case(name)
    product = written(lambda x, v: np.tensordot(eg.hessian(f)(x), v, v.ndim))
    assert_close(product(x, v), eg.hvp(f)(x, v))
    assert product.plan(x, v).flops <= 1.35 * eg.hvp(f).plan(x, v).flops


def test_the_cost_of_a_product_is_linear_in_the_depth():
    """Forward, backward, and of the Hessian: each sum of a residual network is opened once."""
    contractions = {
        "forward": lambda f, x, v: eg.jacobian(f)(x) @ v,
        "backward": lambda f, x, v: v @ eg.jacobian(f)(x),
        "Hessian": lambda f, x, v: eg.hessian(lambda x: np.sum(f(x) ** 2))(x) @ v,
    }
    x = RNG.normal(size=N)
    for contraction in contractions.values():
        flops = []
        for depth in (4, 8, 16):
            weights = RNG.normal(size=(depth, N, N)) / 5

            def f(x, weights=weights):
                for w in weights:
                    x = x + np.tanh(w @ x)
                return x

            flops.append(written(lambda x, v: contraction(f, x, v)).plan(x, x).flops)  # noqa: B023
        assert flops[2] - flops[1] <= 2.2 * (flops[1] - flops[0])


BLOCKS = {
    "one entry of the result": lambda d: d[3],
    "a slice of the result": lambda d: d[2:4],
    "one column": lambda d: d[:, 3],
    "the sum over the result": lambda d: d.sum(0),
    "one entry": lambda d: d[3, 4],
}


@pytest.mark.parametrize("name", ["network", "residual", "gated"])
@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS.keys())
def test_a_block_is_not_cut_out_of_the_whole(block, name):
    f, x, _, w = case(name)
    contraction = written(lambda x: block(eg.jacobian(f)(x)))
    assert_close(contraction(x), block(eg.jacobian(f)(x)))
    assert contraction.plan(x).flops <= 2.2 * eg.vjp(f).plan(x, w).flops
    assert contraction.plan(x).flops < eg.jacobian(f).plan(x).flops / 3


DIAGONALS = {
    "diagonal blocks": ("iaib->iab", 64),  # the squares are added as NumPy does: 3 N**2 more
    "diagonal": ("iaia->ia", 40),
    "Laplacian": ("iaia->", 40),
    "products": ("iajb,jb->ia", 60),
}


@pytest.mark.parametrize(("subscripts", "factor"), DIAGONALS.values(), ids=DIAGONALS.keys())
def test_diagonals_of_a_hessian_need_no_hessian(subscripts, factor):
    """Of pairwise distances: quadratic in the number of points, and nothing of the whole size."""
    f, x, v, _ = case("pairwise")
    given = (v,) if "," in subscripts else ()
    contraction = written(lambda x, *v: np.einsum(subscripts, eg.hessian(f)(x), *v))
    assert_close(contraction(x, *given), np.einsum(subscripts, eg.hessian(f)(x), *given))
    plan = contraction.plan(x, *given)
    assert plan.flops <= factor * N**2 + 1000
    assert max(s.bytes for s in plan.program.statements) <= 8 * 3 * N**2


def test_entries_of_an_inverse_are_two_rows():
    """``-X^-1 (d/dX) X^-1``, an outer product: one entry needs n^2 of its n^4 products."""
    x = RNG.normal(size=(N, N)) + 5 * np.eye(N)
    entry = written(lambda x: eg.jacobian(np.linalg.inv)(x)[1, 2])
    assert_close(entry(x), eg.jacobian(np.linalg.inv)(x)[1, 2])
    assert entry.plan(x).flops - written(np.linalg.inv).plan(x).flops <= 3 * N**2


def test_a_matrix_of_tangents_is_many_products():
    """The cheaper side first: two results are differentiated backward, ten tangents or not."""
    x, tangents = RNG.normal(size=N), RNG.normal(size=(N, 10))

    def few(x):
        return residual(x)[:2]

    for f in (residual, few):
        product = written(lambda x, v: eg.jacobian(f)(x) @ v)  # noqa: B023
        assert_close(product(x, tangents), eg.jacobian(f)(x) @ tangents)
    backward = eg.jacobian(few).plan(x).flops
    assert product.plan(x, tangents).flops <= backward + 2 * 2 * N * 10 + 100


def test_contractions_of_symbols():
    """Of expressions too, where the arrays come last."""
    x, v = eg.variable("X", (4, 4)), eg.variable("V", (4, 4))
    derivative = eg.differentiate(np.linalg.inv(x), x)
    plan = eg.compile(np.einsum("ijkl,kl->ij", derivative, v))
    a, b = RNG.normal(size=(2, 4, 4))
    inverse = np.linalg.inv(a)
    assert_close(plan(a, b), -inverse @ b @ inverse)
    assert max(s.bytes for s in plan.program.statements) <= 8 * 4**2


PARTS = {
    "block": lambda d: d[0],
    "blocks": lambda d: d[0, 0],
    "entry": lambda d: d[1, 2, 3, 0],
    "diagonal": lambda d: np.einsum("ijij->ij", d),
    "trace": eg.trace,
    "transpose": lambda d: eg.transpose(d)[0],
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS.keys())
def test_a_part_of_a_symbolic_derivative_is_not_cut_out_of_the_whole(part):
    """Of symbols as of a function: what is not asked for is not computed."""
    x, a = eg.variable("X", (N, N)), RNG.normal(size=(N, N)) + 5 * np.eye(N)
    plan = eg.compile(part(eg.differentiate(np.linalg.inv(x), x)))
    assert_close(plan(a), part(eg.jacobian(np.linalg.inv)(a)))
    assert plan.flops == written(lambda x: part(eg.jacobian(np.linalg.inv)(x))).plan(a).flops
    assert max(s.bytes for s in plan.program.statements) <= 8 * N**3


def test_a_derivative_contracted_twice_is_read_from_both_sides():
    """``w J v`` is a number, at the cost of one product."""
    f, x, v, w = case("residual")
    product = written(lambda x, v, w: w @ eg.jacobian(f)(x) @ v)
    assert_close(product(x, v, w), w @ eg.jvp(f)(x, v))
    assert product.plan(x, v, w).flops <= 1.2 * eg.jvp(f).plan(x, v).flops + 2 * N


def test_the_gradient_of_a_contraction_is_cheap():
    """Of ``|J v|^2``: the contraction is settled before it is differentiated."""
    f, x, v, _ = case("residual")
    gradient = eg.grad(lambda x: np.sum((eg.jacobian(f)(x) @ v) ** 2))
    hand = eg.grad(lambda x: np.sum(eg.jvp(f)(x, v) ** 2))
    assert_close(gradient(x), hand(x))
    assert gradient.plan(x).flops <= 1.2 * hand.plan(x).flops


def test_a_sum_of_the_users_stays_a_sum():
    """``(A B - C) v``: his cancellation is his; only what differentiation added is opened."""
    a, b, c = RNG.normal(size=(3, N, N))

    def product(a, b, v):
        return (a @ b - c) @ v + eg.jacobian(np.sin)(v) @ v

    plan = written(product).plan(a, b, c[0])
    assert any(
        isinstance(s.kernel, kernels.Add) and s.shape == (N, N) for s in plan.program.statements
    )


def test_a_deep_network_is_pushed_through_without_recursion():
    def deep(x):
        for _ in range(1500):
            x = x + 0.001 * np.sin(x)
        return x

    x = RNG.normal(size=2)
    product = written(lambda x: eg.jacobian(deep)(x) @ np.ones(2))
    assert_close(product(x), eg.jvp(deep)(x, np.ones(2)))


@st.composite
def contractions(draw, axes):
    """Subscripts over a tensor: some axes kept, some tied, some met by arrays."""
    letters = [draw(st.sampled_from("abcdefgh")) for _ in range(len(axes))]
    sizes = dict(zip(letters, axes, strict=True))
    assume(all(sizes[i] == n for i, n in zip(letters, axes, strict=True)))
    others = draw(st.lists(st.lists(st.sampled_from(sorted(sizes)), max_size=2), max_size=2))
    kept = draw(st.lists(st.sampled_from(sorted(sizes)), unique=True))
    terms = ["".join(t) for t in ([letters, *others] if sizes else [letters])]
    return ",".join(terms) + "->" + "".join(kept), [tuple(sizes[i] for i in t) for t in terms[1:]]


@given(case=functions(most_steps=4, largest=12), order=st.integers(1, 2), data=st.data())
def test_any_contraction_is_that_of_the_array(case, order, data):
    f, shape = case
    x = point(shape, 1)
    dense = eg.derivative(f, order)(x)
    assume(dense.ndim <= 5)
    subscripts, shapes = data.draw(contractions(dense.shape)) if dense.ndim else ("->", [])
    arrays = [point(s, n) for n, s in enumerate(shapes)]
    contraction = written(lambda x: np.einsum(subscripts, eg.derivative(f, order)(x), *arrays))
    assert_close(contraction(x), np.einsum(subscripts, dense, *arrays))


# One plan for several orders --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["loss", "logsumexp", "pairwise", "factorisation"])
def test_value_gradient_and_hessian_share_their_intermediates(name):
    f, x, _, _ = case(name)
    together = eg.value_and_derivatives(f, 2)
    for actual, order in zip(together(x), range(3), strict=True):
        assert_close(actual, eg.derivative(f, order)(x))
    separate = [eg.derivative(f, order).plan(x).flops for order in range(3)]
    assert together.plan(x).flops < sum(separate)


def test_several_outputs_of_symbols_share_their_intermediates():
    x = eg.variable("X", (N, N))
    y = np.log(np.linalg.det(x))
    outputs = (y, eg.differentiate(y, x), eg.differentiate(y, x, 2))
    together = eg.compile(outputs)
    assert together.flops < sum(eg.compile(output).flops for output in outputs)


@pytest.mark.parametrize("order", [-1, 1.0, True, None])
def test_an_order_that_is_none_is_an_error(order):
    with pytest.raises(ValueError, match=f"at least 0, not {order!r}"):
        eg.value_and_derivatives(np.sin, order)


def test_a_plan_does_not_depend_on_what_was_differentiated_before():
    """A sum that the user wrote stays a sum, though an earlier derivative was the same sum."""
    x, v = RNG.normal(size=(2, N))

    def own(x):
        return (W[0] * x[:, None] + np.diag(W[0] @ x)) @ v

    before = written(own).plan(x).source
    eg.cache_clear()
    written(lambda x: eg.jacobian(lambda y: y * (W[0] @ y))(x) @ v)(x)
    assert written(own).plan(x).source == before
    eg.cache_clear()
    assert written(own).plan(x).source == before


WIDER = {
    "elementwise": lambda x: x**3,
    "sum": lambda x: (x**3).sum(),
    "norm": np.linalg.norm,
    "product": np.prod,
    "cumulative": np.cumsum,
    "quadratic": lambda x: x @ np.ones((3, 3)) @ x,
    "select": lambda x: np.where(x > 1.5, x**2, np.sin(x)).sum(),
}


@pytest.mark.parametrize("name", WIDER)
@pytest.mark.parametrize("dtype", [np.complex128, np.float64])
def test_a_tangent_of_a_wider_dtype_widens_the_product(name, dtype):
    """A complex tangent lost its imaginary part wherever the sweep met an elementwise function."""
    f, x = WIDER[name], np.array([1.0, 2.0, 3.0])
    x = x if dtype is np.complex128 else x.astype(np.float32)
    v = np.array([1.0, -2.0, 0.5]).astype(dtype) * (1 + 2j if dtype is np.complex128 else 1)
    along = eg.jvp(f)(x, v)
    assert along.dtype == dtype
    assert_close(along, eg.jacobian(f)(x) @ v, rtol=1e-5)
    if np.ndim(f(x)) == 0:
        product = eg.hvp(f)(x, v)
        assert product.dtype == dtype
        assert_close(product, eg.hessian(f)(x) @ v, rtol=1e-5)


def test_one_wider_tangent_widens_all_outputs():
    """Also one that is an argument itself, or depends on another argument alone."""
    x = np.ones(2, np.float32)
    along = eg.jvp(lambda a, b: (a, b, 2 * b), (0, 1))(x, x, (x * 1j, x))
    assert {result.dtype for result in along} == {np.result_type(x * 1j)}
