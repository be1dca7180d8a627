"""Checks for users: identities of their own."""

import numpy as np
import pytest

import eingrad as eg
from eingrad.errors import DTypeError, ShapeError

inv, det = np.linalg.inv, np.linalg.det


def _inverse_derivative(X):
    return eg.differentiate(inv(X), X)


def _at_square(value, form):
    """Compare the derivative of a function of a square matrix with a form for it."""
    return lambda X: eg.differentiate(value(X), X), form, {"X": "DD"}


def _least_squares(form):
    value = lambda x, A, s, W: eg.differentiate((x - A @ s) @ W @ (x - A @ s), s)  # noqa: E731
    return value, form, {"x": "D", "A": "DE", "s": "E", "W": "DD"}


MISTAKES = {
    "5.99, not transposed": _at_square(lambda X: (X @ X).T, lambda X: eg.differentiate(X @ X, X)),
    "5.100, the whole in place of the trace": _at_square(
        lambda X: np.trace(X @ X), lambda X: np.einsum("ijkl->kl", eg.differentiate(X @ X, X))
    ),
    "5.101, inverse transposed": _at_square(det, lambda X: det(X) * inv(X)),
    "5.101, without det": _at_square(det, lambda X: inv(X).T),
    "5.102, sign": _at_square(inv, lambda X: np.einsum("ik,lj->ijkl", inv(X), inv(X))),
    "5.102, a swapped index": _at_square(inv, lambda X: -np.einsum("ik,jl->ijkl", inv(X), inv(X))),
    "5.103, without transposes": (
        lambda a, b, X: eg.differentiate(a @ inv(X) @ b, X),
        lambda a, b, X: -eg.product(inv(X), a[:, None], b[None, :], inv(X)),
        {"a": "D", "b": "D", "X": "DD"},
    ),
    "5.106, outer product the wrong way": (
        lambda a, b, X: eg.differentiate(a @ X @ b, X),
        lambda a, b, X: np.outer(b, a),
        {"a": "D", "b": "D", "X": "DD"},
    ),
    "5.107, twice in place of the transpose": (
        lambda x, B: eg.differentiate(x @ B @ x, x),
        lambda x, B: 2 * x @ B,
        {"x": "D", "B": "DD"},
    ),
    "5.108, a missing factor 2": _least_squares(lambda x, A, s, W: -(x - A @ s) @ W @ A),
    "5.108, W not symmetric": _least_squares(lambda x, A, s, W: -2 * (x - A @ s) @ W @ A),
    "product rule, one term": _at_square(
        lambda X: X @ X, lambda X: eg.product(X, eg.differentiate(X, X))
    ),
}


