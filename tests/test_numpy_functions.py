"""Every traced function: its value, Jacobian and second derivative, against NumPy alone."""

import functools
import inspect
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

import eingrad as eg
from eingrad._primitives import PRIMITIVES
from eingrad._tracer import FUNCTIONS, METHODS, UFUNCS

# One of the functions reads nothing; the warning of that has tests of its own.
pytestmark = pytest.mark.filterwarnings("ignore::eingrad.errors.IndependentWarning")

STEP = 1e-30  # of the complex step: no difference is taken, so none cancels


def fixed(array):
    """Make an array read-only, as every input of a test is."""
    array = np.asarray(array)
    array.flags.writeable = False
    return array


@dataclass(frozen=True)
class Case:
    """A function of arrays, and where to test it."""

    name: str
    f: Callable
    shapes: tuple
    low: float = -1.5
    high: float = 1.5
    analytic: bool = True

    def sample(self, dtype=np.float64):
        rng = np.random.default_rng(5)
        return [fixed(rng.uniform(self.low, self.high, s).astype(dtype)) for s in self.shapes]


def case(name, f, *shapes, **more):
    return Case(name, f, shapes, **more)


def real(name, f, *shapes, **more):
    return Case(name, f, shapes, analytic=False, **more)


def positive(name, f, *shapes, **more):
    return Case(name, f, shapes, low=0.4, high=2.0, **more)


def per_shape(name, f, *shape_lists, make=case, **more):
    return [
        make(f"{name} {' '.join(map(str, shapes))}", f, *shapes, **more) for shapes in shape_lists
    ]


C23 = fixed(np.array([[1.0, -2.0, 0.5], [3.0, 0.25, -1.0]]))
FLAGS = fixed(np.array([[True, False, True], [False, False, True]]))
ROWS = fixed(np.array([[True], [False], [True]]))
EYE = fixed(4 * np.eye(3))
E4 = fixed(4 * np.eye(4).reshape(2, 2, 4))
PAIRS = [
    ((2, 3), (2, 3)),
    ((3, 1), (1, 4)),
    ((3,), (4, 3)),
    ((), (2, 2)),
    ((2,), ()),
    ((), ()),
    ((1,), (1,)),
    ((2, 1, 3), (4, 1)),
    ((0, 3), (1, 3)),
    ((1,), (0,)),
]
MATMULS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (2, 3, 4)),
    ((2, 2, 3), (3, 2)),
    ((2, 3), (2, 3, 2)),
    ((2, 2, 3), (2, 3, 2)),
    ((2, 1, 2, 3), (3, 3, 1)),
    ((1, 2, 3), (2, 3, 2)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 3)),
    ((1, 1), (1, 3)),
]
DOTS = [
    ((), (2, 3)),
    ((2,), ()),
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3, 2)),
    ((2, 2, 3), (3,)),
    ((2, 3), (2, 3, 2)),
    ((2, 0), (0, 2)),
]
INNERS = [((), (2, 3)), ((3,), (3,)), ((2, 3), (3,)), ((2, 3), (4, 3)), ((2, 2, 3), (2, 3))]


def einsums():
    rows = [
        ("ij,jk->ik", (2, 3), (3, 4)),
        ("ij,jk", (2, 3), (3, 4)),
        ("ba", (2, 3)),
        ("Ba", (2, 3)),
        ("ij,ij->", (2, 3), (2, 3)),
        ("i,j->ji", (2,), (3,)),
        ("i,i->i", (3,), (3,)),
        ("ii->i", (3, 3)),
        ("ii->", (3, 3)),
        ("ii", (3, 3)),
        ("iij->j", (2, 2, 3)),
        ("iji->ji", (2, 3, 2)),
        ("iij,jk->ik", (2, 2, 3), (3, 2)),
        ("iii->i", (2, 2, 2)),
        ("ij->j", (2, 3)),
        ("ijk->kij", (2, 3, 2)),
        ("ij->", (2, 3)),
        ("->", ()),
        (",i->i", (), (3,)),
        ("i,ij,j->", (2,), (2, 3), (3,)),
        ("ij,jk,kl->il", (2, 2), (2, 3), (3, 2)),
        ("...ij,...jk->...ik", (2, 2, 3), (2, 3, 2)),
        ("...ij,...jk->...ik", (2, 1, 2, 3), (3, 3, 2)),
        ("...ij,jk->...ik", (2, 2, 3), (3, 2)),
        ("...ii->...i", (2, 3, 3)),
        ("...i->...", (2, 2, 3)),
        ("i...->...i", (2, 3, 2)),
        ("...i,...i", (2, 3), (3,)),
        ("...", (2, 3)),
        ("i...j->ji...", (2, 3, 2)),
        ("ij,jk->ik", (2, 1), (3, 2)),
        ("ij,ij->ij", (1, 3), (2, 1)),
        ("i,i->", (1,), (4,)),
        ("i,i->i", (1,), (4,)),
        (" i j , j k -> i k ", (2, 3), (3, 2)),
        ("ij,jk->ik", (2, 0), (0, 3)),
        ("ij,jk->ik", (0, 2), (2, 3)),
    ]
    for spec, *shapes in rows:
        name = f"einsum {spec!r} {' '.join(map(str, shapes))}"
        yield case(name, lambda *x, spec=spec: np.einsum(spec, *x), *shapes)
    yield from (
        case("einsum lists", lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [0, 2]), (2, 3), (3, 2)),
        case("einsum lists implicit", lambda x: np.einsum(x, [3, 1], x, [2, 1]), (2, 3)),
        case("einsum lists in numerical order", lambda x: np.einsum(x, [10, 2]), (2, 3)),
        case("einsum lists diagonal", lambda x: np.einsum(x, [0, 0], [0]), (3, 3)),
        case("einsum lists trace", lambda x: np.einsum(x, [0, 0], []), (3, 3)),
        case(
            "einsum lists ellipsis",
            lambda x, y: np.einsum(x, [..., 0, 1], y, [1], [..., 0]),
            (2, 2, 3),
            (3,),
        ),
        case("einsum lists implicit ellipsis", lambda x: np.einsum(x, [1, ..., 0]), (2, 3, 2)),
        case("einsum optimize", lambda x: np.einsum("ij,ij", x, x, optimize=True), (2, 3)),
        case("einsum with an array", lambda x: np.einsum("ij,ij->i", x, C23), (2, 3)),
        case("einsum one operand thrice", lambda x: np.einsum("ij,jk,ki->ij", x, x, x), (2, 2)),
    )  # fmt: skip


def operators():
    yield from per_shape("+", lambda x, y: x + y, *PAIRS)
    yield from per_shape("-", lambda x, y: x - y, *PAIRS)
    yield from per_shape("*", lambda x, y: x * y, *PAIRS)
    yield from per_shape("/", lambda x, y: x / y, *PAIRS, make=positive)
    yield from per_shape("**", lambda x, y: x**y, *PAIRS, make=positive)
    yield from per_shape("@", lambda x, y: x @ y, *MATMULS)
    yield from (
        case("array + x", lambda x: C23 + x, (2, 3)),
        case("array - x", lambda x: C23 - x, (3,)),
        case("array * x", lambda x: C23 * x, (2, 1)),
        positive("array / x", lambda x: C23 / x, (2, 3)),
        case("x / array", lambda x: x / C23, (3,)),
        case("array ** x", lambda x: (C23 * C23) ** x, (3,)),
        case("array @ x", lambda x: C23 @ x, (3,)),
        case("x @ array", lambda x: x @ C23, (2,)),
        case("number + x", lambda x: 2 + x, (2,)),
        case("number - x", lambda x: 1.5 - x, (2,)),
        case("number * x", lambda x: 3 * x, (2, 2)),
        positive("number / x", lambda x: 3 / x, (2,)),
        positive("1 / x", lambda x: 1 / x, (2,)),
        case("x / number", lambda x: x / 3, (2,)),
        case("np.float64 * x", lambda x: np.float64(0.3) * x, (2,)),
        case("0-d array * x", lambda x: np.array(0.3) * x, (2,)),
        case("integer array * x", lambda x: np.arange(3) * x, (3,)),
        case("boolean array * x", lambda x: FLAGS * x, (2, 3)),
        case("list + x", lambda x: np.add([1.0, 2.0, 3.0], x), (3,)),
        case("-x", lambda x: -x, (2, 2)),
        case("+x", lambda x: +x, ()),
        real("abs", abs, (2, 3)),
        case("x * x * x", lambda x: x * x * x, (3,)),
        case("x + x.T", lambda x: x + x.T, (3, 3)),
        case("x - x", lambda x: x - x, (3,)),
        case("constant", lambda x: 0 * x + 1, (2,)),
        case("iteration", lambda x: sum(row * k for k, row in enumerate(x, 1)), (2, 3)),
    )


def exponents():
    for p in (0, 1, 2, 3, 4, -1, -2, -3):
        low = -1.5 if p >= 0 else 0.4
        yield case(f"x ** {p}", lambda x, p=p: x**p, (2, 2), low=low)
    for p in (0.5, -0.5, 1.5, 1 / 3, 2.0, 3.0, -1.0):
        yield positive(f"x ** {p:.3}", lambda x, p=p: x**p, (2, 2))
    yield from (
        case("power of a negative base", lambda x: np.power(x, 3.0), (3,), low=-2.0, high=-0.5),
        positive("power by np.float64", lambda x: np.power(x, np.float64(1.7)), (3,)),
        positive("power by an array", lambda x: x ** np.array([1.0, 2.5, -1.0]), (3,)),
        positive("power by a 0-d array", lambda x: x ** np.array(2.5), (3,)),
        case("2 ** x", lambda x: 2**x, (2, 2)),
        case("0.5 ** x", lambda x: 0.5**x, ()),
        positive("float_power", lambda x: np.float_power(x, 2.5), (2,)),
    )


