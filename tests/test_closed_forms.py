"""What derivatives cost, against closed forms that one would write by hand.

Every bound is a formula of the sizes: products, sums and placements of the closed form, with a
tenth of room. Where the library does not reach it, the test is marked with the figure measured.
Counted from the program; nothing is timed.
"""

import math

import numpy as np
import pytest
from cases import (
    attention,
    det,
    factorisation,
    inverse,
    inverse_form,
    logdet,
    logistic,
    logsumexp,
    masked_factorisation,
    matrix_power,
    matrix_power_by_squaring,
    softmax,
    trace_of_power,
)

import eingrad as eg
from eingrad._plan import kernels
from eingrad._primitives import BY_NAME

ROOM = 1.1
IN_PIECES = 1.45  # large sums are made in a loop: some more flops, less memory, less time
STACKED = 2  # terms of one matrix product: an entry of each is multiplied and added, in one pass


def plan_of(make, order, sizes):
    f, x = make(np.random.default_rng(0), *sizes)
    return eg.derivative(f, order).plan(x)


# Matrix functions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "size", "p"),
    [(matrix_power, 8, 8), (matrix_power, 16, 16), (matrix_power_by_squaring, 3, 8)],
)
def test_jacobian_of_a_power(make, size, p):
    """``sum_k X^k (x) X^(p-1-k)``: p terms, of which the first and the last are placed by a delta.

    The p - 2 others are outer products, added up; their powers are p - 2 matrix products.
    """
    n = 32
    powers = (p - 2) * 2 * n**3
    outer, added = (p - 2) * n**4, (p - 3) * n**4
    placed = 2 * n**3
    assert plan_of(make, 1, (size, n)).flops <= ROOM * (powers + outer + added + placed)


# k! terms that differ by an order of the axes are one core, summed over the group in stages, each
# over the cosets of the one before: 2 = 2, 6 = 2 * 3, 24 = 2 * 2 * 2 * 3.
ADDITIONS = {1: 0, 2: 1, 3: 1 + 2, 4: 1 + 1 + 1 + 2}


@pytest.mark.parametrize(("order", "n"), [(1, 32), (2, 32), (3, 10), (4, 5)])
def test_derivatives_of_an_inverse_form(order, n):
    """``a^T Y b``: k! orders of one core, the vectors ``Y^T a``, ``Y b`` and k - 1 factors Y."""
    dense = (1 + ADDITIONS[order]) * n ** (2 * order)
    vectors = BY_NAME["inverse"].flops((n, n), (n, n)) + 2 * 2 * n**2
    partial = sum(n ** (2 * k) for k in range(1, order)) + n ** (2 * order - 1)
    assert plan_of(inverse_form, order, (n,)).flops <= ROOM * (STACKED * dense + vectors + partial)


@pytest.mark.parametrize(("order", "n"), [(1, 32), (2, 32), (3, 10), (4, 5), (5, 4)])
def test_derivatives_of_logdet(order, n):
    """``-Y (x) Y``, and (k - 1)! cyclic orders of one core of k factors Y."""
    dense = (1 + ADDITIONS[max(1, order - 1)]) * n ** (2 * order)
    given = BY_NAME["inverse"].flops((n, n), (n, n))
    partial = sum(n ** (2 * k) for k in range(1, order))
    most = (STACKED if order > 2 else IN_PIECES) * dense
    assert plan_of(logdet, order, (n,)).flops <= most + ROOM * (given + partial)


@pytest.mark.parametrize(("order", "n"), [(1, 32), (2, 10), (3, 5), (4, 4)])
def test_derivatives_of_an_inverse(order, n):
    """``Y (x) Y``, and k! orders of one core of k + 1 factors Y."""
    dense = (1 + ADDITIONS[order]) * n ** (2 * order + 2)
    given = BY_NAME["inverse"].flops((n, n), (n, n))
    partial = sum(n ** (2 * k) for k in range(1, order + 1))
    most = (STACKED if order > 1 else IN_PIECES) * dense
    assert plan_of(inverse, order, (n,)).flops <= most + ROOM * (given + partial)


@pytest.mark.parametrize(("order", "n"), [(1, 32), (2, 32), (3, 10), (4, 5)])
def test_derivatives_of_a_determinant(order, n):
    """``det X`` times the minors of Y of order k, expanded along a row: k products, k - 1 sums.

    Of order two the second product is the first one in another order, so it is not computed.
    """
    products = {1: 1, 2: 1}.get(order, order)
    each = STACKED if order == 3 else 1
    dense = (each * products + order - 1) * n ** (2 * order)
    minors = sum(2 * k * n ** (2 * k) for k in range(1, order))
    given = BY_NAME["inverse"].flops((n, n), (n, n)) + BY_NAME["det"].flops((), (n, n))
    assert plan_of(det, order, (n,)).flops <= ROOM * (dense + minors + given)


