"""Draw how something is computed: operands in a row below, what is made of them above.

In: a `Diagram`. Out: a `Picture`.
Guaranteed: every vertex is drawn, deterministically; no lines of a tree cross. The area of a
circle grows with the share of the cost, the width of a line with the logarithm of the size.

A vertex stands one level above the highest one that it is made of. A line that passes levels goes
straight up beside what stands there, and turns below the vertex it leads to: in a tree, all that
is below a vertex stands between two upright lines, where no other line goes. Where something is
used twice, lines must give way; then levels are moved, none in another order, towards those above
and below them in turn.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eingrad._picture.labels import Labels
from eingrad._picture.page import KINDS, page
from eingrad._picture.shapes import INK, Circle, Line, Picture, Point, Text, compact, fitted

_LEAST, _MOST = 4.0, 26.0  # radius
_ROOM = 30.0  # around the drawing, for circles and labels
_SWEEPS = 6

_Spot = tuple[int, int]  # a vertex, and a level that it or its line is on


@dataclass(frozen=True, slots=True)
class Vertex:
    """Something computed, or an operand.

    Attributes
    ----------
    label : str
        What it is: a name, or subscripts.
    below : tuple of int
        The numbers of the vertices that it is computed from, each less than its own; none for an
        operand.
    cost : number
        What it takes; the unit is that of the captions.
    size : int
        How many elements it has; 0 if that is not known.
    kind : str
        What its colour means, one of `KINDS`; operands without one are "operand".
    """

    label: str
    below: tuple[int, ...] = ()
    cost: float = 0
    size: int = 0
    kind: str = ""

    @property
    def colour_of(self) -> str:
        """The kind that it is drawn as."""
        return self.kind if self.kind or self.below else "operand"


@dataclass(frozen=True, slots=True)
class Diagram:
    """Vertices, each after those it is computed from, with a title and lines below."""

    title: str
    vertices: tuple[Vertex, ...]
    captions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for n, vertex in enumerate(self.vertices):
            if any(not 0 <= k < n for k in vertex.below):
                raise ValueError(
                    f"vertex {n} ({vertex.label!r}) is computed from {vertex.below}; these must be "
                    "numbers of vertices before it"
                )
            if vertex.kind not in KINDS:
                raise ValueError(
                    f"vertex {n} ({vertex.label!r}) is of kind {vertex.kind!r}; use one of "
                    f"{', '.join(map(repr, KINDS))}"
                )


def draw_diagram(diagram: Diagram) -> Picture:
    """Draw a diagram."""
    vertices = diagram.vertices
    if not vertices:
        return page(diagram.title, (), (0.0, 0.0), diagram.captions)
    grid = _Grid(vertices)
    leaves = [n for n, vertex in enumerate(vertices) if not vertex.below]
    column = min(110.0, max(26.0, 960.0 / len(leaves)))
    row = min(84.0, max(34.0, 640.0 / max(1, *grid.level)))
    size_of_names = 13.0 if column > 60 else 11.0  # noqa: PLR2004 - pixels
    names, depth = _names_of_leaves(vertices, leaves, column, size_of_names)
    left, top = min(grid.lanes.values()), max(grid.level)

    def at(n: int, level: int) -> Point:
        x = _ROOM + column / 2 + column * (grid.lanes[n, level] - left)
        return x, _ROOM + row * (top - level)

    wide = max(grid.lanes.values()) - left
    size = (2 * _ROOM + column * (wide + 1), 2 * _ROOM + row * top + depth)
    places = [at(n, grid.level[n]) for n in range(len(vertices))]
    circles = _circles(vertices, places, {k for v in vertices for k in v.below})
    texts = [
        Text(circles[n].x, circles[n].y + circles[n].radius + 0.9 * size_of_names, name,
             size_of_names, upright=name != "" and depth > 2 * size_of_names)
        for n, name in names.items()
    ]  # fmt: skip
    lines = [
        line for n, v in enumerate(vertices) for k in dict.fromkeys(v.below)
        for line in [_line(vertices[k], [at(k, m) for m in range(grid.level[k], grid.level[n])],
                           places[n])]
    ]  # fmt: skip
    texts += _labels(vertices, circles, texts, lines, size)
    kinds = [v.colour_of for v in vertices]
    return page(diagram.title, [*lines, *circles, *texts], size, diagram.captions, kinds)


def _line(below: Vertex, way: Sequence[Point], end: Point) -> Line:
    width = 1.0 + 0.45 * math.log10(max(1, below.size))
    return Line((*way, end), min(width, 5.0), "#9a9a9a")


def _names_of_leaves(
    vertices: Sequence[Vertex], leaves: Sequence[int], column: float, size: float
) -> tuple[dict[int, str], float]:
    """Name operands below their circles, upright where they are close; and the room for that."""
    longest = max(len(vertices[n].label) for n in leaves)
    if longest * 0.61 * size <= column - 6:
        return {n: vertices[n].label for n in leaves}, 1.6 * size
    names = {n: fitted(vertices[n].label, size, 150.0) for n in leaves}
    return names, max(len(name) for name in names.values()) * 0.61 * size + 2 * size


def _circles(vertices: Sequence[Vertex], places: Sequence[Point], used: set[int]) -> list[Circle]:
    """Draw vertices, as large as their share of the cost, and as their neighbours leave room."""
    total = sum(v.cost for v in vertices) or 1
    roots = np.sqrt([v.cost / total for v in vertices])
    scale = (_MOST - _LEAST) * _shrunk(np.array(places), roots)
    circles = []
    for n, (vertex, (x, y)) in enumerate(zip(vertices, places, strict=True)):
        cost = f", {vertex.cost:,}" if vertex.cost else ""
        tip = f"{vertex.label}{cost}" + (f", {vertex.size:,} elements" if vertex.size else "")
        width = 1.0 if n in used else 2.5  # a result
        fill = KINDS[vertex.colour_of].colour
        circles.append(Circle(x, y, _LEAST + scale * float(roots[n]), fill, INK, width, tip))
    return circles


def _shrunk(places: NDArray[np.float64], roots: NDArray[np.float64]) -> float:
    """How much circles must shrink so that no two touch."""
    worst = 1.0
    for n in range(1, len(places)):
        distance = np.hypot(*(places[:n] - places[n]).T) - 2 * _LEAST - 3
        wanted = (_MOST - _LEAST) * (roots[:n] + roots[n])
        is_wide = wanted > distance
        if is_wide.any():
            worst = min(
                worst, float((np.maximum(distance, 0) / np.maximum(wanted, 1e-9))[is_wide].min())
            )
    return worst


def _labels(
    vertices: Sequence[Vertex],
    circles: Sequence[Circle],
    names: Sequence[Text],
    lines: Sequence[Line],
    size: Point,
) -> list[Text]:
    """Label what is computed, the costly first: with less where there is no room for all."""
    labels = Labels(size, [*circles, *names], lines)
    made = [n for n, vertex in enumerate(vertices) if vertex.below]
    texts: list[Text] = []
    for n in sorted(made, key=lambda n: -vertices[n].cost):
        label, cost = vertices[n].label, vertices[n].cost
        price = [compact(cost)] if cost else []
        short = fitted(label, 11.0, 90.0)
        options = [[label, *price], [short, *price], price, [short]]
        texts += labels.place(circles[n], [o for o in options if o], 11.0)
    return texts


class _Grid:
    """Where vertices stand: their levels, and the lane that each has on its own level and above.

    A vertex keeps a lane up to the level below the highest one that is made of it.
    """

    def __init__(self, vertices: Sequence[Vertex]) -> None:
        self.level: list[int] = []
        for vertex in vertices:
            self.level.append(1 + max((self.level[k] for k in vertex.below), default=-1))
        last = [*self.level]
        for n, vertex in enumerate(vertices):
            for k in vertex.below:
                last[k] = max(last[k], self.level[n] - 1)
        self.lanes: dict[_Spot, float] = {}
        for place, n in enumerate(_order_of_leaves(vertices)):
            self.lanes[n, 0] = float(place)
        for level in range(1, max(self.level) + 1):
            self._fill(vertices, level, last)
        if any(count > 1 for count in _uses(vertices).values()):
            self._straighten(vertices, last)

    def _fill(self, vertices: Sequence[Vertex], level: int, last: Sequence[int]) -> None:
        """Place what stands on a level above what it is made of, and lead lanes through."""
        wanted: dict[int, float] = {}
        for n, vertex in enumerate(vertices):
            if self.level[n] == level:
                below = [self.lanes[k, level - 1] for k in dict.fromkeys(vertex.below)]
                wanted[n] = sum(below) / len(below)
            elif self.level[n] < level <= last[n]:
                wanted[n] = self.lanes[n, level - 1]
        order = sorted(wanted, key=lambda n: (wanted[n], n))
        for n, lane in zip(order, _apart([wanted[n] for n in order]), strict=True):
            self.lanes[n, level] = lane

    def _straighten(self, vertices: Sequence[Vertex], last: Sequence[int]) -> None:
        """Move each level towards the one above, from the top down; then towards that below."""
        above: dict[_Spot, list[_Spot]] = {spot: [] for spot in self.lanes}
        for n, vertex in enumerate(vertices):
            for k in dict.fromkeys(vertex.below):
                above[k, self.level[n] - 1].append((n, self.level[n]))
            for level in range(self.level[n], last[n]):
                above[n, level].append((n, level + 1))
        below: dict[_Spot, list[_Spot]] = {spot: [] for spot in self.lanes}
        for spot, spots in above.items():
            for other in spots:
                below[other].append(spot)
        levels: dict[int, list[_Spot]] = {}
        for spot in sorted(self.lanes, key=lambda spot: (self.lanes[spot], spot)):
            levels.setdefault(spot[1], []).append(spot)
        up = sorted(levels)
        for order, near in _SWEEPS * ((up[::-1], above), (up, below)):
            for level in order:
                wanted = [self._mean(spot, near[spot]) for spot in levels[level]]
                self.lanes.update(zip(levels[level], _apart(wanted), strict=True))

    def _mean(self, spot: _Spot, near: Sequence[_Spot]) -> float:
        if not near:
            return self.lanes[spot]
        return sum(self.lanes[other] for other in near) / len(near)


def _uses(vertices: Sequence[Vertex]) -> Counter[int]:
    return Counter(k for vertex in vertices for k in dict.fromkeys(vertex.below))


def _apart(wanted: Sequence[float]) -> list[float]:
    """Move ascending numbers as little as possible (least squares), so that they differ by one."""
    groups: list[tuple[float, int]] = []  # sum and count of positions that move together
    for n, x in enumerate(wanted):
        total, count = x - n, 1
        while groups and groups[-1][0] / groups[-1][1] > total / count:
            before, many = groups.pop()
            total, count = total + before, count + many
        groups.append((total, count))
    means = [total / count for total, count in groups for _ in range(count)]
    return [mean + n for n, mean in enumerate(means)]


def _order_of_leaves(vertices: Sequence[Vertex]) -> list[int]:
    """Order operands so that those of one vertex are together, else as they are numbered."""
    first: list[int] = []
    for n, vertex in enumerate(vertices):
        first.append(min((first[k] for k in vertex.below), default=n))
    used = {k for vertex in vertices for k in vertex.below}
    stack = sorted((n for n in range(len(vertices)) if n not in used), key=lambda n: -first[n])
    seen: dict[int, None] = {}
    while stack:
        n = stack.pop()
        if n not in seen:
            seen[n] = None
            stack += sorted({*vertices[n].below}, key=lambda k: -first[k])
    return [n for n in seen if not vertices[n].below]
