"""Interchangeable axes of a result: entries that must be equal are equal to the last bit.

A derivative is symmetric in the axes of a variable that it is taken in twice (Schwarz's theorem),
in exact arithmetic; rounding breaks it, for ``(A * d).T @ A`` adds in another order than its
transpose. So one entry of each set is computed and the others are its copies.

In: a node, and which blocks of its axes may be interchanged. Out: a node that `lower` mirrors,
unless every entry is computed as its mirror images are: that `is_exact` tells. Large outer products
``c u[i] u[j]`` are made so that they are (`outer`).

>>> from eingrad import _ir
>>> u = _ir.new_input("u", (3,))
>>> is_exact(_ir.einsum("i,j->ij", u, u), (1, 0))
True
>>> is_exact(_ir.einsum("i,i,j->ij", u, u, u), (1, 0))
False
"""

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction

from eingrad import _ir
from eingrad._ir import Add, Apply, Coefficient, Node, Placement, Product, Symmetry
from eingrad._limits import POLICY
from eingrad._plan.outer import factored, unsigned
from eingrad._subscripts import Shape

Axes = tuple[int, ...]  # an order of axes, as np.transpose takes it


@dataclass(frozen=True, slots=True)
class _Mirror:
    """The operation: every entry is that with the indices of the blocks in ascending order."""

    name: str = "mirror"
    identity: str = "mirror"
    number: None = None
    linear: bool = False


MIRROR = _Mirror()


def mirror(node: Node, symmetry: Symmetry) -> Node:
    """Make a node equal, to the last bit, to what interchanging the blocks of a group gives."""
    if not symmetry or node.size <= 1:
        return node
    if node.size > POLICY.mirrored_at_once:
        node = _made_exact(node, symmetry)
        if isinstance(node, Add) and not is_exactly_symmetric(node, symmetry):
            return _below_placements(node, symmetry)
    return _mirrored(node, symmetry)


def _mirrored(node: Node, symmetry: Symmetry) -> Node:
    blocks = {"symmetry": symmetry}
    return _ir.apply_node(MIRROR, (node,), blocks, 0, node.shape, node.dtype, symmetry)


def _below_placements(node: Add, symmetry: Symmetry) -> Node:
    """``mirror(P + D) -> mirror(P) + D`` where D is symmetric as it is placed.

    So a product is mirrored while it is made (`halves`).
    """
    pairs = [*zip(node.terms, node.coefficients, strict=True)]
    placed = [
        (n, c) for n, c in pairs if _ir.carries_delta(n) and is_exactly_symmetric(n, symmetry)
    ]
    rest = [pair for pair in pairs if pair not in placed]
    if not placed or not rest or any(_ir.carries_delta(n) for n, _ in rest):
        return _mirrored(node, symmetry)
    base = _ir.add(*zip(*rest, strict=True))
    return _ir.add(
        [_mirrored(base, symmetry), *(n for n, _ in placed)], [1, *(c for _, c in placed)]
    )


def _made_exact(node: Node, symmetry: Symmetry) -> Node:
    """Halve scales of outer products where that makes all of a result exactly symmetric."""
    if isinstance(node, Add):
        terms = [_half_scaled(term, symmetry) for term in node.terms]
        made = _ir.add(terms, node.coefficients)
    else:
        made = _half_scaled(node, symmetry)
    return made if is_exactly_symmetric(made, symmetry) else node


def _half_scaled(term: Node, symmetry: Symmetry) -> Node:
    made = None if is_exactly_symmetric(term, symmetry) else factored(term)
    return made or term


def is_mirror(node: Node) -> bool:
    """Whether a node is to be mirrored."""
    return isinstance(node, Apply) and node.primitive is MIRROR


def flat_groups(shape: Shape, symmetry: Symmetry) -> tuple[Shape, tuple[tuple[int, int], ...]]:
    """Flatten blocks to one axis each; give the first axis of each group, and how many it has.

    Groups of blocks of one entry are left out.
    """
    blocks = {block[0]: block for group in symmetry for block in group}
    inner = {axis for block in blocks.values() for axis in block[1:]}
    starts = [axis for axis in range(len(shape)) if axis not in inner]
    flat = tuple(math.prod(shape[a] for a in blocks.get(axis, (axis,))) for axis in starts)
    groups = ((starts.index(group[0][0]), len(group)) for group in symmetry)
    return flat, tuple((first, count) for first, count in groups if flat[first] > 1 and count > 1)


