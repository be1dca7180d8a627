"""Backward through a scan: what is stored on the way there is used on the way back.

In: cotangents of results of a scan, all of them. Out: cotangents of operands.
Guaranteed: what is stored of each step are results of a scan, so a plan counts them; only what the
way back needs is stored. Where results are not needed everywhere, flags go back with cotangents:
nothing in a step reaches one that it is not needed for.
"""

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from eingrad import _ir, _reuse
from eingrad._ir import Apply, Input, Node
from eingrad._primitives import apply
from eingrad._recurrence.arrived import Arriving
from eingrad._recurrence.needed import Flagged, Needed, Partly, flag
from eingrad._recurrence.row import (
    NewInputs,
    Recurrence,
    Scan,
    is_float,
    moving_inputs,
    results_of_scan,
    scan_of,
)
from eingrad._recurrence.scaled import without_scale
from eingrad._recurrence.stored import store
from eingrad._subscripts import Shape

DType = np.dtype[Any]


class Sweeps(NamedTuple):
    """Sweeps over the nodes of a step: cotangents, and flags of what is needed."""

    pullback: Callable[[Mapping[Node, Node], Sequence[Node], Shape, Partly], list[Node]]
    needed: Needed


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
    flagged: tuple[tuple[int, ...], int, tuple[int, ...]]  # results whose flags are carries; how
    # many flags are collected in one; results whose flags are slices
    gives: tuple[tuple[int, bool], ...]  # operands whose cotangents, or flags, the results are


class Pulled(NamedTuple):
    """Cotangents of operands, each with its operand; and flags, by the operand's number."""

    bars: list[tuple[Node, Node]]
    flags: dict[int, Node]


class _Asked(NamedTuple):
    """What is asked of a way back: all numbers are those of results and operands of the scan."""

    given: tuple[int, ...]  # results that cotangents arrive at
    flagged: tuple[int, ...]  # those of them that are not needed everywhere
    wanted: tuple[int, ...]  # operands whose cotangents are wanted
    infinite: tuple[int, ...]  # operands that may be infinite: flags of the wanted are, too
    leading: Shape
    dtype: DType


def pull(
    node: Apply,
    arriving: Mapping[int, Arriving],
    active: Collection[Node],
    infinite: Container[Node],
    leading: Shape,
    dtype: DType,
    sweeps: Sweeps,
) -> Pulled:
    """Multiply cotangents of the results of a scan, by number, by its Jacobians.

    Gives cotangents of the operands that are active, each with its operand. `sweeps` do it for the
    nodes of a step. Axes of cotangents before those of the nodes are `leading`.
    """
    row = scan_of(node)
    given = tuple(sorted(arriving))
    if not given:
        return Pulled([], {})
    moved, scale = without_scale({n: arriving[n].bar for n in given})
    arriving = {n: arriving[n]._replace(bar=bar) for n, bar in moved.items()}
    flagged = tuple(n for n in given if arriving[n].flags is not None)
    wanted = tuple(k for k, n in enumerate(node.operands) if n in active and is_float(n))
    doubtful = tuple(k for k, n in enumerate(node.operands) if is_float(n) and n in infinite)
    asked = _Asked(given, flagged, wanted, doubtful, leading, dtype)
    derived = _reuse.find_or_derive(("pull", row, asked), lambda: _derive(row, asked, sweeps))
    step, recurrence = row.recurrence, derived.recurrence
    if not recurrence.carries and not recurrence.outputs:
        return Pulled([], {})
    operands = _operands(node, arriving, derived, asked)
    back = results_of_scan(recurrence, operands, row.length, is_backward=not row.is_backward)
    first = len(step.constants) + len(step.carries)
    pulled = Pulled([], {})
    for (k, is_flags), found in zip(derived.gives, back, strict=True):
        if is_flags:
            pulled.flags[k] = found
        elif k in wanted:
            bar = found if k < first else _from_front(found, len(leading))
            pulled.bars.append((node.operands[k], _ir.scale(bar, scale)))
    return pulled


