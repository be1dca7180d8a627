"""Choosing between derivatives, inside of their deltas.

In: flags, and two derivatives of a node whose axes the flags have. Out: the one where the flags
hold, elsewhere the other.
Guaranteed: nothing is written out along deltas; a number that a term is multiplied with, and is
collected by, stays outside.

>>> c, a = _ir.new_input("c", (3,), bool), _ir.new_input("a", (3,))
>>> diagonal = _ir.contract([(a, (0,)), (_ir.delta(3), (0, 1))], (0, 1))
>>> choose(c, diagonal, None).core.node is apply("where", c, a, _ir.zeros((3,), a.dtype))
True
"""

import cmath
from typing import NamedTuple

from eingrad import _ir
from eingrad._collected import Term, collect, numbered, pattern_of, pieces_of
from eingrad._ir import Einsum, Factor, Node, Placement
from eingrad._primitives import apply

_WHOLE = None  # the pattern of what has no deltas that a choice is made inside of


class _Piece(NamedTuple):
    """A term of a derivative without its number."""

    node: Node
    number: _ir.Coefficient


def choose(flags: Node, first: Node | None, second: Node | None) -> Node:
    """``where(flags, first, second)``; None stands for zeros."""
    like = second if first is None else first
    assert like is not None
    sides = [_by_pattern(flags, node) for node in (first, second)]
    terms: list[Term] = []
    for pattern in dict.fromkeys([*sides[0], *sides[1]]):
        left, right = (side.get(pattern) for side in sides)
        if left and right:
            both = [_ir.scale(piece.node, piece.number) for piece in (left, right)]
            terms.append((_choose(flags, *both), 1))
        elif left:
            terms.append((_choose(flags, left.node, None), left.number))
        elif right:
            terms.append((_choose(flags, None, right.node), right.number))
    return collect(terms, like.shape, like.dtype)


def _by_pattern(flags: Node, total: Node | None) -> dict[object, _Piece]:
    """Part a derivative by where its deltas place entries; all that they do not tells is one."""
    found: dict[object, _Piece] = {}
    rest: list[Term] = []
    for node, number in [] if total is None else pieces_of(total):
        if _ir.is_zero(node):
            continue
        if isinstance(node, Placement) and _is_inside(flags, node):
            found[pattern_of(node)] = _parted(node, number)
        else:
            rest.append((node, number))
    if len(rest) == 1 and isinstance(rest[0][0], Einsum):
        ((node, number),) = rest
        assert isinstance(node, Einsum)
        found[_WHOLE] = _parted(node, number)
    elif rest:
        found[_WHOLE] = _Piece(_ir.add(*zip(*rest, strict=True)), 1)
    return found


def _parted(node: Einsum, number: _ir.Coefficient) -> _Piece:
    """Take the number out of a term; but not nan or infinity, which make nan of a zero."""
    number = _ir.multiply(number, node.coefficient)
    if cmath.isfinite(number):
        return _Piece(_ir.with_coefficient(node, 1), number)
    return _Piece(_ir.with_coefficient(node, number), 1)


def _is_inside(flags: Node, piece: Placement) -> bool:
    """Whether structure determines none of the axes that flags have."""
    determined = {index for _, of, _ in piece.determined for index in of}
    return _ir.carries_delta(piece) and determined.isdisjoint(piece.out[: flags.ndim])


def _choose(flags: Node, first: Node | None, second: Node | None) -> Node:
    """Choose between two terms of one pattern."""
    like = second if first is None else first
    assert like is not None
    if not isinstance(like, Placement) or not _is_inside(flags, like):
        axes = tuple(range(like.ndim))
        return _where(flags, axes, first, second)
    parts = [None if node is None else numbered(node) for node in (first, second)]  # type: ignore[arg-type]
    known = next(part for part in parts if part is not None)
    cores = [i for part in parts if part for _, term in part.core for i in term]
    term = tuple(dict.fromkeys((*range(flags.ndim), *cores)))
    left, right = (
        None
        if node is None or part is None
        else _ir.contract(part.core, term, part.sizes, node.coefficient, node.dtype)  # type: ignore[attr-defined]
        for node, part in zip((first, second), parts, strict=True)
    )
    selected = Factor(_where(flags, term, left, right), term)
    axes = tuple(range(like.ndim))
    return _ir.contract([selected, *known.structure], axes, known.sizes, dtype=like.dtype)


def _where(flags: Node, term: tuple[int, ...], first: Node | None, second: Node | None) -> Node:
    """Select, the flags repeated along the axes that come after theirs."""
    like = second if first is None else first
    assert like is not None
    sizes = dict(zip(term, like.shape, strict=True))
    wide = _ir.contract([(flags, term[: flags.ndim])], term, sizes)
    nothing = _ir.zeros(like.shape, like.dtype)
    return apply(
        "where", wide, nothing if first is None else first, nothing if second is None else second
    )
