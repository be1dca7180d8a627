"""Every row of the table, tested from its own sampling domain: a new row needs no test code."""

import ast
import gc
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest
from inside import ROW_BUILDERS, node_of
from reference import assert_close, central_difference, evaluate

import eingrad as eg
from eingrad import _formula, _ir
from eingrad._diff import forward, reverse
from eingrad._distribute import are_equal
from eingrad._forms import compile_program
from eingrad._primitives import BY_NAME, PRIMITIVES, Primitive, apply, plus
from eingrad._run import Executable

FLOAT_ROWS = [row for row in PRIMITIVES if row.dtype is None]


def _case(row):
    arrays = row.sample(np.random.default_rng(0))
    inputs = [_ir.new_input(f"x{k}", a.shape, a.dtype) for k, a in enumerate(arrays)]
    outputs = [apply(row.name, *inputs, result=n, **row.attributes) for n in range(row.results)]
    return arrays, inputs, outputs


def _run(node, values):
    inputs = _ir.inputs([node])
    for n in values.values():
        n.flags.writeable = False
    (result,) = Executable(compile_program([node], inputs)).run([values[n] for n in inputs])
    return result


@pytest.mark.parametrize("row", PRIMITIVES, ids=lambda row: row.name)
def test_emitted_call_is_numpys(row):
    """Source text computes what the row's NumPy function does, in the declared dtype."""
    arrays, inputs, outputs = _case(row)
    values = dict(zip(inputs, arrays, strict=True))
    for node in outputs:
        result = _run(node, values)
        assert result.dtype == node.dtype
        assert_close(result, evaluate(node, values), rtol=1e-14)


