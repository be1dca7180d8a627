"""The recorded costs of the quickly planned programs: `recorded.txt`, a line each.

In: counts. Out: text, and what changed. Guaranteed: what `written` wrote is read as it was.
"""

from collections.abc import Mapping
from dataclasses import astuple, fields
from pathlib import Path

from real_programs.measure import Cost, Measured, Program, measured

PATH = Path(__file__).resolve().with_name("recorded.txt")
REFRESH = "python benchmarks/real_programs.py --write"
COUNTS = tuple(field.name for field in fields(Cost))
WIDTH = 16

Table = Mapping[str, Measured]  # by point and name


def counted(programs: tuple[Program, ...]) -> Table:
    """Plan and count those that are quickly planned."""
    return {str(program): measured(program) for program in programs if not program.slow}


def written(table: Table) -> str:
    """Write a table: a line per program, its counts, then those that it should have."""
    heads = [*COUNTS, *(f"({count})" for count in COUNTS)]
    lines = [f"{'point, program; in parentheses: what it should cost':70}" + _cells(heads)]
    for name, (cost, should) in table.items():
        counts = [f"{count:,}" for count in astuple(cost)]
        limits = [_shown(should.get(count)) for count in COUNTS]
        lines.append(f"{name:70}" + _cells([*counts, *limits]))
    return "\n".join(lines) + "\n"


def _cells(cells: list[str]) -> str:
    return "".join(f"{cell:>{WIDTH}}" for cell in cells)


def read(text: str) -> Table:
    """Read what `written` wrote."""
    table = {}
    for line in text.splitlines()[1:]:
        name, *cells = line.rsplit(maxsplit=2 * len(COUNTS))
        numbers = [None if cell == "-" else int(cell.replace(",", "")) for cell in cells]
        cost, limits = Cost(*numbers[: len(COUNTS)]), numbers[len(COUNTS) :]
        should = {c: n for c, n in zip(COUNTS, limits, strict=True) if n is not None}
        table[name] = Measured(cost, should)
    return table


def changed(before: Table, after: Table) -> list[str]:
    """Say what is not in the table as it is now: rows missing or left over, other counts."""
    lines = [f"{name}: not in the table" for name in after.keys() - before]
    lines += [f"{name}: only in the table" for name in before.keys() - after]
    for name in before.keys() & after.keys():
        for count, (old, new) in _pairs(before[name], after[name]).items():
            if old != new:
                lines.append(f"{name}: {count} {_shown(old)} -> {_shown(new)}")
    return sorted(lines)


def grown(before: Table, after: Table) -> list[str]:
    """Say which programs need more flops, lines or bytes than the table says."""
    return sorted(
        f"{name}: {count} grew from {old:,} to {new:,}; if that is meant: {REFRESH}"
        for name in before.keys() & after.keys()
        for count, old, new in _costs(before[name], after[name])
        if new > old
    )


def _costs(before: Measured, after: Measured) -> list[tuple[str, int, int]]:
    return [(count, getattr(before.cost, count), getattr(after.cost, count)) for count in COUNTS]


def _pairs(before: Measured, after: Measured) -> dict[str, tuple[int | None, int | None]]:
    pairs: dict[str, tuple[int | None, int | None]] = {}
    for count, old, new in _costs(before, after):
        pairs[count] = (old, new)
        pairs[f"({count})"] = (before.should.get(count), after.should.get(count))
    return pairs


def _shown(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"
