"""How values lie in memory: the stride of each axis, as NumPy gives it.

In: a kernel, and how its operands lie. Out: how its result does, in elements.
Guaranteed: what NumPy does, as far as it is known: a matrix product lies in the order of its axes,
those of its batch and the axes of a ufunc's result as those of the operands. Of whatever else there
is, the order of the axes is taken, as it is of inputs.

>>> from eingrad._plan import kernels
>>> array = Array((2, 3, 4), in_order((2, 3, 4)))
>>> turned = strides_after(kernels.View(((0, 1, 2),), (2, 0, 1)), [array], (4, 2, 3))
>>> turned
(1, 12, 4)
>>> are_together(Array((4, 2, 3), turned), (1, 2)), are_together(Array((4, 2, 3), turned), (0, 1))
(True, False)
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from eingrad._plan.kernels import (
    Add,
    Call,
    Kernel,
    MatMul,
    Mirror,
    Multiply,
    Reshape,
    Scale,
    Side,
    Slice,
    Sum,
    View,
)
from eingrad._primitives import Primitive
from eingrad._subscripts import Shape, Subscripts

Strides = tuple[int, ...]  # in elements


class Array(NamedTuple):
    """Shape and strides of a value."""

    shape: Shape
    strides: Strides

    @property
    def lies_in_order(self) -> bool:
        """Whether its entries follow each other in the order of its axes, without gaps."""
        wanted = 1
        for size, stride in zip(self.shape[::-1], self.strides[::-1], strict=True):
            if size != 1 and stride != wanted:
                return False
            wanted *= size
        return True


def in_order(shape: Shape) -> Strides:
    """Strides of an array in the order of its axes."""
    return (*itertools.accumulate(shape[:0:-1], initial=1, func=int.__mul__),)[::-1][: len(shape)]


def outermost_first(strides: Strides) -> tuple[int, ...] | None:
    """Put axes in the order in which they lie; None where entries repeat, or two lie alike."""
    if 0 in strides or len({*map(abs, strides)}) < len(strides):
        return None
    return tuple(sorted(range(len(strides)), key=lambda axis: -abs(strides[axis])))


def strides_after(kernel: Kernel, operands: Sequence[Array], shape: Shape) -> Strides | None:
    """Give the strides of a kernel's result; None: it lies in the order of its axes."""
    match kernel:
        case View() | Slice():
            return _looked_at(kernel, operands[0].strides)
        case Multiply(terms=terms, out=out):
            return _as_operands([_spread(*pair, out) for pair in zip(operands, terms, strict=True)])
        case MatMul() as product if product.batch > 1:
            return _multiplied(product, operands, shape)
        case Scale() | Add() | Call(row=Primitive(core=())):
            return _as_operands(operands)
        case Sum(terms=(term,), out=out):
            return _as_operands([_spread(operands[0], term, out)])
        case Mirror(in_place=True, flat=flat) if reshaped(operands[0], flat) is not None:
            return operands[0].strides
        case Reshape():
            return reshaped(operands[0], shape)
    return None


def _looked_at(kernel: View | Slice, strides: Strides) -> Strides:
    """Strides of a view: of a diagonal the sum, of repeated entries zero."""
    if isinstance(kernel, Slice):
        axis, step = kernel.axis, kernel.positions.step
        return (*strides[:axis], strides[axis] * step, *strides[axis + 1 :])
    (term,) = kernel.terms
    pairs = [*zip(term, strides, strict=True)]
    return tuple(sum(stride for i, stride in pairs if i == index) for index in kernel.out)


def reshaped(array: Array, shape: Shape) -> Strides | None:
    """Give the strides of an array in another shape; None where it is copied for it.

    Axes are split or merged: both shapes are gone through in blocks of equal size.
    """
    old = [(n, s) for n, s in zip(array.shape, array.strides, strict=True) if n != 1]
    if 0 in shape:
        return in_order(shape)
    strides = [0] * len(shape)
    new = [axis for axis, size in enumerate(shape) if size != 1]
    while old:
        block, axes = [old.pop(0)], [new.pop(0)]
        while (had := math.prod(n for n, _ in block)) != (
            has := math.prod(shape[axis] for axis in axes)
        ):
            if had < has:
                block.append(old.pop(0))
            else:
                axes.append(new.pop(0))
        sizes, steps = zip(*block, strict=True)
        if not are_together(Array(sizes, steps), range(len(sizes))):
            return None
        stride = steps[-1]
        for axis in reversed(axes):
            strides[axis] = stride
            stride *= shape[axis]
    return tuple(strides)


def are_together(array: Array, axes: Sequence[int]) -> bool:
    """Whether axes may be merged in this order without a copy."""
    before = None
    for axis in axes:
        if array.shape[axis] == 1:
            continue
        if before is not None and before != array.strides[axis] * array.shape[axis]:
            return False
        before = array.strides[axis]
    return True


def _spread(array: Array, term: Subscripts, out: Subscripts) -> Array:
    """Look at a factor as the result does: axes that it has not get size one."""
    at = {index: axis for axis, index in enumerate(term)}
    return Array(
        tuple(array.shape[at[i]] if i in at else 1 for i in out),
        tuple(array.strides[at[i]] if i in at else 0 for i in out),
    )


def as_matrices(array: Array, side: Side) -> Array | None:
    """Look at an operand of a matrix product; None: it is copied for it."""
    shape, strides = (tuple(values[axis] for axis in side.axes) for values in array)
    if side.flat is None:
        return Array(shape, strides)
    found = reshaped(Array(shape, strides), side.flat)
    return None if found is None else Array(side.flat, found)


def _multiplied(product: MatMul, operands: Sequence[Array], shape: Shape) -> Strides:
    """Strides of a product of matrices: of a batch, as the operands lie."""
    leading = []
    for array, side in zip(operands, product.sides, strict=True):
        found = as_matrices(array, side) or Array(side.flat or (), in_order(side.flat or ()))
        if len(found.shape) > 2 - side.is_vector:  # else it is repeated
            leading.append(Array(*(values[: product.batch] for values in found)))
    matrix = shape[product.batch :]
    return (*(math.prod(matrix) * s for s in _as_operands(leading)), *in_order(matrix))


def _as_operands(operands: Sequence[Array]) -> Strides:
    """Strides that NumPy gives a new result: of two axes that is the outer one that all say is.

    Insertion, from the last axis on; where operands disagree, the order of the axes wins.
    """
    arrays = [array for array in operands if array.shape]
    if not arrays:
        return ()
    shape = tuple(max(sizes) for sizes in zip(*(array.shape for array in arrays), strict=True))
    order: list[int] = []  # innermost first
    for axis in reversed(range(len(shape))):
        place = len(order)
        for k in reversed(range(len(order))):
            is_inner = _is_inner(arrays, axis, order[k])
            if is_inner is False:
                break
            if is_inner:
                place = k
        order.insert(place, axis)
    strides, stride = [0] * len(shape), 1
    for axis in order:
        strides[axis] = stride
        stride *= shape[axis]
    return tuple(strides)


def _is_inner(arrays: Sequence[Array], axis: int, other: int) -> bool | None:
    """Whether all arrays say that an axis lies inside another; None where none says anything."""
    said = [
        abs(strides[axis]) < abs(strides[other])
        for shape, strides in arrays
        if shape[axis] != 1 and shape[other] != 1 and strides[axis] and strides[other]
    ]
    return all(said) if said else None
