"""Gathers: rows picked by index, more often than there are rows.

In: sizes. Out: `PROGRAMS`.
Guaranteed: bounds are formulations in which rows are counted, grouped or masked beforehand; where
each pick differs, five evaluations for a gradient.
"""

import functools

import numpy as np

import eingrad as eg
from real_programs.measure import Bound, Program, Task, evaluations
from real_programs.oracles import differences


def bounded(f, good, x, order, counts=("flops",), times=1.0, data=()):
    """Task: the derivative of one formulation, bounded by that of a better one.

    Data that come with each call, and are added up, are arguments of the bound: it counts that too.
    """
    bound = Bound(eg.derivative(good, order), (x, *data), times)
    return Task(
        eg.derivative(f, order),
        (x,),
        dict.fromkeys(counts, bound),
        lambda: differences(f, x, *[None] * order),
    )


# A selection longer than what it selects from -----------------------------------------------------


def exponentials(order, rng, m, n, picks):
    """Sum of exponentials of picked rows of a product: each row counts so many times."""
    A, idx = rng.normal(size=(m, n)) / np.sqrt(n), rng.integers(m, size=picks)
    count = np.bincount(idx, minlength=m).astype(float)
    f = lambda x: np.sum(np.exp((A @ x)[idx]))
    return bounded(f, lambda x: np.sum(count * np.exp(A @ x)), rng.normal(size=n), order)


def embeddings(order, rng, words, width, tokens):
    """A score of each token of a text: rows of a table of embeddings."""
    text, w = rng.integers(words, size=tokens), rng.normal(size=(width, width))
    count = np.bincount(text, minlength=words).astype(float)
    f = lambda E: np.sum(np.tanh(E[text] @ w))
    good = lambda E: np.sum(count[:, None] * np.tanh(E @ w))
    return bounded(f, good, rng.normal(size=(words, width)), order)


def group_effects(order, rng, groups, samples):
    """Poisson regression with an effect of each group: labels choose the effect."""
    label, y = rng.integers(groups, size=samples), rng.poisson(2.0, size=samples).astype(float)
    count, hot = np.bincount(label, minlength=groups).astype(float), np.eye(groups)[label]
    f = lambda g: np.sum(np.exp(g[label]) - y * g[label])
    good = lambda g, y: np.sum(count * np.exp(g) - (y @ hot) * g)
    return bounded(f, good, rng.normal(size=groups), order, data=(y,))


def group_softmax(order, rng, groups, samples):
    """The same effects after a softmax, as class frequencies are written."""
    label = rng.integers(groups, size=samples)
    count = np.bincount(label, minlength=groups).astype(float)

    def f(g):
        p = np.exp(g) / np.exp(g).sum()
        return -np.mean(np.log(p[label]))

    def good(g):
        return np.log(np.exp(g).sum()) - count / samples @ g

    return bounded(f, good, rng.normal(size=groups), order)


def one_hot(order, rng, samples, features, classes):
    """Cross entropy, the scores of the labels picked by two indices; better by a one-hot matrix."""
    x, label = rng.normal(size=(samples, features)), rng.integers(classes, size=samples)
    rows, hot = np.arange(samples), np.eye(classes)[label]

    def f(w):
        z = x @ w
        return np.sum(np.log(np.exp(z).sum(1)) - z[rows, label])

    def good(w):
        z = x @ w
        return np.sum(np.log(np.exp(z).sum(1))) - np.sum((x.T @ hot) * w)

    return bounded(f, good, rng.normal(size=(features, classes)), order, times=1.1)


def one_hot_product(order, rng, samples, classes, width):
    """Class embeddings chosen by a product with a one-hot matrix; better by the classes."""
    label = rng.integers(classes, size=samples)
    hot = np.eye(classes)[label]
    f = lambda M: np.sum(np.tanh(hot @ M))
    good = lambda M: np.sum(hot.sum(0)[:, None] * np.tanh(M))
    return bounded(f, good, rng.normal(size=(classes, width)), order)


# Each pick is used otherwise: five evaluations ----------------------------------------------------


def mesh_area(rng, vertices, faces):
    """Gradient of the area of a mesh of triangles."""
    face = np.stack([rng.permutation(vertices)[:3] for _ in range(faces)])

    def area(p):
        a, b, c = p[face[:, 0]], p[face[:, 1]], p[face[:, 2]]
        return np.sqrt((np.cross(b - a, c - a) ** 2).sum(1)).sum() / 2

    return _gradient(area, rng.normal(size=(vertices, 3)))


