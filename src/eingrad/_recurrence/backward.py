"""Backward through a scan: what is stored on the way there is used on the way back.

In: cotangents of results of a scan, all of them. Out: cotangents of operands.
Guaranteed: what is stored of each step are results of a scan, so a plan counts them; only what the
way back needs is stored.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from eingrad import _ir, _reuse
from eingrad._ir import Apply, Input, Node
from eingrad._recurrence.row import NewInputs, Recurrence, Scan, is_scan, results_of_scan, scan_of
from eingrad._recurrence.scaled import without_scale
from eingrad._recurrence.stored import store
from eingrad._subscripts import Shape

DType = np.dtype[Any]
Pullback = Callable[[Mapping[Node, Node], Sequence[Node], Shape], list[Node]]


class _Derived(NamedTuple):
    """The step back, and where its operands and results come from.

    Numbers are those of the scan's operands and results.
    """

    recurrence: Recurrence
    constants: tuple[int, ...]  # operands
    carries: tuple[int | None, ...]  # results whose cotangents they are at first; None: a sum
    slices: tuple[int, ...]  # operands
    stored: tuple[Node, ...]  # of the step
    bars: tuple[int, ...]  # results whose cotangents are slices
    cotangent_of: tuple[int, ...]  # operands whose cotangents the results are


class Arrived:
    """Cotangents that have arrived at results of scans.

    `nodes` are those that are swept, operands first. The sweep meets the first result of a scan
    last: then those of all are known, and go back together.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._first: dict[object, Node] = {}
        self._bars: dict[object, dict[int, Node]] = {}
        for node in filter(is_scan, nodes):
            self._first.setdefault((node.primitive, node.operands), node)

    def with_one_more(self, node: Apply, bar: Node) -> Mapping[int, Node]:
        """Note one; give all of that scan, by the number of the result, when they are known."""
        scan = node.primitive, node.operands
        bars = self._bars.setdefault(scan, {})
        bars[node.result] = bar
        return bars if self._first[scan] is node else {}


def pull(
    node: Apply,
    bars: Mapping[int, Node],
    active: Collection[Node],
    leading: Shape,
    dtype: DType,
    pullback: Pullback,
) -> list[tuple[Node, Node]]:
    """Multiply cotangents of the results of a scan, by number, by its Jacobians.

    Gives cotangents of the operands that are active, each with its operand. `pullback` does it for
    the nodes of a step. Axes of cotangents before those of the nodes are `leading`.
    """
    row = scan_of(node)
    given = tuple(sorted(k for k, bar in bars.items() if not _ir.is_zero(bar)))
    if not given:
        return []
    moved, scale = without_scale({k: bars[k] for k in given})
    bars = {**bars, **moved}
    wanted = tuple(k for k, n in enumerate(node.operands) if n in active and _is_float(n))
    key = ("pull", row, given, wanted, leading, dtype)
    derived = _reuse.find_or_derive(
        key, lambda: _derive(row, given, wanted, leading, dtype, pullback)
    )
    step, recurrence, count = row.recurrence, derived.recurrence, len(leading)
    if not recurrence.carries and not recurrence.outputs:
        return []
    storing, places = _storing(step, derived.stored)
    results = results_of_scan(storing, node.operands, row.length, is_backward=row.is_backward)
    operands = [node.operands[k] for k in derived.constants]
    for of_step, n in zip(recurrence.carries, derived.carries, strict=True):
        is_given = n is not None and n in given
        operands.append(bars[n] if is_given else _ir.zeros(of_step.shape, dtype))  # type: ignore[index]
    operands += [node.operands[k] for k in derived.slices]
    operands += [results[place] for place in places]
    operands += [_to_front(bars[n], count) for n in derived.bars]
    back = results_of_scan(recurrence, operands, row.length, is_backward=not row.is_backward)
    first = len(step.constants) + len(step.carries)
    return [
        (node.operands[k], _ir.scale(bar if k < first else _from_front(bar, count), scale))
        for k, bar in zip(derived.cotangent_of, back, strict=True)
        if k in wanted
    ]


def _is_float(node: Node) -> bool:
    return node.dtype.kind in "fc"


def _to_front(bar: Node, count: int) -> Node:
    """Put the axis of the steps before those that are leading."""
    return _ir.transpose(bar, (count, *range(count), *range(count + 1, bar.ndim)))


