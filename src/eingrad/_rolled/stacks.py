"""Nodes of many steps as one array, and an array as nodes of many steps.

In: a node for each step. Out: one node, with an axis for the steps in front; and back.
Guaranteed: numbers become one constant, entries of one array a part of it; nothing is copied that
lies in an array step by step.
"""

from collections.abc import Callable, Sequence

import numpy as np

from eingrad import _ir
from eingrad._ir import Apply, Constant, Factor, Input, Node, Placement, Selection
from eingrad._primitives import apply

Capture = Callable[[Sequence[Input]], Node | None]  # one input for several of captured arrays


def stacked(nodes: Sequence[Node], capture: Capture) -> Node:
    """Give the nodes of all steps as one."""
    if all(isinstance(n, Constant) or _ir.is_fill(n) for n in nodes):
        return _ir.constant(np.stack([_values(n) for n in nodes]))
    joined = _entries_of_one(nodes)
    if joined is not None:
        return joined
    inputs = [n for n in nodes if isinstance(n, Input)]
    if len(inputs) == len(nodes) == len({*nodes}):
        captured = capture(inputs)
        if captured is not None:
            return captured
    return apply("concatenate", *map(_with_axis, nodes), axis=0)


def one_of(array: Node, step: int) -> Node:
    """Give the entry of one step."""
    pick = _ir.selection(range(step, step + 1), array.shape[0])
    inside = tuple(range(1, array.ndim))
    return _ir.contract([(array, (0, *inside)), (pick, (array.ndim, 0))], inside)


def _values(node: Node) -> np.ndarray:
    if isinstance(node, Constant):
        return node.value
    assert isinstance(node, Placement)
    return np.full(node.shape, _ir.as_float(node.coefficient), node.dtype)


def _with_axis(node: Node) -> Node:
    inside = tuple(range(node.ndim))
    return _ir.contract([(node, inside)], (node.ndim, *inside), {node.ndim: 1})


def _entries_of_one(nodes: Sequence[Node]) -> Node | None:
    """Gather what all nodes take from one array, each by one table of its own."""
    parts = [_by_one_table(n) for n in nodes]
    first = parts[0]
    if first is None or any(part is None or part[0] != first[0] for part in parts):
        return None
    how, rest, _, (row, column), out, coefficient = first
    tables = [_ir.positions_of(part[2].table) for part in parts if part is not None]
    picks = _ir.selection(np.concatenate(tables), first[2].shape[1])
    split = _ir.merge((len(nodes), first[2].shape[0]))
    node = nodes[0]
    assert isinstance(node, Placement)
    every = len(node.sizes)
    factors = [*rest, Factor(picks, (every + 1, column)), Factor(split, (every + 1, every, row))]
    sizes = dict(enumerate(node.sizes))
    return _ir.contract(factors, (every, *out), sizes, coefficient, node.dtype)


def _by_one_table(node: Node):  # type: ignore[no-untyped-def]
    """Take a placement of an array by one table apart: what others must have too, and that."""
    if not isinstance(node, Placement) or node.core is None:
        return None
    picks = [f for f in node.structure if isinstance(f.node, Selection)]
    if len(picks) != 1:
        return None
    rest = [f for f in node.factors if f is not picks[0]]
    how = (*((f.node.uid, f.term) for f in rest), picks[0].term, node.out, node.shape, repr(node.coefficient))
    return how, rest, picks[0].node, picks[0].term, node.out, node.coefficient


def joined(node: Apply) -> Node:
    """``concatenate(a[0:1], a[1:2], b) -> concatenate(a[0:2], b)``: what lies in one array stays.

    Keeps value, shape and dtype. Terminates: each rewrite takes an operand away. Leaves alone what
    is no part of an array along the axis of the concatenation.
    """
    axis = int(dict(node.attributes)["axis"])
    pieces: list[Node] = []
    for operand in node.operands:
        pieces.append(operand)
    runs: list[list[Node]] = []
    for piece in pieces:
        if runs and _goes_on(runs[-1][0], piece, axis):
            runs[-1].append(piece)
        else:
            runs.append([piece])
    if len(runs) == len(pieces):
        return node
    parts = [_run(run) if len(run) > 1 else run[0] for run in runs]
    return parts[0] if len(parts) == 1 else apply("concatenate", *parts, axis=axis)


def _goes_on(first: Node, piece: Node, axis: int) -> bool:
    a, b = _by_one_table(first), _by_one_table(piece)
    return a is not None and b is not None and a[0] == b[0] and a[4].index(a[3][0]) == axis


def _run(run: Sequence[Node]) -> Node:
    """Gather, by one table, what some pieces of an array are joined to."""
    parts = [part for piece in run if (part := _by_one_table(piece))]
    _, rest, pick, (row, column), out, coefficient = parts[0]
    tables = [_ir.positions_of(part[2].table) for part in parts]
    picks = _ir.selection(np.concatenate(tables), pick.shape[1])
    factors = [*rest, Factor(picks, (row, column))]
    sizes = dict(enumerate(run[0].sizes))  # type: ignore[attr-defined]
    return _ir.contract(factors, out, sizes, coefficient, run[0].dtype)
