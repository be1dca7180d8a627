"""Threads of BLAS, held to a number where `threadpoolctl` is installed; and what was found.

In: a number of threads. Out: a context, with a text that says how many are in use.
Guaranteed: nothing is said to be limited that is not.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@contextlib.contextmanager
def limited(threads: int | None) -> Iterator[str]:
    """Hold BLAS and OpenMP to so many threads; None leaves them as they are."""
    try:
        import threadpoolctl  # noqa: PLC0415 - not a dependency
    except ImportError:
        yield _unknown(threads)
        return
    with threadpoolctl.threadpool_limits(threads):
        yield _described(threadpoolctl.threadpool_info())


def _described(pools: list[dict[str, Any]]) -> str:
    found = [
        f"{pool['internal_api']} {pool['version'] or ''}".strip()
        + f": {pool['num_threads']} thread{'s' * (pool['num_threads'] != 1)}"
        for pool in pools
        if pool["user_api"] in ("blas", "openmp")
    ]
    return ", ".join(dict.fromkeys(found)) or "no BLAS found"


def _unknown(threads: int | None) -> str:
    set_to = [f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ]
    if set_to:
        return f"{', '.join(set_to)} in the environment"
    wanted = threads or "N"
    return (
        f"unknown: threadpoolctl is not installed; it, or OMP_NUM_THREADS={wanted} in the "
        "environment before the start, fixes them"
    )