def _from_front(bar: Node, count: int) -> Node:
    return _ir.transpose(bar, (*range(1, count + 1), 0, *range(count + 1, bar.ndim)))


def _storing(step: Recurrence, stored: Sequence[Node]) -> tuple[Recurrence, list[int]]:
    """Make what is stored of each step outputs too; give the numbers of these results."""
    outputs = (*step.outputs, *(n for n in stored if n not in step.outputs))
    places = [len(step.roots) + outputs.index(n) for n in stored]
    return replace(step, outputs=outputs), places


def _derive(
    row: Scan,
    given: Sequence[int],
    wanted: Sequence[int],
    leading: Shape,
    dtype: DType,
    pullback: Pullback,
) -> _Derived:
    """Make the step back, for cotangents of these results and of the carries that get one then."""
    step, count = row.recurrence, len(row.recurrence.roots)
    inputs, new = step.inputs, NewInputs(step)
    targets = moving_inputs(step, wanted)
    moving = [j for j in range(count) if step.carries[j] in targets]
    bars = {
        n: new.make(leading + step.outputs[n - count].shape, dtype) for n in given if n >= count
    }
    arriving = [j for j in moving if j in given]
    carried: dict[int, Input] = {}
    while True:
        carried |= {j: new.make(leading + step.roots[j].shape, dtype) for j in arriving}
        pulled = _pulled(step, {**carried, **bars}, targets, leading, dtype, pullback)
        arriving = [
            j for j in moving if j not in carried and not _ir.is_zero(pulled[step.carries[j]])
        ]
        if not arriving:
            break
    first = len(step.constants)
    summed = [k for k in wanted if k < first and not _ir.is_zero(pulled[inputs[k]])]
    sums = [new.make(leading + inputs[k].shape, dtype) for k in summed]
    sliced = [k for k in wanted if k >= first + count and not _ir.is_zero(pulled[inputs[k]])]
    roots = [pulled[step.carries[j]] for j in carried]
    roots += [_ir.add([acc, pulled[inputs[k]]]) for k, acc in zip(summed, sums, strict=True)]
    outputs = [pulled[inputs[k]] for k in sliced]
    stored = store(step, [*roots, *outputs], new)
    roots, outputs = stored.results[: len(roots)], stored.results[len(roots) :]
    used = {*_ir.inputs(stored.results)}
    constants = tuple(k for k in range(first) if inputs[k] in used)
    slices = tuple(k for k in range(first + count, len(inputs)) if inputs[k] in used)
    met = tuple(n for n, bar in bars.items() if bar in used)
    recurrence = Recurrence(
        tuple(inputs[k] for k in constants),
        (*carried.values(), *sums),
        (*(inputs[k] for k in slices), *stored.inputs, *(bars[n] for n in met)),
        (*roots,),
        (*outputs,),
        stored.written,
    )
    operands = (*(first + j for j in carried), *summed, *sliced)
    starts = (*carried, *(None for _ in sums))
    return _Derived(recurrence, constants, starts, slices, stored.nodes, met, operands)


def _pulled(
    step: Recurrence,
    bars: Mapping[int, Node],
    targets: Iterable[Input],
    leading: Shape,
    dtype: DType,
    pullback: Pullback,
) -> dict[Input, Node]:
    """Pull cotangents of results through one step; some results may be one node."""
    targets, seeds = [*targets], dict[Node, Node]()
    for n, bar in bars.items():
        y = step.results[n]
        seeds[y] = _ir.add([seeds[y], bar]) if y in seeds else bar
    if not seeds:
        return {x: _ir.zeros(leading + x.shape, dtype) for x in targets}
    return dict(zip(targets, pullback(seeds, targets, leading), strict=True))


def moving_inputs(step: Recurrence, wanted: Sequence[int]) -> list[Input]:
    """Give the inputs at these places, and the carries that depend on them."""
    inputs = step.inputs
    found = {inputs[k] for k in wanted}
    while True:
        depends: set[Node] = {*found}
        for node in _ir.topological(step.roots):
            if not depends.isdisjoint(_ir.children(node)):
                depends.add(node)
        pairs = zip(step.carries, step.roots, strict=True)
        more = {x for x, root in pairs if root in depends and _is_float(x)}
        if more <= found:
            return [x for x in inputs if x in found]
        found |= more
