"""What a mode computes: derivatives taken in given directions, step by step as that mode does.

In: values of a function, variables, orders, the name of a mode. Out: a `PureMode`.
Guaranteed: a tangent, or a cotangent, of each value that lies between the variables and the result
is made, and nothing is reordered across them; each step alone goes along its cheapest path.

A step multiplies what arrives at a node with the local Jacobian there. That is never written out:
what meets ``-inv(X)[i,k] inv(X)[l,j]`` meets its factors, as in every implementation of a mode.
Deltas are eliminated as they meet. A higher order differentiates what the one before computes.
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set

from eingrad import _ir
from eingrad._choose import Choice
from eingrad._derive import Level, Root, derive_orders, take_direction
from eingrad._invariance import Use
from eingrad._ir import Apply, Factor, Node, Placement, Product
from eingrad._limits import BUDGET
from eingrad._mode.names import directions_of
from eingrad._plan import find_path, pairwise
from eingrad._primitives import Kind, jacobian, kind_of
from eingrad._subscripts import Subscripts

MOST_FACTORS = 6  # of a step, all of whose parts are looked at

_Taken = tuple[list[Node], list[Node]]  # derivatives; local Jacobians


class TooLargeError(Exception):
    """More nodes than are looked at."""


class Sweeps:
    """Derivatives of nodes in one direction each, those that several modes take once."""

    def __init__(self, most: int = BUDGET.compared_nodes) -> None:
        self._most = most
        self.take: Callable[[Node, tuple[Node, ...], str], _Taken] = functools.cache(self._take)

    def _take(self, y: Node, variables: tuple[Node, ...], direction: str) -> _Taken:
        """Differentiate, the factors of local Jacobians in their place; say what those are."""
        level = _ir.topological([y])
        self._check(level)
        local = [*dict.fromkeys(_local_jacobians(level, variables))]
        found = take_direction(y, variables, direction)
        self._check(_ir.topological([*found, y]))
        return _opened(found, level, local), local

    def _check(self, nodes: Sequence[Node]) -> None:
        if len(nodes) > self._most:
            raise TooLargeError


class PureMode:
    """A derivative that is taken in the directions of a mode, and planned as it is derived.

    Attributes
    ----------
    roots : list of Root
        The derivatives, their products pairwise.
    local : dict of nodes
        Local Jacobians.
    """

    def __init__(
        self,
        values: Sequence[Node],
        variables: Sequence[Node],
        orders: Sequence[int],
        mode: str,
        sweeps: Sweeps,
    ) -> None:
        self._directions = directions_of(mode)[::-1]
        self._sweeps = sweeps
        self._done = 0  # differentiations
        self.local: dict[Node, None] = {}
        self._long: dict[Node, Product] = {}  # products before their factors were ordered
        found, _ = derive_orders(values, variables, orders, self._differentiate, self._between)
        nodes = [*dict.fromkeys(root.node for root in found)]
        planned = dict(zip(nodes, self._planned(nodes), strict=True))
        self.roots = [Root(planned[root.node], root.axes, root.symmetry) for root in found]

    @functools.cached_property
    def _nodes(self) -> list[Node]:
        return [*_ir.topological([*dict.fromkeys(root.node for root in self.roots)])]

    @property
    def steps(self) -> list[Node]:
        """What is computed for the results; products also of all factors that a step has."""
        return [*self._nodes, *self.long]

    @property
    def long(self) -> list[Product]:
        """Products of `steps` of more than two factors, not ordered yet."""
        found = (self._long.get(_core(node)) for node in self._nodes)
        return [*dict.fromkeys(node for node in found if node is not None)]

    def _differentiate(
        self, y: Node, variables: tuple[Node, ...], /, *, use: Use, hessian: bool, of_value: bool
    ) -> tuple[list[Node], Choice]:
        del use, hessian, of_value  # the direction is given
        found, local = self._sweeps.take(y, variables, self._directions[self._done])
        self.local.update(dict.fromkeys(local))
        return found, Choice()

    def _between(self, level: Level) -> Level:
        self._done = len(next(iter(level)))
        return dict(zip(level, self._planned([*level.values()]), strict=True))

    def _planned(self, roots: Sequence[Node]) -> list[Node]:
        """Make products pairwise, and remember of which step each is."""
        nodes = _ir.topological(roots)
        planned = dict(zip(nodes, pairwise(nodes, _alone), strict=True))
        for node in nodes:
            if isinstance(node, Product) and 2 < len(node.factors) <= MOST_FACTORS:  # noqa: PLR2004
                factors = [Factor(planned[n], term) for n, term in node.factors]
                long = _core(_ir.contract(factors, node.out, node.sizes, 1, node.dtype))
                if isinstance(long, Product):
                    self._long[_core(planned[node])] = long
        return [planned[root] for root in roots]


def _core(node: Node) -> Node:
    """Take away what only places entries, and of a product the order of its axes."""
    while isinstance(node, Placement) and node.core is not None:
        node = node.core.node
    return _ir.canonical_twin(node)[0] if isinstance(node, Product) else node


def _alone(
    terms: Sequence[Subscripts], out: Subscripts, sizes: Mapping[int, int]
) -> tuple[tuple[int, ...], ...]:
    """Search a path for one product, as if there were no other."""
    return find_path(terms, out, sizes)


def _opened(roots: Sequence[Node], keep: Sequence[Node], jacobians: Iterable[Node]) -> list[Node]:
    """Put the factors of local Jacobians in their place in products."""
    kept = {*keep}
    local = {_ir.canonical_twin(node)[0] for node in jacobians if isinstance(node, Product)} - kept

    def rule(node: Node) -> Node:
        if not isinstance(node, Product) or not any(n in local for n in node.operands):
            return node
        fresh = itertools.count(len(node.sizes))
        factors = [f for factor in node.factors for f in _factors(factor, local, fresh)]
        return _ir.contract(factors, node.out, node.sizes, node.coefficient, node.dtype)

    return _ir.rewrite(roots, rule, {node: node for node in keep})


def _factors(factor: Factor, local: Set[Node], fresh: Iterator[int]) -> list[Factor]:
    if isinstance(factor.node, Product) and factor.node in local:
        return _ir.splice(factor.node, factor.term, fresh)
    return [factor]


def _local_jacobians(nodes: Iterable[Node], variables: Iterable[Node]) -> Iterator[Node]:
    """Give the Jacobians of calls in the operands that depend on a variable."""
    active = {*variables}
    for node in nodes:
        if any(child in active for child in _ir.children(node)):
            active.add(node)
            if isinstance(node, Apply) and kind_of(node) not in (Kind.CAST, Kind.SELECT):
                for k, operand in enumerate(node.operands):
                    found = jacobian(node, k) if operand in active else None
                    if found is not None:
                        yield found
