"""Laws of outer products: where BLAS makes them, that its entries are those of a multiplication.

What the user wrote is multiplied, so that it keeps the signs of its zeros; complex numbers too.
"""

import itertools

import numpy as np
import pytest

import eingrad as eg
from eingrad import _ir
from eingrad._cache import input_specs
from eingrad._plan import kernels, lower
from eingrad._run import Executable
from eingrad._run.interpret import interpret

RNG = np.random.default_rng(0)
NAN, INF = np.nan, np.inf
SPECIAL = np.array([0.0, -0.0, 1.0, -2.5, NAN, INF, -INF, 5e-324, 1e-200, 1e200])


def product(subscripts, *shapes, dtype=np.float64, written=frozenset()):
    """Lower a product of two inputs that differentiation made, or the user."""
    inputs = [_ir.new_input(name, shape, dtype) for name, shape in zip("ab", shapes, strict=False)]
    node = _ir.einsum(subscripts, *(inputs * 2)[:2])
    arguments = list(zip(inputs, input_specs(inputs), strict=True))
    return lower([node], arguments, (), written if written is None else frozenset(written))


def kinds(program):
    """Name the steps that are no views."""
    return [s.kernel.label for s in program.statements if not s.is_alias]


def drawn(shape, dtype):
    return RNG.normal(size=shape).astype(dtype)


# Where -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subscripts", "shapes", "kernel"),
    [
        ("i,j->ij", [(100,), (20,)], "outer"),
        ("i,j->ji", [(100,), (20,)], "outer"),
        ("i,j->ij", [(100_000,), (6,)], "outer"),
        ("i,j->ij", [(6,), (100_000,)], "multiply"),  # NumPy copies no long runs
        ("ij,k->ijk", [(30, 20), (10,)], "outer"),
        ("ij,kl->klji", [(9, 8), (7, 6)], "outer"),
        ("ij,kl->ikjl", [(9, 8), (7, 6)], "multiply"),  # it would lie in another order
        ("i,ij->ij", [(30,), (30, 20)], "multiply"),
        ("i,j->ij", [(1,), (20,)], "multiply"),
        ("i,j->ij", [(20,), (1,)], "multiply"),
        (",ij->ij", [(), (30, 20)], "multiply"),
        ("ik,kj->ij", [(30, 1), (1, 20)], "outer"),
        ("ki,kj->ji", [(1, 30), (1, 20)], "outer"),
        ("ik,kj->ij", [(30, 2), (2, 20)], "matmul"),
        ("bik,bkj->bij", [(3, 30, 1), (3, 1, 20)], "matmul"),
    ],
)
def test_an_outer_product_is_one_of_blas_where_that_is_faster(subscripts, shapes, kernel):
    assert kinds(product(subscripts, *shapes)) == [kernel]


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, np.complex64, complex, np.int64])
@pytest.mark.parametrize("subscripts", ["i,j->ij", "ik,jk->ij"])
def test_other_numbers_are_not(subscripts, dtype):
    """BLAS has none, or rounds a complex product otherwise, and makes nan of its infinities."""
    shapes = [(50, 1)[: len(t)] for t in subscripts.partition("->")[0].split(",")]
    assert "outer" not in kinds(product(subscripts, *shapes, dtype=dtype))


# What --------------------------------------------------------------------------------------------