def elementwise():
    for name in ("exp", "exp2", "expm1", "sin", "cos", "tanh", "sinh", "cosh", "arctan", "arcsinh"):
        yield from per_shape(name, getattr(np, name), ((2, 3),), ((),), ((0, 2),))
    for name in ("log", "log2", "log10", "log1p", "sqrt", "reciprocal"):
        yield from per_shape(name, getattr(np, name), ((2, 3),), ((),), ((0,),), make=positive)
    for name in ("square", "negative", "positive", "copy"):
        yield from per_shape(name, getattr(np, name), ((2, 3),), ((),), ((0,),))
    for name in ("tan", "arcsin", "arccos", "arctanh"):
        yield case(name, getattr(np, name), (2, 3), low=-0.8, high=0.8)
    yield case("arccosh", np.arccosh, (2, 3), low=1.3, high=3.0)
    yield positive("cbrt", np.cbrt, (2, 3), analytic=False)
    for name in ("absolute", "sign"):
        yield real(name, getattr(np, name), (2, 3))
    for name in ("hypot", "arctan2", "divide"):
        yield from per_shape(
            name, getattr(np, name), ((2, 3), (3,)), ((), ()), make=positive, analytic=False
        )
    for name in ("logaddexp", "maximum", "minimum"):
        yield from per_shape(name, getattr(np, name), ((2, 3), (2, 1)), ((), (3,)), make=real)
    for g in (np.maximum, np.minimum):
        yield real(f"{g.__name__} with a number", lambda x, g=g: g(x, 0.1), (2, 3))
    yield from (
        real("logaddexp of far values", lambda x: np.logaddexp(x, 800 + x), (3,)),
        case("log1p of small values", np.log1p, (3,), low=1e-9, high=2e-9),
        case("subtract", np.subtract, (2,), (2,)),
        case("add", np.add, (2,), (2,)),
        case("multiply", np.multiply, (2,), (2,)),
    )


def choices():
    yield from (
        case("where with flags", lambda x, y: np.where(FLAGS, x, y * x), (2, 3), (3,)),
        case("where with numbers", lambda x: np.where(np.arange(3), x, 1.0), (3,)),
        case("where of two numbers", lambda x: x * np.where(FLAGS, 2.0, 1), (2, 3)),
        case("where broadcasts the branches", lambda x: np.where(FLAGS, x, 0), (1, 3)),
        real("where x > 0", lambda x: np.where(x > 0, x**2, np.sin(x)), (2, 3)),
        real("where x", lambda x: np.where(x, x**2, x), (2, 3)),
        real("where x >= y", lambda x, y: np.where(x >= y, x * y, x), (2, 3), (3,)),
        real("where x < y", lambda x, y: np.where(x < y, x * y, x), (2, 3), (3,)),
        real("where x <= 1", lambda x: np.where(x <= 0.3, x, 2 * x), (2, 3)),
        real("where 0 < x", lambda x: np.where(0 < x, x, 2 * x), (2, 3)),  # noqa: SIM300
        real("where x == y", lambda x: np.where(x == C23, x, x * x), (2, 3)),
        real("where x != y", lambda x: np.where(x != C23, x, x * x), (2, 3)),
        real("where and", lambda x: np.where((x > 0) & (x < 1), x * x, 0), (2, 3)),
        real("where or", lambda x: np.where((x > 1) | FLAGS, x * x, 0.0), (2, 3)),
        real("where or", lambda x: np.where((x > 0) | FLAGS, 1, x), (2, 3)),
        real("where not", lambda x: np.where(~(x > 0) & FLAGS, 1, x), (2, 3)),
        real("where logical_or", lambda x: np.where(np.logical_or(x > 0, FLAGS), 1, x), (2, 3)),
        real("where logical_and", lambda x: np.where(np.logical_and(x > 0, FLAGS), 1, x), (2, 3)),
        real("where not", lambda x: np.where(np.logical_not(x > 0), x, x * x), (2, 3)),
        real("where isfinite", lambda x: np.where(np.isfinite(x), x * x, 0), (2, 3)),
        real("where isnan", lambda x: np.where(np.isnan(x), 0, x * x), (2, 3)),
    )  # fmt: skip


def contractions():
    yield from per_shape("matmul", np.matmul, *MATMULS)
    yield from per_shape("linalg.matmul", np.linalg.matmul, ((2, 3), (3, 2)), ((2, 2, 3), (3, 1)))
    yield from per_shape("dot", np.dot, *DOTS)
    yield from per_shape("x.dot", lambda x, y: x.dot(y), ((2, 3), (3,)), ((3,), (3,)))
    yield from per_shape("inner", np.inner, *INNERS)
    yield from per_shape("outer", np.outer, ((2,), (3,)), ((2, 2), (3,)), ((), (3,)), ((0,), (2,)))
    yield from per_shape("multiply.outer", np.multiply.outer, ((2,), (3,)), ((2, 2), (2,)))
    for axes, *shapes in (
        (0, (2,), (3,)),
        (1, (2, 3), (3, 2)),
        (2, (2, 3, 2), (3, 2, 2)),
        (([0], [1]), (3, 2), (2, 3)),
        (([0, 1], [1, 0]), (3, 2), (2, 3)),
        ((1, 0), (2, 3), (3, 2)),
        ((-1, -2), (2, 3), (3, 2)),
        (([], []), (2,), (2,)),
        (((1, 0), (0, 2)), (2, 3), (3, 2, 2)),
    ):
        name = f"tensordot {axes}"
        yield case(name, lambda x, y, axes=axes: np.tensordot(x, y, axes), *shapes)
    yield case("tensordot", np.tensordot, (2, 3), (2, 3))
    yield case("tensordot axes=1", lambda x: np.tensordot(x, x, axes=1), (2, 2))
    for offset in (-4, -1, 0, 1, 2, 3):
        yield case(f"trace {offset}", lambda x, k=offset: np.trace(x, k), (2, 3))
        yield case(f"diagonal {offset}", lambda x, k=offset: np.diagonal(x, offset=k), (3, 2))
        yield case(f"diagonal method {offset}", lambda x, k=offset: x.diagonal(k), (2, 3))
        yield case(
            f"linalg.trace {offset}", lambda x, k=offset: np.linalg.trace(x, offset=k), (2, 2, 3)
        )
        yield case(
            f"linalg.diagonal {offset}",
            lambda x, k=offset: np.linalg.diagonal(x, offset=k),
            (2, 2, 3),
        )
    for one, two in ((0, 2), (2, 0), (-1, 1), (1, 0)):
        yield case(
            f"trace of axes {one}, {two}",
            lambda x, a=one, b=two: np.trace(x, 1, axis1=a, axis2=b),
            (2, 3, 2),
        )
        yield case(
            f"diagonal of axes {one}, {two}",
            lambda x, a=one, b=two: np.diagonal(x, 0, axis1=a, axis2=b),
            (2, 3, 2),
        )
    yield case("trace method", lambda x: x.trace(), (3, 3))
    for name, g in (("trace", np.trace), ("linalg.trace", np.linalg.trace)):
        yield real(f"{name} dtype", lambda x, g=g: g(x, dtype=np.float64) ** 2, (3, 3))
    for name, g in (("sum", np.sum), ("mean", np.mean)):
        for axis, keepdims in itertools.product(
            (None, 0, -1, (0, 2), (), (-1, 0, 1)), (True, False)
        ):
            yield case(
                f"{name} axis={axis} keepdims={keepdims}",
                lambda x, g=g, a=axis, k=keepdims: g(x, axis=a, keepdims=k),
                (2, 3, 2),
            )
        yield case(f"{name} of 0-d", g, ())
        yield case(f"{name} method", lambda x, name=name: getattr(x, name)(1), (2, 3))
        yield case(f"{name} of an empty axis kept", lambda x, g=g: g(x, axis=1), (0, 2))
    yield case("sum of nothing", np.sum, (0, 3))
    yield case("sum over an empty axis", lambda x: np.sum(x, axis=0), (0, 3))
    yield case("np.add.reduce", np.add.reduce, (2, 3))
    yield case("np.add.reduce axis", lambda x: np.add.reduce(x, axis=1, keepdims=True), (2, 3))


