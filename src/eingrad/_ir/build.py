"""Builders: the only way to make a node. They check, fold, canonicalise and intern.

In: operands and subscripts, in any order and with any integers as indices.
Out: the canonical node: zero and one folded, views and scalings absorbed, structural tensors
eliminated or standing alone, operands sorted by digest, indices numbered by first use.
Guaranteed: the value is that of the contraction as given; no recursion on the depth of the graph.

An `Einsum` that comes out is one of four kinds:

*product*    two or more operands, none structural; every output index is carried by one
*reduction*  one operand: summed, or its diagonal taken
*view*       one operand: permuted, scaled, broadcast; or one take, split or merge of it
*placement*  at most one core, with structural tensors that stand: zero but where they are one

>>> x = new_input("x", (3,))
>>> contract((delta(3), x), ((0, 1), (1,)), (0,)) is x
True
"""

import functools
import itertools
import math
import operator
import weakref
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from eingrad._exact import exact
from eingrad._exact import sizes as sizes_of
from eingrad._ir.coefficients import (
    add_exactly,
    canonical_coefficient,
    common_scale,
    is_apart,
    is_harmless,
    is_less_extreme,
    multiply,
)
from eingrad._ir.nodes import (
    Add,
    Apply,
    Coefficient,
    Constant,
    Einsum,
    Input,
    Merge,
    Node,
    Operation,
    Selection,
    Symmetry,
    children,
    find_node,
    intern_node,
)
from eingrad._ir.structure import Factor, Makers, Network, eliminate
from eingrad._ir.symmetry import settle_symmetry
from eingrad._ir.tables import canonical_table, key_of, length, selects
from eingrad._subscripts import Shape, Subscripts, number, parse, renumber

STRUCTURAL = (Selection, Merge)
Term = tuple[Node, Subscripts]  # an operand and its indices
_MOST_NESTED = 4  # products in products that a number is looked for in
_FLOAT64 = np.dtype(np.float64)
_BOOL = np.dtype(bool)
_serials = itertools.count()
_twins: weakref.WeakKeyDictionary[Einsum, tuple[Einsum, tuple[int, ...]]] = (
    weakref.WeakKeyDictionary()  # what `canonical_twin` found, for it is asked at every step
)


_numbers: weakref.WeakKeyDictionary[Operation, int] = weakref.WeakKeyDictionary()


# Leaves ------------------------------------------------------------------------------------------


def new_input(
    name: str,
    shape: Shape,
    dtype: Any = _FLOAT64,
    key: tuple[Hashable, ...] = (),
) -> Input:
    """Make an input that equals no other."""
    serial = next(_serials)
    dtype = np.dtype(dtype)
    name, shape = exact(name), sizes_of(shape)
    key = exact(key) or ("variable", name)

    def content() -> bytes:
        return repr((key, shape, dtype.str)).encode()

    return intern_node(Input, (serial,), shape, dtype, content, serial, name, key)


def constant(value: ArrayLike) -> Constant:
    """Make a constant from a copy of an array."""
    array = np.array(value, order="C")
    array.flags.writeable = False
    values = array.tobytes()
    key = (array.dtype.str, array.shape, values)

    def content() -> bytes:
        return repr(key[:2]).encode() + values

    return intern_node(Constant, key, array.shape, array.dtype, content, array)


def selection(table: range | ArrayLike, n: int) -> Selection:
    """Make ``S[i, j] = (j == table[i])``, of shape ``(len(table), n)``."""
    table = canonical_table(table)
    key, n = key_of(table), operator.index(n)
    shape = (length(table), n)

    def content() -> bytes:
        return repr(n).encode() + key if isinstance(key, bytes) else repr((key, n)).encode()

    return intern_node(Selection, (key, n), shape, _BOOL, content, table)


def delta(n: int) -> Selection:
    """Make the Kronecker delta of order two."""
    return selection(range(n), n)


def merge(sizes: Shape) -> Merge:
    """Make ``M[m, i, j, ...]``: m is the row-major position of ``(i, j, ...)``."""
    sizes = sizes_of(sizes)
    shape = (math.prod(sizes), *sizes)
    return intern_node(Merge, sizes, shape, _BOOL, lambda: repr(sizes).encode())