def _operands(
    node: Apply, arriving: Mapping[int, Arriving], derived: _Derived, asked: _Asked
) -> list[Node]:
    """Give the way back its operands."""
    row, recurrence = scan_of(node), derived.recurrence
    storing, places = _storing(row.recurrence, derived.stored)
    results = results_of_scan(storing, node.operands, row.length, is_backward=row.is_backward)
    operands = [node.operands[k] for k in derived.constants]
    starts: list[Node | None] = [
        arriving[n].bar if n is not None and n in arriving else None for n in derived.carries
    ]
    carried, summed, sliced = derived.flagged
    starts += [arriving[n].flags if n in arriving else None for n in carried]
    starts += [None] * summed
    operands += [
        _ir.zeros(x.shape, x.dtype) if start is None else start
        for x, start in zip(recurrence.carries, starts, strict=True)
    ]
    operands += [node.operands[k] for k in derived.slices]
    operands += [results[place] for place in places]
    operands += [_to_front(arriving[n].bar, len(asked.leading)) for n in derived.bars]
    operands += [flags for n in sliced if (flags := arriving[n].flags) is not None]
    return operands


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


def _derive(row: Scan, asked: _Asked, sweeps: Sweeps) -> _Derived:
    """Make the step back, for cotangents of these results and of the carries that get one then."""
    step, count = row.recurrence, len(row.recurrence.roots)
    inputs, new, leading, dtype = step.inputs, NewInputs(step), asked.leading, asked.dtype
    targets = moving_inputs(step, asked.wanted)
    flags = Flagged({}, [])
    if asked.flagged or row.has_selects:
        flags = flag(step, {n: n in asked.flagged for n in asked.given}, sweeps.needed, new)
    infinite = frozenset(inputs[k] for k in asked.infinite)
    if flags.of_results:
        infinite |= {*step.carries}
    partly = (flags.of_results, infinite)
    bars = {
        n: new.make(leading + step.outputs[n - count].shape, dtype)
        for n in asked.given
        if n >= count
    }
    carried, pulled = _carried(step, bars, targets, asked, sweeps, partly, new)
    first = len(step.constants)
    summed = [k for k in asked.wanted if k < first and not _ir.is_zero(pulled[inputs[k]])]
    sums = [new.make(leading + inputs[k].shape, dtype) for k in summed]
    sliced = [k for k in asked.wanted if k >= first + count and not _ir.is_zero(pulled[inputs[k]])]
    told = _told(step, flags, asked, new)
    roots = [pulled[step.carries[j]] for j in carried]
    roots += [_ir.add([acc, pulled[inputs[k]]]) for k, acc in zip(summed, sums, strict=True)]
    roots += told.roots
    outputs = [*(pulled[inputs[k]] for k in sliced), *told.outputs]
    stored = store(step, [*roots, *outputs], new)
    roots, outputs = stored.results[: len(roots)], stored.results[len(roots) :]
    used = {*_ir.inputs(stored.results)}
    constants = tuple(k for k in range(first) if inputs[k] in used)
    slices = tuple(k for k in range(first + count, len(inputs)) if inputs[k] in used)
    met = tuple(n for n, bar in bars.items() if bar in used)
    seen = tuple(n for n, x in flags.of_results.items() if n >= count and x in used)
    recurrence = Recurrence(
        tuple(inputs[k] for k in constants),
        (*carried.values(), *sums, *told.carries),
        (
            *(inputs[k] for k in slices),
            *stored.inputs,
            *(bars[n] for n in met),
            *(flags.of_results[n] for n in seen),
        ),
        (*roots,),
        (*outputs,),
        stored.written,
    )
    gives = (
        *((k, False) for k in (*(first + j for j in carried), *summed)),
        *told.of_roots,
        *((k, False) for k in sliced),
        *told.of_outputs,
    )
    starts = (*carried, *(None for _ in sums))
    known = tuple(n for n in flags.of_results if n < count)
    flagged = known, len(told.carries) - len(known), seen
    return _Derived(recurrence, constants, starts, slices, stored.nodes, met, flagged, gives)


