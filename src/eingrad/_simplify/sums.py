"""Sums of derivative terms: joined where used once, merged where equal, factored where shared."""

import math
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from eingrad import _ir
from eingrad._ir import Add, Coefficient, Factor, Node, Placement, Product
from eingrad._limits import BUDGET
from eingrad._simplify.products import MOST_OPERANDS, is_outgrown, open_operands
from eingrad._simplify.work import work
from eingrad._subscripts import Shape, Subscripts

MOST_TERMS = BUDGET.terms


def flatten(node: Node, once: Container[Node]) -> Node:
    """``(a + b) + c -> a + b + c`` where the inner sum is used once.

    Keeps value, shape and dtype. Terminates: operands are flat already. Leaves alone a sum with
    other users (a remainder that many tangents share), and more than `MOST_TERMS` terms.
    """
    if not isinstance(node, Add):
        return node
    terms: list[Node] = []
    coefficients: list[Coefficient] = []
    room = MOST_TERMS - len(node.terms)
    for term, coefficient in zip(node.terms, node.coefficients, strict=True):
        if isinstance(term, Add) and term in once and len(term.terms) - 1 <= room:
            room -= len(term.terms) - 1
            terms += term.terms
            coefficients += [_ir.multiply(coefficient, c) for c in term.coefficients]
        else:
            terms.append(term)
            coefficients.append(coefficient)
    return node if len(terms) == len(node.terms) else _ir.add(terms, coefficients)


def merge(node: Node, once: Container[Node]) -> Node:
    """``X (X X) + (X X) X -> 2 X X X``: terms that differ in their association alone are added.

    Keeps value, shape and dtype. Terminates: it looks once, and only where fewer terms result and
    less work. Leaves alone terms that become more than `MOST_OPERANDS` operands.
    """
    del once
    if not isinstance(node, Add):
        return node
    opened = [_open(term) for term in node.terms]
    if all(a is b for a, b in zip(opened, node.terms, strict=True)):
        return node
    total = _ir.add(opened, node.coefficients)
    count = len(total.terms) if isinstance(total, Add) else 1
    return total if count < len(node.terms) and work(total, ()) < work(node, ()) else node


def _open(term: Node) -> Node:
    """Open every contraction that a product contracts."""
    if not isinstance(term, Product):
        return term
    inner = {n for n in term.operands if isinstance(n, Product)}
    chains = {n for n in inner if n.sums and len(n.operands) > 1}
    total = sum(len(_ir.children(n)) if n in chains else 1 for n in term.operands)
    return open_operands(term, chains) if chains and total <= MOST_OPERANDS else term


@dataclass(frozen=True, slots=True)
class _Term:
    """A term of a sum as an elementwise product; no factors: the number alone."""

    factors: tuple[Factor, ...]
    coefficient: Coefficient


@dataclass(frozen=True, slots=True)
class _Like:
    """Shape and dtype of what is built."""

    shape: Shape
    dtype: object

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)


def factor(node: Node, once: Container[Node]) -> Node:
    """``a x + b x + c -> (a + b) x + c``: pull out operands that several terms share.

    Only terms without deltas are looked at: those with one pattern of deltas were collected to one
    core when the derivative was built, and that core is a sum of its own. The operand that most
    terms share goes first, the larger of two, then by digest; with it goes whatever else these
    terms share. What a broadcast repeats is one operand, or its factors, where that is less work;
    what is repeated along the same axes is added once, ``a[i] + b[i]`` of ``a[i] + b[i] + c[i,j]``.
    Keeps value, shape and dtype. Terminates: every step makes fewer terms. Leaves alone terms that
    are used elsewhere, unless they are outer products, which nobody shares.
    """
    if not isinstance(node, Add):
        return node
    node = _add_before_repeating(node)
    if not isinstance(node, Add):
        return node
    made = _factor(node, once, _factors)
    opened = _factor(node, once, _repeated_factors)
    if opened is made:
        return made
    given = {child for term in node.terms for child in _shared_below(term)}
    return min(made, opened, key=lambda form: work(form, given))


def _add_before_repeating(node: Add) -> Node:
    """Add the cores of terms that are constant along the same axes, and repeat the sum.

    Scalars are added to the smallest of these.
    """
    alike: dict[Subscripts, list[tuple[Node, Coefficient]]] = {}
    for term, coefficient in zip(node.terms, node.coefficients, strict=True):
        alike.setdefault(_carried(term), []).append((term, coefficient))
    every = tuple(range(node.ndim))
    partly = [axes for axes in alike if axes not in ((), every)]
    if () in alike and partly:  # a scalar goes with the least that is repeated
        least = min(partly, key=lambda axes: (math.prod(node.shape[a] for a in axes), axes))
        alike[least] += alike.pop(())
    if not any(len(pairs) > 1 for axes, pairs in alike.items() if axes not in ((), every)):
        return node
    terms: list[tuple[Node, Coefficient]] = []
    for axes, pairs in alike.items():
        if len(pairs) == 1 or axes in ((), every):
            terms += pairs
            continue
        cores = [_core_on(term, axes) for term, _ in pairs]
        total = _ir.add(cores, [coefficient for _, coefficient in pairs])
        sizes = dict(enumerate(node.shape))
        terms.append((_ir.contract([(total, axes)], every, sizes, 1, node.dtype), 1))
    return _ir.add([n for n, _ in terms], [c for _, c in terms])


