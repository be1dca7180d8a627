"""Products with derivatives, and derivatives that are contracted, beside whole derivatives.

In: a case. Out: counts of what was compared.
"""

import math
import string
from collections import Counter

import numpy as np

import eingrad as eg
from fuzzing.case import contracted, drawn_like
from fuzzing.quotients import EPS, SAFETY, close, scale_of


def check_series(case):
    """Along a line and a curve, from `taylor` and from nested `jvp`, against whole derivatives."""
    order, at, argnums = case.order, case.at, case.program.argnums
    if not order:
        return Counter()
    rng = case.rng(3)
    v, w = case.direction(rng), case.direction(rng)
    line = eg.taylor(case.f, order, argnums)(*at, case.packed(v))
    given = (case.packed(v), case.packed(w))[:order]
    curve = eg.taylor(case.f, order, argnums, curve=True)(*at, given)
    counts = Counter()
    for n in range(order + 1):
        along = contracted(case.results[n], [v] * n)
        expected = along / math.factorial(n)
        if not np.all(np.isfinite(along)):
            continue
        allowed = SAFETY * EPS * max(case.losses[: n + 1]) * 10
        close(line[n], expected, allowed, f"taylor, number {n}")
        if order > 1:  # a curve of two coefficients
            bend = 0
            if n > 1:  # of the second, by a derivative of one order less
                bend = contracted(case.results[n - 1], [v] * (n - 2) + [w])
            close(curve[n], expected + bend, allowed, f"curve, number {n}")
        if n > 1:
            found = eg.plan(_nested(case, [v] * n), *at)(*at)
            close(np.asarray(found), along, allowed, f"jvp, nested {n} times")
        counts["coefficients"] += 1
    return counts


def check_directions(case):
    """Along two directions: `jvp` of `jvp`, `jvp` of `vjp`, and `vjp`, against whole derivatives."""
    if not case.order:
        return Counter()
    rng, argnums, at = case.rng(8), case.program.argnums, case.at
    v, w = case.direction(rng), case.direction(rng)
    u = drawn_like(rng, case.results[0][()])
    _close_blocks(case, 1, eg.vjp(case.f, argnums)(*at, u), _before(case, 1, u), "vjp")
    directions = [v, w, v][: case.order]
    n = len(directions)
    along = contracted(case.results[n], directions)
    if np.all(np.isfinite(along)):
        found = eg.plan(_nested(case, directions), *at)(*at)
        close(np.asarray(found), along, case.allowed(n) * 10, f"jvp along {n} directions")
    if case.order > 1:
        back = lambda *xs: eg.vjp(case.f, argnums)(*xs, u)  # noqa: E731
        found = eg.jvp(back, argnums)(*at, case.packed(v))
        tied = {
            k: contracted({(j,): block for (i, j), block in _before(case, 2, u).items() if i == k},
                          [v])
            for k in case.program.every
        }  # fmt: skip
        _close_blocks(case, 2, found, {(k,): block for k, block in tied.items()}, "jvp of vjp")
    return Counter({"directions": n})


def _before(case, n, u):
    """The blocks of one order, the axes of the result contracted with a cotangent."""
    return {k: np.asarray(np.tensordot(u, b, u.ndim)) for k, b in case.results[n].items()}


def _close_blocks(case, n, nested, expected, what):
    for where, block in case.blocks(nested, 1).items():
        if np.all(np.isfinite(expected[where])):
            close(np.asarray(block), expected[where], case.allowed(n) * 10, f"{what}, {where}")


def _nested(case, directions):
    """Nest products along directions, the first of them innermost."""
    nested = case.f
    for v in directions:
        nested = _along(nested, case.program.argnums, case.packed(v))
    return nested


def _along(f, argnums, v):
    return lambda *xs: eg.jvp(f, argnums)(*xs, v)


# Contracted where it is called -------------------------------------------------------------------


def check_contracted(case):
    """A block contracted where it is called, inside a function, is that block contracted after.

    Axes meet vectors, matrices of two columns, slices, sums; two may be tied.
    """
    if not case.order:
        return Counter()
    program, rng = case.program, case.rng(5)
    n = int(rng.integers(1, case.order + 1))
    where = (*map(int, rng.choice(program.every, n)),)
    block = case.results[n][where]
    if not block.ndim or not block.size:
        return Counter()
    subscripts, arrays = _contraction(rng, block.shape)
    derivative = case.derivative(n=n)

    def product(*args):
        tensor = _block(program, derivative(*args), where)
        return np.einsum(subscripts, tensor, *arrays)

    found = eg.derivative(product, 0)(*case.at)
    expected = np.einsum(subscripts, block, *arrays)
    if not np.all(np.isfinite(expected)):
        return Counter()
    within = np.einsum(subscripts, np.abs(block) + scale_of(block), *map(np.abs, arrays))
    allowed = case.allowed(n) * np.max(np.abs(within), initial=1.0)
    what = f"contracted, order {n}, {where}, {subscripts}"
    close(np.asarray(found), expected, allowed / scale_of(expected), what)
    return Counter({"contracted": 1})


def _contraction(rng, shape):
    """Draw subscripts that contract an array of this shape, and what it is contracted with."""
    letters = list(string.ascii_lowercase[: len(shape)])
    for n, size in enumerate(shape):
        same = [letters[m] for m in range(n) if shape[m] == size]
        if same and rng.random() < 0.1:
            letters[n] = str(rng.choice(same))
    sizes = dict(zip(letters, shape, strict=True))
    operands, out = [], []
    for letter in dict.fromkeys(letters):
        kind = rng.choice(["vector", "matrix", "sum", "kept"], p=[0.45, 0.15, 0.1, 0.3])
        if kind == "vector":
            operands.append(letter)
        elif kind == "matrix":
            operands.append(letter + letter.upper())
            sizes[letter.upper()] = 2
            out.append(letter.upper())
        elif kind == "kept":
            out.append(letter)
    arrays = [rng.uniform(-1, 1, [sizes[i] for i in operand]) for operand in operands]
    return f"{','.join([''.join(letters), *operands])}->{''.join(out)}", arrays


def _block(program, nested, where):
    """Find one block of a derivative, however the result is nested."""
    if isinstance(program.argnums, int):
        return nested
    for k in where:
        nested = nested[program.every.index(k)]
    return nested
