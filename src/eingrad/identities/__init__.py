"""Identities (5.99)-(5.108) of *Mathematics for Machine Learning*: stated, derived and checked.

In: the number of an identity, sizes, an order. Out: the identity at these sizes: the derivative as
the engine derives it, its tensor form, its matrix form in plain NumPy; and a report on them.
Guaranteed: derivative and tensor form come from different expressions; the matrix form knows
nothing of this library; every figure of a report is computed when it is asked for.

The book writes the derivative of a number by a vector as a 1 x n row. Here it is an ``(n,)`` array:
the axes of the value (none), then those of the variable. The derivative of a D x D matrix by an
E x F matrix is D x D x E x F, and trace, transpose and product act on the first two axes (Remark
in section 5.5).

>>> report = check("5.102", size=(3, 2, 4), order=1)
>>> report.proved, report.shape
(True, (3, 3, 2, 4))
"""

from eingrad.identities.checks import ORDER, TOLERANCE, Report, check, plans_by_path
from eingrad.identities.stated import PATHS, Identity, Point, Size, Stated
from eingrad.identities.table import IDENTITIES

__all__ = [
    "IDENTITIES",
    "ORDER",
    "PATHS",
    "TOLERANCE",
    "Identity",
    "Point",
    "Report",
    "Size",
    "Stated",
    "check",
    "plans_by_path",
]
