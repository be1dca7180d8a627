"""What is said of code in a step of a scan: what to write there, for a step is recorded once."""

import random
import re
import warnings

import numpy as np
import pytest
from reference import assert_close

import eingrad as eg
from eingrad.errors import (
    BranchError,
    DTypeError,
    InPlaceError,
    RandomnessWarning,
    ShapeError,
    TracerLeakError,
    UnsupportedFunctionError,
)

A = np.arange(12.0).reshape(4, 3)
N = len(A)
ONCE = "a step is recorded once, for all steps"
ROWS = f"{ONCE}: give it the rows as slices, xs=A, or xs=A[indices] with the indices of all steps"
COUNTED = "; what counts the steps is a slice too, xs=np.arange(n), not a carry"
CONDITION = f"{ONCE}: give it the condition as a slice, xs=np.arange(n) == 0 say, and write "
CONDITION += "np.where(condition, a, b)"
STORED = (
    f"{ONCE}: return the element as the output of the step, (carry, y), for outputs are stacked"
)
MASK = f"{ONCE}, so that its arrays have one shape: select, np.where(np.arange(n) < t, A, 0)"
ALIKE = f"{ONCE}: what is repeated must be the same in each; or write the steps in a Python loop"
ONE_HOT = f"{ONCE}: give it one-hot rows as slices, xs=np.eye(n), and multiply by them, row @ c"


def stored(c, t):
    y = np.zeros(N)
    y[t] = c
    return c, y


def stored_carry(c, t):
    y = np.zeros(N)
    y[0] = c
    return c, y


def repeated(c, t):
    for _ in range(t):
        c = c * 2
    return c, None


OF_SLICES = {
    "an index": (lambda c, t: (c * A[t].sum(), None), TracerLeakError, ROWS),
    "an index of a list": (lambda c, t: (c * [1.0, 2.0, 3.0, 4.0][t], None), TracerLeakError, ROWS),
    "an index of a dict": (lambda c, t: (c * {0: 1.0}[t], None), TracerLeakError, ROWS),
    "np.take": (lambda c, t: (c * np.take(A, t, axis=0).sum(), None), TracerLeakError, ROWS),
    "a method": (lambda c, t: (c * A.take(t), None), TracerLeakError, ROWS),
    "an index in arithmetic": (lambda c, t: (c * A[t + 1].sum(), None), TracerLeakError, ROWS),
    "an index of two": (lambda c, t: (c * A[t, 0], None), TracerLeakError, ROWS),
    "a slice": (lambda c, t: (c * A[:t].sum(), None), TracerLeakError, MASK),
    "if": (lambda c, t: (c if t == 0 else 2 * c, None), BranchError, CONDITION),
    "and": (lambda c, t: (t > 0 and c, None), BranchError, CONDITION),
    "max": (lambda c, t: (c * max(t, 1), None), BranchError, CONDITION),
    "range": (repeated, TracerLeakError, ALIKE),
    "an element": (stored, InPlaceError, STORED),
    "an element from the carry": (stored_carry, InPlaceError, STORED),
    "a text": (
        lambda c, t: (c * len(f"{t:02}"), None),
        TracerLeakError,
        "write str(x), its formula",
    ),
    "int": (lambda c, t: (c * int(t), None), TracerLeakError, "leave int() out; np.trunc(x) cuts"),
}


@pytest.mark.parametrize(("step", "error", "advice"), OF_SLICES.values(), ids=OF_SLICES)
def test_the_index_of_a_step_cannot_be_known(step, error, advice):
    """With what to give the scan in its place; at the line of the step."""
    with pytest.raises(error, match=re.escape(advice)) as caught:
        eg.grad(lambda x: eg.scan(step, x, np.arange(N))[0])(1.0)
    assert "test_scan_words.py" in str(caught.value)
    assert caught.traceback[-1].path.name == "test_scan_words.py"


OF_COUNTERS = {
    "an index": (lambda x, i: x * A[i].sum(), TracerLeakError, ROWS + COUNTED),
    "if": (lambda x, i: x if i == 0 else 2 * x, BranchError, CONDITION + COUNTED),
}


@pytest.mark.parametrize(("f", "error", "advice"), OF_COUNTERS.values(), ids=OF_COUNTERS)
@pytest.mark.parametrize("first", [0, np.int64(0)])
def test_a_counter_in_the_carry_belongs_into_the_slices(f, error, advice, first):
    def step(carry, _):
        x, i = carry
        return (f(x, i), i + 1), None

    with pytest.raises(error, match=re.escape(advice)):
        eg.grad(lambda x: eg.scan(step, (x, first), length=N)[0][0])(1.0)


