"""A picture of a plan: its tree, each step coloured by the mode that makes it.

In: a tree and a mode. Out: a `PlanPicture`.
Guaranteed: it is drawn when it is looked at; matplotlib is needed for PNG alone.
"""

from dataclasses import dataclass
from pathlib import Path

from eingrad._mode import UNKNOWN, Mode, kind_of_name
from eingrad._picture import Diagram, Vertex, draw, save, svg
from eingrad._run.tree import PlanTree


@dataclass(frozen=True, slots=True)
class PlanPicture:
    """A picture: a notebook shows it, `svg` is its text, `save` writes a file."""

    diagram: Diagram

    @property
    def svg(self) -> str:
        """The picture as SVG, which stands alone."""
        return svg(draw(self.diagram))

    def save(self, path: str | Path) -> None:
        """Write a file whose name ends with .svg, or with .png: that takes matplotlib.

        Raises
        ------
        ValueError
            If the name ends with something else.
        ImportError
            If it is to be a PNG and there is no matplotlib.
        """
        save(draw(self.diagram), path)

    def _repr_svg_(self) -> str:
        return self.svg


def picture_of(tree: PlanTree, mode: Mode, flops: int) -> PlanPicture:
    """Draw a tree."""
    vertices = tuple(
        Vertex(
            f"{step.label} {step.subscripts}".strip() or step.name,
            step.below,
            step.flops,
            step.elements,
            kind_of_name(mode.kinds.get(step.values[0], "")) if step.label else "operand",
        )
        for step in tree.steps
    )
    title = f"{flops:,} flops" if mode.name == UNKNOWN else str(mode)
    return PlanPicture(Diagram(title, vertices, ("Area of a circle: its share of the flops.",)))