def fill(coefficient: Coefficient, shape: Shape, dtype: Any) -> Einsum:
    """Make a tensor of equal entries: an einsum without operands."""
    shape = sizes_of(shape)
    out = tuple(range(len(shape)))
    return _einsum((), (), out, dict(zip(out, shape, strict=True)), coefficient, np.dtype(dtype))


def zeros(shape: Shape, dtype: Any) -> Einsum:
    """Make the zero tensor."""
    return fill(0, shape, dtype)


# Predicates --------------------------------------------------------------------------------------


def is_zero(node: Node) -> bool:
    """Whether a node is known to be zero without computing."""
    return isinstance(node, Einsum) and node.coefficient == 0


def is_fill(node: Node) -> bool:
    """Whether all entries are one known number."""
    return isinstance(node, Einsum) and not node.operands


def is_structured(node: Node) -> bool:
    """Whether a node is a placement, split, merge or take: an einsum with a structural operand."""
    return isinstance(node, Einsum) and node.cores < len(node.operands)


def split_structure(node: Einsum) -> tuple[list[Term], list[Term]]:
    """Part the operands of an einsum, each with its indices: what has values, and structure."""
    cores: list[Term] = []
    structure: list[Term] = []
    for operand, term in zip(node.operands, node.terms, strict=True):
        (structure if isinstance(operand, STRUCTURAL) else cores).append((operand, term))
    return cores, structure


def carries_delta(node: Node) -> bool:
    """Whether structural tensors tie output axes: most entries are then known to be zero."""
    if not isinstance(node, Einsum) or node.cores == len(node.operands):
        return False
    _, structure = split_structure(node)
    ties = {*node.out, *(term[1] for operand, term in structure if isinstance(operand, Selection))}
    return any(
        (term[1] in node.out)
        if isinstance(operand, Selection)
        else (term[0] in node.out and not ties.isdisjoint(term[1:]))
        for operand, term in structure
    )


def is_product(node: Node) -> bool:
    """Whether a node is a plain product or reduction: no structure, no broadcast."""
    return isinstance(node, Einsum) and 0 < len(node.operands) == node.cores and not node.sizes


def _is_transparent(node: Node) -> bool:
    """Whether a contraction that uses this node should see through it: it computes nothing."""
    if not isinstance(node, Einsum):
        return False
    if node.cores != 1:
        return node.cores == 0
    return len(node.operands) > 1 or not node.sums or _sums_one_entry(node)


def _sums_one_entry(node: Einsum) -> bool:
    """Whether every sum is over an axis of length one, so that nothing is added."""
    (operand,), (term,) = node.operands, node.terms
    return all(n == 1 for i, n in zip(term, operand.shape, strict=True) if i not in node.out)


def _keep_single_entries(network: Network) -> None:
    """Sum and spread over lengths of one are nothing: ``sum_j x[j]`` along a new i is ``x[i]``.

    Nor is their order anything: ``x[j, i]`` is ``x[i, j]``. So axes of length one of the result are
    those of the operands, in one order, as far as there are any.
    """
    uses = Counter(i for f in (*network.cores, *network.structure) for i in f.term)
    ones = {i for i, size in network.sizes.items() if size == 1 and uses[i] <= 1}
    ones -= {i for f in network.structure for i in f.term}
    places = [(f, axis) for f in network.cores for axis, i in enumerate(f.term) if i in ones]
    places.sort(key=lambda place: (place[0].node.digest, _wiring(network, place[0]), place[1]))
    indices = [i for i in network.out if i in ones]
    for factor, axis in places[len(indices) :]:
        is_summed = factor.term[axis] not in network.out
        indices.append(factor.term[axis] if is_summed else network.fresh(1))
    terms = {id(f): list(f.term) for f in network.cores}
    for (factor, axis), index in zip(places, indices, strict=False):
        terms[id(factor)][axis] = index
    for factor in network.cores:
        factor.term = tuple(terms[id(factor)])
        network.summed.update({*factor.term}.difference(network.out))