def test_values_in_the_carry_are_told_to_be_chosen_between():
    """They are known in no step; a condition in their place would be wrong."""
    with pytest.raises(BranchError, match=re.escape(f"{ONCE}: write np.where(condition, a, b)")):
        eg.grad(lambda x: eg.scan(lambda c, _: (c if c > 0 else -c, None), x, length=2)[0])(1.0)
    with pytest.raises(TracerLeakError, match=r"use np.where\(condition, a, b\), or multiply by"):
        eg.grad(lambda x: eg.scan(lambda c, _: (A[c][0], None), x, length=2)[0])(1.0)


def test_an_index_of_the_carry_is_a_one_hot_row():
    with pytest.raises(UnsupportedFunctionError, match=re.escape(ONE_HOT)):
        eg.grad(lambda x: eg.scan(lambda c, t: (c[t] * c, None), x, np.arange(3))[0].sum())(A[0])
    with pytest.raises(TracerLeakError, match=re.escape(ONE_HOT)):
        eg.grad(
            lambda x: eg.scan(lambda c, t: (np.take(c, t) * c, None), x, np.arange(3))[0].sum()
        )(A[0])
    with pytest.raises(UnsupportedFunctionError, match=re.escape(ROWS)):
        eg.grad(lambda x: eg.scan(lambda c, t: (c * (x * A)[t].sum(), None), x, np.arange(N))[0])(
            1.0
        )


def test_what_is_advised_gives_what_was_meant():
    """Rows, conditions, one-hot rows, masks and stacked outputs, in the place of the index."""
    steps = np.arange(N)

    def meant(x):
        c, ys = x, []
        for t in range(N):
            c = c * (1 + A[t].sum() / 30 + A[:t].sum() / 90)
            c = c if t == 0 else c * 1.5
            ys.append(c * x)
        return c + sum(ys)

    def step(c, x, first):
        row, below, is_first = x
        c = c * (1 + row.sum() / 30 + below.sum() / 90)
        c = np.where(is_first, c, c * 1.5)
        return c, c * first

    def advised(x):
        below = np.where(steps[None, :, None] < steps[:, None, None], A, 0)
        c, ys = eg.scan(lambda c, s: step(c, s, x), x, (A, below, steps == 0))
        return c + ys.sum()

    for order in (0, 1, 2):
        assert_close(eg.derivative(advised, order)(0.7), eg.derivative(meant, order)(0.7))
    permuted = lambda x: eg.scan(lambda c, row: ((row @ c) * c, None), x, np.eye(3)[[2, 0, 1]])[0]  # noqa: E731

    def by_index(x):
        for t in (2, 0, 1):
            x = x[t] * x
        return x

    assert_close(eg.jacobian(permuted)(A[1]), eg.jacobian(by_index)(A[1]))


def test_advice_in_a_scan_within_a_step_is_that_of_the_inner_one_too():
    def outer(c, t):
        inner = lambda d, _: (d * A[t].sum(), None)  # noqa: E731
        return eg.scan(inner, c, length=2)[0], None

    with pytest.raises(TracerLeakError, match=re.escape(ROWS)):
        eg.grad(lambda x: eg.scan(outer, x, np.arange(N))[0])(1.0)


def test_labels_of_the_outer_function_keep_their_advice():
    """Of a value of the step alone it is said that a step is recorded once."""
    with pytest.raises(
        TracerLeakError, match=r"pass k.tolist\(\): the function sees that as it is$"
    ):
        eg.grad(lambda x, k: eg.scan(lambda c, _: (c * A[k].sum(), None), x, length=2)[0])(
            1.0, np.array([0, 1])
        )


# What a scan is given ----------------------------------------------------------------------------

GIVEN = {
    "a list": ([1.0, 2.0], "xs", "list"),
    "a tuple": ((1, 2), "xs", "tuple"),
    "nested": ({"a": [1.0, 2.0]}, 'xs["a"]', "list"),
}


@pytest.mark.parametrize(("xs", "name", "kind"), GIVEN.values(), ids=GIVEN)
@pytest.mark.parametrize("is_traced", [False, True])
def test_lists_of_numbers_are_no_slices(xs, name, kind, is_traced):
    call = lambda x: eg.scan(lambda c, _: (c, None), x, xs)[0]  # noqa: E731
    with pytest.raises(ShapeError) as caught:
        eg.grad(call)(1.0) if is_traced else call(1.0)
    assert str(caught.value) == (
        f"{name} is a {kind} of numbers, each of which would be sliced; pass np.array({name}), of "
        "which a step is given a row"
    )


def test_traced_numbers_in_a_list_are_stacked():
    with pytest.raises(ShapeError, match=r"pass np.stack\(xs\), of which a step is given a row$"):
        eg.grad(lambda x: eg.scan(lambda c, t: (c * t, None), x, [x, 2.0])[0])(1.0)
    with pytest.raises(
        DTypeError, match=r"xs is range\(0, 3\) .* write np.array\(xs\)|write np.arr"
    ):
        eg.scan(lambda c, t: (c * t, None), 1.0, range(3))


