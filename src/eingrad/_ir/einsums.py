"""Products and placements as they stand: ordered, numbered, interned. Nothing is simplified here.

In: factors of which nothing is to be opened or eliminated; `contract` sees to that.
Out: the one node of them.
Guaranteed: factors in canonical order, indices numbered by first use.
"""

import weakref
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np

from eingrad._exact import sizes as sizes_of
from eingrad._ir.coefficients import canonical_coefficient, key_of_coefficient
from eingrad._ir.digests import Content, rounded
from eingrad._ir.nodes import (
    Coefficient,
    Einsum,
    Factor,
    Node,
    Placement,
    Product,
    Selection,
    Structural,
    find_node,
    intern_node,
)
from eingrad._ir.order import canonical_order
from eingrad._subscripts import Shape, Subscripts, number

_CORE = b""  # its key: before that of any structural factor
_twins: weakref.WeakKeyDictionary[Product, tuple[Product, tuple[int, ...]]] = (
    weakref.WeakKeyDictionary()  # what `canonical_twin` found, for it is asked at every step
)


def intern_product(
    factors: Sequence[Factor],
    out: Subscripts,
    sizes: Mapping[int, int] | Shape,
    coefficient: Coefficient,
    dtype: Any,
) -> Product:
    """Intern a product of arrays that carry every index of the output."""
    if len(factors) > 1:
        terms = [term for _, term in factors]
        order = canonical_order([node.digest for node, _ in factors], terms, out)
        factors = [factors[n] for n in order]
    return _intern_product(factors, out, sizes, coefficient, dtype)


def intern_placement(
    core: Factor | None,
    structure: Sequence[Factor],
    out: Subscripts,
    sizes: Mapping[int, int] | Shape,
    coefficient: Coefficient,
    dtype: Any,
) -> Placement:
    """Intern a placement whose structure stands."""
    factors = [*structure] if core is None else [core, *structure]
    if len(factors) > 1:
        keys = [node.digest for node, _ in factors]
        if core is not None:
            keys[0] = _CORE
        order = canonical_order(keys, [term for _, term in factors], out)
        factors = [factors[n] for n in order]
    return place_in_order(factors, out, sizes, coefficient, dtype)


def _intern_product(
    factors: Sequence[Factor],
    out: Subscripts,
    sizes: Mapping[int, int] | Shape,
    coefficient: Coefficient,
    dtype: Any,
) -> Product:
    """Intern a product whose factors are in canonical order."""
    terms, new_out, carried = number([term for _, term in factors], out)
    coefficient = canonical_coefficient(coefficient)
    key = (
        tuple([n.uid for n, _ in factors]),
        terms,
        new_out,
        key_of_coefficient(coefficient),
        dtype.str,
    )
    found = find_node(Product, key)
    if found is not None:
        return found
    operands = tuple([node for node, _ in factors])
    shape = tuple([sizes[index] for index in out])
    content = _content_of(operands, (terms, new_out, ()), coefficient, dtype, shape)
    every = _sizes_of_all(operands, terms, carried)
    numbered = tuple(map(Factor, operands, terms))
    fields = (numbered, new_out, every, coefficient, operands, _sums(every, new_out))
    return intern_node(Product, key, shape, dtype, lambda: content, *fields)


def place_in_order(
    factors: Sequence[Factor],
    out: Subscripts,
    sizes: Mapping[int, int] | Shape,
    coefficient: Coefficient,
    dtype: Any,
) -> Placement:
    """Intern a placement whose factors are in canonical order, the core first, if there is one."""
    terms, new_out, carried = number([term for _, term in factors], out)
    repeated = tuple([index for index in new_out if index >= carried])
    lengths = tuple([sizes[old] for new, old in zip(new_out, out, strict=True) if new >= carried])
    coefficient = canonical_coefficient(coefficient)
    how = (terms, new_out, lengths)
    key = (tuple([n.uid for n, _ in factors]), how, key_of_coefficient(coefficient), dtype.str)
    found = find_node(Placement, key)
    if found is not None:
        return found
    operands = tuple([node for node, _ in factors])
    shape = tuple([sizes[index] for index in out])
    pairs = tuple(zip(repeated, lengths, strict=True))
    content = _content_of(operands, (terms, new_out, pairs), coefficient, dtype, shape)
    every = (*_sizes_of_all(operands, terms, carried), *lengths)
    numbered = tuple(map(Factor, operands, terms))
    core = numbered[0] if numbered and not isinstance(operands[0], Structural) else None
    structure = numbered if core is None else numbered[1:]
    fields = (numbered, new_out, every, coefficient, operands, _sums(every, new_out))
    accumulates = _accumulates(structure, new_out, every)
    placed = (core, structure, repeated, _ties(structure, new_out), accumulates)
    return intern_node(Placement, key, shape, dtype, lambda: content, *fields, *placed)


def _content_of(
    operands: Sequence[Node], how: tuple[Hashable, ...], coefficient: Coefficient, dtype: Any,
    shape: Shape,
) -> Content:  # fmt: skip
    below = [n.digest for n in operands]
    text = repr(((*how, repr(coefficient), dtype.str), shape)).encode()
    if type(coefficient) is int:
        return Content(below, text)
    near = rounded(coefficient)
    if near is coefficient:
        return Content(below, text)
    return Content(below, text, repr(((*how, repr(near), dtype.str), shape)).encode())


