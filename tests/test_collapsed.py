"""Second derivatives that are added up as they go forward: Laplacians and their like."""

import numpy as np
import pytest
from inside import CHEAPEST_VALUES
from reference import assert_close

import eingrad as eg

RNG = np.random.default_rng(0)
W = RNG.normal(size=(6, 4)) / 2
V = RNG.normal(size=(6, 6)) / 2
B = RNG.normal(size=(4, 2))
G = RNG.normal(size=(4, 4))  # not symmetric
POINT = RNG.normal(size=4)
PAIRS = np.array([[0, 1], [1, 1], [3, 0], [2, 1]])


def layers(x):
    return np.tanh(V @ np.sin(W @ x))


# From four numbers to six, or fewer, so that each kind of node is met.
FUNCTIONS = {
    "layers": layers,
    "powers and quotients": lambda x: x**3 / (1 + x[::-1] ** 2) + x[0] ** 1.5 * np.exp(-x),
    "several factors": lambda x: np.einsum("i,j,ij,j->i", x, np.sin(x), G, x),
    "the same factor": lambda x: x * x * (x @ x),
    "matrix functions": lambda x: np.linalg.inv(2 * np.eye(4) + 0.1 * np.outer(x, np.cos(x))) @ x,
    "determinant": lambda x: np.linalg.slogdet(3 * np.eye(4) + np.outer(x, x) * G)[1] * x[:2],
    "a chosen branch": lambda x: np.where(x > 0, x**3, np.exp(x) * x[0]),
    "a branch that is nan": lambda x: np.where(x == x[0], 1.0, x[0] / (x - x[0])) * x,
    "pairs": lambda x: np.exp(x[PAIRS[:, 0]] * x[PAIRS[:, 1]]),
    "shifts": lambda x: np.roll(x, 1) * x**2 + np.cumsum(x**3),
    "softmax": lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(),
    "log of a product": lambda x: np.log(np.prod(1 + x**2)) * x,
    "linear": lambda x: W @ x,
    "constant": lambda x: W[:, 0] + 0 * x[0],
}
SUMS = {  # of second derivatives, axes of the result first
    "Laplacian": ("kii->k", ()),
    "of the sum": ("kii->", ()),
    "weighted": ("kii,i->k", (POINT,)),
    "metric": ("kij,ij->k", (G,)),
    "low rank": ("kij,ir,jr->k", (B, B)),
    "two factors": ("kij,ir,rj->k", (B, G[:2])),
    "many metrics": ("kij,ijr->kr", (RNG.normal(size=(4, 4, 2)),)),
    "metrics added up": ("kij,ijr,r->k", (RNG.normal(size=(4, 4, 2)), B[0])),
    "with weights of the result": ("kii,k->", (RNG.normal(size=6),)),
}


@pytest.fixture
def always(monkeypatch):
    """Take the collapsed form whatever it costs; note of how many derivatives there was one."""
    taken = []

    def last(options, _):
        taken.append(len(options))
        return len(options) - 1

    CHEAPEST_VALUES.replace(monkeypatch, last)
    return taken


@pytest.mark.parametrize("kind", SUMS)
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.filterwarnings("ignore:(divide|invalid)")
def test_a_sum_is_that_of_the_whole_derivative(name, kind, always):
    f, x = FUNCTIONS[name], np.abs(POINT)
    subscripts, others = SUMS[kind]
    whole = eg.derivative(f, 2)(x)
    if kind == "with weights of the result":
        others = (others[0][: len(whole)],)
    found = eg.plan(lambda x: np.einsum(subscripts, eg.derivative(f, 2)(x), *others), x)(x)
    assert_close(found, np.einsum(subscripts, whole, *others))
    assert np.isfinite(found).all()
    assert always == [2]


def quartic(x):
    return np.sum(np.sin(W @ x) ** 2) * (x @ x)


TRACES = {  # of higher derivatives of a number: what is left is symmetric too
    "iij->j": (3, ()),
    "iij,j->": (3, (POINT,)),
    "ijk,ij->k": (3, (G,)),
    "iijj->": (4, ()),
    "iijk->jk": (4, ()),
    "ijkl,ij,kl->": (4, (G, G)),
    "iiii->": (4, ()),
    "iijjk->k": (5, ()),
}