def springs(rng, points, edges):
    """Gradient of the energy of springs, both ends picked at once: ``p[edge]``."""
    edge = np.stack([rng.permutation(points)[:2] for _ in range(edges)])
    rest = rng.uniform(1, 2, size=edges)

    def energy(p):
        ends = p[edge]
        d = ends[:, 0] - ends[:, 1]
        return ((np.sqrt((d**2).sum(-1)) - rest) ** 2).sum()

    return _gradient(energy, rng.normal(size=(points, 3)))


def pairs(rng, points):
    """Gradient of a pair energy, each pair once by ``triu_indices``."""
    return _gradient(_pair_energy(points), _spread(rng, points))


def pair_blocks(rng, points):
    """Blocks of its Hessian that belong to one point each, as of all pairs twice."""
    f, x = _pair_energy(points), _spread(rng, points)

    def doubled(x):
        d = x[:, None, :] - x[None, :, :]
        s = (d**2).sum(-1) + 1.0
        return (s**-3.0 - s**-1.5).sum() / 2

    def blocks(f):
        return lambda x: np.einsum("iaib->iab", eg.hessian(f)(x))

    bound = Bound(blocks(doubled), (x,))
    return Task(
        blocks(f),
        (x,),
        {"flops": bound, "peak_bytes": bound},
        lambda: np.einsum("iaib->iab", differences(f, x, None, None)),
    )


def _pair_energy(points):
    i, j = np.triu_indices(points, 1)

    def energy(x):
        s = ((x[i] - x[j]) ** 2).sum(-1) + 1.0
        return (s**-3.0 - s**-1.5).sum()

    return energy


def _spread(rng, points):
    return rng.normal(size=(points, 3))


def _gradient(f, x):
    return Task(
        eg.grad(f), (x,), {"flops": evaluations(f, x, 5.0)}, lambda: differences(f, x, None)
    )


def _order(make, order):
    return functools.partial(make, order)


PROGRAMS = (
    Program("3", "exponentials of 3,000 picked rows, gradient", _order(exponentials, 1), (40, 50, 3000), (3, 4, 9)),
    Program("3", "exponentials of 3,000 picked rows, Hessian", _order(exponentials, 2), (40, 50, 3000), (3, 4, 9)),
    Program("3", "exponentials of 300 picked rows, Hessian", _order(exponentials, 2), (40, 50, 300), (3, 4, 9)),
    Program("3", "exponentials of 3,000 picked rows, third derivative", _order(exponentials, 3), (40, 20, 3000), (3, 2, 9)),
    Program("3", "embeddings of 2,000 tokens, gradient", _order(embeddings, 1), (50, 8, 2000), (3, 2, 7)),
    Program("3", "embeddings of 2,000 tokens, Hessian", _order(embeddings, 2), (50, 8, 2000), (3, 2, 7)),
    Program("3", "effects of 30 groups, gradient", _order(group_effects, 1), (30, 2000), (3, 9)),
    Program("3", "effects of 30 groups, Hessian", _order(group_effects, 2), (30, 2000), (3, 9)),
    Program("3", "softmax of 30 groups, gradient", _order(group_softmax, 1), (30, 2000), (3, 9)),
    Program("3", "softmax of 30 groups, Hessian", _order(group_softmax, 2), (30, 2000), (3, 9)),
    Program("3", "labels picked by two indices, gradient", _order(one_hot, 1), (500, 10, 5), (4, 2, 3)),
    Program("3", "labels picked by two indices, Hessian", _order(one_hot, 2), (500, 10, 5), (4, 2, 3)),
    Program("3", "one-hot product, Hessian", _order(one_hot_product, 2), (500, 10, 4), (6, 3, 2)),
    Program("3", "area of a mesh of 400 faces, gradient", mesh_area, (200, 400), (5, 4)),
    Program("3", "400 springs, gradient", springs, (100, 400), (5, 6)),
    Program("3", "pairs of 60 points, gradient", pairs, (60,), (4,)),
    Program("3", "pairs of 200 points, gradient", pairs, (200,), (4,)),
    Program("3", "pairs of 20 points, diagonal blocks of the Hessian", pair_blocks, (20,), (4,)),
    Program("3", "pairs of 200 points, diagonal blocks of the Hessian", pair_blocks, (200,), (4,)),
)  # fmt: skip
