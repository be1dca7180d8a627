"""Laws of nested arguments and results: of `flatten`, and of a plan that is called with them.

The oracle takes nestings apart in its own way, item by item.
"""

from collections import OrderedDict

import numpy as np
import pytest
from faults import Pair
from hypothesis import assume, given
from hypothesis import strategies as st
from inside import interpreted
from strategies import nestings

import eingrad as eg
from eingrad._tree import flatten
from eingrad.errors import ShapeError

NESTINGS = (dict, OrderedDict, list, tuple, Pair)
# A nesting of 1, 1, ...: every leaf stands for an array.
TREES = nestings(st.just(1), max_leaves=6)
WRONG_CALL = r"""argument ['"]p.*; call the plan in the way it was made$"""


def is_nesting(value):
    return type(value) in NESTINGS


def items_of(value):
    """Keys or positions, and what is there."""
    return list(value.items()) if isinstance(value, dict) else list(enumerate(value))


def rebuilt(kind, items):
    """A nesting of a kind, of pairs as `items_of` gives them."""
    if issubclass(kind, dict):
        return kind(items)
    values = [value for _, value in items]
    return kind(*values) if kind is Pair else kind(values)


def mapped(f, value):
    """The same nesting with f of every leaf."""
    if not is_nesting(value):
        return f(value)
    return rebuilt(type(value), [(key, mapped(f, item)) for key, item in items_of(value)])


def leaves_of(value):
    found = []
    mapped(found.append, value)
    return found


def arrays_like(tree, start):
    """Arrays in the place of the leaves, each different from the others."""
    numbers = iter(range(start, start + 1000))
    return mapped(lambda _: np.array([1.0, 2.0]) * next(numbers), tree)


def assert_same(actual, expected):
    """Nested in the same kinds, with the same keys in the same order, and the same numbers."""
    if not is_nesting(expected):
        assert isinstance(actual, np.ndarray)
        np.testing.assert_array_equal(actual, expected)
        return
    assert type(actual) is type(expected)
    keys, expected_keys = ([key for key, _ in items_of(v)] for v in (actual, expected))
    assert keys == expected_keys
    for (_, a), (_, b) in zip(items_of(actual), items_of(expected), strict=True):
        assert_same(a, b)


def chosen(draw, taken, given_):
    """A function from one nesting to another: each leaf it gives is a multiple of one it takes."""
    rows = {}
    count = len(leaves_of(taken))

    def row(_):
        number = len(rows)
        rows[number] = draw(st.integers(0, count - 1)), draw(st.integers(1, 5))
        return number

    numbered = mapped(row, given_)

    def f(p):
        leaves = leaves_of(p)
        return mapped(lambda n: leaves[rows[n][0]] * rows[n][1], numbered)

    return f, numbered, rows


# flatten -----------------------------------------------------------------------------------------


@given(TREES)
def test_what_is_flattened_is_built_again(tree):
    """And counted; the leaves come in the order of the items."""
    tree = arrays_like(tree, 1)
    leaves, found = flatten(tree)
    assert [id(leaf) for leaf in leaves] == [id(leaf) for leaf in leaves_of(tree)]
    assert found.size == len(leaves)
    assert_same(found.build(leaves), tree)


@given(TREES, TREES)
def test_a_nesting_in_every_leaf_is_that_of_the_nested(outer, inner):
    """As a Jacobian is nested: the results first, then the arguments."""
    assert flatten(mapped(lambda _: inner, outer))[1] == flatten(outer)[1].nest(flatten(inner)[1])


# Plans -------------------------------------------------------------------------------------------


@given(taken=TREES, given_=TREES, data=st.data())
def test_a_plan_takes_and_gives_what_the_function_does(taken, given_, data):
    """Nested alike, with the right number in each place; so do the verb and `compiled`."""
    assume(leaves_of(taken))
    f, _, _ = chosen(data.draw, taken, given_)
    made, called = arrays_like(taken, 1), arrays_like(taken, 50)
    plan = eg.derivative(f, 0).plan(made)
    assert_same(plan(called), f(called))
    assert_same(interpreted(plan, (called,), {}), f(called))
    assert_same(plan(made), f(made))
    assert_same(eg.compiled(f)(called), f(called))


