"""Real programs and what they should cost: `PROGRAMS`, a row each, by the point they show."""

from real_programs import (
    cancellations,
    conditioning,
    contractions,
    diagonals,
    gathers,
    loops,
    operators,
    picks,
    planning,
    results,
    scans,
    selects,
    series,
    small_vectors,
    stencils,
    weights,
)

PROGRAMS = (
    *contractions.PROGRAMS, *weights.PROGRAMS, *gathers.PROGRAMS, *stencils.PROGRAMS,
    *selects.PROGRAMS,
    *picks.PROGRAMS, *operators.PROGRAMS, *diagonals.PROGRAMS, *series.PROGRAMS, *cancellations.PROGRAMS,
    *small_vectors.PROGRAMS, *results.PROGRAMS, *conditioning.PROGRAMS, *loops.PROGRAMS,
    *scans.PROGRAMS, *planning.PROGRAMS,
)  # fmt: skip
