"""Executors of opt_einsum and cotengra: whole trees where a problem is one product, else steps.

cotengra is optional, and imported when it is asked for.
"""

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import opt_einsum

from eingrad.paths.along import pairs_of
from eingrad.paths.executors.base import Call, Form, Prepared, check_axes, line_up, number
from eingrad.paths.executors.host import add_arrays, as_arrays, spreading
from eingrad.paths.problem import Array, Output, Term
from eingrad.paths.schedule import Schedule, Step


def prepare_opt_einsum(schedule: Schedule, arrays: Sequence[Array]) -> Prepared:
    """Make one expression along the path of a product; else one for each step."""
    whole = _whole(schedule)
    if whole is None:
        given = [*arrays, *schedule.constants]
        return Prepared(
            line_up(schedule, given, _expression, add_arrays, np.array),
            as_arrays,
        )
    output, term, path = whole
    letters = {index: opt_einsum.get_symbol(n) for n, index in enumerate(schedule.problem.sizes)}
    terms, out = (
        ["".join(letters[index] for index in labels) for labels in group]
        for group in (term.indices, (output.indices,))
    )
    shapes = [schedule.problem.operands[name].shape for name in term.operands]
    subscripts = f"{','.join(terms)}->{out[0]}"
    expression = opt_einsum.contract_expression(subscripts, *shapes, optimize=path)
    return _one(schedule, term, arrays, expression)


def _expression(step: Step) -> Call:
    form = Form.of(step)
    indices = sorted({index for term in (*form.terms, form.core) for index in term})
    letters = {index: opt_einsum.get_symbol(n) for n, index in enumerate(indices)}
    terms = ["".join(letters[i] for i in term) for term in form.terms]
    shapes = [tuple([form.sizes[i] for i in term]) for term in form.terms]
    subscripts = f"{','.join(terms)}->{''.join(letters[i] for i in form.core)}"
    return spreading(form, opt_einsum.contract_expression(subscripts, *shapes))


def prepare_cotengra(schedule: Schedule, arrays: Sequence[Array]) -> Prepared:
    """Make a contraction tree along the path of a product; else contract each step by itself."""
    cotengra: Any = importlib.import_module("cotengra")
    whole = _whole(schedule)
    if whole is None:
        given = [*arrays, *schedule.constants]

        def contract(step: Step) -> Call:
            form = Form.of(step)
            sizes = dict(enumerate(form.sizes))
            return spreading(
                form,
                cotengra.array_contract_expression([*form.terms], form.core, sizes),
            )

        return Prepared(line_up(schedule, given, contract, add_arrays, np.array), as_arrays)
    output, term, path = whole
    tree = cotengra.ContractionTree.from_path(
        [*term.indices], output.indices, dict(schedule.problem.sizes), path=path
    )
    contractor = tree.get_contractor()
    return _one(schedule, term, arrays, contractor)


def _whole(schedule: Schedule) -> tuple[Output, Term, list[tuple[int, int]]] | None:
    """Give the only term of a problem and its path, where it has two operands or more."""
    if schedule.paths is None or len(schedule.problem.terms) != 1:
        return None
    ((output, term),) = schedule.problem.terms
    if len(term.operands) == 1:
        return None
    check_axes(schedule)
    return output, term, pairs_of(schedule.paths[0], len(term.operands))


def _one(schedule: Schedule, term: Term, arrays: Sequence[Array], contract: Call) -> Prepared:
    given = [arrays[schedule.problem.number[name]] for name in term.operands]
    coefficient = number(term.coefficient)
    if coefficient == 1:
        return Prepared(lambda: [contract(*given)], as_arrays)
    return Prepared(lambda: [coefficient * contract(*given)], as_arrays)
