"""Nested tuples, lists and dicts: flatten to leaves, build again.

>>> leaves, tree = flatten({"a": 1, "b": (2, 3)})
>>> leaves
[1, 2, 3]
>>> tree.build([10, 20, 30])
{'a': 10, 'b': (20, 30)}
"""

import reprlib
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from eingrad.errors import ShapeError

DEEPEST = 100  # levels; deeper is a mistake, or a list that contains itself


@dataclass(frozen=True, slots=True)
class Tree:
    """A nesting without its leaves; hashable. Keys 1, 1.0 and True are three, as they are shown."""

    kind: Any = None  # the class of the nesting; None: a leaf
    keys: tuple[Any, ...] = ()
    branches: tuple["Tree", ...] = ()
    typed: tuple[Hashable, ...] = field(default=(), repr=False)  # what tells the keys from others

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
        branches = tuple(branch.nest(inner) for branch in self.branches)
        return Tree(self.kind, self.keys, branches, self.typed)


LEAF = Tree()
_NESTINGS = frozenset({dict, OrderedDict, tuple, list})


def flatten(value: Any, like: Tree | None = None) -> tuple[list[Any], Tree]:
    """Flatten nested tuples, named tuples, lists and dicts; anything else is a leaf.

    So are other subclasses of them: they may mean more than their items. The items of a dict come
    in its order, or in that of a dict of the same keys in the same place of another tree.
    """
    if type(value) not in _NESTINGS and not isinstance(value, tuple):
        return [value], LEAF
    leaves: list[Any] = []
    return leaves, _flatten(value, leaves, 0, like)


def _flatten(value: Any, leaves: list[Any], depth: int, like: Tree | None) -> Tree:
    if depth > DEEPEST:
        raise ShapeError(
            f"tuples, lists and dicts are nested more than {DEEPEST} deep, or contain "
            "themselves; give flatter ones"
        )
    kind = type(value)
    keys: tuple[Any, ...] = ()
    if kind in (dict, OrderedDict):
        same = like is not None and like.keys and value.keys() == {*like.keys}
        keys = like.keys if like is not None and same else tuple(value)
        items = [value[key] for key in keys]
    elif kind in (tuple, list) or (isinstance(value, tuple) and hasattr(kind, "_fields")):
        items = list(value)
    else:
        leaves.append(value)
        return LEAF
    alike = like is not None and len(like.branches) == len(items)
    below = like.branches if like is not None and alike else (None,) * len(items)
    branches = (
        _flatten(item, leaves, depth + 1, each) for item, each in zip(items, below, strict=True)
    )
    return Tree(kind, keys, tuple(branches), typed(keys))


def typed(keys: Iterable[Any]) -> tuple[Hashable, ...]:
    """Write keys so that those which are equal but of other types, or signs of zero, differ."""
    return tuple([key if type(key) is str else _typed(key) for key in keys])


def _typed(key: Any) -> Hashable:
    kind = type(key)
    if kind in (tuple, frozenset):
        items = typed(key)
        return kind, items if kind is tuple else frozenset(items)
    return kind, repr(key) if kind in (float, complex) else key


class _Array:
    """Stands for an array in a nesting that is printed."""

    def __repr__(self) -> str:
        return "array"


def nesting(tree: Tree) -> str:
    """Print how a value is nested, long ones cut short: ``array``, ``{'a': array}``."""
    return reprlib.repr(tree.build([_Array()] * tree.size))
