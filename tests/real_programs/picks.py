"""More gathers and products: variants of what `gathers` and `stencils` show, of other programs.

In: sizes. Out: `PROGRAMS`.
Guaranteed: bounds are formulations in which rows are grouped and counted beforehand, or so many
evaluations of the function; data of each row are added up by group in the bound, too.
"""

import functools

import numpy as np

import eingrad as eg
from real_programs.gathers import bounded
from real_programs.measure import Bound, Program, Task
from real_programs.oracles import differences
from real_programs.stencils import derived

# Functions of rows that are picked ----------------------------------------------------------------


def grid_of_tokens(order, rng, words, width, lines, length):
    """Logarithms of a table, picked by a matrix of tokens of which some words never occur."""
    used = rng.permutation(words)[: words // 2]
    text = rng.choice(used, size=(lines, length))
    count = np.bincount(text.ravel(), minlength=words)[used].astype(float)
    start = np.full((words, width), -2.0)  # where a logarithm has no value
    start[used] = rng.uniform(1.0, 2.0, size=(len(used), width))
    f = lambda E: np.sum(np.log(E[text]) ** 2)
    good = lambda E: np.sum(count[:, None] * np.log(E[used]) ** 2)
    return bounded(f, good, start, order)


def logits_with_bias(order, rng, groups, samples):
    """A logistic response of groups: intercept and slope of each, the answers of each sample."""
    label, y = rng.integers(groups, size=samples), rng.integers(2, size=samples).astype(float)
    count, hot = np.bincount(label, minlength=groups).astype(float), np.eye(groups)[label]

    def f(p):
        z = p[0][label] * 0.7 + p[1][label]
        return np.sum(np.log1p(np.exp(z)) - y * z)

    def good(p, y):
        z = p[0] * 0.7 + p[1]
        return np.sum(count * np.log1p(np.exp(z)) - (y @ hot) * z)

    return bounded(f, good, rng.normal(size=(2, groups)), order, data=(y,))


def weighted_groups(order, rng, groups, samples):
    """Rates of groups, exposures of samples: sums of what the samples of a group have."""
    label, exposure = rng.integers(groups, size=samples), rng.uniform(1, 2, size=samples)
    hot = np.eye(groups)[label]
    f = lambda g: exposure @ np.exp(np.tanh(g[label]))
    good = lambda g, exposure: (exposure @ hot) @ np.exp(np.tanh(g))
    return bounded(f, good, rng.normal(size=groups), order, data=(exposure,))


def inverses_of_groups(order, rng, groups, samples):
    """Precisions of groups, each inverted: a matrix of each sample, by its group."""
    label = rng.integers(groups, size=samples)
    count = np.bincount(label, minlength=groups).astype(float)
    f = lambda S: np.linalg.slogdet(S[label])[1].sum()
    good = lambda S: count @ np.linalg.slogdet(S)[1]
    S = np.eye(3) * 3 + 0.3 * rng.normal(size=(groups, 3, 3))
    return bounded(f, good, S, order)


# One-hot rows, as they are multiplied --------------------------------------------------------------


def cross_entropy(order, rng, samples, features, classes):
    """Cross entropy with one-hot labels, as it is written everywhere; better by indices."""
    x, label = rng.normal(size=(samples, features)), rng.integers(classes, size=samples)
    hot = np.eye(classes)[label]

    def f(w):
        z = x @ w
        return -np.sum(hot * (z - np.log(np.exp(z).sum(1, keepdims=True))))

    def good(w):
        z = x @ w
        return np.sum(np.log(np.exp(z).sum(1)) - z[np.arange(samples), label])

    return bounded(f, good, rng.normal(size=(features, classes)), order)


def permuted(order, rng, n, m):
    """A permutation written as a matrix; better by an index."""
    order_of = rng.permutation(n)
    P = np.eye(n)[order_of]
    f = lambda X: np.sum(np.sin(P @ X) * X)
    good = lambda X: np.sum(np.sin(X[order_of]) * X)
    return bounded(f, good, rng.normal(size=(n, m)), order)


def one_hot_sentences(order, rng, lines, length, words, width):
    """One-hot sentences, an axis each for lines, tokens and words; better by the words."""
    text = rng.integers(words, size=(lines, length))
    hot = np.eye(words)[text]
    count = hot.sum((0, 1))
    f = lambda E: np.sum(np.cos(hot @ E))
    good = lambda E: np.sum(count[:, None] * np.cos(E))
    return bounded(f, good, rng.normal(size=(words, width)), order)


# Pairs by indices ---------------------------------------------------------------------------------


def pair_operator(rng, points, subscripts):
    """Diagonal or trace of the Hessian of a pair energy by indices; bounded by that of all pairs."""
    i, j = np.triu_indices(points, 1)
    x = rng.normal(size=(points, 3))

    def energy(x):
        return np.exp(-((x[i] - x[j]) ** 2).sum(-1)).sum()

    def doubled(x):
        return np.exp(-((x[:, None] - x[None]) ** 2).sum(-1)).sum() / 2

    def part(f):
        return lambda x: np.einsum(subscripts, eg.hessian(f)(x))

    bound = Bound(part(doubled), (x,))
    return Task(
        part(energy), (x,), {"flops": bound, "peak_bytes": bound},
        lambda: np.einsum(subscripts, differences(energy, x, None, None)),
    )  # fmt: skip


# Running products ---------------------------------------------------------------------------------


def discounted(order, rng, n):
    """Payments discounted by a rate of each period."""
    c = rng.normal(size=n)
    f = lambda r: (c * np.cumprod(1 / (1 + r))).sum()
    return derived(f, rng.uniform(0.01, 0.1, size=n), order, 4 * n)


def batch_of_products(order, rng, m, n):
    """Running products of columns, some entries zero."""
    x = rng.normal(size=(m, n)) * (rng.uniform(size=(m, n)) < 0.8)
    f = lambda x: np.sum(np.sin(np.cumprod(x, axis=0)))
    return derived(f, x, order, 3 * m * n)


def likelihood(order, rng, n):
    """Probability that none of independent events happens, and its logarithm beside it."""
    f = lambda x: np.prod(1 - np.exp(-np.exp(x)))
    return derived(f, rng.uniform(0.5, 1.5, size=n), order, 6 * n)


# Steps --------------------------------------------------------------------------------------------


def taken(order, rng, steps, n):
    """Each number takes from two others, by index."""
    first, second = rng.integers(n, size=(2, n))

    def f(y):
        for _ in range(steps):
            y = np.sin(y[first] + 0.5 * y[second] * y)
        return y.sum()

    return derived(f, rng.normal(size=n), order)


def bounded_walk(order, rng, steps, n):
    """Neighbours by concatenation, bounded from both sides by minimum and maximum."""

    def f(x):
        for _ in range(steps):
            ahead, behind = np.concatenate([x[1:], x[:1]]), np.concatenate([x[-1:], x[:-1]])
            x = np.minimum(np.maximum(x + 0.2 * ahead * behind, -4.0), 4.0)
        return (x**2).sum()

    return derived(f, rng.normal(size=n), order)


def mirrored(order, rng, steps, n):
    """Reflected ends, by a slice of the reversed array that is put in front."""

    def f(x):
        for _ in range(steps):
            longer = np.concatenate([x[1::-1], x])
            x = x + 0.1 * longer[:-2] * longer[1:-1]
        return x.sum()

    return derived(f, rng.normal(size=n), order)


def _order(make, order):
    return functools.partial(make, order)


PROGRAMS = (
    Program("3", "grid of tokens, gradient", _order(grid_of_tokens, 1), (60, 5, 20, 50), (6, 2, 3, 4)),
    Program("3", "grid of tokens, Hessian", _order(grid_of_tokens, 2), (60, 5, 20, 50), (6, 2, 3, 4)),
    Program("3", "logits of 20 groups, gradient", _order(logits_with_bias, 1), (20, 1000), (3, 8)),
    Program("3", "logits of 20 groups, Hessian", _order(logits_with_bias, 2), (20, 1000), (3, 8)),
    Program("3", "exposures of 25 groups, gradient", _order(weighted_groups, 1), (25, 1500), (3, 8)),
    Program("3", "exposures of 25 groups, Hessian", _order(weighted_groups, 2), (25, 1500), (3, 8)),
    Program("3", "precisions of 12 groups, gradient", _order(inverses_of_groups, 1), (12, 500), (2, 5)),
    Program("3", "one-hot cross entropy, gradient", _order(cross_entropy, 1), (400, 12, 6), (10, 2, 7)),
    Program("3", "one-hot cross entropy, Hessian", _order(cross_entropy, 2), (400, 12, 6), (10, 2, 7)),
    Program("3", "matrix of a permutation, Hessian", _order(permuted, 2), (40, 6), (8, 2)),
    Program("3", "one-hot sentences, Hessian", _order(one_hot_sentences, 2), (20, 30, 15, 4), (4, 5, 4, 2)),
    Program("3", "diagonal of the Hessian of 60 points", pair_operator, (60, "iaia->ia"), (4, "iaia->ia")),
    Program("3", "trace of the Hessian of 60 points", pair_operator, (60, "iaia->"), (4, "iaia->")),
    Program("3", "blocks of the Hessian of 60 points", pair_operator, (60, "iaib->iba"), (4, "iaib->iba")),
    Program("3b", "taken by index, 8 steps, Hessian", _order(taken, 2), (8, 6), (2, 4)),
    Program("3b", "bounded walk, 8 steps, gradient", _order(bounded_walk, 1), (8, 10), (2, 4)),
    Program("3b", "bounded walk, 5 steps, Hessian", _order(bounded_walk, 2), (5, 8), (2, 4)),
    Program("3b", "mirrored ends, 6 steps, Hessian", _order(mirrored, 2), (6, 8), (2, 4)),
    Program("3b", "discounted over 400, gradient", _order(discounted, 1), (400,), (5,)),
    Program("3b", "discounted over 50, Hessian", _order(discounted, 2), (50,), (5,)),
    Program("3b", "columns of 40 with zeros, gradient", _order(batch_of_products, 1), (40, 20), (4, 2)),
    Program("3b", "columns of 12 with zeros, Hessian", _order(batch_of_products, 2), (12, 4), (4, 2)),
    Program("3b", "none of 60 events, Hessian", _order(likelihood, 2), (60,), (4,)),
)  # fmt: skip
