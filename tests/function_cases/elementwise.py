"""Operators, powers, elementwise functions, choices between entries."""

import numpy as np

from function_cases.rows import C23, FLAGS, MATMULS, PAIRS, case, per_shape, positive, real


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