def trace_order_one(n):
    return 2 * 2 * n**3 + 2 * n**2  # X^3, times four


def trace_order_two(n):
    return 2 * n**3 + n**4 + 2 * n**3 + n**2  # X^2, X (x) X, two placements, times four


def trace_order_three(n):
    return 6 * n**4 + n**2  # six placements of X


def trace_order_four(n):
    return 6 * n**4  # six patterns of four deltas


@pytest.mark.parametrize(
    ("order", "n", "closed"),
    [
        (1, 32, trace_order_one),
        (2, 32, trace_order_two),
        (3, 8, trace_order_three),
        (4, 4, trace_order_four),
    ],
)
def test_derivatives_of_the_trace_of_a_power(order, n, closed):
    """``tr X^4``: ``4 X^3``, then deltas and what is left of the four factors."""
    assert plan_of(trace_of_power, order, (4, n)).flops <= ROOM * closed(n)


# Statistics --------------------------------------------------------------------------------------


def gram(samples, n, order):
    """``sum_s w[s] a[s,i] a[s,j] ...``: a product of matrices, one with pairs of columns."""
    return 2 * samples * n**order + samples * n ** max(1, order - 1)


def products_of_size(plan, size):
    """Matrix products whose result has so many entries."""
    return sum(
        isinstance(s.kernel, kernels.MatMul) and math.prod(s.shape) == size
        for s in plan.program.statements
    )


@pytest.mark.parametrize("order", [2, 3, 4])
def test_derivatives_of_the_logistic_loss(order):
    """One Gram product."""
    samples, n = 100, 8
    plan = plan_of(logistic, order, (samples, n))
    assert products_of_size(plan, n**order) == 1
    assert plan.flops <= ROOM * (gram(samples, n, order) + 2 * samples * n + 20 * samples)


@pytest.mark.parametrize("order", [2, 3, 4])
def test_derivatives_of_logsumexp(order):
    """Cumulants: one Gram product of each order up to k, and outer products of the smaller ones."""
    samples, n = 100, 8
    plan = plan_of(logsumexp, order, (samples, n))
    assert products_of_size(plan, n**order) == 1
    moments = sum(gram(samples, n, k) for k in range(1, order + 1))
    partitions = {2: 1, 3: 4, 4: 14}[order]  # of the k axes into several blocks
    products = 2 * partitions * n**order
    assert plan.flops <= ROOM * (moments + products + 2 * samples * n + 5 * samples)


@pytest.mark.parametrize(("order", "n"), [(1, 50), (2, 50), (3, 20), (4, 20)])
def test_derivatives_of_softmax(order, n):
    """Diagonal minus outer: one dense product; all other terms carry a delta."""
    plan = plan_of(softmax, order, (n,))
    assert plan.flops <= 2.2 * n ** (order + 1)
    f, x = softmax(np.random.default_rng(0), 4)
    terms = eg.derivative(f, order).expression(x).terms()
    assert sum(not term.deltas for term in terms) == 1
    (whole,) = (term for term in terms if len(term.deltas) == order and term.axes)
    assert whole.core.shape == (4,)  # the diagonal


@pytest.mark.parametrize(("order", "tokens", "width"), [(2, 12, 8), (3, 6, 3), (4, 6, 3)])
def test_attention_ends_in_one_gram_product(order, tokens, width):
    """Wq enters through ``x Wq``: all that depends on scores is summed over tokens once."""
    plan = plan_of(attention, order, (tokens, width))
    assert products_of_size(plan, width ** (2 * order)) == 1


def test_attention_costs_what_its_closed_form_does():
    """Per token ``J^T J`` and ``K^T diag(g) K`` of size w^2, then the Gram product over tokens.

    ``J[v,b] = sum_j P_j (V_jv - out_v) K_jb``: diagonal minus outer, never of size t^2.
    """
    t, w = 12, 8
    scores = 2 * t * w**2 + 2 * t**2 * w + 6 * t**2
    per_token = 2 * 2 * t**2 * w**2 + 2 * t * w**3 + 6 * t**2 * w
    closed = scores + per_token + t * w**3 + 2 * t * w**4
    # both parts are added at size w^2 t^2
    assert plan_of(attention, 2, (t, w)).flops <= ROOM * closed


# Factorisations ----------------------------------------------------------------------------------

N, R = 20, 4
RNG = np.random.default_rng(0)
TARGET, CORE = RNG.normal(size=(N, N, N)), RNG.normal(size=(R, R, R))
FACTORS = tuple(RNG.normal(size=(3, N, R)))
GRAM = 2 * N * R**2  # of one factor
PLACED = N * R**2  # of r x r entries on n diagonal blocks


def cp(a, b, c):
    return ((TARGET - np.einsum("ir,jr,kr->ijk", a, b, c)) ** 2).sum()


