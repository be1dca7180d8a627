"""What a formula writes, and the names in it.

In: a node. Out: the nodes that its formula writes, those that need a name, and names.
Guaranteed: names of the user's own come first; ours are none of them.
"""

from collections.abc import Iterator, Sequence
from itertools import count

from eingrad import _ir, _opaque
from eingrad._ir import Apply, Constant, Einsum, Input, Node, Selection, Structural
from eingrad._notation import Text
from eingrad._opaque import is_opaque
from eingrad._primitives import row_of

_NUMBERS = ("True", "False", "nan", "inf")  # identifiers that are read as numbers


def below(node: Node) -> tuple[Node, ...]:
    """Nodes that a formula writes: not structure, nor what an opaque function is a function of."""
    if is_opaque(node):
        return ()
    return tuple(n for n in _ir.children(node) if not isinstance(n, Structural))


def find_printed(roots: Sequence[Node]) -> list[Node]:
    """Nodes that a formula writes, children first."""
    wanted: set[Node] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node not in wanted:
            wanted.add(node)
            stack += below(node)
    return [node for node in _ir.topological(roots) if node in wanted]


def symbols_of(notation: Text, order: Sequence[Node]) -> dict[Node, str]:
    """Name inputs and opaque functions, those of one name apart: ``x``, ``x_2``."""
    inputs = sorted((n for n in order if isinstance(n, Input)), key=lambda n: n.serial)
    opaque = [n for n in order if isinstance(n, Apply) and is_opaque(n)]
    labels: dict[Node, str] = {n: n.name for n in inputs}
    labels.update(_opaque.names(opaque))
    given = set(labels.values())
    taken = set(_NUMBERS)
    symbols: dict[Node, str] = {}
    for node, label in labels.items():
        others = (f"{label}_{n}" for n in count(2))
        name = label if label not in taken else next(n for n in others if n not in taken | given)
        taken.add(name)
        plain = is_opaque(node) and name == _opaque.label(node)
        symbols[node] = (
            notation.partial(name, *_opaque.name_and_arguments(node))
            if plain
            else notation.symbol(name)
        )
    return symbols


def free_names(notation: Text, kind: str, taken: set[str]) -> Iterator[str]:
    """Names of our own that are none of the user's."""
    names = (notation.name(kind, n) for n in count())
    return (name for name in names if name not in taken)


def has_a_name(node: Node) -> bool:
    return isinstance(node, (Input, Constant)) or is_opaque(node)


def named_below(node: Node) -> Sequence[Node]:
    """Operands that must have a name, not a formula, where they are used.

    Those of calls on whole arrays; and what a selection that may select nothing takes from: an
    entry that is nowhere is zero, but ``exp`` of it is not.
    """
    if isinstance(node, Apply) and row_of(node).core != ():
        return below(node)
    if isinstance(node, Einsum) and any(_is_partial(n) for n in node.operands):
        return below(node)
    return ()


def _is_partial(node: Node) -> bool:
    """Whether a selection has rows that select nothing."""
    return isinstance(node, Selection) and _ir.selects(node.table) is not None
