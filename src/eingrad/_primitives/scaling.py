"""Powers of two apart from numbers: long products whose parts leave the range stay in it.

In: factors along the last axis, as nodes. Out: the factors, each times a power of two, so that the
product of any that follow one another is between 1/4 and 4, or zero; and the exponents.
Guaranteed: exponents do not change with the factors but in steps, so they have no derivative.
Multiplying by powers of two rounds nothing: where products that are not scaled stay in range, those
of scaled factors have the same bits. A zero has the exponent zero, and stays one.

With ``y[k] = x[0] ... x[k]``, exponents are ``running[k]`` near ``log2 |y[k]|``, zeros left out, and
``own[k] = running[k] - running[k - 1]`` is near ``log2 |x[k]|``. What a derivative leaves out of a
product is taken from its exponent: ``d y[k] / d x[j]`` has ``running[k] - own[j]``. So it leaves the
range where it must. A sum of logarithms instead would have no digits, a product in the form of a tree
leaves the range where the factors of a part do, and one of large with small ones would need their order.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eingrad import _ir
from eingrad._ir import Node, Placement, Product
from eingrad._primitives.algebra import apply
from eingrad._primitives.row import Array
from eingrad._subscripts import Shape

_ALWAYS_IN_RANGE = 3  # factors: what their products are made of are derivatives themselves


def exponents_of_products(x: Array) -> Array:
    """Round the logarithms of running products down; zeros, inf and nan count as one."""
    factors = np.abs(np.where((x == 0) | ~np.isfinite(x), 1, x))
    logarithms = np.cumsum(np.log2(factors), -1, dtype=float)
    return np.asarray(np.clip(np.floor(logarithms), -(2**30), 2**30))


def ldexp(exponents: Array, x: Array) -> Array:
    """``2**exponents x``, of complex numbers too."""
    whole = exponents.astype(np.intc)
    if x.dtype.kind == "c":
        return np.asarray(np.ldexp(x.real, whole) + 1j * np.ldexp(x.imag, whole))
    return np.asarray(np.ldexp(x, whole))


class Scaled(NamedTuple):
    """Factors in range, the exponent of each, and those of the running products."""

    factors: Node
    own: Node
    running: Node

    @property
    def total(self) -> Node:
        """The exponent of the product of all."""
        n = self.own.shape[-1]
        return _ir.reshape(
            _ir.take(self.running, self.own.ndim - 1, _ir.selection([n - 1], n)),
            self.own.shape[:-1],
        )


def scaled_factors(x: Node) -> Scaled | None:
    """Part factors along the last axis into numbers in range and powers of two; None: of too few."""
    n, last = x.shape[-1], x.ndim - 1
    if n <= _ALWAYS_IN_RANGE:
        return None
    running = apply("running_exponents", x)
    before = _ir.take(running, last, _ir.selection([-1, *range(n - 1)], n))
    own = _ir.add([running, before], [1, -1])
    return Scaled(by_power(_ir.add([own], [-1]), x), own, running)


def by_power(exponents: Node, x: Node) -> Node:
    """``2**exponents x``, entry by entry: zero where x is zero, whatever the exponent."""
    return apply("ldexp_complex" if x.dtype.kind == "c" else "ldexp", exponents, x)


def power_times(exponents: Node, arriving: Node, first: int) -> Node:
    """Multiply what arrives by powers of two; `first` is the axis that those of exponents begin at.

    What deltas place stays placed, and what they place is multiplied.
    """
    own = tuple(range(first, first + exponents.ndim))
    axes = tuple(range(arriving.ndim))
    if not isinstance(arriving, Placement):
        return _by_power([(exponents, own), (arriving, axes)], axes, arriving.shape)
    powers = by_power(exponents, _ir.fill(1, exponents.shape, arriving.dtype))
    product = _ir.contract([(arriving, axes), (powers, own)], axes)
    return _with_core(product, powers, exponents)


def _with_core(product: Node, powers: Node, exponents: Node) -> Node:
    """Put ``2**exponents`` times a core in the place of a core times the powers as numbers."""
    core = product.core if isinstance(product, Placement) else None
    inner = core.node if core else product
    if not isinstance(inner, Product) or inner.sums or len(inner.factors) != 2:  # noqa: PLR2004
        return product
    for (of_powers, term), other in (inner.factors, inner.factors[::-1]):
        if _base(of_powers) is powers:
            view = _ir.substitute([of_powers], {powers: exponents})[0]
            made = _by_power([(view, term), other], inner.out, inner.shape)
            made = _ir.scale(made, inner.coefficient)
            return made if inner is product else _ir.substitute([product], {inner: made})[0]
    return product


def _base(node: Node) -> Node:
    """What entries are picked from."""
    while isinstance(node, Placement) and node.core is not None:
        node = node.core.node
    return node


def _by_power(pair: Sequence[tuple[Node, Sequence[int]]], out: Sequence[int], shape: Shape) -> Node:
    """Repeat exponents, and numbers, along the indices of the result that they have not."""
    sizes = dict(zip(out, shape, strict=True))
    exponents, numbers = (_ir.contract([each], out, sizes) for each in pair)
    return by_power(exponents, numbers)
