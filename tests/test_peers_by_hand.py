"""Hand versions of the benchmark of peers: they compute the derivative, wherever they write it."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

from peers import PROBLEMS
from peers.contenders import HAND, OURS, OUT, as_arrays, contenders


def by_hand():
    """Tasks with hand versions, one of each kind: others have the same at another size."""
    found = {}
    for name, problem in PROBLEMS.items():
        task = problem.task(small=True)
        if task.hand:
            shapes = tuple(arg.shape for arg in task.args)
            found.setdefault((name.partition(",")[0], shapes, *task.hand), task)
    return found


TASKS = by_hand()


@pytest.mark.parametrize(
    "task", TASKS.values(), ids=["-".join(map(str, key[::2])) for key in TASKS]
)
def test_hand_versions_compute_the_derivative(task):
    """New, and into memory that is given; this library's plan is the measure."""
    every = contenders(task)
    expected = as_arrays(every[OURS].prepare(task).call())
    scale = max(np.abs(array).max() for array in expected)
    for name, contender in every.items():
        if name.startswith(HAND) or name == OURS + OUT:
            found = as_arrays(contender.prepare(task).call())
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10 * scale, err_msg=name)


@pytest.mark.parametrize(
    "task", TASKS.values(), ids=["-".join(map(str, key[::2])) for key in TASKS]
)
def test_hand_versions_write_into_what_they_are_given(task):
    """Every entry of it: whatever it held is gone."""
    for name, function in task.hand.items():
        fresh = function(*task.args)
        given = tuple(np.full_like(a, np.nan) for a in as_arrays(fresh))
        out = given if isinstance(fresh, tuple) else given[0]
        assert function(*task.args, out=out) is out, name
        for one, other in zip(given, as_arrays(fresh), strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)