PERMUTED = [
    f"{left},{right}->{''.join(out)}"
    for left, right in (("ij", "kl"), ("i", "jk"), ("ij", "k"), ("ijk", "l"))
    for order in itertools.permutations(left)
    for other in itertools.permutations(right)
    for out in ((*order, *other), (*other, *order))
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("subscripts", PERMUTED)
def test_every_order_of_axes_has_the_bits_of_a_multiplication(subscripts, dtype):
    sizes = dict(zip("ijkl", (5, 4, 3, 6), strict=True))
    shapes = [tuple(sizes[i] for i in t) for t in subscripts.partition("->")[0].split(",")]
    program = product(subscripts, *shapes, dtype=dtype)
    assert kinds(program) == ["outer"]
    a, b = (drawn(shape, dtype) for shape in shapes)
    expected = np.einsum(subscripts, a, b)
    for found in (Executable(program).run([a, b]), interpret(program, [a, b], np)):
        np.testing.assert_array_equal(found[0], expected, strict=True)


@pytest.mark.parametrize("subscripts", ["ik,kj->ij", "ik,jk->ij", "ki,kj->ji", "kil,jkl->jil"])
def test_a_matrix_product_over_one_index_of_size_one_is_one(subscripts):
    """`@` takes a loop of its own there, four times as slow."""
    sizes = {"i": 30, "j": 20, "k": 1, "l": 1}
    shapes = [tuple(sizes[i] for i in t) for t in subscripts.partition("->")[0].split(",")]
    a, b = (drawn(shape, float) for shape in shapes)
    program = product(subscripts.replace("jil", "ji"), *shapes)
    (found,) = Executable(program).run([a, b])
    np.testing.assert_array_equal(found, np.einsum(subscripts.replace("jil", "ji"), a, b))
    assert "np.dot(" in Executable(program).source


LAYOUTS = {
    "in order": lambda x: x,
    "strided": lambda x: np.repeat(x, 3)[::3],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "repeated": lambda x: np.broadcast_to(x[:1], x.shape),
    "other bytes": lambda x: x.astype(x.dtype.newbyteorder()),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_operands_may_lie_in_memory_in_any_way(layout):
    run = Executable(product("i,j->ij", (12,), (10,))).run
    a, b = layout(drawn(12, float)), layout(SPECIAL)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(run([a, b])[0], a[:, None] * b)


def test_an_operand_with_itself_is_symmetric_to_the_last_bit():
    program = product("i,j->ij", (70,))
    (found,) = Executable(program).run([a := drawn(70, float)])
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_array_equal(found, a[:, None] * a)


def test_what_is_not_finite_and_what_underflows_is_multiplied():
    """One entry alone: nan and infinity do not spread to others."""
    with np.errstate(all="ignore"):
        (found,) = Executable(product("i,j->ij", (10,), (10,))).run([SPECIAL, SPECIAL])
        np.testing.assert_array_equal(found, SPECIAL[:, None] * SPECIAL)


@pytest.mark.parametrize(
    ("kind", "a", "b"), [("over", 1e300, 1e300), ("under", 1e-300, 1e-300), ("invalid", INF, 0.0)]
)
def test_errors_are_raised_as_numpy_is_told_to(kind, a, b):
    run = Executable(product("i,j->ij", (50,), (60,))).run
    operands = [np.full(50, a), np.full(60, b)]
    with np.errstate(**{kind: "raise"}), pytest.raises(FloatingPointError):
        run(operands)
    with np.errstate(all="ignore"):
        run(operands)


def test_what_is_merged_in_another_order_is_counted_as_memory():
    copied, merged = (product(s, (40, 50), (3,)) for s in ("ij,k->jik", "ij,k->ijk"))
    assert copied.peak_bytes == merged.peak_bytes + 8 * 40 * 50


# Signs of zeros ----------------------------------------------------------------------------------

X, Y = np.array([0.0, -1.0, 2.0, -0.0]), np.array([-3.0, 0.0, -0.0, 4.0, 1.0])
WRITTEN = {
    "np.outer": (np.outer, (X, Y)),
    "np.multiply.outer": (np.multiply.outer, (X, Y)),
    "broadcast": (lambda x, y: x[:, None] * y, (X, Y)),
    "its inverse": (lambda x, y: 1 / np.outer(x, y), (X, Y)),
    "an angle": (lambda x, y: np.arctan2(np.outer(x, y), -1.0), (X, Y)),
}


def assert_same_signs(actual, expected):
    np.testing.assert_array_equal(actual, expected)
    np.testing.assert_array_equal(np.signbit(actual), np.signbit(expected))


@pytest.mark.parametrize(("f", "arguments"), WRITTEN.values(), ids=WRITTEN.keys())
def test_what_the_user_wrote_keeps_the_signs_of_its_zeros(f, arguments):
    """Beside its derivatives too, and as an expression of symbols."""
    with np.errstate(all="ignore"):
        expected = f(*arguments)
        assert_same_signs(eg.derivative(f, 0)(*arguments), expected)
        assert_same_signs(eg.value_and_derivatives(f, 1)(*arguments)[0], expected)
        symbols = [eg.variable(name, x.shape) for name, x in zip("xy", arguments, strict=True)]
        assert_same_signs(eg.compile(f(*symbols))(*arguments), expected)


def test_of_what_is_made_in_pieces_all_keep_them():
    """In a loop, slices of what the user wrote are not told from others."""
    x, w = _ir.new_input("x", (50,)), _ir.new_input("w", (60,))
    node = _ir.einsum("i,j->ij", x, w)
    arguments = list(zip((x, w), input_specs((x, w)), strict=True))
    assert kinds(lower([node], arguments, (), None)) == ["multiply"]
    assert kinds(lower([node], arguments, (), frozenset({node}))) == ["multiply"]
    assert kinds(lower([node], arguments)) == ["outer"]


# Derivatives -------------------------------------------------------------------------------------

V = RNG.normal(size=30)
GRADIENTS = {
    "of a layer": (lambda w: np.sum(np.tanh(w @ V)), (20, 30)),
    "of one sample": (lambda w: np.sum(np.tanh(w @ V[:, None])), (20, 30)),
    "of a bilinear form": (lambda w: V[:20] @ w @ V, (20, 30)),
}


@pytest.mark.parametrize(("f", "shape"), GRADIENTS.values(), ids=GRADIENTS.keys())
def test_the_gradient_of_a_layer_is_one(f, shape):
    w = RNG.normal(size=shape)
    plan = eg.grad(f).plan(w)
    assert any(isinstance(s.kernel, kernels.Outer) for s in plan.program.statements)
    step = 1e-6 * RNG.normal(size=shape)
    difference = f(w + step) - f(w - step)
    np.testing.assert_allclose(2 * np.sum(plan(w) * step), difference, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("f", [np.linalg.inv, lambda x: np.sum(np.tanh(x @ V))])
def test_an_array_for_the_result_gets_the_same_bits(f):
    x = RNG.normal(size=(30, 30)) + 9 * np.eye(30)
    plan = eg.derivative(f).plan(x)
    expected = plan(x)
    for out in (np.empty(expected.shape), np.empty(expected.shape[::-1]).T):
        np.testing.assert_array_equal(plan(x, out=out), expected)
