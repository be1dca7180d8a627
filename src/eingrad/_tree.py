"""Nested tuples, lists and dicts: flatten to leaves, build again.

>>> leaves, tree = flatten({"a": 1, "b": (2, 3)})
>>> leaves
[1, 2, 3]
>>> tree.build([10, 20, 30])
{'a': 10, 'b': (20, 30)}
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Tree:
    """A nesting without its leaves; hashable."""

    kind: Any = None  # the class of the nesting; None: a leaf
    keys: tuple[Any, ...] = ()
    branches: tuple["Tree", ...] = ()

    def build(self, leaves: Iterable[Any]) -> Any:
        """Put leaves in, in the order `flatten` gave them."""
        return self._build(iter(leaves))

    def _build(self, leaves: Iterator[Any]) -> Any:
        if self.kind is None:
            return next(leaves)
        values = [branch._build(leaves) for branch in self.branches]
        if issubclass(self.kind, dict):
            return dict(zip(self.keys, values, strict=True))
        if hasattr(self.kind, "_fields"):
            return self.kind(*values)
        return self.kind(values)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return 1 if self.kind is None else sum(branch.size for branch in self.branches)

    def nest(self, inner: "Tree") -> "Tree":
        """Put a nesting in the place of every leaf."""
        if self.kind is None:
            return inner
        return Tree(self.kind, self.keys, tuple(branch.nest(inner) for branch in self.branches))


LEAF = Tree()


def flatten(value: Any) -> tuple[list[Any], Tree]:
    """Flatten nested tuples, lists and dicts; anything else is a leaf."""
    if isinstance(value, dict):
        keys, items = tuple(value), list(value.values())
    elif isinstance(value, (tuple, list)):
        keys, items = (), list(value)
    else:
        return [value], LEAF
    leaves: list[Any] = []
    branches = []
    for item in items:
        below, tree = flatten(item)
        leaves += below
        branches.append(tree)
    kind = dict if isinstance(value, dict) else type(value)
    return leaves, Tree(kind, keys, tuple(branches))
