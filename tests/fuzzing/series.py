"""Taylor coefficients of a program, and products nested along a direction, beside its derivatives.

In: what `oracles` has computed. Out: counts of what was compared.
"""

import functools
import math
from collections import Counter

import numpy as np

import eingrad as eg
from fuzzing.quotients import EPS, SAFETY, close


def check_series(program, f, order, at, results, losses):
    """Along a line and a curve, from `taylor` and from nested `jvp`, against whole derivatives."""
    if not order:
        return Counter()
    rng = np.random.default_rng([*program.seed, 3])
    v, w = ({k: _direction(rng, at[k]) for k in program.every} for _ in range(2))
    pack = functools.partial(_packed, program.argnums)
    line = eg.taylor(f, order, program.argnums)(*at, pack(v))
    curve = eg.taylor(f, order, program.argnums, curve=True)(*at, (pack(v), pack(w))[:order])
    counts = Counter()
    for n in range(order + 1):
        along = _contracted(results[n], [v] * n)
        expected = along / math.factorial(n)
        if not np.all(np.isfinite(along)):
            continue
        allowed = SAFETY * EPS * max(losses[: n + 1]) * 10
        close(line[n], expected, allowed, f"taylor, number {n}")
        if order > 1:  # a curve of two coefficients
            bend = 0
            if n > 1:  # of the second, by a derivative of one order less
                bend = _contracted(results[n - 1], [v] * (n - 2) + [w])
            close(curve[n], expected + bend, allowed, f"curve, number {n}")
        nested = f
        for _ in range(n):
            nested = _along(nested, program.argnums, pack(v))
        if n > 1:
            plan = eg.plan(nested, *at)
            close(np.asarray(plan(*at)), along, allowed, f"jvp, nested {n} times")
        counts["coefficients"] += 1
    return counts


def _direction(rng, x):
    v = rng.uniform(-1, 1, x.shape)
    return v + 1j * rng.uniform(-1, 1, x.shape) if x.dtype.kind == "c" else v


def _packed(argnums, parts):
    return tuple(parts[k] for k in argnums) if isinstance(argnums, tuple) else parts[argnums]


def _along(f, argnums, v):
    return lambda *xs: eg.jvp(f, argnums)(*xs, v)


def _contracted(blocks, directions):
    """Contract the axes of each block with directions of its arguments, and add up."""
    total = 0
    for where, block in blocks.items():
        left = block
        for k, v in zip(where[::-1], directions[::-1], strict=True):
            left = np.tensordot(left, v[k], np.ndim(v[k]))
        total = total + left
    return np.asarray(total)
