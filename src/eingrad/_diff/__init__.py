"""Differentiate one node with respect to another, forward or backward.

In: a node ``y`` and a node ``x`` below it. Out: ``dy/dx``, axes of ``y`` first, then of ``x``.
Guaranteed: the graph is walked once, iteratively; deltas are contracted away as they meet; a
derivative is *collected*: one term per delta pattern, and one remainder node that carries no delta.

>>> from eingrad import _ir
>>> x, a = _ir.new_input("x", (3,)), _ir.new_input("A", (2, 3))
>>> forward(_ir.einsum("ij,j->i", a, x), x) is a
True

Both directions multiply the same local Jacobians (`local`, `products`); they differ in the order
alone (`tangents`, `cotangents`). `selects` are of `np.where`.
"""

from eingrad._diff.cotangents import pullback, reverse
from eingrad._diff.graph import dependents, find_needed
from eingrad._diff.local import Hole, Jacobian, Multiple, local_jacobians
from eingrad._diff.selects import Selects
from eingrad._diff.tangents import ForwardSweep, forward, pushforward, rate_of

__all__ = [
    "ForwardSweep",
    "Hole",
    "Jacobian",
    "Multiple",
    "Selects",
    "dependents",
    "find_needed",
    "forward",
    "local_jacobians",
    "pullback",
    "pushforward",
    "rate_of",
    "reverse",
]
