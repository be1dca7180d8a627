"""Nodes of many steps as one array, and an array as nodes of many steps.

In: a node for each step. Out: one node, with an axis for the steps in front; and back.
Guaranteed: numbers become one constant, entries of one array a part of it; nothing is copied that
lies in an array step by step.

>>> x = _ir.new_input("x", (5, 3))
>>> stacked([one_of(x, n) for n in (1, 2, 3)], lambda _: None) is _ir.take(
...     x, 0, _ir.selection(range(1, 4), 5)
... )
True
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eingrad import _ir
from eingrad._ir import (
    Apply,
    Coefficient,
    Constant,
    Einsum,
    Factor,
    Input,
    Node,
    Placement,
    Selection,
    Structural,
)  # fmt: skip
from eingrad._primitives import apply, row_of
from eingrad._subscripts import Subscripts

Capture = Callable[[Sequence[Input]], Node | None]  # one input for several of captured arrays


def stacked(nodes: Sequence[Node], capture: Capture) -> Node:
    """Give the nodes of all steps as one."""
    if all(isinstance(n, Constant) or _ir.is_fill(n) for n in nodes):
        return _ir.constant(np.stack([_values(n) for n in nodes]))
    parts = _parts(nodes)
    if parts:
        return _gathered(parts, len(nodes))
    inputs = [n for n in nodes if isinstance(n, Input)]
    captured = capture(inputs) if len(inputs) == len(nodes) else None
    made = captured or _made_of_stack(nodes, capture)
    return made or apply("concatenate", *map(_with_axis, nodes), axis=0)


def _made_of_stack(nodes: Sequence[Node], capture: Capture) -> Node | None:
    """Do with a stack what is done with one operand in each step, if all else is the same."""
    first = nodes[0]
    if not isinstance(first, Einsum) or len({_wiring(n) for n in nodes}) > 1:
        return None
    columns = [*zip(*(_ir.children(n) for n in nodes), strict=True)]
    apart = [k for k, column in enumerate(columns) if any(n is not column[0] for n in column)]
    if len(apart) != 1 or isinstance(first.operands[apart[0]], Structural):
        return None
    factors = [Factor(node, term) for node, term in first.factors]
    axis, (k,) = len(first.sizes), apart
    factors[k] = Factor(stacked(columns[k], capture), (axis, *first.terms[k]))
    sizes = dict(enumerate((*first.sizes, len(nodes))))
    return _ir.contract(factors, (axis, *first.out), sizes, first.coefficient, first.dtype)


def _wiring(node: Node) -> Hashable:
    """Say what an einsum does, but for its operands."""
    if not isinstance(node, Einsum):
        return None
    shapes = tuple(n.shape for n in node.operands)
    return node.terms, node.out, node.sizes, repr(node.coefficient), shapes, node.dtype


def one_of(array: Node, step: int) -> Node:
    """Give the entry of one step."""
    pick = _ir.selection(range(step, step + 1), array.shape[0])
    inside = tuple(range(1, array.ndim))
    return _ir.contract([(array, (0, *inside)), (pick, (array.ndim, 0))], inside)


def as_number(number: Coefficient) -> float | complex:
    """Round a coefficient."""
    return number if isinstance(number, complex) else _ir.as_float(number)


def _values(node: Node) -> NDArray[Any]:
    if isinstance(node, Constant):
        return node.value
    assert isinstance(node, Placement)
    values: NDArray[Any] = np.empty(node.shape, node.dtype)
    values[...] = as_number(node.coefficient)
    return values


def _with_axis(node: Node) -> Node:
    inside = tuple(range(node.ndim))
    return _ir.contract([(node, inside)], (node.ndim, *inside), {node.ndim: 1})


# Entries of one array ----------------------------------------------------------------------------


class _Part(NamedTuple):
    """What one table takes of an array, as a contraction of it."""

    node: Node
    rest: tuple[Factor, ...]  # all factors but the table
    pick: Selection
    term: Subscripts  # of that
    out: Subscripts
    coefficient: Coefficient

    @property
    def alike(self) -> Hashable:
        """What parts of one array have in common."""
        rest = tuple((f.node.uid, f.term) for f in self.rest)
        return rest, self.pick.shape[1], self.term, self.out, repr(self.coefficient)

    def gather(self, picks: Sequence[Node], terms: Sequence[Subscripts], more: Subscripts) -> Node:
        """Take by other tables, with more axes in front."""
        factors = [*self.rest, *map(Factor, picks, terms)]
        sizes = dict(zip(self.out, self.node.shape, strict=True))
        return _ir.contract(factors, (*more, *self.out), sizes, self.coefficient, self.node.dtype)


def _part(node: Node) -> _Part | None:
    """Take apart an array that is seen through one table, as an entry of an axis is."""
    view = _ir.view_of(node)
    if view is None or view.core is None:
        return None
    tables = [f for f in view.structure if isinstance(f.node, Selection)]
    if len(tables) != 1:
        return None
    ((pick, term),) = tables
    assert isinstance(pick, Selection)
    rest = tuple(f for f in view.factors if f.node is not pick)
    return _Part(node, rest, pick, term, view.out, view.coefficient)


def _parts(nodes: Sequence[Node]) -> list[_Part]:
    """Take all nodes apart, if they are parts of one array, of one shape; else give none."""
    parts = [part for node in nodes if (part := _part(node))]
    alike = {(part.alike, part.node.shape) for part in parts}
    return parts if len(parts) == len(nodes) and len(alike) == 1 else []


def _gathered(parts: Sequence[_Part], count: int) -> Node:
    """Gather parts by one table, with an axis for them in front."""
    first, (row, column) = parts[0], parts[0].term
    terms = [first.out, first.term, *(term for _, term in first.rest)]
    axis = 1 + max(index for term in terms for index in term)
    tables = np.concatenate([_ir.positions_of(part.pick.table) for part in parts])
    rows, columns = first.pick.shape
    picks = _ir.selection(tables, columns), _ir.merge((count, rows))
    if rows == 1 and not any(row in term for _, term in first.rest):
        return first.gather(picks[:1], [(axis, column)], (axis,))
    return first.gather(picks, ((axis + 1, column), (axis + 1, axis, row)), (axis,))


def joined(node: Node) -> Node:
    """``concatenate(a[0:1], a[1:2], b) -> concatenate(a[0:2], b)``: what lies in one array stays.

    Keeps value, shape and dtype. Terminates: each rewrite takes an operand away. Leaves alone what
    is no part of an array along the axis of the concatenation.
    """
    if not isinstance(node, Apply) or not row_of(node).joins:
        return node
    axis = dict(node.attributes)["axis"]
    runs: list[list[_Part | Node]] = []
    for operand in node.operands:
        part = _part(operand)
        is_along = part is not None and _axis_of(part) == axis
        last = runs[-1][0] if runs else None
        if part and is_along and isinstance(last, _Part) and last.alike == part.alike:
            runs[-1].append(part)
        else:
            runs.append([part if part and is_along else operand])
    if len(runs) == len(node.operands):
        return node
    pieces = [_run(run) for run in runs]
    return pieces[0] if len(pieces) == 1 else apply("concatenate", *pieces, axis=axis)


def _run(run: Sequence[_Part | Node]) -> Node:
    """Gather, by one table, what parts of an array are joined to."""
    parts = [part for part in run if isinstance(part, _Part)]
    if len(run) == 1:
        return parts[0].node if parts else run[0]  # type: ignore[return-value]
    first = parts[0]
    tables = np.concatenate([_ir.positions_of(part.pick.table) for part in parts])
    return first.gather([_ir.selection(tables, first.pick.shape[1])], [first.term], ())


def _axis_of(part: _Part) -> int | None:
    """Which axis the rows of the table are."""
    row = part.term[0]
    return part.out.index(row) if row in part.out else None