def _wiring(network: Network, factor: Factor) -> list[tuple[bytes, int, int]]:
    """What the longer axes of an operand are tied to: it tells equal operands apart."""
    place = {i: n for n, i in enumerate(network.out) if network.sizes[i] != 1}
    tied = [(b"", place[i], axis) for axis, i in enumerate(factor.term) if i in place]
    tied += [
        (other.node.digest, b, a)
        for other in (*network.cores, *network.structure)
        for b, index in enumerate(other.term)
        for a, own in enumerate(factor.term)
        if own == index and other is not factor
    ]
    return sorted(tied)


# Contractions ------------------------------------------------------------------------------------


def contract(
    operands: Sequence[Node],
    terms: Sequence[Sequence[int]],
    out: Sequence[int],
    sizes: Mapping[int, int] | None = None,
    coefficient: Coefficient = 1,
    dtype: Any = None,
) -> Node:
    """Build ``result[out] = coefficient * sum prod operand[n][terms[n]]`` in canonical form.

    Parameters
    ----------
    operands : nodes of one dtype; structural ones have none of their own
    terms : indices of each operand
    out : indices of the result, each once
    sizes : size of output indices that no operand carries
    coefficient : a number
    dtype : needed only where no operand gives it
    """
    out = tuple(out)
    if dtype is None:
        dtype = next((n.dtype for n in operands if not isinstance(n, STRUCTURAL)), None)
    if dtype is None:
        raise TypeError("a contraction of structural tensors alone, or of nothing, needs a dtype")
    dtype = np.dtype(dtype)
    is_plain = len(operands) > 1 and not sizes and is_harmless(coefficient, dtype)
    if is_plain and all(map(_is_factor, operands)):
        product = _plain_product(operands, terms, out, coefficient, dtype)
        if product is not None:
            return product
    known = {index: operator.index(size) for index, size in (sizes or {}).items()}
    network, coefficient = _open(operands, terms, out, known, coefficient, dtype)
    balanced = None if is_harmless(coefficient, dtype) else _balanced(network, coefficient, dtype)
    if balanced is not None:
        return balanced
    shape = tuple(network.sizes[index] for index in out)
    if coefficient == 0 or 0 in shape or any(map(_selects_nothing, network.structure)):
        return zeros(shape, dtype)
    if network.structure:
        eliminate(network)
        if any(map(_selects_nothing, network.structure)):
            return zeros(shape, dtype)
    if 1 in shape:
        _keep_single_entries(network)
    carried = {index for f in (*network.cores, *network.structure) for index in f.term}
    if any(network.sizes[index] == 0 for index in network.summed):
        return zeros(shape, dtype)
    for index in sorted(network.summed - carried):
        coefficient = multiply(coefficient, network.sizes[index])
    return _close(network, coefficient, dtype)


def _balanced(network: Network, coefficient: Coefficient, dtype: np.dtype[Any]) -> Node | None:
    """Take numbers out of operands where they bring a coefficient nearer to one; None where not.

    Of ``(s x) (y / s)`` the derivative by x is ``s (y / s)``: by itself, neither factor need have a
    square or a cube that is a float.
    """
    cores, least = [], coefficient
    for factor in network.cores:
        node, least = _without_number(factor.node, least)
        cores.append(Factor(node, factor.term))
    if not _is_balanced(coefficient, least, dtype):
        return None
    coefficient = least
    factors = (*cores, *network.structure)
    sizes = {index: network.sizes[index] for index in network.out}
    nodes, terms = [f.node for f in factors], [f.term for f in factors]
    return contract(nodes, terms, network.out, sizes, coefficient, dtype)


def _is_balanced(before: Coefficient, after: Coefficient, dtype: np.dtype[Any]) -> bool:
    """Whether a coefficient became harmless, or lost more of its size than is harmless."""
    return is_harmless(after, dtype) or is_apart(before, after, dtype)