def layouts():
    yield from (
        case("transpose", np.transpose, (2, 3)),
        case("transpose of three axes", np.transpose, (2, 3, 2)),
        case("transpose axes", lambda x: np.transpose(x, (1, 2, 0)), (2, 3, 2)),
        case("transpose negative axes", lambda x: np.transpose(x, (-1, 0, 1)), (2, 3, 2)),
        case("transpose method", lambda x: x.transpose(2, 0, 1), (2, 3, 2)),
        case("transpose method tuple", lambda x: x.transpose((2, 0, 1)), (2, 3, 2)),
        case("transpose method None", lambda x: x.transpose(None), (2, 3)),
        case("transpose method alone", lambda x: x.transpose(), (2, 3)),
        case("permute_dims", lambda x: np.permute_dims(x, (1, 0)), (2, 3)),
        case(".T", lambda x: x.T, (2, 3)),
        case(".T of 0-d", lambda x: x.T, ()),
        case(".T of one axis", lambda x: x.T, (3,)),
        case("matrix_transpose", np.matrix_transpose, (2, 2, 3)),
        case("linalg.matrix_transpose", np.linalg.matrix_transpose, (2, 2, 3)),
        case("swapaxes", lambda x: np.swapaxes(x, 0, -1), (2, 3, 2)),
        case("swapaxes method", lambda x: x.swapaxes(1, 1), (2, 3)),
        case("moveaxis", lambda x: np.moveaxis(x, 0, -1), (2, 3, 4)),
        case("moveaxis back", lambda x: np.moveaxis(x, -1, 0), (2, 3, 4)),
        case("moveaxis several", lambda x: np.moveaxis(x, [0, 1], [-1, -2]), (2, 3, 4)),
        case("moveaxis pair", lambda x: np.moveaxis(x, (2, 0), (0, 1)), (2, 3, 4)),
        case("ravel", np.ravel, (2, 3)),
        case("ravel method", lambda x: x.ravel(), (2, 3)),
        case("ravel of 0-d", np.ravel, ()),
        case("ravel of nothing", np.ravel, (2, 0)),
        case("flatten", lambda x: x.flatten(), (2, 3)),
        case("expand_dims", lambda x: np.expand_dims(x, 1), (2, 3)),
        case("expand_dims several", lambda x: np.expand_dims(x, (0, -1)), (2, 3)),
        case("expand_dims of nothing", lambda x: np.expand_dims(x, 0), (0,)),
        case("squeeze", np.squeeze, (1, 3, 1)),
        case("squeeze axis", lambda x: np.squeeze(x, axis=-1), (1, 3, 1)),
        case("squeeze method", lambda x: x.squeeze((0, 2)), (1, 3, 1)),
        case("broadcast_to", lambda x: np.broadcast_to(x, (2, 4, 3)), (4, 1)),
        case("broadcast_to one axis", lambda x: np.broadcast_to(x, 3), (1,)),
        case("broadcast_to from 0-d", lambda x: np.broadcast_to(x, (2, 2)), ()),
        case("zeros_like", lambda x: x * x + np.zeros_like(x), (2,)),
        case("ones_like", lambda x: x * np.ones_like(x), (2,)),
        case("ones_like of a shape", lambda x: x * np.ones_like(x, shape=(2, 1)), (3,)),
        *(
            real(
                f"{g.__name__} of a dtype and shape",
                lambda x, g=g, more=more: (
                    x.sum() * (g(x, *more, dtype=np.float64, shape=(2, 1)) * 0 + 2)
                ),
                (3,),
            )
            for g, more in ((np.ones_like, ()), (np.zeros_like, ()), (np.full_like, (2,)))
        ),
        real(
            "empty_like of a dtype and shape",
            lambda x: x * np.empty_like(x, dtype=np.float64, shape=(2, 3)).shape[0],
            (3,),
        ),
        case("x.copy", lambda x: x.copy() * 2, (2,)),
        case("shape, ndim, size", lambda x: x * np.ndim(x) * np.size(x) * np.shape(x)[1], (2, 3)),
        case("size of an axis", lambda x: x * np.size(x, 1) * len(x) * x.ndim * x.size, (2, 3)),
        case("astype", lambda x: x.astype(complex).astype(np.complex128), (2, 2)),
        case("identity", lambda x: x, (2, 3)),
        case("of nothing it reads", lambda x: np.ones(2), (3,)),
    )
    for old, new in (
        ((2, 3), (6,)), ((6,), (2, 3)), ((2, 3), (3, 2)), ((6, 4), (8, 3)), ((4, 6), (3, 8)),
        ((2, 3, 4), (6, 4)), ((2, 3, 4), (2, 12)), ((2, 6), (2, 3, 2)), ((2, 3), (-1,)),
        ((2, 6), (4, -1)), ((2, 3), (2, 1, 3)), ((2, 1, 3), (2, 3)), ((1,), ()), ((), (1, 1)),
        ((0, 3), (3, 0)), ((0, 3), (0,)), ((0, 3), (-1, 3)), ((0, 2), (5, 0)),
        ((2, 2, 3), (4, 3, 1)), ((2, 3, 2), (3, 4)), ((6, 2), (4, 3)),
    ):  # fmt: skip
        name = f"reshape {old} to {new}"
        yield case(name, lambda x, new=new: np.reshape(x, new), old)
        # bent, so that the second derivative passes through the reshape
        yield case(f"{name}, squared", lambda x, new=new: np.reshape(x * x, new).T ** 2, old)
    yield from (
        case("reshape method", lambda x: x.reshape(3, 2), (2, 3)),
        case("reshape method tuple", lambda x: x.reshape((3, 2)), (2, 3)),
        case("reshape method -1", lambda x: x.reshape(-1), (2, 3)),
        case("reshape of a transpose", lambda x: x.T.reshape(2, 3), (2, 3)),
        case("reshape back", lambda x: (x.reshape(6) ** 2).reshape(2, 3), (2, 3)),
        case("reshape in the trace", lambda x: np.trace(x.reshape(3, 3)), (9,)),
    )
    s = np.s_
    for index in (
        s[0], s[-1], s[1, 2], s[-1, -3], s[:, 1], s[1:], s[:-1], s[::2], s[::-1], s[:, ::-2],
        s[-1:0:-1], s[5:], s[1:1], s[None], s[:, None], s[..., None], s[None, ..., 0], s[...],
        s[()], s[..., -1, :], s[0, ...], s[:, None, 1, ..., None], s[1:2, None, ::-1],
        s[np.int64(1)], s[:, 1:3], s[-5:5],
    ):  # fmt: skip
        yield case(f"x[{index}]", lambda x, index=index: x[index], (2, 3))
    yield from (
        case("x[...] of 0-d", lambda x: x[...], ()),
        case("x[None] of 0-d", lambda x: x[None], ()),
        case("x[0] of three axes", lambda x: x[0, ..., ::-1], (2, 2, 3)),
        case("differences", lambda x: (x[1:] - x[:-1]) ** 2, (4,)),
        case("slices of a product", lambda x: (x[:, None] * x[None])[::2, 1], (4,)),
    )
    yield from (
        case("concatenate", lambda x, y: np.concatenate((x, y)), (2, 3), (1, 3)),
        case("concatenate axis=1", lambda x, y: np.concatenate([x, y, x], axis=1), (2, 3), (2, 1)),
        case("concatenate axis=-1", lambda x: np.concatenate([x, C23], axis=-1), (2, 1)),
        case("concatenate axis=None", lambda x: np.concatenate([x, C23], axis=None), (2, 1)),
        case("concatenate one", lambda x: np.concatenate([x]), (3,)),
        case("concatenate nothing", lambda x, y: np.concatenate([x, y]), (0,), (3,)),
        case("concatenate only nothing", lambda x, y: np.concatenate([x, y]), (0, 2), (0, 2)),
        case("concatenate, bent", lambda x, y: np.concatenate([x, x * y]) ** 2, (2,), (2,)),
        case("stack", lambda x, y: np.stack([x, y, x]), (2, 3), (2, 3)),
        case("stack axis=-1", lambda x: np.stack([x, x**2, C23], axis=-1), (2, 3)),
        case("stack axis=1", lambda x: np.stack([x, C23], axis=1), (2, 3)),
        case("stack of entries", lambda x: np.stack([x[0] * x[1], np.sin(x[1])]), (2,)),
        case("stack of nothing", lambda x: np.stack([x, x]), (0,)),
    )


def linear_algebra():
    def shifted(g):
        return lambda a, *rest: g(a + EYE, *rest)

    for name in ("inv", "det"):
        yield from per_shape(
            f"linalg.{name}", shifted(getattr(np.linalg, name)), ((3, 3),), ((2, 3, 3),)
        )
    log_det = shifted(lambda a: np.linalg.slogdet(a)[1])
    yield from per_shape("slogdet", log_det, ((3, 3),), ((2, 3, 3),), make=real)
    yield from (
        real("slogdet.sign", shifted(lambda a: np.linalg.slogdet(a).sign), (3, 3)),
        real("logabsdet, negative det", lambda a: np.linalg.slogdet(-a - EYE).logabsdet, (3, 3)),
        case("det of one number", np.linalg.det, (1, 1)),
        case("inv of one number", np.linalg.inv, (1, 1), low=0.4),
        case("det of nothing", np.linalg.det, (0, 0)),
        case("inv of nothing", np.linalg.inv, (0, 0)),
        case("det of an empty batch", np.linalg.det, (0, 2, 2)),
        case("inv of a Gram matrix", lambda x: np.linalg.inv(x.T @ x + EYE), (2, 3)),
        case("det of inv", shifted(lambda a: np.linalg.det(np.linalg.inv(a))), (3, 3)),
    )
    yield from per_shape(
        "solve",
        shifted(np.linalg.solve),
        ((3, 3), (3,)),
        ((3, 3), (3, 2)),
        ((3, 3), (3, 1)),
        ((2, 3, 3), (3,)),
        ((2, 3, 3), (2, 3, 2)),
        ((2, 3, 3), (3, 2)),
        ((3, 3), (2, 3, 1)),
        ((2, 1, 3, 3), (2, 3, 1)),
    )
    yield case("solve array", lambda b: np.linalg.solve(EYE + 1, b), (3,))
    yield case("solve for array", lambda a: np.linalg.solve(a + EYE, C23.T), (3, 3))


