"""How rows are written that no template writes, and what those cost that take more than an entry's work."""

import math
from fractions import Fraction

from eingrad._ir import Apply, Coefficient
from eingrad._precedence import PRODUCT, Written, closed
from eingrad._subscripts import Shape


def command(name: str) -> Written:
    """Write a function that LaTeX has a command for."""
    return closed(f"\\{name}\\left({{0}}\\right)")


def latex_of_cast(y: Apply) -> Written:
    """Write the number of a test in Iverson's brackets, and no other conversion."""
    of_a_test = y.operands[0].dtype.kind == "b"
    return closed("\\left[{0}\\right]") if of_a_test else Written("{0}")


def latex_of_slogdet(y: Apply) -> Written:
    sign = Written("\\operatorname{{sign}} \\det {0}", PRODUCT)
    return sign if y.result == 0 else Written("\\log\\left|\\det {0}\\right|")


def power_into(exponent: Coefficient) -> str:
    """Fill an array with a power, unless NumPy has a function of its own for the operator."""
    has_function = exponent in (-1, 0, Fraction(1, 2), 1, 2)
    return "" if has_function else "np.power({0}, {exponent}, out={out})"


def nothing(*_shapes: Shape) -> int:
    """No arithmetic: entries are copied."""
    return 0


def elimination(a: Shape, columns: int = 0) -> int:
    """``2/3 n**3``, and ``2 n**2`` for every column on the right: leading terms."""
    *batch, n, _ = a
    return math.prod(batch) * (2 * n**3 + 6 * columns * n**2) // 3
