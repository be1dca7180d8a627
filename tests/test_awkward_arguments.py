"""Laws of arguments that nobody expects: one clear error, or the right number; no long message."""

import numpy as np
import pytest

import eingrad as eg
from eingrad import cli
from eingrad._shown import shown
from eingrad.errors import DTypeError, EingradError, ShapeError

V = np.ones(2)
LONG = "a" * 10**6


@pytest.mark.parametrize("name", ["self", "args", "kwargs", "out_", "f", "like", "trace"])
def test_any_name_may_be_a_keyword(name):
    """Of a call, of a plan, of an expression, of a symbol."""

    def f(x, **given):
        return (x * given[name]).sum()

    given = {name: 3.0}
    np.testing.assert_array_equal(eg.grad(f)(V, **given), [3.0, 3.0])
    np.testing.assert_array_equal(eg.grad(f).plan(V, **given)(V, **given), [3.0, 3.0])
    assert eg.grad(f).expression(V, **given).shape == (2,)
    symbol = eg.variable(name, 2)
    np.testing.assert_array_equal(eg.compile(2 * symbol)(**{name: V}), [2.0, 2.0])


def test_a_keyword_without_letters_is_named_by_its_place():
    """In the table, and in what is said of it."""
    derivative = eg.grad(lambda x, **given: (x * given[""]).sum())
    plan = derivative.plan(V, **{"": 3.0})
    assert plan.inputs == ("x", "x1")
    with pytest.raises(ShapeError, match="argument 'x1' has shape"):
        plan(V, **{"": V})


@pytest.mark.parametrize("error", [RuntimeError, KeyError, AttributeError, TypeError, ValueError])
def test_a_function_whose_signature_fails_is_differentiated(error):
    """It only names the arguments."""

    class Function:
        def __call__(self, x):
            return x * x

        @property
        def __signature__(self):
            raise error("no")

    assert eg.grad(Function())(2.0) == 4.0
    assert eg.grad(Function()).plan(2.0)(3.0) == 6.0


@pytest.mark.parametrize("number", [10**400, -(10**309), 2**1024, 10**5000], ids=range(4))
def test_an_integer_that_is_no_float_is_refused(number):
    """Differentiated, and within a container."""
    for call in (eg.grad(lambda x: x * x), eg.grad(lambda x: x * x).plan):
        with pytest.raises(DTypeError, match=r"argument 'x' is an integer of \d+ bits"):
            call(number)
    with pytest.raises(DTypeError, match=r"argument 'x\[1\]' is an integer of \d+ bits"):
        eg.grad(lambda x: x[0] * x[1])((1.0, number))


@pytest.mark.parametrize("mode", ["wrap", "clip"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint64, np.int64])
@pytest.mark.parametrize("size", [2, 200, 300, 70000])
def test_a_narrow_table_picks_from_a_long_axis(mode, dtype, size):
    """As NumPy does with wide ones."""
    x = np.arange(float(size))
    table = np.array([0, 1, 100, 127], dtype)
    last = 255 if np.dtype(dtype).kind == "u" else -1
    table = np.append(table, np.array([last], dtype))
    picked = eg.derivative(lambda x: np.take(x, table, mode=mode), 0)(x)
    np.testing.assert_array_equal(picked, np.take(x, table.astype(np.int64), mode=mode))


def test_the_inputs_of_a_plan_are_what_a_call_gives():
    """A large constant is none: it is captured."""
    X = eg.variable("X", 100)
    plan = eg.compile(X * np.arange(100.0) * np.ones(100))
    np.testing.assert_array_equal(plan(**{n: np.ones(100) for n in plan.inputs}), np.arange(100.0))
    c = np.arange(2.0)
    plan = eg.grad(lambda x: (x * x * c).sum()).plan(V)
    assert plan.inputs == ("x",)
    assert [known.name for known in plan.captured] == ["c0"]


