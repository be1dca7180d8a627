"""Selects: differentiated as selects, never as a mask times what is not chosen.

In: the nodes of a sweep. Out: the Jacobians of every select among them.
Guaranteed: a branch that is nan where it is not chosen does not reach the rest.

>>> from eingrad._diff.tangents import find_selects
>>> x = _ir.new_input("x", (3,))
>>> chosen = apply("where", apply("equal", x, _ir.zeros((3,), x.dtype)), x, apply("log", x))
>>> [(below, jacobian, _)] = find_selects(dict.fromkeys([x, chosen]))[chosen]
>>> below is x
True
"""

from collections.abc import Callable, Container

from eingrad import _ir
from eingrad._collected import collect, pieces_of
from eingrad._diff.graph import dependents
from eingrad._diff.local import Jacobian, Selects
from eingrad._ir import Apply, Einsum, Factor, Node, Placement
from eingrad._primitives import Kind, apply, kind_of, row_of

Carry = Callable[[Node, Node, dict[Node, None], Selects], Node]  # of what, in what, over what


def selects_of(order: dict[Node, None], carry: Carry) -> Selects:
    """Jacobians of every select, inner ones first: so an outer one finds them made."""
    selects: Selects = {}
    for node in order:
        if isinstance(node, Apply) and kind_of(node) is Kind.SELECT:
            selects[node] = _select_jacobians(node, order, selects, carry)
    return selects


def _select_jacobians(
    node: Apply, active: dict[Node, None], selects: Selects, carry: Carry
) -> list[Jacobian]:
    """Differentiate ``where(c, a, b)`` as ``where(c, da, db)``: a select, never a mask times nan.

    A branch that is nan where it is not chosen, ``where(x == 0, 1, sin(x) / x)``, must not reach
    the rest. So the select is applied to the derivative of the whole branch, down to nodes below
    which nothing is singular; where nothing is, it is a product with zero and one.
    """
    condition, *branches = node.operands
    one, zero = (_ir.fill(c, node.shape, node.dtype) for c in (1, 0))
    jacobians: list[Jacobian] = []
    for branch, pair in zip(branches, ((one, zero), (zero, one)), strict=True):
        if branch not in active:
            continue
        leaves = _leaves(branch, active)
        if leaves == [branch]:
            jacobians.append((branch, apply("where", condition, *pair), node.ndim))
            continue
        for leaf in leaves:
            others = [n for n in leaves if n is not leaf]
            within = dependents([branch], [leaf], others)
            total = carry(branch, leaf, within, selects)
            pieces = [
                (_select(condition, piece, pair[0] is one), c) for piece, c in pieces_of(total)
            ]
            shape = node.shape + leaf.shape
            jacobians.append((leaf, collect(pieces, shape, node.dtype), 0))
    return jacobians


def _leaves(branch: Node, active: dict[Node, None]) -> list[Node]:
    """First nodes below a branch that no singular primitive lies below.

    A multiple of the user's is no such node, but what it is a multiple of: else its number would
    meet the inverse of it, which he divided by, only outside of the select.
    """
    singular: set[Node] = set()
    below = [n for n in _ir.topological([branch]) if n in active]
    for node in below:
        if (isinstance(node, Apply) and row_of(node).singular) or any(
            child in singular for child in _ir.children(node)
        ):
            singular.add(node)
    if branch not in singular:
        return [branch]
    edge = {c for n in singular for c in _ir.children(n) if c in active and c not in singular}
    edge = {_without_numbers(node, active) for node in edge}
    return [n for n in below if n in edge]


def _without_numbers(node: Node, active: Container[Node]) -> Node:
    while _ir.number_of(node) is not None and _ir.children(node)[0] in active:
        (node,) = _ir.children(node)
    return node


def _select(condition: Node, piece: Node, when: bool) -> Node:
    """``where(condition, piece, 0)`` or the other way round, applied inside the piece's deltas.

    And inside its scale, which is collected with others.
    """
    if isinstance(piece, Einsum) and piece.factors and piece.coefficient not in (0, 1):
        inner = _select(condition, _ir.with_coefficient(piece, 1), when)
        return _ir.scale(inner, piece.coefficient)
    lead = condition.ndim
    if _ir.carries_delta(piece):
        determined = {index for _, of, _ in piece.determined for index in of}
        if determined.isdisjoint(piece.out[:lead]):
            return _select_core(condition, piece, when)
    axes = tuple(range(piece.ndim))
    wide = _ir.contract([(condition, axes[:lead])], axes, piece.shape)
    zero = _ir.zeros(piece.shape, piece.dtype)
    return apply("where", wide, *((piece, zero) if when else (zero, piece)))


def _select_core(condition: Node, piece: Placement, when: bool) -> Node:
    cores = () if piece.core is None else (piece.core,)
    term = tuple(dict.fromkeys((*piece.out[: condition.ndim], *(i for _, t in cores for i in t))))
    core = _ir.contract(cores, term, piece.sizes, piece.coefficient, piece.dtype)
    selected = Factor(_select(condition, core, when), term)
    return _ir.contract([selected, *piece.structure], piece.out, piece.sizes, dtype=piece.dtype)
