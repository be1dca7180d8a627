"""Write the table of primitives, `docs/primitives.md`, from the rows of `eingrad._primitives`."""

from pathlib import Path

import numpy as np

from eingrad._primitives import PRIMITIVES, Primitive

HEAD = """\
# Primitives

Every operation that is not a contraction, a sum of terms or a selection of entries is a row of one
table, `PRIMITIVES` in `src/eingrad/_primitives/table.py`. This page is generated from it by
`python docs/refresh.py`.

*Singular* means that the derivative can be infinite or nan at a finite point. Inside a branch of
`np.where` such rows get special care: see
[conventions](conventions.md#the-derivative-of-a-select-is-a-select). *Real only* means that the row
refuses complex values, because it is not holomorphic or not defined for them. *Written as* is the
text that goes into `plan.source`. *Standard* is the function of the array API standard that
computes the row, where one does by itself.

"""


def page() -> str:
    """Return the whole page."""
    rows = [("name", "NumPy function", "written as", "standard", "singular", "real only")]
    rows += [
        (
            f"`{row.name}`",
            numpy_name(row),
            f"`{written(row)}`",
            f"`{row.standard or row.name}`" if isinstance(row.standard, str) else "",
            "yes" if row.singular else "",
            "yes" if row.real else "",
        )
        for row in PRIMITIVES
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return HEAD + "\n".join(lines) + "\n"


def numpy_name(row: Primitive) -> str:
    """Name the function as a user writes it; nothing where NumPy has none by itself."""
    name = row.numpy.__name__
    for prefix, module in (("np.linalg", np.linalg), ("np", np)):
        if getattr(module, name, None) is row.numpy:
            return f"`{prefix}.{name}`"
    return f"`np.{row.name}`" if hasattr(np, row.name) else ""


def written(row: Primitive) -> str:
    """Write the row as emitted, for operands x, y and z."""
    operands = ("x", "y", "z")
    count = sum(f"{{{k}}}" in row.source for k in range(len(operands))) or 2
    return row.text(operands[:count], {name: name for name in row.attributes})


if __name__ == "__main__":
    (Path(__file__).parent / "primitives.md").write_text(page(), "utf-8")
