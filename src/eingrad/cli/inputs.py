"""What `eingrad paths` compares orders of: what the user named, as a problem.

In: the arguments. Out: a `Problem`, and orders.
Guaranteed: one error for each thing that can be wrong, before anything is planned.
"""

import argparse
import ast
import difflib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eingrad._shown import cut, shown
from eingrad.errors import EingradError, FileError
from eingrad.identities import IDENTITIES
from eingrad.paths.along import along
from eingrad.paths.derived import of_function, of_identity
from eingrad.paths.files import problem_of_arrays, read_paths, read_problem
from eingrad.paths.files.document import read_text
from eingrad.paths.instances import instance, instances
from eingrad.paths.load import load_function
from eingrad.paths.orders import NAMES, Order, default_orders, find_order, given_order
from eingrad.paths.problem import Problem, of_einsum
from eingrad.paths.typed import parse_json

FORMS = (
    "subscripts with --size ('ij,jk->ik' --size i=2,j=3,k=4) or with .npy files, a function "
    "(module:function --shape 3x4), an identity (5.105, or '5.108 any W'), a network file "
    "(net.json), or a problem of the set that comes with eingrad"
)
_MOST_LETTERS = 1 << 20  # of a path that Python printed
_FUNCTION = re.compile(r"[^:]+:[A-Za-z_][\w.]*")


def problem_of(options: argparse.Namespace) -> Problem:
    """Make the problem that the arguments name.

    Raises
    ------
    EingradError, ValueError, OSError
        If there is none, or an option does not go with it.
    """
    named: str = options.input
    sizes = _sizes(options.size)
    number = _identity_of(options)
    if number:
        _refuse(options, "an identity", "shape", "argnums")
        return _of_identity(number, sizes, options)
    if "->" in named or "," in named or options.files or _is_one_term(named, sizes):
        _refuse(options, "subscripts", "shape", "order", "argnums", "explicit")
        return _of_arrays(named, options.files, sizes) if options.files else of_einsum(named, sizes)
    if _FUNCTION.fullmatch(named):
        _refuse(options, "a function", "size")
        return _of_function(named, options)
    is_file = _is_file(named)
    if is_file:
        _refuse(options, "a network file", "shape", "order", "argnums", "explicit")
    if is_file or named.endswith(".json"):
        return _of_file(named, sizes)
    if named not in instances():
        raise ValueError(_unknown(named))
    _refuse(options, "a problem of the set", "size", "shape", "order", "argnums", "explicit")
    return instance(named)


def _refuse(options: argparse.Namespace, what: str, *names: str) -> None:
    """Refuse options that mean nothing for this input."""
    for name in names:
        if getattr(options, name) not in (None, False, []):
            raise ValueError(f"--{name} is not for {what}, which {cut(options.input)!r} is")


def _identity_of(options: argparse.Namespace) -> str:
    """Give the number of an identity, as the book writes it, or without the chapter; else ""."""
    number = " ".join([options.input, *options.files]).strip("()")  # a number may be of three words
    number = number if "." in number else f"5.{number}"
    return number if number in IDENTITIES else ""


def _is_file(named: str) -> bool:
    try:
        return Path(named).is_file()
    except OSError:  # too long for a name
        return False


def _is_one_term(named: str, sizes: Mapping[str, int]) -> bool:
    """Whether it is subscripts without comma and arrow: all its letters have sizes."""
    return bool(sizes) and named.isalpha() and {*named} <= {*sizes}


# Kinds of input ----------------------------------------------------------------------------------


def _of_arrays(subscripts: str, files: Sequence[str], sizes: Mapping[str, int]) -> Problem:
    if sizes:
        raise ValueError("--size is not for .npy files, which have their sizes")
    return problem_of_arrays(subscripts, files)


def _of_function(named: str, options: argparse.Namespace) -> Problem:
    function = load_function(named)
    if not options.shape:
        raise ValueError(
            f"{cut(named)} needs the shapes of its arguments; give --shape 3x4 for each"
        )
    shapes = _in_order(named, function, options.shape)
    more = {} if options.argnums is None else {"argnums": options.argnums}
    return of_function(
        function,
        *shapes,
        order=options.order or 1,
        explicit=options.explicit,
        seed=options.seed,
        name=_name(named, options),
        **more,
    )


def _of_identity(named: str, sizes: Mapping[str, int], options: argparse.Namespace) -> Problem:
    known = {"D": 4, "E": 2, "F": 3}
    wrong = [letter for letter in sizes if letter not in known]
    if wrong:
        raise ValueError(f"--size of an identity is for D, E and F, not {shown(wrong[0])}")
    known |= sizes
    return of_identity(
        named,
        (known["D"], known["E"], known["F"]),
        options.order or 1,
        explicit=options.explicit,
        seed=options.seed,
        name=_name(named, options),
    )


