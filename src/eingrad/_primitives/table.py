"""THE table: one row for each operation."""

import math
from fractions import Fraction
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._ir import Coefficient
from eingrad._precedence import PRODUCT, QUOTIENT, TEST, Written, closed
from eingrad._primitives.algebra import apply, plus, power, reciprocal, tie, times, zero_where
from eingrad._primitives.equations import (
    arctan2_equation,
    cbrt_equation,
    cosine_of_arcsine,
    cosine_of_arsine,
    divide_equation,
    hypot_equation,
    inverse_equation,
    inverse_function_equation,
    logaddexp_equation,
    logarithm_equation,
    norm_equation,
    one_minus_square_equation,
    power_equation,
    prod_equation,
    quotient_equation,
    reciprocal_equation,
    sine_of_arcosine,
    solve_equation,
    sqrt_equation,
)
from eingrad._primitives.measures import (
    command,
    elimination,
    latex_of_cast,
    latex_of_slogdet,
    nothing,
    power_into,
)
from eingrad._primitives.products import (
    cumprod_rule,
    others_from_both_ends,
    others_of,
    others_rule,
)
from eingrad._primitives.row import BY_NAME, Array, Kind, Law, Primitive, Rule, Sample
from eingrad._primitives.rules import (
    arccosh_rule,
    arcsinh_rule,
    concatenate_rule,
    concatenate_shape,
    cumsum_rule,
    det_rule,
    extreme_rule,
    inverse_rule,
    logdet_rule,
    logistic,
    norm_rule,
    one_minus_square,
    one_plus_square,
    over_square,
    prod_rule,
    skew,
    solve_matrix_rule,
    solve_right_rule,
)
from eingrad._primitives.samples import (
    above_one,
    below_one,
    flag_and_two_reals,
    invertible,
    positive,
    reals,
    system,
    two_flags,
    two_positive,
    two_reals,
    two_vectors,
)
from eingrad._primitives.standard import (
    standard_dtype,
    standard_others,
    standard_quotient,
    standard_tri,
)


def _unary(name: str, sample: Sample, rule: Rule | None, numpy: str = "", **more: Any) -> Primitive:
    numpy = numpy or name
    rules = (rule,) if rule else ()
    return Primitive(name, getattr(np, numpy), sample, rules, source=f"np.{numpy}({{0}})", **more)


def _binary(name: str, sample: Sample, *rules: Rule, source: str = "", **more: Any) -> Primitive:
    source = source or f"np.{name}({{0}}, {{1}})"
    return Primitive(name, getattr(np, name), sample, rules, source=source, **more)


def _last(name: str, sample: Sample, *rules: Rule, **more: Any) -> Primitive:
    """Write the row of a function that reduces the last axis."""
    numpy = getattr(np, name)
    return Primitive(
        name, lambda x: numpy(x, -1), lambda rng: sample(rng)[:1], rules, core=(0, 1),
        source=f"{{0}}.{name}(-1)", shapes=lambda a: (a[:-1],),
        standard=lambda xp, x: getattr(xp, name)(x, axis=-1), **more,
    )  # fmt: skip


def _quotient(a: Array, b: Array) -> Array:
    return np.divide(a, b, out=np.zeros_like(b), where=b != 0)


def _number(value: Coefficient) -> Any:
    return value if isinstance(value, complex) else _ir.as_float(value)


def _test(name: str, symbol: str, latex: str = "", **more: Any) -> Primitive:
    source, in_latex = (f"{{0}} {s} {{1}}" for s in (symbol, latex or symbol))
    return _binary(
        name, two_reals, source=source, dtype=np.dtype(bool),
        plain=Written(source, TEST), latex=Written(in_latex, TEST), **more,
    )  # fmt: skip


_LOG2, _LOG10 = math.log(2), math.log(10)

