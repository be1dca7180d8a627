"""Planning: from expressions to programs. The only room that imports opt_einsum.

Under a limit of memory `checkpoints` has scans compute again what they store: `scan_pairs` says
which, `segments` how often.

`search` finds the cheapest contraction tree of one product, `path` writes trees as paths, `given`
reads those of the user's, `contraction` builds one product along one, its constants first, `parts`
says what products have in common, `pairs` plans all products of a program together, `solved` solves
for what inverses are multiplied with, `stacked` makes one of outer products that are added,
`mirror` marks results that must come out symmetric, `tiles` makes what is large in pieces
(`regions` finds it, `tiling` slices it), `lower` turns pairwise steps into statements, `halves`
makes half of what is mirrored, `liveness` orders statements, `buffers` writes them over what is
dead (`filling` says which can be), `compose` does these five in turn, `program` is the result, as
data: statements, each with one of the `kernels`. `price` says what planned nodes cost, before they
are lowered.
"""

from eingrad._plan.compose import compose
from eingrad._plan.contraction import Contraction
from eingrad._plan.duration import picoseconds
from eingrad._plan.given import search_of
from eingrad._plan.halves import halved
from eingrad._plan.lower import lower, numbered
from eingrad._plan.mirror import mirror
from eingrad._plan.pairs import pairwise
from eingrad._plan.path import Search, find_path, greedy_path, left_to_right_path
from eingrad._plan.price import Price, Prices
from eingrad._plan.program import InputSpec, Program, Result, Statement
from eingrad._plan.solved import solved
from eingrad._plan.stacked import stack

__all__ = [
    "Contraction",
    "InputSpec",
    "Price",
    "Prices",
    "Program",
    "Result",
    "Search",
    "Statement",
    "compose",
    "find_path",
    "greedy_path",
    "halved",
    "left_to_right_path",
    "lower",
    "mirror",
    "numbered",
    "pairwise",
    "picoseconds",
    "search_of",
    "solved",
    "stack",
]
