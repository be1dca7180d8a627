"""Symmetrise sums over a group of permutations by chains of cosets (4! terms: 5 additions)."""

import itertools
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from eingrad import _ir
from eingrad._ir import Add, Coefficient, Factor, Node, Placement, Product
from eingrad._limits import BUDGET
from eingrad._simplify.expand import distribute, is_open
from eingrad._simplify.products import is_outgrown
from eingrad._simplify.sums import factor
from eingrad._simplify.work import work
from eingrad._subscripts import Subscripts

MOST_TWINS = BUDGET.twins
MOST_SYMMETRIES = BUDGET.symmetries

Axes = tuple[int, ...]  # an order of axes, as np.transpose takes it


@dataclass(frozen=True, slots=True)
class _Symmetry:
    """An order of axes that maps a sum to itself, and which term it maps each term to."""

    axes: Axes
    moves: tuple[int, ...]

    def then(self, other: "_Symmetry") -> "_Symmetry":
        """Transpose by this one first, then by the other."""
        axes = tuple(self.axes[axis] for axis in other.axes)
        return _Symmetry(axes, tuple(other.moves[n] for n in self.moves))


def symmetrise(node: Node, once: Container[Node]) -> Node:
    """``A + A^T + B + B^T -> C + C^T`` with ``C = A + B``; k! twins take few additions.

    The derivative of order k is symmetric in its k last groups of axes, and so is the set of its
    terms. From the terms, the orders of axes that map the set to itself are found; a group of them
    is summed over in stages, each over the cosets of the one before: the 24 orders of four axes
    take 1 + 1 + 1 + 2 additions. A twin is a view of the other one, so the core is computed once.

    Keeps value, shape and dtype. Terminates: it looks once, and only where additions become fewer.
    Leaves alone terms that deltas tie (placing them costs their nonzeros alone), terms that no
    symmetry moves freely, sums of more than `MOST_TWINS` terms, and sums that factoring makes
    cheaper.
    """
    if not isinstance(node, Add):
        return node
    forms = [_symmetrise(node, once)]
    opened = _open(node, once)
    if opened is not node:
        forms.append(_symmetrise(opened, once))
    made = [form for form in forms if form is not None]
    if not made:
        return node
    given = {operand for term in node.terms for operand in _ir.children(term)}
    given.update(n for n in node.terms if not isinstance(n, (Product, Placement)))
    given.difference_update([n for n in given if isinstance(n, Add) and is_open(n)])
    plain = work(factor(node, once), given)
    costs = [work(form, given) for form in made]
    best = min(range(len(made)), key=costs.__getitem__)
    return made[best] if costs[best] < plain else node


def _open(node: Add, once: Container[Node]) -> Add:
    """Multiply out the products of outer products with sums of such, as far as few terms result."""
    done: list[tuple[Node, Coefficient]] = []
    pending = list(zip(node.terms, node.coefficients, strict=True))[::-1]
    while pending:
        term, coefficient = pending.pop()
        if len(done) + len(pending) >= MOST_TWINS:
            return node
        if isinstance(term, Product) and is_outgrown(term):
            sums = [n for n, o in enumerate(term.operands) if isinstance(o, Add) and is_open(o)]
            if sums:
                total = distribute(term, sums[0], once)
                inner = total if isinstance(total, Add) else None
                terms = inner.terms if inner else (total,)
                coefficients = inner.coefficients if inner else (1,)
                pending += [
                    (n, _ir.multiply(coefficient, c))
                    for n, c in zip(terms, coefficients, strict=True)
                ]
                continue
        done.append((term, coefficient))
    if len(done) == len(node.terms):
        return node
    total = _ir.add(*zip(*done, strict=True))
    return total if isinstance(total, Add) else node


def _symmetrise(node: Add, once: Container[Node]) -> Node | None:
    """Sum over the symmetries of the terms in stages; None where that saves no addition."""
    if not 2 <= len(node.terms) <= MOST_TWINS:  # noqa: PLR2004 - one term has no twin
        return None
    pairs = list(zip(node.terms, node.coefficients, strict=True))
    plain = [(n, c) for n, c in pairs if not _ir.carries_delta(n)]
    kept = [(n, c) for n, c in pairs if _ir.carries_delta(n)]
    stages = _stages(plain) if len(plain) > 1 else []
    if not stages:
        return None
    group = stages[-1]
    orbits = {frozenset(s.moves[n] for s in group) for n in range(len(plain))}
    free = sorted(min(orbit) for orbit in orbits if len(orbit) == len(group))
    others = sorted(n for orbit in orbits if len(orbit) < len(group) for n in orbit)
    total = factor(_ir.add(*zip(*(plain[n] for n in free), strict=True)), once)
    done = [_identity(len(plain), node.ndim)]
    for stage in stages:
        total = _ir.add([_ir.transpose(total, s.axes) for s in _cosets(done, stage)])
        done = stage
    rest = [*kept, *(plain[n] for n in others)]
    return _ir.add([total, *(n for n, _ in rest)], [1, *(c for _, c in rest)]) if rest else total


