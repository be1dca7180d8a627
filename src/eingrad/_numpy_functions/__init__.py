"""NumPy's functions as nodes: one short function each, with the keywords that are honoured.

In: the arguments of a NumPy call, at least one of them an `Expression`. Out: an `Expression`.
Guaranteed: a keyword that is not in the signature here is refused by name (see `_tracer`).

A file per kind of function. A function that is a composition of others is written with NumPy's own:
its arguments are expressions, so it is traced like the user's code.
"""

from eingrad._numpy_functions import (
    arithmetic,
    contractions,
    indexing,
    layout,
    linear_algebra,
    reductions,
    running,
    spread,
)

from eingrad._numpy_functions import metadata  # isort: skip - its methods are functions of these

__all__ = [
    "arithmetic",
    "contractions",
    "indexing",
    "layout",
    "linear_algebra",
    "metadata",
    "reductions",
    "running",
    "spread",
]
