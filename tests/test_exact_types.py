"""Laws of what becomes text: a subclass of int, float or str never writes itself into source."""

import enum
import inspect
import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import eingrad as eg
from eingrad import _emit, _ir, _primitives
from eingrad._exact import exact, is_exact
from eingrad._plan import kernels
from eingrad.errors import EingradError

CODE = "__import__('sys').audit('eingrad.hostile')"
written = []


def writes_code(kind):
    """Make a subclass that writes code, and notes that it was asked to."""

    def text(self, *_):
        written.append(self)
        return CODE

    return type(f"Hostile{kind.__name__}", (kind,), dict.fromkeys(
        ("__repr__", "__str__", "__format__"), text))  # fmt: skip


C, F, Z, S, Q = (writes_code(kind) for kind in (int, float, complex, str, Fraction))


class Kind(enum.IntEnum):
    """An integer that writes its name."""

    ZERO = 0
    ONE = 1
    TWO = 2
    FOUR = 4


heard = []


def listen(event, arguments):
    if event == "eingrad.hostile":
        heard.append(arguments)


sys.addaudithook(listen)


@pytest.fixture(autouse=True)
def nothing_is_written():
    """Neither code that ran, nor a text that was asked for."""
    written.clear()
    heard.clear()
    yield
    assert not heard
    assert not written


M = np.arange(1.0, 5).reshape(2, 2)
V = np.arange(1.0, 5)

INTEGERS = {  # of the integers 0, 1, 2, 4 in some subclass
    "np.tril": (lambda x, _0, _1, _2, _4: np.tril(x, _0), M),
    "np.triu": (lambda x, _0, _1, _2, _4: np.triu(x, _1), M),
    "np.tri of a vector": (lambda x, _0, _1, _2, _4: np.tril(x, _1), V),
    "np.diag": (lambda x, _0, _1, _2, _4: np.diag(x, _1), V),
    "np.diagonal": (lambda x, _0, _1, _2, _4: np.diagonal(x, _1, _0, _1), M),
    "np.trace": (lambda x, _0, _1, _2, _4: np.trace(x, _1), M),
    "np.broadcast_to": (lambda x, _0, _1, _2, _4: np.broadcast_to(x, (_2, _2, _4)), V),
    "np.broadcast_to a size": (lambda x, _0, _1, _2, _4: np.broadcast_to(x[0], _4), V),
    "np.reshape": (lambda x, _0, _1, _2, _4: np.reshape(x, (_2, _2)), V),
    "reshape": (lambda x, _0, _1, _2, _4: x.reshape(_4, _1), V),
    "np.take": (lambda x, _0, _1, _2, _4: np.take(x, [_0, _2], _0), V),
    "np.tile": (lambda x, _0, _1, _2, _4: np.tile(x, (_2, _2)), V),
    "np.roll": (lambda x, _0, _1, _2, _4: np.roll(x, _2, _0), V),
    "np.repeat": (lambda x, _0, _1, _2, _4: np.repeat(x, _2, _0), V),
    "np.repeat each": (lambda x, _0, _1, _2, _4: np.repeat(x, [_0, _1, _2, _4]), V),
    "np.pad": (lambda x, _0, _1, _2, _4: np.pad(x, (_1, _2)), V),
    "np.resize": (lambda x, _0, _1, _2, _4: np.resize(x, (_4, _2)), V),
    "np.expand_dims": (lambda x, _0, _1, _2, _4: np.expand_dims(x, (_0, _2)), V),
    "np.sum": (lambda x, _0, _1, _2, _4: np.sum(x, (_0, _1)), M),
    "np.cumsum": (lambda x, _0, _1, _2, _4: np.cumsum(x, _1), M),
    "np.transpose": (lambda x, _0, _1, _2, _4: np.transpose(x, (_1, _0)), M),
    "np.concatenate": (lambda x, _0, _1, _2, _4: np.concatenate([x, x * x], _1), M),
    "np.stack": (lambda x, _0, _1, _2, _4: np.stack([x, x * x], _1), M),
    "np.delete": (lambda x, _0, _1, _2, _4: np.delete(x, [_0, _2]), V),
    "np.array_split": (lambda x, _0, _1, _2, _4: np.array_split(x, _2)[1], V),
    "np.diff": (lambda x, _0, _1, _2, _4: np.diff(x * x, _2), V),
    "np.einsum": (lambda x, _0, _1, _2, _4: np.einsum(x, [_0, _1], x, [_1, _2], [_0, _2]), M),
    "np.tensordot": (lambda x, _0, _1, _2, _4: np.tensordot(x, x, _1), M),
    "np.full_like": (lambda x, _0, _1, _2, _4: x * np.full_like(x, _2, shape=(_4,)), V),
    "x[k]": (lambda x, _0, _1, _2, _4: x[_1], V),
    "x[a:b]": (lambda x, _0, _1, _2, _4: x[_1:_4:_2], V),
    "x[[a, b]]": (lambda x, _0, _1, _2, _4: x[[_2, _0]], V),
    "x**k": (lambda x, _0, _1, _2, _4: x**_4, V),
    "k * x": (lambda x, _0, _1, _2, _4: _4 * x, V),
    "x + k": (lambda x, _0, _1, _2, _4: x + _4, V),
    "x / k": (lambda x, _0, _1, _2, _4: x / _4, V),
    "k / x": (lambda x, _0, _1, _2, _4: _4 / x, V),
    "matrix_power": (lambda x, _0, _1, _2, _4: np.linalg.matrix_power(x, _2), M),
    "np.round": (lambda x, _0, _1, _2, _4: x * np.round(x, _2), V),
    "np.where": (lambda x, _0, _1, _2, _4: np.where(x > _2, x, _4), V),
}


