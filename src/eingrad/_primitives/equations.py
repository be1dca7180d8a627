"""Equations that hold of a result to all orders, where they give its series with less work.

In: operands and result as nodes that stand for series. Out: what vanishes, and how it is solved.
Guaranteed: a residual is a sum of products of at most two of them, so that its coefficients are
Cauchy products; what is unknown of a coefficient enters linearly, with a factor of order zero.

The series of any row follows from its derivative rule, ``y' = J x'`` (`eingrad._series`). These need
less: of ``Y' = -Y X' Y`` two products of matrices are convolved, of ``X Y = 1`` one. A residual
that is only what the result is equal to gives it as that; there `solve` returns what it gets.

Squares are divided by values at the start, ``(x / y(0)) x``, where they could leave the range.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from eingrad import _ir
from eingrad._ir import Coefficient, Node
from eingrad._primitives.algebra import apply, plus, power, reciprocal, scaled, times
from eingrad._primitives.row import Along, Equation
from eingrad._primitives.rules import one_minus_square, one_plus_square

_MATRICES = "...ij,...jk->...ik"
_HALF = Fraction(1, 2)
Make = Callable[[Node, Node, Along], Equation]


def _as_it_is(k: int, rest: Node, *known: Node) -> Node:
    return rest


# Quotients and powers ----------------------------------------------------------------------------


def reciprocal_equation(x: Node, y: Node, along: Along) -> Equation:
    """``x y = 1``: ``y[k] = -y[0] sum_j>0 x[j] y[k-j]``."""
    return Equation(times(x, y), lambda k, rest, x, y: times(-1, y, rest))


def divide_equation(a: Node, b: Node, y: Node, along: Along) -> Equation:
    """``a = b y``: ``y[k] = (a[k] - sum_j>0 b[j] y[k-j]) / b[0]``."""
    return Equation(plus(a, times(-1, b, y)), lambda k, rest, a, b, y: apply("divide", rest, b))


def quotient_equation(a: Node, b: Node, y: Node, along: Along) -> Equation:
    """``a = b y``, where the first coefficient at ``b[0] = 0`` is nan, as the derivative is."""
    return replace(divide_equation(a, b, y, along), first_by_rule=True)


def sqrt_equation(x: Node, y: Node, along: Along) -> Equation:
    """``x = y y``: ``y[k] = (x[k] - sum_0<j<k y[j] y[k-j]) / (2 y[0])``."""
    return Equation(
        plus(x, times(-1, y, y)), lambda k, rest, x, y: times(rest, reciprocal(scaled(y, 2)))
    )


def cbrt_equation(x: Node, y: Node, along: Along) -> Equation:
    """``x y' = 1/3 y x'``."""
    return power_equation(x, y, along, Fraction(1, 3))


def power_equation(x: Node, y: Node, along: Along, exponent: Coefficient) -> Equation:
    """``x y' = exponent y x'``, and of integers that are not above the order products.

    For at zero these have coefficients that are not zero, and that equation does not say so.
    """
    is_real = not isinstance(exponent, complex)
    real = exponent.real if isinstance(exponent, complex) else exponent
    if is_real and real == int(real) and 1 < real <= along.order:
        half, odd = divmod(int(real), 2)
        first, second = (power(x, real - 1), x) if odd else (power(x, half), power(x, half))
        return Equation(times(first, second), _as_it_is)
    rate = along.rate(x)

    def solve(k: int, rest: Node, x: Node, x_rate: Node) -> Node:
        if k < real:
            return apply("quotient", rest, x)
        if is_real and k - 1 < real and k > 1:
            return _first_infinite(k, rest, x, x_rate)
        return apply("divide", rest, x)

    return Equation(
        plus(times(exponent, y, rate), times(-1, x, along.rate(y))),
        solve,
        gives_rate=True,
        first_by_rule=real < 1,
        known=(x, rate),
    )


def _first_infinite(k: int, rest: Node, x: Node, x_rate: Node) -> Node:
    """``rest / x``, and at zero what is infinite first, with the sign of ``x'**k``."""
    rates = [x_rate] * (2 - k % 2)  # of the falling factorial all factors are positive
    is_zero = apply("equal", x, _ir.zeros(x.shape, x.dtype))
    return apply("divide", apply("where", is_zero, times(*rates), rest), x)


# Roots of sums of squares, and their angle -------------------------------------------------------


def hypot_equation(a: Node, b: Node, y: Node, along: Along) -> Equation:
    """``y y = a a + b b``, divided by ``y(0)``."""
    unit = along.start(y)
    p, q, r = (apply("quotient", n, unit) for n in (a, b, y))
    return Equation(plus(times(_HALF, p, a), times(_HALF, q, b), times(-_HALF, r, y)), _as_it_is)