def _without_number(
    node: Node, coefficient: Coefficient, depth: int = 0
) -> tuple[Node, Coefficient]:
    """Take a number out of a node, or of factors of it, where the coefficient gets less extreme."""
    number = number_of(node)
    if number is not None:
        total = multiply(coefficient, number)
        is_better = is_less_extreme(total, coefficient)
        return (children(node)[0], total) if is_better else (node, coefficient)
    if isinstance(node, Einsum) and node.operands and node.coefficient not in (0, 1):
        total = multiply(coefficient, node.coefficient)
        if is_less_extreme(total, coefficient):
            node, coefficient = with_coefficient(node, 1), total
    if depth == _MOST_NESTED:
        return node, coefficient
    if isinstance(node, Apply) and _keeps_numbers(node):
        inner, coefficient = _without_number(node.operands[0], coefficient, depth + 1)
        attributes = dict(node.attributes)
        made = apply_node(
            node.primitive, (inner,), attributes, node.result, node.shape, node.dtype, node.symmetry
        )
        return made, coefficient
    if not isinstance(node, Einsum):
        return node, coefficient
    operands = []
    for operand in node.operands:
        inner, coefficient = _without_number(operand, coefficient, depth + 1)
        operands.append(inner)
    if all(a is b for a, b in zip(operands, node.operands, strict=True)):
        return node, coefficient
    sizes = dict(node.sizes)
    made = contract(operands, node.terms, node.out, sizes, node.coefficient, node.dtype)
    return made, coefficient


def number_of(node: Node) -> Coefficient | None:
    """The number that a node multiplies its operand with, if that is all it does."""
    if not isinstance(node, Apply) or node.primitive.number is None:
        return None
    return node.primitive.number(**dict(node.attributes))


def _keeps_numbers(node: Apply) -> bool:
    """Whether a number may leave a linear operation: no conversion to less range or precision."""
    return node.primitive.linear and np.can_cast(node.operands[0].dtype, node.dtype, "safe")


def _is_factor(node: Node) -> bool:
    """Whether a node stays what it is as an operand of a product: most are."""
    if isinstance(node, Einsum):
        if _is_transparent(node):
            return False
        return not is_product(node) or _is_canonical_twin(node)
    return not isinstance(node, STRUCTURAL) and not (isinstance(node, Apply) and node.symmetry)


def _plain_product(
    operands: Sequence[Node],
    terms: Sequence[Sequence[int]],
    out: Subscripts,
    coefficient: Coefficient,
    dtype: np.dtype[Any],
) -> Einsum | None:
    """Build a product of which nothing is to be opened or eliminated; None if it is not one."""
    sizes: dict[int, int] = {}
    for node, term in zip(operands, terms, strict=True):
        sizes.update(zip(term, node.shape, strict=True))
    if coefficient == 0 or 0 in sizes.values() or not all(index in sizes for index in out):
        return None
    return _einsum(operands, [tuple(term) for term in terms], out, sizes, coefficient, dtype)


def _selects_nothing(factor: Factor) -> bool:
    """Whether a selection has no row that selects: what it is a factor of is zero."""
    mask = selects(factor.node.table) if isinstance(factor.node, Selection) else None
    return mask is not None and not mask.any()


def _open(
    operands: Sequence[Node],
    terms: Sequence[Sequence[int]],
    out: Subscripts,
    sizes: dict[int, int],
    coefficient: Coefficient,
    dtype: Any,
) -> tuple[Network, Coefficient]:
    """Splice transparent operands in: their structure, scaling, permutation and broadcast."""
    coefficient = canonical_coefficient(coefficient)
    for node, term in zip(operands, terms, strict=True):
        sizes.update(zip(term, node.shape, strict=True))
    network = Network([], [], out, sizes, set(), _makers(dtype))
    summed = {index for term in terms for index in term}.difference(out)
    pending = [Factor(n, tuple(t)) for n, t in zip(operands, terms, strict=True)][::-1]
    while pending:
        factor = pending.pop()
        node = factor.node
        if isinstance(node, STRUCTURAL):
            network.structure.append(factor)
        elif not _is_transparent(node):
            if isinstance(node, Einsum) and is_product(node):
                coefficient = multiply(coefficient, node.coefficient)
                twin, axes = canonical_twin(node)
                factor = Factor(twin, tuple(factor.term[axis] for axis in axes))
            network.cores.append(factor)
        else:
            assert isinstance(node, Einsum)
            coefficient = multiply(coefficient, node.coefficient)
            to_outer = dict(zip(node.out, factor.term, strict=True))
            for inner, term in zip(node.operands, node.terms, strict=True):
                for index, size in zip(term, inner.shape, strict=True):
                    if index not in to_outer:
                        to_outer[index] = network.fresh(size)
                        summed.add(to_outer[index])
                pending.append(Factor(inner, tuple(to_outer[index] for index in term)))
    network.summed = summed
    return network, coefficient


