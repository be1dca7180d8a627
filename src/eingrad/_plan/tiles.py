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

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

from eingrad import _ir
from eingrad._cost import time_to_write
from eingrad._ir import Add, Apply, Einsum, Input, Node, Placement, Product
from eingrad._limits import BUDGET, POLICY
from eingrad._primitives import is_elementwise

_Slices = dict[Node, int]  # the axis that each node is sliced along


@dataclass(frozen=True, slots=True, eq=False)
class Tiling:
    """The operation of a node: a result of a body that runs once for each tile of an index.

    Operand n is sliced along ``axes[n]``, or whole where that is None. Result n of the body is a
    slice along ``writes[n]`` of the result, or one of its addends where that is None.
    """

    sliced: Mapping[Node, int]
    nodes: tuple[Node, ...]  # the body as it was: children first
    roots: tuple[Node, ...]  # the results among them
    operands: tuple[Node, ...]
    axes: tuple[int | None, ...]
    size: int
    step: int
    name: str = "loop"
    identity: str = "loop"  # the attributes of its nodes name its results
    number: None = None
    linear: bool = False

    @property
    def writes(self) -> tuple[int | None, ...]:
        """Say of each result along which axis it is written; None: it is added up."""
        return tuple(self.sliced.get(root) for root in self.roots)

    def tiles(self) -> list[range]:
        """Give the tiles by their first index: those of full length, then a shorter one."""
        whole = self.size - self.size % self.step
        tiles = [range(0, whole, self.step), range(whole, self.size, self.size - whole or 1)]
        return [each for each in tiles if each]

    def body(self, length: int) -> tuple[list[Input], list[Node]]:
        """Build a pass over a tile of some length: what it is given, and its results."""
        given: dict[tuple[Node, int | None], Input] = {}
        for n, (node, axis) in enumerate(zip(self.operands, self.axes, strict=True)):
            shape = _shorten(node.shape, axis, length)
            given[node, axis] = _ir.new_input(f"operand {n}", shape, node.dtype, ("operand", n))
        new: dict[Node, Node] = {}
        for node in self.nodes:
            below = [
                new[n] if n in new else given[n, axis]
                for n, axis in _operands(node, _index(node, self.sliced))
            ]
            new[node] = _resize(node, below, self.sliced, length)
        return [*given.values()], [new[root] for root in self.roots]


class _Means(NamedTuple):
    """Time of the program without loops, and memory of a pass."""

    picoseconds: int
    tile_bytes: int


def tile(roots: Sequence[Node], picoseconds: int, tile_bytes: int | None = None) -> list[Node]:
    """Put loops in the place of large intermediates, the one that saves most memory first.

    `picoseconds` are those of the program without loops; a pass makes so many
    `tile_bytes`; None: as many as a cache holds.
    """
    means = _Means(picoseconds, tile_bytes or POLICY.tile_bytes)
    cut = _best_to_cut([*roots], _ir.rewrite(roots, _with_plain_sum), means)
    for number in range(BUDGET.loops):
        best = _best_region(cut, means)
        if best is None:
            return cut if number else [*roots]
        cut = _ir.substitute(cut, best.looped(means))
    return cut


def _best_to_cut(roots: list[Node], split: list[Node], means: _Means) -> list[Node]:
    """Take the form of two in which a loop saves more memory; the first, where they are alike."""
    if roots == split:
        return roots
    one, other = (_best_region(each, means) for each in (roots, split))
    return split if other and (one is None or other.saved > one.saved) else roots


def _best_region(roots: Sequence[Node], means: _Means) -> "_Region | None":
    """Find the region that saves most memory, if there is one: a loop of one pass saves none.

    Of those that save about as much, that whose slices lie in the fewest runs.
    """
    found = (region for region in _regions(roots) if region.saved > 0)
    regions = [region for region in found if region.passes(means) > 1]
    most = max((region.saved for region in regions), default=0)
    about = [r for r in regions if POLICY.about_as_much * (most - r.saved) <= most]
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


