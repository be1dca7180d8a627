"""One product along one path, as its operands are given: what `eingrad.einsum` computes.

In: subscripts, a search, which operands are constants. Out: nodes whose products are pairwise.
Guaranteed: operands are numbered as they are given, also where a path is read or asked for; what is
made of constants alone is a node of its own, so that it can be computed beforehand.

>>> from eingrad import _ir
>>> a, b, c = (_ir.new_input(name, (3, 3)) for name in "abc")
>>> product = Contraction([(0, 1), (1, 2), (2, 3)], (0, 3), dict.fromkeys(range(4), 3), {1, 2})
>>> [product.positions(part) for part in product.folds]
[[1, 2]]
>>> (fold,) = product.build_folds([a, b, c])
>>> fold.node is _ir.einsum("jk,kl->jl", b, c)
True
>>> product.build([a, b, c], [fold]) is _ir.einsum("ij,jl->il", a, fold.node)
True
"""

from collections.abc import Collection, Mapping, Sequence

from eingrad import _ir
from eingrad._ir import Factor, Node
from eingrad._plan.network import Network, Tree, tree_of_path
from eingrad._plan.path import Search, cheapest_tree, find_path, join
from eingrad._subscripts import Subscripts


class Contraction:
    """A product of operands, some of them constants, and the tree that it is contracted along.

    `folds` are the largest sets of constants that are contracted before another operand comes in.
    """

    def __init__(
        self,
        terms: Sequence[Subscripts],
        out: Subscripts,
        sizes: Mapping[int, int],
        constants: Collection[int] = (),
        search: Search = find_path,
    ) -> None:
        self._terms = terms
        self._network = Network(terms, out, sizes, sum(1 << n for n in constants))
        self._tree = self._search(search)
        self.folds = sorted(self._find_folds(), key=lambda part: part & -part)

    def _search(self, search: Search) -> Tree:
        """Search a tree: ours knows that steps of constants are free, and may leave them out."""
        if search is find_path:
            return cheapest_tree(self._network)
        terms, out, sizes = self._network.key
        return tree_of_path(search(terms, out, dict(sizes)), self._network.operands)

    def _find_folds(self) -> list[int]:
        other = ~self._network.known
        if not self._network.whole & other:
            return [self._network.whole]
        if self._network.whole in self._network.operands:
            return []
        pairs = [pair for whole, pair in self._tree.items() if whole & other]
        return [half for pair in pairs for half in pair if not half & other]

    @property
    def cost(self) -> int:
        """Cost of the steps, as the search charges them: of constants alone, nothing."""
        return self._network.cost(self._tree)

    def positions(self, part: int) -> list[int]:
        """Number the operands of a set."""
        return [n for n, operand in enumerate(self._network.operands) if part & operand]

    def build_folds(self, nodes: Sequence[Node]) -> list[Factor]:
        """Build what is made of constants alone, one for each of `folds`."""
        leaves = self._leaves(nodes)
        return [self._contract(part, leaves) for part in self.folds]

    def build(self, nodes: Sequence[Node], folded: Sequence[Factor] = ()) -> Node:
        """Build the product, with these in the place of what `build_folds` gave."""
        leaves = {**self._leaves(nodes), **dict(zip(self.folds, folded, strict=True))}
        return self._contract(self._network.whole, leaves).node

    def _leaves(self, nodes: Sequence[Node]) -> dict[int, Factor]:
        operands = self._network.operands
        return dict(zip(operands, map(Factor, nodes, self._terms), strict=True))

    def _contract(self, whole: int, leaves: Mapping[int, Factor]) -> Factor:
        """Contract a set of operands to the indices that are wanted of it, leaf by leaf."""
        if whole in leaves and leaves[whole].term == self._network.term(
            whole, [leaves[whole].term]
        ):
            return leaves[whole]
        live = dict(leaves)
        for part, pair in self._steps(whole, leaves).items():
            factors = [live[half] for half in pair]
            live[part] = self._join(part, factors)
        return live[whole] if whole not in leaves else self._join(whole, [live[whole]])

    def _join(self, part: int, factors: Sequence[Factor]) -> Factor:
        term = self._network.term(part, [term for _, term in factors])
        return Factor(_ir.contract(factors, term), term)

    def _steps(self, whole: int, leaves: Collection[int]) -> Tree:
        """Find the steps that make a set, small ones first; search those that the tree left out."""
        steps, pending = Tree(), [whole]
        while pending:
            part = pending.pop()
            if part in leaves:
                continue
            if part in self._tree:
                steps[part] = self._tree[part]
                pending += self._tree[part]
            else:
                operands = [operand for operand in self._network.operands if operand & part]
                steps.update(join(operands, self._network))
        return {part: steps[part] for part in sorted(steps, key=int.bit_count)}
