"""The reference evaluator: recursive, by np.einsum, with nothing optimised. The oracle of every pass."""

import numpy as np

from eingrad import _ir
from eingrad._ir.structure import dense


def evaluate(node, values, memo=None):
    """Value of a node, given an array per input."""
    memo = {} if memo is None else memo
    if node in memo:
        return memo[node]
    below = [evaluate(child, values, memo) for child in _ir.children(node)]
    match node:
        case _ir.Input():
            result = np.asarray(values[node])
        case _ir.Constant(value=value):
            result = value
        case _ir.Selection() | _ir.Merge():
            result = dense(node)
        case _ir.Einsum(terms=terms, out=out, sizes=sizes):
            ones = [(np.ones(size, node.dtype), (index,)) for index, size in sizes]
            pairs = [*zip(below, terms, strict=True), *ones, (np.ones((), node.dtype), ())]
            result = np.einsum(*(x for pair in pairs for x in pair), out)
            result = result if node.coefficient == 1 else result * _number(node.coefficient)
        case _ir.Add(coefficients=coefficients):
            result = sum(_number(c) * b for c, b in zip(coefficients, below, strict=True))
        case _ir.Apply(primitive=primitive, attributes=attributes, result=n):
            result = primitive.evaluate(*below, **dict(attributes))
            result = result[n] if primitive.results > 1 else result
    memo[node] = np.asarray(result, node.dtype)
    return memo[node]


def _number(coefficient):
    return coefficient if isinstance(coefficient, complex) else float(coefficient)