def _carried(
    step: Recurrence,
    bars: Mapping[int, Node],
    targets: Collection[Input],
    asked: _Asked,
    sweeps: Sweeps,
    partly: tuple[Mapping[int, Node], frozenset[Node]],
    new: NewInputs,
) -> tuple[dict[int, Input], dict[Input, Node]]:
    """Find the carries that cotangents reach, step after step; and what is pulled of them all."""
    moving = [j for j, x in enumerate(step.carries) if x in targets]
    arriving = [j for j in moving if j in asked.given]
    carried: dict[int, Input] = {}
    while True:
        carried |= {j: new.make(asked.leading + step.roots[j].shape, asked.dtype) for j in arriving}
        pulled = _pulled(step, {**carried, **bars}, targets, asked, sweeps, partly)
        arriving = [
            j for j in moving if j not in carried and not _ir.is_zero(pulled[step.carries[j]])
        ]
        if not arriving:
            return carried, pulled


class _Told(NamedTuple):
    """Flags that a step back hands on, and gives: carries, what they become, and outputs."""

    carries: list[Input]
    roots: list[Node]
    of_roots: list[tuple[int, bool]]
    outputs: list[Node]
    of_outputs: list[tuple[int, bool]]


def _told(step: Recurrence, flags: Flagged, asked: _Asked, new: NewInputs) -> _Told:
    """Hand on the flags of carries, collect those of constants, give those of slices."""
    told, first = _Told([], [], [], [], []), len(step.constants)
    for n, x in flags.of_results.items():
        if n < len(step.roots):
            place = step.place_of_carry(n)
            root = flags.of_inputs[place]
            assert root is not None  # else it were not flagged
            told.carries.append(x)
            told.roots.append(root)
            told.of_roots.append((place, True))
    for k in asked.infinite if flags.of_inputs else ():
        own = flags.of_inputs[k]
        if own is None or k not in asked.wanted or first <= k < first + len(step.carries):
            continue
        if k < first:
            total = new.make(own.shape, own.dtype)
            told.carries.append(total)
            told.roots.append(apply("logical_or", total, own))
            told.of_roots.append((k, True))
        else:
            told.outputs.append(own)
            told.of_outputs.append((k, True))
    return told


def _pulled(
    step: Recurrence,
    bars: Mapping[int, Node],
    targets: Iterable[Input],
    asked: _Asked,
    sweeps: Sweeps,
    partly: tuple[Mapping[int, Node], frozenset[Node]],
) -> dict[Input, Node]:
    """Pull cotangents of results through one step; some results may be one node."""
    targets, seeds = [*targets], dict[Node, Node]()
    for n, bar in bars.items():
        y = step.results[n]
        seeds[y] = _ir.add([seeds[y], bar]) if y in seeds else bar
    if not seeds:
        return {x: _ir.zeros(asked.leading + x.shape, asked.dtype) for x in targets}
    where = Partly(_flags_of(step, bars, partly[0]), partly[1])
    found = sweeps.pullback(seeds, targets, asked.leading, where)
    return dict(zip(targets, found, strict=True))


def _flags_of(
    step: Recurrence, numbers: Iterable[int], flags: Mapping[int, Node]
) -> dict[Node, Node]:
    """Flag the nodes that are results; one that is several is needed where one of them is."""
    found: dict[Node, Node] = {}
    everywhere = {step.results[n] for n in numbers if n not in flags}
    for n in numbers:
        y = step.results[n]
        if n in flags and y not in everywhere:
            found[y] = apply("logical_or", found[y], flags[n]) if y in found else flags[n]
    return found
