"""Draw the pictures of `docs/identities.md`: ``python docs/make_pictures.py [FOLDER]``.

It needs matplotlib, the extra ``plot``: ``pip install '.[plot]'``. The arrays are derivatives that
eingrad computes; `remark` and `structures` return them, the rest draws.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

import eingrad as eg

Array = NDArray[Any]
Corner = tuple[float, float]  # of a block: column and row, in cells, from the upper left

FOLDER = Path(__file__).resolve().parent / "pictures"
DPI = 150
GAP = 0.6  # between blocks, in cells

INK, RULE = "#1a1a1a", "#8a8a8a"
PAIRS = {(0, 1): "#c2410c", (0, 2): "#15803d", (1, 2): "#7e22ce"}  # blocks that change places
COLOURS = matplotlib.colormaps["RdBu_r"]


# What is drawn -----------------------------------------------------------------------------------


def remark() -> dict[str, Array]:
    """Return the derivative of ``P @ X @ Q``, its transpose and its trace; X is 2 x 4."""
    p = np.array([[1.0, 2.0], [-1.0, 1.0], [0.0, 3.0]])
    q = np.array([[1.0, 0.0, 2.0], [2.0, 1.0, 0.0], [0.0, -1.0, 1.0], [1.0, 3.0, -2.0]])
    tensor = eg.jacobian(lambda x: p @ x @ q)(np.zeros((2, 4)))
    return {"tensor": tensor, "transpose": eg.transpose(tensor), "trace": eg.trace(tensor)}


def structures() -> dict[str, Array]:
    """Return four derivatives by a 3 x 3 matrix, whose inverse has whole numbers."""
    x = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0], [1.0, 2.0, 1.0]])
    functions = {
        "X": lambda x: x,
        "transpose": lambda x: x.T,
        "square": lambda x: x @ x,
        "inverse": np.linalg.inv,
    }
    return {name: eg.jacobian(f)(x).round(6) for name, f in functions.items()}


# How ---------------------------------------------------------------------------------------------


def corners(tensor: Array) -> Iterator[tuple[int, int, Corner]]:
    """Where the block of each pair ``i, j`` begins."""
    height, width = (n + GAP for n in tensor.shape[2:])
    for i, j in np.ndindex(*tensor.shape[:2]):
        yield i, j, (j * width, i * height)


def draw_block(axes: Axes, block: Array, corner: Corner, most: float, frame: str = INK) -> None:
    """Draw a matrix: a coloured cell and a number for each entry, and a frame around."""
    for (row, column), value in np.ndenumerate(block):
        place = corner[0] + column, corner[1] + row
        colour = COLOURS(0.5 + 0.27 * value / most)
        axes.add_patch(Rectangle(place, 1, 1, facecolor=colour, edgecolor="white", linewidth=0.8))
        axes.text(
            place[0] + 0.5, place[1] + 0.53, f"{value + 0.0:.0f}".replace("-", "\N{MINUS SIGN}"),
            ha="center", va="center", color=INK if value else RULE,
            fontsize=11, fontweight="bold" if value else "normal",
        )  # fmt: skip
    height, width = block.shape
    axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=frame, linewidth=2.4))


def draw_tensor(axes: Axes, tensor: Array, corner: Corner, most: float, *, pairs: bool) -> None:
    """Draw a grid of blocks with ``i`` and ``j`` on its rim."""
    height, width = tensor.shape[2:]
    for i, j, (x, y) in corners(tensor):
        frame = PAIRS.get((min(i, j), max(i, j)), INK) if pairs else RULE
        place = corner[0] + x, corner[1] + y
        draw_block(axes, tensor[i, j], place, most, frame)
        if i == 0:
            write(axes, f"$j={j}$", (place[0] + width / 2, place[1] - 0.55))
        if j == 0:
            write(axes, f"$i={i}$", (place[0] - 0.85, place[1] + height / 2))


def write(axes: Axes, text: str, place: Corner, size: float = 12) -> None:
    """Write text around a point."""
    axes.text(*place, text, ha="center", va="center", color=INK, fontsize=size)


def sheet(width: float, height: float, cell: float = 0.3) -> tuple[Figure, Axes]:
    """Return a white sheet whose unit is a cell, of so many inches; rows go down."""
    figure = Figure(figsize=(width * cell, height * cell), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    return figure, axes


def draw_remark(arrays: dict[str, Array]) -> Figure:
    """Draw a tensor and its transpose side by side, and below them the sum of the diagonal."""
    tensor, flipped, trace = (arrays[name] for name in ("tensor", "transpose", "trace"))
    most = max(float(np.abs(a).max()) for a in arrays.values())
    height, width = trace.shape
    count = len(tensor)
    grid = count * width + (count - 1) * GAP
    left, right, top = 2.0, grid + 5.0, 3.0
    below = top + count * (height + GAP) + 2.2
    figure, axes = sheet(right + grid + 0.6, below + height + 0.7)
    write(axes, r"$T_{ijkl} = \partial Y_{ij} / \partial X_{kl}$", (left + grid / 2, 0.9), 15)
    write(axes, r"transpose: $T_{jikl}$", (right + grid / 2, 0.9), 15)
    draw_tensor(axes, tensor, (left, top), most, pairs=True)
    draw_tensor(axes, flipped, (right, top), most, pairs=True)
    write(axes, r"trace: $\sum_i T_{iikl}$", (left + grid / 2, below - 1.0), 15)
    write(axes, "within a block:\nrow $k$, column $l$", (right + grid - width, below + 1.0))
    step = width + 1.4
    x = left
    for i in range(count):
        draw_block(axes, tensor[i, i], (x, below), most)
        sign = "$+$" if i + 1 < count else "$=$"
        write(axes, sign, (x + width + 0.7, below + height / 2), 18)
        x += step
    draw_block(axes, trace, (x, below), most)
    return figure


def draw_structures(arrays: dict[str, Array]) -> Figure:
    """Draw four tensors, two in a row."""
    titles = {
        "X": r"$\partial X_{ij} / \partial X_{kl} = \delta_{ik}\,\delta_{jl}$",
        "transpose": r"$\partial (X^T)_{ij} / \partial X_{kl} = \delta_{il}\,\delta_{jk}$",
        "square": r"$\partial (X X)_{ij} / \partial X_{kl}"
        r" = \delta_{ik}\,X_{lj} + X_{ik}\,\delta_{jl}$",
        "inverse": r"$\partial (X^{-1})_{ij} / \partial X_{kl} = -X^{-1}_{ik}\,X^{-1}_{lj}$",
    }
    size = len(arrays["X"])
    grid = size * size + (size - 1) * GAP
    step_x, step_y = grid + 4.4, grid + 3.9
    figure, axes = sheet(step_x + grid + 2.6, step_y + grid + 3.4)
    for n, (name, tensor) in enumerate(arrays.items()):
        x, y = 2.0 + step_x * (n % 2), 2.8 + step_y * (n // 2)
        write(axes, titles[name], (x + grid / 2, y - 1.85), 15)
        draw_tensor(axes, tensor, (x, y), float(np.abs(tensor).max()), pairs=False)
    return figure


def figures() -> dict[str, Figure]:
    """Return every picture, by the name of its file."""
    return {
        "remark.png": draw_remark(remark()),
        "structures.png": draw_structures(structures()),
    }


def main(arguments: list[str]) -> None:
    """Write the pictures, to a folder if one is given."""
    folder = Path(arguments[0]) if arguments else FOLDER
    for name, figure in figures().items():
        figure.savefig(folder / name, dpi=DPI, metadata={"Software": None})
        sys.stderr.write(f"wrote {name}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