def _sizes_of_all(operands: Sequence[Node], terms: Sequence[Subscripts], carried: int) -> Shape:
    """Size of every index that the terms carry, by its number."""
    sizes = [0] * carried
    for node, term in zip(operands, terms, strict=True):
        for index, size in zip(term, node.shape, strict=True):
            sizes[index] = size
    return tuple(sizes)


def _sums(sizes: Shape, out: Subscripts) -> bool:
    return len(sizes) > len(out) and any(n != 1 and i not in out for i, n in enumerate(sizes))


def _ties(structure: Sequence[Factor], out: Subscripts) -> bool:
    """Whether an output axis is determined by others, or by what another one is a table of."""
    reached = {*out, *(term[1] for node, term in structure if isinstance(node, Selection))}
    return any(
        (term[1] in out)
        if isinstance(node, Selection)
        else (term[0] in out and not reached.isdisjoint(term[1:]))
        for node, term in structure
    )


def _accumulates(structure: Sequence[Factor], out: Subscripts, sizes: Shape) -> bool:
    """Whether rows are summed that are more than the entries they are added to.

    Rows that a merge, or another selection, makes of axes of the result are not summed.
    """
    columns: dict[int, int] = {}
    for node, term in structure:
        others = (i for f in structure if not isinstance(f.node, Selection) for i in f.term)
        chained = (f.term[1] for f in structure if isinstance(f.node, Selection))
        if isinstance(node, Selection) and term[0] not in {*out, *others, *chained}:
            columns[term[0]] = columns.get(term[0], 1) * node.shape[1]
    return any(sizes[row] > count for row, count in columns.items())


def fill(coefficient: Coefficient, shape: Shape, dtype: Any) -> Placement:
    """Make a tensor of equal entries: a placement of nothing."""
    shape = sizes_of(shape)
    return intern_placement(None, (), tuple(range(len(shape))), shape, coefficient, np.dtype(dtype))


def zeros(shape: Shape, dtype: Any) -> Placement:
    """Make the zero tensor."""
    return fill(0, shape, dtype)


def is_zero(node: Node) -> bool:
    """Whether a node is known to be zero without computing."""
    return isinstance(node, Placement) and node.coefficient == 0


def is_fill(node: Node) -> TypeGuard[Placement]:
    """Whether all entries are one known number."""
    return isinstance(node, Placement) and not node.factors


def carries_delta(node: Node) -> TypeGuard[Placement]:
    """Whether this is a placement whose structure ties output axes: most entries are zero.

    Not where it accumulates: that is computed, and then it is an array as any other.
    """
    return isinstance(node, Placement) and node.ties and not node.accumulates


def is_rearranged(node: Node) -> TypeGuard[Einsum]:
    """Whether each entry is one of an array, scaled, or zero: nothing is computed."""
    if isinstance(node, Placement):
        return node.core is not None and not node.accumulates
    return isinstance(node, Product) and node.is_view


def ones_along(node: Einsum, term: Subscripts) -> list[Factor]:
    """Factors for the indices of a term along which a node is repeated: summed, they count."""
    if not isinstance(node, Placement):
        return []
    outer = dict(zip(node.out, term, strict=True))
    return [
        Factor(fill(1, (node.sizes[index],), node.dtype), (outer[index],))
        for index in node.repeated
    ]


def with_coefficient(node: Einsum, coefficient: Coefficient) -> Node:
    """Replace the coefficient of an einsum."""
    if coefficient == node.coefficient and type(coefficient) is type(node.coefficient):
        return node
    how = node.factors, node.out, node.sizes, coefficient, node.dtype
    if isinstance(node, Placement):
        return place_in_order(*how)
    assert isinstance(node, Product)
    is_operand = len(node.factors) == 1 and node.factors[0].term == node.out
    return node.operands[0] if is_operand and coefficient == 1 else _intern_product(*how)


def canonical_twin(node: Product) -> tuple[Product, tuple[int, ...]]:
    """Order the output indices of a product and drop its coefficient.

    So transposed and scaled twins are one operand wherever they are used. Returns the twin, and
    for each of its axes the axis of the node that it is.
    """
    if is_canonical_twin(node):
        return node, tuple(range(node.ndim))
    found = _twins.get(node)
    if found is None:
        found = _find_twin(node)
        if found[0] is not node:  # else the entry would keep itself alive
            _twins[node] = found
    return found


def is_canonical_twin(node: Product) -> bool:
    """Whether a product is the one that its transposed and scaled twins are written as."""
    return node.coefficient == 1 and list(node.out) == sorted(node.out)


def _find_twin(node: Product) -> tuple[Product, tuple[int, ...]]:
    axes = tuple(range(node.ndim))
    seen: dict[Product, tuple[int, ...]] = {}
    while not is_canonical_twin(node):
        if node in seen:  # equal operands, wired alike: no order is reached, so take one
            return min(seen.items(), key=lambda pair: pair[0].digest)
        if node.coefficient == 1:
            seen[node] = axes
        order = sorted(range(node.ndim), key=node.out.__getitem__)
        out = tuple(node.out[n] for n in order)
        node = intern_product(node.factors, out, node.sizes, 1, node.dtype)
        axes = tuple(axes[n] for n in order)
    return node, axes
