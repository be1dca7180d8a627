"""The intermediate representation: nodes, builders, traversal, verifier.

`nodes` stores, `coefficients` has the numbers, `leaves`, `einsums` and `apply` intern, `structure`
eliminates deltas (with `selections` and `merges`, on a `network`, of what `makers` makes),
`single_entries` settles axes of length one, `contract` builds products and placements, `build` sums
and views, `reshape` merges and splits axes, `opened` opens products in products, `views` placements
of placements, `walk` traverses, `verify` checks.
"""

from eingrad._ir.apply import apply_node, number_of, with_operands
from eingrad._ir.build import add, broadcast, einsum, scale, take, transpose
from eingrad._ir.coefficients import (
    add_exactly,
    as_float,
    canonical_coefficient,
    common_exponent,
    common_scale,
    divisor,
    in_two,
    is_harmless,
    is_in_range,
    is_short,
    multiply,
)
from eingrad._ir.contract import contract
from eingrad._ir.einsums import (
    canonical_twin,
    carries_delta,
    fill,
    is_fill,
    is_rearranged,
    is_zero,
    ones_along,
    with_coefficient,
    zeros,
)
from eingrad._ir.leaves import constant, delta, merge, new_input, selection
from eingrad._ir.network import dense
from eingrad._ir.nodes import (
    Add,
    Apply,
    Block,
    Coefficient,
    Constant,
    Einsum,
    Factor,
    Input,
    Merge,
    Node,
    Operation,
    Placement,
    Product,
    Selection,
    Structural,
    Symmetry,
    children,
    number_of_live_nodes,
    number_of_nodes_built,
    sizes_of,
    splice,
    widened,
)
from eingrad._ir.opened import open_factors
from eingrad._ir.reshape import reshape
from eingrad._ir.symmetry import interchange, schwarz
from eingrad._ir.tables import Table, key_of, positions_of, selects
from eingrad._ir.verify import verify
from eingrad._ir.views import View, view_of
from eingrad._ir.walk import (
    inputs,
    occurrences,
    rewrite,
    substitute,
    topological,
    with_children,
)

__all__ = [
    "Add",
    "Apply",
    "Block",
    "Coefficient",
    "Constant",
    "Einsum",
    "Factor",
    "Input",
    "Merge",
    "Node",
    "Operation",
    "Placement",
    "Product",
    "Selection",
    "Structural",
    "Symmetry",
    "Table",
    "View",
    "add",
    "add_exactly",
    "apply_node",
    "as_float",
    "broadcast",
    "canonical_coefficient",
    "canonical_twin",
    "carries_delta",
    "children",
    "common_exponent",
    "common_scale",
    "constant",
    "contract",
    "delta",
    "dense",
    "divisor",
    "einsum",
    "fill",
    "in_two",
    "inputs",
    "interchange",
    "is_fill",
    "is_harmless",
    "is_in_range",
    "is_rearranged",
    "is_short",
    "is_zero",
    "key_of",
    "merge",
    "multiply",
    "new_input",
    "number_of",
    "number_of_live_nodes",
    "number_of_nodes_built",
    "occurrences",
    "ones_along",
    "open_factors",
    "positions_of",
    "reshape",
    "rewrite",
    "scale",
    "schwarz",
    "selection",
    "selects",
    "sizes_of",
    "splice",
    "substitute",
    "take",
    "topological",
    "transpose",
    "verify",
    "view_of",
    "widened",
    "with_children",
    "with_coefficient",
    "with_operands",
    "zeros",
]
