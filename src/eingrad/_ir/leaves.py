"""Leaves and structural tensors: inputs, constants, selections, merges.

In: what the user gave, or a rule needs: an array, a table, a shape.
Out: the one node of it.

>>> delta(3) is selection(range(3), 3)
True
"""

import itertools
import math
import operator
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from eingrad._exact import exact
from eingrad._exact import sizes as sizes_of
from eingrad._ir.digests import Content, rough_text, rough_values
from eingrad._ir.nodes import Constant, Input, Merge, Selection, intern_node
from eingrad._ir.tables import canonical_table, key_of, length
from eingrad._subscripts import Shape

_FLOAT64 = np.dtype(np.float64)
_BOOL = np.dtype(bool)
_serials = itertools.count()
NOT_FINITE = "not finite"  # in the key of an input: its entries are known to be, some of them


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

    def content() -> Content:
        what = key, shape, dtype.str
        return Content((), repr(what).encode(), rough_text(what))

    return intern_node(Input, (serial,), shape, dtype, content, serial, name, key)


def constant(value: ArrayLike) -> Constant:
    """Make a constant from a copy of an array."""
    array = np.array(value, order="C")
    array.flags.writeable = False
    values = array.tobytes()
    key = (array.dtype.str, array.shape, values)

    def content() -> Content:
        before = repr(key[:2]).encode()
        return Content((), before + values, rough_values(array, before))

    return intern_node(Constant, key, array.shape, array.dtype, content, array)


def selection(table: range | ArrayLike, n: int) -> Selection:
    """Make ``S[i, j] = (j == table[i])``, of shape ``(len(table), n)``."""
    table = canonical_table(table)
    key, n = key_of(table), operator.index(n)
    shape = (length(table), n)

    def content() -> Content:
        text = repr(n).encode() + key if isinstance(key, bytes) else repr((key, n)).encode()
        return Content((), text)

    is_delta = isinstance(table, range) and shape[0] == n and table == range(n)
    return intern_node(Selection, (key, n), shape, _BOOL, content, table, is_delta)


def delta(n: int) -> Selection:
    """Make the Kronecker delta of order two."""
    return selection(range(n), n)


def merge(sizes: Shape) -> Merge:
    """Make ``M[m, i, j, ...]``: m is the row-major position of ``(i, j, ...)``."""
    sizes = sizes_of(sizes)
    shape = (math.prod(sizes), *sizes)
    return intern_node(Merge, sizes, shape, _BOOL, lambda: Content((), repr(sizes).encode()))
