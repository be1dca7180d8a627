"""Equations that hold of a result to all orders, where they give its series with less work.

In: operands and result as nodes that stand for series. Out: what vanishes, and how it is solved.
Guaranteed: a residual is a sum of products of at most two of them, so that its coefficients are
Cauchy products; what is unknown of a coefficient enters linearly, with a factor of order zero.

The series of any row follows from its derivative rule, ``y' = J x'`` (`eingrad._series`). These need
less: of ``Y' = -Y X' Y`` two products of matrices are convolved, of ``X Y = 1`` one.
"""

from collections.abc import Callable
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


def power_equation(x: Node, y: Node, rate: Rate, exponent: Coefficient) -> Equation | None:
    """Powers: of an integer by products, of a negative number by ``x y' = exponent y x'``.

    Not of a positive one that is no integer: at zero its first coefficients are zero, and that
    equation says nothing of them.
    """
    if isinstance(exponent, int) and exponent > 1:
        half, odd = divmod(exponent, 2)
        other = x if odd else power(x, half)
        return Equation(times(power(x, exponent - 1 if odd else half), other), _itself)
    if isinstance(exponent, complex) or exponent > 0:
        return None
    return Equation(
        plus(times(x, rate(y)), times(-1, exponent, y, rate(x))),
        lambda rest, x, y: times(-1, apply("divide", rest, x)),
        gives_rate=True,
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


def _itself(rest: Node, *_known: Node) -> Node:
    return rest