@pytest.mark.parametrize(("f", "at"), INTEGERS.values(), ids=INTEGERS)
@pytest.mark.parametrize("kind", [C, Kind], ids=["code", "IntEnum"])
def test_a_subclass_of_int_is_the_integer(f, at, kind):
    """Value and derivative, their source, and the formula."""
    numbers = [kind(k) for k in (0, 1, 2, 4)]

    def g(x):
        return f(x, *numbers)

    for order in (0, 1, 2):
        derived = eg.derivative(g, order)
        plan = derived.plan(at)
        plain = eg.derivative(lambda x: f(x, 0, 1, 2, 4), order).plan(at)
        assert plan.source == plain.source
        np.testing.assert_array_equal(plan(at), plain(at))
        assert CODE not in str(derived.expression(at)) + str(plan) + plan.source


NUMBERS = {
    "F * x": lambda x: F(2.5) * x,
    "x + F": lambda x: x + F(2.5),
    "x / F": lambda x: x / F(2.5),
    "F / x": lambda x: F(2.5) / x,
    "x**F": lambda x: x ** F(2.5),
    "x**float64": lambda x: x ** np.float64(2.5),
    "np.maximum": lambda x: np.maximum(x, F(2.5)),
    "np.where": lambda x: np.where(x > F(2.5), x, F(-2.5)),
    "np.clip": lambda x: np.clip(x, F(1.5), F(2.5)),
    "np.full_like": lambda x: x * np.full_like(x, F(2.5)),
    "np.sum(initial)": lambda x: np.sum(x, initial=F(2.5)),
    "np.pad": lambda x: np.pad(x, 1, constant_values=F(2.5)),
    "Z * x": lambda x: Z(2.5j) * x,
    "x + Z": lambda x: x + Z(2.5 + 1j),
    "True": lambda x: x * True,
}


@pytest.mark.parametrize("f", NUMBERS.values(), ids=NUMBERS)
def test_a_subclass_of_float_or_complex_is_the_number(f):
    """In a formula of the function, and where it is divided into fractions."""
    plan = eg.jacobian(f).plan(V)
    assert np.isfinite(plan(V)).all()
    assert CODE not in plan.source


class Odd(float):
    """A float that says it is an integer."""

    def is_integer(self):
        """Lie."""
        return True