X = eg.variable("X", 2)
MESSAGES = {
    "an argument": lambda: eg.grad(lambda x: x * x)(LONG),
    "a ragged list": lambda: eg.grad(lambda x: np.add(x, [[1.0] * 10**5, [1.0]]).sum())(V),
    "a keyword of a plan": lambda: eg.compile(X * 2)(**{LONG: 1}),
    "a name": lambda: eg.variable(LONG + " "),
    "argnums": lambda: eg.grad(np.sum, argnums=LONG),
    "a result": lambda: eg.grad(lambda x: LONG)(1.0),
    "an order": lambda: eg.derivative(np.sum, -(10**5000)),
    "a path": lambda: eg.compile(X, path=LONG),
    "a mode": lambda: eg.differentiate(X, X, mode=LONG),
    "a shape": lambda: eg.variable("x", (1.5,) * 10**6),
    "subscripts": lambda: eg.grad(lambda x: np.einsum(LONG, x))(V),
    "no letters": lambda: eg.grad(lambda x: np.einsum("1" + LONG, x))(V),
    "no function": lambda: eg.grad(LONG),
    "an operand": lambda: eg.grad(lambda x: np.multiply(x, {LONG: 1}))(V),
    "an integer": lambda: eg.grad(lambda x: np.sum(x, axis=LONG))(V),
    "a ddof": lambda: eg.grad(lambda x: np.var(x, ddof=LONG and 1j))(V),
    "a static argument": lambda: eg.grad(lambda x, s: x.sum()).plan(V, LONG)(V, "b" * 10**6),
}


def test_no_attribute_that_is_missing_is_long():
    """It is a name that may have been computed."""
    with pytest.raises(AttributeError) as caught:
        eg.grad(lambda x: getattr(x, LONG))(V)
    assert len(str(caught.value)) < 1000


class Loud(str):
    """A text that does not print itself."""

    def __repr__(self):
        raise RuntimeError("printed")

    def method(self):
        """Hold itself, as a bound method does."""


@pytest.mark.parametrize(
    "value",
    [Loud("a"), Loud("a").method, slice(Loud("a")), [Loud("a")], {1: slice(0, Loud("a"))}],
    ids=["itself", "a bound method", "a slice", "in a list", "a slice in a dict"],
)
def test_no_code_of_the_users_runs_to_show_a_value(value):
    """Nor that of what a value of Python's own holds."""
    assert "printed" not in shown(value)


@pytest.mark.parametrize("value", [1, "a", (1, 2.5), slice(1, None), range(3), np.float32(2)])
def test_a_plain_value_is_shown(value):
    """As Python writes it."""
    assert shown(value) == repr(value)


def test_subscripts_are_not_asked_to_print_themselves():
    """Neither where they are right, nor where they are not."""
    np.testing.assert_array_equal(
        eg.derivative(lambda x: np.einsum(Loud("ij->ji"), x), order=0)(np.eye(2)), np.eye(2)
    )
    for wrong in ("ij->k", "i1", "i,j"):
        with pytest.raises(EingradError, match="subscripts '"):
            eg.derivative(lambda x, _w=wrong: np.einsum(Loud(_w), x), order=0)(np.eye(2))


@pytest.mark.parametrize("call", MESSAGES.values(), ids=MESSAGES)
def test_no_message_is_long(call):
    """Of what the user gave, 200 letters are shown."""
    with pytest.raises((EingradError, TypeError, ValueError)) as caught:
        call()
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("size", "status"),
    [
        ((str(10**39), "1", "1"), 2),
        (("1", str(10**39), "1"), 2),
        (("200", "200", "200"), 2),
        (("9" * 4000, "1", "1"), 2),
        (("2", "2", "2"), 0),
    ],
)
def test_sizes_of_the_command_line_that_no_memory_holds_are_refused(size, status, capsys):
    """Before anything is computed, in one line."""
    assert cli.main(["identities", "99", "--size", *size]) == status
    said = capsys.readouterr()
    assert ("error: at sizes" in said.err) == (status == 2)
    assert len(said.err) < 1000
