"""Classes: what nodes compute within their step, whatever order operands and axes are kept in.

In: nodes of steps. Out: for each a number, equal where the same is computed from what arrives at
the step; for products, the order of their axes.
Guaranteed: of operands in any order, and of a product and its transposed twin, the class is one.

Operands of sums and products are kept in an order of their own in every step, and with them the
axes of a product. So operands are put in the order of their classes, and the axes of a product in
the order in which these meet them: from there it is *turned*.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from eingrad import _ir
from eingrad._ir import Add, Apply, Einsum, Node, Structural
from eingrad._rolled.chain import has_twins
from eingrad._subscripts import Subscripts, number

OUTSIDE = -1  # the step of what no step computes
Key = tuple[Any, ...]  # such tuples can be ordered


class Parted(Protocol):
    """What classes must know of the steps."""

    nodes: list[Node]
    step: dict[Node, int]
    shared: frozenset[Node]
    passing: frozenset[Node]
    numbers: frozenset[Any]

    def kind_of(self, node: Node) -> object:
        """Say what a node does."""

    def is_fixed(self, node: Node) -> bool:
        """Whether a node is the same whatever the steps compute."""

    def last_of(self, step: int) -> list[Node]:
        """Give the nodes of a step that no other one of it uses, but for its end."""


class Classes:
    """Classes of the nodes of all steps; `before` are others, of what arrives from steps before."""

    def __init__(self, parted: Parted, before: "Classes | None") -> None:
        self._parted, self._before = parted, before
        self._of: dict[Node, int] = {}
        self.turn: dict[Node, Subscripts] = {}
        numbers: dict[object, int] = {}
        for node in parted.nodes:
            self._of[node] = numbers.setdefault(self._key(node), len(numbers))

    def last(self, step: int) -> dict[Key, list[Node]]:
        """Give what a step does not use itself, by class."""
        found: dict[Key, list[Node]] = {}
        for node in self._parted.last_of(step):
            found.setdefault((self._of[node], self.turn.get(node, ())), []).append(node)
        return found

    def below(self, node: Node, at: int) -> list[Key]:
        """Say what each operand is to a node of a step."""
        return [self._operand(n, node, at) for n in _ir.children(node)]

    def _operand(self, node: Node, of: Node, at: int) -> Key:
        if isinstance(node, Structural):
            return (0,) if self._parted.is_fixed(of) else (0, node.digest)
        if node in self._parted.shared:
            return (1, node.digest)
        step = self._parted.step.get(node, OUTSIDE)
        turn = () if isinstance(of, Einsum) else self.turn.get(node, ())
        is_passing = node in self._parted.passing
        if step == at and not is_passing:
            return (2, self._of[node], turn)
        if step == OUTSIDE or self._before is None or is_passing:
            return (3, tuple(sorted(node.shape)), node.dtype.str)
        return (4, at - step, self._before._of[node], turn)

    def _key(self, node: Node) -> Key:
        kind, below = self._parted.kind_of(node), self.below(node, self._parted.step[node])
        numbers = self.numbers(node)
        if isinstance(node, Add):
            return (kind, *sorted(zip(below, map(repr, numbers), strict=True)))
        if not isinstance(node, Einsum):
            return (kind, numbers, *map(repr, below))
        longer = [_longer(node, term) for term in node.terms]
        order = sorted(range(len(below)), key=lambda n: (below[n], len(longer[n])))
        terms, out, _ = number(self.terms(node, order), _longer(node, node.out))
        if has_twins(node):
            self.turn[node] = _turn(node, out)
            out = tuple(sorted(out))
        return (kind, repr([below[n] for n in order]), terms, out, repr(numbers[:1]))

    def numbers(self, node: Node) -> tuple[Any, ...]:
        """Give what tells a node from others of its kind; None for a number that may vary."""
        shared = self._parted.numbers
        numbers = tuple([n if n in shared else None for n in numbers_of(node)])
        return numbers or (node.attributes if isinstance(node, Apply) else ())

    def terms(self, node: Einsum, order: Sequence[int]) -> list[Subscripts]:
        """Give the longer indices of operands, in an order; those of products by turned axes."""
        return [_longer(node, self._turned(node.operands[n], node.terms[n])) for n in order]

    def out(self, node: Einsum) -> Subscripts:
        """Give the longer indices of a node, by its turned axes."""
        return _longer(node, self._turned(node, node.out))

    def _turned(self, node: Node, term: Subscripts) -> Subscripts:
        turn = self.turn.get(node)
        return term if turn is None else tuple([term[axis] for axis in turn])

    def between(self, a: Node, b: Node) -> Subscripts:
        """Say how a node is transposed to be another one that computes the same."""
        return between(self.turn.get(a, range(a.ndim)), self.turn.get(b, range(b.ndim)))


def _longer(node: Einsum, term: Subscripts) -> Subscripts:
    """Leave out indices of size one: in which order they are kept is not the same in all steps."""
    return tuple([index for index in term if node.sizes[index] != 1])


def _turn(node: Node, out: Subscripts) -> Subscripts:
    """Put axes in the order of their indices; those of length one, which have none, come last."""
    longer = [axis for axis, size in enumerate(node.shape) if size != 1]
    ones = [axis for axis, size in enumerate(node.shape) if size == 1]
    return (*(axis for _, axis in sorted(zip(out, longer, strict=True))), *ones)


def between(a: Sequence[int], b: Sequence[int]) -> Subscripts:
    """Say which axis of the first is each of the second, where those listed together are one."""
    place = dict(zip(b, a, strict=True))
    return tuple([place[axis] for axis in range(len(b))])


def numbers_of(node: Node) -> tuple[Any, ...]:
    """Give the numbers that a node multiplies its operands with."""
    match node:
        case Add():
            return node.coefficients
        case Einsum():
            return (node.coefficient,) * len(node.operands)
    number = _ir.number_of(node)
    return () if number is None else (number,)