def test_a_number_is_what_its_builtin_type_says():
    """A method that a subclass has replaced does not decide its value."""
    np.testing.assert_array_equal(eg.derivative(lambda x: Odd(2.5) * x, 0)(V), 2.5 * V)
    assert _ir.canonical_coefficient(Odd(2.5)) == 2.5


def test_a_name_is_a_plain_string():
    """Of a symbol, of a function, of a parameter, of a keyword."""
    X = eg.variable(S("X"), (C(2), C(2)))
    G = eg.function(S("G"), X, shape=(C(3),))
    plan = eg.compile(eg.differentiate(np.sum(G) * np.sum(X), X))
    assert all(type(name) is str for name in plan.inputs)
    assert CODE not in plan.source + str(plan) + str(X) + str(G)
    derivative = eg.grad(lambda x, **more: (x * more["scale"]).sum())
    plan = derivative.plan(V, **{S("scale"): 2.0})
    assert CODE not in plan.source + str(plan)

    def f(x):
        return x.sum()

    parameter = inspect.Parameter("x", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    object.__setattr__(parameter, "_name", S("x"))
    f.__signature__ = inspect.Signature([parameter])
    plan = eg.grad(f).plan(V)
    assert CODE not in plan.source + str(plan)


class NoIdentifier(str):
    """A string that says it is an identifier."""

    __slots__ = ()

    def isidentifier(self):
        """Lie."""
        return True


def test_a_name_is_judged_by_its_letters():
    """Whatever its class says of it."""
    for make in (eg.variable, lambda name: eg.function(name, eg.variable("x", 2))):
        with pytest.raises(ValueError, match="must be an identifier"):
            make(NoIdentifier("x): pass"))
    plan = eg.grad(lambda x, **_: x.sum()).plan(V, **{NoIdentifier("a=print()"): 2.0})
    assert "print" not in plan.source


def test_every_builder_gives_exact_types():
    """So that no handler need think of it."""
    x = _ir.new_input(S("x"), (C(2), C(3)), key=(S("a"), C(1)))
    nodes = [
        x,
        _ir.fill(F(2.5), (C(2),), np.float64),
        _ir.fill(Q(1, 3), (C(2),), np.float64),
        _ir.zeros((C(2),), np.float64),
        _ir.selection((C(1), C(0), C(1)), C(2)),
        _ir.selection(range(C(2)), C(2)),
        _ir.merge((C(2), C(3))),
        _ir.broadcast(x, (C(4), C(2), C(3))),
        _ir.reshape(x, (C(3), C(2))),
        _ir.contract([(x, (0, 1))], (0, 1, 2), {2: C(5)}, F(1.5)),
        _primitives.apply("power", x, exponent=Q(1, 3)),
        _primitives.apply("tri", n=C(2), m=C(2), k=C(0), dtype=S("|b1")),
    ]
    for node in nodes:
        fields = [getattr(node, name) for name in ("shape", "table", "sizes", "coefficient",
                  "attributes", "name", "key") if hasattr(node, name)]  # fmt: skip
        assert all(map(is_exact, fields)), node


@pytest.mark.parametrize(
    "value", [C(1), F(1.0), S("x"), Q(1, 2), Kind.ONE, object(), np.float64(1)]
)
def test_the_emitter_refuses_whatever_is_left(value):
    """A program could come from elsewhere."""
    program = eg.derivative(lambda x: 2.5 * x, 0).plan(V).program
    (statement,) = program.statements
    hostile = replace(statement, kernel=kernels.Scale(value))
    with pytest.raises(TypeError, match="no builtin type"):
        _emit.emit(replace(program, statements=(hostile,)))
    written.clear()  # the message says what it was


def test_what_has_no_builtin_type_is_refused():
    """Also within a tuple."""
    assert exact((C(1), (F(0.5), S("a")), Kind.TWO, Q(1, 2))) == (1, (0.5, "a"), 2, Fraction(1, 2))
    with pytest.raises(TypeError, match="of type object"):
        exact((1, object()))
    with pytest.raises((TypeError, EingradError)):
        _primitives.apply("power", _ir.new_input("x", (2,)), exponent=object())
