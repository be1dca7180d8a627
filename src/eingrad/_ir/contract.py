"""Contractions: the builder of every product and placement.

In: factors in any order, with any integers as indices.
Out: the canonical node: zero and one folded, views and scalings absorbed, structural tensors
eliminated or standing alone.
Guaranteed: the value is that of the contraction as given; no recursion on the depth of the graph.

>>> from eingrad._ir.leaves import delta, new_input
>>> x = new_input("x", (3,))
>>> contract([(delta(3), (0, 1)), (x, (1,))], (0,)) is x
True
"""

import itertools
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from eingrad._ir.apply import keeps_numbers, number_of, with_operands
from eingrad._ir.coefficients import (
    canonical_coefficient,
    is_apart,
    is_harmless,
    is_less_extreme,
    multiply,
)
from eingrad._ir.einsums import (
    canonical_twin,
    intern_placement,
    intern_product,
    is_canonical_twin,
    place_in_order,
    with_coefficient,
    zeros,
)
from eingrad._ir.folded import exact_sum
from eingrad._ir.makers import makers
from eingrad._ir.network import Network, Operand
from eingrad._ir.nodes import (
    Apply,
    Coefficient,
    Constant,
    Einsum,
    Factor,
    Node,
    Placement,
    Product,
    Selection,
    Structural,
    children,
    sizes_of,
    splice,
)
from eingrad._ir.single_entries import keep_single_entries
from eingrad._ir.structure import eliminate
from eingrad._ir.symmetry import settle_symmetry
from eingrad._ir.tables import selects
from eingrad._subscripts import Shape, Subscripts

Sizes = Mapping[int, int] | Shape  # of indices: by index, or in their order
_MOST_NESTED = 4  # products in products that a number is looked for in


def contract(
    factors: Iterable[tuple[Node, Sequence[int]]],
    out: Sequence[int],
    sizes: Sizes = (),
    coefficient: Coefficient = 1,
    dtype: Any = None,
) -> Node:
    """Build ``result[out] = coefficient * sum of the product of the factors`` in canonical form.

    Parameters
    ----------
    factors : nodes, each with the indices of its axes; arrays of one dtype, and structural tensors,
        which have none of their own
    out : indices of the result, each once
    sizes : size of output indices that no factor carries; those of others are not looked at
    coefficient : a number
    dtype : needed only where no factor gives it
    """
    out = tuple(out)
    pairs = [Factor(node, tuple(term)) for node, term in factors]
    if dtype is None:
        dtype = next((n.dtype for n, _ in pairs if not isinstance(n, Structural)), None)
    if dtype is None:
        raise TypeError("a contraction of structural tensors alone, or of nothing, needs a dtype")
    dtype = np.dtype(dtype)
    carried = sizes_of(pairs)
    if len(pairs) > 1 and is_harmless(coefficient, dtype):
        product = _plain_product(pairs, out, carried, coefficient, dtype)
        if product is not None:
            return product
    known = sizes if isinstance(sizes, Mapping) else dict(enumerate(sizes))
    repeated = {i: operator.index(known[i]) for i in out if i not in carried}
    network, coefficient = _open(pairs, out, repeated | carried, coefficient, dtype)
    return _simplify(network, coefficient, dtype)


def _simplify(network: Network, coefficient: Coefficient, dtype: np.dtype[Any]) -> Node:
    """Fold and eliminate what can be, and build the nodes of what stands."""
    out = network.out
    balanced = None if is_harmless(coefficient, dtype) else _balance(network, coefficient, dtype)
    if balanced is not None:
        return balanced
    shape = tuple(network.sizes[index] for index in out)
    if coefficient == 0 or 0 in shape or any(map(_selects_nothing, network.structure)):
        return zeros(shape, dtype)
    if network.structure:
        eliminate(network)
        if any(map(_selects_nothing, network.structure)) or any(map(_is_nothing, network.cores)):
            return zeros(shape, dtype)
    if 1 in shape:
        keep_single_entries(network)
    carried = {index for f in (*network.cores, *network.structure) for index in f.term}
    if any(network.sizes[index] == 0 for index in network.summed):
        return zeros(shape, dtype)
    for index in sorted(network.summed - carried):
        coefficient = multiply(coefficient, network.sizes[index])
    return _close(network, coefficient, dtype)


