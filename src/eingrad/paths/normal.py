"""A problem as nodes, and eingrad's own order of it.

In: a problem. Out: its outputs as nodes; a `Schedule`.
Guaranteed: deltas are eliminated, equal terms collected and all outputs planned together, as for
derivatives: what a problem is worth to the algebra shows, however it was written.

>>> from eingrad.paths.problem import of_einsum
>>> problem = of_einsum("ij,jk,kl->il", {"i": 2, "j": 3, "k": 4, "l": 5})
>>> eingrad_schedule(problem).flops
128
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from eingrad import _ir
from eingrad._forms import Forms
from eingrad._ir import Node
from eingrad._plan import Prices
from eingrad.paths.planned import of_nodes
from eingrad.paths.problem import Array, Operand, Output, Problem, Term
from eingrad.paths.schedule import Schedule


def eingrad_schedule(problem: Problem) -> Schedule:
    """Give the operations that eingrad computes a problem by.

    Parameters
    ----------
    problem : Problem
        What is computed.

    Returns
    -------
    Schedule
        Of the normal form, or of the sum as it stands where that is faster; no path for each term,
        since terms may be merged. Of a derivative that was derived just now, what eingrad computes
        it by, where its sums, not multiplied out, take less time.
    """
    operands = operands_of(problem)
    roots = Forms().form(roots_of(problem, operands))
    own = problem.own
    if own is not None:
        values = own.nodes(operands)
        results = [values[n] for n in own.outputs]
        prices = Prices()
        if prices.of(results).picoseconds < prices.of(roots).picoseconds:
            roots = results
    return replace(of_nodes(problem, roots, operands), own=(tuple(roots), tuple(operands)))


def operands_of(problem: Problem) -> list[Node]:
    """Make a node for each operand: deltas and constants of ones are known to the algebra."""
    dtype = np.result_type(*[operand.dtype for operand in problem.operands.values()])
    return [
        _operand(name, operand, problem.known.get(name), dtype)
        for name, operand in problem.operands.items()
    ]


def _operand(
    name: str, operand: Operand, known: Array | None, dtype: "np.dtype[np.generic]"
) -> Node:
    if operand.kind == "delta":
        return _ir.delta(operand.shape[0])
    if operand.kind == "constant" and known is not None and bool(np.all(known == 1)):
        return _ir.fill(1, operand.shape, dtype)
    return _ir.new_input(name, operand.shape, dtype, ("operand", name))


def roots_of(problem: Problem, operands: Sequence[Node]) -> list[Node]:
    """Write each output as a node, on nodes for the operands."""
    return [_root(problem, output, operands) for output in problem.outputs]


def _root(problem: Problem, output: Output, operands: Sequence[Node]) -> Node:
    terms = [_term(problem, output, term, operands) for term in output.terms]
    numbers = [_exact(term.coefficient) for term in output.terms]
    return _ir.add(terms, numbers)


def _term(problem: Problem, output: Output, term: Term, operands: Sequence[Node]) -> Node:
    labels = dict.fromkeys(itertools.chain(*term.indices))
    number = {label: n for n, label in enumerate(labels)}
    sizes = {n: problem.sizes[label] for label, n in number.items()}
    factors = [
        (operands[problem.number[name]], [number[label] for label in labels])
        for name, labels in zip(term.operands, term.indices, strict=True)
    ]
    out = [number[label] for label in output.indices]
    dtype = np.result_type(*[operand.dtype for operand in problem.operands.values()])
    return _ir.contract(factors, out, sizes, dtype=dtype)


def _exact(coefficient: float) -> float | int:
    return int(coefficient) if coefficient == int(coefficient) else coefficient
