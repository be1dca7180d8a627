"""Files of paths: what another program found, or what one of ours found for another program.

In: a file, and the problem that it orders. Out: a linear path for each term.
Guaranteed: each path contracts the operands of its term, each once.

A file is ``{"path": ..., "format": "linear" or "ssa"}``, or the bare list that opt_einsum and
cotengra give, or a tree as OMEinsum writes it. A path is a list of steps; several terms have a list
of paths.
"""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from eingrad.errors import FileError, PlanError
from eingrad.paths.files.document import Found, parse, read_text, shown_file
from eingrad.paths.files.foreign import read_labels
from eingrad.paths.files.layout import plain, write_document
from eingrad.paths.files.linear import (
    Pairs,
    form_of,
    linear_path,
    linear_paths,
    operands_of,
    ssa_of_linear,
)
from eingrad.paths.files.trees import read_tree
from eingrad.paths.problem import Problem
from eingrad.paths.schedule import Path

FORMS = ("linear", "ssa")


class PathFile(NamedTuple):
    """What a file of paths says.

    Attributes
    ----------
    paths : tuple of paths
        Linear ones, one for each term of the problem.
    form : "linear", "ssa" or "tree"
        How the file says them.
    is_stated : bool
        Whether the file says so itself; else a path of two steps or more can be only one of them.
    """

    paths: tuple[Pairs, ...]
    form: str
    is_stated: bool


def read_paths(path: str | os.PathLike[str], problem: Problem) -> PathFile:
    """Read a path for each term of a problem.

    Parameters
    ----------
    path : path of a file
        JSON, as the module says.
    problem : Problem
        What is ordered.

    Returns
    -------
    PathFile
        Linear paths, whatever the file has.

    Raises
    ------
    FileError
        If it is no file of paths, or of another problem; says where.
    """
    file = shown_file(path)
    found = parse(read_text(path), file)
    if type(found.value) is not dict:
        return _read(found, problem, None)
    if "tree" in found.value or "isleaf" in found.value:
        return _read_tree(found, problem)
    fields = found.fields("path", optional=("format",))
    form = fields["format"].choice(*FORMS) if "format" in fields else None
    return _read(fields["path"], problem, form)


def _read(found: Found, problem: Problem, form: str | None) -> PathFile:
    counts = [len(term.operands) for _, term in problem.terms]
    if len(counts) == 1 and not _is_nested(found.value):
        said = form or form_of([(found, counts[0])])
        return PathFile((linear_path(found, counts[0], said),), said, form is not None)
    if form is None:
        places = found.items("paths")
        form = form_of([*zip(places, counts, strict=False)]) if len(places) == len(counts) else ""
        return PathFile(linear_paths(found, problem, form), form, is_stated=False)
    return PathFile(linear_paths(found, problem, form), form, is_stated=True)


def _is_nested(value: Any) -> bool:
    """Whether this is a list of paths: a step in it is a list."""
    while type(value) is list and value and type(value[0]) is list and value[0]:
        value = value[0]
        if type(value[0]) is list:
            return True
    return type(value) is list and value == [[]]


def _read_tree(found: Found, problem: Problem) -> PathFile:
    fields = found.fields(optional=None)
    tree = read_tree(fields.get("tree", found), read_labels)
    counts = [len(term.operands) for _, term in problem.terms]
    if counts != [len(tree.terms)]:
        found.fail(
            f"the tree contracts {len(tree.terms)} operands of one term; the problem has terms of "
            f"{', '.join(map(str, counts[:10]))}"
        )
    return PathFile((tree.path,), "tree", is_stated=True)


def write_paths(
    paths: Sequence[Path],
    path: str | os.PathLike[str],
    *,
    form: str = "linear",
    bare: bool = False,
) -> None:
    """Write the paths of a problem.

    Parameters
    ----------
    paths : sequence of paths
        Linear ones, one for each term.
    path : path of a file
        It is written anew.
    form : "linear" or "ssa"
        How they are said.
    bare : bool
        Write the list alone, as opt_einsum and cotengra take it; needs a single path.

    Raises
    ------
    PlanError
        If one is no path.
    FileError
        If it cannot be written.
    """
    if form not in FORMS:
        raise PlanError(f"there is no form {form!r} of a path; there are {FORMS}")
    said = [ssa_of_linear(p, operands_of(p)) for p in paths]
    written: Any = said if form == "ssa" else [[tuple(step) for step in p] for p in paths]
    if len(written) == 1:
        written = written[0]
    elif bare:
        raise FileError(f"{shown_file(path)}: {len(paths)} paths cannot be written as a bare one")
    write_document(plain(written if bare else {"path": written, "format": form}), path)
