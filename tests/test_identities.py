"""The ten identities: proved, and against their matrix forms, over random sizes.

`HYPOTHESIS_PROFILE=thousand python -m pytest tests/test_identities.py` runs a thousand cases each.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inside import relative_error

from eingrad import identities
from eingrad.identities import IDENTITIES, checks

LARGEST = {1: 10_000, 2: 20_000, 3: 3_000}  # entries of a tensor that a case may have


def test_all_identities_of_the_section_are_there():
    """(5.99) to (5.108), and the form of the last for any W."""
    book = [f"5.{n}" for n in range(99, 109)]
    assert list(IDENTITIES) == [*book, "5.108 any W"]


@pytest.mark.parametrize("number", IDENTITIES)
def test_identity_is_proved_and_agrees_along_all_paths(number):
    """To order three; D, E and F distinct, so that a swapped axis shows."""
    checked = identities.check(number, size=(4, 2, 3), order=3)
    assert [report.order for report in checked.by_order] == [1, 2, 3]
    for report in checked.by_order:
        assert report.proved
        assert report.passed, report
        assert set(report.flops) == set(identities.PATHS)


@pytest.mark.parametrize("number", IDENTITIES)
@given(
    sizes=st.lists(st.integers(1, 8), min_size=3, max_size=3, unique=True),
    order=st.sampled_from([1, 1, 1, 2, 2, 3]),
    seed=st.integers(0, 2**32 - 1),
)
def test_identity_over_random_sizes(number, sizes, order, seed):
    """Sizes 1 to 8, distinct; of the orders, the highest whose tensor is not too large."""
    while order > 1 and _entries(number, sizes, order) > LARGEST[order]:
        order -= 1
    report = identities.check(number, size=tuple(sizes), order=order, seed=seed)
    assert report.passed, report


def _entries(number, sizes, order):
    stated = IDENTITIES[number].state(tuple(sizes))
    return stated.value.size * stated.variable.size**order


def test_shapes_are_value_then_variable():
    """D x D x E x F, and once more E x F per order."""
    assert identities.check("5.102", size=(3, 2, 4), order=2).shape == (3, 3, 2, 4, 2, 4)
    assert identities.check("5.101", size=(3, 2, 4), order=2).shape == (2, 4, 2, 4)
    assert identities.check("5.107", size=(3, 2, 4), order=1).shape == (3,)


def test_a_wrong_matrix_form_would_be_seen(monkeypatch):
    """The checks can fail: each of the errors, and the proof."""
    identity = IDENTITIES["5.107"]
    wrong = {
        "matrix": lambda arrays, order: identity.matrix(arrays, order) * 1.001,
        "plain": lambda arrays: identity.plain(arrays) * 1.001,
        "state": lambda size, dtype=float: _doubled(identity.state(size, dtype)),
    }
    for field, value in wrong.items():
        changed = identities.Identity(**{**_fields(identity), field: value})
        monkeypatch.setattr(checks, "IDENTITIES", {"5.107": changed})
        report = identities.check("5.107")
        assert not report.passed
        assert not report.below[0].passed
        assert report.proved == (field != "state")


def _doubled(stated):
    return identities.Stated(stated.value, stated.variable, 2 * stated.tensor)


def _fields(identity):
    return {name: getattr(identity, name) for name in identity.__dataclass_fields__}


def test_the_derivative_itself_is_evaluated_from_left_to_right(monkeypatch):
    """Not only the tensor form: a wrong value along that path is seen."""
    compiled = checks.compile
    stated = IDENTITIES["5.108"].state((4, 2, 3))
    derivative, tensor = stated.derivative(2), stated.tensor_form(2)
    assert str(derivative) != str(tensor)

    def wrong(side, path="planned"):
        is_derivative = str(side) == str(derivative)
        return compiled(1.001 * side if is_derivative and path != "planned" else side, path=path)

    monkeypatch.setattr(checks, "compile", wrong)
    report = identities.check("5.108", order=2)
    assert report.path_error == pytest.approx(1e-3, rel=0.01)


def test_errors_are_relative_to_the_larger_side():
    """Of small tensors too."""
    assert relative_error(np.array([1e-12]), np.array([2e-12])) == 0.5
    assert relative_error(np.array([2e-12]), np.array([0.0])) == 1.0
    assert relative_error(np.zeros(2), np.zeros(2)) == 0.0
    assert relative_error(np.array([np.nan]), np.array([0.0])) == np.inf


def test_the_concrete_function_has_the_derivatives_that_it_says():
    """The closed form of the sample is itself checked, by the complex step."""
    point = IDENTITIES["5.99"].sample(np.random.default_rng(0), (3, 2, 2))
    names = ["F", "dF_dX", "d2F_dX_dX", "d3F_dX_dX_dX"]
    for below, name in itertools.pairwise(names):
        for position in np.ndindex(point.x.shape):
            moved = point.x.astype(complex)
            moved[position] += 1e-30j
            step = np.imag(point.arrays(moved, 3)[below]) / 1e-30
            np.testing.assert_allclose(
                point.arrays(point.x, 3)[name][(..., *position)], step, atol=1e-14
            )


def test_wrong_calls_are_refused():
    """With what there is."""
    with pytest.raises(KeyError, match=r"no identity '5\.1'; there are 5\.99, "):
        identities.check("5.1")
    with pytest.raises(ValueError, match="order must be 1, 2 or 3, not 4"):
        identities.check("5.99", order=4)
    with pytest.raises(ValueError, match=r"three positive integers, D E F, not \(0, 1, 2\)"):
        identities.check("5.99", size=(0, 1, 2))
