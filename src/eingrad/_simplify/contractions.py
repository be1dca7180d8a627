"""Push contractions into derivatives: what is contracted with arrays is never written out.

In: expressions in which derivatives are multiplied, traced or indexed. Out: equal expressions in
which the small factor meets the network first. ``(A + D W A) v`` is ``A v + D W (A v)``, a tangent
that goes forward; ``w (A + D W A)`` is ``(w + w D W) A``, a cotangent that is accumulated and goes
backward. Both are the distributive law, applied to the sums that differentiation made and to no
other: what a user wrote as a sum stays one.
Guaranteed: every sum is opened once for all that meets it, so the result is linear in the graph.

>>> from eingrad import _ir
>>> w, d, v = (_ir.new_input(n, (3,) * k) for n, k in (("w", 2), ("d", 1), ("v", 1)))
>>> sum_of_two = _ir.add([w, _ir.einsum("i,ij->ij", d, w)])
>>> made = made_by_differentiation([sum_of_two], [])
>>> (pushed,) = push([_ir.einsum("ij,j->i", sum_of_two, v)], made)
>>> [n.shape for n in _ir.children(pushed)]
[(3,), (3,)]
"""

import heapq
import itertools
import math
import threading
import weakref
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._ir import Add, Coefficient, Einsum, Factor, Input, Node, Product, Structural
from eingrad._locks import fork_safe
from eingrad._subscripts import Shape, Subscripts

# Digests of what was differentiated, by the symbols in it. Inside a trace, the trace keeps them.
_of_symbols: weakref.WeakKeyDictionary[Input, frozenset[bytes]] = weakref.WeakKeyDictionary()
_lock = fork_safe(threading.Lock())

Made = Set[bytes]
Opens = Mapping[Node, int]  # what may be opened, numbered operands first
Task = Generator[Node, Node, Node]  # asks for the pushed form of nodes, returns that of its own


def made_by_differentiation(derivatives: Sequence[Node], values: Sequence[Node]) -> Made:
    """Give the digests of the sums and products that derivatives have and their values have not.

    Digests, for a node may die and be made again before it is contracted.
    """
    known = {*_ir.topological(values)}
    made = [n for n in _ir.topological(derivatives) if _is_linear(n) and n not in known]
    return {twin.digest for node in made for twin in _twins(node)}


def remember(derivatives: Sequence[Node], made: Made) -> None:
    """Note for symbols what was made of them; it is forgotten with the symbol."""
    with _lock:
        for symbol in _ir.inputs(derivatives):
            _of_symbols[symbol] = _of_symbols.get(symbol, frozenset()) | made


def remembered(roots: Sequence[Node]) -> Made:
    """Recall what was made of the symbols below."""
    with _lock:
        made = [_of_symbols.get(symbol, frozenset()) for symbol in _ir.inputs(roots)]
    return frozenset().union(*made)


def push(roots: Sequence[Node], made: Made) -> list[Node]:
    """Multiply, trace and index derivatives from the outside in, wherever that keeps them small.

    `made` has the digests of what may be opened. Keeps value, shape and dtype.
    """
    opens: dict[Node, int] = {}  # derivatives, and what is linear in them
    pushed: dict[Node, Node] = {}

    def rule(node: Node) -> Node:
        is_made = node.digest in made
        if not is_made and not (_is_linear(node) and _uses(node, opens)):
            return node
        if not is_made and isinstance(node, Einsum):
            node = _run(node, opens, pushed)
        for twin in _twins(node):
            opens.setdefault(twin, len(opens))
        return node

    return _ir.rewrite(roots, rule)


def _twins(node: Node) -> tuple[Node, ...]:
    """Return a node, and what stands for it where it is used."""
    if isinstance(node, Product):
        return node, _ir.canonical_twin(node)[0]
    return (node,)


def _is_linear(node: Node) -> bool:
    return isinstance(node, (Add, Einsum)) and not _ir.is_fill(node)


def _uses(node: Node, opens: Opens) -> bool:
    """Whether a node is made of derivatives, directly or as a placement of a product of them."""
    below = _ir.children(node)
    cores = (n for child in below if isinstance(child, Einsum) for n in child.operands)
    return any(n in opens for n in itertools.chain(below, cores))


# One contraction ---------------------------------------------------------------------------------


def _run(root: Node, opens: Opens, pushed: dict[Node, Node]) -> Node:
    """Run a task and those that it asks for; without recursion, for networks are deep."""
    if root in pushed:
        return pushed[root]
    stack = [(root, _task(root, opens))]
    answer: Any = None  # what starts a generator
    while stack:
        node, task = stack[-1]
        try:
            asked = task.send(answer)
        except StopIteration as stop:
            stack.pop()
            answer = pushed[node] = stop.value
            continue
        answer = pushed.get(asked)
        if answer is None and any(asked is node for node, _ in stack):
            answer = asked  # canonical form gives the node itself: do not recurse
        if answer is None:
            stack.append((asked, _task(asked, opens)))
    assert isinstance(answer, Node)
    return answer


