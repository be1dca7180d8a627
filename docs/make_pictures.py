"""Draw the pictures of the documents: ``python docs/make_pictures.py [FOLDER]``.

It needs matplotlib, the extra ``plot``: ``pip install '.[plot]'``. The arrays are derivatives that
eingrad computes, the networks are what its phases make, the tree is that of a plan; `remark`,
`structures`, `phases` and `narrow` return them, the rest draws.
"""

import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle
from numpy.typing import NDArray

import eingrad as eg
from eingrad import _ir, _simplify
from eingrad._ir import Add, Einsum, Input, Node

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


def phases() -> dict[str, tuple["Drawing", "Drawing"]]:
    """Return what the builder and the phases find, and what they make of it, by name.

    Not of the phase that merges: it counts a term twice, and a network shows no coefficient.
    """
    n = 9
    a, b, c, d, v = (_ir.new_input(name, (n,)) for name in "abcdv")
    first, second = (_ir.new_input(name, (n, n)) for name in "AB")
    outer = [_ir.einsum("i,j->ij", x, y) for x, y in ((a, b), (c, d), (b, a), (d, c))]
    found = {
        "expand": _ir.einsum("ij,j->i", _ir.add(outer[:2]), v),
        "regroup": _ir.einsum("ij,j->i", _ir.einsum("ij,jk->ik", first, second), v),
        "flatten": _ir.add([_ir.add([a, b]), c], [2, 1]),
        "symmetrise": _ir.add(outer),
        "factor": _ir.add([_ir.einsum("i,i->i", x, v) for x in (a, b)]),
    }
    passes = {p.__name__: p for p in _simplify.PASSES}
    made = {name: _simplify.walk([node], [passes[name]])[0] for name, node in found.items()}
    renamed = _ir.einsum("ij,jk->ik", _ir.delta(n), first)
    written = Network(("delta", "A"), ((0, 1), (1, 2)), (0, 2))  # the builder keeps no such node
    return {
        "rename": (written, drawing(renamed)),
        **{name: (drawing(node), drawing(made[name])) for name, node in found.items()},
    }


def narrow() -> eg.Plan:
    """Return the plan of the Jacobian of a network with two narrow layers."""
    rng = np.random.default_rng(0)
    widths = (100, 3, 100, 3, 100)
    weights = [rng.normal(size=pair) for pair in itertools.pairwise(widths)]

    def network(x: Any) -> Any:
        for weight in weights:
            x = np.tanh(x @ weight)
        return x

    return eg.jacobian(network).plan(np.ones(widths[0]))


@dataclass(frozen=True)
class Network:
    """A product: arrays by name, or what is computed first; the indices of each; the result's."""

    parts: tuple["Drawing", ...]
    terms: tuple[tuple[int, ...], ...]
    out: tuple[int, ...]


@dataclass(frozen=True)
class Total:
    """A sum of arrays or networks, each with its coefficient and the order of its axes."""

    parts: tuple["Drawing", ...]
    coefficients: tuple[int, ...]
    axes: tuple[tuple[int, ...], ...]


Drawing = str | Network | Total


def drawing(node: Node) -> Drawing:
    """Read a node; what hangs together stands side by side."""
    match node:
        case Input(name=name):
            return name
        case Add(terms=terms, coefficients=coefficients):
            views = [_view(term) for term in terms]
            parts = tuple(drawing(term) for term, _ in views)
            return Total(parts, tuple(map(int, coefficients)), tuple(axes for _, axes in views))
        case Einsum(factors=factors, out=out):
            best = min(itertools.permutations(factors), key=lambda order: _apart(order, out))
            return Network(tuple(drawing(n) for n, _ in best), tuple(t for _, t in best), out)
    raise TypeError(node)


def _view(node: Node) -> tuple[Node, tuple[int, ...]]:
    """See through a transpose: what it looks at, and where each of its axes lies."""
    match node:
        case Einsum(factors=((Add() as total, term),), out=out):
            return total, tuple(out.index(index) for index in term)
    return node, tuple(range(node.ndim))