def canonical_twin(node: Einsum) -> tuple[Einsum, tuple[int, ...]]:
    """Order the output indices of a product and drop its coefficient.

    So transposed and scaled twins are one operand wherever they are used. Returns the twin, and
    for each of its axes the axis of the node that it is.
    """
    if _is_canonical_twin(node):
        return node, tuple(range(node.ndim))
    found = _twins.get(node)
    if found is None:
        found = _find_twin(node)
        if found[0] is not node:  # else the entry would keep itself alive
            _twins[node] = found
    return found


def _is_canonical_twin(node: Einsum) -> bool:
    return node.coefficient == 1 and list(node.out) == sorted(node.out)


def _find_twin(node: Einsum) -> tuple[Einsum, tuple[int, ...]]:
    axes = tuple(range(node.ndim))
    seen: dict[Einsum, tuple[int, ...]] = {}
    while not _is_canonical_twin(node):
        if node in seen:  # equal operands, wired alike: no order is reached, so take one
            return min(seen.items(), key=lambda pair: pair[0].digest)
        if node.coefficient == 1:
            seen[node] = axes
        order = sorted(range(node.ndim), key=node.out.__getitem__)
        sizes = dict(zip(node.out, node.shape, strict=True))
        out = tuple(node.out[n] for n in order)
        node = _einsum(node.operands, node.terms, out, sizes, 1, node.dtype)
        axes = tuple(axes[n] for n in order)
    return node, axes


def _close(network: Network, coefficient: Coefficient, dtype: Any) -> Node:
    """Build the nodes of a network whose structure stands: product first, then placement."""
    out, cores, placed = network.out, network.cores, network.structure
    carried = {index for f in cores for index in f.term}
    if not placed and carried.issuperset(out):
        return _product(cores, out, coefficient, network.sizes, dtype)
    if not cores:
        nodes = tuple(f.node for f in placed)
        return _einsum(nodes, [f.term for f in placed], out, network.sizes, coefficient, dtype)
    if len(cores) == 1:
        settle_symmetry(cores, out, placed)
    wanted = dict.fromkeys((*out, *(index for f in placed for index in f.term)))
    term = cores[0].term
    if len(cores) == 1 and len(set(term)) == len(term) and all(i in wanted for i in term):
        core, core_out = cores[0].node, term
    else:
        core_out = tuple(index for index in wanted if index in carried)
        core = _product(cores, core_out, 1, network.sizes, dtype)
    factors = [Factor(core, core_out), *placed]
    terms = [f.term for f in factors]
    nodes = tuple(f.node for f in factors)
    return _einsum(nodes, terms, out, network.sizes, coefficient, dtype)


def _product(
    cores: Sequence[Factor],
    out: Subscripts,
    coefficient: Coefficient,
    sizes: Mapping[int, int],
    dtype: Any,
) -> Node:
    settle_symmetry(cores, out)
    if len(cores) == 1:
        node, term = cores[0].node, cores[0].term
        if coefficient == 1 and term == out:
            return node
        if is_product(node) and len(set(term)) == len(term) == len(out):
            assert isinstance(node, Einsum)  # a transposed product is a product
            to_inner = dict(zip(term, node.out, strict=True))
            new_out = tuple(to_inner[index] for index in out)
            inner_sizes = dict(zip(node.out, node.shape, strict=True))
            known = node.operands, node.terms, new_out, inner_sizes, coefficient, dtype
            if not is_harmless(coefficient, dtype) and len(node.operands) > 1:
                return contract(*known)
            return _einsum(*known)
    nodes = tuple(f.node for f in cores)
    return _einsum(nodes, [f.term for f in cores], out, sizes, coefficient, dtype)


