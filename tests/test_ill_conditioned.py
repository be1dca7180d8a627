"""No digits are traded for speed: errors of ill-conditioned derivatives, with the bounds promised.

Against mpmath; and no worse than JAX's, where that is installed. Gram matrices are by themselves:
the last tests state when one may be formed, and what it costs in digits.
"""

import mpmath
import numpy as np
import pytest
from ill_conditioned import CASES

import eingrad as eg

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")

EPS = 2.0**-53


def test_there_are_thirty_cases_with_names_of_their_own():
    assert len({case.name for case in CASES}) == len(CASES) >= 30


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_error_is_within_its_bound(case):
    assert case.error(case.here(), case.exact()) <= case.bound


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_error_is_no_worse_than_that_of_jax(case):
    """But for the last digits, which differ with the order of sums."""
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    exact = case.exact()
    there = case.error(case.by_jax(jax), exact)
    assert case.error(case.here(), exact) <= 4 * there + 8 * EPS


# Gram matrices -----------------------------------------------------------------------------------

SAMPLES, N = 200, 4
RNG = np.random.default_rng(3)


def data(condition):
    """Draw a matrix, and the direction in which it is least."""
    left, _ = np.linalg.qr(RNG.normal(size=(SAMPLES, N)))
    right, _ = np.linalg.qr(RNG.normal(size=(N, N)))
    return left * np.geomspace(1, 1 / condition, N) @ right.T, right[:, -1]


def residuals(X):
    """Least squares: the Hessian is a Gram matrix."""
    return lambda w: ((X @ w - 1.0) ** 2).sum() / 2


def exactly(*arrays):
    return [np.vectorize(mpmath.mpf, otypes=[object])(a) for a in arrays]


CONDITIONS = pytest.mark.parametrize("condition", [1e6, 1e8, 1e10])


@CONDITIONS
@pytest.mark.parametrize("columns", [1, 3, 50])
def test_products_with_a_gram_matrix_have_one_bound_however_they_are_bracketed(condition, columns):
    """``X.T (X W)`` and ``(X.T X) W``: both within ``c eps |X.T| |X| |W|``, entry by entry."""
    X, last = data(condition)
    W = np.outer(last, RNG.uniform(1, 2, size=columns))

    def loss(W):
        return ((X @ W) ** 2).sum() / 2

    with mpmath.workdps(60):
        A, B = exactly(X, W)
        exact = A.T @ (A @ B)
        bound = 3 * SAMPLES * EPS * (abs(X.T) @ (abs(X) @ abs(W)))
        for result in (
            eg.grad(loss)(W),
            eg.hvp(loss)(0 * W, W),
            eg.vjp(lambda W: X.T @ (X @ W))(0 * W, W),
            eg.jvp(lambda W: X.T @ (X @ W))(0 * W, W),
        ):
            assert (abs(result - exact) <= bound).all()


@CONDITIONS
def test_one_curvature_is_a_sum_of_squares(condition):
    """``v.T X.T X v`` as ``|X v|**2``: half of the digits that a Gram matrix loses are kept."""
    X, v = data(condition)
    f = residuals(X)
    with mpmath.workdps(60):
        A, b = exactly(X, v)
        exact = ((A @ b) ** 2).sum()
        for way in (
            lambda w, v: v @ eg.hessian(f)(w) @ v,
            lambda w, v: v @ eg.hvp(f)(w, v),
            lambda w, v: eg.jvp(lambda w: eg.jvp(f)(w, v))(w, v),
            lambda w, v: np.einsum("i,ij,j", v, eg.hessian(f)(w), v),
        ):
            result = eg.derivative(way, 0)(np.ones(N), v)
            assert abs(result - exact) / exact <= 20 * condition * EPS


@CONDITIONS
def test_curvatures_along_many_vectors_are_as_exact_as_a_hessian_that_is_formed(condition):
    """Of many columns X.T X is formed: within ``c eps |V.T| |X.T| |X| |V|``, as by NumPy."""
    X, last = data(condition)
    V = np.outer(last, RNG.uniform(1, 2, size=50))
    hessian = eg.hessian(residuals(X))
    curvatures = eg.derivative(lambda w, V: np.einsum("ia,ij,ja->a", V, hessian(w), V), 0)
    with mpmath.workdps(60):
        A, B = exactly(X, V)
        exact = ((A @ B) ** 2).sum(0)
        bound = 3 * SAMPLES * EPS * ((abs(X) @ abs(V)) ** 2).sum(0)
        assert (abs(curvatures(np.ones(N), V) - exact) <= bound).all()