def compositions():
    """Elementwise functions that are compositions, and functions that are flat."""
    for name in ("floor", "ceil", "trunc", "rint", "fix", "fabs", "round", "around"):
        yield real(name, getattr(np, name), (2, 3))
    for name in ("deg2rad", "rad2deg", "degrees", "radians", "real", "conj"):
        yield case(name, getattr(np, name), (2, 3), analytic=False)
    yield from (
        real("round to a decimal", lambda x: np.round(x, 1) * x, (2,), low=0.07, high=0.13),
        real("round method", lambda x: x.round(1) * x, (2,)),
        real("imag", lambda x: x + np.imag(x), (2,)),
        real(".real, .imag", lambda x: x.real * x + x.imag, (2,)),
        real("conj methods", lambda x: x.conj() * x.conjugate(), (2,)),
        real("logaddexp2", np.logaddexp2, (2, 3), (3,)),
        real("clip", lambda x: np.clip(x, -0.5, 0.7) * x, (2, 3)),
        real("clip from below", lambda x: np.clip(x, 0.1, None) ** 2, (2, 3)),
        real("clip by arrays", lambda x, y: np.clip(x, y - 0.5, y + 0.5), (2, 3), (3,)),
        real("clip by keywords", lambda x: np.clip(x, min=-0.2, max=0.2) + x * x, (3,)),
        real("clip method", lambda x: x.clip(-0.5, 0.7), (2, 3)),
        real("clip method, max", lambda x: x.clip(max=0.7), (2, 3)),
        real("select", lambda x: np.select([x > 1, x > 0], [x**3, x**2], x), (2, 3)),
        real("select without default", lambda x: np.select([x > 0], [np.sin(x)]), (3,)),
        real(
            "where logical_xor", lambda x: np.where(np.logical_xor(x > 0, FLAGS), x * x, x), (2, 3)
        ),
        real("where isinf", lambda x: np.where(np.isinf(x), 0, x * x), (2, 3)),
        real(
            "flags have a layout", lambda x: np.where((x.T > 0)[:, None].T[:, 0], x * x, x), (2, 3)
        ),
        real("where any", lambda x: np.where(np.any(x > 0, axis=1), x[:, 0], x[:, 1] ** 2), (2, 3)),
        real("where any, kept", lambda x: np.where(np.any(x > 1, 1, keepdims=True), x, 1), (2, 3)),
        real("where all", lambda x: x * np.where(np.all(x > 0, keepdims=True), x, 2.0), (2, 3)),
        real(
            "any and all methods", lambda x: np.where((x > 0).any(0) | (x < 0).all(0), x, 1), (2, 3)
        ),
        real("any where", lambda x: np.where(np.any(x > 0, 0, where=FLAGS), x * x, x), (2, 3)),
        real("all where", lambda x: np.where(np.all(x > 0, 0, where=FLAGS), x * x, x), (2, 3)),
        real("any of nothing", lambda x: np.where(np.any(x > 0), 1.0, 2.0) + np.sum(x), (0,)),
        real("logical reduce", lambda x: np.where(np.logical_and.reduce(x > 0), x, x * x), (2, 3)),
        real(
            "logical_or reduce", lambda x: np.where(np.logical_or.reduce(x > 1), x, x * x), (2, 3)
        ),
        case("add.outer", lambda x, y: np.add.outer(x, y) ** 2, (2,), (3,)),
        positive("divide.outer", np.divide.outer, (2, 2), (3,)),
        case("outer with a number", lambda x: np.subtract.outer(x, 2.0) ** 2, (3,)),
        case("ufunc defaults", lambda x: np.add(x, 1, out=None, where=True, dtype=None) ** 2, (2,)),
    )


def reductions():
    """Keywords honoured, zeros and ties among them."""
    axes = (None, 0, -1, (0, 2), (), (1, 0, 2))
    for name in ("sum", "mean", "prod", "var", "std", "max", "min", "ptp"):
        g = getattr(np, name)
        for axis, keepdims in itertools.product(axes, (True, False)):
            if name == "std" and axis == ():
                continue  # zero everywhere
            yield real(
                f"{name} axis={axis} keepdims={keepdims}",
                lambda x, g=g, a=axis, k=keepdims: g(x, axis=a, keepdims=k) ** 2,
                (2, 3, 2),
            )
    for name in ("sum", "prod", "max", "min"):
        g = getattr(np, name)
        yield real(f"{name} initial", lambda x, g=g: g(x, axis=0, initial=0.3) ** 2, (2, 3))
        yield real(f"{name} where", lambda x, g=g: g(x, 1, initial=0.3, where=FLAGS) ** 2, (2, 3))
        yield real(f"{name} of nothing", lambda x, g=g: g(x, axis=0, initial=0.3), (0, 3))
    for name in ("mean", "var", "std"):
        g = getattr(np, name)
        yield real(f"{name} where", lambda x, g=g: g(x, where=FLAGS) ** 2, (2, 3))
        yield real(f"{name} where, axis", lambda x, g=g: g(x, axis=0, where=ROWS) ** 2, (3, 2))
        yield real(f"{name} where traced", lambda x, g=g: g(x, 1, where=x > -1.4) ** 2, (2, 3))
        yield real(f"{name} where traced, of all", lambda x, g=g: g(x, where=x > -1) ** 2, (3, 2))
        yield real(f"{name} of no columns", lambda x, g=g: g(x, axis=0), (2, 0))  # by fuzz
        yield real(f"{name} dtype", lambda x, g=g: g(x, dtype=np.float64) ** 2, (2, 3))
    for name in ("prod", "max", "min", "var", "std", "cumsum", "cumprod"):
        yield real(f"{name} method", lambda x, name=name: getattr(x, name)(1), (2, 3))
    for name in ("var", "std"):
        g = getattr(np, name)
        yield real(f"{name} ddof", lambda x, g=g: g(x, 0, ddof=1), (3, 2))
        yield real(f"{name} correction", lambda x, g=g: g(x, 0, correction=0.5), (3, 2))
        yield real(f"{name} mean", lambda x, g=g: g(x, 0, mean=0.1 * x[:1]), (3, 2))
    for name in ("cumsum", "cumprod"):
        g = getattr(np, name)
        yield case(f"{name}", g, (2, 3))
        yield case(f"{name} of one axis", lambda x, g=g: g(x) ** 2, (4,))
        yield case(f"{name} axis", lambda x, g=g: g(x, axis=0) ** 2, (2, 3))
        yield real(f"{name} dtype", lambda x, g=g: g(x, 1, dtype=np.float64) ** 2, (2, 3))
        total = getattr(np, name.removeprefix("cum"))
        yield real(f"{total.__name__} dtype", lambda x, g=total: g(x, dtype=np.float64), (2, 3))
        yield case(f"{name} of nothing", lambda x, g=g: g(x, axis=0), (0, 3))
    for name in ("cumulative_sum", "cumulative_prod"):
        g = getattr(np, name)
        yield case(f"{name}", lambda x, g=g: g(x, include_initial=True) ** 2, (4,))
        yield case(f"{name} axis", lambda x, g=g: g(x, axis=-1, include_initial=True), (2, 3))
        yield real(f"{name} dtype", lambda x, g=g: g(x, axis=0, dtype=np.float64), (2, 3))
    yield from (
        real("amax", lambda x: np.amax(x, 0) * np.amin(x, 1, keepdims=True), (2, 3)),
        case("prod of seven", np.prod, (7,)),
        case("prod of one", lambda x: np.prod(x, 0), (1, 2)),
        case("cumsum of 70", lambda x: np.cumsum(x)[::23] ** 2, (70,)),
        case("cumsum of 128", lambda x: np.cumsum(x)[::41] ** 2, (128,)),
        case("add.accumulate", lambda x: np.add.accumulate(x) ** 2, (2, 3)),
        case("multiply.accumulate", lambda x: np.multiply.accumulate(x, axis=1), (2, 3)),
        case("multiply.reduce", lambda x: np.multiply.reduce(x, axis=1, keepdims=True), (2, 3)),
        case("add.reduce initial", lambda x: np.add.reduce(x, axis=None, initial=2.0) ** 2, (2, 3)),
        real("maximum.reduce", np.maximum.reduce, (2, 3)),
        real("minimum.reduce", lambda x: np.minimum.reduce(x, axis=-1), (2, 3)),
        case("sum dtype", lambda x: np.sum(x, dtype=complex), (2, 3), analytic=False),
        case("sum by position", lambda x: np.sum(x, 0, None, None, True) ** 2, (2, 3)),
        case("sum method by position", lambda x: x.sum(0, None, None, True) ** 2, (2, 3)),
        case("average", np.average, (2, 3)),
        case("average axis", lambda x: np.average(x, 0, keepdims=True) ** 2, (2, 3)),
        case("average weights", lambda x: np.average(x, weights=1 + C23 * C23), (2, 3)),
        case("average weights of an axis", lambda x: np.average(x, 1, [1.0, 2, 3]) ** 2, (2, 3)),
        case(
            "average weights of axes",
            lambda x: np.average(x, (2, 0), 2 + C23.T[:, :2]) ** 2,
            (2, 2, 3),
        ),
        positive("average traced weights", lambda x, w: np.average(x, weights=w), (3,), (3,)),
        case(
            "average returned",
            lambda x: np.multiply(*np.average(x, 0, [1, 2], returned=True)),
            (2, 3),
        ),
        positive(
            "average returned traced",
            lambda w: np.multiply(*np.average(C23, 1, w, returned=True)),
            (3,),
        ),
        case(
            "average returned, no weights",
            lambda x: np.multiply(*np.average(x, 0, returned=True)),
            (2, 3),
        ),
        case("diff", lambda x: np.diff(x) ** 2, (2, 4)),
        case("diff twice", lambda x: np.diff(x, 2, axis=0) ** 2, (4, 2)),
        case("diff ends", lambda x: np.diff(x, prepend=0.0, append=[[1, 2.0]] * 2) ** 2, (2, 3)),
        case("diff, appended", lambda x: np.diff(x, axis=0, append=1.0) ** 2, (2, 3)),
        case("diff, zero times", lambda x: np.diff(x, 0) ** 2, (2, 3)),
        case("ediff1d", lambda x: np.ediff1d(x, to_end=[1.0], to_begin=x[0, :1]) ** 2, (2, 3)),
        case("trapezoid", lambda y: np.trapezoid(y) ** 2, (2, 3)),
        case("trapezoid dx", lambda y: np.trapezoid(y, dx=0.5, axis=0) ** 2, (3, 2)),
        case("trapezoid x", lambda y, x: np.trapezoid(y, x) ** 2, (2, 3), (3,)),
        case("trapezoid x of more axes", np.trapezoid, (3,), (2, 3)),  # by fuzz
        case("trapezoid x of two axes", lambda y, x: np.trapezoid(y, x, axis=0), (3, 2), (3, 2)),
    )


