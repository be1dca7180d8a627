"""``eingrad identities``: the identities of the book, derived, proved and checked."""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from typing import Any

from eingrad import identities
from eingrad._shown import shown
from eingrad._symbols import differentiate
from eingrad.cli.common import seed, size, to_json, with_progress
from eingrad.verify import IdentityCheck, check_identity

_MOST_BYTES = 1 << 30  # of one tensor; a check holds several, and computes them along several paths


def add_to(commands: Any) -> None:
    """Add the command."""
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
        "--size", nargs=3, type=size, default=(4, 2, 3), metavar=("D", "E", "F"),
        help="f(X) is D x D, X is E x F (default: 4 2 3)",
    )  # fmt: skip
    command.add_argument(
        "--order", type=int, choices=(1, 2, 3), default=identities.ORDER, metavar="K",
        help=f"check orders 1 to K, at most 3 (default: {identities.ORDER})",
    )  # fmt: skip
    command.add_argument("--seed", type=seed, default=0, metavar="S", help="of the random point")
    command.add_argument("--json", action="store_true", help="print one JSON document")
    command.set_defaults(run=run)


def _number(text: str) -> str:
    """Read the number of an identity: as the book writes it, or without the chapter."""
    number = text.strip("()")
    number = number if "." in number else f"5.{number}"
    if number not in _numbers():
        raise argparse.ArgumentTypeError(
            f"there is no identity {shown(text)}; there are {', '.join(_numbers())}"
        )
    return number


def _too_large(sizes: Sequence[int], order: int) -> str:
    """Say what the largest tensors would take, where that is more than a machine has; else ""."""
    d, e, f = sizes
    needed = 8 * d**2 * (e * f) ** order
    if needed <= _MOST_BYTES:
        return ""
    return (
        f"at sizes {' '.join(map(shown, sizes))}, the derivative of order {order} alone takes over "
        f"{_MOST_BYTES:,} bytes; give "
        "smaller sizes, or a lower --order"
    )


def _numbers() -> list[str]:
    return [number for number in identities.IDENTITIES if " " not in number]


def run(options: argparse.Namespace) -> int:
    """Check, and print."""
    chosen = [
        number
        for number in identities.IDENTITIES
        if not options.numbers or number.split(maxsplit=1)[0] in options.numbers
    ]
    sizes = (options.size[0], options.size[1], options.size[2])
    refused = _too_large(sizes, options.order)
    if refused:
        sys.stderr.write(f"eingrad identities: error: {refused}\n")
        return 2
    reports = [
        report
        for number in with_progress(chosen, "checking identities")
        for report in identities.check(
            number, size=sizes, order=options.order, seed=options.seed
        ).by_order
    ]
    printed = check_printed_form_with_any_weight() if "5.108" in chosen else None
    needed = None if printed is None else not printed  # a check is true where the sides agree
    passed = all(report.passed for report in reports) and needed in (None, True)
    if options.json:
        print(to_json(_document(reports, needed)))  # noqa: T201
        return 0 if passed else 1
    lines = _table(reports)
    if printed is not None:
        verdict = "as it must be" if needed else "BUT NO COUNTEREXAMPLE WAS FOUND"
        lines += ["", f"5.108 as printed fails where W is not symmetric, {verdict}:", str(printed)]
    for number in dict.fromkeys(options.numbers):
        lines += _details(number, sizes, options.order)
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
