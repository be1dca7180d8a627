"""``eingrad paths``: contraction orders compared, by cost and by time.

In: arguments. Out: a table on standard output, or JSON, or CSV; files where they are asked for.
Guaranteed: what the user gave wrong is one line on standard error and exit status 2; status 1 says
that values disagree, that every run failed, or that a limit is exceeded; an interruption prints
what is finished, 130.
"""

import argparse
import math
import sys
import textwrap
from typing import Any

from eingrad._shown import cut
from eingrad.cli.common import Parser, Progress, integer, seed, stop_printing, to_json
from eingrad.cli.inputs import FORMS, first_error, orders_of, problem_of, shape_of
from eingrad.cli.outputs import check_files, keep
from eingrad.errors import EingradError
from eingrad.paths import baseline, compare
from eingrad.paths.comparison import Comparison, digest_of, to_document
from eingrad.paths.executors import EXECUTORS
from eingrad.paths.instances import instances
from eingrad.paths.orders import DEFAULT_ORDERS, NAMES
from eingrad.paths.problem import Problem
from eingrad.paths.report import definitions, to_csv
from eingrad.paths.units import bytes_of

_BAD = (EingradError, ValueError, OSError, MemoryError)


def add_to(commands: Any) -> None:
    """Add the command."""
    command: Parser = commands.add_parser(
        "paths",
        help="compare contraction orders: flops, memory, time, on several libraries",
        description="Compare contraction orders of a network, or of a derivative, on several "
        "libraries along the same path; values are checked. INPUT is "
        f"{FORMS.replace('%', '%%')}. The exit status is 1 if values disagree, every run "
        "fails, or a limit is exceeded, 2 if something is given wrong.",
    )
    command.add_argument("input", nargs="?", metavar="INPUT", help="what is computed")
    command.add_argument("files", nargs="*", metavar="FILE", help=".npy files, one per operand")
    _add_input(command)
    _add_measuring(command)
    _add_output(command)
    command.set_defaults(run=run)


def _add_input(command: Parser) -> None:
    add = command.add_argument_group("input").add_argument
    add("--size", action="append", metavar="i=10,j=20", help="sizes of indices; D, E, F of an "
        "identity")  # fmt: skip
    add("--shape", action="append", type=shape_of, metavar="3x4", help="of an argument of the "
        "function, in order; or name=3x4; or scalar")  # fmt: skip
    add("--order", type=_order, metavar="K", help="of differentiation (default: 1)")
    add("--argnums", type=_numbers, metavar="0,1", help="arguments that are differentiated in "
        "(default: 0)")  # fmt: skip
    add("--explicit", action="store_true", help="the plain sum of the product rule, with its "
        "deltas, in place of the normal form")  # fmt: skip


def _add_measuring(command: Parser) -> None:
    add = command.add_argument_group("what is compared").add_argument
    default = ",".join(DEFAULT_ORDERS)
    add("--orders", type=_names, metavar="A,B", help="orders, or "
        f"module:function for one of yours (default: {default}; see --list)")  # fmt: skip
    add("--path", action="append", metavar="PATH", help="an order of yours: [(0,1),(0,1)] as "
        "Python prints it, JSON, or a file of either")  # fmt: skip
    add("--executors", type=_names, metavar="A,B", help="libraries (default: all installed)")
    add("--seconds", type=_seconds, default=10.0, metavar="S", help="for the timing in all; 0 runs "
        "nothing (default: 10)")  # fmt: skip
    add("--search-seconds", type=_seconds, metavar="S", help="for each search; results then depend "
        "on the clock")  # fmt: skip
    add("--memory", type=_memory, metavar="2GB", help="for a run (default: what is free)")
    add("--threads", type=_threads, default=1, metavar="N", help="of BLAS and libraries "
        "(default: 1)")  # fmt: skip
    add("--seed", type=seed, default=0, metavar="S", help="of operands and searches (default: 0)")


def _add_output(command: Parser) -> None:
    group = command.add_argument_group("output")
    form = group.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON document")
    form.add_argument("--csv", action="store_true", help="print a line for each run")
    add = group.add_argument
    add("--save", metavar="FILE", help="keep the result as a baseline; other problems in it stay")
    add("--compare", metavar="FILE", help="print ratios to a baseline")
    add("--limit", type=_limit, metavar="R", help="exit with status 1 if a ratio is above R, or "
        "what the baseline measured is not measured")  # fmt: skip
    add("--relative-to", choices=[*EXECUTORS], metavar="EXECUTOR", help="compare times divided by "
        "those of this executor, for a baseline of another machine")  # fmt: skip
    add("--plot", metavar="FILE", help="draw time against flops: .svg or .png")
    add("--tree", metavar="FILE", help="draw the contraction tree of the order with the fewest "
        "flops, or of the first in --orders: .svg or .png")  # fmt: skip
    add("--network", metavar="FILE", help="draw the network, of the first term: .svg or .png")
    add("--list", action="store_true", help="list orders, executors, and what is installed")
    add("--definitions", action="store_true", help="say what each column counts")


