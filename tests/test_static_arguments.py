"""Laws of static arguments: a plan holds for what they were, also in the depth of an object."""

import collections
import copy
import datetime
import decimal
import enum
import fractions
import functools
import itertools
import math
import pathlib
import pickle
import random
import threading
import types
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pytest

import eingrad as eg
from eingrad._snapshots import snapshot
from eingrad.errors import PlanError, ShapeError

X = np.array([1.5, 2.5])


class Plain:
    """An object of no equality but its identity."""

    def __init__(self, n):
        self.n = n


class Slotted:
    """One without a dict."""

    __slots__ = ("n", "unset")

    def __init__(self, n):
        self.n = n


@dataclass
class Config:
    """One with an equality of its own."""

    n: int
    weights: np.ndarray = field(default_factory=lambda: np.ones(2))
    inner: object = None


@dataclass(frozen=True)
class Frozen:
    """One that does not change."""

    n: int


class Blind(Plain):
    """One that takes itself to be equal to anything of its class."""

    def __eq__(self, other):
        return isinstance(other, Blind)

    __hash__ = None


class Lazy(Plain):
    """One that keeps what it computed."""

    @functools.cached_property
    def squared(self):
        """Square it, once."""
        return self.n**2


class Kind(enum.IntEnum):
    """An integer with a name."""

    TWO = 2
    THREE = 3


class Stack(list):
    """A subclass of a list is no nesting of arguments."""


def cyclic(n):
    """An object that holds itself."""
    made = Plain(n)
    made.me = [made]
    return made


def set_n(value):
    value.n = 3


CHANGES = {
    "a plain object": (Plain(2), set_n),
    "slots": (Slotted(2), set_n),
    "a dataclass": (Config(2), set_n),
    "one equal to all": (Blind(2), set_n),
    "a namespace": (types.SimpleNamespace(n=2), set_n),
    "a cyclic object": (cyclic(2), set_n),
    "an array within": (Config(2), lambda c: c.weights.__setitem__(0, 7.0)),
    "an object within": (Config(2, inner=[{"a": Plain(2)}]), lambda c: set_n(c.inner[0]["a"])),
    "a set": ({1, 2}, lambda c: c.add(3)),
    "a set within": (Config(2, inner={1}), lambda c: c.inner.add(2)),
    "a list within": (Config(2, inner=[1]), lambda c: c.inner.append(2)),
    "a dict within": (Config(2, inner={"a": 1}), lambda c: c.inner.update(a=2)),
    "the order of a dict": (
        Config(2, inner={"a": 1, "b": 2}), lambda c: c.inner.update(a=c.inner.pop("a")),
    ),
    "True for 1": (Config(1), lambda c: setattr(c, "n", True)),
    "1.0 for 1": (Config(1), lambda c: setattr(c, "n", 1.0)),
    "-0.0 for 0.0": (Config(0.0), lambda c: setattr(c, "n", -0.0)),
    "a list for a tuple": (Config((1, 2)), lambda c: setattr(c, "n", [1, 2])),
    "a bytearray": (bytearray(b"ab"), lambda c: c.extend(b"c")),
    "a deque": (collections.deque([1]), lambda c: c.append(2)),
    "a defaultdict": (collections.defaultdict(int), lambda c: c["a"]),
    "a counter": (collections.Counter("a"), lambda c: c.update("a")),
    "a subclass of list": (Stack([1]), lambda c: c.append(2)),
    "a function within": (Config(2, inner=np.sin), lambda c: setattr(c, "inner", np.cos)),
    "a class within": (Config(2, inner=int), lambda c: setattr(c, "inner", float)),
    "a bound method": (Plain(2).__init__, lambda c: set_n(c.__self__)),
    "a partial": (functools.partial(math.pow, Plain(2)), lambda c: set_n(c.args[0])),
    "a random state": (random.Random(1), lambda c: c.random()),
    "a generator of NumPy": (np.random.default_rng(1), lambda c: c.random()),
    "an iterator": (iter([1, 2]), next),
    "a count": (itertools.count(), next),
    "an object array": (Config(2, np.array([Plain(2)])), lambda c: set_n(c.weights[0])),
}  # fmt: skip


def numbered(x, config):
    """A function that reads its static argument, if that has a number."""
    return (x ** getattr(config, "n", 2)).sum()


def summed(x, config):
    """A function that reads nothing of its static argument: any plan would do."""
    return (x * x).sum()


@pytest.mark.parametrize(("made", "change"), CHANGES.values(), ids=CHANGES)
def test_a_plan_refuses_a_static_argument_that_was_changed(made, change):
    """And takes it as long as it is what it was."""
    config = made if "iter" in type(made).__name__ else copy.deepcopy(made)
    plan = eg.grad(summed).plan(X, config)
    np.testing.assert_array_equal(plan(X, config), 2 * X)
    np.testing.assert_array_equal(plan(3 * X, config), 6 * X)
    change(config)
    with pytest.raises(ShapeError, match=r"(?s)static argument 'config' .*make a new plan"):
        plan(X, config)
    eg.grad(summed).plan(X, config)(X, config)


