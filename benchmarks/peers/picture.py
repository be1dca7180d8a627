"""A picture of the ratios: problems down, times the best hand version across, a mark for each.

In: rows. Out: a figure of matplotlib, which is imported for it.
"""

from collections.abc import Sequence
from typing import Any

from peers.contenders import OURS, OUT, WRITE
from peers.rows import NO_PLAN, PEERS, Row

_BOUND = 0.05  # of the time: where less goes into writing the result, it is no limit
_INK, _GRID = "#222222", "#e2e2e2"
_MARKS = {
    OURS: ("o", "#c1121f", 7, "eingrad, planned"),
    OURS + OUT: ("o", "#c1121f", 6, "eingrad, planned, out="),
    NO_PLAN: ("|", "#c1121f", 8, "eingrad, no plan"),
    "JAX": ("s", "#1b6ca8", 5, "JAX, jitted"),
    "torch": ("^", "#e09f3e", 5, "torch"),
    "torch.compile": ("v", "#e09f3e", 5, "torch, compiled"),
    "autograd": ("D", "#7f7f7f", 4, "autograd"),
    "CasADi": ("X", "#7b4ab5", 6, "CasADi"),
}
_HOLLOW = (OURS + OUT,)


def draw(rows: Sequence[Row]) -> Any:
    """Draw ratios to the best hand version; without one, to this library."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - only where a picture is asked for

    shown = [row for row in rows if row.by_hand() or OURS in row.seconds]
    figure = Figure(figsize=(7.5, 1.6 + 0.235 * (len(shown) + _families(shown))), facecolor="white")
    axes = figure.subplots()
    places = _places(shown)
    for name in (WRITE, *_MARKS):
        points = [(over, places[r.result.problem]) for r in shown if (over := _over(r, name))]
        if name == WRITE:
            points = [point for point in points if point[0] > _BOUND]
        if points:
            _draw_marks(axes, name, points)
    _finish(axes, shown, places)
    return figure


def _draw_marks(axes: Any, name: str, points: Sequence[tuple[float, int]]) -> None:
    if name == WRITE:
        label = "writing the result once"
        axes.scatter(*zip(*points, strict=True), marker="|", s=70, c=_INK, linewidths=1.6,
                     label=label, zorder=2)  # fmt: skip
        return
    marker, colour, size, label = _MARKS[name]
    fill = "none" if name in _HOLLOW else colour
    axes.plot(*zip(*points, strict=True), linestyle="", marker=marker, color=colour,
              markerfacecolor=fill, markersize=size, label=label, alpha=0.9,
              zorder=3 if name in PEERS else 4)  # fmt: skip


def _over(row: Row, name: str) -> float | None:
    """Ratio of a contender; where nobody wrote it by hand, to this library's plan."""
    if row.by_hand() is None:
        return row.times(name)
    if name in (WRITE, WRITE + OUT):
        best = row.by_hand(out=name.endswith(OUT))
        return row.seconds[name] / best.seconds if best and name in row.seconds else None
    return row.over(name)


def _families(rows: Sequence[Row]) -> int:
    return len({row.result.family for row in rows})


def _places(rows: Sequence[Row]) -> dict[str, int]:
    """Rows from the top; a row is left free above each family for its name."""
    places: dict[str, int] = {}
    place, family = 0, ""
    for row in rows:
        if row.result.family != family:
            family = row.result.family
            place += 1
        places[row.result.problem] = place
        place += 1
    return places


def _firsts(rows: Sequence[Row], places: dict[str, int]) -> dict[str, int]:
    """First row of each family."""
    return {row.result.family: places[row.result.problem] for row in reversed(rows)}


def _finish(axes: Any, rows: Sequence[Row], places: dict[str, int]) -> None:
    """Names, lines, legend."""
    axes.set_xscale("log")
    axes.set_ylim(max(places.values(), default=0) + 0.7, -0.6)
    by_hand = {row.result.problem: bool(row.by_hand()) for row in rows}
    texts = [name if by_hand[name] else f"{name} *" for name in places]
    axes.set_yticks([*places.values()], texts, fontsize=7.5)
    for family, first in _firsts(rows, places).items():
        axes.annotate(family, (0, first - 1), xycoords=("axes fraction", "data"),
                      xytext=(-4, 0), textcoords="offset points", ha="right", va="center",
                      fontsize=8.5, fontweight="bold", color=_INK)  # fmt: skip
    axes.axvline(1, color=_INK, lw=1.1, zorder=1)
    axes.grid(visible=True, axis="both", color=_GRID, lw=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel(
        "time, in units of the best hand-written NumPy;  * of eingrad, where nobody wrote one"
    )
    axes.legend(loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=5, fontsize=8, frameon=False)
