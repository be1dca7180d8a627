"""Files of networks: read whichever format they have, written in ours.

In: a file, or problems. Out: the other.
Guaranteed: the format is recognised by what is in the file, not by its name.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from eingrad._shown import shown
from eingrad.errors import FileError, ShapeError
from eingrad.paths.files.document import (
    MOST_SIZE,
    Found,
    parse,
    read_text,
    shown_file,
)
from eingrad.paths.files.foreign import read_foreign, read_lines
from eingrad.paths.files.layout import write_document
from eingrad.paths.files.problems import read_problem_document
from eingrad.paths.files.written import problem_to_json
from eingrad.paths.problem import Problem

Sizes = Mapping[str, int] | int


def read_problem(path: str | os.PathLike[str], *, sizes: Sizes | None = None) -> Problem:
    """Read the network of a file.

    Parameters
    ----------
    path : path of a file
        Ours, cotengra's, OMEinsum's, or a string with shapes, as JSON or as lines of text.
    sizes : int, or mapping from index to int
        Of indices of which the file does not say it, as OMEinsum's trees do not; an integer is for
        all of them.

    Returns
    -------
    Problem
        A path that the file holds is in its `best`.

    Raises
    ------
    FileError
        If it is not what it says; names the place. Also if there are several: `read_problems` reads
        those.
    ShapeError
        If `sizes` are none.
    """
    problems = read_problems(path, sizes=sizes)
    if len(problems) != 1:
        raise FileError(
            f"{shown_file(path)}: has {len(problems)} problems, where one is asked for; read all "
            "with read_problems"
        )
    return problems[0]


def read_problems(path: str | os.PathLike[str], *, sizes: Sizes | None = None) -> list[Problem]:
    """Read all networks of a file, or of the ``.json`` files of a folder.

    Parameters
    ----------
    path : path of a file or folder
        A file holds one network, or a list of them. A folder is read in the order of its names.
    sizes : int, or mapping from index to int
        As in `read_problem`.

    Returns
    -------
    list of Problem

    Raises
    ------
    FileError
        If one is not what it says; names file and place.
    ShapeError
        If `sizes` are none.
    """
    more = _checked({} if sizes is None else sizes)
    try:
        where = Path(path)
        files = sorted(where.glob("*.json")) if where.is_dir() else [where]
    except (OSError, ValueError):  # a name with a null character: reading it says so
        files = [Path(path)]
    if not files:
        raise FileError(f"{shown_file(path)}: is a folder without .json files")
    return [problem for file in files for problem in _read(file, more)]


def _checked(sizes: Sizes) -> Sizes:
    given = {"all indices": sizes} if isinstance(sizes, int) else sizes
    for label, size in given.items():
        if type(size) is not int or not 0 <= size <= MOST_SIZE:
            raise ShapeError(
                f"the size of {label} is {shown(size)}; give an integer from 0 to 2**40"
            )
    return sizes


def _read(path: Path, sizes: Sizes) -> list[Problem]:
    text, file = read_text(path), shown_file(path)
    is_json = path.suffix == ".json" or text.lstrip()[:1] in ("{", "[")
    found = parse(text, file) if is_json else read_lines(text, file)
    if type(found.value) is not list:
        return [_read_one(found, sizes, path.stem)]
    items = found.items("networks")
    if not items:
        found.fail("the list is empty; there is no network in it")
    if type(items[0].value) is list:
        found.fail("this is a list of lists: a path perhaps, no network")
    return [_read_one(item, sizes, f"{path.stem}-{n}") for n, item in enumerate(items)]


def _read_one(found: Found, sizes: Sizes, name: str) -> Problem:
    if type(found.value) is dict and "format" in found.value and "outputs" in found.value:
        return read_problem_document(found)
    return read_foreign(found, sizes, name if name.isprintable() else "network")


def write_problem(problem: Problem, path: str | os.PathLike[str]) -> None:
    """Write a network in our format.

    Parameters
    ----------
    problem : Problem
        Its `known` values are not written.
    path : path of a file
        It is written anew.

    Raises
    ------
    FileError
        If the file cannot be written, or the problem: the message names the place in it.
    """
    write_document(problem_to_json(problem, shown_file(path)), path)


def write_problems(problems: Sequence[Problem], path: str | os.PathLike[str]) -> None:
    """Write several networks in our format, as a list in one file.

    Parameters
    ----------
    problems : sequence of Problem
        Their `known` values are not written.
    path : path of a file
        It is written anew.

    Raises
    ------
    FileError
        If the file cannot be written, or a problem: the message names the place in it.
    """
    write_document([problem_to_json(problem, shown_file(path)) for problem in problems], path)
