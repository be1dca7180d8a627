"""What a picture consists of: lines, circles and texts, in pixels, y downwards.

In: numbers and texts. Out: shapes, which both renderers draw, and the room that a text takes.
Guaranteed: letters are as wide as each other, so that the room of a text is known before it is
drawn, and is the same in every renderer.

>>> [compact(n) for n in (0, 950, 1_240, 999_950, 3e9, 2e30)]
['0', '950', '1.2 k', '1 M', '3 G', '2e+30']
"""

from dataclasses import dataclass

INK, FAINT, PAPER = "#1a1a1a", "#6b6b6b", "#ffffff"
FONTS = ("DejaVu Sans Mono", "Menlo", "Consolas", "monospace")
_WIDTH = 0.61  # of a letter, in font sizes
_SUFFIXES = ("", " k", " M", " G", " T", " P")

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """Straight lines from point to point."""

    points: tuple[Point, ...]
    width: float = 1.0
    colour: str = FAINT


@dataclass(frozen=True, slots=True)
class Circle:
    """A disc with a rim; `tip` is what a browser shows where the pointer rests."""

    x: float
    y: float
    radius: float
    fill: str
    rim: str = INK
    width: float = 1.0
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text; `x` is where it starts, its middle or its end, `y` its middle line.

    What is `upright` reads from below to above, and its end is at `y`.
    """

    x: float
    y: float
    text: str
    size: float
    anchor: str = "middle"  # "start", "end"
    colour: str = INK
    upright: bool = False

    @property
    def box(self) -> "Box":
        """The room it takes."""
        length, half = width_of(self.text, self.size), self.size * 0.6
        if self.upright:
            return Box(self.x - half, self.y, self.x + half, self.y + length)
        left = {"start": 0.0, "middle": length / 2, "end": length}[self.anchor]
        return Box(self.x - left, self.y - half, self.x - left + length, self.y + half)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle."""

    left: float
    top: float
    right: float
    bottom: float


Shape = Line | Circle | Text


@dataclass(frozen=True, slots=True)
class Picture:
    """Shapes in the order in which they are drawn, on a white page; `title` says what they are."""

    title: str
    width: float
    height: float
    shapes: tuple[Shape, ...]


def width_of(text: str, size: float) -> float:
    """How wide a text is."""
    return _WIDTH * size * len(text)


def fitted(text: str, size: float, room: float) -> str:
    """Cut a text so that it fits.

    >>> fitted("ab,bc->ac", 10, 40), fitted("ab", 10, 40)
    ('ab,bc…', 'ab')
    """
    most = max(1, int(room / (_WIDTH * size)))
    return text if len(text) <= most else text[: max(1, most - 1)] + "…"


def compact(number: float) -> str:
    """Write a number with two digits and a suffix."""
    value, n = float(number), 0
    while abs(value) >= 999.5 and n < len(_SUFFIXES) - 1:  # noqa: PLR2004 - rounds to a thousand
        value, n = value / 1000, n + 1
    if abs(value) >= 999.5:  # noqa: PLR2004
        return f"{float(number):.2g}"
    digits = f"{value:.0f}" if abs(value) >= 10 or n == 0 else f"{value:.1f}"  # noqa: PLR2004
    return digits.removesuffix(".0") + _SUFFIXES[n]
