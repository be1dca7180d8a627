"""Relative errors of derivatives that are easily computed badly, beside JAX's.

``python benchmarks/accuracy.py [--once]``

The cases stand in `tests/ill_conditioned.py`; exact values are by mpmath, in hundreds of digits.
JAX is left out where it is not installed. ``--once`` shows the first five.
"""

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import numpy as np

from ill_conditioned import CASES, Case


def jax_or_none() -> Any:
    """Import JAX in double precision, where it is there."""
    if importlib.util.find_spec("jax") is None:
        return None
    import jax  # noqa: PLC0415  # it is optional

    jax.config.update("jax_enable_x64", True)
    return jax


def errors(case: Case, jax: Any) -> tuple[float, float | None]:
    """Errors of this library and of JAX."""
    exact = case.exact()
    with np.errstate(all="ignore"):
        here = case.error(case.here(), exact)
        there = case.error(case.by_jax(jax), exact) if jax else None
    return here, there


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="the first cases only")
    once = parser.parse_args().once
    jax = jax_or_none()
    print(f"{'largest relative error of an entry':58}{'eingrad':>10}{'JAX':>10}{'bound':>10}")
    for case in CASES[:5] if once else CASES:
        here, there = errors(case, jax)
        shown = "-" if there is None else f"{there:.1e}"
        print(f"{case.name:58}{here:10.1e}{shown:>10}{case.bound:10.1e}")


if __name__ == "__main__":
    main()