@pytest.mark.parametrize("row", FLOAT_ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_derivatives_agree_with_differences_of_the_order_below(row, direction):
    """First and second derivative in every operand, in both directions."""
    _check_derivatives(row, direction)


def _check_derivatives(row, direction):
    arrays, inputs, outputs = _case(row)
    for x, a in zip(inputs, arrays, strict=True):
        if a.dtype == bool:
            continue
        for output in (n for n in outputs if n.dtype != bool):
            y = output
            for _ in range(2):
                dy = forward(y, x) if direction == "forward" else reverse(y, [x])[0]
                _ir.verify([dy])

                def value(moved, y=y, x=x):
                    values = {
                        n: moved if n is x else b for n, b in zip(inputs, arrays, strict=True)
                    }
                    return evaluate(y, values)

                actual = _run(dy, dict(zip(inputs, arrays, strict=True)))
                assert_close(actual, central_difference(value, a.copy()), rtol=3e-7)
                y = dy


FAR_APART = {
    "balanced": (0.3, 0.3),
    "near": (-3.0, 2.5),
    "the first in its tail": (0.0, 40.0),
    "the second in its tail": (40.0, 0.0),
    "far in the tail": (0.0, 650.0),
    "large and near": (1e3, 1e3 + 36),
    "nothing but zero": (0.0, 800.0),
}


@pytest.mark.parametrize("point", FAR_APART.values(), ids=FAR_APART)
def test_derivatives_of_logaddexp_are_exact_in_its_tails(point):
    """To order four, every entry, against 60 digits; to 1e-12 of the entry itself.

    With ``exp(b - y)`` for the first derivative, the second was ``y' (1 - y')``: zero at (0, 40).
    """
    with mpmath.workdps(60):
        p, q = (1 / (1 + mpmath.exp(d)) for d in (mpmath.mpf(point[1]) - point[0],
                                                  mpmath.mpf(point[0]) - point[1]))  # fmt: skip
        exact = {1: q, 2: p * q, 3: p * q * (p - q), 4: p * q * ((p - q) ** 2 - 2 * p * q)}
        f = lambda x: np.logaddexp(x[0], x[1])  # noqa: E731
        for order, by_b in exact.items():
            tensor = eg.derivative(f, order)(np.array(point))
            for entry, value in np.ndenumerate(tensor):
                wanted = p if entry == (0,) else by_b * (-1) ** entry.count(0)
                tiny = abs(wanted) < 1e-307 and value == 0
                assert tiny or abs(value - wanted) <= 1e-12 * abs(wanted), (entry, value)


def test_names_are_unique():
    """A node finds its row by name."""
    assert len({row.name for row in PRIMITIVES}) == len(PRIMITIVES)


@pytest.mark.parametrize("known", ["sin", "a name of their own", "power 1"])
def test_two_rows_of_one_name_are_two_functions(known):
    """Of other operands too; a row that is used again is the same, and so is its digest."""
    x = _ir.new_input("x", (2,))
    rows = [Primitive(known, np.sin, BY_NAME["sin"].sample) for _ in range(3)]
    nodes = [_ir.apply_node(row, [x], {}, 0, (2,), np.float64) for row in rows]
    again = [_ir.apply_node(row, [x], {}, 0, (2,), np.float64) for row in rows]
    assert len({*nodes}) == len({n.digest for n in nodes}) == 3
    assert again == nodes
    if known in BY_NAME:
        assert apply(known, x) not in nodes
        assert apply(known, x).digest not in {n.digest for n in nodes}


def test_the_digest_of_a_row_does_not_depend_on_rows_that_are_gone():
    """Nor on how many there were: it orders nodes alike in every process."""
    x = _ir.new_input("x", (2,), key=("test",))
    digests = set()
    for _ in range(3):
        rows = [Primitive("same", np.sin, BY_NAME["sin"].sample) for _ in range(2)]
        nodes = [_ir.apply_node(row, [x], {}, 0, (2,), np.float64) for row in rows]
        digests.add(tuple(n.digest for n in nodes))
        del rows, nodes
        gc.collect()
    assert len(digests) == 1


def test_an_opaque_function_made_twice_is_one():
    """By name, shape and arguments; and its derivatives are too, whatever is collected between."""
    X, Y = eg.variable("X", 2), eg.variable("Y", 2)
    F, G = eg.function("F", X, shape=3), eg.function("F", X, shape=3)
    assert node_of(F) is node_of(G)
    assert node_of(eg.differentiate(F, X)) is node_of(eg.differentiate(G, X))
    assert node_of(eg.function("F", Y, shape=3)) is not node_of(F)
    assert node_of(eg.function("H", X, shape=3)) is not node_of(F)


# A row is the only place --------------------------------------------------------------------------

SOURCE = Path(eg.__file__).parent
NUMPYS_OWN = {  # functions, methods and keywords that a row shares its name with
    "_conversions.py": {"all", "any", "max", "min"},
    "_numpy_functions/linear_algebra.py": {"det", "slogdet", "solve"},
    "_numpy_functions/metadata.py": {"all", "any", "cumprod", "cumsum", "max", "min", "prod"},
    "_numpy_functions/refusals.py": {"where"},
    "_tracer/ufuncs.py": {"where"},
    "paths/pictures.py": {"log"},  # the scale of an axis
}


def _names_of_rows(text):
    """Literals that are names of rows, except where a node is built of one."""
    tree = ast.parse(text)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    built = {n.args[0] for n in calls if getattr(n.func, "id", "") in ROW_BUILDERS}
    literals = {n for n in ast.walk(tree) if isinstance(n, ast.Constant)} - built
    return {n.value for n in literals if isinstance(n.value, str) and n.value in BY_NAME}


def test_no_name_of_a_row_decides_anything_elsewhere():
    """What an operation needs stands in its row: a new one needs no second place."""
    found = {
        path.relative_to(SOURCE).as_posix(): _names_of_rows(path.read_text("utf-8"))
        for path in SOURCE.rglob("*.py")
        if "_primitives" not in path.parts
    }
    assert {path: names for path, names in found.items() if names} == NUMPYS_OWN


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('if row.name == "inverse": pass', {"inverse"}),
        ('TABLE = {"sin": 1, "cos of": 2}', {"sin"}),
        ('match name:\n    case "where": pass', {"where"}),
        ('apply("sin", x)', set()),
        ('apply(x, "sin")', {"sin"}),
    ],
)
def test_a_name_that_decides_is_found(text, found):
    """The test above would pass for a search that finds nothing."""
    assert _names_of_rows(text) == found


