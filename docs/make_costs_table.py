"""Write `docs/costs.md`: what real programs cost, before and now, beside what they should.

In: the counts that `python benchmarks/real_programs.py --write` recorded, and those of the first
record. Out: the page. A test plans every program of it again.
"""

import sys
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from real_programs import table  # noqa: E402 - found by the line above
from real_programs.measure import Measured  # noqa: E402

HEAD = """\
# What it costs

Programs as people write them, and what their derivatives take: flops of the plan, counted, the same
on every machine. *Should* is what an equivalent formulation takes that someone who knows would
write, or so many evaluations of the function. *Before* is the first record, of the day before
derivatives were left unevaluated until it is known what they are multiplied with. Where lines of
source, bytes at the peak or bytes written are the point, these are counted instead.

`python docs/refresh.py` writes this page from what `python benchmarks/real_programs.py --write`
counted, and `tests/test_real_programs.py` plans every line of it again.
`python benchmarks/real_programs.py --seconds 20` plans those too that take longer than a second.

Above 1 in the column *ratio* there is something left to do. The programs stand in
`tests/real_programs/`.
"""

TITLES = {
    "1": "Contractions of derivatives",
    "2": "One vector of weights, sliced",
    "3": "Gathers",
    "3b": "Stencils, selects and products",
    "4": "Operators of differential equations",
    "5": "Derivatives by entries",
    "6": "Taylor coefficients",
    "7": "What cancels",
    "8": "Small vectors",
    "9": "A diagonal and outer products",
    "10": "Structured values",
    "11": "Digits",
    "12": "Loops",
    "13": "Long programs",
    "15": "Temporaries",
}
UNITS = {
    "flops": "flops",
    "lines": "lines of source",
    "peak_bytes": "bytes at the peak",
    "written_bytes": "bytes written",
    "statements": "statements",
}


def page() -> str:
    """Give the text of the page."""
    now, before = (
        table.read(path.read_text("utf-8"))
        for path in (table.PATH, table.PATH.with_name("before.txt"))
    )
    parts = [HEAD]
    for point, names in groupby(now, key=lambda name: name.partition(", ")[0]):
        rows = [row for name in names for row in _rows(name, now[name], before.get(name))]
        parts.append(f"## {TITLES[point]}\n\n" + _table(rows))
    return "\n".join(parts)


def _rows(name: str, now: Measured, before: Measured | None) -> list[tuple[str, ...]]:
    """Give a row for each count that has a bound; flops where none has."""
    return [
        (
            name.partition(", ")[2].replace("|", "\\|"),
            UNITS[count],
            f"{getattr(before.cost, count):,}" if before else "",
            f"{getattr(now.cost, count):,}",
            f"{now.should[count]:,}" if count in now.should else "",
            f"{getattr(now.cost, count) / max(1, now.should[count]):.2f}"
            if count in now.should
            else "",
        )
        for count in now.should or ("flops",)
    ]


def _table(rows: list[tuple[str, ...]]) -> str:
    head = ("program", "count", "before", "now", "should", "ratio")
    lines = [head, ("---", "---", "---:", "---:", "---:", "---:"), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in lines)