@given(taken=TREES, given_=TREES, data=st.data())
def test_a_jacobian_is_nested_as_the_results_and_then_as_the_arguments(taken, given_, data):
    """Each block has the derivative of its result by its argument."""
    assume(leaves_of(taken))
    assume(leaves_of(given_))
    f, numbered, rows = chosen(data.draw, taken, given_)
    places = iter(range(1000))
    counted = mapped(lambda _: next(places), taken)

    def block(n):
        leaf, factor = rows[n]
        return mapped(lambda k: factor * np.eye(2) if k == leaf else np.zeros((2, 2)), counted)

    with np.errstate(all="raise"):
        plan = eg.jacobian(f).plan(arrays_like(taken, 1))
    assert_same(plan(arrays_like(taken, 50)), mapped(block, numbered))


def shuffled(draw, value):
    """The same with the keys of dicts in other orders."""
    if not is_nesting(value):
        return value
    items = [(key, shuffled(draw, item)) for key, item in items_of(value)]
    order = (
        draw(st.permutations(range(len(items)))) if isinstance(value, dict) else range(len(items))
    )
    return rebuilt(type(value), [items[n] for n in order])


@given(taken=TREES, given_=TREES, data=st.data())
def test_dicts_are_read_by_their_keys(taken, given_, data):
    """In any order, with the results as they are for the order that the plan was made with."""
    assume(leaves_of(taken))
    f, _, _ = chosen(data.draw, taken, given_)
    called = arrays_like(taken, 50)
    plan = eg.derivative(f, 0).plan(arrays_like(taken, 1))
    moved = shuffled(data.draw, called)
    assert_same(plan(moved), f(called))
    assert_same(interpreted(plan, (moved,), {}), f(called))


def broken(draw, value):
    """Change one thing of a nesting: an item more or less, a key, a kind, a level."""
    if not is_nesting(value):
        return [value]
    kind, items = type(value), items_of(value)
    ways = ["a level", "a leaf"]
    if items:
        ways += ["inside"] * 3
    if kind is not Pair:
        ways += ["one more"] + ["one less"] * bool(items)
    ways += ["kind"]
    if isinstance(value, dict) and items:
        ways += ["key"] * 4
    way = draw(st.sampled_from(ways))
    position = draw(st.integers(0, len(items) - 1)) if items else 0
    match way:
        case "a level":
            return [value]
        case "a leaf":
            return np.array([1.0, 2.0])
        case "inside":
            key, item = items[position]
            return rebuilt(
                kind, [*items[:position], (key, broken(draw, item)), *items[position + 1 :]]
            )
        case "one more":
            return rebuilt(kind, [*items, ("a key that is new", np.ones(2))])
        case "one less":
            return rebuilt(kind, items[:position] + items[position + 1 :])
        case "key":
            items[position] = ("a key that is new", items[position][1])
            return rebuilt(kind, items)
        case _:
            other = {dict: OrderedDict, OrderedDict: dict, list: tuple, tuple: list, Pair: tuple}
            return rebuilt(other[kind], items)


@given(tree=TREES, data=st.data())
def test_arguments_nested_in_another_way_are_refused(tree, data):
    """In the user's words; the right ones are taken afterwards."""
    right = arrays_like(tree, 50)
    wrong = broken(data.draw, right)
    plan = eg.derivative(lambda p, x: x * len(leaves_of(p)), 0).plan(arrays_like(tree, 1), 1.0)
    with pytest.raises(ShapeError, match=WRONG_CALL):
        plan(wrong, 1.0)
    assert plan(right, 2.0) == 2.0 * len(leaves_of(right))


def places_in(value):
    """Keys and depths of the leaves; a list is like a tuple, an ordered dict like a dict."""
    if not is_nesting(value):
        return None
    keys = [*value] if isinstance(value, dict) else None
    return keys, [places_in(item) for _, item in items_of(value)]


@given(taken=TREES, given_=TREES, data=st.data())
def test_arrays_to_be_filled_are_nested_as_the_result_is(taken, given_, data):
    """A list is like a tuple there, and what is given is what comes back."""
    assume(leaves_of(taken))
    f, _, _ = chosen(data.draw, taken, given_)
    called = arrays_like(taken, 50)
    plan = eg.derivative(f, 0).plan(arrays_like(taken, 1))
    out = mapped(lambda y: np.full_like(y, np.nan), f(called))
    assert plan(called, out=out) is out
    assert_same(out, f(called))
    other = mapped(lambda y: np.full_like(y, np.nan), broken(data.draw, out))
    if places_in(other) == places_in(out):
        assert plan(called, out=other) is other
        assert_same(leaves_of(other), leaves_of(f(called)))
    else:
        with pytest.raises(ShapeError, match="nest it as the result is"):
            plan(called, out=other)
        assert all(np.isnan(a).all() for a in leaves_of(other))