def products():
    """Products of vectors and matrices beyond matmul."""
    yield from per_shape("vdot", np.vdot, ((3,), (3,)), ((2, 3), (2, 3)), ((), ()), make=real)
    yield from per_shape(
        "kron",
        np.kron,
        ((2,), (3,)),
        ((2, 3), (3, 2)),
        ((2,), (2, 2)),
        ((), (3,)),
        ((2, 1, 2), (2, 2)),
    )
    yield from per_shape("cross", np.cross, ((3,), (3,)), ((2, 3), (3,)), ((2, 1, 3), (4, 3)))
    yield case("cross axes", lambda x, y: np.cross(x, y, 0, 1, 0), (3, 2), (2, 3))
    yield case("cross axis", lambda x, y: np.cross(x, y, axis=0), (3, 2), (3, 2))
    yield case("linalg.cross", lambda x, y: np.linalg.cross(x, y, axis=0), (3, 2), (3, 2))
    yield from per_shape("linalg.outer", np.linalg.outer, ((2,), (3,)))
    yield case("linalg.tensordot", lambda x, y: np.linalg.tensordot(x, y, axes=1), (2, 3), (3, 2))
    for name in ("vecdot", "matvec", "vecmat"):
        if hasattr(np, name):
            shapes = {
                "vecdot": ((2, 3), (3,)),
                "matvec": ((2, 2, 3), (3,)),
                "vecmat": ((2,), (2, 3)),
            }
            yield real(name, getattr(np, name), *shapes[name])
    yield real("linalg.vecdot", lambda x, y: np.linalg.vecdot(x, y, axis=0), (3, 2), (3, 2))
    yield case("conj of an array", lambda x: np.vdot(C23 * (1 + 2j), x), (2, 3), analytic=False)
    yield case("multi_dot", lambda a, b, v: np.linalg.multi_dot([a, b, v]), (2, 3), (3, 2), (2,))
    yield case("multi_dot of matrices", lambda a, b: np.linalg.multi_dot([a, b]), (2, 3), (3, 2))
    for n in (0, 1, 2, 3, 5):
        yield case(f"matrix_power {n}", lambda a, n=n: np.linalg.matrix_power(a, n), (2, 2))
        yield case(
            f"matrix_power {n} of a batch", lambda a, n=n: np.linalg.matrix_power(a, n), (2, 2, 2)
        )
    for n in (-1, -3):
        yield case(
            f"matrix_power {n}", lambda a, n=n: np.linalg.matrix_power(0.3 * a + EYE, n), (3, 3)
        )
    yield case("tensorinv", lambda a: np.linalg.tensorinv(a + E4), (2, 2, 4))
    yield case(
        "tensorinv ind", lambda a: np.linalg.tensorinv(a + E4.reshape(4, 2, 2), ind=1), (4, 2, 2)
    )
    yield case("tensorsolve", lambda a, b: np.linalg.tensorsolve(a + E4, b), (2, 2, 4), (2, 2))
    yield case(
        "tensorsolve axes",
        lambda a, b: np.linalg.tensorsolve(a + np.moveaxis(E4, 2, 0), b, axes=(0,)),
        (4, 2, 2),
        (2, 2),
    )


def norms():
    """Every order of vectors, those of matrices that need no singular values."""
    for p in (None, 2, 1, 3, 2.5, 0.5, -1, -2, np.inf, -np.inf, 0):
        yield real(f"norm {p}", lambda x, p=p: np.linalg.norm(x, p), (4,))
        yield real(f"norm {p} axis", lambda x, p=p: np.linalg.norm(x, p, axis=0), (3, 2))
        if p is not None:
            yield real(
                f"vector_norm {p}",
                lambda x, p=p: np.linalg.vector_norm(x, axis=(0, 2), keepdims=True, ord=p),
                (2, 2, 2),
            )
    for p in (None, "fro", 1, -1, np.inf, -np.inf):
        yield real(f"matrix norm {p}", lambda x, p=p: np.linalg.norm(x, p, axis=(2, 0)), (2, 2, 3))
        yield real(
            f"matrix norm {p} keepdims",
            lambda x, p=p: np.linalg.norm(x, p, keepdims=True) if p != 1 else np.linalg.norm(x, 1),
            (2, 3),
        )
        if p is not None:
            yield real(
                f"matrix_norm {p}", lambda x, p=p: np.linalg.matrix_norm(x, ord=p), (2, 2, 3)
            )
    yield real("norm of all axes", np.linalg.norm, (2, 2, 2))
    yield real("norm of a number", lambda x: np.linalg.norm(x + 2), ())
    yield real("vector_norm", np.linalg.vector_norm, (2, 3))
    yield real("matrix_norm keepdims", lambda x: np.linalg.matrix_norm(x, keepdims=True), (2, 3))
    yield real("norm of nothing", np.linalg.norm, (0,))
    yield real("norms of nothing", lambda x: np.linalg.norm(x, axis=1), (2, 0))
    yield from per_shape(  # by fuzz: NumPy starts at 0
        "norm of a matrix of no rows",
        lambda x: np.linalg.norm(x, np.inf) + np.linalg.norm(x.T, 1),
        ((0, 3),),
        ((0, 0),),
        make=real,
    )


def gathers():
    """Integer arrays and masks, alone and mixed, as NumPy places their axes."""
    s, a = np.s_, np.array
    pair = (a([[0, 1], [1, 0]]), a([2, 0]))
    for index in (
        s[[0, 2]],
        s[a([2, 0, 0])],
        s[a([[0, 1], [2, -1]])],
        s[:, [1, 0]],
        s[..., a([1, 0, 1])],
        s[a([0, 2]), 1],
        s[1, a([0, 1])],
        s[a([0, 2]), :, a([1, 0])],
        s[a([0, 2]), a([1, 0])],
        s[:, a([0, 1]), a([1, 0])],
        s[a([0, 1]), None, a([1, 0])],
        s[a([0, 1]), ..., a([1, 0])],
        s[0, :, a([1, 0])],
        s[:, 0, a([1, 0])],
        s[pair[1], pair[0]],
        s[::-1, a([0, 1])],
        s[a([], int)],
        s[[]],
        s[a(1)],
        s[np.int8(1), a([0, 1])],
        s[a([0, 1], np.uint8)],
        s[a([True, False, True])],
        s[:, a([False, True])],
        s[None, a([0, 1]), 1:],
        s[a([True, False, True]), 1],
        s[..., a([[True, False], [False, True]])],
        s[a([[True, False], [False, True], [True, True]])],
        s[a([0, 1]), 0, a([1, 1])],
        s[[True, False, True], ..., [True, False]],
    ):
        yield case(f"x[{index}]", lambda x, index=index: x[index] ** 2, (3, 2, 2))
    yield case("mask without entries", lambda x: x[np.zeros((0, 2), bool)] ** 2, (0, 2))  # by fuzz
    yield from (
        case("take", lambda x: np.take(x, [3, 0, -1]) ** 2, (2, 3)),
        case("take one", lambda x: np.take(x, 1, axis=1) ** 2, (2, 3)),
        case("take axis", lambda x: np.take(x, [[0, 1], [1, 1]], axis=1) ** 2, (2, 3)),
        case("take wrap", lambda x: np.take(x, [4, -5], axis=1, mode="wrap") ** 2, (2, 3)),
        case("take clip", lambda x: np.take(x, [9, -9, 1], axis=0, mode="clip") ** 2, (2, 3)),
        case("take none", lambda x: np.take(x, []), (2, 3)),
        case("take flags", lambda x: np.take(x, [True, False, True]) ** 2, (3,)),  # as 1, 0, 1
        case("take method", lambda x: x.take([1, 0], axis=1) ** 2, (2, 3)),
        case("take_along_axis", lambda x: np.take_along_axis(x, a([[0], [2]]), 1) ** 2, (2, 3)),
        case("take_along_axis, flat", lambda x: np.take_along_axis(x, a([1, 1, 3]), None), (2, 3)),
        case("compress", lambda x: np.compress([True, False, True], x, axis=1) ** 2, (2, 3)),
        case("compress, flat", lambda x: np.compress([True, False, True], x) ** 2, (2, 3)),
        case("compress method", lambda x: x.compress([False, True], axis=0) ** 2, (2, 3)),
        case("extract", lambda x: np.extract(FLAGS, x) ** 2, (2, 3)),
        case("delete", lambda x: np.delete(x, 1, axis=1) ** 2, (2, 3)),
        case("delete, flat", lambda x: np.delete(x, [0, -1]) ** 2, (2, 3)),
        case("delete by a slice", lambda x: np.delete(x, s[::2], 0) ** 2, (3, 2)),
        case("resize nothing", lambda x: np.sum(x) + np.resize(x, (2, 2)), (0, 3)),  # by fuzz
        case("resize", lambda x: np.resize(x, (2, 4)) ** 2, (3,)),
        case("upper triangle", lambda x: x[np.triu_indices_from(x, 1)] ** 2, (3, 3)),
        case("lower triangle, k", lambda x: x[np.tril_indices_from(x, k=-1)] ** 2, (3, 3)),
        case("lower triangle", lambda x: x[np.tril_indices_from(x)] ** 2, (3, 3)),
        case("diagonal by indices", lambda x: x[np.diag_indices_from(x)] ** 2, (3, 3)),
    )
    for k in (-2, -1, 0, 1, 3):
        yield case(f"diag {k} of a vector", lambda x, k=k: np.diag(x, k) ** 2, (3,))
        yield case(f"diag {k} of a matrix", lambda x, k=k: np.diag(x, k) ** 2, (2, 3))
        yield case(f"diagflat {k}", lambda x, k=k: np.diagflat(x, k=k) ** 2, (2, 2))
        yield case(f"tril {k}", lambda x, k=k: np.tril(x, k) ** 2, (2, 3))
        yield case(f"triu {k}", lambda x, k=k: np.triu(x, k) ** 2, (2, 3, 3))
    yield case("tril of a vector", lambda x: np.tril(x) ** 2, (3,))
    yield case("triu of nothing", np.triu, (0, 3))
    yield case("diag of nothing", np.diag, (0,))


