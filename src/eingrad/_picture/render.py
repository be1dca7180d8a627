"""Write pictures: SVG as text, PNG with matplotlib.

In: a `Picture`. Out: text, or a file.
Guaranteed: the SVG stands alone, is well-formed whatever the labels are, and is the same text in
every run; both have the same geometry and a white page, so that they are legible on dark pages.
"""

import importlib
from html import escape
from pathlib import Path
from typing import Any

from eingrad._picture.shapes import FONTS, PAPER, Circle, Line, Picture, Shape, Text

_HALO = 3.0  # around letters, in the colour of the page
_DROP = 0.35  # of the font size, from the middle of a line to where letters stand
_INCH = 100.0  # pixels


def svg(picture: Picture) -> str:
    """Write a picture as SVG."""
    width, height = _number(picture.width), _number(picture.height)
    fonts = ", ".join(FONTS)
    page = f'width="{width}" height="{height}"'
    box = f'viewBox="0 0 {width} {height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {page} {box} font-family="{fonts}">',
            f"<title>{_escaped(picture.title)}</title>",
            f'<rect {page} fill="{PAPER}"/>',
            *map(_element, picture.shapes),
            "</svg>\n",
        ]
    )


def _element(shape: Shape) -> str:
    match shape:
        case Line(points=points, width=width, colour=colour):
            places = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
            return (
                f'<polyline points="{places}" fill="none" stroke="{colour}" '
                f'stroke-width="{_number(width)}" stroke-linejoin="round"/>'
            )
        case Circle(x=x, y=y):
            tip = f"<title>{_escaped(shape.tip)}</title>" if shape.tip else ""
            return (
                f'<circle cx="{_number(x)}" cy="{_number(y)}" r="{_number(shape.radius)}" '
                f'fill="{shape.fill}" stroke="{shape.rim}" stroke-width="{_number(shape.width)}">'
                f"{tip}</circle>"
            )
        case Text(x=x, y=y, size=size):
            turn = f' transform="rotate(-90 {_number(x)} {_number(y)})"' if shape.upright else ""
            return (
                f'<text x="{_number(x)}" y="{_number(y)}" dy="{_number(_DROP * size)}" '
                f'font-size="{_number(size)}" fill="{shape.colour}" '
                f'text-anchor="{"end" if shape.upright else shape.anchor}" '
                f'stroke="{PAPER}" stroke-width="{_number(_HALO)}" stroke-linejoin="round" '
                f'paint-order="stroke"{turn}>{_escaped(shape.text)}</text>'
            )


def _number(x: float) -> str:
    return f"{x:.1f}".removesuffix(".0")


def _escaped(text: str) -> str:
    """Escape markup, and what XML cannot have."""
    return escape("".join(c if c.isprintable() else " " for c in text))


def save(picture: Picture, path: str | Path) -> None:
    """Write a picture to a file, whose name ends with what it is to be."""
    path = Path(path)
    match path.suffix.lower():
        case ".svg":
            path.write_text(svg(picture), "utf-8")
        case ".png":
            png(picture, path)
        case suffix:
            raise ValueError(
                f"a picture cannot be saved as {suffix or 'a file without an ending'!r} "
                f"({path.name!r}); let the name end with .svg or .png"
            )


def png(picture: Picture, path: str | Path, *, scale: float = 2.0) -> None:
    """Write a picture as PNG, `scale` dots for each pixel."""
    _figure(picture).savefig(path, format="png", dpi=scale * _INCH, metadata={"Software": None})


def _figure(picture: Picture) -> Any:
    """Draw on a figure of matplotlib, a hundred pixels to the inch."""
    parts = {name: _matplotlib(name) for name in ("figure", "patches", "patheffects")}
    drawn = parts["figure"].Figure(
        figsize=(picture.width / _INCH, picture.height / _INCH), facecolor=PAPER
    )
    axes = drawn.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, picture.width)
    axes.set_ylim(picture.height, 0)
    axes.axis("off")
    halo = parts["patheffects"].withStroke(linewidth=_points(_HALO), foreground=PAPER)
    for order, shape in enumerate(picture.shapes):
        match shape:
            case Line(points=points, width=width, colour=colour):
                xs, ys = zip(*points, strict=True)
                axes.plot(xs, ys, color=colour, lw=_points(width), zorder=order)
            case Circle(x=x, y=y, fill=fill, rim=rim):
                disc = parts["patches"].Circle(
                    (x, y), shape.radius, facecolor=fill, edgecolor=rim,
                    lw=_points(shape.width), zorder=order,
                )  # fmt: skip
                axes.add_patch(disc)
            case Text(x=x, y=y, size=size):
                drop = _DROP * size
                axes.text(
                    x + drop * shape.upright, y + drop * (not shape.upright), shape.text,
                    fontsize=_points(size), color=shape.colour, family=FONTS[0],
                    ha="right" if shape.upright else _SIDES[shape.anchor], va="baseline",
                    rotation=90 * shape.upright, rotation_mode="anchor", zorder=order,
                    path_effects=[halo], parse_math=False,
                )  # fmt: skip
    return drawn


_SIDES = {"start": "left", "middle": "center", "end": "right"}


def _points(pixels: float) -> float:
    return pixels * 72 / _INCH


def _matplotlib(name: str) -> Any:
    """Import a part of matplotlib, or say how to get it."""
    try:
        return importlib.import_module(f"matplotlib.{name}")
    except ImportError:
        raise ImportError(
            "a PNG is drawn with matplotlib, which is not installed; "
            "pip install 'eingrad[plot]', or save an SVG, which needs nothing"
        ) from None
