"""The local Jacobians of a node: those in what it is computed from.

In: a node. Out: for each operand that is asked for, what a tangent of it, or a cotangent of the
node, is multiplied with.
Guaranteed: of sums and products no Jacobian is written out.

>>> x, w = _ir.new_input("x", (3,)), _ir.new_input("w", (2, 3))
>>> [(below, hole, _)] = local_jacobians(_ir.einsum("ij,j->i", w, x), {x}, {})
>>> below is x, [factor.node is w for factor in hole.rest(x.dtype)]
(True, [True])
"""

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from eingrad import _ir
from eingrad._ir import Add, Apply, Coefficient, Einsum, Factor, Node, Structural
from eingrad._primitives import Kind, cast, core_ndims, jacobian, kind_of
from eingrad._recurrence import is_scan


@dataclass(frozen=True, slots=True)
class Hole:
    """An einsum without its operand `k`: the Jacobian in that operand, never written out.

    Contracting it with a tangent or cotangent puts that in the operand's place.
    """

    einsum: Einsum
    k: int
    others: tuple[Factor, ...] | None = None  # in the place of the einsum's own

    def rest(self, dtype: Any) -> list[Factor]:
        """Give the other factors, in one dtype; structure has none."""
        others = self.others
        if others is None:
            others = tuple(f for n, f in enumerate(self.einsum.factors) if n != self.k)
        return [
            f if isinstance(f.node, Structural) else Factor(cast(f.node, dtype), f.term)
            for f in others
        ]


@dataclass(frozen=True, slots=True)
class Multiple:
    """The identity, times a number: what a term of a sum, and a conversion, are multiplied with."""

    number: Coefficient


Local = Node | Hole | Multiple
Jacobian = tuple[Node, Local, int]  # a node below; d node/d that node; batch axes they share
Led = dict[Node, list[Jacobian]]  # of selects, in what they are led to


def local_jacobians(node: Node, active: Container[Node], led: Led) -> list[Jacobian]:
    """Jacobians of a node in the active nodes that it is computed from."""
    match node:
        case Apply() if is_scan(node):
            return []  # see `_recurrence`
        case Einsum():
            return [(n, Hole(node, k), 0) for k, n in enumerate(node.operands) if n in active]
        case Add(terms=terms, coefficients=coefficients):
            return [
                (n, Multiple(c), node.ndim)
                for n, c in zip(terms, coefficients, strict=True)
                if n in active
            ]
        case Apply() if node in led:
            return led[node]
        case Apply(operands=operands) if kind_of(node) is Kind.CAST:
            return [(n, Multiple(1), node.ndim) for n in operands if n in active]
        case Apply(operands=operands):
            jacobians: list[Jacobian] = []
            for k, n in enumerate(operands):
                local = jacobian(node, k) if n in active else None
                if local is not None and not _ir.is_zero(local):
                    jacobians.append((n, local, node.ndim - core_ndims(node, k)[0]))
            return jacobians
    return []
