"""What derivatives cost, counted from the program: the adversarial table, and its values.

No test here measures time. `cases.py` holds the functions.
"""

import numpy as np
import pytest
from cases import CASES, find
from reference import assert_close, central_difference, complex_step

import eingrad as eg

NOT_HOLOMORPHIC = ("logdet", "logistic", "Gaussian")


def plan_of(case):
    f, x = case.build(case.sizes)
    return eg.derivative(f, case.order).plan(x)


@pytest.mark.parametrize("case", [c for c in CASES if c.order], ids=str)
def test_every_case_is_the_derivative_of_the_order_below(case):
    """Nothing is made cheap by being wrong."""
    f, x = case.build(case.small)
    below = f if case.order == 1 else eg.derivative(f, case.order - 1)
    actual = eg.derivative(f, case.order)(x)
    if case.name.startswith(NOT_HOLOMORPHIC):
        assert_close(actual, central_difference(below, x), rtol=1e-5)
    else:
        assert_close(actual, complex_step(below, x))


# What a derivative may cost: flops, additions and elementwise steps included, and bytes.
# Each bound is a closed form of the sizes with some room, not what is measured today.
BOUNDS = [
    ("tanh network, first weight", 2, 1.5e8, 1.6e8),
    ("tanh network, fifth weight", 2, 1.2e8, 1.2e8),
    ("tanh network, last weight", 2, 1.0e7, 1.0e7),
    ("X^8", 1, 1.1 * (8 + 7) * 32**4, 1.1 * 8 * 8 * 32**4),
    ("X^16", 1, 1.1 * (16 + 15) * 32**4, 1.1 * 16 * 8 * 32**4),
    ("X^8 by squaring", 1, 1.1 * (8 + 7) * 32**4, 1.1 * 8 * 8 * 32**4),
    ("stack of 32 scalars", 1, 1.3e4, 2e4),
    ("stack of 32 scalars", 2, 2.1e5, 1e6),
    ("slices", 1, 2 * 8 * 100, 2 * 8 * 50 * 100),
    ("masked factorisation", 2, 2.2e5, 1.2 * 8 * (50 * 5) ** 2),
    ("factorisation", 2, 1e4, 1.1 * 8 * (50 * 5) ** 2),
    ("CP in one factor", 2, 1e4, 1.1 * 8 * (30 * 6) ** 2),
    ("Tucker in one factor", 2, 1e4, 1.1 * 8 * (20 * 4) ** 2),
    ("inverse form", 2, 2 * 2.2 * 32**4, 1.2 * 8 * 32**4),  # one product of two columns
    ("inverse form", 3, 7 * 10**6, 7 * 8 * 10**6),
    ("inverse form", 4, 9 * 5**8, 10 * 8 * 5**8),
    ("logdet", 2, 1.1 * 32**4, 1.1 * 8 * 32**4),
    ("logdet", 3, 2 * 2.2 * 10**6, 1.3 * 8 * 10**6),  # the same
    ("logdet", 4, 7 * 5**8, 8 * 8 * 5**8),
    ("det", 2, 3.2 * 32**4, 3.2 * 8 * 32**4),
    ("det", 3, 7.1 * 10**6, 7 * 8 * 10**6),
    ("det", 4, 10 * 5**8, 11 * 8 * 5**8),
    ("logsumexp", 2, 1.1 * 2 * 100 * 20**2 + 2e4, 1e5),
    ("logistic", 2, 1.1 * 2 * 200 * 20**2 + 2e4, 1.1e5),
    ("Gaussian process, n = 300", 2, 6e8, 6e7),
]  # fmt: skip


@pytest.mark.parametrize(("name", "order", "flops", "written"), BOUNDS)
def test_cost_is_within_the_closed_form(name, order, flops, written):
    """Flops and bytes written, counted from the statements."""
    plan = plan_of(find(name, order))
    assert plan.flops <= flops
    assert plan.program.written_bytes <= written


@pytest.mark.parametrize("n", [100, 400])
def test_pairwise_distances_are_quadratic(n):
    """Work is a small multiple of the entries; memory at most four times the result."""
    plan = plan_of(find(f"pairwise distances, N = {n}", 2))
    entries = (3 * n) ** 2
    assert plan.flops <= 12 * entries
    assert plan.peak_bytes <= 4 * 8 * entries


def test_squaring_often_keeps_products_short():
    """x * x twelve times is not a product of 4,096 operands."""
    for order in (1, 2):
        plan = plan_of(find("x * x, 12 times", order))
        assert len(plan.program.statements) <= 100
    f, x = find("x * x, 12 times", 1).build((12, 8))
    assert len(eg.grad(f).plan(x).program.statements) <= 40


def test_nothing_of_a_gaussian_process_is_larger_than_a_few_matrices():
    """Nothing of size n**3."""
    plan = plan_of(find("Gaussian process, n = 300", 2))
    assert max(s.bytes for s in plan.program.statements) <= 8 * 300**2 * 5
    assert plan.peak_bytes <= 20 * 8 * 300**2


def test_an_order_above_the_degree_is_zero_symbolically():
    """A cubic form: nothing is read, nothing computed."""
    f, x = find("cubic form", 3).build((10,))
    plan = eg.derivative(f, 4).plan(x)
    assert plan.flops == 0
    assert plan.reads == ()
    assert plan(x).shape == (10,) * 4
    assert not np.any(plan(x))


def test_what_is_repeated_alike_is_added_once():
    """Sums of vectors along one axis: the matrix is written once, and no sum is over repeats."""
    w = np.random.default_rng(0).uniform(1, 2, size=60)

    def entropy(w):
        p = w / w.sum()
        return -(p * np.log(p)).sum()

    plan = eg.hessian(entropy).plan(w)
    assert plan.flops <= 2 * 60 * 60
    total, mean = w.sum(), (w * np.log(w / w.sum())).sum() / w.sum()
    logs = np.log(w / total)
    pairs = (1 + logs[:, None] + logs[None] - 2 * mean) / total**2
    assert_close(plan(w), pairs - np.diag(1 / (w * total)))
