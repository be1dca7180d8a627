"""Derivatives as sums: one term for each pattern of deltas, and one array beside them.

In: terms that arrive at a node. Out: their sum, *collected*; the parts that a product is
distributed over; whether to write it out costs no more.
Guaranteed: terms that are placed on the same entries are one; what has no delta is never opened.

>>> from eingrad import _ir
>>> a, b = (_ir.new_input(name, (3,)) for name in "ab")
>>> placed = [_ir.einsum("ij,j->ij", _ir.delta(3), x) for x in (a, b)]
>>> len(pieces_of(collect([(term, 1) for term in placed], (3, 3), a.dtype)))
1
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeGuard

from eingrad import _ir
from eingrad._alike import combined
from eingrad._ir import Add, Coefficient, Factor, Node, Placement, Selection
from eingrad._limits import MACHINE, POLICY

Term = tuple[Node, Coefficient]
_ENTRY = 8 * MACHINE.byte_written  # picoseconds
_PAIR = 2


def pieces_of(derivative: Node) -> list[Term]:
    """Terms that a product distributes over: each delta pattern, and the remainder as one."""
    if not isinstance(derivative, Add) or not any(map(_ir.carries_delta, derivative.terms)):
        return [(derivative, 1)]
    terms = list(zip(derivative.terms, derivative.coefficients, strict=True))
    structured: list[Term] = [(n, c) for n, c in terms if _ir.carries_delta(n)]
    plain = [(n, c) for n, c in terms if not _ir.carries_delta(n)]
    if plain:
        nodes, coefficients = zip(*plain, strict=True)
        structured.append((_ir.add(nodes, coefficients), 1))
    return structured


def is_shattered(derivative: Node, node: Node | None = None) -> bool:
    """Whether so many placements lie over each other that it costs no more to write them out.

    Or if they are the single entries of a node that is made of arrays, and of no entries.

    Each would be multiplied by itself with what the sum meets. So in a program that shifts, and
    shifts again: there would be as many in the end as there are paths.
    """
    if not isinstance(derivative, Add):
        return False
    pieces = [term for term in derivative.terms if _is_shifted(term)]
    is_dense = not all(map(_ir.carries_delta, derivative.terms))
    sizes = [0 if piece.core is None else piece.core.node.size for piece in pieces]
    most = POLICY.pieces_beside if is_dense else POLICY.pieces
    count = len(pieces) + is_dense
    is_filled = _is_filled(derivative, sizes, count) or (
        node is not None and _is_in_entries(derivative, sizes) and _is_of_arrays(node)
    )
    if not is_filled and sum(map(_coverage, pieces)) < most:
        return False
    entries = sum(size or 1 for size in sizes)
    apart = len(pieces) * MACHINE.call + entries * _ENTRY
    return apart >= MACHINE.call + derivative.size * _ENTRY


def _is_filled(derivative: Node, sizes: Sequence[int], count: int) -> bool:
    """Whether the cores of placements have about as many entries as the whole, which is small.

    Two that lie over each other are fewer arrays than they soon are; beside each other they are
    one.
    """
    is_small = derivative.size * _ENTRY <= MACHINE.call
    is_over = count > _PAIR or (count == _PAIR and sum(sizes) <= derivative.size)
    is_some = max(sizes, default=0) > 1 and POLICY.pieces_filled * sum(sizes) >= derivative.size
    return is_small and is_over and is_some


def _is_in_entries(derivative: Node, sizes: Sequence[int]) -> bool:
    """Whether placements are of single entries, of all that there are."""
    count = len(sizes)
    return count >= max(derivative.size, POLICY.pieces_of_entries) and max(sizes) == 1


def _is_of_arrays(node: Node) -> bool:
    """Whether a node is no stack of entries, to which their derivatives go by themselves."""
    terms = node.terms if isinstance(node, Add) else (node,)
    return not any(isinstance(term, Placement) and _ir.carries_delta(term) for term in terms)


def _is_shifted(node: Node) -> TypeGuard[Placement]:
    """Whether a term ties axes by selections that are no delta."""
    return _ir.carries_delta(node) and any(
        isinstance(of, Selection) and not of.is_delta for of, _ in node.structure
    )


def _coverage(piece: Placement) -> Fraction:
    """Which part of the entries along the axes that selections determine is not zero, at most."""
    part = Fraction(1)
    for node, term in piece.structure:
        if isinstance(node, Selection) and term[1] in piece.out:
            part *= Fraction(min(node.shape), node.shape[1])
    return part


def collect(terms: Sequence[Term], shape: tuple[int, ...], dtype: object) -> Node:
    """Sum to one term per delta pattern and one remainder, which is never opened again."""
    groups: dict[object, list[tuple[Placement, Coefficient]]] = {}
    plain: list[Term] = []
    for node, factor in terms:
        for piece, c in pieces_of(node):
            number = _ir.multiply(c, factor)
            if _ir.carries_delta(piece):
                groups.setdefault(pattern_of(piece), []).append((piece, number))
            else:
                plain.append((piece, number))
    sums = [_merge_cores(members) for members in groups.values()]
    plain = combined(plain) if len(plain) > 1 else plain
    if plain:
        nodes, coefficients = zip(*plain, strict=True)
        sums.append(_ir.add(nodes, coefficients))
    return _ir.add(sums) if sums else _ir.zeros(shape, dtype)


@dataclass(frozen=True, slots=True)
class Numbered:
    """A placement whose indices are numbered by the output, then by the structure."""

    core: tuple[Factor, ...]  # or none
    structure: tuple[Factor, ...]
    sizes: dict[int, int]


def numbered(piece: Placement) -> Numbered:
    """Number the indices of a placement, so that those of one pattern have the same numbers."""
    every = (*piece.out, *(index for _, term in piece.structure for index in term))
    numbers = {index: n for n, index in enumerate(dict.fromkeys(every))}

    def renamed(factor: Factor) -> Factor:
        return Factor(factor.node, tuple(numbers[index] for index in factor.term))

    structure = sorted(map(renamed, piece.structure), key=lambda f: (f.node.digest, f.term))
    core = () if piece.core is None else (renamed(piece.core),)
    return Numbered(core, tuple(structure), {n: piece.sizes[i] for i, n in numbers.items()})


def pattern_of(piece: Placement) -> object:
    """What two terms must share to be placed on the same entries."""
    return tuple((n.uid, t) for n, t in numbered(piece).structure)


def _merge_cores(members: Sequence[tuple[Placement, Coefficient]]) -> Node:
    """Add the cores of terms with one delta pattern: ``delta A + delta B -> delta (A + B)``."""
    first, factor = members[0]
    if len(members) == 1:
        return _ir.scale(first, factor)
    parts = [(numbered(piece), _ir.multiply(c, piece.coefficient)) for piece, c in members]
    structure, sizes = parts[0][0].structure, parts[0][0].sizes
    out = tuple(sorted({i for part, _ in parts for _, term in part.core for i in term}))
    aligned = [_ir.contract(part.core, out, sizes, 1, first.dtype) for part, _ in parts]
    core = Factor(_ir.add(aligned, [c for _, c in parts]), out)
    axes = tuple(range(first.ndim))
    return _ir.contract([core, *structure], axes, sizes, 1, first.dtype)
