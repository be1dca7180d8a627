"""A page around a drawing: the title above it, captions and the legend of its colours below.

In: shapes that start at the origin, and how large they are. Out: a `Picture`.
Guaranteed: nothing lies outside of the page; lines that are too long for it are broken.

`KINDS` are the colours that drawings have; they stay apart for who does not see all colours.
"""

import textwrap
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from eingrad._picture.shapes import (
    FAINT,
    INK,
    PAPER,
    Circle,
    Line,
    Picture,
    Point,
    Shape,
    Text,
    width_of,
)

MARGIN = 16.0
_TITLE, _SMALL = 16.0, 12.0  # sizes of text
_NARROWEST = 420.0


class Kind(NamedTuple):
    """What a colour means."""

    colour: str
    meaning: str


KINDS = {
    "operand": Kind(PAPER, "operand"),
    "": Kind("#8fa3b5", "step"),
    "value": Kind("#c9ced3", "value of the function"),
    "forward": Kind("#3b8fd0", "tangent: forward mode makes it"),
    "reverse": Kind("#e8833a", "cotangent: reverse mode makes it"),
    "forward over reverse": Kind("#4f9d69", "made by a mode that has both directions"),
    "either": Kind("#f0d34a", "made by every mode"),
    "cross-country": Kind("#a05fb4", "made by no mode"),
}


def page(
    title: str,
    shapes: Iterable[Shape],
    size: Point,
    captions: Sequence[str] = (),
    kinds: Iterable[str] = (),
) -> Picture:
    """Lay a drawing out on a page; `kinds` are explained."""
    width = max(size[0], _NARROWEST) + 2 * MARGIN
    most = int((width - 2 * MARGIN) / width_of("m", _SMALL))
    x, y = MARGIN, MARGIN
    heading: list[Shape] = []
    for line in textwrap.wrap(title, int((width - 2 * MARGIN) / width_of("m", _TITLE))):
        heading.append(Text(x, y + _TITLE / 2, line, _TITLE, "start"))
        y += 1.4 * _TITLE
    y += 0.5 * _TITLE
    left = x + (width - 2 * MARGIN - size[0]) / 2
    body = [moved(shape, left, y) for shape in shapes]
    y += size[1] + _SMALL
    below: list[Shape] = []
    for line in (part for caption in captions for part in textwrap.wrap(caption, most)):
        below.append(Text(x, y + _SMALL / 2, line, _SMALL, "start"))
        y += 1.5 * _SMALL
    legend, height = _legend(kinds, width - 2 * MARGIN)
    below += [moved(shape, x, y) for shape in legend]
    return Picture(title, width, y + height + MARGIN, (*body, *heading, *below))


def _legend(kinds: Iterable[str], width: float) -> tuple[list[Shape], float]:
    """Explain colours side by side, in several rows where they do not fit in one."""
    shapes: list[Shape] = []
    x, y = 0.0, 0.0
    used = {*kinds}
    for kind in (kind for name, kind in KINDS.items() if name in used):
        length = 1.6 * _SMALL + width_of(kind.meaning, _SMALL)
        if x and x + length > width:
            x, y = 0.0, y + 1.6 * _SMALL
        middle = y + 0.8 * _SMALL
        shapes.append(Circle(x + 0.5 * _SMALL, middle, 0.45 * _SMALL, kind.colour, INK, 1.0))
        shapes.append(Text(x + 1.4 * _SMALL, middle, kind.meaning, _SMALL, "start", FAINT))
        x += length + _SMALL
    return shapes, y + 1.6 * _SMALL if shapes else 0.0


def moved(shape: Shape, x: float, y: float) -> Shape:
    """Give a shape elsewhere."""
    match shape:
        case Line(points=points):
            moved_points = tuple((a + x, b + y) for a, b in points)
            return Line(moved_points, shape.width, shape.colour)
        case Circle():
            return Circle(
                shape.x + x, shape.y + y, shape.radius, shape.fill, shape.rim, shape.width,
                shape.tip,
            )  # fmt: skip
        case Text():
            return Text(
                shape.x + x, shape.y + y, shape.text, shape.size, shape.anchor, shape.colour,
                shape.upright,
            )  # fmt: skip
