"""Amounts of memory: as users write them, and what the machine lets a process have.

In: text or numbers; files and limits of the system. Out: bytes.
Guaranteed: what is no amount is refused in the words of the call; a system that says nothing sets
no limit. Nothing is kept: a process may be given another limit while it runs.

>>> bytes_of("300MB"), bytes_of("4GiB"), checked_limit(None)
(300000000, 4294967296, None)
"""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eingrad._shown import cut, shown

if sys.platform != "win32":
    import resource

_ASKED = 2**26  # bytes: what takes less is not compared with what the machine has
_CGROUPS = Path("/sys/fs/cgroup")
_OF_PROCESS = Path("/proc/self/cgroup")


class Limit(NamedTuple):
    """Most bytes that results and intermediates of a plan may take at once, and who says so."""

    bytes: int
    of: str


def bytes_of(text: str) -> int:
    """Read an amount of memory: ``2GB``, ``512MiB``, ``1000``, in bytes.

    Raises
    ------
    ValueError
        If it is none, or none at all.
    """
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kKMGTP]?)(i?)[bB]?\s*", text)
    if not match or (match[3] and not match[2]):
        raise ValueError(f"{cut(text)!r} is no amount of memory; write it as in 2GB or 512MiB")
    base = 1024 if match[3] else 1000
    scale = base ** " KMGTP".index(match[2].upper() or " ")
    count = int(float(match[1]) * scale)
    if count < 1:
        raise ValueError(f"an amount of memory must be a byte at least, not {cut(text)!r}")
    return count


def checked_limit(given: Any) -> Limit | None:
    """Check a `memory_limit` of the user's; None: that of the machine holds."""
    if given is None or type(given) is Limit:
        return given
    if isinstance(given, str):
        try:
            count = bytes_of(given)
        except ValueError as error:
            raise ValueError(f"memory_limit: {error}") from None
        return Limit(count, "memory_limit")
    if isinstance(given, bool) or not isinstance(given, (int, np.integer)):
        raise TypeError(
            f"memory_limit must be a number of bytes, or text as '300MB' or '4GiB', not "
            f"{shown(given)}"
        )
    if given < 1:
        raise ValueError(f"memory_limit must be a byte at least, not {shown(given)}")
    return Limit(int(given), "memory_limit")


def exceeded(limit: Limit | None, peak_bytes: int) -> Limit | None:
    """Give the limit that a peak is above: the user's, or else the machine's. None: it fits."""
    if limit is None and peak_bytes > _ASKED:
        limit = machine_limit()
    return limit if limit is not None and peak_bytes > limit.bytes else None


# The machine -------------------------------------------------------------------------------------


def machine_limit() -> Limit | None:
    """Find the least of what there is, what the control groups and what the process may have."""
    found = [*_physical(), *_of_control_groups(), *_of_process()]
    return min(found, default=None)


def _physical() -> Iterator[Limit]:
    try:
        count = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return
    if count > 0:
        yield Limit(count, "this machine")


def _of_control_groups() -> Iterator[Limit]:
    """Read the limits of the groups that the process is in, and of those above: both versions."""
    try:
        lines = _OF_PROCESS.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":
            root, name = _CGROUPS, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = _CGROUPS / controllers, "memory.limit_in_bytes"
        else:
            continue
        parts = [part for part in path.split("/") if part and part != ".."]
        for depth in range(len(parts) + 1):
            count = _number_in(root.joinpath(*parts[:depth], name))
            if count is not None:
                yield Limit(count, "the control group of this process")


def _number_in(path: Path) -> int | None:
    """Read a number of bytes; None where there is none, as ``max`` says."""
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return None


def _of_process() -> Iterator[Limit]:
    """Ask for the limits of the process, as ``ulimit -v`` sets them."""
    if sys.platform != "win32":
        for name in ("RLIMIT_AS", "RLIMIT_DATA"):
            count, _ = resource.getrlimit(getattr(resource, name))
            if count != resource.RLIM_INFINITY:
                yield Limit(count, "the address space of this process (ulimit -v)")