@pytest.mark.parametrize(("lhs", "rhs", "shapes"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_plausible_mistake_yields_a_small_counterexample(lhs, rhs, shapes):
    """With simple entries, of small size, where the two sides really differ."""
    check = eg.check_identity(lhs, rhs, shapes=shapes)
    assert not check
    assert not check.proved
    assert set(check.counterexample) <= set(shapes)
    assert max(max(a.shape, default=1) for a in check.counterexample.values()) <= 3
    assert np.max(np.abs(check.values[0] - check.values[1])) > 1e-3
    symbols = _symbols_of(check.counterexample, shapes)
    for side, value in zip((lhs, rhs), check.values, strict=True):  # again, from what is reported
        plan = eg.compile(side(*symbols))
        again = plan(**{n: check.counterexample[n] for n in plan.inputs})
        np.testing.assert_allclose(again, value, atol=1e-12)
    assert str(check).startswith("fails: the sides differ by")


def _symbols_of(arrays, shapes):
    """Symbols of the shapes of arrays; sizes of those that are missing are known from the rest."""
    sizes = {}
    for name, array in arrays.items():
        sizes |= zip(shapes[name], array.shape, strict=True)
    return [eg.variable(name, [sizes[n] for n in shape]) for name, shape in shapes.items()]


def test_counterexamples_have_simple_entries():
    """Each entry that can be 0, 1, -1 or 2 is."""
    lhs, rhs, shapes = MISTAKES["5.107, twice in place of the transpose"]
    check = eg.check_identity(lhs, rhs, shapes=shapes)
    entries = np.concatenate([a.ravel() for a in check.counterexample.values()])
    assert set(entries) <= {0.0, 1.0, -1.0, 2.0}


def test_true_identities_are_proved_for_several_sizes():
    """The smallest first; sizes of one included."""
    check = eg.check_identity(
        lambda A, B: np.trace(A @ B), lambda A, B: np.trace(B @ A), shapes={"A": "DE", "B": "ED"}
    )
    assert check
    assert check.proved
    assert {"D": 1, "E": 1} in check.sizes
    assert any(sizes["D"] != sizes["E"] for sizes in check.sizes)


def test_what_has_no_proof_is_compared_at_points():
    """``sin^2 + cos^2 = 1`` is not among the laws."""
    check = eg.check_identity(
        lambda x: np.sin(x) ** 2 + np.cos(x) ** 2, lambda x: x - x + 1, shapes={"x": "D"}, points=7
    )
    assert check
    assert not check.proved
    assert check.points == 7 * len(check.sizes)
    assert check.largest_error < 1e-14
    assert str(check).startswith("agrees at 21 random points for D=1; D=2; D=3; largest error")


def test_expressions_are_compared_at_their_own_shapes():
    """Opaque functions among the symbols: their tensors are drawn symmetric."""
    X = eg.variable("X", (2, 3))
    F = eg.function("F", X, shape=(2, 2))
    lhs = eg.differentiate(np.sin(np.trace(F)), X, 2)
    d2, d1 = eg.trace(eg.differentiate(F, X, 2)), eg.trace(eg.differentiate(F, X))
    t = np.trace(F)
    good = np.cos(t) * d2 - np.sin(t) * np.multiply.outer(d1, d1)
    assert eg.check_identity(lhs, good).proved
    bad = eg.check_identity(lhs, np.cos(t) * d2)
    assert not bad
    second = bad.counterexample["d2F_dX_dX"]
    np.testing.assert_array_equal(second, second.transpose(0, 1, 4, 5, 2, 3))


def test_points_outside_the_domain_are_not_counted():
    """``log`` of what may be negative; positive points are tried then."""
    check = eg.check_identity(
        lambda x: np.log(x * x), lambda x: 2 * np.log(x), shapes={"x": "D"}, points=5
    )
    assert check.points == 5 * len(check.sizes)
    with pytest.raises(
        ValueError, match=r"finite at none of 10 random points \(one alone is at 10\); give sample="
    ):
        eg.check_identity(lambda x: np.log(-1 - x * x), lambda x: x, shapes={"x": "D"}, points=5)


def test_own_samples():
    """The domain of the user's own."""
    check = eg.check_identity(
        lambda x: np.sqrt(x * x), lambda x: x, shapes={"x": "D"},
        sample=lambda rng, name, shape: rng.uniform(1, 2, size=shape),
    )  # fmt: skip
    assert check
    assert not eg.check_identity(lambda x: np.sqrt(x * x), lambda x: x, shapes={"x": "D"})


def test_wrong_statements_are_refused():
    """With what is missing."""
    x = eg.variable("x", 3)
    with pytest.raises(ShapeError, match=r"the left side has shape \(3,\) but the right side \(\)"):
        eg.check_identity(x, x @ x)
    with pytest.raises(ValueError, match="sides that are functions need shapes"):
        eg.check_identity(np.sin, np.cos)
    with pytest.raises(ValueError, match="shapes are for sides that are functions"):
        eg.check_identity(x, x, shapes={"x": "D"})


SMALLEST = {
    "holds for 1 x 1 and 2 x 2 matrices": (
        lambda A: (A - A.T) @ (A - A.T),
        lambda A: 0.5 * np.trace((A - A.T) @ (A - A.T)) * np.eye(len(A)),
        {"A": "DD"},
    ),
    "small multiples": (lambda x: 1e-9 * x, lambda x: 2e-9 * x, {"x": "D"}),
    "small everywhere": (lambda x: np.exp(-25 - x * x), lambda x: 0 * x, {"x": "D"}),
    "a sign of the determinant": (lambda A: np.sqrt(det(A) ** 2), det, {"A": "DD"}),
    "a sign of the trace": (lambda A: np.abs(np.trace(A)), np.trace, {"A": "DD"}),
    "differ at zero": (lambda x: np.sign(x) ** 2, lambda x: x - x + 1, {"x": "D"}),
    "a number for a determinant": (det, lambda A: 1.0, {"A": "DD"}),
    "integers for a matrix": (
        lambda A: inv(A) @ A @ A,
        lambda A: np.eye(len(A), dtype=int),
        {"A": "DD"},
    ),
}


@pytest.mark.parametrize(("lhs", "rhs", "shapes"), SMALLEST.values(), ids=SMALLEST.keys())
def test_statements_that_hold_almost_everywhere_are_refuted(lhs, rhs, shapes):
    """At few sizes, at points of one sign, or but for a small quantity."""
    assert not eg.check_identity(lhs, rhs, shapes=shapes)


ROUNDED = {
    "a difference of equal numbers": (
        lambda x: np.sin(x) ** 2 + np.cos(x) ** 2 - 1,
        lambda x: 0 * x,
        {"x": "D"},
    ),
    "large numbers cancel": (
        lambda x: (np.sin(x) ** 2 + 1e6) + (np.cos(x) ** 2 - 1e6) - 1,
        lambda x: 0 * x,
        {"x": "D"},
    ),
    "a sum of products cancels": (
        lambda A, x: x @ (np.exp(A) - np.exp(A).T) @ x * np.exp(x[0]),
        lambda A, x: 0 * x[0],
        {"A": "DD", "x": "D"},
    ),
    "inverses of singular matrices": (
        lambda A: np.exp(np.linalg.slogdet(inv(A))[1]),
        lambda A: 1 / np.abs(det(A)),
        {"A": "DD"},
    ),
}


@pytest.mark.parametrize(("lhs", "rhs", "shapes"), ROUNDED.values(), ids=ROUNDED.keys())
@pytest.mark.parametrize("seed", range(5))
def test_rounding_is_no_counterexample(lhs, rhs, shapes, seed):
    """Where terms cancel, and next to matrices of zeros and ones."""
    check = eg.check_identity(lhs, rhs, shapes=shapes, seed=seed)
    assert check, check


def test_complex_symbols_are_compared_at_complex_points():
    """Beyond the principal branch, where the real axis shows nothing."""
    z = eg.variable("z", (), complex)
    assert not eg.check_identity(np.sqrt(z**4), z**2)
    assert not eg.check_identity(np.log(np.exp(z)), z)
    assert eg.check_identity(np.exp(1j * z), np.cos(z) + 1j * np.sin(z))


def test_single_precision_is_compared_to_its_precision():
    """Samples of the symbol's dtype."""
    x = eg.variable("x", 3, np.float32)
    check = eg.check_identity(np.exp(x) * np.exp(x), np.exp(2 * x))
    assert check
    assert 0 < check.largest_error < 1e-5
    assert not eg.check_identity(np.exp(x) * np.exp(x), 1.01 * np.exp(2 * x))


def test_arrays_and_numbers_are_sides():
    """Where the other is an expression, or both are."""
    assert eg.check_identity(lambda A: inv(A) @ A, lambda A: np.eye(len(A)), shapes={"A": "DD"})
    x = eg.variable("x", 2)
    assert eg.check_identity(x - x + 1, np.ones(2, int))
    assert eg.check_identity(lambda x: x - x + 1, lambda x: np.ones(3), shapes={"x": 3})
    assert not eg.check_identity(1.0, 2)


def test_the_verdict_is_given_for_each_size():
    """Proved for some, compared for others."""
    check = eg.check_identity(
        lambda A: np.sin(A) ** 2 * (len(A) - 1) + A,
        lambda A: (1 - np.cos(A) ** 2) * (len(A) - 1) + A,
        shapes={"A": "DD"},
        points=4,
    )
    assert check.proofs == (True, False, False)
    assert str(check).startswith(
        "proved for D=1; agrees at 8 random points for D=2; D=3; largest error "
    )


def test_wrong_arguments_are_refused_by_name():
    """With what was given."""
    x = eg.variable("x", 2)
    square, same = lambda x: np.exp(x) ** 2, lambda x: np.exp(x + x)
    with pytest.raises(ValueError, match=r"left side is a function but the right side is 1\.0; "):
        eg.check_identity(square, 1.0, shapes={"x": "D"})
    with pytest.raises(DTypeError, match="the left side has dtype bool; floats are compared"):
        eg.check_identity(x > 0, x > 0)
    with pytest.raises(DTypeError, match="the left side is of type tuple; a side is one"):
        eg.check_identity((x, x), (x, x))
    with pytest.raises(ValueError, match="points must be an integer of at least 1, not 0"):
        eg.check_identity(x, x, points=0)
    with pytest.raises(ValueError, match=r"the shape of x is 1\.5; a shape is letters and"):
        eg.check_identity(square, same, shapes={"x": 1.5})
    with pytest.raises(ShapeError, match=r"sample\(rng, 'x', \(2,\)\) returned shape \(1,\)"):
        eg.check_identity(square, same, shapes={"x": 2}, sample=lambda *_: [1.0])
    with pytest.raises(DTypeError, match=r"returned dtype complex128; x is float64"):
        eg.check_identity(square, same, shapes={"x": 2}, sample=lambda *_: [1j, 1])


# Large constants, large counterexamples


def _large(dtype, *shape):
    rng = np.random.default_rng(7)
    if dtype is bool:
        return rng.random(shape) > 0.5
    if dtype is int:
        return rng.integers(0, 9, shape)
    values = rng.normal(size=shape) + 2
    return (values * (1 + 1j) if np.dtype(dtype).kind == "c" else values).astype(dtype)


def _constant_sides(C, D):
    """Pairs that are equal and have no proof, and that are not; constants on one side or both."""
    return (
        (lambda x: np.exp(x) ** 2 * C, lambda x: np.exp(2 * x) * C),
        (lambda x: np.exp(x) ** 2 * C + D, lambda x: D + np.exp(2 * x) * C),
        (lambda x: np.sin(x) ** 2 + np.cos(x) ** 2 + 0 * C, lambda x: 1 + 0 * (C * x)),
        (lambda x: np.where(C > 0, np.exp(x) ** 2, x), lambda x: np.where(C > 0, np.exp(2 * x), x)),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["x", "c0", "c1", "out", "self"])
@pytest.mark.parametrize("dtype", [float, np.float32, complex, bool, int])
@pytest.mark.parametrize("size", [3, 65, 100])
def test_constants_of_every_size_and_dtype_may_stand_in_a_side(name, dtype, size):
    """Also where a symbol has the name that a plan gives to a large constant."""
    C, D = _large(dtype, size), _large(float, size)
    for left, right in _constant_sides(C, D):
        x = eg.variable(name, size)
        check = eg.check_identity(left(x), right(x), points=3)
        assert check, check
        wrong = eg.check_identity(left(x), right(2 * x), points=3)
        if "cos" not in left.__code__.co_names:  # sin^2 + cos^2 is 1 for every x
            assert set(wrong.counterexample) == {name}
            assert wrong.counterexample[name].shape == (size,)
        by_size = {name: (size,)}
        check = eg.check_identity(
            lambda v, left=left: left(v), lambda v, right=right: right(v), shapes=by_size, points=2
        )
        assert check, check


def test_tables_of_indices_and_masks_may_stand_in_a_side():
    """Of more entries than a plan writes out."""
    table, mask = np.random.default_rng(0).integers(0, 90, 200), _large(bool, 20, 20)
    x, X = eg.variable("c0", 90), eg.variable("X", (20, 20))
    assert eg.check_identity(np.exp(x)[table] ** 2, np.exp(2 * x[table]))
    assert not eg.check_identity(np.exp(x)[table] ** 2, np.exp(2 * x[table[::-1]]))
    assert eg.check_identity(np.where(mask, np.exp(X) ** 2, X), np.where(mask, np.exp(2 * X), X))
    assert not eg.check_identity(np.where(mask, X, 0.0), np.where(mask, X.T, 0.0))
    assert eg.check_identity(np.exp(X)[mask] ** 2, np.exp(2 * X[mask]))
    assert not eg.check_identity(_large(float, 100), _large(float, 100) + 1e-3)


def test_the_report_of_a_large_counterexample_is_short():
    """The entries that differ most, largest first; the arrays are kept whole."""
    x, C = eg.variable("x", 1000), np.linspace(-1, 1, 1000)
    check = eg.check_identity(np.exp(x) * C, np.exp(x) * (C + 0.01 * C**2))
    lines = str(check).split("\n")
    assert lines[1] == "  x = shape (1000,), all entries 0"
    assert lines[2] == "  of 1000 entries, of shape (1000,), 998 differ; those that differ most:"
    assert [line.split()[0] for line in lines[4:]] == ["[0]", "[999]", "[1]", "[998]", "[2]"]
    assert lines[4].split()[1:] == ["-1", "-0.99", "-0.01"]
    assert check.counterexample["x"].shape == (1000,)
    assert [value.shape for value in check.values] == [(1000,)] * 2


def _of(name, shape, sides):
    return sides(eg.variable(name, shape))


def _opaque_sides():
    X = eg.variable("X", (8, 8))
    F = eg.function("F", X, shape=(10, 10))
    d = eg.differentiate(inv(F), X)
    return d, np.einsum("ijkl->jikl", d)


LARGE = {
    "one entry": lambda: _of("w", (30, 30), lambda w: (w[3, 4], w[4, 3])),
    "matrices": lambda: _of("A", (60, 60), lambda A: (np.exp(A), A)),
    "a column": lambda: (eg.variable("w", (100, 1)), np.zeros((100, 1))),
    "few entries in many rows": lambda: (eg.variable("w", (3, 3, 1)), np.zeros((3, 3, 1))),
    "many symbols": lambda: (sum(eg.variable(f"s{k}", 16) for k in range(40)), np.zeros(16)),
    "complex": lambda: (eg.variable("z", (50, 2), complex) ** 2, np.zeros((50, 2))),
    "opaque": _opaque_sides,
}  # fmt: skip


@pytest.mark.parametrize("sides", LARGE.values(), ids=LARGE.keys())
def test_no_report_is_longer_than_a_screen(sides):
    """Whatever the shapes, and how many symbols."""
    left, right = sides()
    check = eg.check_identity(left, right)
    assert not check
    lines = str(check).split("\n")
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 150


def test_points_where_one_side_alone_is_finite_are_told():
    """``log x^2 = 2 log x`` holds where both are numbers, and is no identity of real ones."""
    v = eg.variable("v", (3,))
    found = eg.check_identity(np.log(v**2), 2 * np.log(v))
    assert found.one_sided > 0
    assert f"left out {found.one_sided} points where one side alone is finite" in str(found)
    assert eg.check_identity(np.exp(v) ** 2, np.exp(2 * v)).one_sided == 0
