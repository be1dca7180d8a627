"""Loop tiling: what is large and soon contracted away is made piece by piece.

In: roots whose products are pairwise. Out: equal roots, some made by loops over an index that large
intermediates have in common. Each pass of a loop makes a slice of them, and writes or adds up what
is needed of it.
Guaranteed: a reduction over the index gets an accumulator; what is loop-invariant is hoisted, and
nothing is made twice; results differ by the order of additions alone. (What lowering does to a
whole operand to multiply with it, a scale or a copy in another order, is done in each pass.)

>>> from eingrad import _ir
>>> x, w = _ir.new_input("x", (1000, 500)), _ir.new_input("w", (500, 600))
>>> z = _ir.einsum("ij,jk->ik", x, w)
>>> (root,) = tile([_ir.einsum("ik,ik->k", z, z)], picoseconds=10**11)
>>> root.primitive.tiles(), root.primitive.axes, root.primitive.writes
([range(0, 1000, 250)], (0, None), (None,))
"""

from collections.abc import Sequence

from eingrad import _ir
from eingrad._ir import Add, Node
from eingrad._limits import BUDGET, POLICY
from eingrad._plan.regions import Means, Region, find_regions


def tile(roots: Sequence[Node], picoseconds: int, tile_bytes: int | None = None) -> list[Node]:
    """Put loops in the place of large intermediates, the one that saves most memory first.

    `picoseconds` are those of the program without loops; a pass makes so many
    `tile_bytes`; None: as many as a cache holds.
    """
    means = Means(picoseconds, tile_bytes or POLICY.tile_bytes)
    cut = _best_to_cut([*roots], _ir.rewrite(roots, _with_plain_sum), means)
    for number in range(BUDGET.loops):
        best = _best_region(cut, means)
        if best is None:
            return cut if number else [*roots]
        cut = _ir.substitute(cut, best.looped(means))
    return cut


def _best_to_cut(roots: list[Node], split: list[Node], means: Means) -> list[Node]:
    """Take the form of two in which a loop saves more memory; the first, where they are alike."""
    if roots == split:
        return roots
    one, other = (_best_region(each, means) for each in (roots, split))
    return split if other and (one is None or other.saved > one.saved) else roots


def _best_region(roots: Sequence[Node], means: Means) -> Region | None:
    """Find the region that saves most memory, if there is one: a loop of one pass saves none.

    Of those that save about as much, that whose slices lie in the fewest runs.
    """
    found = [r for r in find_regions(roots) if r.saved > 0 and r.passes(means) > 1]
    most = max((region.saved for region in found), default=0)
    about = [r for r in found if POLICY.about_as_much * (most - r.saved) <= most]
    return min(about, key=lambda region: (region.runs, -region.saved), default=None)


def _with_plain_sum(node: Node) -> Node:
    """Make a sum of its own of the plain terms that others are placed onto: it can be sliced.

    Lowering does the same, so a program without loops is what it was.
    """
    if not isinstance(node, Add):
        return node
    pairs = [*zip(node.terms, node.coefficients, strict=True)]
    plain = [(n, c) for n, c in pairs if not _ir.carries_delta(n)]
    if not 1 < len(plain) < len(pairs):
        return node
    placed = [(n, c) for n, c in pairs if _ir.carries_delta(n)]
    base = _ir.add([n for n, _ in plain], [c for _, c in plain])
    return _ir.add([base, *(n for n, _ in placed)], [1, *(c for _, c in placed)])
