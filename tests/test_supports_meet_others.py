"""Pieces that are left out where a selection does not meet them, beside all else there is."""

import numpy as np
import pytest
from inside import LOOKED_FOR
from reference import assert_close

import eingrad as eg

N = 12
GATHER = np.array([0, 5, 5, 11, 3, 0])


def put_together(x):
    """Make eleven pieces of one or two numbers."""
    return np.concatenate([x[k : k + 2] * x[N - 2 - k : N - k] for k in range(N - 1)])


def scanned(x):
    """Carry what is put together through a loop."""

    def step(carry, row):
        return np.concatenate([carry[k : k + 1] * row[k] for k in range(N)]), row

    carry, _ = eg.scan(step, np.ones(N), np.stack([x, np.sin(x)]))
    return carry.sum()


FUNCTIONS = {
    "where": lambda x: np.where(put_together(x) > 0, np.log1p(put_together(x) ** 2), 0.5).sum(),
    "gathers with repeats": lambda x: (put_together(x)[GATHER] * x[GATHER]).sum(),
    "strides": lambda x: (put_together(x)[::-2] ** 3)[:-1].sum() + put_together(x)[3:17:5].prod(),
    "batches": lambda x: np.exp(put_together(x).reshape(2, 11)[:, 2:9] @ np.ones((7, 3))).sum(),
    "a scan": scanned,
    "rolled": lambda x: (np.roll(put_together(x), 3)[1:5] * x[2:6]).sum(),
    "padded": lambda x: (np.pad(put_together(x), 2)[:5] * np.pad(x, 1)[9:]).sum(),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_are_those_without_it_at_each_order(name, monkeypatch):
    f = FUNCTIONS[name]
    x = np.linspace(-1, 1, N) + 0.05
    v = np.cos(np.arange(N))

    def values():
        eg.cache_clear()
        found = [eg.derivative(f, order)(x) for order in (1, 2)]
        found.append(np.einsum("ijk,j,k", eg.derivative(f, 3)(x), v, v))
        found.append(eg.jvp(eg.grad(f))(x, v))
        if name != "a scan":
            found.append(np.asarray(eg.hessian(f, structured=True)(x)))
        if name not in ("a scan", "where"):
            found += [*eg.taylor(f, 3)(x, v)]
        return found

    here = values()
    LOOKED_FOR.replace(monkeypatch, 10**6)
    for found, expected in zip(here, values(), strict=True):
        assert_close(found, expected, rtol=1e-12)