# Arguments ---------------------------------------------------------------------------------------


def _order(text: str) -> int:
    return integer(text, 1, "an order of differentiation is a positive integer")


def _threads(text: str) -> int:
    return integer(text, 1, "a number of threads is a positive integer")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple([integer(part, 0, "argnums are numbers of arguments") for part in text.split(",")])


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"{cut(text)!r} has an empty name")
    return [*dict.fromkeys(names)]


def _number(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{what}, not {cut(text)}")
    return value


def _seconds(text: str) -> float:
    return _number(text, "seconds are a number of at least 0")


def _limit(text: str) -> float:
    return _number(text, "a limit is a ratio, 1.2 say")


def _memory(text: str) -> int:
    try:
        return bytes_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


# The command -------------------------------------------------------------------------------------


def run(options: argparse.Namespace) -> int:
    """Compare, and print."""
    if options.list or options.definitions:
        print(_listing() if options.list else definitions())  # noqa: T201
        return 0
    try:
        _check(options)
        problem = problem_of(options)
        before = _stored(options, problem)
        orders, own = orders_of(options, problem)
        progress = Progress()
        try:
            found = compare(
                problem,
                orders=orders,
                executors=options.executors,
                seed=options.seed,
                seconds=options.seconds,
                memory=options.memory,
                threads=options.threads,
                progress=progress.tell,
            )
        finally:
            progress.clear()
        change = _change(options, found, before)
        try:
            _print(options, found, change)
            sys.stdout.flush()
        except BrokenPipeError:  # files are written all the same, and the status is what it is
            stop_printing()
        keep(options, found)
    except _BAD as error:
        return _refused(first_error(error))
    return _status(found, change, own)


def _check(options: argparse.Namespace) -> None:
    """Refuse what could only fail at the end."""
    if options.input is None:
        raise ValueError(f"there is no INPUT; give {FORMS}")
    for name in ("limit", "relative_to"):
        if getattr(options, name) is not None and options.compare is None:
            option = name.replace("_", "-")
            raise ValueError(f"--{option} needs --compare FILE, the baseline that it is about")
    check_files(options)


def _stored(options: argparse.Namespace, problem: Problem) -> Comparison | None:
    """Read the baseline of a problem."""
    if options.compare is None:
        return None
    stored = baseline.load(options.compare)
    found = baseline.find(stored, problem.name, digest_of(problem))
    if found is None:
        known = [*dict.fromkeys(comparison.problem for comparison in stored)]
        what = f"{cut(options.compare)} has no baseline of {cut(problem.name)!r}"
        if problem.name in known:
            raise ValueError(
                f"{what} at these sizes: it has one at others, or of other terms or data types; "
                "make one of this with --save"
            )
        raise ValueError(f"{what}; it has {cut(', '.join(known) or 'none')}")
    return found


def _change(
    options: argparse.Namespace, found: Comparison, before: Comparison | None
) -> baseline.Change | None:
    if before is None:
        return None
    relative = options.relative_to or ""
    return baseline.ratios(found, before, limit=options.limit, relative_to=relative)


def _print(options: argparse.Namespace, found: Comparison, change: baseline.Change | None) -> None:
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # names may have any letters
    if options.json:
        document = to_document(found)
        if change is not None:
            document["baseline"] = baseline.change_document(change)
        print(to_json(document))  # noqa: T201
    elif options.csv:
        print(to_csv(found), end="")  # noqa: T201
    else:
        print("\n\n".join(map(str, [found] if change is None else [found, change])))  # noqa: T201


def _status(found: Comparison, change: baseline.Change | None, own: set[str]) -> int:
    if found.interrupted:
        sys.stderr.write("interrupted\n")
        return 130
    wrong = [o for o in found.orders if o.name in own and o.status in ("failed", "refused")]
    for order in wrong:
        _refused(f"order {order.name!r}: {order.reason}")
    if wrong:
        return 2
    if not any(order.flops is not None for order in found.orders):
        return _refused(f"there is no order to compare: {found.orders[0].reason}")
    if _all_failed(found):
        return 1
    exceeded = change is not None and change.exceeded
    return 0 if found.agrees and not exceeded else 1


def _all_failed(found: Comparison) -> bool:
    """Whether nothing gave values, and something failed; what is not installed does not count."""
    statuses = {run.status for order in found.orders for run in order.runs}
    is_any = not statuses.isdisjoint(("measured", "checked", "planned", "disagrees"))
    return not is_any and not statuses.isdisjoint(("failed", "refused"))


def _refused(message: str) -> int:
    sys.stderr.write(f"eingrad paths: error: {message}\n")
    return 2


def _listing() -> str:
    """List what there is to compare, and on what."""
    lines = ["orders:", *[f"  {name}" for name in NAMES], "", "executors:"]
    for name, executor in EXECUTORS.items():
        lines.append(f"  {name:12}{executor.version() or 'not installed'}")
    names = textwrap.wrap(", ".join(instances()), 96, break_on_hyphens=False)
    lines += ["", "problems of the set:", *[f"  {line}" for line in names]]
    return "\n".join(lines)