def test_the_plan_of_a_changed_object_gave_the_old_answer():
    """The number that the function reads: a call reads it anew."""
    config = Plain(2)
    derivative = eg.grad(numbered)
    plan = derivative.plan(X, config)
    config.n = 3
    np.testing.assert_array_equal(derivative(X, config), 3 * X**2)
    with pytest.raises(ShapeError, match=r"static argument 'config' is .*Plain"):
        plan(X, config)


def an_object_of(**attributes):
    """An object of a class of its own, which has attributes."""
    return type("Made", (type("Base", (Plain,), attributes),), {})(2)


def an_assigned(name, value):
    """One whose cached property was given a value."""
    made = Lazy(2)
    setattr(made, name, value)
    return made


def with_attribute(value):
    """A function that has an attribute."""

    def g(x):
        return x

    g.n = value
    return g


BEHIND = {
    "a cached property": (an_assigned("squared", 4), lambda c: setattr(c, "squared", 3)),
    "a cached property within": (
        Config(2, inner=[an_assigned("squared", 4)]),
        lambda c: setattr(c.inner[0], "squared", 4.0),
    ),
    "one of an array": (
        an_assigned("squared", np.ones(2)),
        lambda c: c.squared.__setitem__(0, 3.0),
    ),
    "a class attribute": (an_object_of(), lambda c: setattr(type(c), "k", 3)),
    "one of a class below": (an_object_of(k=2), lambda c: setattr(type(c).__mro__[1], "k", 3)),
    "True for 1 in a class": (an_object_of(k=1), lambda c: setattr(type(c).__mro__[1], "k", True)),
    "an array in a class": (
        an_object_of(k=np.ones(2)),
        lambda c: c.k.__setitem__(0, 3.0),
    ),
    "an array in a list in a class": (
        an_object_of(k=[1, np.ones(2)]),
        lambda c: c.k[1].__setitem__(0, 3.0),
    ),
    "a dict in a class": (an_object_of(k={"a": {1: 2}}), lambda c: c.k["a"].update({1: 3})),
    "a list in a class": (an_object_of(k=[1, 2]), lambda c: c.k.append(3)),
    "a NumPy scalar in a class": (
        an_object_of(k=np.float64(2)),
        lambda c: setattr(type(c).__mro__[1], "k", np.float64(3)),
    ),
    "an array in the class of an item": (
        Config(2, inner=[an_object_of(k=np.ones(2))]),
        lambda c: c.inner[0].k.__setitem__(0, 3.0),
    ),
    "an array on a function": (with_attribute(np.ones(2)), lambda g: g.n.__setitem__(0, 3.0)),
    "an attribute of a function": (with_attribute(2), set_n),
    "of a function within": (Config(2, inner=[with_attribute(2)]), lambda c: set_n(c.inner[0])),
    "one that a function lacked": (lambda x: x, set_n),
}


@pytest.mark.parametrize(("made", "change"), BEHIND.values(), ids=BEHIND)
def test_a_plan_refuses_what_was_changed_behind_an_object(made, change):
    """In its class, in what it caches, on a function."""
    plan = eg.grad(summed).plan(X, made)
    plan(X, made)
    change(made)
    with pytest.raises(ShapeError, match="static argument 'config'"):
        plan(X, made)


SAME = {
    "a function": np.linalg.norm,
    "a lambda": lambda x: x,
    "a ufunc": np.sin,
    "a builtin": math.sin,
    "a class": Config,
    "a module": math,
    "an enum": Kind.TWO,
    "a type of NumPy": np.dtype("f4"),
    "a frozen dataclass": Frozen(2),
    "a frozenset": frozenset({1, "a"}),
    "a fraction": fractions.Fraction(1, 3),
    "a decimal": decimal.Decimal("1.5"),
    "a date": datetime.date(2020, 1, 1),
    "a path": pathlib.PurePath("a/b"),
    "a slice": slice(1, 2),
    "a range": range(3),
    "an ellipsis": ...,
    "bytes": b"ab",
    "nan within": Frozen(math.nan),
    "a cached function": functools.lru_cache(math.sin),
    "a derivative": eg.grad(numbered),
    "a partial": functools.partial(pow, 2),
    "an operator": Plain(2).__init__,
    "what keeps a value": Lazy(2),
}


@pytest.mark.parametrize("made", SAME.values(), ids=SAME)
def test_what_does_not_change_is_taken_again(made):
    """Also after it was looked at: what an object keeps of that is no change."""
    plan = eg.grad(summed).plan(X, made)
    assert str(made)
    assert getattr(made, "squared", 4) == 4
    np.testing.assert_array_equal(plan(X, made), 2 * X)
    with pytest.raises(ShapeError, match="static argument"):
        plan(X, object())


