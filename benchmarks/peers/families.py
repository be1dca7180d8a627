"""All problems, family by family."""

from peers import distances, factors, forms, inverses, layers, matrices, models, points

FAMILIES = {
    "one matrix": matrices.PROBLEMS,
    "forms of matrices": inverses.PROBLEMS,
    "forms and regressions": forms.PROBLEMS,
    "factorisations": factors.PROBLEMS,
    "layers": layers.PROBLEMS,
    "distances": distances.PROBLEMS,
    "points": points.PROBLEMS,
    "models": models.PROBLEMS,
}
PROBLEMS = {problem.name: problem for family in FAMILIES.values() for problem in family}
FAMILY_OF = {problem.name: family for family, rows in FAMILIES.items() for problem in rows}