OPTIONS = {
    "unroll": ({"unroll": 4}, "eg.scan has no argument 'unroll'; leave it out: the step is one"),
    "has_aux": ({"has_aux": True}, "eg.scan has no argument 'has_aux'; there are no auxiliary"),
    "another": ({"steps": 4}, "eg.scan has no argument 'steps'; it is called as eg.scan(f, init"),
}


@pytest.mark.parametrize(("options", "message"), OPTIONS.values(), ids=OPTIONS)
def test_options_of_other_libraries_are_refused_by_name(options, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        eg.scan(lambda c, _: (c, None), 1.0, length=3, **options)


def test_length_and_reverse_are_those_of_jax():
    """A length may be NumPy's integer."""
    total = lambda c, x: (c + x, c)  # noqa: E731
    for length in (4, np.int64(4)):
        carry, ys = eg.scan(total, 0.0, np.arange(4.0), length, reverse=True)
        assert_close(carry, np.array(6.0))
        assert_close(ys, np.array([6.0, 5.0, 3.0, 0.0]))
    with pytest.raises(TypeError, match=r"at most 4 positional arguments, not 5; .*reverse=False"):
        eg.scan(total, 0.0, np.arange(4.0), 4, True)
    with pytest.raises(
        TypeError, match=r"eg.scan is not given 'init'; it is called as eg.scan\(f, "
    ):
        eg.scan(total, xs=np.arange(4.0))


@pytest.mark.parametrize("is_traced", [False, True])
def test_a_step_of_other_arguments_is_told_pythons_words_at_the_call(is_traced):
    call = lambda x: eg.scan(lambda c: (c, None), x, length=2)[0]  # noqa: E731
    with pytest.raises(TypeError, match=r"takes 1 positional argument but 2 were given$") as caught:
        eg.grad(call)(1.0) if is_traced else call(1.0)
    assert caught.traceback[-1].path.name == "test_scan_words.py"


def test_outputs_that_differ_are_not_stacked():
    """In a loop that nothing traces; a step that is recorded gives one alone."""
    for step, message in {
        (
            lambda c, t: (c, c if t < 1 else None)
        ): "<lambda> returned an output None after array; out",
        (
            lambda c, t: (c, {"a": c} if t < 1 else {"b": c})
        ): "an output {'b': array} after {'a': arr",
        (
            lambda c, t: (c, np.ones(int(t) + 1))
        ): "the output that <lambda> returned has shape (2,), a",
        (
            lambda c, t: (c, (c, np.ones(int(t) + 1)))
        ): "the output[1] that <lambda> returned has shape",
    }.items():
        with pytest.raises(ShapeError, match=re.escape(message)):
            eg.scan(step, 0.0, np.arange(3.0))


def test_an_integer_in_the_carry_is_a_float():
    """Also where no one traces: an index there is told by NumPy, and a note."""
    step = lambda c, _: ((c[0] * A[c[1]].sum(), c[1] + 1), None)  # noqa: E731
    with pytest.raises(IndexError, match="must be of integer") as caught:
        eg.scan(step, (1.0, 0), length=2)
    (note,) = caught.value.__notes__
    assert note == "an integer in init is a float64 in a scan; count with xs=np.arange(length)"


# Draws -------------------------------------------------------------------------------------------

RNG = np.random.default_rng(0)
DRAWS = {
    "np.random": (lambda c, _: (c * np.random.normal(), None), "np.random"),  # noqa: NPY002
    "random": (lambda c, _: (c * random.random(), None), "random"),
    "a generator": (lambda c, _: (c * RNG.normal(), None), "RNG"),
}


@pytest.mark.parametrize(("step", "name"), DRAWS.values(), ids=DRAWS)
def test_a_draw_in_a_step_is_warned_of_also_in_a_call(step, name):
    """The loop would draw in each step: a call gives another number than the function does."""
    says = (
        rf"<lambda>, a step of a scan, drew from {re.escape(name)}, .* and give the numbers as xs$"
    )
    call = lambda x: eg.scan(step, x, length=3)[0]  # noqa: E731
    with pytest.warns(RandomnessWarning, match=says) as caught:
        eg.grad(call)(1.0)
    assert caught[0].filename == __file__
    with (
        pytest.warns(RandomnessWarning, match=says),
        pytest.warns(match="holds the numbers of this"),
    ):
        eg.plan(call, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call(1.0)  # a loop
        given = RNG.normal(size=3)
        eg.grad(lambda x: eg.scan(lambda c, z: (c * z, None), x, given)[0])(1.0)
