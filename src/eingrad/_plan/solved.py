"""Inverses that only meet few columns: those are solved for, and no matrix is inverted.

In: roots whose products are pairwise. Out: equal roots, pairwise too.
Guaranteed: an inverse goes where all that uses it are products over one of its two axes, and where
to solve for them takes less time. One that is a result stays; and so does what a result that the
user wrote is made of, to its last bit.

To solve takes ``2/3 n**3`` flops, and ``2 n**2`` for each column; to invert ``2 n**3``, and as much
for each column that is multiplied. What is solved for is no less exact (Higham 2002, *Accuracy and
Stability of Numerical Algorithms*, section 14.1).

>>> from eingrad import _ir
>>> from eingrad._primitives import apply
>>> a, v = _ir.new_input("a", (9, 9)), _ir.new_input("v", (9,))
>>> (root,) = solved([_ir.einsum("ij,i->j", apply("inverse", a), v)])
>>> [node.primitive.name for node in _ir.topological([root]) if isinstance(node, _ir.Apply)]
['solve']
"""

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

from eingrad import _ir
from eingrad._ir import Apply, Node, Product
from eingrad._plan.price import Prices
from eingrad._primitives import Law, apply, row_of
from eingrad._subscripts import Subscripts


class _Use(NamedTuple):
    """A product of an inverse with another tensor.

    The inverse's indices are ``(*batch, row, column)``, and one of the last two is summed; the
    other tensor may have one index besides, along its columns.
    """

    product: Product
    inverse: int  # which factor it is
    batch: Subscripts
    kept: int
    summed: int
    columns: Subscripts

    @property
    def is_transposed(self) -> bool:
        """Whether rows of the inverse meet the tensor: then the transposed matrix is solved."""
        return self.product.factors[self.inverse].term[-2] == self.summed

    @property
    def width(self) -> int:
        """Number of columns."""
        return math.prod([self.product.sizes[index] for index in self.columns])

    def build(self, matrix: Node, other: Node) -> Node:
        """Solve with the matrix that is inverted, for what its inverse is multiplied with."""
        term = self.product.factors[1 - self.inverse].term
        column = self.columns or (len(self.product.sizes),)
        sizes = {**dict(enumerate(self.product.sizes)), column[0]: self.width}
        right = _ir.contract([(other, term)], (*self.batch, self.summed, *column), sizes)
        axes = [*range(matrix.ndim)]
        if self.is_transposed:
            axes[-2:] = axes[:-3:-1]
        found = apply("solve", _ir.transpose(matrix, axes), right)
        inner = (*self.batch, self.kept, *column)
        return _ir.contract([(found, inner)], self.product.out, (), self.product.coefficient)


def solved(
    roots: Sequence[Node], written: Collection[Node] = (), prices: Prices | None = None
) -> list[Node]:
    """Solve where inverses are not needed for themselves; `written` are nodes that a user wrote."""
    order = _ir.topological(roots)
    values = {*_ir.topological([root for root in roots if root in written])}
    uses = _uses(order, {*roots}, values)
    prices = prices or Prices()
    taken = {
        use.product: use for found in uses.values() if _is_quicker(found, prices) for use in found
    }
    if not taken:
        return [*roots]
    new: dict[Node, Node] = {}
    for node in order:
        below = [new[child] for child in _ir.children(node)]
        if node in taken:
            use = taken[node]
            new[node] = use.build(_matrix(below[use.inverse]), below[1 - use.inverse])
        else:
            new[node] = _ir.with_children(node, below)
    return [new[root] for root in roots]


def _uses(
    order: Sequence[Node], roots: Collection[Node], values: Collection[Node]
) -> dict[Apply, list[_Use]]:
    """Find inverses of which all uses are products that may be solved for, and these."""
    found: dict[Apply, list[_Use]] = {}
    for node in order:
        if isinstance(node, Apply) and row_of(node).law is Law.INVERSE and node not in roots:
            found[node] = []
        for child in dict.fromkeys(_ir.children(node)):
            if child in found:
                use = None if node in values else _use(node, child)
                if use is None:
                    del found[child]
                else:
                    found[child].append(use)
    return found


def _use(node: Node, inverse: Node) -> _Use | None:
    """Read a product of an inverse and another tensor; None where it is another one."""
    if not isinstance(node, Product) or len(node.factors) != 2:  # noqa: PLR2004
        return None
    which = node.operands.index(inverse)
    (_, term), (other, other_term) = node.factors[which], node.factors[1 - which]
    *batch, row, column = term
    summed = [index for index in (row, column) if index not in node.out]
    columns = [index for index in other_term if index not in term]
    if other is inverse or len({*term}) < len(term) or len({*other_term}) < len(other_term):
        return None
    if len(summed) != 1 or len(columns) > 1 or not {*batch, *columns} <= {*node.out}:
        return None
    kept = row if summed[0] == column else column
    if kept in other_term or summed[0] not in other_term:
        return None
    return _Use(node, which, (*batch,), kept, summed[0], (*columns,))


def _is_quicker(uses: Sequence[_Use], prices: Prices) -> bool:
    """Whether to solve takes less time than to invert and multiply."""
    if not uses:
        return False
    inverse = uses[0].product.operands[uses[0].inverse]
    inverted = prices.picoseconds_alone([inverse, *(use.product for use in uses)])
    below = {*_ir.topological([n for use in uses for n in use.product.operands])}
    made = [use.build(_matrix(inverse), use.product.operands[1 - use.inverse]) for use in uses]
    return prices.picoseconds_alone(n for n in _ir.topological(made) if n not in below) < inverted


def _matrix(inverse: Node) -> Node:
    """What is inverted."""
    (matrix,) = _ir.children(inverse)
    return matrix
