"""Hypothesis strategies: random functions of one array, contractions with structure, nestings."""

import math
from collections import OrderedDict

import numpy as np
from faults import Pair
from hypothesis import assume
from hypothesis import strategies as st

from eingrad import _ir

# Steps are bounded where x is, so that derivatives to order 3 stay of moderate size.
UNARY = {
    "sin": lambda xp, x: xp.sin(x),
    "tanh": lambda xp, x: xp.tanh(0.7 * x),
    "exp": lambda xp, x: xp.exp(0.3 * x),
    "log1p": lambda xp, x: xp.log1p(x * x),
    "sqrt": lambda xp, x: xp.sqrt(1.5 + x * x),
    "reciprocal": lambda xp, x: 1 / (2 + x * x),
    "power": lambda xp, x: (1.2 + x * x) ** 1.5,
    "cube": lambda xp, x: 0.2 * x**3,
    "affine": lambda xp, x: 0.5 * x - 1,
    "ravel": lambda xp, x: xp.reshape(x, (-1,)),
    "transpose": lambda xp, x: x.T,
    "reverse": lambda xp, x: x[::-1] if x.ndim else x,
    "tail": lambda xp, x: x[1:] if x.ndim and x.shape[0] > 1 else x,
    "last": lambda xp, x: x[..., -1] if x.ndim else x,
    "sum": lambda xp, x: xp.sum(x, axis=0) if x.ndim else x,
    "mean": lambda xp, x: xp.mean(x),
    "diagonal": lambda xp, x: xp.einsum("ii->i", x) if _square(x) else x,
    "trace": lambda xp, x: xp.trace(x) if _square(x) else x,
    "inverse": lambda xp, x: xp.linalg.inv(x * 0.2 + 3 * np.eye(len(x))) if _square(x) else x,
    "det": lambda xp, x: 0.1 * xp.linalg.det(x * 0.2 + 2 * np.eye(len(x))) if _square(x) else x,
    "outer": lambda xp, x: xp.outer(x, x) if x.ndim == 1 else x,
    "gram": lambda xp, x: x.T @ x if x.ndim == 2 else x,
    "select": lambda xp, x: xp.where(_flags(x.shape), x, xp.sin(x)),
    "regroup": lambda xp, x: xp.reshape(x, x.shape[::-1]),
}
BINARY = {
    "add": lambda xp, x, y: x + y,
    "subtract": lambda xp, x, y: x - 2 * y,
    "multiply": lambda xp, x, y: x * y,
    "divide": lambda xp, x, y: x / (2 + y * y),
    "concatenate": lambda xp, x, y: xp.concatenate([x, y]),
    "stack": lambda xp, x, y: xp.stack([x, y]),
    "matmul": lambda xp, x, y: x @ y,
}


def _square(x):
    return x.ndim == 2 and x.shape[0] == x.shape[1]


def _flags(shape):
    return np.arange(math.prod(shape)).reshape(shape) % 2 == 0


class RandomFunction:
    """A straight-line program: each step takes earlier values; the last value is the result."""

    def __init__(self, steps):
        self.steps = steps

    def __call__(self, x, xp=np):
        pool = [x]
        for name, *arguments in self.steps:
            operation = UNARY.get(name) or BINARY[name]
            pool.append(operation(xp, *(pool[n] for n in arguments)))
        return pool[-1]

    def __repr__(self):
        return f"RandomFunction({self.steps})"


def extend(steps, pool, step, largest):
    """Add a step to a program and its value to the pool, if shapes fit and it is not too large."""
    operation = UNARY.get(step[0]) or BINARY[step[0]]
    try:
        value = np.asarray(operation(np, *(pool[n] for n in step[1:])))
    except ValueError:
        return  # shapes that do not fit
    if value.size <= largest and value.ndim <= 4:
        steps.append(step)
        pool.append(value)


@st.composite
def functions(draw, most_steps=6, largest=40):
    """A random function and the shape of its argument."""
    shape = tuple(draw(st.lists(st.integers(1, 3), max_size=2)))
    pool = [np.full(shape, 0.5)]
    steps = []
    for _ in range(draw(st.integers(1, most_steps))):
        first = draw(st.integers(max(0, len(pool) - 3), len(pool) - 1))
        if draw(st.booleans()):
            step = (draw(st.sampled_from(sorted(UNARY))), first)
        else:
            step = (
                draw(st.sampled_from(sorted(BINARY))),
                first,
                draw(st.integers(0, len(pool) - 1)),
            )
        extend(steps, pool, step, largest)
    return RandomFunction(steps), shape


def random_function(seed, steps=5, largest=9):
    """A random function and the shape of its argument, the same for the same seed."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 4, size=rng.integers(0, 3)).tolist())
    pool = [np.full(shape, 0.5)]
    made = []
    while len(made) < steps:
        first = int(rng.integers(max(0, len(pool) - 3), len(pool)))
        if rng.random() < 0.5:
            step = (str(rng.choice(sorted(UNARY))), first)
        else:
            step = (str(rng.choice(sorted(BINARY))), first, int(rng.integers(len(pool))))
        extend(made, pool, step, largest)
    return RandomFunction(made), shape


def point(shape, seed):
    """A read-only array of moderate numbers."""
    x = np.random.default_rng(seed).uniform(-1, 1, size=shape)
    x.flags.writeable = False
    return x


@st.composite
def structured_networks(draw):
    """Operands (dense, deltas, selections, merges), their terms and an output."""
    sizes = draw(st.lists(st.sampled_from([2, 3, 4, 6]), min_size=6, max_size=6))
    index = st.integers(0, 5)
    operands, terms = [], []
    for k in range(draw(st.integers(0, 2))):
        term = tuple(draw(st.lists(index, min_size=1, max_size=3)))
        operands.append(_ir.new_input(f"a{k}", tuple(sizes[i] for i in term)))
        terms.append(term)
    for _ in range(draw(st.integers(1, 4))):
        i, j = draw(index), draw(index)
        kind = draw(st.sampled_from(["delta", "selection", "merge"]))
        if kind == "delta":
            j = draw(st.sampled_from([j for j in range(6) if sizes[j] == sizes[i]]))
            operands.append(_ir.delta(sizes[i]))
            terms.append((i, j))
        elif kind == "selection":
            lowest = draw(st.sampled_from([-1, 0]))
            entry = st.integers(lowest, sizes[j] - 1)
            table = draw(st.lists(entry, min_size=sizes[i], max_size=sizes[i]))
            operands.append(_ir.selection(tuple(table), sizes[j]))
            terms.append((i, j))
        else:
            triples = [
                (m, p, q)
                for m in range(6)
                for p in range(6)
                for q in range(6)
                if sizes[m] == sizes[p] * sizes[q]
            ]
            if triples:
                m, p, q = draw(st.sampled_from(triples))
                operands.append(_ir.merge((sizes[p], sizes[q])))
                terms.append((m, p, q))
    out = tuple(draw(st.lists(index, max_size=4, unique=True)))
    assume(operands)
    return operands, terms, out, dict(enumerate(sizes))


KEYS = st.one_of(st.text(max_size=3), st.integers(0, 9), st.just((1, "a")))


def nestings(leaves, max_leaves):
    """Leaves in lists, tuples, named tuples and dicts of both kinds, in each other."""
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.lists(inner, max_size=3).map(tuple),
            st.dictionaries(KEYS, inner, max_size=3),
            st.dictionaries(KEYS, inner, max_size=3).map(OrderedDict),
            st.tuples(inner, inner).map(lambda pair: Pair(*pair)),
        ),
        max_leaves=max_leaves,
    )
