"""Derivatives as factors of a product, and what is asked of the factors beside them.

In: an unevaluated derivative, and the indices of its axes. Out: the derivative of what it is
contracted with, as another factor.
Guaranteed: the product stays the same, and a variable that was taken forward is gone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._collapsed import Ties, collapse
from eingrad._derive import jacobian_of_entries
from eingrad._diff import pushforward
from eingrad._ir import Factor, Node, Structural
from eingrad._primitives import cast
from eingrad._repeated import Repeated
from eingrad._simplify import written_nodes
from eingrad._subscripts import Shape, Subscripts
from eingrad._unevaluated import Call, Unevaluated


@dataclass(frozen=True, slots=True)
class Derivative:
    """A derivative as a factor: of ``y`` in the variables `blocks`, whose axes have these indices.

    `rest` are the nodes that ``y`` is made of, and no derivative.
    """

    y: Node
    blocks: tuple[Node, ...]
    term: Subscripts
    call: Call
    rest: tuple[Node, ...]
    unchanged: Unevaluated | None  # what it is, as long as nothing went into it
    line: Repeated | None = None  # where y is a derivative along one tangent alone

    @classmethod
    def of(cls, row: Unevaluated, term: Subscripts) -> "Derivative":
        """Take one as it is."""
        rest = (*written_nodes(row.call.values, row.call.made),)
        return cls(row.y, row.blocks, term, row.call, rest, row)

    @property
    def of_result(self) -> Subscripts:
        """The indices of ``y``."""
        return self.term[: self.y.ndim]

    def of_block(self, k: int) -> Subscripts:
        """The indices of one variable."""
        start = self.y.ndim + sum(x.ndim for x in self.blocks[:k])
        return self.term[start : start + self.blocks[k].ndim]

    def with_result(self, factors: Sequence[Factor], kept: Subscripts) -> "Derivative":
        """Contract the result with factors, before it is differentiated."""
        dtype = np.result_type(self.y.dtype, *dtypes_of(factors))
        own = Factor(self.y, self.of_result)
        y = _ir.contract(cast_all([own, *factors], dtype), kept, (), 1, dtype)
        term = (*kept, *self.term[self.y.ndim :])
        rest = (*self.rest, *(n for n, _ in factors))
        return replace(self, y=y, term=term, rest=rest, unchanged=None, line=None)

    def along(self, k: int, seed: Node, trailing: Subscripts, shape: Shape) -> "Derivative":
        """Differentiate along tangents of one variable, those after its axes, at once."""
        (y,) = pushforward([self.y], {self.blocks[k]: seed}, shape)
        before, after = self.term[: self.y.ndim], self.term[self.y.ndim :]
        start = sum(x.ndim for x in self.blocks[:k])
        after = after[:start] + after[start + self.blocks[k].ndim :]
        blocks = self.blocks[:k] + self.blocks[k + 1 :]
        term = (*before, *trailing, *after)
        rest = (*self.rest, seed)
        line = None if trailing else Repeated(self.y, self.blocks[k], seed).after(self.line)
        return replace(self, y=y, blocks=blocks, term=term, rest=rest, unchanged=None, line=line)

    def of_entries(self) -> "Derivative | None":
        """Differentiate, if each entry depends on one of the variable."""
        jacobian = jacobian_of_entries(self.y, *self.blocks) if len(self.blocks) == 1 else None
        if jacobian is None:
            return None
        return replace(self, y=jacobian, blocks=(), unchanged=None, line=None)

    def along_both(self, k: int, m: int, seeds: tuple[Node, Node], ties: Ties) -> "Derivative":
        """Differentiate along tangents of two variables that are tied, and add up."""
        y = collapse(self.y, {self.blocks[k]: seeds[0]}, {self.blocks[m]: seeds[1]}, ties)
        left = [n for n in range(len(self.blocks)) if n not in (k, m)]
        term = (*self.of_result, *ties.out, *(i for n in left for i in self.of_block(n)))
        rest = (*self.rest, *seeds, *(n for n, _ in ties.factors))
        blocks = tuple(self.blocks[n] for n in left)
        return replace(self, y=y, blocks=blocks, term=term, rest=rest, unchanged=None, line=None)


def dtypes_of(factors: Iterable[Factor]) -> list[np.dtype[Any]]:
    """List the dtypes of arrays among some factors."""
    return [n.dtype for n, _ in factors if not isinstance(n, Structural)]


def cast_all(factors: Iterable[Factor], dtype: np.dtype[Any]) -> list[Factor]:
    """Convert the arrays among some factors to one dtype."""
    return [
        f if isinstance(f.node, Structural) else Factor(cast(f.node, dtype), f.term)
        for f in factors
    ]