def _apart(order: Sequence[tuple[Node, tuple[int, ...]]], out: tuple[int, ...]) -> tuple[int, ...]:
    terms = [{*term} for _, term in order]
    adjacent = sum(not a & b for a, b in itertools.pairwise(terms))
    return adjacent, *(out.index(i) if i in out else len(out) for t in terms for i in sorted(t))


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


# Networks: one unit is the diameter of an array ---------------------------------------------------

LINE, APART, PLUS, MARGIN = 1.0, 0.35, 0.75, 0.35  # widths
LEG = 0.85  # from the middle of an array to the end of a free line
SUMMED = "kl"


def width_of(part: Drawing) -> float:
    """Width of a drawing without its box."""
    if isinstance(part, str):
        return 0.45 if part == "delta" else 1.0
    inner = sum(width_of(p) + 2 * MARGIN * is_boxed(p, part) for p in part.parts)
    if isinstance(part, Network):
        return inner + sum(gaps(part))
    return inner + PLUS * (len(part.parts) - 1) + 0.5 * sum(c != 1 for c in part.coefficients)


def gaps(network: Network) -> list[float]:
    """Return the room between neighbours: more where there is a line."""
    return [APART if {*a}.isdisjoint(b) else LINE for a, b in itertools.pairwise(network.terms)]


def is_boxed(part: Drawing, of: Drawing) -> bool:
    """Whether a part is computed first: a sum, or a product in a product."""
    return isinstance(part, Total) or (isinstance(part, Network) and isinstance(of, Network))


def draw_part(axes: Axes, part: Drawing, x: float, y: float, names: str, legs: bool) -> None:
    """Draw an array, a network or a sum from the left end of its middle line."""
    if part == "delta":
        axes.add_patch(Rectangle((x, y - 0.22), 0.45, 0.45, facecolor=INK, zorder=3))
    elif isinstance(part, str):
        axes.add_patch(
            Circle((x + 0.5, y), 0.5, facecolor="white", edgecolor=INK, lw=1.6, zorder=3)
        )
        axes.text(x + 0.5, y + 0.03, f"${part}$", ha="center", va="center", fontsize=13, zorder=4)
    elif isinstance(part, Network):
        draw_product(axes, part, x, y, names, legs=legs)
    else:
        draw_sum(axes, part, x, y, names)
    if isinstance(part, str) and legs:
        for k, name in enumerate(names):
            draw_leg(axes, x + 0.5 + 0.3 * (k - (len(names) - 1) / 2), y, name)


def draw_leg(axes: Axes, x: float, y: float, name: str, length: float = LEG) -> None:
    """Draw a line that ends free."""
    axes.plot([x, x], [y, y + length], color=INK, lw=1.4, zorder=1)
    write(axes, f"${name}$", (x, y + length + 0.3), 11)


def draw_sum(axes: Axes, total: Total, x: float, y: float, names: str) -> None:
    """Draw terms with plus signs between them; a transposed one has its axes named so."""
    for k, (part, c, order) in enumerate(
        zip(total.parts, total.coefficients, total.axes, strict=True)
    ):
        if k:
            write(axes, "$+$", (x + PLUS / 2, y), 15)
            x += PLUS
        if c != 1:
            write(axes, f"${c}$", (x + 0.2, y), 13)
            x += 0.5
        own = "".join(names[axis] for axis in order)
        x = draw_in_box(axes, part, x, y, own, boxed=is_boxed(part, total), legs=True)[1]


def bottom(part: Drawing) -> float:
    """How far the box of a part reaches below its middle line."""
    return 1.5 if isinstance(part, Total) else 0.75


