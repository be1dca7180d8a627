"""Measure and draw the figures of docs/study.md: ``python benchmarks/study.py [FOLDER] [--once]``.

It needs matplotlib (the extra ``plot``) and takes some minutes; with ``--once`` small sizes and few
rounds, for a test. What is drawn is printed, too: the text quotes it. Executors that are not
installed are left out. BLAS has one thread.
"""

import argparse
import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before NumPy is there

import matplotlib  # noqa: E402
import numpy as np  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from eingrad import paths  # noqa: E402
from eingrad._mode import kind_of_name, modes_of  # noqa: E402
from eingrad.paths import modes, orders, pictures  # noqa: E402
from eingrad.paths.derived import of_function  # noqa: E402
from eingrad.paths.problem import Problem, of_einsum  # noqa: E402

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"
INK = "#1a1a1a"
COLOURS = {
    "forward": "#3b8fd0", "reverse": "#e8833a", "either": "#b59a00", "cross-country": "#a05fb4",
    "forward over reverse": "#4f9d69",
}  # fmt: skip


# Where the best order is neither -----------------------------------------------------------------


def funnel(width: int, waist: int, ends: int = 64) -> Problem:
    """Return the Jacobian of four linear layers, ``ends, width, waist, width, ends`` wide."""

    def layers(x: Any, A: Any, B: Any, C: Any, D: Any) -> Any:
        return D @ (C @ (B @ (A @ x)))

    shapes = (ends,), (width, ends), (waist, width), (width, waist), (ends, width)
    return of_function(layers, *shapes)


@dataclass(frozen=True)
class Compared:
    """A derivative: flops of pure modes, of the cheapest one, of the best order; its mode."""

    name: str
    forward: int
    reverse: int
    pure: int
    best: int
    mode: str

    @property
    def gain(self) -> float:
        """How many times fewer flops than the best pure mode."""
        return max(self.pure, 1) / max(self.best, 1)


def compared(problem: Problem, order: str) -> Compared:
    """Count the flops of a derivative in its modes, and in the order of a name."""
    names = {"forward": "forward", "reverse": "reverse", "best": order}
    found = {what: orders.find_order(name).find(problem) for what, name in names.items()}
    flops = {what: schedule.flops for what, schedule in found.items()}
    mode = modes.mode_of(problem, found["best"])
    pure = min(schedule.flops for schedule in problem.pure.values())
    return Compared(problem.name, flops["forward"], flops["reverse"], pure, flops["best"], mode)


def waists(*, once: bool) -> list[tuple[int, Compared]]:
    """Compare the modes of the funnel, for waists from one to its width."""
    sizes = (1, 8, 64) if once else (1, 2, 4, 8, 16, 32, 64, 128, 256)
    return [(waist, compared(funnel(256, waist), "eingrad")) for waist in sizes]


# The set -----------------------------------------------------------------------------------------


def family(name: str) -> str:
    """Name the family of an instance: what its name begins with."""
    return name.partition("-")[0]


def the_set(*, once: bool) -> list[Compared]:
    """Compare the modes of all derivatives of the set with the order of fewest flops known."""
    names = [name for name in paths.instances() if not name.endswith("-explicit")]
    problems = [paths.instance(name) for name in (names[::100] if once else names)]
    return [compared(problem, "best known") for problem in problems if _knows_all(problem)]


def _knows_all(problem: Problem) -> bool:
    """Whether it is known what every mode computes."""
    known = [*problem.pure]
    return bool(known) and known == modes_of(known[0].count(" over ") + 1)


def worth(*, once: bool) -> list[tuple[str, float]]:
    """Say how many times the flops of eingrad's order the plain sum takes, best ordered.

    The best of opt_einsum's greedy and its automatic choice, each term by itself, equal
    intermediates once; and eingrad on the derivative in normal form.
    """
    names = [name for name in paths.instances() if name.endswith("-explicit")]
    found = []
    for name in names[::100] if once else names:
        problem = paths.instance(name)
        others = [
            orders.find_order(f"opt_einsum:{method}").find(problem).flops
            for method in ("greedy", "auto")
        ]
        own = orders.find_order("eingrad").find(paths.instance(name.removesuffix("-explicit")))
        if own.flops:  # some derivatives are deltas alone
            found.append((name.removesuffix("-explicit"), min(others) / own.flops))
    return found


# Flops and time ----------------------------------------------------------------------------------


def winograd(*, once: bool) -> Problem:
    """Return a convolution by Winograd's scheme, of opt_einsum's issue 103, numpy's 14332."""
    sizes = {"m": 8, "n": 10, "r": 3, "f": 100, "c": 300, "h": 10, "o": 100, "t": 75}
    if once:
        sizes |= {"f": 10, "c": 10, "o": 10, "t": 10}
    return of_einsum("mn,nr,fcr,nh,octh->oftm", sizes, name="Winograd")


def timed(*, once: bool) -> Any:
    """Time two orders of it on all executors that are installed."""
    problem = winograd(once=once)
    if once:
        return paths.compare(problem, orders=["eingrad"], executors=["eingrad"], seconds=0.1)
    chosen = ["eingrad:flops", "opt_einsum:auto", "opt_einsum:greedy"]
    return paths.compare(problem, orders=chosen, seconds=90.0)


