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
from eingrad._plan.path import fewest_flops_path
from eingrad.paths.planned import of_nodes
from eingrad.paths.problem import Array, Operand, Output, Problem, Term
from eingrad.paths.schedule import Schedule, exactly


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
        since terms may be merged. Of a derivative, the pure modes are forms of it like any other:
        sums that terms multiply out are factors there. Of one that was derived just now, what
        eingrad computes it by.
    """
    operands = operands_of(problem)
    forms = Forms()
    if problem.own is not None:
        roots = _results(problem.own, operands)
    else:
        candidates = [_results(pure, operands) for pure in problem.pure.values()]
        candidates.append(roots_of(problem, operands))
        roots = forms.form(candidates[forms.least(candidates)])
    return replace(of_nodes(problem, roots, operands), own=(tuple(roots), tuple(operands)))


def _results(schedule: Schedule, operands: Sequence[Node]) -> list[Node]:
    """Give the outputs of a schedule as nodes."""
    values = schedule.nodes(operands)
    return [values[n] for n in schedule.outputs]


def fewest_flops_schedule(problem: Problem) -> Schedule:
    """Give the schedule of fewest flops, whatever it writes, among those of several forms.

    Of the sum as it stands, each term by itself; of its normal form; and of what time decides for.
    """
    operands = operands_of(problem)
    roots = Forms(fewest_flops_path).form(roots_of(problem, operands))
    found = [of_nodes(problem, roots, operands), eingrad_schedule(problem)]
    return min(found, key=lambda schedule: (schedule.flops, schedule.written))


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


def primal_of(problem: Problem, operands: Sequence[Node]) -> list[Node]:
    """Write each product that the function itself computes as a node, likewise."""
    return [_root(problem, output, operands) for output in problem.primal]


def _root(problem: Problem, output: Output, operands: Sequence[Node]) -> Node:
    terms = [_term(problem, output, term, operands) for term in output.terms]
    numbers = [exactly(term.coefficient) for term in output.terms]
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
