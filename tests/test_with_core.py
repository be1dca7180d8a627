"""A placement on another array of its shape is what contracting that array anew makes."""

import numpy as np
import pytest

from eingrad import _ir
from eingrad._ir.contract import contract, with_core
from eingrad._ir.einsums import intern_placement
from eingrad._primitives import apply

X = _ir.new_input("x", (4,))
W = _ir.new_input("w", (4, 4))


def placements():
    """Placements of X and W: takes, deltas, merges, repetitions."""
    step, table = _ir.selection(range(0, 4, 2), 4), _ir.selection([2, 0, 0, -1, 3], 4)
    merged = _ir.merge((4, 4))
    return [
        _ir.take(X, 0, step),
        _ir.take(W, 1, table),
        _ir.contract([(X, (0,)), (_ir.delta(4), (0, 1))], (0, 1)),
        _ir.contract([(W, (0, 1)), (merged, (2, 0, 1))], (2,)),
        _ir.contract([(X, (0,))], (1, 0), {1: 3}),
        _ir.take(X, 0, table),
    ]


@pytest.mark.parametrize("node", placements(), ids=str)
def test_a_placement_of_another_array_is_that_of_contracting_anew(node):
    old = node.core.node
    for other in (apply("sin", old), _ir.add([old, apply("exp", old)]), old):
        moved = [other, *node.operands[1:]]
        anew = contract(
            zip(moved, node.terms, strict=True), node.out, node.sizes, node.coefficient, node.dtype
        )
        assert with_core(node, moved) is anew


def test_what_is_seen_through_is_contracted():
    """A view of a view is one view, zeros are zero, and symmetric axes are settled."""
    node = _ir.take(W, 0, _ir.selection(range(0, 4, 2), 4))
    picks = node.operands[1:]
    reversed_rows = _ir.take(W, 0, _ir.selection(range(3, -1, -1), 4))
    for seen in (reversed_rows, _ir.transpose(W, (1, 0)), _ir.constant(np.zeros((4, 4)))):
        assert with_core(node, [seen, *picks]) is None
    assert with_core(node, [W, _ir.selection(range(1, 4, 2), 4)]) is None
    nothing = _ir.selection([-1, -1], 4)  # as a step of elimination leaves it
    placed = intern_placement(
        _ir.Factor(X, (0,)), [_ir.Factor(nothing, (1, 0))], (1,), {0: 4, 1: 2}, 1, X.dtype
    )
    assert with_core(placed, [apply("sin", X), nothing]) is None
    assert with_core(_ir.scale(node, 3), [W, *picks]) is None
