"""What reference derivatives cost: ``python tests/reference_costs.py [--write]``.

`reference_costs.txt` is the table: for each derivative the statements of its program, their flops,
and the most bytes that are live at once. All three are counted from the program; nothing is run.
Without ``--write`` the command prints what changed, and its exit status is 1 if statements or flops
of a derivative grew. With it, the table is written: do that when a cost fell, or when growth is
meant, and say why in the commit.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from cases import Case, find

import eingrad as eg

PATH = Path(__file__).resolve().with_suffix(".txt")
REFRESH = "python tests/reference_costs.py --write"

REFERENCE = (
    find("tanh network, first weight", 2),
    find("tanh network, first weight", 3),
    find("tanh network, fifth weight", 2),
    find("tanh network, last weight", 2),
    find("gated residual, 8 blocks", 2),
    find("residual, 8 blocks", 3),
    find("layernorm", 3),
    find("attention in Wq", 2),
    find("X^8", 1),
    find("tr X^4", 1),
    find("tr X^6", 5),
    find("stack of 32 scalars", 2),
    find("pairwise distances, N = 100", 2),
    find("diagonal blocks, N = 400", 0),
    find("angle energy, N = 30", 2),
    find("slices", 2),
    find("masked factorisation", 2),
    find("CP in two factors", 2),
    find("Tucker in one factor", 2),
    find("inverse form", 4),
    find("inverse", 3),
    find("trace of inverses", 2),
    find("row of an inverse", 1),
    find("gathered", 2),
    find("weighted rows of a Jacobian", 0),
    find("shifts, 16 steps", 2),
    find("padded, 8 steps", 2),
    find("logdet", 5),
    find("det", 4),
    find("logsumexp", 4),
    find("softmax", 2),
    find("logistic", 5),
    find("Gaussian process, n = 300", 2),
    find("Gaussian process, n = 50", 3),
)


class Cost(NamedTuple):
    """Counts of a program; `nodes` are its statements."""

    nodes: int
    flops: int
    peak_bytes: int


Costs = Mapping[tuple[str, int], Cost]  # by name and order


def measured(cases: tuple[Case, ...] = REFERENCE) -> Costs:
    """Plan the derivatives and count."""
    costs = {}
    for case in cases:
        f, x = case.build(case.sizes)
        plan = eg.derivative(f, case.order).plan(x)
        cost = Cost(len(plan.program.statements), plan.flops, plan.peak_bytes)
        costs[case.name, case.order] = cost
    return costs


def written(costs: Costs) -> str:
    """Write a table, one line per derivative."""
    lines = [f"{'name':30}{'order':>6}{'nodes':>7}{'flops':>17}{'peak_bytes':>15}"]
    for (name, order), cost in costs.items():
        lines.append(f"{name:30}{order:6}{cost.nodes:7}{cost.flops:17,}{cost.peak_bytes:15,}")
    return "\n".join(lines) + "\n"


def read(text: str) -> Costs:
    """Read what `written` wrote."""
    costs = {}
    for line in text.splitlines()[1:]:
        name, *cells = line.rsplit(maxsplit=4)
        order, *counts = (int(cell.replace(",", "")) for cell in cells)
        costs[name, order] = Cost(*counts)
    return costs


def grown(before: Costs, after: Costs) -> list[str]:
    """Say which derivatives need more statements or flops than the table allows."""
    return [
        f"{name}, order {order}: {count} grew from {old:,} to {new:,}; if that is meant: {REFRESH}"
        for name, order in after
        if (name, order) in before
        for count, old, new in _pairs(before[name, order], after[name, order])
        if new > old and count != "peak_bytes"
    ]


def changed(before: Costs, after: Costs) -> list[str]:
    """Say what is not in the table as it is now: rows missing or left over, other counts."""
    lines = [f"{name}, order {order}: not in the table" for name, order in after.keys() - before]
    lines += [f"{name}, order {order}: only in the table" for name, order in before.keys() - after]
    lines += [
        f"{name}, order {order}: {count} {old:,} -> {new:,}"
        for name, order in after
        if (name, order) in before
        for count, old, new in _pairs(before[name, order], after[name, order])
        if new != old
    ]
    return sorted(lines)


def _pairs(before: Cost, after: Cost) -> list[tuple[str, int, int]]:
    return list(zip(Cost._fields, before, after, strict=True))


def main(arguments: list[str]) -> int:
    """Print what changed; the exit status."""
    before = read(PATH.read_text("utf-8")) if PATH.exists() else {}
    after = measured()
    sys.stdout.writelines(f"{line}\n" for line in changed(before, after))
    if arguments == ["--write"]:
        PATH.write_text(written(after), "utf-8")
        return 0
    larger = grown(before, after)
    sys.stdout.writelines(f"{line}\n" for line in larger)
    return 1 if larger else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
