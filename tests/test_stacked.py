"""Sums of outer products are one matrix product, and mirrored while it is made."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import allocated, assert_close, evaluate

import eingrad as eg
from eingrad import _ir
from eingrad._plan import pairwise, stack
from eingrad._plan.kernels import MatMul, Mirror, Outer
from eingrad._primitives import apply

N = 300
RNG = np.random.default_rng(0)
X, B = RNG.uniform(1, 2, size=N), RNG.normal(size=N)
DATA = RNG.normal(size=(9, N)) / 9


# Sums --------------------------------------------------------------------------------------------

A, C, D, E = (_ir.new_input(name, (N,)) for name in "acde")
S = _ir.new_input("s", ())
L, R = _ir.new_input("l", (3, N)), _ir.new_input("r", (3, N))
M = _ir.new_input("m", (N, N))
VALUES = {n: RNG.normal(size=n.shape) for n in (A, C, D, E, S, L, R, M)}


def rows(v):
    return _ir.einsum("i->ij", v) if v.ndim == 2 else _ir.contract([(v, (0,))], (0, 1), {1: N})


def columns(v):
    return _ir.contract([(v, (1,))], (0, 1), {0: N})


TERMS = {
    "outer": _ir.einsum("i,j->ij", A, C),
    "turned": _ir.einsum("i,j->ji", A, C),
    "of itself": _ir.einsum("i,j->ij", D, D),
    "scaled": _ir.einsum(",i,j->ij", S, D, E, coefficient=-3),
    "rows": rows(A),
    "columns": columns(E),
    "a number": _ir.contract([(S, ())], (0, 1), {0: N, 1: N}),
    "matrices": _ir.einsum("ki,kj->ij", L, R),
    "of a sum": _ir.einsum("i,j,ij->ij", A, C, _ir.add([rows(D), columns(E)], (2, -1))),
    "a matrix": M,
    "an entry by entry function": apply("exp", M),
    "a diagonal": _ir.einsum("ij,j->ij", _ir.delta(N), A),
}
OPEN = {*TERMS} - {"a matrix", "an entry by entry function", "a diagonal"}


@given(
    names=st.lists(st.sampled_from(sorted(TERMS)), min_size=1, max_size=6, unique=True),
    numbers=st.lists(st.sampled_from([1, -1, 2, 0.3]), min_size=6, max_size=6),
)
def test_a_sum_keeps_its_value_and_what_opens_becomes_one_product(names, numbers):
    terms = pairwise([TERMS[name] for name in names])
    total = _ir.add(terms, numbers[: len(names)])
    (made,) = stack([total])
    assert (made.shape, made.dtype) == (total.shape, total.dtype)
    assert_close(evaluate(made, VALUES), evaluate(total, VALUES), rtol=1e-12)
    assert stack([made]) == [made]
    if len(OPEN.intersection(names)) > 1:
        plain = made.terms if isinstance(made, _ir.Add) else (made,)
        assert sum(n not in TERMS.values() for n in plain) == 1


def test_products_with_a_factor_in_common_are_added_before():
    total = _ir.add([TERMS["outer"], _ir.einsum("i,j->ij", A, E), TERMS["of itself"]])
    (made,) = stack([total])
    assert [n.shape for n in made.operands] == [(2, N)] * 2


@pytest.mark.parametrize("written", ["the sum", "a sum below", "a matrix product used twice"])
def test_what_is_not_to_be_opened_stays(written):
    below = _ir.add([rows(D), columns(E)])
    (product,) = pairwise([_ir.einsum("i,j,ij->ij", A, C, below)])
    roots = {
        "the sum": [_ir.add([TERMS["outer"], TERMS["of itself"]])],
        "a sum below": [product],
        "a matrix product used twice": [
            _ir.add([TERMS["outer"], TERMS["matrices"]]),
            TERMS["matrices"],
        ],
    }[written]
    kept = frozenset({"the sum": roots, "a sum below": [below]}.get(written, ()))
    assert stack(roots, kept) == roots
    assert stack(roots) != roots or written == "a matrix product used twice"


def test_small_sums_and_complex_ones_are_left_alone():
    for size, dtype in ((60, float), (N, complex), (N, np.longdouble)):
        a, b = (_ir.new_input(name, (size,), dtype) for name in "ab")
        total = _ir.add([_ir.einsum("i,j->ij", *pair) for pair in ((a, b), (b, a))])
        assert stack([total]) == [total]


# Derivatives -------------------------------------------------------------------------------------


def softmax(x):
    e = np.exp(x)
    return e / e.sum()


def entropy(p):
    return -(p * np.log(p)).sum()


def logistic(w):
    return np.log1p(np.exp(np.resize(DATA, (9, w.size)) @ w)).sum()


FUNCTIONS = {
    "entropy of weights": lambda x, b: entropy(x / x.sum()),
    "entropy of a softmax": lambda x, b: entropy(softmax(x)),
    "divergence": lambda x, b: (softmax(x) * np.log(softmax(x) / b**2)).sum(),
    "score of a softmax": lambda x, b: softmax(x) @ b,
    "score of a normalised vector": lambda x, b: x @ b / np.linalg.norm(x),
    "form of a normalised vector": lambda x, b: ((x / np.linalg.norm(x)) ** 2) @ b,
    "cosine": lambda x, b: x @ b / (np.linalg.norm(x) * np.linalg.norm(b)),
    "Cauchy likelihood": lambda x, b: np.log1p((x - x.mean()) ** 2).sum(),
    "Rayleigh quotient": lambda x, b: ((b * x) @ x) / (x @ x),
    "two norms": lambda x, b: np.sqrt(1 + x @ x) + np.log(np.exp(x).sum()),
    "three norms": lambda x, b: np.sqrt(1 + x @ x) + np.log(np.exp(x).sum()) + np.sin(x @ b),
    "ridge": lambda x, b: logistic(x) + 0.1 * (x @ x),
    "a linear model and a norm": lambda x, b: logistic(x) + np.sqrt(1 + x @ x),
    "with a select": lambda x, b: np.log(np.exp(np.where(x > 1.5, x, x**2)).sum()) * (x @ b),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("n", [N, 331])
def test_a_hessian_is_written_once_and_symmetric_to_the_last_bit(name, n):
    """Mirrored while it is made. Beside it there are vectors, and data of nine rows."""
    x, b = RNG.uniform(1, 2, size=n), np.resize(B, n)
    f = lambda x: FUNCTIONS[name](x, b)  # noqa: E731
    plan = eg.hessian(f).plan(x)
    result = plan(x)
    np.testing.assert_array_equal(result, result.T)
    out = np.full_like(result, np.nan)
    plan(x, out=out)
    np.testing.assert_array_equal(out, result)
    v = np.cos(np.arange(n))
    assert_close(result @ v, eg.hvp(f)(x, v), rtol=1e-9)
    assert plan.program.written_bytes <= 1.15 * result.nbytes
    assert plan.peak_bytes <= 1.3 * result.nbytes
    large = [s for s in plan.program.statements if s.result_bytes >= result.nbytes]
    assert sum(isinstance(s.kernel, MatMul | Outer) for s in large) == 1
    assert not any(isinstance(s.kernel, Mirror) for s in large)


@pytest.mark.parametrize("name", ["entropy of weights", "score of a softmax", "ridge"])
def test_a_given_array_is_filled_where_it_is(name):
    """No other array of its size is made, nor is the diagonal placed onto a copy."""
    plan = eg.hessian(lambda x: FUNCTIONS[name](x, B)).plan(X)
    out = np.empty((N, N))
    assert allocated(lambda: plan(X, out=out)) < 0.3 * out.nbytes


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_matrix_is_differentiated_in_as_a_vector_is(dtype):
    """Each side of the product is two axes then; placements tie them in pairs."""
    W = RNG.uniform(1, 2, size=(15, 20)).astype(dtype)
    f = lambda W: entropy(W / W.sum()) + np.sqrt(1 + (W**2).sum())  # noqa: E731
    plan = eg.hessian(f).plan(W)
    result = plan(W).reshape(300, 300)
    np.testing.assert_array_equal(result, result.T)
    expected = eg.hessian(lambda w: f(w.reshape(15, 20)))(W.astype(float).ravel())
    assert_close(result, expected, rtol=1e-3 if dtype == np.float32 else 1e-10)
    assert plan.peak_bytes <= 1.1 * result.nbytes


K = 40
SQUARE = np.eye(K) + RNG.normal(size=(K, K)) / K
SIDES = [RNG.normal(size=(K, K)) / K**0.5 for _ in range(4)]
A_, B_ = RNG.normal(size=K), RNG.normal(size=K)
OF_A_MATRIX = {
    "form of an inverse": lambda X: A_ @ np.linalg.solve(X, B_),
    "trace of a product": lambda X: np.trace(SIDES[0] @ X @ SIDES[1] @ X @ SIDES[2] @ X @ SIDES[3]),
    "square of a form": lambda X: (A_ @ X @ SIDES[0] @ X @ B_) ** 2,
    "logarithm of a form": lambda X: np.log(3 + A_ @ X @ SIDES[0] @ X @ B_),
}


@pytest.mark.parametrize("name", OF_A_MATRIX)
def test_products_that_cross_the_blocks_of_a_hessian_are_a_batch_of_matrices(name):
    """``u_i M_jk v_l + u_k M_li v_j``: for each i a product of rows (j, k) and columns l."""
    f = OF_A_MATRIX[name]
    plan = eg.hessian(f).plan(SQUARE)
    result = plan(SQUARE)
    np.testing.assert_array_equal(result, result.transpose(2, 3, 0, 1))
    direction = RNG.normal(size=(K, K))
    assert_close(np.einsum("ijkl,kl->ij", result, direction), eg.hvp(f)(SQUARE, direction), 1e-9)
    large = [s for s in plan.program.statements if s.result_bytes >= result.nbytes]
    assert [type(s.kernel) for s in large if not (s.is_alias or s.is_view)] == [MatMul]
    assert plan.peak_bytes <= (1 + 2 * 6 / K + 0.1) * result.nbytes  # both stacks of six terms
    out = np.full_like(result, np.nan)
    plan(SQUARE, out=out)
    np.testing.assert_array_equal(out, result)


def test_a_batch_of_hessians_is_a_batch_of_products():
    X, b = RNG.uniform(1, 2, size=(5, 200)), RNG.normal(size=200)

    def blocks(X):
        scores = lambda X: ((np.exp(X) / np.exp(X).sum(1, keepdims=True)) @ b).sum()  # noqa: E731
        return np.einsum("bibj->bij", eg.hessian(scores)(X))

    plan = eg.plan(blocks, X)
    result = plan(X)
    for block, x in zip(result, X, strict=True):
        assert_close(block, eg.hessian(lambda x: (np.exp(x) / np.exp(x).sum()) @ b)(x), rtol=1e-10)
    for turned in (np.asfortranarray(X), X[::-1, ::-1][::-1, ::-1]):
        assert_close(plan(turned), result, rtol=1e-13)
    assert plan.peak_bytes <= 1.3 * result.nbytes


def test_mixed_derivatives_are_products_too():
    """Nothing is symmetric: they are not mirrored."""
    x, y = RNG.uniform(1, 2, size=300), RNG.uniform(1, 2, size=200)

    def f(x, y):
        return np.log(np.exp(x).sum() + (y**2).sum()) * (x.sum() + y @ y) * np.sqrt(x @ x)

    plan = eg.derivative(f, 2, argnums=(0, 1)).plan(x, y)
    found = plan(x, y)
    both = eg.hessian(lambda z: f(z[:300], z[300:]))(np.concatenate([x, y]))
    assert_close(np.block([[*row] for row in found]), both, rtol=1e-9)
    assert plan.program.written_bytes <= 1.3 * both.nbytes


@pytest.mark.parametrize("name", ["entropy of weights", "score of a softmax", "two norms"])
def test_third_derivatives_hold_one_tensor(name):
    x, b = X[:24], B[:24]
    f = lambda x: FUNCTIONS[name](x, b)  # noqa: E731
    plan = eg.derivative(f, 3).plan(x)
    result = plan(x)
    for axes in ((1, 0, 2), (0, 2, 1), (2, 1, 0)):
        np.testing.assert_array_equal(result, result.transpose(axes))
    step = 1e-5 * B[:24]
    expected = (eg.hessian(f)(x + step) - eg.hessian(f)(x - step)) / 2
    assert_close(result @ step, expected, rtol=1e-5)
    assert plan.peak_bytes <= 1.35 * result.nbytes


def test_what_the_user_wrote_is_added_as_he_did():
    """Differences of close numbers are exact, which products are not."""
    x = 1e8 + np.arange(N)
    plan = eg.plan(lambda x: (x[:, None] - x) * np.outer(B, B) + np.outer(B, x), x)
    np.testing.assert_array_equal(plan(x), (x[:, None] - x) * np.outer(B, B) + np.outer(B, x))
    weighted = lambda x: (np.outer(B, B) * (x[:, None] - x) ** 3).sum()  # noqa: E731
    off = ~np.eye(N, dtype=bool)
    found = eg.hessian(weighted)(x)[off]
    assert_close(found, np.zeros_like(found), rtol=1e-14)  # d_ij and d_ji cancel exactly


def test_a_scan_and_a_series_have_them_too():
    """The body of a scan is no root: there nothing is stacked, and the values are the same."""

    def looped(x):
        step = lambda carry, row: (carry + 0.1 * entropy(carry / carry.sum()) * row, None)  # noqa: E731
        return eg.scan(step, x, np.stack([np.tanh(B), np.cos(B)]))[0].sum()

    def unrolled(x):
        for row in (np.tanh(B), np.cos(B)):
            x = x + 0.1 * entropy(x / x.sum()) * row
        return x.sum()

    assert_close(eg.hessian(looped)(X), eg.hessian(unrolled)(X), rtol=1e-9)
    f = lambda x: entropy(softmax(x))  # noqa: E731
    coefficients = eg.taylor(f, 2)(X, B)
    assert_close(2 * coefficients[2], B @ eg.hessian(f)(X) @ B, rtol=1e-10)


def test_what_is_picked_more_than_once_is_added_up():
    picked = np.arange(2 * N) * 7 % N
    f = lambda x: (x[picked] @ np.cos(picked)) * np.exp(x).sum() + np.sqrt(x @ x)  # noqa: E731
    matrix = np.zeros((2 * N, N))
    matrix[np.arange(2 * N), picked] = 1
    g = lambda x: ((matrix @ x) @ np.cos(picked)) * np.exp(x).sum() + np.sqrt(x @ x)  # noqa: E731
    assert_close(eg.hessian(f)(X), eg.hessian(g)(X), rtol=1e-12)


def test_a_structured_value_keeps_its_structure():
    f = lambda x: entropy(x / x.sum())  # noqa: E731
    tensor = eg.hessian(f, structured=True)(X)
    assert_close(np.asarray(tensor), eg.hessian(f)(X), rtol=1e-10)
