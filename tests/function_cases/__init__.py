"""The table of every traced function: `CASES`, a row each; its name is the id of its tests."""

from function_cases.contractions import compositions, contractions, einsums, linear_algebra
from function_cases.elementwise import choices, elementwise, exponents, operators
from function_cases.layouts import gathers, layouts, rearrangements
from function_cases.reductions import norms, products, reductions

CASES = [
    *operators(), *exponents(), *elementwise(), *choices(), *einsums(), *contractions(),
    *layouts(), *linear_algebra(), *compositions(), *reductions(), *products(), *norms(),
    *gathers(), *rearrangements(),
]  # fmt: skip