def rearrangements():
    """Join, cut, repeat, turn, pad."""
    s = np.s_
    yield from (
        case("vstack", lambda x, y: np.vstack([x, y]) ** 2, (3,), (2, 3)),
        case("hstack", lambda x, y: np.hstack([x, y]) ** 2, (2, 1), (2, 3)),
        case("hstack of vectors", lambda x, y: np.hstack((x, y, x)) ** 2, (2,), (3,)),
        case("hstack of numbers", lambda x: np.hstack([x, 2 * x]) ** 2, ()),
        case("dstack", lambda x, y: np.dstack([x, y]) ** 2, (2, 3), (2, 3)),
        case("column_stack", lambda x, y: np.column_stack([x, y]) ** 2, (2,), (2, 3)),
        case("append", lambda x: np.append(x, [1.0, 2.0]) ** 2, (2, 3)),
        case("append axis", lambda x: np.append(x, x * x, axis=1) ** 2, (2, 3)),
        case(
            "block", lambda x, y: np.block([[x, y], [np.zeros((1, 3)), y[:1]]]) ** 2, (2, 3), (2, 2)
        ),
        case("block of vectors", lambda x: np.block([x, 2 * x, 1.0]) ** 2, (2,)),
        case("block of one", lambda x: np.block(x) ** 2, (2,)),
        real("concatenate dtype", lambda x: np.concatenate([x, x], dtype=np.float64) ** 2, (2,)),
        real("stack dtype", lambda x: np.stack([x, x], dtype=np.float64) ** 2, (2,)),
        real("hstack dtype", lambda x: np.hstack([x, x], dtype=np.float64) ** 2, (2,)),
        real("vstack dtype", lambda x: np.vstack([x, x], dtype=np.float64) ** 2, (2,)),
        real("join flags", lambda x: np.where(np.concatenate([x > 0, FLAGS[0]]), 1, x[0]), (3,)),
        case("atleast_1d", lambda x: np.atleast_1d(x) ** 2, ()),
        case("atleast_2d", lambda x: np.atleast_2d(x) ** 2, (3,)),
        case("atleast_2d of a number", lambda x: np.atleast_2d(x) ** 2, ()),
        case("atleast_3d", lambda x: np.atleast_3d(x) ** 2, (2,)),
        case("atleast_3d of a matrix", lambda x: np.atleast_3d(x) ** 2, (2, 3)),
        case("atleast_3d of a number", lambda x: np.atleast_3d(x) ** 2, ()),
        case("atleast of several", lambda x, y: np.add(*np.atleast_2d(x, y)) ** 2, (2,), (2, 1)),
        case(
            "broadcast_arrays", lambda x, y: np.multiply(*np.broadcast_arrays(x, y)), (3, 1), (2,)
        ),
        case("meshgrid", lambda x, y: np.multiply(*np.meshgrid(x, y)), (3,), (2,)),
        case(
            "meshgrid ij", lambda x, y: np.multiply(*np.meshgrid(x, y, indexing="ij")), (3,), (2,)
        ),
        case(
            "meshgrid sparse", lambda x, y: np.add(*np.meshgrid(x, y, sparse=True)) ** 2, (3,), (2,)
        ),
        case("meshgrid of one", lambda x: np.meshgrid(x)[0] ** 2, (3,)),
        case("split", lambda x: np.multiply(*np.split(x, 2, axis=1)), (2, 4)),
        case("split at", lambda x: np.concatenate(np.split(x, [1, 3])[::-1]) ** 2, (4,)),
        case("array_split", lambda x: np.concatenate(np.array_split(x, 3)[::-1]) ** 2, (4, 2)),
        case(
            "array_split past the end",
            lambda x: np.concatenate(np.array_split(x, [1, 9])) ** 2,
            (4,),
        ),
        case("hsplit", lambda x: np.multiply(*np.hsplit(x, 2)), (3, 4)),
        case("hsplit of a vector", lambda x: np.multiply(*np.hsplit(x, 2)), (4,)),
        case("vsplit", lambda x: np.multiply(*np.vsplit(x, 2)), (4, 3)),
        case("dsplit", lambda x: np.multiply(*np.dsplit(x, 2)), (2, 1, 4)),
        case("tile", lambda x: np.tile(x, 2) ** 2, (2, 3)),
        case("tile more axes", lambda x: np.tile(x, (2, 1, 2)) ** 2, (2, 2)),
        case("tile fewer", lambda x: np.tile(x, (3,)) ** 2, ()),
        case("tile never", lambda x: np.tile(x, (0, 2)) ** 2, (2,)),
        case("repeat", lambda x: np.repeat(x, 2) ** 2, (2, 3)),
        case("repeat axis", lambda x: np.repeat(x, 3, axis=1) ** 2, (2, 2)),
        case("repeat by counts", lambda x: np.repeat(x, [2, 0, 1], axis=1) ** 2, (2, 3)),
        case("repeat method", lambda x: x.repeat(2, axis=0) ** 2, (2, 3)),
        case("repeat nothing", lambda x: np.repeat(x, [], axis=0) ** 2, (0, 2)),  # by fuzz
        case("repeat never", lambda x: np.repeat(x, 0) ** 2, (2,)),
        case("flip", lambda x: np.flip(x) ** 2, (2, 3)),
        case("flip axis", lambda x: np.flip(x, (0, -1)) ** 2, (2, 2, 3)),
        case("fliplr", lambda x: np.fliplr(x) ** 2, (2, 3)),
        case("flipud", lambda x: np.flipud(x) ** 2, (2, 3)),
        case("roll", lambda x: np.roll(x, 1) ** 2, (2, 3)),
        case("roll axis", lambda x: np.roll(x, -4, axis=1) ** 2, (2, 3)),
        case("roll axes", lambda x: np.roll(x, (1, 2), axis=(0, 1)) ** 2, (2, 3)),
        case("roll two axes alike", lambda x: np.roll(x, 1, axis=(0, 1)) ** 2, (2, 3)),
        case("roll one axis twice", lambda x: np.roll(x, (1, 1), axis=(1, 1)) ** 2, (2, 4)),
        case("roll nothing", lambda x: np.roll(x, 1) ** 2, (0,)),
        case("rollaxis", lambda x: np.rollaxis(x, 2) ** 2, (2, 3, 4)),
        case("rollaxis start", lambda x: np.rollaxis(x, 0, 2) ** 2, (2, 3, 4)),
        case("full_like", lambda x: np.full_like(x, x[0]) * x + np.full_like(x, 2.0), (3,)),
        case("empty_like", lambda x: x + 0 * np.empty_like(x), (3,)),
        case("ravel F", lambda x: np.ravel(x, order="F") ** 2, (2, 3)),
        case("flatten F", lambda x: x.flatten("F") ** 2, (2, 3)),
        case("reshape F", lambda x: np.reshape(x, (3, -1), order="F") ** 2, (2, 3)),
        case("reshape copy", lambda x: np.reshape(x, (3, 2), copy=True) ** 2, (2, 3)),
        case(".mT", lambda x: x.mT**2, (2, 2, 3)),
        real("astype function", lambda x: np.astype(x, np.float64) ** 2, (2,)),
        real("astype method", lambda x: x.astype(np.float64, copy=False) ** 2, (2,)),
        case(
            "kind of numbers",
            lambda x: x * (np.isrealobj(x) + 2 * np.iscomplexobj(x)) if np.isrealobj(x) else x,
            (2,),
        ),
        case("result_type", lambda x: x.astype(np.result_type(x, np.float32)) ** 2, (2,)),
    )
    if hasattr(np, "unstack"):
        yield case("unstack", lambda x: np.multiply(*np.unstack(x, axis=1)), (3, 2))
    for k in (-1, 0, 1, 2, 3):
        yield case(f"rot90 {k}", lambda x, k=k: np.rot90(x, k) ** 2, (2, 3))
        yield case(f"rot90 {k} of axes", lambda x, k=k: np.rot90(x, k, axes=(2, 0)) ** 2, (2, 2, 3))
    for mode in ("constant", "edge", "reflect", "symmetric", "wrap"):
        yield case(
            f"pad {mode}", lambda x, m=mode: np.pad(x, ((1, 2), (0, 1)), mode=m) ** 2, (3, 2)
        )
        yield case(f"pad {mode} by one", lambda x, m=mode: np.pad(x, 1, m) ** 2, (2, 2))
    yield case("pad", lambda x: np.pad(x, (1, 2)) ** 2, (3,))
    yield case(
        "pad with values",
        lambda x: np.pad(x, ((1, 1), (2, 0)), constant_values=((1, 2), (3, 4))) ** 2,
        (2, 3),
    )
    yield case("pad of a number", lambda x: np.pad(x, 2, constant_values=0.7) ** 2, ())  # by fuzz
    yield case("index of s_", lambda x: x[s[1:, ::2]] ** 2, (3, 3))


