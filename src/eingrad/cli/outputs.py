"""Files that `eingrad paths` writes: baselines and pictures.

In: the arguments, and a comparison. Out: files. Guaranteed: what could only fail at the end is
refused before anything is planned; what was not finished is no baseline.
"""

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

from eingrad._shown import cut
from eingrad.paths import baseline
from eingrad.paths.comparison import Comparison

PICTURES = ("plot", "tree", "network")
_ENDINGS = (".svg", ".png")


def check_files(options: argparse.Namespace) -> None:
    """Refuse files that cannot be written.

    Raises
    ------
    ValueError
        If a folder is not there, a picture is of another kind, or a file is no baseline.
    """
    if options.save is not None and Path(options.save).exists():
        baseline.load(options.save)
    for name in ("save", *PICTURES):
        file = getattr(options, name)
        if file is not None and not Path(file).resolve().parent.is_dir():
            raise ValueError(f"--{name} {cut(file)}: there is no such folder")
        if file is not None and name in PICTURES and Path(file).suffix.lower() not in _ENDINGS:
            raise ValueError(f"--{name} {cut(file)}: pictures are .svg or .png files")


def keep(options: argparse.Namespace, found: Comparison) -> None:
    """Write the files that are asked for.

    Raises
    ------
    ValueError
        If there is nothing to draw, or what draws it is not installed.
    OSError
        If a file cannot be written.
    """
    if options.save is not None and found.interrupted:
        sys.stderr.write(f"eingrad paths: not saved, since it was interrupted: {options.save}\n")
    elif options.save is not None:
        baseline.save(found, options.save)
    for name in PICTURES:
        file = getattr(options, name)
        if file is not None:
            try:
                _draw(name, found, file, chosen=options.orders is not None)
            except ImportError as error:
                raise ValueError(f"--{name} {cut(file)}: {error}") from None


def _draw(name: str, found: Comparison, file: str, *, chosen: bool) -> None:
    pictures: Any = importlib.import_module("eingrad.paths.pictures")
    if name == "plot":
        pictures.plot(found, file)
        return
    assert found.subject  # of what was compared just now
    if name == "network":
        pictures.save_picture(pictures.network(found.subject), file)
        return
    orders = found.schedules
    if not orders:
        raise ValueError(f"--tree {cut(file)}: there is no order to draw")
    best = next(iter(orders)) if chosen else min(orders, key=lambda order: orders[order].flops)
    mode = next(order.mode for order in found.orders if order.name == best)
    title = f"{found.problem}: {best}{f', {mode}' if mode else ''}"
    pictures.save_picture(pictures.tree(found.subject, orders[best], title), file)
