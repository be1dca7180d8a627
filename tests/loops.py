"""A loop in Python, what a scan stands for, and a program that has one: for the tests of scans."""

import numpy as np
from reference import assert_close

from eingrad._tree import flatten

RNG = np.random.default_rng(0)
WEIGHTS, SHIFT = RNG.normal(size=(3, 3)) / 2, RNG.normal(size=3)
POINT, VECTOR = RNG.normal(size=3), RNG.normal(size=3)


def unrolled(f, init, xs=None, length=None, *, reverse=False):
    """What a scan stands for, in Python's loop."""
    leaves, tree = flatten(xs)
    count = leaves[0].shape[0] if length is None else length
    carry, outputs = init, []
    for n in reversed(range(count)) if reverse else range(count):
        carry, y = f(carry, tree.build([None if a is None else a[n] for a in leaves]))
        outputs.append(flatten(y))
    columns = zip(*(ys for ys, _ in (outputs[::-1] if reverse else outputs)), strict=True)
    stacked = [None if ys[0] is None else np.stack(ys) for ys in columns]
    return carry, outputs[0][1].build(stacked)


def assert_alike(actual, expected, rtol=1e-9):
    """Equal nestings; leaves are close."""
    (found, tree), (wanted, wanted_tree) = flatten(actual), flatten(expected)
    assert tree == wanted_tree
    for a, b in zip(found, wanted, strict=True):
        assert_close(a, b, rtol)


def energy(loop, length=4):
    """A number that is made of carries and outputs, with a slice, a constant, and a series."""

    def f(x):
        carry, ys = loop(lambda c, _: (np.tanh(WEIGHTS @ c + SHIFT), c @ c), x, length=length)
        return np.sin(carry).sum() + (ys**2).sum()

    return f