def _identity(terms: int, ndim: int) -> _Symmetry:
    return _Symmetry(tuple(range(ndim)), tuple(range(terms)))


def _stages(pairs: Sequence[tuple[Node, Coefficient]]) -> list[list[_Symmetry]]:
    """Find nested groups of symmetries to sum over; none where no additions are saved."""
    generators = _generators(pairs)
    if not generators:
        return []
    group = [_identity(len(pairs), pairs[0][0].ndim)]
    chain: list[list[_Symmetry]] = []
    best: list[list[_Symmetry]] = []
    least = len(pairs) - 1
    everything = _closure(generators)
    while len(group) < len(everything):
        bigger = [_closure([*group, s]) for s in everything if s not in group]
        group = min(bigger, key=lambda g: (len(g), [s.axes for s in g]))
        chain = [*chain, group]
        additions = _additions(chain, len(pairs))
        if additions < least:
            best, least = chain, additions
    return best


def _additions(chain: Sequence[Sequence[_Symmetry]], count: int) -> int:
    """How many additions the terms take when summed by stages."""
    group = chain[-1]
    orbits = {frozenset(s.moves[n] for s in group) for n in range(count)}
    free = sum(len(orbit) == len(group) for orbit in orbits)
    if not free:
        return count
    sizes = [1, *map(len, chain)]
    staged = sum(b // a - 1 for a, b in itertools.pairwise(sizes))
    return staged + free - 1 + count - free * len(group)


def _generators(pairs: Sequence[tuple[Node, Coefficient]]) -> list[_Symmetry]:
    """Orders of axes that map the terms to themselves, enough to compose all found from."""
    coefficient = dict(pairs)
    number = {node: n for n, (node, _) in enumerate(pairs)}
    kinds = [_kind(node) for node, _ in pairs]
    dtype = pairs[0][0].dtype
    found: list[_Symmetry] = []
    known: list[_Symmetry] = []
    tried: set[Axes] = set()
    for n, (factors, out) in enumerate(kinds):
        for m, (others, other_out) in enumerate(kinds):
            if m == n or others != factors:
                continue
            if set(other_out) != set(out) or pairs[n][1] != pairs[m][1]:
                continue
            axes = tuple(out.index(index) for index in other_out)
            if axes in tried or any(s.axes == axes for s in known):
                continue
            tried.add(axes)
            moves = [number.get(_permute(kind, axes, dtype)) for kind in kinds]
            if any(
                to is None or coefficient[pairs[to][0]] != c
                for to, (_, c) in zip(moves, pairs, strict=True)
            ):
                continue
            more = [*found, _Symmetry(axes, tuple(to for to in moves if to is not None))]
            closure = _closure(more)
            if len(closure) <= MOST_SYMMETRIES:
                found, known = more, closure
        if found:
            break
    return found


def _closure(generators: Iterable[_Symmetry]) -> list[_Symmetry]:
    """All compositions, sorted; may stop short of all where there are too many."""
    generators = list(generators)
    first = generators[0]
    seen = {_identity(len(first.moves), len(first.axes))}
    new = list(seen)
    while new and len(seen) <= MOST_SYMMETRIES:
        new = [c for c in {a.then(b) for a in new for b in generators} if c not in seen]
        seen.update(new)
    return sorted(seen, key=lambda s: s.axes)


def _cosets(inner: Sequence[_Symmetry], outer: Sequence[_Symmetry]) -> list[_Symmetry]:
    """One symmetry of each coset of the inner group in the outer one."""
    chosen = []
    covered: set[_Symmetry] = set()
    for symmetry in outer:
        if symmetry not in covered:
            chosen.append(symmetry)
            covered.update(s.then(symmetry) for s in inner)
    return chosen


Kind = tuple[tuple[Factor, ...], Subscripts]


def _kind(node: Node) -> Kind:
    """What twins have in common, operands and how they are wired; and the order of the result."""
    match node:
        case Product() | Placement(factors=(_, *_), repeated=()):
            return node.factors, node.out
    axes = tuple(range(node.ndim))
    return (Factor(node, axes),), axes


def _permute(kind: Kind, axes: Axes, dtype: object) -> Node:
    """Build the twin that an order of axes makes."""
    factors, out = kind
    return _ir.contract(factors, tuple(out[axis] for axis in axes), dtype=dtype)
