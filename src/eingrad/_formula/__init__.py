r"""What an expression is, for people: its formula as text or LaTeX.

In: a node. Out: lines of text.
Guaranteed: a subexpression that occurs more than once, or that is deep, has a line of its own, so
the text is linear in the graph; nothing recurses on its depth; equal graphs print alike.

>>> from eingrad import _ir
>>> a, x = _ir.new_input("A", (2, 3)), _ir.new_input("x", (3,))
>>> text(_ir.einsum("ij,j->i", a, x))
'[i] = sum_j A[i,j] x[j]'
>>> latex(_ir.einsum("ij,j->i", a, x))
'\\left[\\,\\cdot\\,\\right]_{i} = \\sum_{j} A_{ij} x_{j}'
"""

from eingrad._formula.names import below
from eingrad._formula.writer import Writer
from eingrad._ir import Node
from eingrad._notation import Latex, Text

__all__ = ["Writer", "below", "latex", "text"]

_SHOWN = 16  # entries of a constant that are written out


def text(node: Node, shown: int = _SHOWN) -> str:
    """Write a formula, one line per shared subexpression, the last one for the value.

    Constants and tables of more than `shown` entries are told by their shape.
    """
    notation = Text()
    return notation.aligned(Writer(notation, node, shown).lines())


def latex(node: Node) -> str:
    """Write the formula as LaTeX, the lines of a formula of several aligned."""
    notation = Latex()
    return notation.aligned(Writer(notation, node, _SHOWN).lines())
