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
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from eingrad import _ir
from eingrad._ir import Add, Apply, Coefficient, Factor, Node, Placement, Product, Symmetry
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
        if any(len(group) > 2 for group in symmetry):  # noqa: PLR2004 - a pair has no last axes
            node = _with_exact_factors(node)
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
    """Make all of a result exactly symmetric, if that is less than to mirror it.

    Scales of outer products are halved; of one other term, which is placed, the core is mirrored.
    """
    if isinstance(node, Add):
        terms = [_half_scaled(term, symmetry) for term in node.terms]
        left = [n for n, term in enumerate(terms) if not is_exactly_symmetric(term, symmetry)]
        core = _with_mirrored_core(terms[left[0]], symmetry) if len(left) == 1 else None
        if core is not None:
            terms[left[0]] = core
        made = _ir.add(terms, node.coefficients)
    else:
        made = _half_scaled(node, symmetry)
    return made if is_exactly_symmetric(made, symmetry) else node


def _half_scaled(term: Node, symmetry: Symmetry) -> Node:
    made = None if is_exactly_symmetric(term, symmetry) else factored(term)
    return made or term


def _with_exact_factors(node: Node) -> Node:
    """Halve scales in the factors of products: then the last axes of a result are symmetric."""
    if isinstance(node, Add):
        return _ir.add([_with_exact_factors(term) for term in node.terms], node.coefficients)
    if not isinstance(node, Product) or node.sums:
        return node
    factors = [_exact_factor(factor, node.out) for factor in node.factors]
    return _ir.contract(factors, node.out, node.sizes, node.coefficient)


def _exact_factor(factor: Factor, out: Axes) -> Factor:
    """Halve the scale of a symmetric matrix; its axes are in the order of the result then."""
    made = factored(factor.node)
    if made is None or made.ndim != 2 or not is_exact(made, (1, 0)):  # noqa: PLR2004 - a matrix
        return factor
    return Factor(made, tuple(sorted(factor.term, key=out.index)))


def is_mirror(node: Node) -> bool:
    """Whether a node is to be mirrored."""
    return isinstance(node, Apply) and node.primitive is MIRROR


def flat_groups(node: Node, symmetry: Symmetry) -> tuple[Shape, tuple[tuple[int, int, int], ...]]:
    """Flatten blocks to one axis each; give the first axis of each group, and how many it has.

    And how many of the last are computed alike already. Groups of blocks of one entry are left out.
    """
    shape = node.shape
    blocks = {block[0]: block for group in symmetry for block in group}
    inner = {axis for block in blocks.values() for axis in block[1:]}
    starts = [axis for axis in range(len(shape)) if axis not in inner]
    flat = tuple(math.prod(shape[a] for a in blocks.get(axis, (axis,))) for axis in starts)
    groups = ((starts.index(group[0][0]), group) for group in symmetry)
    return flat, tuple(
        (first, len(group), _ready(node, group))
        for first, group in groups
        if flat[first] > 1 and len(group) > 1
    )


def _ready(node: Node, group: Sequence[Axes]) -> int:
    """Count the last blocks of a group that interchanging changes no bit of."""
    pairs = itertools.pairwise(reversed(group))
    exact = (is_exact(node, _ir.interchange(node.ndim, a, b)) for b, a in pairs)
    return 1 + len([*itertools.takewhile(bool, exact)])


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
        case Apply() if is_mirror(node):
            pairs = (p for group in node.symmetry for p in itertools.combinations(group, 2))
            return any(_ir.interchange(node.ndim, *pair) == axes for pair in pairs)
        case Product(sums=False) | Placement() if node.dtype.kind != "c":
            return _multiplies_alike(node, axes)  # complex: a fused step rounds one product alone
    return False


def _adds_alike(node: Add, axes: Axes) -> bool:
    """``A + A.T`` is exact, as are sums of exact terms."""
    plain = [n for n in node.terms if not _ir.carries_delta(n)]
    placed = [n for n in node.terms if _ir.carries_delta(n)]
    if not _are_placed_alike([n for n in placed if not is_exact(n, axes)], node, axes):
        return False
    if all(is_exact(n, axes) for n in plain):
        return True
    coefficients = {c for n, c in zip(node.terms, node.coefficients, strict=True) if n in plain}
    pair = len(plain) == 2 and len(coefficients) == 1  # noqa: PLR2004 - two twins
    return pair and _ir.transpose(plain[0], axes) is plain[1]


def _are_placed_alike(placed: Sequence[Node], node: Add, axes: Axes) -> bool:
    """Whether terms are images of each other: of three axes, one pair, which is added but to ends.

    What two patterns of deltas on three axes have in common is the whole diagonal, which stays.
    """
    if not placed:
        return True
    numbers = {c for n, c in zip(node.terms, node.coefficients, strict=True) if n in placed}
    is_pair = len(placed) == 2 and node.ndim == 3 and len(numbers) == 1  # noqa: PLR2004
    return is_pair and _ir.transpose(placed[0], axes) is placed[1]


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
    order = _order_of_core(node, axes)
    return order is not None and is_exact(node.core.node, order)


def _order_of_core(node: Placement, axes: Axes) -> Axes | None:
    """Give the order of its core's axes to which a placement's axes are moved; None: to no such."""
    assert node.core is not None
    ties = {index: {n} for n, index in enumerate(node.out)}  # output axes an index is equal to
    for n, t in node.structure:
        if not (isinstance(n, _ir.Selection) and n.is_delta):
            return None
        tied = ties.get(t[0], set()) | ties.get(t[1], set())
        ties.update({index: tied for index, known in ties.items() if known & tied})
        ties.update(dict.fromkeys(t, tied))
    homes = [ties.get(index, set()) for index in node.core.term]
    moved = [{axes.index(n) for n in home} for home in homes]
    found = all(homes) and all(home in homes for home in moved)
    return tuple(homes.index(home) for home in moved) if found else None


# Cores -------------------------------------------------------------------------------------------


def _with_mirrored_core(node: Node, symmetry: Symmetry) -> Node | None:
    """``delta D -> delta mirror(D)``: of what is placed, the core, where that has such axes.

    Of two blocks; the whole is known to be symmetric. Each index of the core is one of the result.
    """
    if not isinstance(node, Placement) or node.core is None or not node.structure:
        return None
    if len(symmetry) != 1 or len(symmetry[0]) != 2:  # noqa: PLR2004 - a pair
        return None
    core, term = node.core
    order = _order_of_core(node, _ir.interchange(node.ndim, *symmetry[0]))
    first = tuple(n for n, to in enumerate(order or ()) if to > n)
    if order is None or not first or not {*term} <= {*node.out}:
        return None
    second = tuple(order[n] for n in first)
    is_pair = (*first, *second) == tuple(range(first[0], first[0] + 2 * len(first)))
    if not is_pair or _ir.interchange(core.ndim, first, second) != order:
        return None
    mirrored = _mirrored(core, ((first, second),))
    return _ir.contract(
        [(mirrored, term), *node.structure], node.out, node.sizes, node.coefficient, node.dtype
    )