def _regions(roots: Sequence[Node]) -> Iterator["_Region"]:
    """Follow the axes of large intermediates, each but once."""
    order = _ir.topological(roots)
    users: dict[Node, list[Node]] = {}
    for node in order:
        for below in dict.fromkeys(_ir.children(node)):
            users.setdefault(below, []).append(node)
    outputs = {*roots}
    large = [n for n in order if _is_cut(n, POLICY.seed_bytes) and n not in outputs]
    seen: set[tuple[Node, int]] = set()
    for seed in itertools.islice(sorted(large, key=_bytes, reverse=True), BUDGET.seeds):
        for axis in range(seed.ndim):
            if (seed, axis) not in seen:
                region = _Region(order, outputs, _reach(users, seed, axis))
                seen.update(region.sliced.items())
                yield region


# What can be sliced ------------------------------------------------------------------------------


def _bytes(node: Node) -> int:
    return node.size * node.dtype.itemsize


def _is_cut(node: Node, least_bytes: int) -> bool:
    """Whether a node takes so much memory, and can be sliced."""
    return _bytes(node) >= least_bytes and _may_be_sliced(node) and not _is_virtual(node)


def _is_virtual(node: Node) -> bool:
    """Whether a node takes no memory of its own: a view, or equal entries."""
    match node:
        case Product(is_view=True) | Placement(structure=()):
            return True
    return False


def _may_be_sliced(node: Node) -> bool:
    """Whether a slice of a node is the same operation on slices of its operands."""
    match node:
        case Add():
            return not any(map(_ir.carries_delta, node.terms))
        case Product() | Placement(structure=()):
            return True
    return is_elementwise(node)


def _terms(node: Node) -> tuple[Sequence[Sequence[int]], Sequence[int]]:
    """Say which index each axis has, of the operands and of the result."""
    if isinstance(node, Einsum):
        return node.terms, node.out
    out = range(node.ndim)
    return [out for _ in _ir.children(node)], out


def _index(node: Node, sliced: Mapping[Node, int]) -> int | None:
    """Find the index of a node that is cut into tiles; None where there is not just one.

    An operand that has it twice, on its diagonal, would need two slices of itself.
    """
    if not _may_be_sliced(node):
        return None
    terms, out = _terms(node)
    found = {t[sliced[n]] for n, t in zip(_ir.children(node), terms, strict=True) if n in sliced}
    if node in sliced:
        found.add(out[sliced[node]])
    if len(found) != 1:
        return None
    (index,) = found
    return index if all([*term].count(index) <= 1 for term in terms) else None


def _operands(node: Node, index: int | None) -> Iterator[tuple[Node, int | None]]:
    """Go through operands, each with the axis that has an index."""
    for operand, term in zip(_ir.children(node), _terms(node)[0], strict=True):
        yield operand, [*term].index(index) if index is not None and index in term else None


def _resize(node: Node, below: Sequence[Node], sliced: Mapping[Node, int], length: int) -> Node:
    """Build a node again on slices of its operands."""
    match node:
        case Einsum():
            sizes = dict(enumerate(node.sizes))
            index = _index(node, sliced)
            sizes.update({} if index is None else {index: length})
            factors = zip(below, node.terms, strict=True)
            return _ir.contract(factors, node.out, sizes, node.coefficient, node.dtype)
        case Add():
            return _ir.add(below, node.coefficients)
        case Apply():
            shape = _shorten(node.shape, sliced[node], length)
            attributes = dict(node.attributes)
            return _ir.apply_node(node.primitive, below, attributes, node.result, shape, node.dtype)
    raise AssertionError(f"not to be sliced: {node}")


def _shorten(shape: Sequence[int], axis: int | None, length: int) -> tuple[int, ...]:
    return tuple(length if a == axis else size for a, size in enumerate(shape))


# Regions -----------------------------------------------------------------------------------------