def _carried(term: Node) -> Subscripts:
    """The axes that a term varies along; all where that is not plain to see."""
    match term:
        case Placement(core=(_, indices), structure=()) if len({*indices}) == len(indices):
            return tuple(axis for axis, index in enumerate(term.out) if index in indices)
    return tuple(range(term.ndim))


def _core_on(term: Node, axes: Subscripts) -> Node:
    """What a term repeats, its axes in order."""
    assert isinstance(term, Placement)
    out = [term.out[axis] for axis in axes]
    return _ir.contract(term.factors, out, term.sizes, term.coefficient, term.dtype)


def _shared_below(term: Node) -> Sequence[Node]:
    """What a term and the factors of what it repeats are both made of."""
    below = _ir.children(term)
    return _ir.children(below[0]) if _repeats(term) else below


_Factors = tuple[Factor, ...] | None


def _factor(
    node: Add, once: Container[Node], factors_of: Callable[[Node, Container[Node]], _Factors]
) -> Node:
    kept: list[tuple[Node, Coefficient]] = []
    open_terms: list[_Term] = []
    for term, coefficient in zip(node.terms, node.coefficients, strict=True):
        factors = factors_of(term, once)
        if factors is None:
            kept.append((term, coefficient))
        else:
            open_terms.append(_Term(factors, coefficient))
    if len(open_terms) < 2:  # noqa: PLR2004 - nothing to share
        return node
    factored = _pull_out(open_terms, node, once)
    if factored is None:
        return node
    every = [*kept, *factored]
    return _ir.add([n for n, _ in every], [c for _, c in every])


def _factors(term: Node, once: Container[Node]) -> _Factors:
    """Give the operands of an elementwise product; None for what must stay as it is.

    The coefficients of a sum's terms are on the sum.
    """
    whole = (Factor(term, tuple(range(term.ndim))),)
    match term:
        case Placement(ties=True):
            return None
        case Placement(structure=()):
            return _on_axes(term.factors, dict(zip(term.out, whole[0].term, strict=True)))
        case Product(sums=False) if len(term.sizes) == term.ndim:
            is_inner = len(term.factors) > 1 and not (term in once or is_outgrown(term))
            on_axes = dict(zip(term.out, whole[0].term, strict=True))
            return whole if is_inner else _on_axes(term.factors, on_axes)
    return whole


def _on_axes(factors: Iterable[Factor], axis: Mapping[int, int]) -> tuple[Factor, ...]:
    return tuple(Factor(n, tuple(axis[i] for i in t)) for n, t in factors)


def _repeated_factors(term: Node, once: Container[Node]) -> _Factors:
    """Give also the factors of what a broadcast repeats, which is a node of its own."""
    factors = _factors(term, once)
    if not factors or not _repeats(term) or factors[0][0] not in once:
        return factors
    ((node, axes),) = factors
    assert isinstance(node, Product)  # without a coefficient: it is on the sum
    return _on_axes(node.factors, dict(zip(node.out, axes, strict=True)))


def _repeats(term: Node) -> bool:
    """Whether a term is a broadcast elementwise product, by its construction a view of one node."""
    match term:
        case Placement(core=(Product() as node, _), structure=()):
            return len(node.sizes) == node.ndim
    return False


def _pull_out(
    terms: Sequence[_Term], node: Node | _Like, once: Container[Node]
) -> list[tuple[Node, Coefficient]] | None:
    """Factor until no two terms share an operand; None if none do."""
    open_terms = list(terms)
    while True:
        shared = _most_shared(open_terms)
        if shared is None:
            break
        members = [t for t in open_terms if shared in t.factors]
        common = Counter(members[0].factors)
        for member in members[1:]:
            common &= Counter(member.factors)
        open_terms = [t for t in open_terms if shared not in t.factors]
        product = _product_of(common, members, node, once)
        open_terms.append(product)
    if len(open_terms) == len(terms):
        return None
    every = tuple(range(node.ndim))
    return [(_build(t.factors, every, node), t.coefficient) for t in open_terms]


def _most_shared(terms: Sequence[_Term]) -> Factor | None:
    count: Counter[Factor] = Counter()
    for term in terms:
        count.update(set(term.factors))
    shared = [f for f, times in count.items() if times > 1]
    if not shared:
        return None
    return max(shared, key=lambda f: (count[f], f[0].size, f[0].digest, f[1]))


def _product_of(
    common: "Counter[Factor]",
    members: Sequence[_Term],
    node: Node | _Like,
    once: Container[Node],
) -> _Term:
    """Make ``common * (sum of what is left of each member)``, the sum in normal form itself."""
    rests = [_Term(tuple((Counter(m.factors) - common).elements()), m.coefficient) for m in members]
    axes = tuple(sorted({axis for rest in rests for _, term in rest.factors for axis in term}))
    place = {axis: n for n, axis in enumerate(axes)}
    like = _Like(tuple(node.shape[axis] for axis in axes), node.dtype)
    moved = [_Term(_on_axes(rest.factors, place), rest.coefficient) for rest in rests]
    inner = _pull_out(moved, like, once)
    if inner is None:
        every = tuple(range(len(axes)))
        inner = [(_build(rest.factors, every, like), rest.coefficient) for rest in moved]
    total = _ir.add(*zip(*inner, strict=True))
    flat = flatten(total, once)  # what is left of a member may be a sum
    if flat is not total:
        total = factor(flat, once)
    return _Term((*common.elements(), Factor(total, axes)), 1)


def _build(factors: Sequence[Factor], out: Subscripts, like: Node | _Like) -> Node:
    sizes = dict(zip(out, like.shape, strict=True))
    return _ir.contract(factors, out, sizes, 1, like.dtype)
