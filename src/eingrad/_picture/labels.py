"""Where labels stand: beside what they name, and on nothing else.

In: circles, and for each the texts that would do, the best first. Out: texts.
Guaranteed: no text lies on a circle, on another text, or outside of the drawing; who finds no room
goes without, and those who ask first are served first. Lines are crossed only where all sides are.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from eingrad._picture.shapes import Box, Circle, Line, Point, Text

_GAP = 3.0
_STEP = 4.0  # between points of a line that are looked at
_PLACES = (  # of a label: on which side, and how high
    ("right", "upper"), ("left", "upper"), ("right", ""), ("left", ""),
    ("", "above"), ("", "below"),
)  # fmt: skip


class Labels:
    """Room that is taken: by circles and texts, and, not so strictly, by lines."""

    def __init__(
        self, size: Point, taken: Iterable[Circle | Text], lines: Iterable[Line] = ()
    ) -> None:
        self._size = size
        self._taken = [_row(box_of(shape)) for shape in taken]
        points = [point for line in lines for point in _points(line)]
        self._lines = np.array(points).reshape(-1, 2)

    def place(
        self, circle: Circle, options: Iterable[Sequence[str]], size: float
    ) -> Sequence[Text]:
        """Write the first of some texts, each of one or more lines, that finds room."""
        for lines in options:
            found = [[*_texts(circle, lines, size, place)] for place in _PLACES]
            free = [texts for texts in found if self._is_free([text.box for text in texts])]
            if free:
                texts = min(free, key=self._crossed)
                self._taken += [_row(text.box) for text in texts]
                return texts
        return ()

    def _is_free(self, boxes: Sequence[Box]) -> bool:
        taken = np.array(self._taken).reshape(-1, 4)
        for box in boxes:
            if (
                min(box.left, box.top) < 0
                or box.right > self._size[0]
                or box.bottom > self._size[1]
            ):
                return False
            beside = (taken[:, 2] <= box.left) | (taken[:, 0] >= box.right)
            if not (beside | (taken[:, 3] <= box.top) | (taken[:, 1] >= box.bottom)).all():
                return False
        return True

    def _crossed(self, texts: Sequence[Text]) -> int:
        """How much of lines lies under texts."""
        x, y = self._lines.T
        return sum(int(_inside(text.box, x, y).sum()) for text in texts)


def _inside(box: Box, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    return (x > box.left) & (x < box.right) & (y > box.top) & (y < box.bottom)


def _points(line: Line) -> Iterator[Point]:
    for (a, b), (c, d) in itertools.pairwise(line.points):
        count = max(1, int(math.hypot(c - a, d - b) / _STEP))
        for n in range(count + 1):
            yield a + (c - a) * n / count, b + (d - b) * n / count


def box_of(shape: Circle | Text) -> Box:
    """Give the room of a circle, or of a text."""
    if isinstance(shape, Text):
        return shape.box
    reach = shape.radius + shape.width / 2
    return Box(shape.x - reach, shape.y - reach, shape.x + reach, shape.y + reach)


def _row(box: Box) -> tuple[float, float, float, float]:
    return box.left, box.top, box.right, box.bottom


def _texts(
    circle: Circle, lines: Sequence[str], size: float, place: tuple[str, str]
) -> Iterator[Text]:
    """Write lines on one side of a circle."""
    reach = circle.radius + circle.width / 2 + _GAP
    step, half = 1.2 * size, 0.6 * size * (2 * len(lines) - 1)  # of all lines together
    side, height = place
    shift = {"upper": -half + half / len(lines), "above": -reach - half, "below": reach + half}
    x = circle.x + {"right": reach, "left": -reach}.get(side, 0.0)
    anchor = {"right": "start", "left": "end"}.get(side, "middle")
    top = circle.y + shift.get(height, 0.0) - step * (len(lines) - 1) / 2
    for n, line in enumerate(lines):
        yield Text(x, top + n * step, line, size, anchor)