def _einsum(
    operands: Sequence[Node],
    terms: Sequence[Subscripts],
    out: Subscripts,
    sizes: Mapping[int, int],
    coefficient: Coefficient,
    dtype: Any,
) -> Einsum:
    """Intern an einsum: operands in canonical order, indices numbered by first use."""
    cores = len(operands) - sum([isinstance(operand, STRUCTURAL) for operand in operands])
    if len(operands) > 1:
        order = _canonical_order(operands, terms, out, cores)
        operands = tuple([operands[n] for n in order])
        terms = [terms[n] for n in order]
    new_terms, new_out, carried = number(terms, out)
    output_only = tuple(
        [(new, sizes[old]) for new, old in zip(new_out, out, strict=True) if new >= carried]
    )
    shape = tuple([sizes[index] for index in out])
    coefficient = canonical_coefficient(coefficient)
    how = (new_terms, new_out, output_only)
    key = (tuple([n.uid for n in operands]), how, _hashed(coefficient), dtype.str)

    found = find_node(Einsum, key)
    if found is not None:
        return found

    def content() -> bytes:
        spec = (*how, repr(coefficient), dtype.str)
        return b"".join([n.digest for n in operands]) + repr((spec, shape)).encode()

    summed = carried > len(new_out) - len(output_only) and any(
        index not in new_out and size != 1
        for operand, term in zip(operands, new_terms, strict=True)
        for index, size in zip(term, operand.shape, strict=True)
    )
    fields = (tuple(operands), new_terms, new_out, output_only, coefficient, cores, summed)
    return intern_node(Einsum, key, shape, dtype, content, *fields)


def _hashed(coefficient: Coefficient) -> Hashable:
    """Tell coefficients apart: those of two types may be equal, and nan equals nothing."""
    if type(coefficient) is int:
        return coefficient
    if type(coefficient) is Fraction:
        return coefficient.numerator, coefficient.denominator
    return repr(coefficient)


def _canonical_order(
    operands: Sequence[Node], terms: Sequence[Subscripts], out: Subscripts, cores: int
) -> Sequence[int]:
    """Order operands by digest; equal operands by how they are wired, refined until it decides.

    Structural ones come last; `cores` says how many are not.
    """
    colours: list[Any] = [n.digest for n in operands]
    if cores < len(operands):
        colours = [(isinstance(n, STRUCTURAL), n.digest) for n in operands]
    if len({*operands}) == len(operands):
        return sorted(range(len(operands)), key=colours.__getitem__)
    numbered = renumber(terms, out)  # so that products wired alike are looked up
    return _order_of_equals(tuple(_ranks(colours)), *numbered)


@functools.lru_cache(maxsize=4096)
def _order_of_equals(
    given: tuple[int, ...], terms: tuple[Subscripts, ...], out: Subscripts
) -> tuple[int, ...]:
    """Order operands of given ranks, some equal, by how they are wired, each in itself first."""
    ranks = _ranks([(r, tuple(map(t.index, t))) for r, t in zip(given, terms, strict=True)])
    while True:
        ranks = _refine(ranks, terms, out)
        tied = [r for r in ranks if ranks.count(r) > 1]
        if not tied:
            break
        first = ranks.index(min(tied))  # automorphic or nearly so: pick one, refine again
        ranks = [2 * r - (n == first) for n, r in enumerate(ranks)]
    return tuple(sorted(range(len(ranks)), key=ranks.__getitem__))


def _ranks(colours: Sequence[Any]) -> list[int]:
    places = {colour: n for n, colour in enumerate(sorted(set(colours)))}
    return [places[colour] for colour in colours]


def _refine(ranks: list[int], terms: Sequence[Subscripts], out: Subscripts) -> list[int]:
    """Colour operands by the colours of those they share indices with (Weisfeiler-Lehman)."""
    while True:
        seen: dict[int, list[tuple[int, int]]] = {}
        for rank, term in zip(ranks, terms, strict=True):
            for axis, index in enumerate(term):
                seen.setdefault(index, []).append((rank, axis))
        place = {index: n for n, index in enumerate(out)}
        colours = {i: (place.get(i, -1), tuple(sorted(seen[i]))) for i in seen}
        finer = _ranks(
            [(r, tuple(colours[i] for i in t)) for r, t in zip(ranks, terms, strict=True)]
        )
        if max(finer) == max(_ranks(ranks)):
            return finer
        ranks = finer


