"""Opaque functions: ``F(X)`` of which nothing is known, with its derivative tensors as inputs.

In: a name, a shape, and the expressions it is a function of. Out: a node that differentiates by the
chain rule like any other; each of its derivatives is one more opaque node.
Guaranteed: derivatives in the same arguments are one node, whatever the order they were taken in
(Schwarz), and the blocks of axes of a repeated argument are interchangeable.

An opaque function is a row of the primitives' table that its user made: differentiation needs to
know no more. When a program is compiled, `open_inputs` makes each an input: ``F``, ``dF_dX``, ...

>>> from eingrad import _ir
>>> from eingrad._primitives import jacobian
>>> x = _ir.new_input("X", (2, 4))
>>> f = function("F", (3, 3), np.dtype(float), (x,))
>>> jacobian(f, 0).shape
(3, 3, 2, 4)
"""

import weakref
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from eingrad import _ir
from eingrad._ir import Apply, Input, Node, Operation
from eingrad._primitives import Kind, Primitive, Rule, kind_of
from eingrad._subscripts import Shape

_PREFIX = "opaque "  # tells its digest from that of a row of the table, which has no space
_rows: weakref.WeakValueDictionary[str, Primitive] = weakref.WeakValueDictionary()


def function(name: str, shape: Shape, dtype: np.dtype[Any], arguments: Sequence[Node]) -> Node:
    """Make ``name(arguments)``; the same name, shape and arguments make the same node."""
    return _derivative_of(_row(name), arguments, (), shape, dtype)


def _row(name: str) -> Operation:
    """Find the row of a name, as long as it is used, or make it."""
    name = f"{_PREFIX}{name}"
    made = Primitive(name, _no_values, _no_values, _rule, core=None, kind=Kind.OPAQUE)
    return _rows.setdefault(name, made)


def is_opaque(node: Node) -> bool:
    """Whether a node is an opaque function, or a derivative of one."""
    return kind_of(node) is Kind.OPAQUE


def _no_values(*_: Any) -> Any:
    raise AssertionError("an opaque function has no values; `open_inputs` puts an input there")


def _rule(k: int) -> Rule:
    def jacobian_in_k(*operands_and_result: Node, wrt: tuple[int, ...], shape: Shape) -> Node:
        """Add argument k to those of the derivative, and move its axes to the end."""
        *operands, y = operands_and_result
        assert isinstance(y, Apply)
        place = bisect_right(wrt, k)
        longer = (*wrt[:place], k, *wrt[place:])
        node = _derivative_of(y.primitive, operands, longer, shape, y.dtype)
        start = len(shape) + sum(operands[m].ndim for m in wrt[:place])
        new = range(start, start + operands[k].ndim)
        return _ir.transpose(node, [a for a in range(node.ndim) if a not in new] + [*new])

    return jacobian_in_k


def _derivative_of(
    row: Operation,
    operands: Sequence[Node],
    wrt: tuple[int, ...],
    shape: Shape,
    dtype: np.dtype[Any],
) -> Node:
    full = (*shape, *(n for k in wrt for n in operands[k].shape))
    if 0 in full:
        return _ir.zeros(full, dtype)
    attributes = {"wrt": wrt, "shape": shape}
    symmetry = _ir.schwarz(len(shape), wrt, [n.ndim for n in operands])
    return _ir.apply_node(row, operands, attributes, 0, full, dtype, symmetry)


# Names and inputs --------------------------------------------------------------------------------


def name_and_arguments(node: Node) -> tuple[str, list[str]]:
    """Name the function of an opaque node, and the arguments it is differentiated in."""
    assert isinstance(node, Apply)
    wrt = dict(node.attributes)["wrt"]
    assert isinstance(wrt, tuple)
    name = node.primitive.name.removeprefix(_PREFIX)
    return name, [_argument_label(node, k) for k in wrt]


def label(node: Node) -> str:
    """Name an opaque node: ``F``, ``dF_dX``, ``d2F_dX_dX``, ``dF_d1``.

    An argument that has no name, or is given twice, goes by its number.
    """
    name, below = name_and_arguments(node)
    power = str(len(below)) if len(below) > 1 else ""
    return f"d{power}{name}_d{'_d'.join(below)}" if below else name


def _argument_label(node: Apply, k: int) -> str:
    """Name an argument; by its number where it has no name, or is given twice."""
    argument = node.operands[k]
    if node.operands.count(argument) > 1:
        return str(k + 1)
    if isinstance(argument, Input):
        return argument.name
    return label(argument) if is_opaque(argument) else str(k + 1)


def names(found: Sequence[Node]) -> dict[Node, str]:
    """Name opaque nodes apart: ``F_at_X``, ``F_at_Y``; ``F_call1``, ``F_call2`` of no names."""
    names = {node: label(node) for node in found}
    counts = Counter(names.values())
    for node, name in names.items():
        if counts[name] > 1:
            assert isinstance(node, Apply)
            at = [_argument_label(node, k) for k in range(len(node.operands))]
            names[node] = "_".join([name, "at", *at])
    counts = Counter(names.values())
    calls: dict[str, list[bytes]] = {}
    for node in found:
        if counts[names[node]] > 1:
            calls.setdefault(_function_of(node), []).append(_call(node))
    for node in found:
        if counts[names[node]] > 1:
            number = 1 + sorted({*calls[_function_of(node)]}).index(_call(node))
            names[node] = f"{label(node)}_call{number}"
    return names


def _function_of(node: Node) -> str:
    """Name the function of an opaque node."""
    return name_and_arguments(node)[0]


def _call(node: Node) -> bytes:
    """What tells calls of a function apart: its arguments."""
    return b"".join(n.digest for n in _ir.children(node))


def open_inputs(roots: Sequence[Node]) -> tuple[list[Node], list[Input]]:
    """Put an input in the place of every opaque node that is used.

    Returns the new roots and all their inputs: variables in the order they were made, then the
    opaque ones by function and order of derivative. An opaque input has the key
    ``("opaque", symmetry)``.
    """
    found = [node for node in _ir.topological(roots) if is_opaque(node)]
    labels = names(found)
    replaced: dict[Node, Node] = {}
    for node in found:
        assert isinstance(node, Apply)
        key = ("opaque", node.symmetry)
        replaced[node] = _ir.new_input(labels[node], node.shape, node.dtype, key)
    roots = _ir.substitute(roots, replaced)
    made = set(replaced.values())
    used = _ir.inputs(roots)
    variables = sorted((n for n in used if n not in made), key=lambda n: n.serial)
    opaque = sorted((n for n in used if n in made), key=lambda n: (n.ndim, n.name))
    return roots, variables + opaque
