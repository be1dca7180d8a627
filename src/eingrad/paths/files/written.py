"""Problems as JSON: our own format, of which `docs/networks.md` describes every field.

In: a `Problem`. Out: a document.
Guaranteed: it is read back equal; what could not be is refused.

>>> from eingrad.paths.problem import of_einsum
>>> document = problem_to_json(of_einsum("ij,jk->ik", {"i": 2, "j": 3, "k": 4}))
>>> document["outputs"]
[{'indices': ['i', 'k'], 'terms': [{'operands': ['A', 'B'], 'indices': [['i', 'j'], ['j', 'k']]}]}]
"""

from typing import Any

from eingrad.paths.files.document import Found
from eingrad.paths.files.layout import plain
from eingrad.paths.files.problems import FORMAT, VERSION, read_problem_document
from eingrad.paths.files.schedules import schedule_to_json
from eingrad.paths.problem import Operand, Output, Problem, Term
from eingrad.paths.schedule import Schedule


def problem_to_json(problem: Problem, file: str = "the problem") -> dict[str, Any]:
    """Write a problem as what `json.dumps` takes.

    Parameters
    ----------
    problem : Problem
        What is computed. Its `known` values are not written.
    file : str
        What an error calls it.

    Returns
    -------
    dict
        Of lists, dicts, texts and numbers. What is as by default is left out.

    Raises
    ------
    FileError
        If something cannot be written, such as a coefficient that is not finite or a name that
        cannot be printed.
    """
    used = {name for _, term in problem.terms for name in term.operands}
    document: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    document["name"] = problem.name
    if problem.provenance:
        document["provenance"] = problem.provenance
    document["sizes"] = dict(problem.sizes)
    document["operands"] = {
        name: _operand_to_json(operand, is_used=name in used)
        for name, operand in problem.operands.items()
    }
    document["outputs"] = [_output_to_json(output) for output in problem.outputs]
    if problem.primal:
        document["primal"] = [_output_to_json(output) for output in problem.primal]
    if problem.best:
        document["best"] = {k: _schedule_or_value(v, file) for k, v in problem.best.items()}
    if problem.pure:
        document["pure"] = {k: _schedule_or_value(v, file) for k, v in problem.pure.items()}
    document = plain(document)
    read_problem_document(Found(document, file))
    return document


def _schedule_or_value(value: Any, file: str) -> Any:
    return schedule_to_json(value, file) if isinstance(value, Schedule) else value


def _operand_to_json(operand: Operand, *, is_used: bool) -> dict[str, Any]:
    found: dict[str, Any] = {} if is_used else {"shape": operand.shape}
    default = Operand(operand.shape)
    for name in ("dtype", "kind", "symmetric"):
        if getattr(operand, name) != getattr(default, name):
            found[name] = getattr(operand, name)
    return found


def _output_to_json(output: Output) -> dict[str, Any]:
    found: dict[str, Any] = {"indices": output.indices}
    if output.result_axes != len(output.indices) // 2:
        found["result_axes"] = output.result_axes
    found["terms"] = [_term_to_json(term) for term in output.terms]
    return found


def _term_to_json(term: Term) -> dict[str, Any]:
    found: dict[str, Any] = {} if term.coefficient == 1 else {"coefficient": term.coefficient}
    return found | {"operands": term.operands, "indices": term.indices}