def with_coefficient(node: Einsum, coefficient: Coefficient) -> Node:
    """Replace the coefficient of an einsum."""
    if coefficient == node.coefficient and type(coefficient) is type(node.coefficient):
        return node
    sizes = dict(node.sizes)
    for operand, term in zip(node.operands, node.terms, strict=True):
        sizes.update(zip(term, operand.shape, strict=True))
    if (
        coefficient == 1
        and len(node.operands) == 1
        and node.terms[0] == node.out
        and not isinstance(node.operands[0], STRUCTURAL)
    ):
        return node.operands[0]
    return _einsum(node.operands, node.terms, node.out, sizes, coefficient, node.dtype)


def scale(node: Node, coefficient: Coefficient) -> Node:
    """Multiply by a number."""
    if type(coefficient) is int and coefficient == 1:
        return node
    if isinstance(node, Einsum) and not is_zero(node) and coefficient != 0:
        total = multiply(coefficient, node.coefficient)
        if is_harmless(total, node.dtype):
            return with_coefficient(node, total)
        sizes = dict(zip(node.out, node.shape, strict=True))
        return contract(node.operands, node.terms, node.out, sizes, total, node.dtype)
    out = tuple(range(node.ndim))
    return contract((node,), (out,), out, coefficient=coefficient)


def transpose(node: Node, axes: Sequence[int]) -> Node:
    """Permute axes as ``np.transpose`` does."""
    return contract((node,), (tuple(range(node.ndim)),), tuple(axes))


def broadcast(node: Node, shape: Shape) -> Node:
    """Repeat along new leading axes and along axes of size one, as NumPy does."""
    if node.shape == shape:
        return node
    lead = len(shape) - node.ndim
    out = tuple(range(len(shape)))
    kept = [a for a in range(node.ndim) if node.shape[a] == shape[lead + a]]
    term = [lead + a if a in kept else len(shape) + a for a in range(node.ndim)]
    sizes = dict(zip(out, shape, strict=True))
    return contract((node,), (term,), out, {k: sizes[k] for k in out if k not in term})


def einsum(subscripts: str, *operands: Node, coefficient: Coefficient = 1) -> Node:
    """Build a contraction from letters: for rules and tests, which are written by hand."""
    terms, out = parse(subscripts, [n.shape for n in operands])
    return contract(operands, terms, out, coefficient=coefficient)


# Structure on one operand ------------------------------------------------------------------------


def take(node: Node, axis: int, picks: Selection) -> Node:
    """Replace an axis by the selected positions of it: ``node[..., table, ...]``."""
    term = tuple(range(node.ndim))
    row = node.ndim
    out = (*term[:axis], row, *term[axis + 1 :])
    return contract((node, picks), (term, (row, axis)), out)


def _take_axis(node: Node, axis: int, picks: Selection) -> Node:
    """Intern a take as it stands: elimination asks for it, so there is nothing to eliminate."""
    term = tuple(range(node.ndim))
    row = node.ndim
    out = (*term[:axis], row, *term[axis + 1 :])
    sizes = dict(enumerate((*node.shape, picks.shape[0])))
    return _einsum((node, picks), (term, (row, axis)), out, sizes, 1, node.dtype)


def _split_axis(node: Node, axis: int, parts: Merge) -> Node:
    term = tuple(range(node.ndim))
    new = tuple(range(node.ndim, node.ndim + parts.ndim - 1))
    out = (*term[:axis], *new, *term[axis + 1 :])
    sizes = dict(enumerate((*node.shape, *parts.shape[1:])))
    return _einsum((node, parts), (term, (axis, *new)), out, sizes, 1, node.dtype)


