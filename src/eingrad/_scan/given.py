"""What a scan is given, and what its function returns: nestings, lengths, shapes, dtypes.

In: the user's arguments, and results of his function. Out: leaves, and how they are nested.
Guaranteed: what does not fit is refused in the words of the user's call.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eingrad._arguments import labels, lists_in
from eingrad._ir import Node
from eingrad._tracer import Expression, Trace, node_of
from eingrad._tree import Tree, flatten, nesting
from eingrad._verbs import check_count
from eingrad.errors import DTypeError, ShapeError


@dataclass(frozen=True, slots=True)
class Given:
    """The leaves of `init` and `xs`: arrays, or None where there is none."""

    carries: list[Any]
    carry_tree: Tree
    slices: list[Any]
    slice_tree: Tree
    length: int
    counts: tuple[bool, ...]  # of each carry that there is: whether it begins with an integer

    @classmethod
    def of(cls, init: Any, xs: Any, length: Any, trace: Trace | None) -> "Given":
        """Flatten, and find the length."""
        carries, carry_tree = flatten(init)
        slices, slice_tree = flatten(xs)
        _refuse_lists(xs)
        arrays = [as_carried(leaf, trace, "init") for leaf in carries]
        sliced = [as_carried(leaf, trace, "xs") for leaf in slices]
        count = _length(sliced, labels(["xs"], [slice_tree]), length)
        counts = tuple(_is_integer(leaf) for leaf in carries if leaf is not None)
        return cls(arrays, carry_tree, sliced, slice_tree, count, counts)


def _refuse_lists(xs: Any) -> None:
    """Refuse lists of numbers among the slices: each number would be sliced."""
    for name, value, _ in lists_in("xs", xs):
        leaves = flatten(value)[0]
        if all(leaf is not None and np.shape(leaf) == () for leaf in leaves):
            is_traced = any(isinstance(leaf, Expression) for leaf in leaves)
            raise ShapeError(
                f"{name} is a {type(value).__name__} of numbers, each of which would be sliced; "
                f"pass {'np.stack' if is_traced else 'np.array'}({name}), of which a step is given "
                "a row"
            )


def _is_integer(leaf: Any) -> bool:
    return type(leaf) is int or getattr(leaf, "dtype", np.dtype(float)).kind in "iu"


def as_carried(leaf: Any, trace: Trace | None, what: str) -> Any:
    """Give what is no traced value as an array, of a dtype that is computed with."""
    if leaf is None or isinstance(leaf, (Expression, np.ndarray)):
        return leaf
    if not isinstance(leaf, np.number | float):
        node_of(leaf, trace, what)  # refuses what is no number
    return np.asarray(leaf, np.float64 if type(leaf) is int else None)


def _length(slices: Sequence[Any], names: Sequence[str], length: Any) -> int:
    if length is not None:
        check_count(length, "length")
    known = "length", length
    for name, array in zip(names, slices, strict=True):
        if array is None:
            continue
        if not array.shape:
            raise ShapeError(
                f"{name} has no axes, so it cannot be sliced; let the function of the scan use it "
                "from outside, or give an array with an axis for the steps"
            )
        if known[1] is None:
            known = name, array.shape[0]
        elif known[1] != array.shape[0]:
            raise ShapeError(
                f"{known[0]} says {known[1]} steps, but {name} has {array.shape[0]}, the size of "
                "its first axis; they must be equal"
            )
    if known[1] is None:
        raise ShapeError("how many steps a scan has is not known; give xs, or length")
    return int(known[1])


def _nested(leaves: Sequence[Any], tree: Tree) -> str:
    """Say how an output is nested, and where it is None."""
    return "None" if leaves == [None] else nesting(tree)


@dataclass(frozen=True, slots=True)
class Body:
    """The user's function."""

    f: Callable[[Any, Any], Any]
    name: str
    given: Given

    def results(self, returned: Any) -> tuple[list[Any], list[Any], Tree]:
        """Take what was returned apart: leaves of the carry, those of the output, its nesting."""
        if type(returned) not in (tuple, list) or len(returned) != 2:  # noqa: PLR2004 - a pair
            given = "None" if returned is None else nesting(flatten(returned)[1])
            raise ShapeError(
                f"{self.name} returned {given}, but the function of a scan "
                "returns a pair, (carry, y); without an output return (carry, None)"
            )
        carry, y = returned
        wanted = self.given.carry_tree
        leaves, tree = flatten(carry, wanted)
        if tree != wanted:
            raise ShapeError(
                f"the carry that {self.name} returned must be nested as init is: "
                f"{nesting(wanted)}, not {nesting(tree)}"
            )
        return leaves, *flatten(y)

    def check_output(
        self, ys: Sequence[Any], tree: Tree, first: Sequence[Any], first_tree: Tree
    ) -> None:
        """Refuse an output that is not as that of the first step: they are stacked."""
        if tree != first_tree or [y is None for y in ys] != [y is None for y in first]:
            raise ShapeError(
                f"{self.name} returned an output {_nested(ys, tree)} after "
                f"{_nested(first, first_tree)}; outputs are stacked, so each step must give one "
                "that is nested alike"
            )
        shapes = [(np.shape(old), np.shape(new)) for old, new in zip(first, ys, strict=True)]
        for name, (old, new) in zip(labels(["the output"], [tree]), shapes, strict=True):
            if old != new:
                raise ShapeError(
                    f"{name} that {self.name} returned has shape {new}, after shape {old}; outputs "
                    "are stacked, so each step must give one of the same shape"
                )

    def check_carries(self, carries: Sequence[Any], first: Sequence[Any]) -> None:
        """Refuse a carry that changes its shape or dtype; given are nodes or arrays, or None."""
        names = labels(["init"], [self.given.carry_tree])
        for name, new, old in zip(names, carries, first, strict=True):
            if (new is None) != (old is None):
                has, misses = ("a value", "None") if old is None else ("None", "an array")
                raise ShapeError(
                    f"{self.name} returned {has} where {name} is {misses}; a step must give what "
                    "it is given"
                )
            if new is not None and new.shape != old.shape:
                raise ShapeError(
                    f"{name} has shape {old.shape}, but {self.name} returned shape {new.shape} for "
                    "it; a step must keep the shape of what it carries: start with that shape"
                )
            if new is not None and new.dtype != old.dtype:
                why, other = "", f'return it as x.astype("{old.dtype}")'
                if old.dtype.kind in "iu":
                    other = "count with xs=np.arange(length)"
                    if isinstance(new, Node):
                        why = " (what is computed of an integer in a traced function is a float)"
                raise DTypeError(
                    f"{name} is {old.dtype}, but {self.name} returned {new.dtype} for it{why}; a "
                    "step must keep the dtype of what it carries: start with "
                    f"{new.dtype}, or {other}"
                )
