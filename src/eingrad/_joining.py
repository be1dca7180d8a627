"""What to write in place of ``np.array`` of lists that hold traced values.

In: the call in the user's line, its argument where that is known, how many axes the traced value
in it has. Out: the drop-in.
Guaranteed: what is written out computes the array that was meant; the dtype follows from its
entries.

>>> call = ast.parse("np.array([[x[0], 1], [0, x[1]]])", mode="eval").body
>>> in_place_of_array(call, UNKNOWN, 0)
'write np.block([[x[0], 1], [0, x[1]]])'
>>> in_place_of_array(call, UNKNOWN, 1)
'write np.stack([np.stack([x[0], 1]), np.stack([0, x[1]])])'
"""

import ast
from typing import Any

from eingrad._executing import UNKNOWN
from eingrad._tree import Tree, flatten

_LONGEST = 100  # letters of an expression that is written out
_UNSEEN = "write np.stack in its place, or np.block of nested lists of numbers"


def in_place_of_array(call: ast.Call, value: Any, ndim: int) -> str:
    """Say what joins the items of lists as np.array does.

    `np.block` takes nested lists of numbers; of items with axes it would join these.
    """
    given = call.args[0]
    depth = _depth_of_literal(given) if value is UNKNOWN else _depth(flatten(value)[1])
    if not depth:
        return _UNSEEN
    text = ast.unparse(given)
    if depth == 1:
        written = f"np.stack({text})"
    elif ndim == 0:
        written = f"np.block({text})"
    elif value is UNKNOWN:
        written = ast.unparse(_stacked(given))
    else:
        written = f"np.stack([np.stack(row) for row in {text}])"
    return f"write {written}" if len(written) <= _LONGEST else _UNSEEN


def is_list(node: ast.AST | None) -> bool:
    """Whether an expression is written as a list."""
    return node is not None and _depth_of_literal(node) > 0


def _depth_of_literal(node: ast.AST) -> int:
    """Count how deep lists are nested in an expression, as far as it is written as lists."""
    match node:
        case ast.List(items) | ast.Tuple(items):
            return 1 + max(map(_depth_of_literal, items), default=0)
        case ast.ListComp(item):
            return 1 + _depth_of_literal(item)
        case ast.Call(ast.Name("list" | "tuple")):
            return 1
    return 0


def _depth(tree: Tree) -> int:
    return 1 + max(map(_depth, tree.branches), default=0) if tree.is_sequence else 0


def _stacked(node: ast.expr) -> ast.expr:
    """Write `np.stack` around every list."""
    match node:
        case ast.List(items) | ast.Tuple(items):
            inner: ast.expr = ast.List([*map(_stacked, items)], ast.Load())
        case ast.ListComp(item, generators):
            inner = ast.ListComp(_stacked(item), generators)
        case _:
            return node
    return ast.Call(ast.parse("np.stack", mode="eval").body, [inner], [])
