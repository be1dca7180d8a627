"""Kernels: what a statement does with its operands. One frozen class each, matched with `match`.

In: nothing. Out: classes that store what a kernel needs besides its operands and its results.
Guaranteed: closed, so that `assert_never` finds who forgot one; fields are of builtin types, other
kernels' programs and rows of the primitives' table.

`elementary` has those that move, scale and add entries, `products` those that multiply,
`placements` the one that scatters cores, `loops` those that run a program several times.

Indices are integers; ``terms`` are those of the operands, ``out`` those of the result, in order of
their axes.
"""

from eingrad._plan.kernels.elementary import (
    Add,
    Call,
    Copy,
    Elementary,
    Fill,
    Mirror,
    Number,
    Reshape,
    Scale,
    Slice,
    Sum,
    Take,
    Triangle,
    View,
)
from eingrad._plan.kernels.loops import (
    Cut,
    Loop,
    Loops,
    Rescan,
    Scan,
)
from eingrad._plan.kernels.placements import (
    Affine,
    At,
    Label,
    Look,
    LookUp,
    MergeAxes,
    Merged,
    Part,
    PickAxis,
    Piece,
    Place,
    Position,
    SliceAxis,
    SplitAxis,
    TableOperands,
)
from eingrad._plan.kernels.products import (
    EinsumLoop,
    Half,
    MatMul,
    Multiply,
    Outer,
    Products,
    Side,
)

Kernel = Elementary | Call | Products | Place | Loops
Contraction = View | Sum | Products  # kernels with subscripts

__all__ = [
    "Add",
    "Affine",
    "At",
    "Call",
    "Contraction",
    "Copy",
    "Cut",
    "EinsumLoop",
    "Elementary",
    "Fill",
    "Half",
    "Kernel",
    "Label",
    "Look",
    "LookUp",
    "Loop",
    "Loops",
    "MatMul",
    "MergeAxes",
    "Merged",
    "Mirror",
    "Multiply",
    "Number",
    "Outer",
    "Part",
    "PickAxis",
    "Piece",
    "Place",
    "Position",
    "Products",
    "Rescan",
    "Reshape",
    "Scale",
    "Scan",
    "Side",
    "Slice",
    "SliceAxis",
    "SplitAxis",
    "Sum",
    "TableOperands",
    "Take",
    "Triangle",
    "View",
]