@pytest.mark.parametrize("subscripts", TRACES)
def test_a_trace_of_a_higher_derivative_is_one_of_the_whole(subscripts, always):
    order, others = TRACES[subscripts]
    derivative = eg.derivative(quartic, order)
    found = eg.plan(lambda x: np.einsum(subscripts, derivative(x), *others), POINT)(POINT)
    assert_close(found, np.einsum(subscripts, derivative(POINT), *others))
    assert set(always) == {2}


def test_two_variables_that_are_tied(always):
    """``sum_i d2f/dx_i dy_i``; of a bilinear form, the trace of its matrix."""
    f = lambda x, y: np.tanh(x) @ G @ np.sin(y) + x @ G @ y  # noqa: E731
    x, y = POINT, POINT[::-1].copy()
    mixed = lambda x, y: np.trace(eg.hessian(f, argnums=(0, 1))(x, y)[0][1])  # noqa: E731
    expected = np.diag(G) @ ((1 - np.tanh(x) ** 2) * np.cos(y) + 1)
    assert_close(eg.plan(mixed, x, y)(x, y), expected)
    assert always == [2]


@pytest.mark.parametrize("subscripts", ["bibi->b", "bibj->ij", "bibi->", "bici->bc", "bicj->"])
def test_points_in_a_batch(subscripts, always):
    u = lambda X: np.sum(np.tanh(X @ W.T) @ V[0])  # noqa: E731
    points = RNG.normal(size=(3, 4))
    found = eg.plan(lambda X: np.einsum(subscripts, eg.hessian(u)(X)), points)(points)
    assert_close(found, np.einsum(subscripts, eg.hessian(u)(points)))


def test_a_complex_metric_makes_a_complex_sum(always):
    metric = G + 1j * G.T
    run = lambda x: np.einsum("ij,ij->", eg.hessian(quartic)(x), metric)  # noqa: E731
    assert_close(eg.plan(run, POINT)(POINT), np.sum(eg.hessian(quartic)(POINT) * metric))
    assert always == [2]


def test_a_laplacian_takes_no_more_arrays_the_more_layers_there_are():
    """The Jacobian of one layer at a time, and never its derivative."""

    def flops(count, width):
        weights = RNG.normal(size=(count, width, width))

        def u(x):
            for w in weights:
                x = np.tanh(w @ x)
            return x.sum()

        x = np.ones(width)
        return eg.plan(lambda x: np.trace(eg.hessian(u)(x)), x).flops

    two, three, four = (flops(count, 20) for count in (2, 3, 4))
    assert three - two == four - three
    assert three - two < 2 * 20**3 + 20 * 20**2  # a product of two matrices, and of vectors


# A select looks for leaves below which nothing is singular, among the nodes that move -------------

KEPT = np.array([1.0, -1.0, 1.0])


def softmax(x):
    e = np.exp(x)
    return e / np.sum(e)


SELECTS = {
    "product with what is selected": lambda x: np.sum(
        np.where(KEPT > 0, x / np.sum(x), 0.0) * (x / np.sum(x))
    ),
    "softmax and a skip": lambda x: np.sum(
        np.tanh(np.where(KEPT > 0, np.sin(softmax(x)), softmax(x)) + softmax(x))
    ),
    "leaky unit of a norm": lambda x: np.sum(
        np.where(x > 0.5, 1, 0.1) * (x / np.sqrt(np.sum(x**2))) ** 2
        + np.where(x > 0.5, x / np.sqrt(np.sum(x**2)), x) ** 3
    ),
}


@pytest.mark.parametrize("f", SELECTS.values(), ids=SELECTS)
def test_a_laplacian_through_a_select_of_quotients(f):
    """It missed what a branch and a node beside it have in common (a user)."""
    x = np.array([0.3, 1.2, 0.7])
    expected = np.trace(eg.hessian(f)(x))
    assert_close(eg.plan(lambda x: np.trace(eg.hessian(f)(x)), x)(x), expected)
    gradient = eg.grad(lambda x: np.trace(eg.hessian(f)(x)))(x)
    assert_close(gradient, np.einsum("iij->j", eg.derivative(f, 3)(x)))
