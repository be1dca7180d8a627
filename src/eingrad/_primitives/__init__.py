"""THE table: one row per operation, read by tracer, differentiator, emitter, interpreter and docs.

`table` has the rows; `row` says what one is, `rules`, `products` and `algebra` how it differentiates,
`samples` where it is tested, `equations` how series go through it,
`measures` and `standard` what else is too long for a line.

In: operands as nodes. Out: for each operand, the local Jacobian as an expression.
Guaranteed: a rule uses builders only; nothing here computes with arrays at import.

With ``y = f(x)``, leading *batch* axes are shared by operands and result; a rule gives
``dy/dx`` with the batch axes first, then the core axes of ``y``, then the core axes of ``x``. An
elementwise row has no core axes, so its rule is simply ``dy/dx`` in the shape of ``x``, and no
delta ever appears.

>>> from eingrad import _ir
>>> x = _ir.new_input("x", (3,))
>>> y = apply("sin", x)
>>> jacobian(y, 0) is apply("cos", x)
True
"""

from eingrad._primitives.algebra import (
    apply,
    cast,
    divided,
    is_sign,
    plus,
    power,
    reciprocal,
    scaled,
    sign,
    times,
)
from eingrad._primitives.products import products_before
from eingrad._primitives.row import (
    BY_NAME,
    Along,
    Equation,
    Kind,
    Law,
    Primitive,
    Rule,
    core_ndims,
    equation,
    exponents_of,
    is_elementwise,
    is_identity,
    is_step,
    jacobian,
    kind_of,
    results_of,
    row_of,
)
from eingrad._primitives.rules import extreme_ties
from eingrad._primitives.standard import standard_dtype
from eingrad._primitives.table import PRIMITIVES

__all__ = [
    "BY_NAME",
    "PRIMITIVES",
    "Along",
    "Equation",
    "Kind",
    "Law",
    "Primitive",
    "Rule",
    "apply",
    "cast",
    "core_ndims",
    "divided",
    "equation",
    "exponents_of",
    "extreme_ties",
    "is_elementwise",
    "is_identity",
    "is_sign",
    "is_step",
    "jacobian",
    "kind_of",
    "plus",
    "power",
    "products_before",
    "reciprocal",
    "results_of",
    "row_of",
    "scaled",
    "sign",
    "standard_dtype",
    "times",
]
