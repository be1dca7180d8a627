"""Equations that hold of a result to all orders, where they give its series with less work.

In: operands and result as nodes that stand for series. Out: what vanishes, and how it is solved.
Guaranteed: a residual is a sum of products of at most two of them, so that its coefficients are
Cauchy products; what is unknown of a coefficient enters linearly, with a factor of order zero.

The series of any row follows from its derivative rule, ``y' = J x'`` (`eingrad._series`). These need
less: of ``Y' = -Y X' Y`` two products of matrices are convolved, of ``X Y = 1`` one.
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from eingrad import _ir
from eingrad._ir import Coefficient, Node
from eingrad._primitives.algebra import apply, plus, power, reciprocal, times
from eingrad._primitives.row import Equation

_MATRICES = "...ij,...jk->...ik"
Rate = Callable[[Node], Node]


def reciprocal_equation(x: Node, y: Node, rate: Rate) -> Equation:
    """``x y = 1``: ``y[k] = -y[0] sum_j>0 x[j] y[k-j]``."""
    return Equation(times(x, y), lambda rest, x, y: times(-1, y, rest))


def divide_equation(a: Node, b: Node, y: Node, rate: Rate) -> Equation:
    """``a = b y``: ``y[k] = (a[k] - sum_j>0 b[j] y[k-j]) / b[0]``."""
    return Equation(plus(a, times(-1, b, y)), lambda rest, a, b, y: apply("divide", rest, b))


def sqrt_equation(x: Node, y: Node, rate: Rate) -> Equation:
    """``x = y y``: ``y[k] = (x[k] - sum_0<j<k y[j] y[k-j]) / (2 y[0])``."""
    return Equation(
        plus(x, times(-1, y, y)),
        lambda rest, x, y: times(Fraction(1, 2), rest, reciprocal(y)),
    )


def quotient_equation(a: Node, b: Node, y: Node, rate: Rate) -> Equation:
    """``a = b y``, where the first coefficient at ``b[0] = 0`` is nan, as the derivative is."""
    return replace(divide_equation(a, b, y, rate), first_by_rule=True)


def cbrt_equation(x: Node, y: Node, rate: Rate) -> Equation:
    """``x y' = 1/3 y x'``."""
    return _power_by_rates(x, y, rate, Fraction(1, 3))


def power_equation(x: Node, y: Node, rate: Rate, exponent: Coefficient) -> Equation | None:
    """Powers: of an integer by products, of what is below one by ``x y' = exponent y x'``.

    Not of what is above: at zero some coefficients are zero, and that equation does not say so.
    """
    if isinstance(exponent, int) and exponent > 1:
        half, odd = divmod(exponent, 2)
        first, second = (power(x, exponent - 1), x) if odd else (power(x, half), power(x, half))
        return Equation(times(first, second), lambda rest, x, y: rest)
    if isinstance(exponent, complex) or exponent > 1:
        return None
    return _power_by_rates(x, y, rate, exponent)


def _power_by_rates(x: Node, y: Node, rate: Rate, exponent: Coefficient) -> Equation:
    return Equation(
        plus(times(exponent, y, rate(x)), times(-1, x, rate(y))),
        lambda rest, x, y: apply("divide", rest, x),
        gives_rate=True,
        first_by_rule=True,
    )


def inverse_equation(x: Node, y: Node, rate: Rate) -> Equation:
    """``X Y = 1``: ``Y[k] = -Y[0] sum_j>0 X[j] Y[k-j]``."""
    return Equation(
        _ir.einsum(_MATRICES, x, y),
        lambda rest, x, y: _ir.einsum(_MATRICES, y, rest, coefficient=-1),
    )


def solve_equation(a: Node, b: Node, y: Node, rate: Rate) -> Equation:
    """``B = A Y``: ``Y[k] = A[0]^-1 (B[k] - sum_j>0 A[j] Y[k-j])``."""
    return Equation(
        _ir.add([b, _ir.einsum(_MATRICES, a, y)], [1, -1]),
        lambda rest, a, b, y: _ir.einsum(_MATRICES, apply("inverse", a), rest),
    )
