"""What the user wrote is computed as he wrote it: which nodes that are, and what is still done.

In: the values of a function. Out: the nodes of it that no derivative is part of; the values, with
sums of whole matrices narrowed to what is summed.
Guaranteed: of written nodes no factor changes its place, no sum is opened or joined, and no
accumulation of NumPy's becomes another, but for a sum over a matrix product or an outer one.

The order of factors is the user's protection against overflow, ``s * (x / s) * (y / s)``, and
against cancellation: ``X.T @ (X @ W)`` has digits that ``(X.T @ X) @ W`` has lost. What is left to
the library is what one call of his leaves to it: a product of several operands, as in ``np.einsum``
and ``np.linalg.multi_dot``.

>>> a, b = (_ir.new_input(n, (3, 3)) for n in "ab")
>>> trace = _ir.einsum("ii->", _ir.einsum("ij,jk->ik", a, b))
>>> narrow(trace, _ir.children(trace)) is _ir.einsum("ij,ji->", a, b)
True
"""

from collections.abc import Container, Sequence, Set

from eingrad import _ir
from eingrad._ir import Add, Einsum, Node, Product, Structural
from eingrad._simplify.products import is_outgrown, open_operands


def written_nodes(roots: Sequence[Node], made: Set[bytes]) -> list[Node]:
    """Give the nodes that a user wrote, operands first.

    `made` are digests of what differentiation made. What is linear in that is no longer his: a
    contraction of a derivative is planned with it.
    """
    free: set[Node] = set()
    written = []
    for node in _ir.topological(roots):
        is_linear = isinstance(node, (Add, Einsum))
        if node.digest in made or (is_linear and not free.isdisjoint(_ir.children(node))):
            free.add(node)
        elif not isinstance(node, Structural):
            written.append(node)
    return written


def narrow(node: Node, once: Container[Node]) -> Node:
    """``tr(A B) -> sum_ij A_ij B_ji``: reduce a product without writing it out.

    Keeps value, shape and dtype: every entry is the same sum of the same products, and no product
    gets more factors. Terminates: the product is gone. Leaves alone what is used elsewhere, and
    sums over elementwise products of one size, ``sum(x * x)``, which NumPy adds in pairs and a
    matrix product would not.
    """
    if not isinstance(node, Product) or len(node.factors) > 1:
        return node
    ((product, term),) = node.factors
    if node.is_view and len({*term}) == product.ndim:
        return node  # it reduces nothing
    if not isinstance(product, Product) or product not in once:
        return node
    return open_operands(node, {product}) if product.sums or is_outgrown(product) else node