def norm_equation(x: Node, y: Node, along: Along) -> Equation:
    """``y y = sum_i x_i x_i``, divided by ``y(0)``."""
    unit = along.start(y)
    repeated = _ir.broadcast(_ir.reshape(unit, (*y.shape, 1)), x.shape)
    p, r = apply("quotient", x, repeated), apply("quotient", y, unit)
    squares = _ir.einsum("...i,...i->...", p, x, coefficient=_HALF)
    return Equation(plus(squares, times(-_HALF, r, y)), _as_it_is)


def arctan2_equation(a: Node, b: Node, y: Node, along: Along) -> Equation:
    """``(a a + b b) y' = b a' - a b'``, all divided by ``a(0)**2 + b(0)**2``."""
    unit = along.start(apply("hypot", a, b))
    p, q = (apply("divide", n, unit) for n in (a, b))
    squares = plus(times(p, p), times(q, q))
    return Equation(
        plus(
            times(q, along.rate(p)),
            times(-1, p, along.rate(q)),
            times(-1, squares, along.rate(y)),
        ),
        _as_it_is,
        gives_rate=True,
    )


# Inverse functions of sines and cosines ----------------------------------------------------------


def inverse_function_equation(root: Callable[[Node], Node], first: int, second: int) -> Make:
    """``w y' = first x'`` and ``w' = second x y'``, with w the root of ``1 - x x`` or the like."""

    def make(x: Node, y: Node, along: Along) -> Equation:
        w, rate = root(x), along.rate(y)
        of_root = Equation(
            plus(times(second, x, rate), times(-1, along.rate(w))), _as_it_is, gives_rate=True
        )
        return Equation(
            plus(times(first, along.rate(x)), times(-1, w, rate)),
            lambda k, rest, w: apply("divide", rest, w),
            gives_rate=True,
            known=(w,),
            partners=((w, of_root),),
        )

    return make


def cosine_of_arcsine(x: Node) -> Node:
    """``sqrt(1 - x*x)``."""
    return power(one_minus_square(x), _HALF)


def cosine_of_arsine(x: Node) -> Node:
    """``sqrt(1 + x*x)``, by the hypotenuse, since the square of a large number overflows."""
    if x.dtype.kind == "c":
        return power(one_plus_square(x), _HALF)
    return apply("hypot", _ir.fill(1, x.shape, x.dtype), x)


def sine_of_arcosine(x: Node) -> Node:
    """``sqrt(x - 1) sqrt(x + 1)``."""
    return times(*(power(plus(x, one), _HALF) for one in (-1, 1)))


def logarithm_equation(base: float) -> Make:
    """The natural one, times a number."""
    factor = 1 / math.log(base)
    return lambda x, y, along: Equation(times(factor, apply("log", x)), _as_it_is)


# Others ------------------------------------------------------------------------------------------


def one_minus_square_equation(x: Node, y: Node, along: Along) -> Equation:
    """``1 - x x``: of a square half the products are made."""
    return Equation(times(-1, x, x), _as_it_is)


def logaddexp_equation(a: Node, b: Node, y: Node, along: Along) -> Equation:
    """``max(a, b) + log(1 + exp(-|a - b|))``, where it is decided at the start which is greater."""
    is_first = apply("greater", a, b)
    one = _ir.fill(1, a.shape, a.dtype)
    sign = apply("where", is_first, _ir.scale(one, -1), one)
    below = times(sign, plus(a, times(-1, b)))
    more = apply("log1p", apply("exp", below))
    return Equation(plus(apply("where", is_first, a, b), more), _as_it_is)


def prod_equation(x: Node, y: Node, along: Along) -> Equation:
    """A product of pairs of factors, and the odd one, where there is one."""
    last, n = x.ndim - 1, x.shape[-1]
    if n == 1:
        return Equation(_ir.reshape(x, y.shape), _as_it_is)
    half, odd = divmod(n, 2)
    parts = (_ir.take(x, last, _ir.selection(range(start, start + half), n)) for start in (0, half))
    product = apply("prod", times(*parts))
    if odd:
        rest = _ir.take(x, last, _ir.selection(range(n - 1, n), n))
        product = times(product, _ir.reshape(rest, y.shape))
    return Equation(product, _as_it_is)


# Matrices ----------------------------------------------------------------------------------------


def inverse_equation(x: Node, y: Node, along: Along) -> Equation:
    """``X Y = 1``: ``Y[k] = -Y[0] sum_j>0 X[j] Y[k-j]``."""
    return Equation(
        _ir.einsum(_MATRICES, x, y),
        lambda k, rest, x, y: _ir.einsum(_MATRICES, y, rest, coefficient=-1),
    )


def solve_equation(a: Node, b: Node, y: Node, along: Along) -> Equation:
    """``B = A Y``: ``Y[k] = A[0]^-1 (B[k] - sum_j>0 A[j] Y[k-j])``."""
    return Equation(
        _ir.add([b, _ir.einsum(_MATRICES, a, y)], [1, -1]),
        lambda k, rest, a, b, y: _ir.einsum(_MATRICES, apply("inverse", a), rest),
    )
