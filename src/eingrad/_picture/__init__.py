"""Pictures of contractions: data that says what is drawn, and text or a file that shows it.

In: a `Diagram` (how something is computed) or a `Network` (what is contracted with what).
Out: SVG as text, or a file, SVG or PNG.
Guaranteed: deterministic; nothing but NumPy is needed, matplotlib for PNG alone.

`diagram` and `network` say where things stand, `labels` finds room for texts, `page` adds title
and legend; what they make of it are the `shapes` that `render` writes.

>>> picture = draw(Diagram("A @ x", (Vertex("A"), Vertex("x"), Vertex("ij,j->i", (0, 1), 18))))
>>> svg(picture).count("<circle")
5
"""

from eingrad._picture.diagram import Diagram, Vertex, draw_diagram
from eingrad._picture.network import Network, draw_network
from eingrad._picture.page import KINDS, Kind
from eingrad._picture.render import png, save, svg
from eingrad._picture.shapes import Circle, Line, Picture, Text, compact

__all__ = [
    "KINDS",
    "Circle",
    "Diagram",
    "Kind",
    "Line",
    "Network",
    "Picture",
    "Text",
    "Vertex",
    "compact",
    "draw",
    "png",
    "save",
    "svg",
]


def draw(drawing: Diagram | Network) -> Picture:
    """Lay out what is to be drawn."""
    return draw_diagram(drawing) if isinstance(drawing, Diagram) else draw_network(drawing)
