"""``eingrad info``: versions, BLAS and threads, for bug reports."""

import argparse
import importlib.metadata
import os
import platform
from typing import Any

import numpy as np

from eingrad.cli.common import to_json


def add_to(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser("info", help="versions, BLAS and threads, for bug reports")
    command.add_argument("--json", action="store_true", help="print one JSON document")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print facts."""
    facts = {
        "eingrad": version("eingrad"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opt_einsum": version("opt_einsum"),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        **_blas(),
        **{name: os.environ[name] for name in _THREAD_VARIABLES if name in os.environ},
    }
    if options.json:
        print(to_json(facts))  # noqa: T201
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


def version(package: str) -> str:
    """Tell the version of a package that is installed."""
    return importlib.metadata.version(package)
