"""Tensors of which axes may be interchanged are mirrored in place, each entry once or twice."""

import itertools

import numpy as np
import pytest

import eingrad as eg
from eingrad._emit import emit_into
from eingrad._emit.mirrors import mirror_tensor
from eingrad._plan.kernels import Mirror

SHAPES = {  # groups: the first axis, and how many
    "three axes, in blocks": ((70, 70, 70), [(0, 3)]),
    "three axes, few entries": ((9, 9, 9), [(0, 3)]),
    "a batch of matrices": ((5, 70, 70), [(1, 2)]),
    "a batch of three axes": ((3, 9, 9, 9), [(1, 3)]),
    "three axes of rows": ((9, 9, 9, 40), [(0, 3)]),
    "four axes": ((7, 7, 7, 7), [(0, 4)]),
    "four axes within others": ((2, 6, 6, 6, 6, 2), [(1, 4)]),
    "five axes": ((5, 5, 5, 5, 5), [(0, 5)]),
    "two axes of rows": ((80, 80, 40), [(0, 2)]),
    "two axes of pairs": ((130, 130, 2), [(0, 2)]),
    "two groups": ((4, 4, 4, 5, 5), [(0, 3), (3, 2)]),
}


@pytest.mark.parametrize(("shape", "groups"), SHAPES.values(), ids=SHAPES)
def test_each_entry_is_the_one_at_sorted_indices(shape, groups):
    tensor = np.random.default_rng(0).normal(size=shape)
    expected = tensor
    for first, count in groups:
        places = [*np.indices(shape)]
        places[first : first + count] = np.sort(places[first : first + count], axis=0)
        expected = expected[tuple(places)]
    whole = tuple((*group, 1) for group in groups)
    lines = mirror_tensor(Mirror(shape, whole, in_place=True), "tensor")
    exec("\n".join(lines), {"np": np, "tensor": tensor})
    np.testing.assert_array_equal(tensor, expected)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_lines_grow_with_the_axes_alone(count):
    """Not with exchanges, of which a network has ``count (count - 1) / 2``, nor with the size."""
    lengths = {
        size: len(
            mirror_tensor(Mirror((2,) + (size,) * count, ((1, count, 1),), in_place=True), "t")
        )
        for size in (100, 1000)
    }
    assert lengths[100] == lengths[1000] <= 4 + (count - 2) * count


@pytest.mark.parametrize("done", [2, 3, 4])
def test_last_axes_that_are_symmetric_are_not_mirrored_again(done):
    shape = (3, 6, 6, 6, 6)
    tensor = np.random.default_rng(0).normal(size=shape)
    places = [*np.indices(shape)]
    places[5 - done :] = np.sort(places[5 - done :], axis=0)
    tensor = tensor[tuple(places)]
    expected = tensor[(places[0], *np.sort(np.indices(shape)[1:], axis=0))]
    lines = mirror_tensor(Mirror(shape, ((1, 4, done),), in_place=True), "tensor")
    exec("\n".join(lines), {"np": np, "tensor": tensor})
    np.testing.assert_array_equal(tensor, expected)
    assert len(lines) == sum(1 + n for n in range(done, 4))


def test_third_derivatives_are_written_into_what_is_given_and_mirrored_there():
    """A product of matrices fills the array of the caller; no result is copied."""
    x = np.linspace(1, 2, 40)
    f = lambda x: np.log(x / x.sum()) @ (x / x.sum())  # noqa: E731
    plan = eg.derivative(f, 3).plan(x)
    assert "_value = " not in emit_into(plan.program)
    out = np.empty((40, 40, 40))
    plan(x, out=out)
    np.testing.assert_array_equal(out, plan(x))
    for axes in itertools.permutations(range(3)):
        np.testing.assert_array_equal(out, out.transpose(axes))
