"""Nested tuples, lists and dicts: flatten to leaves, build again.

>>> leaves, tree = flatten({"a": 1, "b": (2, 3)})
>>> leaves
[1, 2, 3]
>>> tree.build([10, 20, 30])
{'a': 10, 'b': (20, 30)}
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from eingrad.errors import ShapeError

_DEEPEST = 100  # levels; deeper is a mistake, or a list that contains itself


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
            return self.kind(zip(self.keys, values, strict=True))
        if hasattr(self.kind, "_fields"):
            return self.kind(*values)
        return self.kind(values)

    def is_like(self, other: "Tree") -> bool:
        """Whether leaves of one are in the places of the other; a list is like a tuple."""
        return (self.kind is None) == (other.kind is None) and (
            self.keys == other.keys
            and len(self.branches) == len(other.branches)
            and all(a.is_like(b) for a, b in zip(self.branches, other.branches, strict=True))
        )

    @property
    def is_sequence(self) -> bool:
        """Whether it is a list or tuple of leaves, or of such: what NumPy takes for an array."""
        return self.kind in (list, tuple) and all(
            branch.kind is None or branch.is_sequence for branch in self.branches
        )

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
    """Flatten nested tuples, named tuples, lists and dicts; anything else is a leaf.

    So are other subclasses of them: they may mean more than their items.
    """
    leaves: list[Any] = []
    return leaves, _flatten(value, leaves, 0)


def _flatten(value: Any, leaves: list[Any], depth: int) -> Tree:
    if depth > _DEEPEST:
        raise ShapeError(
            f"tuples, lists and dicts are nested more than {_DEEPEST} deep, or contain "
            "themselves; give flatter ones"
        )
    kind = type(value)
    if kind in (dict, OrderedDict):
        keys, items = tuple(value), list(value.values())
    elif kind in (tuple, list) or (isinstance(value, tuple) and hasattr(kind, "_fields")):
        keys, items = (), list(value)
    else:
        leaves.append(value)
        return LEAF
    return Tree(kind, keys, tuple(_flatten(item, leaves, depth + 1) for item in items))
