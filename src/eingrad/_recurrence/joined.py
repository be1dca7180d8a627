"""Scans as they are planned: without what nobody asks for, and those that others contain joined.

In: roots. Out: equal roots.
Guaranteed: a result that is not used is not made, nor a carry that only such a one needs; a scan
whose carries are carries of another one, from the same operands, is computed by that one, unless
its results are what that begins with. Each rewrite takes results, operands or a scan away, so it
ends.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from eingrad import _ir
from eingrad._ir import Node
from eingrad._recurrence.row import Recurrence, Scan, is_scan, result_of_scan, scan_of

_Call = tuple[Scan, tuple[Node, ...]]  # a scan and its operands


class _Form(NamedTuple):
    """Another scan that gives some results of one: its operands, and numbers of its results."""

    recurrence: Recurrence
    operands: tuple[Node, ...]
    number: Mapping[int, int]


def join(roots: Sequence[Node], plan: Callable[[Recurrence], Recurrence]) -> list[Node]:
    """Take away and join; then plan each step."""
    if not any(map(is_scan, _ir.topological(roots))):
        return [*roots]
    joined = [*roots]
    while True:
        forms = _trimmed(joined) or _contained(joined)
        if not forms:
            break
        joined = _rewritten(joined, forms)
    calls = _calls(joined)
    planned = {
        call: _Form(plan(row.recurrence), operands, {n: n for n in used})
        for call, used in calls.items()
        for row, operands in [call]
    }
    return _rewritten(joined, planned)


def _calls(roots: Sequence[Node]) -> dict[_Call, set[int]]:
    """Find scans, and the results of each that are used, in order."""
    calls: dict[_Call, set[int]] = {}
    for node in _ir.topological(roots):
        if is_scan(node):
            calls.setdefault((scan_of(node), node.operands), set()).add(node.result)
    return calls


def _rewritten(roots: Sequence[Node], forms: Mapping[_Call, _Form]) -> list[Node]:
    """Put other scans in the place of some."""
    new: dict[Node, Node] = {}
    pending = [*roots]
    while pending:  # not in one walk: a form may be below nodes that its scan is not below
        node = pending[-1]
        form = forms.get((scan_of(node), node.operands)) if is_scan(node) else None
        below = _ir.children(node) if form is None else form.operands
        missing = [n for n in below if n not in new]
        if missing:
            pending += missing
            continue
        pending.pop()
        if node in new:
            continue
        moved = [new[n] for n in below]
        if form is not None and is_scan(node):
            row = scan_of(node)
            k = form.number[node.result]
            new[node] = result_of_scan(
                form.recurrence, moved, row.length, k, is_backward=row.is_backward
            )
        else:
            same = all(a is b for a, b in zip(moved, below, strict=True))
            new[node] = node if same else _ir.with_children(node, moved)
    return [new[root] for root in roots]


# What nobody asks for ----------------------------------------------------------------------------


def _trimmed(roots: Sequence[Node]) -> dict[_Call, _Form]:
    forms = {}
    for (row, operands), used in _calls(roots).items():
        form = _trim(row.recurrence, operands, used)
        if form is not None:
            forms[row, operands] = form
    return forms


def _trim(step: Recurrence, operands: tuple[Node, ...], used: set[int]) -> _Form | None:
    """Leave the results that are used, and what they need; None where that is everything."""
    count = len(step.roots)
    outputs = sorted(n for n in used if n >= count)
    carries = {n for n in used if n < count}
    while True:
        results = [step.results[n] for n in (*sorted(carries), *outputs)]
        needed = {*_ir.inputs(results)}
        more = {j for j, x in enumerate(step.carries) if x in needed}
        if more <= carries:
            break
        carries |= more
    needed |= {step.carries[j] for j in carries}
    kept = [k for k, x in enumerate(step.inputs) if x in needed]
    if len(kept) == len(operands) and len(results) == len(step.results):
        return None
    numbers = (*sorted(carries), *outputs)
    recurrence = Recurrence(
        tuple(x for x in step.constants if x in needed),
        tuple(x for x in step.carries if x in needed),
        tuple(x for x in step.slices if x in needed),
        tuple(step.roots[j] for j in sorted(carries)),
        tuple(step.results[n] for n in outputs),
        step.written,
    )
    number = {n: m for m, n in enumerate(numbers)}
    return _Form(recurrence, tuple(operands[k] for k in kept), number)


# What another one contains -----------------------------------------------------------------------


def _contained(roots: Sequence[Node]) -> dict[_Call, _Form]:
    """Find one scan that another contains, if there is one; both become that with more outputs."""
    calls = _calls(roots)
    known = {call: _known(call) for call in calls}
    for small, used in calls.items():
        for large, others in calls.items():
            is_larger = large is not small and known[small].items() <= known[large].items()
            if is_larger and not _is_below(small, large):
                return _joined(small, used, large, others)
    return {}


def _known(call: _Call) -> dict[object, object]:
    """Say of each input what it is given, and what becomes of it; and how a scan goes."""
    row, operands = call
    step = row.recurrence
    roots = dict(zip(step.carries, step.roots, strict=True))
    kinds = [1 for _ in step.constants] + [2 for _ in step.carries] + [3 for _ in step.slices]
    known: dict[object, object] = {
        x: (kind, operand, roots.get(x))
        for x, kind, operand in zip(step.inputs, kinds, operands, strict=True)
    }
    return {**known, None: (row.length, row.is_backward)}


def _is_below(small: _Call, large: _Call) -> bool:
    """Whether what a scan begins with is computed from another one."""
    return small in _calls(large[1])


def _joined(small: _Call, used: set[int], large: _Call, others: set[int]) -> dict[_Call, _Form]:
    """Let the larger one give the results of both."""
    (row, _), (into, operands) = small, large
    step, given = row.recurrence, into.recurrence
    count = len(given.roots)
    outputs = [*given.outputs]
    number = {}
    for n in sorted(used):
        if n < len(step.roots):
            number[n] = given.carries.index(step.carries[n])
            continue
        output = step.results[n]
        if output not in outputs:
            outputs.append(output)
        number[n] = count + outputs.index(output)
    joined = Recurrence(
        given.constants, given.carries, given.slices, given.roots, (*outputs,),
        given.written | step.written,
    )  # fmt: skip
    form = _Form(joined, operands, {n: n for n in others})
    return {small: _Form(joined, operands, number), large: form}
