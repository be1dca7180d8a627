"""Oracles: the reference evaluator, the complex step, closeness."""

import gc
import math
import sys
import tracemalloc

import numpy as np
from inside import traced

import eingrad as eg
from eingrad import _ir
from eingrad._derive import derive
from eingrad._recurrence import is_scan, scan_of

LONGEST_LOOP = 10**5  # products of einsum's own loop; above it, it goes pair by pair


def evaluate(node, values, memo=None):
    """Value of a node, given an array per input: recursive, by np.einsum alone."""
    memo = {} if memo is None else memo
    if node in memo:
        return memo[node]
    below = [evaluate(child, values, memo) for child in _ir.children(node)]
    match node:
        case _ir.Input():
            result = values[node]
        case _ir.Constant(value=value):
            result = value
        case _ir.Selection() | _ir.Merge():
            result = _ir.dense(node)
        case _ir.Einsum(terms=terms, out=out, coefficient=coefficient):
            # Zeros and ones are numbers here: NumPy's products of two boolean arrays add by "or".
            below = [np.asarray(b, node.dtype) for b in below]
            repeated = set(out).difference(*terms)
            ones = [(np.ones(node.sizes[index], node.dtype), (index,)) for index in repeated]
            pairs = [*zip(below, terms, strict=True), *ones, (np.ones((), node.dtype), ())]
            large = math.prod(node.sizes) > LONGEST_LOOP
            result = np.einsum(*(x for pair in pairs for x in pair), out, optimize=large)
            result = result if coefficient == 1 else result * _number(coefficient)
        case _ir.Add(coefficients=coefficients):
            result = sum(_number(c) * b for c, b in zip(coefficients, below, strict=True))
        case _ir.Apply() if is_scan(node):
            result = _repeated(scan_of(node), below)[node.result]
        case _ir.Apply(primitive=primitive, attributes=attributes, result=n):
            result = primitive.evaluate(*below, **dict(attributes))
            result = result[n] if primitive.results > 1 else result
    memo[node] = np.asarray(result, node.dtype)
    return memo[node]


def _repeated(scan, operands):
    """Results of a scan, given an array per operand: a loop over its steps."""
    step = scan.recurrence
    first, last = len(step.constants), len(step.constants) + len(step.carries)
    constants, carries, slices = operands[:first], operands[first:last], operands[last:]
    stacked = [None] * scan.length
    for n in range(scan.length)[:: -1 if scan.is_backward else 1]:
        given = [*constants, *carries, *(array[n] for array in slices)]
        values, memo = dict(zip(step.inputs, given, strict=True)), {}
        carries = [evaluate(root, values, memo) for root in step.roots]
        stacked[n] = [evaluate(output, values, memo) for output in step.outputs]
    return [*carries, *map(np.stack, zip(*stacked, strict=True))]


def _number(coefficient):
    return coefficient if isinstance(coefficient, complex) else float(coefficient)


def traced_once(f):
    """Plan a derivative at its first point alone: an oracle takes it at many of one shape."""
    return eg.compiled(f) if isinstance(f, eg.Derivative) else f


def complex_step(f, x):
    """Jacobian of an analytic function, exact to rounding: ``imag f(x + ih) / h``."""
    f = traced_once(f)
    h = 1e-30
    columns = []
    for position in np.ndindex(x.shape):
        z = x.astype(complex)
        z[position] += 1j * h
        columns.append(np.imag(f(z)) / h)
    if not columns:
        return np.zeros(np.shape(f(x)) + x.shape)
    return np.stack(columns, -1).reshape(columns[0].shape + x.shape)


def central_difference(f, x, step=1e-6):
    """Jacobian to about 1e-9, for functions that are not analytic."""
    f = traced_once(f)
    columns = []
    for position in np.ndindex(x.shape):
        e = np.zeros(x.shape)
        e[position] = step
        columns.append((np.asarray(f(x + e)) - np.asarray(f(x - e))) / (2 * step))
    return np.stack(columns, -1).reshape(columns[0].shape + x.shape)


def assert_close(actual, expected, rtol=1e-9):
    """Equal shapes; values to a tolerance that scales with the largest entry."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    scale = np.max(np.abs(expected), initial=1.0)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * scale)


def allocated(call):
    """Most bytes that arrays take at once while something is computed, as Python counts them."""
    call()  # what the first call alone allocates
    tracemalloc.start()
    try:
        call()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak


def held_after(job):
    """Bytes that are still allocated when a job is done and garbage is collected."""
    tracemalloc.start()
    try:
        job()
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return held


def derivatives(outputs, variables, orders, mode="cheapest"):
    """Differentiate; give the derivatives as they were derived, not mirrored."""
    found, _ = derive(outputs, variables, orders, mode)
    return [root.plain() for root in found]


def raw_derivatives(f, shape, *orders, dtype=float):
    """Differentiate a function of one array; give them as derived, and the input."""
    variable = _ir.new_input("x", shape, dtype)
    return derivatives([traced(f, variable)], [variable], orders), variable


def count_calls(action, kinds=frozenset({"call", "c_call"})):
    """Count the functions that an action calls, of Python and of C: what no load changes."""
    count = 0

    def seen(_frame, event, _argument):
        nonlocal count
        count += event in kinds

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        action()
    finally:
        sys.setprofile(before)
    return count