def _task(root: Node, opens: Opens) -> Task:
    """Open the derivatives in one contraction, the last made first: all that meets one is added."""
    met: dict[_Meeting, list[Node]] = {}
    ended: dict[_Meeting | None, list[_Network]] = {}
    queue: list[tuple[int, int, _Meeting]] = []  # what is used is made before its users
    serial = itertools.count()
    fresh: Iterable[Node] = (root,)
    limit = math.inf  # what opens must have been made before what was opened last: so this ends
    while True:
        for node in fresh:
            if _ir.is_zero(node):
                continue
            network = yield from _contracted(_Network.read(node, opens), opens)
            found = network.whole(opens)
            if found is None or opens[found.node] >= limit:
                ended.setdefault(network.end(), []).append(network)
                continue
            meeting, rest = network.meeting(found)
            if meeting not in met:
                heapq.heappush(queue, (-opens[meeting.tensor], next(serial), meeting))
            met.setdefault(meeting, []).append((yield rest))
        if not queue:
            break
        meeting = heapq.heappop(queue)[-1]
        limit = opens[meeting.tensor]
        fresh = meeting.opened(_ir.add(met.pop(meeting)))
    done: list[Node] = []
    for end, networks in ended.items():
        done += (
            [n.node() for n in networks]
            if len(networks) == 1 or end is None
            else [end.joined(networks)]
        )
    return _ir.add(done) if done else _ir.zeros(root.shape, root.dtype)


def _contracted(network: "_Network", opens: Opens) -> Generator[Node, Node, "_Network"]:
    """Contract derivatives with the factors that make them smaller, where others remain."""
    while True:
        found = network.part(opens)
        if found is None:
            return network
        part, term = found
        node = yield network.over(part, term)
        network = network.with_part(part, Factor(node, term))


@dataclass(frozen=True, slots=True)
class _Meeting:
    """A pairwise contraction ``tensor x rest -> result``, as terms of indices."""

    tensor: Node
    term: Subscripts
    other: Subscripts
    shape: Shape  # of the result, whose indices come first

    def opened(self, other: Node) -> list[Node]:
        """Contract what the derivative consists of."""
        node = self.tensor
        if not isinstance(node, Add):
            return [self._opened(node, other)]
        return [
            _ir.scale(self._opened(part, other), c)
            for part, c in zip(node.terms, node.coefficients, strict=True)
        ]

    def joined(self, networks: Sequence["_Network"]) -> Node:
        """Add what this tensor, which does not open, is contracted with: ``W u + W v``."""
        rest = []
        for network in networks:
            found = network.whole()
            assert found is not None
            rest.append(network.meeting(found)[1])
        out = tuple(range(len(self.shape)))
        factors = (self.tensor, self.term), (_ir.add(rest), self.other)
        return _ir.contract(factors, out, self.shape)

    def _opened(self, part: Node, other: Node) -> Node:
        factors = [Factor(part, self.term), Factor(other, self.other)]
        coefficient: Coefficient = 1
        is_diagonal = len({*self.term}) < len(self.term)  # of what is added by position, few terms
        if isinstance(part, Einsum) and (part is self.tensor or not part.sums or is_diagonal):
            fresh = itertools.count(len(self.shape) + len(self.term))
            factors[:1] = _factors(part, self.term, fresh)
            coefficient = part.coefficient
        out = tuple(range(len(self.shape)))
        return _ir.contract(factors, out, self.shape, coefficient, part.dtype)


def _factors(node: Einsum, term: Subscripts, fresh: Iterator[int]) -> list[Factor]:
    """Read a product whose axes have these indices."""
    return [*_ir.splice(node, term, fresh), *_ir.ones_along(node, term)]


