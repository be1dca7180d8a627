"""Pictures of a comparison: time against flops, the front of orders met, trees and networks.

In: a comparison, or a schedule. Out: a file, SVG or PNG.
Guaranteed: what was not measured is not drawn; trees and networks need nothing but eingrad as SVG.
"""

import importlib
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eingrad._mode import kind_of_name
from eingrad._picture import Diagram, Network, Vertex, draw, save
from eingrad._picture.shapes import compact
from eingrad.paths.comparison import Comparison
from eingrad.paths.front import Met, front, met
from eingrad.paths.modes import kinds_of, mode_of
from eingrad.paths.problem import Problem
from eingrad.paths.schedule import Schedule

_COLOURS = {
    "eingrad": "#1b6ca8", "numpy": "#6b6b6b", "opt_einsum": "#15803d", "cotengra": "#c2410c",
    "torch": "#7e22ce", "jax": "#b8860b",
}  # fmt: skip
_OTHER = "#1a1a1a"
_BESIDE = 1.02  # between executors
_RIGHT = (1.01, 1.0)  # where a legend stands
_LONG, _SHORT = 100.0, 4.0  # axes, from one end to the other
_MARKERS = "osD^vP*Xpdh<>8H"
_OF_KIND = {
    "forward": "#3b8fd0", "reverse": "#e8833a", "either": "#f0d34a", "cross-country": "#a05fb4",
    "forward over reverse": "#4f9d69", "unknown": "#8fa3b5",
}  # fmt: skip


# Of one order ------------------------------------------------------------------------------------


def tree(problem: Problem, schedule: Schedule, title: str = "") -> Diagram:
    """Describe a schedule as a picture: operands below, what is made of them above.

    Parameters
    ----------
    problem : Problem
        What is computed.
    schedule : Schedule
        How.
    title : str
        By default the name of the problem, and the mode.

    Returns
    -------
    Diagram
        Each contraction coloured by the mode that makes it, its area the share of the flops.
    """
    used = {value for operation in schedule.operations for value in operation.operands}
    used |= {*schedule.outputs}
    names = [*problem.operands, *(f"zero-one {a.shape}" for a in schedule.constants)]
    given = [n for n in range(schedule.first) if n in used]
    place = {value: n for n, value in enumerate(given)}
    place |= {schedule.first + n: len(given) + n for n in range(len(schedule.operations))}
    shapes = schedule.shapes
    vertices = [Vertex(names[n], (), 0, _size(shapes[n]), "operand") for n in given]
    for operation, kind in zip(schedule.operations, kinds_of(problem, schedule), strict=True):
        below = tuple([place[value] for value in operation.operands])
        vertices.append(
            Vertex(
                operation.text, below, operation.flops, _size(operation.shape), kind_of_name(kind)
            )
        )
    said = title or f"{problem.name}: {mode_of(problem, schedule)}"
    caption = (
        f"{compact(schedule.flops)} flops, peak {compact(schedule.peak_bytes)}B; "
        "area of a circle: its share of the flops"
    )
    return Diagram(said, tuple(vertices), (caption,))


def network(problem: Problem, term: int = 0) -> Network:
    """Describe a term of a problem as a picture: operands as circles, indices as lines."""
    output, chosen = problem.terms[term]
    pairs = tuple(zip(chosen.operands, chosen.indices, strict=True))
    used = {label for labels in chosen.indices for label in labels}
    sizes: dict[Hashable, int] = {label: problem.sizes[label] for label in used}
    count = len(problem.terms)
    captions = (f"term {term + 1} of {count}",) if count > 1 else ()
    return Network(problem.name, pairs, output.indices, sizes, captions)


def save_picture(drawing: Diagram | Network, file: str | Path) -> None:
    """Write a picture to a file whose name ends with .svg or .png."""
    save(draw(drawing), file)


