"""The command line: ``eingrad identities``, ``info`` and ``paths``; also ``python -m eingrad``.

In: arguments. Out: a table on standard output, or JSON with ``--json``; an exit status: 0 if all is
well, 1 if a check failed, 2 if the arguments are wrong, 130 if interrupted.
Guaranteed: nothing but results goes to standard output; progress goes to standard error, if that is
a terminal and it takes over two seconds.
"""

import argparse
import sys
from collections.abc import Sequence

from eingrad.cli import identities, info, paths
from eingrad.cli.common import Parser, stop_printing
from eingrad.cli.identities import check_printed_form_with_any_weight

__all__ = ["check_printed_form_with_any_weight", "main"]


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
        sys.stdout.flush()
    except BrokenPipeError:
        stop_printing()
        return 0
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="eingrad", description="Full derivative tensors of any order, by tensor contraction."
    )
    version = f"eingrad {info.version('eingrad')}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (identities, info, paths):
        command.add_to(commands)
    return parser