# How ---------------------------------------------------------------------------------------------


def draw_waists(rows: Sequence[tuple[int, Compared]], file: Path) -> None:
    """Draw flops against the waist."""
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    sizes = [waist for waist, _ in rows]
    for name, style in (("forward", "o-"), ("reverse", "s-")):
        flops = [getattr(row, name) for _, row in rows]
        axes.plot(sizes, flops, style, color=COLOURS[name], label=f"{name} mode")
    axes.plot(sizes, [row.best for _, row in rows], "D-", color=COLOURS["cross-country"],
              label="best order")  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="waist", ylabel="flops of the Jacobian")
    axes.set_title("Four linear layers, 64, 256, waist, 256, 64 wide", fontsize=10)
    axes.grid(visible=True, which="both", color="#e5e5e5", lw=0.6)
    axes.legend(fontsize=9)
    save(figure, file)


def draw_set(rows: Sequence[Compared], file: Path) -> None:
    """Draw the gain over the better pure mode, sorted."""
    figure = Figure(figsize=(8.0, 4.4), layout="constrained")
    axes = figure.subplots()
    ordered = sorted(rows, key=lambda row: row.gain)
    for mode, colour in COLOURS.items():
        some = [(n, row.gain) for n, row in enumerate(ordered) if kind_of_name(row.mode) == mode]
        if some:
            axes.plot(*zip(*some, strict=True), "o", color=colour, ms=5, label=mode)
    axes.axhline(1, color=INK, lw=0.8)
    axes.set(yscale="log", xlabel="derivatives of the set, sorted",
             ylabel="flops, better pure mode / best order")  # fmt: skip
    axes.grid(visible=True, axis="y", which="both", color="#e5e5e5", lw=0.6)
    axes.legend(title="mode of the best order", fontsize=9)
    save(figure, file)


def draw_worth(rows: Sequence[tuple[str, float]], file: Path) -> None:
    """Draw what the algebra is worth, by family."""
    figure = Figure(figsize=(8.0, 4.8), layout="constrained")
    axes = figure.subplots()
    families: dict[str, list[float]] = {}
    for name, ratio in rows:
        families.setdefault(family(name), []).append(ratio)
    ordered = sorted(families, key=lambda name: float(np.median(families[name])))
    for n, name in enumerate(ordered):
        axes.plot(families[name], [n] * len(families[name]), "o", color="#1b6ca8", alpha=0.6, ms=6)
    axes.axvline(1, color=INK, lw=0.8)
    axes.set_yticks(range(len(ordered)), ordered)
    axes.set(xscale="log", xlabel="flops, plain sum with its deltas / normal form")
    axes.grid(visible=True, axis="x", which="both", color="#e5e5e5", lw=0.6)
    save(figure, file)


def save(figure: Figure, file: Path) -> None:
    """Write a figure."""
    with matplotlib.rc_context({"svg.hashsalt": "eingrad"}):
        figure.savefig(file, dpi=150, metadata={"Software": None})
    print(f"wrote {file}")


def mean(ratios: Sequence[float]) -> float:
    """Return the geometric mean."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="default: docs/pictures")
    parser.add_argument("--once", action="store_true", help="small sizes, few rounds")
    options = parser.parse_args()
    if options.folder is None and options.once:  # what is drawn of small sizes is not to be kept
        with tempfile.TemporaryDirectory() as folder:
            study(Path(folder), once=True)
        return
    folder = options.folder or FOLDER
    folder.mkdir(exist_ok=True)
    study(folder, once=options.once)


def study(folder: Path, *, once: bool) -> None:
    """Measure, print, and draw to a folder."""
    rows = waists(once=once)
    for waist, row in rows:
        pure = f"forward {row.forward:,}, reverse {row.reverse:,}"
        print(f"waist {waist}: {pure}, best {row.best:,} ({row.mode}, {row.gain:.2f} times fewer)")
    draw_waists(rows, folder / "study-waist.png")
    problem = funnel(256, 8)
    found = orders.find_order("eingrad").find(problem)
    pictures.save_picture(pictures.tree(problem, found), folder / "study-tree.png")

    whole = the_set(once=once)
    gains = [row.gain for row in whole]
    neither = sum(row.mode == "cross-country" for row in whole)
    print(f"{len(whole)} derivatives, {neither} of them best in no mode")
    print(f"better pure mode / best: geometric mean {mean(gains):.2f}, most {max(gains):.1f}")
    for row in sorted(whole, key=lambda row: -row.gain)[:5]:
        print(f"  {row.name}: {row.gain:.1f} ({row.mode})")
    draw_set(whole, folder / "study-set.png")

    plain = worth(once=once)
    ratios = [ratio for _, ratio in plain]
    print(f"{len(plain)} plain sums with their deltas / normal form: geometric mean "
          f"{mean(ratios):.1f}, most {max(ratios):.0f}")  # fmt: skip
    draw_worth(plain, folder / "study-worth.png")

    comparison = timed(once=once)
    print(comparison)
    pictures.plot(comparison, folder / "study-time.png")


if __name__ == "__main__":
    main()