def _size(shape: Sequence[int]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size


# Of a comparison ---------------------------------------------------------------------------------


def plot(comparison: Comparison, file: str | Path) -> None:
    """Draw time against flops for each order and executor, and the front of the orders met.

    Parameters
    ----------
    comparison : Comparison
        As `eingrad.paths.compare` gives it, with what was measured.
    file : str or path
        Its name ends with .svg or .png.

    Raises
    ------
    ValueError
        If it ends with something else, or nothing was ordered.
    ImportError
        If there is no matplotlib.
    """
    suffix = Path(file).suffix.lower()
    if suffix not in (".svg", ".png"):
        raise ValueError(
            f"a picture cannot be saved as {suffix or 'a file without an ending'!r}; let the name "
            "end with .svg or .png"
        )
    if comparison.subject is None or not comparison.schedules:
        raise ValueError("there is no order to draw: none was found")
    matplotlib = _matplotlib()
    with matplotlib.rc_context({"svg.hashsalt": "eingrad", "svg.fonttype": "none"}):
        figure = matplotlib.figure.Figure(figsize=(15.0, 5.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw_times(left, comparison)
        _draw_front(right, comparison.subject, comparison)
        figure.suptitle(comparison.problem, fontsize=12)
        metadata = {"Date": None} if suffix == ".svg" else {"Software": None}
        figure.savefig(file, dpi=130, metadata=metadata)


def _draw_times(axes: Any, comparison: Comparison) -> None:
    """One point for each order and executor that was measured."""
    markers = _markers([order.name for order in comparison.orders])
    executors: dict[str, Any] = {}
    orders: dict[str, Any] = {}
    for order in comparison.orders:
        for n, run in enumerate(order.runs):
            if run.timing is None or not order.flops:
                continue
            colour = _COLOURS.get(run.executor, _OTHER)
            times, flops = run.timing, order.flops * _BESIDE**n  # side by side, where flops agree
            axes.plot([flops] * 2, [times.lower, times.upper], color=colour, lw=1, zorder=2)
            axes.plot(
                flops, times.seconds, markers[order.name], color=colour, ms=8, mec="white",
                zorder=3,
            )  # fmt: skip
            executors.setdefault(run.executor, axes.plot([], [], "s", color=colour)[0])
            orders.setdefault(
                order.name, axes.plot([], [], markers[order.name], color="#444444")[0]
            )
    axes.set(
        xscale="log", yscale="log", ylabel="seconds, median and quartiles",
        xlabel="flops (points of one count are set side by side, the first library at it)",
    )  # fmt: skip
    axes.set_title("Time against flops", fontsize=11)
    _ruled(axes, ("", "s"))
    if not executors:
        axes.text(0.5, 0.5, "nothing was timed", ha="center", transform=axes.transAxes)
        return
    heading = axes.plot([], [], " ")[0]
    handles = [heading, *executors.values(), heading, *orders.values()]
    names = ["library (colour)", *executors, "order (shape)", *orders]
    legend = axes.legend(handles, names, fontsize=8, loc="upper left", bbox_to_anchor=_RIGHT)
    for n in (0, len(executors) + 1):
        legend.get_texts()[n].set_weight("bold")


def _ruled(axes: Any, units: tuple[str, str]) -> None:
    """Draw a grid, and number axes: where powers of ten are too few, by prefixes such as k or m.

    The numbers are then 1, 2 and 5 times those, or evenly apart on a very short axis; either way
    few enough that they do not collide.
    """
    axes.grid(visible=True, which="both", color="#e5e5e5", lw=0.6)
    ticker = importlib.import_module("matplotlib.ticker")
    limits = (axes.get_xlim(), axes.get_ylim())
    for axis, unit, (low, high) in zip((axes.xaxis, axes.yaxis), units, limits, strict=True):
        axis.set_minor_formatter(ticker.NullFormatter())
        if high > _LONG * low:
            continue
        even, by_tens = ticker.MaxNLocator(4, min_n_ticks=2), ticker.LogLocator(subs=(1, 2, 5))
        axis.set_major_locator(by_tens if high > _SHORT * low else even)
        axis.set_major_formatter(ticker.EngFormatter(unit))
        axis.set_minor_locator(ticker.NullLocator())


def _markers(names: Sequence[str]) -> Mapping[str, str]:
    return {name: _MARKERS[n % len(_MARKERS)] for n, name in enumerate(names)}


def _draw_front(axes: Any, problem: Problem, comparison: Comparison) -> None:
    """The orders that a search meets, by flops and peak; the front; the orders compared."""
    found = met(problem)
    best = front(found)
    scale = max(m.seconds for m in found)
    for kind, colour in _OF_KIND.items():
        some = [m for m in found if kind_of_name(m.mode) == kind]
        if some:
            area = [12 + 90 * m.seconds / scale for m in some]
            axes.scatter(
                [m.flops for m in some], [m.peak_bytes for m in some], s=area, c=colour, alpha=0.75,
                lw=0, label=kind, zorder=2,
            )  # fmt: skip
    _draw_line(axes, best)
    names: dict[tuple[int, int], list[str]] = {}
    for name, schedule in comparison.schedules.items():
        names.setdefault((schedule.flops, schedule.peak_bytes), []).append(name)
    for n, (place, alike) in enumerate(sorted(names.items())):
        axes.plot(*place, "x", color="#1a1a1a", ms=7, zorder=4)
        more = f" +{len(alike) - 1}" if len(alike) > 1 else ""
        offset = (5, 5 if n % 2 else -10)
        axes.annotate(alike[0] + more, place, offset, textcoords="offset points", fontsize=7)
    axes.set(xscale="log", yscale="log", xlabel="flops", ylabel="peak memory, bytes")
    axes.set_title("Orders met in the search (area: predicted time)", fontsize=11)
    axes.margins(0.15)
    _ruled(axes, ("", "B"))
    axes.legend(title="mode", fontsize=8, loc="upper left", bbox_to_anchor=_RIGHT)


def _draw_line(axes: Any, best: Sequence[Met]) -> None:
    steps = sorted({(m.flops, m.peak_bytes) for m in best})
    lowest = [steps[0]]
    for flops, peak in steps[1:]:
        if peak < lowest[-1][1]:
            lowest.append((flops, peak))
    xs, ys = zip(*lowest, strict=True)
    axes.step(xs, ys, where="post", color="#1a1a1a", lw=1, zorder=3, label="front")


def _matplotlib() -> Any:
    try:
        import matplotlib as found  # noqa: PLC0415 - an extra
        import matplotlib.figure  # noqa: PLC0415
    except ImportError:
        raise ImportError(
            "comparisons are drawn with matplotlib, which is not installed; "
            "pip install 'eingrad[plot]'"
        ) from None
    return found
