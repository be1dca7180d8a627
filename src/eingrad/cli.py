"""The command line: ``eingrad identities`` and ``eingrad info``; also ``python -m eingrad``.

In: arguments. Out: a table on standard output, or JSON with ``--json``; an exit status: 0 if all is
well, 1 if a check failed, 2 if the arguments are wrong, 130 if interrupted.
Guaranteed: nothing but results goes to standard output; progress goes to standard error, if that is
a terminal and it takes over two seconds.
"""

import argparse
import dataclasses
import importlib.metadata
import json
import math
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from eingrad import identities
from eingrad._shown import cut, shown
from eingrad._symbols import differentiate
from eingrad.verify import IdentityCheck, check_identity

T = TypeVar("T")

_PATIENCE = 2.0  # seconds before progress is shown
_MOST_BYTES = 1 << 30  # of one tensor; a check holds several, and computes them along several paths


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        The exit status.
    """
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except BrokenPipeError:  # the reader of a pipe, `head` say, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="eingrad", description="Full derivative tensors of any order, by tensor contraction."
    )
    version = f"eingrad {_version('eingrad')}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser(
        "identities",
        help="derive and check the identities (5.99)-(5.108) of Mathematics for Machine Learning",
        description="Derive the identities (5.99)-(5.108) of Mathematics for Machine Learning, "
        "prove them, and check them against their matrix forms, the complex step, and along "
        "several contraction paths. The exit status is 1 if a check fails.",
    )
    command.add_argument(
        "numbers", nargs="*", type=_number, metavar="NUMBER",
        help="only these, with formulas and plans: 5.99, or 99, or '(5.99)'",
    )  # fmt: skip
    command.add_argument(
        "--size", nargs=3, type=_size, default=(4, 2, 3), metavar=("D", "E", "F"),
        help="f(X) is D x D, X is E x F (default: 4 2 3)",
    )  # fmt: skip
    command.add_argument(
        "--order", type=int, choices=(1, 2, 3), default=identities.ORDER, metavar="K",
        help=f"check orders 1 to K, at most 3 (default: {identities.ORDER})",
    )  # fmt: skip
    command.add_argument("--seed", type=_seed, default=0, metavar="S", help="of the random point")
    command.add_argument("--json", action="store_true", help="print one JSON document")
    command.set_defaults(run=_identities)

    command = commands.add_parser("info", help="versions, BLAS and threads, for bug reports")
    command.add_argument("--json", action="store_true", help="print one JSON document")
    command.set_defaults(run=_info)
    return parser


def _number(text: str) -> str:
    """Read the number of an identity: as the book writes it, or without the chapter."""
    number = text.strip("()")
    number = number if "." in number else f"5.{number}"
    if number not in _numbers():
        raise argparse.ArgumentTypeError(
            f"there is no identity {shown(text)}; there are {', '.join(_numbers())}"
        )
    return number


def _size(text: str) -> int:
    return _integer(text, 1, "a size is a positive integer")


def _seed(text: str) -> int:
    return _integer(text, 0, "a seed is an integer of at least 0")


def _integer(text: str, least: int, what: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"{what}, not {cut(text)}")
    return value


def _too_large(size: Sequence[int], order: int) -> str:
    """Say what the largest tensors would take, where that is more than a machine has; else ""."""
    d, e, f = size
    needed = 8 * d**2 * (e * f) ** order
    if needed <= _MOST_BYTES:
        return ""
    return (
        f"at sizes {' '.join(map(shown, size))}, the derivative of order {order} alone takes over "
        f"{_MOST_BYTES:,} bytes; give "
        "smaller sizes, or a lower --order"
    )


def _numbers() -> list[str]:
    return [number for number in identities.IDENTITIES if " " not in number]


# identities --------------------------------------------------------------------------------------


def _identities(options: argparse.Namespace) -> int:
    chosen = [
        number
        for number in identities.IDENTITIES
        if not options.numbers or number.split(maxsplit=1)[0] in options.numbers
    ]
    size = (options.size[0], options.size[1], options.size[2])
    refused = _too_large(size, options.order)
    if refused:
        sys.stderr.write(f"eingrad identities: error: {refused}\n")
        return 2
    reports = [
        report
        for number in _with_progress(chosen, "checking identities")
        for report in identities.check(
            number, size=size, order=options.order, seed=options.seed
        ).by_order
    ]
    printed = check_printed_form_with_any_weight() if "5.108" in chosen else None
    needed = None if printed is None else not printed  # a check is true where the sides agree
    passed = all(report.passed for report in reports) and needed in (None, True)
    if options.json:
        print(_json(_document(reports, needed)))  # noqa: T201
        return 0 if passed else 1
    lines = _table(reports)
    if printed is not None:
        verdict = "as it must be" if needed else "BUT NO COUNTEREXAMPLE WAS FOUND"
        lines += ["", f"5.108 as printed fails where W is not symmetric, {verdict}:", str(printed)]
    for number in dict.fromkeys(options.numbers):
        lines += _details(number, size, options.order)
    failed = [report for report in reports if not report.passed]
    lines += ["", f"{len(reports) - len(failed)} of {len(reports)} checks passed"]
    print("\n".join(lines))  # noqa: T201
    return 0 if passed else 1


def check_printed_form_with_any_weight() -> IdentityCheck:
    """Compare the derivative in (5.108) with its printed form, for W of which nothing is known.

    Returns
    -------
    IdentityCheck
        False, with a counterexample, unless something is wrong with the search for one.
    """
    return check_identity(
        lambda x, A, s, W: differentiate((x - A @ s) @ W @ (x - A @ s), s),  # noqa: N803 - matrices
        lambda x, A, s, W: -2 * (x - A @ s) @ W @ A,  # noqa: N803 - matrices
        shapes={"x": "D", "A": "DE", "s": "E", "W": "DD"},
    )


def _table(reports: Sequence[identities.Report]) -> list[str]:
    rows = [("number", "order", "shape", "flops", "path", "proved", "matrix", "step", "paths", "")]
    statements: dict[str, str] = {}
    for report in reports:
        new = report.number not in statements
        statements[report.number] = report.statement
        rows.append(
            (
                report.number if new else "",
                str(report.order),
                "x".join(map(str, report.shape)) or "scalar",
                f"{report.flops['planned']:,}",
                _short_path(report.steps),
                "yes" if report.proved else "NO",
                f"{report.matrix_error:.1e}",
                f"{report.step_error:.1e}",
                f"{report.path_error:.1e}",
                "" if report.passed else "FAILED",
            )
        )
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    numeric = {3, 6, 7, 8}
    lines = [
        "  ".join(
            cell.rjust(w) if k in numeric else cell.ljust(w)
            for k, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    known = [f"{number:{max(map(len, statements))}}  {text}" for number, text in statements.items()]
    legend = [
        "path: the planned contractions, in order. matrix, step, paths: the largest error,",
        "relative to the largest entry, from the matrix form in plain NumPy, from the complex step",
        f"of the order below, and between the paths {', '.join(identities.PATHS)}.",
    ]
    return [*known, "", lines[0], "-" * max(map(len, lines)), *lines[1:], "", *legend]


def _short_path(steps: Sequence[str], most: int = 3) -> str:
    shown = "; ".join(steps[:most])
    return f"{shown}; +{len(steps) - most}" if len(steps) > most else shown or "none"


def _details(number: str, size: identities.Size, highest: int) -> list[str]:
    """Show the derivative of every order as a formula, and its plan."""
    lines = []
    stated = identities.IDENTITIES[number].state(size)
    for order in range(1, highest + 1):
        lines += [
            "",
            f"{number}, derivative of order {order}",
            "",
            str(stated.derivative(order)),
            "",
        ]
        lines.append(repr(identities.plans_by_path(stated, order)["planned"]))
    return lines


def _document(reports: Sequence[identities.Report], needed: bool | None) -> dict[str, Any]:
    rows = []
    for report in reports:
        row = dataclasses.asdict(report)
        del row["below"]  # they have rows of their own
        rows.append({**row, "passed": report.passed, "largest_error": report.largest_error})
    document: dict[str, Any] = {"tolerance": identities.TOLERANCE, "identities": rows}
    if needed is not None:
        document["symmetry_of_w_is_needed"] = needed
    return document


def _json(value: Any) -> str:
    """Write a document; JSON has no infinity and no NaN, so these are null."""
    return json.dumps(_without_infinities(value), indent=2, allow_nan=False)


def _without_infinities(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_infinities(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_infinities(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# info --------------------------------------------------------------------------------------------


def _info(options: argparse.Namespace) -> int:
    facts = {
        "eingrad": _version("eingrad"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opt_einsum": _version("opt_einsum"),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        **_blas(),
        **{name: os.environ[name] for name in _THREAD_VARIABLES if name in os.environ},
    }
    if options.json:
        print(_json(facts))  # noqa: T201
    else:
        width = max(map(len, facts))
        print("\n".join(f"{name:{width}}  {value}" for name, value in facts.items()))  # noqa: T201
    return 0


_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_CORETYPE",
)


def _blas() -> dict[str, Any]:
    """Tell which BLAS NumPy was built with; and which is in use, where `threadpoolctl` is."""
    built: Any = np.show_config(mode="dicts")
    blas = built.get("Build Dependencies", {}).get("blas", {})
    facts = {"blas": f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()}
    try:
        from threadpoolctl import threadpool_info  # noqa: PLC0415 - not a dependency
    except ImportError:
        return facts
    for pool in threadpool_info():
        if pool["user_api"] == "blas":
            detail = f"{pool['internal_api']} {pool['version']}, {pool.get('architecture', '')}"
            facts |= {"blas in use": detail, "blas threads": pool["num_threads"]}
    return facts


def _version(package: str) -> str:
    return importlib.metadata.version(package)


def _with_progress(items: Sequence[T], what: str) -> Iterator[T]:
    """Give the items, and tell on a terminal how far it is, once it takes long."""
    start = time.monotonic()
    shown = False
    for n, item in enumerate(items):
        if sys.stderr.isatty() and time.monotonic() - start > _PATIENCE:
            shown = True
            sys.stderr.write(f"\r{what}: {n} of {len(items)}")
            sys.stderr.flush()
        yield item
    if shown:
        sys.stderr.write("\r\033[K")
