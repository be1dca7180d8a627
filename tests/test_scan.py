"""Scans: the loop that they stand for, to any order, with every verb."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loops import POINT as X
from loops import SHIFT as B
from loops import VECTOR as V
from loops import WEIGHTS as W
from loops import assert_alike, energy, unrolled
from reference import assert_close

import eingrad as eg
from eingrad._tree import flatten

SLICES = np.random.default_rng(1).normal(size=(3, 3))

# Random steps ------------------------------------------------------------------------------------

OPERATIONS = {
    "tanh": lambda c, x, w: np.tanh(w @ c),
    "slice": lambda c, x, w: c * x,
    "add": lambda c, x, w: c + x - 0.3,
    "constant": lambda c, x, w: c + w[0] * w[1, 1],
    "select": lambda c, x, w: np.where(x > 0, c, np.sin(c)),
    "singular": lambda c, x, w: np.where(c == 0, 1, np.sin(c) / c),
    "norm": lambda c, x, w: c / (1 + c @ c),
    "roll": lambda c, x, w: np.roll(c, 1) * c,
    "gather": lambda c, x, w: c[[0, 0, 2]] + x[::-1],
    "solve": lambda c, x, w: np.linalg.solve(3 * np.eye(3) + w * c[0] / 5, x),
    "forget": lambda c, x, w: x * w[2],
    "keep": lambda c, x, w: c,
}
OUTPUTS = {
    "none": lambda c, x, w: None,
    "carry": lambda c, x, w: c,
    "number": lambda c, x, w: np.exp(c @ x / 9),
    "slice": lambda c, x, w: {"a": x, "b": (w @ c, c[0])},
    "constant": lambda c, x, w: w,
}


def program(names, output, reverse):
    """Make a function of constants, the first carry and slices, by a way to loop."""

    def of(loop):
        def f(w, first, slices):
            def step(c, x):
                old, count = c["v"], c["n"]
                new = old
                for name in names:
                    new = OPERATIONS[name](new, x, w)
                return {"v": new, "n": count * 0.9 + new[0]}, OUTPUTS[output](old, x, w)

            carry, ys = loop(step, {"v": first, "n": 1.5}, slices, reverse=reverse)
            return carry if ys is None else (carry, ys)

        return f

    return of(eg.scan), of(unrolled)


PROGRAMS = st.builds(
    program,
    st.lists(st.sampled_from([*OPERATIONS]), min_size=1, max_size=3),
    st.sampled_from([*OUTPUTS]),
    st.booleans(),
)
ARGUMENTS = W, X, SLICES


@settings(max_examples=10)
@given(pair=PROGRAMS)
def test_a_scan_is_the_loop(pair):
    scanned, looped = pair
    expected = looped(*ARGUMENTS)
    assert_alike(scanned(*ARGUMENTS), expected)
    assert_alike(eg.plan(scanned, *ARGUMENTS)(*ARGUMENTS), expected)


@settings(max_examples=max(4, settings.default.max_examples // 12))  # six plans each
@given(pair=PROGRAMS)
def test_its_derivatives_are_those_of_the_loop(pair):
    """In constants, the first carry and slices together."""
    for order in (1, 2):
        found, expected = (eg.derivative(f, order, (0, 1, 2))(*ARGUMENTS) for f in pair)
        assert_alike(found, expected, rtol=1e-8)


@settings(max_examples=max(4, settings.default.max_examples // 12))
@given(pair=PROGRAMS)
def test_its_products_are_those_of_the_loop(pair):
    _scanned, looped = pair
    tangents = tuple(map(np.cos, ARGUMENTS))
    results, tree = flatten(looped(*ARGUMENTS))
    cotangents = tree.build(
        [np.sin(np.arange(1.0, 1 + np.size(y))).reshape(np.shape(y)) for y in results]
    )
    number = [lambda *a, f=f: sum(np.sum(np.sin(y)) for y in flatten(f(*a))[0]) for f in pair]
    for product, functions, last in [
        (eg.jvp, pair, tangents), (eg.vjp, pair, cotangents), (eg.hvp, number, tangents),
    ]:  # fmt: skip
        found, expected = (product(f, (0, 1, 2))(*ARGUMENTS, last) for f in functions)
        assert_alike(found, expected, rtol=1e-8)


@settings(max_examples=10)
@given(pair=PROGRAMS)
def test_its_series_is_that_of_the_loop(pair):
    found, expected = (
        eg.taylor(f, 3, (0, 1, 2))(*ARGUMENTS, tuple(map(np.cos, ARGUMENTS))) for f in pair
    )
    assert_alike(found, expected, rtol=1e-7)


def test_a_third_derivative_is_that_of_the_loop():
    found, expected = (eg.derivative(energy(loop), 3)(X) for loop in (eg.scan, unrolled))
    assert_close(found, expected)


@pytest.mark.parametrize("verb", [eg.grad, eg.hessian, lambda f: eg.derivative(f, 3)])
def test_nested_verbs_go_through(verb):
    """Derivatives of derivatives, contracted before they are known."""

    def nested(f):
        return lambda x: verb(f)(x).sum() + eg.jvp(f)(x, V) * (eg.hessian(f)(x) @ V)[1]

    found, expected = (eg.grad(nested(energy(loop)))(X) for loop in (eg.scan, unrolled))
    assert_close(found, expected)


def test_scans_and_derivatives_within_a_step():
    def of(loop):
        def outer(c, x):
            force = eg.grad(lambda q: np.cos(W @ q).sum() * x)

            def inner(d, _):
                return (d + 0.1 * force(d) + 0.1 * c, d[0])

            last, seen = loop(inner, c * x, length=3)
            return last, seen.sum()

        return lambda w, x: loop(outer, w * x, SLICES[:, 0])

    for order in (0, 1, 2):
        found, expected = (eg.derivative(of(f), order, (0, 1))(V, X) for f in (eg.scan, unrolled))
        assert_alike(found, expected)


def test_a_scan_within_a_select_is_not_computed_where_it_is_not_chosen():
    """No nan of the other branch: the root has an infinite slope there."""

    def f(x):
        return np.where(x > 0, eg.scan(lambda c, _: (np.sqrt(c), None), x, length=3)[0], x)

    with np.errstate(all="ignore"):
        found = eg.jacobian(f)(np.array([0.0, 4.0]))
    assert_close(found, np.diag([1.0, 0.125 * 4.0 ** (-7 / 8)]))


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_dtypes_are_kept(dtype):
    x = (X + (1j * V if dtype is np.complex128 else 0)).astype(dtype)

    def of(loop):
        return lambda x: loop(lambda c, _: (np.sin(c) * x, c[0] ** 2), x, length=3)

    for order in (1, 2):
        found, expected = (eg.derivative(of(loop), order)(x) for loop in (eg.scan, unrolled))
        assert_alike(found, expected, rtol=1e-5 if dtype is np.float32 else 1e-9)
        assert {leaf.dtype for leaf in flatten(found)[0]} == {np.dtype(dtype)}


def test_complex_tangents_of_a_real_scan():
    found, expected = (eg.jvp(energy(loop))(X, V + 1j * X) for loop in (eg.scan, unrolled))
    assert_close(found, expected)


def test_symbols_and_expressions():
    x = eg.variable("x", (3,))
    carry, ys = eg.scan(lambda c, _: (np.sin(c) * B, c[0]), x, length=3)
    found = eg.compile(eg.differentiate(carry.sum() + ys.sum(), x))(X)

    def of(x):
        return sum(part.sum() for part in unrolled(lambda c, _: (np.sin(c) * B, c[0]), x, length=3))

    assert_close(found, eg.grad(of)(X))
    assert str(ys) == "[i] = scan(x).1[i]"
    by_closure = eg.scan(lambda c, _: (c * x, None), B, length=3)[0]  # a loop: nothing is traced
    assert_close(eg.compile(by_closure)(X), B * X**3)


def test_nobody_writes_to_what_a_step_is_given_and_results_are_the_users():
    def step(c, x):
        c[0] = x[0]
        return c, None

    with pytest.raises(ValueError, match="read-only"):
        eg.scan(step, X, SLICES)
    first = X.copy()
    last, ys = eg.scan(lambda c, x: (c, c), first, SLICES)
    last[0], ys[0, 0] = 7, 8
    assert_close(first, X, rtol=0)
