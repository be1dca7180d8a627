"""Powers of two apart from numbers: long products whose parts leave the range stay in it.

In: factors along the last axis, as nodes. Out: the factors, each times a power of two, so that the
product of any that follow one another is between 1/4 and 4, or zero; and the exponents.
Guaranteed: exponents do not change with the factors but in steps, so they have no derivative.
Multiplying by powers of two rounds nothing: where products that are not scaled stay in range, those
of scaled factors have the same bits. A zero has the exponent zero, and stays one.

With ``y[k] = x[0] ... x[k]``, exponents are ``running[k]`` near ``log2 |y[k]|``, zeros left out, and
``shift[k] = running[k - 1] - running[k]`` is near ``-log2 |x[k]|``. What a derivative leaves out of a
product is taken from its exponent: ``d y[k] / d x[j]`` has ``running[k] + shift[j]``. So it leaves the
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


def exponents_of_products(x: Array) -> tuple[Array, Array]:
    """Round the logarithms of running products down; zeros, inf and nan count as one.

    Returns them, and what they fall by at each factor.
    """
    factors = np.abs(np.where((x == 0) | ~np.isfinite(x), 1, x))
    logarithms = np.cumsum(np.log2(factors), -1, dtype=float)
    running = np.clip(np.floor(logarithms), -(2**30), 2**30)
    return running, -np.diff(running, axis=-1, prepend=0)


def ldexp(exponents: Array, x: Array) -> Array:
    """``2**exponents x``, of complex numbers too."""
    whole = exponents.astype(np.intc)
    if x.dtype.kind == "c":
        return np.asarray(np.ldexp(x.real, whole) + 1j * np.ldexp(x.imag, whole))
    return np.asarray(np.ldexp(x, whole))


class Scaled(NamedTuple):
    """Factors in range, what brings each there, and the exponents of their running products."""

    factors: Node
    shift: Node
    running: Node

    @property
    def total(self) -> Node:
        """The exponent of the product of all."""
        n = self.shift.shape[-1]
        last = _ir.take(self.running, self.shift.ndim - 1, _ir.selection([n - 1], n))
        return _ir.reshape(last, self.shift.shape[:-1])


def scaled_factors(x: Node) -> Scaled | None:
    """Part factors along the last axis into numbers in range and powers of two; None: of too few."""
    if x.shape[-1] <= _ALWAYS_IN_RANGE:
        return None
    running, shift = (apply("running_exponents", x, result=k) for k in (0, 1))
    return Scaled(by_power(shift, x), shift, running)


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
