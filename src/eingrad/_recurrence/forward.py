"""Forward through a scan: carries with their tangents.

In: a result of a scan, and tangents of operands. Out: its tangent, a result of another scan.
Guaranteed: only carries that move have a tangent: those that begin with one, and those whose root
has one in the step; the least set of which that is true.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from eingrad import _ir, _reuse
from eingrad._ir import Apply, Input, Node
from eingrad._primitives import cast
from eingrad._recurrence.row import NewInputs, Recurrence, Scan, result_of_scan, scan_of
from eingrad._recurrence.scaled import without_scale
from eingrad._subscripts import Shape

DType = np.dtype[Any]
Pushforward = Callable[[Sequence[Node], Mapping[Node, Node], Shape], list[Node]]


class _Derived(NamedTuple):
    """A recurrence with tangents: where its operands and its results come from."""

    recurrence: Recurrence
    operands: tuple[tuple[int, bool], ...]  # which of the scan's, and whether its tangent is meant
    tangent_of: dict[int, int]  # by the number of a result; others have none


def push(
    node: Apply,
    tangents: Mapping[Node, Node],
    trailing: Shape,
    wider: Sequence[DType],
    pushforward: Pushforward,
) -> Node | None:
    """Multiply the Jacobians of one result of a scan by tangents; None: it does not move.

    `pushforward` does it for the nodes of a step. Axes of tangents after those of the nodes are
    `trailing`; tangents hold the dtypes of nodes, and those that are `wider`.
    """
    row = scan_of(node)
    given = {
        k: tangents[n]
        for k, n in enumerate(node.operands)
        if n in tangents and not _ir.is_zero(tangents[n])
    }
    if not given:
        return None
    key = ("push", row, (*given,), trailing, (*wider,))
    derived = _reuse.find_or_derive(
        key, lambda: _derive(row, [*given], trailing, wider, pushforward)
    )
    if node.result not in derived.tangent_of:
        return None
    recurrence, operands = derived.recurrence, []
    given, scale = without_scale(given)
    for of_step, (k, is_tangent) in zip(recurrence.inputs, derived.operands, strict=True):
        if not is_tangent:
            operands.append(node.operands[k])
        elif k in given:
            operands.append(cast(given[k], of_step.dtype))
        else:
            operands.append(_ir.zeros(of_step.shape, of_step.dtype))
    k = derived.tangent_of[node.result]
    found = result_of_scan(recurrence, operands, row.length, k, is_backward=row.is_backward)
    return _ir.scale(found, scale)


def _derive(
    row: Scan,
    given: Sequence[int],
    trailing: Shape,
    wider: Sequence[DType],
    pushforward: Pushforward,
) -> _Derived:
    """Differentiate a step along the inputs at these places, and the carries that move then."""
    step = row.recurrence
    new, inputs = NewInputs(step), step.inputs
    tangents: dict[int, Input] = {}
    moving = [*given]
    while moving:
        for k in moving:
            dtype = _ir.widened(inputs[k], wider)
            tangents[k] = new.make(inputs[k].shape + trailing, dtype)
        seeds: dict[Node, Node] = {inputs[k]: tangent for k, tangent in tangents.items()}
        pushed = pushforward(step.results, seeds, trailing)
        places = {step.place_of_carry(j): pushed[j] for j in range(len(step.roots))}
        moving = [k for k, n in places.items() if k not in tangents and not _ir.is_zero(n)]
    return _with_tangents(step, tangents, pushed)


def _with_tangents(
    step: Recurrence, tangents: Mapping[int, Input], pushed: Sequence[Node]
) -> _Derived:
    """Give a recurrence tangents of its inputs, by their places, and of its results."""
    count = len(step.roots)
    moving = [j for j in range(count) if step.place_of_carry(j) in tangents]
    outputs = [n for n in range(count, len(pushed)) if not _ir.is_zero(pushed[n])]
    parts, operands = [], []
    first = 0
    for part in (step.constants, step.carries, step.slices):
        places = range(first, first + len(part))
        moved = [k for k in places if k in tangents]
        parts.append((*part, *(tangents[k] for k in moved)))
        operands += [(k, False) for k in places] + [(k, True) for k in moved]
        first += len(part)
    constants, carries, slices = parts
    recurrence = Recurrence(
        constants, carries, slices,
        (*step.roots, *(pushed[j] for j in moving)),
        (*step.outputs, *(pushed[n] for n in outputs)),
        step.written,
    )  # fmt: skip
    tangent_of = {j: count + n for n, j in enumerate(moving)}
    start = len(pushed) + len(moving)
    tangent_of |= {n: start + m for m, n in enumerate(outputs)}
    return _Derived(recurrence, (*operands,), tangent_of)
