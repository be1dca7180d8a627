"""Steps of long programs: each maps a vector of n entries, of at most ten, to another.

In: the names that `names` gives. Out: texts, with the calls of NumPy in each.
Guaranteed: values stay below ten, so that rounding and conditions stay small.

``{x}`` is the vector, ``{y}`` that of the step before, ``{t}`` the number of the step, ``{k}`` a
number from 1 to n - 1, ``{a}`` 0 or 1, ``{body}`` another step, from a carry ``c`` and its slice ``s``.
"""

from dataclasses import dataclass

import numpy as np

from fuzzing.helpers import Helpers

MOST_STEPS = 1000  # of a program: rows of data
DEEPEST = 2  # scans in scans


@dataclass(frozen=True)
class Kind:
    """A step, how often it is drawn, and whether the complex step can be taken through it."""

    weight: float
    calls: int
    text: str
    analytic: bool = True


STEPS = {
    # layout
    "roll": Kind(1, 4, "0.5 * np.tanh({x}) + 0.3 * np.roll({x}, {k}) * np.cos({x})"),
    "reverse": Kind(1, 5, "0.4 * {x}[::-1] * np.sin({x}) + 0.4 * np.roll({x}, 1)"),
    "pad": Kind(
        1, 8, "(lambda p: 0.6 * {x} + 0.2 * np.tanh(p[2:] * {x} - p[:-2]))(np.pad({x}, 1))"
    ),
    "slices": Kind(
        1, 7, "np.concatenate([np.sin({x}[{k}:]), 0.7 * {x}[:{k}] * np.cos({x}[:{k}])])"
    ),
    "edges": Kind(
        1, 9, "np.concatenate([{x}[:1], 0.5 * {x}[1:-1] + 0.2 * {x}[2:] * {x}[:-2], {x}[-1:]])"
    ),
    "reshape": Kind(1, 6, "0.5 * ({x}.reshape(2, -1).T @ W2).ravel() + 0.3 * np.tanh({x})"),
    # gathers with repeats, one-hot arrays, groups
    "picked": Kind(1, 5, "np.tanh({x}[P(n, {k})]) + 0.2 * {x}[P(n, {k} + 1)] * {x}"),
    "taken": Kind(1, 5, "0.5 * np.take(np.sin({x}), P(n, {k})) + 0.3 * {x}"),
    "groups": Kind(
        1, 6, "0.5 * {x} + 0.1 * np.sin(M(n, {k}) @ np.tanh({x})[P(n + 3, {k}) % n])"
    ),
    "onehot": Kind(1, 4, "0.5 * {x} + 0.3 * H(n, *P(n, {k})) @ np.tanh({x})"),
    "masked": Kind(1, 5, "0.6 * {x} + 0.2 * (H(n, *P(n, {k})) * np.outer({x}, {x})).sum({a})"),
    "labels": Kind(
        1, 8,
        "0.6 * {x} + 0.1 * np.log(2 + np.outer(np.sin({x}), {x} / 9))[np.arange(n), P(n, {k})]",
    ),
    "differences": Kind(
        1, 7, "0.6 * {x} + (lambda i, j: G(n) @ np.sin({x}[i] - {x}[j]))(*np.triu_indices(n, 1))"
    ),
    # branches
    "where": Kind(
        1, 7, "np.where({x} > S({k}), 0.8 * np.log1p({x} * {x}), 0.7 * np.tanh({x}))",
        analytic=False,
    ),
    "hidden": Kind(1, 6, "0.7 * np.where({x} != 0, np.sin({x}) / {x}, 1) * np.roll({x}, 1)"),
    "log": Kind(
        1, 6, "np.where({x} > 0.1, np.log({x} + 0.3), 0.6 * {x}) + 0.1 * {x}", analytic=False
    ),
    "root": Kind(1, 5, "0.4 * {x} + np.where({x} > 0.1, 0.5 * np.sqrt({x}), 0)", analytic=False),
    "flags": Kind(1, 6, "np.where(F(n), 0.6 * {x} + 0.1, np.where(F(n), np.log(0 * {x}), {x}))"),
    "softmax": Kind(
        1, 8, "0.4 * {x} + (lambda e: e / e.sum())(np.exp({x} - np.max({x})))", analytic=False
    ),
    # products
    "matrix": Kind(1, 5, "0.4 * {x} + 0.5 * np.tanh(M(n, {k})[:, :n] @ {x})"),
    "outer": Kind(
        1, 7, "0.6 * np.tanh({x}) + 0.1 * (np.outer({x}, np.cos({x})) * 0.3).sum({a})"
    ),
    "norm": Kind(1, 8, "{x} / np.sqrt(1 + 0.3 * np.sum({x} ** 2)) + 0.2 * np.sin({x})"),
    "product": Kind(1, 8, "0.6 * {x} + 0.1 * np.prod(1 + 0.1 * {x}) * np.cos({x})"),
    "cumprod": Kind(1, 5, "0.6 * {x} + 0.05 * np.cumprod(1 + 0.1 * {x})"),
    "cumsum": Kind(1, 5, "0.4 * {x} + 0.3 / n * np.cumsum(np.sin({x}))"),
    "solve": Kind(
        0.5, 6, "2 * np.linalg.solve(3 * E(n) + 0.3 * np.outer(np.sin({x}), S({k}) + 0 * {x}), {x})"
    ),
    # by components
    "scalars": Kind(
        1, 9, "0.7 * {x} + 0.2 * np.stack([{x}[0] * {x}[1], *({x}[k] for k in range(1, n))])"
    ),
    "ring": Kind(
        0.7, 40,
        "0.7 * {x} + 0.05 * np.stack("
        "[np.sin({x}[(i + 1) % n] - {x}[i - 2]) * {x}[i - 1] for i in range(n)])",
    ),
    "pairs": Kind(
        0.3, 90,
        "0.8 * {x} + 0.01 * "
        "sum(1 / (2 + np.sin({x}[i] - {x}[j])) for i in range(n) for j in range(i))",
    ),
    "turned": Kind(
        1, 12,
        "(lambda a, b, t: np.concatenate([np.stack([np.cos(t) * a - np.sin(t) * b, "
        "np.sin(t) * a + np.cos(t) * b]), 0.8 * {x}[2:]]))({x}[0], {x}[1], {x}[{k}])",
    ),
    # loops and scans
    "lag": Kind(1, 4, "0.5 * np.sin({y}) + 0.4 * {x}"),
    "data": Kind(1, 5, "0.6 * np.tanh({x}) * D[{t}, 0] + 0.2 * D[{t}, 1] * {x}"),
    "scan": Kind(
        0.4, 8, "scan(lambda c, s: (0.9 * ({body}) + 0.1 * s, None), {x}, D[{t}:{t} + {k}, 0])[0]"
    ),
    "scan back": Kind(
        0.3, 12,
        "(lambda last, ys: 0.5 * last + 0.1 * ys.sum(0))(*scan("
        "lambda c, s: ({body}, np.sin(c) * s), {x}, D[{t}:{t} + {k} + 3, 1], reverse=True))",
    ),
    "scan of two": Kind(
        0.3, 12,
        "(lambda last, ys: last[0] + 0.1 * ys[-1])(*scan(lambda c, s: "
        "((0.5 * c[1] + 0.1 * s, 0.4 * np.sin(c[0])), c[1] * c[0]), ({x}, {y}), D[:{k} + 1, 0]))",
    ),
    "repeated": Kind(0.3, 40, "repeated(lambda c, k: 0.9 * ({body}) + 0.05 * D[k, 0], {x}, 9)"),
    # derivatives within the program
    "slope": Kind(
        0.2, 6, "0.5 * {x} + 0.2 * grad(lambda u: np.sum(np.sin(u) * u[P(n, {k})]))({x})"
    ),
    "bend": Kind(
        0.2, 6,
        "0.5 * {x} + 0.1 * hvp(lambda u: np.sum(np.tanh(M(n, {k})[:, :n] @ u)))({x}, np.cos({x}))",
    ),
    "tangent": Kind(0.2, 6, "0.4 * {x} + 0.2 * jvp(lambda u: np.sin(u) * u[::-1])({x}, np.cos({x}))"),
}  # fmt: skip


