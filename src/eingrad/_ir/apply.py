"""Applications of a row of the primitives' table, interned."""

import itertools
import weakref
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from eingrad._exact import exact
from eingrad._exact import sizes as sizes_of
from eingrad._ir.digests import Content, rounded
from eingrad._ir.nodes import Apply, Coefficient, Node, Operation, Symmetry, intern_node
from eingrad._subscripts import Shape

_numbers: weakref.WeakKeyDictionary[Operation, int] = weakref.WeakKeyDictionary()


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

    def content() -> Content:
        named = (_name_in_digests(primitive), *spec)
        near = rounded(attrs)
        rough = None if near is attrs else repr((named[0], repr(near), *spec[1:])).encode()
        return Content([n.digest for n in operands], repr(named).encode(), rough, text_first=True)

    return intern_node(
        Apply, key, shape, dtype, content, primitive, operands, attrs, result, symmetry
    )


def with_operands(node: Apply, operands: Sequence[Node]) -> Node:
    """Apply the row of a node to other operands of the same shapes."""
    attributes, how = dict(node.attributes), (node.shape, node.dtype, node.symmetry)
    return apply_node(node.primitive, operands, attributes, node.result, *how)


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


def number_of(node: Node) -> Coefficient | None:
    """The number that a node multiplies its operand with, if that is all it does."""
    if not isinstance(node, Apply) or node.primitive.number is None:
        return None
    return node.primitive.number(**dict(node.attributes))


def keeps_numbers(node: Apply) -> bool:
    """Whether a number may leave a linear operation: no conversion to less range or precision."""
    return node.primitive.linear and np.can_cast(node.operands[0].dtype, node.dtype, "safe")
