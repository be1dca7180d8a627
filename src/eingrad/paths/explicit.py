"""The plain sum of the product rule, with its deltas: a derivative before any algebra.

In: nodes, and a variable. Out: the `Monomial`s of the derivative, axes of the node first, then
those of the variable.
Guaranteed: a term for each way to choose a factor and what it depends on; each axis that the
variable is reached along is a delta of its own; nothing is collected, cancelled or shared.

>>> from eingrad import _ir
>>> x, b = _ir.new_input("x", (3,)), _ir.new_input("B", (3, 3))
>>> node = _ir.einsum("i,ij,j->", x, b, x)
>>> rule = ProductRule(x)
>>> [len(term.factors) for term in rule.derivative(Sums().of(node))]
[3, 3]
"""

from collections.abc import Sequence

from eingrad import _ir
from eingrad._ir import Add, Apply, Einsum, Node
from eingrad._primitives import Kind, apply, core_ndims, jacobian, kind_of
from eingrad._subscripts import Subscripts
from eingrad.errors import PlanError
from eingrad.paths.sums import Monomial, Sums, alone, is_entrywise, is_leaf, multiplied

MOST = 512  # terms of a derivative


class ProductRule:
    """Differentiates sums of products in one variable."""

    def __init__(self, variable: Node, sums: Sums | None = None) -> None:
        self.variable = variable
        self.sums = sums or Sums()
        self._known: dict[Node, list[Monomial]] = {}
        self._depends: dict[Node, bool] = {variable: True}

    def derivative(self, terms: Sequence[Monomial]) -> list[Monomial]:
        """Differentiate: ``d(A B C) = dA B C + A dB C + A B dC``.

        Raises
        ------
        PlanError
            If there are more than `MOST` terms.
        """
        found: list[Monomial] = []
        for term in terms:
            for k, (node, indices) in enumerate(term.factors):
                for part in self._of(node):
                    found.append(self._put(term, k, part, indices))
                    if len(found) > MOST:
                        raise PlanError(
                            f"the plain sum of the product rule has more than {MOST} terms; take "
                            "a smaller function, a lower order, or the derivative in normal form"
                        )
        return found

    def _put(self, term: Monomial, k: int, part: Monomial, indices: Subscripts) -> Monomial:
        """Put the derivative of a factor in its place."""
        shape = self.variable.shape
        start = 1 + max(term.sizes, default=-1)
        new = range(start, start + len(shape))
        sizes = {**term.sizes, **dict(zip(new, shape, strict=True))}
        parts = [(alone(n), i) for m, (n, i) in enumerate(term.factors) if m != k]
        parts.insert(k, (part, (*indices, *new)))
        return multiplied(parts, (*term.out, *new), sizes, term.coefficient)

    def _of(self, node: Node) -> list[Monomial]:
        """Differentiate a factor."""
        if node not in self._known:
            self._known[node] = self._differentiate(node) if self._reaches(node) else []
        return self._known[node]

    def _reaches(self, node: Node) -> bool:
        """Whether a node depends on the variable."""
        if node not in self._depends:
            for below in _ir.topological([node]):
                if below not in self._depends:
                    children = _ir.children(below)
                    self._depends[below] = any(self._depends[child] for child in children)
        return self._depends[node]

    def _differentiate(self, node: Node) -> list[Monomial]:
        if node is self.variable:
            return [_identity(node)]
        if isinstance(node, Apply):
            return self._chain(node)
        if isinstance(node, Einsum) and is_leaf(node):
            axes = dict(enumerate(node.sizes))
            own = Monomial(node.coefficient, node.factors, node.out, axes)
            return self.derivative([own])
        if isinstance(node, Add):
            pairs = zip(node.terms, node.coefficients, strict=True)
            return [part.scaled(c) for n, c in pairs for part in self._of(n)]
        return self.derivative(self.sums.of(node))

    def _chain(self, node: Apply) -> list[Monomial]:
        """``df(u, v) = f_u du + f_v dv``, a delta for each axis along which f goes by entries."""
        found: list[Monomial] = []
        for k, operand in enumerate(node.operands):
            inner = self._of(operand)
            local, batch = _local(node, k) if inner else (None, 0)
            if local is None:
                found += inner  # a conversion, or nothing
                continue
            outer = [alone(local)] if is_entrywise(local) else self.sums.of(local)
            found += [self._link(node, operand, batch, j, d) for j in outer for d in inner]
        return found

    def _link(
        self, node: Node, operand: Node, batch: int, local: Monomial, inner: Monomial
    ) -> Monomial:
        """Multiply ``df/du``, of the axes of f and the core axes of u, with ``du/dx``."""
        core = operand.ndim - batch
        axes = tuple(range(node.ndim))
        twins = tuple(range(node.ndim, node.ndim + batch))
        below = tuple(range(node.ndim + batch, node.ndim + batch + core))
        start = node.ndim + batch + core
        new = tuple(range(start, start + self.variable.ndim))
        shapes = (*node.shape, *operand.shape, *self.variable.shape)
        sizes = dict(enumerate(shapes))
        deltas = [(alone(_ir.delta(sizes[a])), (a, b)) for a, b in zip(axes, twins, strict=False)]
        parts = [(local, (*axes, *below)), *deltas, (inner, (*twins, *below, *new))]
        return multiplied(parts, (*axes, *new), sizes)


def _identity(node: Node) -> Monomial:
    """``d x / d x``: a delta for each axis."""
    n = node.ndim
    parts = [(alone(_ir.delta(size)), (axis, n + axis)) for axis, size in enumerate(node.shape)]
    return multiplied(parts, range(2 * n), dict(enumerate((*node.shape, *node.shape))))


def _local(node: Apply, k: int) -> tuple[Node | None, int]:
    """Give the Jacobian in operand k, and how many axes both share; None for a conversion."""
    kind = kind_of(node)
    if kind is Kind.CAST:
        return None, node.ndim
    if kind is Kind.SELECT:
        one, zero = (_ir.fill(c, node.shape, node.dtype) for c in (1, 0))
        chosen = {1: (one, zero), 2: (zero, one)}
        pair = chosen.get(k)
        return (apply("where", node.operands[0], *pair) if pair else zero), node.ndim
    found = jacobian(node, k)
    batch = node.ndim - core_ndims(node, k)[0]
    core = node.operands[k].shape[batch:]
    return (_ir.zeros((*node.shape, *core), node.dtype) if found is None else found), batch
