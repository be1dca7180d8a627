"""Contraction trees as OMEinsum writes them: nested objects, whose order is a path.

In: a document that is not trusted. Out: the product that the tree contracts, and its path.
Guaranteed: each operand is one leaf; an inner node's indices are those that its parent has for it.

A leaf is ``{"isleaf": true, "tensorindex": n}``, with n from 1 as in Julia, or from 0. An inner
node is ``{"isleaf": false, "args": nodes, "eins": {"ixs": indices of each, "iy": of the result}}``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from eingrad._shown import shown
from eingrad.errors import PlanError
from eingrad.paths.files.document import Found
from eingrad.paths.files.linear import Pairs, linear_of_ssa
from eingrad.paths.problem import Labels


class Tree(NamedTuple):
    """A product, and the order in which a tree contracts it."""

    places: Sequence[Found]
    terms: tuple[Labels, ...]
    out: Labels
    path: Pairs


class _Inner(NamedTuple):
    """An inner node: its children, and what it contracts."""

    args: list[Found]
    terms: list[Labels]
    out: Labels


def read_tree(found: Found, labels: Callable[[Found], Labels]) -> Tree:
    """Read a tree whose root is an inner node; `labels` reads indices."""
    root = _inner(found, labels)
    leaves: dict[int, tuple[Found, Labels]] = {}
    steps: list[list[tuple[str, int]]] = []
    made: list[tuple[str, int]] = []  # ("leaf", its number) or ("step", its place): what waits
    pending = [(found, root.out, 0)]  # a node, its indices, and how many children were seen to
    while pending:  # no recursion: a tree may be as deep as it has leaves
        place, term, children = pending.pop()
        if children:
            parts = made[-children:]
            del made[-children:]
            if children > 1:
                steps.append(parts)
                parts = [("step", len(steps) - 1)]
            made += parts
        elif _is_leaf(place):
            number = place.fields("tensorindex", optional=None)["tensorindex"]
            n = number.integer()
            if n in leaves:
                number.fail(f"operand {n} is a leaf twice; each operand is one leaf")
            leaves[n] = (place, term)
            made.append(("leaf", n))
        else:
            node = _inner(place, labels)
            if node.out != term:
                place.fail(
                    "the indices of this result are not those that the node above has for it"
                )
            pending.append((place, term, len(node.args)))
            pending += [(a, t, 0) for a, t in zip(node.args[::-1], node.terms[::-1], strict=True)]
    return _tree(found, root.out, leaves, steps)


def _tree(
    found: Found,
    out: Labels,
    leaves: Mapping[int, tuple[Found, Labels]],
    steps: Sequence[Sequence[tuple[str, int]]],
) -> Tree:
    count, first = len(leaves), min(leaves)
    if first > 1 or max(leaves) - first != count - 1:
        found.fail(f"the operands of {count} leaves are not numbered from 1, or from 0")
    path = [[n - first if kind == "leaf" else count + n for kind, n in step] for step in steps]
    ordered = [leaves[n] for n in sorted(leaves)]
    try:
        linear = linear_of_ssa(path, count)
    except PlanError as error:
        found.fail(str(error))
    return Tree([place for place, _ in ordered], tuple([term for _, term in ordered]), out, linear)


def _inner(found: Found, labels: Callable[[Found], Labels]) -> _Inner:
    if _is_leaf(found):
        found.fail("a tree of one leaf does not say its indices; there is nothing to contract")
    fields = found.fields("args", "eins", optional=None)
    args = fields["args"].items("nodes")
    eins = fields["eins"].fields("ixs", "iy", optional=None)
    terms = [labels(place) for place in eins["ixs"].items("operands")]
    if not args or len(args) != len(terms):
        fields["args"].fail(f"there are {len(args)} nodes, and indices for {len(terms)}")
    return _Inner(args, terms, labels(eins["iy"]))


def _is_leaf(found: Found) -> bool:
    said = found.fields("isleaf", optional=None)["isleaf"]
    if type(said.value) is not bool:
        said.fail(f"{shown(said.value)} says nothing; write true or false")
    return bool(said.value)