CASES = [
    *operators(), *exponents(), *elementwise(), *choices(), *einsums(), *contractions(),
    *layouts(), *linear_algebra(), *compositions(), *reductions(), *products(), *norms(),
    *gathers(), *rearrangements(),
]  # fmt: skip

# name of a case -> what is wrong with it in which tests
every_case = pytest.mark.parametrize("row", CASES, ids=[row.name for row in CASES])


# Derivatives without eingrad ---------------------------------------------------------------------


def units(x):
    """Each entry's direction."""
    return (u.reshape(x.shape) for u in np.eye(x.size))


def differentiated(g, args, k, *, analytic):
    """Differentiate g in argument k, one entry after the other; axes of the entry last."""
    x = args[k]

    def at(step):
        return np.asarray(g(*args[:k], fixed(x + step), *args[k + 1 :]))

    if analytic:
        columns = [at(STEP * 1j * u).imag / STEP for u in units(x)]
    else:
        h = 1e-3  # the stencil is of fourth order
        columns = [
            (8 * (at(h * u) - at(-h * u)) - (at(2 * h * u) - at(-2 * h * u))) / (12 * h)
            for u in units(x)
        ]
    if not columns:
        return np.zeros((*np.shape(g(*args)), *x.shape))
    return np.stack(columns, -1).reshape((*columns[0].shape, *x.shape))


def assert_close(actual, expected, rtol):
    """Equal in shape, and in value up to rtol of the largest entry."""
    assert actual.shape == expected.shape
    scale = np.abs(expected).max(initial=1.0)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=1e-2 * rtol * scale)


@every_case
def test_the_value_is_numpys(row):
    """Order zero has NumPy's shape, dtype and value."""
    args = row.sample()
    expected = np.asarray(row.f(*args))
    actual = eg.derivative(row.f, order=0)(*args)
    assert actual.dtype == expected.dtype
    assert_close(actual, expected, rtol=1e-13)


@every_case
def test_the_jacobian_is_that_of_the_numpy_function(row):
    """In every argument, against the complex step, or central differences where not analytic."""
    args = row.sample()
    for k in range(len(args)):
        actual = eg.jacobian(row.f, argnums=k)(*args)
        expected = differentiated(row.f, args, k, analytic=row.analytic)
        assert_close(actual, expected, rtol=1e-11 if row.analytic else 1e-6)


@every_case
def test_the_second_derivative_is_that_of_the_jacobian(row):
    """In every pair of arguments; the complex step also runs the Jacobian at complex points."""
    args = row.sample()
    numbers = tuple(range(len(args)))
    actual = eg.hessian(row.f, argnums=numbers)(*args)
    for a, b in itertools.product(numbers, numbers):
        first = eg.jacobian(row.f, argnums=a)
        expected = differentiated(first, args, b, analytic=row.analytic)
        assert_close(actual[a][b], expected, rtol=1e-10 if row.analytic else 1e-6)


@every_case
def test_dtypes_are_numpys_also_for_float32(row):
    """Value and Jacobian at float32 have the dtype of NumPy's value."""
    args = row.sample(np.float32)
    expected = np.asarray(row.f(*args))
    value, first = (eg.derivative(row.f, order=n)(*args) for n in (0, 1))
    assert value.dtype == expected.dtype
    assert first.dtype == expected.dtype
    assert_close(value, expected, rtol=1e-5)


# What does not fit the table ---------------------------------------------------------------------


def test_the_table_calls_every_traced_function(monkeypatch):
    """A function added to the tracer must be added here."""
    called = set()

    def counting(key, handler):
        def counted(*args, **kwargs):
            called.add(key)
            return handler(*args, **kwargs)

        return counted

    eg.cache_clear()  # a call that was recorded before does not ask the handler again
    for table in (FUNCTIONS, UFUNCS, METHODS):
        for key, handler in table.items():
            monkeypatch.setitem(table, key, counting(key, handler))
    for row in CASES:
        eg.derivative(row.f, order=0)(*row.sample())
    assert {*FUNCTIONS, *UFUNCS, *METHODS} - called == set()


OF_MEMORY = {"copy", "optimize"}  # honoured by giving the same numbers


def _options(function):
    """Split NumPy's options into honoured and refused ones."""
    given = inspect.signature(function).parameters.values()
    names = {p.name for p in given if p.default is not p.empty and p.kind is not p.VAR_KEYWORD}
    own = set(inspect.signature(FUNCTIONS[function]).parameters)
    return names & own, names - own


def test_the_table_gives_every_honoured_option(monkeypatch):
    """An option that a handler takes and forgets would pass silently otherwise."""
    given = set()

    def recording(handler):
        own, inner = inspect.signature(handler), inspect.unwrap(handler)  # one for two names

        @functools.wraps(handler)
        def recorded(*args, **kwargs):
            given.update((inner, name) for name in own.bind(*args, **kwargs).arguments)
            return handler(*args, **kwargs)

        return recorded

    eg.cache_clear()  # a call that was recorded before does not ask the handler again
    functions = [f for f in FUNCTIONS if callable(f)]
    wanted = {
        (inspect.unwrap(FUNCTIONS[f]), name): f"{f.__name__} {name}"
        for f in functions
        for name in _options(f)[0] - OF_MEMORY
    }
    for function, handler in FUNCTIONS.items():
        monkeypatch.setitem(FUNCTIONS, function, recording(handler))
    for row in CASES:
        eg.derivative(row.f, order=0)(*row.sample())
    assert sorted(text for key, text in wanted.items() if key not in given) == []


@pytest.mark.parametrize(
    ("function", "option"),
    [(f, name) for f in FUNCTIONS if callable(f) for name in sorted(_options(f)[1])],
    ids=lambda x: x if isinstance(x, str) else x.__name__,
)
def test_an_option_that_is_not_honoured_is_refused_by_name(function, option):
    """Whatever its value, if it is not NumPy's default."""
    parameters = inspect.signature(function).parameters.values()
    required = [p for p in parameters if p.default is p.empty and p.kind in (0, 1)]
    error = eg.errors.InPlaceError if option == "out" else eg.errors.UnsupportedFunctionError
    wanted = (
        r"\(out=\.\.\.\) writes in place" if option == "out" else f"keyword argument '{option}'"
    )
    with pytest.raises(error, match=f"{function.__name__}.*{wanted}|{function.__name__}{wanted}"):
        eg.jacobian(
            lambda x: x.__array_function__(function, (), (x,) * len(required), {option: "other"})
        )(np.ones((2, 2)))


@pytest.mark.parametrize("name", ["var", "std"])
def test_the_spread_of_a_chosen_number_keeps_float32(name):
    """The count of one flag is a NumPy number, which must not decide the dtype."""
    f = lambda x: getattr(np, name)(x, where=np.array(True), ddof=0.5)  # noqa: E731
    x = np.array(1.5, np.float32)
    assert eg.derivative(f, 0)(x).dtype == f(x).dtype == np.float32


@pytest.mark.parametrize("order", [1, 2])
def test_astype_float32_keeps_the_derivative(order):
    """A conversion has derivative one, up to the precision of the narrower dtype."""
    x = fixed(np.linspace(-1, 1, 4))
    narrow = eg.derivative(lambda x: (x**3).astype(np.float32), order)(x)
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(
        narrow, eg.derivative(lambda x: x**3, order)(x), rtol=1e-6, atol=1e-6
    )


def test_matrix_powers_of_half_precision_are_products():
    """NumPy multiplies float16 matrices, and inverts none."""
    x = fixed(np.array([[1, 2], [0.5, 1]], np.float16))
    cube = lambda x: np.linalg.matrix_power(x, 3)  # noqa: E731
    value, first = (eg.derivative(cube, n)(x) for n in (0, 1))
    assert value.dtype == first.dtype == np.float16
    np.testing.assert_array_equal(value, cube(x))
    np.testing.assert_array_equal(first, eg.jacobian(cube)(x.astype(float)))
    with pytest.raises(
        eg.errors.DTypeError, match=r"np\.linalg\.inv of float16 .*begins at float32"
    ):
        eg.jacobian(lambda x: np.linalg.matrix_power(x, -1))(x)


@pytest.mark.parametrize("name", ["var", "std"])
def test_too_few_elements_for_ddof_are_refused(name):
    """NumPy warns and gives nan; but a result without entries divides nothing."""
    f = getattr(np, name)
    with pytest.raises(
        eg.errors.ShapeError,
        match=rf"the {name} of one element at .*\(shape \(1,\)\); there must be more than ddof = 1",
    ):
        eg.grad(lambda x: f(x, ddof=1))(np.ones(1))
    assert eg.jacobian(lambda x: f(x, axis=0, ddof=1))(np.ones((1, 0))).shape == (0, 1, 0)
    assert eg.jacobian(lambda x: f(x, axis=0, ddof=1))(np.ones((0, 0))).shape == (0, 0, 0)


def test_norms_of_negative_order_of_nothing_are_refused():
    """NumPy divides by zero; but a result without entries is one, unless a minimum is taken."""
    message = r"np\.linalg\.norm: order -1 of no entries, at .*"
    with pytest.raises(eg.errors.ShapeError, match=message):
        eg.derivative(lambda x: np.linalg.norm(x, -1), 0)(np.ones(0))
    with pytest.raises(eg.errors.ShapeError, match="order -inf of no entries"):
        eg.derivative(lambda x: np.linalg.norm(x, -np.inf, 0), 0)(np.ones((0, 0)))
    assert eg.derivative(lambda x: np.linalg.norm(x, -1, 2), 1)(np.ones((0, 2, 0))).size == 0


