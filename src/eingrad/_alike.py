"""Terms of a derivative that are the same product, however they are bracketed and divided.

In: terms that are added. Out: fewer, of the same sum: like ones are one, or none where they cancel.
Guaranteed: value, shape and dtype are kept wherever all factors are finite, up to rounding. What is
kept is one of the terms, as it was; nothing is multiplied out.

A product is written in one way: every product among its factors is opened, also one that sums, and
powers of the same entries are multiplied. With ``y = s A (x / s)``, the derivative in s by the
first factor is ``g A (x / s)``, that by the second ``-g s A x / s**2``: the same, but for the sign.

>>> from eingrad import _ir
>>> from eingrad._primitives import reciprocal
>>> a, x, s = (_ir.new_input(name, (3,) * n) for name, n in (("a", 2), ("x", 1), ("s", 0)))
>>> first = _ir.einsum("ij,j->i", a, _ir.einsum("i,->i", x, reciprocal(s)))
>>> second = _ir.einsum(",i,,->i", s, _ir.einsum("ij,j->i", a, x), *[reciprocal(s)] * 2)
>>> combined([(first, 1), (second, -1)])
[]
"""

import cmath
import itertools
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from eingrad import _ir
from eingrad._cancel import cancelled
from eingrad._ir import Apply, Coefficient, Factor, Node, Placement, Product, Structural
from eingrad._limits import BUDGET
from eingrad._powers import Powers, powers_of
from eingrad._primitives import exponents_of, power
from eingrad._subscripts import Shape, Subscripts

Term = tuple[Node, Coefficient]
_Like = tuple[Node, Coefficient]


def combined(terms: Sequence[Term]) -> list[Term]:
    """``a T + b T -> (a + b) T``, for products T that are bracketed differently.

    Terminates: it looks once. Leaves alone terms that are no products, those of more than
    `BUDGET.operands` factors, and whatever is made of other arrays than all other terms.
    """
    groups: dict[frozenset[Node], list[Product]] = {}
    for node in dict.fromkeys(node for node, _ in terms):  # equal ones are added anyway
        made_of = _arrays(node) if isinstance(node, Product) else None
        if isinstance(node, Product) and made_of is not None:
            groups.setdefault(made_of, []).append(node)
    like: dict[Node, _Like] = {}  # a term, and the one that it is a multiple of
    for nodes in groups.values():
        if len(nodes) > 1:
            like.update(_likes(nodes))
    if not like:
        return [*terms]
    total: dict[Node, Coefficient] = {}
    for node, c in terms:
        kept, ratio = like.get(node, (node, 1))
        total[kept] = _ir.add_exactly(total.get(kept, 0), _ir.multiply(c, ratio))
    return [(node, c) for node, c in total.items() if c != 0]


def _likes(nodes: Sequence[Product]) -> Iterator[tuple[Node, "_Like"]]:
    """Say of like products which one of them they are a multiple of: that of fewest factors."""
    alike: dict[Node, list[tuple[Product, Coefficient]]] = {}
    for node in nodes:
        opened = _opened(node)
        number = opened.coefficient if isinstance(opened, Product) else 1
        if opened is not None and cmath.isfinite(number):
            alone = opened if number == 1 else _ir.scale(opened, _ratio(1, number))
            alike.setdefault(alone, []).append((node, number))
    for found in alike.values():
        kept, own = min(found, key=lambda pair: len(pair[0].factors))
        for node, number in found:
            if node is not kept:
                yield node, (kept, _ratio(number, own))


def _ratio(a: Coefficient, b: Coefficient) -> Coefficient:
    return a / b if isinstance(b, complex) else _ir.multiply(a, 1 / Fraction(b))


def _arrays(node: Node) -> frozenset[Node] | None:
    """Arrays that a product is made of powers of: a first look, without indices. None: too many."""
    found: set[Node] = set()
    pending = [node]
    for _ in range(3 * BUDGET.operands):
        if not pending:
            return frozenset(found)
        match inner := pending.pop():
            case Product() | Placement(structure=()):
                pending += inner.operands
            case Apply() if exponents_of(inner):
                pending += inner.operands
            case _:
                found.add(inner)
    return None


def _opened(node: Product) -> Node | None:
    """Write a product in one way; None where it has too many factors."""
    fresh = itertools.count(len(node.sizes))
    found = _ir.open_factors(node.factors, _is_product, fresh, BUDGET.operands)
    if any(_is_product(factor.node) for factor in found.factors):
        return None
    sizes = _ir.sizes_of([Factor(node, node.out)])
    product, number = canonical(found.factors, node.out, sizes, node.dtype)
    return _ir.scale(
        product, _ir.multiply(number, _ir.multiply(found.coefficient, node.coefficient))
    )


def _is_product(node: Node) -> bool:
    return isinstance(node, Product)


def canonical(
    factors: Sequence[Factor], out: Subscripts, sizes: Mapping[int, int] | Shape, dtype: object
) -> tuple[Node, Coefficient]:
    """Write a product in one way: powers of the same entries multiplied. Give a number apart."""
    sizes = {
        **dict(enumerate(sizes) if isinstance(sizes, tuple) else sizes),
        **_ir.sizes_of(factors),
    }
    made = _in_powers(factors)
    left = {*out, *(i for _, term in made for i in term)}
    coefficient: Coefficient = 1
    for index in sizes.keys() - left:  # one was summed
        coefficient = _ir.multiply(coefficient, sizes[index])
    product = cancelled(_ir.contract(made, out, sizes, 1, dtype))
    if isinstance(product, Product | Placement) and product.coefficient not in (0, 1):
        coefficient = _ir.multiply(coefficient, product.coefficient)
        product = _ir.with_coefficient(product, 1)
    return product, coefficient


def _in_powers(factors: Sequence[Factor]) -> list[Factor]:
    """Multiply powers of the same entries; leave what is repeated along an axis of size one."""
    made: list[Factor] = []
    total: Powers = {}
    for factor in factors:
        powers = {factor: 1} if isinstance(factor.node, Structural) else powers_of(*factor)
        if isinstance(factor.node, Structural) or any(min(f.term, default=0) < 0 for f in powers):
            made.append(factor)
            continue
        for base, exponent in powers.items():
            total[base] = total.get(base, 0) + exponent
    made += [Factor(power(base.node, e), base.term) for base, e in total.items() if e]
    return made
