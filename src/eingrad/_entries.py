"""Sums of entries of a derivative, as one contraction: ``H[0, 0] + H[1, 1]`` is a trace.

In: products that take entries of one derivative, and their coefficients. Out: one product with the
same sum.
Guaranteed: it takes each entry once, by selections that are tied to each other; where there are
more than any axis has, it is a constant instead. Only small derivatives are looked at.
"""

import itertools
import math
from collections.abc import Hashable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eingrad import _ir
from eingrad._contracted import Network
from eingrad._derivative_factor import Derivative
from eingrad._ir import Coefficient, Factor, Selection
from eingrad._limits import BUDGET

Values = NDArray[Any]


def what_is_read(network: Network) -> Hashable:
    """Tell apart products that take entries of derivatives; None if one does something else.

    Of alike ones the same axes of the same derivative are axes of the result, in the same order.
    """
    if network.sums or len(network.derivatives) != 1:
        return None
    (found,) = network.derivatives
    out = {*network.out}
    picks = all(isinstance(n, Selection) and out.isdisjoint(t) for n, t in network.factors)
    is_kept = all(found.term.count(i) == 1 for i in out)
    sizes = [network.sizes[i] for i in found.term if i not in out]
    if found.unchanged is None or not picks or not is_kept or not sizes:
        return None
    if math.prod(sizes) > BUDGET.entries:
        return None
    return found.unchanged, (*(found.term.index(i) for i in network.out),)


def added_up(networks: Sequence[Network], coefficients: Sequence[Coefficient]) -> Network:
    """Add up products that take entries of one derivative."""
    first = networks[0]
    (found,) = first.derivatives
    assert found.unchanged is not None
    pairs = zip(networks, coefficients, strict=True)
    total = np.sum([_number(c) * _values(network) for network, c in pairs], axis=0)
    fresh = itertools.count(len(first.out))
    term = tuple(i if i in first.out else next(fresh) for i in found.term)
    sizes = dict(zip(term, (first.sizes[i] for i in found.term), strict=True))
    network = Network(first.out, sizes, fresh)
    network.derivatives.append(Derivative.of(found.unchanged, term))
    axes = tuple(i for i in term if i not in first.out)
    positions = np.nonzero(total)
    count = len(positions[0])
    if count > max(total.shape):
        network.factors.append(Factor(_ir.constant(total), axes))
        return network
    entry = next(fresh)
    sizes[entry] = count
    values = total[positions]
    for axis, table in zip(axes, positions, strict=True):
        network.factors.append(Factor(_ir.selection(table, sizes[axis]), (entry, axis)))
    if count and (values == values[0]).all():
        network.coefficient = values[0].item()
    else:
        network.factors.append(Factor(_ir.constant(values), (entry,)))
    return network


def _values(network: Network) -> Values:
    """Say how often each entry is taken, along the axes that are not those of the result."""
    (found,) = network.derivatives
    axes = [i for i in found.term if i not in network.out]
    own = [next(network.fresh) for _ in axes]
    arrays = [np.eye(network.sizes[i]) for i in axes]
    terms = [*zip(own, axes, strict=True)]
    for node, term in network.factors:
        assert isinstance(node, Selection)
        table = np.asarray(node.table)
        arrays.append((table[:, None] == np.arange(node.shape[1])).astype(float))
        terms.append((term[0], term[1]))
    number = {i: n for n, i in enumerate(dict.fromkeys(itertools.chain(*terms)))}
    operands: list[Any] = []
    for array, pair in zip(arrays, terms, strict=True):
        operands += [array, [number[i] for i in pair]]
    taken: Values = np.einsum(*operands, [number[i] for i in own], optimize=True)
    return _number(network.coefficient) * taken


def _number(coefficient: Coefficient) -> float | complex:
    return float(coefficient) if isinstance(coefficient, (int, Fraction)) else coefficient
