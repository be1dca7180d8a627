"""Groups of operations: the same as a search through all kinds gives, and no slower for many."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eingrad._ir import new_input
from eingrad._pack.schedule import schedule
from eingrad._primitives import apply, jacobian


def by_search(needs, kinds):
    """The rule as it is written down: every kind is looked at for each group."""
    level, done, ready, alone, groups = {}, set(), {}, [], []
    left = Counter(kinds.values())

    def enter(n):
        level[n] = 1 + max((level[m] for m in needs[n] if m in level), default=0)
        alone.append(n) if kinds[n] is None else ready.setdefault(kinds[n], []).append(n)

    users = {n: [m for m in needs if n in needs[m]] for n in needs}
    for n in needs:
        if not needs[n]:
            enter(n)
    while alone or ready:
        if alone:
            group = [alone.pop()]
        else:
            whole = [k for k, found in ready.items() if len(found) == left[k]]
            earliest = min(ready, key=lambda k: min(level[n] for n in ready[k]))
            kind = whole[0] if whole else earliest
            group = ready.pop(kind)
            left[kind] -= len(group)
        groups.append(group)
        for n in group:
            done.add(n)
            for user in users[n]:
                if needs[user] <= done and user not in level:
                    enter(user)
    return groups


@st.composite
def operations(draw):
    count = draw(st.integers(1, 24))
    needs = {
        n: draw(st.sets(st.integers(0, n - 1), max_size=3)) if n else set() for n in range(count)
    }
    kinds = {n: draw(st.sampled_from([None, *"abcde"])) for n in range(count)}
    return needs, kinds


@given(operations())
def test_groups_are_those_of_a_search_through_all_kinds(given_operations):
    needs, kinds = given_operations
    assert schedule(needs, kinds) == by_search(needs, kinds)


class Kind:
    """A kind that counts how often it is looked up."""

    looked_at = 0

    def __init__(self, number):
        self.number = number

    def __hash__(self):
        Kind.looked_at += 1
        return hash(self.number)

    def __eq__(self, other):
        return self.number == other.number


def looks(count):
    """How often kinds are looked up in two layers of so many operations, each of its own kind."""
    kinds = {n: Kind(n % count) for n in range(2 * count)}
    needs = {n: {n - count} if n >= count else set() for n in range(2 * count)}
    Kind.looked_at = 0
    schedule(needs, kinds)
    return Kind.looked_at


def test_of_many_kinds_each_is_looked_at_a_few_times():
    assert looks(800) < 2.2 * looks(400)


class Shape(tuple):
    """A shape that counts how often a length is asked for."""

    asked = 0

    def __getitem__(self, axis):
        Shape.asked += 1
        return tuple.__getitem__(self, axis)


@pytest.mark.parametrize("count", [100, 400])
def test_where_the_operands_of_a_concatenation_begin_is_added_up_once(monkeypatch, count):
    """For each operand those before it were added up: 80,000 lengths of 400 operands."""
    operands = [new_input("x", (2,)) for _ in range(count)]
    node = apply("concatenate", *operands, axis=0)
    for x in operands:
        object.__setattr__(x, "shape", Shape(x.shape))
    Shape.asked = 0
    for k in range(count):
        jacobian(node, k)
    assert Shape.asked <= 10 * count
