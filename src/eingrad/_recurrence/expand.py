"""A series through a scan: carries with their coefficients.

In: a result of a scan, and coefficients of its operands. Out: one of its coefficients, a result of
another scan.
Guaranteed: what gives number k has in it what gives number k - 1, on the same inputs: planned
together they are one.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from eingrad import _ir, _reuse
from eingrad._ir import Apply, Input, Node
from eingrad._primitives import cast
from eingrad._recurrence.row import (
    NewInputs,
    Recurrence,
    Scan,
    moving_inputs,
    result_of_scan,
    scan_of,
)

DType = np.dtype[Any]
# Of a curve through inputs, of coefficients from number one on: coefficient of a node.
Expand = Callable[[Mapping[Node, Sequence[Node]]], Callable[[Node, int], Node]]


def coefficient_of_scan(
    node: Apply,
    k: int,
    highest: int,
    given: Mapping[int, Sequence[Node]],
    wider: Sequence[DType],
    expand: Expand,
) -> Node:
    """Give coefficient number k, from one on, of a result of a scan.

    `highest` is the number of the last that is asked for. `given` are coefficients 1 to k of
    operands, by their places; `expand` is for nodes of a step.
    """
    row = scan_of(node)
    key = ("expand", row, k, highest, (*given,), (*wider,))
    recurrence, operands, coefficient_of = _reuse.find_or_derive(
        key, lambda: _derive(row, k, [*given], wider, expand)
    )
    if node.result not in coefficient_of:
        return _ir.zeros(node.shape, _ir.widened(node, wider))
    nodes = []
    for of_step, (place, order) in zip(recurrence.inputs, operands, strict=True):
        if order == 0:
            nodes.append(node.operands[place])
        elif place in given:
            nodes.append(cast(given[place][order - 1], of_step.dtype))
        else:
            nodes.append(_ir.zeros(of_step.shape, of_step.dtype))
    number = coefficient_of[node.result]
    return result_of_scan(recurrence, nodes, row.length, number, is_backward=row.is_backward)


_Expanded = tuple[Recurrence, list[tuple[int, int]], dict[int, int]]


def _derive(
    row: Scan, k: int, given: Sequence[int], wider: Sequence[DType], expand: Expand
) -> _Expanded:
    """Expand a step; say of each operand which of the scan's it is, and which coefficient.

    Then which result is coefficient number k of which.
    """
    step, new = row.recurrence, NewInputs(row.recurrence)
    moving = moving_inputs(step, given)
    curve: dict[Node, list[Input]] = {x: [] for x in moving}
    for _ in range(k):
        for x in moving:
            curve[x].append(new.make(x.shape, _ir.widened(x, wider)))
    coefficient = expand(curve)
    count = len(step.roots)
    moved = [j for j in range(count) if step.carries[j] in curve]
    orders = range(1, k + 1)
    outputs = [
        (n, order)
        for order in orders
        for n, output in enumerate(step.outputs, count)
        if not _ir.is_zero(coefficient(output, order))
    ]
    parts, operands = [], []
    first = 0
    for part in (step.constants, step.carries, step.slices):
        known = [(place, 0) for place in range(first, first + len(part))]
        known += [(place, o) for o in orders for place, _ in known if step.inputs[place] in curve]
        parts.append(tuple(_coefficient_of(step.inputs[p], o, curve) for p, o in known))
        operands += known
        first += len(part)
    roots = [coefficient(step.roots[j], order) for order in orders for j in moved]
    constants, carries, slices = parts
    roots = [*step.roots, *roots]
    made = [*step.outputs, *(coefficient(step.results[n], order) for n, order in outputs)]
    written = frozenset(_ir.topological([*roots, *made]))  # a series is computed as it stands
    recurrence = Recurrence(constants, carries, slices, (*roots,), (*made,), written)
    last = len(recurrence.roots) - len(moved)
    coefficient_of = {j: last + n for n, j in enumerate(moved)}
    start = len(recurrence.roots) + len(step.outputs)
    coefficient_of |= {n: start + m for m, (n, order) in enumerate(outputs) if order == k}
    return recurrence, operands, coefficient_of


def _coefficient_of(x: Input, order: int, curve: Mapping[Node, Sequence[Input]]) -> Input:
    return curve[x][order - 1] if order else x
