"""Entries of a derivative that are added up one by one: what they cost together."""

import numpy as np
import pytest
from reference import assert_close

import eingrad as eg

RNG = np.random.default_rng(0)
W, V = RNG.normal(size=(6, 4)), RNG.normal(size=(4, 6))
X = RNG.normal(size=4)
N = range(4)


def u(x):
    return np.sum(np.tanh(V @ np.sin(W @ x)) ** 2)


def field(x):
    return np.tanh(V @ np.sin(W @ x))


SUMS = {  # with entries, and with einsum or what else says it
    "trace": (lambda H, J: sum(H[i, i] for i in N), lambda H, J: np.trace(H)),
    "part of it": (lambda H, J: H[1, 1] + H[2, 2] + H[3, 3], lambda H, J: np.trace(H[1:, 1:])),
    "weighted": (
        lambda H, J: H[0, 0] - 2 * H[1, 1] + 0.5 * H[3, 3],
        lambda H, J: np.diag(H) @ np.array([1, -2, 0, 0.5]),
    ),
    "signature of a metric": (
        lambda H, J: H[1, 1] + H[2, 2] + H[3, 3] - H[0, 0],
        lambda H, J: np.diag(H) @ np.array([-1, 1, 1, 1]),
    ),
    "off the diagonal": (lambda H, J: H[0, 1] + H[1, 2], lambda H, J: np.trace(H[:2, 1:3])),
    "an entry twice": (lambda H, J: H[0, 1] + H[1, 0], lambda H, J: H[0, 1] * 2),
    "all of them": (lambda H, J: sum(H[i, j] for i in N for j in N), lambda H, J: H.sum()),
    "that cancel": (lambda H, J: H[0, 1] - H[1, 0], lambda H, J: 0.0 * H[0, 0]),
    "divergence": (lambda H, J: sum(J[i, i] for i in N), lambda H, J: np.trace(J)),
    "rows": (lambda H, J: J[:, 0] + 2 * J[:, 3], lambda H, J: J @ np.array([1, 0, 0, 2])),
    "columns": (lambda H, J: J[0] - J[2], lambda H, J: np.array([1, 0, -1, 0]) @ J),
    "of two derivatives": (
        lambda H, J: H[0, 0] + J[0, 0] + H[1, 1] + J[1, 1],
        lambda H, J: np.trace(H[:2, :2]) + np.trace(J[:2, :2]),
    ),
    "and others": (lambda H, J: H[0, 0] + np.sum(H**2) + H[1, 1], lambda H, J: np.sum(H**2)),
    "ends of the axes": (lambda H, J: H[-1, -1] + H[0, -1], lambda H, J: H[3, 3] + H[0, 3]),
}  # fmt: skip


@pytest.mark.parametrize("name", SUMS)
def test_a_sum_of_entries_has_the_value_that_numpy_gives(name):
    by_entries, _ = SUMS[name]
    plan = eg.plan(lambda x: by_entries(eg.hessian(u)(x), eg.jacobian(field)(x)), X)
    assert_close(plan(X), by_entries(eg.hessian(u)(X), eg.jacobian(field)(X)), rtol=1e-8)


@pytest.mark.parametrize("name", ["trace", "part of it", "divergence", "off the diagonal"])
def test_it_costs_what_the_contraction_does(name):
    plans = [
        eg.plan(lambda x, f=f: f(eg.hessian(u)(x), eg.jacobian(field)(x)), X) for f in SUMS[name]
    ]
    assert plans[0].flops <= 1.1 * plans[1].flops
    assert len(plans[0].program.statements) <= 1.2 * len(plans[1].program.statements)


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_a_dtype_is_kept(dtype):
    f = lambda x: np.sum(x**3) ** 2  # noqa: E731
    x = X.astype(dtype)
    laplacian = lambda x: sum(eg.hessian(f)(x)[i, i] for i in N)  # noqa: E731
    whole = lambda x: sum(H[i, i] for H in [eg.hessian(f)(x)] for i in N)  # noqa: E731
    for run in (laplacian, whole):
        found = eg.plan(run, x)(x)
        assert found.dtype == dtype
        assert_close(found, run(x), rtol=1e-5)


def test_a_long_sum_is_read_without_recursion():
    """Of sums within sums, and of what is added to them step by step."""

    def run(x):
        H = eg.hessian(u)(x)
        total = 0.0
        for n in range(1500):
            total = total + (n % 3) * H[n % 4, (n + 1) % 4]
        return total

    whole = eg.hessian(u)(X)
    expected = sum((n % 3) * whole[n % 4, (n + 1) % 4] for n in range(1500))
    assert_close(eg.plan(run, X)(X), expected, rtol=1e-8)