PRIMITIVES = (
    #      name           test points   derivative(x, y) or derivative(a, b, y) for each operand
    _unary("exp",         reals,       lambda x, y: y, steep=True, latex=command("exp")),
    _unary("expm1",       reals,       lambda x, y: apply("exp", x), steep=True),  # y + 1 cancels on the left
    _unary("exp2",        reals,       lambda x, y: times(_LOG2, y), steep=True, standard=lambda xp, x: 2.0 ** x),
    _unary("log",         positive,    lambda x, y: reciprocal(x), singular=True, latex=command("log")),
    _unary("log2",        positive,    lambda x, y: times(1 / _LOG2, reciprocal(x)), singular=True, equation=logarithm_equation(2)),
    _unary("log10",       positive,    lambda x, y: times(1 / _LOG10, reciprocal(x)), singular=True, equation=logarithm_equation(10)),
    _unary("log1p",       positive,    lambda x, y: reciprocal(plus(1, x)), singular=True),
    _unary("sqrt",        positive,    lambda x, y: times(Fraction(1, 2), reciprocal(y)), singular=True, exponents=(Fraction(1, 2),), equation=sqrt_equation, latex=closed(r"\sqrt{{{0}}}")),
    _unary("cbrt",        positive,    lambda x, y: times(Fraction(1, 3), power(y, -2)), singular=True, equation=cbrt_equation, real=True, standard=lambda xp, x: xp.sign(x) * xp.abs(x) ** (1 / 3), latex=closed(r"\sqrt[3]{{{0}}}")),
    _unary("reciprocal",  positive,    lambda x, y: times(-1, y, y), singular=True, standard=lambda xp, x: 1 / x, law=Law.RECIPROCAL, exponents=(-1,), equation=reciprocal_equation,
           plain=Written("1 / {0}", QUOTIENT), latex=closed(r"\frac{{1}}{{{0}}}")),
    _unary("sin",         reals,       lambda x, y: apply("cos", x), picoseconds=8000, latex=command("sin")),
    _unary("cos",         reals,       lambda x, y: times(-1, apply("sin", x)), picoseconds=8000, latex=command("cos")),
    _unary("tan",         below_one,   lambda x, y: plus(1, times(y, y)), singular=True, latex=command("tan")),
    _unary("arcsin",      below_one,   lambda x, y: power(one_minus_square(x), Fraction(-1, 2)), singular=True, standard="asin", equation=inverse_function_equation(cosine_of_arcsine, 1, -1), latex=command("arcsin")),
    _unary("arccos",      below_one,   lambda x, y: times(-1, power(one_minus_square(x), Fraction(-1, 2))), singular=True, standard="acos", equation=inverse_function_equation(cosine_of_arcsine, -1, 1), latex=command("arccos")),
    _unary("arctan",      reals,       lambda x, y: reciprocal(one_plus_square(x)), standard="atan", latex=command("arctan")),
    _unary("sinh",        reals,       lambda x, y: apply("cosh", x), steep=True, latex=command("sinh")),
    _unary("cosh",        reals,       lambda x, y: apply("sinh", x), steep=True, latex=command("cosh")),
    _unary("tanh",        reals,       lambda x, y: plus(1, times(-1, y, y)), latex=command("tanh")),
    _unary("arcsinh",     reals,       lambda x, y: arcsinh_rule(x), standard="asinh", equation=inverse_function_equation(cosine_of_arsine, 1, 1)),
    _unary("arccosh",     above_one,   lambda x, y: arccosh_rule(x), singular=True, standard="acosh", equation=inverse_function_equation(sine_of_arcosine, 1, 1)),
    _unary("arctanh",     below_one,   lambda x, y: reciprocal(one_minus_square(x)), singular=True, standard="atanh"),
    _unary("absolute",    reals,       lambda x, y: apply("sign", x), real=True, standard="abs", latex=closed(r"\left|{0}\right|")),
    _unary("sign",        reals,       None, real=True),
    _unary("floor",       reals,       None, real=True),
    _unary("ceil",        reals,       None, real=True),
    _unary("trunc",       reals,       None, real=True),
    _unary("rint",        reals,       None, real=True, standard="round"),
    _binary("divide",     two_positive,
            lambda a, b, y: reciprocal(b),
            lambda a, b, y: times(-1, y, reciprocal(b)), source="{0} / {1}", singular=True,
            plain=Written("{0} / {1}", QUOTIENT), latex=closed(r"\frac{{{0}}}{{{1}}}"),
            definition=lambda a, b: times(a, reciprocal(b)), exponents=(1, -1), equation=divide_equation),
    _binary("arctan2",    two_positive,
            lambda a, b, y: over_square(b, apply("hypot", a, b)),
            lambda a, b, y: times(-1, over_square(a, apply("hypot", a, b))), real=True, singular=True, standard="atan2", equation=arctan2_equation),
    _binary("hypot",      two_positive,
            lambda a, b, y: apply("quotient", a, y),
            lambda a, b, y: apply("quotient", b, y), real=True, singular=True, equation=hypot_equation),
    _binary("logaddexp",  two_reals,
            lambda a, b, y: logistic(plus(a, times(-1, b))),
            lambda a, b, y: logistic(times(-1, plus(a, times(-1, b)))), real=True, equation=logaddexp_equation),
    _binary("maximum",    two_reals,   *tie("greater"), real=True),
    _binary("minimum",    two_reals,   *tie("less"), real=True),
    Primitive("power",    lambda x, exponent: np.power(x, complex(exponent) if isinstance(exponent, complex) else float(exponent)), positive,
              (lambda x, y, exponent: times(exponent, power(x, exponent - 1)),),
              source="{0} ** {exponent}", into=power_into, singular=True, picoseconds=1500, attributes={"exponent": Fraction(5, 2)}, standard=lambda xp, x, exponent: x ** _number(exponent),
              plain=Written("{0}**{exponent}", PRODUCT), latex=Written("{{{0}}}^{{{exponent}}}", PRODUCT),
              definition=lambda x, exponent: times(*[x] * int(exponent)) if exponent in (3, 4) else None, exponents=lambda exponent: (exponent,), equation=power_equation),
    Primitive("pow",      np.power,     two_positive,
              (lambda x, p, y: zero_where(times(p, apply("pow", x, plus(p, -1))), x, p),
               lambda x, p, y: zero_where(times(apply("log", x), y), y)), source="{0} ** {1}", singular=True, picoseconds=8000,
              plain=Written("{0}**{1}", PRODUCT), latex=Written("{{{0}}}^{{{1}}}", PRODUCT)),
    Primitive("where",    np.where,     flag_and_two_reals, source="np.where({0}, {1}, {2})", kind=Kind.SELECT),
    Primitive("cast",     lambda x, dtype: np.asarray(x).astype(dtype), reals, attributes={"dtype": "<f8"},
              kind=Kind.CAST, flops=nothing, latex=latex_of_cast,
              source="np.asarray({0}, {dtype})", linear=True, standard=lambda xp, x, dtype: xp.astype(x, standard_dtype(xp, dtype))),
    _test("greater", ">", real=True), _test("greater_equal", ">=", r"\geq", real=True),
    _test("less", "<", real=True), _test("less_equal", "<=", r"\leq", real=True),
    _test("equal", "==", "="), _test("not_equal", "!=", r"\neq"),
    _binary("logical_and", two_flags, dtype=np.dtype(bool), real=True),
    _binary("logical_or",  two_flags, dtype=np.dtype(bool), real=True),
    _unary("logical_not",  lambda rng: two_flags(rng)[:1], None, dtype=np.dtype(bool), real=True),
    _unary("isfinite", reals, None, dtype=np.dtype(bool)),
    _unary("isnan", reals, None, dtype=np.dtype(bool)),
    _unary("isinf", reals, None, dtype=np.dtype(bool), real=True),
    _last("any", two_flags, dtype=np.dtype(bool)),
    _last("all", two_flags, dtype=np.dtype(bool)),
    _last("max", reals, extreme_rule, real=True, extreme=True),
    _last("min", reals, extreme_rule, real=True, extreme=True),
    _last("prod", reals, prod_rule, equation=prod_equation),
    Primitive("norm",     lambda x: np.linalg.norm(x, axis=-1), reals, (norm_rule,), core=(0, 1),
              source="np.linalg.norm({0}, axis=-1)", shapes=lambda a: (a[:-1],), real=True, singular=True, equation=norm_equation, standard=lambda xp, x: xp.sqrt(xp.sum(x * x, axis=-1))),
    Primitive("scaled",   lambda x, factor: np.multiply(x, _number(factor)), reals,  # what a sum or product does not see into
              (lambda x, y, factor: _ir.fill(factor, x.shape, x.dtype),), source="{factor} * {0}", into="np.multiply({0}, {factor}, out={out})",
              number=lambda factor: factor, attributes={"factor": 0.3}, standard=lambda xp, x, factor: _number(factor) * x,
              plain=Written("{factor} {0}", PRODUCT), latex=Written("{factor} {0}", PRODUCT)),
    Primitive("divided",  lambda x, divisor: np.divide(x, _number(divisor)), reals,
              (lambda x, y, divisor: _ir.fill(1 / Fraction(divisor), x.shape, x.dtype),), source="{0} / {divisor}", into="np.divide({0}, {divisor}, out={out})",
              number=lambda divisor: 1 / Fraction(divisor), attributes={"divisor": 0.3}, standard=lambda xp, x, divisor: x / _number(divisor),
              plain=Written("{0} / {divisor}", QUOTIENT), latex=closed(r"\frac{{{0}}}{{{divisor}}}")),
    Primitive("whole",    lambda x: np.positive(x), reals, (lambda x, y: _ir.fill(1, x.shape, x.dtype),),  # noqa: PLW0108 - np.positive has no row; no sum sees into this one
              source="np.positive({0})", into="np.positive({0}, out={out})", linear=True, standard="positive", hidden=True),
    Primitive("quotient", _quotient, two_positive,  # a / b, and 0 where b is 0
              (lambda a, b, y: reciprocal(b), lambda a, b, y: times(-1, y, reciprocal(b))),
              source="np.divide({0}, {1}, out=np.zeros_like({1}), where={1} != 0)", singular=True, exponents=(1, -1), is_guarded=True, equation=quotient_equation, standard=standard_quotient,
              plain=closed("quotient({0}, {1})")),
    Primitive("one_minus_square", lambda x: (1 - x) * (1 + x), reals, (lambda x, y: times(-2, x),),
              source="(1 - {0}) * (1 + {0})", into="np.multiply(1 - {0}, 1 + {0}, out={out})", equation=one_minus_square_equation, standard=lambda xp, x: (1 - x) * (1 + x),
              plain=Written("(1 - {0}) (1 + {0})", PRODUCT), latex=Written(r"\left(1 - {0}\right) \left(1 + {0}\right)", PRODUCT)),
    Primitive("cumsum",   lambda x: np.cumsum(x, -1), reals, (cumsum_rule,), core=(1, 1),
              source="np.cumsum({0}, -1)", into="np.cumsum({0}, -1, out={out})", linear=True, standard=lambda xp, x: xp.cumulative_sum(x, axis=-1)),
    Primitive("cumprod",  lambda x: np.cumprod(x, -1), reals, (cumprod_rule,), core=(1, 1), kind=Kind.RUNNING,
              source="np.cumprod({0}, -1)", into="np.cumprod({0}, -1, out={out})", standard=lambda xp, x: xp.cumulative_prod(x, axis=-1)),
    Primitive("others",   others_of, reals, (others_rule,), core=(1, 1), kind=Kind.COMPOSED, composed=others_from_both_ends,  # the products of all entries but one
              source="np.cumprod(np.concatenate((np.ones_like({0}[..., :1]), {0}[..., :-1]), -1), -1) * np.cumprod(np.concatenate((np.ones_like({0}[..., :1]), {0}[..., :0:-1]), -1), -1)[..., ::-1]",
              flops=lambda y, a: 3 * math.prod(y), standard=standard_others, plain=closed("others({0})")),
    Primitive("tri",      lambda n, m, k, dtype: np.tri(n, m, k, dtype), lambda rng: (),  # noqa: PLW0108 - by name
              core=None, source="np.tri({n}, {m}, {k}, {dtype})", shapes=lambda n, m, k, dtype: ((n, m),),
              attributes={"n": 2, "m": 3, "k": 0, "dtype": "|b1"}, standard=standard_tri, plain=closed("tri({n}, {m}, {k})")),
    Primitive("inverse",  np.linalg.inv,     invertible, (inverse_rule,), core=(2, 2),
              source="np.linalg.inv({0})", singular=True, is_factorisation=True, standard="linalg.inv",
              flops=lambda y, a: elimination(a, a[-1]), law=Law.INVERSE, equation=inverse_equation, latex=Written("{{{0}}}^{{-1}}", PRODUCT)),
    Primitive("det",      np.linalg.det,     invertible, (det_rule,), core=(0, 2),
              source="np.linalg.det({0})", shapes=lambda a: (a[:-2],), singular=True, is_factorisation=True, standard="linalg.det",
              flops=lambda y, a: elimination(a), law=Law.DETERMINANT, latex=Written(r"\det {0}", PRODUCT)),
    Primitive("slogdet",  np.linalg.slogdet, invertible, (logdet_rule,), core=(0, 2), results=2,
              source="np.linalg.slogdet({0})", shapes=lambda a: (a[:-2], a[:-2]), real=True, singular=True, is_factorisation=True, standard="linalg.slogdet",
              flops=lambda y, a: elimination(a), latex=latex_of_slogdet),
    Primitive("solve",    np.linalg.solve,   system, (solve_matrix_rule, solve_right_rule), core=(2, 2, 2),
              source="np.linalg.solve({0}, {1})", shapes=lambda a, b: (b,), singular=True, is_factorisation=True, standard="linalg.solve",
              flops=lambda y, a, b: elimination(a, b[-1]),
              definition=lambda a, b: _ir.einsum("...ij,...jk->...ik", apply("inverse", a), b), equation=solve_equation),
    Primitive("cross",    np.cross,          two_vectors, (lambda a, b, y: skew(b, -1), lambda a, b, y: skew(a, 1)), core=(1, 1, 1),
              source="np.cross({0}, {1})", shapes=lambda a, b: (a,), standard=lambda xp, a, b: xp.linalg.cross(a, b), flops=lambda y, a, b: 3 * math.prod(y),
              plain=closed("cross({0}, {1})"), is_product=True, definition=lambda a, b: _ir.einsum("...ij,...j->...i", skew(a, 1), b)),
    Primitive("concatenate", lambda *arrays, axis: np.concatenate(arrays, axis), two_reals, concatenate_rule,
              core=None, source="np.concatenate(({all},), {axis})", into="np.concatenate(({all},), {axis}, out={out})", shapes=concatenate_shape,
              joins=True, attributes={"axis": 1}, standard=lambda xp, *arrays, axis: xp.concat(arrays, axis=axis), flops=nothing, is_additive=True, plain=closed("concatenate(({all}), {axis})")),
)  # fmt: skip

BY_NAME.update({row.name: row for row in PRIMITIVES})