class _Region:
    """What is made in slices, if some nodes are `reached` along an axis of each.

    `sliced` are its nodes, each with its axis. Of those, some are `written`, for what is outside
    needs them, or they are `outputs`; nodes that sum over the index are `added` up.
    """

    def __init__(self, order: Sequence[Node], outputs: Set[Node], reached: _Slices) -> None:
        seed, axis = next(iter(reached.items()))
        self.size = seed.shape[axis]
        self.sliced: _Slices = {}
        self.added: dict[Node, None] = {}
        late: set[Node] = set()  # what needs results of the loop
        needed = {*outputs}
        for node in order:
            below = _ir.children(node)
            uses = any(n in self.sliced for n in below)
            is_late = any(n in late for n in below)
            if not is_late and (uses or _spreads(node)) and self._takes(node, reached):
                if node in self.added:
                    late.add(node)
            elif is_late or uses:
                late.add(node)
                needed.update(below)
        outside = {n for n in needed if n in self.sliced}
        self.written = [n for n in order if n in outside and not self._is_free(n)]
        kept = [n for n in self.sliced if n not in outside and not _is_virtual(n)]
        self.saved = sum(map(_bytes, kept)) if self.size > 1 else 0

    def _takes(self, node: Node, reached: _Slices) -> bool:
        """Take up a node, if it can be made of slices."""
        if node in reached:
            self.sliced[node] = reached[node]
        index = _index(node, self.sliced)
        if index is None:
            self.sliced.pop(node, None)
        elif node not in reached and index not in _terms(node)[1]:
            self.added[node] = None
        return node in self.sliced or node in self.added

    def _given(self) -> dict[tuple[Node, int | None], None]:
        """Collect the operands of a pass, each with the axis that it is sliced along."""
        return dict.fromkeys(
            (n, axis)
            for node in (*self.sliced, *self.added)
            for n, axis in _operands(node, _index(node, self.sliced))
            if n not in self.sliced
        )

    @property
    def runs(self) -> int:
        """In how many pieces a pass reads its slices of what is large, beside the first of each.

        Along an inner axis they are many, and NumPy waits for the memory of each.
        """
        large = [pair for pair in self._given() if _bytes(pair[0]) >= POLICY.seed_bytes]
        return sum(math.prod(node.shape[: axis or 0]) - 1 for node, axis in large)

    def _is_free(self, node: Node) -> bool:
        """Whether a node may as well be made outside: a view of what is not sliced."""
        return _is_virtual(node) and not any(n in self.sliced for n in _ir.children(node))

    def looped(self, means: _Means) -> dict[Node, Node]:
        """Give, for each node that is written or added up, a result of the loop."""
        roots = (*self.written, *self.added)
        nodes = (*self.sliced, *self.added)
        given = self._given()
        operands = tuple(n for n, _ in given)
        axes = tuple(axis for _, axis in given)
        step = _step(self.size, math.ceil(self.size / self.passes(means)))
        loop = Tiling(self.sliced, nodes, roots, operands, axes, self.size, step)
        key = {"of": tuple(n.digest for n in roots), "axes": axes, "writes": loop.writes}
        return {
            root: _ir.apply_node(loop, operands, key, n, root.shape, root.dtype)
            for n, root in enumerate(roots)
        }

    def passes(self, means: _Means) -> int:
        """Choose how many passes there are: so many that each makes what a cache holds.

        Fewer where adding up would take more than a small part of the time.
        """
        made_bytes = sum(_bytes(n) for n in (*self.sliced, *self.added) if not _is_virtual(n))
        adding = POLICY.part_added * sum(time_to_write(_bytes(n)) for n in self.added)
        most = means.picoseconds // max(adding, 1)
        return max(1, min(self.size, most, math.ceil(made_bytes / means.tile_bytes)))


def _step(size: int, most: int) -> int:
    """Choose the length of a tile: one that divides the size, or else leaves the most over."""
    least = max(most // 2, most - BUDGET.tile_lengths) + 1
    return max(range(least, most + 1), key=lambda step: (size % step == 0, size % step, step))


def _spreads(node: Node) -> bool:
    """Whether to slice this operand with its user, and not to materialise it before."""
    return _is_cut(node, POLICY.sliced_bytes) or (_is_virtual(node) and _may_be_sliced(node))


def _reach(users: Mapping[Node, Sequence[Node]], seed: Node, axis: int) -> _Slices:
    """Follow an axis up to all users, and down to large operands; the seed comes first."""
    found, pending = {seed: axis}, [seed]
    while pending:
        node = pending.pop()
        for user in (node, *users.get(node, ())):
            index = _index(user, found)
            if index is None:
                continue
            out = [*_terms(user)[1]]
            reached = [(n, a) for n, a in _operands(user, index) if a is not None and _spreads(n)]
            reached += [(user, out.index(index))] if index in out else []
            for n, a in reached:
                if n not in found:
                    found[n] = a
                    pending.append(n)
    return found