@pytest.mark.parametrize("name", ["cast", "where", "whole", "inverse", "reciprocal", "divide"])
def test_a_row_of_a_known_name_goes_by_its_own_fields(name):
    """The row differentiates, is written and is simplified; its name is only its name."""
    row = Primitive(name, np.sin, BY_NAME["sin"].sample, BY_NAME["sin"].rules, source="np.sin({0})")
    x = _ir.new_input("x", (2, 2))
    y = _ir.apply_node(row, [x], {}, 0, x.shape, x.dtype)
    twice = _ir.apply_node(row, [y], {}, 0, x.shape, x.dtype)
    one = _ir.fill(1, x.shape, x.dtype)
    assert forward(y, x) is forward(apply("sin", x), x)
    assert _formula.text(y) == "[i,j] = sin(x[i,j])"
    assert not are_equal(twice, x)
    assert not are_equal(_ir.einsum("ij,ij->ij", x, y), one)
    assert row.flops((2, 2), (2, 2)) == 4


def _moments_rule(x, y):
    """Mean: ``1/n``; what is left without it: ``delta[i,j] - 1/n``."""
    n = x.shape[-1]
    if y.result == 0:
        return _ir.fill(Fraction(1, n), x.shape, x.dtype)
    identity = _ir.contract([(_ir.delta(n), (0, 1))], (0, 1), dtype=x.dtype)
    return _ir.broadcast(plus(identity, Fraction(-1, n)), (*x.shape, n))


MOMENTS = Primitive(
    "moments",
    lambda x: (x.mean(-1), x - x.mean(-1, keepdims=True), x > x.mean(-1, keepdims=True)),
    BY_NAME["exp"].sample,
    (_moments_rule,),
    core=((0, 1, 1), 1),
    source="({0}.mean(-1), {0} - {0}.mean(-1, keepdims=True), {0} > {0}.mean(-1, keepdims=True))",
    shapes=lambda a: (a[:-1], a, a),
    dtype=(None, None, np.dtype(bool)),
    results=3,
)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_each_result_has_its_own_core_axes_and_dtype(monkeypatch, direction):
    """As the eigenvalues and eigenvectors of a matrix have."""
    monkeypatch.setitem(BY_NAME, "moments", MOMENTS)
    test_emitted_call_is_numpys(MOMENTS)
    _check_derivatives(MOMENTS, direction)


@pytest.mark.parametrize(
    ("name", "shapes", "flops"),
    [
        ("exp", [(2, 3), (2, 3)], 6),
        ("max", [(2,), (2, 3)], 2),
        ("cast", [(2, 3), (2, 3)], 0),
        ("concatenate", [(4, 3), (2, 3), (2, 3)], 0),
        ("det", [(2,), (2, 6, 6)], 2 * (2 * 6**3 // 3)),
        ("slogdet", [(2,), (2, 6, 6)], 2 * (2 * 6**3 // 3)),
        ("solve", [(2, 6, 5), (2, 6, 6), (2, 6, 5)], 2 * (2 * 6**3 // 3 + 2 * 6**2 * 5)),
        ("inverse", [(2, 6, 6), (2, 6, 6)], 2 * (2 * 6**3 // 3 + 2 * 6**3)),
    ],
)
def test_flops_are_the_leading_terms_of_the_textbook(name, shapes, flops):
    """Of a stack, as often as it has matrices; a copy of entries costs none."""
    assert BY_NAME[name].flops(*shapes) == flops