def names(n, xp=np, dtype=np.float64):
    """Give what texts of steps on `n` entries use: captured arrays, in one precision."""
    rng = np.random.default_rng(n)
    matrices = (rng.uniform(-1, 1, (3, n, n + 3)) / n).astype(dtype)
    picks = rng.integers(0, n, (4, n + 3))
    data = rng.uniform(0.5, 1, (MOST_STEPS + 20, 2, n)).astype(dtype)
    of_pairs = (rng.uniform(-1, 1, (n, n * (n - 1) // 2)) / n**2).astype(dtype)
    scope = Helpers(dtype).scope(xp)
    return {
        **scope, "np": xp, "n": n, "W2": rng.uniform(-1, 1, (2, 2)).astype(dtype), "D": data,
        "M": lambda n, k: matrices[k % 3], "P": lambda n, k: picks[k % 4][:n],
        "G": lambda n: of_pairs, "S": lambda k: float(np.sin(k) / 7),
    }  # fmt: skip


def drawn_step(rng, size, depth=0):
    """Draw a step: its name and those within it, and its text, with the number of the step open."""
    kinds = {k: v for k, v in STEPS.items() if depth < DEEPEST or "{body}" not in v.text}
    weights = np.array([kind.weight for kind in kinds.values()])
    name = str(rng.choice([*kinds], p=weights / weights.sum()))
    text, within = kinds[name].text, (name,)
    if "{body}" in text:
        below, body = drawn_step(rng, size, depth + 1)
        within += below
        text = text.replace("{body}", body.format(x="c", y="x", t="{t}"))
    text = text.replace("{k}", str(int(rng.integers(1, size))))
    return within, text.replace("{a}", str(int(rng.integers(2))))