def tucker(core, a, b, c):
    return ((TARGET - np.einsum("abc,ia,jb,kc->ijk", core, a, b, c)) ** 2).sum()


def test_masked_factorisation():
    """``2 delta[i,k] (V^T diag(mask_i) V)[j,l]``: nothing of size (m k)^2 but the result."""
    m, n, k = 50, 60, 5
    closed = n * k**2 + 2 * m * n * k**2 + m * k**2 + m * n
    assert plan_of(masked_factorisation, 2, (m, n, k)).flops <= ROOM * closed


def test_factorisation():
    """``2 delta[i,k] (V^T V)[j,l]``."""
    m, n, k = 50, 60, 5
    closed = 2 * n * k**2 + m * k**2 + k**2
    assert plan_of(factorisation, 2, (m, n, k)).flops <= ROOM * closed


@pytest.mark.parametrize("factor", range(3))
def test_cp_in_each_factor(factor):
    """``2 delta[i,k] (B^T B * C^T C)[r,s]``."""
    plan = eg.derivative(cp, 2, factor).plan(*FACTORS)
    assert plan.flops <= ROOM * (2 * GRAM + 2 * R**2 + PLACED)
    (term,) = eg.derivative(cp, 2, factor, structured=True)(*FACTORS).terms
    assert (term.deltas, term.core.shape) == (((0, 2),), (R, R))


@pytest.mark.parametrize("pair", [(0, 1), (0, 2), (1, 2)])
def test_cp_in_pairs_of_factors(pair):
    """Diagonal blocks are Gram matrices; the others ``(C^T C)[r,s] a[i,s] b[j,r]`` and a delta.

    The delta ties the two ranks; its core is the residual times the third factor.
    """
    residual = N**2 * R + 2 * N**3 * R + N**3
    diagonal = 3 * GRAM + 2 * (2 * R**2 + PLACED)
    mixed = 2 * N**3 * R + 2 * (N**2 * R**2 + N**2 * R + N * R**2)
    plan = eg.derivative(cp, 2, pair).plan(*FACTORS)
    assert plan.flops <= ROOM * (residual + diagonal + mixed)


@pytest.mark.parametrize("pair", [(0, 1), (0, 2), (1, 2)])
def test_cp_in_pairs_of_factors_keeps_its_deltas(pair):
    """Where a term without deltas takes as much as the whole, the others are added to it."""
    blocks = eg.derivative(cp, 2, pair, structured=True)(*FACTORS)
    for i, row in enumerate(blocks):
        for j, block in enumerate(row):
            found = sorted((term.deltas, term.core.shape) for term in block.terms)
            same = [(((0, 2),), (R, R))]
            assert found == (same if i == j else [((), (N, R, N, R))])


def test_tucker_in_its_core():
    """``2 (A^T A)[a,d] (B^T B)[b,e] (C^T C)[c,f]``."""
    plan = eg.derivative(tucker, 2, 0).plan(CORE, *FACTORS)
    assert plan.flops <= ROOM * (3 * GRAM + R**2 + R**4 + R**6)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_tucker_in_each_factor(factor):
    """``2 delta[i,k] (G (B^T B) (C^T C) G^T)[r,s]``: Gram matrices first, then the core twice."""
    closed = 2 * GRAM + 3 * 2 * R**4 + R**2 + PLACED
    assert eg.derivative(tucker, 2, factor).plan(CORE, *FACTORS).flops <= ROOM * closed
    structured = eg.derivative(tucker, 2, factor, structured=True).plan(CORE, *FACTORS)
    assert structured.flops <= ROOM * (closed - PLACED)


@pytest.mark.parametrize("pair", [(1, 2), (1, 3), (2, 3)])
def test_tucker_in_pairs_of_factors(pair):
    """``(G B)(C^T C)(G A)``, and the residual times C and the core: nothing above the residual."""
    plan = eg.derivative(tucker, 2, pair).plan(CORE, *FACTORS)
    assert max(math.prod(s.shape) for s in plan.program.statements) <= N**3
    residual = 2 * N * R**3 + 2 * N**2 * R**2 + 2 * N**3 * R + N**3
    partial = 2 * 2 * N * R**3 + 2 * N * R**3
    mixed = 2 * N**2 * R**3 + 2 * N**3 * R + 2 * N**2 * R**3 + 2 * N**2 * R**2
    diagonal = 3 * GRAM + 2 * (3 * 2 * R**4 + PLACED)
    assert plan.flops <= ROOM * (residual + partial + mixed + diagonal)


@pytest.mark.parametrize("pair", [(1, 2), (1, 3), (2, 3)])
def test_tucker_in_pairs_of_factors_keeps_its_deltas(pair):
    blocks = eg.derivative(tucker, 2, pair, structured=True)(CORE, *FACTORS)
    for n in range(2):
        (term,) = blocks[n][n].terms
        assert (term.deltas, term.core.shape) == (((0, 2),), (R, R))
