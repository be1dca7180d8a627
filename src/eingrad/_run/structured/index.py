"""Indexing of terms by integers, slices and an ellipsis.

In: terms, the shape of the tensor, an index. Out: the terms of what is picked, and its shape.
Guaranteed: an index is a pattern of ones, contracted: nothing is written out.
"""

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from eingrad._patterns import Axis, Pattern
from eingrad._run.structured.network import Network
from eingrad._run.structured.placed import Placed
from eingrad._shown import shown
from eingrad._subscripts import Shape
from eingrad.errors import DTypeError

_Part = int | range


def indexed(terms: Iterable[Placed], shape: Shape, key: Any) -> tuple[list[Placed], Shape]:
    """Pick positions along axes."""
    parts = _parts(shape, key)
    kept = [axis for axis, part in enumerate(parts) if isinstance(part, range)]
    new = tuple(len(part) for part in parts if isinstance(part, range))
    sizes = dict(enumerate(shape)) | {
        len(shape) + axis: n for axis, n in zip(kept, new, strict=True)
    }
    out = [len(shape) + axis for axis in kept]
    return [_picked(term, parts, sizes, out) for term in terms], new


def _picked(term: Placed, parts: list[_Part], sizes: dict[int, int], out: list[int]) -> Placed:
    network = Network()
    network.place(term.core, term.pattern, range(len(parts)))
    for axis, part in enumerate(parts):
        if isinstance(part, range):
            along = Axis((0,), range(len(part)))
            picks = Pattern((), (along, Axis((0,), part)))
            network.place(None, picks, (len(parts) + axis, axis))
        else:
            network.place(None, Pattern((), (Axis((), np.array(part)),)), (axis,))
    return network.contracted(out, sizes)


def _parts(shape: Shape, key: Any) -> list[_Part]:
    """Give an integer or a range for each axis."""
    given = list(key) if isinstance(key, tuple) else [key]
    ellipses = [n for n, part in enumerate(given) if part is Ellipsis]
    if len(ellipses) > 1:
        raise IndexError("an index has more than one ellipsis; write one, for all other axes")
    spare = len(shape) - len(given) + len(ellipses)
    if spare < 0:
        raise IndexError(
            f"{len(given) - len(ellipses)} indices for a structured tensor of shape {shape}; give "
            f"at most {len(shape)}"
        )
    place = ellipses[0] if ellipses else len(given)
    given[place : place + 1] = [slice(None)] * spare
    return [_part(part, axis, shape) for axis, part in enumerate(given)]


def _part(part: Any, axis: int, shape: Shape) -> _Part:
    size = shape[axis]
    if isinstance(part, slice):
        picked = range(*part.indices(size))
        return picked or range(0)
    if isinstance(part, bool | np.bool_) or not hasattr(part, "__index__") or np.ndim(part):
        raise DTypeError(
            f"a structured tensor of shape {shape} is indexed by integers, slices and '...', not "
            f"by {shown(part)}; write it out first, with dense()"
        )
    position = operator.index(part)
    if not -size <= position < size:
        raise IndexError(
            f"index {position} is out of bounds for axis {axis} of a structured tensor of shape "
            f"{shape}; give {-size} to {size - 1}"
        )
    return position % size