def is_exactly_symmetric(node: Node, symmetry: Symmetry) -> bool:
    """Whether interchanging blocks cannot change a bit, as the node is computed."""
    neighbours = [pair for group in symmetry for pair in itertools.pairwise(group)]
    return all(is_exact(node, _ir.interchange(node.ndim, *pair)) for pair in neighbours)


def is_exact(node: Node, axes: Axes) -> bool:
    """Whether an entry and the one that an order of axes maps it to are computed alike.

    False where that is not obvious: a matrix product adds in an order of its own.
    """
    if list(axes) == sorted(axes):
        return True
    match node:
        case Add():
            return _adds_alike(node, axes)
        case Placement(factors=()):
            return True
        case Placement(structure=(_, *_)):
            return _places_alike(node, axes)
        case Product(sums=False) | Placement() if node.dtype.kind != "c":
            return _multiplies_alike(node, axes)  # complex: a fused step rounds one product alone
    return False


def _adds_alike(node: Add, axes: Axes) -> bool:
    """``A + A.T`` is exact, as are sums of exact terms."""
    plain = [n for n in node.terms if not _ir.carries_delta(n)]
    placed = [n for n in node.terms if _ir.carries_delta(n)]
    if not all(is_exact(n, axes) for n in placed):
        return False
    if all(is_exact(n, axes) for n in plain):
        return True
    coefficients = {c for n, c in zip(node.terms, node.coefficients, strict=True) if n in plain}
    pair = len(plain) == 2 and len(coefficients) == 1  # noqa: PLR2004 - two twins
    return pair and _ir.transpose(plain[0], axes) is plain[1]


def _multiplies_alike(node: Product | Placement, axes: Axes) -> bool:
    """``u[i] * u[j]`` is exact, as are products of exact operands. Two operands: one rounding."""
    to = {index: node.out[axis] for index, axis in zip(node.out, axes, strict=True)}
    moved = [tuple(to.get(index, index) for index in term) for term in node.terms]
    if any(len(set(term)) < len(term) for term in node.terms):
        return moved == [*node.terms]  # diagonals of operands
    each = all(
        new == term or (set(new) == set(term) and is_exact(n, tuple(map(term.index, new))))
        for (n, term), new in zip(node.factors, moved, strict=True)
    )
    return each or (
        len(node.factors) == 2  # noqa: PLR2004 - of more, the order of multiplying matters
        and unsigned(node.operands[0]) is unsigned(node.operands[1])
        and moved[0] == node.terms[1]
        and is_power_of_two(node.coefficient)
    )


def is_power_of_two(coefficient: Coefficient) -> bool:
    """Whether scaling rounds nothing, short of overflow, so that either factor may take it."""
    return isinstance(coefficient, int | float | Fraction) and (
        abs(math.frexp(_ir.as_float(coefficient))[0]) == 0.5  # noqa: PLR2004 - the mantissa of a power of two
    )


def _places_alike(node: Placement, axes: Axes) -> bool:
    """Whether a placement maps to itself, and its core with it: an entry is one of the core."""
    if _ir.transpose(node, axes) is not node:
        return False
    if node.core is None or node.core.node.ndim <= 1:
        return True
    core, term = node.core
    ties = {index: {n} for n, index in enumerate(node.out)}  # output axes an index is equal to
    for n, t in node.structure:
        if not (isinstance(n, _ir.Selection) and n.is_delta):
            return False
        tied = ties.get(t[0], set()) | ties.get(t[1], set())
        ties.update({index: tied for index, known in ties.items() if known & tied})
        ties.update(dict.fromkeys(t, tied))
    homes = [ties.get(index, set()) for index in term]
    moved = [{axes.index(n) for n in home} for home in homes]
    found = all(homes) and all(home in homes for home in moved)
    return found and is_exact(core, tuple(homes.index(home) for home in moved))