def draw_in_box(
    axes: Axes, part: Drawing, x: float, y: float, names: str, *, boxed: bool, legs: bool
) -> Corner:
    """Draw a part, in a box if it is computed first; return where it begins and ends."""
    if not boxed:
        draw_part(axes, part, x, y, names, legs)
        return x, x + width_of(part)
    width = width_of(part) + 2 * MARGIN
    axes.add_patch(
        FancyBboxPatch(
            (x + 0.1, y - 0.75), width - 0.2, 0.75 + bottom(part),
            boxstyle="round,pad=0,rounding_size=0.25",
            facecolor="#f4f1ea", edgecolor=RULE, lw=1.2, zorder=0,
        )
    )  # fmt: skip
    draw_part(axes, part, x + MARGIN, y, names, isinstance(part, Total))
    return x + 0.1, x + width - 0.1


def draw_product(
    axes: Axes, network: Network, x: float, y: float, names: str, *, legs: bool
) -> None:
    """Draw arrays side by side, a line for each index: between two, or free."""
    name = dict(zip(network.out, names, strict=True))
    unused = iter(letter for letter in SUMMED if letter not in names)
    for index in sorted({i for term in network.terms for i in term}.difference(name)):
        name[index] = next(unused)
    ends: list[Corner] = []
    room = [*gaps(network), 0.0]
    for part, term, gap in zip(network.parts, network.terms, room, strict=True):
        own = "".join(name[i] for i in term)
        boxed = is_boxed(part, network)
        ends.append(draw_in_box(axes, part, x, y, own, boxed=boxed, legs=False))
        x = ends[-1][1] + 0.1 * boxed + gap
    for index, letter in name.items():
        users = [n for n, term in enumerate(network.terms) if index in term]
        for a, b in itertools.pairwise(users):
            axes.plot([ends[a][1], ends[b][0]], [y, y], color=INK, lw=1.4, zorder=1)
            middle = (ends[a][1] + ends[b][0]) / 2
            if index not in network.out:
                write(axes, f"${letter}$", (middle, y - 0.3), 11)
            elif legs:
                draw_leg(axes, middle, y, letter)
        if legs and index in network.out and len(users) == 1:
            mine = [i for i in network.terms[users[0]] if i in network.out]
            shift = 0.3 * (mine.index(index) - (len(mine) - 1) / 2)
            part = network.parts[users[0]]
            start = y + bottom(part) if is_boxed(part, network) else y
            length = 0.4 if start > y else LEG
            draw_leg(axes, sum(ends[users[0]]) / 2 + shift, start, letter, length)


def draw_phases(pairs: dict[str, tuple[Drawing, Drawing]]) -> Figure:
    """Draw a row for each phase: its name, before, an arrow, after."""
    row, left = 3.1, 5.1
    middle = left + max(width_of(before) for before, _ in pairs.values()) + 0.9
    right = middle + 1.6 + max(width_of(after) for _, after in pairs.values())
    figure, axes = sheet(right + 0.4, row * len(pairs) + 0.4, 0.3)
    for n, (name, (before, after)) in enumerate(pairs.items()):
        y = row * n + 1.1
        axes.text(0.4, y, name, fontsize=12, va="center", color=INK)
        for part, x in ((before, left), (after, middle + 1.6)):
            draw_part(axes, part, x, y, "ij"[: _ndim(part)], legs=True)
        write(axes, r"$\longrightarrow$", (middle + 0.4, y), 17)
    return figure


def _ndim(part: Drawing) -> int:
    if isinstance(part, Total):
        return len(part.axes[0])
    return len(part.out) if isinstance(part, Network) else {"A": 2, "B": 2}.get(part, 1)


def figures() -> dict[str, Figure]:
    """Return every picture, by the name of its file."""
    return {
        "remark.png": draw_remark(remark()),
        "structures.png": draw_structures(structures()),
        "networks.png": draw_phases(phases()),
    }


def main(arguments: list[str]) -> None:
    """Write the pictures, to a folder if one is given."""
    folder = Path(arguments[0]) if arguments else FOLDER
    for name, figure in figures().items():
        figure.savefig(folder / name, dpi=DPI, metadata={"Software": None})
        sys.stderr.write(f"wrote {name}\n")
    narrow().picture().save(folder / "modes.svg")
    sys.stderr.write("wrote modes.svg\n")


if __name__ == "__main__":
    main(sys.argv[1:])
