"""A product as a network of operands, and the trees that contract it.

In: subscripts and sizes. Out: a `Network`, operands and indices as bits of integers; what a step
costs, and a tree of steps.
Guaranteed: a step is charged what lowering charges it: its flops, and the elements that it writes,
each as the flops that take as long; as so many as is said, for who wants fewest flops alone. One of
known operands alone, constants that are contracted beforehand, is charged nothing.

>>> network = Network([(0, 1), (1, 2), (2,)], (0,), {0: 9, 1: 9, 2: 9})
>>> network.cost({0b111: (0b1, 0b110), 0b110: (0b10, 0b100)})
522
"""

from collections.abc import Mapping, Sequence

from eingrad._cost import weighted
from eingrad._subscripts import Subscripts

Tree = dict[int, tuple[int, int]]  # a set of operands, and the two sets that it is made from

WRITTEN = weighted(0, 1)  # cost of writing an element, where time is what counts
MOST_AXES = 64  # of an array in NumPy 2


class Network:
    """Operands of a product: which indices each has, which are wanted, how large they are."""

    def __init__(
        self,
        terms: Sequence[Subscripts],
        out: Subscripts,
        sizes: Mapping[int, int],
        known: int = 0,
        written: int = WRITTEN,
    ) -> None:
        self.known = known  # set of operands that are constants
        self.key = (tuple(map(tuple, terms)), tuple(out), tuple(sizes.items()))  # what it is
        self.written = written  # cost of writing an element
        bit = {index: 1 << n for n, index in enumerate(sizes)}
        masks = [sum(bit[index] for index in set(term)) for term in terms]
        self.indices = [*sizes]
        self.out = sum(bit[index] for index in out)
        self.operands = [1 << k for k in range(len(terms))]  # each as a set of one
        self.whole = sum(self.operands)
        self.uses = [
            sum(operand for operand, mask in zip(self.operands, masks, strict=True) if mask & b)
            for b in bit.values()
        ]
        self.volumes = _Volumes([*sizes.values()])
        self._contents = _Contents(self.uses, self.out)
        few = (1 << n for n, uses in enumerate(self.uses) if uses.bit_count() <= 2)  # noqa: PLR2004
        self._closing = sum(few) & ~self.out  # summed as soon as two that have them meet

    def contents(self, part: int) -> int:
        """Indices of what a set of operands is contracted to: those that something else uses."""
        return self._contents[part]

    def meet(self, left: int, right: int) -> int:
        """Indices of what two disjoint sets of operands are contracted to together."""
        part = left | right
        found = self._contents.get(part)
        if found is None:
            one, other = self._contents[left], self._contents[right]
            shared = one & other
            found = (one | other) & ~(shared & self._closing)
            shared &= ~self._closing
            while shared:
                bit = shared & -shared
                if not (self.uses[bit.bit_length() - 1] & ~part or self.out & bit):
                    found ^= bit
                shared ^= bit
            self._contents[part] = found
        return found

    def wanted(self, part: int) -> set[int]:
        """Return those indices as in the subscripts."""
        contents = self.contents(part)
        return {index for n, index in enumerate(self.indices) if contents >> n & 1}

    def term(self, part: int, terms: Sequence[Subscripts]) -> Subscripts:
        """Order the indices of what operands with these terms are contracted to, as they have them.

        Of many, those of size one go: there is nothing to be summed later, and an array has not so
        many axes. (A step of a batch has one or two more than its result.)
        """
        _, out, sizes = self.key
        if part == self.whole:
            return out
        wanted = self.wanted(part)
        term = tuple(dict.fromkeys(i for known in terms for i in known if i in wanted))
        if len(term) <= MOST_AXES // 2:
            return term
        size = dict(sizes)
        return tuple(i for i in term if size[i] != 1 or i in out)

    def step_cost(self, left: int, right: int) -> int:
        """Cost of contracting two sets of operands, each contracted already."""
        if not (left | right) & ~self.known:
            return 0
        kept = self.meet(left, right)
        union = self._contents[left] | self._contents[right]
        flops = self.volumes[union] * (1 if union == kept else 2)
        return flops + self.written * self.volumes[kept]

    def cost(self, tree: Tree) -> int:
        """Cost of all steps."""
        return sum(self.step_cost(left, right) for left, right in tree.values())


class _Contents(dict[int, int]):
    """Indices that sets of operands are contracted to, worked out on demand."""

    def __init__(self, uses: Sequence[int], out: int) -> None:
        super().__init__()
        self._uses, self._out = uses, out

    def __missing__(self, part: int) -> int:
        found = 0
        for index, uses in enumerate(self._uses):
            if uses & part and (uses & ~part or self._out >> index & 1):
                found |= 1 << index
        self[part] = found
        return found


class _Volumes(dict[int, int]):
    """Elements of a tensor with a set of indices, worked out on demand."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = sizes
        of_size: dict[int, int] = {}  # indices by their size: there are few sizes
        for n, size in enumerate(sizes):
            of_size[size] = of_size.get(size, 0) | 1 << n
        self._powers = [
            (mask, [size**count for count in range(mask.bit_count() + 1)])
            for size, mask in of_size.items()
        ]

    def __missing__(self, indices: int) -> int:
        volume = 1
        for mask, powers in self._powers:
            volume *= powers[(indices & mask).bit_count()]
        self[indices] = volume
        return volume


# Paths -------------------------------------------------------------------------------------------


def tree_of_path(path: Sequence[Sequence[int]], parts: Sequence[int]) -> Tree:
    """Read a path of pairs of positions, as opt_einsum writes it."""
    live, tree = [*parts], Tree()
    for step in path:
        chosen = [live[k] for k in step]
        live = [part for k, part in enumerate(live) if k not in step] + [sum(chosen)]
        if len(chosen) > 1:
            tree[sum(chosen)] = chosen[0], chosen[1]
    return tree


def path_of_tree(tree: Tree, count: int) -> tuple[tuple[int, int], ...]:
    """Write a tree as a path: small sets first."""
    live, path = [1 << k for k in range(count)], []
    for whole in sorted(tree, key=lambda part: (part.bit_count(), part)):
        a, b = sorted(map(live.index, tree[whole]))
        path.append((a, b))
        live = [part for k, part in enumerate(live) if k not in (a, b)] + [whole]
    return tuple(path)