@dataclass(frozen=True, slots=True)
class _Network:
    """``result[0, 1, ...] = coefficient * sum of the product of the factors``."""

    factors: tuple[Factor, ...]
    shape: Shape
    coefficient: Coefficient
    dtype: np.dtype[Any]

    @classmethod
    def read(cls, node: Node, opens: Opens) -> "_Network":
        """Read one product; if it is placed by structure, look below that."""
        out = tuple(range(node.ndim))
        if not isinstance(node, Einsum) or (node in opens and not _uses(node, opens)):
            return cls((Factor(node, out),), node.shape, 1, node.dtype)
        fresh = itertools.count(node.ndim)
        factors = []
        coefficient = node.coefficient
        for f in _factors(node, out, fresh):
            core = f.node
            if isinstance(core, Einsum) and core not in opens and _uses(core, opens):
                factors += _factors(core, f.term, fresh)
                coefficient = _ir.multiply(coefficient, core.coefficient)
            else:
                factors.append(f)
        return cls(tuple(factors), node.shape, coefficient, node.dtype)

    @property
    def out(self) -> Subscripts:
        """Indices of the result."""
        return tuple(range(len(self.shape)))

    def node(self) -> Node:
        """Build it."""
        return self.over(self.factors, self.out, self.coefficient)

    def over(
        self, factors: Sequence[Factor], term: Subscripts, coefficient: Coefficient = 1
    ) -> Node:
        """Contract some factors to the indices of a term."""
        return _ir.contract(factors, term, self.shape, coefficient, self.dtype)

    def with_part(self, part: Sequence[Factor], new: Factor) -> "_Network":
        """Put a contracted part in the place of its factors."""
        return replace(self, factors=(*_without(self.factors, part), new))

    def part(self, opens: Opens) -> tuple[list[Factor], Subscripts] | None:
        """Find a derivative and factors to contract it with first, the smallest that there are."""
        best: tuple[int, list[Factor], Subscripts] | None = None
        for derivative in self.factors:
            if derivative.node not in opens:
                continue
            others = _without(self.factors, (derivative,))
            for group in _groups(others, derivative):
                rest = _without(others, group)
                if not rest:
                    continue
                kept = {*self.out, *_indices(rest)}
                term = tuple(sorted(kept & _indices((derivative, *group))))
                size = self._size(kept & _indices(group) | {*derivative.term} & _indices(group))
                if self._is_smaller(derivative, term, size) and (best is None or size < best[0]):
                    best = size, [derivative, *group], term
        return best[1:] if best else None

    def end(self) -> _Meeting | None:
        """Say what a network that has nothing to open is a product with, to add up its like."""
        found = self.whole()
        return self.meeting(found)[0] if found else None

    def whole(self, opens: Opens | None = None) -> Factor | None:
        """Find what is best contracted with all else together, among derivatives or everything."""
        best: tuple[int, Factor] | None = None
        for factor in self.factors:
            node = factor.node
            if isinstance(node, Structural) or (opens is not None and node not in opens):
                continue
            others = _indices(_without(self.factors, (factor,)))
            term = tuple(i for i in self.out if i in others or i in factor.term)
            size = self._size(others & {*self.out, *factor.term})
            if self._is_smaller(factor, term, size) and (best is None or size < best[0]):
                best = size, factor
        return best[1] if best else None

    def _is_smaller(self, derivative: Factor, result: Iterable[int], other: int) -> bool:
        """Whether neither the result nor what the derivative is contracted with is as large."""
        size = derivative.node.size
        room = size if isinstance(derivative.node, Einsum) else size - 1
        return self._size(result) < size and other <= room

    def _size(self, indices: Iterable[int]) -> int:
        sizes = dict(enumerate(self.shape)) | _ir.sizes_of(self.factors)
        return math.prod(sizes[i] for i in indices)

    def meeting(self, tensor: Factor) -> tuple[_Meeting, Node]:
        """Number the axes in order of the tensor's; give the rest as one node."""
        others = _without(self.factors, (tensor,))
        number = {i: i for i in self.out}
        for axis, index in enumerate(tensor.term):
            number.setdefault(index, len(self.shape) + axis)
        shared = sorted(_indices(others) & number.keys(), key=number.__getitem__)
        renamed = tuple(number[i] for i in shared)
        term = tuple(number[i] for i in tensor.term)
        rest = self.over(others, tuple(shared), self.coefficient)
        return _Meeting(tensor.node, term, renamed, self.shape), rest


def _without(factors: Sequence[Factor], gone: Sequence[Factor]) -> list[Factor]:
    """Leave some factors out; an equal one may be another: ``A_ij A_ij``."""
    return [f for f in factors if all(f is not other for other in gone)]


def _indices(factors: Iterable[Factor]) -> set[int]:
    return {i for f in factors for i in f.term}


def _groups(factors: Sequence[Factor], derivative: Factor) -> list[list[Factor]]:
    """Factors that hang together by indices that the derivative does not have."""
    groups: list[list[Factor]] = []
    for factor in factors:
        own = {*factor.term}.difference(derivative.term)
        tied = [g for g in groups if own & _indices(g)]
        groups = [g for g in groups if g not in tied]
        groups.append([factor, *itertools.chain.from_iterable(tied)])
    return groups