def test_what_else_a_class_holds_is_not_looked_at():
    """A register of its objects, a lock, a list that contains itself."""
    endless = [1]
    endless.append(endless)
    made = an_object_of(known={}, lock=threading.Lock(), endless=endless)
    made.known["first"] = made
    plan = eg.grad(summed).plan(X, made)
    made.known["second"] = Plain(3)
    endless.append(3)
    np.testing.assert_array_equal(plan(X, made), 2 * X)


EQUAL = {
    "a plain object": lambda: Plain(2),
    "a dataclass with an array": lambda: Config(2, np.arange(3.0), [{"a": {1, 2}}]),
    "a shared tuple": lambda: Config(2, inner=[(1, Plain(2)), (1, Plain(2))]),
    "a set of strings": lambda: {str(k) for k in range(20)},
    "a cyclic object": lambda: cyclic(2),
    "an enum": lambda: Kind(2),
    "nan": lambda: Plain(math.nan),
}


@pytest.mark.parametrize("make", EQUAL.values(), ids=EQUAL)
def test_an_equal_object_is_taken_for_the_first(make):
    """By its state, whether it has an equality or not; in another process too."""
    plan = eg.grad(summed).plan(X, make())
    for again in (plan, pickle.loads(pickle.dumps(plan))):
        np.testing.assert_array_equal(again(X, make()), 2 * X)
        with pytest.raises(ShapeError, match="static argument"):
            again(X, Plain(5))


def test_equal_states_may_share_objects_or_not():
    """A tuple that is there twice is the same as two equal ones."""
    shared = (1, (2, 3))
    assert snapshot([shared, shared]) == snapshot([(1, (2, 3)), copy.deepcopy(shared)])


@pytest.mark.parametrize(
    "made",
    [threading.Lock(), (k for k in range(3)), Plain(threading.Lock()), memoryview(b"ab")],
    ids=["a lock", "a generator", "an object with a lock", "a memoryview"],
)
def test_what_could_change_unnoticed_is_refused_when_the_plan_is_made(made):
    """A call without a plan takes it, for it traces anew."""
    np.testing.assert_array_equal(eg.grad(summed)(X, made), 2 * X)
    with pytest.raises(PlanError, match=r"'config', of type .*could change unnoticed"):
        eg.grad(summed).plan(X, made)
    plan = eg.grad(summed).plan(X, 2)
    with pytest.raises(ShapeError, match="but the plan was made for 2"):
        plan(X, made)


def test_what_the_function_changes_is_refused_when_the_plan_is_made():
    """Each call of the function would be another function."""

    def counting(x, config):
        config.n += 1
        return (x**config.n).sum()

    with pytest.raises(PlanError, match="'config', of type Plain, was changed by the function"):
        eg.grad(counting).plan(X, Plain(1))
    with pytest.raises(PlanError, match="was changed by the function"):
        eg.grad(lambda x, items: x.sum() * next(items)).plan(X, iter([1, 2]))


def test_an_object_that_does_not_let_itself_be_read_is_refused():
    """Whatever it raises, and however long its text is."""

    class Failing:
        def __reduce_ex__(self, protocol):
            raise RuntimeError("no" * 1000)

        def __repr__(self):
            raise RuntimeError("no")

    with pytest.raises(PlanError) as caught:
        eg.grad(summed).plan(X, Failing())
    assert len(str(caught.value)) < 500
    plan = eg.grad(summed).plan(X, "a" * 10**6)
    with pytest.raises(ShapeError, match=r"is an object of type .*Failing but") as refused:
        plan(X, Failing())
    assert len(str(refused.value)) < 500


class _Mode(enum.Enum):
    ONE, TWO = 1, 2


_Pair = collections.namedtuple("_Pair", "first second")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (_Mode.ONE, _Mode.TWO),
        (_Pair(1, 2), _Pair(1, 3)),
        (collections.OrderedDict(a=1), collections.OrderedDict(a=2)),
        (Fraction(1, 2), Fraction(1, 3)),
        (range(3), range(4)),
        (np.tanh, np.sin),
    ],
    ids=lambda value: type(value).__name__,
)
def test_data_of_other_kinds_in_a_class_is_compared_too(before, after):
    """What stood there when the plan was made was gone on with, without a word."""

    class Settings:
        value = before

    settings = Settings()
    gradient = eg.compiled(eg.grad(lambda x, s: (x * (2.0 if s.value == before else 3.0)).sum()))
    assert gradient(np.ones(2), settings)[0] == 2.0
    Settings.value = after
    assert gradient(np.ones(2), settings)[0] == 3.0
