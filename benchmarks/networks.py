"""What deltas and the normal form are worth: flops of orders on the committed networks.

``python benchmarks/networks.py [--once] [--json]``

For each family of derivatives, geometric means of flops over those of eingrad's order of the normal
form: of the plain sum, along the best path that opt_einsum finds for each of its terms, equal
intermediates made once; of the normal form, likewise; of eingrad's order of the plain sum; of
forward and of reverse mode; of the best order of all. Ours is planned anew, the others are those of
the committed files. What takes no flops at all is left out. ``--once`` takes every tenth.
"""

import argparse
import json
import math
from collections import defaultdict
from dataclasses import replace
from typing import Any

from common.families import CASES
from eingrad.paths.instances import instance, instances
from eingrad.paths.normal import eingrad_schedule
from eingrad.paths.problem import Problem

COLUMNS = (
    "plain sum, others", "normal form, others", "plain sum, eingrad",
    "forward", "reverse", "best of all",
)  # fmt: skip


def others(problem: Problem) -> int:
    """Flops of the best order that opt_einsum finds for each term."""
    flops = problem.best["flops of orders"]
    return min(n for name, n in flops.items() if name.startswith("opt_einsum"))


def own(problem: Problem) -> int:
    """Flops of eingrad's order: of what is left of the derivative, or as it was committed."""
    planned: int = eingrad_schedule(replace(problem, best={}, pure={})).flops
    return min(planned, problem.best["flops of orders"]["eingrad"])


def ratios(name: str) -> dict[str, float] | None:
    """Compare one network in both forms."""
    normal, plain = instance(name), instance(f"{name}-explicit")
    ours = own(normal)
    if ours == 0:
        return None
    known = normal.best["flops of orders"]
    modes = {_direction(mode): schedule.flops for mode, schedule in plain.pure.items()}
    modes |= {_direction(mode): known[f"{mode} mode"] for mode in normal.pure}
    best = min(normal.best["flops"], plain.best["flops"])
    values = (others(plain), others(normal), own(plain), modes.get("forward"),
              modes.get("reverse"), best)  # fmt: skip
    return {c: v / ours for c, v in zip(COLUMNS, values, strict=True) if v is not None}


def _direction(mode: str) -> str:
    """Name the direction of a mode that has one; else the mode."""
    directions = {*mode.split(" over ")}
    return directions.pop() if len(directions) == 1 else mode


def mean(values: list[float]) -> float:
    """Geometric mean; of nothing, nan."""
    logs = [math.log(value) for value in values if value > 0]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def main() -> None:
    """Print a table, or JSON with a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="every tenth network")
    parser.add_argument("--json", action="store_true", help="print JSON, a row for each network")
    options = parser.parse_args()
    there = {*instances()}
    both = [c for c in CASES if c.name in there and f"{c.name}-explicit" in there]
    rows: dict[str, Any] = {}
    families = defaultdict(list)
    for case in both[::10] if options.once else both:
        found = ratios(case.name)
        if found is not None:
            rows[case.name] = found
            families[case.family].append(found)
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    families["all"] = [*rows.values()]
    print(f"{'family':16}{'':>4}" + "".join(f"{column:>21}" for column in COLUMNS))
    for family, members in families.items():
        means = [mean([row[c] for row in members if c in row]) for c in COLUMNS]
        print(f"{family:16}{len(members):4}" + "".join(f"{value:21.2f}" for value in means))


if __name__ == "__main__":
    main()