def _merge_axes(node: Node, axes: tuple[int, ...], parts: Merge) -> Node:
    term = tuple(range(node.ndim))
    flat = node.ndim
    out = tuple(flat if i == axes[0] else i for i in term if i not in axes[1:])
    sizes = dict(enumerate((*node.shape, parts.shape[0])))
    return _einsum((node, parts), (term, (flat, *axes)), out, sizes, 1, node.dtype)


@functools.cache
def _makers(dtype: np.dtype[Any]) -> Makers:
    """Hand elimination the builders it needs, for operands of one dtype."""
    return Makers(
        selection=selection,
        take=_take_axis,
        split_axis=_split_axis,
        merge_axes=_merge_axes,
        constant=lambda values: constant(values.astype(dtype)),
    )


# Sums and applications ---------------------------------------------------------------------------


def add(terms: Sequence[Node], coefficients: Sequence[Coefficient] | None = None) -> Node:
    """Build a linear combination: equal terms add their coefficients, zeros go.

    A scale that all coefficients have in common, ``1e-200 x + 2e-200 y``, is that of the sum, where
    it is not harmless: there it is collected with others.
    """
    first = terms[0]
    if len(terms) == 1:
        return scale(first, coefficients[0] if coefficients else 1)
    total: dict[Node, Coefficient] = {}
    for term, coefficient in zip(terms, coefficients or [1] * len(terms), strict=True):
        base, factor = term, coefficient
        while isinstance(base, Einsum) and base.coefficient not in (0, 1):
            factor = multiply(factor, base.coefficient)
            base = with_coefficient(base, 1)
        if is_zero(base):
            factor = 0
        base, factor = _balanced_term(base, factor)
        total[base] = add_exactly(total.get(base, 0), factor)
    kept = sorted(((n, c) for n, c in total.items() if c != 0), key=lambda nc: nc[0].digest)
    if not kept:
        return zeros(first.shape, first.dtype)
    if len(kept) == 1:
        return scale(*kept[0])
    nodes, numbers = zip(*kept, strict=True)
    common = common_scale(numbers, first.dtype)
    if common != 1 and not any(map(carries_delta, nodes)):
        return scale(add(nodes, [multiply(c, 1 / Fraction(common)) for c in numbers]), common)
    key = (tuple([n.uid for n in nodes]), tuple(map(_hashed, numbers)))

    def content() -> bytes:
        return b"".join(n.digest for n in nodes) + repr(numbers).encode()

    return intern_node(Add, key, first.shape, first.dtype, content, nodes, numbers)


def _balanced_term(node: Node, factor: Coefficient) -> tuple[Node, Coefficient]:
    """Take numbers out of a term where they make its coefficient harmless."""
    if factor == 0 or is_harmless(factor, node.dtype):
        return node, factor
    inner, total = _without_number(node, factor)
    return (inner, total) if _is_balanced(factor, total, node.dtype) else (node, factor)


def apply_node(
    primitive: Operation,
    operands: Sequence[Node],
    attributes: Mapping[str, Hashable],
    result: int,
    shape: Shape,
    dtype: Any,
    symmetry: Symmetry = (),
) -> Node:
    """Intern an application; `_primitives.apply` knows shapes and dtypes and calls this."""
    attrs = tuple([(key, exact(attributes[key])) for key in sorted(attributes)])
    shape = sizes_of(shape)
    dtype = np.dtype(dtype)
    spec = (repr(attrs), result, dtype.str)
    key = (primitive.identity, *spec, tuple(n.uid for n in operands))
    operands = tuple(operands)

    def content() -> bytes:
        named = (_name_in_digests(primitive), *spec)
        return repr(named).encode() + b"".join(n.digest for n in operands)

    return intern_node(
        Apply, key, shape, dtype, content, primitive, operands, attrs, result, symmetry
    )


def _name_in_digests(primitive: Operation) -> str:
    """Name a row, and number those that share a name: they are different functions."""
    identity: Any = primitive.identity
    if identity is not primitive:
        return primitive.name
    if primitive not in _numbers:
        taken = {n for row, n in _numbers.items() if row.name == primitive.name}
        _numbers[primitive] = next(n for n in itertools.count() if n not in taken)
    number = _numbers[primitive]
    return f"{primitive.name} {number}" if number else primitive.name