def _balance(network: Network, coefficient: Coefficient, dtype: np.dtype[Any]) -> Node | None:
    """Take numbers out of operands where they bring a coefficient nearer to one; None where not.

    Of ``(s x) (y / s)`` the derivative by x is ``s (y / s)``: by itself, neither factor need have a
    square or a cube that is a float.
    """
    cores, least = [], coefficient
    for factor in network.cores:
        node, least = without_number(factor.node, least)
        cores.append((node, factor.term))
    if not is_balanced(coefficient, least, dtype):
        return None
    factors = [*cores, *((f.node, f.term) for f in network.structure)]
    return contract(factors, network.out, network.sizes, least, dtype)


def is_balanced(before: Coefficient, after: Coefficient, dtype: np.dtype[Any]) -> bool:
    """Whether a coefficient became harmless, or lost more of its size than is harmless."""
    return is_harmless(after, dtype) or is_apart(before, after, dtype)


def without_number(
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
    if isinstance(node, Apply) and keeps_numbers(node):
        inner, coefficient = without_number(node.operands[0], coefficient, depth + 1)
        return with_operands(node, (inner,)), coefficient
    if not isinstance(node, Einsum):
        return node, coefficient
    factors = []
    for operand, term in node.factors:
        inner, coefficient = without_number(operand, coefficient, depth + 1)
        factors.append((inner, term))
    if all(a is b for (a, _), b in zip(factors, node.operands, strict=True)):
        return node, coefficient
    made = contract(factors, node.out, node.sizes, node.coefficient, node.dtype)
    return made, coefficient


def _plain_product(
    factors: Sequence[Factor],
    out: Subscripts,
    sizes: Mapping[int, int],
    coefficient: Coefficient,
    dtype: np.dtype[Any],
) -> Product | None:
    """Build a product of which nothing is to be opened or eliminated; None if it is not one."""
    if coefficient == 0 or 0 in sizes.values() or not sizes.keys() >= {*out}:
        return None
    if not all(_stays_factor(node, term) for node, term in factors):
        return None
    return intern_product(factors, out, sizes, coefficient, dtype)


def with_core(node: Placement, operands: Sequence[Node]) -> Placement | None:
    """Place another array of the same shape as a placement does; None where more is to be done.

    What stands, stands for any array that is not seen through: elimination looks at indices alone.
    """
    if node.core is None or tuple(operands[1:]) != node.operands[1:]:
        return None
    core, term = operands[0], node.core.term
    is_seen_through = isinstance(core, Placement | Constant) or not _stays_factor(core, term)
    if is_seen_through or node.coefficient != 1 or any(map(_selects_nothing, node.structure)):
        return None
    factors = [Factor(core, term), *node.structure]
    return place_in_order(factors, node.out, node.sizes, 1, node.dtype)


def _accumulates(node: Node) -> bool:
    return isinstance(node, Placement) and node.accumulates


def _stays_factor(node: Node, term: Subscripts) -> bool:
    """Whether a node stays what it is as a factor of a product: most do."""
    match node:
        case Product():
            return is_canonical_twin(node) and not node.is_view
        case Apply():
            return not node.symmetry
    if isinstance(node, Placement):
        return _accumulates(node) and node.coefficient == 1 and len({*term}) == len(term)
    return not isinstance(node, Structural)


def _selects_nothing(factor: Operand | Factor) -> bool:
    """Whether a selection has no row that selects: what it is a factor of is zero."""
    mask = selects(factor.node.table) if isinstance(factor.node, Selection) else None
    return mask is not None and not mask.any()


def _is_nothing(factor: Operand) -> bool:
    """Whether a core is a mask that is nowhere true: rows that never select the same."""
    return isinstance(factor.node, Constant) and not factor.node.value.any()


def _open(
    factors: Sequence[Factor],
    out: Subscripts,
    sizes: dict[int, int],
    coefficient: Coefficient,
    dtype: Any,
) -> tuple[Network, Coefficient]:
    """Splice in what computes nothing: its structure, scaling, permutation and repetition."""
    coefficient = canonical_coefficient(coefficient)
    cores: list[Operand] = []
    structure: list[Operand] = []
    fresh = itertools.count(1 + max(sizes, default=-1))
    pending = [*factors][::-1]
    while pending:
        node, term = pending.pop()
        if isinstance(node, Structural):
            structure.append(Operand(node, term))
        elif not isinstance(node, Einsum):
            cores.append(Operand(node, term))
        elif _accumulates(node) and len(factors) > 1 and len({*term}) == len(term):
            coefficient = multiply(coefficient, node.coefficient)
            cores.append(Operand(with_coefficient(node, 1), term))
        elif isinstance(node, Product) and not node.is_view:
            coefficient = multiply(coefficient, node.coefficient)
            twin, axes = canonical_twin(node)
            cores.append(Operand(twin, tuple(term[axis] for axis in axes)))
        else:
            coefficient = multiply(coefficient, node.coefficient)
            spliced = splice(node, term, fresh)
            sizes.update(sizes_of(spliced))
            pending += spliced
    summed = set(sizes).difference(out)
    return Network(cores, structure, out, sizes, summed, makers(dtype)), coefficient


def _close(network: Network, coefficient: Coefficient, dtype: Any) -> Node:
    """Build the nodes of a network whose structure stands: product first, then placement."""
    out, cores, sizes = network.out, network.cores, network.sizes
    structure = [Factor(f.node, f.term) for f in network.structure]
    carried = {index for f in cores for index in f.term}
    if not cores:
        return intern_placement(None, structure, out, sizes, coefficient, dtype)
    if not structure and carried.issuperset(out):
        return _product(cores, out, coefficient, sizes, dtype)
    if len(cores) == 1:
        settle_symmetry(cores, out, network.structure)
    wanted = dict.fromkeys((*out, *(index for _, term in structure for index in term)))
    core = Factor(cores[0].node, cores[0].term)
    is_apart = len({*core.term}) == len(core.term) and all(i in wanted for i in core.term)
    if len(cores) > 1 or not is_apart:
        term = tuple(index for index in wanted if index in carried)
        core = Factor(_product(cores, term, 1, sizes, dtype), term)
    return intern_placement(core, structure, out, sizes, coefficient, dtype)


def _product(
    cores: Sequence[Operand],
    out: Subscripts,
    coefficient: Coefficient,
    sizes: Mapping[int, int],
    dtype: Any,
) -> Node:
    settle_symmetry(cores, out)
    factors = [Factor(f.node, f.term) for f in cores]
    if len(factors) > 1:
        return intern_product(factors, out, sizes, coefficient, dtype)
    ((node, term),) = factors
    if coefficient == 1 and term == out:
        return node
    exact = exact_sum(node, term, out)
    if exact is not None:
        return exact if coefficient == 1 else contract([(exact, out)], out, (), coefficient, dtype)
    if isinstance(node, Product) and len({*term}) == len(term) == len(out):
        to_inner = dict(zip(term, node.out, strict=True))  # a transposed product is a product
        known = node.factors, tuple(to_inner[index] for index in out), node.sizes
        if not is_harmless(coefficient, dtype) and len(node.factors) > 1:
            return contract(*known, coefficient, dtype)
        return intern_product(*known, coefficient, dtype)
    return intern_product(factors, out, sizes, coefficient, dtype)