def _name(named: str, options: argparse.Namespace) -> str:
    explicit = ", explicit" if options.explicit else ""
    return f"{named}, order {options.order or 1}{explicit}"


def _of_file(named: str, sizes: Mapping[str, int]) -> Problem:
    return read_problem(named, sizes=sizes or None)


def _unknown(named: str) -> str:
    """Say that there is no such problem, and what is near."""
    near = difflib.get_close_matches(named, [*IDENTITIES, *instances()], 3)
    told = f"did you mean {' or '.join(near)}?" if near else f"give {FORMS}"
    return f"{cut(named)!r} is no input; {told}"


# Options -----------------------------------------------------------------------------------------


def _sizes(texts: Sequence[str] | None) -> dict[str, int]:
    """Read ``i=10,j=20``, once or several times."""
    found: dict[str, int] = {}
    for part in [part for text in texts or () for part in text.split(",")]:
        index, equals, size = part.partition("=")
        index = index.strip()
        if not equals or not index or not size.strip().isdecimal():
            raise ValueError(f"--size {cut(part)!r} is no size; write it as in i=10,j=20")
        if found.setdefault(index, int(size)) != int(size):
            raise ValueError(f"--size gives {index!r} two sizes, {found[index]} and {int(size)}")
    return found


def shape_of(text: str) -> tuple[str, tuple[int, ...]]:
    """Read ``3x4``, or ``name=3x4``; a scalar is ``scalar``."""
    name, _, sizes = text.rpartition("=")
    parts = [] if sizes == "scalar" else sizes.split("x")
    if not all(part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(
            f"{cut(text)!r} is no shape; write it as in 3x4, x=3x4, or scalar"
        )
    return name, tuple(map(int, parts))


def _in_order(
    named: str, function: Callable[..., Any], shapes: Sequence[tuple[str, tuple[int, ...]]]
) -> list[tuple[int, ...]]:
    """Put shapes in the order of the parameters; those without a name come first."""
    found = [shape for name, shape in shapes if not name]
    given = {name: shape for name, shape in shapes if name}
    if not given:
        return found
    try:
        names = [*inspect.signature(function).parameters]
    except (TypeError, ValueError):
        raise ValueError(
            f"the parameters of {cut(named)} have no names; give --shape 3x4"
        ) from None
    for name in names[len(found) :]:
        if name not in given:
            break
        found.append(given.pop(name))
    if given:
        raise ValueError(
            f"{cut(named)} has the parameters {', '.join(names)}; --shape {next(iter(given))}= is "
            "for none that is left; give shapes from the first parameter on"
        )
    return found


def orders_of(options: argparse.Namespace, problem: Problem) -> tuple[list[Order], set[str]]:
    """Give the orders that are compared, and the names of those that the user made."""
    found = []
    own = set()
    for name in options.orders or default_orders(problem):
        is_known = name in NAMES or ":" not in name or name.startswith(("opt_einsum:", "cotengra"))
        if is_known:
            found.append(find_order(name, seed=options.seed, seconds=options.search_seconds))
        else:
            found.append(given_order(load_function(name), name))
            own.add(name)
    for n, text in enumerate(options.path or ()):
        order = _given(text, problem, "given" if n == 0 else f"given {n + 1}")
        found.append(order)
        own.add(order.name)
    return found, own


def _given(text: str, problem: Problem, name: str) -> Order:
    """Read a path: JSON or Python's lists and tuples, as it stands or in a file."""
    if text.lstrip().startswith(("[", "(", "{")):
        return given_order(_read_steps(text, "--path"), name)
    if _FUNCTION.fullmatch(text) and not _is_file(text):
        raise ValueError(f"--path {cut(text)}: there is no such file; a function is for --orders")
    name = Path(text).stem if name == "given" else name
    try:
        paths = read_paths(text, problem).paths
    except FileError:
        if not _is_file(text) or "(" not in (written := read_text(text)):
            raise
        return given_order(_read_steps(written, cut(text)), name)
    return Order(name, lambda asked: along(asked, paths))


def _read_steps(text: str, where: str) -> Any:
    """Read JSON; or lists and tuples, as Python prints the paths of a plan or of opt_einsum."""
    if "(" not in text or len(text) > _MOST_LETTERS:
        return parse_json(text, where)
    try:
        found = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise ValueError(f"{where} is no path; write it as in [(0, 1), (0, 1)]") from None
    if not _is_plain(found):
        raise ValueError(f"{where} is no path; it has more than lists, tuples and integers")
    return found


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return type(value) is int


def first_error(error: BaseException) -> str:
    """Say an error in one line."""
    if isinstance(error, OSError) and error.strerror:
        named = f"{error.filename}: " if error.filename else ""
        return f"{named}{error.strerror}"
    text = " ".join(str(error).split())
    return (
        text if isinstance(error, (EingradError, ValueError)) else f"{type(error).__name__}: {text}"
    )
