"""Real programs and what they should cost: `PROGRAMS`, a row each, by the point they show."""

from real_programs import cancellations, contractions, diagonals, gathers, stencils, weights

PROGRAMS = (
    *contractions.PROGRAMS, *weights.PROGRAMS, *gathers.PROGRAMS, *stencils.PROGRAMS,
    *diagonals.PROGRAMS, *cancellations.PROGRAMS,
)  # fmt: skip
