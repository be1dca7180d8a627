"""Arrays that the user's function uses, not being given them, and whether they were written.

In: an array, and the input that stands for it. Out: what to compute with, and its values later.
Guaranteed: a write to a small array is seen, whoever makes it; of a large one, to a sample of it.
"""

import math
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from eingrad import _ir
from eingrad._ir import Input, Node
from eingrad._primitives import apply
from eingrad._tracer.arrays import Array
from eingrad._tracer.selected import selection_of

SMALL = 1 << 16  # bytes of an array that is copied, rather than sampled; and told by its content
_SAMPLED = 1 << 10  # entries of a larger one
_BITS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}  # what buffers compare fast


@dataclass(slots=True, eq=False)
class Captured:
    """An array of the user's that the function uses, and what tells whether it was written.

    The array is read-only while it is traced, but another view of its memory may not be. A small
    array is copied when it is first used, and the copy computed with; so is one that cannot be made
    read-only. Of a larger one a sample is noted, and the array itself computed with.
    """

    node: Input
    value: Node  # what the function computes with: the input, or a power of two times a part of it
    array: Array
    before: Array  # the copy, or the sample
    is_copied: bool
    is_looked_at: bool = False  # whether it is known to be a selection, or not
    selected: Node | None = None  # it, if it is: then a product with it is one with its table

    @property
    def values(self) -> Array:
        """What the input is computed with, in the dtype of the input."""
        values = self.before if self.is_copied else self.array
        return np.asarray(values, self.node.dtype)

    def as_factor(self) -> Node:
        """Give what a product computes with, that sums over an axis of it."""
        if not self.is_looked_at:
            self.selected = selection_of(self.before if self.is_copied else self.array)
            self.is_looked_at = True
        return self.value if self.selected is None else self.selected

    def is_unchanged(self) -> bool:
        """Whether the array is as it was; of a large one, the sample of it."""
        now = self.array if self.is_copied else _sample(self.array)
        return has_bits_of(now, self.before)


def capture(node: Input, array: Array, *, is_held: bool) -> Captured:
    """Note an array at its first use; one that is not held read-only is copied at any size."""
    is_copied = not is_held or array.nbytes <= SMALL
    before = array.copy("K") if is_copied else _sample(array)
    return Captured(node, _with_scale_apart(node, array), array, before, is_copied)


def is_finite(array: Array) -> bool:
    """Whether no entry of an array is infinite or nan; of one whose sum is neither, none is."""
    if array.dtype.kind not in "fc":
        return True
    with np.errstate(all="ignore"):
        return bool(np.isfinite(array.sum()) or np.isfinite(array).all())


def memory_of(array: Array) -> Hashable:
    """Tell where the entries of an array lie: arrays of the same are equal, while one lives."""
    return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype.str


def _sample(array: Array) -> Array:
    """Copy some entries, evenly spread, of an array of any memory layout; columns take turns."""
    step = array.size // _SAMPLED + 1
    while math.gcd(step, array.shape[-1]) > 1:
        step += 1
    return array.flat[::step]


def has_bits_of(first: Array, second: Array) -> bool:
    """Whether arrays of one shape and dtype hold the same bits: -0.0 is not 0.0, nan is nan."""
    kind = _BITS.get(first.itemsize)
    if kind is None:  # complex128
        return bool((first.view("V16") == second.view("V16")).all())
    return first.view(kind).data == second.view(kind).data


def _with_scale_apart(node: Input, values: Array) -> Node:
    """Write a captured array of extreme values as a power of two times moderate ones: both exact.

    Of ``(s * x) * (a / s)`` NumPy has divided a before we see it. So its scale is a number again,
    which meets the other one in derivatives.
    """
    exponent = _ir.common_exponent(values)
    if not exponent:
        return node
    moderate = apply("scaled", node, factor=math.ldexp(1.0, -exponent))
    return apply("scaled", moderate, factor=math.ldexp(1.0, exponent))