@pytest.mark.filterwarnings("ignore:Degrees of freedom")
@pytest.mark.parametrize("name", ["var", "std"])
def test_where_flags_leave_too_few_elements_the_spread_is_numpys(name):
    """It divides by zero, not by a negative number."""
    f, x = getattr(np, name), np.arange(6.0).reshape(2, 3)
    with np.errstate(all="ignore"):
        for ddof in (2, 3, 4):
            g = lambda x, ddof=ddof: f(x, axis=1, where=x > 1.5, ddof=ddof)  # noqa: E731
            np.testing.assert_array_equal(eg.derivative(g, 0)(x), g(x))


def test_powers_of_matrices_have_integer_exponents():
    """As in NumPy."""
    with pytest.raises(TypeError, match=r"matrix_power at .*: exponent 0\.5 is not an integer"):
        eg.jacobian(lambda a: np.linalg.matrix_power(a, 0.5))(np.eye(2))


def test_integers_keep_their_dtype_in_astype():
    """A conversion that converts nothing; what is computed is float64."""
    x = fixed(np.array([1, 2]))
    actual = eg.jacobian(lambda x: x.astype(x.dtype) * x)(x)
    np.testing.assert_array_equal(actual, np.diag([2.0, 4.0]))


def test_vectors_of_the_plane_have_no_cross_product():
    """NumPy deprecates them; the message says what to write instead."""
    with pytest.raises(
        eg.errors.ShapeError,
        match=r"np\.cross of vectors of 2 and 3 entries at .*: `.*np\.cross\(x, .*`; "
        r"both must have 3 \(NumPy deprecates 2: append a zero, or write x\[0\]\*y\[1\] - "
        r"x\[1\]\*y\[0\]\)",
    ):
        eg.jacobian(lambda x: np.cross(x, np.ones(3)))(np.ones(2))


def test_astype_and_back_has_numpys_dtype():
    """Single precision in the middle only."""
    x = fixed(np.linspace(-1, 1, 4))
    f = lambda x: np.sin(x.astype(np.float32)).astype(np.float64)  # noqa: E731
    assert eg.derivative(f, 0)(x).dtype == np.float64
    np.testing.assert_allclose(eg.jacobian(f)(x), np.diag(np.cos(x)), rtol=1e-6)


def test_slogdet_is_a_named_pair():
    """NumPy's result type, so that .sign and .logabsdet work; the sign is constant."""
    a = fixed(np.array([[0.0, 2.0], [1.0, 0.5]]))
    value = eg.derivative(np.linalg.slogdet, 0)(a)
    assert value.sign == -1
    first = eg.jacobian(np.linalg.slogdet)(a)
    assert isinstance(first, type(np.linalg.slogdet(a)))
    np.testing.assert_array_equal(first.sign, np.zeros((2, 2)))
    np.testing.assert_allclose(first.logabsdet, np.linalg.inv(a).T, rtol=1e-13)


@pytest.mark.parametrize("f", [np.maximum, np.minimum])
def test_a_tie_is_split_in_half(f):
    """Both arguments of maximum and minimum get half of the slope."""
    x = fixed(np.array([1.0, 2.0]))
    for first in eg.jacobian(f, argnums=(0, 1))(x, x):
        np.testing.assert_array_equal(first, np.eye(2) / 2)


KINKS = {  # docs/conventions.md: function, point, gradient, and of the Hessian its entries
    "abs": (lambda x: np.abs(x[0]), [0.0], [0.0], 0.0),
    "sign": (lambda x: np.sign(x[0]), [0.0], [0.0], 0.0),
    "max": (np.max, [1.0, 1.0, 0.0], [0.5, 0.5, 0.0], 0.0),
    "min": (np.min, [1.0, 1.0, 1.0], [1 / 3, 1 / 3, 1 / 3], 0.0),
    "clip": (lambda x: np.clip(x[0], 0, x[1]), [2.0, 2.0], [0.5, 0.5], 0.0),
    "norm": (np.linalg.norm, [0.0, 0.0], [0.0, 0.0], np.nan),
    "norm of a matrix": (lambda x: np.linalg.norm(x[None]), [0.0, 0.0], [0.0, 0.0], np.nan),
    "hypot": (lambda x: np.hypot(x[0], x[0]), [0.0], [0.0], np.nan),
    "std": (np.std, [2.0, 2.0, 2.0], [0.0, 0.0, 0.0], np.nan),
    "norm 1": (lambda x: np.linalg.norm(x, 1), [0.0, 0.0], [0.0, 0.0], 0.0),
    "norm 3": (lambda x: np.linalg.norm(x, 3), [0.0, 0.0], [0.0, 0.0], 0.0),
    "norm inf": (lambda x: np.linalg.norm(x, np.inf), [0.0, 0.0], [0.0, 0.0], 0.0),
    "norm 0.5": (lambda x: np.linalg.norm(x, 0.5), [0.0, 1.0], [np.nan, 1.0], np.nan),
    "norm -1": (lambda x: np.linalg.norm(x, -1), [0.0, 1.0], [np.nan, 0.0], np.nan),
    "arctan2": (lambda x: np.arctan2(x[0], x[1]), [0.0, 0.0], [np.nan, np.nan], np.nan),
    "sqrt": (lambda x: np.sqrt(x[0]), [0.0], [np.inf], -np.inf),
    "cbrt": (lambda x: np.cbrt(x[0]), [0.0], [np.inf], -np.inf),
    "log": (lambda x: np.log(x[0]), [0.0], [np.inf], -np.inf),
    "power": (lambda x: x[0] ** 0.5, [0.0], [np.inf], -np.inf),
}


@pytest.mark.parametrize("name", KINKS)
@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
def test_values_at_a_kink_are_those_of_the_conventions(name):
    """Never a finite number where the slope is infinite, and 0 only where it is documented."""
    f, point, gradient, second = KINKS[name]
    x = fixed(np.array(point))
    np.testing.assert_allclose(eg.grad(f)(x), gradient, rtol=1e-15)
    hessian = eg.hessian(f)(x)
    assert hessian[0, 0] == second or (np.isnan(hessian[0, 0]) and np.isnan(second))


def test_products_with_zeros_divide_by_none():
    """Gradient and Hessian of a product of which two factors are 0."""
    x = fixed(np.array([0.0, 0.0, 3.0]))
    np.testing.assert_array_equal(eg.grad(np.prod)(fixed(np.array([0.0, 2.0, 3.0]))), [6, 0, 0])
    np.testing.assert_array_equal(eg.grad(np.prod)(x), np.zeros(3))
    expected = np.zeros((3, 3))
    expected[0, 1] = expected[1, 0] = 3
    np.testing.assert_array_equal(eg.hessian(np.prod)(x), expected)


@pytest.mark.parametrize("p", [0, 1, 2, 3])
def test_integer_powers_are_smooth_at_zero(p):
    """No 0 * inf where x ** p has a derivative."""
    x = fixed(np.zeros(2))
    for order in (1, 2, 3, 4):
        factor = np.prod([float(p - k) for k in range(order)]) if order == p else 0.0
        actual = eg.derivative(lambda x: (x**p)[0], order)(x)
        assert actual[(0,) * order] == factor


def test_mixed_precision_promotes_as_numpy_does():
    """float32 with Python numbers stays; with float64 arrays it widens."""
    x = fixed(np.ones(2, np.float32))
    rows = (
        lambda x: 2 * x,
        lambda x: x + 1.5,
        lambda x: x * np.float32(3),
        lambda x: x * np.float64(3),
        lambda x: x + np.ones(2),
        lambda x: x * np.arange(2),
        lambda x: x * np.int8(3),
        lambda x: x * np.arange(2, dtype=np.int8),
        lambda x: 1j * x,
        lambda x: x**2,
        lambda x: x**0.5,
        lambda x: np.where(x > 0, x, 1.0),
        lambda x: np.maximum(x, 0),
        np.mean,
        lambda x: np.array(2.0) * x,
        lambda x: x / 3,
        lambda x: 1 / x,
    )
    for n, f in enumerate(rows):
        expected = np.asarray(f(x)).dtype
        got = [eg.derivative(f, order)(x).dtype for order in (0, 1)]
        assert got == [expected] * 2, f"row {n}"


HOLOMORPHIC = [
    row.name
    for row in PRIMITIVES
    if isinstance(row.numpy, np.ufunc) and row.numpy.nin == 1 and row.rules and not row.real
]


@pytest.mark.parametrize("name", HOLOMORPHIC)
def test_derivatives_at_complex_points_are_on_the_branch_of_the_value(name):
    """In all four quadrants, inside and outside of the unit circle; found by fuzz in arccosh."""
    f = getattr(np, name)
    z = np.array(
        [a * x + b * y * 1j for a in (1, -1) for b in (1, -1) for x, y in ((1.3, 0.7), (0.4, 0.3))]
    )
    h = 1e-3
    expected = (8 * (f(z + h) - f(z - h)) - (f(z + 2 * h) - f(z - 2 * h))) / (12 * h)
    np.testing.assert_allclose(np.diag(eg.jacobian(f)(fixed(z))), expected, rtol=1e-8)


def test_integer_arguments_are_differentiated_as_float64():
    """A derivative is not an integer."""
    x = fixed(np.array([1, 2, 3]))
    actual = eg.jacobian(lambda x: x**2)(x)
    assert actual.dtype == np.float64
    np.testing.assert_array_equal(actual, np.diag([2.0, 4.0, 6.0]))
