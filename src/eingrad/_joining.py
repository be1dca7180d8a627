"""What to write in place of lists that hold traced values, where NumPy makes arrays of them.

In: the call in the user's line, values of its arguments where they are known, how many axes the
traced values have. Out: the drop-in.
Guaranteed: what is written out computes the array that was meant; the dtype follows from its
entries.

>>> call = ast.parse("np.array([[x[0], 1], [0, x[1]]])", mode="eval").body
>>> in_place_of_array(call, UNKNOWN, 0)
'write np.block([[x[0], 1], [0, x[1]]])'
>>> in_place_of_array(call, UNKNOWN, 1)
'write np.stack([np.stack([x[0], 1]), np.stack([0, x[1]])])'
>>> with_arrays(ast.parse("A @ [x[0], 1]", mode="eval").body, lambda node: UNKNOWN, 0)
'write A @ np.stack([x[0], 1])'
"""

import ast
from collections.abc import Callable
from typing import Any

from eingrad._executing import UNKNOWN
from eingrad._tree import Tree, flatten

_LONGEST = 100  # letters of an expression that is written out
_UNSEEN = "write np.stack in its place, or np.block of nested lists of numbers"
_INSIDE = "make an array of the list first, with np.stack, or np.block of nested lists of numbers"


def in_place_of_array(call: ast.Call, value: Any, ndim: int) -> str:
    """Say what joins the items of lists as np.array does."""
    joined = _joined(call.args[0], value, ndim)
    return _written(joined, _UNSEEN)


def with_arrays(node: ast.AST | None, value_of: Callable[[ast.expr], Any], ndim: int) -> str:
    """Write a call or operator again, arrays in the place of its lists; "" where there is none."""

    def array(part: ast.expr) -> ast.expr:
        return _joined(part, value_of(part), ndim) or part

    match node:
        case ast.Call(function, args, keywords):
            new: ast.expr = ast.Call(function, [*map(array, args)], keywords)
        case ast.BinOp(left, operator, right):
            new = ast.BinOp(array(left), operator, array(right))
        case _:
            return ""
    return "" if ast.dump(new) == ast.dump(node) else _written(new, _INSIDE)


def _written(node: ast.expr | None, otherwise: str) -> str:
    text = "" if node is None else ast.unparse(node)
    return f"write {text}" if text and len(text) <= _LONGEST else otherwise


def _joined(node: ast.expr, value: Any, ndim: int) -> ast.expr | None:
    """Make an array of an expression for lists; None where it is none, or known numbers.

    `np.block` takes nested lists of numbers, no tuples; of items with axes it would join these.
    """
    depth = _depth_of_literal(node) if value is UNKNOWN else _depth(flatten(value)[1])
    if not depth or _is_of_numbers(node):
        return None
    if depth == 1:
        return _call("np.stack", node)
    if value is UNKNOWN:
        return _call("np.block", _as_lists(node)) if ndim == 0 else _stacked(node)
    if ndim == 0 and not _has_tuples(value):
        return _call("np.block", node)
    rows = f"[np.stack(row) for row in {ast.unparse(node)}]"
    return _call("np.stack", ast.parse(rows, mode="eval").body)


def _call(name: str, argument: ast.expr) -> ast.expr:
    return ast.Call(ast.parse(name, mode="eval").body, [argument], [])


def _is_of_numbers(node: ast.AST) -> bool:
    """Whether a list is written with numbers alone."""
    match node:
        case ast.List(items) | ast.Tuple(items):
            return all(map(_is_of_numbers, items))
        case ast.UnaryOp(_, operand):
            return _is_of_numbers(operand)
    return isinstance(node, ast.Constant)


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


def _has_tuples(value: Any) -> bool:
    return type(value) is not list or any(
        _has_tuples(item) for item in value if isinstance(item, (list, tuple))
    )


def _as_lists(node: ast.expr) -> ast.expr:
    """Write tuples as lists."""
    match node:
        case ast.List(items) | ast.Tuple(items):
            return ast.List([*map(_as_lists, items)], ast.Load())
        case ast.ListComp(item, generators):
            return ast.ListComp(_as_lists(item), generators)
    return node


def _stacked(node: ast.expr) -> ast.expr:
    """Write `np.stack` around every list."""
    match node:
        case ast.List(items) | ast.Tuple(items):
            inner: ast.expr = ast.List([*map(_stacked, items)], ast.Load())
        case ast.ListComp(item, generators):
            inner = ast.ListComp(_stacked(item), generators)
        case _:
            return node
    return _call("np.stack", inner)
